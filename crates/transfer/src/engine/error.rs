//! Why an upload stopped.

use std::collections::BTreeMap;

use crate::{
    job::{Job, JobFailure},
    journal::JournalError,
    plan::PlanError,
    source::SourceError,
    target::{StoredObject, TargetError, TargetErrorKind},
};

/// Who has to do something before the upload goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendErrorKind {
    /// Nobody: it was stopped by [`crate::Steering::cancel`].
    Cancelled,
    /// Somebody must sign in, or give a valid key. The journal says [`crate::JobState::WaitingForSignIn`].
    SignIn,
    /// The file is gone, was changed, or cannot be read.
    Source,
    /// The target refuses for good, or what it stored differs.
    Target,
    /// The journal could not be written; nothing is lost.
    Journal,
}

/// Why an upload stopped. The journal says how far it came.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code} {params:?}")]
pub struct SendError {
    /// Who has to do something.
    pub kind: SendErrorKind,
    /// Stable code: `cancelled`, `job_not_claimed`, `object_mismatch`, `part_mismatch`, `source_*`, `journal_*`, `job_*`, `object_too_large`, or the
    /// target's.
    pub code: &'static str,
    /// Parameters for the sentence made from the code.
    pub params: BTreeMap<String, String>,
    /// Can the same upload be resumed, be it at once or when somebody has done something about the cause?
    pub retryable: bool,
}

impl SendError {
    pub(super) fn cancelled() -> SendError {
        SendError {
            kind: SendErrorKind::Cancelled,
            code: "cancelled",
            params: BTreeMap::new(),
            retryable: true,
        }
    }

    pub(super) fn not_claimed(job: &Job) -> SendError {
        let params = BTreeMap::from([("job".into(), job.id.0.to_string())]);
        SendError {
            kind: SendErrorKind::Journal,
            code: "job_not_claimed",
            params,
            retryable: true,
        }
    }

    /// `parts`: their numbers.
    pub(super) fn parts_mismatch(parts: &str) -> SendError {
        SendError {
            kind: SendErrorKind::Target,
            code: "part_mismatch",
            params: BTreeMap::from([("part".into(), parts.to_owned())]),
            retryable: true,
        }
    }

    pub(super) fn object_mismatch(size: u64, etag: &str, found: Option<&StoredObject>) -> SendError {
        let mut params = BTreeMap::from([
            ("expected_size".into(), size.to_string()),
            ("expected_etag".into(), etag.to_owned()),
        ]);
        if let Some(found) = found {
            params.insert("found_size".into(), found.size.to_string());
            params.insert("found_etag".into(), found.etag.clone());
        }
        SendError {
            kind: SendErrorKind::Target,
            code: "object_mismatch",
            params,
            retryable: true,
        }
    }
}

impl From<JournalError> for SendError {
    fn from(error: JournalError) -> SendError {
        SendError {
            kind: SendErrorKind::Journal,
            code: error.code,
            params: error.params,
            retryable: error.retryable,
        }
    }
}

impl From<PlanError> for SendError {
    fn from(error: PlanError) -> SendError {
        SendError {
            kind: SendErrorKind::Target,
            code: error.code,
            params: error.params,
            retryable: false,
        }
    }
}

impl From<SourceError> for SendError {
    fn from(error: SourceError) -> SendError {
        // A disk that was unplugged comes back; a file that was changed does not.
        let retryable = matches!(
            error.code,
            "source_not_found" | "source_permission_denied" | "source_unreadable"
        );
        SendError {
            kind: SendErrorKind::Source,
            code: error.code,
            params: error.params,
            retryable,
        }
    }
}

impl From<TargetError> for SendError {
    fn from(error: TargetError) -> SendError {
        let retryable = error.kind != TargetErrorKind::Rejected;
        let kind = match error.kind {
            TargetErrorKind::Unauthorized => SendErrorKind::SignIn,
            _ => SendErrorKind::Target,
        };
        SendError {
            kind,
            code: error.code,
            params: error.params,
            retryable,
        }
    }
}

impl From<&TargetError> for JobFailure {
    fn from(error: &TargetError) -> JobFailure {
        JobFailure::from(&SendError::from(error.clone()))
    }
}

impl From<&SendError> for JobFailure {
    fn from(error: &SendError) -> JobFailure {
        JobFailure {
            code: error.code.to_owned(),
            params: error.params.clone(),
            retryable: error.retryable,
        }
    }
}
