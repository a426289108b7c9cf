//! What the old machine left behind. Only well-known places are looked at, and nothing that is read there is kept:
//! what comes out are paths, kinds and counts.

mod credentials;
mod homes;
mod identity;
mod keys;

use crate::{
    Fact, FileKind, FileTree,
    facts::{Found, Leftovers},
    files::{Files, Read},
};

use self::homes::Home;

/// Most names of one directory that are looked at; one with more is not a place where a person keeps a few keys.
const MAX_NAMES: usize = 2000;

/// What is left behind in one tree: for tests. What stands on other filesystems is not seen.
pub fn of_tree(tree: &dyn FileTree) -> Leftovers {
    read(&Files::joined(tree, "", &[]))
}

/// Reads what is left behind.
pub(crate) fn read(files: &Files<'_>) -> Leftovers {
    let homes = homes::read(files);
    let in_homes = |search: fn(&Files<'_>, &[Home]) -> Read<Vec<Found>>| match &homes {
        Ok(homes) => fact(search(files, homes)),
        Err(unknown) => Fact::Unknown(unknown.clone()),
    };
    Leftovers {
        machine_id: fact(identity::machine_id(files)),
        host_keys: fact(keys::host_keys(files)),
        cloud_init: fact(identity::cloud_init(files)),
        authorized_keys: match &homes {
            Ok(homes) => fact(keys::authorized_keys(files, homes)),
            Err(unknown) => Fact::Unknown(unknown.clone()),
        },
        private_keys: in_homes(keys::private_keys),
        histories: in_homes(homes::histories),
        credentials: in_homes(credentials::read),
        traces: fact(identity::traces(files)),
    }
}

fn fact<T>(read: Read<T>) -> Fact<T> {
    match read {
        Ok(value) => Fact::Known(value),
        Err(unknown) => Fact::Unknown(unknown),
    }
}

fn found(kind: &str, path: impl Into<String>) -> Found {
    Found {
        kind: kind.to_owned(),
        path: path.into(),
    }
}

/// Names in a directory, as many as are looked at.
fn names(files: &Files<'_>, folder: &str) -> Read<Vec<String>> {
    let mut names = files.list(folder)?;
    names.truncate(MAX_NAMES);
    Ok(names)
}

/// Is it a regular file with something in it?
fn is_filled(files: &Files<'_>, path: &str) -> Read<bool> {
    Ok(files
        .stat(path)?
        .is_some_and(|stat| stat.kind == FileKind::File && stat.size > 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryTree;

    /// The promise that matters most: whatever lies on the disk, no word of a secret leaves this module.
    #[test]
    fn no_secret_gets_into_the_facts() {
        const SECRET: &str = "hunter2SECRETvalue";
        let pem = format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{SECRET}\n-----END OPENSSH PRIVATE KEY-----\n");
        let mut tree = MemoryTree::new()
            .file(
                "/etc/passwd",
                "root:x:0:0::/root:/bin/bash\nanna:x:1000:1000::/home/anna:/bin/bash\n",
            )
            .file("/etc/machine-id", format!("{SECRET}\n"))
            .file("/etc/ssh/ssh_host_rsa_key", &pem)
            .file("/etc/ssl/private/www.key", &pem)
            .file("/var/lib/NetworkManager/secret_key", SECRET)
            .file("/var/lib/systemd/random-seed", SECRET)
            .file("/etc/mysql/debian.cnf", format!("[client]\npassword = {SECRET}\n"))
            .file(
                "/etc/wireguard/wg0.conf",
                format!("[Interface]\nPrivateKey = {SECRET}\n"),
            )
            .file(
                "/etc/NetworkManager/system-connections/WLAN.nmconnection",
                format!("[wifi-security]\npsk={SECRET}\n"),
            );
        for home in ["/root", "/home/anna"] {
            tree = tree
                .file(&format!("{home}/.bash_history"), format!("mysql -p{SECRET}\n"))
                .file(
                    &format!("{home}/.ssh/authorized_keys"),
                    format!("ssh-ed25519 {SECRET} anna@laptop\n"),
                )
                .file(&format!("{home}/.ssh/id_ed25519"), &pem)
                .file(
                    &format!("{home}/.aws/credentials"),
                    format!("aws_secret_access_key = {SECRET}\n"),
                )
                .file(
                    &format!("{home}/.docker/config.json"),
                    format!("{{\"auths\":{{\"x\":{{\"auth\":\"{SECRET}\"}}}}}}"),
                )
                .file(
                    &format!("{home}/.netrc"),
                    format!("machine x login y password {SECRET}\n"),
                );
        }
        let facts = read(&Files::new(&tree).unwrap());
        let text = format!("{facts:?}");
        assert!(!text.contains("SECRET"), "{text}");
        for path in [
            "/etc/ssh/ssh_host_rsa_key",
            "/etc/ssl/private/www.key",
            "/etc/mysql/debian.cnf",
            "/etc/wireguard/wg0.conf",
            "/etc/NetworkManager/system-connections/WLAN.nmconnection",
            "/home/anna/.bash_history",
            "/home/anna/.ssh/id_ed25519",
            "/root/.aws/credentials",
            "/root/.docker/config.json",
            "/root/.netrc",
        ] {
            assert!(
                text.contains(&format!("{path:?}")),
                "{path} was not found, so the test proves nothing"
            );
        }
    }

    #[test]
    fn a_home_on_another_filesystem_is_not_said_to_be_clean() {
        let tree = MemoryTree::new()
            .file("/etc/fstab", "UUID=1 / ext4\nUUID=2 /home ext4\n")
            .file(
                "/etc/passwd",
                "root:x:0:0::/root:/bin/bash\nanna:x:1000:1000::/home/anna:/bin/bash\n",
            );
        let facts = read(&Files::new(&tree).unwrap());
        assert!(matches!(facts.credentials, Fact::Unknown(unknown) if unknown.code == "file_on_other_filesystem"));
        assert_eq!(facts.host_keys, Fact::Known(Vec::new()), "the root itself is certain");
    }
}
