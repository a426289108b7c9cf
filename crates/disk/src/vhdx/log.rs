//! The log of a VHDX file that was not closed: found, checked, and replayed in memory ([MS-VHDX] 2.3).

use std::ops::Range;

use crc32c::{crc32c, crc32c_append};

use super::{
    MAX_FILE, corrupt, features,
    header::{Guid, Header},
    overlay::{Overlay, SECTOR},
    read, truncated,
};
use crate::{
    Result, Source,
    bytes::{has, le32, le64},
};

/// Longest log that is replayed, held in memory meanwhile. QEMU writes logs of 1 MiB unless told otherwise.
const MAX_LOG: u64 = 32 << 20;

/// Bytes to checksum at most, in lengths of the log. An honest log needs less than three: each entry once, those at the
/// log's beginning once more, for a sequence that goes on there; overlapping entries could otherwise cost hours.
const MAX_CHECKED: usize = 4;

/// "Entry Header" and descriptors (2.3.1.1, 2.3.1.2).
const ENTRY_HEADER: usize = 64;
const DESCRIPTOR: usize = 32;

/// The log as a ring of sectors.
struct Log {
    bytes: Vec<u8>,
    guid: Guid,
    /// Sectors that may still be checked; `None` once they did not suffice.
    budget: Option<usize>,
}

/// A valid entry. Numbers are sectors of the ring.
#[derive(Debug, Clone)]
struct Entry {
    at: usize,
    len: usize,
    sequence: u64,
    /// Where the oldest entry stands that was not yet written to its place when this one was made.
    tail: usize,
    descriptors: usize,
    /// Bytes that the file had when the entry was written.
    flushed: u64,
    /// Bytes that hold all structures.
    last: u64,
}

enum Descriptor {
    Zeros(Range<u64>),
    /// One sector for this offset in the file; its first eight and last four bytes stand here.
    Data {
        at: u64,
        leading: [u8; 8],
        trailing: [u8; 4],
    },
}

/// What is to be changed in the file before anything but the header is read; nothing when it was closed.
///
/// # Errors
/// `vhdx_corrupt` when no sequence of entries is valid, `container_truncated` when the file is shorter than it was when
/// the newest entry was written (2.3.3), `vhdx_features` for a log of another version or over 32 MiB.
pub(super) fn replay(source: &dyn Source, header: &Header) -> Result<Overlay> {
    let mut overlay = Overlay::default();
    if header.log_guid == Guid::ZERO {
        return Ok(overlay);
    }
    if header.log_version != 0 {
        return Err(features(format_args!("log version {}", header.log_version)));
    }
    let Range { start, end } = header.log;
    let len = end.saturating_sub(start);
    if len > MAX_LOG {
        return Err(features(format_args!("log of {len} bytes")));
    }
    let bytes = read(source, "log", start, usize::try_from(len).unwrap_or(0))?;
    let mut log = Log {
        budget: (bytes.len() / SECTOR).checked_mul(MAX_CHECKED),
        bytes,
        guid: header.log_guid,
    };
    let sequence = log.active_sequence();
    // What was not looked at could be newer, and another program could find it.
    let head = sequence.last().filter(|_| log.budget.is_some());
    let head = head.ok_or_else(|| corrupt("log", start))?;
    if head.flushed > MAX_FILE || head.last > MAX_FILE {
        return Err(corrupt("log", start));
    }
    if let Some(missing) = head.flushed.checked_sub(source.len()).filter(|missing| *missing > 0) {
        return Err(truncated(missing));
    }
    for entry in &sequence {
        log.apply(entry, &mut overlay);
    }
    overlay.extend(head.last);
    Ok(overlay)
}

impl Log {
    fn sectors(&self) -> usize {
        self.bytes.len() / SECTOR
    }

    /// A sector by its number, counted on past the ring's end.
    fn sector(&self, number: usize) -> &[u8] {
        let at = number.checked_rem(self.sectors()).unwrap_or(0).saturating_mul(SECTOR);
        self.bytes.get(at..at.saturating_add(SECTOR)).unwrap_or_default()
    }

    /// The newest complete sequence, from its tail to its head; empty when there is none (2.3.3).
    fn active_sequence(&mut self) -> Vec<Entry> {
        let mut newest: Vec<Entry> = Vec::new();
        let mut at = 0;
        while at < self.sectors() {
            let mut sequence: Vec<Entry> = Vec::new();
            let mut len = 0_usize;
            while let Some(entry) = self.entry(at.saturating_add(len), sequence.last())
                && len.saturating_add(entry.len) <= self.sectors()
            {
                len = len.saturating_add(entry.len);
                sequence.push(entry);
            }
            if let Some(head) = sequence.last()
                && newest.last().is_none_or(|newest| head.sequence > newest.sequence)
                && let Some(tail) = sequence.iter().position(|entry| entry.at == head.tail)
            {
                newest = sequence.split_off(tail);
            }
            // No entry begins inside another, and what is no whole sequence has none in its latter part either.
            at = at.saturating_add(len.max(1));
        }
        newest
    }

    /// The entry that begins at this sector and, if given, follows the other one.
    fn entry(&mut self, at: usize, after: Option<&Entry>) -> Option<Entry> {
        let header = self.sector(at);
        let bytes = |field: usize| usize::try_from(le32(header, field)).ok();
        let entry = Entry {
            at: at.checked_rem(self.sectors())?,
            len: bytes(8).filter(|len| len.is_multiple_of(SECTOR))? / SECTOR,
            tail: bytes(12).filter(|tail| tail.is_multiple_of(SECTOR))? / SECTOR,
            sequence: le64(header, 16),
            descriptors: bytes(24)?,
            flushed: le64(header, 48),
            last: le64(header, 56),
        };
        let is_entry = has(header, 0, b"loge")
            && Guid::at(header, 32) == self.guid
            && (1..=self.sectors()).contains(&entry.len)
            && entry.tail < self.sectors()
            && entry.sequence > 0
            && after.is_none_or(|after| after.sequence.checked_add(1) == Some(entry.sequence));
        if !is_entry {
            return None;
        }
        self.budget = self.budget?.checked_sub(entry.len);
        self.budget?;
        (self.has_checksum(&entry) && self.has_descriptors(&entry)).then_some(entry)
    }

    /// CRC-32C over the entry, with its own four bytes at 4 taken for zero.
    fn has_checksum(&self, entry: &Entry) -> bool {
        let Some((start, rest)) = self.sector(entry.at).split_at_checked(8) else {
            return false;
        };
        let mut crc = crc32c(start.get(..4).unwrap_or_default());
        crc = crc32c_append(crc32c_append(crc, &[0; 4]), rest);
        for number in 1..entry.len {
            crc = crc32c_append(crc, self.sector(entry.at.saturating_add(number)));
        }
        crc == le32(start, 4)
    }

    /// Is each descriptor sound, and is there a sound data sector for each that needs one?
    fn has_descriptors(&self, entry: &Entry) -> bool {
        let Some(mut data) = entry.data_sectors() else {
            return false;
        };
        (0..entry.descriptors).all(|index| match self.descriptor(entry, index) {
            None => false,
            Some(Descriptor::Zeros(_)) => true,
            Some(Descriptor::Data { .. }) => data.next().is_some_and(|number| {
                let sector = self.sector(number);
                let sequence = u64::from(le32(sector, 4)) << 32 | u64::from(le32(sector, SECTOR - 4));
                has(sector, 0, b"data") && sequence == entry.sequence
            }),
        })
    }

    fn descriptor(&self, entry: &Entry, index: usize) -> Option<Descriptor> {
        let at = index.checked_mul(DESCRIPTOR)?.checked_add(ENTRY_HEADER)?;
        let sector = self.sector(entry.at.checked_add(at / SECTOR)?);
        let descriptor = sector.get(at % SECTOR..)?.get(..DESCRIPTOR)?;
        let (length, offset) = (le64(descriptor, 8), le64(descriptor, 16));
        let is_aligned = |number: u64| number.is_multiple_of(SECTOR as u64);
        if le64(descriptor, 24) != entry.sequence || !is_aligned(offset) || offset >= MAX_FILE {
            return None;
        }
        if has(descriptor, 0, b"desc") {
            return Some(Descriptor::Data {
                at: offset,
                leading: *descriptor.get(8..)?.first_chunk()?,
                trailing: *descriptor.get(4..)?.first_chunk()?,
            });
        }
        let end = offset.checked_add(length).filter(|end| *end <= MAX_FILE)?;
        (has(descriptor, 0, b"zero") && is_aligned(length)).then_some(Descriptor::Zeros(offset..end))
    }

    /// The entry has been found valid.
    fn apply(&self, entry: &Entry, overlay: &mut Overlay) {
        let mut data = entry.data_sectors().into_iter().flatten();
        for index in 0..entry.descriptors {
            match self.descriptor(entry, index) {
                Some(Descriptor::Zeros(range)) => overlay.zero(range.start, range.end),
                Some(Descriptor::Data { at, leading, trailing }) => {
                    let sector = data.next().map(|number| self.sector(number));
                    let Some(mut sector) = sector.and_then(|sector| sector.first_chunk().copied()).map(Box::new) else {
                        return;
                    };
                    if let Some(first) = sector.first_chunk_mut() {
                        *first = leading;
                    }
                    if let Some(last) = sector.last_chunk_mut() {
                        *last = trailing;
                    }
                    overlay.write(at, sector);
                }
                None => return,
            }
        }
    }
}

impl Entry {
    /// Numbers of the sectors after the descriptors; `None` when the descriptors alone need more than the entry has.
    fn data_sectors(&self) -> Option<Range<usize>> {
        let descriptors = self.descriptors.checked_mul(DESCRIPTOR)?.checked_add(ENTRY_HEADER)?;
        let first = descriptors.div_ceil(SECTOR);
        (first <= self.len).then(|| self.at.saturating_add(first)..self.at.saturating_add(self.len))
    }
}
