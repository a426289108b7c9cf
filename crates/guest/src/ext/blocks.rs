//! Blocks of the filesystem as a mount would see them: from the journal where it holds a newer one, else from their
//! own place.

use std::sync::Arc;

use super::{cache::Cache, corrupt, replay::Replay};
use crate::{Error, Result, volume::Volume};

/// Bytes of tables, directories' and maps' blocks that are kept.
const CACHED: usize = 2 << 20;

/// A filesystem's blocks.
pub(super) struct Blocks {
    volume: Volume,
    /// Bytes of one.
    size: u64,
    /// Blocks of the filesystem; one may still lie beyond the volume's end.
    count: u64,
    replay: Replay,
    cache: Cache<u64, Arc<[u8]>>,
}

impl Blocks {
    pub(super) fn new(volume: Volume, size: u64, count: u64) -> Self {
        Self {
            volume,
            size,
            count,
            replay: Replay::default(),
            cache: Cache::new(CACHED),
        }
    }

    /// The same blocks after the journal's replay.
    pub(super) fn replayed(self, replay: Replay) -> Self {
        Self {
            replay,
            cache: Cache::new(CACHED),
            ..self
        }
    }

    /// The same blocks in a filesystem that has this many.
    pub(super) fn counted(self, count: u64) -> Self {
        Self { count, ..self }
    }

    /// One block of the filesystem's own tables, kept for the next time.
    pub(super) fn block(&self, number: u64) -> Result<Arc<[u8]>> {
        if let Some(block) = self.cache.get(number) {
            return Ok(block);
        }
        let mut bytes = vec![0; usize::try_from(self.size).unwrap_or(0)];
        self.read(number, 0, &mut bytes)?;
        let block: Arc<[u8]> = bytes.into();
        self.cache.put(number, Arc::clone(&block), block.len());
        Ok(block)
    }

    /// Is the run inside the filesystem, and not the first block, which belongs to no file?
    pub(super) fn has_run(&self, first: u64, blocks: u64) -> bool {
        first > 0 && first.checked_add(blocks).is_some_and(|end| end <= self.count)
    }

    /// Fills `buf` with the bytes from `within` on in block `first` and in those that follow it.
    pub(super) fn read(&self, first: u64, within: u64, buf: &mut [u8]) -> Result<()> {
        let place = || {
            let start = first.checked_mul(self.size)?.checked_add(within)?;
            let end = start.checked_add(buf.len() as u64)?;
            (end.div_ceil(self.size) <= self.count).then_some((start, end))
        };
        let (start, end) = place().ok_or_else(|| corrupt("block", first))?;
        let mut at = start;
        let mut rest = buf;
        for entry in self.replay.between(start / self.size, end.div_ceil(self.size)) {
            // Inside the range, by which the search was.
            let entry_start = (entry.block() * self.size).max(at);
            let entry_end = ((entry.block() + 1) * self.size).min(end);
            let (before, after) = split(rest, entry_start - at);
            self.read_place(before, at)?;
            let (inside, after) = split(after, entry_end - entry_start);
            let mut copy = vec![0; usize::try_from(self.size).unwrap_or(0)];
            self.read_place(&mut copy, entry.place().saturating_mul(self.size))?;
            self.replay.restore(entry, &mut copy)?;
            let skip = usize::try_from(entry_start % self.size).unwrap_or(0);
            for (to, from) in inside.iter_mut().zip(copy.iter().skip(skip)) {
                *to = *from;
            }
            (at, rest) = (entry_end, after);
        }
        self.read_place(rest, at)
    }

    /// Bytes as they stand on the disk.
    fn read_place(&self, buf: &mut [u8], at: u64) -> Result<(), Error> {
        if buf.is_empty() || self.volume.read_at(buf, at)? {
            Ok(())
        } else {
            Err(corrupt("block", at / self.size))
        }
    }
}

fn split(bytes: &mut [u8], at: u64) -> (&mut [u8], &mut [u8]) {
    let at = usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
    bytes.split_at_mut(at)
}
