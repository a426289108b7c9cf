//! gzip and bzip2 around a container, as a [`Source`] of the bytes inside: any offset, from any thread, no temporary
//! file. Opening decodes the file once, which finds its length and every damage; memory stays bounded.

mod bgzip;
mod bits;
mod bzip2;
mod checkpoints;
mod gzip;
mod huffman;
mod inflate;

use std::sync::Arc;

use crate::{Compression, Error, Kind, Result, Source, identify};

/// Longest output taken: 64 TiB, more than any disk this program is for and far below what a file that unpacks to
/// itself a million times over can claim.
const MAX_LEN: u64 = 64 << 40;

/// Bytes that tell every compression.
const MAGIC: usize = 16;

/// Bytes behind the last member or stream that belong to neither. What is inside can be read all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Trailing {
    compression: Compression,
    /// Where they begin in the compressed file.
    offset: u64,
    /// How many there are.
    bytes: u64,
}

impl Trailing {
    /// Looks at what follows `offset`. Zeros are padding to the blocks of a tape or disk, as gzip takes them.
    fn behind(source: &dyn Source, offset: u64, compression: Compression) -> Result<Option<Self>> {
        let only_zeros = only_zeros_from(source, offset)?;
        Ok((!only_zeros).then(|| Self {
            compression,
            offset,
            bytes: source.len().saturating_sub(offset),
        }))
    }

    /// `gzip_trailing` or `bzip2_trailing` ([`Kind::Corrupt`]), with place and number of the bytes.
    pub(crate) fn error(self) -> Error {
        let error = match self.compression {
            Compression::Bzip2 => Error::new(Kind::Corrupt, "bzip2_trailing"),
            _ => Error::new(Kind::Corrupt, "gzip_trailing"),
        };
        error.with("offset", self.offset).with("bytes", self.bytes)
    }
}

/// What is inside a compressed file.
pub(crate) struct Unpacked {
    /// The bytes inside.
    pub(crate) source: Arc<dyn Source>,
    /// What follows them in the file.
    pub(crate) trailing: Option<Trailing>,
}

/// Opens a compressed file: decodes it once from beginning to end, at the speed of a good `gzip -dc` or, on all cores,
/// `bzip2 -dc`; an error of `source` ends that at once, which is how a caller stops it.
///
/// # Errors
/// Of [`Kind::Corrupt`]: `gzip_corrupt`, `gzip_crc`, `gzip_truncated`, the same of bzip2, `compressed_twice`
/// ([`Kind::Incompatible`]), `unpacked_too_large` ([`Kind::Refused`]); and
/// what the source says when it cannot be read.
pub(crate) fn open(source: Arc<dyn Source>, compression: Compression) -> Result<Unpacked> {
    if identify::compression(&head(&*source, compression, MAGIC)?).is_some() {
        return Err(Error::new(Kind::Incompatible, "compressed_twice"));
    }
    let (source, trailing): (Arc<dyn Source>, _) = match compression {
        Compression::Gzip => {
            let gzip = gzip::Gzip::open(source)?;
            let trailing = gzip.trailing();
            (Arc::new(gzip), trailing)
        }
        Compression::Bzip2 => {
            let bzip2 = bzip2::Bzip2::open(source)?;
            let trailing = bzip2.trailing();
            (Arc::new(bzip2), trailing)
        }
        other => return Err(not_accepted(other)),
    };
    Ok(Unpacked { source, trailing })
}

/// The first bytes inside a compressed file, at most `len` (up to 100 KiB); only the beginning is read.
///
/// # Errors
/// Those of [`open`], as far as the beginning shows them.
pub(crate) fn head(source: &dyn Source, compression: Compression, len: usize) -> Result<Vec<u8>> {
    match compression {
        Compression::Gzip => gzip::Gzip::head(source, len),
        Compression::Bzip2 => bzip2::Bzip2::head(source, len),
        other => Err(not_accepted(other)),
    }
}

fn not_accepted(compression: Compression) -> Error {
    Error::new(Kind::Incompatible, "format_not_accepted").with("format", compression.name())
}

fn too_large() -> Error {
    Error::new(Kind::Refused, "unpacked_too_large").with("limit", MAX_LEN)
}

/// Is there nothing but zeros from `start` to the end?
fn only_zeros_from(source: &dyn Source, start: u64) -> Result<bool> {
    let mut buffer = vec![0; 64 * 1024];
    let mut at = start;
    while at < source.len() {
        let len = usize::try_from(source.len() - at)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let part = buffer.get_mut(..len).unwrap_or_default();
        source.read_at(part, at)?;
        if part.iter().any(|byte| *byte != 0) {
            return Ok(false);
        }
        at = at.saturating_add(len as u64);
    }
    Ok(true)
}
