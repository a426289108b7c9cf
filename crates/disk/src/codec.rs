//! Compressed clusters and grains: unpacked never to more than the caller's buffer.

use std::io::Read;

use flate2::{Decompress, FlushDecompress, Status};
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};

/// Largest zstd window accepted, 8 MiB: what RFC 8878, 3.1.1.1.2 recommends to support. QEMU writes 2 MiB.
const MAX_WINDOW: u64 = 8 * 1024 * 1024;

/// How a cluster or grain is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    /// RFC 1951 without a frame: qcow2's `compression_type` 0. Where it ends is not told, so only the length counts.
    Deflate,
    /// RFC 1950, with a checksum: VMDK's `compressAlgorithm` 1.
    Zlib,
    /// RFC 8878: qcow2's `compression_type` 1.
    Zstd,
}

impl Method {
    /// Unpacks to the beginning of `out` and tells how many bytes came, or `None` when the data is damaged. Less than
    /// the whole of `out` comes from zlib only, whose end and checksum are part of the data.
    pub(crate) fn decompress(self, stored: &[u8], out: &mut [u8]) -> Option<usize> {
        match self {
            Self::Deflate => {
                let mut inflate = Decompress::new(false);
                inflate.decompress(stored, out, FlushDecompress::Finish).ok()?;
                (inflate.total_out() == out.len() as u64).then_some(out.len())
            }
            Self::Zlib => {
                let mut inflate = Decompress::new(true);
                let status = inflate.decompress(stored, out, FlushDecompress::Finish).ok()?;
                if status == Status::StreamEnd {
                    usize::try_from(inflate.total_out()).ok()
                } else {
                    None
                }
            }
            Self::Zstd => {
                let mut frames = FrameDecoder::new();
                frames.set_max_window_size(MAX_WINDOW);
                StreamingDecoder::new_with_decoder(stored, frames)
                    .ok()?
                    .read_exact(out)
                    .ok()?;
                Some(out.len())
            }
        }
    }
}
