//! Inflate (RFC 1951) with a window of its own that can stop after any symbol and go on from a bit position later;
//! no crate offers that without `unsafe`.

use super::{
    bits::Bits,
    huffman::{
        self, Alphabet, DISTANCE_BITS, DISTANCE_ENTRIES, END, LITERAL, LITERAL_BITS, LITERAL_ENTRIES, SPECIAL, SUBTABLE,
    },
};

/// RFC 1951, 2: how far back a match can reach.
pub(super) const WINDOW: usize = 32 * 1024;

/// Output after which the decoder stops, as a multiple of which pieces are cached.
pub(super) const PIECE: usize = 256 * 1024;

/// RFC 1951, 3.2.5: the longest match is 258 bytes; matches are copied in steps of 16, after up to three literals.
const SLACK: usize = 258 + 16 + 14;

/// Why the decoder stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// A piece of output is full.
    Output,
    /// The input at hand is used up.
    Input,
    /// The block is complete.
    Block,
    /// The bits contradict the format.
    Corrupt,
}

/// What kind of block the decoder is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Block {
    /// Huffman codes; the tables are filled.
    Codes,
    /// Bytes left of a stored block.
    Stored(usize),
}

/// The decoder's output and tables.
pub(super) struct Inflate {
    /// Window, one piece, and what the last symbol may add.
    out: Box<[u8]>,
    /// Where the next byte goes in `out`.
    at: usize,
    /// Matches must not reach below this place in `out`: the member begins here, or the window ends.
    low: usize,
    literals: Box<[u32; LITERAL_ENTRIES]>,
    distances: Box<[u32; DISTANCE_ENTRIES]>,
    block: Block,
    last: bool,
}

impl Inflate {
    pub(super) fn new() -> Self {
        Self {
            out: vec![0; WINDOW + PIECE + SLACK].into(),
            at: WINDOW,
            low: WINDOW,
            literals: Box::new([0; LITERAL_ENTRIES]),
            distances: Box::new([0; DISTANCE_ENTRIES]),
            block: Block::Stored(0),
            last: false,
        }
    }

    /// Continues behind `window`, which ends `ahead` bytes into a piece.
    pub(super) fn restore(&mut self, window: &[u8], ahead: usize) -> Option<()> {
        self.at = WINDOW.checked_add(ahead)?;
        self.low = self.at.checked_sub(window.len())?;
        self.out.get_mut(self.low..self.at)?.copy_from_slice(window);
        Some(())
    }

    /// A new member begins: matches cannot reach back before it.
    pub(super) fn forget(&mut self) {
        self.low = self.at;
    }

    /// Bytes of the current piece that are there, with what overlaps the next one.
    pub(super) fn piece(&self) -> &[u8] {
        self.out.get(WINDOW..self.at).unwrap_or_default()
    }

    /// What a match could refer to now.
    pub(super) fn window(&self) -> &[u8] {
        let start = self.low.max(self.at.saturating_sub(WINDOW));
        self.out.get(start..self.at).unwrap_or_default()
    }

    pub(super) fn is_full(&self) -> bool {
        self.at >= WINDOW + PIECE
    }

    /// Makes room for the next piece; call it when [`Self::is_full`].
    pub(super) fn next_piece(&mut self) {
        self.out.copy_within(PIECE..self.at, 0);
        self.at -= PIECE;
        self.low = self.low.saturating_sub(PIECE);
    }

    /// Was the block now at its end the member's last one?
    pub(super) fn is_last(&self) -> bool {
        self.last
    }

    pub(super) fn block(&self) -> Block {
        self.block
    }

    pub(super) fn set_block(&mut self, block: Block) {
        self.block = block;
    }

    /// Reads a block's header; needs at most 320 bytes of input at hand. `None` where it contradicts the format.
    pub(super) fn header(&mut self, bits: &mut Bits) -> Option<()> {
        self.last = bits.take(1) == 1;
        match bits.take(2) {
            0 => {
                bits.align();
                let (len, complement) = (bits.take(16), bits.take(16));
                if len ^ complement != 0xffff {
                    return None;
                }
                self.block = Block::Stored(len as usize);
            }
            1 => {
                // RFC 1951, 3.2.6.
                let mut lengths = [8; 288];
                lengths[144..256].fill(9);
                lengths[256..280].fill(7);
                self.tables(&lengths, &[5; 32])?;
            }
            2 => self.dynamic(bits)?,
            _ => return None,
        }
        Some(())
    }

    fn tables(&mut self, literals: &[u8], distances: &[u8]) -> Option<()> {
        huffman::build(Alphabet::Literals, literals, LITERAL_BITS, &mut self.literals[..])?;
        huffman::build(Alphabet::Distances, distances, DISTANCE_BITS, &mut self.distances[..])?;
        self.block = Block::Codes;
        Some(())
    }

    /// RFC 1951, 3.2.7.
    fn dynamic(&mut self, bits: &mut Bits) -> Option<()> {
        const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
        let literals = bits.take(5) as usize + 257;
        let distances = bits.take(5) as usize + 1;
        let count = bits.take(4) as usize + 4;
        if literals > 286 || distances > 30 {
            return None;
        }
        let mut code_lengths = [0; 19];
        for place in ORDER.iter().take(count) {
            code_lengths[*place] = u8::try_from(bits.take(3)).ok()?;
        }
        let mut table = [0; 128];
        huffman::build(Alphabet::CodeLengths, &code_lengths, 7, &mut table)?;
        let mut lengths = [0_u8; 286 + 30];
        let mut at = 0;
        while at < literals + distances {
            let entry = table.get(bits.peek(7) as usize)?;
            bits.take(entry & 0xff);
            let symbol = u8::try_from(entry >> 16).ok()?;
            let (value, repeat) = match symbol {
                16 => (*lengths.get(at.checked_sub(1)?)?, 3 + bits.take(2)),
                17 => (0, 3 + bits.take(3)),
                18 => (0, 11 + bits.take(7)),
                length => (length, 1),
            };
            let end = at + repeat as usize;
            if end > literals + distances {
                return None;
            }
            lengths.get_mut(at..end)?.fill(value);
            at = end;
        }
        let (literals, rest) = lengths.split_at_checked(literals)?;
        // Without a code for its end, no block could ever be complete.
        if *literals.get(256)? == 0 {
            return None;
        }
        let (literals, distances) = (literals.to_vec(), rest.get(..distances)?.to_vec());
        self.tables(&literals, &distances)
    }

    /// Decodes until something stops it.
    pub(super) fn run(&mut self, bits: &mut Bits) -> Stop {
        match self.block {
            Block::Stored(left) => self.stored(bits, left),
            Block::Codes => self.codes(bits),
        }
    }

    fn stored(&mut self, bits: &mut Bits, mut left: usize) -> Stop {
        let room = (WINDOW + PIECE).saturating_sub(self.at);
        let input = bits.bytes(left.min(room));
        let end = self.at + input.len();
        if let Some(to) = self.out.get_mut(self.at..end) {
            to.copy_from_slice(input);
        }
        left -= input.len();
        self.at = end;
        self.block = Block::Stored(left);
        if left == 0 {
            Stop::Block
        } else if self.is_full() {
            Stop::Output
        } else {
            Stop::Input
        }
    }

    fn codes(&mut self, input: &mut Bits) -> Stop {
        const LITERAL_MASK: usize = (1 << LITERAL_BITS) - 1;
        const DISTANCE_MASK: usize = (1 << DISTANCE_BITS) - 1;
        let (literals, distances) = (&*self.literals, &*self.distances);
        let out = &mut self.out[..];
        let low = self.low;
        let mut at = self.at;
        let mut bits = input.register();
        let limit = input.limit();
        let stop = loop {
            if at >= WINDOW + PIECE {
                break Stop::Output;
            }
            if bits.pos >= limit {
                break Stop::Input;
            }
            bits.refill(input.buffer());
            // At least 56 bits: three literals of at most 11, or 15 and 5 for a length, 15 and 13 for a distance.
            let mut entry = literals[bits.low16() & LITERAL_MASK];
            if entry & LITERAL != 0 {
                at = put(out, at, entry);
                bits.drop(entry);
                entry = literals[bits.low16() & LITERAL_MASK];
                if entry & LITERAL != 0 {
                    at = put(out, at, entry);
                    bits.drop(entry);
                    entry = literals[bits.low16() & LITERAL_MASK];
                    if entry & LITERAL != 0 {
                        at = put(out, at, entry);
                        bits.drop(entry);
                        continue;
                    }
                }
                bits.refill(input.buffer());
            }
            if entry & SPECIAL != 0 {
                if entry & SUBTABLE != 0 {
                    bits.drop(entry);
                    entry = literals[sub(entry, bits.low16()) % LITERAL_ENTRIES];
                }
                if entry & LITERAL != 0 {
                    at = put(out, at, entry);
                    bits.drop(entry);
                    continue;
                }
                if entry & END != 0 {
                    bits.drop(entry);
                    break Stop::Block;
                }
                if entry & SPECIAL != 0 {
                    break Stop::Corrupt;
                }
            }
            let len = value(entry, &bits);
            bits.drop(entry);
            let mut entry = distances[bits.low16() & DISTANCE_MASK];
            if entry & SUBTABLE != 0 {
                bits.drop(entry);
                entry = distances[sub(entry, bits.low16()) % DISTANCE_ENTRIES];
            }
            if entry & SPECIAL != 0 {
                break Stop::Corrupt;
            }
            let distance = value(entry, &bits);
            bits.drop(entry);
            if distance > at - low {
                break Stop::Corrupt;
            }
            copy(out, at, distance, len);
            at += len;
        };
        input.set_register(&bits);
        self.at = at;
        stop
    }
}

/// Writes a literal and gives the next place.
#[inline]
fn put(out: &mut [u8], at: usize, entry: u32) -> usize {
    if let Some(slot) = out.get_mut(at) {
        *slot = entry.to_le_bytes()[2];
    }
    at + 1
}

/// Index in a second table.
#[inline]
fn sub(entry: u32, low: usize) -> usize {
    let bits = entry >> 8 & 0xf;
    (entry >> 16 & 0x3fff) as usize + (low & ((1 << bits) - 1))
}

/// Base value and the extra bits that follow the code.
#[inline]
fn value(entry: u32, bits: &super::bits::Register) -> usize {
    (entry >> 16) as usize + bits.extra(entry & 0xff, entry >> 8 & 0xf)
}

/// Copies a match. What lies up to 15 bytes behind it is overwritten too; it is not output yet.
#[inline]
fn copy(out: &mut [u8], at: usize, distance: usize, len: usize) {
    let from = at - distance;
    let Some(part) = out.get_mut(from..at + len + 16) else {
        return;
    };
    if distance >= 16 {
        let mut done = 0;
        while done < len {
            if let Some((source, target)) = part.get_mut(done..done + distance + 16).and_then(|both| {
                let (source, rest) = both.split_at_mut_checked(distance)?;
                Some((source.first_chunk::<16>()?, rest.first_chunk_mut::<16>()?))
            }) {
                *target = *source;
            }
            done += 16;
        }
    } else if distance == 1 {
        if let Some((byte, rest)) = part.split_first_mut()
            && let Some(target) = rest.get_mut(..len)
        {
            target.fill(*byte);
        }
    } else {
        for index in 0..len {
            part[index + distance] = part[index];
        }
    }
}
