//! qcow2, versions 2 and 3, read-only: the active layer of one file. References are to QEMU's docs/interop/qcow2.rst.

mod compressed;
mod header;

use std::{ops::Range, sync::Arc};

use self::header::Header;
use crate::{Error, ExtentKind, Kind, Note, Result, Source, codec::Method, disk::Reader, lru::Lru};

/// Memory for L2 tables and for decompressed clusters, in bytes each; one of a size above it is still kept.
const CACHE: u64 = 16 * 1024 * 1024;

/// Entries of a cache at most, however small the clusters are.
const MAX_CACHED: u64 = 1024;

/// "L1 table entry" and "Standard Cluster Descriptor": bits 9 to 55 are the offset.
const OFFSET_MASK: u64 = 0x00ff_ffff_ffff_fe00;

/// "L2 table entry": bit 62, a compressed cluster.
const COMPRESSED: u64 = 1 << 62;

/// "Standard Cluster Descriptor": bit 0, reads as zeros.
const ZERO: u64 = 1;

/// "Subcluster Allocation Bitmap": bits 0 to 31 say which subclusters are allocated.
const ALL_ALLOCATED: u64 = 0xffff_ffff;

/// "Extended L2 Entries": subclusters of a cluster.
const SUBCLUSTERS: usize = 32;

/// An open qcow2 file.
pub(crate) struct Qcow2 {
    source: Arc<dyn Source>,
    header: Header,
    /// As many entries of the active L1 table as the virtual size needs.
    l1: Box<[u64]>,
    tables: Lru<Arc<[u64]>>,
    clusters: Lru<Arc<[u8]>>,
}

/// Where the bytes of a guest cluster, or subcluster, are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mapping {
    Unallocated,
    Zero,
    /// Offset in the file.
    Data(u64),
    /// Offset in the file and bytes of whole sectors up to the last one that the compressed data may use.
    Compressed(u64, u64),
}

/// A part of the virtual disk that can be read in one go.
struct Span {
    mapping: Mapping,
    /// Bytes, never 0.
    len: u64,
}

impl Mapping {
    fn kind(self) -> ExtentKind {
        match self {
            Self::Unallocated => ExtentKind::Unallocated,
            Self::Zero => ExtentKind::Zero,
            Self::Data(_) | Self::Compressed(..) => ExtentKind::Data,
        }
    }
}

/// Can the next unit be read together with the first, which begins `len` bytes before it?
fn follows(first: Mapping, len: u64, next: Mapping) -> bool {
    match first {
        Mapping::Data(host) => next == Mapping::Data(host.saturating_add(len)),
        Mapping::Compressed(..) => false,
        Mapping::Unallocated | Mapping::Zero => next == first,
    }
}

pub(crate) fn corrupt(what: &'static str, offset: u64) -> Error {
    Error::new(Kind::Corrupt, "qcow2_corrupt")
        .with("what", what)
        .with("offset", offset)
}

impl Qcow2 {
    pub(crate) fn open(source: Arc<dyn Source>) -> Result<Self> {
        let header = Header::read(&*source)?;
        let cached = usize::try_from((CACHE / header.cluster_size()).clamp(1, MAX_CACHED)).unwrap_or(1);
        let mut qcow2 = Self {
            source,
            header,
            l1: Box::default(),
            tables: Lru::new(cached),
            clusters: Lru::new(cached),
        };
        qcow2.l1 = qcow2.read_l1()?;
        Ok(qcow2)
    }

    fn read_l1(&self) -> Result<Box<[u64]>> {
        let offset = self.header.l1_offset;
        if !offset.is_multiple_of(self.header.cluster_size()) {
            return Err(corrupt("l1_table", offset));
        }
        // Bounded by `Header::read`: at most 32 MiB.
        let len = self.header.l1_needed.saturating_mul(8);
        self.check_inside("l1_table", offset, len)?;
        self.read_table(offset, len)
    }

    /// A table of big-endian numbers; the caller has bounded `len` and found it inside the file.
    fn read_table(&self, offset: u64, len: u64) -> Result<Box<[u64]>> {
        let mut bytes = vec![0; usize::try_from(len).map_err(|_| corrupt("table", offset))?];
        self.source.read_at(&mut bytes, offset)?;
        Ok(bytes
            .as_chunks::<8>()
            .0
            .iter()
            .map(|entry| u64::from_be_bytes(*entry))
            .collect())
    }

    /// Tells a file that was cut off from a reference to nowhere: a reference that a whole file of this disk could hold
    /// is taken for a cut.
    fn check_inside(&self, what: &'static str, offset: u64, len: u64) -> Result<()> {
        let end = offset.checked_add(len).ok_or_else(|| corrupt(what, offset))?;
        match end.checked_sub(self.source.len()) {
            None | Some(0) => Ok(()),
            Some(missing) if end <= self.plausible_end() => {
                Err(Error::new(Kind::Corrupt, "container_truncated").with("missing", missing))
            }
            Some(_) => Err(corrupt(what, offset)),
        }
    }

    /// Twice the disk (one snapshot of everything), and tables.
    fn plausible_end(&self) -> u64 {
        const TABLES: u64 = 64 * 1024 * 1024;
        self.header
            .virtual_size
            .saturating_mul(2)
            .saturating_add(TABLES)
            .max(self.source.len())
    }

    /// The L2 table that an L1 entry points to; `None` where nothing is allocated.
    fn table(&self, l1_entry: u64) -> Result<Option<Arc<[u64]>>> {
        let offset = l1_entry & OFFSET_MASK;
        if offset == 0 {
            return Ok(None);
        }
        if let Some(table) = self.tables.get(offset) {
            return Ok(Some(table));
        }
        let len = self.header.cluster_size();
        if !offset.is_multiple_of(len) {
            return Err(corrupt("l2_table", offset));
        }
        self.check_inside("l2_table", offset, len)?;
        let table: Arc<[u64]> = self.read_table(offset, len)?.into();
        self.tables.put(offset, Arc::clone(&table));
        Ok(Some(table))
    }

    /// What a table says about one of its units: clusters, or subclusters where the file has them.
    fn mapping(&self, table: &[u64], unit: usize) -> Result<Mapping> {
        let header = &self.header;
        if !header.extended_l2 {
            return self.cluster(table.get(unit).copied().unwrap_or(0));
        }
        let (index, subcluster) = (unit / SUBCLUSTERS, unit % SUBCLUSTERS);
        let entry = table.get(index.saturating_mul(2)).copied().unwrap_or(0);
        let bitmap = table.get(index.saturating_mul(2).saturating_add(1)).copied();
        self.subcluster(entry, bitmap.unwrap_or(0), subcluster)
    }

    fn cluster(&self, entry: u64) -> Result<Mapping> {
        if entry & COMPRESSED != 0 {
            let (offset, len) = compressed::descriptor(entry, self.header.cluster_bits);
            return Ok(Mapping::Compressed(offset, len));
        }
        let offset = entry & OFFSET_MASK;
        if !offset.is_multiple_of(self.header.cluster_size()) {
            return Err(corrupt("cluster", offset));
        }
        if entry & ZERO != 0 {
            // "With version 2 or with extended L2 entries [...] this is always 0."
            return if self.header.version >= 3 && !self.header.extended_l2 {
                Ok(Mapping::Zero)
            } else {
                Err(corrupt("cluster", offset))
            };
        }
        Ok(if offset == 0 {
            Mapping::Unallocated
        } else {
            Mapping::Data(offset)
        })
    }

    /// "Extended L2 Entries": one bit of the bitmap's lower half says that a subcluster is allocated, one of the upper
    /// half that it reads as zeros; both are not allowed.
    fn subcluster(&self, entry: u64, bitmap: u64, subcluster: usize) -> Result<Mapping> {
        let cluster = self.cluster(entry)?;
        let allocated = bitmap >> subcluster & 1 != 0;
        let zero = bitmap >> (subcluster + SUBCLUSTERS) & 1 != 0;
        match cluster {
            // Compressed clusters have no subclusters.
            Mapping::Compressed(..) => Ok(cluster),
            _ if allocated && zero => Err(corrupt("subclusters", entry & OFFSET_MASK)),
            Mapping::Unallocated if bitmap & ALL_ALLOCATED != 0 => Err(corrupt("subclusters", 0)),
            _ if zero => Ok(Mapping::Zero),
            Mapping::Data(host) if allocated => {
                let within = (subcluster as u64) << self.header.unit_bits();
                Ok(Mapping::Data(host.saturating_add(within)))
            }
            _ => Ok(Mapping::Unallocated),
        }
    }

    /// The L1 entry for a guest offset, and the guest unit's index in its L2 table.
    fn place(&self, offset: u64) -> (u64, usize) {
        let covered_bits = self.header.cluster_bits + self.header.l2_bits();
        let entry = usize::try_from(offset >> covered_bits)
            .ok()
            .and_then(|index| self.l1.get(index));
        let unit = (offset & ((1 << covered_bits) - 1)) >> self.header.unit_bits();
        // The table has an entry for every offset below the virtual size.
        (entry.copied().unwrap_or(0), usize::try_from(unit).unwrap_or(0))
    }

    /// What stands at a guest offset, and how far it goes on within one table: until `wanted` bytes are reached or the
    /// next unit does not join the first.
    fn span(&self, at: u64, wanted: u64, joins: impl Fn(Mapping, u64, Mapping) -> bool) -> Result<Span> {
        let (l1_entry, first) = self.place(at);
        let covered = self.header.cluster_size() << self.header.l2_bits();
        let table_left = covered - at % covered;
        let Some(table) = self.table(l1_entry)? else {
            return Ok(Span {
                mapping: Mapping::Unallocated,
                len: table_left,
            });
        };
        let size = 1 << self.header.unit_bits();
        let within = at % size;
        let mapping = match self.mapping(&table, first)? {
            Mapping::Data(host) => Mapping::Data(host.saturating_add(within)),
            other => other,
        };
        let mut len = size - within;
        for unit in first.saturating_add(1).. {
            // A bad entry is the next span's business.
            if len >= wanted.min(table_left) || !self.mapping(&table, unit).is_ok_and(|next| joins(mapping, len, next))
            {
                break;
            }
            len += size;
        }
        Ok(Span { mapping, len })
    }

    /// Fills `part` from `start` of a compressed cluster.
    fn read_compressed(&self, host: u64, stored: u64, part: &mut [u8], start: usize) -> Result<()> {
        let size = usize::try_from(self.header.cluster_size()).map_err(|_| corrupt("compressed_cluster", host))?;
        if part.len() == size {
            // Read through to the end: no one will ask for it again.
            return self.decompress(host, stored, part);
        }
        let cluster = if let Some(cluster) = self.clusters.get(host) {
            cluster
        } else {
            let mut bytes = vec![0; size];
            self.decompress(host, stored, &mut bytes)?;
            let cluster: Arc<[u8]> = bytes.into();
            self.clusters.put(host, Arc::clone(&cluster));
            cluster
        };
        let bytes = cluster.get(start..start.saturating_add(part.len()));
        part.copy_from_slice(bytes.ok_or_else(|| corrupt("compressed_cluster", host))?);
        Ok(())
    }

    fn decompress(&self, host: u64, stored: u64, cluster: &mut [u8]) -> Result<()> {
        let range = self.stored_range(host, stored);
        let len = range.end - range.start;
        self.check_inside("compressed_cluster", host, len)?;
        let mut bytes = vec![0; usize::try_from(len).map_err(|_| corrupt("compressed_cluster", host))?];
        self.source.read_at(&mut bytes, host)?;
        self.header
            .method
            .decompress(&bytes, cluster)
            .map(drop)
            .ok_or_else(|| corrupt("compressed_cluster", host))
    }

    /// What of a compressed cluster stands in the file. The last sector counts whole in the descriptor but the file
    /// may end within it.
    fn stored_range(&self, host: u64, stored: u64) -> Range<u64> {
        let end = host.saturating_add(stored);
        let short = end.saturating_sub(self.source.len());
        host..if short < compressed::SECTOR && end - short > host {
            end - short
        } else {
            end
        }
    }
}

impl Reader for Qcow2 {
    fn virtual_size(&self) -> u64 {
        self.header.virtual_size
    }

    fn notes(&self) -> Vec<Note> {
        self.header.notes()
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<()> {
        let mut done = 0;
        while let Some(rest) = buf.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let at = offset.saturating_add(done as u64);
            let in_cluster = at & (self.header.cluster_size() - 1);
            let span = self.span(at, rest.len() as u64, follows)?;
            let len = match span.mapping {
                Mapping::Compressed(..) => self.header.cluster_size() - in_cluster,
                _ => span.len,
            };
            let len = usize::try_from(len).unwrap_or(usize::MAX).min(rest.len());
            let Some(part) = rest.get_mut(..len) else { break };
            match span.mapping {
                Mapping::Unallocated | Mapping::Zero => part.fill(0),
                Mapping::Data(host) => {
                    self.check_inside("cluster", host, len as u64)?;
                    self.source.read_at(part, host)?;
                }
                Mapping::Compressed(host, stored) => {
                    self.read_compressed(host, stored, part, usize::try_from(in_cluster).unwrap_or(0))?;
                }
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
    /// to, so the work is bounded by the file's length.
    fn missing_bytes(&self) -> Result<u64> {
        let size = self.header.cluster_size();
        let mut tables: Vec<(u64, usize)> = self
            .l1
            .iter()
            .enumerate()
            .map(|(index, entry)| (entry & OFFSET_MASK, index))
            .collect();
        tables.sort_unstable();
        tables.dedup_by_key(|(offset, _)| *offset);
        let mut end = self.source.len();
        for (offset, l1_index) in tables {
            let table = match self.table(offset) {
                Ok(None) => continue,
                Ok(Some(table)) => table,
                Err(error) if error.code() == "container_truncated" => {
                    end = end.max(offset.saturating_add(size));
                    continue;
                }
                Err(error) => return Err(error),
            };
            let first = (l1_index as u64).saturating_mul(size << self.header.l2_bits());
            let unit_size = 1 << self.header.unit_bits();
            let units = (size << self.header.l2_bits()) / unit_size;
            for unit in 0..usize::try_from(units).unwrap_or(0) {
                let at = first.saturating_add((unit as u64).saturating_mul(unit_size));
                let left = self.header.virtual_size.saturating_sub(at);
                if left == 0 {
                    break;
                }
                let range = match self.mapping(&table, unit)? {
                    // Of the disk's last cluster, only what belongs to the disk is ever read.
                    Mapping::Data(host) => host..host.saturating_add(unit_size.min(left)),
                    Mapping::Compressed(host, stored) => self.stored_range(host, stored),
                    Mapping::Unallocated | Mapping::Zero => continue,
                };
                if range.end > self.plausible_end() {
                    return Err(corrupt("cluster", range.start));
                }
                end = end.max(range.end);
            }
        }
        Ok(end - self.source.len())
    }
}
