//! What the old machine left behind that a new one should not inherit: identities, keys, credentials, traces.
//! Paths, kinds and counts only: no type here has a place for a secret.

use serde::{Deserialize, Serialize};

use super::{Evidence, Fact};

/// What the old machine left behind. An empty list is certain: there is nothing in the places that are looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leftovers {
    /// `/etc/machine-id`, and D-Bus's own copy where there is one.
    pub machine_id: Fact<MachineId>,
    /// The SSH server's private keys: kinds `rsa`, `dsa`, `ecdsa`, `ed25519`, `rsa1`, `other`.
    pub host_keys: Fact<Vec<Found>>,
    /// cloud-init's memory of an instance: `instance_link`, `instance`, `previous_instance`, `datasource_cache`,
    /// `manual_clean`, `seed`.
    pub cloud_init: Fact<Vec<Found>>,
    /// Keys that let somebody log in, by user.
    pub authorized_keys: Fact<Vec<AuthorizedKeys>>,
    /// Private keys, told by their PEM header: kinds `ssh_key`, `private_key`, `pgp_key`, each with `_encrypted` where a
    /// passphrase protects it, and `snakeoil_key` for the self-signed one of Debian's package ssl-cert.
    pub private_keys: Fact<Vec<Found>>,
    /// Histories of shells and databases that are not empty: kind is the program (`bash`, `zsh`, `mysql`, ...).
    pub histories: Fact<Vec<Found>>,
    /// Credentials of well-known tools: kind is the tool (`aws`, `docker`, `git`, `mysql`, ...).
    pub credentials: Fact<Vec<Found>>,
    /// Harmless but old: `dhcp_lease`, `random_seed`, `journal`.
    pub traces: Fact<Vec<Found>>,
}

impl Leftovers {
    /// Every kind of [`Leftovers::private_keys`].
    pub const PRIVATE_KEYS: &'static [&'static str] = &[
        "pgp_key",
        "private_key",
        "private_key_encrypted",
        "snakeoil_key",
        "ssh_key",
        "ssh_key_encrypted",
    ];

    /// Every kind of [`Leftovers::credentials`].
    pub const CREDENTIALS: &'static [&'static str] = &[
        "aws",
        "azure",
        "boto",
        "cargo",
        "cifs",
        "cloudflared",
        "composer",
        "digitalocean",
        "docker",
        "exim",
        "gem",
        "git",
        "github",
        "gitlab",
        "gitlab_runner",
        "google_cloud",
        "hetzner",
        "kerberos",
        "kubernetes",
        "lets_encrypt",
        "mail",
        "maven",
        "minio",
        "mysql",
        "netrc",
        "npm",
        "openstack",
        "openvpn",
        "password_store",
        "podman",
        "postgresql",
        "ppp",
        "pypi",
        "rclone",
        "redhat_subscription",
        "s3cmd",
        "samba",
        "suse_subscription",
        "swift",
        "tailscale",
        "terraform",
        "ubuntu_subscription",
        "vault",
        "wifi",
        "wireguard",
        "zerotier",
    ];
}

/// Something that was found, and no word of what stands in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Found {
    /// What it is, as a code.
    pub kind: String,
    /// Absolute path inside the guest.
    pub path: String,
}

impl Found {
    /// Where it was found.
    pub fn evidence(&self) -> Evidence {
        Evidence::path(&self.path)
    }
}

/// The state of a machine's identity (machine-id(5)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MachineIdState {
    /// No file: a new one is made, and systemd takes it for the first boot.
    Missing,
    /// An empty file: a new one is made, and it is no first boot.
    Empty,
    /// The word `uninitialized`: a new one is made at a first boot.
    Uninitialized,
    /// The old machine's identity, which every machine made from the image would share.
    Set,
    /// Something else; systemd makes a new one.
    Invalid,
}

/// A machine's identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineId {
    /// What `/etc/machine-id` holds.
    pub state: MachineIdState,
    /// `/var/lib/dbus/machine-id` is a file of its own and holds an identity: systemd takes it over where
    /// `/etc/machine-id` has none.
    pub copied_for_dbus: bool,
    /// Where this was read; never the identity itself.
    pub evidence: Vec<Evidence>,
}

/// One file with keys that may log in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizedKeys {
    /// Whose file it is; `None` where no entry of `/etc/passwd` names the home directory.
    pub user: Option<String>,
    /// Absolute path inside the guest.
    pub path: String,
    /// Keys in it, comments and empty lines left out. Never 0.
    pub count: u32,
}
