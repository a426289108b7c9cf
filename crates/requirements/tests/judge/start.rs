//! Whether a VM starts: kernel, boot loader, root, drivers, mounts, processor, the disk's layout.

use lotse_guest::{
    Evidence, Fact, Facts, Unknown,
    facts::{
        Boot, BootEntry, DeviceFound, DevicePurpose, DeviceReference, DriverPlace, Drivers, FirmwareStart, FoundSystem,
        Kernel, Left, Mount, MountState, NamedBy, NoStart, PartitionTable, System, TableKind, TableProblem, Volume,
    },
};
use lotse_requirements::{Certainty, Finding, Status, Subject, Verdict, judge};

use crate::subjects::{ready, root, system, table, with};

/// Every image on which these rules have something else to say.
pub(crate) fn subjects() -> Vec<Subject> {
    [kernels(), loaders(), roots(), drivers(), mounts(), layouts(), others()].concat()
}

fn boot(change: impl FnOnce(&mut Boot)) -> Subject {
    with(|facts| change(&mut facts.boot))
}

fn entry(change: impl FnOnce(&mut BootEntry)) -> Subject {
    boot(|boot| {
        if let Fact::Known(Some(entry)) = &mut boot.entry {
            change(entry);
        }
    })
}

fn kernel(change: impl FnOnce(&mut Kernel)) -> Subject {
    boot(|boot| {
        if let Fact::Known(kernels) = &mut boot.kernels {
            change(&mut kernels[0]);
        }
    })
}

fn unknown() -> Unknown {
    Unknown::new("journal_dirty")
}

/// The same on another distribution.
fn on(id: &str, version: &str, subject: &Subject) -> Subject {
    let mut subject = subject.clone();
    if let Ok(facts) = &mut subject.facts {
        facts.system = Fact::Known(Some(System {
            bits: Some(64),
            ..system(id, version, id)
        }));
    }
    subject
}

fn everywhere(subject: &Subject) -> Vec<Subject> {
    [
        ("ubuntu", "24.04"),
        ("almalinux", "9.6"),
        ("centos", "7"),
        ("centos", "6.10"),
        ("alpine", "3.22"),
        ("arch", ""),
        ("opensuse-leap", "15.6"),
        ("unheard-of", "1"),
    ]
    .iter()
    .map(|(id, version)| on(id, version, subject))
    .collect()
}

fn no_kernel() -> Subject {
    boot(|boot| {
        boot.kernels = Fact::Known(Vec::new());
        boot.entry = Fact::Known(None);
        boot.drivers = Fact::Known(None);
        boot.devices = Fact::Known(Vec::new());
    })
}

fn no_initramfs() -> Subject {
    entry(|entry| entry.initramfs_there = Fact::Known(false))
}

fn kernels() -> Vec<Subject> {
    let entry_missing = entry(|entry| entry.kernel_there = Fact::Known(false));
    let mut alone = entry_missing.clone();
    if let Ok(facts) = &mut alone.facts {
        facts.boot.kernels = Fact::Known(Vec::new());
    }
    let modules_only = boot(|boot| {
        boot.entry = Fact::Known(None);
        if let Fact::Known(kernels) = &mut boot.kernels {
            kernels[0].path = None;
            kernels[0].default = false;
        }
    });
    let mut subjects = vec![
        no_kernel(),
        modules_only,
        entry_missing,
        alone,
        no_initramfs(),
        kernel(|kernel| kernel.modules = Fact::Known(false)),
        boot(|boot| boot.kernels = Fact::Unknown(unknown())),
        boot(|boot| boot.entry = Fact::Unknown(unknown())),
        entry(|entry| entry.kernel_there = Fact::Unknown(unknown())),
        entry(|entry| entry.initramfs_there = Fact::Unknown(unknown())),
    ];
    subjects.extend(everywhere(&no_kernel()));
    subjects.extend(everywhere(&no_initramfs()));
    subjects
}

fn not(because: NoStart) -> Fact<FirmwareStart> {
    Fact::Known(FirmwareStart {
        possible: false,
        because: Some(because),
        loader: None,
        architectures: Vec::new(),
        evidence: Vec::new(),
    })
}

fn neither(bios: NoStart, uefi: NoStart) -> Subject {
    boot(|boot| {
        boot.bios = not(bios);
        boot.uefi = not(uefi);
    })
}

fn uefi_only(bios: NoStart) -> Subject {
    boot(|boot| boot.bios = not(bios))
}

fn without_table(mut subject: Subject) -> Subject {
    if let Ok(facts) = &mut subject.facts {
        facts.table = table(TableKind::None);
    }
    subject
}

fn loaders() -> Vec<Subject> {
    let nothing = neither(NoStart::NoBootCode, NoStart::NoEfiLoader);
    let vendor = neither(NoStart::SecondStageMissing, NoStart::OnlyVendorPath);
    let mut subjects = vec![
        without_table(nothing.clone()),
        neither(NoStart::NoActivePartition, NoStart::NoEfiPartition),
        neither(NoStart::PartitionNotBootable, NoStart::EfiSecondStageMissing),
        uefi_only(NoStart::NoBootCode),
        without_table(uefi_only(NoStart::PartitionNotBootable)),
        boot(|boot| boot.uefi = not(NoStart::NoEfiPartition)),
        boot(|boot| boot.uefi = Fact::Unknown(unknown())),
        boot(|boot| boot.bios = Fact::Unknown(unknown())),
        boot(|boot| {
            if let Fact::Known(uefi) = &mut boot.uefi {
                uefi.architectures = vec!["i686".to_owned()];
            }
        }),
        boot(|boot| boot.entry = Fact::Known(None)),
    ];
    for subject in [nothing, vendor] {
        subjects.extend(everywhere(&subject));
        subjects.push(subject);
    }
    subjects
}

fn rooted(name: &str, by: NamedBy, found: DeviceFound) -> Subject {
    boot(|boot| {
        if let Fact::Known(devices) = &mut boot.devices {
            let root = devices.iter_mut().find(|device| device.purpose == DevicePurpose::Root);
            let root = root.unwrap();
            (root.name, root.by, root.found) = (name.to_owned(), by, found);
        }
    })
}

fn roots() -> Vec<Subject> {
    let named = rooted("/dev/sda1", NamedBy::KernelName, DeviceFound::Yes);
    let mut subjects = vec![
        rooted("UUID=1-2", NamedBy::Uuid, DeviceFound::No),
        rooted("LABEL=root", NamedBy::Label, DeviceFound::Several),
        rooted("/dev/vda1", NamedBy::KernelName, DeviceFound::Yes),
        rooted("/dev/disk/by-path/pci-0", NamedBy::Hardware, DeviceFound::NotFollowed),
        rooted("nfs:192.0.2.1:/srv", NamedBy::Network, DeviceFound::NotFollowed),
        rooted("ZFS=pool/root", NamedBy::Other, DeviceFound::NotFollowed),
        entry(|entry| entry.initramfs.clear()),
        boot(|boot| boot.devices = Fact::Unknown(unknown())),
    ];
    subjects.extend(everywhere(&named));
    subjects.push(named);
    subjects
}

fn driven(change: impl FnOnce(&mut Drivers)) -> Subject {
    boot(|boot| {
        if let Fact::Known(Some(drivers)) = &mut boot.drivers {
            change(drivers);
        }
    })
}

fn late() -> Subject {
    driven(|drivers| {
        drivers.virtio_blk = Fact::Known(DriverPlace::Root);
        drivers.virtio_scsi = Fact::Known(DriverPlace::Root);
    })
}

fn drivers() -> Vec<Subject> {
    let mut subjects = vec![
        driven(|drivers| {
            drivers.virtio_pci = Fact::Known(DriverPlace::Missing);
            drivers.virtio_net = Fact::Known(DriverPlace::Missing);
        }),
        driven(|drivers| drivers.virtio_scsi = Fact::Known(DriverPlace::Root)),
        driven(|drivers| drivers.virtio_blk = Fact::Known(DriverPlace::Missing)),
        driven(|drivers| drivers.virtio_net = Fact::Known(DriverPlace::Missing)),
        driven(|drivers| drivers.virtio_blk = Fact::Unknown(unknown())),
        boot(|boot| boot.drivers = Fact::Unknown(Unknown::new("initramfs_inside").with("name", "linux.efi"))),
    ];
    subjects.extend(everywhere(&late()));
    subjects.push(late());
    subjects
}

/// A line of fstab, `source point filesystem options`, found or not.
fn line(facts: &mut Facts, line: &str, by: NamedBy, found: DeviceFound) {
    let mut words = line.split(' ').map(str::to_owned);
    let (source, point) = (words.next().unwrap(), words.next().unwrap());
    let (filesystem, options) = (words.next().unwrap(), words.next().unwrap());
    let Fact::Known(mounts) = &mut facts.mounts else { return };
    let number = u32::try_from(mounts.len()).unwrap() + 1;
    let evidence = Evidence::path("/etc/fstab").line(number).value(line);
    mounts.push(Mount {
        point,
        source: source.clone(),
        filesystem: filesystem.clone(),
        options: options.clone(),
        state: MountState::NotOnDisk,
        partition: None,
        layers: Vec::new(),
        evidence: evidence.clone(),
    });
    let purpose = if filesystem == "swap" {
        DevicePurpose::Swap
    } else {
        DevicePurpose::Mount
    };
    let optional = options.contains("nofail") || options.contains("noauto");
    refer(facts, purpose, &source, by, found, optional, evidence);
}

fn refer(
    facts: &mut Facts,
    purpose: DevicePurpose,
    name: &str,
    by: NamedBy,
    found: DeviceFound,
    optional: bool,
    evidence: Evidence,
) {
    let Fact::Known(devices) = &mut facts.boot.devices else {
        return;
    };
    devices.push(DeviceReference {
        purpose,
        name: name.to_owned(),
        by,
        found,
        optional,
        asks_passphrase: purpose == DevicePurpose::Encrypted,
        evidence,
    });
}

fn with_line(text: &str, by: NamedBy, found: DeviceFound) -> Subject {
    with(|facts| line(facts, text, by, found))
}

fn with_crypttab(text: &str, found: DeviceFound) -> Subject {
    with(|facts| crypttab(facts, text, found))
}

fn crypttab(facts: &mut Facts, text: &str, found: DeviceFound) {
    let source = text.split(' ').nth(1).unwrap();
    let evidence = Evidence::path("/etc/crypttab").line(1).value(text);
    refer(
        facts,
        DevicePurpose::Encrypted,
        source,
        NamedBy::Uuid,
        found,
        false,
        evidence,
    );
}

fn started_by(init: &str, mut subject: Subject) -> Subject {
    if let Ok(facts) = &mut subject.facts {
        facts.boot.init = Fact::Known(init.to_owned());
    }
    subject
}

fn elsewhere() -> Subject {
    with_line("UUID=4-5 /srv/data ext4 defaults", NamedBy::Uuid, DeviceFound::No)
}

fn sleeping() -> Subject {
    with(|facts| {
        let place = Evidence::path("/boot/grub/grub.cfg")
            .line(119)
            .value("resume=/dev/sda5");
        refer(
            facts,
            DevicePurpose::Resume,
            "/dev/sda5",
            NamedBy::KernelName,
            DeviceFound::No,
            false,
            place,
        );
    })
}

fn mounts() -> Vec<Subject> {
    let mut subjects = vec![
        elsewhere(),
        started_by("openrc", elsewhere()),
        with_line(
            "/dev/sdb1 /srv/data ext4 defaults",
            NamedBy::KernelName,
            DeviceFound::Yes,
        ),
        with_line(
            "/dev/disk/by-path/pci-0 /srv/data ext4 defaults",
            NamedBy::Hardware,
            DeviceFound::NotFollowed,
        ),
        with_line(
            "LABEL=data /srv/data ext4 defaults",
            NamedBy::Label,
            DeviceFound::Several,
        ),
        with_line(
            "192.0.2.1:/export /srv/data nfs defaults",
            NamedBy::Network,
            DeviceFound::NotFollowed,
        ),
        with_line(
            "vagrant /vagrant vboxsf defaults",
            NamedBy::Other,
            DeviceFound::NotFollowed,
        ),
        with_line("/dev/sda5 none swap sw", NamedBy::KernelName, DeviceFound::No),
        with_line("UUID=4-6 none swap sw", NamedBy::Uuid, DeviceFound::No),
        with_line("UUID=4-7 / ext4 defaults", NamedBy::Uuid, DeviceFound::No),
        with_crypttab("data UUID=4-8 none luks", DeviceFound::Yes),
        with_crypttab("data UUID=4-8 none luks", DeviceFound::No),
        encrypted(),
        // Several at once, and words that must not get into a command.
        with(|facts| {
            line(
                facts,
                "UUID=4-5 /srv/data ext4 defaults",
                NamedBy::Uuid,
                DeviceFound::No,
            );
            line(
                facts,
                "LABEL=$(reboot) /srv/more ext4 defaults",
                NamedBy::Label,
                DeviceFound::No,
            );
            line(facts, "UUID=4-6 none swap sw", NamedBy::Uuid, DeviceFound::No);
        }),
    ];
    subjects.extend(everywhere(&sleeping()));
    subjects.push(sleeping());
    subjects
}

/// Nothing is read, for it is all encrypted.
fn encrypted() -> Subject {
    with(|facts| {
        let reason = Unknown::new("root_inside_layer")
            .with("layers", "luks")
            .with("partition", "1");
        *facts = Facts {
            table: facts.table.clone(),
            volumes: facts.volumes.clone(),
            boot: Boot {
                bios: facts.boot.bios.clone(),
                uefi: facts.boot.uefi.clone(),
                ..Boot::unread(&reason)
            },
            ..Facts::unread(&reason)
        };
    })
}

fn volume(change: impl FnOnce(&mut Volume)) -> Subject {
    with(|facts| {
        if let Fact::Known(volumes) = &mut facts.volumes {
            change(&mut volumes[0]);
        }
    })
}

fn laid_out(problems: &[TableProblem]) -> Subject {
    with(|facts| {
        if let Fact::Known(PartitionTable { problems: found, .. }) = &mut facts.table {
            *found = problems.to_vec();
        }
    })
}

fn layouts() -> Vec<Subject> {
    vec![
        volume(|volume| volume.filesystem_len = Some(volume.len + 1)),
        volume(|volume| volume.left = Some(Left::InUse)),
        volume(|volume| volume.left = Some(Left::WithErrors)),
        laid_out(&[TableProblem::PastEnd(1)]),
        laid_out(&[TableProblem::PastEnd(15)]),
        laid_out(&[TableProblem::Overlap(1, 15), TableProblem::Overlap(14, 15)]),
        laid_out(&[TableProblem::LogicalChainBroken]),
        laid_out(&[TableProblem::BackupDamaged]),
        laid_out(&[TableProblem::BackupNotAtEnd]),
        laid_out(&[TableProblem::Hybrid]),
        laid_out(&[TableProblem::BackupDamaged, TableProblem::Hybrid]),
    ]
}

fn made_for(machine: &str, bits: u8) -> Subject {
    with(|facts| {
        if let Fact::Known(Some(system)) = &mut facts.system {
            system.architecture = Some(machine.to_owned());
            system.bits = Some(bits);
        }
    })
}

fn beside(systems: &[(u32, &str, Option<&str>, bool)]) -> Fact<Vec<FoundSystem>> {
    Fact::Known(
        systems
            .iter()
            .map(|(partition, name, directory, chosen)| FoundSystem {
                partition: Some(*partition),
                layers: Vec::new(),
                directory: directory.map(str::to_owned),
                name: Some((*name).to_owned()),
                chosen: *chosen,
                evidence: vec![Evidence::path("/etc/os-release").line(1).value(name)],
            })
            .collect(),
    )
}

fn others() -> Vec<Subject> {
    vec![
        made_for("i686", 32),
        made_for("x86_64", 32),
        made_for("aarch64", 64),
        with(|facts| facts.systems = beside(&[(1, "Debian 12", None, true), (2, "Alpine Linux v3.22", None, false)])),
        with(|facts| {
            facts.systems = beside(&[(1, "Debian 12", None, false), (2, "Alpine Linux v3.22", None, false)]);
            undecided(facts);
        }),
    ]
}

fn undecided(facts: &mut Facts) {
    let reason = Unknown::new("several_systems").with("partitions", "1, 2");
    facts.root = Fact::Unknown(reason.clone());
    facts.system = Fact::Unknown(reason);
}

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
