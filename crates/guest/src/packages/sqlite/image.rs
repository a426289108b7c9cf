//! The bytes of a database as SQLite would see them after it has looked into its write-ahead log or its journal
//! (<https://sqlite.org/fileformat2.html>).

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use super::{
    super::{
        DatabaseKind, corrupt, not_read,
        window::{IN_ORDER, Window},
    },
    journal, wal,
};
use crate::{
    Unknown,
    files::{Files, Read},
};

/// Largest database that is taken into memory, in bytes; Fedora's with thousands of packages has some 150 MB.
const LIMIT: u64 = 256 << 20;

/// Bytes of the database's header (1.3).
const HEADER: usize = 100;

const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// Where the header has the versions for writing and reading (1.3.3): 2 says that there may be a log. In memory there
/// is none, so that both become 1.
const VERSIONS: std::ops::Range<usize> = 18..20;

/// Pages that stand in another file, and how many pages the database has.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    /// Where a page's bytes stand in the other file.
    pub(super) pages: BTreeMap<u32, u64>,
    /// The database's size in pages.
    pub(super) count: u32,
}

/// A database's bytes, page by page.
pub(super) struct Image<'a> {
    files: &'a Files<'a>,
    path: &'a str,
    page_size: usize,
    size: u64,
    /// Bytes that the file itself has.
    own: u64,
    changes: Changes,
    changed_in: String,
    position: u64,
    /// Bytes from `position` on that are read and not yet given out.
    ready: Vec<u8>,
    given: usize,
    failed: Option<Unknown>,
}

impl<'a> Image<'a> {
    pub(super) fn open(files: &'a Files<'a>, path: &'a str, kind: DatabaseKind) -> Read<Self> {
        let mut file = Window::open(files, path, IN_ORDER)?.ok_or_else(|| corrupt(path))?;
        let own = file.size();
        let header = file.read(0, HEADER)?;
        if !header.starts_with(MAGIC) {
            return Err(corrupt(path));
        }
        // 1.3.2: two bytes, big-endian; 1 stands for 65,536.
        let page_size = match header.get(16..18) {
            Some([0, 1]) => 65_536,
            Some([high, low]) => usize::from(u16::from_be_bytes([*high, *low])),
            _ => 0,
        };
        if !page_size.is_power_of_two() || !(512..=65_536).contains(&page_size) {
            return Err(corrupt(path));
        }
        let read_version = header.get(VERSIONS.start + 1).copied().unwrap_or(0);
        let beside = |ending: &str| format!("{path}{ending}");
        let (changed_in, changes) = match read_version {
            1 => (
                beside("-journal"),
                journal::read(files, &beside("-journal"), page_size)?,
            ),
            2 => (beside("-wal"), wal::read(files, &beside("-wal"), page_size)?),
            _ => return Err(not_read(kind)),
        };
        let size = match &changes {
            Some(changes) => u64::from(changes.count) * page_size as u64,
            None => own - own % page_size as u64,
        };
        if size > LIMIT {
            let unknown = Unknown::new("file_too_large").with("path", path);
            return Err(unknown.with("size", size).with("limit", LIMIT));
        }
        if size == 0 {
            return Err(corrupt(path));
        }
        Ok(Self {
            files,
            path,
            page_size,
            size,
            own,
            changes: changes.unwrap_or_default(),
            changed_in,
            position: 0,
            ready: Vec::new(),
            given: 0,
            failed: None,
        })
    }

    /// All its bytes.
    pub(super) fn size(&self) -> usize {
        usize::try_from(self.size).unwrap_or(0)
    }

    /// Why reading ended before the end.
    pub(super) fn failed(&mut self) -> Option<Unknown> {
        self.failed.take()
    }

    /// The next pages, some of them out of the other file.
    fn piece(&mut self) -> Read<Vec<u8>> {
        /// Bytes that are read at once; a multiple of every page size.
        const PIECE: u64 = 1 << 20;
        let len = usize::try_from(PIECE.min(self.size - self.position)).unwrap_or(0);
        let mut bytes = match self.own.checked_sub(self.position) {
            Some(1..) => self.files.read_at(self.path, self.position, len)?.unwrap_or_default(),
            _ => Vec::new(),
        };
        bytes.resize(len, 0);
        let page_size = self.page_size as u64;
        // Pages are counted from 1.
        let first = self.position / page_size + 1;
        let [from, to] = [first, first + len as u64 / page_size].map(|page| u32::try_from(page).unwrap_or(u32::MAX));
        for (page, offset) in self.changes.pages.range(from..to) {
            let changed = self.files.read_at(&self.changed_in, *offset, self.page_size)?;
            let changed = changed.unwrap_or_default();
            let at = usize::try_from((u64::from(*page) - first) * page_size).unwrap_or(usize::MAX);
            let place = at.checked_add(self.page_size).and_then(|end| bytes.get_mut(at..end));
            match place {
                Some(mut place) if changed.len() == self.page_size => {
                    place.write_all(&changed).map_err(|_| corrupt(self.path))?;
                }
                _ => return Err(corrupt(&self.changed_in)),
            }
        }
        if self.position == 0
            && let Some(versions) = bytes.get_mut(VERSIONS)
        {
            versions.fill(1);
        }
        Ok(bytes)
    }
}

impl io::Read for Image<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.given == self.ready.len() && self.position < self.size {
            match self.piece() {
                Ok(bytes) => {
                    self.position += bytes.len() as u64;
                    (self.ready, self.given) = (bytes, 0);
                }
                Err(unknown) => {
                    self.failed = Some(unknown);
                    return Err(io::ErrorKind::InvalidData.into());
                }
            }
        }
        let mut rest = self.ready.get(self.given..).unwrap_or_default();
        let read = io::Read::read(&mut rest, buffer)?;
        self.given += read;
        Ok(read)
    }
}
