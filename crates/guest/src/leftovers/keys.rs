//! Keys: the SSH server's own, those that may log in, and private keys in the places where programs keep them.

use crate::{
    FileKind,
    facts::{AuthorizedKeys, Found},
    files::{Files, Read},
};

use super::{found, homes::Home, is_filled, names};

/// Largest file of keys that may log in, in bytes.
const AUTHORIZED_LIMIT: usize = 1 << 20;

/// Bytes of a file in which a PEM header is looked for: OpenSSL writes attributes before it in some.
const HEADER: usize = 4096;

/// Folders with the SSH server's keys: everybody's, that of FreeBSD's ports, dropbear's.
const HOST_KEY_FOLDERS: &[&str] = &["/etc/ssh", "/usr/local/etc/ssh", "/etc/dropbear"];

/// Files with keys that may log in, in a home.
const AUTHORIZED: &[&str] = &[".ssh/authorized_keys", ".ssh/authorized_keys2"];

/// Folders outside homes in which programs keep private keys.
const KEY_FOLDERS: &[&str] = &[
    "/etc/ssl/private",
    "/etc/ssl",
    "/etc/ssl/certs",
    "/etc/pki/tls/private",
    "/etc/pki/tls/certs",
    "/etc/nginx",
    "/etc/nginx/ssl",
    "/etc/nginx/certs",
    "/etc/apache2/ssl",
    "/etc/httpd/ssl",
    "/etc/httpd/conf/ssl.key",
    "/etc/haproxy",
    "/etc/haproxy/certs",
    "/etc/openvpn",
    "/etc/openvpn/server",
    "/etc/openvpn/client",
    "/etc/openvpn/keys",
    "/etc/openvpn/easy-rsa/pki/private",
    "/etc/ipsec.d/private",
    "/etc/swanctl/private",
    "/etc/swanctl/rsa",
    "/etc/kubernetes/pki",
    "/etc/docker",
    "/etc/puppetlabs/puppet/ssl/private_keys",
    "/var/lib/puppet/ssl/private_keys",
    "/etc/chef",
    "/etc/salt/pki/minion",
    "/etc/salt/pki/master",
    "/usr/local/etc/ssl/private",
];

/// The beginning of the body of an OpenSSH key without passphrase: `openssh-key-v1\0` and the cipher `none`
/// (OpenSSH, PROTOCOL.key), in base64.
const OPENSSH_PLAIN: &str = "b3BlbnNzaC1rZXktdjEAAAAABG5vbmU";

/// The SSH server's private keys.
pub(super) fn host_keys(files: &Files<'_>) -> Read<Vec<Found>> {
    let mut all = Vec::new();
    for folder in HOST_KEY_FOLDERS {
        for name in names(files, folder)? {
            let path = format!("{folder}/{name}");
            if let Some(kind) = host_key(&name)
                && is_filled(files, &path)?
            {
                all.push(found(kind, path));
            }
        }
    }
    Ok(all)
}

fn host_key(name: &str) -> Option<&'static str> {
    let kind = match name.strip_prefix("dropbear_") {
        Some(rest) => rest.strip_suffix("_host_key")?,
        None if name == "ssh_host_key" => "rsa1",
        None => name.strip_prefix("ssh_host_")?.strip_suffix("_key")?,
    };
    Some(match kind {
        "rsa" => "rsa",
        "rsa1" => "rsa1",
        "dsa" | "dss" => "dsa",
        "ecdsa" => "ecdsa",
        "ed25519" => "ed25519",
        _ => "other",
    })
}

/// Keys that let somebody log in.
pub(super) fn authorized_keys(files: &Files<'_>, homes: &[Home]) -> Read<Vec<AuthorizedKeys>> {
    let mut all = Vec::new();
    for home in homes {
        for path in AUTHORIZED.iter().filter_map(|path| home.at(path)) {
            let text = files.read_text(&path, AUTHORIZED_LIMIT)?.unwrap_or_default();
            let keys = text.lines().filter(|line| is_key(line)).count();
            if keys > 0 {
                all.push(AuthorizedKeys {
                    user: home.user.clone(),
                    path,
                    count: u32::try_from(keys).unwrap_or(u32::MAX),
                });
            }
        }
    }
    Ok(all)
}

/// A line of authorized_keys(5) that is neither empty nor a comment.
fn is_key(line: &str) -> bool {
    let line = line.trim();
    !line.is_empty() && !line.starts_with('#')
}

/// Private keys in homes and where servers keep theirs.
pub(super) fn private_keys(files: &Files<'_>, homes: &[Home]) -> Read<Vec<Found>> {
    let mut all = Vec::new();
    for home in homes {
        let top = home.names().filter(|name| looks_like_key(name)).map(str::to_owned);
        for path in top.filter_map(|name| home.at(&name)) {
            add_key(files, path, &mut all)?;
        }
        if let Some(folder) = home.at(".ssh") {
            for name in names(files, &folder)? {
                add_key(files, format!("{folder}/{name}"), &mut all)?;
            }
        }
        if let Some(folder) = home.at(".gnupg/private-keys-v1.d") {
            for name in names(files, &folder)? {
                if name.strip_suffix(".key").is_some() {
                    all.push(found("pgp_key", format!("{folder}/{name}")));
                }
            }
        }
        if let Some(path) = home.at(".gnupg/secring.gpg")
            && is_filled(files, &path)?
        {
            all.push(found("pgp_key", path));
        }
    }
    for folder in KEY_FOLDERS {
        for name in names(files, folder)? {
            if looks_like_key(&name) {
                add_key(files, format!("{folder}/{name}"), &mut all)?;
            }
        }
    }
    for name in names(files, "/etc/letsencrypt/live")? {
        add_key(files, format!("/etc/letsencrypt/live/{name}/privkey.pem"), &mut all)?;
    }
    Ok(all)
}

/// Names that private keys are given. Certificates share some of them; the content tells them apart.
fn looks_like_key(name: &str) -> bool {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    matches!(extension, "pem" | "key" | "ppk") || (name.starts_with("id_") && extension != "pub")
}

fn add_key(files: &Files<'_>, path: String, all: &mut Vec<Found>) -> Read<()> {
    // A link in /etc/ssl/certs to a certificate costs two reads; a key is a file of its own.
    let is_file = files.lstat(&path)?.is_some_and(|stat| stat.kind == FileKind::File);
    let is_live = path.starts_with("/etc/letsencrypt/");
    if !is_file && !is_live {
        return Ok(());
    }
    let Some(start) = files.read_start(&path, HEADER)? else {
        return Ok(());
    };
    if let Some(kind) = kind_of_key(&start) {
        let kind = if path.ends_with("/ssl-cert-snakeoil.key") {
            "snakeoil_key"
        } else {
            kind
        };
        all.push(found(kind, path));
    }
    Ok(())
}

/// Tells a private key by its header (RFC 7468, OpenSSH's PROTOCOL.key, PuTTY's PPK) and whether a passphrase protects
/// it (RFC 1421: `Proc-Type: 4,ENCRYPTED`).
fn kind_of_key(start: &[u8]) -> Option<&'static str> {
    let text = String::from_utf8_lossy(start);
    if text.starts_with("PuTTY-User-Key-File-") {
        let is_plain = text.lines().any(|line| line.trim() == "Encryption: none");
        return Some(if is_plain { "ssh_key" } else { "ssh_key_encrypted" });
    }
    if text.starts_with("SSH PRIVATE KEY FILE FORMAT 1.1") {
        return Some("ssh_key");
    }
    let mut lines = text.lines().skip_while(|line| !is_private_header(line));
    let header = lines.next()?;
    let next = lines.next().unwrap_or_default();
    Some(if header.contains("OPENSSH") {
        if next.starts_with(OPENSSH_PLAIN) {
            "ssh_key"
        } else {
            "ssh_key_encrypted"
        }
    } else if header.contains("PGP") {
        "pgp_key"
    } else if header.contains("ENCRYPTED") || (next.starts_with("Proc-Type:") && next.contains("ENCRYPTED")) {
        "private_key_encrypted"
    } else {
        "private_key"
    })
}

fn is_private_header(line: &str) -> bool {
    line.strip_prefix("-----BEGIN ")
        .is_some_and(|rest| rest.contains("PRIVATE KEY"))
}

#[cfg(test)]
mod tests {
    use std::{fs, process::Command};

    use super::*;
    use crate::{MemoryTree, leftovers::homes};

    /// Keys made by ssh-keygen itself: what is told of them is right for every kind and with and without passphrase.
    #[test]
    fn keys_of_ssh_keygen_are_told() {
        let folder = tempfile::tempdir().unwrap();
        for (kind, format, passphrase, expected) in [
            ("ed25519", "RFC4716", "", "ssh_key"),
            ("ed25519", "RFC4716", "secret", "ssh_key_encrypted"),
            ("ecdsa", "PEM", "", "private_key"),
            ("ecdsa", "PEM", "secret", "private_key_encrypted"),
            ("ecdsa", "PKCS8", "", "private_key"),
            ("ecdsa", "PKCS8", "secret", "private_key_encrypted"),
        ] {
            let path = folder.path().join(format!("{kind}{format}{passphrase}"));
            let status = Command::new("ssh-keygen")
                .args(["-q", "-t", kind, "-m", format, "-N", passphrase, "-f"])
                .arg(&path)
                .status()
                .unwrap();
            assert!(status.success());
            let name = format!("{kind} {format} {passphrase:?}");
            assert_eq!(kind_of_key(&fs::read(&path).unwrap()), Some(expected), "{name}");
            assert_eq!(
                kind_of_key(&fs::read(path.with_extension("pub")).unwrap()),
                None,
                "{name}"
            );
        }
    }

    #[test]
    fn a_certificate_is_no_key() {
        assert_eq!(kind_of_key(b"-----BEGIN CERTIFICATE-----\nMIIB\n"), None);
        assert_eq!(
            kind_of_key(b"Bag Attributes\n-----BEGIN PRIVATE KEY-----\nMIIB\n"),
            Some("private_key")
        );
        assert_eq!(kind_of_key(b"\xff\xfe\x00"), None);
    }

    #[test]
    fn host_keys_are_private_keys_only() {
        let tree = MemoryTree::new()
            .file("/etc/ssh/ssh_host_ed25519_key", "x")
            .file("/etc/ssh/ssh_host_ed25519_key.pub", "x")
            .file("/etc/ssh/ssh_host_rsa_key", "")
            .file("/etc/ssh/ssh_host_key", "x")
            .file("/etc/ssh/ssh_config", "x")
            .file("/etc/dropbear/dropbear_dss_host_key", "x");
        let found = host_keys(&Files::new(&tree).unwrap()).unwrap();
        let kinds: Vec<&str> = found.iter().map(|found| found.kind.as_str()).collect();
        assert_eq!(kinds, ["ed25519", "rsa1", "dsa"], "an empty file is no key");
    }

    #[test]
    fn authorized_keys_are_counted_by_user() {
        let tree = MemoryTree::new()
            .file("/etc/passwd", "anna:x:1000:1000::/home/anna:/bin/bash\n")
            .file(
                "/home/anna/.ssh/authorized_keys",
                "# laptop\n\nssh-ed25519 AAAA anna\n  restrict,command=\"x\" ssh-rsa AAAA cron\n",
            )
            .file("/home/berta/.ssh/authorized_keys", "\n# none\n");
        let files = Files::new(&tree).unwrap();
        let keys = authorized_keys(&files, &homes::read(&files).unwrap()).unwrap();
        assert_eq!(
            keys,
            [AuthorizedKeys {
                user: Some("anna".to_owned()),
                path: "/home/anna/.ssh/authorized_keys".to_owned(),
                count: 2,
            }]
        );
    }

    #[test]
    fn server_keys_are_found_where_servers_keep_them() {
        let pem = "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n";
        let tree = MemoryTree::new()
            .file("/etc/ssl/private/ssl-cert-snakeoil.key", pem)
            .file("/etc/ssl/private/www.key", pem)
            .file("/etc/ssl/certs/ca.pem", "-----BEGIN CERTIFICATE-----\n")
            .file("/etc/letsencrypt/archive/www/privkey1.pem", pem)
            .symlink(
                "/etc/letsencrypt/live/www/privkey.pem",
                "../../archive/www/privkey1.pem",
            )
            .file("/home/anna/aws.pem", pem)
            .file("/home/anna/letter.txt", pem);
        let files = Files::new(&tree).unwrap();
        let keys = private_keys(&files, &homes::read(&files).unwrap()).unwrap();
        let keys: Vec<_> = keys
            .iter()
            .map(|found| (found.kind.as_str(), found.path.as_str()))
            .collect();
        assert_eq!(
            keys,
            [
                ("private_key", "/home/anna/aws.pem"),
                ("snakeoil_key", "/etc/ssl/private/ssl-cert-snakeoil.key"),
                ("private_key", "/etc/ssl/private/www.key"),
                ("private_key", "/etc/letsencrypt/live/www/privkey.pem"),
            ]
        );
    }
}
