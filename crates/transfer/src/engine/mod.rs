//! Sends a file in parts. What the target acknowledged is in the journal before it counts, so that the next run goes on from there.
//! `send` may be dropped at any point: whatever it had not written down is done again.

mod again;
mod error;
mod pace;
mod parts;
mod patience;
mod read;
mod report;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    future::Future,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use sha2::Sha512;
use tokio_util::task::TaskTracker;

use self::{
    again::blocking,
    patience::Patience,
    read::{hex, multipart_etag, read_state},
    report::Report,
};
pub use self::{
    again::{abort, start_anew},
    error::{SendError, SendErrorKind},
};
use crate::{
    job::{Job, JobFailure, JobId, JobState},
    journal::{Claim, Journal, JournalError, JournalPart},
    plan::{Plan, PlannedPart},
    steering::Steering,
    target::{PartReceipt, StoredObject, Target, TargetError, TargetErrorKind},
};

/// How often one call of [`send`] begins from nothing because the target does not know the upload any more, or sends parts again because it
/// holds others.
const REOPENINGS: u32 = 2;

/// How often the list of parts is asked for before a part that is not in it counts as lost: Swift's lists may lag behind.
const LOOKS: u32 = 4;

/// Most part numbers that an error names.
const NAMED: usize = 20;

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
    /// While it waits for the network: how long until it tries again, counted from this report.
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
    // The caller may have read it before somebody said where the file is now.
    let (reader, id) = (journal.clone(), job.id);
    let job = blocking(move || reader.job(id)).await??;
    let job = job.ok_or_else(|| JournalError::unknown(id))?;
    let sending = Sending {
        journal,
        target,
        steering,
        report: Report::new(observe, &job),
        job,
        patience: Mutex::new(Patience::new(steering.stall)),
        arrivals: AtomicU64::new(0),
        read_here: Arc::default(),
        writes: TaskTracker::new(),
    };
    let sent = tokio::select! {
        biased;
        () = steering.cancel.cancelled() => Err(SendError::cancelled()),
        sent = sending.run() => sent,
    };
    // Whoever writes to the journal next must not be overtaken by what is being written.
    sending.writes.close();
    sending.writes.wait().await;
    sent
}

/// Why one attempt ended.
enum Stop {
    Failed(SendError),
    /// The target does not know the upload: it can be begun anew.
    Lost(SendError),
    /// The target holds something else than was sent: that can be sent again.
    Differs(SendError),
    /// The target cannot be reached, or asks for patience: it can be waited for.
    Away(TargetError),
}

impl From<SendError> for Stop {
    fn from(error: SendError) -> Stop {
        Stop::Failed(error)
    }
}

impl From<crate::SourceError> for Stop {
    fn from(error: crate::SourceError) -> Stop {
        Stop::Failed(error.into())
    }
}

impl From<TargetError> for Stop {
    fn from(error: TargetError) -> Stop {
        match error.kind {
            TargetErrorKind::Network | TargetErrorKind::Busy => Stop::Away(error),
            TargetErrorKind::Integrity => Stop::Differs(error.into()),
            _ => Stop::Failed(error.into()),
        }
    }
}

impl Stop {
    /// For requests that name the upload.
    fn of_upload(error: TargetError) -> Stop {
        if error.kind == TargetErrorKind::NotFound {
            Stop::Lost(error.into())
        } else {
            error.into()
        }
    }
}

/// What journal and target agree on, and what only the target has.
#[derive(Default)]
struct Held {
    /// By number, with the MD5 that was read from the file.
    kept: BTreeMap<u32, [u8; 16]>,
    /// Parts of the right size whose acknowledgement the journal missed. The file has to say whether they are right.
    offered: BTreeMap<u32, PartReceipt>,
}

/// What has to be read and sent.
struct Rest {
    plan: Plan,
    upload_id: String,
    held: Held,
    file: File,
    /// So many parts at the file's beginning need not be read to know the SHA-512 of the whole, whose state this is.
    hashed: (u32, Sha512),
}

struct Sending<'a> {
    journal: &'a Journal,
    target: &'a dyn Target,
    /// As it was when the call began.
    job: Job,
    steering: &'a Steering,
    report: Report<'a>,
    patience: Mutex<Patience>,
    /// Parts that arrived in this call.
    arrivals: AtomicU64,
    /// Parts whose content was read from the file in this call and agrees with the journal.
    read_here: Arc<Mutex<BTreeSet<u32>>>,
    writes: TaskTracker,
}

impl Sending<'_> {
    async fn run(&self) -> Result<Sent, SendError> {
        let (mut repairs, mut looks) = (0, 0);
        let mut arrivals = 0;
        loop {
            let stop = match self.attempt().await {
                Ok(sent) => return Ok(sent),
                Err(stop) => stop,
            };
            match stop {
                Stop::Failed(error) if error.kind == SendErrorKind::SignIn => {
                    self.wait_for(JobState::WaitingForSignIn, &error, None).await?;
                    return Err(error);
                }
                Stop::Failed(error) => return Err(error),
                Stop::Lost(error) | Stop::Differs(error) if repairs >= REOPENINGS => return Err(error),
                Stop::Differs(error) => {
                    tracing::warn!(job = %self.job.id.0, %error, "the target holds something else, sending it again");
                    repairs += 1;
                }
                Stop::Lost(error) => {
                    tracing::warn!(job = %self.job.id.0, code = error.code, "upload lost by the target, beginning anew");
                    repairs += 1;
                    self.give_up_lost().await?;
                }
                Stop::Away(error) => {
                    let now = self.arrivals.load(Ordering::Relaxed);
                    looks = if now > arrivals { 1 } else { looks + 1 };
                    arrivals = now;
                    self.wait_out(&error, looks).await?;
                }
            }
        }
    }

    /// Forgets an upload that the target says it does not know. Should it know it all the same, it need not keep it for ever.
    async fn give_up_lost(&self) -> Result<(), SendError> {
        let job = self.job_now().await?;
        if let Some(upload_id) = &job.upload_id
            && let Err(error) = self.target.abort(&job.key, upload_id).await
        {
            tracing::info!(code = error.code, "the lost upload could not be removed");
        }
        self.write(Journal::forget_parts).await
    }

    /// Waits before the look with this number whether the target is there again.
    async fn wait_out(&self, error: &TargetError, look: u32) -> Result<(), SendError> {
        let retry = &self.steering.retry;
        let asked = error.retry_after.unwrap_or_default().min(retry.longest_away);
        let pause = retry.pause_away(look).max(asked);
        let woken = self.steering.retry_now.woken();
        tracing::info!(job = %self.job.id.0, code = error.code, ?pause, "waiting for the network");
        self.wait_for(
            JobState::WaitingForNetwork,
            &SendError::from(error.clone()),
            Some(pause),
        )
        .await?;
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = woken => {}
        }
        Ok(())
    }

    async fn wait_for(&self, state: JobState, cause: &SendError, retry_in: Option<Duration>) -> Result<(), SendError> {
        let cause = JobFailure::from(cause);
        self.write(move |journal, id| journal.wait(id, state, &cause)).await?;
        self.report.enter(state, retry_in);
        Ok(())
    }

    async fn attempt(&self) -> Result<Sent, Stop> {
        let job = self.job_now().await?;
        let plan = Plan::new(job.source.size, job.part_size).ok_or_else(|| job.source.changed())?;
        self.report.resume(job.acknowledged);
        // A job that waits for the network goes on waiting until the target has answered.
        if job.state != JobState::WaitingForNetwork {
            self.become_state(JobState::Checking).await?;
        }
        let (upload_id, held) = match &job.upload_id {
            None => (self.open(&job).await?, Held::default()),
            Some(upload_id) => match self.brief(|| self.target.parts(&job.key, upload_id)).await {
                Ok(held) => (upload_id.clone(), self.agreed(&plan, held).await?),
                Err(error) => return self.already_complete(&job, &plan, Stop::of_upload(error)).await,
            },
        };
        self.become_state(JobState::Checking).await?;
        self.report.count(plan.size_of(held.kept.keys().copied()), 0);
        let sha512 = match &job.sha512 {
            // All is there and all is known: the file is not needed any more.
            Some(sha512) if held.kept.len() == plan.len() => sha512.clone(),
            _ => {
                let rest = self.rest(&job, plan, &upload_id, held).await?;
                let sha512 = self.send_parts(rest).await?;
                self.check_parts(&plan, &upload_id).await?;
                sha512
            }
        };
        self.become_state(JobState::Verifying).await?;
        self.complete(&job, &plan, &upload_id, sha512).await
    }

    /// What is missing, and the file that it is read from: unchanged, as far as its size, its time and its number tell. If only its number
    /// is another, its content has to tell before anything is sent.
    async fn rest(&self, job: &Job, plan: Plan, upload_id: &str, held: Held) -> Result<Rest, Stop> {
        let source = job.source.clone();
        let (file, now) = blocking(move || source.reopen()).await??;
        let hashed = self.write(Journal::hashed).await?.and_then(|(parts, state)| {
            let usable = parts <= plan.count() && (1..=parts).all(|number| held.kept.contains_key(&number));
            usable.then_some(parts).zip(read_state(&state))
        });
        let rest = Rest {
            plan,
            upload_id: upload_id.to_owned(),
            held,
            file,
            hashed: hashed.unwrap_or_default(),
        };
        if now.file_id != job.source.file_id {
            self.verify(&rest, plan.count())?.await?;
            self.write(move |journal, id| journal.set_file_id(id, now.file_id.as_deref()))
                .await?;
        }
        Ok(rest)
    }

    /// Opens an upload and writes its id down before anything relies on it. One that was opened before, but whose answer got lost, is used.
    async fn open(&self, job: &Job) -> Result<String, Stop> {
        self.write(Journal::set_opening).await?;
        let mut asked = job.opening;
        let upload_id = self
            .brief(|| {
                let look = std::mem::replace(&mut asked, true);
                async move {
                    let known = if look { self.opened_before(job).await? } else { None };
                    match known {
                        Some(upload_id) => Ok(upload_id),
                        None => self.target.begin(&job.key).await,
                    }
                }
            })
            .await?;
        let noted = upload_id.clone();
        self.write(move |journal, id| journal.set_upload(id, &noted)).await?;
        Ok(upload_id)
    }

    /// An upload of which only the target knows; should there be several, the others are thrown away.
    async fn opened_before(&self, job: &Job) -> Result<Option<String>, TargetError> {
        let open = match self.target.uploads(&job.key).await {
            Ok(open) => open,
            Err(error) if !matches!(error.kind, TargetErrorKind::Forbidden | TargetErrorKind::Rejected) => {
                return Err(error);
            }
            Err(error) => {
                // Some keys may write, but not list: what is left there the service removes in its time.
                tracing::info!(code = error.code, "open uploads cannot be listed");
                return Ok(None);
            }
        };
        let mut open = open.into_iter();
        let found = open.next();
        for superfluous in open {
            self.target.abort(&job.key, &superfluous).await?;
        }
        Ok(found)
    }

    /// Compares what the target holds with the journal, which forgets what differs.
    async fn agreed(&self, plan: &Plan, receipts: Vec<PartReceipt>) -> Result<Held, Stop> {
        let mut receipts: BTreeMap<u32, PartReceipt> =
            receipts.into_iter().map(|receipt| (receipt.number, receipt)).collect();
        let mut held = Held::default();
        let mut discarded = Vec::new();
        for part in self.write(Journal::parts).await? {
            let number = part.receipt.number;
            let theirs = receipts.remove(&number);
            match (plan.part(number), theirs) {
                (Some(planned), Some(theirs)) if matches(&theirs, planned, part.md5) => {
                    held.kept.insert(number, part.md5);
                }
                _ => discarded.push(number),
            }
        }
        if !discarded.is_empty() {
            tracing::warn!(job = %self.job.id.0, parts = %named(&discarded), "not held by the target as they were sent");
            self.write(move |journal, id| journal.discard_parts(id, &discarded))
                .await?;
        }
        receipts.retain(|number, receipt| plan.part(*number).is_some_and(|planned| planned.size == receipt.size));
        held.offered = receipts;
        Ok(held)
    }

    /// After the last part: does the target hold all of them, as they were sent? Those that differ are forgotten, so that they are sent again.
    async fn check_parts(&self, plan: &Plan, upload_id: &str) -> Result<(), Stop> {
        let mut receipts = Vec::new();
        for look in 1..=LOOKS {
            receipts = self
                .brief(|| self.target.parts(&self.job.key, upload_id))
                .await
                .map_err(Stop::of_upload)?;
            if receipts.len() >= plan.len() {
                break;
            }
            tokio::time::sleep(self.steering.retry.pause_after(look)).await;
        }
        let held = self.agreed(plan, receipts).await?;
        let differing: Vec<u32> = (1..=plan.count())
            .filter(|number| !held.kept.contains_key(number))
            .collect();
        if differing.is_empty() {
            Ok(())
        } else {
            Err(Stop::Differs(SendError::parts_mismatch(&named(&differing))))
        }
    }

    async fn complete(&self, job: &Job, plan: &Plan, upload_id: &str, sha512: String) -> Result<Sent, Stop> {
        let parts = self.write(Journal::parts).await?;
        let receipts: Vec<PartReceipt> = parts.iter().map(|part| part.receipt.clone()).collect();
        let completed = self
            .brief(|| self.target.complete(&job.key, upload_id, &receipts))
            .await;
        if let Err(error) = completed {
            return self.already_complete(job, plan, Stop::of_upload(error)).await;
        }
        match self.compare(job, &parts).await? {
            Ok(object) => Ok(Sent { sha512, object }),
            Err(mismatch) => Err(mismatch.into()),
        }
    }

    /// The upload is gone. If that is because it was completed and only the answer got lost, the object is there; otherwise it `stop`s.
    async fn already_complete(&self, job: &Job, plan: &Plan, stop: Stop) -> Result<Sent, Stop> {
        if !matches!(stop, Stop::Lost(_)) {
            return Err(stop);
        }
        let parts = self.write(Journal::parts).await?;
        let now = self.job_now().await?;
        let (Some(sha512), true) = (now.sha512, parts.len() == plan.len()) else {
            return Err(stop);
        };
        match self.compare(job, &parts).await? {
            Ok(object) => {
                if now.state != JobState::Verifying {
                    self.become_state(JobState::Checking).await?;
                }
                self.become_state(JobState::Verifying).await?;
                self.report.count(job.source.size, 0);
                Ok(Sent { sha512, object })
            }
            Err(_) => Err(stop),
        }
    }

    /// Compares the finished object with what was sent: its size and its mark, made of the MD5s of what was read. What differs is asked
    /// for twice: an answer may be damaged on its way.
    async fn compare(&self, job: &Job, parts: &[JournalPart]) -> Result<Result<StoredObject, SendError>, Stop> {
        let expected = multipart_etag(parts.iter().map(|part| &part.md5));
        let mut found = None;
        for _ in 0..2 {
            found = self.brief(|| self.target.stored(&job.key)).await?;
            match &found {
                Some(object) if object.size == job.source.size && object.etag.eq_ignore_ascii_case(&expected) => {
                    return Ok(Ok(object.clone()));
                }
                Some(_) => {}
                None => break,
            }
        }
        Ok(Err(SendError::object_mismatch(
            job.source.size,
            &expected,
            found.as_ref(),
        )))
    }

    /// A small request, repeated a few times: whether to wait longer is decided above it.
    async fn brief<T, F, R>(&self, request: F) -> Result<T, TargetError>
    where
        F: FnMut() -> R,
        R: Future<Output = Result<T, TargetError>>,
    {
        // While nobody answers anyway, one look is one request.
        let attempts = match self.report.state() {
            JobState::WaitingForNetwork => 1,
            _ => self.steering.retry.away_after,
        };
        again::brief(&self.steering.retry, attempts, request).await
    }

    /// Writes a state down if it is another, and tells it.
    async fn become_state(&self, to: JobState) -> Result<(), SendError> {
        let changed = self
            .write(move |journal, id| match journal.job(id)? {
                Some(job) if job.state == to => Ok(false),
                _ => journal.advance(id, to).map(|_| true),
            })
            .await?;
        if changed || self.report.state() != to {
            self.report.enter(to, None);
        }
        Ok(())
    }

    async fn job_now(&self) -> Result<Job, SendError> {
        let job = self.write(Journal::job).await?;
        job.ok_or_else(|| SendError::not_claimed(&self.job))
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Journal, JobId) -> Result<T, JournalError> + Send + 'static,
    ) -> Result<T, SendError> {
        let (journal, id) = (self.journal.clone(), self.job.id);
        Ok(again::joined(self.writes.spawn_blocking(move || work(&journal, id))).await??)
    }

    fn read_here(&self) -> MutexGuard<'_, BTreeSet<u32>> {
        self.read_here.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn patience(&self) -> MutexGuard<'_, Patience> {
        // Whole between any two statements.
        self.patience.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Does the target hold this part with this content?
fn matches(receipt: &PartReceipt, planned: PlannedPart, md5: [u8; 16]) -> bool {
    receipt.number == planned.number && receipt.size == planned.size && receipt.etag.eq_ignore_ascii_case(&hex(&md5))
}

/// Part numbers for an error's sentence.
fn named(parts: &[u32]) -> String {
    let mut names: Vec<String> = parts.iter().take(NAMED).map(u32::to_string).collect();
    if parts.len() > NAMED {
        names.push("…".to_owned());
    }
    names.join(", ")
}

#[cfg(test)]
mod tests;
