//! The bytes: immutable files, written under a temporary name and renamed when they are complete and on disk.
//! A file's name starts with the id of the session that wrote it, which tells what a dead process left behind.

use std::{
    collections::HashSet,
    fs::{self, File},
    io::{self, BufWriter, Read, Seek, SeekFrom, Write},
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use md5::{Digest, Md5};
use sha2::Sha512;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::session::{Session, remove_if_there};

/// Bytes read from a file at once; with [`CHUNKS_AHEAD`] it bounds the memory of one download to about 1 MiB.
const CHUNK: usize = 256 * 1024;
/// Chunks that wait between file and network.
const CHUNKS_AHEAD: usize = 4;

/// A stored file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Blob {
    /// Its name.
    pub(crate) id: String,
    /// Bytes.
    pub(crate) size: u64,
}

/// A file as it was received, with the hashes of its content.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) blob: Blob,
    pub(crate) md5: [u8; 16],
    /// Lower-case hexadecimal digits; only made when asked for, because it costs as much time as the writing.
    pub(crate) sha512: Option<String>,
}

/// What must be true of the bytes that come in.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Expected {
    /// Bytes.
    pub(crate) size: Option<u64>,
    pub(crate) md5: Option<[u8; 16]>,
    pub(crate) sha512: bool,
}

/// Why nothing was stored.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReceiveError {
    /// The sender broke off.
    #[error("the body broke off")]
    Broken,
    /// More or fewer bytes came than were announced.
    #[error("the body's length is not the announced one")]
    WrongSize,
    /// The bytes are not those that the MD5 was made of.
    #[error("the body does not match its MD5")]
    WrongMd5,
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The folder of files.
#[derive(Debug)]
pub(crate) struct Blobs {
    incoming: PathBuf,
    stored: PathBuf,
    session: Arc<Session>,
}

enum Chunk {
    Data(Bytes),
    End,
}

impl Blobs {
    pub(crate) fn open(folder: &Path, session: Arc<Session>) -> io::Result<Self> {
        let blobs = Self {
            incoming: folder.join("incoming"),
            stored: folder.join("blobs"),
            session,
        };
        fs::create_dir_all(&blobs.incoming)?;
        fs::create_dir_all(&blobs.stored)?;
        Ok(blobs)
    }

    /// Stores what `body` brings. When this returns, the bytes and their name are on disk; on an error nothing is left.
    pub(crate) async fn receive<S, E>(&self, body: S, expected: Expected) -> Result<Received, ReceiveError>
    where
        S: Stream<Item = Result<Bytes, E>>,
    {
        let id = format!("{}-{}", self.session.id(), Uuid::new_v4().simple());
        let (incoming, stored) = (self.incoming.join(&id), self.stored.join(&id));
        let (sender, receiver) = mpsc::channel(CHUNKS_AHEAD);
        // The session must not end while its file is being written, or another process would remove it.
        let session = Arc::clone(&self.session);
        let writer = tokio::task::spawn_blocking(move || {
            let result = write(receiver, &id, &incoming, expected).and_then(|received| {
                fs::rename(&incoming, &stored)?;
                sync_folder(&stored)?;
                Ok(received)
            });
            if result.is_err() {
                let _ = remove_if_there(&incoming);
                let _ = remove_if_there(&stored);
            }
            drop(session);
            result
        });
        let mut body = std::pin::pin!(body);
        loop {
            let chunk = match body.next().await {
                Some(Ok(data)) => Chunk::Data(data),
                Some(Err(_)) => break,
                None => Chunk::End,
            };
            let end = matches!(chunk, Chunk::End);
            // A closed channel means that the writer gave up; it says why below.
            if sender.send(chunk).await.is_err() || end {
                break;
            }
        }
        drop(sender);
        writer.await.map_err(io::Error::other)?
    }

    /// The bytes `range` of the files put one after the other, as a stream that holds about 1 MiB in memory.
    pub(crate) fn read(
        &self,
        blobs: &[Blob],
        range: Range<u64>,
    ) -> impl Stream<Item = io::Result<Bytes>> + Send + Sync + use<> {
        let pieces: Vec<_> = pieces(blobs, range)
            .into_iter()
            .map(|piece| (self.stored.join(piece.id), piece.offset, piece.length))
            .collect();
        let (sender, mut receiver) = mpsc::channel(CHUNKS_AHEAD);
        tokio::task::spawn_blocking(move || {
            for (path, offset, length) in pieces {
                let result = read_piece(&path, offset, length, &mut |data| {
                    sender.blocking_send(Ok(data)).is_ok()
                });
                match result {
                    Ok(true) => {}
                    Ok(false) => return,
                    Err(error) => {
                        let _ = sender.blocking_send(Err(error));
                        return;
                    }
                }
            }
        });
        stream::poll_fn(move |context| receiver.poll_recv(context))
    }

    /// Removes files that no row names any more. A file that resists stays until the next start, which tries again.
    pub(crate) async fn remove(&self, ids: Vec<String>) {
        if ids.is_empty() {
            return;
        }
        let stored = self.stored.clone();
        let removal = tokio::task::spawn_blocking(move || {
            for id in ids {
                if let Err(error) = remove_if_there(&stored.join(&id)) {
                    tracing::warn!(%id, %error, "a file of the practice cloud could not be removed");
                }
            }
        });
        if removal.await.is_err() {
            tracing::warn!("files of the practice cloud were not removed");
        }
    }

    /// Removes what dead sessions left: half-written files, and files whose row was never written or is gone.
    /// `known` is asked after the folder was listed, so that a file with a row is always kept.
    pub(crate) fn clean<E: From<io::Error>>(
        &self,
        known: impl FnOnce() -> Result<HashSet<String>, E>,
    ) -> Result<(), E> {
        let half = self.of_dead_sessions(&self.incoming)?;
        let whole = self.of_dead_sessions(&self.stored)?;
        let known = known()?;
        for id in half {
            remove_if_there(&self.incoming.join(id))?;
        }
        for id in whole.into_iter().filter(|id| !known.contains(id)) {
            remove_if_there(&self.stored.join(id))?;
        }
        Ok(())
    }

    fn of_dead_sessions(&self, folder: &Path) -> io::Result<Vec<String>> {
        let mut living = std::collections::HashMap::new();
        let mut found = Vec::new();
        for entry in fs::read_dir(folder)? {
            let Ok(name) = entry?.file_name().into_string() else {
                continue;
            };
            let Some((session, _)) = name.split_once('-') else {
                continue;
            };
            let lives = match living.get(session) {
                Some(lives) => *lives,
                None => *living
                    .entry(session.to_owned())
                    .or_insert(self.session.is_living(session)?),
            };
            if !lives {
                found.push(name);
            }
        }
        Ok(found)
    }
}

/// A stretch of one file.
#[derive(Debug, PartialEq, Eq)]
struct Piece<'a> {
    id: &'a str,
    offset: u64,
    length: u64,
}

/// Which stretches of which files make up `range` of their concatenation.
fn pieces(blobs: &[Blob], range: Range<u64>) -> Vec<Piece<'_>> {
    let mut start = 0_u64;
    let mut pieces = Vec::new();
    for blob in blobs {
        let end = start.saturating_add(blob.size);
        let (first, last) = (range.start.max(start), range.end.min(end));
        if first < last {
            pieces.push(Piece {
                id: &blob.id,
                offset: first.abs_diff(start),
                length: last.abs_diff(first),
            });
        }
        start = end;
    }
    pieces
}

fn write(mut body: mpsc::Receiver<Chunk>, id: &str, path: &Path, expected: Expected) -> Result<Received, ReceiveError> {
    let mut file = BufWriter::with_capacity(CHUNK, File::create_new(path)?);
    let mut md5 = Md5::new();
    let mut sha512 = expected.sha512.then(Sha512::new);
    let mut size = 0_u64;
    loop {
        match body.blocking_recv() {
            Some(Chunk::Data(data)) => {
                size = u64::try_from(data.len())
                    .ok()
                    .and_then(|length| size.checked_add(length))
                    .ok_or(ReceiveError::WrongSize)?;
                if expected.size.is_some_and(|expected| size > expected) {
                    return Err(ReceiveError::WrongSize);
                }
                md5.update(&data);
                if let Some(sha512) = &mut sha512 {
                    sha512.update(&data);
                }
                file.write_all(&data)?;
            }
            Some(Chunk::End) => break,
            None => return Err(ReceiveError::Broken),
        }
    }
    if expected.size.is_some_and(|expected| size != expected) {
        return Err(ReceiveError::WrongSize);
    }
    let md5: [u8; 16] = md5.finalize().into();
    if expected.md5.is_some_and(|expected| expected != md5) {
        return Err(ReceiveError::WrongMd5);
    }
    file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    let sha512 = sha512.map(|sha512| crate::hex(&sha512.finalize()));
    Ok(Received {
        blob: Blob {
            id: id.to_owned(),
            size,
        },
        md5,
        sha512,
    })
}

/// Makes a rename survive a power cut. Windows has no such call and needs none.
fn sync_folder(file: &Path) -> io::Result<()> {
    #[cfg(unix)]
    if let Some(folder) = file.parent() {
        File::open(folder)?.sync_all()?;
    }
    #[cfg(not(unix))]
    let _ = file;
    Ok(())
}

/// Hands a stretch of a file to `give` until it returns false; returns false then, too.
fn read_piece(path: &Path, offset: u64, length: u64, give: &mut dyn FnMut(Bytes) -> bool) -> io::Result<bool> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    let mut left = length;
    while left > 0 {
        let size = usize::try_from(left).map_or(CHUNK, |left| left.min(CHUNK));
        let mut data = vec![0; size];
        file.read_exact(&mut data)?;
        left = left.saturating_sub(u64::try_from(size).unwrap_or(left));
        if !give(data.into()) {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::FolderLock;

    fn open(folder: &Path) -> Blobs {
        let lock = FolderLock::acquire(folder).unwrap();
        let session = Session::open(&folder.join("sessions"), &lock).unwrap();
        Blobs::open(folder, Arc::new(session)).unwrap()
    }

    fn body(chunks: &[&'static str]) -> impl Stream<Item = io::Result<Bytes>> + use<> {
        stream::iter(
            chunks
                .iter()
                .map(|chunk| Ok(Bytes::from_static(chunk.as_bytes())))
                .collect::<Vec<_>>(),
        )
    }

    async fn content(blobs: &Blobs, parts: &[Blob], range: Range<u64>) -> Vec<u8> {
        let chunks: Vec<_> = blobs.read(parts, range).collect().await;
        chunks.into_iter().flat_map(|chunk| chunk.unwrap().to_vec()).collect()
    }

    fn names(folder: &Path) -> Vec<String> {
        fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    #[tokio::test]
    async fn a_range_may_cross_files() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = open(folder.path());
        let mut parts = Vec::new();
        for text in ["abc", "", "defg", "h"] {
            parts.push(blobs.receive(body(&[text]), Expected::default()).await.unwrap().blob);
        }
        assert_eq!(content(&blobs, &parts, 0..8).await, b"abcdefgh");
        assert_eq!(content(&blobs, &parts, 2..4).await, b"cd");
        assert_eq!(content(&blobs, &parts, 7..100).await, b"h");
        assert_eq!(content(&blobs, &parts, 3..3).await, b"");
    }

    #[tokio::test]
    async fn nothing_stays_of_a_body_that_is_not_what_was_announced() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = open(folder.path());
        let size = |size| Expected {
            size: Some(size),
            ..Expected::default()
        };
        assert!(matches!(
            blobs.receive(body(&["abc", "d"]), size(3)).await,
            Err(ReceiveError::WrongSize)
        ));
        assert!(matches!(
            blobs.receive(body(&["ab"]), size(3)).await,
            Err(ReceiveError::WrongSize)
        ));
        let md5 = Expected {
            md5: Some([0; 16]),
            ..Expected::default()
        };
        assert!(matches!(
            blobs.receive(body(&["abc"]), md5).await,
            Err(ReceiveError::WrongMd5)
        ));
        let broken = stream::iter([Ok(Bytes::from_static(b"abc")), Err(io::Error::other("reset"))]);
        assert!(matches!(
            blobs.receive(broken, Expected::default()).await,
            Err(ReceiveError::Broken)
        ));
        assert_eq!(names(&folder.path().join("incoming")), Vec::<String>::new());
        assert_eq!(names(&folder.path().join("blobs")), Vec::<String>::new());
    }

    #[tokio::test]
    async fn cleaning_keeps_what_has_a_row_and_what_a_living_process_writes() {
        let folder = tempfile::tempdir().unwrap();
        let dead = open(folder.path());
        let kept = dead.receive(body(&["kept"]), Expected::default()).await.unwrap().blob;
        let orphan = dead.receive(body(&["orphan"]), Expected::default()).await.unwrap().blob;
        fs::write(
            folder
                .path()
                .join("incoming")
                .join(format!("{}-half", dead.session.id())),
            b"half",
        )
        .unwrap();
        drop(dead);
        let living = open(folder.path());
        let fresh = living
            .receive(body(&["fresh"]), Expected::default())
            .await
            .unwrap()
            .blob;
        let cleaner = open(folder.path());
        cleaner
            .clean(|| Ok::<_, io::Error>(HashSet::from([kept.id.clone()])))
            .unwrap();
        let left = names(&folder.path().join("blobs"));
        assert!(
            left.contains(&kept.id) && left.contains(&fresh.id) && !left.contains(&orphan.id),
            "{left:?}"
        );
        assert_eq!(names(&folder.path().join("incoming")), Vec::<String>::new());
    }
}
