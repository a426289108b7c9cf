//! Bits of a deflate stream, lowest first, out of a source that is read in large pieces.

use crate::{Result, Source};

/// Bytes read from the source at once.
const BUFFER: usize = 256 * 1024;

/// Zeros behind the end, so that the decoder may look ahead without a check for each symbol.
const PADDING: usize = 64;

/// Input that the decoder of symbols wants to have ahead: what one round of it may load.
const AHEAD: usize = 32;

/// The bits at hand, in a processor's register while symbols are decoded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Register {
    /// Index in the buffer of the next byte that is not counted yet.
    pub(super) pos: usize,
    bits: u64,
    count: u32,
}

impl Register {
    /// At least 56 (0x38) bits. Those above `count` may be there already; loading them again changes nothing.
    #[inline]
    pub(super) fn refill(&mut self, buffer: &[u8]) {
        if let Some(bytes) = buffer.get(self.pos..).and_then(|rest| rest.first_chunk::<8>()) {
            self.bits |= u64::from_le_bytes(*bytes) << self.count;
        }
        // Far behind the end there are only zeros, which need no loading.
        self.pos += ((63 - self.count) >> 3) as usize;
        self.count |= 0x38;
    }

    #[inline]
    pub(super) fn low16(&self) -> usize {
        let [first, second, ..] = self.bits.to_le_bytes();
        usize::from(u16::from_le_bytes([first, second]))
    }

    /// Drops as many bits as the lowest byte of a table's entry says.
    #[inline]
    pub(super) fn drop(&mut self, entry: u32) {
        let count = entry & 0xff;
        self.bits = self.bits.wrapping_shr(count);
        self.count = self.count.wrapping_sub(count);
    }

    /// The bits from `skip` to `end`: at most 13.
    #[inline]
    pub(super) fn extra(&self, end: u32, skip: u32) -> usize {
        let bits = (self.bits & !(u64::MAX.wrapping_shl(end))).wrapping_shr(skip);
        let [first, second, ..] = bits.to_le_bytes();
        usize::from(u16::from_le_bytes([first, second]))
    }
}

/// A source as bits.
pub(super) struct Bits {
    buffer: Box<[u8]>,
    /// Bytes of the buffer that come from the source.
    end: usize,
    /// Offset in the source of the byte behind them.
    next: u64,
    /// Nothing comes after them.
    is_all: bool,
    register: Register,
}

impl Bits {
    /// Starts at a bit of the source.
    pub(super) fn at(source: &dyn Source, bit: u64) -> Result<Self> {
        let mut bits = Self {
            buffer: vec![0; BUFFER + PADDING].into(),
            end: 0,
            next: 0,
            is_all: false,
            register: Register {
                pos: 0,
                bits: 0,
                count: 0,
            },
        };
        bits.seek(source, bit)?;
        Ok(bits)
    }

    /// Goes on at another bit of the source.
    pub(super) fn seek(&mut self, source: &dyn Source, bit: u64) -> Result<()> {
        self.end = 0;
        self.next = bit / 8;
        self.is_all = false;
        self.register = Register {
            pos: 0,
            bits: 0,
            count: 0,
        };
        self.fill(source)?;
        self.take(u32::try_from(bit % 8).unwrap_or(0));
        Ok(())
    }

    /// Position in the source, in bits.
    pub(super) fn position(&self) -> u64 {
        let bytes = self
            .next
            .saturating_add(self.register.pos as u64)
            .saturating_sub(self.end as u64);
        bytes.saturating_mul(8).saturating_sub(u64::from(self.register.count))
    }

    /// Were more bits used than the source has?
    pub(super) fn is_past_end(&self) -> bool {
        self.is_all && self.position() > self.next.saturating_mul(8)
    }

    /// Is every whole byte used?
    pub(super) fn is_at_end(&self) -> bool {
        self.is_all && self.position().div_ceil(8) >= self.next
    }

    /// Makes sure that at least 1 KiB is at hand, or all that is left.
    pub(super) fn fill(&mut self, source: &dyn Source) -> Result<()> {
        if self.is_all || self.end.saturating_sub(self.register.pos) >= 1024 {
            return Ok(());
        }
        // Up to eight bytes before `pos` are in the register and may go back, see `bytes`.
        let start = self.register.pos.saturating_sub(8).min(self.end);
        self.buffer.copy_within(start..self.end, 0);
        self.end -= start;
        self.register.pos -= start;
        let left = source.len().saturating_sub(self.next);
        let room = BUFFER - self.end;
        let len = usize::try_from(left).unwrap_or(usize::MAX).min(room);
        if let Some(part) = self.buffer.get_mut(self.end..self.end + len) {
            source.read_at(part, self.next)?;
        }
        self.end += len;
        self.next += len as u64;
        self.is_all = self.next >= source.len();
        if let Some(rest) = self.buffer.get_mut(self.end..) {
            rest.fill(0);
        }
        Ok(())
    }

    /// The next bits without taking them, at most 32.
    pub(super) fn peek(&mut self, count: u32) -> u32 {
        self.register.refill(&self.buffer);
        let [a, b, c, d, ..] = (self.register.bits & ((1 << count) - 1)).to_le_bytes();
        u32::from_le_bytes([a, b, c, d])
    }

    /// Takes up to 32 bits. Behind the end there are zeros; see [`Self::is_past_end`].
    pub(super) fn take(&mut self, count: u32) -> u32 {
        let value = self.peek(count);
        self.register.drop(count);
        value
    }

    /// Goes on to the next whole byte.
    pub(super) fn align(&mut self) {
        let odd = u32::try_from(self.position() % 8).unwrap_or(0);
        if odd > 0 {
            self.take(8 - odd);
        }
    }

    /// Up to `len` whole bytes that are at hand; the position must be at one.
    pub(super) fn bytes(&mut self, len: usize) -> &[u8] {
        // Bytes in the register go back into the buffer, where they still are.
        let back = (self.register.count / 8) as usize;
        let start = self.register.pos.saturating_sub(back).min(self.end);
        let end = self.end.min(start.saturating_add(len));
        self.register = Register {
            pos: end,
            bits: 0,
            count: 0,
        };
        self.buffer.get(start..end).unwrap_or_default()
    }

    pub(super) fn register(&self) -> Register {
        self.register
    }

    pub(super) fn set_register(&mut self, register: &Register) {
        self.register = *register;
    }

    pub(super) fn buffer(&self) -> &[u8] {
        &self.buffer
    }

    /// Place in the buffer from which on the decoder of symbols must stop and ask for more. At the source's end, it may
    /// run into the zeros behind it.
    pub(super) fn limit(&self) -> usize {
        if self.is_all {
            self.end + 8
        } else {
            self.end.saturating_sub(AHEAD)
        }
    }
}
