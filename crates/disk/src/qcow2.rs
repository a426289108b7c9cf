//! qcow2, versions 2 and 3, read-only: the active layer of one file. References are to QEMU's docs/interop/qcow2.rst.

mod compressed;
mod header;

use std::{ops::Range, sync::Arc};

use self::{compressed::Method, header::Header};
use crate::{Error, ExtentKind, Kind, Result, Source, disk::Reader, lru::Lru};

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

/// An open qcow2 file.
pub(crate) struct Qcow2 {
    source: Arc<dyn Source>,
    header: Header,
    /// As many entries of the active L1 table as the virtual size needs.
    l1: Box<[u64]>,
    tables: Lru<Arc<[u64]>>,
    clusters: Lru<Arc<[u8]>>,
}

/// Where the bytes of a guest cluster are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mapping {
    Unallocated,
    Zero,
    /// Offset in the file.
    Data(u64),
    /// Offset in the file and bytes of whole sectors up to the last one that the compressed data may use.
    Compressed(u64, u64),
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

    fn mapping(&self, entry: u64) -> Result<Mapping> {
        if entry & COMPRESSED != 0 {
            let (offset, len) = compressed::descriptor(entry, self.header.cluster_bits);
            return Ok(Mapping::Compressed(offset, len));
        }
        let offset = entry & OFFSET_MASK;
        if !offset.is_multiple_of(self.header.cluster_size()) {
            return Err(corrupt("cluster", offset));
        }
        if entry & ZERO != 0 {
            // "With version 2 ... this is always 0."
            return if self.header.version >= 3 {
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

    /// The L1 entry for a guest offset, and the guest cluster's index in its L2 table.
    fn place(&self, offset: u64) -> (u64, usize) {
        let cluster = offset >> self.header.cluster_bits;
        let l2_bits = self.header.l2_bits();
        let entry = usize::try_from(cluster >> l2_bits)
            .ok()
            .and_then(|index| self.l1.get(index));
        // The table has an entry for every offset below the virtual size.
        (
            entry.copied().unwrap_or(0),
            usize::try_from(cluster & ((1 << l2_bits) - 1)).unwrap_or(0),
        )
    }

    fn mapping_at(&self, offset: u64) -> Result<Mapping> {
        let (l1_entry, index) = self.place(offset);
        match self.table(l1_entry)? {
            None => Ok(Mapping::Unallocated),
            Some(table) => self.mapping(table.get(index).copied().unwrap_or(0)),
        }
    }

    /// How many of `wanted` bytes can be read in one go: to the end of the cluster, or on through clusters that follow
    /// in the file as they do on the disk.
    fn contiguous(&self, mapping: Mapping, at: u64, in_cluster: u64, wanted: usize) -> Result<usize> {
        let size = self.header.cluster_size();
        let wanted = wanted as u64;
        let mut len = size - in_cluster;
        if let Mapping::Data(host) = mapping {
            while len < wanted && self.mapping_at(at.saturating_add(len))? == Mapping::Data(host + in_cluster + len) {
                len += size;
            }
        }
        Ok(usize::try_from(len.min(wanted)).unwrap_or(usize::MAX))
    }

    fn decompressed(&self, host: u64, stored: u64) -> Result<Arc<[u8]>> {
        if let Some(cluster) = self.clusters.get(host) {
            return Ok(cluster);
        }
        let range = self.stored_range(host, stored);
        self.check_inside("compressed_cluster", range.start, range.end - range.start)?;
        let stored_len = usize::try_from(range.end - range.start).map_err(|_| corrupt("compressed_cluster", host))?;
        let mut bytes = vec![0; stored_len];
        self.source.read_at(&mut bytes, host)?;
        let size = usize::try_from(self.header.cluster_size()).map_err(|_| corrupt("compressed_cluster", host))?;
        let cluster: Arc<[u8]> = self
            .header
            .method
            .decompress(&bytes, size)
            .ok_or_else(|| corrupt("compressed_cluster", host))?
            .into();
        self.clusters.put(host, Arc::clone(&cluster));
        Ok(cluster)
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

    /// Fills `buf`; the caller has checked that it lies within the virtual disk.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<()> {
        let mut done = 0;
        while let Some(rest) = buf.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let at = offset.saturating_add(done as u64);
            let in_cluster = at & (self.header.cluster_size() - 1);
            let mapping = self.mapping_at(at)?;
            let len = self.contiguous(mapping, at, in_cluster, rest.len())?;
            let Some(part) = rest.get_mut(..len) else { break };
            match mapping {
                Mapping::Unallocated | Mapping::Zero => part.fill(0),
                Mapping::Data(host) => {
                    let host = host.saturating_add(in_cluster);
                    self.check_inside("cluster", host, len as u64)?;
                    self.source.read_at(part, host)?;
                }
                Mapping::Compressed(host, stored) => {
                    let cluster = self.decompressed(host, stored)?;
                    let start = usize::try_from(in_cluster).unwrap_or(0);
                    let bytes = cluster.get(start..start.saturating_add(len));
                    part.copy_from_slice(bytes.ok_or_else(|| corrupt("compressed_cluster", host))?);
                }
            }
            done = done.saturating_add(len);
        }
        Ok(())
    }

    /// Kind and length of what stands at `offset`, as far as one L2 table tells.
    fn run_at(&self, offset: u64) -> Result<(ExtentKind, u64)> {
        let size = self.header.cluster_size();
        let (l1_entry, index) = self.place(offset);
        let Some(table) = self.table(l1_entry)? else {
            let covered = size << self.header.l2_bits();
            return Ok((ExtentKind::Unallocated, covered - offset % covered));
        };
        let mut entries = table.iter().skip(index);
        let kind = self.mapping(entries.next().copied().unwrap_or(0))?.kind();
        let mut len = size - offset % size;
        for entry in entries {
            // A bad entry is the next run's business.
            if !self.mapping(*entry).is_ok_and(|mapping| mapping.kind() == kind) {
                break;
            }
            len += size;
        }
        Ok((kind, len))
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
            let first = (l1_index as u64) << self.header.l2_bits();
            for (cluster, entry) in (first..).zip(table.iter()) {
                let Some(left) = self.header.virtual_size.checked_sub(cluster.saturating_mul(size)) else {
                    break;
                };
                let range = match self.mapping(*entry)? {
                    // Of the disk's last cluster, only what belongs to the disk is ever read.
                    Mapping::Data(host) => host..host.saturating_add(size.min(left)),
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
