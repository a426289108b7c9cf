//! Disks with the real boot loaders of Debian's packages, as their own tools put them there.
#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot make its image has failed"
)]

use std::{
    fs,
    io::Write,
    os::unix::fs::{FileExt, symlink},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
};

use lotse_disk::{Disk, FileSource};
use lotse_guest::{
    Fact, examine,
    facts::{Boot, BootEntry, DeviceFound, DevicePurpose, DriverPlace, Drivers, FirmwareStart, NamedBy, NoStart},
};

const MIB: u64 = 1 << 20;
const ROOT_UUID: &str = "5eeda241-1e2e-499a-afc2-ddbb619845a1";
const VERSION: &str = "6.1.0-56-cloud-amd64";
const BIOS_BOOT: &str = "21686148-6449-6E6F-744E-656564454649";
const ESP: &str = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B";

fn run(program: &str, arguments: &[&str]) {
    let path = std::env::var("PATH").unwrap_or_default();
    let output = Command::new(program)
        .env("PATH", format!("{path}:/usr/sbin:/sbin"))
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors} ({program} {arguments:?})");
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn put(root: &Path, path: &str, content: impl AsRef<[u8]>) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// A disk that is put together piece by piece.
struct Machine {
    folder: tempfile::TempDir,
    disk: PathBuf,
}

impl Machine {
    /// With these lines for sfdisk.
    fn new(table: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let disk = folder.path().join("disk");
        fs::File::create(&disk).unwrap().set_len(64 * MIB).unwrap();
        let path = std::env::var("PATH").unwrap_or_default();
        let mut sfdisk = Command::new("sfdisk")
            .env("PATH", format!("{path}:/usr/sbin:/sbin"))
            .args(["--quiet", "--no-reread", "--no-tell-kernel", text(&disk)])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        sfdisk.stdin.take().unwrap().write_all(table.as_bytes()).unwrap();
        assert!(sfdisk.wait().unwrap().success());
        Self { folder, disk }
    }

    /// The order of Debian's own cloud images: root, BIOS boot, ESP.
    fn gpt() -> Self {
        Self::new(&format!(
            "label: gpt\n1: start=40960, size=88064\n14: start=2048, size=6144, type={BIOS_BOOT}\n\
             15: start=8192, size=32768, type={ESP}\n"
        ))
    }

    fn write(&self, at: u64, bytes: &[u8]) {
        let file = fs::File::options().write(true).open(&self.disk).unwrap();
        file.write_all_at(bytes, at).unwrap();
    }

    /// The code of the first sector, without touching the partition table.
    fn write_code(&self, code: &[u8]) {
        self.write(0, &code[..code.len().min(440)]);
    }

    /// GRUB for a BIOS as grub-bios-setup writes it: boot.img with the sector of core.img in it (`kernel_sector`, at 92).
    fn grub_bios(&self, sector: u64) {
        let core = self.folder.path().join("core.img");
        run(
            "grub-mkimage",
            &[
                "-O",
                "i386-pc",
                "-o",
                text(&core),
                "-p",
                "(,gpt1)/boot/grub",
                "biosdisk",
                "part_gpt",
                "ext2",
                "normal",
            ],
        );
        let mut boot = fs::read("/usr/lib/grub/i386-pc/boot.img").unwrap();
        boot[92..100].copy_from_slice(&sector.to_le_bytes());
        self.write_code(&boot);
        self.write(sector * 512, &fs::read(core).unwrap());
    }

    /// The root filesystem at 20 MiB.
    fn root(&self, tree: &Path) {
        let image = self.folder.path().join("root.ext4");
        fs::File::create(&image).unwrap().set_len(43 * MIB).unwrap();
        run(
            "mke2fs",
            &["-q", "-t", "ext4", "-U", ROOT_UUID, "-d", text(tree), text(&image)],
        );
        self.write(20 * MIB, &fs::read(image).unwrap());
    }

    /// The ESP at 4 MiB, with these files.
    fn esp(&self, files: &[(&str, &Path)]) {
        let image = self.folder.path().join("esp");
        fs::File::create(&image).unwrap().set_len(16 * MIB).unwrap();
        run("mkfs.vfat", &["--invariant", "-i", "e58813f2", text(&image)]);
        let mut made = Vec::new();
        for (path, from) in files {
            let folders: Vec<&str> = path.split('/').collect();
            for depth in 1..folders.len() {
                let folder = folders[..depth].join("/");
                if !made.contains(&folder) {
                    run("mmd", &["-i", text(&image), &format!("::{folder}")]);
                    made.push(folder);
                }
            }
            run("mcopy", &["-i", text(&image), text(from), &format!("::{path}")]);
        }
        self.write(4 * MIB, &fs::read(image).unwrap());
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    fn grub_efi(&self) -> PathBuf {
        let image = self.folder.path().join("grub.efi");
        run(
            "grub-mkimage",
            &[
                "-O",
                "x86_64-efi",
                "-o",
                text(&image),
                "-p",
                "/EFI/debian",
                "part_gpt",
                "fat",
                "ext2",
                "normal",
            ],
        );
        image
    }

    fn boot(&self) -> Boot {
        let disk = Disk::open(Arc::new(FileSource::open(&self.disk).unwrap())).unwrap();
        examine(&disk).boot
    }

    fn bios(&self) -> FirmwareStart {
        known(self.boot().bios)
    }

    fn uefi(&self) -> FirmwareStart {
        known(self.boot().uefi)
    }
}

fn known<T>(fact: Fact<T>) -> T {
    match fact {
        Fact::Known(value) => value,
        Fact::Unknown(unknown) => panic!("{unknown:?}"),
    }
}

fn entry(boot: &Boot) -> BootEntry {
    known(boot.entry.clone()).unwrap()
}

fn drivers(boot: &Boot) -> Drivers {
    known(boot.drivers.clone()).unwrap()
}

/// A file of cpio's with these modules, compressed by zstd.
fn initramfs(folder: &Path, modules: &[&str]) -> Vec<u8> {
    let tree = folder.join("initramfs");
    fs::create_dir_all(&tree).unwrap();
    let mut names = String::new();
    for module in modules {
        put(&tree, module, vec![7; 10_000]);
        names.push_str(module);
        names.push('\n');
    }
    put(&tree, "list", names);
    let pipe = "cpio --quiet -o -H newc < list | zstd -q";
    let output = Command::new("sh")
        .args(["-c", pipe])
        .current_dir(&tree)
        .output()
        .unwrap();
    assert!(output.status.success());
    output.stdout
}

/// The header of Linux's boot protocol, as boot.rst describes it.
fn kernel(version: &str) -> Vec<u8> {
    let mut kernel = vec![0; 20_000];
    kernel[0x202..0x206].copy_from_slice(b"HdrS");
    kernel[0x206..0x208].copy_from_slice(&0x020f_u16.to_le_bytes());
    kernel[0x20e..0x210].copy_from_slice(&0x3000_u16.to_le_bytes());
    kernel[0x236] = 1;
    let text = format!("{version} (debian-kernel@lists.debian.org) #1 SMP PREEMPT_DYNAMIC\0");
    kernel[0x3200..0x3200 + text.len()].copy_from_slice(text.as_bytes());
    kernel
}

/// What is read of a Debian 12 with its cloud kernel, in which every driver of virtio is a module.
fn debian(machine: &Machine) -> PathBuf {
    let root = machine.folder.path().join("root");
    put(&root, "etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n");
    put(&root, "usr/lib/systemd/systemd", "\x7fELF");
    fs::create_dir_all(root.join("usr/sbin")).unwrap();
    symlink("usr/sbin", root.join("sbin")).unwrap();
    symlink("usr/lib", root.join("lib")).unwrap();
    symlink("/lib/systemd/systemd", root.join("usr/sbin/init")).unwrap();
    let fstab =
        format!("UUID={ROOT_UUID} / ext4 errors=remount-ro 0 1\nUUID=E588-13F2 /boot/efi vfat umask=0077 0 1\n");
    put(&root, "etc/fstab", fstab);
    fs::create_dir_all(root.join("boot/efi")).unwrap();
    put(&root, "boot/grub/grub.cfg", include_str!("boot/debian-12-grub.cfg"));
    put(&root, &format!("boot/vmlinuz-{VERSION}"), kernel(VERSION));
    let modules = format!("usr/lib/modules/{VERSION}");
    let image = initramfs(
        machine.folder.path(),
        &[
            &format!("{modules}/kernel/drivers/block/virtio_blk.ko"),
            &format!("{modules}/kernel/drivers/scsi/virtio_scsi.ko"),
            &format!("{modules}/kernel/drivers/virtio/virtio_pci.ko"),
        ],
    );
    put(&root, &format!("boot/initrd.img-{VERSION}"), image);
    put(&root, &format!("{modules}/modules.builtin"), "kernel/fs/ext4/ext4.ko\n");
    for driver in [
        "block/virtio_blk",
        "scsi/virtio_scsi",
        "virtio/virtio_pci",
        "net/virtio_net",
    ] {
        put(&root, &format!("{modules}/kernel/drivers/{driver}.ko"), "\x7fELF");
    }
    root
}

#[test]
fn a_debian_starts_with_bios_and_uefi_and_finds_its_disk() {
    let machine = Machine::gpt();
    machine.root(&debian(&machine));
    machine.grub_bios(2048);
    machine.esp(&[("EFI/BOOT/BOOTX64.EFI", &machine.grub_efi())]);
    let boot = machine.boot();
    let bios = known(boot.bios.clone());
    assert_eq!((bios.possible, bios.loader.as_deref()), (true, Some("grub")));
    let uefi = known(boot.uefi.clone());
    assert_eq!((uefi.possible, uefi.loader.as_deref()), (true, Some("grub")));
    assert_eq!(uefi.architectures, ["x86_64"]);

    let entry = entry(&boot);
    assert_eq!(entry.kernel, Some(format!("/boot/vmlinuz-{VERSION}")));
    assert_eq!(
        (entry.kernel_there.clone(), entry.initramfs_there.clone()),
        (Fact::Known(true), Fact::Known(true))
    );
    assert_eq!(entry.initramfs, [format!("/boot/initrd.img-{VERSION}")]);
    assert_eq!(
        entry.parameters("console").collect::<Vec<_>>(),
        ["tty0", "ttyS0,115200n8"]
    );
    assert!(entry.has_flag("ro"));
    let kernels = known(boot.kernels.clone());
    assert_eq!(kernels.len(), 1);
    assert_eq!(kernels[0].version.as_deref(), Some(VERSION), "out of the header");
    assert_eq!(kernels[0].architecture.as_deref(), Some("x86_64"));
    assert!(kernels[0].default && kernels[0].modules == Fact::Known(true));

    let drivers = drivers(&boot);
    for place in [&drivers.virtio_pci, &drivers.virtio_blk, &drivers.virtio_scsi] {
        assert_eq!(*place, Fact::Known(DriverPlace::Initramfs));
    }
    assert_eq!(
        drivers.virtio_net,
        Fact::Known(DriverPlace::Root),
        "early enough for the network"
    );
    assert_eq!(drivers.compressions, ["zstd"]);
    let devices = known(boot.devices);
    assert_eq!(devices.len(), 3);
    assert!(
        devices
            .iter()
            .all(|device| device.found == DeviceFound::Yes && device.by == NamedBy::Uuid)
    );
    assert_eq!(devices[0].purpose, DevicePurpose::Root);
}

#[test]
fn what_a_new_machine_would_not_find_is_told() {
    let machine = Machine::gpt();
    let root = debian(&machine);
    let other = initramfs(&machine.folder.path().join("other"), &["init"]);
    put(&root, &format!("boot/initrd.img-{VERSION}"), other);
    put(
        &root,
        "boot/grub/grub.cfg",
        include_str!("boot/debian-12-grub.cfg")
            .replace(&format!("root=UUID={ROOT_UUID}"), "root=/dev/sda1 resume=UUID=0-1"),
    );
    put(
        &root,
        "etc/fstab",
        "/dev/sda1 / ext4 defaults 0 1\nLABEL=data /data ext4 nofail 0 2\n/swapfile none swap sw 0 0\n",
    );
    put(
        &root,
        "etc/crypttab",
        "# name source key\nsecret PARTUUID=1234 /root/key luks\n",
    );
    fs::remove_file(root.join(format!("usr/lib/modules/{VERSION}/kernel/drivers/scsi/virtio_scsi.ko"))).unwrap();
    machine.root(&root);
    let boot = machine.boot();
    let drivers = drivers(&boot);
    assert_eq!(
        drivers.virtio_blk,
        Fact::Known(DriverPlace::Root),
        "too late for the root filesystem"
    );
    assert_eq!(drivers.virtio_scsi, Fact::Known(DriverPlace::Missing));
    let devices = known(boot.devices);
    let told: Vec<_> = devices
        .iter()
        .map(|device| {
            (
                device.purpose,
                device.name.as_str(),
                device.by,
                device.found,
                device.optional,
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (
                DevicePurpose::Root,
                "/dev/sda1",
                NamedBy::KernelName,
                DeviceFound::Yes,
                false
            ),
            (DevicePurpose::Resume, "UUID=0-1", NamedBy::Uuid, DeviceFound::No, false),
            (
                DevicePurpose::Mount,
                "/dev/sda1",
                NamedBy::KernelName,
                DeviceFound::Yes,
                false
            ),
            (
                DevicePurpose::Mount,
                "LABEL=data",
                NamedBy::Label,
                DeviceFound::No,
                true
            ),
            (
                DevicePurpose::Encrypted,
                "PARTUUID=1234",
                NamedBy::PartUuid,
                DeviceFound::No,
                false
            ),
        ]
    );
    let crypttab = devices[4].evidence.value.as_deref().unwrap();
    assert!(
        !crypttab.contains("key"),
        "where the key stands is not told: {crypttab}"
    );
    assert!(!devices[4].asks_passphrase, "it has a key file");
    assert_eq!(known(boot.bios).because, Some(NoStart::NoBootCode));
    assert_eq!(
        known(boot.uefi).because,
        Some(NoStart::NoEfiPartition),
        "an ESP without a filesystem is none"
    );
}

#[test]
fn what_only_a_person_can_open_is_told_from_what_opens_by_itself() {
    let machine = Machine::gpt();
    let root = debian(&machine);
    put(
        &root,
        "etc/crypttab",
        "asked UUID=1 none luks\nalso UUID=2 - luks\nbare UUID=3\nchip UUID=4 none tpm2-device=auto\n\
         script UUID=5 none luks,keyscript=/sbin/key\nfile UUID=6 /root/key luks\nrandom UUID=7 /dev/urandom swap\n",
    );
    machine.root(&root);
    let devices = known(machine.boot().devices);
    let asking: Vec<_> = devices
        .iter()
        .filter(|device| device.asks_passphrase)
        .map(|device| device.name.as_str())
        .collect();
    assert_eq!(
        asking,
        ["UUID=1", "UUID=2", "UUID=3", "UUID=4"],
        "the old machine's chip is not in a VM, so that it asks after all"
    );
}

#[test]
fn what_systemd_mounts_when_it_is_looked_at_holds_nothing_up() {
    let machine = Machine::gpt();
    let root = debian(&machine);
    put(
        &root,
        "etc/fstab",
        "LABEL=late /late ext4 x-systemd.automount 0 2\nLABEL=now /now ext4 defaults 0 2\n",
    );
    machine.root(&root);
    let devices = known(machine.boot().devices);
    let optional = |name: &str| devices.iter().find(|device| device.name == name).unwrap().optional;
    assert_eq!((optional("LABEL=late"), optional("LABEL=now")), (true, false));
}

#[test]
fn a_kernel_that_is_not_there_is_told() {
    let machine = Machine::gpt();
    let root = debian(&machine);
    fs::remove_file(root.join(format!("boot/vmlinuz-{VERSION}"))).unwrap();
    fs::remove_file(root.join(format!("boot/initrd.img-{VERSION}"))).unwrap();
    machine.root(&root);
    let entry = entry(&machine.boot());
    assert_eq!(entry.kernel_there, Fact::Known(false));
    assert_eq!(entry.initramfs_there, Fact::Known(false));
}

#[test]
fn grub_without_its_second_part_does_not_start() {
    let machine = Machine::gpt();
    machine.grub_bios(2048);
    assert!(machine.bios().possible);
    machine.write(2048 * 512, &vec![0; 3 << 20]);
    let bios = machine.bios();
    assert_eq!(
        (bios.possible, bios.because),
        (false, Some(NoStart::SecondStageMissing))
    );
    assert_eq!(bios.loader.as_deref(), Some("grub"));
}

#[test]
fn code_that_starts_a_partition_needs_one_that_is_marked_and_starts() {
    let mbr = fs::read("/usr/lib/syslinux/mbr/mbr.bin").unwrap();
    let machine = Machine::new("label: dos\nstart=8192, size=32768, type=c\nstart=40960, size=88064, type=83\n");
    machine.write_code(&mbr);
    assert_eq!(machine.bios().because, Some(NoStart::NoActivePartition));

    let machine = Machine::new("label: dos\nstart=8192, size=32768, type=c, bootable\n");
    machine.write_code(&mbr);
    assert_eq!(
        machine.bios().because,
        Some(NoStart::PartitionNotBootable),
        "nothing in it"
    );
    machine.esp(&[]);
    assert_eq!(
        machine.bios().because,
        Some(NoStart::PartitionNotBootable),
        "mkfs.vfat's own code only says so"
    );
    let image = machine.folder.path().join("esp");
    run("syslinux", &["--install", text(&image)]);
    machine.write(4 * MIB, &fs::read(image).unwrap());
    let bios = machine.bios();
    assert_eq!((bios.possible, bios.loader.as_deref()), (true, Some("syslinux")));
    assert_eq!(
        bios.evidence[0].value.as_deref(),
        Some("@4194304"),
        "the partition's first byte"
    );
}

#[test]
fn syslinux_on_a_gpt_needs_the_mark_of_its_own() {
    let gptmbr = fs::read("/usr/lib/syslinux/mbr/gptmbr.bin").unwrap();
    for (attributes, because) in [
        ("", Some(NoStart::NoActivePartition)),
        (", attrs=\"LegacyBIOSBootable\"", None),
    ] {
        let machine = Machine::new(&format!(
            "label: gpt\n15: start=8192, size=32768, type={ESP}{attributes}\n"
        ));
        machine.write_code(&gptmbr);
        machine.esp(&[]);
        let image = machine.folder.path().join("esp");
        run("syslinux", &["--install", text(&image)]);
        machine.write(4 * MIB, &fs::read(image).unwrap());
        assert_eq!(machine.bios().because, because);
    }
}

#[test]
fn uefi_starts_what_stands_at_its_path() {
    let machine = Machine::gpt();
    machine.esp(&[]);
    assert_eq!(machine.uefi().because, Some(NoStart::NoEfiLoader));

    let grub = machine.grub_efi();
    machine.esp(&[("EFI/debian/grubx64.efi", &grub)]);
    let uefi = machine.uefi();
    assert_eq!((uefi.possible, uefi.because), (false, Some(NoStart::OnlyVendorPath)));
    assert_eq!(uefi.evidence[0].path.as_deref(), Some("/EFI/debian/grubx64.efi"));

    let systemd = Path::new("/usr/lib/systemd/boot/efi/systemd-bootx64.efi");
    machine.esp(&[("EFI/BOOT/BOOTX64.EFI", systemd)]);
    let boot = machine.boot();
    assert_eq!(known(boot.uefi).loader.as_deref(), Some("systemd_boot"));
    let version = boot.loaders[0].version.clone().unwrap();
    assert!(version.starts_with(|c: char| c.is_ascii_digit()), "{version}");

    let shim = Path::new("/usr/lib/shim/shimx64.efi");
    machine.esp(&[("EFI/BOOT/BOOTX64.EFI", shim)]);
    assert_eq!(
        machine.uefi().because,
        Some(NoStart::EfiSecondStageMissing),
        "shim alone starts nothing"
    );
    machine.esp(&[("EFI/BOOT/BOOTX64.EFI", shim), ("EFI/BOOT/grubx64.efi", &grub)]);
    assert_eq!(machine.uefi().loader.as_deref(), Some("grub"));
    // As grub-install does with --force-extra-removable.
    let fallback = Path::new("/usr/lib/shim/fbx64.efi");
    machine.esp(&[
        ("EFI/BOOT/BOOTX64.EFI", shim),
        ("EFI/BOOT/fbx64.efi", fallback),
        ("EFI/debian/grubx64.efi", &grub),
        ("EFI/debian/shimx64.efi", shim),
        ("EFI/debian/BOOTX64.CSV", Path::new("/usr/lib/shim/BOOTX64.CSV")),
    ]);
    assert!(machine.uefi().possible);

    let text = machine.file("text", "no program");
    machine.esp(&[("EFI/BOOT/BOOTX64.EFI", &text)]);
    assert_eq!(
        machine.uefi().because,
        Some(NoStart::NoEfiLoader),
        "a name alone is no program"
    );
}

/// A kernel with all it needs in one file, put together as systemd's ukify does it.
#[test]
fn a_unified_kernel_tells_its_command_line() {
    let machine = Machine::gpt();
    let root = debian(&machine);
    fs::remove_dir_all(root.join("boot/grub")).unwrap();
    machine.root(&root);
    let command_line = machine.file("cmdline", "root=LABEL=root console=ttyS0");
    let linux = machine.file("linux", kernel(VERSION));
    let uname = machine.file("uname", VERSION);
    let unified = machine.folder.path().join("unified.efi");
    let section = |name: &str, path: &Path, at: u64| {
        [
            "--add-section".to_owned(),
            format!("{name}={}", text(path)),
            "--change-section-vma".to_owned(),
            format!("{name}={at:#x}"),
        ]
    };
    let arguments: Vec<String> = [
        section(".cmdline", &command_line, 0x30000),
        section(".uname", &uname, 0x40000),
        section(".linux", &linux, 0x200_0000),
    ]
    .concat();
    let mut arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    arguments.extend(["/usr/lib/systemd/boot/efi/linuxx64.efi.stub", text(&unified)]);
    run("objcopy", &arguments);
    machine.esp(&[("EFI/BOOT/BOOTX64.EFI", &unified)]);
    let boot = machine.boot();
    assert_eq!(known(boot.uefi.clone()).loader.as_deref(), Some("unified_kernel"));
    assert_eq!(entry(&boot).command_line, "root=LABEL=root console=ttyS0");
    assert!(matches!(boot.drivers, Fact::Unknown(unknown) if unknown.code == "initramfs_inside"));
}

/// systemd-boot with entries on the ESP, which no fstab mounts.
#[test]
fn entries_on_the_esp_are_read() {
    let machine = Machine::gpt();
    let root = debian(&machine);
    fs::remove_dir_all(root.join("boot")).unwrap();
    put(&root, "etc/fstab", "");
    machine.root(&root);
    let linux = machine.file("linux", kernel(VERSION));
    let modules = format!("usr/lib/modules/{VERSION}/kernel/drivers");
    let image = initramfs(
        &machine.folder.path().join("other"),
        &[
            &format!("{modules}/block/virtio_blk.ko"),
            &format!("{modules}/virtio/virtio_pci.ko"),
        ],
    );
    let image = machine.file("image", image);
    let entry_file = machine.file(
        "entry",
        format!(
            "title Debian\nversion {VERSION}\nlinux /0123/{VERSION}/linux\ninitrd /0123/{VERSION}/initrd\n\
             options root=UUID={ROOT_UUID} rw\n"
        ),
    );
    let loader = machine.file("loader", "timeout 0\ndefault debian*\n");
    machine.esp(&[
        (
            "EFI/BOOT/BOOTX64.EFI",
            Path::new("/usr/lib/systemd/boot/efi/systemd-bootx64.efi"),
        ),
        ("loader/loader.conf", &loader),
        (&format!("loader/entries/debian-{VERSION}.conf"), &entry_file),
        (&format!("0123/{VERSION}/linux"), &linux),
        (&format!("0123/{VERSION}/initrd"), &image),
    ]);
    let boot = machine.boot();
    let entry = entry(&boot);
    assert_eq!(
        (entry.loader.as_str(), entry.title.as_deref()),
        ("systemd_boot", Some("Debian"))
    );
    assert_eq!(
        (entry.kernel_there, entry.initramfs_there),
        (Fact::Known(true), Fact::Known(true))
    );
    let drivers = drivers(&boot);
    assert_eq!(drivers.kernel, VERSION);
    assert_eq!(drivers.virtio_blk, Fact::Known(DriverPlace::Initramfs));
    assert_eq!(drivers.virtio_scsi, Fact::Known(DriverPlace::Root));
}
