//! Sends a file in parts. What the target acknowledged is in the journal before it counts, so that the next run goes on from there.
//! `send` may be dropped at any point: whatever it had not written down is done again.

mod error;
mod read;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    future::Future,
    pin::pin,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

pub use self::error::{SendError, SendErrorKind};
use self::read::{Content, Reading, hex, multipart_etag};
use crate::{
    body::{Flow, PartBody},
    job::{Job, JobState, SourceIdentity},
    journal::{Claim, Journal, JournalError, JournalPart},
    plan::{Plan, PlannedPart, part_size},
    retry::Retry,
    steering::Steering,
    target::{PartReceipt, StoredObject, Target, TargetError, TargetErrorKind},
    throttle::Throttle,
};
use futures::{StreamExt, future::BoxFuture, stream::FuturesUnordered};

/// Most parts in memory at the same time: being read, on the way, or waiting to be repeated.
const IN_FLIGHT: usize = 4;

/// How often one call of [`send`] begins from nothing because the target does not know the upload any more.
const REOPENINGS: u32 = 2;

/// How far an upload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes that the target acknowledged, in this run or an earlier one. Never goes back within one call of [`send`].
    pub acknowledged: u64,
    /// Bytes beyond those that the socket took and the target has not acknowledged yet. Goes back when a request fails.
    pub on_the_way: u64,
    /// Bytes in all.
    pub total: u64,
    /// The journal's state.
    pub state: JobState,
    /// While it waits for the network: how long until it tries again.
    pub retry_in: Option<Duration>,
}

/// A file that has arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// SHA-512 of the whole file, in hexadecimal digits.
    pub sha512: String,
    /// The object, as the target tells it; its size and mark were compared.
    pub object: StoredObject,
}

/// Sends the job's file to the target, or what is missing of it, and compares what arrived. The job is in state [`JobState::Verifying`]
/// afterwards. While it works it writes the states `Checking`, `Uploading`, `WaitingForNetwork`, `WaitingForSignIn` and `Verifying`; the
/// others are left to the caller, and so is the upload's [`abort`] when it is taken back.
///
/// A network that is away is no error: it waits, for days if need be, until [`Steering::cancel`]. `observe` is called at each change of
/// state and otherwise at most five times a second.
///
/// # Errors
/// See [`SendError::kind`] and [`SendError::code`].
pub async fn send(
    journal: &Journal,
    target: &dyn Target,
    claim: &Claim,
    job: &Job,
    steering: &Steering,
    observe: &(dyn Fn(Progress) + Send + Sync),
) -> Result<Sent, SendError> {
    if claim.id() != job.id {
        return Err(SendError::not_claimed(job));
    }
    let sending = Sending {
        journal,
        target,
        job,
        on_progress: observe,
        retry: &steering.retry,
        throttle: &steering.throttle,
        reported: AtomicU64::new(0),
    };
    tokio::select! {
        biased;
        () = steering.cancel.cancelled() => Err(SendError::cancelled()),
        sent = sending.run() => sent,
    }
}

/// Has the target throw away what was sent of an upload that is not finished, also one whose id never became known. An upload that it
/// does not know is success.
///
/// # Errors
/// The target's codes.
pub async fn abort(target: &dyn Target, job: &Job, retry: &Retry) -> Result<(), SendError> {
    let mut open: Vec<String> = job.upload_id.iter().cloned().collect();
    if job.opening {
        open.extend(retrying(retry, || target.uploads(&job.key)).await?);
    }
    for upload_id in &open {
        retrying(retry, || target.abort(&job.key, upload_id)).await?;
    }
    Ok(())
}

/// Begins a job anew with the file as it is now, after a `source_changed`: the target throws away what it has, the parts are planned again,
/// and the job is in state [`JobState::Queued`]. The key stays.
///
/// # Errors
/// As [`abort`] and [`SourceIdentity::of`]; `object_too_large`; the journal's codes. Nothing has changed then but what the target threw away.
pub async fn start_anew(
    journal: &Journal,
    target: &dyn Target,
    claim: &Claim,
    job: &Job,
    details: &str,
    retry: &Retry,
) -> Result<Job, SendError> {
    if claim.id() != job.id {
        return Err(SendError::not_claimed(job));
    }
    let path = job.source.path.clone();
    let source = blocking(move || SourceIdentity::of(&path)).await??;
    let part_size = part_size(source.size, &target.limits())?;
    abort(target, job, retry).await?;
    let (journal, id) = (journal.clone(), job.id);
    let details = details.to_owned();
    Ok(blocking(move || journal.restart(id, &source, part_size, &details)).await??)
}

/// Why one attempt ended.
enum Stop {
    Failed(SendError),
    /// The target does not know the upload: it can be begun anew.
    Lost(SendError),
}

impl<E: Into<SendError>> From<E> for Stop {
    fn from(error: E) -> Stop {
        Stop::Failed(error.into())
    }
}

impl Stop {
    /// For requests that name the upload.
    fn of_upload(error: TargetError) -> Stop {
        if error.kind == TargetErrorKind::NotFound {
            Stop::Lost(error.into())
        } else {
            Stop::Failed(error.into())
        }
    }
}

type InFlight<'a> = FuturesUnordered<BoxFuture<'a, Result<JournalPart, TargetError>>>;

struct Sending<'a> {
    journal: &'a Journal,
    target: &'a dyn Target,
    job: &'a Job,
    on_progress: &'a (dyn Fn(Progress) + Send + Sync),
    retry: &'a Retry,
    throttle: &'a Throttle,
    /// The most that was reported.
    reported: AtomicU64,
}

impl Sending<'_> {
    async fn run(&self) -> Result<Sent, SendError> {
        let mut reopenings = 0;
        loop {
            match self.attempt().await {
                Ok(sent) => return Ok(sent),
                Err(Stop::Failed(error)) => return Err(error),
                Err(Stop::Lost(error)) if reopenings >= REOPENINGS => return Err(error),
                Err(Stop::Lost(error)) => {
                    tracing::warn!(job = %self.job.id.0, code = error.code, "upload lost by the target, beginning anew");
                    reopenings += 1;
                    self.write(Journal::forget_parts).await?;
                }
            }
        }
    }

    async fn attempt(&self) -> Result<Sent, Stop> {
        let source = self.job.source.clone();
        let (file, _) = blocking(move || source.reopen()).await??;
        let job = self.job_now().await?;
        if job.state != JobState::Checking {
            self.advance(JobState::Checking).await?;
        }
        let plan = Plan::new(job.source.size, job.part_size).ok_or_else(|| job.source.changed())?;

        let (upload_id, kept) = match &job.upload_id {
            None => (self.open().await?, BTreeMap::new()),
            Some(upload_id) => match retrying(self.retry, || self.target.parts(&job.key, upload_id)).await {
                Ok(held) => (upload_id.clone(), self.agreed(&plan, &held).await?),
                Err(error) => return self.already_complete(&job, &plan, Stop::of_upload(error)).await,
            },
        };
        let sha512 = match &job.sha512 {
            Some(sha512) if kept.len() == plan_len(&plan) => sha512.clone(),
            _ => {
                self.become_uploading(self.job_now().await?.state).await?;
                self.send_parts(&plan, file, &upload_id, kept).await?
            }
        };
        let parts = self.write(Journal::parts).await?;
        self.become_verifying(self.job_now().await?.state).await?;
        let receipts: Vec<PartReceipt> = parts.iter().map(|part| part.receipt.clone()).collect();
        if let Err(error) = retrying(self.retry, || self.target.complete(&job.key, &upload_id, &receipts)).await {
            return self.already_complete(&job, &plan, Stop::of_upload(error)).await;
        }
        match self.compare(&job, &parts).await? {
            Ok(object) => Ok(Sent { sha512, object }),
            Err(mismatch) => Err(mismatch.into()),
        }
    }

    /// Opens an upload and writes its id down before anything relies on it.
    async fn open(&self) -> Result<String, Stop> {
        let upload_id = retrying(self.retry, || self.target.begin(&self.job.key)).await?;
        let noted = upload_id.clone();
        self.write(move |journal, id| journal.set_upload(id, &noted)).await?;
        Ok(upload_id)
    }

    /// The upload is gone. If that is because it was completed and only the answer got lost, the object is there; otherwise it `stop`s.
    async fn already_complete(&self, job: &Job, plan: &Plan, stop: Stop) -> Result<Sent, Stop> {
        if !matches!(stop, Stop::Lost(_)) {
            return Err(stop);
        }
        let parts = self.write(Journal::parts).await?;
        let now = self.job_now().await?;
        let (Some(sha512), true) = (now.sha512, parts.len() == plan_len(plan)) else {
            return Err(stop);
        };
        match self.compare(job, &parts).await? {
            Ok(object) => {
                self.become_verifying(now.state).await?;
                Ok(Sent { sha512, object })
            }
            Err(_) => Err(stop),
        }
    }

    /// The parts of the plan on which journal and target agree; the journal forgets the others.
    async fn agreed(&self, plan: &Plan, held: &[PartReceipt]) -> Result<BTreeMap<u32, [u8; 16]>, Stop> {
        let held: BTreeMap<u32, &PartReceipt> = held.iter().map(|receipt| (receipt.number, receipt)).collect();
        let mut kept = BTreeMap::new();
        let mut discarded = BTreeSet::new();
        for part in self.write(Journal::parts).await? {
            let number = part.receipt.number;
            let planned = plan.part(number);
            let agree =
                planned.is_some_and(|planned| held.get(&number).is_some_and(|held| matches(held, planned, part.md5)));
            if agree {
                kept.insert(number, part.md5);
            } else {
                discarded.insert(number);
            }
        }
        if !discarded.is_empty() {
            let numbers: Vec<u32> = discarded.into_iter().collect();
            self.write(move |journal, id| journal.discard_parts(id, &numbers))
                .await?;
        }
        Ok(kept)
    }

    /// Reads the file once from its beginning to its end, sends what is not `kept`, and returns its SHA-512, which the journal has, too.
    async fn send_parts(
        &self,
        plan: &Plan,
        file: File,
        upload_id: &str,
        kept: BTreeMap<u32, [u8; 16]>,
    ) -> Result<String, Stop> {
        let slots = usize::try_from(self.target.limits().max_concurrent)
            .unwrap_or(IN_FLIGHT)
            .clamp(1, IN_FLIGHT);
        let mut acknowledged: u64 = kept
            .keys()
            .filter_map(|number| plan.part(*number))
            .map(|part| part.size)
            .sum();
        self.report(acknowledged);

        let mut reading = Reading::new(file, self.job.source.clone())?;
        let mut in_flight: InFlight = FuturesUnordered::new();
        for number in 1..=plan.count() {
            let Some(planned) = plan.part(number) else { break };
            while in_flight.len() >= slots {
                self.acknowledge(in_flight.next().await, &mut acknowledged).await?;
            }
            let mut read = pin!(blocking(move || reading.next(planned)));
            let (rest, content) = loop {
                tokio::select! {
                    read = &mut read => break read??,
                    done = in_flight.next(), if !in_flight.is_empty() => self.acknowledge(done, &mut acknowledged).await?,
                }
            };
            reading = rest;
            match kept.get(&number) {
                Some(md5) if *md5 != content.md5 => return Err(self.job.source.changed().into()),
                Some(_) => {}
                None => in_flight.push(Box::pin(self.put(upload_id, planned, content))),
            }
        }
        while !in_flight.is_empty() {
            self.acknowledge(in_flight.next().await, &mut acknowledged).await?;
        }

        let sha512 = blocking(move || reading.finish()).await??;
        let noted = sha512.clone();
        self.write(move |journal, id| journal.set_sha512(id, &noted)).await?;
        Ok(sha512)
    }

    async fn put(&self, upload_id: &str, planned: PlannedPart, content: Content) -> Result<JournalPart, TargetError> {
        let Content { data, md5 } = content;
        let receipt = retrying(self.retry, || async {
            let request = self.target.put_part(
                &self.job.key,
                upload_id,
                planned.number,
                PartBody::new(data.clone(), self.throttle.clone(), Flow::new()),
                md5,
            );
            let receipt = request.await?;
            if matches(&receipt, planned, md5) {
                Ok(receipt)
            } else {
                Err(part_mismatch(&receipt, planned, md5))
            }
        })
        .await?;
        Ok(JournalPart { receipt, md5 })
    }

    /// Counts a part once the journal has it.
    async fn acknowledge(
        &self,
        done: Option<Result<JournalPart, TargetError>>,
        acknowledged: &mut u64,
    ) -> Result<(), Stop> {
        let Some(done) = done else { return Ok(()) };
        let part = done.map_err(Stop::of_upload)?;
        let size = part.receipt.size;
        self.write(move |journal, id| journal.record_part(id, &part.receipt, part.md5))
            .await?;
        *acknowledged = acknowledged.saturating_add(size);
        self.report(*acknowledged);
        Ok(())
    }

    fn report(&self, acknowledged: u64) {
        let before = self.reported.fetch_max(acknowledged, Ordering::Relaxed);
        (self.on_progress)(Progress {
            acknowledged: acknowledged.max(before),
            on_the_way: 0,
            total: self.job.source.size,
            state: JobState::Uploading,
            retry_in: None,
        });
    }

    /// Compares the finished object with what was sent: its size and its mark, made of the MD5s of what was read.
    async fn compare(&self, job: &Job, parts: &[JournalPart]) -> Result<Result<StoredObject, SendError>, Stop> {
        let expected = multipart_etag(parts.iter().map(|part| &part.md5));
        let found = retrying(self.retry, || self.target.stored(&job.key)).await?;
        Ok(match found {
            Some(object) if object.size == job.source.size && object.etag.eq_ignore_ascii_case(&expected) => Ok(object),
            other => Err(SendError::object_mismatch(job.source.size, &expected, other.as_ref())),
        })
    }

    async fn become_uploading(&self, now: JobState) -> Result<(), SendError> {
        if now == JobState::Uploading {
            Ok(())
        } else {
            self.advance(JobState::Uploading).await
        }
    }

    async fn become_verifying(&self, now: JobState) -> Result<(), SendError> {
        if now == JobState::Verifying {
            return Ok(());
        }
        self.advance(JobState::Verifying).await?;
        // No byte more, but whoever follows the upload shall see its new state: putting a large object together takes a while.
        self.report(0);
        Ok(())
    }

    async fn advance(&self, to: JobState) -> Result<(), SendError> {
        self.write(move |journal, id| journal.advance(id, to)).await?;
        Ok(())
    }

    async fn job_now(&self) -> Result<Job, SendError> {
        let job = self.write(Journal::job).await?;
        job.ok_or_else(|| SendError::not_claimed(self.job))
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Journal, crate::JobId) -> Result<T, JournalError> + Send + 'static,
    ) -> Result<T, SendError> {
        let (journal, id) = (self.journal.clone(), self.job.id);
        Ok(blocking(move || work(&journal, id)).await??)
    }
}

fn plan_len(plan: &Plan) -> usize {
    usize::try_from(plan.count()).unwrap_or(usize::MAX)
}

/// Does the target hold this part with this content?
fn matches(receipt: &PartReceipt, planned: PlannedPart, md5: [u8; 16]) -> bool {
    receipt.number == planned.number && receipt.size == planned.size && receipt.etag.eq_ignore_ascii_case(&hex(&md5))
}

fn part_mismatch(receipt: &PartReceipt, planned: PlannedPart, md5: [u8; 16]) -> TargetError {
    TargetError {
        kind: TargetErrorKind::Integrity,
        code: "part_mismatch",
        params: BTreeMap::from([
            ("part".into(), planned.number.to_string()),
            ("expected_etag".into(), hex(&md5)),
            ("found_etag".into(), receipt.etag.clone()),
        ]),
        retry_after: None,
    }
}

/// Repeats a request as long as that can help and the budget lasts.
async fn retrying<T, F, R>(retry: &Retry, mut request: F) -> Result<T, TargetError>
where
    F: FnMut() -> R,
    R: Future<Output = Result<T, TargetError>>,
{
    let mut attempt = 1;
    loop {
        let error = match request().await {
            Ok(answer) => return Ok(answer),
            Err(error) if error.retryable() => error,
            Err(error) => return Err(error),
        };
        let Some(pause) = retry.pause_after(attempt) else {
            return Err(error);
        };
        tracing::warn!(code = error.code, attempt, ?pause, "request failed, repeating it");
        tokio::time::sleep(pause).await;
        attempt = attempt.saturating_add(1);
    }
}

/// Runs what waits for the disk beside the runtime's own threads.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, SendError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => Ok(result),
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is being shut down.
            Err(_) => Err(SendError::cancelled()),
        },
    }
}

#[cfg(test)]
mod tests;
