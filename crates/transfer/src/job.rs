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
    /// Waits for its turn: written down, or put back in line.
    Queued,
    /// The file and what the target holds of it are compared with the journal.
    Checking,
    /// Parts are being sent.
    Uploading,
    /// Stopped by the user; goes on when the user says so.
    Paused,
    /// The target cannot be reached, or cannot be used for now; goes on by itself.
    WaitingForNetwork,
    /// The target does not accept the key or account (any more); goes on when somebody has signed in.
    WaitingForSignIn,
    /// All parts acknowledged; the object is put together and compared.
    Verifying,
    /// The service makes an image of the object.
    Importing,
    /// The object stands ready in the target until a person says that it has been imported; no process works on it.
    Staged,
    /// The image is there. Final.
    Done,
    /// Gave up; can be resumed or cancelled.
    Failed,
    /// Taken back by the user. Final.
    Cancelled,
}

impl JobState {
    /// Every state, in the order of the way through.
    pub const ALL: [JobState; 12] = [
        JobState::Queued,
        JobState::Checking,
        JobState::Uploading,
        JobState::Paused,
        JobState::WaitingForNetwork,
        JobState::WaitingForSignIn,
        JobState::Verifying,
        JobState::Importing,
        JobState::Staged,
        JobState::Done,
        JobState::Failed,
        JobState::Cancelled,
    ];

    /// True if the next state after `self` may be `to`. A failed job may fail again, and a waiting one wait again: for another reason.
    pub fn may_become(self, to: JobState) -> bool {
        use JobState::{
            Cancelled, Checking, Done, Failed, Importing, Paused, Queued, Staged, Uploading, Verifying,
            WaitingForNetwork, WaitingForSignIn,
        };
        match to {
            _ if self.is_final() => false,
            Failed | Cancelled => true,
            // All has arrived: it ends, or all is done anew.
            Checking | Paused | WaitingForNetwork | WaitingForSignIn if self == Staged => false,
            // After a crash the journal may say anything: whoever goes on begins in line, or with the comparison.
            Queued | Checking => self != to,
            Uploading => self == Checking,
            Verifying => matches!(self, Checking | Uploading),
            // Not only from `Verifying`: a job whose image was begun goes on there.
            Importing | Staged => matches!(self, Queued | Verifying | WaitingForNetwork | WaitingForSignIn | Failed),
            Done => matches!(self, Importing | Staged),
            // The service's own work cannot be made to pause, and what failed stands still already.
            Paused => !matches!(self, Paused | Importing | Failed),
            WaitingForNetwork | WaitingForSignIn => !matches!(self, Paused | Failed),
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
            JobState::Checking => "checking",
            JobState::Uploading => "uploading",
            JobState::Paused => "paused",
            JobState::WaitingForNetwork => "waiting_for_network",
            JobState::WaitingForSignIn => "waiting_for_sign_in",
            JobState::Verifying => "verifying",
            JobState::Importing => "importing",
            JobState::Staged => "staged",
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
    /// The filesystem's own number for the file; `None` where it has none. Without the device's: that one changes when a disk is
    /// plugged in again. Another number alone makes no other file (FAT makes them up anew): it asks for a look at the content.
    pub file_id: Option<String>,
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
    /// Since when everybody who knows the object's address may be able to read it: noted before the target is asked for that;
    /// `None` while it is private.
    pub published: Option<jiff::Timestamp>,
    /// Id of the image in the service, chosen before it is made; `None` before the import.
    pub image_id: Option<String>,
    /// True from before the target is first asked to open an upload until [`Job::upload_id`] is known: if the answer got lost, an
    /// upload whose id nobody noted is open under [`Job::key`].
    pub opening: bool,
    /// SHA-512 of the whole file in hexadecimal digits, known when all of it was read.
    pub sha512: Option<String>,
    /// Bytes acknowledged by the target.
    pub acknowledged: u64,
    /// Why it stands at [`JobState::Failed`], or what it waits for.
    pub failure: Option<JobFailure>,
    /// Its place in the queue: the smaller, the sooner.
    pub position: i64,
    /// When it was written down.
    pub created: jiff::Timestamp,
}

/// Why an upload failed, or what it waits for.
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
    use super::JobState::{
        self, Cancelled, Checking, Done, Failed, Importing, Paused, Queued, Staged, Uploading, Verifying,
        WaitingForNetwork as Network, WaitingForSignIn as SignIn,
    };

    /// Every transition there is, written out: whatever is missing here must be refused.
    const ALLOWED: [(JobState, &[JobState]); 12] = [
        (
            Queued,
            &[Checking, Paused, Network, SignIn, Importing, Staged, Failed, Cancelled],
        ),
        (
            Checking,
            &[Queued, Uploading, Paused, Network, SignIn, Verifying, Failed, Cancelled],
        ),
        (
            Uploading,
            &[Queued, Checking, Paused, Network, SignIn, Verifying, Failed, Cancelled],
        ),
        (Paused, &[Queued, Checking, Failed, Cancelled]),
        (
            Network,
            &[
                Queued, Checking, Paused, Network, SignIn, Importing, Staged, Failed, Cancelled,
            ],
        ),
        (
            SignIn,
            &[
                Queued, Checking, Paused, Network, SignIn, Importing, Staged, Failed, Cancelled,
            ],
        ),
        (
            Verifying,
            &[
                Queued, Checking, Paused, Network, SignIn, Importing, Staged, Failed, Cancelled,
            ],
        ),
        (Importing, &[Queued, Checking, Network, SignIn, Done, Failed, Cancelled]),
        (Staged, &[Queued, Done, Failed, Cancelled]),
        (Done, &[]),
        (Failed, &[Queued, Checking, Importing, Staged, Failed, Cancelled]),
        (Cancelled, &[]),
    ];

    #[test]
    fn exactly_the_listed_transitions_are_allowed() {
        for (from, allowed) in ALLOWED {
            for to in JobState::ALL {
                assert_eq!(from.may_become(to), allowed.contains(&to), "{from:?} -> {to:?}");
            }
        }
        assert_eq!(ALLOWED.map(|(from, _)| from), JobState::ALL);
    }

    /// Whatever the journal says after a crash, somebody can go on, give up or take it back.
    #[test]
    fn no_state_is_a_dead_end_before_the_end() {
        for from in JobState::ALL.into_iter().filter(|state| !state.is_final()) {
            assert!(
                from == Queued || from.may_become(Queued),
                "{from:?} can be resumed, or done anew"
            );
            assert!(
                from.may_become(Cancelled) && from.may_become(Failed),
                "{from:?} can end"
            );
        }
    }

    #[test]
    fn the_journal_and_json_use_the_same_names() {
        for state in JobState::ALL {
            assert_eq!(serde_json::to_value(state).unwrap(), state.name());
        }
    }
}
