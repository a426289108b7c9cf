//! VHDX, fixed and dynamic, read-only; a log that was left behind is replayed in memory. References are to [MS-VHDX],
//! revision 8.0.

mod header;
mod log;
mod metadata;
mod overlay;

use std::{fmt, sync::Arc};

use self::{
    header::{Guid, Header, Regions},
    metadata::{MAX_VIRTUAL_SIZE, Metadata, Variant},
    overlay::{Overlay, Replayed},
};
use crate::{Error, ExtentKind, Kind, Note, Result, Source, bytes::le64, disk::Reader, lru::Lru};

/// The BAT is read in pages of so many entries of 8 bytes: 64 KiB.
const PAGE: u64 = 8192;

/// Pages kept: 4 MiB. They tell where 512 GiB are, in blocks of 1 MiB.
const PAGES: usize = 64;

/// "The number of sectors that can be described in each sector bitmap block is 2^23" (2.4).
const CHUNK_SECTORS: u64 = 1 << 23;

/// No offset in a file lies beyond: twice the largest disk. Keeps arithmetic in bounds.
const MAX_FILE: u64 = 2 * MAX_VIRTUAL_SIZE;

/// Fields of a BAT entry (2.5.1): state, reserved bits, offset in MiB from bit 20 on.
const STATE: u64 = 7;
const RESERVED: u64 = 0x000f_fff8;

/// An open VHDX file.
pub(crate) struct Vhdx {
    source: Arc<dyn Source>,
    layout: Layout,
    /// Payload blocks of the virtual disk.
    blocks: u64,
    /// Payload blocks between two entries for sector bitmaps, as a power of two.
    chunk_bits: u32,
    pages: Lru<Arc<[u8]>>,
}

/// What stands before the blocks, checked.
struct Layout {
    /// Was the log empty?
    is_closed: bool,
    overlay: Overlay,
    regions: Regions,
    metadata: Metadata,
}

/// Where the bytes of a payload block are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Block {
    Unallocated,
    Zero,
    /// Offset in the file.
    Data(u64),
}

impl Block {
    fn kind(self) -> ExtentKind {
        match self {
            Self::Unallocated => ExtentKind::Unallocated,
            Self::Zero => ExtentKind::Zero,
            Self::Data(_) => ExtentKind::Data,
        }
    }
}

fn corrupt(what: &'static str, offset: u64) -> Error {
    Error::new(Kind::Corrupt, "vhdx_corrupt")
        .with("what", what)
        .with("offset", offset)
}

fn features(feature: fmt::Arguments<'_>) -> Error {
    Error::new(Kind::Incompatible, "vhdx_features").with("feature", feature)
}

fn truncated(missing: u64) -> Error {
    Error::new(Kind::Corrupt, "container_truncated").with("missing", missing)
}

/// Reads a structure whose length the caller has bounded.
fn read(source: &dyn Source, what: &'static str, offset: u64, len: usize) -> Result<Vec<u8>> {
    let end = offset.checked_add(len as u64).filter(|end| *end <= MAX_FILE);
    let end = end.ok_or_else(|| corrupt(what, offset))?;
    if let Some(missing) = end.checked_sub(source.len()).filter(|missing| *missing > 0) {
        return Err(truncated(missing));
    }
    let mut bytes = vec![0; len];
    source.read_at(&mut bytes, offset)?;
    Ok(bytes)
}

/// Kind and virtual size of the disk; `None` if the file is damaged or not understood. Reads about 200 KiB, and the log
/// if the file was not closed.
///
/// # Errors
/// [`Kind::Io`] when the source cannot be read.
pub(crate) fn describe(source: &dyn Source) -> Result<Option<(&'static str, u64)>> {
    match Layout::read(source) {
        Ok(Layout { metadata, .. }) => Ok(Some((metadata.variant.name(), metadata.virtual_size))),
        Err(error) if error.kind() == Kind::Io => Err(error),
        Err(_) => Ok(None),
    }
}

impl Layout {
    fn read(source: &dyn Source) -> Result<Self> {
        let header = Header::read(source)?;
        let overlay = log::replay(source, &header)?;
        let replayed = Replayed {
            source,
            overlay: &overlay,
        };
        let regions = Regions::read(&replayed, header.log)?;
        let metadata = Metadata::read(&replayed, &regions)?;
        Ok(Self {
            is_closed: header.log_guid == Guid::ZERO,
            overlay,
            regions,
            metadata,
        })
    }
}

impl Vhdx {
    pub(crate) fn open(source: Arc<dyn Source>) -> Result<Self> {
        let layout = Layout::read(&*source)?;
        let Metadata {
            block_size,
            virtual_size,
            sector_size,
            ref variant,
        } = layout.metadata;
        if let Variant::Differencing(parent) = variant {
            return Err(Error::new(Kind::Refused, "vhdx_parent").with("file", parent));
        }
        // 16 at least: both are powers of two, and a chunk has 4 or 32 GiB.
        let chunk_ratio = (CHUNK_SECTORS * sector_size) / block_size;
        let vhdx = Self {
            source,
            layout,
            blocks: virtual_size.div_ceil(block_size),
            chunk_bits: chunk_ratio.trailing_zeros(),
            pages: Lru::new(PAGES),
        };
        let bat = &vhdx.layout.regions.bat;
        if vhdx.bat_end() > bat.end {
            return Err(corrupt("bat", bat.start));
        }
        Ok(vhdx)
    }

    fn file(&self) -> Replayed<'_> {
        Replayed {
            source: &*self.source,
            overlay: &self.layout.overlay,
        }
    }

    fn block_size(&self) -> u64 {
        self.layout.metadata.block_size
    }

    /// Index of a payload block's entry in the BAT: after each chunk's entries stands one for its sector bitmap (2.5).
    fn entry_index(&self, block: u64) -> u64 {
        block + (block >> self.chunk_bits)
    }

    /// End of the last entry that the disk needs, in the file.
    fn bat_end(&self) -> u64 {
        let entries = self.blocks.checked_sub(1).map_or(0, |last| self.entry_index(last) + 1);
        self.layout.regions.bat.start.saturating_add(entries * 8)
    }

    /// Tells a file that was cut off from a reference to nowhere: a reference that a whole file of this disk could hold
    /// is taken for a cut.
    fn check_inside(&self, offset: u64, len: u64) -> Result<()> {
        let end = offset.saturating_add(len);
        match end.checked_sub(self.file().len()) {
            None | Some(0) => Ok(()),
            Some(missing) if end <= self.plausible_end() => Err(truncated(missing)),
            Some(_) => Err(corrupt("block", offset)),
        }
    }

    /// Twice the disk (blocks that were given up leave gaps), after all tables.
    fn plausible_end(&self) -> u64 {
        let regions = self.layout.regions.taken.last().map_or(0, |region| region.end);
        let blocks = self.blocks.saturating_mul(self.block_size());
        blocks.saturating_mul(2).saturating_add(regions).max(self.file().len())
    }

    fn page(&self, index: u64) -> Result<Arc<[u8]>> {
        if let Some(page) = self.pages.get(index) {
            return Ok(page);
        }
        let start = self.layout.regions.bat.start.saturating_add(index * PAGE * 8);
        let len = self.bat_end().saturating_sub(start).min(PAGE * 8);
        let len = usize::try_from(len).map_err(|_| corrupt("bat", start))?;
        let page: Arc<[u8]> = read(&self.file(), "bat", start, len)?.into();
        self.pages.put(index, Arc::clone(&page));
        Ok(page)
    }

    /// Payload blocks from this one on with their BAT entries, as far as one page tells.
    fn entries(&self, first: u64) -> Result<impl Iterator<Item = (u64, u64)> + '_> {
        let page_index = self.entry_index(first) / PAGE;
        let page = self.page(page_index)?;
        Ok((first..self.blocks).map_while(move |block| {
            let index = self.entry_index(block);
            let place = usize::try_from(index % PAGE * 8).unwrap_or(usize::MAX);
            (index / PAGE == page_index).then(|| (block, le64(&page, place)))
        }))
    }

    fn block(&self, entry: u64) -> Result<Block> {
        let offset = entry & !(STATE | RESERVED);
        if entry & RESERVED != 0 {
            return Err(corrupt("bat_entry", offset));
        }
        // 2.5.1.1, and QEMU's block/vhdx.h for 5, which a draft of the format had for unmapped blocks.
        match entry & STATE {
            0 | 1 => Ok(Block::Unallocated),
            2 | 3 | 5 => Ok(Block::Zero),
            6 => {
                let end = offset.saturating_add(self.block_size());
                if end > MAX_FILE || self.layout.regions.overlap(&(offset..end)) {
                    return Err(corrupt("block", offset));
                }
                Ok(Block::Data(offset))
            }
            // 4 is reserved; 7, partially present, needs a parent.
            _ => Err(corrupt("bat_entry", offset)),
        }
    }

    fn block_at(&self, offset: u64) -> Result<Block> {
        let entry = self.entries(offset / self.block_size())?.next();
        self.block(entry.map_or(0, |(_, entry)| entry))
    }

    /// How many of `wanted` bytes can be read in one go: to the end of the block, or on through blocks that follow in
    /// the file as they do on the disk.
    fn contiguous(&self, block: Block, at: u64, in_block: u64, wanted: usize) -> Result<usize> {
        let size = self.block_size();
        let wanted = wanted as u64;
        let mut len = size - in_block;
        if let Block::Data(host) = block {
            while len < wanted && self.block_at(at.saturating_add(len))? == Block::Data(host + in_block + len) {
                len += size;
            }
        }
        Ok(usize::try_from(len.min(wanted)).unwrap_or(usize::MAX))
    }
}

impl Reader for Vhdx {
    fn virtual_size(&self) -> u64 {
        self.layout.metadata.virtual_size
    }

    /// Fills `buf`; the caller has checked that it lies within the virtual disk.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<()> {
        let mut done = 0;
        while let Some(rest) = buf.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let at = offset.saturating_add(done as u64);
            let in_block = at & (self.block_size() - 1);
            let block = self.block_at(at)?;
            let len = self.contiguous(block, at, in_block, rest.len())?;
            let Some(part) = rest.get_mut(..len) else { break };
            match block {
                Block::Unallocated | Block::Zero => part.fill(0),
                Block::Data(host) => {
                    let host = host.saturating_add(in_block);
                    self.check_inside(host, len as u64)?;
                    self.file().read_at(part, host)?;
                }
            }
            done = done.saturating_add(len);
        }
        Ok(())
    }

    /// Kind and length of what stands at `offset`, as far as one page of the BAT tells.
    fn run_at(&self, offset: u64) -> Result<(ExtentKind, u64)> {
        let size = self.block_size();
        let mut entries = self.entries(offset / size)?;
        let kind = self.block(entries.next().map_or(0, |(_, entry)| entry))?.kind();
        let mut len = size - offset % size;
        for (_, entry) in entries {
            // A bad entry is the next run's business.
            if !self.block(entry).is_ok_and(|block| block.kind() == kind) {
                break;
            }
            len += size;
        }
        Ok((kind, len))
    }

    /// See [`Disk::missing_bytes`](crate::Disk::missing_bytes).
    fn missing_bytes(&self) -> Result<u64> {
        let size = self.block_size();
        let (present, plausible) = (self.file().len(), self.plausible_end());
        let mut end = present;
        let mut first = 0;
        while first < self.blocks {
            let entries = match self.entries(first) {
                Ok(entries) => entries,
                Err(error) if error.code() == "container_truncated" => {
                    end = end.max(self.bat_end());
                    break;
                }
                Err(error) => return Err(error),
            };
            for (block, entry) in entries {
                first = block.saturating_add(1);
                if let Block::Data(host) = self.block(entry)? {
                    // Of the disk's last block, only what belongs to the disk is ever read.
                    let left = self.virtual_size().saturating_sub(block.saturating_mul(size));
                    end = end.max(host.saturating_add(size.min(left)));
                    if end > plausible {
                        return Err(corrupt("block", host));
                    }
                }
            }
        }
        Ok(end - present)
    }
    /// A log that waits for its replay stops other readers: QEMU, and so a cloud that converts with it, refuses the file.
    fn notes(&self) -> Vec<Note> {
        let is_closed = self.layout.is_closed;
        (!is_closed)
            .then(|| Note::new("vhdx_log_replayed"))
            .into_iter()
            .collect()
    }
}
