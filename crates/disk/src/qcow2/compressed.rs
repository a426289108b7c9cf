//! Compressed clusters: where they stand and how they are unpacked, never to more than one cluster.

use std::io::Read;

use flate2::{Decompress, FlushDecompress};
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};

/// Compressed clusters are counted in sectors of 512 bytes ("Compressed Clusters Descriptor").
pub(super) const SECTOR: u64 = 512;

/// Largest zstd window accepted, 8 MiB: what RFC 8878, 3.1.1.1.2 recommends to support. QEMU writes 2 MiB.
const MAX_WINDOW: u64 = 8 * 1024 * 1024;

/// `compression_type`, by its values in the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    /// 0: deflate without zlib's header.
    Deflate,
    /// 1: zstd.
    Zstd,
}

/// Offset in the file and stored bytes (to the end of the last sector) of an L2 entry for a compressed cluster.
pub(super) fn descriptor(entry: u64, cluster_bits: u32) -> (u64, u64) {
    // `cluster_bits` is 9 to 21, so this is 49 to 61.
    let offset_bits = 62 - (cluster_bits - 8);
    let descriptor = entry & ((1 << 62) - 1);
    let offset = descriptor & ((1 << offset_bits) - 1);
    let sectors = (descriptor >> offset_bits) + 1;
    (offset, sectors * SECTOR - offset % SECTOR)
}

impl Method {
    /// One whole cluster of `size` bytes, or `None` when the data is damaged or too short for it.
    pub(super) fn decompress(self, stored: &[u8], size: usize) -> Option<Vec<u8>> {
        let mut cluster = vec![0; size];
        match self {
            Self::Deflate => {
                let mut inflate = Decompress::new(false);
                inflate.decompress(stored, &mut cluster, FlushDecompress::Finish).ok()?;
                (inflate.total_out() == size as u64).then_some(cluster)
            }
            Self::Zstd => {
                let mut frames = FrameDecoder::new();
                frames.set_max_window_size(MAX_WINDOW);
                StreamingDecoder::new_with_decoder(stored, frames)
                    .ok()?
                    .read_exact(&mut cluster)
                    .ok()?;
                Some(cluster)
            }
        }
    }
}
