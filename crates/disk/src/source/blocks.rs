//! A source far away: ranges are fetched in blocks, ahead of whoever reads on, kept within a bound, and never twice at
//! the same time.

use std::{
    collections::HashSet,
    fmt,
    ops::Range,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

use super::check_range;
use crate::{Error, Kind, Result, Source, lru::Lru};

/// What is fetched and kept as one. Tables and directories are read in a few KiB here and there: of a larger block most
/// would be fetched for nothing, of a smaller one each would cost a round trip.
const BLOCK: u64 = 256 * 1024;

/// Blocks that are kept: 64 MiB.
const KEPT: usize = 256;

/// Blocks that one request fetches at most: 4 MiB. Each thread that waits holds so much besides.
const MOST: u64 = 16;

/// Places at which somebody reads on and on, such as threads that share the disk.
const STREAMS: usize = 8;

/// Fetches parts of one file from far away.
pub trait Fetch: fmt::Debug + Send + Sync {
    /// Length of the whole in bytes; stays the same.
    fn len(&self) -> u64;

    /// True if there is not a single byte.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes of `range`, which is not empty, lies within the whole, and has at most 4 MiB. Blocks until they are
    /// there, and repeats by itself what is worth repeating.
    ///
    /// # Errors
    /// [`Kind::Io`] with a code of the implementation when the bytes cannot be had.
    fn fetch(&self, range: Range<u64>) -> Result<Vec<u8>>;
}

/// A [`Source`] over [`Fetch`]: keeps 64 MiB of what was read last, and fetches ahead up to 4 MiB where somebody reads on.
pub struct BlockSource<F> {
    remote: F,
    kept: Lru<Arc<[u8]>>,
    state: Mutex<State>,
    arrived: Condvar,
}

#[derive(Default)]
struct State {
    /// Blocks that some thread is fetching.
    on_the_way: HashSet<u64>,
    /// Latest first.
    streams: Vec<Stream>,
}

/// Somebody who read up to a block, and how many blocks were fetched for them at a time.
struct Stream {
    next: u64,
    ahead: u64,
}

impl<F: Fetch> BlockSource<F> {
    /// A source with an empty cache; nothing is fetched yet.
    pub fn new(remote: F) -> Self {
        Self {
            remote,
            kept: Lru::new(KEPT),
            state: Mutex::default(),
            arrived: Condvar::new(),
        }
    }

    /// A thread that panicked left nothing half done behind: each change is one call.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One block; `wanted` blocks from here on will be asked for next.
    fn block(&self, index: u64, wanted: u64) -> Result<Arc<[u8]>> {
        let mut state = self.lock();
        let blocks = loop {
            if let Some(block) = self.kept.get(index) {
                return Ok(block);
            }
            if !state.on_the_way.contains(&index) {
                break self.plan(&mut state, index, wanted);
            }
            state = self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner);
        };
        state.on_the_way.extend(blocks.clone());
        drop(state);
        // Whatever happens to the request, whoever waits for these blocks must be let go.
        let trip = Trip {
            source: self,
            blocks: blocks.clone(),
        };
        let range = blocks.start * BLOCK..blocks.end.saturating_mul(BLOCK).min(self.remote.len());
        let bytes = self.remote.fetch(range.clone())?;
        if bytes.len() as u64 != range.end - range.start {
            return Err(Error::new(Kind::Io, "source_too_short")
                .with("offset", range.start)
                .with("length", range.end - range.start)
                .with("available", bytes.len()));
        }
        let mut first = None;
        for (block, bytes) in blocks.zip(bytes.chunks(usize::try_from(BLOCK).unwrap_or(usize::MAX))) {
            let bytes: Arc<[u8]> = bytes.into();
            first.get_or_insert_with(|| Arc::clone(&bytes));
            self.kept.put(block, bytes);
        }
        drop(trip);
        first.ok_or_else(|| Error::new(Kind::Io, "source_too_short").with("offset", range.start))
    }

    /// The blocks to fetch in one request: twice as many as the last time for one who reads on, but none that is here or
    /// on the way already.
    fn plan(&self, state: &mut State, index: u64, wanted: u64) -> Range<u64> {
        let known = state.streams.iter().position(|stream| stream.next == index);
        let ahead = known.map_or(1, |at| state.streams.remove(at).ahead.saturating_mul(2));
        let ahead = ahead.max(wanted).clamp(1, MOST);
        let all = self.remote.len().div_ceil(BLOCK);
        let longest = index..index.saturating_add(ahead).min(all).max(index.saturating_add(1));
        let end = longest
            .clone()
            .skip(1)
            .find(|block| state.on_the_way.contains(block) || self.kept.get(*block).is_some())
            .unwrap_or(longest.end);
        state.streams.insert(0, Stream { next: end, ahead });
        state.streams.truncate(STREAMS);
        index..end
    }
}

/// Blocks that were asked for; when it ends, those who wait look again.
struct Trip<'a, F: Fetch> {
    source: &'a BlockSource<F>,
    blocks: Range<u64>,
}

impl<F: Fetch> Drop for Trip<'_, F> {
    fn drop(&mut self) {
        let mut state = self.source.lock();
        for block in self.blocks.clone() {
            state.on_the_way.remove(&block);
        }
        self.source.arrived.notify_all();
    }
}

impl<F: Fetch> Source for BlockSource<F> {
    fn len(&self) -> u64 {
        self.remote.len()
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<()> {
        check_range(offset, buf.len(), self.remote.len())?;
        let end = offset.saturating_add(buf.len() as u64);
        let mut at = offset;
        let mut rest = buf;
        while !rest.is_empty() {
            let index = at / BLOCK;
            let block = self.block(index, end.div_ceil(BLOCK).saturating_sub(index))?;
            let from = usize::try_from(at % BLOCK).unwrap_or(usize::MAX);
            let bytes = block.get(from..).unwrap_or_default();
            let bytes = bytes.get(..bytes.len().min(rest.len())).unwrap_or_default();
            let Some((part, left)) = rest.split_at_mut_checked(bytes.len()).filter(|_| !bytes.is_empty()) else {
                return Err(Error::new(Kind::Io, "source_too_short").with("offset", at));
            };
            part.copy_from_slice(bytes);
            rest = left;
            at = at.saturating_add(bytes.len() as u64);
        }
        Ok(())
    }
}

impl<F: fmt::Debug> fmt::Debug for BlockSource<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockSource")
            .field("remote", &self.remote)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicBool, Ordering},
        time::Duration,
    };

    use super::*;

    /// A file far away that remembers what was asked of it.
    #[derive(Debug, Default)]
    struct Far {
        bytes: Vec<u8>,
        asked: Mutex<Vec<Range<u64>>>,
        fails: AtomicBool,
        delay: Duration,
    }

    impl Fetch for Arc<Far> {
        fn len(&self) -> u64 {
            self.bytes.len() as u64
        }

        fn fetch(&self, range: Range<u64>) -> Result<Vec<u8>> {
            self.asked.lock().unwrap().push(range.clone());
            std::thread::sleep(self.delay);
            if self.fails.load(Ordering::Relaxed) {
                return Err(Error::new(Kind::Io, "file_read_failed"));
            }
            Ok(self.bytes[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()].to_vec())
        }
    }

    fn far(len: usize, delay: Duration) -> Arc<Far> {
        let bytes = (0..len).map(|at| u8::try_from(at % 251).unwrap()).collect();
        Arc::new(Far {
            bytes,
            delay,
            ..Far::default()
        })
    }

    fn asked(far: &Far) -> Vec<u64> {
        let blocks = |range: &Range<u64>| (range.end - range.start).div_ceil(BLOCK);
        far.asked.lock().unwrap().iter().map(blocks).collect()
    }

    #[test]
    fn any_range_reads_as_it_is() {
        let far = far(3_000_001, Duration::ZERO);
        let source = BlockSource::new(Arc::clone(&far));
        for (offset, len) in [
            (0, 1),
            (262_143, 2),
            (0, 3_000_001),
            (3_000_000, 1),
            (1_000_000, 900_000),
            (5, 0),
        ] {
            let mut buf = vec![0; len];
            source.read_at(&mut buf, offset as u64).unwrap();
            assert_eq!(buf, far.bytes[offset..offset + len], "{len} bytes at {offset}");
        }
        assert_eq!(
            source.read_at(&mut [0, 0], 3_000_000).unwrap_err().code(),
            "source_too_short"
        );
        assert_eq!(
            source.read_at(&mut [0], u64::MAX).unwrap_err().code(),
            "source_too_short"
        );
    }

    #[test]
    fn whoever_reads_on_is_served_ahead_and_whoever_jumps_is_not() {
        let far = far(20 << 20, Duration::ZERO);
        let source = BlockSource::new(Arc::clone(&far));
        let mut buf = vec![0; 64 * 1024];
        for offset in (0..8 << 20).step_by(buf.len()) {
            source.read_at(&mut buf, offset).unwrap();
        }
        assert_eq!(asked(&far), [1, 2, 4, 8, 16, 16], "the requests grow to 4 MiB");
        far.asked.lock().unwrap().clear();
        for offset in [19_u64 << 20, 15 << 20, 17 << 20] {
            source.read_at(&mut buf[..512], offset).unwrap();
        }
        assert_eq!(asked(&far), [1, 1, 1], "a jump costs one block each");
        source.read_at(&mut buf[..512], 17 << 20).unwrap();
        assert_eq!(asked(&far).len(), 3, "what was read is kept");
    }

    #[test]
    fn threads_that_want_the_same_wait_for_one_request() {
        let far = far(1 << 20, Duration::from_millis(50));
        let source = BlockSource::new(Arc::clone(&far));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let mut buf = [0; 1000];
                    source.read_at(&mut buf, 300_000).unwrap();
                    assert_eq!(buf, far.bytes[300_000..301_000]);
                });
            }
        });
        assert_eq!(asked(&far), [1]);
    }

    #[test]
    fn a_failure_is_told_to_each_and_the_next_read_asks_again() {
        let far = far(1 << 20, Duration::from_millis(20));
        far.fails.store(true, Ordering::Relaxed);
        let source = BlockSource::new(Arc::clone(&far));
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| assert_eq!(source.read_at(&mut [0], 0).unwrap_err().code(), "file_read_failed"));
            }
        });
        far.fails.store(false, Ordering::Relaxed);
        source.read_at(&mut [0], 0).unwrap();
    }

    #[test]
    fn memory_stays_within_its_bound() {
        let far = far(80 << 20, Duration::ZERO);
        let source = BlockSource::new(Arc::clone(&far));
        let mut buf = vec![0; 1 << 20];
        for offset in (0..80 << 20).step_by(buf.len()) {
            source.read_at(&mut buf, offset).unwrap();
        }
        let kept = (0..320).filter(|block| source.kept.get(*block).is_some()).count();
        assert_eq!(kept, KEPT, "of 320 blocks, 64 MiB are kept");
    }
}
