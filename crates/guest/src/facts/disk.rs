//! Partition table, partitions, volumes, mounts and the root filesystem.

use serde::{Deserialize, Serialize};

use super::Evidence;

/// Kind of partition table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TableKind {
    /// GUID partition table (UEFI 2.10, chapter 5).
    Gpt,
    /// Master boot record.
    Mbr,
    /// A filesystem begins at the first sector.
    None,
}

/// A disk's partition table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionTable {
    /// Which kind.
    pub kind: TableKind,
    /// Logical sector in bytes: 512 or 4096.
    pub sector_size: u32,
    /// GPT: the disk's GUID in lower case; MBR: the disk signature as eight hexadecimal digits, if it is not zero.
    pub id: Option<String>,
    /// In the table's order, empty entries left out. Without a table: one entry, number 0, for the whole disk.
    pub partitions: Vec<Partition>,
    /// True when the primary GPT is damaged and the backup was used.
    pub from_backup: bool,
    /// What is wrong with the table although it could be read.
    pub problems: Vec<TableProblem>,
}

/// What is wrong with a partition table that could be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TableProblem {
    /// The backup of the GPT is missing or damaged.
    BackupDamaged,
    /// The backup of the GPT does not stand in the disk's last sector: the disk has grown since.
    BackupNotAtEnd,
    /// The MBR beside the GPT names other partitions than the one that protects the GPT.
    Hybrid,
    /// Two partitions share sectors.
    Overlap(u32, u32),
    /// A partition reaches past the disk's end.
    PastEnd(u32),
    /// The chain of extended boot records is broken or runs in a circle; logical partitions may be missing.
    LogicalChainBroken,
}

/// One partition.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partition {
    /// As the table counts (MBR: logical ones from 5); 0 without a table.
    pub number: u32,
    /// First byte on the virtual disk.
    pub offset: u64,
    /// Length in bytes.
    pub len: u64,
    /// GPT: type GUID in lower case; MBR: type byte as two hexadecimal digits; empty without a table.
    pub type_id: String,
    /// GPT: the partition's name (`PARTLABEL`).
    pub name: Option<String>,
    /// `PARTUUID` as Linux writes it. GPT: the partition's GUID in lower case; MBR: disk signature and number as
    /// `xxxxxxxx-nn`, both hexadecimal.
    pub part_uuid: Option<String>,
    /// GPT: the attribute bits (UEFI 2.10, table 5.8); 0 in an MBR.
    pub attributes: u64,
    /// The mark by which old boot code chooses. MBR: the active flag; GPT: attribute bit 2, legacy BIOS bootable.
    pub bootable: bool,
    /// What stands in it: `ext4`, `ext3`, `ext2`, `xfs`, `btrfs`, `vfat`, `swap`, `luks`, `lvm`, `ntfs`, ...; `None` if not recognised.
    pub filesystem: Option<String>,
    /// The filesystem's label, as blkid says it.
    pub label: Option<String>,
    /// The filesystem's UUID or serial number, as blkid says it.
    pub uuid: Option<String>,
}

/// The filesystem that holds `/`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Root {
    /// As in [`Partition::filesystem`], and never a layer: what stands inside one that is not looked into is
    /// `root_inside_layer`.
    pub filesystem: String,
    /// Number as the table counts; `None` without a table.
    pub partition: Option<u32>,
    /// What lies between partition and filesystem, outermost first (`mdraid`, `lvm`).
    pub layers: Vec<String>,
    /// False where the files could not be read and this is merely the only filesystem that can be the root.
    pub read: bool,
    /// The directory of that filesystem which is `/` for the running system, where it is not the filesystem's own
    /// root: an ostree deployment.
    pub directory: Option<String>,
    /// The filesystem's UUID, as blkid says it.
    pub uuid: Option<String>,
}

/// Something on the disk that holds a filesystem or could hold one: a partition, the whole disk without a table, or
/// what stands inside a layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// The (first) partition in which it stands; `None` without a table.
    pub partition: Option<u32>,
    /// What lies between, outermost first (`mdraid`, `lvm`); empty for a partition itself.
    pub layers: Vec<String>,
    /// The name that a layer gives it: `vg/lv`, or the array's name.
    pub name: Option<String>,
    /// Length in bytes.
    pub len: u64,
    /// As in [`Partition::filesystem`].
    pub filesystem: Option<String>,
    /// The filesystem's label, as blkid says it.
    pub label: Option<String>,
    /// The filesystem's UUID or serial number, as blkid says it.
    pub uuid: Option<String>,
    /// ext2, ext3, ext4: bytes of the filesystem as it says itself. More than [`Volume::len`] when something cut it off.
    pub filesystem_len: Option<u64>,
    /// ext2, ext3, ext4: how it was left.
    pub left: Option<Left>,
}

/// How a filesystem was left when the image was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Left {
    /// Unmounted.
    Clean,
    /// Still mounted: the machine ran, or was switched off without notice.
    InUse,
    /// With errors that wait for a check.
    WithErrors,
}

/// A system found on the disk; there may be several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundSystem {
    /// The (first) partition in which it stands; `None` without a table.
    pub partition: Option<u32>,
    /// What lies between partition and filesystem, outermost first.
    pub layers: Vec<String>,
    /// As in [`Root::directory`].
    pub directory: Option<String>,
    /// os-release's `PRETTY_NAME`, or `ID` and `VERSION_ID`; the line of an older release file.
    pub name: Option<String>,
    /// True for the one that [`Root`] tells of.
    pub chosen: bool,
    /// Where its name was read, then the boot entry that decided.
    pub evidence: Vec<Evidence>,
}

/// One line of `/etc/fstab`, or a mount that the system makes by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// Where it is mounted: an absolute path, or `none` for swap.
    pub point: String,
    /// What is mounted, as it is written: `UUID=…`, `LABEL=…`, `/dev/…`, `tmpfs`, …
    pub source: String,
    /// The third field: `ext4`, `swap`, `auto`, …
    pub filesystem: String,
    /// The fourth field.
    pub options: String,
    /// What was found of it.
    pub state: MountState,
    /// The partition in which it stands, where the source was found; `None` without a table.
    pub partition: Option<u32>,
    /// What lies between that partition and the filesystem.
    pub layers: Vec<String>,
    /// The line.
    pub evidence: Evidence,
}

/// What became of a [`Mount`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MountState {
    /// On this disk, and its files are read.
    Read,
    /// On this disk, but its files are not read (another filesystem, damaged, swap).
    NotRead,
    /// Named by UUID, label, or name, and nothing on this disk has it.
    NotOnDisk,
    /// Several filesystems have that UUID or label.
    Ambiguous,
    /// Named in a way that only a running machine can follow (by hardware path, over the network).
    NotFollowed,
    /// Not mounted at boot (`noauto`).
    NotAtBoot,
    /// No disk behind it (`tmpfs`, `proc`).
    Virtual,
}
