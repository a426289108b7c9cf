//! systemd's unit folders: which unit a name stands for (aliases, masks, templates) and what its drop-ins add.

use std::collections::{BTreeMap, BTreeSet};

use super::unit::{self, Entry};
use crate::{
    Evidence, FileKind, Unknown,
    files::{Files, Read},
};

/// Where systemd looks for units, the administrator's folder first (systemd.unit(5), "Unit File Load Path"). What is
/// below `/run` does not exist before the boot.
const FOLDERS: &[&str] = &[
    "/etc/systemd/system.control",
    "/etc/systemd/system",
    "/etc/systemd/system.attached",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

/// Largest unit or start script that is looked through, in bytes.
pub(crate) const UNIT_LIMIT: usize = 256 << 10;

/// Aliases that lead to aliases; systemd itself stops much earlier.
const MAX_ALIASES: usize = 8;

/// Drop-ins of one unit; real ones are a handful.
const MAX_DROP_INS: usize = 256;

/// What a name stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Named {
    /// A unit of this name, with aliases resolved, and its file.
    Unit(String, String),
    /// Masked, by this link or empty file.
    Masked(Evidence),
    /// No folder has it.
    Missing,
}

/// The names in all unit folders.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// Unit name and the first folder that has it.
    names: BTreeMap<String, &'static str>,
    /// Folders for a unit (`ssh.service.d`, `multi-user.target.wants`) and the unit folders that have one.
    folders: BTreeMap<String, Vec<&'static str>>,
    /// A unit and its other names, as far as there are folders for those.
    aliases: BTreeMap<String, Vec<String>>,
    /// Why some folder could not be read: what is not found may be there all the same.
    pub(super) trouble: Option<Unknown>,
}

impl Index {
    pub(super) fn read(files: &Files<'_>) -> Self {
        let mut index = Self::default();
        for folder in FOLDERS {
            // A merged /usr shows the same folder twice.
            if *folder == "/lib/systemd/system" && matches!(files.read_link("/lib"), Ok(Some(_))) {
                continue;
            }
            match files.list(folder) {
                Err(unknown) => _ = index.trouble.get_or_insert(unknown),
                Ok(names) => {
                    for name in names {
                        if unit::is_unit(&name) {
                            index.names.entry(name).or_insert(folder);
                        } else if unit::suffix(&name) == "d" || dependency(&name).is_some() {
                            index.folders.entry(name).or_default().push(folder);
                        }
                    }
                }
            }
        }
        let owners: BTreeSet<String> = index
            .folders
            .keys()
            .filter_map(|name| name.rsplit_once('.').map(|(owner, _)| owner.to_owned()))
            .filter(|owner| index.names.contains_key(owner))
            .collect();
        for owner in owners {
            match index.find(files, &owner) {
                Ok(Named::Unit(name, _)) if name != owner => index.aliases.entry(name).or_default().push(owner),
                Ok(_) => {}
                Err(unknown) => _ = index.trouble.get_or_insert(unknown),
            }
        }
        index
    }

    /// Every name that a folder has.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.keys().map(String::as_str)
    }

    /// Follows a name to its unit.
    pub(super) fn find(&self, files: &Files<'_>, name: &str) -> Read<Named> {
        let mut name = name.to_owned();
        for _ in 0..MAX_ALIASES {
            // An instance has a file of its own or its template's.
            let (file, folder) = match self.names.get(&name) {
                Some(folder) => (name.clone(), *folder),
                None => match unit::template(&name).and_then(|file| {
                    let folder = *self.names.get(&file)?;
                    Some((file, folder))
                }) {
                    Some(found) => found,
                    None => return Ok(Named::Missing),
                },
            };
            let path = format!("{folder}/{file}");
            let Some(target) = files.read_link(&path)? else {
                return Ok(match files.stat(&path)? {
                    Some(stat) if stat.kind == FileKind::File && stat.size == 0 => Named::Masked(Evidence::path(path)),
                    Some(stat) if stat.kind == FileKind::File => Named::Unit(name, path),
                    _ => Named::Missing,
                });
            };
            let absolute = join(folder, &target);
            if absolute == "/dev/null" {
                return Ok(Named::Masked(Evidence::path(path).value(&target)));
            }
            let (target_folder, target_name) = absolute.rsplit_once('/').unwrap_or(("", &absolute));
            if !FOLDERS.contains(&target_folder) || target_name == file {
                // A unit that stands elsewhere, or the same one in a folder of less weight.
                return Ok(match files.stat(&path)? {
                    Some(stat) if stat.kind == FileKind::File && stat.size == 0 => Named::Masked(Evidence::path(path)),
                    Some(stat) if stat.kind == FileKind::File => Named::Unit(name, path),
                    _ => Named::Missing,
                });
            }
            name = match (unit::is_template(target_name), name.split_once('@')) {
                (true, Some((_, rest))) if file != name => {
                    let instance = rest.rsplit_once('.').map_or(rest, |(instance, _)| instance);
                    target_name.replacen('@', &format!("@{instance}"), 1)
                }
                _ => target_name.to_owned(),
            };
        }
        Ok(Named::Missing)
    }

    /// A unit's own entries, then those of its drop-ins in the order in which systemd reads them.
    pub(super) fn entries(&self, files: &Files<'_>, name: &str, path: &str) -> Read<Vec<Entry>> {
        let text = files.read_text(path, UNIT_LIMIT)?.unwrap_or_default();
        let mut entries = unit::entries(path, &text);
        for path in self.drop_ins(files, name)? {
            if let Some(text) = files.read_text(&path, UNIT_LIMIT)? {
                entries.extend(unit::entries(&path, &text));
            }
        }
        Ok(entries)
    }

    /// Drop-ins are read by their file names; of two with one name the first folder's holds, and the unit's own folder
    /// comes before those of a shorter prefix and of its type (systemd.unit(5)).
    fn drop_ins(&self, files: &Files<'_>, name: &str) -> Read<Vec<String>> {
        let mut found: BTreeMap<String, String> = BTreeMap::new();
        let mut owners = self.all_names(name);
        if let Some((prefix, suffix)) = name.rsplit_once('.') {
            let mut rest = prefix.split('@').next().unwrap_or(prefix).trim_end_matches('-');
            while let Some((shorter, _)) = rest.rsplit_once('-') {
                owners.push(format!("{shorter}-.{suffix}"));
                rest = shorter;
            }
            owners.push(suffix.to_owned());
        }
        for owner in owners {
            for folder in self.folders.get(&format!("{owner}.d")).into_iter().flatten() {
                for file in files.list(&format!("{folder}/{owner}.d"))? {
                    if unit::suffix(&file) == "conf" && found.len() < MAX_DROP_INS {
                        let path = format!("{folder}/{owner}.d/{file}");
                        found.entry(file).or_insert(path);
                    }
                }
            }
        }
        Ok(found.into_values().collect())
    }

    /// Links in the folders `<unit>.wants` and their like, with the kind of dependency, the name and the place. A link to
    /// nothing (`/dev/null`) takes one of less weight away, and what is no link does not count (systemd.unit(5)).
    pub(super) fn links(&self, files: &Files<'_>, unit: &str) -> Read<Vec<(&'static str, String, Evidence)>> {
        let mut found = Vec::new();
        for kind in ["wants", "requires", "upholds"] {
            let mut seen = BTreeSet::new();
            for owner in self.all_names(unit) {
                let below = format!("{owner}.{kind}");
                for folder in self.folders.get(&below).into_iter().flatten() {
                    for name in files.list(&format!("{folder}/{below}"))? {
                        if !unit::is_unit(&name) || unit::is_template(&name) || !seen.insert(name.clone()) {
                            continue;
                        }
                        let path = format!("{folder}/{below}/{name}");
                        let Some(target) = files.read_link(&path)? else {
                            continue;
                        };
                        if join(&format!("{folder}/{below}"), &target) != "/dev/null" {
                            found.push((kind, name, Evidence::path(path).value(&target)));
                        }
                    }
                }
            }
        }
        Ok(found)
    }

    /// A unit's own name, its template's, and its aliases.
    fn all_names(&self, name: &str) -> Vec<String> {
        let own = [Some(name.to_owned()), unit::template(name)];
        let aliases = self.aliases.get(name).into_iter().flatten().cloned();
        own.into_iter().flatten().chain(aliases).collect()
    }
}

/// The kind of dependency that a folder's name tells.
fn dependency(name: &str) -> Option<&str> {
    let (_, kind) = name.rsplit_once('.')?;
    matches!(kind, "wants" | "requires" | "upholds").then_some(kind)
}

/// A link's target as an absolute path, `.` and `..` resolved by name.
fn join(folder: &str, target: &str) -> String {
    let base = if target.starts_with('/') { "" } else { folder };
    let mut parts: Vec<&str> = Vec::new();
    for part in base.split('/').chain(target.split('/')) {
        match part {
            "" | "." => {}
            ".." => _ = parts.pop(),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryTree;

    fn find(tree: &MemoryTree, name: &str) -> Named {
        let files = Files::new(tree).unwrap();
        Index::read(&files).find(&files, name).unwrap()
    }

    fn tree() -> MemoryTree {
        MemoryTree::new()
            .symlink("/lib", "usr/lib")
            .file("/usr/lib/systemd/system/ssh.service", "[Unit]\n")
            .file("/usr/lib/systemd/system/sshd@.service", "[Unit]\n")
            .symlink("/etc/systemd/system/sshd.service", "/lib/systemd/system/ssh.service")
    }

    #[test]
    fn a_name_leads_over_aliases_to_its_unit() {
        let ssh = Named::Unit(
            "ssh.service".to_owned(),
            "/usr/lib/systemd/system/ssh.service".to_owned(),
        );
        assert_eq!(find(&tree(), "sshd.service"), ssh);
        let relative = tree().symlink(
            "/etc/systemd/system/sshd.service",
            "../../../usr/lib/systemd/system/ssh.service",
        );
        assert_eq!(find(&relative, "sshd.service"), ssh);
        assert_eq!(
            find(&tree().without("/usr/lib/systemd/system/ssh.service"), "sshd.service"),
            Named::Missing
        );
        let around = tree().symlink("/usr/lib/systemd/system/ssh.service", "sshd.service");
        assert_eq!(find(&around, "sshd.service"), Named::Missing, "a circle ends");
    }

    #[test]
    fn an_instance_is_its_templates() {
        assert!(matches!(find(&tree(), "sshd@x.service"), Named::Unit(name, _) if name == "sshd@x.service"));
        let alias = tree().symlink(
            "/etc/systemd/system/remote@.service",
            "/usr/lib/systemd/system/sshd@.service",
        );
        assert!(matches!(find(&alias, "remote@1.service"), Named::Unit(name, _) if name == "sshd@1.service"));
    }

    #[test]
    fn links_to_nothing_and_empty_files_mask_and_units_elsewhere_do_not() {
        for masked in [
            tree().symlink("/etc/systemd/system/ssh.service", "/dev/null"),
            tree().symlink("/etc/systemd/system/ssh.service", "../../../dev/null"),
            tree().file("/etc/systemd/system/ssh.service", ""),
        ] {
            assert!(
                matches!(find(&masked, "sshd.service"), Named::Masked(_)),
                "by its alias too"
            );
        }
        let elsewhere = tree()
            .file("/opt/ssh.service", "[Unit]\n")
            .symlink("/etc/systemd/system/ssh.service", "/opt/ssh.service");
        assert!(matches!(find(&elsewhere, "ssh.service"), Named::Unit(..)));
    }

    #[test]
    fn drop_ins_are_those_of_every_name_of_the_unit() {
        let tree = tree()
            .file("/etc/systemd/system/ssh.service.d/10.conf", "[Unit]\nWants=a.service\n")
            .file(
                "/usr/lib/systemd/system/ssh.service.d/10.conf",
                "[Unit]\nWants=hidden.service\n",
            )
            .file(
                "/etc/systemd/system/sshd.service.d/05.conf",
                "[Unit]\nWants=b.service\n",
            )
            .file("/usr/lib/systemd/system/service.d/20.conf", "[Unit]\nWants=c.service\n")
            .file(
                "/usr/lib/systemd/system/ssh.service.d/readme",
                "[Unit]\nWants=d.service\n",
            );
        let files = Files::new(&tree).unwrap();
        let index = Index::read(&files);
        let entries = index
            .entries(&files, "ssh.service", "/usr/lib/systemd/system/ssh.service")
            .unwrap();
        let values: Vec<_> = entries.iter().map(|entry| entry.value.as_str()).collect();
        assert_eq!(values, ["b.service", "a.service", "c.service"]);
    }
}
