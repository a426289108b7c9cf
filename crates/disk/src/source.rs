//! Where a container's bytes come from: a file, memory, or ranges fetched from far away.

mod blocks;

use std::{
    fmt,
    fs::{self, File, Metadata},
    io,
    path::Path,
    sync::Arc,
};

pub use self::blocks::{BlockSource, Fetch};
use crate::{Error, ExtentKind, Kind, Result};

/// Random access to the bytes of one container file, from several threads at once.
pub trait Source: fmt::Debug + Send + Sync {
    /// Length in bytes when the source was opened.
    fn len(&self) -> u64;

    /// True if there is not a single byte.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fills `buf` from `offset`. Reading past the end is an error with code `source_too_short`.
    ///
    /// # Errors
    /// [`Kind::Io`] when the bytes cannot be read.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<()>;

    /// Whether bytes are stored at `offset`, and for how long at least. `Unallocated` only where reading is sure to give
    /// zeros, as in the holes of a sparse file; `Data` where nothing is known.
    fn extent_at(&self, offset: u64) -> (ExtentKind, u64) {
        (ExtentKind::Data, self.len().saturating_sub(offset))
    }
}

/// Checks that `len` bytes at `offset` lie within a source of `available` bytes.
pub(crate) fn check_range(offset: u64, len: usize, available: u64) -> Result<()> {
    match offset.checked_add(len as u64) {
        Some(end) if end <= available => Ok(()),
        _ => Err(Error::new(Kind::Io, "source_too_short")
            .with("offset", offset)
            .with("length", len)
            .with("available", available)),
    }
}

/// A regular file, opened for reading only.
#[derive(Debug)]
pub struct FileSource {
    file: File,
    len: u64,
}

impl FileSource {
    /// Opens a file, symbolic links followed.
    ///
    /// # Errors
    /// All of [`Kind::Io`]: `file_not_found`, `file_permission_denied`, `file_is_directory`, `file_not_regular` (a
    /// pipe, socket or device; opening a pipe could wait for ever), `file_empty`, `file_unreadable`.
    pub fn open(path: &Path) -> Result<Self> {
        regular(&fs::metadata(path).map_err(cannot_open)?)?;
        let file = File::open(path).map_err(cannot_open)?;
        // Once more on what was really opened: the path may have been given to another file meanwhile.
        let metadata = file.metadata().map_err(cannot_open)?;
        regular(&metadata)?;
        Ok(Self {
            file,
            len: metadata.len(),
        })
    }
}

fn regular(metadata: &Metadata) -> Result<()> {
    if metadata.is_dir() {
        return Err(Error::new(Kind::Io, "file_is_directory"));
    }
    if !metadata.is_file() {
        return Err(Error::new(Kind::Io, "file_not_regular"));
    }
    if metadata.len() == 0 {
        return Err(Error::new(Kind::Io, "file_empty"));
    }
    Ok(())
}

fn cannot_open(error: io::Error) -> Error {
    match error.kind() {
        // A file where a folder of the path should be: there is no such file either.
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Error::new(Kind::Io, "file_not_found"),
        io::ErrorKind::PermissionDenied => Error::new(Kind::Io, "file_permission_denied"),
        _ => Error::new(Kind::Io, "file_unreadable").caused_by(error),
    }
}

impl Source for FileSource {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<()> {
        check_range(offset, buf.len(), self.len)?;
        read_exact_at(&self.file, buf, offset).map_err(|error| {
            Error::new(Kind::Io, "file_read_failed")
                .with("offset", offset)
                .caused_by(error)
        })
    }

    #[cfg(unix)]
    fn extent_at(&self, offset: u64) -> (ExtentKind, u64) {
        let left = self.len.saturating_sub(offset);
        let until = |end: u64| end.saturating_sub(offset).min(left);
        // `lseek` moves the file's own position, which nothing here reads from.
        match rustix::fs::seek(&self.file, rustix::fs::SeekFrom::Data(offset)) {
            Ok(data) if data > offset => (ExtentKind::Unallocated, until(data)),
            Ok(_) => match rustix::fs::seek(&self.file, rustix::fs::SeekFrom::Hole(offset)) {
                Ok(hole) if hole > offset => (ExtentKind::Data, until(hole)),
                _ => (ExtentKind::Data, left),
            },
            // There is no data up to the end.
            Err(rustix::io::Errno::NXIO) => (ExtentKind::Unallocated, left),
            Err(_) => (ExtentKind::Data, left),
        }
    }
}

#[cfg(unix)]
fn read_exact_at(file: &File, buf: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buf, offset)
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut buf: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !buf.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, buf, offset) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => {
                buf = buf.get_mut(read..).unwrap_or_default();
                offset = offset.saturating_add(read as u64);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Bytes in memory. Clones share them.
#[derive(Clone)]
pub struct MemorySource {
    bytes: Arc<[u8]>,
}

impl MemorySource {
    /// Takes the whole container.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self { bytes: bytes.into() }
    }
}

impl fmt::Debug for MemorySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemorySource").field("len", &self.bytes.len()).finish()
    }
}

impl Source for MemorySource {
    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<()> {
        check_range(offset, buf.len(), self.len())?;
        let bytes = usize::try_from(offset)
            .ok()
            .and_then(|start| self.bytes.get(start..))
            .and_then(|rest| rest.get(..buf.len()))
            .ok_or_else(|| Error::new(Kind::Io, "source_too_short").with("offset", offset))?;
        buf.copy_from_slice(bytes);
        Ok(())
    }
}
