//! Whether a VM starts: kernel, boot loader, root, drivers, mounts, processor, the disk's layout.

mod images;

pub(crate) use images::subjects;

use lotse_guest::{
    Fact, Unknown,
    facts::{Boot, DeviceFound, DriverPlace, NamedBy, NoStart, System, TableProblem},
};
use lotse_requirements::{Certainty, Finding, Status, Subject, Verdict, judge};

use crate::subjects::{ready, root, with};
use images::{
    beside, boot, crypttab, driven, elsewhere, encrypted, kernel, laid_out, line, mounts, neither, no_initramfs,
    no_kernel, not, rooted, started_by, uefi_only, unknown, volume, with_line,
};

/// The finding of a rule; none where it is silent.
fn told(subject: &Subject, code: &str) -> Option<Finding> {
    judge(subject).findings.into_iter().find(|finding| finding.code == code)
}

fn reason(subject: &Subject, code: &str) -> String {
    told(subject, code).map_or_else(|| "silent".to_owned(), |finding| finding.reason)
}

fn status(subject: &Subject, code: &str) -> Option<Status> {
    told(subject, code).map(|finding| finding.status)
}

#[test]
fn a_healthy_debian_passes_everything() {
    for (code, expected) in [
        ("kernel", "kernel_found"),
        ("boot_loader", "boot_loader_both"),
        ("root_device", "root_device_found"),
        ("virtio_drivers", "virtio_drivers_there"),
        ("mounts", "mounts_all_there"),
        ("architecture", "architecture_usual"),
        ("disk_layout", "disk_layout_in_order"),
        ("several_systems", "silent"),
    ] {
        assert_eq!(reason(&ready(), code), expected);
    }
}

#[test]
fn nothing_is_said_of_a_system_whose_files_are_not_read() {
    let unread = with(|facts| {
        let reason = Unknown::new("filesystem_not_read").with("filesystem", "xfs");
        facts.root = Fact::Known(Some(root("xfs", false)));
        facts.system = Fact::Unknown(reason.clone());
        facts.systems = Fact::Unknown(reason.clone());
        facts.boot = Boot {
            bios: facts.boot.bios.clone(),
            uefi: facts.boot.uefi.clone(),
            ..Boot::unread(&reason)
        };
    });
    for code in [
        "kernel",
        "root_device",
        "virtio_drivers",
        "architecture",
        "several_systems",
    ] {
        assert_eq!(
            reason(&unread, code),
            "silent",
            "the requirements say why nothing is known"
        );
    }
    assert_eq!(
        reason(&unread, "boot_loader"),
        "boot_loader_both",
        "the first sector tells without the system's files"
    );
}

#[test]
fn a_container_s_files_are_told_from_a_system_that_starts() {
    let finding = told(&no_kernel(), "kernel").unwrap();
    assert_eq!(
        (finding.reason.as_str(), finding.status),
        ("kernel_missing", Status::Fail)
    );
    assert_eq!(
        judge(&no_kernel()).verdict,
        Verdict::ReadyWithWarnings,
        "ccloud³ asks for no kernel: an advice never decides"
    );
}

#[test]
fn without_its_initramfs_a_system_named_by_uuid_cannot_start() {
    assert_eq!(status(&no_initramfs(), "kernel"), Some(Status::Fail));
    assert_eq!(
        reason(&no_initramfs(), "virtio_drivers"),
        "silent",
        "that it holds no drivers follows, and is told already"
    );
    // A kernel finds /dev/… and PARTUUID= by itself if it has the drivers.
    let mut named = rooted("PARTUUID=1-2", NamedBy::PartUuid, DeviceFound::Yes);
    if let Ok(facts) = &mut named.facts
        && let Fact::Known(Some(entry)) = &mut facts.boot.entry
    {
        entry.initramfs_there = Fact::Known(false);
    }
    assert_eq!(status(&named, "kernel"), Some(Status::Warning));
}

#[test]
fn a_kernel_with_all_drivers_in_itself_needs_no_modules() {
    let mut subject = kernel(|kernel| kernel.modules = Fact::Known(false));
    assert_eq!(reason(&subject, "kernel"), "kernel_modules_missing");
    if let Ok(facts) = &mut subject.facts
        && let Fact::Known(Some(drivers)) = &mut facts.boot.drivers
    {
        drivers.virtio_pci = Fact::Known(DriverPlace::BuiltIn);
        drivers.virtio_net = Fact::Known(DriverPlace::BuiltIn);
    }
    assert_eq!(reason(&subject, "kernel"), "kernel_found");
}

#[test]
fn which_firmware_a_vm_has_is_never_claimed() {
    let bios = told(&boot(|boot| boot.uefi = not(NoStart::NoEfiPartition)), "boot_loader").unwrap();
    assert_eq!(
        (bios.status, bios.certainty),
        (Status::Pass, Certainty::Likely),
        "many stock images start with BIOS only"
    );
    assert_eq!(bios.details, ["boot_loader_no_efi_partition"]);
    let uefi = told(&uefi_only(NoStart::NoBootCode), "boot_loader").unwrap();
    assert_eq!((uefi.status, uefi.certainty), (Status::Warning, Certainty::Possible));
    assert_eq!(uefi.details, ["boot_loader_no_boot_code"]);
}

#[test]
fn what_cannot_start_at_all_says_why_of_both() {
    let finding = told(
        &neither(NoStart::NoActivePartition, NoStart::OnlyVendorPath),
        "boot_loader",
    )
    .unwrap();
    assert_eq!((finding.status, finding.certainty), (Status::Fail, Certainty::Certain));
    assert_eq!(
        finding.details,
        ["boot_loader_no_active_partition", "boot_loader_only_vendor_path"]
    );
    let of_a_windows = with(|facts| {
        facts.boot.bios = not(NoStart::NoBootCode);
        facts.boot.uefi = not(NoStart::NoEfiPartition);
        facts.system = Fact::Known(Some(System::of_family("windows")));
    });
    assert_eq!(
        reason(&of_a_windows, "boot_loader"),
        "silent",
        "ccloud³ does not take it anyway"
    );
}

#[test]
fn a_boot_loader_that_cannot_be_judged_is_not_known() {
    let bios = boot(|boot| boot.bios = Fact::Unknown(Unknown::new("boot_code_not_recognised")));
    assert_eq!(
        status(&bios, "boot_loader"),
        Some(Status::Unknown),
        "UEFI alone may not be enough"
    );
    let uefi = boot(|boot| boot.uefi = Fact::Unknown(unknown()));
    assert_eq!(reason(&uefi, "boot_loader"), "boot_loader_bios_only");
}

#[test]
fn names_that_follow_the_disk_pass_and_those_that_follow_the_machine_do_not() {
    for (name, by, found, expected) in [
        ("UUID=1-2", NamedBy::Uuid, DeviceFound::Yes, "root_device_found"),
        (
            "/dev/mapper/vg-root",
            NamedBy::Mapper,
            DeviceFound::Yes,
            "root_device_found",
        ),
        (
            "/dev/mapper/vg-root",
            NamedBy::Mapper,
            DeviceFound::No,
            "root_device_not_on_disk",
        ),
        (
            "/dev/sda9",
            NamedBy::KernelName,
            DeviceFound::No,
            "root_device_not_on_disk",
        ),
        (
            "/dev/sda1",
            NamedBy::KernelName,
            DeviceFound::Yes,
            "root_device_kernel_name",
        ),
        (
            "/dev/nvme0n1p1",
            NamedBy::KernelName,
            DeviceFound::Yes,
            "root_device_kernel_name",
        ),
        (
            "/dev/vda1",
            NamedBy::KernelName,
            DeviceFound::Yes,
            "root_device_virtio_name",
        ),
        (
            "/dev/disk/by-id/dm-name-vg-root",
            NamedBy::Hardware,
            DeviceFound::NotFollowed,
            "silent",
        ),
        ("ZFS=pool/root", NamedBy::Other, DeviceFound::NotFollowed, "silent"),
    ] {
        assert_eq!(reason(&rooted(name, by, found), "root_device"), expected, "{name}");
    }
}

#[test]
fn a_driver_counts_where_it_is_needed() {
    use DriverPlace::{BuiltIn, Initramfs, Missing, Root};
    for ([pci, blk, scsi, net], expected) in [
        ([BuiltIn, BuiltIn, BuiltIn, BuiltIn], "virtio_drivers_there"),
        ([BuiltIn, Initramfs, Initramfs, Root], "virtio_drivers_there"),
        ([Root, Initramfs, Initramfs, Root], "virtio_drivers_disk_too_late"),
        ([Initramfs, Root, Root, Root], "virtio_drivers_disk_too_late"),
        ([Initramfs, Missing, Missing, Root], "virtio_drivers_disk_missing"),
        ([Missing, Initramfs, Initramfs, Root], "virtio_drivers_disk_missing"),
        ([Initramfs, Missing, Initramfs, Root], "virtio_drivers_one_disk_only"),
        ([Initramfs, Initramfs, Root, Root], "virtio_drivers_one_disk_only"),
        ([Initramfs, Initramfs, Root, Missing], "virtio_drivers_network_missing"),
    ] {
        let subject = driven(|drivers| {
            drivers.virtio_pci = Fact::Known(pci);
            drivers.virtio_blk = Fact::Known(blk);
            drivers.virtio_scsi = Fact::Known(scsi);
            drivers.virtio_net = Fact::Known(net);
        });
        assert_eq!(
            reason(&subject, "virtio_drivers"),
            expected,
            "{pci:?} {blk:?} {scsi:?} {net:?}"
        );
    }
}

#[test]
fn versions_of_one_ostree_are_one_system() {
    let deployments = with(|facts| {
        facts.systems = beside(&[
            (
                4,
                "Fedora CoreOS 42",
                Some("/ostree/deploy/fedora-coreos/deploy/2.0"),
                true,
            ),
            (
                4,
                "Fedora CoreOS 41",
                Some("/ostree/deploy/fedora-coreos/deploy/1.0"),
                false,
            ),
        ]);
    });
    assert_eq!(reason(&deployments, "several_systems"), "silent");
}

#[test]
fn what_systemd_waits_for_in_vain_ends_the_start_and_elsewhere_may() {
    let told_by = |subject: &Subject| {
        let finding = told(subject, "mounts").unwrap();
        (finding.reason, finding.status)
    };
    assert_eq!(told_by(&elsewhere()), ("mounts_missing".to_owned(), Status::Fail));
    assert_eq!(
        told_by(&started_by("openrc", elsewhere())),
        ("mounts_missing_elsewhere".to_owned(), Status::Warning)
    );
}

#[test]
fn what_the_start_does_without_is_no_trouble() {
    for (text, by, found) in [
        ("UUID=4-5 /srv ext4 defaults,nofail", NamedBy::Uuid, DeviceFound::No),
        ("/dev/sdb1 /srv ext4 noauto", NamedBy::KernelName, DeviceFound::Yes),
        ("/dev/sda1 / ext4 defaults", NamedBy::KernelName, DeviceFound::Yes),
        (
            "/dev/mapper/vg-srv /srv ext4 defaults",
            NamedBy::Mapper,
            DeviceFound::Yes,
        ),
        (
            "/dev/disk/by-id/dm-name-vg-srv /srv ext4 defaults",
            NamedBy::Hardware,
            DeviceFound::NotFollowed,
        ),
        ("pool/srv /srv zfs defaults", NamedBy::Other, DeviceFound::NotFollowed),
    ] {
        assert_eq!(
            reason(&with_line(text, by, found), "mounts"),
            "mounts_all_there",
            "{text}"
        );
    }
}

#[test]
fn a_volume_that_crypttab_opens_is_told_of_once() {
    let subject = with(|facts| {
        crypttab(facts, "data UUID=4-8 none luks", DeviceFound::Yes);
        line(
            facts,
            "/dev/mapper/data /srv/data ext4 defaults",
            NamedBy::Mapper,
            DeviceFound::No,
        );
    });
    let finding = told(&subject, "mounts").unwrap();
    assert_eq!(
        (finding.reason.as_str(), finding.details.len()),
        ("mounts_passphrase", 0)
    );
}

#[test]
fn an_encrypted_system_is_told_although_nothing_of_it_is_read() {
    assert_eq!(reason(&encrypted(), "mounts"), "mounts_encrypted_system");
}

#[test]
fn several_lines_are_told_together_the_worst_first() {
    let subject = mounts()
        .into_iter()
        .find(|subject| told(subject, "mounts").is_some_and(|finding| !finding.details.is_empty()));
    let finding = told(&subject.unwrap(), "mounts").unwrap();
    assert_eq!(finding.reason, "mounts_missing");
    assert_eq!(finding.details, ["mounts_swap"]);
    assert_eq!(
        finding.params["missing"],
        "UUID=4-5 (/srv/data), LABEL=$(reboot) (/srv/more)"
    );
    let commands = finding.remedy.unwrap().commands;
    assert!(
        commands.len() == 2 && !commands.iter().any(|command| command.contains("reboot")),
        "a word of the image that could mean something to a shell gets into no command"
    );
}

#[test]
fn what_is_cut_off_keeps_the_system_from_starting_and_is_told_once() {
    let cut = volume(|volume| volume.filesystem_len = Some(volume.len + 1));
    assert_eq!(status(&cut, "disk_layout"), Some(Status::Fail));
    assert_eq!(
        status(&laid_out(&[TableProblem::PastEnd(1)]), "disk_layout"),
        Some(Status::Fail)
    );
    assert_eq!(
        status(&laid_out(&[TableProblem::PastEnd(15)]), "disk_layout"),
        Some(Status::Warning),
        "not the partition of the system"
    );
    let mut raw = laid_out(&[TableProblem::PastEnd(1), TableProblem::BackupDamaged]);
    raw.container.format = Some("raw".to_owned());
    assert_eq!(
        reason(&raw, "disk_layout"),
        "silent",
        "container_intact says that the file was cut off"
    );
}

#[test]
fn a_disk_that_has_grown_is_in_order() {
    let finding = told(&laid_out(&[TableProblem::BackupNotAtEnd]), "disk_layout").unwrap();
    assert_eq!(finding.status, Status::Pass);
    assert_eq!(finding.details, ["disk_layout_grown"]);
}
