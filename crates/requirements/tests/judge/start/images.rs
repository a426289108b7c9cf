//! Images that start, or do not, each with one thing changed.

use lotse_guest::{
    Evidence, Fact, Facts, Unknown,
    facts::{
        Boot, BootEntry, DeviceFound, DevicePurpose, DeviceReference, DriverPlace, Drivers, FirmwareStart, FoundSystem,
        Kernel, Left, Mount, MountState, NamedBy, NoStart, PartitionTable, System, TableKind, TableProblem, Volume,
    },
};
use lotse_requirements::Subject;

use crate::subjects::{system, table, with};

/// Every image on which these rules have something else to say.
pub(crate) fn subjects() -> Vec<Subject> {
    [kernels(), loaders(), roots(), drivers(), mounts(), layouts(), others()].concat()
}

pub(super) fn boot(change: impl FnOnce(&mut Boot)) -> Subject {
    with(|facts| change(&mut facts.boot))
}

fn entry(change: impl FnOnce(&mut BootEntry)) -> Subject {
    boot(|boot| {
        if let Fact::Known(Some(entry)) = &mut boot.entry {
            change(entry);
        }
    })
}

pub(super) fn kernel(change: impl FnOnce(&mut Kernel)) -> Subject {
    boot(|boot| {
        if let Fact::Known(kernels) = &mut boot.kernels {
            change(&mut kernels[0]);
        }
    })
}

pub(super) fn unknown() -> Unknown {
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

pub(super) fn no_kernel() -> Subject {
    boot(|boot| {
        boot.kernels = Fact::Known(Vec::new());
        boot.entry = Fact::Known(None);
        boot.drivers = Fact::Known(None);
        boot.devices = Fact::Known(Vec::new());
    })
}

pub(super) fn no_initramfs() -> Subject {
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

pub(super) fn not(because: NoStart) -> Fact<FirmwareStart> {
    Fact::Known(FirmwareStart {
        possible: false,
        because: Some(because),
        loader: None,
        architectures: Vec::new(),
        evidence: Vec::new(),
    })
}

pub(super) fn neither(bios: NoStart, uefi: NoStart) -> Subject {
    boot(|boot| {
        boot.bios = not(bios);
        boot.uefi = not(uefi);
    })
}

pub(super) fn uefi_only(bios: NoStart) -> Subject {
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

pub(super) fn rooted(name: &str, by: NamedBy, found: DeviceFound) -> Subject {
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

pub(super) fn driven(change: impl FnOnce(&mut Drivers)) -> Subject {
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
pub(super) fn line(facts: &mut Facts, line: &str, by: NamedBy, found: DeviceFound) {
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

pub(super) fn with_line(text: &str, by: NamedBy, found: DeviceFound) -> Subject {
    with(|facts| line(facts, text, by, found))
}

fn with_crypttab(text: &str, found: DeviceFound) -> Subject {
    with(|facts| crypttab(facts, text, found))
}

pub(super) fn crypttab(facts: &mut Facts, text: &str, found: DeviceFound) {
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

pub(super) fn started_by(init: &str, mut subject: Subject) -> Subject {
    if let Ok(facts) = &mut subject.facts {
        facts.boot.init = Fact::Known(init.to_owned());
    }
    subject
}

pub(super) fn elsewhere() -> Subject {
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

pub(super) fn mounts() -> Vec<Subject> {
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
pub(super) fn encrypted() -> Subject {
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

pub(super) fn volume(change: impl FnOnce(&mut Volume)) -> Subject {
    with(|facts| {
        if let Fact::Known(volumes) = &mut facts.volumes {
            change(&mut volumes[0]);
        }
    })
}

pub(super) fn laid_out(problems: &[TableProblem]) -> Subject {
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

pub(super) fn beside(systems: &[(u32, &str, Option<&str>, bool)]) -> Fact<Vec<FoundSystem>> {
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
