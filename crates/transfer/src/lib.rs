//! Brings a file to a target in parts and survives interruptions: plan, journal, engine. A target is a trait.

mod job;
mod target;

pub use job::{Job, JobFailure, JobId, JobState, NewJob, SourceIdentity};
pub use target::{Limits, PartReceipt, StoredObject, Target, TargetError, TargetErrorKind};
