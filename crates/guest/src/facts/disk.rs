//! Partition table, partitions and the root filesystem.

use serde::{Deserialize, Serialize};

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
    /// In the table's order, empty entries left out. Without a table: one entry, number 0, for the whole disk.
    pub partitions: Vec<Partition>,
    /// True when the primary GPT is damaged and the backup was used.
    pub from_backup: bool,
}

/// One partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partition {
    /// As the table counts (MBR: logical ones from 5); 0 without a table.
    pub number: u32,
    /// First byte on the virtual disk.
    pub offset: u64,
    /// Length in bytes.
    pub len: u64,
    /// GPT: type GUID in lower case; MBR: type byte as two hexadecimal digits; empty without a table.
    pub type_id: String,
    /// GPT name or filesystem label where there is one.
    pub label: Option<String>,
    /// What stands in it: `ext4`, `ext3`, `ext2`, `xfs`, `btrfs`, `vfat`, `swap`, `luks`, `lvm`, `ntfs`, ...; `None` if not recognised.
    pub filesystem: Option<String>,
}

/// The filesystem that holds `/`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Root {
    /// As in [`Partition::filesystem`], and never a layer: what stands inside one that is not looked into is
    /// `root_inside_layer`.
    pub filesystem: String,
    /// Number as the table counts; `None` without a table.
    pub partition: Option<u32>,
    /// What lies between partition and filesystem, outermost first (`lvm`, `luks`). Empty as long as no layer is looked
    /// into.
    pub layers: Vec<String>,
    /// False where the files could not be read and this is merely the only filesystem that can be the root.
    pub read: bool,
}
