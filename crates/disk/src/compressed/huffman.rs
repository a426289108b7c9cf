//! Tables that turn the next bits of a deflate stream into a symbol with its base value and count of extra bits.

/// RFC 1951, 3.2.7: code lengths are 0 to 15.
const MAX_LENGTH: usize = 15;

/// An entry stands for a literal byte; its value is the byte.
pub(super) const LITERAL: u32 = 1 << 31;

/// An entry that is no literal, length or distance: one of [`SUBTABLE`], [`END`], or no code at all.
pub(super) const SPECIAL: u32 = 1 << 15;

/// The code is longer than the first lookup: the value is the index where its second table starts, the lowest byte the
/// bits to drop and the second byte the bits of that table's index.
pub(super) const SUBTABLE: u32 = 1 << 14;

/// End of block.
pub(super) const END: u32 = 1 << 13;

/// Bits of the first lookup for literals and lengths.
pub(super) const LITERAL_BITS: u32 = 11;

/// Bits of the first lookup for distances.
pub(super) const DISTANCE_BITS: u32 = 8;

/// Entries for all second tables too: 2,342 and 402 are the most that codes of 288 and 32 symbols need (zlib's
/// `enough.c` with these first lookups); rounded up so that a masked index needs no check.
pub(super) const LITERAL_ENTRIES: usize = 4096;
/// See [`LITERAL_ENTRIES`].
pub(super) const DISTANCE_ENTRIES: usize = 512;

/// RFC 1951, 3.2.5: base and extra bits of the length codes 257 to 285.
const LENGTHS: [(u32, u32); 29] = [
    (3, 0),
    (4, 0),
    (5, 0),
    (6, 0),
    (7, 0),
    (8, 0),
    (9, 0),
    (10, 0),
    (11, 1),
    (13, 1),
    (15, 1),
    (17, 1),
    (19, 2),
    (23, 2),
    (27, 2),
    (31, 2),
    (35, 3),
    (43, 3),
    (51, 3),
    (59, 3),
    (67, 4),
    (83, 4),
    (99, 4),
    (115, 4),
    (131, 5),
    (163, 5),
    (195, 5),
    (227, 5),
    (258, 0),
];

/// RFC 1951, 3.2.5: base and extra bits of the distance codes 0 to 29.
const DISTANCES: [(u32, u32); 30] = [
    (1, 0),
    (2, 0),
    (3, 0),
    (4, 0),
    (5, 1),
    (7, 1),
    (9, 2),
    (13, 2),
    (17, 3),
    (25, 3),
    (33, 4),
    (49, 4),
    (65, 5),
    (97, 5),
    (129, 6),
    (193, 6),
    (257, 7),
    (385, 7),
    (513, 8),
    (769, 8),
    (1025, 9),
    (1537, 9),
    (2049, 10),
    (3073, 10),
    (4097, 11),
    (6145, 11),
    (8193, 12),
    (12_289, 12),
    (16_385, 13),
    (24_577, 13),
];

/// Which alphabet a code is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alphabet {
    /// The code lengths of the other two; the value of an entry is the symbol.
    CodeLengths,
    /// Literals, end of block, lengths.
    Literals,
    /// Distances.
    Distances,
}

impl Alphabet {
    /// Flags and value in the upper half, extra bits in the lowest byte; 0 is no such symbol.
    fn symbol(self, symbol: usize) -> u32 {
        let number = u32::try_from(symbol).unwrap_or(0);
        let numbered =
            |table: &[(u32, u32)], index: usize| table.get(index).map_or(SPECIAL, |(base, extra)| base << 16 | extra);
        match self {
            Self::CodeLengths => number << 16,
            Self::Literals if symbol < 256 => LITERAL | number << 16,
            Self::Literals if symbol == 256 => SPECIAL | END,
            Self::Literals => numbered(&LENGTHS, symbol - 257),
            Self::Distances => numbered(&DISTANCES, symbol),
        }
    }
}

/// Builds the table of a code from its lengths, `None` where zlib would refuse it: too many codes; too few, but for a
/// single one of one bit (or none, for distances).
///
/// An entry holds in its lowest byte how many bits to drop with the extra bits, in the low four bits of its second byte
/// how many without.
pub(super) fn build(alphabet: Alphabet, lengths: &[u8], bits: u32, table: &mut [u32]) -> Option<()> {
    let mut counts = [0_u32; MAX_LENGTH + 1];
    for length in lengths {
        *counts.get_mut(usize::from(*length))? += 1;
    }
    counts[0] = 0;
    let mut left = 1_i64;
    let mut longest = 0;
    for (length, count) in counts.iter().enumerate().skip(1) {
        left = left * 2 - i64::from(*count);
        if left < 0 {
            return None;
        }
        if *count > 0 {
            longest = length;
        }
    }
    let first = 1_usize << bits;
    if left > 0 {
        let allowed = match alphabet {
            Alphabet::CodeLengths => false,
            Alphabet::Literals => longest == 1,
            Alphabet::Distances => longest <= 1,
        };
        if !allowed {
            return None;
        }
        table.get_mut(..first)?.fill(SPECIAL);
    }

    let mut next = [0_u32; MAX_LENGTH + 1];
    let mut offsets = [0_usize; MAX_LENGTH + 2];
    let mut code = 0;
    for length in 1..=MAX_LENGTH {
        next[length] = code;
        code = (code + counts[length]) << 1;
        offsets[length + 1] = offsets[length] + counts[length] as usize;
    }
    // Symbols by the length of their code, so that all codes of one second table come together.
    let mut sorted = [0_u16; 288];
    for (symbol, length) in lengths.iter().enumerate().filter(|(_, length)| **length > 0) {
        let offset = offsets.get_mut(usize::from(*length))?;
        *sorted.get_mut(*offset)? = u16::try_from(symbol).ok()?;
        *offset += 1;
    }
    let coded = counts.iter().sum::<u32>() as usize;

    let mut end = first;
    let mut prefix = None;
    let (mut sub_start, mut sub_bits) = (0_usize, 0_u32);
    for symbol in sorted.get(..coded)? {
        let symbol = usize::from(*symbol);
        let length = u32::from(*lengths.get(symbol)?);
        let slot = next.get_mut(length as usize)?;
        let reversed = (*slot).reverse_bits() >> (32 - length);
        *slot += 1;
        let plain = alphabet.symbol(symbol);
        let entry = |used: u32| {
            if plain & SPECIAL == 0 || plain & END != 0 {
                (plain + used) | used << 8
            } else {
                plain
            }
        };
        if length <= bits {
            for at in (reversed as usize..first).step_by(1 << length) {
                *table.get_mut(at)? = entry(length);
            }
        } else {
            let start = reversed as usize & (first - 1);
            if prefix != Some(start) {
                prefix = Some(start);
                sub_bits = length - bits;
                let mut used = *counts.get(length as usize)?;
                while used < 1 << sub_bits && bits + sub_bits < 15 {
                    sub_bits += 1;
                    used = (used << 1) + counts.get((bits + sub_bits) as usize)?;
                }
                sub_start = end;
                end += 1 << sub_bits;
                table.get_mut(sub_start..end)?.fill(SPECIAL);
                let pointer = u32::try_from(sub_start).ok()?;
                *table.get_mut(start)? = SPECIAL | SUBTABLE | pointer << 16 | sub_bits << 8 | bits;
            }
            let rest = length - bits;
            for at in (reversed as usize >> bits..1 << sub_bits).step_by(1 << rest) {
                *table.get_mut(sub_start + at)? = entry(rest);
            }
        }
        // What is left to be placed decides how large the next second table is.
        *counts.get_mut(length as usize)? -= 1;
    }
    Some(())
}
