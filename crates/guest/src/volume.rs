//! A part of a virtual disk in which one filesystem stands.

use lotse_disk::Disk;

use crate::Result;

/// A partition, or a whole disk without a table. Clones share the disk.
#[derive(Debug, Clone)]
pub(crate) struct Volume {
    disk: Disk,
    offset: u64,
    len: u64,
}

impl Volume {
    /// `offset` and `len` in bytes; what lies beyond the disk's end is cut off.
    pub(crate) fn new(disk: &Disk, offset: u64, len: u64) -> Self {
        let len = len.min(disk.len().saturating_sub(offset));
        Self {
            disk: disk.clone(),
            offset,
            len,
        }
    }

    /// Bytes that are there.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Fills `buf` from `offset`; false when that is not within the volume.
    pub(crate) fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<bool> {
        match offset.checked_add(buf.len() as u64) {
            Some(end) if end <= self.len => {}
            _ => return Ok(false),
        }
        let Some(offset) = self.offset.checked_add(offset) else {
            return Ok(false);
        };
        self.disk.read_at(buf, offset)?;
        Ok(true)
    }

    /// Up to `len` bytes from `offset`, fewer at the volume's end.
    pub(crate) fn read_up_to(&self, offset: u64, len: usize) -> Result<Vec<u8>> {
        let left = usize::try_from(self.len.saturating_sub(offset)).unwrap_or(usize::MAX);
        let mut bytes = vec![0; len.min(left)];
        self.read_at(&mut bytes, offset)?;
        Ok(bytes)
    }
}
