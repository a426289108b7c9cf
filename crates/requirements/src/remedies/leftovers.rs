//! Commands that rid a system of what the old machine left, and that give it room. A path from the image gets into them
//! only as one harmless word of a shell.

use crate::Subject;

use super::{Init, Packages, distribution, install};

/// Most files that one command names. Where there are more, somebody has to look for himself.
const MAX_FILES: usize = 50;

/// An absolute path as one word of a shell; `None` where it holds what a reader would not see or would misread: control
/// characters, marks of direction, a way up.
pub(crate) fn path_word(path: &str) -> Option<String> {
    let is_seen = |c: char| c.is_ascii_graphic() || c == ' ' || (!c.is_ascii() && c.is_alphanumeric());
    if !path.starts_with('/') || path.split('/').any(|part| part == "..") || !path.chars().all(is_seen) {
        return None;
    }
    let plain = path
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"/._-+@".contains(&byte));
    Some(if plain {
        path.to_owned()
    } else {
        format!("'{}'", path.replace('\'', r"'\''"))
    })
}

/// All paths as words; `None` where one of them cannot be one, or where there are none or too many.
fn words(paths: &[&str]) -> Option<String> {
    if paths.is_empty() || paths.len() > MAX_FILES {
        return None;
    }
    let words: Option<Vec<String>> = paths.iter().map(|path| path_word(path)).collect();
    words.map(|words| words.join(" "))
}

/// Overwrites files and deletes them: what is merely deleted still stands in the disk's free blocks, and those are
/// uploaded as well.
pub(crate) fn erase(paths: &[&str]) -> Vec<String> {
    let Some(words) = words(paths) else {
        return Vec::new();
    };
    vec![if paths.len() == 1 {
        format!("[ ! -e {words} ] || shred -u {words}")
    } else {
        format!("for file in {words}; do [ ! -e \"$file\" ] || shred -u \"$file\"; done")
    }]
}

/// Deletes files that hold no secret.
pub(crate) fn delete(paths: &[&str]) -> Vec<String> {
    words(paths)
        .map(|words| vec![format!("rm -f {words}")])
        .unwrap_or_default()
}

/// Has every VM make an identity of its own. systemd must find an empty file: without one it could not write a new one to
/// a root that is still read-only (machine-id(5)). D-Bus without systemd makes a new one where there is no file.
/// `copied`: D-Bus has a copy, which systemd would take over.
pub(crate) fn renew_machine_id(subject: &Subject, copied: bool) -> Vec<String> {
    match distribution(subject).map(|distribution| distribution.init) {
        Some(Init::Systemd) => {
            let mut commands = vec!["truncate -s 0 /etc/machine-id".to_owned()];
            if copied {
                commands.push("rm -f /var/lib/dbus/machine-id".to_owned());
            }
            commands
        }
        Some(Init::OpenRc | Init::Chkconfig | Init::UpdateRc) => {
            vec!["rm -f /etc/machine-id /var/lib/dbus/machine-id".to_owned()]
        }
        None => Vec::new(),
    }
}

/// Throws away what the package manager has downloaded, and old journals.
pub(crate) fn free_space(subject: &Subject) -> Vec<String> {
    let Some(distribution) = distribution(subject) else {
        return Vec::new();
    };
    let cache = match distribution.packages {
        Packages::Apt => "apt-get clean",
        Packages::Dnf => "dnf clean all",
        Packages::Yum => "yum clean all",
        // apk keeps nothing unless it is told to.
        Packages::Apk => "rm -rf /var/cache/apk/*",
        Packages::Pacman => "pacman --sync --clean --clean --noconfirm",
        Packages::Zypper => "zypper clean --all",
    };
    let mut commands = vec![cache.to_owned()];
    if distribution.init == Init::Systemd {
        commands.push("journalctl --rotate --vacuum-size=1M".to_owned());
    }
    commands
}

/// Brings the programs that let partition and filesystem grow.
pub(crate) fn install_growers(subject: &Subject, growpart: bool, resize2fs: bool) -> Vec<String> {
    let Some(distribution) = distribution(subject) else {
        return Vec::new();
    };
    let (for_partition, for_filesystem) = match distribution.packages {
        Packages::Apt | Packages::Pacman => ("cloud-guest-utils", "e2fsprogs"),
        Packages::Dnf | Packages::Yum => ("cloud-utils-growpart", "e2fsprogs"),
        Packages::Apk => ("cloud-utils-growpart", "e2fsprogs-extra"),
        Packages::Zypper => ("growpart", "e2fsprogs"),
    };
    let wanted: Vec<&str> = [(growpart, for_partition), (resize2fs, for_filesystem)]
        .into_iter()
        .filter_map(|(is_wanted, package)| is_wanted.then_some(package))
        .collect();
    install(distribution.packages, &wanted.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_word_or_none() {
        assert_eq!(
            path_word("/root/.ssh/id_ed25519").as_deref(),
            Some("/root/.ssh/id_ed25519")
        );
        assert_eq!(
            path_word("/home/jörg/my key.pem").as_deref(),
            Some("'/home/jörg/my key.pem'")
        );
        assert_eq!(
            path_word("/home/$(reboot)'/x").as_deref(),
            Some(r"'/home/$(reboot)'\''/x'"),
            "a shell takes it for what it is, a name"
        );
        for harmful in [
            "/home/a\nreboot\n/.netrc",
            "/home/\u{202e}x/.netrc",
            "/home/../etc/passwd",
            "relative",
            "",
        ] {
            assert_eq!(path_word(harmful), None, "{harmful:?}");
        }
    }

    #[test]
    fn one_path_that_cannot_be_named_leaves_no_half_command() {
        assert_eq!(erase(&["/root/.netrc", "/home/a\u{1b}/.netrc"]), [""; 0]);
        assert_eq!(
            erase(&["/root/.netrc"]),
            ["[ ! -e /root/.netrc ] || shred -u /root/.netrc"]
        );
        assert_eq!(delete(&vec!["/a"; MAX_FILES + 1]), [""; 0]);
    }
}
