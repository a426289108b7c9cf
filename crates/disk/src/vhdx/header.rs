//! The header section of a VHDX file: the current one of the two headers, and the region table, each with its checksum.

use std::{fmt, ops::Range};

use crc32c::{crc32c, crc32c_append};

use super::{corrupt, features, read};
use crate::{
    Result, Source,
    bytes::{le16, le32, le64},
};

/// 1 MiB: the header section (2.1), and what offsets and lengths are multiples of (2.2.2, 2.2.3.2, 2.5.1).
pub(super) const MIB: u64 = 1 << 20;

/// "File Type Identifier" (2.2.1).
const IDENTIFIER: &[u8] = b"vhdxfile";

/// The two headers (2.2.2) and their length; the rest of each 64 KiB is reserved.
const HEADERS: [u64; 2] = [64 * 1024, 128 * 1024];
const HEADER_LEN: usize = 4096;

/// The two copies of the region table (2.2.3) and their length.
const REGION_TABLES: [u64; 2] = [192 * 1024, 256 * 1024];
const REGION_TABLE_LEN: usize = 64 * 1024;

/// Most entries of a region table or metadata table (2.2.3.1, 2.6.1.1).
pub(super) const MAX_ENTRIES: usize = 2047;

/// Known regions (2.2.3.2).
const BAT: Guid = Guid::new(0x2DC27766_F623_4200_9D64_115E9BFD4A08);
const METADATA: Guid = Guid::new(0x8B7CA206_4790_4B9A_B8FE_575F050F886E);

/// A GUID in its binary form: the first three groups are little-endian.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Guid([u8; 16]);

impl Guid {
    /// The log's when there is nothing to replay (2.2.2).
    pub(super) const ZERO: Self = Self([0; 16]);

    /// From the digits as they are written.
    pub(super) const fn new(digits: u128) -> Self {
        Self::swapped(digits.to_be_bytes())
    }

    const fn swapped(b: [u8; 16]) -> Self {
        Self([
            b[3], b[2], b[1], b[0], b[5], b[4], b[7], b[6], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15],
        ])
    }

    pub(super) fn at(bytes: &[u8], at: usize) -> Self {
        let found = bytes.get(at..).and_then(|rest| rest.first_chunk());
        Self(found.copied().unwrap_or([0; 16]))
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(Self::swapped(self.0).0))
    }
}

/// What the reader needs of the current header.
pub(super) struct Header {
    /// [`Guid::ZERO`] when the log is empty.
    pub(super) log_guid: Guid,
    pub(super) log_version: u16,
    /// Multiples of 1 MiB; not yet known to lie inside the file.
    pub(super) log: Range<u64>,
}

/// Is the signature there, and does the CRC-32C agree, with its own four bytes at 4 taken for zero?
fn is_sound(bytes: &[u8], signature: &[u8]) -> bool {
    bytes.split_at_checked(8).is_some_and(|(start, rest)| {
        let mut first = [0; 8];
        for (to, from) in first.iter_mut().zip(start.iter().take(4)) {
            *to = *from;
        }
        start.starts_with(signature) && le32(start, 4) == crc32c_append(crc32c(&first), rest)
    })
}

impl Header {
    /// The header that counts: the only valid one, or the one with the greater sequence number (2.2.2).
    pub(super) fn read(source: &dyn Source) -> Result<Self> {
        let identifier = read(source, "file_identifier", 0, IDENTIFIER.len())?;
        if identifier != IDENTIFIER {
            return Err(corrupt("file_identifier", 0));
        }
        let [first_at, second_at] = HEADERS;
        let first = read(source, "header", first_at, HEADER_LEN)?;
        let second = read(source, "header", second_at, HEADER_LEN)?;
        let sequence = |header: &[u8]| is_sound(header, b"head").then(|| le64(header, 8));
        let (at, current) = match (sequence(&first), sequence(&second)) {
            (None, None) => return Err(corrupt("header", first_at)),
            // Some of Microsoft's tools write the same header twice, as QEMU's block/vhdx.c tells.
            (Some(one), Some(other)) if one == other && first != second => return Err(corrupt("header", first_at)),
            (one, other) if one >= other => (first_at, first),
            _ => (second_at, second),
        };
        let version = le16(&current, 66);
        if version != 1 {
            return Err(features(format_args!("version {version}")));
        }
        let (len, start) = (u64::from(le32(&current, 68)), le64(&current, 72));
        if len > 0 && (!start.is_multiple_of(MIB) || start < MIB) || !len.is_multiple_of(MIB) {
            return Err(corrupt("log_offset", at));
        }
        Ok(Self {
            log_guid: Guid::at(&current, 48),
            log_version: le16(&current, 64),
            log: start..start.checked_add(len).ok_or_else(|| corrupt("log_offset", at))?,
        })
    }
}

/// Where things stand in the file. All ranges are multiples of 1 MiB and do not overlap.
#[derive(PartialEq, Eq)]
pub(super) struct Regions {
    pub(super) bat: Range<u64>,
    pub(super) metadata: Range<u64>,
    /// Everything that is no payload block, in order: header section, log, regions.
    pub(super) taken: Vec<Range<u64>>,
}

impl Regions {
    /// Reads the region table; one of its copies may be damaged. `source` is the file after the log's replay.
    pub(super) fn read(source: &dyn Source, log: Range<u64>) -> Result<Self> {
        let [first_at, second_at] = REGION_TABLES;
        let sound = |at| {
            let table = read(source, "region_table", at, REGION_TABLE_LEN)?;
            Ok(is_sound(&table, b"regi").then_some(table))
        };
        match (sound(first_at)?, sound(second_at)?) {
            (None, None) => Err(corrupt("region_table", first_at)),
            (Some(table), None) => Self::parse(&table, first_at, log),
            (None, Some(table)) => Self::parse(&table, second_at, log),
            (Some(first), Some(second)) => {
                let regions = Self::parse(&first, first_at, log.clone())?;
                // Another program could take the other copy, and read another disk.
                if regions != Self::parse(&second, second_at, log)? {
                    return Err(corrupt("region_table", second_at));
                }
                Ok(regions)
            }
        }
    }

    fn parse(table: &[u8], at: u64, log: Range<u64>) -> Result<Self> {
        let entries = usize::try_from(le32(table, 8)).unwrap_or(usize::MAX);
        if entries > MAX_ENTRIES {
            return Err(corrupt("region_table", at));
        }
        let (mut bat, mut metadata) = (None, None);
        let mut taken = vec![0..MIB, log];
        // Table and entries have a header of 16 and a length of 32 bytes (2.2.3.1, 2.2.3.2).
        for entry in table.get(16..).unwrap_or_default().chunks_exact(32).take(entries) {
            let (guid, start, len) = (Guid::at(entry, 0), le64(entry, 16), u64::from(le32(entry, 24)));
            let is_required = le32(entry, 28) & 1 != 0;
            let end = start.checked_add(len);
            let end = end.filter(|_| start.is_multiple_of(MIB) && len.is_multiple_of(MIB) && len > 0);
            let region = start..end.ok_or_else(|| corrupt("region", start))?;
            let known = match guid {
                BAT => Some(&mut bat),
                METADATA => Some(&mut metadata),
                _ => None,
            };
            match known {
                Some(known) if known.is_some() => return Err(corrupt("region_table", at)),
                Some(known) => *known = Some(region.clone()),
                None if is_required => return Err(features(format_args!("region {guid}"))),
                None => {}
            }
            taken.push(region);
        }
        taken.retain(|range| !range.is_empty());
        taken.sort_unstable_by_key(|range| (range.start, range.end));
        for pair in taken.windows(2) {
            if let [before, after] = pair
                && before.end > after.start
            {
                return Err(corrupt("region", after.start));
            }
        }
        match (bat, metadata) {
            (Some(bat), Some(metadata)) => Ok(Self { bat, metadata, taken }),
            _ => Err(corrupt("region_table", at)),
        }
    }

    /// Would a payload block at this place overlap anything else?
    pub(super) fn overlap(&self, block: &Range<u64>) -> bool {
        let next = self.taken.partition_point(|range| range.end <= block.start);
        self.taken.get(next).is_some_and(|range| range.start < block.end)
    }
}
