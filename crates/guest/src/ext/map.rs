//! Where a file's blocks are: extent trees and the older block maps (ifork.rst). Each look-up walks from the inode down
//! by at most five levels, so no loop in the tree can keep it.

use std::sync::Arc;

use lotse_disk::bytes::{le16, le32};

use super::{Ext, Inode, corrupt};
use crate::{Result, checksum::crc32c};

/// `eh_magic`.
pub(super) const EXTENT_MAGIC: u16 = 0xf30a;

/// `eh_depth`: "the extent tree can be at most 5 levels deep".
const MAX_DEPTH: u16 = 5;

/// Length of an extent tree's header and of each entry, in bytes.
const EXTENT_ENTRY: usize = 12;

/// `ee_len`: a longer extent is allocated but was never written, and reads as zeros.
pub(super) const WRITTEN_MAX: u64 = 32_768;

/// Numbers of data blocks in an inode; three blocks of numbers follow.
const DIRECT: u64 = 12;

/// Blocks of a file that follow each other on the disk, or a hole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    /// First block on the disk; `None` for a hole.
    pub(super) first: Option<u64>,
    /// At least 1.
    pub(super) blocks: u64,
}

impl Ext {
    /// The run that begins at block `at` of a file, at most `wanted` (at least 1) blocks long.
    pub(super) fn map(&self, inode: &Inode, at: u64, wanted: u64) -> Result<Run> {
        let mut run = if inode.has_extents() {
            self.changed_or_extent(inode, at)?
        } else {
            self.mapped(inode, at, wanted)?
        };
        run.blocks = run.blocks.clamp(1, wanted.max(1));
        Ok(run)
    }

    /// What the fast commits say, else what the tree says up to where they say something.
    fn changed_or_extent(&self, inode: &Inode, at: u64) -> Result<Run> {
        let Some(changed) = self.fast_commits.range(inode.number(), at) else {
            return self.extent(inode, at);
        };
        if let Some(into) = at.checked_sub(changed.start) {
            return Ok(Run {
                first: changed.first.map(|first| first + into),
                blocks: changed.blocks - into,
            });
        }
        let mut run = self.extent(inode, at)?;
        run.blocks = run.blocks.min(changed.start - at);
        Ok(run)
    }

    fn extent(&self, inode: &Inode, at: u64) -> Result<Run> {
        let broken = || corrupt("extent_tree", u64::from(inode.number()));
        let mut block: Arc<[u8]>;
        let mut node = inode.block();
        let mut depth = None;
        // What the parent says about where this node begins and ends: a hole reaches no further.
        let (mut start, mut end) = (0, u64::MAX);
        loop {
            let (count, this_depth) = (usize::from(le16(node, 2)), le16(node, 6));
            let is_next = depth.is_none_or(|depth: u16| depth.checked_sub(1) == Some(this_depth));
            if le16(node, 0) != EXTENT_MAGIC || this_depth > MAX_DEPTH || !is_next || count > usize::from(le16(node, 4))
            {
                return Err(broken());
            }
            let table = node.get(EXTENT_ENTRY..EXTENT_ENTRY * (1 + count)).ok_or_else(broken)?;
            let table = table.as_chunks::<EXTENT_ENTRY>().0;
            if !self.is_sound(table, this_depth == 0, start, end) {
                return Err(broken());
            }
            let after = table.partition_point(|entry| first_block(entry) <= at);
            end = table.get(after).map_or(end, |next| end.min(first_block(next)));
            let hole = Run {
                first: None,
                blocks: end.saturating_sub(at),
            };
            let Some(entry) = after.checked_sub(1).and_then(|index| table.get(index)) else {
                return Ok(hole);
            };
            if this_depth == 0 {
                return Ok(leaf(entry, at).unwrap_or(hole));
            }
            start = first_block(entry);
            let child = u64::from(le16(entry, 8)) << 32 | u64::from(le32(entry, 4));
            block = self.extent_block(inode, child)?;
            node = &block;
            depth = Some(this_depth);
        }
    }

    /// Are the entries in order, without overlaps, within what the parent says, and do leaves lead into the filesystem?
    fn is_sound(&self, table: &[[u8; EXTENT_ENTRY]], are_leaves: bool, start: u64, end: u64) -> bool {
        let mut free_from = start;
        table.iter().all(|entry| {
            let first = first_block(entry);
            let len = if are_leaves { extent_len(entry).0 } else { 1 };
            let is_inside = !are_leaves || self.blocks.has_run(extent_place(entry), len);
            let is_next = first >= free_from && first + len <= end && len > 0;
            free_from = first + len;
            is_next && is_inside
        })
    }

    /// One block of an extent tree, its checksum proved (ifork.rst, "Extents Checksum": after the last possible entry).
    fn extent_block(&self, inode: &Inode, number: u64) -> Result<Arc<[u8]>> {
        let node = self.blocks.block(number)?;
        if self.superblock.has_metadata_csum() {
            let tail = EXTENT_ENTRY * (1 + usize::from(le16(&node, 4)));
            let (Some(covered), Some(_)) = (node.get(..tail), node.get(tail..tail + 4)) else {
                return Err(corrupt("extent_tree", u64::from(inode.number())));
            };
            if crc32c(inode.seed, covered) != le32(&node, tail) {
                return Err(corrupt("extent_checksum", number));
            }
        }
        Ok(node)
    }

    /// "Direct/Indirect Block Addressing": twelve numbers, then one, two and three levels of blocks of numbers.
    fn mapped(&self, inode: &Inode, at: u64, wanted: u64) -> Result<Run> {
        if at < DIRECT {
            let numbers = inode.block().get(..48).unwrap_or_default();
            return Ok(numbered(numbers, at, wanted));
        }
        let per_block = self.superblock.block_size / 4;
        let mut index = at - DIRECT;
        // Data blocks below one number of the level: 1, n, n².
        let mut below = 1_u64;
        for slot in 12..15_usize {
            let covered = below * per_block;
            if index < covered {
                return self.indirect(u64::from(le32(inode.block(), slot * 4)), index, below, wanted);
            }
            index -= covered;
            // At most (64 KiB / 4)³.
            below = covered;
        }
        Err(corrupt("block_map", u64::from(inode.number())))
    }

    fn indirect(&self, mut block: u64, mut index: u64, mut below: u64, wanted: u64) -> Result<Run> {
        let per_block = self.superblock.block_size / 4;
        loop {
            if block == 0 {
                // All that this block would have numbered is a hole.
                return Ok(Run {
                    first: None,
                    blocks: below * per_block - index,
                });
            }
            let numbers = self.blocks.block(block)?;
            if below == 1 {
                return Ok(numbered(&numbers, index, wanted));
            }
            let slot = usize::try_from(index / below).unwrap_or(usize::MAX);
            block = u64::from(le32(&numbers, slot.saturating_mul(4)));
            index %= below;
            below /= per_block;
        }
    }
}

/// `ee_block`, `ei_block`.
fn first_block(entry: &[u8; EXTENT_ENTRY]) -> u64 {
    u64::from(le32(entry, 0))
}

/// Length of a leaf's entry in blocks, and whether they were ever written.
fn extent_len(entry: &[u8; EXTENT_ENTRY]) -> (u64, bool) {
    let len = u64::from(le16(entry, 4));
    match len.checked_sub(WRITTEN_MAX) {
        Some(len) if len > 0 => (len, false),
        _ => (len, true),
    }
}

/// First block on the disk of a leaf's entry.
fn extent_place(entry: &[u8; EXTENT_ENTRY]) -> u64 {
    u64::from(le16(entry, 6)) << 32 | u64::from(le32(entry, 8))
}

/// What a leaf's entry says about block `at`, which is not before it; `None` if it ends before.
fn leaf(entry: &[u8; EXTENT_ENTRY], at: u64) -> Option<Run> {
    let into = at - first_block(entry);
    let (len, written) = extent_len(entry);
    let blocks = len.checked_sub(into).filter(|blocks| *blocks > 0)?;
    Some(Run {
        first: written.then(|| extent_place(entry) + into),
        blocks,
    })
}

/// The run of numbers that begins at `index` and counts up, or of zeros.
fn numbered(numbers: &[u8], index: u64, wanted: u64) -> Run {
    let start = usize::try_from(index).unwrap_or(usize::MAX);
    let mut rest = numbers
        .as_chunks::<4>()
        .0
        .iter()
        .skip(start)
        .map(|number| u64::from(u32::from_le_bytes(*number)));
    let first = rest.next().unwrap_or(0);
    let step = u64::from(first != 0);
    let following = (1..wanted)
        .zip(rest)
        .take_while(|(index, number)| *number == first + index * step);
    Run {
        first: (first != 0).then_some(first),
        blocks: 1 + following.count() as u64,
    }
}
