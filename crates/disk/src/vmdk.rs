//! VMDK, read-only: sparse disks in one file (monolithicSparse, streamOptimized). No other file is ever opened.
//! References are to VMware's Virtual Disk Format 5.0 (technical note).

mod descriptor;
mod header;

use std::{fmt, ops::Range, sync::Arc};

use self::{descriptor::Descriptor, header::Header};
use crate::{
    Error, ExtentKind, Kind, Result, Source,
    bytes::{has, le32, le64},
    codec::Method,
    disk::Reader,
    lru::Lru,
};

/// All offsets and sizes in the file are in sectors of 512 bytes ("Layout Basics").
const SECTOR: u64 = 512;

/// Grain tables that are read as one where they follow each other in the file: 64 KiB for 1 GiB of disk with grains of
/// 64 KiB. So many runs of them are kept, 16 MiB.
const RUN: usize = 32;
const CACHED_RUNS: usize = 256;

/// Memory for decompressed grains, in bytes.
const CACHE: u64 = 16 * 1024 * 1024;

/// "Grain Marker": the grain's first sector on the disk (8 bytes) and the length of the compressed data (4 bytes).
const MARKER: u64 = 12;

/// Grain tables that the check for missing bytes reads at once: 1 MiB.
const TABLES_AT_ONCE: usize = 512;

/// Where an embedded descriptor begins, in sectors: behind the header. QEMU looks for it nowhere else.
const DESCRIPTOR: u64 = 1;

/// An open VMDK file.
pub(crate) struct Vmdk {
    source: Arc<dyn Source>,
    header: Header,
    /// Grain directory: the sector of each grain table, 0 where nothing is allocated. The redundant one is for repair.
    directory: Box<[u32]>,
    tables: Lru<Arc<[u32]>>,
    grains: Lru<Arc<[u8]>>,
}

/// Where the bytes of a grain are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mapping {
    Unallocated,
    Zero,
    /// Offset in the file.
    Data(u64),
    /// Offset of the marker in the file.
    Compressed(u64),
}

/// A part of the virtual disk that can be read in one go.
struct Span {
    mapping: Mapping,
    /// Bytes, never 0.
    len: u64,
    /// For a compressed grain: where the next one on the disk has its marker.
    next: Option<u64>,
}

impl Mapping {
    fn kind(self) -> ExtentKind {
        match self {
            Self::Unallocated => ExtentKind::Unallocated,
            Self::Zero => ExtentKind::Zero,
            Self::Data(_) | Self::Compressed(_) => ExtentKind::Data,
        }
    }
}

/// Can the next grain be read together with the first, which begins `len` bytes before it?
fn follows(first: Mapping, len: u64, next: Mapping) -> bool {
    match first {
        Mapping::Data(host) => next == Mapping::Data(host.saturating_add(len)),
        Mapping::Compressed(_) => false,
        Mapping::Unallocated | Mapping::Zero => next == first,
    }
}

fn corrupt(what: &'static str, offset: u64) -> Error {
    Error::new(Kind::Corrupt, "vmdk_corrupt")
        .with("what", what)
        .with("offset", offset)
}

fn unknown_feature(feature: impl fmt::Display) -> Error {
    Error::new(Kind::Incompatible, "vmdk_features").with("feature", feature)
}

fn truncated(missing: u64) -> Error {
    Error::new(Kind::Corrupt, "container_truncated").with("missing", missing)
}

/// Space-efficient sparse extents of ESXi are not documented; these are the magic and version that QEMU reads.
fn is_se_sparse(head: &[u8]) -> bool {
    le64(head, 0) == 0xcafe_babe && le64(head, 8) == 0x2_0000_0001
}

/// What [`identify`](crate::identify()) tells of a VMDK file from its first bytes: its `createType` and the disk's size.
pub(crate) fn describe(head: &[u8]) -> Option<(Option<String>, Option<u64>)> {
    if has(head, 0, b"KDMV") {
        let start = usize::try_from(DESCRIPTOR * SECTOR).unwrap_or(usize::MAX);
        let create_type = head.get(start..).and_then(|bytes| Descriptor::parse(bytes).create_type);
        let variant = create_type.unwrap_or_else(|| header::kind(head).to_owned());
        return Some((Some(variant), header::capacity(head)));
    }
    // COWDisk_Header: sectors at 12.
    if has(head, 0, b"COWD") {
        let size = u64::from(le32(head, 12)) * SECTOR;
        return Some((Some("vmfsSparse".to_owned()), Some(size)));
    }
    // Capacity in sectors at 16.
    if is_se_sparse(head) {
        return Some((Some("seSparse".to_owned()), le64(head, 16).checked_mul(SECTOR)));
    }
    // How large the disk of a descriptor is, its extents say; they are not looked for.
    descriptor::is_descriptor(head).then(|| (Descriptor::parse(head).create_type, None))
}

impl Vmdk {
    pub(crate) fn open(source: Arc<dyn Source>) -> Result<Self> {
        let head = read_up_to(&*source, 0, SECTOR)?;
        if has(&head, 0, b"COWD") {
            return Err(unknown_feature("vmfsSparse"));
        }
        if is_se_sparse(&head) {
            return Err(unknown_feature("seSparse"));
        }
        if !has(&head, 0, b"KDMV") {
            return Err(elsewhere(&*source));
        }
        let header = Header::read(&*source)?;
        check_descriptor(&*source, &header)?;
        let cached = usize::try_from(CACHE / header.grain_size).unwrap_or(1);
        let mut vmdk = Self {
            source,
            header,
            directory: Box::default(),
            tables: Lru::new(CACHED_RUNS),
            grains: Lru::new(cached),
        };
        // Bounded by `Header::read`: at most 8 MiB.
        let len = 4 * vmdk.header.directory_entries;
        vmdk.check_inside("grain_directory", vmdk.header.directory, len)?;
        vmdk.directory = vmdk.read_entries(vmdk.header.directory, len)?;
        Ok(vmdk)
    }

    /// A table of numbers; the caller has bounded `len` and found it inside the file.
    fn read_entries(&self, offset: u64, len: u64) -> Result<Box<[u32]>> {
        let bytes = read_up_to(&*self.source, offset, len)?;
        let entries = bytes.as_chunks::<4>().0.iter();
        Ok(entries.map(|entry| u32::from_le_bytes(*entry)).collect())
    }

    /// Tells a file that was cut off from a reference to nowhere: a reference that a whole file of this disk could hold
    /// is taken for a cut.
    fn check_inside(&self, what: &'static str, offset: u64, len: u64) -> Result<()> {
        let end = offset.checked_add(len).ok_or_else(|| corrupt(what, offset))?;
        match end.checked_sub(self.source.len()) {
            None | Some(0) => Ok(()),
            Some(missing) if end <= self.plausible_end() => Err(truncated(missing)),
            Some(_) => Err(corrupt(what, offset)),
        }
    }

    /// Twice the disk (grains that compression made longer), and tables.
    fn plausible_end(&self) -> u64 {
        const TABLES: u64 = 64 * 1024 * 1024;
        self.header
            .virtual_size
            .saturating_mul(2)
            .saturating_add(TABLES)
            .max(self.source.len())
    }

    /// The grain tables around one of the directory that follow each other in the file, by their indices.
    fn run_of_tables(&self, index: usize) -> Range<usize> {
        let alone = index..index.saturating_add(1);
        let len = self.header.table_len();
        if !len.is_multiple_of(SECTOR) {
            return alone;
        }
        let start = index - index % RUN;
        let tables = self.directory.get(start..).unwrap_or_default();
        let tables = tables.get(..tables.len().min(RUN)).unwrap_or_default();
        // All of the run stands in the file, so that a table behind a cut does not take the others with it.
        let follows = |a: &u32, b: &u32| {
            let end = u64::from(*b) * SECTOR + len;
            *a != 0 && u64::from(*a) * SECTOR + len == u64::from(*b) * SECTOR && end <= self.source.len()
        };
        let mut first = start;
        for run in tables.chunk_by(follows) {
            let range = first..first.saturating_add(run.len());
            if range.contains(&index) {
                return range;
            }
            first = range.end;
        }
        alone
    }

    /// The entries for an offset of the disk and for what follows it, as far as one run of grain tables goes; `None`
    /// where the directory has no table.
    fn entries(&self, at: u64) -> Result<Option<(Arc<[u32]>, usize)>> {
        let covered = self.header.covered();
        let index = usize::try_from(at / covered).unwrap_or(usize::MAX);
        // The directory has an entry for every offset below the virtual size.
        if self.directory.get(index).is_none_or(|sector| *sector == 0) {
            return Ok(None);
        }
        let run = self.run_of_tables(index);
        let sector = u64::from(self.directory.get(run.start).copied().unwrap_or(0));
        let skipped = (index - run.start) as u64 * self.header.table_entries + at % covered / self.header.grain_size;
        let skipped = usize::try_from(skipped).unwrap_or(usize::MAX);
        // A run is told by its first sector and its length, which is at most `RUN`.
        let key = sector << 8 | run.len() as u64;
        if let Some(entries) = self.tables.get(key) {
            return Ok(Some((entries, skipped)));
        }
        let len = self.header.table_len() * run.len() as u64;
        self.check_inside("grain_table", sector * SECTOR, len)?;
        let entries: Arc<[u32]> = self.read_entries(sector * SECTOR, len)?.into();
        self.tables.put(key, Arc::clone(&entries));
        Ok(Some((entries, skipped)))
    }

    fn mapping(&self, entry: u32) -> Result<Mapping> {
        let host = u64::from(entry) * SECTOR;
        match entry {
            0 => Ok(Mapping::Unallocated),
            // "Zeroed-Grain Table Entry"; otherwise the header's neighbour, where no grain can be.
            1 if self.header.zeroed_grains => Ok(Mapping::Zero),
            1 => Err(corrupt("grain", host)),
            _ if self.header.compressed => Ok(Mapping::Compressed(host)),
            _ => Ok(Mapping::Data(host)),
        }
    }

    /// What stands at an offset of the disk, and how far it goes on within one run of grain tables: until `wanted` bytes
    /// are reached or the next grain does not join the first.
    fn span(&self, at: u64, wanted: u64, joins: impl Fn(Mapping, u64, Mapping) -> bool) -> Result<Span> {
        let Some((entries, first)) = self.entries(at)? else {
            return Ok(self.hole(at, wanted));
        };
        let size = self.header.grain_size;
        let within = at % size;
        let mut entries = entries.get(first..).unwrap_or_default().iter();
        let mapping = match self.mapping(entries.next().copied().unwrap_or(0))? {
            Mapping::Data(host) => Mapping::Data(host.saturating_add(within)),
            other => other,
        };
        let next = entries.as_slice().first().map(|entry| u64::from(*entry) * SECTOR);
        let mut len = size - within;
        for entry in entries {
            // A bad entry is the next span's business.
            if len >= wanted || !self.mapping(*entry).is_ok_and(|next| joins(mapping, len, next)) {
                break;
            }
            len += size;
        }
        Ok(Span { mapping, len, next })
    }

    /// What the directory has no tables for, until `wanted` bytes are reached.
    fn hole(&self, at: u64, wanted: u64) -> Span {
        let covered = self.header.covered();
        let index = usize::try_from(at / covered).unwrap_or(usize::MAX);
        let behind = self.directory.get(index.saturating_add(1)..).unwrap_or_default();
        let mut len = covered - at % covered;
        for sector in behind {
            if len >= wanted || *sector != 0 {
                break;
            }
            len = len.saturating_add(covered);
        }
        Span {
            mapping: Mapping::Unallocated,
            len,
            next: None,
        }
    }

    /// The compressed data of the grain that begins at `at` on the disk and has its marker at `host` in the file.
    /// `next` is where the next grain's marker is, mostly the end of this one.
    fn stored(&self, host: u64, at: u64, next: Option<u64>) -> Result<Vec<u8>> {
        let longest = MARKER + self.longest_data();
        let guess = next.and_then(|next| next.checked_sub(host)).unwrap_or(longest);
        self.check_inside("grain_marker", host, MARKER)?;
        let mut bytes = read_up_to(&*self.source, host, guess.clamp(SECTOR, longest))?;
        if le64(&bytes, 0) != at / SECTOR {
            return Err(corrupt("grain_marker", host));
        }
        let len = MARKER + self.data_len(host, &bytes)?;
        if let Some(rest) = len.checked_sub(bytes.len() as u64).filter(|rest| *rest > 0) {
            self.check_inside("grain", host, len)?;
            bytes.extend(read_up_to(
                &*self.source,
                host.saturating_add(bytes.len() as u64),
                rest,
            )?);
        }
        bytes.truncate(usize::try_from(len).unwrap_or(usize::MAX));
        Ok(bytes)
    }

    /// The length of the compressed data from its marker.
    fn data_len(&self, host: u64, marker: &[u8]) -> Result<u64> {
        let len = u64::from(le32(marker, 8));
        // 0 is the marker of a table, not of a grain.
        if len == 0 || len > self.longest_data() {
            return Err(corrupt("grain_marker", host));
        }
        Ok(len)
    }

    /// QEMU reads up to two grains for one.
    fn longest_data(&self) -> u64 {
        2 * self.header.grain_size
    }

    /// Unpacks the grain at `host` into `grain`, which is as long as a whole one. Nothing is locked meanwhile.
    fn decompress(&self, host: u64, at: u64, next: Option<u64>, grain: &mut [u8]) -> Result<()> {
        let bytes = self.stored(host, at, next)?;
        let data = bytes.get(usize::try_from(MARKER).unwrap_or(0)..).unwrap_or_default();
        let len = Method::Zlib
            .decompress(data, grain)
            .ok_or_else(|| corrupt("compressed_grain", host))?;
        // The disk's last grain may be stored as far as the disk goes.
        let left = self.header.virtual_size.saturating_sub(at);
        if (len as u64) < self.header.grain_size.min(left) {
            return Err(corrupt("compressed_grain", host));
        }
        Ok(())
    }

    /// Fills `part` from `at` on the disk, all within the compressed grain at `host`.
    fn read_compressed(&self, host: u64, at: u64, next: Option<u64>, part: &mut [u8]) -> Result<()> {
        let within = at % self.header.grain_size;
        let first = at - within;
        let size = usize::try_from(self.header.grain_size).map_err(|_| corrupt("grain", host))?;
        if part.len() == size {
            // Read through to the end: no one will ask for it again.
            return self.decompress(host, first, next, part);
        }
        let grain = if let Some(grain) = self.grains.get(first) {
            grain
        } else {
            let mut bytes = vec![0; size];
            self.decompress(host, first, next, &mut bytes)?;
            let grain: Arc<[u8]> = bytes.into();
            self.grains.put(first, Arc::clone(&grain));
            grain
        };
        let start = usize::try_from(within).unwrap_or(usize::MAX);
        let bytes = grain.get(start..start.saturating_add(part.len()));
        part.copy_from_slice(bytes.ok_or_else(|| corrupt("compressed_grain", host))?);
        Ok(())
    }
}

impl Reader for Vmdk {
    fn virtual_size(&self) -> u64 {
        self.header.virtual_size
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<()> {
        let mut done = 0;
        while let Some(rest) = buf.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let at = offset.saturating_add(done as u64);
            let span = self.span(at, rest.len() as u64, follows)?;
            let len = usize::try_from(span.len).unwrap_or(usize::MAX).min(rest.len());
            let Some(part) = rest.get_mut(..len) else { break };
            match span.mapping {
                Mapping::Unallocated | Mapping::Zero => part.fill(0),
                Mapping::Data(host) => {
                    self.check_inside("grain", host, len as u64)?;
                    self.source.read_at(part, host)?;
                }
                Mapping::Compressed(host) => self.read_compressed(host, at, span.next, part)?,
            }
            done = done.saturating_add(len);
        }
        Ok(())
    }

    fn run_at(&self, offset: u64) -> Result<(ExtentKind, u64)> {
        let span = self.span(offset, u64::MAX, |first, _, next| first.kind() == next.kind())?;
        Ok((span.mapping.kind(), span.len))
    }

    /// See [`Disk::missing_bytes`](crate::Disk::missing_bytes). Each table is read once, however often it is referred
    /// to. Grains do not overlap, so of the compressed ones that begin in the file only the last can be cut off: one
    /// marker is read to know its length.
    fn missing_bytes(&self) -> Result<u64> {
        let available = self.source.len();
        let mut end = available;
        let mut last_marker = 0;
        let mut sectors: Vec<(u32, u32)> = (0..)
            .zip(&self.directory)
            .filter(|(_, sector)| **sector != 0)
            .map(|(index, sector)| (*sector, index))
            .collect();
        sectors.sort_unstable();
        sectors.dedup_by_key(|(sector, _)| *sector);
        let stride = self.header.table_len().div_ceil(SECTOR);
        let follows = |a: &(u32, u32), b: &(u32, u32)| u64::from(b.0 - a.0) == stride;
        for neighbours in sectors.chunk_by(follows) {
            for group in neighbours.chunks(TABLES_AT_ONCE) {
                end = end.max(self.end_of_group(group, &mut last_marker)?);
            }
        }
        if last_marker != 0 {
            let marker = read_up_to(&*self.source, last_marker, MARKER)?;
            end = end.max(last_marker + MARKER + self.data_len(last_marker, &marker)?);
        }
        Ok(end - available)
    }
}

impl Vmdk {
    /// Where the furthest grain ends that these tables, which follow each other in the file, refer to. `last_marker` is
    /// the furthest marker that stands in the file.
    fn end_of_group(&self, group: &[(u32, u32)], last_marker: &mut u64) -> Result<u64> {
        let (table_len, size) = (self.header.table_len(), self.header.grain_size);
        let stride = table_len.next_multiple_of(SECTOR);
        let start = group.first().map_or(0, |(sector, _)| u64::from(*sector) * SECTOR);
        let bytes = read_up_to(&*self.source, start, stride * group.len() as u64)?;
        let mut tables = bytes.chunks(usize::try_from(stride).unwrap_or(usize::MAX));
        let mut end = 0;
        for (sector, index) in group {
            let offset = u64::from(*sector) * SECTOR;
            let table = tables.next().unwrap_or_default();
            if (table.len() as u64) < table_len {
                // What the table referred to is not known.
                end = end.max(self.plausible("grain_table", offset, table_len)?);
                continue;
            }
            let first = u64::from(*index) * self.header.covered();
            let entries = table.as_chunks::<4>().0.iter();
            for (number, entry) in (0..self.header.table_entries).zip(entries) {
                let left = self.header.virtual_size.saturating_sub(first + number * size);
                if left == 0 {
                    break;
                }
                match self.mapping(u32::from_le_bytes(*entry))? {
                    // Of the disk's last grain, only what belongs to the disk is ever read.
                    Mapping::Data(host) => end = end.max(self.plausible("grain", host, size.min(left))?),
                    Mapping::Compressed(host) if host + MARKER <= self.source.len() => {
                        *last_marker = host.max(*last_marker);
                    }
                    // At least a sector is missing there.
                    Mapping::Compressed(host) => end = end.max(self.plausible("grain", host, SECTOR)?),
                    Mapping::Unallocated | Mapping::Zero => {}
                }
            }
        }
        Ok(end)
    }

    /// The end of a reference, if a whole file of this disk could hold it.
    fn plausible(&self, what: &'static str, offset: u64, len: u64) -> Result<u64> {
        let end = offset.saturating_add(len);
        if end > self.plausible_end() {
            return Err(corrupt(what, offset));
        }
        Ok(end)
    }
}

/// `len` bytes from `offset`, or less where the source ends.
fn read_up_to(source: &dyn Source, offset: u64, len: u64) -> Result<Vec<u8>> {
    let len = source.len().saturating_sub(offset).min(len);
    let mut bytes = vec![0; usize::try_from(len).map_err(|_| corrupt("table", offset))?];
    if !bytes.is_empty() {
        source.read_at(&mut bytes, offset)?;
    }
    Ok(bytes)
}

/// A sparse file must describe itself as the whole disk, on top of nothing.
fn check_descriptor(source: &dyn Source, header: &Header) -> Result<()> {
    match header.descriptor {
        DESCRIPTOR => {}
        // "The Descriptor File": a sparse extent without one is part of a disk that is described elsewhere.
        0 => return Err(Error::new(Kind::Refused, "vmdk_part")),
        sector => return Err(unknown_feature(format_args!("descriptor in sector {sector}"))),
    }
    let text = read_up_to(source, SECTOR, descriptor::MAX_LEN)?;
    if text.first() == Some(&0) {
        // QEMU leaves a place for it even there.
        return Err(Error::new(Kind::Refused, "vmdk_part"));
    }
    let descriptor = Descriptor::parse(&text);
    refuse_parent(&descriptor)?;
    let itself = |kind: &str| {
        let own = ["monolithicSparse", "streamOptimized"];
        own.iter().any(|name| kind.eq_ignore_ascii_case(name))
    };
    let whole = descriptor.create_type.as_deref().is_none_or(itself);
    // One sparse extent is this file, by whatever name it went when it was made.
    let own = usize::from(whole && descriptor.extents.first().is_some_and(|extent| extent.kind == "SPARSE"));
    match descriptor.extents.get(own) {
        Some(extent) => Err(foreign_extent(extent.file.as_deref())),
        None if !whole => Err(foreign_extent(None)),
        None if header.virtual_size == 0 => Err(corrupt("capacity", 12)),
        None => Ok(()),
    }
}

/// Why a descriptor in a file of its own cannot be read: the disk is in other files.
fn elsewhere(source: &dyn Source) -> Error {
    let descriptor = match read_up_to(source, 0, descriptor::MAX_LEN) {
        Ok(bytes) => Descriptor::parse(&bytes),
        Err(error) => return error,
    };
    if let Err(error) = refuse_parent(&descriptor) {
        return error;
    }
    let mut files = descriptor.extents.iter().filter_map(|extent| extent.file.as_deref());
    files
        .next()
        .map_or_else(|| corrupt("descriptor", 0), |file| foreign_extent(Some(file)))
}

fn refuse_parent(descriptor: &Descriptor) -> Result<()> {
    match &descriptor.parent {
        None => Ok(()),
        Some(file) => Err(Error::new(Kind::Refused, "vmdk_parent").with("file", file)),
    }
}

fn foreign_extent(file: Option<&str>) -> Error {
    Error::new(Kind::Refused, "vmdk_foreign_extent").with("extent", file.unwrap_or("?"))
}
