//! The firmware of a VM must find a boot loader on the disk. Which firmware ccloud³'s VMs have is not published.

use lotse_guest::{
    Evidence, Fact,
    facts::{FirmwareStart, NoStart, PartitionTable, TableKind},
};

use crate::rules::{Rule, advice};
use crate::{Certainty, Finding, FindingKind, Status, Subject, remedies};

/// The partition in which GRUB stands on a GPT (GNU GRUB manual, "BIOS installation").
const BIOS_BOOT: &str = "21686148-6449-6e6f-744e-656564454649";

/// The smallest gap behind an MBR into which GRUB's second part fits, in bytes: 63 sectors.
const MIN_GAP: u64 = 63 * 512;

pub(in crate::rules) const RULE: Rule = Rule {
    code: "boot_loader",
    kind: FindingKind::Advice,
    sources: &[
        "UEFI Specification 2.10: 3.5.1.1 Removable Media Boot Behavior",
        "GNU GRUB: BIOS installation",
    ],
    reasons: &[
        "boot_loader_both",
        "boot_loader_bios_only",
        "boot_loader_uefi_only",
        "boot_loader_none",
        "boot_loader_without_menu",
        "boot_loader_no_boot_code",
        "boot_loader_no_active_partition",
        "boot_loader_partition_not_bootable",
        "boot_loader_second_stage_missing",
        "boot_loader_no_efi_partition",
        "boot_loader_no_efi_loader",
        "boot_loader_only_vendor_path",
        "boot_loader_efi_second_stage_missing",
        "boot_loader_other_machine",
    ],
    remedies: &[
        "install_boot_loader",
        "add_fallback_loader",
        "set_up_boot_loader",
        "renew_boot_menu",
    ],
    judge,
};

/// What one firmware comes to.
enum Outcome<'a> {
    Starts(&'a FirmwareStart),
    /// It does not; the sentence that says why.
    Not(&'static str, &'a FirmwareStart),
}

fn judge(subject: &Subject) -> Option<Finding> {
    let facts = subject.facts.as_ref().ok()?;
    // No system at all, or one that ccloud³ does not take: the requirements say so.
    match &facts.system {
        Fact::Known(Some(system)) if system.family == "windows" => return None,
        _ if facts.root == Fact::Known(None) => return None,
        _ => {}
    }
    let bios = match &facts.boot.bios {
        Fact::Known(start) => Ok(outcome(start, subject)),
        Fact::Unknown(unknown) => Err(unknown),
    };
    let uefi = match &facts.boot.uefi {
        Fact::Known(start) => Ok(outcome(start, subject)),
        Fact::Unknown(unknown) => Err(unknown),
    };
    let finding = match (bios, uefi) {
        (Ok(Outcome::Starts(bios)), Ok(Outcome::Starts(uefi))) => found(Status::Pass, "boot_loader_both")
            .evidence(&bios.evidence)
            .evidence(&uefi.evidence),
        // A BIOS is what VMs usually have where nobody chose: a finding of its own would alarm for nothing.
        (Ok(Outcome::Starts(bios)), Ok(Outcome::Not(why, _))) => found(Status::Pass, "boot_loader_bios_only")
            .certainty(Certainty::Likely)
            .detail(why)
            .evidence(&bios.evidence),
        (Ok(Outcome::Starts(bios)), Err(_)) => found(Status::Pass, "boot_loader_bios_only")
            .certainty(Certainty::Likely)
            .evidence(&bios.evidence),
        (Ok(Outcome::Not(why, bios)), Ok(Outcome::Starts(uefi))) => {
            let finding = found(Status::Warning, "boot_loader_uefi_only")
                .certainty(Certainty::Possible)
                .detail(why)
                .evidence(&bios.evidence)
                .evidence(&uefi.evidence);
            match grub(subject) {
                Some(commands) => finding.remedy("install_boot_loader", commands),
                None => finding,
            }
        }
        (Ok(Outcome::Not(bios, at)), Ok(Outcome::Not(uefi, other))) => {
            let finding = found(Status::Fail, "boot_loader_none").detail(bios).detail(uefi);
            let finding = finding.evidence(&at.evidence).evidence(&other.evidence);
            none(subject, other, finding)
        }
        // The requirements say already that the disk is not read.
        (Err(_), _) | (_, Err(_)) if matches!(facts.root, Fact::Unknown(_)) => return None,
        (Err(unknown), _) | (_, Err(unknown)) => return Some(Finding::advice_unknown(RULE.code, unknown)),
    };
    // Which byte of the disk it is tells nobody anything.
    let finding = Finding {
        evidence: finding
            .evidence
            .into_iter()
            .filter(|place| place.path.is_some())
            .collect(),
        ..finding
    };
    let finding = match advice::machine(subject) {
        Some(machine) => finding.param("machine", machine),
        None => finding.param("machine", ""),
    };
    Some(
        without_menu(subject)
            .filter(|_| finding.status == Status::Pass)
            .unwrap_or(finding),
    )
}

fn found(status: Status, reason: &str) -> Finding {
    Finding::advice(RULE.code, status, reason)
}

fn outcome<'a>(start: &'a FirmwareStart, subject: &Subject) -> Outcome<'a> {
    let wrong_machine = || {
        let machine = advice::machine(subject)?;
        let is_for = |architecture: &String| architecture == machine;
        (!start.architectures.is_empty() && !start.architectures.iter().any(is_for)).then_some(())
    };
    match start.because {
        None if start.possible && wrong_machine().is_some() => Outcome::Not("boot_loader_other_machine", start),
        None if start.possible => Outcome::Starts(start),
        None | Some(NoStart::NoBootCode) => Outcome::Not("boot_loader_no_boot_code", start),
        Some(NoStart::NoActivePartition) => Outcome::Not("boot_loader_no_active_partition", start),
        Some(NoStart::PartitionNotBootable) => Outcome::Not("boot_loader_partition_not_bootable", start),
        Some(NoStart::SecondStageMissing) => Outcome::Not("boot_loader_second_stage_missing", start),
        Some(NoStart::NoEfiPartition) => Outcome::Not("boot_loader_no_efi_partition", start),
        Some(NoStart::NoEfiLoader) => Outcome::Not("boot_loader_no_efi_loader", start),
        Some(NoStart::OnlyVendorPath) => Outcome::Not("boot_loader_only_vendor_path", start),
        Some(NoStart::EfiSecondStageMissing) => Outcome::Not("boot_loader_efi_second_stage_missing", start),
    }
}

/// Neither firmware starts it: the shortest way to one that does.
fn none(subject: &Subject, uefi: &FirmwareStart, finding: Finding) -> Finding {
    let fallback = matches!(
        uefi.because,
        Some(NoStart::OnlyVendorPath | NoStart::EfiSecondStageMissing)
    );
    if fallback {
        finding.remedy("add_fallback_loader", remedies::add_fallback_loader(subject))
    } else {
        match grub(subject) {
            Some(commands) => finding.remedy("install_boot_loader", commands),
            None => finding.remedy("set_up_boot_loader", Vec::new()),
        }
    }
}

/// Commands that install GRUB for a BIOS, if there is room for its second part: else the disk must be laid out anew.
fn grub(subject: &Subject) -> Option<Vec<String>> {
    let Fact::Known(table) = &subject.facts.as_ref().ok()?.table else {
        return None;
    };
    let commands = remedies::install_boot_loader(subject);
    (has_room(table) && advice::machine(subject) == Some("x86_64") && !commands.is_empty()).then_some(commands)
}

fn has_room(table: &PartitionTable) -> bool {
    let mut partitions = table.partitions.iter();
    match table.kind {
        TableKind::Gpt => partitions.any(|partition| partition.type_id == BIOS_BOOT),
        TableKind::Mbr => partitions.all(|partition| partition.offset >= MIN_GAP),
        TableKind::None => false,
    }
}

/// The firmware comes to a boot loader that reads its menu from a file, and there is none on the whole disk.
fn without_menu(subject: &Subject) -> Option<Finding> {
    let (facts, system) = advice::read_unix(subject)?;
    if facts.boot.entry != Fact::Known(None) || system.distribution.as_deref() == Some("flatcar") {
        return None;
    }
    let starts = [&facts.boot.bios, &facts.boot.uefi].map(|fact| match fact {
        Fact::Known(start) => start.loader.as_deref(),
        Fact::Unknown(_) => None,
    });
    let loader = starts.into_iter().flatten().find(|loader| *loader == "grub")?;
    let places: Vec<Evidence> = facts
        .boot
        .loaders
        .iter()
        .filter(|found| found.kind == loader)
        .flat_map(|found| found.evidence.clone())
        .filter(|place| place.path.is_some())
        .collect();
    Some(
        found(Status::Warning, "boot_loader_without_menu")
            .certainty(Certainty::Likely)
            .evidence(&places)
            .remedy("renew_boot_menu", remedies::renew_boot_menu(subject)),
    )
}
