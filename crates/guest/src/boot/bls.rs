//! The Boot Loader Specification's entries (`loader/entries/*.conf`) and systemd-boot's loader.conf.

use std::cmp::Ordering;

use super::{entry::Parsed, grub::Variables};
use crate::{
    glob,
    version::{Rules, compare},
};

/// One entry file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Entry {
    /// The file's name without `.conf`.
    pub(super) id: String,
    pub(super) parsed: Parsed,
    version: String,
    sort_key: String,
    machine_id: String,
}

/// Reads one entry ("Type #1 Boot Loader Entry Keys"). `variables` are those of GRUB, which puts them in.
pub(super) fn entry(id: &str, text: &str, variables: &Variables) -> Entry {
    let mut entry = Entry {
        id: id.to_owned(),
        parsed: Parsed {
            line: 1,
            ..Parsed::default()
        },
        ..Entry::default()
    };
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        let Some((key, value)) = line.split_once(|c: char| c.is_ascii_whitespace()) else {
            continue;
        };
        let value = value.trim();
        let parsed = &mut entry.parsed;
        match key {
            "title" => parsed.title = Some(value.to_owned()),
            "linux" | "efi" | "uki" => parsed.kernel = Some(value.to_owned()),
            // Several lines, or several paths in one as GRUB allows, with a variable of which only GRUB knows.
            "initrd" => {
                let words = value.split_ascii_whitespace().filter(|word| !word.starts_with('$'));
                parsed.initramfs.extend(words.map(str::to_owned));
            }
            "options" => {
                if !parsed.options.is_empty() {
                    parsed.options.push(' ');
                }
                parsed.options.push_str(&expanded(value, variables));
                parsed.options_line = parsed.options_line.or(Some(number));
            }
            "version" => value.clone_into(&mut entry.version),
            "sort-key" => value.clone_into(&mut entry.sort_key),
            "machine-id" => value.clone_into(&mut entry.machine_id),
            _ => {}
        }
    }
    entry
}

/// Puts `$name` in.
fn expanded(options: &str, variables: &Variables) -> String {
    let words = options.split_ascii_whitespace().map(|word| {
        let name = word.strip_prefix('$').map(|name| name.trim_matches(['{', '}']));
        match name {
            Some(name) => variables.get(name).map(String::as_str).unwrap_or_default(),
            None => word,
        }
    });
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// By the numbers in versions and names.
fn newest(one: &str, other: &str) -> Ordering {
    compare(Rules::Dpkg, one, other)
}

/// GRUB's order (its patch "Add BLS support"): the file names, the newest version first.
pub(super) fn sort_as_grub(entries: &mut [Entry]) {
    entries.sort_by(|one, other| newest(&other.id, &one.id));
}

/// systemd-boot's order ("Sorting"): those with a sort key first; by it, then by machine and the newest version.
fn sort_as_systemd(entries: &mut [Entry]) {
    entries.sort_by(|one, other| {
        let keys = match (one.sort_key.is_empty(), other.sort_key.is_empty()) {
            (false, true) => Ordering::Less,
            (true, false) => Ordering::Greater,
            (true, true) => Ordering::Equal,
            (false, false) => (one.sort_key.cmp(&other.sort_key))
                .then_with(|| one.machine_id.cmp(&other.machine_id))
                .then_with(|| newest(&other.version, &one.version)),
        };
        keys.then_with(|| newest(&other.id, &one.id))
    });
}

/// What systemd-boot starts when nobody presses a key: the first entry that `default` in loader.conf(5) matches, else
/// the first of all.
pub(super) fn chosen_by_systemd(loader_conf: &str, mut entries: Vec<Entry>) -> Option<Entry> {
    sort_as_systemd(&mut entries);
    let lines = loader_conf.lines().map(str::trim);
    let pattern = lines
        .filter_map(|line| line.split_once(|c: char| c.is_ascii_whitespace()))
        .filter(|(key, _)| *key == "default")
        .map(|(_, pattern)| pattern.trim())
        .next_back();
    // What was started last stands in the NVRAM, which does not travel.
    let pattern = pattern.filter(|pattern| !pattern.starts_with('@'));
    let wanted = pattern.and_then(|pattern| {
        entries
            .iter()
            .position(|entry| glob(pattern, &entry.id) || glob(pattern, &format!("{}.conf", entry.id)))
    });
    entries.into_iter().nth(wanted.unwrap_or(0))
}

/// systemd-boot's patterns, which do not mind case.
fn glob(pattern: &str, name: &str) -> bool {
    glob::matches(&pattern.to_lowercase(), &name.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(text: &str, variables: &[(&str, &str)]) -> String {
        let variables = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        entry("id", text, &variables).parsed.options
    }

    /// As CentOS 8 writes it: the command line stands in grubenv.
    #[test]
    fn variables_of_grub_are_put_in() {
        let text = "title CentOS Linux (4.18.0) 8\nversion 4.18.0\nlinux /vmlinuz-4.18.0\n\
                    initrd /initramfs-4.18.0.img $tuned_initrd\noptions $kernelopts $tuned_params\nid centos-1\n";
        let kernelopts = "root=/dev/mapper/cl-root ro crashkernel=auto";
        assert_eq!(options(text, &[("kernelopts", kernelopts)]), kernelopts);
        let entry = entry("a", text, &Variables::new());
        assert_eq!(entry.parsed.kernel.as_deref(), Some("/vmlinuz-4.18.0"));
        assert_eq!(entry.parsed.initramfs, ["/initramfs-4.18.0.img"]);
        assert_eq!(entry.parsed.options_line, Some(5));
    }

    #[test]
    fn systemd_boot_starts_what_its_configuration_names_or_the_newest() {
        let entries = || {
            ["arch-6.1", "arch-6.10", "arch-6.9", "fallback"]
                .map(|id| {
                    let version = id.strip_prefix("arch-").unwrap_or("0");
                    entry(
                        id,
                        &format!("title {id}\nversion {version}\nsort-key arch\n"),
                        &Variables::new(),
                    )
                })
                .to_vec()
        };
        let chosen = |conf: &str| chosen_by_systemd(conf, entries()).unwrap().id;
        assert_eq!(chosen(""), "arch-6.10", "numbers are compared as numbers");
        assert_eq!(chosen("timeout 3\ndefault  arch-6.9.conf\n"), "arch-6.9");
        assert_eq!(chosen("default fall*\n"), "fallback");
        assert_eq!(chosen("default @saved\n"), "arch-6.10");
        assert_eq!(chosen("default nothing\n"), "arch-6.10");
        assert_eq!(chosen_by_systemd("", Vec::new()), None);
    }
}
