//! Reads the source once, in order, and hashes it on the way.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
};

use bytes::Bytes;
use md5::Md5;
use sha2::{Digest, Sha512};

use crate::{job::SourceIdentity, plan::PlannedPart, source::SourceError};

/// The source while it is read.
pub(super) struct Reading {
    file: File,
    source: SourceIdentity,
    whole: Sha512,
}

/// The content of one part.
pub(super) struct Content {
    pub(super) data: Bytes,
    pub(super) md5: [u8; 16],
}

impl Reading {
    /// From the beginning.
    pub(super) fn new(mut file: File, source: SourceIdentity) -> Result<Reading, SourceError> {
        file.seek(SeekFrom::Start(0))
            .map_err(|error| SourceError::io(&error, &source.path))?;
        Ok(Reading {
            file,
            source,
            whole: Sha512::new(),
        })
    }

    /// The next part. Parts must be asked for in order, none left out.
    pub(super) fn next(mut self, part: PlannedPart) -> Result<(Reading, Content), SourceError> {
        let capacity = usize::try_from(part.size).map_err(|_| self.source.changed())?;
        let mut data = Vec::with_capacity(capacity);
        let read = Read::by_ref(&mut self.file).take(part.size).read_to_end(&mut data);
        read.map_err(|error| SourceError::io(&error, &self.source.path))?;
        if data.len() != capacity {
            return Err(self.source.changed());
        }
        let md5 = Md5::digest(&data).into();
        self.whole.update(&data);
        Ok((self, Content { data: data.into(), md5 }))
    }

    /// The SHA-512 of all that was read, in hexadecimal digits, if the file was left alone meanwhile.
    pub(super) fn finish(self) -> Result<String, SourceError> {
        self.source.check(&self.file)?;
        Ok(hex(&self.whole.finalize()))
    }
}

/// The `ETag` of an object that was put together from parts: MD5 over the parts' MD5s, a dash, the number of parts.
/// S3 documents it as an implementation detail; AWS (without KMS), Ceph, Swift, Garage and MinIO all keep it.
pub(super) fn multipart_etag<'a>(md5s: impl Iterator<Item = &'a [u8; 16]>) -> String {
    let mut all = Md5::new();
    let mut count = 0_u32;
    for md5 in md5s {
        all.update(md5);
        count = count.saturating_add(1);
    }
    format!("{}-{count}", hex(&all.finalize()))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(
        String::with_capacity(bytes.len().saturating_mul(2)),
        |mut text, byte| {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        },
    )
}
