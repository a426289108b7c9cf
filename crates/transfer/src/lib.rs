//! Brings a file to a target in parts and survives interruptions: plan, journal, engine. A target is a trait.

mod engine;
mod job;
mod journal;
mod plan;
mod retry;
mod source;
mod target;

pub use engine::{Progress, SendError, Sent, abort, send, send_with};
pub use job::{Job, JobFailure, JobId, JobState, NewJob, SourceIdentity};
pub use journal::{Claim, Journal, JournalError, JournalPart};
pub use plan::{Plan, PlanError, PlannedPart, part_size};
pub use retry::Retry;
pub use source::SourceError;
pub use target::{Limits, PartReceipt, StoredObject, Target, TargetError, TargetErrorKind};
pub use tokio_util::sync::CancellationToken;

/// Every error code that this crate makes itself; a target adds its own.
pub const CODES: &[&str] = &[
    "cancelled",
    "job_not_claimed",
    "job_not_final",
    "job_transition",
    "job_unknown",
    "journal_busy",
    "journal_corrupt",
    "journal_disk_full",
    "journal_failed",
    "journal_newer",
    "journal_unavailable",
    "object_mismatch",
    "object_too_large",
    "part_mismatch",
    "source_changed",
    "source_empty",
    "source_is_directory",
    "source_not_found",
    "source_permission_denied",
    "source_unreadable",
];
