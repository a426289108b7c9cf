//! One inode (inodes.rst), its checksum proved, and what it holds itself: short links and inline data.

use lotse_disk::bytes::{le16, le32};

use super::{Superblock, corrupt, map::EXTENT_MAGIC};
use crate::{FileKind, Result, checksum::crc32c};

/// `i_flags`. `COMPRBLK` marks compressed blocks, in filesystems that have such.
const FLAG_COMPRBLK: u32 = 0x200;
const FLAG_ENCRYPT: u32 = 0x800;
const FLAG_INDEX: u32 = 0x1000;
const FLAG_HUGE_FILE: u32 = 0x4_0000;
const FLAG_EXTENTS: u32 = 0x8_0000;
const FLAG_INLINE_DATA: u32 = 0x1000_0000;
const FLAG_CASEFOLD: u32 = 0x4000_0000;

/// Place and length of `i_block`.
pub(super) const BLOCK: usize = 40;
pub(super) const BLOCK_LEN: usize = 60;

/// Length of the part of an inode that every revision has.
pub(super) const BASE_LEN: usize = 128;

/// attributes.rst: magic of the attributes that stand within an inode; index of the prefix `system.`.
const XATTR_MAGIC: u32 = 0xea02_0000;
const XATTR_SYSTEM: u8 = 7;

/// An inode.
pub struct Inode {
    number: u32,
    mode: u16,
    links: u16,
    flags: u32,
    size: u64,
    /// `i_block`: block numbers, the root of an extent tree, or content.
    block: [u8; BLOCK_LEN],
    /// Blocks in use, in whatever unit, without those of the attributes.
    has_blocks: bool,
    /// The value of the attribute `system.data`, where that is content.
    inline_rest: Option<Box<[u8]>>,
    /// Start of the checksums of this inode's extent blocks and directory blocks.
    pub(super) seed: u32,
}

/// Reads the flags of an inode's bytes.
fn flags(bytes: &[u8]) -> u32 {
    le32(bytes, 32)
}

pub(super) fn is_inline(bytes: &[u8]) -> bool {
    flags(bytes) & FLAG_INLINE_DATA != 0
}

pub(super) fn has_extents(bytes: &[u8]) -> bool {
    flags(bytes) & FLAG_EXTENTS != 0
}

pub(super) fn is_directory(bytes: &[u8]) -> bool {
    le16(bytes, 0) >> 12 == 4
}

impl Inode {
    /// `bytes` are as many as the superblock says an inode has; the checksum is proved unless it `is_proved` already.
    pub(super) fn parse(number: u32, bytes: &[u8], superblock: &Superblock, is_proved: bool) -> Result<Self> {
        // `i_generation`.
        let seed = crc32c(
            crc32c(superblock.seed, &number.to_le_bytes()),
            bytes.get(100..104).unwrap_or_default(),
        );
        if superblock.has_metadata_csum() && !is_proved && !checksum_is_right(bytes, seed) {
            return Err(corrupt("inode_checksum", u64::from(number)));
        }
        let block = bytes
            .get(BLOCK..BLOCK + BLOCK_LEN)
            .and_then(|block| block.try_into().ok());
        let mut inode = Self {
            number,
            mode: le16(bytes, 0),
            links: le16(bytes, 26),
            flags: flags(bytes),
            size: u64::from(le32(bytes, 4)),
            block: block.ok_or_else(|| corrupt("inode", u64::from(number)))?,
            has_blocks: false,
            inline_rest: None,
            seed,
        };
        // `i_size_high`; other kinds of files use the field for something else.
        if inode.kind() == FileKind::File || (inode.kind() == FileKind::Directory && superblock.has_large_dir()) {
            inode.size |= u64::from(le32(bytes, 108)) << 32;
        }
        if inode.size > i64::MAX as u64 {
            return Err(corrupt("inode_size", u64::from(number)));
        }
        inode.has_blocks = inode.has_more_blocks_than_attributes(bytes, superblock);
        if inode.is_inline() {
            inode.inline_rest = system_data(bytes).map(Into::into);
        }
        Ok(inode)
    }

    /// Linux fs/ext4/inode.c, `ext4_inode_is_fast_symlink`: `i_blocks` counts the block of the attributes
    /// (`i_file_acl`), but that is none of the content's.
    fn has_more_blocks_than_attributes(&self, bytes: &[u8], superblock: &Superblock) -> bool {
        let blocks = u64::from(le32(bytes, 28));
        let has_attributes = le32(bytes, 104) != 0;
        // In sectors of 512 bytes, or with this flag in blocks.
        let unit = if self.has_flag(FLAG_HUGE_FILE) {
            superblock.block_size
        } else {
            512
        };
        let attributes = if has_attributes {
            superblock.cluster_size() / unit
        } else {
            0
        };
        blocks > attributes
    }

    pub(super) fn number(&self) -> u32 {
        self.number
    }

    pub(super) fn mode(&self) -> u16 {
        self.mode
    }

    /// Bytes that it takes in memory.
    pub(super) fn weight(&self) -> usize {
        size_of::<Self>() + self.inline_rest.as_ref().map_or(0, |rest| rest.len())
    }

    /// Does a directory's entry lead to a file that is in use?
    pub(super) fn is_in_use(&self) -> bool {
        // 1: pipe, 2: character device, 4: directory, 6: block device, 8: file, 10: link, 12: socket.
        self.links > 0 && matches!(self.mode >> 12, 1 | 2 | 4 | 6 | 8 | 10 | 12)
    }

    pub(super) fn kind(&self) -> FileKind {
        // The upper four bits of `i_mode`.
        match self.mode >> 12 {
            0x4 => FileKind::Directory,
            0x8 => FileKind::File,
            0xa => FileKind::Symlink,
            _ => FileKind::Other,
        }
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    fn has_flag(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }

    pub(super) fn is_encrypted(&self) -> bool {
        self.has_flag(FLAG_ENCRYPT)
    }

    /// Only meant so where the filesystem has the feature.
    pub(super) fn is_compressed(&self) -> bool {
        self.has_flag(FLAG_COMPRBLK)
    }

    pub(super) fn is_inline(&self) -> bool {
        self.has_flag(FLAG_INLINE_DATA)
    }

    pub(super) fn has_extents(&self) -> bool {
        self.has_flag(FLAG_EXTENTS)
    }

    /// A directory with an index of hashes.
    pub(super) fn has_index(&self) -> bool {
        self.has_flag(FLAG_INDEX)
    }

    /// A directory that takes upper and lower case for the same.
    pub(super) fn is_casefolded(&self) -> bool {
        self.has_flag(FLAG_CASEFOLD)
    }

    pub(super) fn block(&self) -> &[u8] {
        &self.block
    }

    /// The target of a link so short that it stands where block numbers else do (ifork.rst, "Symbolic Links"). Old
    /// kernels left the extents' flag on such links.
    pub(super) fn fast_target(&self) -> Option<&[u8]> {
        let len = usize::try_from(self.size).ok().filter(|len| *len < BLOCK_LEN)?;
        let has_tree = self.has_extents() && le16(&self.block, 0) == EXTENT_MAGIC;
        if has_tree || self.has_blocks || self.is_inline() || self.is_encrypted() {
            return None;
        }
        self.block.get(..len)
    }

    /// inlinedata.rst: 60 bytes in `i_block`, the rest in the attribute `system.data` of the inode itself.
    pub(super) fn inline_content(&self) -> Result<Vec<u8>> {
        let mut content = self.block.to_vec();
        if self.size > BLOCK_LEN as u64 {
            content.extend_from_slice(self.inline_rest.as_deref().unwrap_or_default());
            if (content.len() as u64) < self.size {
                return Err(corrupt("inline_data", u64::from(self.number)));
            }
        }
        content.truncate(usize::try_from(self.size).unwrap_or(usize::MAX));
        Ok(content)
    }
}

/// checksums.rst: the whole inode with the checksum's own fields zero. The upper half stands in the part that only
/// longer inodes have.
fn checksum_is_right(bytes: &[u8], seed: u32) -> bool {
    let stored = u32::from(le16(bytes, 124));
    let (before, after) = bytes.split_at(bytes.len().min(124));
    let sum = crc32c(crc32c(seed, before), &[0; 2]);
    let after = after.get(2..).unwrap_or_default();
    let has_high = bytes.len() > BASE_LEN && le16(bytes, 128) >= 4;
    if has_high {
        let (before, after) = after.split_at(after.len().min(4));
        let sum = crc32c(crc32c(sum, before), &[0; 2]);
        crc32c(sum, after.get(2..).unwrap_or_default()) == stored | u32::from(le16(bytes, 130)) << 16
    } else {
        crc32c(sum, after) & 0xffff == stored
    }
}

/// The value of `system.data`, looked for among the attributes after the inode's fields (attributes.rst).
fn system_data(bytes: &[u8]) -> Option<&[u8]> {
    let start = BASE_LEN.checked_add(usize::from(le16(bytes, 128)))?;
    let area = bytes.get(start..)?;
    if le32(area, 0) != XATTR_MAGIC {
        return None;
    }
    // Offsets of values count from the first entry.
    let entries = area.get(4..)?;
    let mut at = 0_usize;
    while let Some(entry) = entries
        .get(at..)
        .filter(|entry| entry.len() >= 16 && le32(entry, 0) != 0)
    {
        let name_len = usize::from(*entry.first()?);
        let name = entry.get(16..16 + name_len)?;
        // `e_value_inum` of 0: the value stands here.
        if entry.get(1) == Some(&XATTR_SYSTEM) && name == b"data" && le32(entry, 4) == 0 {
            let offset = usize::from(le16(entry, 2));
            let len = usize::try_from(le32(entry, 8)).ok()?;
            return entries.get(offset..offset.checked_add(len)?);
        }
        // Entries are padded to four bytes.
        at = at.checked_add((16 + name_len).next_multiple_of(4))?;
    }
    None
}
