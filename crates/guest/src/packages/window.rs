//! Random access to a large file of the guest: a window of it is in memory, and what all windows cost is bounded.

use super::corrupt;
use crate::{
    FileKind,
    files::{Files, Read},
};

/// Bytes that are read at once of a file that is read from its beginning to its end.
pub(super) const IN_ORDER: usize = 64 << 10;

/// Bytes that are read at once of a file whose pages point to and fro: the beginning of one of rpm's headers.
pub(super) const TO_AND_FRO: usize = 16 << 10;

/// Most bytes that are read and given out of one database, whichever way its pages point; rpm's largest have some 300 MB.
const BUDGET: u64 = 2 << 30;

/// A file and the window of it that was read last.
pub(super) struct Window<'a> {
    files: &'a Files<'a>,
    path: &'a str,
    size: u64,
    at_once: usize,
    start: u64,
    bytes: Vec<u8>,
    budget: u64,
}

impl<'a> Window<'a> {
    /// A window of at least `at_once` bytes. `None` if there is no such file.
    pub(super) fn open(files: &'a Files<'a>, path: &'a str, at_once: usize) -> Read<Option<Self>> {
        let stat = files.stat(path)?.filter(|stat| stat.kind == FileKind::File);
        Ok(stat.map(|stat| Self {
            files,
            path,
            size: stat.size,
            at_once,
            start: 0,
            bytes: Vec::new(),
            budget: BUDGET,
        }))
    }

    pub(super) fn path(&self) -> &'a str {
        self.path
    }

    /// The file's size in bytes, as its filesystem says.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// `len` bytes from `offset`: all of them, or the database is corrupt.
    pub(super) fn read(&mut self, offset: u64, len: usize) -> Read<&[u8]> {
        let end = offset.checked_add(len as u64).filter(|end| *end <= self.size);
        let end = end.ok_or_else(|| corrupt(self.path))?;
        self.spend(len)?;
        if offset < self.start || end > self.start.saturating_add(self.bytes.len() as u64) {
            let wanted = len.max(self.at_once);
            self.spend(wanted)?;
            let read = self.files.read_at(self.path, offset, wanted)?;
            self.bytes = read.unwrap_or_default();
            self.start = offset;
        }
        let from = usize::try_from(offset - self.start).unwrap_or(usize::MAX);
        let bytes = from.checked_add(len).and_then(|to| self.bytes.get(from..to));
        bytes.ok_or_else(|| corrupt(self.path))
    }

    fn spend(&mut self, bytes: usize) -> Read<()> {
        let left = self.budget.checked_sub(bytes as u64);
        self.budget = left.ok_or_else(|| corrupt(self.path))?;
        Ok(())
    }
}
