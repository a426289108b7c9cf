//! Directories (directory.rst), read entry by entry. That is right for hashed ones too: their index blocks and checksums
//! stand in entries that are not in use.

use lotse_disk::bytes::{le16, le32};

use super::{Superblock, corrupt};
use crate::Result;

/// Inode, length of the entry, length of the name, type.
const ENTRY_HEAD: usize = 8;

/// inlinedata.rst: an inline directory begins with its parent's inode; its entries stand in `i_block` and then, on
/// their own, in the attribute.
const INLINE_PARENT: usize = 4;

/// Names and inodes, in order of the names.
#[derive(Debug)]
pub(super) struct Directory {
    entries: Vec<(String, u32)>,
}

impl Directory {
    /// `content` is the directory's blocks.
    pub(super) fn parse(content: &[u8], number: u32, superblock: &Superblock) -> Result<Self> {
        let block = usize::try_from(superblock.block_size).unwrap_or(usize::MAX);
        let mut entries = Vec::new();
        for block in content.chunks(block) {
            // A hole in a directory holds no entries.
            if block.iter().any(|byte| *byte != 0) {
                read_entries(block, superblock, &mut entries).ok_or_else(|| corrupt("directory", u64::from(number)))?;
            }
        }
        Ok(Self::sorted(entries))
    }

    /// `content` is what stands in the inode.
    pub(super) fn parse_inline(content: &[u8], number: u32, superblock: &Superblock) -> Result<Self> {
        let (inner, outer) = content.split_at(content.len().min(super::inode::BLOCK_LEN));
        let mut entries = Vec::new();
        for part in [inner.get(INLINE_PARENT..).unwrap_or_default(), outer] {
            read_entries(part, superblock, &mut entries).ok_or_else(|| corrupt("directory", u64::from(number)))?;
        }
        Ok(Self::sorted(entries))
    }

    /// Of two entries with one name, the first counts, as it does for Linux.
    fn sorted(mut entries: Vec<(String, u32)>) -> Self {
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        entries.dedup_by(|later, earlier| later.0 == earlier.0);
        Self { entries }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn find(&self, name: &str) -> Option<u32> {
        let index = self.entries.binary_search_by(|entry| entry.0.as_str().cmp(name)).ok()?;
        self.entries.get(index).map(|entry| entry.1)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| entry.0.as_str())
    }
}

/// Adds the entries of one block; `None` when their lengths do not add up.
fn read_entries(mut block: &[u8], superblock: &Superblock, entries: &mut Vec<(String, u32)>) -> Option<()> {
    while !block.is_empty() {
        if block.len() < ENTRY_HEAD {
            return None;
        }
        let (inode, len) = (le32(block, 0), entry_len(le16(block, 4), superblock.block_size));
        let name_len = if superblock.has_filetype() {
            usize::from(*block.get(6)?)
        } else {
            usize::from(le16(block, 6))
        };
        if len < ENTRY_HEAD || !len.is_multiple_of(4) || len > block.len() || name_len > len - ENTRY_HEAD {
            return None;
        }
        let name = block.get(ENTRY_HEAD..ENTRY_HEAD + name_len)?;
        if inode != 0 && !name.is_empty() && name != b"." && name != b".." {
            entries.push((String::from_utf8_lossy(name).into_owned(), inode));
        }
        block = block.get(len..)?;
    }
    Some(())
}

/// Linux fs/ext4/ext4.h, `ext4_rec_len_from_disk`: lengths that 16 bits cannot hold, in blocks of 64 KiB.
fn entry_len(len: u16, block_size: u64) -> usize {
    let len = usize::from(len);
    match len {
        0 | 0xffff if block_size == 0x1_0000 => 0x1_0000,
        _ => (len & 0xfffc) | (len & 3) << 16,
    }
}
