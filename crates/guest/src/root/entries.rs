//! Which root the boot entries name: GRUB's `grub.cfg`, Boot Loader Specification entries, extlinux. Only asked where
//! several systems could be meant.

use crate::{
    Evidence,
    files::Files,
    volumes::{Found, Opened, Volumes},
};

/// Largest configuration that is read, in bytes.
const LIMIT: usize = 1 << 20;

/// Entries of one folder that are read, at most.
const MAX_ENTRIES: usize = 64;

/// GRUB's configuration on a root or a boot filesystem; `/EFI/*/grub.cfg` comes on top.
const GRUB: &[&str] = &[
    "/boot/grub/grub.cfg",
    "/boot/grub2/grub.cfg",
    "/grub/grub.cfg",
    "/grub2/grub.cfg",
];

const EXTLINUX: &[&str] = &[
    "/boot/extlinux/extlinux.conf",
    "/boot/extlinux.conf",
    "/extlinux/extlinux.conf",
    "/extlinux.conf",
    "/boot/syslinux/syslinux.cfg",
    "/syslinux/syslinux.cfg",
    "/syslinux.cfg",
];

const ENTRIES: &[&str] = &["/loader/entries", "/boot/loader/entries"];

/// The entry that a configuration starts when nobody chooses another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// What `root=` says.
    pub(crate) root: Option<String>,
    /// What `ostree=` says.
    pub(crate) ostree: Option<String>,
    /// Where.
    pub(crate) evidence: Evidence,
}

/// The default entries of all configurations that a boot loader may read, each with the volume on which it stands.
pub(crate) fn defaults(volumes: &Volumes) -> Vec<(&Opened, Entry)> {
    let mut found = Vec::new();
    // What small configurations on the EFI partition hand over to.
    let mut handed: Vec<&Opened> = Vec::new();
    for opened in volumes.list() {
        let Some(tree) = opened.files() else { continue };
        let files = Files::joined(tree, "", &[]);
        for path in configurations(&files) {
            let Ok(Some(text)) = files.read_text(&path, LIMIT) else {
                continue;
            };
            if let Some(uuid) = handed_over(&text) {
                if let Found::One(other) = volumes.find(&format!("UUID={uuid}")) {
                    handed.push(other);
                }
            } else if let Some(entry) = grub_default(&path, &text) {
                found.push((opened, entry));
            }
        }
        found.extend(bls_default(&files).map(|entry| (opened, entry)));
        for path in EXTLINUX {
            let Ok(Some(text)) = files.read_text(path, LIMIT) else {
                continue;
            };
            found.extend(extlinux_default(path, &text).map(|entry| (opened, entry)));
        }
    }
    let is_handed = |opened: &Opened| handed.iter().any(|other| std::ptr::eq(*other, opened));
    if found.iter().any(|(opened, _)| is_handed(opened)) {
        found.retain(|(opened, _)| is_handed(opened));
    }
    found
}

fn configurations(files: &Files<'_>) -> Vec<String> {
    let mut paths: Vec<String> = GRUB.iter().map(|path| (*path).to_owned()).collect();
    for folder in ["/EFI", "/efi/EFI", "/boot/efi/EFI"] {
        let vendors = files.list(folder).unwrap_or_default();
        paths.extend(
            vendors
                .iter()
                .take(MAX_ENTRIES)
                .map(|vendor| format!("{folder}/{vendor}/grub.cfg")),
        );
    }
    paths
}

/// A configuration that only looks for a filesystem and goes on with the one there.
fn handed_over(text: &str) -> Option<&str> {
    if text
        .lines()
        .any(|line| is_linux(line).is_some() || line.trim_start().starts_with("blscfg"))
    {
        return None;
    }
    text.lines().find_map(|line| {
        let mut words = line.split_ascii_whitespace();
        match words.next()? {
            "search.fs_uuid" => words.next(),
            "search" => {
                let words: Vec<&str> = words.collect();
                let by_uuid = words.iter().any(|word| matches!(*word, "--fs-uuid" | "-u"));
                let is_value = |word: &&&str| !word.starts_with('-') && word.contains(|c: char| c.is_ascii_digit());
                by_uuid.then(|| words.iter().find(is_value).copied()).flatten()
            }
            _ => None,
        }
    })
}

/// The arguments of a `linux` command.
fn is_linux(line: &str) -> Option<&str> {
    let line = line.trim_start();
    ["linux", "linux16", "linuxefi"].iter().find_map(|command| {
        let rest = line.strip_prefix(command)?;
        rest.starts_with([' ', '\t']).then_some(rest)
    })
}

fn entry(arguments: &str, path: &str, line: u32) -> Entry {
    let value = |key: &str| {
        let word = arguments
            .split_ascii_whitespace()
            .rev()
            .find_map(|word| word.strip_prefix(key));
        // A variable says nothing here.
        word.map(str::to_owned).filter(|value| !value.contains('$'))
    };
    let (root, ostree) = (value("root="), value("ostree="));
    let shown = match (&root, &ostree) {
        (Some(root), None) => format!("root={root}"),
        (None, Some(ostree)) => format!("ostree={ostree}"),
        (Some(root), Some(ostree)) => format!("root={root} ostree={ostree}"),
        (None, None) => String::new(),
    };
    Entry {
        root,
        ostree,
        evidence: Evidence::path(path).line(line).value(&shown),
    }
}

/// The first `linux` command, as long as the first entry is the default or all entries name the same root.
fn grub_default(path: &str, text: &str) -> Option<Entry> {
    let lines = (1..).zip(text.lines());
    let entries: Vec<Entry> = lines
        .filter_map(|(number, line)| Some(entry(is_linux(line)?, path, number)))
        .collect();
    let first = entries.first()?;
    let same = entries.iter().all(|entry| entry.root == first.root);
    let chosen = text
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("set default="));
    let mut others = chosen.filter(|value| {
        let value = value.trim_matches(['"', '\'']);
        value != "0" && value != "${next_entry}"
    });
    (same || others.next().is_none()).then(|| first.clone())
}

/// Boot Loader Specification: the entry with the highest version; without versions, the last by name.
fn bls_default(files: &Files<'_>) -> Option<Entry> {
    for folder in ENTRIES {
        let names = files.list(folder).unwrap_or_default();
        let mut best: Option<(u64, String, Entry)> = None;
        for name in names
            .iter()
            .filter(|name| name.strip_suffix(".conf").is_some())
            .take(MAX_ENTRIES)
        {
            let path = format!("{folder}/{name}");
            let Ok(Some(text)) = files.read_text(&path, LIMIT) else {
                continue;
            };
            let value = |key: &str| {
                (1..).zip(text.lines()).find_map(|(number, line)| {
                    let rest = line.trim_start().strip_prefix(key)?;
                    rest.starts_with([' ', '\t']).then(|| (number, rest.trim()))
                })
            };
            let Some((number, options)) = value("options") else {
                continue;
            };
            // ostree numbers its entries; elsewhere the version is the kernel's and all entries start one system.
            let version = value("version")
                .and_then(|(_, version)| version.parse().ok())
                .unwrap_or(0);
            let candidate = (version, name.clone(), entry(options, &path, number));
            if best
                .as_ref()
                .is_none_or(|best| (best.0, &best.1) < (candidate.0, &candidate.1))
            {
                best = Some(candidate);
            }
        }
        if let Some((.., entry)) = best {
            return Some(entry);
        }
    }
    None
}

/// The entry that `DEFAULT` names, else the first.
fn extlinux_default(path: &str, text: &str) -> Option<Entry> {
    let words = |line: &str| {
        let (key, rest) = line.trim().split_once([' ', '\t'])?;
        Some((key.to_ascii_lowercase(), rest.trim().to_owned()))
    };
    let lines: Vec<(u32, (String, String))> = (1..)
        .zip(text.lines())
        .filter_map(|(number, line)| Some((number, words(line)?)))
        .collect();
    let default = lines
        .iter()
        .find(|(_, (key, _))| key == "default")
        .map(|(_, (_, name))| name.clone());
    let mut label = None;
    let mut first = None;
    for (number, (key, rest)) in &lines {
        match key.as_str() {
            "label" => label = Some(rest.clone()),
            "append" => {
                let found = entry(rest, path, *number);
                if default.is_some() && label == default {
                    return Some(found);
                }
                first.get_or_insert(found);
            }
            _ => {}
        }
    }
    first
}
