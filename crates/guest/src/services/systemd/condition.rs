//! Whether a unit's conditions let it run (systemd.unit(5), "Conditions and Asserts"), as far as the disk tells.

use super::unit::{self, Entry};
use crate::{
    Evidence, FileKind, Unknown,
    files::{Files, Read},
};

/// Folders that are empty on the disk and filled while the system runs.
const VOLATILE: &[&str] = &["/run", "/proc", "/sys", "/dev", "/tmp", "/var/run"];

/// What is known of a condition's test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holds {
    Yes,
    No,
    NotKnown,
}

/// The place of the condition or assertion that keeps a unit from running; `None` when nothing does.
///
/// # Errors
/// `start_condition_not_known` when only the running system can tell.
pub(super) fn blocking(files: &Files<'_>, name: &str, entries: &[Entry], first_boot: bool) -> Read<Option<Evidence>> {
    for kind in ["Condition", "Assert"] {
        // The part after the kind, its value and its place; an empty value forgets all before it.
        let mut conditions: Vec<(&str, &str, &Evidence)> = Vec::new();
        for entry in entries.iter().filter(|entry| entry.section == "Unit") {
            let Some(test) = entry.key.strip_prefix(kind) else {
                continue;
            };
            if entry.value.is_empty() {
                conditions.clear();
            } else {
                conditions.push((test, &entry.value, &entry.place));
            }
        }
        let mut not_known = None;
        // Of those with a `|` one is enough (the same chapter).
        let mut one_of: Option<(Holds, Evidence)> = None;
        for (test, value, place) in conditions {
            let (triggering, value) = match value.strip_prefix('|') {
                Some(rest) => (true, rest.trim_start()),
                None => (false, value),
            };
            let (negated, value) = match value.strip_prefix('!') {
                Some(rest) => (true, rest.trim_start()),
                None => (false, value),
            };
            let holds = match unit::expand(value, name) {
                Some(value) => holds(files, test, &value, negated, first_boot)?,
                None => Holds::NotKnown,
            };
            if triggering {
                one_of = Some(match one_of.take() {
                    Some((Holds::Yes, first)) => (Holds::Yes, first),
                    Some((Holds::NotKnown, first)) if holds == Holds::No => (Holds::NotKnown, first),
                    Some((_, first)) => (holds, first),
                    None => (holds, place.clone()),
                });
            } else {
                match holds {
                    Holds::Yes => {}
                    Holds::No => return Ok(Some(place.clone())),
                    Holds::NotKnown => _ = not_known.get_or_insert_with(|| place.clone()),
                }
            }
        }
        match one_of {
            Some((Holds::No, place)) => return Ok(Some(place)),
            Some((Holds::NotKnown, place)) => _ = not_known.get_or_insert(place),
            _ => {}
        }
        if let Some(place) = not_known {
            let condition = place.value.unwrap_or_default();
            return Err(Unknown::new("start_condition_not_known")
                .with("unit", name)
                .with("condition", condition));
        }
    }
    Ok(None)
}

fn holds(files: &Files<'_>, test: &str, value: &str, negated: bool, first_boot: bool) -> Read<Holds> {
    let plain = match test {
        "PathExists" | "PathIsDirectory" | "PathIsSymbolicLink" | "FileNotEmpty" | "DirectoryNotEmpty"
        | "FileIsExecutable" => {
            if VOLATILE
                .iter()
                .any(|folder| value.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/')))
            {
                Holds::NotKnown
            } else {
                known(path_holds(files, test, value)?)
            }
        }
        "FirstBoot" => match boolean(value) {
            Some(wanted) => known(wanted == first_boot),
            None => Holds::NotKnown,
        },
        // The system will run in a virtual machine; which one is told as far as that goes.
        "Virtualization" => match value {
            "vm" | "yes" | "true" | "1" | "on" | "kvm" | "qemu" => Holds::Yes,
            "container" | "private-users" | "no" | "false" | "0" | "off" | "wsl" | "docker" | "lxc" => Holds::No,
            _ => Holds::NotKnown,
        },
        // In a machine of its own the first process has all of them (capabilities(7), the bounding set).
        "Capability" if value.starts_with("CAP_") => Holds::Yes,
        _ => Holds::NotKnown,
    };
    Ok(match (plain, negated) {
        (Holds::Yes, true) => Holds::No,
        // An exception that nothing on the disk speaks for is not the case.
        (Holds::No | Holds::NotKnown, true) => Holds::Yes,
        (plain, false) => plain,
    })
}

fn known(holds: bool) -> Holds {
    if holds { Holds::Yes } else { Holds::No }
}

fn path_holds(files: &Files<'_>, test: &str, path: &str) -> Read<bool> {
    Ok(match test {
        "PathIsSymbolicLink" => files.read_link(path)?.is_some(),
        "PathIsDirectory" => files.stat(path)?.is_some_and(|stat| stat.kind == FileKind::Directory),
        "FileNotEmpty" => files
            .stat(path)?
            .is_some_and(|stat| stat.kind == FileKind::File && stat.size > 0),
        "FileIsExecutable" => files
            .stat(path)?
            .is_some_and(|stat| stat.kind == FileKind::File && stat.mode & 0o111 != 0),
        "DirectoryNotEmpty" => !files.list(path)?.is_empty(),
        _ => files.stat(path)?.is_some(),
    })
}

/// systemd's words for yes and no (systemd.syntax(7)).
fn boolean(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "1" | "yes" | "y" | "true" | "t" | "on" => Some(true),
        "0" | "no" | "n" | "false" | "f" | "off" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryTree;

    fn blocked(conditions: &str) -> Result<Option<u32>, String> {
        let tree = MemoryTree::new().file("/there", "x").file("/empty", "").dir("/folder");
        let files = Files::new(&tree).unwrap();
        let entries = unit::entries("/u", &format!("[Unit]\n{conditions}"));
        blocking(&files, "a@there.service", &entries, false)
            .map(|place| place.and_then(|place| place.line))
            .map_err(|unknown| unknown.code)
    }

    #[test]
    fn every_plain_condition_must_hold() {
        assert_eq!(
            blocked("ConditionPathExists=/there\nConditionPathExists=!/gone"),
            Ok(None)
        );
        assert_eq!(
            blocked("ConditionPathExists=/there\nConditionPathExists=!/there"),
            Ok(Some(3))
        );
        assert_eq!(
            blocked("ConditionPathExists=/%i"),
            Ok(None),
            "the instance's name is filled in"
        );
        assert_eq!(blocked("ConditionFileNotEmpty=/empty"), Ok(Some(2)));
        assert_eq!(blocked("ConditionDirectoryNotEmpty=/folder"), Ok(Some(2)));
        assert_eq!(blocked("ConditionFirstBoot=yes"), Ok(Some(2)));
        assert_eq!(blocked("AssertPathExists=/gone"), Ok(Some(2)));
        assert_eq!(blocked("ConditionVirtualization=!container"), Ok(None));
        assert_eq!(
            blocked("ConditionCapability=CAP_NET_ADMIN"),
            Ok(None),
            "as systemd-networkd.service has it"
        );
        assert_eq!(blocked("ConditionCapability=!CAP_SYS_ADMIN"), Ok(Some(2)));
    }

    #[test]
    fn an_empty_value_forgets_those_before() {
        assert_eq!(
            blocked("ConditionPathExists=/gone\nConditionPathExists=\nConditionPathExists=/there"),
            Ok(None)
        );
        assert_eq!(
            blocked("ConditionPathExists=/gone\nAssertPathExists="),
            Ok(Some(2)),
            "each kind for itself"
        );
    }

    #[test]
    fn of_several_with_a_bar_one_is_enough() {
        assert_eq!(
            blocked("ConditionPathExists=|/gone\nConditionPathExists=|/there"),
            Ok(None)
        );
        assert_eq!(
            blocked("ConditionPathExists=|/gone\nConditionPathExists=|!/there"),
            Ok(Some(2))
        );
    }

    #[test]
    fn what_only_the_running_system_knows_is_not_guessed() {
        let not_known = Err("start_condition_not_known".to_owned());
        assert_eq!(blocked("ConditionPathExists=/sys/firmware/efi"), not_known);
        assert_eq!(blocked("ConditionKernelCommandLine=foo"), not_known);
        assert_eq!(blocked("ConditionKernelCommandLine=!cloud-init=disabled"), Ok(None));
        assert_eq!(blocked("ConditionPathExists=!/run/ostree-booted"), Ok(None));
        assert_eq!(
            blocked("ConditionSecurity=selinux\nConditionPathExists=/gone"),
            Ok(Some(3)),
            "one that fails is enough"
        );
    }
}
