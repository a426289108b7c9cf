//! gzip (RFC 1952), any number of members, read at any offset from checkpoints that one pass over the file leaves.

use std::{
    fmt,
    num::NonZero,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use flate2::{Compress, Compression, Crc, Decompress, FlushCompress, FlushDecompress};

use super::{
    MAX_LEN, Trailing, bgzip,
    bits::Bits,
    checkpoints::{Checkpoint, Checkpoints},
    inflate::{Block, Inflate, PIECE, Stop, WINDOW},
};
use crate::{Error, Kind, Result, Source, lru::Lru};

/// Memory for windows in bytes: 64 MiB, so that with all else the process stays below 128 MiB for a disk of any size.
/// Windows of 32 KiB that do not compress stand 64 MiB apart then on a disk of 100 GB, others closer.
const WINDOWS: usize = 64 * 1024 * 1024;

/// Output between two checkpoints while there is room: a random read decodes half of it, in some 5 ms.
const SPACING: u64 = 4 * 1024 * 1024;

/// Pieces kept decoded: 16 MiB.
const CACHED: usize = 64;

/// Threads that decode a bgzip file at most, about 700 KiB each: more than disks keep busy.
const MAX_THREADS: usize = 16;

/// Decoders kept where they stand, for readers that go on there: about 700 KiB each.
const CURSORS: usize = 4;

/// RFC 1952, 2.3.1: the flags of a member's header.
mod flag {
    pub(super) const HEADER_CRC: u32 = 1 << 1;
    pub(super) const EXTRA: u32 = 1 << 2;
    pub(super) const NAME: u32 = 1 << 3;
    pub(super) const COMMENT: u32 = 1 << 4;
    /// "Reserved FLG bits must be zero."
    pub(super) const RESERVED: u32 = 0xe0;
}

/// An open gzip file as the bytes inside it.
pub(super) struct Gzip {
    source: Arc<dyn Source>,
    len: u64,
    trailing: Option<Trailing>,
    checkpoints: Checkpoints<Place>,
    cursors: Mutex<Vec<Cursor>>,
    pieces: Lru<Arc<[u8]>>,
}

/// Where a decoder can go on.
#[derive(Debug, Clone)]
struct Place {
    /// Of the next member, the next block's header, or a symbol, in bits.
    bit: u64,
    /// The header of the block with that symbol; `None` before a member.
    header: Option<u64>,
    /// What matches can refer to, deflated.
    window: Box<[u8]>,
    window_len: usize,
}

impl Place {
    /// Before a member, which refers to nothing before it.
    fn member(at: u64) -> Self {
        Self {
            bit: at * 8,
            header: None,
            window: Box::default(),
            window_len: 0,
        }
    }
}

impl Checkpoint for Place {
    fn memory(&self) -> usize {
        // The entry in the list, which may have grown to twice what is used, and the allocator's share.
        self.window.len() + 3 * size_of::<(u64, Self)>()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before a member; is it the first?
    Member(bool),
    /// Before a block.
    Header,
    /// In the block whose header stands at this bit.
    Block(u64),
    /// Behind the last block of a member.
    Trailer,
    /// Behind the last member.
    End,
}

/// A decoder on its way through the file.
struct Cursor {
    bits: Bits,
    inflate: Inflate,
    state: State,
    /// Index of the piece that is being filled.
    piece: u64,
    /// What is checked at a member's end; `None` for a decoder that did not see its beginning.
    check: Option<Check>,
    trailing: Option<Trailing>,
    /// Bit at which to stop, if a member begins there.
    end: Option<u64>,
}

struct Check {
    crc: Crc,
    /// Offset in the output up to which `crc` counts.
    counted: u64,
    /// Offset in the output where the member begins.
    start: u64,
}

fn corrupt(what: &'static str, bit: u64) -> Error {
    Error::new(Kind::Corrupt, "gzip_corrupt")
        .with("what", what)
        .with("offset", bit / 8)
}

impl Cursor {
    fn new(source: &dyn Source) -> Result<Self> {
        Ok(Self {
            bits: Bits::at(source, 0)?,
            inflate: Inflate::new(),
            state: State::Member(true),
            piece: 0,
            check: Some(Check {
                crc: Crc::new(),
                counted: 0,
                start: 0,
            }),
            trailing: None,
            end: None,
        })
    }

    /// A decoder for the members from `start` to `end`.
    fn between(source: &dyn Source, start: bgzip::Start, end: bgzip::Start) -> Result<Self> {
        let mut cursor = Self::at(source, start.out, &Place::member(start.at))?;
        cursor.check = Some(Check {
            crc: Crc::new(),
            counted: start.out,
            start: start.out,
        });
        cursor.end = Some(end.at * 8);
        Ok(cursor)
    }

    /// A decoder at a checkpoint; `out` is its offset in the output.
    fn at(source: &dyn Source, out: u64, place: &Place) -> Result<Self> {
        let damaged = || corrupt("changed", place.bit);
        let mut cursor = Self::new(source)?;
        cursor.check = None;
        cursor.piece = out / PIECE as u64;
        let mut window = vec![0; place.window_len];
        if !window.is_empty() {
            let status = Decompress::new(false).decompress(&place.window, &mut window, FlushDecompress::Finish);
            status.map_err(|_| damaged())?;
        }
        let ahead = usize::try_from(out % PIECE as u64).unwrap_or(0);
        cursor.inflate.restore(&window, ahead).ok_or_else(damaged)?;
        cursor.bits.seek(source, place.header.unwrap_or(place.bit))?;
        cursor.state = match place.header {
            None => State::Member(false),
            Some(header) if header == place.bit => State::Header,
            Some(header) => {
                // The file was decoded up to here before, so a block is there unless the file was changed.
                let inflate = &mut cursor.inflate;
                inflate.header(&mut cursor.bits).ok_or_else(damaged)?;
                let data = cursor.bits.position();
                if let Block::Stored(len) = inflate.block() {
                    let used = place.bit.saturating_sub(data) / 8;
                    inflate.set_block(Block::Stored(len.saturating_sub(usize::try_from(used).unwrap_or(len))));
                }
                cursor.bits.seek(source, place.bit)?;
                State::Block(header)
            }
        };
        Ok(cursor)
    }

    /// Offset in the output of the next byte.
    fn out(&self) -> u64 {
        (self.piece * PIECE as u64).saturating_add(self.inflate.piece().len() as u64)
    }

    /// What a checkpoint here would be, if there can be one.
    fn place(&self) -> Option<Place> {
        let bit = self.bits.position();
        let header = match self.state {
            State::Member(_) => None,
            State::Header => Some(bit),
            State::Block(header) => Some(header),
            State::Trailer | State::End => return None,
        };
        let window = self.inflate.window();
        // A window that does not compress grows by 5 bytes for each stored block.
        let mut deflated = Vec::with_capacity(WINDOW + 1024);
        Compress::new(Compression::fast(), false)
            .compress_vec(window, &mut deflated, FlushCompress::Finish)
            .ok()?;
        Some(Place {
            bit,
            header,
            window: deflated.into(),
            window_len: window.len(),
        })
    }

    /// Decodes until a piece is full or the file ends; `true` for a full one.
    fn run(&mut self, source: &dyn Source) -> Result<bool> {
        while !self.inflate.is_full() {
            match self.state {
                State::Member(first) => self.member(source, first)?,
                State::Header => {
                    self.bits.fill(source)?;
                    let header = self.bits.position();
                    let read = self.inflate.header(&mut self.bits);
                    self.check_end()?;
                    read.ok_or_else(|| corrupt("block_header", header))?;
                    self.state = State::Block(header);
                }
                State::Block(_) => self.block(source)?,
                State::Trailer => self.trailer(source)?,
                State::End => return Ok(false),
            }
        }
        self.count();
        Ok(true)
    }

    fn block(&mut self, source: &dyn Source) -> Result<()> {
        self.bits.fill(source)?;
        let stop = self.inflate.run(&mut self.bits);
        // First: what seems to contradict the format behind the end of the file is nothing but its end.
        self.check_end()?;
        match stop {
            Stop::Input if self.bits.is_at_end() => return Err(self.truncated()),
            Stop::Input | Stop::Output => {}
            Stop::Block if self.inflate.is_last() => self.state = State::Trailer,
            Stop::Block => self.state = State::Header,
            Stop::Corrupt => return Err(corrupt("data", self.bits.position())),
        }
        Ok(())
    }

    fn truncated(&self) -> Error {
        Error::new(Kind::Corrupt, "gzip_truncated").with("unpacked", self.out())
    }

    fn check_end(&self) -> Result<()> {
        if self.bits.is_past_end() {
            Err(self.truncated())
        } else {
            Ok(())
        }
    }

    /// RFC 1952, 2.3: the header of a member, or whatever else stands behind the last one.
    fn member(&mut self, source: &dyn Source, first: bool) -> Result<()> {
        self.bits.fill(source)?;
        let ends_here = self.end == Some(self.bits.position());
        if (self.bits.is_at_end() || ends_here) && !first {
            self.state = State::End;
            return Ok(());
        }
        let start = self.bits.position();
        if self.bits.peek(16) != 0x8b1f && !first {
            self.trailing = Trailing::behind(source, start / 8, crate::Compression::Gzip)?;
            self.state = State::End;
            return Ok(());
        }
        let mut crc = Crc::new();
        let head = self.header_number(&mut crc, 4);
        let flags = head >> 24;
        if head & 0xff_ffff != 0x08_8b1f || flags & flag::RESERVED != 0 {
            self.check_end()?;
            return Err(corrupt("member_header", start));
        }
        self.header_number(&mut crc, 4);
        self.header_number(&mut crc, 2);
        if flags & flag::EXTRA != 0 {
            let len = self.header_number(&mut crc, 2);
            for _ in 0..len {
                self.bits.fill(source)?;
                self.header_number(&mut crc, 1);
            }
        }
        for text in [flag::NAME, flag::COMMENT] {
            if flags & text == 0 {
                continue;
            }
            loop {
                self.bits.fill(source)?;
                if self.header_number(&mut crc, 1) == 0 {
                    break;
                }
            }
        }
        self.bits.fill(source)?;
        let sum = crc.sum() & 0xffff;
        if flags & flag::HEADER_CRC != 0 && self.bits.take(16) != sum {
            self.check_end()?;
            return Err(corrupt("header_crc", start));
        }
        self.check_end()?;
        self.count();
        self.inflate.forget();
        let out = self.out();
        if let Some(check) = &mut self.check {
            check.crc.reset();
            check.counted = out;
            check.start = out;
        }
        self.state = State::Header;
        Ok(())
    }

    /// A little-endian number of the header of up to 4 bytes, counted in its checksum.
    fn header_number(&mut self, crc: &mut Crc, len: usize) -> u32 {
        let value = self.bits.take(8 * u32::try_from(len).unwrap_or(0));
        crc.update(value.to_le_bytes().get(..len).unwrap_or_default());
        value
    }

    /// Brings the checksum up to what is decoded.
    fn count(&mut self) {
        let start = self.piece * PIECE as u64;
        if let Some(check) = &mut self.check {
            let piece = self.inflate.piece();
            let from = usize::try_from(check.counted.saturating_sub(start)).unwrap_or(usize::MAX);
            check.crc.update(piece.get(from..).unwrap_or_default());
            check.counted = start.saturating_add(piece.len() as u64);
        }
    }

    /// RFC 1952, 2.3.1: CRC-32, and the size modulo 2^32.
    fn trailer(&mut self, source: &dyn Source) -> Result<()> {
        self.bits.fill(source)?;
        self.bits.align();
        let at = self.bits.position();
        let (crc, size) = (self.bits.take(32), self.bits.take(32));
        self.check_end()?;
        self.count();
        let out = self.out();
        if let Some(check) = &self.check {
            let unpacked = out.saturating_sub(check.start) & u64::from(u32::MAX);
            if crc != check.crc.sum() || u64::from(size) != unpacked {
                return Err(Error::new(Kind::Corrupt, "gzip_crc").with("offset", at / 8));
            }
        }
        self.state = State::Member(false);
        Ok(())
    }
}

impl Gzip {
    /// Decodes the whole file once, on all cores if it was made by bgzip.
    pub(super) fn open(source: Arc<dyn Source>) -> Result<Self> {
        match Self::open_bgzip(&source)? {
            Some(gzip) => Ok(gzip),
            None => Self::open_in_order(source),
        }
    }

    /// `None` if the file is not bgzip's, or not what its members say: decoding it in order tells what is wrong.
    fn open_bgzip(source: &Arc<dyn Source>) -> Result<Option<Self>> {
        let Some(starts) = bgzip::starts(&**source, SPACING)?.filter(|starts| starts.len() > 2) else {
            return Ok(None);
        };
        let end = starts.last().map_or(0, |end| end.out);
        if end > MAX_LEN || !all_as_they_say(&**source, &starts) {
            return Ok(None);
        }
        let mut checkpoints = Checkpoints::new(SPACING, WINDOWS);
        for start in &starts {
            if checkpoints.wants(start.out) && start.out < end {
                checkpoints.put(start.out, Place::member(start.at));
            }
        }
        Ok(Some(Self::new(Arc::clone(source), end, None, checkpoints)))
    }

    fn open_in_order(source: Arc<dyn Source>) -> Result<Self> {
        let mut checkpoints = Checkpoints::new(SPACING, WINDOWS);
        let mut cursor = Cursor::new(&*source)?;
        while cursor.run(&*source)? {
            cursor.inflate.next_piece();
            cursor.piece += 1;
            let out = cursor.out();
            if out > MAX_LEN {
                return Err(super::too_large());
            }
            if checkpoints.wants(out)
                && let Some(place) = cursor.place()
            {
                checkpoints.put(out, place);
            }
        }
        Ok(Self::new(source, cursor.out(), cursor.trailing, checkpoints))
    }

    fn new(source: Arc<dyn Source>, len: u64, trailing: Option<Trailing>, checkpoints: Checkpoints<Place>) -> Self {
        Self {
            source,
            len,
            trailing,
            checkpoints,
            cursors: Mutex::default(),
            pieces: Lru::new(CACHED),
        }
    }

    /// The first `len` bytes, or fewer when there are no more.
    pub(super) fn head(source: &dyn Source, len: usize) -> Result<Vec<u8>> {
        let mut cursor = Cursor::new(source)?;
        cursor.run(source)?;
        let piece = cursor.inflate.piece();
        Ok(piece.get(..len.min(piece.len())).unwrap_or_default().to_vec())
    }

    pub(super) fn trailing(&self) -> Option<Trailing> {
        self.trailing
    }

    /// The decoder from which a piece is reached soonest.
    fn cursor(&self, piece: u64) -> Result<Cursor> {
        let start = piece.saturating_mul(PIECE as u64);
        let checkpoint = self.checkpoints.before(start);
        let from = checkpoint.map_or(0, |(out, _)| out);
        {
            let mut cursors = self.cursors.lock().unwrap_or_else(PoisonError::into_inner);
            let nearest = cursors
                .iter()
                .enumerate()
                .filter(|(_, cursor)| cursor.piece <= piece && cursor.out() >= from)
                .max_by_key(|(_, cursor)| cursor.piece)
                .map(|(index, _)| index);
            if let Some(index) = nearest {
                return Ok(cursors.remove(index));
            }
        }
        match checkpoint {
            Some((out, place)) => Cursor::at(&*self.source, out, place),
            None => Cursor::new(&*self.source),
        }
    }

    fn piece(&self, index: u64) -> Result<Arc<[u8]>> {
        if let Some(piece) = self.pieces.get(index) {
            return Ok(piece);
        }
        let mut cursor = self.cursor(index)?;
        loop {
            let is_full = cursor.run(&*self.source)?;
            let decoded = cursor.inflate.piece();
            let piece: Arc<[u8]> = decoded.get(..decoded.len().min(PIECE)).unwrap_or_default().into();
            let at = cursor.piece;
            if is_full {
                cursor.inflate.next_piece();
                cursor.piece += 1;
            }
            self.pieces.put(at, Arc::clone(&piece));
            if at >= index || !is_full {
                let mut cursors = self.cursors.lock().unwrap_or_else(PoisonError::into_inner);
                if cursors.len() >= CURSORS {
                    cursors.remove(0);
                }
                cursors.push(cursor);
                return Ok(piece);
            }
        }
    }
}

/// Decodes what lies between each start and the next on all cores: do all checksums hold, and does each run end where the
/// next one is said to begin, in the file and in the output?
fn all_as_they_say(source: &dyn Source, starts: &[bgzip::Start]) -> bool {
    let next = AtomicUsize::new(0);
    let work = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some([start, end]) = starts.get(index..).and_then(|rest| rest.first_chunk()) else {
                return true;
            };
            if !is_as_it_says(source, *start, *end).unwrap_or(false) {
                return false;
            }
        }
    };
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(MAX_THREADS);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().all(|worker| worker.join().unwrap_or(false))
    })
}

fn is_as_it_says(source: &dyn Source, start: bgzip::Start, end: bgzip::Start) -> Result<bool> {
    let mut cursor = Cursor::between(source, start, end)?;
    while cursor.run(source)? {
        cursor.inflate.next_piece();
        cursor.piece += 1;
        if cursor.out() > end.out {
            return Ok(false);
        }
    }
    Ok(cursor.out() == end.out && cursor.bits.position() == end.at * 8 && cursor.trailing.is_none())
}

impl fmt::Debug for Gzip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gzip").field("len", &self.len).finish_non_exhaustive()
    }
}

impl Source for Gzip {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<()> {
        crate::source::check_range(offset, buf.len(), self.len)?;
        let mut done = 0;
        while let Some(rest) = buf.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let at = offset.saturating_add(done as u64);
            let piece = self.piece(at / PIECE as u64)?;
            let start = usize::try_from(at % PIECE as u64).unwrap_or(0);
            let bytes = piece.get(start..).filter(|bytes| !bytes.is_empty());
            // It was there when the file was opened.
            let bytes = bytes.ok_or_else(|| corrupt("changed", at.saturating_mul(8)))?;
            let len = rest.len().min(bytes.len());
            if let (Some(to), Some(from)) = (rest.get_mut(..len), bytes.get(..len)) {
                to.copy_from_slice(from);
            }
            done += len;
        }
        Ok(())
    }
}
