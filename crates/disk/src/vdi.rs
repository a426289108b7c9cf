//! VDI, VirtualBox's disk image, version 1.1, read-only: dynamic and static disks. References are to the structures of
//! VirtualBox's VDICore.h and the checks of its VDI.cpp (`vdiValidateHeader`).

use std::sync::Arc;

use crate::{
    Error, ExtentKind, Kind, Result, Source,
    bytes::{le32, le64},
    disk::{Reader, check_virtual_size},
    lru::Lru,
};

/// `VDIPREHEADER` (72 bytes) and `VDIHEADER1` (384 bytes); nothing of the later `VDIHEADER1PLUS` matters here.
const HEADER: usize = 72 + 384;

/// `VDI_IMAGE_VERSION`, 1.1: major version in the upper half, minor in the lower.
const VERSION: u32 = 0x0001_0001;

/// `VDI_GEOMETRY_SECTOR_SIZE`: "Currently we support only 512 bytes sectors."
const SECTOR: u64 = 512;

/// Largest block accepted, 256 MiB. VirtualBox writes 1 MiB (`VDI_IMAGE_DEFAULT_BLOCK_SIZE`) unless told otherwise.
const MAX_BLOCK: u64 = 256 * 1024 * 1024;

/// `VDI_IMAGE_BLOCK_FREE`: never written. Without a parent it reads as zeros.
const FREE: u32 = u32::MAX;

/// `VDI_IMAGE_BLOCK_ZERO`: written with zeros or discarded.
const ZERO: u32 = u32::MAX - 1;

/// Entries of the block map that are read at once: 64 KiB, for 16 GiB of a disk with blocks of 1 MiB.
const CHUNK: u64 = 16 * 1024;

/// Chunks of the block map that are kept: 16 MiB.
const CACHED: usize = 256;

/// An open VDI file.
pub(crate) struct Vdi {
    source: Arc<dyn Source>,
    header: Header,
    /// Parts of the block map, by their number.
    chunks: Lru<Arc<[u32]>>,
}

/// What the reader needs of the header, checked.
#[derive(Debug)]
struct Header {
    /// Bytes, whole sectors, at most 64 TiB.
    virtual_size: u64,
    /// Bytes, a power of two.
    block_size: u64,
    /// `cBlocks`: entries of the block map and more than any block's number in the file.
    blocks: u32,
    map_offset: u64,
    data_offset: u64,
}

/// Where the bytes of a block are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mapping {
    Unallocated,
    Zero,
    /// Offset in the file.
    Data(u64),
}

impl Mapping {
    fn kind(self) -> ExtentKind {
        match self {
            Self::Unallocated => ExtentKind::Unallocated,
            Self::Zero => ExtentKind::Zero,
            Self::Data(_) => ExtentKind::Data,
        }
    }
}

/// Can the next block be read together with the first, which begins `len` bytes before it?
fn follows(first: Mapping, len: u64, next: Mapping) -> bool {
    match first {
        Mapping::Data(host) => next == Mapping::Data(host.saturating_add(len)),
        Mapping::Unallocated | Mapping::Zero => next == first,
    }
}

fn corrupt(what: &'static str, offset: u64) -> Error {
    Error::new(Kind::Corrupt, "vdi_corrupt")
        .with("what", what)
        .with("offset", offset)
}

fn unknown_feature(feature: impl std::fmt::Display) -> Error {
    Error::new(Kind::Incompatible, "vdi_features").with("feature", feature)
}

/// What [`identify`](crate::identify()) tells of a VDI file from its first bytes: its kind and the disk's size.
pub(crate) fn describe(head: &[u8]) -> Option<(Option<&'static str>, Option<u64>)> {
    // VDI_IMAGE_SIGNATURE after 64 bytes of text.
    if le32(head, 64) != 0xbeda_107f {
        return None;
    }
    let variant = match le32(head, 76) {
        1 => Some("dynamic"),
        2 => Some("static"),
        3 => Some("undo"),
        4 => Some("differencing"),
        _ => None,
    };
    Some((variant, (le32(head, 68) == VERSION).then(|| virtual_size(head))))
}

/// The disk's size in whole sectors: `VBoxManage convertfromraw` writes odd sizes, which QEMU rounds up as well.
fn virtual_size(header: &[u8]) -> u64 {
    let size = le64(header, 368);
    size.checked_next_multiple_of(SECTOR).unwrap_or(size)
}

impl Header {
    fn read(source: &dyn Source) -> Result<Self> {
        let mut bytes = [0; HEADER];
        if let Some(missing) = (HEADER as u64).checked_sub(source.len()).filter(|missing| *missing > 0) {
            return Err(Error::new(Kind::Corrupt, "container_truncated").with("missing", missing));
        }
        source.read_at(&mut bytes, 0)?;
        let version = le32(&bytes, 68);
        if version != VERSION {
            let (major, minor) = (version >> 16, version & 0xffff);
            return Err(unknown_feature(format_args!("version {major}.{minor}")));
        }
        // VDI_IMAGE_TYPE_NORMAL and _FIXED; _UNDO and _DIFF hold changes only.
        match le32(&bytes, 76) {
            1 | 2 => {}
            3 | 4 => return Err(Error::new(Kind::Refused, "vdi_parent")),
            _ => return Err(corrupt("image_type", 76)),
        }
        // uuidLinkage and uuidParentModify: "Only for secondary images".
        if bytes
            .get(424..HEADER)
            .is_some_and(|ids| ids.iter().any(|byte| *byte != 0))
        {
            return Err(Error::new(Kind::Refused, "vdi_parent"));
        }
        let virtual_size = virtual_size(&bytes);
        check_virtual_size(virtual_size)?;
        let header = Self {
            virtual_size,
            block_size: u64::from(le32(&bytes, 376)),
            blocks: le32(&bytes, 384),
            map_offset: u64::from(le32(&bytes, 340)),
            data_offset: u64::from(le32(&bytes, 344)),
        };
        header.check(&bytes)?;
        Ok(header)
    }

    fn check(&self, bytes: &[u8]) -> Result<()> {
        if le32(bytes, 72) < 384 {
            return Err(corrupt("header_size", 72));
        }
        if u64::from(le32(bytes, 360)) != SECTOR {
            return Err(corrupt("sector_size", 360));
        }
        // "Should be a power of 2!", and VirtualBox insists.
        if !self.block_size.is_power_of_two() || !(SECTOR..=MAX_BLOCK).contains(&self.block_size) {
            return Err(corrupt("block_size", 376));
        }
        // VirtualBox would skip this many bytes before each block, QEMU would not, and nobody writes them: a file whose
        // content depends on who reads it is left alone.
        if le32(bytes, 380) != 0 {
            return Err(unknown_feature("block_extra_data"));
        }
        if self.needed() > u64::from(self.blocks) {
            return Err(corrupt("blocks", 384));
        }
        if self.map_offset < HEADER as u64 {
            return Err(corrupt("map_offset", 340));
        }
        if self.data_offset < self.map_offset + 4 * u64::from(self.blocks) {
            return Err(corrupt("data_offset", 344));
        }
        Ok(())
    }

    /// Entries of the block map that the disk needs.
    fn needed(&self) -> u64 {
        self.virtual_size.div_ceil(self.block_size)
    }

    fn mapping(&self, entry: u32, index: u64) -> Result<Mapping> {
        match entry {
            FREE => Ok(Mapping::Unallocated),
            ZERO => Ok(Mapping::Zero),
            // Each block of the file is used once at most, so there are never more than blocks of the disk.
            block if block >= self.blocks => Err(corrupt("block", self.map_offset.saturating_add(4 * index))),
            block => Ok(Mapping::Data(self.data_offset + u64::from(block) * self.block_size)),
        }
    }
}

impl Vdi {
    pub(crate) fn open(source: Arc<dyn Source>) -> Result<Self> {
        let header = Header::read(&*source)?;
        Ok(Self {
            source,
            header,
            chunks: Lru::new(CACHED),
        })
    }

    /// Every reference of a header that passed the checks lies where a whole file has something.
    fn check_inside(&self, offset: u64, len: u64) -> Result<()> {
        match offset.saturating_add(len).checked_sub(self.source.len()) {
            None | Some(0) => Ok(()),
            Some(missing) => Err(Error::new(Kind::Corrupt, "container_truncated").with("missing", missing)),
        }
    }

    /// Reads a part of the block map; the last one ends where the disk does.
    fn read_chunk(&self, number: u64) -> Result<Box<[u32]>> {
        let first = number * CHUNK;
        let entries = self.header.needed().saturating_sub(first).min(CHUNK);
        let offset = self.header.map_offset + 4 * first;
        self.check_inside(offset, 4 * entries)?;
        let mut bytes = vec![0; usize::try_from(4 * entries).map_err(|_| corrupt("map", offset))?];
        self.source.read_at(&mut bytes, offset)?;
        let entries = bytes.as_chunks::<4>().0.iter();
        Ok(entries.map(|entry| u32::from_le_bytes(*entry)).collect())
    }

    fn chunk(&self, number: u64) -> Result<Arc<[u32]>> {
        if let Some(chunk) = self.chunks.get(number) {
            return Ok(chunk);
        }
        let chunk: Arc<[u32]> = self.read_chunk(number)?.into();
        self.chunks.put(number, Arc::clone(&chunk));
        Ok(chunk)
    }

    /// What stands at an offset of the disk, and how far it goes on within one chunk of the map: until `wanted` bytes
    /// are reached or the next block does not join the first.
    fn span(&self, at: u64, wanted: u64, joins: impl Fn(Mapping, u64, Mapping) -> bool) -> Result<(Mapping, u64)> {
        let size = self.header.block_size;
        let (index, within) = (at / size, at % size);
        let chunk = self.chunk(index / CHUNK)?;
        let mut entries = (index..).zip(chunk.iter().skip(usize::try_from(index % CHUNK).unwrap_or(usize::MAX)));
        // The map has an entry for every offset below the virtual size.
        let (index, entry) = entries.next().ok_or_else(|| corrupt("map", self.header.map_offset))?;
        let first = match self.header.mapping(*entry, index)? {
            Mapping::Data(host) => Mapping::Data(host + within),
            other => other,
        };
        let mut len = size - within;
        for (index, entry) in entries {
            // A bad entry is the next span's business.
            let joined = |next| joins(first, len, next);
            if len >= wanted || !self.header.mapping(*entry, index).is_ok_and(joined) {
                break;
            }
            len += size;
        }
        Ok((first, len))
    }
}

impl Reader for Vdi {
    fn virtual_size(&self) -> u64 {
        self.header.virtual_size
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<()> {
        let mut done = 0;
        while let Some(rest) = buf.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let at = offset.saturating_add(done as u64);
            let (mapping, len) = self.span(at, rest.len() as u64, follows)?;
            let len = usize::try_from(len).unwrap_or(usize::MAX).min(rest.len());
            let Some(part) = rest.get_mut(..len) else { break };
            match mapping {
                Mapping::Unallocated | Mapping::Zero => part.fill(0),
                Mapping::Data(host) => {
                    self.check_inside(host, len as u64)?;
                    self.source.read_at(part, host)?;
                }
            }
            done = done.saturating_add(len);
        }
        Ok(())
    }

    fn run_at(&self, offset: u64) -> Result<(ExtentKind, u64)> {
        let (mapping, len) = self.span(offset, u64::MAX, |first, _, next| first.kind() == next.kind())?;
        Ok((mapping.kind(), len))
    }

    /// See [`Disk::missing_bytes`](crate::Disk::missing_bytes). Reads the block map once: 4 bytes a block.
    fn missing_bytes(&self) -> Result<u64> {
        let header = &self.header;
        let mut end = self.source.len();
        for number in 0..header.needed().div_ceil(CHUNK) {
            let first = number * CHUNK;
            let chunk = match self.read_chunk(number) {
                Ok(chunk) => chunk,
                Err(error) if error.code() == "container_truncated" => {
                    // What stands behind the map is missing as well, but how much of it the map would have told.
                    end = end.max(header.map_offset + 4 * header.needed());
                    break;
                }
                Err(error) => return Err(error),
            };
            for (index, entry) in (first..).zip(&chunk) {
                if let Mapping::Data(host) = header.mapping(*entry, index)? {
                    // Of the disk's last block, only what belongs to the disk is ever read.
                    let left = header.virtual_size.saturating_sub(index * header.block_size);
                    end = end.max(host + header.block_size.min(left));
                }
            }
        }
        Ok(end - self.source.len())
    }
}
