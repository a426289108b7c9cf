//! A VM's disk and network are virtio devices, usually: the kernel must have their drivers, and those of the disk before the
//! root filesystem is there.

use lotse_guest::{
    Fact, Unknown,
    facts::{DriverPlace, Drivers},
};

use crate::rules::{Rule, advice};
use crate::{Certainty, Finding, FindingKind, Status, Subject, remedies};

pub(in crate::rules) const RULE: Rule = Rule {
    code: "virtio_drivers",
    kind: FindingKind::Advice,
    sources: &[
        "OASIS: Virtual I/O Device (VIRTIO) 1.2",
        "Linux: Documentation/driver-api/virtio",
        "initramfs-tools(7)",
        "dracut.conf(5)",
        "mkinitcpio.conf(5)",
    ],
    reasons: &[
        "virtio_drivers_there",
        "virtio_drivers_disk_missing",
        "virtio_drivers_disk_too_late",
        "virtio_drivers_one_disk_only",
        "virtio_drivers_network_missing",
    ],
    remedies: &["add_virtio_drivers", "install_kernel"],
    judge,
};

/// When a driver is there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    /// Before the root filesystem.
    Early,
    /// After it.
    Late,
    Never,
}

fn judge(subject: &Subject) -> Option<Finding> {
    let (facts, _) = advice::read_unix(subject)?;
    let drivers = match &facts.boot.drivers {
        Fact::Known(drivers) => drivers.as_ref()?,
        // What is started is not known: another advice tells.
        Fact::Unknown(unknown) if facts.boot.entry == Fact::Unknown(unknown.clone()) => return None,
        Fact::Unknown(_) if facts.boot.entry == Fact::Known(None) => return None,
        Fact::Unknown(unknown) => return Some(Finding::advice_unknown(RULE.code, unknown)),
    };
    // Without the initramfs that should hold them there is nothing to say about it.
    if let Fact::Known(Some(entry)) = &facts.boot.entry
        && (entry.initramfs_there == Fact::Known(false) || entry.kernel_there == Fact::Known(false))
    {
        return None;
    }
    let finding = match places(drivers) {
        Ok(places) => of_places(subject, places),
        Err(unknown) => Finding::advice_unknown(RULE.code, unknown),
    };
    Some(finding.param("kernel", &drivers.kernel).evidence(&drivers.evidence))
}

/// Of the bus, the two kinds of disks, and the network. Unknown only where what is known does not decide.
fn places(drivers: &Drivers) -> Result<[When; 4], &Unknown> {
    let all = [
        &drivers.virtio_pci,
        &drivers.virtio_blk,
        &drivers.virtio_scsi,
        &drivers.virtio_net,
    ];
    let mut whens = [When::Never; 4];
    for (when, fact) in whens.iter_mut().zip(all) {
        *when = match fact {
            Fact::Known(DriverPlace::BuiltIn | DriverPlace::Initramfs) => When::Early,
            Fact::Known(DriverPlace::Root) => When::Late,
            Fact::Known(DriverPlace::Missing) => When::Never,
            Fact::Unknown(unknown) => return Err(unknown),
        };
    }
    Ok(whens)
}

fn of_places(subject: &Subject, [pci, blk, scsi, net]: [When; 4]) -> Finding {
    let found = |status, reason| Finding::advice(RULE.code, status, reason);
    let warning = |reason, certainty| found(Status::Warning, reason).certainty(certainty);
    // What stands nowhere on the disk cannot be put into the initramfs either.
    let mend = |finding: Finding, there: bool| {
        if there {
            finding.remedy("add_virtio_drivers", remedies::add_virtio_drivers(subject))
        } else {
            finding.remedy("install_kernel", remedies::install_kernel(subject))
        }
    };
    let disk_early = pci == When::Early && (blk == When::Early || scsi == When::Early);
    let disk_there = pci != When::Never && (blk != When::Never || scsi != When::Never);
    if !disk_early {
        let reason = if disk_there {
            "virtio_drivers_disk_too_late"
        } else {
            "virtio_drivers_disk_missing"
        };
        let finding = mend(warning(reason, Certainty::Likely), disk_there);
        return if net == When::Never {
            finding.detail("virtio_drivers_network_missing")
        } else {
            finding
        };
    }
    if net == When::Never {
        return mend(warning("virtio_drivers_network_missing", Certainty::Likely), false);
    }
    let (there, missing, other) = match (blk, scsi) {
        (When::Early, When::Early) => return found(Status::Pass, "virtio_drivers_there"),
        (When::Early, other) => ("virtio_blk", "virtio_scsi", other),
        (other, _) => ("virtio_scsi", "virtio_blk", other),
    };
    mend(
        warning("virtio_drivers_one_disk_only", Certainty::Possible),
        other != When::Never,
    )
    .param("there", there)
    .param("missing", missing)
}
