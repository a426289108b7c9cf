//! Which processes serve a data folder: each holds a lock on a file of its own, and the system frees it when the process dies.
//! So what a dead process left behind is told from what a living one is still writing, exactly and without guessing by age.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
};

use uuid::Uuid;

/// One start of a practice cloud, alive as long as this value is.
#[derive(Debug)]
pub(crate) struct Session {
    id: String,
    folder: PathBuf,
    /// Held locked; never read or written.
    _lock: File,
}

impl Session {
    /// Opens a session in `folder`. The caller holds the [`FolderLock`], so that nobody sees the file before it is locked.
    pub(crate) fn open(folder: &Path, _folder_lock: &FolderLock) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let id = Uuid::new_v4().simple().to_string();
        let lock = File::create_new(folder.join(&id))?;
        lock.lock()?;
        Ok(Self {
            id,
            folder: folder.to_owned(),
            _lock: lock,
        })
    }

    /// 32 hexadecimal digits.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Is the process that opened session `id` still serving?
    pub(crate) fn is_living(&self, id: &str) -> io::Result<bool> {
        if id == self.id {
            return Ok(true);
        }
        if Uuid::try_parse(id).is_err() {
            return Ok(false);
        }
        let file = match File::open(self.folder.join(id)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        // Shared, so that two processes that look at the same time do not take each other for the owner.
        match file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Removes the files of sessions that are no more. The caller holds the [`FolderLock`].
    pub(crate) fn forget_dead(&self, _folder_lock: &FolderLock) -> io::Result<()> {
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            if let Some(id) = entry.file_name().to_str()
                && !self.is_living(id)?
            {
                remove_if_there(&entry.path())?;
            }
        }
        Ok(())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Only tidiness: the lock is freed in any case, and an unlocked file counts as a dead session.
        let _ = fs::remove_file(self.folder.join(&self.id));
    }
}

/// Held while a process starts on a folder: schema, clean-up and the opening of its session happen one process at a time.
#[derive(Debug)]
pub(crate) struct FolderLock(#[expect(dead_code, reason = "held for its lock only")] File);

impl FolderLock {
    /// Waits until no other process is starting on `folder`.
    pub(crate) fn acquire(folder: &Path) -> io::Result<Self> {
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(folder.join("starting.lock"))?;
        file.lock()?;
        Ok(Self(file))
    }
}

/// Removes a file; that it is gone already is success.
pub(crate) fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_lives_until_it_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let lock = FolderLock::acquire(folder.path()).unwrap();
        let sessions = folder.path().join("sessions");
        let first = Session::open(&sessions, &lock).unwrap();
        let second = Session::open(&sessions, &lock).unwrap();
        let id = second.id().to_owned();
        assert!(
            first.is_living(&id).unwrap(),
            "an open session must not be cleaned up after"
        );
        drop(second);
        assert!(
            !first.is_living(&id).unwrap(),
            "what a stopped session left is free to be taken over"
        );
    }

    #[test]
    fn a_file_left_by_a_killed_process_counts_as_dead_and_goes() {
        let folder = tempfile::tempdir().unwrap();
        let lock = FolderLock::acquire(folder.path()).unwrap();
        let session = Session::open(folder.path(), &lock).unwrap();
        // A killed process cannot remove its file, but the system has freed its lock.
        let left = Uuid::new_v4().simple().to_string();
        fs::write(folder.path().join(&left), b"").unwrap();
        assert!(!session.is_living(&left).unwrap());
        session.forget_dead(&lock).unwrap();
        assert!(!folder.path().join(&left).exists());
        assert!(folder.path().join(session.id()).exists());
    }

    #[test]
    fn a_name_that_is_no_session_never_becomes_a_path() {
        let folder = tempfile::tempdir().unwrap();
        let lock = FolderLock::acquire(folder.path()).unwrap();
        let session = Session::open(folder.path(), &lock).unwrap();
        assert!(!session.is_living("../../etc/passwd").unwrap());
    }
}
