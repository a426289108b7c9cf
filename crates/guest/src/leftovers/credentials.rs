//! Credentials of well-known tools, by the files in which each keeps its own. What stands in a file is asked for a word
//! that makes it a credential, and forgotten.

use crate::{
    facts::Found,
    files::{Files, Read},
};

use super::{found, homes::Home, is_filled, names};

/// Bytes of a file in which the word is looked for.
const SEARCHED: usize = 256 << 10;

/// What makes a file a credential.
#[derive(Debug, Clone, Copy)]
enum Proof {
    /// It is there and not empty.
    Filled,
    /// One of these words stands in it, on a line that is no comment.
    Word(&'static [&'static str]),
    /// A line that is no comment.
    Line,
}

use Proof::{Filled, Line, Word};

/// Words of OpenStack's files (`clouds.yaml`, `openrc`).
const OPENSTACK: Proof = Word(&[
    "password:",
    "secret:",
    "OS_PASSWORD",
    "OS_APPLICATION_CREDENTIAL_SECRET",
    "OS_TOKEN",
]);
/// Words of a configuration of Kubernetes.
const KUBERNETES: Proof = Word(&["client-key-data", "token:", "password:"]);
/// Words of a registry's login (`"auth"`, `"identitytoken"`; a helper keeps it elsewhere).
const REGISTRY: Proof = Word(&["\"auth\"", "\"identitytoken\"", "\"registrytoken\""]);

/// Tools and their files below a home.
const IN_HOMES: &[(&str, &str, Proof)] = &[
    ("aws", ".aws/credentials", Filled),
    ("azure", ".azure/accessTokens.json", Filled),
    ("azure", ".azure/msal_token_cache.json", Filled),
    ("azure", ".azure/msal_token_cache.bin", Filled),
    ("boto", ".boto", Word(&["secret"])),
    ("cargo", ".cargo/credentials", Filled),
    ("cargo", ".cargo/credentials.toml", Filled),
    ("cloudflared", ".cloudflared/cert.pem", Filled),
    ("composer", ".composer/auth.json", Filled),
    ("composer", ".config/composer/auth.json", Filled),
    ("digitalocean", ".config/doctl/config.yaml", Word(&["access-token"])),
    ("docker", ".docker/config.json", REGISTRY),
    ("docker", ".dockercfg", REGISTRY),
    ("gem", ".gem/credentials", Filled),
    ("git", ".git-credentials", Filled),
    ("git", ".config/git/credentials", Filled),
    ("github", ".config/gh/hosts.yml", Word(&["oauth_token"])),
    ("github", ".config/hub", Word(&["oauth_token"])),
    ("gitlab", ".config/glab-cli/config.yml", Word(&["token:"])),
    ("google_cloud", ".config/gcloud/credentials.db", Filled),
    ("google_cloud", ".config/gcloud/access_tokens.db", Filled),
    (
        "google_cloud",
        ".config/gcloud/application_default_credentials.json",
        Filled,
    ),
    ("hetzner", ".config/hcloud/cli.toml", Word(&["token"])),
    ("kubernetes", ".kube/config", KUBERNETES),
    ("mail", ".msmtprc", Word(&["password"])),
    ("mail", ".fetchmailrc", Word(&["pass"])),
    ("maven", ".m2/settings.xml", Word(&["<password>"])),
    ("minio", ".mc/config.json", Word(&["secretKey"])),
    ("mysql", ".my.cnf", Word(&["password"])),
    ("mysql", ".mylogin.cnf", Filled),
    ("netrc", ".netrc", Word(&["password"])),
    ("npm", ".npmrc", Word(&["_authToken", "_password", "_auth"])),
    ("npm", ".yarnrc.yml", Word(&["npmAuthToken", "npmAuthIdent"])),
    ("openstack", ".config/openstack/clouds.yaml", OPENSTACK),
    ("openstack", ".config/openstack/secure.yaml", OPENSTACK),
    ("openstack", "clouds.yaml", OPENSTACK),
    ("openstack", "openrc", OPENSTACK),
    ("openstack", "openrc.sh", OPENSTACK),
    ("openstack", "admin-openrc", OPENSTACK),
    ("openstack", "admin-openrc.sh", OPENSTACK),
    ("openstack", "keystonerc_admin", OPENSTACK),
    ("password_store", ".password-store/.gpg-id", Filled),
    ("podman", ".config/containers/auth.json", REGISTRY),
    ("postgresql", ".pgpass", Line),
    ("pypi", ".pypirc", Word(&["password"])),
    ("rclone", ".config/rclone/rclone.conf", Filled),
    ("rclone", ".rclone.conf", Filled),
    ("s3cmd", ".s3cfg", Word(&["secret_key"])),
    ("samba", ".smbcredentials", Filled),
    ("swift", ".swiftrc", Word(&["ST_KEY", "OS_PASSWORD"])),
    ("terraform", ".terraform.d/credentials.tfrc.json", Filled),
    ("terraform", ".terraformrc", Word(&["token"])),
    ("vault", ".vault-token", Filled),
];

/// Tools and their files elsewhere.
const ELSEWHERE: &[(&str, &str, Proof)] = &[
    ("docker", "/etc/docker/config.json", REGISTRY),
    ("exim", "/etc/exim4/passwd.client", Line),
    ("gitlab_runner", "/etc/gitlab-runner/config.toml", Word(&["token"])),
    ("kerberos", "/etc/krb5.keytab", Filled),
    ("kubernetes", "/etc/kubernetes/admin.conf", KUBERNETES),
    ("kubernetes", "/etc/kubernetes/kubelet.conf", KUBERNETES),
    ("kubernetes", "/etc/rancher/k3s/k3s.yaml", KUBERNETES),
    ("kubernetes", "/var/lib/rancher/k3s/server/token", Filled),
    ("mail", "/etc/msmtprc", Word(&["password"])),
    ("mail", "/etc/postfix/sasl_passwd", Line),
    ("mysql", "/etc/mysql/debian.cnf", Word(&["password"])),
    ("openstack", "/etc/openstack/clouds.yaml", OPENSTACK),
    ("ppp", "/etc/ppp/chap-secrets", Line),
    ("ppp", "/etc/ppp/pap-secrets", Line),
    ("rclone", "/etc/rclone.conf", Filled),
    ("redhat_subscription", "/etc/pki/consumer/key.pem", Filled),
    ("redhat_subscription", "/etc/sysconfig/rhn/systemid", Filled),
    ("samba", "/etc/samba/credentials", Filled),
    ("samba", "/var/lib/samba/private/secrets.tdb", Filled),
    (
        "suse_subscription",
        "/etc/zypp/credentials.d/SCCcredentials",
        Word(&["password"]),
    ),
    ("swift", "/etc/swift/proxy-server.conf", Word(&["user_", "password"])),
    ("tailscale", "/var/lib/tailscale/tailscaled.state", Filled),
    (
        "ubuntu_subscription",
        "/var/lib/ubuntu-advantage/private/machine-token.json",
        Filled,
    ),
    ("vault", "/etc/vault.d/token", Filled),
    ("wifi", "/etc/wpa_supplicant.conf", Word(&["psk=", "password="])),
    (
        "wifi",
        "/etc/network/interfaces",
        Word(&["wpa-psk", "wpa-password", "wireless-key"]),
    ),
    ("zerotier", "/var/lib/zerotier-one/identity.secret", Filled),
];

/// Folders whose files may hold credentials, with the ending of their names.
const FOLDERS: &[(&str, &str, &str, Proof)] = &[
    ("cifs", "/etc/cifs-credentials", "", Filled),
    (
        "openvpn",
        "/etc/openvpn",
        ".conf",
        Word(&["<key>", "<secret>", "<tls-auth>"]),
    ),
    (
        "openvpn",
        "/etc/openvpn/client",
        ".conf",
        Word(&["<key>", "<secret>", "<tls-auth>"]),
    ),
    ("redhat_subscription", "/etc/pki/entitlement", "-key.pem", Filled),
    (
        "wifi",
        "/etc/NetworkManager/system-connections",
        "",
        Word(&["psk=", "password=", "wep-key", "private-key="]),
    ),
    ("wifi", "/etc/netplan", ".yaml", Word(&["password:", "auth-key:"])),
    ("wifi", "/etc/wpa_supplicant", ".conf", Word(&["psk=", "password="])),
    ("wifi", "/var/lib/iwd", ".psk", Filled),
    (
        "wireguard",
        "/etc/systemd/network",
        ".netdev",
        Word(&["PrivateKey=", "PresharedKey="]),
    ),
    (
        "wireguard",
        "/etc/wireguard",
        ".conf",
        Word(&["PrivateKey", "PresharedKey"]),
    ),
];

/// Credentials in homes and in the system's own folders.
pub(super) fn read(files: &Files<'_>, homes: &[Home]) -> Read<Vec<Found>> {
    let mut all = Vec::new();
    for home in homes {
        for (kind, path, proof) in IN_HOMES {
            if let Some(path) = home.at(path)
                && proves(files, &path, *proof)?
            {
                all.push(found(kind, path));
            }
        }
    }
    for (kind, path, proof) in ELSEWHERE {
        if proves(files, path, *proof)? {
            all.push(found(kind, *path));
        }
    }
    for (kind, folder, ending, proof) in FOLDERS {
        for name in names(files, folder)?.iter().filter(|name| name.ends_with(ending)) {
            let path = format!("{folder}/{name}");
            if proves(files, &path, *proof)? {
                all.push(found(kind, path));
            }
        }
    }
    lets_encrypt_accounts(files, &mut all)?;
    Ok(all)
}

/// `accounts/SERVER/directory/ACCOUNT/private_key.json`, as certbot keeps them.
fn lets_encrypt_accounts(files: &Files<'_>, all: &mut Vec<Found>) -> Read<()> {
    for server in names(files, "/etc/letsencrypt/accounts")? {
        let folder = format!("/etc/letsencrypt/accounts/{server}/directory");
        for account in names(files, &folder)? {
            let path = format!("{folder}/{account}/private_key.json");
            if is_filled(files, &path)? {
                all.push(found("lets_encrypt", path));
            }
        }
    }
    Ok(())
}

fn proves(files: &Files<'_>, path: &str, proof: Proof) -> Read<bool> {
    if !is_filled(files, path)? {
        return Ok(false);
    }
    let words = match proof {
        Filled => return Ok(true),
        Word(words) => words,
        Line => &[""],
    };
    let start = files.read_start(path, SEARCHED)?.unwrap_or_default();
    let text = String::from_utf8_lossy(&start);
    let mut lines = text.lines().map(str::trim);
    Ok(lines.any(|line| {
        let is_comment = line.is_empty() || line.starts_with(['#', ';']);
        !is_comment && words.iter().any(|word| line.contains(word))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MemoryTree, leftovers::homes};

    fn kinds(tree: &MemoryTree) -> Vec<String> {
        let files = Files::new(tree).unwrap();
        let homes = homes::read(&files).unwrap();
        read(&files, &homes)
            .unwrap()
            .into_iter()
            .map(|found| found.kind)
            .collect()
    }

    #[test]
    fn settings_without_a_secret_are_no_credentials() {
        let tree = MemoryTree::new()
            .file("/root/.aws/config", "[default]\nregion = x\n")
            .file("/root/.docker/config.json", "{\"credsStore\": \"secretservice\"}")
            .file("/root/.my.cnf", "[client]\n#password=old\nuser=root\n")
            .file("/root/.npmrc", "fund=false\n")
            .file("/root/.pgpass", "# host:port:db:user:password\n")
            .file("/etc/ppp/chap-secrets", "# Secrets for authentication using CHAP\n")
            .file(
                "/etc/NetworkManager/system-connections/Wired.nmconnection",
                "[ethernet]\n",
            )
            .file(
                "/etc/exim4/passwd.client",
                "# password file used when the local exim is authenticating\n",
            );
        assert_eq!(kinds(&tree), [""; 0]);
    }

    #[test]
    fn each_tool_is_told_by_its_file() {
        let tree = MemoryTree::new()
            .file("/root/.aws/credentials", "[default]\naws_secret_access_key = x\n")
            .file(
                "/root/.docker/config.json",
                "{\"auths\": {\"x\": {\n\"auth\": \"eA==\"}}}",
            )
            .file("/root/.my.cnf", "[client]\npassword=x\n")
            .file("/root/.config/gcloud/credentials.db", "x")
            .file(
                "/root/.config/openstack/clouds.yaml",
                "clouds:\n  a:\n    auth:\n      password: x\n",
            )
            .file("/root/.pgpass", "*:*:*:u:p\n")
            .file("/etc/wireguard/wg0.conf", "[Interface]\nPrivateKey = x\n")
            .file("/etc/letsencrypt/accounts/acme/directory/0a/private_key.json", "{}");
        assert_eq!(
            kinds(&tree),
            [
                "aws",
                "docker",
                "google_cloud",
                "mysql",
                "openstack",
                "postgresql",
                "wireguard",
                "lets_encrypt"
            ]
        );
    }

    #[test]
    fn every_kind_is_listed() {
        let tables = IN_HOMES.iter().chain(ELSEWHERE).map(|(kind, _, _)| *kind);
        let folders = FOLDERS.iter().map(|(kind, _, _, _)| *kind);
        let kinds: std::collections::BTreeSet<&str> = tables.chain(folders).chain(["lets_encrypt"]).collect();
        assert_eq!(
            kinds.into_iter().collect::<Vec<_>>(),
            crate::facts::Leftovers::CREDENTIALS
        );
    }

    /// [`Home::at`] asks for the first part of a path, and a table with two rows of the same path would tell it twice.
    #[test]
    fn the_tables_are_in_order() {
        for (_, path, _) in IN_HOMES {
            assert!(!path.starts_with('/'), "{path}");
        }
        let mut paths: Vec<&str> = IN_HOMES.iter().chain(ELSEWHERE).map(|(_, path, _)| *path).collect();
        let count = paths.len();
        paths.sort_unstable();
        paths.dedup();
        assert_eq!(paths.len(), count);
    }
}
