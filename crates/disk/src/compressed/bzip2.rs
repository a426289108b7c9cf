//! bzip2, any number of streams, read at any offset: blocks do not depend on each other, so one pass on all cores finds
//! where each begins, and reading decodes just those that are wanted.

mod block;

use std::{
    collections::BTreeSet,
    fmt,
    num::NonZero,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    thread,
};

use self::block::{BLOCK_MAGIC, Block, Fault, MAGIC_BITS, Scratch};
use super::{
    MAX_LEN, Trailing,
    checkpoints::{Checkpoint, Checkpoints},
};
use crate::{Compression, Error, Kind, Result, Source, lru::Lru};

/// Ends a stream: the square root of pi ("BZIP2: Format Specification", 2.2.3).
const END_MAGIC: u64 = 0x1772_4538_5090;

/// Compressed bytes of one block at most: 900,000 symbols and an end of up to 20 bits each, and less than 64 KiB of
/// tables.
const MAX_STORED: usize = 900_001 * 20 / 8 + 64 * 1024;

/// Compressed bytes that one round of the pass takes on: some 40 blocks, so that the cores hardly wait for each other.
const ROUND: usize = 8 * 1024 * 1024;

/// Memory for the places of blocks, 32 MiB: those of 600 GB.
const PLACES: usize = 32 * 1024 * 1024;

/// Output between two places kept.
const SPACING: u64 = 256 * 1024;

/// Decoded blocks kept: at most 900,000 bytes each, 27 MiB.
const CACHED: usize = 32;

/// Threads at most: each takes 7 MiB.
const MAX_THREADS: usize = 16;

/// Blocks for each thread that are decoded ahead of a reader.
const AHEAD: usize = 2;

/// An open bzip2 file as the bytes inside it.
pub(super) struct Bzip2 {
    source: Arc<dyn Source>,
    len: u64,
    trailing: Option<Trailing>,
    places: Checkpoints<Place>,
    blocks: Lru<Arc<Block>>,
    /// Bits of the blocks that some thread decodes just now: others wait for it rather than do the same.
    in_work: Mutex<BTreeSet<u64>>,
    done: Condvar,
    scratch: Mutex<Vec<Scratch>>,
    /// Offset in the output behind the block that was read last, to notice a reader that goes on and on.
    expected: AtomicU64,
    /// Threads that look for a block just now: as long as there are several, the cores have work without reading ahead.
    readers: AtomicUsize,
}

/// Bit of a block's magic.
#[derive(Debug, Clone, Copy)]
struct Place(u64);

impl Checkpoint for Place {
    fn memory(&self) -> usize {
        // The list may have grown to twice what is used, and is copied while it grows.
        3 * size_of::<(u64, Self)>()
    }
}

fn corrupt(what: &'static str, bit: u64) -> Error {
    Error::new(Kind::Corrupt, "bzip2_corrupt")
        .with("what", what)
        .with("offset", bit / 8)
}

fn crc(bit: u64) -> Error {
    Error::new(Kind::Corrupt, "bzip2_crc").with("offset", bit / 8)
}

fn truncated(out: u64) -> Error {
    Error::new(Kind::Corrupt, "bzip2_truncated").with("unpacked", out)
}

/// Up to 57 bits at a bit of `bytes`, zeros behind the end.
fn number(bytes: &[u8], bit: usize, count: usize) -> u64 {
    let mut word = [0; 8];
    for (slot, byte) in word.iter_mut().zip(bytes.get(bit / 8..).unwrap_or_default()) {
        *slot = *byte;
    }
    (u64::from_be_bytes(word) << (bit % 8)) >> (64 - count)
}

/// Every place in `bytes` where a block's magic stands: true ones, and now and then one by accident.
fn candidates(bytes: &[u8]) -> Vec<usize> {
    const MASK: u64 = (1 << MAGIC_BITS) - 1;
    let mut found = Vec::new();
    let mut word = 0_u64;
    for (index, byte) in bytes.iter().enumerate() {
        word = word << 8 | u64::from(*byte);
        if (0..8).any(|shift| word >> shift & MASK == BLOCK_MAGIC) && index >= 5 {
            for shift in (0..8).rev().filter(|shift| word >> shift & MASK == BLOCK_MAGIC) {
                let end = (index + 1) * 8 - shift;
                found.extend(end.checked_sub(48));
            }
        }
    }
    found
}

fn threads() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get).min(MAX_THREADS)
}

fn read(source: &dyn Source, offset: u64, len: usize) -> Result<Vec<u8>> {
    let left = source.len().saturating_sub(offset);
    let mut bytes = vec![0; usize::try_from(left).unwrap_or(usize::MAX).min(len)];
    source.read_at(&mut bytes, offset)?;
    Ok(bytes)
}

/// What stands behind a block or stream.
enum Next {
    /// A block's magic, at the bit it was asked for.
    Block,
    /// The end of a stream with this CRC; the bit behind it, at a whole byte.
    StreamEnd(u32, u64),
    /// Neither.
    Other,
    /// The bytes at hand end here.
    Short,
}

fn next(bytes: &[u8], bit: usize) -> Next {
    let bits = bytes.len().saturating_mul(8);
    if bit + 48 > bits {
        return Next::Short;
    }
    match number(bytes, bit, 48) {
        BLOCK_MAGIC => Next::Block,
        END_MAGIC if bit + 80 > bits => Next::Short,
        END_MAGIC => {
            let crc = u32::try_from(number(bytes, bit + 48, 32)).unwrap_or(0);
            Next::StreamEnd(crc, (bit as u64 + 80).next_multiple_of(8))
        }
        _ => Next::Other,
    }
}

/// The level of a stream's header at the beginning of `bytes`.
fn level(bytes: &[u8]) -> Option<usize> {
    match bytes {
        [b'B', b'Z', b'h', digit @ b'1'..=b'9', ..] => Some(usize::from(digit - b'0')),
        _ => None,
    }
}

/// The pass over the file: which of the candidates follow one another from the first header to the last end.
struct Pass {
    places: Checkpoints<Place>,
    out: u64,
    /// Where the next block or stream's end is, or the next stream's header if `level` is `None`.
    bit: u64,
    level: Option<usize>,
    stream_crc: u32,
    trailing: Option<Trailing>,
    is_first: bool,
}

/// What the pass wants to know of a block.
#[derive(Clone, Copy)]
struct Outcome {
    len: u64,
    packed: usize,
    end: u64,
    crc: u32,
}

impl Outcome {
    fn of(block: &Block) -> Self {
        Self {
            len: block.len,
            packed: block.packed_len(),
            end: block.end,
            crc: block.crc,
        }
    }
}

impl Pass {
    fn run(source: &dyn Source) -> Result<Self> {
        let mut pass = Self {
            places: Checkpoints::new(SPACING, PLACES),
            out: 0,
            bit: 0,
            level: None,
            stream_crc: 0,
            trailing: None,
            is_first: true,
        };
        let threads = threads();
        let mut scratches: Vec<Scratch> = (0..threads).map(|_| Scratch::new()).collect();
        while pass.round(source, &mut scratches)? {}
        Ok(pass)
    }

    /// Takes on as much of the file as is worth it; `false` at its end.
    fn round(&mut self, source: &dyn Source, scratches: &mut [Scratch]) -> Result<bool> {
        let start = self.bit / 8;
        let bytes = read(source, start, ROUND)?;
        let is_all = start.saturating_add(bytes.len() as u64) >= source.len();
        let found = candidates(&bytes);
        let outcomes = decode_all(&bytes, &found, scratches);
        let base = start * 8;
        loop {
            let at = usize::try_from(self.bit - base).unwrap_or(usize::MAX);
            if self.level.is_none() {
                let rest = bytes.get(at / 8..).unwrap_or_default();
                if rest.len() < 4 && !is_all {
                    return Ok(true);
                }
                if !self.header(source, rest)? {
                    return Ok(false);
                }
                continue;
            }
            match next(&bytes, at) {
                Next::Short if is_all => return Err(truncated(self.out)),
                Next::Short => return Ok(true),
                Next::Other => return Err(corrupt("block_magic", self.bit)),
                Next::StreamEnd(found, end) => {
                    if found != self.stream_crc {
                        return Err(crc(self.bit));
                    }
                    self.level = None;
                    self.bit = base + end;
                }
                Next::Block => {
                    let outcome = found.binary_search(&at).ok().and_then(|index| outcomes.get(index));
                    match outcome.copied().flatten() {
                        Some(Ok(outcome)) => self.block(base, outcome)?,
                        Some(Err(Fault::Crc)) => return Err(crc(self.bit)),
                        Some(Err(Fault::Short)) if is_all => return Err(truncated(self.out)),
                        // A block is shorter than a round, so the next one, which begins with it, has it whole.
                        Some(Err(Fault::Short)) if at >= 8 => return Ok(true),
                        Some(Err(_)) | None => return Err(corrupt("block", self.bit)),
                    }
                }
            }
        }
    }

    /// A stream's header at the beginning of `rest`; `false` behind the last stream.
    fn header(&mut self, source: &dyn Source, rest: &[u8]) -> Result<bool> {
        let at = self.bit / 8;
        if let Some(level) = level(rest) {
            self.level = Some(level);
            self.stream_crc = 0;
            self.bit += 32;
            self.is_first = false;
            return Ok(true);
        }
        if self.is_first {
            return Err(if rest.len() < 4 {
                truncated(0)
            } else {
                corrupt("stream_header", self.bit)
            });
        }
        self.trailing = Trailing::behind(source, at, Compression::Bzip2)?;
        Ok(false)
    }

    fn block(&mut self, base: u64, outcome: Outcome) -> Result<()> {
        if self.level.is_none_or(|level| outcome.packed > level * 100_000) {
            return Err(corrupt("block_size", self.bit));
        }
        if self.places.wants(self.out) || self.out == 0 {
            self.places.put(self.out, Place(self.bit));
        }
        self.stream_crc = self.stream_crc.rotate_left(1) ^ outcome.crc;
        self.out = self.out.saturating_add(outcome.len);
        self.bit = base + outcome.end;
        if self.out > MAX_LEN {
            Err(super::too_large())
        } else {
            Ok(())
        }
    }
}

/// Decodes all candidates on as many threads as there are scratches.
fn decode_all(bytes: &[u8], found: &[usize], scratches: &mut [Scratch]) -> Vec<Option<Result<Outcome, Fault>>> {
    let next = AtomicUsize::new(0);
    let outcomes = Mutex::new(vec![None; found.len()]);
    thread::scope(|scope| {
        for scratch in scratches {
            scope.spawn(|| {
                let scratch = scratch;
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(start) = found.get(index) else { break };
                    let outcome = scratch.decode(bytes, *start).map(|block| Outcome::of(&block));
                    let mut outcomes = outcomes.lock().unwrap_or_else(PoisonError::into_inner);
                    if let Some(slot) = outcomes.get_mut(index) {
                        *slot = Some(outcome);
                    }
                }
            });
        }
    });
    outcomes.into_inner().unwrap_or_else(PoisonError::into_inner)
}

impl Bzip2 {
    /// Decodes the whole file once.
    pub(super) fn open(source: Arc<dyn Source>) -> Result<Self> {
        let pass = Pass::run(&*source)?;
        Ok(Self {
            source,
            len: pass.out,
            trailing: pass.trailing,
            places: pass.places,
            blocks: Lru::new(CACHED),
            in_work: Mutex::default(),
            done: Condvar::new(),
            scratch: Mutex::default(),
            expected: AtomicU64::new(u64::MAX),
            readers: AtomicUsize::new(0),
        })
    }

    /// The first `len` bytes, or fewer when the first blocks hold no more.
    pub(super) fn head(source: &dyn Source, len: usize) -> Result<Vec<u8>> {
        let bytes = read(source, 0, MAX_STORED)?;
        level(&bytes).ok_or_else(|| corrupt("stream_header", 0))?;
        let mut scratch = Scratch::new();
        let mut head = vec![0; len];
        let (mut done, mut bit) = (0, 32);
        while done < len {
            match next(&bytes, bit) {
                Next::Block => {}
                // Where another stream begins.
                Next::StreamEnd(_, end) => {
                    bit = usize::try_from(end).unwrap_or(usize::MAX);
                    if level(bytes.get(bit / 8..).unwrap_or_default()).is_none() {
                        break;
                    }
                    bit += 32;
                    continue;
                }
                Next::Other => return Err(corrupt("block_magic", bit as u64)),
                Next::Short => break,
            }
            let block = match scratch.decode(&bytes, bit) {
                Ok(block) => block,
                Err(Fault::Short) if bytes.len() < MAX_STORED => return Err(truncated(done as u64)),
                Err(Fault::Short) => break,
                Err(Fault::Corrupt) => return Err(corrupt("block", bit as u64)),
                Err(Fault::Crc) => return Err(crc(bit as u64)),
            };
            done += block.read(head.get_mut(done..).unwrap_or_default(), 0);
            bit = usize::try_from(block.end).unwrap_or(usize::MAX);
        }
        head.truncate(done);
        Ok(head)
    }

    pub(super) fn trailing(&self) -> Option<Trailing> {
        self.trailing
    }

    /// The block at a bit, from the cache or decoded. Its end is counted from the file's beginning; `until` is a bit
    /// behind it, where one is known.
    fn block(&self, bit: u64, until: Option<u64>) -> Result<Arc<Block>> {
        loop {
            if let Some(block) = self.blocks.get(bit) {
                return Ok(block);
            }
            let in_work = self.in_work.lock().unwrap_or_else(PoisonError::into_inner);
            if in_work.contains(&bit) {
                drop(self.done.wait(in_work));
                continue;
            }
            let _claim = Claim::new(self, in_work, bit);
            // Another thread may have finished it just before the claim.
            if let Some(block) = self.blocks.get(bit) {
                return Ok(block);
            }
            return self.decode(bit, until);
        }
    }

    fn decode(&self, bit: u64, until: Option<u64>) -> Result<Arc<Block>> {
        let start = bit / 8;
        let stored = until.map_or(MAX_STORED, |until| {
            usize::try_from(until.div_ceil(8).saturating_sub(start)).unwrap_or(MAX_STORED)
        });
        let bytes = read(&*self.source, start, stored.min(MAX_STORED))?;
        let scratch = self.scratch.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut scratch = scratch.unwrap_or_else(Scratch::new);
        let decoded = scratch.decode(&bytes, usize::try_from(bit % 8).unwrap_or(0));
        let mut scratches = self.scratch.lock().unwrap_or_else(PoisonError::into_inner);
        if scratches.len() < threads() {
            scratches.push(scratch);
        }
        drop(scratches);
        // It could be decoded when the file was opened.
        let mut block = decoded.map_err(|_| corrupt("changed", bit))?;
        block.end = block.end.saturating_add(start * 8);
        let block = Arc::new(block);
        self.blocks.put(bit, Arc::clone(&block));
        Ok(block)
    }

    /// The block with a byte of the output, and the offset of that block's first byte.
    fn block_with(&self, offset: u64) -> Result<(u64, Arc<Block>)> {
        let (mut out, place) = self.places.before(offset).ok_or_else(|| corrupt("changed", 0))?;
        let Place(mut bit) = *place;
        let until = self.places.after(offset).map(|(_, Place(bit))| *bit);
        let _reader = Reader::count(&self.readers);
        let alone = self.readers.load(Ordering::Relaxed) == 1;
        if alone && self.blocks.get(bit).is_none() && self.expected.load(Ordering::Relaxed) == out {
            self.read_ahead(out);
        }
        loop {
            let block = self.block(bit, until)?;
            let end = out.saturating_add(block.len);
            if offset < end {
                self.expected.store(end, Ordering::Relaxed);
                return Ok((out, block));
            }
            out = end;
            bit = self.behind(block.end)?;
        }
    }

    /// The bit of the next block's magic, on from the end of another, over the ends and headers of streams.
    fn behind(&self, mut bit: u64) -> Result<u64> {
        loop {
            let start = bit / 8;
            let bytes = read(&*self.source, start, 16)?;
            match next(&bytes, usize::try_from(bit % 8).unwrap_or(0)) {
                Next::Block => return Ok(bit),
                // Behind it the header of the next stream, as the pass has seen.
                Next::StreamEnd(_, end) => bit = (start * 8).saturating_add(end).saturating_add(32),
                Next::Other | Next::Short => return Err(corrupt("changed", bit)),
            }
        }
    }

    /// Decodes the next blocks on all cores, for a reader that goes through the disk. What goes wrong is told to the
    /// one who reads there.
    fn read_ahead(&self, out: u64) {
        let count = (AHEAD * threads()).min(CACHED / 2);
        let places = self.places.from(out, count + 1);
        let next = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..count.min(places.len()).min(threads()) {
                scope.spawn(|| {
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        let Some((_, Place(bit))) = places.get(index).filter(|_| index < count) else {
                            break;
                        };
                        let until = places.get(index + 1).map(|(_, Place(bit))| *bit);
                        if self.block(*bit, until).is_err() {
                            break;
                        }
                    }
                });
            }
        });
    }
}

/// A thread that looks for a block, counted as long as it does.
struct Reader<'a>(&'a AtomicUsize);

impl<'a> Reader<'a> {
    fn count(readers: &'a AtomicUsize) -> Self {
        readers.fetch_add(1, Ordering::Relaxed);
        Self(readers)
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A block's entry in the list of those in work, taken off it again however decoding ends.
struct Claim<'a> {
    bzip2: &'a Bzip2,
    bit: u64,
}

impl<'a> Claim<'a> {
    fn new(bzip2: &'a Bzip2, mut in_work: MutexGuard<'_, BTreeSet<u64>>, bit: u64) -> Self {
        in_work.insert(bit);
        Self { bzip2, bit }
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        let mut in_work = self.bzip2.in_work.lock().unwrap_or_else(PoisonError::into_inner);
        in_work.remove(&self.bit);
        drop(in_work);
        self.bzip2.done.notify_all();
    }
}

impl fmt::Debug for Bzip2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bzip2").field("len", &self.len).finish_non_exhaustive()
    }
}

impl Source for Bzip2 {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<()> {
        crate::source::check_range(offset, buf.len(), self.len)?;
        let mut done = 0;
        while let Some(rest) = buf.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let at = offset.saturating_add(done as u64);
            let (start, block) = self.block_with(at)?;
            let read = block.read(rest, at - start);
            if read == 0 {
                return Err(corrupt("changed", block.end));
            }
            done += read;
        }
        Ok(())
    }
}
