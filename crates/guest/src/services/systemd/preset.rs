//! What systemd enables by itself at a first boot (systemd.preset(5), machine-id(5)).

use std::collections::BTreeMap;

use super::unit;
use crate::{
    Evidence,
    files::{Files, Read},
    glob,
};

/// Folders with preset files, the administrator's first (systemd.preset(5)).
const FOLDERS: &[&str] = &[
    "/etc/systemd/system-preset",
    "/usr/local/lib/systemd/system-preset",
    "/usr/lib/systemd/system-preset",
    "/lib/systemd/system-preset",
];

/// Largest preset file that is read, in bytes; Fedora's have less than 10 KiB.
const PRESET_LIMIT: usize = 256 << 10;

/// One line of a preset file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    verb: Verb,
    pattern: String,
    instances: Vec<String>,
    place: Evidence,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Enable,
    Disable,
    /// The unit is left as it is (since systemd 256).
    Ignore,
}

/// Every rule, in the order in which they are asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Presets {
    rules: Vec<Rule>,
}

/// What the presets say of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Preset {
    /// To be enabled, a template for these instances; `None` where no line says so: that is the default.
    Enable(Vec<String>, Option<Evidence>),
    /// To be disabled.
    Disable,
    /// To be left as it is.
    Ignore,
}

/// machine-id(5): the first boot is told by a missing file or the word `uninitialized`; an empty file is not one.
pub(super) fn is_first_boot(files: &Files<'_>) -> Read<bool> {
    Ok(match files.read_start("/etc/machine-id", 64)? {
        None => true,
        Some(text) => text.trim_ascii_end() == b"uninitialized",
    })
}

impl Presets {
    /// Reads the files of all folders in the order of their names; of two with one name the first folder's holds.
    pub(super) fn read(files: &Files<'_>) -> Read<Self> {
        let mut paths: BTreeMap<String, String> = BTreeMap::new();
        for folder in FOLDERS {
            for name in files.list(folder)? {
                if unit::suffix(&name) == "preset" {
                    let path = format!("{folder}/{name}");
                    paths.entry(name).or_insert(path);
                }
            }
        }
        let mut presets = Self::default();
        for path in paths.values() {
            if let Some(text) = files.read_text(path, PRESET_LIMIT)? {
                presets.rules.extend(rules(path, &text));
            }
        }
        Ok(presets)
    }

    /// The first line whose pattern fits decides; a unit that none names is enabled (systemd.preset(5)).
    pub(super) fn of(&self, unit: &str) -> Preset {
        let Some(rule) = self.rules.iter().find(|rule| glob::matches(&rule.pattern, unit)) else {
            return Preset::Enable(Vec::new(), None);
        };
        match rule.verb {
            Verb::Enable => Preset::Enable(rule.instances.clone(), Some(rule.place.clone())),
            Verb::Disable => Preset::Disable,
            Verb::Ignore => Preset::Ignore,
        }
    }
}

fn rules(path: &str, text: &str) -> Vec<Rule> {
    let lines = (1..).zip(text.lines().map(str::trim));
    let rules = lines
        .filter(|(_, line)| !line.starts_with(['#', ';']))
        .filter_map(|(number, line)| {
            let mut words = line.split_whitespace();
            let verb = match words.next()? {
                "enable" => Verb::Enable,
                "disable" => Verb::Disable,
                "ignore" => Verb::Ignore,
                _ => return None,
            };
            Some(Rule {
                verb,
                pattern: words.next()?.to_owned(),
                instances: words.map(str::to_owned).collect(),
                place: Evidence::path(path).line(number).value(line),
            })
        });
    rules.collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::MemoryTree;

    fn presets(tree: &MemoryTree) -> Presets {
        Presets::read(&Files::new(tree).unwrap()).unwrap()
    }

    #[test]
    fn the_first_line_that_fits_decides_over_all_files_by_name() {
        let tree = MemoryTree::new()
            .file(
                "/usr/lib/systemd/system-preset/99-default-disable.preset",
                "disable *\n",
            )
            .file(
                "/usr/lib/systemd/system-preset/90-default.preset",
                "# Fedora's\nenable sshd.service\nenable getty@.service tty1 tty2\n",
            )
            .file("/usr/lib/systemd/system-preset/50-own.preset", "disable s*.socket\n")
            .file("/etc/systemd/system-preset/50-own.preset", "enable x.socket\n");
        let presets = presets(&tree);
        assert!(matches!(presets.of("sshd.service"), Preset::Enable(_, Some(place)) if place.line == Some(2)));
        assert!(matches!(presets.of("getty@.service"), Preset::Enable(instances, _) if instances == ["tty1", "tty2"]));
        assert_eq!(
            presets.of("sshd.socket"),
            Preset::Disable,
            "by the last file: /etc's 50-own.preset replaces the other"
        );
        assert!(matches!(presets.of("x.socket"), Preset::Enable(..)));
    }

    #[test]
    fn without_a_line_a_unit_is_enabled() {
        assert_eq!(
            presets(&MemoryTree::new().dir("/etc")).of("ssh.service"),
            Preset::Enable(Vec::new(), None)
        );
        let masked = MemoryTree::new()
            .file("/usr/lib/systemd/system-preset/90.preset", "disable *")
            .symlink("/etc/systemd/system-preset/90.preset", "/dev/null");
        assert!(
            matches!(presets(&masked).of("ssh.service"), Preset::Enable(..)),
            "a link to /dev/null masks a file"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_text_is_read(text in "(enable|disable|ignore|[ \n#;*a.@\\[-]){0,40}") {
            let tree = MemoryTree::new().file("/etc/systemd/system-preset/1.preset", &text);
            _ = presets(&tree).of("ssh.service");
        }
    }
}
