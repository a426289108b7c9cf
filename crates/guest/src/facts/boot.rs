//! How the disk starts: firmware, boot loader, kernel, drivers, and the devices that are named on the way.

use serde::{Deserialize, Serialize};

use super::{Evidence, Fact, Unknown};

/// How the disk starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Boot {
    /// From a machine with a BIOS.
    pub bios: Fact<FirmwareStart>,
    /// From a machine with UEFI and nothing in its NVRAM, as a new VM has it.
    pub uefi: Fact<FirmwareStart>,
    /// Every boot loader that was recognised by its code or its configuration.
    pub loaders: Vec<BootLoader>,
    /// What is started when nobody presses a key; `None` when no boot loader's configuration is on the disk.
    pub entry: Fact<Option<BootEntry>>,
    /// Every kernel on the disk, the newest first.
    pub kernels: Fact<Vec<Kernel>>,
    /// The drivers for a VM's devices in the kernel that is started; `None` without a kernel of Linux.
    pub drivers: Fact<Option<Drivers>>,
    /// Every device that the boot entry, fstab and crypttab name.
    pub devices: Fact<Vec<DeviceReference>>,
    /// The program that starts everything else: `systemd`, `openrc`, `sysv`, `upstart`, `runit`, `busybox`, `bsd_rc`.
    pub init: Fact<String>,
}

impl Boot {
    /// Nothing is known, everything for the same reason.
    pub fn unread(reason: &Unknown) -> Self {
        Self {
            bios: Fact::Unknown(reason.clone()),
            uefi: Fact::Unknown(reason.clone()),
            loaders: Vec::new(),
            entry: Fact::Unknown(reason.clone()),
            kernels: Fact::Unknown(reason.clone()),
            drivers: Fact::Unknown(reason.clone()),
            devices: Fact::Unknown(reason.clone()),
            init: Fact::Unknown(reason.clone()),
        }
    }
}

/// Whether one kind of firmware can start the disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirmwareStart {
    /// True when the firmware finds a boot loader.
    pub possible: bool,
    /// Why not; `None` when it is possible.
    pub because: Option<NoStart>,
    /// The loader that the firmware, or the code in the MBR, comes to, as in [`BootLoader::kind`].
    pub loader: Option<String>,
    /// UEFI: machines for which there is a loader, as `uname -m` says them.
    pub architectures: Vec<String>,
    /// Where this was read.
    pub evidence: Vec<Evidence>,
}

/// Why firmware cannot start a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoStart {
    /// BIOS: the first sector holds no program.
    NoBootCode,
    /// BIOS: the code leads on to a partition, and none is marked.
    NoActivePartition,
    /// BIOS: the code leads on to a partition that holds no program, or one that only prints a message.
    PartitionNotBootable,
    /// BIOS: the code's second part is not where it should be: the BIOS boot partition, or the gap, is empty.
    SecondStageMissing,
    /// UEFI: there is no FAT filesystem to start from.
    NoEfiPartition,
    /// UEFI: there is one, but no loader in it.
    NoEfiLoader,
    /// UEFI: there is a loader, but none at the path that a machine without NVRAM entries tries.
    OnlyVendorPath,
    /// UEFI: the loader at that path starts another one, which is missing.
    EfiSecondStageMissing,
}

/// A boot loader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BootLoader {
    /// `grub`, `grub_legacy`, `systemd_boot`, `syslinux`, `lilo`, `shim`, `efi_stub` (a kernel started by the firmware
    /// itself), `unified_kernel`, `freebsd`, `windows`, `chain` (code that only starts a partition's), `other`.
    pub kind: String,
    /// What it said of its version.
    pub version: Option<String>,
    /// Where it was recognised, then its configuration.
    pub evidence: Vec<Evidence>,
    /// Its configuration file; a path inside the system, or inside a volume that is not mounted.
    pub configuration: Option<String>,
}

/// What a boot loader starts by default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BootEntry {
    /// As in [`BootLoader::kind`].
    pub loader: String,
    /// What the menu says.
    pub title: Option<String>,
    /// The kernel's path in the system where it can be told, else as it is written.
    pub kernel: Option<String>,
    /// False when that file is certainly not there.
    pub kernel_there: Fact<bool>,
    /// The initramfs images in their order, as [`BootEntry::kernel`].
    pub initramfs: Vec<String>,
    /// False when one of them is certainly not there.
    pub initramfs_there: Fact<bool>,
    /// What the kernel is given, with the loader's variables put in.
    pub command_line: String,
    /// Where the entry stands, then the command line.
    pub evidence: Vec<Evidence>,
}

impl BootEntry {
    /// The values of a parameter of the command line, `name=value`, in their order.
    pub fn parameters<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.command_line
            .split_ascii_whitespace()
            .filter_map(move |word| word.strip_prefix(name)?.strip_prefix('='))
            .map(|value| value.trim_matches('"'))
    }

    /// Is this word on the command line?
    pub fn has_flag(&self, name: &str) -> bool {
        self.command_line.split_ascii_whitespace().any(|word| word == name)
    }
}

/// A kernel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kernel {
    /// The file; `None` for modules without their kernel.
    pub path: Option<String>,
    /// `uname -r`, out of the file's header, else out of its name.
    pub version: Option<String>,
    /// `uname -m`, out of the file's header.
    pub architecture: Option<String>,
    /// Are its modules there?
    pub modules: Fact<bool>,
    /// Is it the one that [`BootEntry`] starts?
    pub default: bool,
}

/// Drivers for the devices of a VM in the kernel that is started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drivers {
    /// The kernel's version.
    pub kernel: String,
    /// The bus on which all of a VM's devices are.
    pub virtio_pci: Fact<DriverPlace>,
    /// Disks.
    pub virtio_blk: Fact<DriverPlace>,
    /// Disks of the other kind.
    pub virtio_scsi: Fact<DriverPlace>,
    /// Network.
    pub virtio_net: Fact<DriverPlace>,
    /// How the initramfs's archives are compressed; empty without one, or when it needed not be read.
    pub compressions: Vec<String>,
    /// Where this was read.
    pub evidence: Vec<Evidence>,
}

/// Where a driver is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DriverPlace {
    /// In the kernel itself.
    BuiltIn,
    /// In the initramfs: there before the root filesystem is.
    Initramfs,
    /// In the root's `/lib/modules` only: there after the root filesystem is.
    Root,
    /// Nowhere.
    Missing,
}

/// A device that is named somewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceReference {
    /// What for.
    pub purpose: DevicePurpose,
    /// As it is written: `UUID=…`, `/dev/sda1`, …
    pub name: String,
    /// How it is named.
    pub by: NamedBy,
    /// Whether this disk has it.
    pub found: DeviceFound,
    /// Does the system start without it? (`nofail`, `noauto`, `x-systemd.automount`)
    pub optional: bool,
    /// crypttab: on another machine only a person at the console can open it, for there is neither a key file nor a program
    /// that knows the key.
    pub asks_passphrase: bool,
    /// Where it stands.
    pub evidence: Evidence,
}

/// What a device is named for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DevicePurpose {
    /// `root=` of the boot entry.
    Root,
    /// `resume=` of the boot entry.
    Resume,
    /// A line of fstab.
    Mount,
    /// Swap in fstab.
    Swap,
    /// A line of crypttab.
    Encrypted,
}

/// How a device is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NamedBy {
    /// `UUID=`.
    Uuid,
    /// `LABEL=`.
    Label,
    /// `PARTUUID=`.
    PartUuid,
    /// `PARTLABEL=`.
    PartLabel,
    /// A name that the kernel gives by kind and order: `/dev/sda1`. Another kind of machine has other names.
    KernelName,
    /// A name of the device mapper: `/dev/mapper/…`, `/dev/vg/lv`.
    Mapper,
    /// `/dev/md0`.
    Raid,
    /// By the way it was plugged in, or by a serial number: `/dev/disk/by-path/…`, `/dev/disk/by-id/…`.
    Hardware,
    /// Over the network.
    Network,
    /// Another way.
    Other,
}

/// Whether a disk has a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceFound {
    /// It is there.
    Yes,
    /// It is not.
    No,
    /// More than once.
    Several,
    /// Only a running machine can tell.
    NotFollowed,
}
