//! A VM starts a kernel from its own disk, with the initramfs and the modules that belong to it.

use lotse_guest::{
    Fact,
    facts::{Boot, BootEntry, DriverPlace, Kernel, NamedBy},
};

use crate::rules::{Rule, advice};
use crate::{Certainty, Finding, FindingKind, Status, Subject, remedies};

pub(in crate::rules) const RULE: Rule = Rule {
    code: "kernel",
    kind: FindingKind::Advice,
    sources: &[
        "Linux: Documentation/admin-guide/kernel-parameters",
        "GNU GRUB: linux, initrd",
    ],
    reasons: &[
        "kernel_found",
        "kernel_missing",
        "kernel_modules_only",
        "kernel_entry_missing",
        "kernel_initramfs_missing",
        "kernel_modules_missing",
    ],
    remedies: &["install_kernel", "renew_boot_menu", "renew_initramfs"],
    judge,
};

fn judge(subject: &Subject) -> Option<Finding> {
    let (facts, system) = advice::read_unix(subject)?;
    if system.family != "linux" {
        return None;
    }
    let kernels = match &facts.boot.kernels {
        Fact::Known(kernels) => kernels,
        Fact::Unknown(unknown) => return Some(Finding::advice_unknown(RULE.code, unknown)),
    };
    let entry = match &facts.boot.entry {
        Fact::Known(entry) => entry.as_ref(),
        Fact::Unknown(_) => None,
    };
    if let Some(finding) = entry.and_then(|entry| of_entry(subject, &facts.boot, kernels, entry)) {
        return Some(finding);
    }
    let is_there = |kernel: &&Kernel| kernel.path.is_some();
    let default = kernels.iter().find(|kernel| kernel.default);
    let Some(kernel) = default.or_else(|| kernels.iter().find(is_there)) else {
        return Some(without_file(subject, kernels, entry));
    };
    if let Fact::Unknown(unknown) = &facts.boot.entry {
        return Some(Finding::advice_unknown(RULE.code, unknown));
    }
    let path = kernel.path.as_deref().unwrap_or_default();
    let version = kernel.version.as_deref().unwrap_or_default();
    let finding = if default.is_some() && kernel.modules == Fact::Known(false) && !needs_no_modules(&facts.boot) {
        found(Status::Warning, "kernel_modules_missing")
            .certainty(Certainty::Likely)
            .remedy("install_kernel", remedies::install_kernel(subject))
    } else {
        found(Status::Pass, "kernel_found")
    };
    let places = entry.map(|entry| entry.evidence.as_slice()).unwrap_or_default();
    Some(finding.param("kernel", path).param("version", version).evidence(places))
}

fn found(status: Status, reason: &str) -> Finding {
    Finding::advice(RULE.code, status, reason)
}

/// What the entry that is started names and what is not there, or not known to be.
fn of_entry(subject: &Subject, boot: &Boot, kernels: &[Kernel], entry: &BootEntry) -> Option<Finding> {
    let kernel = entry.kernel.as_deref()?;
    let finding = match (&entry.kernel_there, &entry.initramfs_there) {
        (Fact::Known(false), _) => {
            let other = kernels
                .iter()
                .any(|kernel| kernel.path.is_some() && kernel.modules == Fact::Known(true));
            let finding = found(Status::Fail, "kernel_entry_missing");
            if other {
                finding.remedy("renew_boot_menu", remedies::renew_boot_menu(subject))
            } else {
                finding.remedy("install_kernel", remedies::install_kernel(subject))
            }
        }
        (_, Fact::Known(false)) => {
            // What the kernel cannot find by itself, only an initramfs finds: then nothing starts without it.
            let (status, certainty) = if needs_initramfs(boot) {
                (Status::Fail, Certainty::Certain)
            } else {
                (Status::Warning, Certainty::Likely)
            };
            found(status, "kernel_initramfs_missing")
                .certainty(certainty)
                .remedy("renew_initramfs", remedies::renew_initramfs(subject))
        }
        (Fact::Unknown(unknown), _) | (_, Fact::Unknown(unknown)) => {
            return Some(Finding::advice_unknown(RULE.code, unknown));
        }
        (Fact::Known(true), Fact::Known(true)) => return None,
    };
    Some(
        finding
            .param("kernel", kernel)
            .param("initramfs", entry.initramfs.join(", "))
            .evidence(&entry.evidence),
    )
}

/// The kernel by itself knows `/dev/…`, `PARTUUID=` and `PARTLABEL=` (kernel-parameters: `root=`), nothing else.
fn needs_initramfs(boot: &Boot) -> bool {
    advice::root_reference(boot).is_some_and(|root| {
        matches!(
            root.by,
            NamedBy::Uuid | NamedBy::Label | NamedBy::Mapper | NamedBy::Hardware
        )
    })
}

/// A kernel with all drivers in itself.
fn needs_no_modules(boot: &Boot) -> bool {
    let Fact::Known(Some(drivers)) = &boot.drivers else {
        return false;
    };
    [&drivers.virtio_pci, &drivers.virtio_net]
        .iter()
        .all(|place| **place == Fact::Known(DriverPlace::BuiltIn))
}

fn without_file(subject: &Subject, kernels: &[Kernel], entry: Option<&BootEntry>) -> Finding {
    let finding = if kernels.is_empty() {
        found(Status::Fail, "kernel_missing")
    } else {
        // It may stand where nobody looks for it.
        found(Status::Warning, "kernel_modules_only").certainty(Certainty::Likely)
    };
    let versions: Vec<&str> = kernels.iter().filter_map(|kernel| kernel.version.as_deref()).collect();
    finding
        .param("version", versions.join(", "))
        .evidence(entry.map(|entry| entry.evidence.as_slice()).unwrap_or_default())
        .remedy("install_kernel", remedies::install_kernel(subject))
}
