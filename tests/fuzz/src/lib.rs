//! What each fuzz target does with a file: everything that the program does with it.

pub mod agents;
pub mod boot;
pub mod ext;
pub mod network;
pub mod packages;
pub mod services;
pub mod volumes;

use std::sync::Arc;

use lotse_disk::{Disk, Error, Kind, MemorySource, Result, Source};

/// Extents and reads that one input may cost: a damaged size can make a disk terabytes long.
const MOST_EXTENTS: usize = 200;

/// The longest file that [`Pieces`] describe: a VHDX of 8 MiB has two regions of 1 MiB, a log of 1 MiB and some blocks.
const LONGEST: u64 = 64 << 20;

/// Opens the bytes as a disk and reads it as the check of an image does.
pub fn use_file(bytes: &[u8]) {
    use_source(Arc::new(MemorySource::new(bytes.to_vec())));
}

/// The same with a file that is mostly nothing.
pub fn use_pieces(bytes: &[u8]) {
    if let Some(pieces) = Pieces::read(bytes) {
        use_source(Arc::new(pieces));
    }
}

fn use_source(source: Arc<dyn Source>) {
    let Ok(disk) = Disk::open(source) else { return };
    _ = disk.missing_bytes();
    _ = disk.notes();
    let mut buf = vec![0; 20_000];
    for extent in disk.extents().take(MOST_EXTENTS).flatten() {
        assert!(extent.len > 0, "an extent of nothing: {extent:?}");
        assert!(extent.offset + extent.len <= disk.len(), "an extent past the end: {extent:?}");
        let len = extent.len.min(buf.len() as u64) as usize;
        _ = disk.read_at(&mut buf[..len], extent.offset);
        // The end of one, and the beginning of the next.
        let last = (extent.offset + extent.len).saturating_sub(100);
        let len = (disk.len() - last).min(300) as usize;
        _ = disk.read_at(&mut buf[..len], last);
    }
    assert!(disk.read_at(&mut [0], disk.len()).is_err(), "a byte past the end");
}

/// A file that is zero but for some pieces: its length, then for each piece its offset, its length and its bytes. All
/// numbers are little-endian, of 4, 4 and 2 bytes.
#[derive(Debug)]
pub struct Pieces {
    len: u64,
    pieces: Vec<(u64, Vec<u8>)>,
}

impl Pieces {
    /// `None` when there is not even a length.
    fn read(bytes: &[u8]) -> Option<Self> {
        let (len, mut rest) = bytes.split_first_chunk::<4>()?;
        let len = u64::from(u32::from_le_bytes(*len)).min(LONGEST);
        let mut pieces = Vec::new();
        while let Some((head, tail)) = rest.split_first_chunk::<6>() {
            let offset = u64::from(u32::from_le_bytes([head[0], head[1], head[2], head[3]]));
            let size = usize::from(u16::from_le_bytes([head[4], head[5]])).min(tail.len());
            let (piece, tail) = tail.split_at(size);
            pieces.push((offset, piece.to_vec()));
            rest = tail;
        }
        Some(Self { len, pieces })
    }

    /// All of it, up to so many bytes.
    fn bytes(&self, longest: usize) -> Vec<u8> {
        let mut bytes = vec![0; usize::try_from(self.len).unwrap_or(longest).min(longest)];
        for (at, piece) in &self.pieces {
            for (byte, value) in (usize::try_from(*at).unwrap_or(usize::MAX)..).zip(piece) {
                if let Some(place) = bytes.get_mut(byte) {
                    *place = *value;
                }
            }
        }
        bytes
    }
}

impl Source for Pieces {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<()> {
        let end = offset.checked_add(buf.len() as u64).filter(|end| *end <= self.len);
        let end = end.ok_or_else(|| Error::new(Kind::Io, "source_too_short"))?;
        buf.fill(0);
        for (at, piece) in &self.pieces {
            let (from, to) = ((*at).max(offset), (at + piece.len() as u64).min(end));
            if from < to {
                let bytes = &piece[(from - at) as usize..(to - at) as usize];
                buf[(from - offset) as usize..(to - offset) as usize].copy_from_slice(bytes);
            }
        }
        Ok(())
    }
}
