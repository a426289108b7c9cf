//! Fast commits (journal.rst, "Fast commits"; Linux fs/ext4/fast_commit.h): changes to single inodes and names after
//! the last whole transaction. They are kept as changes and applied to what the disk says when it is read.

use std::collections::{BTreeMap, HashMap, HashSet};

use lotse_disk::bytes::{le16, le32};

use super::{Ext, inode};
use crate::{Error, Kind, Result, checksum::crc32c};

/// `EXT4_FC_TAG_*`.
const ADD_RANGE: u16 = 1;
const DEL_RANGE: u16 = 2;
const CREAT: u16 = 3;
const LINK: u16 = 4;
const UNLINK: u16 = 5;
const INODE: u16 = 6;
const PAD: u16 = 7;
const TAIL: u16 = 8;
const HEAD: u16 = 9;

/// `struct ext4_fc_tl`: tag and length, before each value.
const TAG_HEAD: usize = 4;

/// Changes, and bytes of inodes, that are kept: twice what fits into the blocks that mke2fs sets aside (256 of 4 KiB), and
/// sixteen times as many.
const MAX_CHANGES: usize = 1 << 17;
const MAX_INODES: usize = 16 << 20;

/// What stands at some blocks of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    /// First block of the file.
    pub(super) start: u64,
    /// At least 1.
    pub(super) blocks: u64,
    /// First block on the disk; `None` for what reads as zeros.
    pub(super) first: Option<u64>,
}

/// One change of a directory.
#[derive(Debug)]
pub(super) struct NameChange {
    pub(super) name: Vec<u8>,
    pub(super) inode: u32,
    /// A new entry, or one taken away.
    pub(super) is_new: bool,
}

/// All changes that fast commits made.
#[derive(Debug, Default)]
pub(super) struct FastCommits {
    inodes: HashMap<u32, Vec<u8>>,
    /// All their bytes.
    inode_bytes: usize,
    /// By inode and first block; ranges do not overlap.
    ranges: HashMap<u32, BTreeMap<u64, Range>>,
    names: HashMap<u32, Vec<NameChange>>,
    /// Directories that were made: nothing that stands in their blocks counts.
    fresh: HashSet<u32>,
}

impl FastCommits {
    /// Reads the fast commits' blocks of the journal as far as they are whole and belong to transaction `sequence`.
    pub(super) fn read(blocks: &[u8], sequence: u32, ext: &Ext) -> Result<Self> {
        let block_size = usize::try_from(ext.superblock.block_size).unwrap_or(usize::MAX);
        let mut changes = Self::default();
        let too_many = || Error::new(Kind::Incompatible, "journal_dirty");
        for (tag, value) in whole(blocks, block_size, sequence).ok_or_else(too_many)? {
            changes.apply(tag, value, ext)?;
            if changes.inode_bytes > MAX_INODES {
                return Err(too_many());
            }
        }
        Ok(changes)
    }

    /// An inode's bytes after the changes; their checksum is not kept up.
    pub(super) fn inode(&self, number: u32) -> Option<&[u8]> {
        self.inodes.get(&number).map(Vec::as_slice)
    }

    /// The changed range with block `at` of an inode, else the next one after it.
    pub(super) fn range(&self, number: u32, at: u64) -> Option<Range> {
        let ranges = self.ranges.get(&number)?;
        let before = ranges.range(..=at).next_back().map(|(_, range)| *range);
        let here = before.filter(|range| at < range.start + range.blocks);
        here.or_else(|| ranges.range(at..).next().map(|(_, range)| *range))
    }

    pub(super) fn is_fresh(&self, directory: u32) -> bool {
        self.fresh.contains(&directory)
    }

    /// In the order in which they were made.
    pub(super) fn names(&self, directory: u32) -> &[NameChange] {
        self.names.get(&directory).map(Vec::as_slice).unwrap_or_default()
    }

    /// Values that are too short change nothing.
    fn apply(&mut self, tag: u16, value: &[u8], ext: &Ext) -> Result<()> {
        let number = le32(value, 0);
        match tag {
            INODE if value.len() >= 4 + inode::BASE_LEN => {
                self.set_inode(number, value.get(4..).unwrap_or_default(), ext)?;
            }
            // An inode, and an extent as in a tree.
            ADD_RANGE if value.len() >= 16 => {
                let len = u64::from(le16(value, 8));
                let (blocks, first) = if len > super::map::WRITTEN_MAX {
                    (len - super::map::WRITTEN_MAX, None)
                } else {
                    (len, Some(u64::from(le16(value, 10)) << 32 | u64::from(le32(value, 12))))
                };
                let start = u64::from(le32(value, 4));
                self.set_range(number, Range { start, blocks, first });
            }
            DEL_RANGE if value.len() >= 12 => {
                let (start, blocks) = (u64::from(le32(value, 4)), u64::from(le32(value, 8)));
                let first = None;
                self.set_range(number, Range { start, blocks, first });
            }
            CREAT | LINK | UNLINK if value.len() > 8 => {
                let inode = le32(value, 4);
                if tag == CREAT && self.is_directory(inode) {
                    self.fresh.insert(inode);
                    self.names.remove(&inode);
                }
                self.names.entry(number).or_default().push(NameChange {
                    name: value.get(8..).unwrap_or_default().to_vec(),
                    inode,
                    is_new: tag != UNLINK,
                });
            }
            _ => {}
        }
        Ok(())
    }

    /// Everything is new but the map of the blocks, which the ranges change.
    fn set_inode(&mut self, number: u32, new: &[u8], ext: &Ext) -> Result<()> {
        let mut bytes = if let Some(bytes) = self.inodes.remove(&number) {
            bytes
        } else {
            let bytes = ext.inode_bytes(number)?;
            self.inode_bytes += bytes.len();
            bytes
        };
        let block = inode::BLOCK..inode::BLOCK + inode::BLOCK_LEN;
        let keeps_map = !inode::is_inline(new);
        for (at, (old, new)) in bytes.iter_mut().zip(new).enumerate() {
            if !keeps_map || !block.contains(&at) {
                *old = *new;
            }
        }
        if inode::has_extents(&bytes)
            && let Some(root) = bytes.get_mut(block)
            && le16(root, 0) != super::map::EXTENT_MAGIC
        {
            root.fill(0);
            // No entries of four possible ones.
            for (to, from) in root.iter_mut().zip([0x0a, 0xf3, 0, 0, 4, 0]) {
                *to = from;
            }
        }
        self.inodes.insert(number, bytes);
        Ok(())
    }

    fn is_directory(&self, number: u32) -> bool {
        self.inode(number).is_some_and(inode::is_directory)
    }

    /// The new range counts where it overlaps older ones.
    fn set_range(&mut self, number: u32, new: Range) {
        if new.blocks == 0 {
            return;
        }
        let ranges = self.ranges.entry(number).or_default();
        let new_end = new.start + new.blocks;
        let before = ranges.range(..new.start).next_back().map(|(_, range)| *range);
        let within = ranges.range(new.start..new_end).map(|(_, range)| *range);
        let touched: Vec<Range> = before.into_iter().chain(within).collect();
        for old in touched {
            ranges.remove(&old.start);
            let old_end = old.start + old.blocks;
            if old.start < new.start {
                let blocks = old_end.min(new.start) - old.start;
                ranges.insert(old.start, Range { blocks, ..old });
            }
            if old_end > new_end {
                let rest = Range {
                    start: new_end,
                    blocks: old_end - new_end,
                    first: old.first.map(|first| first + (new_end - old.start)),
                };
                ranges.insert(new_end, rest);
            }
        }
        ranges.insert(new.start, new);
    }
}

/// Tags and values up to the last commit that is whole: with the right transaction and checksum in its `TAIL`. `None`
/// when there are more than [`MAX_CHANGES`].
fn whole(blocks: &[u8], block_size: usize, sequence: u32) -> Option<Vec<(u16, &[u8])>> {
    let mut tags = Vec::new();
    let mut whole = 0;
    let mut sum = 0;
    'blocks: for (index, block) in blocks.chunks(block_size).enumerate() {
        let mut rest = block;
        if index == 0 && le16(rest, 0) != HEAD {
            break;
        }
        while rest.len() >= TAG_HEAD {
            let (tag, len) = (le16(rest, 0), usize::from(le16(rest, 2)));
            let (Some(covered), Some(value)) = (rest.get(..TAG_HEAD + len), rest.get(TAG_HEAD..TAG_HEAD + len)) else {
                break 'blocks;
            };
            match tag {
                HEAD if le32(value, 0) != 0 || le32(value, 4) != sequence => break 'blocks,
                ADD_RANGE | DEL_RANGE | CREAT | LINK | UNLINK | INODE | PAD | HEAD => sum = crc32c(sum, covered),
                TAIL => {
                    // Without what follows the transaction's number: the checksum itself and the rest of the block.
                    sum = crc32c(sum, covered.get(..TAG_HEAD + 4).unwrap_or_default());
                    if le32(value, 0) != sequence || le32(value, 4) != sum {
                        break 'blocks;
                    }
                    whole = tags.len();
                    sum = 0;
                }
                _ => break 'blocks,
            }
            if tags.len() >= MAX_CHANGES {
                return None;
            }
            tags.push((tag, value));
            rest = rest.get(TAG_HEAD + len..).unwrap_or_default();
        }
    }
    tags.truncate(whole);
    Some(tags)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_ranges_cut_earlier_ones() {
        let mut changes = FastCommits::default();
        let mut set = |start, blocks, first| changes.set_range(9, Range { start, blocks, first });
        set(10, 10, Some(100));
        set(30, 5, Some(200));
        set(13, 2, None);
        set(18, 14, Some(300));
        let mut at = 0;
        let mut found = Vec::new();
        while let Some(range) = changes.range(9, at) {
            found.push((range.start, range.blocks, range.first));
            at = range.start + range.blocks;
        }
        assert_eq!(
            found,
            [
                (10, 3, Some(100)),
                (13, 2, None),
                (15, 3, Some(105)),
                (18, 14, Some(300)),
                (32, 3, Some(202)),
            ]
        );
        assert_eq!(changes.range(9, 19).map(|range| range.start), Some(18));
        assert_eq!(changes.range(8, 0), None);
    }
}
