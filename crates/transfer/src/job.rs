//! An upload as the journal keeps it.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Names an upload for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(pub Uuid);

/// Where an upload stands. Only the transitions of [`JobState::may_become`] are allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Written down; nothing sent yet.
    Queued,
    /// Parts are being sent.
    Uploading,
    /// All parts acknowledged; the object is put together and compared.
    Verifying,
    /// The service makes an image of the object.
    Importing,
    /// The image is there. Final.
    Done,
    /// Gave up; can be resumed (then it is `Uploading` again) or cancelled.
    Failed,
    /// Taken back by the user. Final.
    Cancelled,
}

impl JobState {
    /// Every state, in the order of the way through.
    pub const ALL: [JobState; 7] = [
        JobState::Queued,
        JobState::Uploading,
        JobState::Verifying,
        JobState::Importing,
        JobState::Done,
        JobState::Failed,
        JobState::Cancelled,
    ];

    /// True if the next state after `self` may be `to`. A failed job may fail again: for another reason.
    pub fn may_become(self, to: JobState) -> bool {
        use JobState::{Cancelled, Done, Failed, Importing, Queued, Uploading, Verifying};
        match to {
            Failed | Cancelled => !self.is_final(),
            Queued => false,
            // From `Verifying` when the service has lost the upload in the meantime.
            Uploading => matches!(self, Queued | Verifying | Failed),
            Verifying => self == Uploading,
            Importing => matches!(self, Verifying | Failed),
            Done => self == Importing,
        }
    }

    /// True if nothing comes after it.
    pub fn is_final(self) -> bool {
        matches!(self, JobState::Done | JobState::Cancelled)
    }

    /// The state's name in the journal, the same as in JSON.
    pub fn name(self) -> &'static str {
        match self {
            JobState::Queued => "queued",
            JobState::Uploading => "uploading",
            JobState::Verifying => "verifying",
            JobState::Importing => "importing",
            JobState::Done => "done",
            JobState::Failed => "failed",
            JobState::Cancelled => "cancelled",
        }
    }
}

/// What tells that a file is still the one that was first sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceIdentity {
    /// Absolute path.
    pub path: PathBuf,
    /// Bytes.
    pub size: u64,
    /// Last change in nanoseconds since 1970, UTC; 0 where the filesystem keeps none.
    pub modified_ns: i64,
}

/// What is written down before anything is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewJob {
    /// The file.
    pub source: SourceIdentity,
    /// Name of the connection it goes to.
    pub connection: String,
    /// Key of the staging object in the target.
    pub key: String,
    /// Size of every part but the last, in bytes.
    pub part_size: u64,
    /// The app's own description of the wished-for image, as JSON; the journal does not look into it.
    pub details: String,
}

/// An upload as the journal keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its name.
    pub id: JobId,
    /// Where it stands.
    pub state: JobState,
    /// The file.
    pub source: SourceIdentity,
    /// Name of the connection it goes to.
    pub connection: String,
    /// Key of the staging object in the target.
    pub key: String,
    /// The target's id for the running multipart upload; `None` before it was opened.
    pub upload_id: Option<String>,
    /// Size of every part but the last, in bytes.
    pub part_size: u64,
    /// The app's own description of the wished-for image, as JSON.
    pub details: String,
    /// Id of the image in the service, chosen before it is made; `None` before the import.
    pub image_id: Option<String>,
    /// SHA-512 of the whole file in hexadecimal digits, known when all of it was read.
    pub sha512: Option<String>,
    /// Bytes acknowledged by the target.
    pub acknowledged: u64,
    /// Why it stands at [`JobState::Failed`].
    pub failure: Option<JobFailure>,
    /// When it was written down.
    pub created: jiff::Timestamp,
}

/// Why an upload failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobFailure {
    /// Stable code (`snake_case`).
    pub code: String,
    /// Parameters for the sentence made from the code.
    #[serde(default)]
    pub params: BTreeMap<String, String>,
    /// Can the same upload be resumed?
    pub retryable: bool,
}

#[cfg(test)]
mod tests {
    use super::JobState::{self, Cancelled, Done, Failed, Importing, Queued, Uploading, Verifying};

    /// Every transition there is, written out: whatever is missing here must be refused.
    const ALLOWED: [(JobState, JobState); 17] = [
        (Queued, Uploading),
        (Uploading, Verifying),
        (Verifying, Uploading),
        (Verifying, Importing),
        (Importing, Done),
        (Failed, Uploading),
        (Failed, Importing),
        (Queued, Failed),
        (Uploading, Failed),
        (Verifying, Failed),
        (Importing, Failed),
        (Failed, Failed),
        (Queued, Cancelled),
        (Uploading, Cancelled),
        (Verifying, Cancelled),
        (Importing, Cancelled),
        (Failed, Cancelled),
    ];

    #[test]
    fn exactly_the_listed_transitions_are_allowed() {
        for from in JobState::ALL {
            for to in JobState::ALL {
                let listed = ALLOWED.contains(&(from, to));
                assert_eq!(from.may_become(to), listed, "{from:?} -> {to:?}");
            }
        }
    }

    #[test]
    fn the_journal_and_json_use_the_same_names() {
        for state in JobState::ALL {
            assert_eq!(serde_json::to_value(state).unwrap(), state.name());
        }
    }
}
