//! One block of a bzip2 stream: Huffman codes, move to front, the Burrows-Wheeler transform, runs, CRC. The format has no
//! specification; references are to bzip2 1.0.8's `decompress.c` and to "BZIP2: Format Specification" (J. Tsai, 2016).

/// Bytes of a block before runs are expanded at most: level 9 (Tsai, 2.2.2).
pub(super) const MAX_BLOCK: usize = 900_000;

/// Begins a block: pi (Tsai, 2.2.4).
pub(super) const BLOCK_MAGIC: u64 = 0x3141_5926_5359;

/// Bits of a block's or stream's magic.
pub(super) const MAGIC_BITS: u64 = 48;

/// Longest code (`BZ_MAX_CODE_LEN` is 23, but `decompress.c` takes up to 20 only).
const MAX_CODE: u32 = 20;

/// Symbols coded with one table before the next selector (`BZ_G_SIZE`).
const GROUP: usize = 50;

/// Selectors that a block can use: 2 + 900,000 / 50 (`BZ_MAX_SELECTORS`); more are read and ignored, as 1.0.8 does.
const MAX_SELECTORS: usize = 18_002;

/// Bits of the first lookup.
const LOOKUP: u32 = 10;

/// Packed bytes between two marks.
const MARK: usize = 8 * 1024;

/// Packed bytes that are looked through for a run at once.
const SPAN: usize = 1024;

/// Why a block cannot be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The bytes at hand end within the block.
    Short,
    /// The bits contradict the format.
    Corrupt,
    /// What was decoded has another CRC.
    Crc,
}

/// Offset in the expanded bytes and index in the packed ones where a run begins.
type Mark = (u64, usize);

/// A decoded block.
pub(super) struct Block {
    /// Its bytes with runs packed: at most 900,000, while the expanded ones could be 50 times as many.
    packed: Box<[u8]>,
    /// One for every few thousand packed bytes.
    marks: Vec<Mark>,
    /// Expanded length.
    pub(super) len: u64,
    /// Bit behind the block, counted like the one it began at.
    pub(super) end: u64,
    /// CRC, which the stream's CRC is made from.
    pub(super) crc: u32,
}

/// Memory that one thread decodes blocks with: 4.5 MiB. Several blocks at once in turns, to wait for memory less often,
/// were slower when measured: their transforms no longer fit into the cache.
pub(super) struct Scratch {
    /// `tt` of `decompress.c`: a byte in the lowest 8 bits, the next index above.
    transform: Vec<u32>,
    selectors: Vec<u8>,
    tables: Vec<Table>,
}

/// What is known of a block before its transform is undone.
struct Header {
    crc: u32,
    len: usize,
    /// Index in the transform of the first byte.
    origin: usize,
}

/// A code: a lookup of its first bits, and the limits of what is longer.
#[derive(Clone)]
struct Table {
    /// Symbol above, length in the lowest 5 bits; 0 where the code is longer.
    lookup: [u16; 1 << LOOKUP],
    /// For each length: the first left-aligned 20 bits that belong to no code up to it.
    limits: [u32; MAX_CODE as usize + 2],
    /// For each length: what to subtract from a code's number to get its place in `symbols`, modulo 2^32.
    bases: [u32; MAX_CODE as usize + 2],
    symbols: [u16; 258],
}

/// Bits, highest first.
struct Msb<'a> {
    bytes: &'a [u8],
    pos: usize,
    bits: u64,
    count: u32,
}

impl<'a> Msb<'a> {
    fn new(bytes: &'a [u8], bit: usize) -> Self {
        let mut msb = Self {
            bytes,
            pos: bit / 8,
            bits: 0,
            count: 0,
        };
        msb.take(u32::try_from(bit % 8).unwrap_or(0));
        msb
    }

    /// At least 56 (0x38) bits, zeros behind the end.
    #[inline]
    fn refill(&mut self) {
        if let Some(next) = self.bytes.get(self.pos..).and_then(|rest| rest.first_chunk::<8>()) {
            self.bits |= u64::from_be_bytes(*next) >> self.count;
            self.pos += ((63 - self.count) >> 3) as usize;
            self.count |= 0x38;
            return;
        }
        while self.count <= 56 {
            let byte = self.bytes.get(self.pos).copied().unwrap_or(0);
            // What was loaded here before is the same.
            self.bits |= u64::from(byte) << (56 - self.count);
            self.pos += 1;
            self.count += 8;
        }
    }

    /// The next 32 bits.
    #[inline]
    fn peek(&self) -> u32 {
        let [a, b, c, d, ..] = self.bits.to_be_bytes();
        u32::from_be_bytes([a, b, c, d])
    }

    #[inline]
    fn drop(&mut self, count: u32) {
        self.bits <<= count;
        self.count -= count;
    }

    /// Up to 32 bits.
    fn take(&mut self, count: u32) -> u32 {
        if count == 0 {
            return 0;
        }
        self.refill();
        let value = self.peek() >> (32 - count);
        self.drop(count);
        value
    }

    fn flag(&mut self) -> bool {
        self.take(1) == 1
    }

    fn position(&self) -> usize {
        (self.pos * 8).saturating_sub(self.count as usize)
    }

    fn is_past_end(&self) -> bool {
        self.position() > self.bytes.len().saturating_mul(8)
    }
}

impl Table {
    fn empty() -> Self {
        Self {
            lookup: [0; 1 << LOOKUP],
            limits: [0; MAX_CODE as usize + 2],
            bases: [0; MAX_CODE as usize + 2],
            symbols: [0; 258],
        }
    }

    /// From lengths of 1 to 20; `None` when there are more codes than fit.
    fn fill(&mut self, lengths: &[u8]) -> Option<()> {
        self.lookup.fill(0);
        let (mut code, mut place) = (0_u32, 0_u32);
        for length in 1..=MAX_CODE {
            code <<= 1;
            *self.bases.get_mut(length as usize)? = code.wrapping_sub(place);
            for (symbol, _) in lengths.iter().enumerate().filter(|(_, l)| u32::from(**l) == length) {
                let symbol = u16::try_from(symbol).ok()?;
                *self.symbols.get_mut(place as usize)? = symbol;
                place += 1;
                if length <= LOOKUP {
                    let shift = LOOKUP - length;
                    let start = (code << shift) as usize;
                    let entry = symbol << 5 | u16::try_from(length).ok()?;
                    self.lookup.get_mut(start..start + (1 << shift))?.fill(entry);
                }
                code += 1;
            }
            if code > 1 << length {
                return None;
            }
            *self.limits.get_mut(length as usize)? = code << (MAX_CODE - length);
        }
        Some(())
    }

    /// The next symbol; the caller has refilled.
    #[inline]
    fn symbol(&self, bits: &mut Msb) -> Option<u16> {
        let next = bits.peek();
        let entry = self.lookup[(next >> (32 - LOOKUP)) as usize];
        if entry != 0 {
            bits.drop(u32::from(entry & 31));
            return Some(entry >> 5);
        }
        let aligned = next >> (32 - MAX_CODE);
        for length in LOOKUP + 1..=MAX_CODE {
            if aligned < *self.limits.get(length as usize)? {
                bits.drop(length);
                let place = (aligned >> (MAX_CODE - length)).wrapping_sub(*self.bases.get(length as usize)?);
                return self.symbols.get(place as usize).copied();
            }
        }
        None
    }
}

impl Scratch {
    pub(super) fn new() -> Self {
        Self {
            transform: vec![0; MAX_BLOCK],
            selectors: Vec::with_capacity(MAX_SELECTORS),
            tables: vec![Table::empty(); 6],
        }
    }

    /// Decodes the block whose magic begins at `start`, a bit of `bytes`, and checks its CRC.
    pub(super) fn decode(&mut self, bytes: &[u8], start: usize) -> Result<Block, Fault> {
        let start = start.saturating_add(usize::try_from(MAGIC_BITS).unwrap_or(0));
        let mut bits = Msb::new(bytes, start);
        let header = self.symbols(&mut bits);
        // First: what seems to contradict the format behind the end is nothing but the end.
        if bits.is_past_end() {
            return Err(Fault::Short);
        }
        let header = header.ok_or(Fault::Corrupt)?;
        let packed = self.inverse(&header).ok_or(Fault::Corrupt)?;
        let (marks, len, crc) = expand(&packed);
        if crc != header.crc {
            return Err(Fault::Crc);
        }
        Ok(Block {
            packed,
            marks,
            len,
            end: bits.position() as u64,
            crc,
        })
    }

    /// The symbols, with their bytes chained in the transform.
    fn symbols(&mut self, bits: &mut Msb) -> Option<Header> {
        let crc = bits.take(32);
        // Randomised blocks were last written by bzip2 0.9.0 (1998).
        if bits.flag() {
            return None;
        }
        let origin = bits.take(24) as usize;
        let mut front = [0_u8; 256];
        let mut used = 0;
        let ranges = bits.take(16);
        for range in (0..16_u8).filter(|range| ranges & 0x8000 >> range != 0) {
            let map = bits.take(16);
            for byte in (0..16_u8).filter(|byte| map & 0x8000 >> byte != 0) {
                *front.get_mut(used)? = range * 16 + byte;
                used += 1;
            }
        }
        if used == 0 {
            return None;
        }
        self.tables(bits, used + 2)?;

        let mut frequencies = [0_u32; 256];
        let end = u16::try_from(used + 1).ok()?;
        let transform = &mut self.transform[..];
        let mut len = 0_usize;
        let (mut run, mut weight) = (0_usize, 1_usize);
        for selector in &self.selectors {
            let table = self.tables.get(usize::from(*selector))?;
            for _ in 0..GROUP {
                bits.refill();
                let symbol = table.symbol(bits)?;
                if symbol <= 1 {
                    run += weight << symbol;
                    weight <<= 1;
                    if run > MAX_BLOCK {
                        return None;
                    }
                    continue;
                }
                if run > 0 {
                    let byte = front[0];
                    transform.get_mut(len..len + run)?.fill(u32::from(byte));
                    frequencies[usize::from(byte)] += u32::try_from(run).ok()?;
                    len += run;
                    (run, weight) = (0, 1);
                }
                if symbol == end {
                    if origin >= len {
                        return None;
                    }
                    scatter(transform.get_mut(..len)?, &frequencies)?;
                    return Some(Header { crc, len, origin });
                }
                let place = usize::from(symbol - 1);
                let byte = *front.get(place)?;
                if place < 16 {
                    for index in (0..place).rev() {
                        front[index + 1] = front[index];
                    }
                } else {
                    front.copy_within(0..place, 1);
                }
                front[0] = byte;
                *transform.get_mut(len)? = u32::from(byte);
                frequencies[usize::from(byte)] += 1;
                len += 1;
            }
            if bits.is_past_end() {
                return None;
            }
        }
        None
    }

    /// Follows the transform from its first byte.
    fn inverse(&self, header: &Header) -> Option<Box<[u8]>> {
        let transform = self.transform.get(..header.len)?;
        let mut packed = vec![0; header.len].into_boxed_slice();
        let mut next = transform.get(header.origin)? >> 8;
        for byte in &mut packed {
            // Every index lies within the block, see `scatter`.
            let entry = transform.get(next as usize)?;
            [*byte, ..] = entry.to_le_bytes();
            next = entry >> 8;
        }
        Some(packed)
    }

    /// Selectors and code lengths.
    fn tables(&mut self, bits: &mut Msb, symbols: usize) -> Option<()> {
        let groups = bits.take(3) as usize;
        let count = bits.take(15);
        if !(2..=6).contains(&groups) || count == 0 {
            return None;
        }
        self.selectors.clear();
        let mut front = [0, 1, 2, 3, 4, 5];
        for _ in 0..count {
            let mut place = 0;
            while bits.flag() {
                place += 1;
                if place >= groups {
                    return None;
                }
            }
            let front = front.get_mut(..=place)?;
            front.rotate_right(1);
            if self.selectors.len() < MAX_SELECTORS {
                self.selectors.push(*front.first()?);
            }
        }
        for table in self.tables.iter_mut().take(groups) {
            let mut lengths = [0_u8; 258];
            let mut length = bits.take(5);
            for slot in lengths.get_mut(..symbols)? {
                loop {
                    if !(1..=MAX_CODE).contains(&length) {
                        return None;
                    }
                    if !bits.flag() {
                        break;
                    }
                    length = if bits.flag() { length - 1 } else { length + 1 };
                }
                *slot = u8::try_from(length).ok()?;
            }
            table.fill(lengths.get(..symbols)?)?;
        }
        Some(())
    }
}

/// Writes the index of each byte's follower above the bytes.
fn scatter(transform: &mut [u32], frequencies: &[u32; 256]) -> Option<()> {
    let mut starts = [0_u32; 256];
    let mut sum = 0;
    for (start, frequency) in starts.iter_mut().zip(frequencies) {
        *start = sum;
        sum += frequency;
    }
    for index in 0..transform.len() {
        let [byte, ..] = transform[index].to_le_bytes();
        let start = &mut starts[usize::from(byte)];
        *transform.get_mut(*start as usize)? |= u32::try_from(index).ok()? << 8;
        *start += 1;
    }
    Some(())
}

/// What `packed` begins with: bytes that stand for themselves, then how many more of the last one follow, and how many
/// packed bytes that takes. Four equal bytes are followed by a count of more (Tsai, 2.1.1). Ends between two runs, at the
/// latest soon after [`SPAN`] bytes.
#[inline]
fn span(packed: &[u8]) -> (&[u8], usize, usize) {
    let mut same = 1;
    for (index, [byte, next]) in packed.array_windows().enumerate() {
        if byte != next {
            if index >= SPAN {
                return (packed.get(..=index).unwrap_or_default(), 0, index + 1);
            }
            same = 1;
            continue;
        }
        same += 1;
        if same == 4 {
            let end = index + 2;
            let plain = packed.get(..end).unwrap_or_default();
            // A block that ends before the count has none.
            return match packed.get(end) {
                Some(more) => (plain, usize::from(*more), end + 1),
                None => (plain, 0, end),
            };
        }
    }
    (packed, 0, packed.len())
}

/// Marks, length and CRC of what the packed bytes expand to.
fn expand(packed: &[u8]) -> (Vec<Mark>, u64, u32) {
    let mut crc = Crc::new();
    let (mut at, mut len, mut next_mark) = (0, 0, 0);
    let mut marks = Vec::with_capacity(packed.len() / MARK + 1);
    while let Some(rest) = packed.get(at..).filter(|rest| !rest.is_empty()) {
        if at >= next_mark {
            marks.push((len, at));
            next_mark = at + MARK;
        }
        let (plain, more, used) = span(rest);
        crc.update(plain);
        if let (Some(byte), true) = (plain.last(), more > 0) {
            crc.update([*byte; 255].get(..more).unwrap_or_default());
        }
        len += (plain.len() + more) as u64;
        at += used;
    }
    (marks, len, crc.sum())
}

impl Block {
    /// Bytes before runs are expanded.
    pub(super) fn packed_len(&self) -> usize {
        self.packed.len()
    }

    /// Fills `buf` from `offset` of the expanded bytes; gives how many there were.
    pub(super) fn read(&self, buf: &mut [u8], offset: u64) -> usize {
        let mark = self.marks.partition_point(|(out, _)| *out <= offset).saturating_sub(1);
        let (out, mut at) = self.marks.get(mark).copied().unwrap_or((0, 0));
        // Expanded bytes still to be passed over.
        let mut skip = usize::try_from(offset.saturating_sub(out)).unwrap_or(usize::MAX);
        let mut done = 0;
        while let Some(rest) = self.packed.get(at..).filter(|rest| !rest.is_empty()) {
            let (plain, more, used) = span(rest);
            at += used;
            let wanted = plain.get(skip.min(plain.len())..).unwrap_or_default();
            let count = wanted.len().min(buf.len() - done);
            if let (Some(to), Some(from)) = (buf.get_mut(done..done + count), wanted.get(..count)) {
                to.copy_from_slice(from);
            }
            done += count;
            let more_wanted = more - skip.saturating_sub(plain.len()).min(more);
            let count = more_wanted.min(buf.len() - done);
            if let (Some(to), Some(byte)) = (buf.get_mut(done..done + count), plain.last()) {
                to.fill(*byte);
            }
            done += count;
            if done == buf.len() {
                break;
            }
            skip = skip.saturating_sub(plain.len() + more);
        }
        done
    }
}

/// CRC-32 with the polynomial of Ethernet and its highest bit first (Tsai, 2.2.4), eight bytes at a time.
struct Crc(u32);

const POLYNOMIAL: u32 = 0x04c1_1db7;

static TABLES: [[u32; 256]; 8] = tables();

const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let (mut index, mut first) = (0, 0_u32);
    while index < 256 {
        let mut value = first << 24;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 << 31 != 0 {
                value << 1 ^ POLYNOMIAL
            } else {
                value << 1
            };
            bit += 1;
        }
        tables[0][index] = value;
        index += 1;
        first += 1;
    }
    let mut slice = 1;
    while slice < 8 {
        let mut index = 0;
        while index < 256 {
            let before = tables[slice - 1][index];
            tables[slice][index] = before << 8 ^ tables[0][(before >> 24) as usize];
            index += 1;
        }
        slice += 1;
    }
    tables
}

impl Crc {
    fn new() -> Self {
        Self(u32::MAX)
    }

    fn update(&mut self, bytes: &[u8]) {
        let (chunks, rest) = bytes.as_chunks::<8>();
        let mut crc = self.0;
        let look = |slice: usize, byte: u8| TABLES[slice][usize::from(byte)];
        for [a, b, c, d, e, f, g, h] in chunks {
            let [w, x, y, z] = crc.to_be_bytes();
            crc = look(7, a ^ w) ^ look(6, b ^ x) ^ look(5, c ^ y) ^ look(4, d ^ z);
            crc ^= look(3, *e) ^ look(2, *f) ^ look(1, *g) ^ look(0, *h);
        }
        for byte in rest {
            let [top, ..] = crc.to_be_bytes();
            crc = crc << 8 ^ look(0, top ^ byte);
        }
        self.0 = crc;
    }

    fn sum(&self) -> u32 {
        !self.0
    }
}
