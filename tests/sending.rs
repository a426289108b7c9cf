//! One upload by the program's own engine, S3 client and journal; called again, it goes on where it stood.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    time::{Duration, Instant},
};

use lotse_cloud::{S3, S3Timeouts, http_client};
use lotse_transfer::{
    CancellationToken, JobState, Journal, JournalError, NewJob, PlanError, Retry, SendError, SourceError,
    SourceIdentity, Stall, Steering, Target as _,
};
use serde::{Deserialize, Serialize};

use crate::{Result, servers::Access};

/// What is to be sent, and how.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Order {
    /// Folder of the journal.
    pub journal: PathBuf,
    /// The file.
    pub file: PathBuf,
    /// The server, or the proxy in front of it.
    pub access: Access,
    /// Key of the object.
    pub key: String,
    /// Size of the parts in bytes; `None`: as planned for a file of its size.
    pub part_size: Option<u64>,
    /// Most parts on the way at the same time; `None`: as in the program.
    pub workers: Option<u32>,
    /// `None`: as in the program.
    pub patience: Option<Patience>,
}

/// How soon something is tried again; all in milliseconds. A test has not got a day.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Patience {
    /// Longest wait before the second attempt.
    pub first: u64,
    /// Longest wait before any attempt.
    pub longest: u64,
    /// A request is stuck after this time without a byte, for a link of which nothing bad is known,
    pub stall_shortest: u64,
    /// and for the slowest.
    pub stall_longest: u64,
    /// Longest that a request without a part may take.
    pub request: u64,
}

impl Default for Patience {
    fn default() -> Patience {
        Patience {
            first: 20,
            longest: 200,
            // A loaded machine's server takes a second for an answer.
            stall_shortest: 3_000,
            stall_longest: 20_000,
            request: 6_000,
        }
    }
}

/// What came of it.
#[derive(Debug, Clone, Default, Serialize, Deserialize, PartialEq, Eq)]
pub struct Outcome {
    /// The error's code; `None` when the object is there. `claimed` if somebody else is at it.
    pub code: Option<String>,
    /// The error's parameters.
    pub params: BTreeMap<String, String>,
    /// Can the same upload be resumed?
    pub retryable: bool,
    /// Where the journal says it stands; `None` if nothing is in the journal.
    pub state: Option<JobState>,
    /// States that were seen on the way, in order.
    pub states: Vec<JobState>,
    /// Bytes that were acknowledged when it began,
    pub acknowledged_before: u64,
    /// and when it ended.
    pub acknowledged: u64,
    /// SHA-512 of the file in hexadecimal digits, when it was sent.
    pub sha512: Option<String>,
    /// Time that sending took, in milliseconds.
    pub milliseconds: u64,
}

/// Any of the engine's errors.
struct Error {
    code: String,
    params: BTreeMap<String, String>,
    retryable: bool,
}

macro_rules! errors {
    ($($error:ty: $retryable:expr),+) => {$(
        impl From<$error> for Error {
            fn from(error: $error) -> Error {
                let retryable: fn(&$error) -> bool = $retryable;
                Error { code: error.code.to_owned(), retryable: retryable(&error), params: error.params }
            }
        }
    )+};
}
errors!(
    JournalError: |error| error.retryable,
    SendError: |error| error.retryable,
    SourceError: |_| false,
    PlanError: |_| false,
    lotse_cloud::CloudError: |error| error.retryable
);

/// Sends the file, or goes on with it. Until `cancel` it does not give up what may still succeed.
///
/// # Errors
/// None of the engine's: those are an [`Outcome`].
pub async fn send(order: &Order, cancel: &CancellationToken) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    let before = Instant::now();
    if let Err(error) = attempt(order, cancel, &mut outcome).await {
        outcome.code = Some(error.code);
        outcome.params = error.params;
        outcome.retryable = error.retryable;
    }
    outcome.milliseconds = u64::try_from(before.elapsed().as_millis())?;
    // A journal that cannot be read has said so above.
    if let Ok(journal) = Journal::open(&order.journal)
        && let Ok(jobs) = journal.jobs()
        && let Some(job) = jobs.iter().find(|job| job.key == order.key)
    {
        outcome.state = Some(job.state);
        outcome.acknowledged = job.acknowledged;
    }
    Ok(outcome)
}

async fn attempt(order: &Order, cancel: &CancellationToken, outcome: &mut Outcome) -> std::result::Result<(), Error> {
    let mut target = S3::new(order.access.config(), http_client()?)?;
    if let Some(patience) = order.patience {
        let request = Duration::from_millis(patience.request);
        target = target.with_timeouts(S3Timeouts {
            small: request,
            complete: request,
        });
    }
    let journal = Journal::open(&order.journal)?;
    let mut known = journal.jobs()?.into_iter().find(|job| job.key == order.key);
    if known.is_none() {
        let source = SourceIdentity::of(&order.file)?;
        let planned = lotse_transfer::part_size(source.size, &target.limits())?;
        let new = NewJob {
            connection: "test".to_owned(),
            key: order.key.clone(),
            part_size: order.part_size.unwrap_or(planned),
            details: "{}".to_owned(),
            source,
        };
        known = Some(journal.add(&new, jiff::Timestamp::now())?);
    }
    let Some(job) = known else { return Ok(()) };
    outcome.acknowledged_before = job.acknowledged;
    let Some(claim) = journal.claim(job.id)? else {
        return Err(Error {
            code: "claimed".to_owned(),
            params: BTreeMap::new(),
            retryable: true,
        });
    };
    // Somebody may have worked on it until the claim was ours.
    let job = journal.job(job.id)?.unwrap_or(job);
    outcome.sha512.clone_from(&job.sha512);
    if !matches!(job.state, JobState::Importing | JobState::Done) {
        let steering = steering(order, cancel);
        let states = std::sync::Mutex::new(Vec::new());
        let observe = |progress: lotse_transfer::Progress| {
            if let Ok(mut states) = states.lock()
                && states.last() != Some(&progress.state)
            {
                states.push(progress.state);
            }
        };
        let sent = lotse_transfer::send(&journal, &target, &claim, &job, &steering, &observe).await;
        outcome.states = states.into_inner().unwrap_or_default();
        outcome.sha512 = Some(sent?.sha512);
        journal.advance(job.id, JobState::Importing)?;
    }
    if job.state != JobState::Done {
        journal.advance(job.id, JobState::Done)?;
    }
    Ok(())
}

fn steering(order: &Order, cancel: &CancellationToken) -> Steering {
    let mut steering = Steering {
        cancel: cancel.clone(),
        ..Steering::default()
    };
    if let Some(workers) = order.workers {
        steering.workers = workers;
    }
    if let Some(patience) = order.patience {
        steering.retry = Retry {
            first: Duration::from_millis(patience.first),
            longest: Duration::from_millis(patience.longest),
            ..steering.retry
        };
        steering.stall = Stall {
            shortest: Duration::from_millis(patience.stall_shortest),
            longest: Duration::from_millis(patience.stall_longest),
        };
    }
    steering
}
