//! Room on the disk: what is free, what swaps, and whether the root can grow on a larger disk.

use serde::{Deserialize, Serialize};

use super::{Evidence, Fact};

/// Room on the disk. All sizes in bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Space {
    /// The root filesystem, its own tables included.
    pub total: Fact<u64>,
    /// What no file of the root filesystem uses, the part reserved for the user root included.
    pub free: Fact<u64>,
    /// Nothing stands between the root's partition and the disk's end: it can grow when the disk does. True also
    /// without a partition table.
    pub root_is_last: bool,
    /// Numbers of the partitions behind the root's, as the table counts.
    pub partitions_behind_root: Vec<u32>,
    /// Right behind the root's partition, up to the next one or the end of the disk; 0 without a table. Partitioning
    /// programs leave up to 1 MiB by themselves.
    pub unpartitioned_behind_root: u64,
    /// The program that lets partition or filesystem grow at boot: empty when there is none.
    pub growers: Fact<Vec<Grower>>,
    /// Where memory is swapped out to.
    pub swap: Fact<Vec<Swap>>,
}

/// Something that lets a partition or filesystem grow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grower {
    /// What grows it: `growpart` (for cloud-init and others), `growroot` (in the initramfs), `systemd_repart`, `growfs`
    /// (`x-systemd.growfs` in fstab), `resize2fs` (the filesystem only, for cloud-init).
    pub kind: String,
    /// The program, definition or line.
    pub evidence: Evidence,
}

/// Where memory is swapped out to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Swap {
    /// A file of the root, and no partition.
    pub is_file: bool,
    /// The (first) partition in which it stands.
    pub partition: Option<u32>,
    /// Its length; `None` for a file that is not there (yet).
    pub len: Option<u64>,
    /// fstab uses it at boot.
    pub used_at_boot: bool,
    /// The line of fstab, or nothing for a partition that is merely there.
    pub evidence: Option<Evidence>,
}
