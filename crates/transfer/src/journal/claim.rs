//! Who works on a job: a lock on a file that the system releases when the process ends, however it ends.

use std::{
    fs::{File, TryLockError},
    path::{Path, PathBuf},
};

use super::{JournalError, create_folder, create_private};
use crate::job::JobId;

/// The right to work on one job. Held until it is dropped or the process ends.
#[derive(Debug)]
pub struct Claim {
    id: JobId,
    // Never read: closing it releases the lock.
    _lock: File,
}

impl Claim {
    /// `None` if somebody else holds it.
    pub(super) fn take(folder: &Path, id: JobId) -> Result<Option<Claim>, JournalError> {
        let path = lock_path(folder, id);
        if let Some(locks) = path.parent() {
            create_folder(locks)?;
        }
        let file = create_private(&path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Claim { id, _lock: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(JournalError::io(&error, &path)),
        }
    }

    /// The job.
    pub fn id(&self) -> JobId {
        self.id
    }
}

pub(super) fn lock_path(folder: &Path, id: JobId) -> PathBuf {
    folder.join("locks").join(format!("{}.lock", id.0))
}
