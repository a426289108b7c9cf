//! What can go wrong with the journal.

use std::{collections::BTreeMap, io, path::Path};

use rusqlite::ErrorCode;

use crate::job::{JobId, JobState};

/// The journal could not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code} {params:?}")]
pub struct JournalError {
    /// Stable code, `journal_*` or `job_*`.
    pub code: &'static str,
    /// `path`, `reason`, `job`, `from`, `to`, `version`, `known`: what the code's sentence needs.
    pub params: BTreeMap<String, String>,
    /// True when the same call can succeed later.
    pub retryable: bool,
}

impl JournalError {
    fn new<const N: usize>(code: &'static str, params: [(&str, String); N]) -> JournalError {
        let params = params
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        JournalError {
            code,
            params,
            retryable: matches!(code, "journal_busy" | "journal_disk_full"),
        }
    }

    pub(super) fn io(error: &io::Error, path: &Path) -> JournalError {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => JournalError::new("journal_disk_full", []),
            _ => JournalError::new(
                "journal_unavailable",
                [("path", path.display().to_string()), ("reason", error.to_string())],
            ),
        }
    }

    /// SQLite says that a file cannot be used where the disk has no room for the two beside it: whether that is so, a write tells.
    pub(super) fn in_folder(mut self, folder: &Path) -> JournalError {
        if self.code != "journal_unavailable" {
            return self;
        }
        self.params.insert("path".into(), folder.display().to_string());
        match write_something(folder) {
            Err(error) if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => {
                JournalError::new("journal_disk_full", [])
            }
            _ => self,
        }
    }

    pub(super) fn newer(version: i64, known: usize) -> JournalError {
        JournalError::new(
            "journal_newer",
            [("version", version.to_string()), ("known", known.to_string())],
        )
    }

    pub(super) fn corrupt(reason: &str) -> JournalError {
        JournalError::new("journal_corrupt", [("reason", reason.to_owned())])
    }

    pub(super) fn failed(reason: &str) -> JournalError {
        JournalError::new("journal_failed", [("reason", reason.to_owned())])
    }

    pub(crate) fn unknown(id: JobId) -> JournalError {
        JournalError::new("job_unknown", [("job", id.0.to_string())])
    }

    pub(super) fn not_final(id: JobId, state: JobState) -> JournalError {
        JournalError::new(
            "job_not_final",
            [("job", id.0.to_string()), ("from", state.name().to_owned())],
        )
    }

    pub(super) fn transition(id: JobId, from: JobState, to: JobState) -> JournalError {
        let (from, to) = (from.name().to_owned(), to.name().to_owned());
        JournalError::new(
            "job_transition",
            [("job", id.0.to_string()), ("from", from), ("to", to)],
        )
    }
}

/// As much as SQLite needs at once.
fn write_something(folder: &Path) -> io::Result<()> {
    let path = folder.join("journal.room");
    let written = std::fs::write(&path, vec![0; 64 << 10]);
    // Nothing is left behind, whatever became of it.
    let _ = std::fs::remove_file(&path);
    written
}

impl From<rusqlite::Error> for JournalError {
    fn from(error: rusqlite::Error) -> JournalError {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => JournalError::new("journal_disk_full", []),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => JournalError::new("journal_busy", []),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => JournalError::corrupt(&error.to_string()),
            // Which folder, and whether its disk is full, [`JournalError::in_folder`] says.
            Some(ErrorCode::CannotOpen | ErrorCode::SystemIoFailure) => {
                JournalError::new("journal_unavailable", [("reason", error.to_string())])
            }
            _ => JournalError::failed(&error.to_string()),
        }
    }
}
