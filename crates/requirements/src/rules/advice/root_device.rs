//! The kernel is told on its command line which device holds the system. A VM's disk may have another name than the old
//! machine's.

use lotse_guest::{
    Fact,
    facts::{BootEntry, DeviceFound, DeviceReference, NamedBy},
};

use crate::rules::{Rule, advice};
use crate::{Certainty, Finding, FindingKind, Status, Subject, remedies};

pub(in crate::rules) const RULE: Rule = Rule {
    code: "root_device",
    kind: FindingKind::Advice,
    sources: &[
        "Linux: Documentation/admin-guide/kernel-parameters (root=)",
        "Linux: Documentation/admin-guide/devices",
        "dracut.cmdline(7)",
    ],
    reasons: &[
        "root_device_found",
        "root_device_not_on_disk",
        "root_device_several",
        "root_device_kernel_name",
        "root_device_virtio_name",
        "root_device_hardware",
        "root_device_network",
        "root_device_without_initramfs",
    ],
    remedies: &["name_root_by_uuid", "name_root_by_hand", "renew_initramfs"],
    judge,
};

fn judge(subject: &Subject) -> Option<Finding> {
    let (facts, _) = advice::read_unix(subject)?;
    let Fact::Known(Some(entry)) = &facts.boot.entry else {
        return None;
    };
    if let Fact::Unknown(unknown) = &facts.boot.devices {
        return Some(Finding::advice_unknown(RULE.code, unknown));
    }
    // Without root= the initramfs or the boot loader knows it by other ways.
    let root = advice::root_reference(&facts.boot)?;
    let found = |status, reason| Finding::advice(RULE.code, status, reason);
    let by_uuid = |finding: Finding| {
        let commands = remedies::name_root_by_uuid(subject, &entry.loader);
        if commands.is_empty() {
            finding.remedy("name_root_by_hand", Vec::new())
        } else {
            finding.remedy("name_root_by_uuid", commands)
        }
    };
    let finding = match (root.by, root.found) {
        (_, DeviceFound::No) => by_uuid(found(Status::Fail, "root_device_not_on_disk")),
        (_, DeviceFound::Several) => {
            by_uuid(found(Status::Warning, "root_device_several").certainty(Certainty::Likely))
        }
        (NamedBy::KernelName, _) if root.name.starts_with("/dev/vd") => {
            by_uuid(found(Status::Warning, "root_device_virtio_name").certainty(Certainty::Possible))
        }
        (NamedBy::KernelName, _) => {
            by_uuid(found(Status::Warning, "root_device_kernel_name").certainty(Certainty::Likely))
        }
        (NamedBy::Hardware, _) if !advice::is_content_link(&root.name) => {
            by_uuid(found(Status::Warning, "root_device_hardware").certainty(Certainty::Likely))
        }
        (NamedBy::Network, _) => found(Status::Warning, "root_device_network").certainty(Certainty::Likely),
        (NamedBy::Uuid | NamedBy::Label, _) if has_no_initramfs(entry, facts) => {
            found(Status::Warning, "root_device_without_initramfs")
                .certainty(Certainty::Likely)
                .remedy("renew_initramfs", remedies::renew_initramfs(subject))
        }
        (_, DeviceFound::Yes) => found(Status::Pass, "root_device_found"),
        (_, DeviceFound::NotFollowed) => return None,
    };
    Some(finding.param("device", &root.name).evidence(&[place(root, entry)]))
}

/// Where the name stands; the whole line tells more than the word alone.
fn place(root: &DeviceReference, entry: &BootEntry) -> lotse_guest::Evidence {
    let line = entry.evidence.last().filter(|line| line.line == root.evidence.line);
    line.unwrap_or(&root.evidence).clone()
}

/// Nothing that could look for a UUID: the entry names no initramfs, and the kernel brings none.
fn has_no_initramfs(entry: &BootEntry, facts: &lotse_guest::Facts) -> bool {
    let brings_one = match &facts.boot.drivers {
        Fact::Unknown(_) => true,
        Fact::Known(None) => false,
        Fact::Known(Some(drivers)) => [&drivers.virtio_pci, &drivers.virtio_blk, &drivers.virtio_scsi]
            .iter()
            .any(|place| matches!(place, Fact::Unknown(_))),
    };
    entry.initramfs.is_empty() && entry.loader != "unified_kernel" && !brings_one
}
