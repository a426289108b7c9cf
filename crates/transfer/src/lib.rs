//! Brings a file to a target in parts and survives interruptions: plan, journal, engine. A target is a trait.

mod body;
mod engine;
mod job;
mod journal;
mod plan;
mod retry;
mod source;
mod steering;
mod target;
mod throttle;

pub use body::PartBody;
pub use engine::{Progress, SendError, SendErrorKind, Sent, abort, send, start_anew};
pub use job::{Job, JobFailure, JobId, JobState, NewJob, SourceIdentity};
pub use journal::{Claim, Journal, JournalError, JournalPart};
pub use plan::{Plan, PlanError, PlannedPart, part_size};
pub use retry::Retry;
pub use source::SourceError;
pub use steering::{RetryNow, Stall, Steering};
pub use target::{Limits, PartReceipt, StoredObject, Target, TargetError, TargetErrorKind};
pub use throttle::Throttle;
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
    "part_stalled",
    "source_changed",
    "source_empty",
    "source_is_directory",
    "source_not_found",
    "source_not_regular",
    "source_permission_denied",
    "source_unreadable",
];

#[cfg(test)]
mod tests {
    /// Texts are made for what `CODES` lists: a code that is missing there would reach a person bare.
    #[test]
    fn every_code_in_the_sources_is_listed() {
        let sources = [
            include_str!("engine/error.rs"),
            include_str!("engine/mod.rs"),
            include_str!("engine/parts.rs"),
            include_str!("journal/error.rs"),
            include_str!("plan.rs"),
            include_str!("source.rs"),
        ];
        let families = ["job_", "journal_", "object_", "part_", "source_"];
        for source in sources {
            for literal in source.split('"').skip(1).step_by(2) {
                let is_code = literal == "cancelled" || families.iter().any(|family| literal.starts_with(family));
                assert!(!is_code || super::CODES.contains(&literal), "{literal}");
            }
        }
        assert!(super::CODES.is_sorted());
    }
}
