//! One YAML settings file of cloud-init, as far as it says where settings are looked for. The file is hostile input:
//! size, depth, nodes and aliases are bounded.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_saphyr::{DuplicateKeyPolicy, Options, Spanned};

/// What one file says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Config {
    /// The list and the line of its key; `None` where the file has no such key.
    pub(super) datasource_list: Option<(Vec<String>, u32)>,
    /// Another folder for drop-ins than `cloud.cfg.d`; empty for none.
    pub(super) drop_ins: Option<String>,
}

/// What came of reading a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Parsed {
    /// Its settings.
    Config(Config),
    /// No valid settings: cloud-init logs a warning and goes on without the file (`cloudinit.util.load_yaml`).
    Broken,
    /// Beyond the bounds: what cloud-init would make of it is not known.
    TooLarge,
}

/// Most datasources of one list; cloud-init knows about thirty.
const MAX_SOURCES: usize = 1000;

/// Reads one file as PyYAML's safe loader would: of a repeated key the last holds, unknown tags are an error.
pub(super) fn parse(text: &str) -> Parsed {
    match serde_saphyr::from_str_with_options::<Option<Config>>(text, options()) {
        Ok(config) => Parsed::Config(config.unwrap_or_default()),
        Err(error) if matches!(error.without_snippet(), serde_saphyr::Error::Budget { .. }) => Parsed::TooLarge,
        Err(_) => Parsed::Broken,
    }
}

fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: 64,
            max_nodes: 100_000,
            max_events: 400_000,
            max_aliases: 1000,
            max_documents: 2,
        },
        emit_comments: false,
        duplicate_keys: DuplicateKeyPolicy::LastWins,
        reject_unsupported_tags: true,
        with_snippet: false,
    }
}

impl<'de> Deserialize<'de> for Config {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ConfigVisitor)
    }
}

struct ConfigVisitor;

impl<'de> Visitor<'de> for ConfigVisitor {
    type Value = Config;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a mapping")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Config, A::Error> {
        let mut config = Config::default();
        while let Some(key) = map.next_key::<Spanned<String>>()? {
            match key.value.as_str() {
                "datasource_list" => {
                    let line = u32::try_from(key.referenced.line()).unwrap_or(u32::MAX);
                    config.datasource_list = Some((map.next_value::<Names>()?.0, line));
                }
                "conf_d" => config.drop_ins = map.next_value::<Option<String>>()?.map(|path| path.trim().to_owned()),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(config)
    }
}

/// A list of names; a single name counts as a list of one, and nothing as an empty list.
struct Names(Vec<String>);

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NamesVisitor).map(Names)
    }
}

struct NamesVisitor;

impl<'de> Visitor<'de> for NamesVisitor {
    type Value = Vec<String>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of names")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }

    fn visit_none<E>(self) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(vec![name.to_owned()])
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
        let mut names = Vec::new();
        // `None` is a datasource's name here, and no YAML null.
        while let Some(name) = sequence.next_element::<Option<String>>()? {
            if names.len() >= MAX_SOURCES {
                return Err(serde::de::Error::custom("too many datasources"));
            }
            names.extend(name);
        }
        Ok(names)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn list(text: &str) -> Option<(Vec<String>, u32)> {
        match parse(text) {
            Parsed::Config(config) => config.datasource_list,
            other => panic!("{other:?}: {text}"),
        }
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn ubuntus_stock_drop_in_is_read_with_its_line() {
        let text = "# to update this file, run dpkg-reconfigure cloud-init\ndatasource_list: [ NoCloud, ConfigDrive, OpenNebula, DigitalOcean, None ]\n";
        let expected = names(&["NoCloud", "ConfigDrive", "OpenNebula", "DigitalOcean", "None"]);
        assert_eq!(list(text), Some((expected, 2)));
    }

    #[test]
    fn every_way_to_write_a_list_is_understood() {
        let both = names(&["ConfigDrive", "NoCloud"]);
        for (text, line) in [
            ("datasource_list: [ConfigDrive, NoCloud]", 1),
            ("a: 1\ndatasource_list:\n  - ConfigDrive\n  - NoCloud\n", 2),
            ("datasource_list:\n- ConfigDrive # first\n- 'NoCloud'\n", 1),
            ("\n\n\"datasource_list\": [\n  ConfigDrive,\n  \"NoCloud\",\n]\n", 3),
            ("x: &l [ConfigDrive, NoCloud]\ndatasource_list: *l\n", 2),
            ("{datasource_list: [ConfigDrive, NoCloud]}", 1),
            ("1: x\ntrue: y\ndatasource_list: [ConfigDrive, NoCloud]\n", 3),
        ] {
            assert_eq!(list(text), Some((both.clone(), line)), "{text}");
        }
        assert_eq!(
            list("datasource_list: [A]\nx: 1\ndatasource_list: [B]\n").unwrap().0,
            names(&["B"]),
            "the last of a repeated key"
        );
        assert_eq!(list("datasource_list: NoCloud\n").unwrap().0, names(&["NoCloud"]));
    }

    #[test]
    fn a_missing_key_is_not_an_empty_list() {
        assert_eq!(list("users: []\n"), None);
        assert_eq!(list(""), None);
        assert_eq!(list("# only a comment\n"), None);
        assert_eq!(
            list("nested:\n  datasource_list: [NoCloud]\n"),
            None,
            "the key counts at the top only"
        );
        assert_eq!(list("datasource_list:\n"), Some((Vec::new(), 1)));
        assert_eq!(list("datasource_list: []\n"), Some((Vec::new(), 1)));
        assert_eq!(
            list("datasource_list: [None]\n").unwrap().0,
            names(&["None"]),
            "the datasource of that name"
        );
    }

    #[test]
    fn what_cloud_init_skips_is_broken() {
        for text in [
            "datasource_list: [ NoCloud",
            "- a\n- b\n",
            "just words",
            "a: b: c\n",
            "a: !thing x\n",
            "a: 1\n---\nb: 2\n",
        ] {
            assert_eq!(parse(text), Parsed::Broken, "{text}");
        }
    }

    #[test]
    fn real_stock_files_are_understood() {
        let cloud_cfg = include_str!("../../tests/stock/debian-12-cloud.cfg");
        assert_eq!(
            parse(cloud_cfg),
            Parsed::Config(Config::default()),
            "Debian 12 names no list in /etc"
        );
        let logging = include_str!("../../tests/stock/debian-12-05_logging.cfg");
        assert_eq!(parse(logging), Parsed::Config(Config::default()));
    }

    #[test]
    fn bombs_end_at_once() {
        let mut aliases = vec!["a0: &a0 [x, x, x, x, x, x, x, x, x, x]".to_owned()];
        for level in 1..20 {
            let above = level - 1;
            let row = vec![format!("*a{above}"); 10].join(", ");
            aliases.push(format!("a{level}: &a{level} [{row}]"));
        }
        let aliases = aliases.join("\n");
        let deep = format!("x: {}{}", "[".repeat(10_000), "]".repeat(10_000));
        let wide = format!("datasource_list: [{}]", "a,".repeat(300_000));
        for text in [aliases, deep, wide] {
            let start = std::time::Instant::now();
            assert!(!matches!(parse(&text), Parsed::Config(_)));
            assert!(start.elapsed().as_secs() < 5, "took {:?}", start.elapsed());
        }
    }

    proptest! {
        #[test]
        fn any_text_ends_without_a_panic(text in "[ -~\n\t&*!|>]{0,200}") {
            let _ = parse(&text);
        }
    }
}
