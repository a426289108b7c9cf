//! The header of a hosted sparse extent (`SparseExtentHeader`), and the footer that takes its place in a stream.

use super::{SECTOR, corrupt, unknown_feature};
use crate::{
    Error, Kind, Result, Source,
    bytes::{has, le16, le32, le64},
    disk::check_virtual_size,
};

/// The header is one sector; its numbers end at 79.
const LEN: usize = 512;

/// `SPARSE_MAGICNUMBER`, "KDMV" in the file.
const MAGIC: &[u8] = b"KDMV";

/// `GD_AT_END`: the grain directory's place stands in the footer.
const GD_AT_END: u64 = u64::MAX;

/// Bits of `flags`. Who does not know one of the upper half must not read the file.
const NEWLINE_TEST: u32 = 1;
const ZEROED_GRAINS: u32 = 1 << 2;
const INCOMPATIBLE: u32 = 0xffff_0000;
const COMPRESSED: u32 = 1 << 16;
const MARKERS: u32 = 1 << 17;

/// `grainSize`: "must be a power of 2 and must be greater than 8" sectors, though 8 is seen as well. The upper limit is
/// ours, 2 MiB; VMware, VirtualBox and QEMU write 64 KiB.
const GRAIN_SECTORS: std::ops::RangeInclusive<u64> = 8..=4096;

/// `numGTEsPerGT` is 512; QEMU reads less, too.
const MAX_TABLE: u64 = 512;

/// Our limit for the grain directory: 8 MiB of 4-byte entries, for 64 TiB with grains of 64 KiB and 4 TiB with the
/// smallest. Bounds the time for a walk over tables that a small file can let overlap.
const MAX_DIRECTORY: u64 = 2 * 1024 * 1024;

/// What the reader needs of the header, checked.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Bytes, at most 64 TiB.
    pub(super) virtual_size: u64,
    /// Bytes, a power of two.
    pub(super) grain_size: u64,
    /// Entries of a grain table, 1 to 512.
    pub(super) table_entries: u64,
    /// Where the grain directory begins, in bytes.
    pub(super) directory: u64,
    /// Entries of the grain directory, at most 2 Mi.
    pub(super) directory_entries: u64,
    /// The entry 1 of a grain table means a grain of zeros.
    pub(super) zeroed_grains: bool,
    /// Grains are compressed, each behind its marker.
    pub(super) compressed: bool,
    /// Where the embedded descriptor begins, in sectors; 0 for none.
    pub(super) descriptor: u64,
}

impl Header {
    /// What can be told without the descriptor; the source begins with the magic.
    pub(super) fn read(source: &dyn Source) -> Result<Self> {
        let mut bytes = [0; LEN];
        if let Some(missing) = (LEN as u64).checked_sub(source.len()).filter(|missing| *missing > 0) {
            return Err(Error::new(Kind::Corrupt, "container_truncated").with("missing", missing));
        }
        source.read_at(&mut bytes, 0)?;
        let header = Self::parse(&bytes, 0)?;
        if le64(&bytes, 56) != GD_AT_END {
            return Ok(header);
        }
        let footer = footer(source)?;
        // "The footer takes precedence": it repeats the header, with the directory's place.
        let complete = Self::parse(&footer, source.len() - 2 * SECTOR)?;
        if complete.directory == GD_AT_END
            || complete
                != (Self {
                    directory: complete.directory,
                    descriptor: complete.descriptor,
                    ..header
                })
        {
            return Err(corrupt("footer", source.len() - 2 * SECTOR));
        }
        Ok(Self {
            directory: complete.directory,
            ..header
        })
    }

    /// The sector at `offset`, without a look at anything else.
    fn parse(bytes: &[u8], offset: u64) -> Result<Self> {
        let version = le32(bytes, 4);
        // Version 2 came with zeroed grains, version 3 with lists of changed blocks, which do not matter to a reader.
        if !(1..=3).contains(&version) {
            return Err(unknown_feature(format_args!("version {version}")));
        }
        let flags = le32(bytes, 8);
        let unknown = flags & INCOMPATIBLE & !(COMPRESSED | MARKERS);
        if unknown != 0 {
            return Err(unknown_feature(format_args!("flag {}", unknown.trailing_zeros())));
        }
        // singleEndLineChar to doubleEndLineChar2: other bytes stand there after a transfer as text.
        if flags & NEWLINE_TEST != 0 && !has(bytes, 73, b"\n \r\n") {
            return Err(corrupt("newlines", offset + 73));
        }
        let compressed = match le16(bytes, 77) {
            0 => false,
            // COMPRESSION_DEFLATE, the only one there is.
            1 => true,
            method => return Err(unknown_feature(format_args!("compression {method}"))),
        };
        if compressed != (flags & COMPRESSED != 0) {
            return Err(corrupt("compression", offset + 77));
        }
        if compressed && flags & MARKERS == 0 {
            return Err(unknown_feature("compressed_without_markers"));
        }
        let directory = match le64(bytes, 56) {
            GD_AT_END => GD_AT_END,
            sector => in_bytes(sector).ok_or_else(|| corrupt("grain_directory", offset + 56))?,
        };
        let mut header = Self {
            virtual_size: le64(bytes, 12).saturating_mul(SECTOR),
            grain_size: 0,
            table_entries: u64::from(le32(bytes, 44)),
            directory,
            directory_entries: 0,
            zeroed_grains: flags & ZEROED_GRAINS != 0,
            compressed,
            descriptor: if le64(bytes, 36) == 0 { 0 } else { le64(bytes, 28) },
        };
        check_virtual_size(header.virtual_size)?;
        let grain = le64(bytes, 20);
        if !grain.is_power_of_two() || !GRAIN_SECTORS.contains(&grain) {
            return Err(corrupt("grain_size", offset + 20));
        }
        header.grain_size = grain * SECTOR;
        if !(1..=MAX_TABLE).contains(&header.table_entries) {
            return Err(corrupt("table_entries", offset + 44));
        }
        header.directory_entries = header.virtual_size.div_ceil(header.covered());
        if header.directory_entries > MAX_DIRECTORY {
            return Err(corrupt("grain_directory", offset + 44));
        }
        Ok(header)
    }

    /// Bytes of the disk that one grain table is for.
    pub(super) fn covered(&self) -> u64 {
        self.grain_size * self.table_entries
    }

    /// Bytes of a grain table.
    pub(super) fn table_len(&self) -> u64 {
        4 * self.table_entries
    }
}

/// The disk's size in bytes, as an unchecked header says.
pub(super) fn capacity(header: &[u8]) -> Option<u64> {
    in_bytes(le64(header, 12))
}

/// The `createType` of an unchecked header without a descriptor.
pub(super) fn kind(header: &[u8]) -> &'static str {
    if le16(header, 77) == 1 {
        "streamOptimized"
    } else {
        "monolithicSparse"
    }
}

fn in_bytes(sector: u64) -> Option<u64> {
    sector.checked_mul(SECTOR)
}

/// The footer: "Stream-Optimized Compressed Sparse Extents" end with its marker, itself and the end-of-stream marker, a
/// sector each.
fn footer(source: &dyn Source) -> Result<[u8; LEN]> {
    const MARKER_FOOTER: u32 = 3;
    let len = source.len();
    let cut = |missing: u64| Error::new(Kind::Corrupt, "container_truncated").with("missing", missing);
    if !len.is_multiple_of(SECTOR) {
        return Err(cut(SECTOR - len % SECTOR));
    }
    let mut tail = [0; 3 * LEN];
    let start = len.checked_sub(tail.len() as u64).ok_or_else(|| cut(SECTOR))?;
    source.read_at(&mut tail, start)?;
    let mut footer = [0; LEN];
    footer.copy_from_slice(tail.get(LEN..2 * LEN).unwrap_or(&[0; LEN]));
    // A marker has a size at 8, 0 for all but grains, and its type at 12; the end of the stream is type 0 and sector 0.
    let end = tail.get(2 * LEN..).unwrap_or_default();
    let is_end = end.iter().take(16).all(|byte| *byte == 0);
    if is_end && le32(&tail, 8) == 0 && le32(&tail, 12) == MARKER_FOOTER && has(&footer, 0, MAGIC) {
        return Ok(footer);
    }
    // The end is filled up with zeros: where something else stands, it is the middle of the file.
    if end.iter().any(|byte| *byte != 0) {
        return Err(cut(SECTOR));
    }
    Err(corrupt("footer", start))
}
