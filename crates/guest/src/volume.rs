//! The bytes in which one filesystem stands: a partition, or parts of several put together by a layer.

use std::{fmt, sync::Arc};

use lotse_disk::Disk;

use crate::Result;

/// A partition, a whole disk without a table, or what a layer makes of them. Clones share everything.
#[derive(Clone)]
pub(crate) struct Volume {
    /// In order, without gaps, from 0.
    pieces: Arc<[Piece]>,
    len: u64,
}

#[derive(Clone)]
struct Piece {
    /// First byte in the volume.
    at: u64,
    len: u64,
    source: Source,
}

#[derive(Clone)]
enum Source {
    /// From this byte of the disk on.
    Disk(Disk, u64),
    /// From this byte of the striped volume on.
    Striped(Arc<Striped>, u64),
}

/// Chunks of one size, in turn from each volume.
struct Striped {
    chunk: u64,
    volumes: Vec<Volume>,
}

impl fmt::Debug for Volume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pieces = self.pieces.len();
        f.debug_struct("Volume")
            .field("len", &self.len)
            .field("pieces", &pieces)
            .finish()
    }
}

impl Volume {
    /// `offset` and `len` in bytes; what lies beyond the disk's end is cut off.
    pub(crate) fn new(disk: &Disk, offset: u64, len: u64) -> Self {
        let len = len.min(disk.len().saturating_sub(offset));
        let source = Source::Disk(disk.clone(), offset);
        Self {
            pieces: Arc::new([Piece { at: 0, len, source }]),
            len,
        }
    }

    /// Nothing at all.
    pub(crate) fn empty() -> Self {
        Self::joined(&[])
    }

    /// One after the other.
    pub(crate) fn joined(volumes: &[Self]) -> Self {
        let mut pieces = Vec::new();
        let mut at: u64 = 0;
        for piece in volumes.iter().flat_map(|volume| volume.pieces.iter()) {
            let len = piece.len.min(u64::MAX - at);
            pieces.push(Piece {
                at,
                len,
                source: piece.source.clone(),
            });
            at += len;
        }
        Self {
            pieces: pieces.into(),
            len: at,
        }
    }

    /// Chunks of `chunk` bytes in turn from each; `None` without a chunk size or volumes of one length that it divides.
    pub(crate) fn striped(volumes: Vec<Self>, chunk: u64) -> Option<Self> {
        let each = volumes.first()?.len;
        let even = volumes.iter().all(|volume| volume.len == each) && each.checked_rem(chunk)? == 0;
        let len = each.checked_mul(u64::try_from(volumes.len()).ok()?).filter(|_| even)?;
        let source = Source::Striped(Arc::new(Striped { chunk, volumes }), 0);
        Some(Self {
            pieces: Arc::new([Piece { at: 0, len, source }]),
            len,
        })
    }

    /// A part of it; `None` when that is not within.
    pub(crate) fn slice(&self, offset: u64, len: u64) -> Option<Self> {
        let end = offset.checked_add(len).filter(|end| *end <= self.len)?;
        let mut pieces = Vec::new();
        for piece in self.pieces.get(self.first_piece(offset)..)? {
            if piece.at >= end {
                break;
            }
            let (from, to) = (piece.at.max(offset), (piece.at + piece.len).min(end));
            let within = from - piece.at;
            let source = match &piece.source {
                Source::Disk(disk, start) => Source::Disk(disk.clone(), start.checked_add(within)?),
                Source::Striped(striped, start) => Source::Striped(Arc::clone(striped), start.checked_add(within)?),
            };
            pieces.push(Piece {
                at: from - offset,
                len: to - from,
                source,
            });
        }
        Some(Self {
            pieces: pieces.into(),
            len,
        })
    }

    /// Bytes that are there.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// The piece in which a byte stands.
    fn first_piece(&self, offset: u64) -> usize {
        let after = self.pieces.partition_point(|piece| piece.at <= offset);
        after.saturating_sub(1)
    }

    /// Fills `buf` from `offset`; false when that is not within the volume.
    pub(crate) fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<bool> {
        match offset.checked_add(buf.len() as u64) {
            Some(end) if end <= self.len => {}
            _ => return Ok(false),
        }
        let mut at = offset;
        let mut rest = buf;
        for piece in self.pieces.get(self.first_piece(offset)..).unwrap_or_default() {
            if rest.is_empty() {
                break;
            }
            let within = at - piece.at;
            let len = usize::try_from(piece.len - within)
                .unwrap_or(usize::MAX)
                .min(rest.len());
            let Some((now, later)) = std::mem::take(&mut rest).split_at_mut_checked(len) else {
                return Ok(false);
            };
            let whole = match &piece.source {
                Source::Disk(disk, start) => match start.checked_add(within) {
                    Some(start) => disk.read_at(now, start).map(|()| true)?,
                    None => false,
                },
                Source::Striped(striped, start) => striped.read_at(now, start.saturating_add(within))?,
            };
            if !whole {
                return Ok(false);
            }
            at += len as u64;
            rest = later;
        }
        Ok(rest.is_empty())
    }

    /// Up to `len` bytes from `offset`, fewer at the volume's end.
    pub(crate) fn read_up_to(&self, offset: u64, len: usize) -> Result<Vec<u8>> {
        let left = usize::try_from(self.len.saturating_sub(offset)).unwrap_or(usize::MAX);
        let mut bytes = vec![0; len.min(left)];
        self.read_at(&mut bytes, offset)?;
        Ok(bytes)
    }
}

impl Striped {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<bool> {
        let count = self.volumes.len() as u64;
        let mut at = offset;
        let mut rest = buf;
        while !rest.is_empty() {
            // Neither is zero: `Volume::striped` has seen to that.
            let (chunk, within) = (at / self.chunk, at % self.chunk);
            let (row, column) = (chunk / count, chunk % count);
            let len = usize::try_from(self.chunk - within)
                .unwrap_or(usize::MAX)
                .min(rest.len());
            let Some((now, later)) = std::mem::take(&mut rest).split_at_mut_checked(len) else {
                return Ok(false);
            };
            let volume = usize::try_from(column).ok().and_then(|column| self.volumes.get(column));
            let whole = match (volume, row.checked_mul(self.chunk)) {
                (Some(volume), Some(start)) => volume.read_at(now, start + within)?,
                _ => false,
            };
            if !whole {
                return Ok(false);
            }
            at += len as u64;
            rest = later;
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use lotse_disk::MemorySource;

    use super::*;

    fn disk() -> Disk {
        let mut bytes: Vec<u8> = (0..64 * 1024_u32)
            .map(|at| u8::try_from(at / 256 % 251).unwrap())
            .collect();
        // What makes a file a raw disk.
        bytes[510..512].copy_from_slice(&[0x55, 0xaa]);
        Disk::open(Arc::new(MemorySource::new(bytes))).unwrap()
    }

    /// Which block of 256 bytes stands at each block of the volume.
    fn blocks(volume: &Volume) -> Vec<u8> {
        let bytes = volume.read_up_to(0, usize::try_from(volume.len()).unwrap()).unwrap();
        bytes.chunks(256).map(|block| block[0]).collect()
    }

    #[test]
    fn parts_of_parts_are_read_where_they_stand() {
        let disk = disk();
        let part = |block: u64, count: u64| Volume::new(&disk, block * 256, count * 256);
        let joined = Volume::joined(&[part(10, 2), part(4, 1), part(20, 3)]);
        assert_eq!(blocks(&joined), [10, 11, 4, 20, 21, 22]);
        let slice = joined.slice(256, 4 * 256).unwrap();
        assert_eq!(blocks(&slice), [11, 4, 20, 21]);
        let mut across = [0; 4];
        assert!(slice.read_at(&mut across, 254).unwrap());
        assert_eq!(across, [11, 11, 4, 4]);
        assert!(!slice.read_at(&mut across, 4 * 256 - 3).unwrap(), "not past its end");
        assert!(joined.slice(256, 6 * 256).is_none());
        let striped = Volume::striped(vec![part(0, 4), part(30, 4)], 512).unwrap();
        assert_eq!(blocks(&striped), [0, 1, 30, 31, 2, 3, 32, 33]);
        assert_eq!(blocks(&striped.slice(256, 1024).unwrap()), [1, 30, 31, 2]);
        assert!(Volume::striped(vec![part(0, 4), part(30, 3)], 512).is_none());
        assert!(Volume::striped(vec![part(0, 4)], 0).is_none());
        assert_eq!(Volume::empty().len(), 0);
    }
}
