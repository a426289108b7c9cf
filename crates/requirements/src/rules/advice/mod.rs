//! What ccloud³ does not ask for, but keeps a VM from starting, its owner from getting in, or a secret from staying one.
//! An advice is silent where its question does not arise, and where the requirements have told already why nothing is known.

pub(in crate::rules) mod access;
pub(in crate::rules) mod architecture;
pub(in crate::rules) mod authorized_keys;
pub(in crate::rules) mod boot_loader;
pub(in crate::rules) mod cloud_init_hostname;
pub(in crate::rules) mod cloud_init_instance;
pub(in crate::rules) mod cloud_init_password_login;
pub(in crate::rules) mod cloud_init_seed;
pub(in crate::rules) mod cloud_init_skipped_files;
pub(in crate::rules) mod credentials;
pub(in crate::rules) mod disk_layout;
mod found;
pub(in crate::rules) mod free_space;
pub(in crate::rules) mod histories;
pub(in crate::rules) mod ignition_platform;
pub(in crate::rules) mod kernel;
pub(in crate::rules) mod machine_id;
pub(in crate::rules) mod mounts;
mod network;
pub(in crate::rules) mod network_address;
pub(in crate::rules) mod network_card;
pub(in crate::rules) mod other_agents;
pub(in crate::rules) mod private_keys;
pub(in crate::rules) mod room_to_grow;
pub(in crate::rules) mod root_device;
pub(in crate::rules) mod several_systems;
pub(in crate::rules) mod swap;
pub(in crate::rules) mod virtio_drivers;

use lotse_guest::{
    Fact, Facts, Unknown,
    facts::{Boot, CloudInit, DevicePurpose, DeviceReference, System},
};

use crate::{Finding, Status, Subject};

/// The facts, if the disk holds a Unix-like system whose files are read. Otherwise the requirements say what is wrong.
pub(super) fn unix(subject: &Subject) -> Option<(&Facts, &System)> {
    let facts = subject.facts.as_ref().ok()?;
    match &facts.system {
        Fact::Known(Some(system)) if system.family != "windows" => Some((facts, system)),
        _ => None,
    }
}

/// The same, if its files are read: how it starts can be told from them only.
fn read_unix(subject: &Subject) -> Option<(&Facts, &System)> {
    let (facts, system) = unix(subject)?;
    let is_read = matches!(&facts.root, Fact::Known(Some(root)) if root.read);
    is_read.then_some((facts, system))
}

/// For which machine the system is made, as `uname -m` says it.
fn machine(subject: &Subject) -> Option<&str> {
    unix(subject).and_then(|(_, system)| system.architecture.as_deref())
}

/// What `root=` names; of several the last one counts (kernel-parameters: a later one overrides).
fn root_reference(boot: &Boot) -> Option<&DeviceReference> {
    let Fact::Known(devices) = &boot.devices else {
        return None;
    };
    devices.iter().rfind(|device| device.purpose == DevicePurpose::Root)
}

/// Links in `/dev/disk/by-id` that udev makes of what stands on a disk, and not of the hardware (udev's `60-block.rules`,
/// `13-dm-disk.rules`, `63-md-raid-arrays.rules`).
fn is_content_link(name: &str) -> bool {
    ["dm-name-", "dm-uuid-", "md-name-", "md-uuid-", "lvm-pv-uuid-"]
        .iter()
        .any(|start| {
            name.strip_prefix("/dev/disk/by-id/")
                .is_some_and(|link| link.starts_with(start))
        })
}

/// What cloud-init is told to do, where it is the program that sets VMs up and its settings could be read.
fn cloud_init(subject: &Subject) -> Option<(&Facts, &CloudInit)> {
    let (facts, _) = unix(subject)?;
    match &facts.cloud_init {
        Fact::Known(Some(cloud_init)) => Some((facts, cloud_init)),
        _ => None,
    }
}

impl Finding {
    /// An advice without parameters, evidence and remedy, certain of what it says.
    pub(super) fn advice(code: &str, status: Status, reason: &str) -> Self {
        Self {
            kind: crate::FindingKind::Advice,
            ..Self::requirement(code, status, reason)
        }
    }

    /// An advice that cannot be given, because this fact could not be read off the disk.
    pub(super) fn advice_unknown(code: &str, unknown: &Unknown) -> Self {
        Self {
            kind: crate::FindingKind::Advice,
            ..Self::fact_unknown(code, unknown)
        }
    }
}
