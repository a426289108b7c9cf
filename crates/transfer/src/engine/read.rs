//! Reads the source once, in order, into buffers that are used again, and hashes it on the way.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    mem,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use md5::Md5;
use sha2::{
    Digest, Sha512,
    digest::common::hazmat::{SerializableState, SerializedState},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{job::SourceIdentity, plan::PlannedPart, source::SourceError};

/// Bytes that are read at a time where nothing is kept: 1 MiB.
const PIECE: usize = 1 << 20;

/// How the state of an unfinished SHA-512 is written down: 1 is sha2's own encoding.
const STATE_VERSION: u8 = 1;

/// A bounded number of buffers of one part each.
#[derive(Clone)]
pub(super) struct Buffers {
    free: Arc<Mutex<Vec<Vec<u8>>>>,
    slots: Arc<Semaphore>,
}

impl Buffers {
    pub(super) fn new(count: usize) -> Buffers {
        Buffers {
            free: Arc::default(),
            slots: Arc::new(Semaphore::new(count)),
        }
    }

    /// A buffer, as soon as one is free.
    pub(super) async fn take(&self) -> Option<Buffer> {
        let permit = self.slots.clone().acquire_owned().await.ok()?;
        let data = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Some(Buffer {
            data: data.unwrap_or_default(),
            free: self.free.clone(),
            _permit: permit,
        })
    }
}

/// One part's memory; free again when the last that refers to it is dropped.
pub(super) struct Buffer {
    data: Vec<u8>,
    free: Arc<Mutex<Vec<Vec<u8>>>>,
    // Given back after the memory is.
    _permit: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.data
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let data = mem::take(&mut self.data);
        self.free.lock().unwrap_or_else(PoisonError::into_inner).push(data);
    }
}

/// The source while it is read.
pub(super) struct Reading {
    file: File,
    source: SourceIdentity,
    whole: Sha512,
}

/// The content of one part.
pub(super) struct Content {
    pub(super) part: PlannedPart,
    pub(super) data: Bytes,
    pub(super) md5: [u8; 16],
    /// SHA-512 of the file up to this part's end, not finished.
    pub(super) hashed: Vec<u8>,
}

impl Reading {
    /// From `offset` on, whose bytes before it `whole` has seen.
    pub(super) fn new(mut file: File, source: SourceIdentity, offset: u64, whole: Sha512) -> Result<Self, SourceError> {
        file.seek(SeekFrom::Start(offset))
            .map_err(|error| SourceError::io(&error, &source.path))?;
        Ok(Reading { file, source, whole })
    }

    /// The next part. Parts must be asked for in order, none left out.
    pub(super) fn next(mut self, part: PlannedPart, mut buffer: Buffer) -> Result<(Reading, Content), SourceError> {
        let size = usize::try_from(part.size).map_err(|_| self.source.changed())?;
        // Nothing is cleared that is overwritten at once: only the first use and the last part are of another size.
        buffer.data.resize(size, 0);
        read_exact(&mut self.file, &mut buffer.data, &self.source)?;
        let (data, whole) = (&buffer.data, &mut self.whole);
        let md5 = std::thread::scope(|scope| {
            scope.spawn(|| whole.update(data));
            Md5::digest(data).into()
        });
        let hashed = write_state(&self.whole);
        let data = Bytes::from_owner(buffer);
        Ok((
            self,
            Content {
                part,
                data,
                md5,
                hashed,
            },
        ))
    }

    /// The SHA-512 of all that was read, in hexadecimal digits, if the file was left alone meanwhile.
    pub(super) fn finish(self) -> Result<String, SourceError> {
        self.source.check(&self.file)?;
        Ok(hex(&self.whole.finalize()))
    }
}

/// Reads parts again and compares their MD5s; the number of each that agrees goes to `verified`. Ends early when `stop` is set.
pub(super) fn verify(
    mut file: File,
    source: &SourceIdentity,
    parts: &[(PlannedPart, [u8; 16])],
    verified: &(dyn Fn(u32) + Send + Sync),
    stop: &AtomicBool,
) -> Result<(), SourceError> {
    let mut piece = vec![0; PIECE];
    for (part, expected) in parts {
        file.seek(SeekFrom::Start(part.offset))
            .map_err(|error| SourceError::io(&error, &source.path))?;
        let mut md5 = Md5::new();
        let mut left = part.size;
        while left > 0 {
            if stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            let size = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
            let Some(piece) = piece.get_mut(..size) else { break };
            read_exact(&mut file, piece, source)?;
            md5.update(&*piece);
            left = left.saturating_sub(u64::try_from(size).unwrap_or(u64::MAX));
        }
        if <[u8; 16]>::from(md5.finalize()) != *expected {
            return Err(source.changed());
        }
        verified(part.number);
    }
    source.check(&file)
}

fn read_exact(file: &mut File, buffer: &mut [u8], source: &SourceIdentity) -> Result<(), SourceError> {
    file.read_exact(buffer).map_err(|error| match error.kind() {
        std::io::ErrorKind::UnexpectedEof => source.changed(),
        _ => SourceError::io(&error, &source.path),
    })
}

fn write_state(whole: &Sha512) -> Vec<u8> {
    let mut state = vec![STATE_VERSION];
    state.extend_from_slice(&whole.serialize());
    state
}

/// The unfinished SHA-512 that was written down; `None` if an older or newer program wrote it: then it is made anew.
pub(super) fn read_state(state: &[u8]) -> Option<Sha512> {
    let (&STATE_VERSION, state) = state.split_first()? else {
        return None;
    };
    Sha512::deserialize(&SerializedState::<Sha512>::try_from(state).ok()?).ok()
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A journal outlives the program that wrote it: another encoding needs another version.
    #[test]
    fn the_state_of_version_1_is_read_for_ever() {
        let mut whole = Sha512::new();
        whole.update(b"abc");
        let state = write_state(&whole);
        assert_eq!(hex(&Md5::digest(&state)), "46112a05b21a3655977ba064478a1bd4");
        let mut read = read_state(&state).unwrap();
        read.update(b"def");
        assert_eq!(read.finalize(), Sha512::digest(b"abcdef"));
        for odd in [&[][..], &[1], &[2; 300], &state[..50]] {
            assert!(read_state(odd).is_none());
        }
    }

    #[tokio::test]
    async fn no_more_buffers_than_there_are_slots_and_they_are_used_again() {
        let buffers = Buffers::new(2);
        let mut first = buffers.take().await.unwrap();
        first.data.resize(1000, 7);
        let address = first.data.as_ptr();
        let _second = buffers.take().await.unwrap();
        let whole = Bytes::from_owner(first);
        let piece = whole.slice(10..20);
        drop(whole);
        assert!(
            futures::FutureExt::now_or_never(buffers.take()).is_none(),
            "a piece that is still on its way keeps the buffer"
        );
        drop(piece);
        assert_eq!(buffers.take().await.unwrap().data.as_ptr(), address);
    }
}
