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
    /// The list holds something else than names.
    odd: bool,
}

/// What came of reading a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Parsed {
    /// Its settings.
    Config(Config),
    /// No valid settings: cloud-init logs a warning and goes on without the file (`cloudinit.util.load_yaml`).
    Broken,
    /// Beyond the bounds, or a list that holds more than names: what cloud-init makes of it is not known.
    Unclear,
}

/// Most datasources of one list; cloud-init knows about thirty.
const MAX_SOURCES: usize = 1000;

/// Reads one file as PyYAML's safe loader would: of a repeated key the last holds, unknown tags are an error.
pub(super) fn parse(text: &str) -> Parsed {
    if has_tab_that_python_rejects(text) {
        return Parsed::Broken;
    }
    match serde_saphyr::from_str_with_options::<Option<Config>>(text, options()) {
        Ok(Some(config)) if config.odd => Parsed::Unclear,
        Ok(config) => Parsed::Config(config.unwrap_or_default()),
        Err(error) if matches!(error.without_snippet(), serde_saphyr::Error::Budget { .. }) => Parsed::Unclear,
        Err(_) => Parsed::Broken,
    }
}

/// PyYAML skips spaces before a token, but no tabs; the parser here takes both. Told apart is what matters: a line that
/// begins with a tab, and one behind the key.
fn has_tab_that_python_rejects(text: &str) -> bool {
    text.lines().any(|line| {
        let value = line.strip_prefix("datasource_list:").unwrap_or_default();
        line.starts_with('\t') || value.trim_start_matches(' ').starts_with('\t')
    })
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
                    let Names { names, odd } = map.next_value()?;
                    config.datasource_list = Some((names, line));
                    config.odd = odd;
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
#[derive(Default)]
struct Names {
    names: Vec<String>,
    /// Something else than a name was among them, and is left out.
    odd: bool,
}

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NamesVisitor { inside: false })
    }
}

struct NamesVisitor {
    /// Within the list, where another list is odd.
    inside: bool,
}

/// One element of the list.
struct Element(Names);

impl<'de> Deserialize<'de> for Element {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NamesVisitor { inside: true }).map(Self)
    }
}

impl<'de> Visitor<'de> for NamesVisitor {
    type Value = Names;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of names")
    }

    fn visit_unit<E>(self) -> Result<Names, E> {
        Ok(Names::default())
    }

    fn visit_none<E>(self) -> Result<Names, E> {
        Ok(Names::default())
    }

    fn visit_str<E>(self, name: &str) -> Result<Names, E> {
        Ok(Names {
            names: vec![name.to_owned()],
            odd: false,
        })
    }

    fn visit_bool<E>(self, _: bool) -> Result<Names, E> {
        Ok(Names {
            odd: true,
            ..Names::default()
        })
    }

    fn visit_i64<E>(self, _: i64) -> Result<Names, E> {
        Ok(Names {
            odd: true,
            ..Names::default()
        })
    }

    fn visit_u64<E>(self, _: u64) -> Result<Names, E> {
        Ok(Names {
            odd: true,
            ..Names::default()
        })
    }

    fn visit_f64<E>(self, _: f64) -> Result<Names, E> {
        Ok(Names {
            odd: true,
            ..Names::default()
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Names, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Names {
            odd: true,
            ..Names::default()
        })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Names, A::Error> {
        if self.inside {
            while sequence.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(Names {
                odd: true,
                ..Names::default()
            });
        }
        let mut list = Names::default();
        while let Some(Element(element)) = sequence.next_element()? {
            list.odd |= element.odd || list.names.len() >= MAX_SOURCES;
            if list.names.len() < MAX_SOURCES {
                list.names.extend(element.names);
            }
        }
        Ok(list)
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
            "\tx: 1",
            "datasource_list:\t[NoCloud]\n",
        ] {
            assert_eq!(parse(text), Parsed::Broken, "{text}");
        }
    }

    #[test]
    fn a_list_of_other_things_is_unclear() {
        for text in [
            "datasource_list: {NoCloud: {}}\n",
            "datasource_list: [ConfigDrive, [NoCloud]]\n",
            "datasource_list:\n- ConfigDrive:\n    x: 1\n",
            "datasource_list: [1]\n",
        ] {
            assert_eq!(parse(text), Parsed::Unclear, "{text}");
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
