//! The virtual disk inside a container: positioned reads and extents, from any number of threads.

use std::{fmt, sync::Arc};

use crate::{
    Container, Error, Format, Kind, Note, Result, Source,
    compressed::{self, Trailing},
    identify::{identify, name},
    qcow2::Qcow2,
    vdi::Vdi,
    vhdx::Vhdx,
    vmdk::Vmdk,
};

/// Runs that one [`Extent`] is put together from at most, so that a disk that maps petabytes of nothing cannot keep
/// `next` busy for long.
const MAX_RUNS: usize = 4096;

/// No cloud takes anything near it: 64 TiB. Keeps arithmetic and the time for a walk over all tables in bounds.
const MAX_VIRTUAL_SIZE: u64 = 64 << 40;

/// Refuses what is larger than [`MAX_VIRTUAL_SIZE`].
pub(crate) fn check_virtual_size(size: u64) -> Result<()> {
    if size > MAX_VIRTUAL_SIZE {
        let error = Error::new(Kind::Refused, "virtual_size_too_large");
        return Err(error.with("size", size).with("limit", MAX_VIRTUAL_SIZE));
    }
    Ok(())
}

/// A read-only virtual disk. Clones are cheap and share their caches.
#[derive(Clone)]
pub struct Disk {
    container: Arc<Container>,
    len: u64,
    reader: Arc<dyn Reader>,
    trailing: Option<Trailing>,
}

/// What one container format has to tell; the rest of [`Disk`] is the same for all.
pub(crate) trait Reader: Send + Sync {
    /// Size of the virtual disk in bytes.
    fn virtual_size(&self) -> u64;

    /// Fills `buf` from `offset`; the range lies inside the virtual disk.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<()>;

    /// What stands at `offset` and for how long at least, without a look beyond one table.
    fn run_at(&self, offset: u64) -> Result<(ExtentKind, u64)>;

    /// How many bytes the file is too short for what its tables refer to.
    fn missing_bytes(&self) -> Result<u64>;

    /// What is worth telling although the disk can be read.
    fn notes(&self) -> Vec<Note> {
        Vec::new()
    }
}

/// What the container says about a part of the virtual disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExtentKind {
    /// Bytes stand in the container, plain or compressed.
    Data,
    /// The container says that all bytes are zero.
    Zero,
    /// Nothing was ever written here; reads as zero.
    Unallocated,
}

/// A part of the virtual disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// First byte on the virtual disk.
    pub offset: u64,
    /// Length in bytes, never 0.
    pub len: u64,
    /// What stands there.
    pub kind: ExtentKind,
}

impl Disk {
    /// Opens whatever container the source's bytes are. No other file is ever opened.
    ///
    /// A file compressed with gzip or bzip2 is decoded once from beginning to end, which finds out how long its
    /// content is and whether it is whole: some seconds for a gigabyte. An error of the source ends that at once, which
    /// is how a caller stops it.
    ///
    /// # Errors
    /// Those of [`identify`]; `format_not_accepted` and `format_not_read_yet` ([`Kind::Incompatible`]) with the
    /// format's name; `gzip_*`, `bzip2_*`, `compressed_twice` and `unpacked_too_large`; those of the format, such as
    /// `qcow2_*` and `vhdx_*`; `virtual_size_too_large`; `container_truncated` when the first tables are cut off.
    pub fn open(source: Arc<dyn Source>) -> Result<Self> {
        let mut container = identify(&*source)?;
        let (mut source, mut trailing) = (source, None);
        if let Some(compression) = container.compression {
            if !compression.is_accepted() {
                return Err(not_accepted(compression.name()));
            }
            if let Some(format) = container.format.filter(|format| !format.is_accepted()) {
                return Err(not_accepted(format.name()));
            }
            let unpacked = compressed::open(source, compression)?;
            (source, trailing) = (unpacked.source, unpacked.trailing);
            container = Container {
                compression: Some(compression),
                ..identify(&*source)?
            };
        }
        let reader: Arc<dyn Reader> = match container.format {
            Some(Format::Raw) => Arc::new(Raw { source }),
            Some(Format::Qcow2) => Arc::new(Qcow2::open(source)?),
            Some(Format::Vdi) => Arc::new(Vdi::open(source)?),
            Some(Format::Vmdk) => Arc::new(Vmdk::open(source)?),
            Some(Format::Vhdx) => Arc::new(Vhdx::open(source)?),
            Some(format) if format.is_accepted() => return Err(not_read_yet(format.name())),
            other => return Err(not_accepted(name(other))),
        };
        Ok(Self {
            container: Arc::new(container),
            len: reader.virtual_size(),
            reader,
            trailing,
        })
    }

    /// What kind of container the disk came in.
    pub fn container(&self) -> &Container {
        &self.container
    }

    /// Size of the virtual disk in bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// True for a disk of no bytes at all, which a container can describe.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Fills `buf` from `offset` of the virtual disk.
    ///
    /// # Errors
    /// `read_past_end`; `container_truncated`, `qcow2_corrupt` and its like where the container is damaged there; what
    /// the source says when it cannot be read.
    pub fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<()> {
        match offset.checked_add(buf.len() as u64) {
            Some(end) if end <= self.len => {}
            _ => {
                let error = Error::new(Kind::Corrupt, "read_past_end");
                return Err(error
                    .with("offset", offset)
                    .with("length", buf.len())
                    .with("available", self.len));
            }
        }
        self.reader.read_at(buf, offset)
    }

    /// The whole disk as extents in order, without gaps, neighbours of one kind merged. Of a raw file,
    /// the filesystem it is on tells the holes; those in other containers' files are not asked for.
    pub fn extents(&self) -> Extents {
        Extents {
            disk: self.clone(),
            at: 0,
            ahead: None,
        }
    }

    /// How many bytes the container file is too short for what its tables refer to; 0 when it is whole. Reads the
    /// tables only, about 1/8,000 of a qcow2 file. Where a table itself is cut off, what it referred to is not counted.
    ///
    /// # Errors
    /// `gzip_trailing`, `bzip2_trailing` when a compressed file goes on behind what belongs to it;
    /// `qcow2_corrupt` when a table contradicts the format; what the source says when it cannot be read.
    pub fn missing_bytes(&self) -> Result<u64> {
        let missing = self.reader.missing_bytes()?;
        self.trailing.map_or(Ok(missing), |trailing| Err(trailing.error()))
    }

    /// What is worth telling although the disk can be read, for example that it was not closed properly.
    pub fn notes(&self) -> Vec<Note> {
        self.reader.notes()
    }
}

/// The disk's own bytes.
struct Raw {
    source: Arc<dyn Source>,
}

impl Reader for Raw {
    fn virtual_size(&self) -> u64 {
        self.source.len()
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<()> {
        self.source.read_at(buf, offset)
    }

    fn run_at(&self, offset: u64) -> Result<(ExtentKind, u64)> {
        Ok(self.source.extent_at(offset))
    }

    /// Nothing in a raw disk says how long it should be; its partition table does, which is not this crate's to read.
    fn missing_bytes(&self) -> Result<u64> {
        Ok(0)
    }
}

fn not_accepted(format: &str) -> Error {
    Error::new(Kind::Incompatible, "format_not_accepted").with("format", format)
}

fn not_read_yet(format: &str) -> Error {
    Error::new(Kind::Incompatible, "format_not_read_yet").with("format", format)
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disk")
            .field("container", &self.container)
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}

/// Iterator of [`Disk::extents`]; ends after the first error.
#[derive(Debug)]
pub struct Extents {
    disk: Disk,
    at: u64,
    ahead: Option<Result<(ExtentKind, u64)>>,
}

impl Extents {
    fn run(&mut self) -> Option<Result<(ExtentKind, u64)>> {
        if let Some(run) = self.ahead.take() {
            return Some(run);
        }
        let left = self.disk.len.checked_sub(self.at).filter(|left| *left > 0)?;
        let run = self
            .disk
            .reader
            .run_at(self.at)
            .map(|(kind, len)| (kind, len.clamp(1, left)));
        // After an error nothing more is asked.
        self.at = run
            .as_ref()
            .map_or(self.disk.len, |(_, len)| self.at.saturating_add(*len));
        Some(run)
    }
}

impl Iterator for Extents {
    type Item = Result<Extent>;

    fn next(&mut self) -> Option<Self::Item> {
        let first = match self.run()? {
            Ok(run) => run,
            Err(error) => return Some(Err(error)),
        };
        let (kind, mut len) = first;
        let offset = self.at.saturating_sub(len);
        for _ in 0..MAX_RUNS {
            match self.run() {
                Some(Ok((next, more))) if next == kind => len = len.saturating_add(more),
                other => {
                    self.ahead = other;
                    break;
                }
            }
        }
        Some(Ok(Extent { offset, len, kind }))
    }
}
