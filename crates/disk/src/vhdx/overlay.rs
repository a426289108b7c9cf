//! A file as it would be after its log was replayed, without a write to it.

use std::collections::BTreeMap;

use crate::{Result, Source};

/// The log's unit: sectors of 4 KiB ([MS-VHDX] 2.3.1).
pub(super) const SECTOR: usize = 4096;

/// What the log changes of the file; nothing at first.
#[derive(Debug, Default)]
pub(super) struct Overlay {
    /// By offset in the file; entries do not overlap.
    patches: BTreeMap<u64, Patch>,
    /// The file's length is this at least; what it is too short by reads as zeros.
    len: u64,
}

#[derive(Debug)]
enum Patch {
    /// Zeros up to this offset.
    Zeros(u64),
    Data(Box<[u8; SECTOR]>),
}

impl Patch {
    fn end(&self, start: u64) -> u64 {
        match self {
            Self::Zeros(end) => *end,
            Self::Data(_) => start.saturating_add(SECTOR as u64),
        }
    }
}

impl Overlay {
    /// Writes one sector; `at` is a multiple of [`SECTOR`].
    pub(super) fn write(&mut self, at: u64, sector: Box<[u8; SECTOR]>) {
        self.put(at, Patch::Data(sector));
    }

    /// Writes zeros to the range; both ends are multiples of [`SECTOR`].
    pub(super) fn zero(&mut self, start: u64, end: u64) {
        if start < end {
            self.put(start, Patch::Zeros(end));
        }
    }

    pub(super) fn extend(&mut self, len: u64) {
        self.len = self.len.max(len);
    }

    /// Everything is a multiple of a sector, so that only zeros are ever cut in pieces.
    fn put(&mut self, start: u64, patch: Patch) {
        let end = patch.end(start);
        self.extend(end);
        if let Some((_, before)) = self.patches.range_mut(..start).next_back()
            && let Patch::Zeros(until) = before
            && *until > start
        {
            let rest = std::mem::replace(until, start);
            if rest > end {
                self.patches.insert(end, Patch::Zeros(rest));
            }
        }
        while let Some((at, covered)) = self.patches.range(start..end).next_back() {
            let (at, until) = (*at, covered.end(*at));
            self.patches.remove(&at);
            if until > end {
                self.patches.insert(end, Patch::Zeros(until));
            }
        }
        self.patches.insert(start, patch);
    }

    /// Fills `buf` from `offset` of the file; the caller has checked that it lies within [`Overlay::len`].
    fn read_at(&self, source: &dyn Source, buf: &mut [u8], offset: u64) -> Result<()> {
        let stored = source.len().saturating_sub(offset).min(buf.len() as u64);
        let (stored, beyond) = buf.split_at_mut(usize::try_from(stored).unwrap_or(0));
        if !stored.is_empty() {
            source.read_at(stored, offset)?;
        }
        beyond.fill(0);
        let end = offset.saturating_add(buf.len() as u64);
        let first = self.patches.range(..=offset).next_back().map_or(offset, |(at, _)| *at);
        for (start, patch) in self.patches.range(first..end) {
            let from = offset.max(*start);
            let Some(len) = end.min(patch.end(*start)).checked_sub(from) else {
                continue;
            };
            let place = |at: u64, len: u64| {
                let at = usize::try_from(at).ok()?;
                Some(at..at.checked_add(usize::try_from(len).ok()?)?)
            };
            let Some(to) = place(from - offset, len).and_then(|range| buf.get_mut(range)) else {
                continue;
            };
            match patch {
                Patch::Zeros(_) => to.fill(0),
                Patch::Data(sector) => {
                    if let Some(data) = place(from - *start, len).and_then(|range| sector.get(range)) {
                        to.copy_from_slice(data);
                    }
                }
            }
        }
        Ok(())
    }
}

/// The file as the reader sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Replayed<'a> {
    pub(super) source: &'a dyn Source,
    pub(super) overlay: &'a Overlay,
}

impl Source for Replayed<'_> {
    fn len(&self) -> u64 {
        self.source.len().max(self.overlay.len)
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<()> {
        let end = offset.checked_add(buf.len() as u64);
        if self.overlay.len == 0 || end.is_none_or(|end| end > self.len()) {
            // The source itself tells what is wrong.
            return self.source.read_at(buf, offset);
        }
        self.overlay.read_at(self.source, buf, offset)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::MemorySource;

    proptest! {
        /// Whatever is written in whatever order, it reads as if it had been written to the file.
        #[test]
        fn reads_as_the_file_would(
            writes in proptest::collection::vec((any::<bool>(), 0..24_u64, 1..12_u64), 0..40),
            reads in proptest::collection::vec((0..32 * SECTOR, 0..5 * SECTOR), 20),
        ) {
            let mut file: Vec<u8> = (0..=250).cycle().take(16 * SECTOR).collect();
            let source = MemorySource::new(file.clone());
            let mut overlay = Overlay::default();
            for (value, (is_data, sector, sectors)) in (1..).zip(writes) {
                let start = sector * SECTOR as u64;
                let (end, value) = if is_data {
                    overlay.write(start, Box::new([value; SECTOR]));
                    (start + SECTOR as u64, value)
                } else {
                    let end = start + sectors * SECTOR as u64;
                    overlay.zero(start, end);
                    (end, 0)
                };
                let (start, end) = (usize::try_from(start).unwrap(), usize::try_from(end).unwrap());
                file.resize(file.len().max(end), 0);
                file[start..end].fill(value);
            }
            let replayed = Replayed { source: &source, overlay: &overlay };
            prop_assert_eq!(replayed.len(), file.len() as u64);
            for (at, len) in reads {
                let mut buf = vec![0xff; len];
                match replayed.read_at(&mut buf, at as u64) {
                    Ok(()) => prop_assert_eq!(&buf, &file[at..at + len]),
                    Err(error) => {
                        prop_assert_eq!(error.code(), "source_too_short");
                        prop_assert!(at + len > file.len());
                    }
                }
            }
        }
    }
}
