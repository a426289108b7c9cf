//! Directories (directory.rst), read entry by entry, their checksums proved. That is right for hashed ones too: their
//! index blocks and checksums stand in entries that are not in use.

use std::collections::BTreeMap;

use lotse_disk::bytes::{le16, le32};

use super::{Ext, Inode, Superblock, corrupt, fast_commit::NameChange};
use crate::{Error, Result, checksum::crc32c};

/// Inode, length of the entry, length of the name, type.
const ENTRY_HEAD: usize = 8;

/// inlinedata.rst: an inline directory begins with its parent's inode; its entries stand in `i_block` and then, on
/// their own, in the attribute.
const INLINE_PARENT: usize = 4;

/// directory.rst, "Directory Block Checksums": an entry that is not in use, with this in place of a type.
const TAIL: usize = 12;
const TAIL_TYPE: u8 = 0xde;

/// Names and inodes, in order of the names. Where a part is damaged, the rest is still of use: what is found is right,
/// only what is not found is not certain.
#[derive(Debug)]
pub(super) struct Directory {
    /// All names.
    text: String,
    entries: Vec<Entry>,
    is_casefolded: bool,
    damage: Option<Error>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    inode: u32,
    /// Where its name begins in the text, and the name's length.
    start: u32,
    len: u16,
}

impl Directory {
    /// Reads all of a directory; the caller has bounded its size.
    pub(super) fn read(ext: &Ext, inode: &Inode) -> Self {
        let mut directory = Self {
            text: String::new(),
            entries: Vec::new(),
            is_casefolded: inode.is_casefolded(),
            damage: None,
        };
        directory.damage = for_each_entry(ext, inode, |name, inode| {
            directory.push(name, inode);
            true
        })
        .err();
        directory.sort();
        let changes = ext.fast_commits.names(inode.number());
        if !changes.is_empty() {
            directory.change(changes);
        }
        directory
    }

    /// Looks for one name without keeping the others.
    pub(super) fn search(ext: &Ext, inode: &Inode, wanted: &str) -> Result<Option<u32>> {
        let mut found = None;
        let result = for_each_entry(ext, inode, |name, inode| {
            if String::from_utf8_lossy(name) == wanted {
                found = Some(inode);
            }
            found.is_none()
        });
        for change in ext.fast_commits.names(inode.number()) {
            if String::from_utf8_lossy(&change.name) != wanted {
                continue;
            }
            if change.is_new {
                found = found.or(Some(change.inode));
            } else if found == Some(change.inode) {
                found = None;
            }
        }
        match found {
            Some(inode) => Ok(Some(inode)),
            None => result.map(|()| None),
        }
    }

    fn push(&mut self, name: &[u8], inode: u32) {
        let name = String::from_utf8_lossy(name);
        // At most 255 bytes of three each; all names of the largest directory that is read fit into 32 bits.
        let place = (u32::try_from(self.text.len()), u16::try_from(name.len()));
        if let (Ok(start), Ok(len)) = place {
            self.text.push_str(&name);
            self.entries.push(Entry { inode, start, len });
        }
    }

    fn name(text: &str, entry: Entry) -> &str {
        let start = entry.start as usize;
        text.get(start..start + usize::from(entry.len)).unwrap_or_default()
    }

    /// Of two entries with one name, the first counts, as it does for Linux.
    fn sort(&mut self) {
        let text = &self.text;
        self.entries
            .sort_by(|a, b| Self::name(text, *a).cmp(Self::name(text, *b)));
        self.entries
            .dedup_by(|later, earlier| Self::name(text, *later) == Self::name(text, *earlier));
    }

    /// Linux fs/ext4/fast_commit.c: a name that is there already stays, and one is only taken away from its own inode.
    fn change(&mut self, changes: &[NameChange]) {
        let mut entries: BTreeMap<String, u32> = self
            .entries
            .iter()
            .map(|entry| (Self::name(&self.text, *entry).to_owned(), entry.inode))
            .collect();
        for change in changes {
            let name = String::from_utf8_lossy(&change.name).into_owned();
            if change.is_new {
                entries.entry(name).or_insert(change.inode);
            } else if entries.get(&name) == Some(&change.inode) {
                entries.remove(&name);
            }
        }
        self.text.clear();
        self.entries.clear();
        for (name, inode) in entries {
            self.push(name.as_bytes(), inode);
        }
    }

    /// Bytes that it takes in memory.
    pub(super) fn weight(&self) -> usize {
        size_of::<Self>() + self.text.capacity() + self.entries.capacity() * size_of::<Entry>()
    }

    pub(super) fn find(&self, name: &str) -> Result<Option<u32>> {
        let by_name = |entry: &Entry| Self::name(&self.text, *entry).cmp(name);
        if let Some(entry) = self
            .entries
            .binary_search_by(by_name)
            .ok()
            .and_then(|at| self.entries.get(at))
        {
            return Ok(Some(entry.inode));
        }
        if self.is_casefolded {
            let wanted = folded(name);
            let found = self
                .entries
                .iter()
                .find(|entry| folded(Self::name(&self.text, **entry)) == wanted);
            if let Some(entry) = found {
                return Ok(Some(entry.inode));
            }
        }
        self.damage.clone().map_or(Ok(None), Err)
    }

    pub(super) fn names(&self) -> Result<Vec<String>> {
        match &self.damage {
            Some(damage) => Err(damage.clone()),
            None => Ok(self
                .entries
                .iter()
                .map(|entry| Self::name(&self.text, *entry).to_owned())
                .collect()),
        }
    }
}

/// Unicode's case folding as far as the standard library has it, which is all of it for the names that systems use.
fn folded(name: &str) -> String {
    name.chars()
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
        .collect()
}

/// Calls `each` with name and inode of the entries as they stand, until it returns false. Goes on behind damaged blocks
/// and tells the first one's damage at the end.
fn for_each_entry(ext: &Ext, inode: &Inode, mut each: impl FnMut(&[u8], u32) -> bool) -> Result<()> {
    let superblock = &ext.superblock;
    let damaged = || corrupt("directory", u64::from(inode.number()));
    if ext.fast_commits.is_fresh(inode.number()) {
        return Ok(());
    }
    ext.check_readable(inode)?;
    if inode.is_inline() {
        let content = inode.inline_content()?;
        let (inner, outer) = content.split_at(content.len().min(super::inode::BLOCK_LEN));
        for part in [inner.get(INLINE_PARENT..).unwrap_or_default(), outer] {
            if !read_entries(part, superblock, &mut each).ok_or_else(damaged)? {
                break;
            }
        }
        return Ok(());
    }
    let mut damage = None;
    let mut at = 0;
    let end = inode.size() / superblock.block_size;
    while at < end {
        let mut next = at + 1;
        let mut read = || {
            let run = ext.map(inode, at, end - at)?;
            let Some(block) = run.first else {
                // A hole in a directory holds no entries.
                next = at + run.blocks;
                return Ok(true);
            };
            let block = ext.blocks.block(block)?;
            if superblock.has_metadata_csum() && !checksum_is_right(&block, inode, at == 0) {
                return Err(corrupt("directory_checksum", u64::from(inode.number())));
            }
            read_entries(&block, superblock, &mut each).ok_or_else(damaged)
        };
        match read() {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(error) => damage = damage.or(Some(error)),
        }
        at = next;
    }
    damage.map_or(Ok(()), Err)
}

/// Hands on the entries of one block; false when no more are wanted, `None` when their lengths do not add up or a name
/// is none.
fn read_entries(mut block: &[u8], superblock: &Superblock, each: &mut impl FnMut(&[u8], u32) -> bool) -> Option<bool> {
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
            if name.iter().any(|byte| matches!(byte, 0 | b'/')) {
                return None;
            }
            if !each(name, inode) {
                return Some(false);
            }
        }
        block = block.get(len..)?;
    }
    Some(true)
}

/// Linux fs/ext4/ext4.h, `ext4_rec_len_from_disk`: lengths that 16 bits cannot hold, in blocks of 64 KiB.
fn entry_len(len: u16, block_size: u64) -> usize {
    let len = usize::from(len);
    match len {
        0 | 0xffff if block_size == 0x1_0000 => 0x1_0000,
        _ => (len & 0xfffc) | (len & 3) << 16,
    }
}

/// directory.rst, "Hash Tree Directories" and "Directory Block Checksums": blocks of the index are proved up to the last
/// entry in use, with the checksum after the last possible one; others up to the checksum at their end.
fn checksum_is_right(block: &[u8], inode: &Inode, is_first: bool) -> bool {
    let size = block.len() as u64;
    let len_at = |at| entry_len(le16(block, at), size);
    let index = if !inode.has_index() {
        None
    } else if is_first && len_at(4) == 12 && len_at(16) == block.len() - 12 && block.get(29) == Some(&8) {
        // `.`, `..`, and 8 bytes about the index.
        Some(32)
    } else if le32(block, 0) == 0 && len_at(4) == block.len() {
        // One entry over all of the block.
        Some(8)
    } else {
        None
    };
    if let Some(index) = index {
        let (limit, count) = (usize::from(le16(block, index)), usize::from(le16(block, index + 2)));
        let tail = index + limit * 8;
        let (Some(covered), Some(reserved)) = (block.get(..index + count * 8), block.get(tail..tail + 4)) else {
            return false;
        };
        let sum = crc32c(crc32c(crc32c(inode.seed, covered), reserved), &[0; 4]);
        return count <= limit && block.len() >= tail + 8 && sum == le32(block, tail + 4);
    }
    let Some(tail) = block.len().checked_sub(TAIL) else {
        return false;
    };
    let is_tail = le32(block, tail) == 0 && le16(block, tail + 4) == 12 && block.get(tail + 7) == Some(&TAIL_TYPE);
    is_tail && crc32c(inode.seed, block.get(..tail).unwrap_or_default()) == le32(block, tail + 8)
}
