//! Which blocks the journal holds in a newer version, and where: an index of places, no copies.

use std::{collections::HashMap, mem};

use super::corrupt;
use crate::{Result, checksum::crc32c};

/// The number with which every block of the journal's own begins (journal.rst, "Block Header").
pub(super) const MAGIC: u32 = 0xc03b_3998;

/// One block that a transaction wrote to the journal.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    /// Where it belongs.
    block: u64,
    /// The block on the disk where the journal holds it; [`ESCAPED`] beside it.
    place: u64,
    /// The transaction.
    sequence: u32,
    checksum: u32,
}

/// `JBD2_FLAG_ESCAPE`: its first four bytes were those of [`MAGIC`] and stand as zeros in the journal.
const ESCAPED: u64 = 1 << 63;

impl Entry {
    pub(super) fn new(block: u64, place: u64, is_escaped: bool, sequence: u32, checksum: u32) -> Self {
        Self {
            block,
            place: place | if is_escaped { ESCAPED } else { 0 },
            sequence,
            checksum,
        }
    }

    pub(super) fn block(&self) -> u64 {
        self.block
    }

    pub(super) fn place(&self) -> u64 {
        self.place & !ESCAPED
    }
}

/// How the journal's tags prove a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TagChecksum {
    /// The lower half of a CRC-32C.
    V2,
    /// All of it.
    V3,
}

/// The index. 24 bytes for each block in the journal.
#[derive(Debug, Default)]
pub(super) struct Replay {
    /// In order of the blocks; of several for one block, the last transaction's is last.
    entries: Vec<Entry>,
    /// Only until all is known: the last transaction that revoked a block of `entries`.
    revoked: HashMap<u64, u32>,
    /// The checksum's kind, and the journal's start of every checksum.
    checksum: Option<(TagChecksum, u32)>,
}

impl Replay {
    /// `entries` in order of the transactions.
    pub(super) fn new(mut entries: Vec<Entry>, checksum: Option<(TagChecksum, u32)>) -> Self {
        // Stable: the order of the transactions stays.
        entries.sort_by_key(|entry| entry.block);
        Self {
            entries,
            revoked: HashMap::new(),
            checksum,
        }
    }

    /// journal.rst, "Revocation Block": versions of a block up to and including transaction `sequence` do not count.
    pub(super) fn revoke(&mut self, block: u64, sequence: u32) {
        if self.between(block, block.saturating_add(1)).is_empty() {
            return;
        }
        let revoked = self.revoked.entry(block).or_insert(sequence);
        if is_later(sequence, *revoked) {
            *revoked = sequence;
        }
    }

    /// Leaves the last version of each block that was not revoked.
    pub(super) fn settle(&mut self) {
        let revoked = mem::take(&mut self.revoked);
        self.entries.retain(|entry| {
            let revoked = revoked.get(&entry.block);
            revoked.is_none_or(|revoked| is_later(entry.sequence, *revoked))
        });
        // `dedup_by` keeps the first of equals; the last is wanted.
        self.entries.reverse();
        self.entries.dedup_by_key(|entry| entry.block);
        self.entries.reverse();
        self.entries.shrink_to_fit();
    }

    /// The blocks from `start` up to `end` (not itself) that have a newer version.
    pub(super) fn between(&self, start: u64, end: u64) -> &[Entry] {
        let from = self.entries.partition_point(|entry| entry.block < start);
        let rest = self.entries.get(from..).unwrap_or_default();
        rest.get(..rest.partition_point(|entry| entry.block < end))
            .unwrap_or_default()
    }

    /// Proves a block as the journal holds it, and makes it what it was.
    pub(super) fn restore(&self, entry: &Entry, bytes: &mut [u8]) -> Result<()> {
        if let Some((kind, seed)) = self.checksum {
            let sum = crc32c(crc32c(seed, &entry.sequence.to_be_bytes()), bytes);
            let sum = if kind == TagChecksum::V2 { sum & 0xffff } else { sum };
            if sum != entry.checksum {
                return Err(corrupt("journal_checksum", entry.block));
            }
        }
        if entry.place & ESCAPED != 0
            && let Some(start) = bytes.get_mut(..4)
        {
            start.copy_from_slice(&MAGIC.to_be_bytes());
        }
        Ok(())
    }
}

/// Is transaction `a` later than `b`? Numbers wrap (Linux include/linux/jbd2.h, `tid_gt`).
pub(super) fn is_later(a: u32, b: u32) -> bool {
    a != b && a.wrapping_sub(b) < 1 << 31
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_version_that_was_not_revoked_counts() {
        let entry = |block, place, sequence| Entry::new(block, place, false, sequence, 0);
        // Numbers of transactions wrap between 0xffff_ffff and 0.
        let mut replay = Replay::new(
            vec![
                entry(7, 100, 0xffff_fffe),
                entry(5, 101, 0xffff_fffe),
                entry(5, 102, 0xffff_ffff),
                entry(6, 103, 0xffff_ffff),
                entry(5, 104, 0),
                entry(6, 105, 0),
            ],
            None,
        );
        replay.revoke(5, 0xffff_ffff);
        replay.revoke(7, 0);
        replay.revoke(9, 0);
        replay.settle();
        let found: Vec<_> = replay.between(0, 100).iter().map(|e| (e.block(), e.place())).collect();
        assert_eq!(found, [(5, 104), (6, 105)], "7 is revoked later, 5 earlier");
        assert_eq!(replay.between(6, 7).len(), 1);
        assert_eq!(replay.between(7, 9).len(), 0);
    }
}
