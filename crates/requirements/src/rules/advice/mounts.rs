//! What fstab and crypttab bind in at the start must be there in the VM, or the start must go on without it.

use std::collections::BTreeMap;

use lotse_guest::{
    Evidence, Fact, Facts,
    facts::{DeviceFound, DevicePurpose, DeviceReference, Mount, NamedBy},
};

use crate::remedies::command_line::{Word, remove_words};
use crate::rules::{Rule, advice};
use crate::{Certainty, Finding, FindingKind, Status, Subject, remedies};

pub(in crate::rules) const RULE: Rule = Rule {
    code: "mounts",
    kind: FindingKind::Advice,
    sources: &[
        "fstab(5)",
        "crypttab(5)",
        "systemd.mount(5)",
        "systemd-cryptsetup-generator(8)",
    ],
    reasons: &[
        "mounts_all_there",
        "mounts_encrypted_system",
        "mounts_missing",
        "mounts_missing_elsewhere",
        "mounts_passphrase",
        "mounts_kernel_name",
        "mounts_hardware",
        "mounts_several",
        "mounts_network",
        "mounts_encrypted_missing",
        "mounts_swap",
        "mounts_resume",
        "mounts_root_line",
    ],
    remedies: &[
        "use_unencrypted_system",
        "make_mounts_optional",
        "leave_encrypted_out",
        "name_mounts_by_uuid",
        "make_unique",
        "remove_resume",
    ],
    judge,
};

/// Folders that another hypervisor shares with its VMs; nothing of the kind is in ccloud³.
const SHARED_FOLDERS: [&str; 4] = ["vboxsf", "vmhgfs", "fuse.vmhgfs-fuse", "prl_fs"];

/// What can be wrong with a line, what bites most first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Trouble {
    /// Under systemd the start ends in emergency mode.
    Missing,
    Passphrase,
    KernelName,
    Hardware,
    /// Under other inits.
    MissingElsewhere,
    Several,
    Network,
    RootLine,
    // The start goes on, but only after a time.
    EncryptedMissing,
    Swap,
    Resume,
}

impl Trouble {
    /// The reason, and its parameter for the names.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Missing => ("mounts_missing", "missing"),
            Self::Passphrase => ("mounts_passphrase", "encrypted"),
            Self::KernelName => ("mounts_kernel_name", "named"),
            Self::Hardware => ("mounts_hardware", "hardware"),
            Self::MissingElsewhere => ("mounts_missing_elsewhere", "absent"),
            Self::Several => ("mounts_several", "several"),
            Self::Network => ("mounts_network", "network"),
            Self::RootLine => ("mounts_root_line", "root"),
            Self::EncryptedMissing => ("mounts_encrypted_missing", "closed"),
            Self::Swap => ("mounts_swap", "swap"),
            Self::Resume => ("mounts_resume", "resume"),
        }
    }

    /// Does `nofail` help?
    fn is_optional(self) -> bool {
        matches!(
            self,
            Self::Missing | Self::MissingElsewhere | Self::Network | Self::Swap
        )
    }

    fn status(self) -> (Status, Certainty) {
        match self {
            Self::Missing => (Status::Fail, Certainty::Certain),
            Self::Passphrase
            | Self::KernelName
            | Self::Hardware
            | Self::MissingElsewhere
            | Self::EncryptedMissing
            | Self::Swap
            | Self::Resume => (Status::Warning, Certainty::Likely),
            Self::Several | Self::Network | Self::RootLine => (Status::Warning, Certainty::Possible),
        }
    }
}

fn judge(subject: &Subject) -> Option<Finding> {
    if let Some(finding) = encrypted_system(subject) {
        return Some(finding);
    }
    let (facts, _) = advice::read_unix(subject)?;
    let (devices, mounts) = match (&facts.boot.devices, &facts.mounts) {
        (Fact::Known(devices), Fact::Known(mounts)) => (devices, mounts),
        (Fact::Unknown(unknown), _) | (_, Fact::Unknown(unknown)) => {
            return Some(Finding::advice_unknown(RULE.code, unknown));
        }
    };
    if devices.is_empty() {
        return None;
    }
    let mut troubles: BTreeMap<Trouble, Vec<(&DeviceReference, Option<&Mount>)>> = BTreeMap::new();
    for device in devices.iter().filter(|device| !device.optional) {
        let mount = mounts.iter().find(|mount| mount.evidence == device.evidence);
        if let Some(trouble) = trouble(facts, devices, device, mount) {
            troubles.entry(trouble).or_default().push((device, mount));
        }
    }
    let Some((worst, _)) = troubles.first_key_value() else {
        return Some(Finding::advice(RULE.code, Status::Pass, "mounts_all_there"));
    };
    let (status, certainty) = worst.status();
    // What the same remedy helps against is mended at once.
    let together = troubles
        .iter()
        .filter(|(trouble, _)| trouble.is_optional() == worst.is_optional());
    let sources: Vec<&str> = together
        .flat_map(|(_, lines)| lines)
        .map(|(device, _)| device.name.as_str())
        .collect();
    let mut finding = Finding::advice(RULE.code, status, worst.words().0).certainty(certainty);
    for (trouble, lines) in &troubles {
        let (reason, parameter) = trouble.words();
        if trouble != worst {
            finding = finding.detail(reason);
        }
        let names: Vec<String> = lines.iter().map(|(device, mount)| name(device, *mount)).collect();
        let places: Vec<Evidence> = lines.iter().map(|(device, _)| device.evidence.clone()).collect();
        finding = finding.param(parameter, names.join(", ")).evidence(&places);
    }
    Some(mend(subject, finding, *worst, &sources))
}

/// The whole system is inside an encrypted partition: nothing of it can be read here, but this can be said.
fn encrypted_system(subject: &Subject) -> Option<Finding> {
    let facts = subject.facts.as_ref().ok()?;
    let Fact::Unknown(unknown) = &facts.root else {
        return None;
    };
    let is_luks = |layers: &String| layers.split(", ").any(|layer| layer == "luks");
    let behind_luks = unknown.code == "root_inside_layer" && unknown.params.get("layers").is_some_and(is_luks);
    behind_luks.then(|| {
        Finding::advice(RULE.code, Status::Warning, "mounts_encrypted_system")
            .certainty(Certainty::Likely)
            .param(
                "partition",
                unknown.params.get("partition").cloned().unwrap_or_default(),
            )
            .remedy("use_unencrypted_system", Vec::new())
    })
}

fn trouble(
    facts: &Facts,
    devices: &[DeviceReference],
    device: &DeviceReference,
    mount: Option<&Mount>,
) -> Option<Trouble> {
    match device.purpose {
        // A rule of its own.
        DevicePurpose::Root => None,
        DevicePurpose::Mount => of_mount(facts, devices, device, mount?),
        DevicePurpose::Swap if is_opened(devices, &device.name) => None,
        DevicePurpose::Swap => (has_systemd(facts) && is_elsewhere(device)).then_some(Trouble::Swap),
        DevicePurpose::Resume => is_elsewhere(device).then_some(Trouble::Resume),
        DevicePurpose::Encrypted if is_elsewhere(device) => has_systemd(facts).then_some(Trouble::EncryptedMissing),
        DevicePurpose::Encrypted => device.asks_passphrase.then_some(Trouble::Passphrase),
    }
}

fn of_mount(facts: &Facts, devices: &[DeviceReference], device: &DeviceReference, mount: &Mount) -> Option<Trouble> {
    let missing = || {
        Some(if has_systemd(facts) {
            Trouble::Missing
        } else {
            Trouble::MissingElsewhere
        })
    };
    if SHARED_FOLDERS.contains(&mount.filesystem.as_str()) {
        return missing();
    }
    // It is mounted already when fstab is read; systemd looks at its options only, for which the device must be found by
    // its UUID or label (mount(8), "remount"), and checks what is mounted there (systemd-fsck@.service(8)).
    if mount.point == "/" {
        let in_the_way = device.found == DeviceFound::No || (is_elsewhere(device) && !has_systemd(facts));
        return in_the_way.then_some(Trouble::RootLine);
    }
    if device.by == NamedBy::Network || mount.options.split(',').any(|option| option == "_netdev") {
        return Some(Trouble::Network);
    }
    match (device.by, device.found) {
        // What crypttab opens stands on this disk, or is told of with crypttab's own line.
        (NamedBy::Mapper, DeviceFound::No) if is_opened(devices, &device.name) => None,
        // An array may have another number than the one in its name.
        (NamedBy::Raid, DeviceFound::No) => Some(Trouble::MissingElsewhere),
        (_, DeviceFound::No) => missing(),
        (_, DeviceFound::Several) => Some(Trouble::Several),
        (NamedBy::KernelName, _) => Some(Trouble::KernelName),
        (NamedBy::Hardware, _) if !advice::is_content_link(&device.name) => Some(Trouble::Hardware),
        _ => None,
    }
}

/// systemd waits 90 seconds for a device (systemd-system.conf(5): `DefaultDeviceTimeoutSec=`). Others do not wait.
fn has_systemd(facts: &Facts) -> bool {
    facts.boot.init == Fact::Known("systemd".to_owned())
}

/// Not on this disk, or under a name that a VM does not have.
fn is_elsewhere(device: &DeviceReference) -> bool {
    device.found == DeviceFound::No
        || device.by == NamedBy::KernelName
        || (device.by == NamedBy::Hardware && !advice::is_content_link(&device.name))
}

/// crypttab names it `/dev/mapper/NAME`.
fn is_opened(devices: &[DeviceReference], name: &str) -> bool {
    let Some(mapped) = name.strip_prefix("/dev/mapper/") else {
        return false;
    };
    devices
        .iter()
        .filter(|device| device.purpose == DevicePurpose::Encrypted)
        .filter_map(|device| device.evidence.value.as_deref()?.split_whitespace().next())
        .any(|opened| opened == mapped)
}

/// `UUID=… (/data)`.
fn name(device: &DeviceReference, mount: Option<&Mount>) -> String {
    match mount.filter(|mount| mount.point.starts_with('/')) {
        Some(mount) => format!("{} ({})", device.name, mount.point),
        None => device.name.clone(),
    }
}

fn mend(subject: &Subject, finding: Finding, worst: Trouble, sources: &[&str]) -> Finding {
    match worst {
        Trouble::Missing | Trouble::MissingElsewhere | Trouble::Network => {
            finding.remedy("make_mounts_optional", remedies::make_mounts_optional(sources))
        }
        Trouble::Passphrase | Trouble::EncryptedMissing => finding.remedy("leave_encrypted_out", Vec::new()),
        Trouble::Several => finding.remedy("make_unique", Vec::new()),
        Trouble::KernelName | Trouble::Hardware | Trouble::RootLine => {
            finding.remedy("name_mounts_by_uuid", remedies::name_mounts_by_uuid())
        }
        Trouble::Swap if sources.iter().all(|source| source.starts_with("/dev/")) => {
            finding.remedy("name_mounts_by_uuid", remedies::name_mounts_by_uuid())
        }
        Trouble::Swap => finding.remedy("make_mounts_optional", remedies::make_mounts_optional(sources)),
        Trouble::Resume => finding.remedy("remove_resume", remove_words(subject, &[Word::Named("resume")])),
    }
}
