//! The superblock (super.rst): sizes, features, and whether this reader knows them all.

use lotse_disk::bytes::{le16, le32};

use super::corrupt;
use crate::{
    Error, Kind, Result,
    checksum::crc32c,
    facts::Left,
    filesystem::{text, uuid},
};

/// `s_feature_compat`.
const COMPAT_HAS_JOURNAL: u32 = 0x4;
const COMPAT_SPARSE_SUPER2: u32 = 0x200;

/// `s_feature_incompat`, in the order of their bits; `true` marks those that this reader knows how to read (or that
/// change nothing for reading a file).
const INCOMPAT: [(u32, &str, bool); 16] = [
    (INCOMPAT_COMPRESSION, "compression", true),
    (0x2, "filetype", true),
    (INCOMPAT_RECOVER, "needs_recovery", true),
    (0x8, "journal_dev", false),
    (INCOMPAT_META_BG, "meta_bg", true),
    (0x40, "extents", true),
    (INCOMPAT_64BIT, "64bit", true),
    (0x100, "mmp", true),
    (0x200, "flex_bg", true),
    (0x400, "ea_inode", true),
    (0x1000, "dirdata", false),
    (INCOMPAT_CSUM_SEED, "metadata_csum_seed", true),
    (INCOMPAT_LARGEDIR, "large_dir", true),
    (0x8000, "inline_data", true),
    (0x1_0000, "encrypt", true),
    (0x2_0000, "casefold", true),
];
const INCOMPAT_COMPRESSION: u32 = 0x1;
const INCOMPAT_FILETYPE: u32 = 0x2;
const INCOMPAT_RECOVER: u32 = 0x4;
const INCOMPAT_META_BG: u32 = 0x10;
const INCOMPAT_64BIT: u32 = 0x80;
const INCOMPAT_CSUM_SEED: u32 = 0x2000;
const INCOMPAT_LARGEDIR: u32 = 0x4000;

/// `s_feature_ro_compat`: these matter to writers, but two add checksums.
const RO_COMPAT_SPARSE_SUPER: u32 = 0x1;
const RO_COMPAT_GDT_CSUM: u32 = 0x10;
const RO_COMPAT_BIGALLOC: u32 = 0x200;
const RO_COMPAT_METADATA_CSUM: u32 = 0x400;

/// `s_state`: cleanly unmounted; errors were found.
const STATE_VALID: u16 = 0x1;
const STATE_ERROR: u16 = 0x2;

/// What ext2 and ext3 may have (e2fsprogs lib/blkid/probe.h); anything else makes an ext4.
const EXT3_INCOMPAT: u32 = INCOMPAT_FILETYPE | INCOMPAT_RECOVER | INCOMPAT_META_BG;
const EXT3_RO_COMPAT: u32 = RO_COMPAT_SPARSE_SUPER | 0x2 | 0x4;

/// What the reader needs of a superblock.
#[derive(Debug)]
pub(crate) struct Superblock {
    pub(super) inodes: u32,
    pub(super) blocks: u64,
    /// Bytes: 1 KiB to 64 KiB, a power of two.
    pub(super) block_size: u64,
    first_data_block: u64,
    blocks_per_group: u64,
    pub(super) inodes_per_group: u32,
    /// The first that a directory may name.
    pub(super) first_inode: u32,
    /// Bytes: 128 up to a block, a power of two.
    pub(super) inode_len: u16,
    /// Bytes: 32 up to 1024, a power of two.
    pub(super) descriptor_len: u16,
    first_meta_group: u64,
    backup_groups: [u32; 2],
    /// Inode of the journal, 0 if it is on another device.
    pub(super) journal: u32,
    compat: u32,
    incompat: u32,
    ro_compat: u32,
    pub(super) uuid: [u8; 16],
    label: Option<String>,
    /// `s_state`.
    state: u16,
    /// `s_log_cluster_size - s_log_block_size`: blocks a cluster, as a power of two; 0 without bigalloc.
    cluster_shift: u32,
    /// Start of every metadata checksum.
    pub(super) seed: u32,
}

impl Superblock {
    /// `None` where the magic or a size shows that this is no superblock. `bytes` are the 1024 from byte 1024 on.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        if bytes.len() < 1024 || le16(bytes, 56) != 0xef53 {
            return None;
        }
        let log_block_size = le32(bytes, 24);
        if log_block_size > 6 {
            return None;
        }
        let incompat = le32(bytes, 96);
        // Revision 0 has inodes of 128 bytes, and ten of its own.
        let (inode_len, first_inode) = if le32(bytes, 76) == 0 {
            (128, 11)
        } else {
            (le16(bytes, 88), le32(bytes, 84))
        };
        let is_64bit = incompat & INCOMPAT_64BIT != 0;
        let descriptor_len = if is_64bit { le16(bytes, 254) } else { 32 };
        let uuid: [u8; 16] = bytes.get(104..120)?.try_into().ok()?;
        let seed = if incompat & INCOMPAT_CSUM_SEED == 0 {
            crc32c(!0, &uuid)
        } else {
            le32(bytes, 624)
        };
        let superblock = Self {
            inodes: le32(bytes, 0),
            blocks: u64::from(if is_64bit { le32(bytes, 336) } else { 0 }) << 32 | u64::from(le32(bytes, 4)),
            block_size: 1024 << log_block_size,
            first_data_block: u64::from(le32(bytes, 20)),
            blocks_per_group: u64::from(le32(bytes, 32)),
            inodes_per_group: le32(bytes, 40),
            inode_len,
            first_inode,
            descriptor_len,
            first_meta_group: u64::from(le32(bytes, 260)),
            backup_groups: [le32(bytes, 588), le32(bytes, 592)],
            journal: le32(bytes, 224),
            compat: le32(bytes, 92),
            incompat,
            ro_compat: le32(bytes, 100),
            uuid,
            label: text(bytes, 120, 16),
            state: le16(bytes, 58),
            cluster_shift: if le32(bytes, 100) & RO_COMPAT_BIGALLOC == 0 {
                0
            } else {
                le32(bytes, 28).checked_sub(log_block_size)?
            },
            seed,
        };
        superblock.is_sane().then_some(superblock)
    }

    /// The superblock of a filesystem that is read: checksum and features are right as well.
    pub(super) fn read(bytes: &[u8]) -> Result<Self> {
        let superblock = Self::parse(bytes).ok_or_else(|| corrupt("superblock", 0))?;
        superblock.check(bytes)?;
        Ok(superblock)
    }

    fn is_sane(&self) -> bool {
        let power =
            |value: u16, least: u16, most: u64| value.is_power_of_two() && value >= least && u64::from(value) <= most;
        self.inodes_per_group != 0
            && self.blocks_per_group != 0
            && self.blocks != 0
            // Linux fs/ext4/ext4.h, `EXT4_MAX_CLUSTER_LOG_SIZE`: clusters of at most 1 GiB.
            && self.cluster_shift <= 20
            && power(self.inode_len, 128, self.block_size)
            && power(self.descriptor_len, 32, 1024)
    }

    /// Proves the checksum and that all features are known.
    fn check(&self, bytes: &[u8]) -> Result<()> {
        let known = INCOMPAT.iter().fold(0, |known, (bit, ..)| known | bit);
        let feature = |name: &dyn std::fmt::Display| {
            Err(Error::new(Kind::Incompatible, "ext_feature_not_read").with("feature", name))
        };
        if let Some((_, name, _)) = INCOMPAT.iter().find(|(bit, _, read)| !read && self.incompat & bit != 0) {
            return feature(name);
        }
        if self.incompat & !known != 0 {
            return feature(&format_args!("incompat 0x{:x}", self.incompat & !known));
        }
        if self.has_metadata_csum() {
            // 1 is CRC-32C, the only one there is.
            if bytes.get(373) != Some(&1) {
                return feature(&"checksum_type");
            }
            if crc32c(!0, bytes.get(..1020).unwrap_or_default()) != le32(bytes, 1020) {
                return Err(corrupt("superblock_checksum", 0));
            }
        }
        Ok(())
    }

    /// `ext2`, `ext3` or `ext4`.
    pub(crate) fn kind(&self) -> &'static str {
        if self.incompat & !EXT3_INCOMPAT != 0 || self.ro_compat & !EXT3_RO_COMPAT != 0 {
            "ext4"
        } else if self.compat & COMPAT_HAS_JOURNAL != 0 {
            "ext3"
        } else {
            "ext2"
        }
    }

    pub(crate) fn label(&self) -> Option<String> {
        self.label.clone()
    }

    pub(crate) fn uuid(&self) -> Option<String> {
        uuid(&self.uuid, 0)
    }

    pub(super) fn was_unmounted_cleanly(&self) -> bool {
        self.left() == Left::Clean
    }

    pub(crate) fn left(&self) -> Left {
        if self.state & STATE_ERROR != 0 {
            Left::WithErrors
        } else if self.state & STATE_VALID == 0 || self.needs_recovery() {
            Left::InUse
        } else {
            Left::Clean
        }
    }

    /// Bytes of the whole filesystem, its own tables included.
    pub(crate) fn total_bytes(&self) -> u64 {
        self.blocks.saturating_mul(self.block_size)
    }

    /// Block groups, by their blocks.
    pub(super) fn groups(&self) -> u64 {
        self.blocks
            .saturating_sub(self.first_data_block)
            .div_ceil(self.blocks_per_group)
    }

    /// Bytes of the unit that free space is counted in: a block, or with bigalloc a cluster.
    pub(super) fn cluster_size(&self) -> u64 {
        self.block_size << self.cluster_shift
    }

    /// Block and byte within it where the superblock stands: 1024 bytes into the filesystem.
    pub(super) fn place(&self) -> (u64, u64) {
        (1024 / self.block_size, 1024 % self.block_size)
    }

    /// Files may be compressed. That never was in Linux itself; files that are not are read as ever.
    pub(super) fn has_compression(&self) -> bool {
        self.incompat & INCOMPAT_COMPRESSION != 0
    }

    pub(super) fn needs_recovery(&self) -> bool {
        self.incompat & INCOMPAT_RECOVER != 0
    }

    pub(super) fn has_metadata_csum(&self) -> bool {
        self.ro_compat & RO_COMPAT_METADATA_CSUM != 0
    }

    pub(super) fn has_gdt_csum(&self) -> bool {
        self.ro_compat & RO_COMPAT_GDT_CSUM != 0
    }

    /// Directory entries hold the file's type in what else is the upper byte of the name's length.
    pub(super) fn has_filetype(&self) -> bool {
        self.incompat & INCOMPAT_FILETYPE != 0
    }

    pub(super) fn has_large_dir(&self) -> bool {
        self.incompat & INCOMPAT_LARGEDIR != 0
    }

    /// Block and byte within it of a group's descriptor. blockgroup.rst: right after the superblock's block, or with
    /// meta_bg in the first group of each group of groups.
    pub(super) fn descriptor_place(&self, group: u32) -> (u64, u64) {
        let per_block = self.block_size / u64::from(self.descriptor_len);
        let (index, within) = (u64::from(group) / per_block, u64::from(group) % per_block);
        let within = within * u64::from(self.descriptor_len);
        // The superblock is 1024 bytes into the filesystem: with blocks of 1 KiB in block 1, else in block 0.
        let superblock = u64::from(self.block_size == 1024);
        if self.incompat & INCOMPAT_META_BG == 0 || index < self.first_meta_group {
            return (superblock + 1 + index, within);
        }
        let first_group = index * per_block;
        let mut block = first_group
            .saturating_mul(self.blocks_per_group)
            .saturating_add(self.first_data_block);
        if self.has_superblock(first_group) {
            block = block.saturating_add(1);
        }
        // Linux fs/ext4/super.c, descriptor_loc: with bigalloc, blocks of 1 KiB count from 0.
        if index == 0 && self.block_size == 1024 && self.first_data_block == 0 {
            block = block.saturating_add(1);
        }
        (block, within)
    }

    /// Does the group begin with a copy of the superblock? With sparse_super, groups 0, 1 and powers of 3, 5, 7 do.
    fn has_superblock(&self, group: u64) -> bool {
        if group == 0 {
            return true;
        }
        if self.compat & COMPAT_SPARSE_SUPER2 != 0 {
            return self.backup_groups.iter().any(|backup| u64::from(*backup) == group);
        }
        let is_power_of = |base: u64| {
            let mut power = base;
            while power < group {
                power = power.saturating_mul(base);
            }
            power == group
        };
        group == 1 || self.ro_compat & RO_COMPAT_SPARSE_SUPER == 0 || [3, 5, 7].into_iter().any(is_power_of)
    }
}
