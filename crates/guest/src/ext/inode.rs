//! One inode (inodes.rst), its checksum proved, and what it holds itself: short links and inline data.

use lotse_disk::bytes::{le16, le32};

use super::{Superblock, corrupt};
use crate::{FileKind, Result, checksum::crc32c};

/// `i_flags`.
const FLAG_ENCRYPT: u32 = 0x800;
const FLAG_EXTENTS: u32 = 0x8_0000;
const FLAG_INLINE_DATA: u32 = 0x1000_0000;

/// Place and length of `i_block`.
const BLOCK: usize = 40;
pub(super) const BLOCK_LEN: usize = 60;

/// Length of the part of an inode that every revision has.
const BASE_LEN: usize = 128;

/// attributes.rst: magic of the attributes that stand within an inode; index of the prefix `system.`.
const XATTR_MAGIC: u32 = 0xea02_0000;
const XATTR_SYSTEM: u8 = 7;

/// An inode.
pub struct Inode {
    number: u32,
    bytes: Vec<u8>,
    size: u64,
    /// Start of the checksums of this inode's extent blocks.
    pub(super) seed: u32,
}

impl Inode {
    pub(super) fn parse(number: u32, bytes: Vec<u8>, superblock: &Superblock) -> Result<Self> {
        // `i_generation`.
        let seed = crc32c(
            crc32c(superblock.seed, &number.to_le_bytes()),
            bytes.get(100..104).unwrap_or_default(),
        );
        let mut inode = Self {
            number,
            bytes,
            size: 0,
            seed,
        };
        inode.size = u64::from(le32(&inode.bytes, 4));
        // `i_size_high`; other kinds of files use the field for something else.
        if inode.kind() == FileKind::File || (inode.kind() == FileKind::Directory && superblock.has_large_dir()) {
            inode.size |= u64::from(le32(&inode.bytes, 108)) << 32;
        }
        if superblock.has_metadata_csum() && !inode.checksum_is_right() {
            return Err(corrupt("inode_checksum", u64::from(number)));
        }
        Ok(inode)
    }

    /// checksums.rst: the whole inode with the checksum's own fields zero. The upper half stands in the part that only
    /// longer inodes have.
    fn checksum_is_right(&self) -> bool {
        let has_high = self.bytes.len() > BASE_LEN && le16(&self.bytes, 128) >= 4;
        let stored = u32::from(le16(&self.bytes, 124));
        let mut copy = self.bytes.clone();
        if let Some(field) = copy.get_mut(124..126) {
            field.fill(0);
        }
        if has_high {
            if let Some(field) = copy.get_mut(130..132) {
                field.fill(0);
            }
            crc32c(self.seed, &copy) == stored | u32::from(le16(&self.bytes, 130)) << 16
        } else {
            crc32c(self.seed, &copy) & 0xffff == stored
        }
    }

    pub(super) fn number(&self) -> u32 {
        self.number
    }

    pub(super) fn mode(&self) -> u16 {
        le16(&self.bytes, 0)
    }

    pub(super) fn kind(&self) -> FileKind {
        // The upper four bits of `i_mode`.
        match self.mode() >> 12 {
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
        le32(&self.bytes, 32) & flag != 0
    }

    pub(super) fn is_encrypted(&self) -> bool {
        self.has_flag(FLAG_ENCRYPT)
    }

    pub(super) fn is_inline(&self) -> bool {
        self.has_flag(FLAG_INLINE_DATA)
    }

    pub(super) fn has_extents(&self) -> bool {
        self.has_flag(FLAG_EXTENTS)
    }

    /// `i_block`: block numbers, the root of an extent tree, or content.
    pub(super) fn block(&self) -> &[u8] {
        self.bytes.get(BLOCK..BLOCK + BLOCK_LEN).unwrap_or_default()
    }

    /// The target of a link so short that it stands where block numbers else do (ifork.rst, "Symbolic Links").
    pub(super) fn fast_target(&self) -> Option<&[u8]> {
        let len = usize::try_from(self.size).ok().filter(|len| *len < BLOCK_LEN)?;
        if self.has_extents() || self.is_inline() || self.is_encrypted() {
            return None;
        }
        self.block().get(..len)
    }

    /// inlinedata.rst: 60 bytes in `i_block`, the rest in the attribute `system.data` of the inode itself.
    pub(super) fn inline_content(&self) -> Result<Vec<u8>> {
        let mut content = self.block().to_vec();
        if self.size > BLOCK_LEN as u64 {
            let rest = self
                .system_data()
                .ok_or_else(|| corrupt("inline_data", u64::from(self.number)))?;
            content.extend_from_slice(rest);
            if (content.len() as u64) < self.size {
                return Err(corrupt("inline_data", u64::from(self.number)));
            }
        }
        content.truncate(usize::try_from(self.size).unwrap_or(usize::MAX));
        Ok(content)
    }

    /// The value of `system.data`, looked for among the attributes after the inode's fields (attributes.rst).
    fn system_data(&self) -> Option<&[u8]> {
        let start = BASE_LEN.checked_add(usize::from(le16(&self.bytes, 128)))?;
        let area = self.bytes.get(start..)?;
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
}
