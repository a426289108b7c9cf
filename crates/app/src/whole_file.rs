//! Small files that are written whole or not at all, readable by their owner only, and changed by one process at a time.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

/// How often is looked whether it is one's turn.
const TURN: Duration = Duration::from_millis(100);

/// Replaces the file at `path`: it is never seen half written, and its bytes are on the disk when this returns.
///
/// # Errors
/// When its folder cannot be written to; the file is as it was then.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default();
    // Made with mode 0600, and removed again where anything below fails.
    let mut beside = tempfile::Builder::new()
        .prefix(name)
        .suffix(".new")
        .tempfile_in(folder)?;
    beside.write_all(bytes)?;
    beside.as_file().sync_all()?;
    beside.persist(path)?;
    Ok(())
}

/// The right to read and change the file at `path`, against other processes and threads that ask for it, too; waits until they are
/// done. It ends when the answer is dropped, or with the process.
///
/// # Errors
/// When the file beside it that stands for the right cannot be made.
pub(crate) fn alone(path: &Path) -> io::Result<File> {
    let file = lock_file(path)?;
    file.lock()?;
    Ok(file)
}

/// As [`alone`], for what takes as long as a service likes: no thread waits, and whoever waits can be dropped.
///
/// # Errors
/// As [`alone`].
pub(crate) async fn alone_in_turn(path: &Path) -> io::Result<File> {
    let file = lock_file(path)?;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => tokio::time::sleep(TURN).await,
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

fn lock_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(lock_path(path))
}

fn lock_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}

#[cfg(test)]
mod tests {
    use std::{fs, thread};

    use super::*;

    #[test]
    fn a_file_that_cannot_be_replaced_is_as_it_was_and_nothing_lies_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings.json");
        write(&path, b"one").unwrap();
        write(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        let taken = folder.path().join("taken");
        fs::create_dir(&taken).unwrap();
        write(&taken, b"a folder is not replaced").unwrap_err();
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(left.len(), 2, "{left:?}");
    }

    #[tokio::test]
    async fn whoever_waits_for_the_turn_gets_it_when_the_other_is_done() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("policy-images");
        let first = alone_in_turn(&path).await.unwrap();
        let mut second = std::pin::pin!(alone_in_turn(&path));
        assert!(futures::poll!(second.as_mut()).is_pending(), "the first is at it");
        drop(first);
        drop(second.await.unwrap());
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_on_this_computer_may_read_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("connections.json");
        fs::write(&path, "readable for all, as an older program left it").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        write(&path, b"{}").unwrap();
        drop(alone(&path).unwrap());
        for path in [lock_path(&path), path] {
            let mode = fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{}", path.display());
        }
    }

    /// Each reads a number, adds one and writes it back: were two at it at once, one of them would be lost.
    #[test]
    fn those_who_change_it_at_once_do_so_one_after_the_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("count");
        write(&path, b"0").unwrap();
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..5 {
                        let _alone = alone(&path).unwrap();
                        let count: u32 = fs::read_to_string(&path).unwrap().parse().unwrap();
                        write(&path, (count + 1).to_string().as_bytes()).unwrap();
                    }
                });
            }
        });
        assert_eq!(fs::read_to_string(&path).unwrap(), "40");
    }
}
