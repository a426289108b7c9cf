//! Sends what is missing: one reader that goes through the file once, several parts on the way, and those that failed again.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{
        Arc, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures::{
    FutureExt, StreamExt,
    future::{BoxFuture, Fuse},
    stream::FuturesUnordered,
};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::{
    Held, Rest, Sending, Stop,
    again::blocking,
    error::SendError,
    matches,
    pace::Pace,
    read::{Buffers, Content, Reading, hex, verify},
    report,
};
use crate::{
    body::{Flow, PartBody},
    journal::{Journal, JournalPart},
    plan::{Plan, PlannedPart},
    target::{PartReceipt, TargetError, TargetErrorKind},
};

/// Parts that are read ahead: one is ready when a place on the way becomes free, one is being read.
const AHEAD: usize = 2;

/// How often at most the state of the whole file's hash is written down. What is lost by a crash is read again, not sent again.
const HASH_NOTED: Duration = Duration::from_secs(2);

/// A part in memory, and how often it was tried since anything arrived.
struct Ready {
    content: Content,
    attempts: u32,
    /// Arrivals when it was last tried.
    arrivals: u64,
    flow: Flow,
}

/// Why a part did not arrive.
enum Trouble {
    Target(TargetError),
    /// Stuck for so long.
    Stalled(Duration),
    Ours(SendError),
}

type OnTheWay<'a> = FuturesUnordered<BoxFuture<'a, (Ready, Result<JournalPart, Trouble>)>>;
type Read = BoxFuture<'static, Result<(Reading, Content), Stop>>;

/// The parts of one attempt.
struct Parts<'a> {
    sending: &'a Sending<'a>,
    plan: Plan,
    upload_id: &'a str,
    held: &'a Held,
    /// Acknowledged and written down.
    arrived: BTreeSet<u32>,
    acknowledged: u64,
    pace: Pace,
    ready: VecDeque<Ready>,
    /// Failed; when to try again.
    again: Vec<(Instant, Ready)>,
    flows: BTreeMap<u32, Flow>,
    /// The target asked to be left alone until then.
    not_before: Option<Instant>,
    /// Requests in a row that failed.
    failures: u32,
    /// Why no more is begun; what is on the way may still arrive.
    ending: Option<Stop>,
    hash: HashNotes,
}

/// The whole file's hash at the end of each part that was read, until it can be written down.
struct HashNotes {
    states: BTreeMap<u32, Vec<u8>>,
    /// So many parts at the beginning have arrived without a gap.
    prefix: u32,
    written: Option<Instant>,
}

impl Sending<'_> {
    /// Reads the file from where it has to be read to its end, sends what the target does not hold, and returns the file's SHA-512, which
    /// the journal has, too. What was sent in an earlier run and need not be read for that is read beside, and compared.
    pub(super) async fn send_parts(&self, rest: Rest) -> Result<String, Stop> {
        let verifying = self.verify(&rest, rest.hashed.0)?;
        let Rest {
            plan,
            upload_id,
            held,
            file,
            hashed: (skipped, whole),
        } = rest;
        let acknowledged = plan.size_of(held.kept.keys().copied());
        self.report.count(acknowledged, 0);
        if held.kept.len() < plan.len() {
            self.become_state(crate::JobState::Uploading).await?;
        }
        let offset = plan.size_of(1..=skipped);
        let reading = Reading::new(file, self.job.source.clone(), offset, whole)?;
        let slots = self.slots(&plan);
        let mut parts = Parts {
            sending: self,
            plan,
            upload_id: &upload_id,
            held: &held,
            arrived: held.kept.keys().copied().collect(),
            acknowledged,
            pace: Pace::new(slots.saturating_sub(AHEAD).max(1)),
            ready: VecDeque::new(),
            again: Vec::new(),
            flows: BTreeMap::new(),
            not_before: None,
            failures: 0,
            ending: None,
            hash: HashNotes {
                states: BTreeMap::new(),
                prefix: skipped,
                written: None,
            },
        };
        let reading = parts.run(reading, skipped, Buffers::new(slots), verifying).await?;
        let sha512 = blocking(move || reading.finish()).await??;
        let noted = sha512.clone();
        self.write(move |journal, id| journal.set_sha512(id, &noted)).await?;
        Ok(sha512)
    }

    /// Parts that may be in memory.
    fn slots(&self, plan: &Plan) -> usize {
        let fit = self.steering.memory / plan.part(1).map_or(1, |part| part.size).max(1);
        let most = self.steering.workers.min(self.target.limits().max_concurrent);
        let wanted = usize::try_from(most).unwrap_or(usize::MAX).saturating_add(AHEAD);
        usize::try_from(fit).unwrap_or(usize::MAX).min(wanted).max(1)
    }

    /// Compares the kept ones of the first `count` parts with the file, as far as that was not done in this call. Dropping it ends it.
    pub(super) fn verify(&self, rest: &Rest, count: u32) -> Result<BoxFuture<'_, Result<(), Stop>>, Stop> {
        let parts: Vec<(PlannedPart, [u8; 16])> = {
            let read_here = self.read_here();
            let kept = rest.held.kept.iter().take_while(|(number, _)| **number <= count);
            kept.filter(|(number, _)| !read_here.contains(number))
                .filter_map(|(number, md5)| Some((rest.plan.part(*number)?, *md5)))
                .collect()
        };
        if parts.is_empty() {
            return Ok(async { Ok(()) }.boxed());
        }
        let (source, read_here) = (self.job.source.clone(), self.read_here.clone());
        // Opened by its path: a clone would share the position with the reader.
        let (file, _) = source.reopen()?;
        Ok(async move {
            let stop = Arc::new(AtomicBool::new(false));
            let on_drop = StopOnDrop(stop.clone());
            let outcome = blocking(move || {
                let noted = |number| {
                    read_here.lock().unwrap_or_else(PoisonError::into_inner).insert(number);
                };
                verify(file, &source, &parts, &noted, &stop)
            });
            let outcome = outcome.await?;
            drop(on_drop);
            Ok(outcome?)
        }
        .boxed())
    }

    /// One try of one part.
    async fn put(&self, upload_id: &str, content: &Content, flow: &Flow) -> Result<JournalPart, Trouble> {
        let (part, md5) = (content.part, content.md5);
        let body = PartBody::new(content.data.clone(), self.steering.throttle.clone(), flow.clone());
        let request = self.target.put_part(&self.job.key, upload_id, part.number, body, md5);
        let receipt = tokio::select! {
            biased;
            receipt = request => receipt.map_err(Trouble::Target)?,
            window = self.stuck(flow) => return Err(Trouble::Stalled(window)),
        };
        if !matches(&receipt, part, md5) {
            return Err(Trouble::Target(part_mismatch(&receipt, part, md5)));
        }
        self.patience().arrived(&flow.seen(), Instant::now());
        self.record(JournalPart { receipt, md5 }).await.map_err(Trouble::Ours)
    }

    async fn record(&self, part: JournalPart) -> Result<JournalPart, SendError> {
        let noted = part.clone();
        self.write(move |journal, id| journal.record_part(id, &noted.receipt, noted.md5))
            .await?;
        self.arrivals.fetch_add(1, Ordering::Relaxed);
        Ok(part)
    }

    /// Ends when nothing has moved for too long; tells how long that was.
    async fn stuck(&self, flow: &Flow) -> Duration {
        loop {
            let seen = flow.seen();
            let window = self.patience().window(&seen);
            let now = Instant::now();
            // Held back by the bandwidth limit: nothing can be stuck that was not sent.
            let moved = seen.moved.unwrap_or(now);
            match moved.checked_add(window) {
                Some(due) if due > now => sleep_until(due).await,
                _ => return window,
            }
        }
    }
}

impl<'a> Parts<'a> {
    /// Gives the reader back when all parts have arrived and all that was sent earlier was found unchanged.
    async fn run(
        &mut self,
        reading: Reading,
        skipped: u32,
        buffers: Buffers,
        verifying: BoxFuture<'a, Result<(), Stop>>,
    ) -> Result<Reading, Stop> {
        let mut on_the_way: OnTheWay<'a> = FuturesUnordered::new();
        let mut next = skipped.saturating_add(1);
        let mut idle = Some(reading);
        let mut read: Fuse<Read> = Fuse::terminated();
        let (mut verifying, mut verified) = (verifying.fuse(), false);
        let mut tick = interval(report::INTERVAL);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.begin(&mut on_the_way);
            if on_the_way.is_empty()
                && let Some(stop) = self.ending.take()
            {
                return Err(stop);
            }
            if self.ready.len() < AHEAD
                && self.ending.is_none()
                && let Some(part) = self.plan.part(next)
                && let Some(reading) = idle.take()
            {
                read = read_part(reading, part, buffers.clone()).fuse();
                next = next.saturating_add(1);
            }
            let all_sent = on_the_way.is_empty() && self.ready.is_empty() && self.again.is_empty();
            if all_sent && verified && self.plan.part(next).is_none() && idle.is_some() {
                break;
            }
            let due = self.due();
            tokio::select! {
                Some((ready, outcome)) = on_the_way.next(), if !on_the_way.is_empty() => self.returned(ready, outcome).await?,
                outcome = &mut read => {
                    let (reading, content) = outcome?;
                    idle = Some(reading);
                    self.take(content).await?;
                }
                outcome = &mut verifying, if !verified => {
                    outcome?;
                    verified = true;
                }
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
                _ = tick.tick() => self.tell(),
            }
        }
        self.tell();
        idle.ok_or_else(|| Stop::Failed(SendError::cancelled()))
    }

    /// What was read is sent, unless the target holds it already.
    async fn take(&mut self, content: Content) -> Result<(), Stop> {
        let number = content.part.number;
        let source = &self.sending.job.source;
        if let Some(md5) = self.held.kept.get(&number) {
            if *md5 != content.md5 {
                return Err(source.changed().into());
            }
            self.sending.read_here().insert(number);
            self.hash.states.insert(number, content.hashed);
            return self.note_hash().await;
        }
        let offered = self.held.offered.get(&number);
        if let Some(receipt) = offered.filter(|receipt| matches(receipt, content.part, content.md5)) {
            let part = JournalPart {
                receipt: receipt.clone(),
                md5: content.md5,
            };
            let part = self.sending.record(part).await?;
            return self.acknowledged(&part, content.hashed).await;
        }
        self.ready.push_back(Ready {
            content,
            attempts: 0,
            arrivals: 0,
            flow: Flow::new(),
        });
        Ok(())
    }

    /// Puts parts on their way, those that failed before first.
    fn begin(&mut self, on_the_way: &mut OnTheWay<'a>) {
        let now = Instant::now();
        let away_after = self.sending.steering.retry.away_after;
        while self.ending.is_none()
            && on_the_way.len() < self.pace.allowed()
            && self.failures < away_after.max(1)
            && self.not_before.is_none_or(|until| until <= now)
        {
            let due = self.again.iter().position(|(at, _)| *at <= now);
            let ready = due.map(|due| self.again.swap_remove(due).1);
            let Some(mut ready) = ready.or_else(|| self.ready.pop_front()) else {
                return;
            };
            ready.flow = Flow::new();
            self.flows.insert(ready.content.part.number, ready.flow.clone());
            let (sending, upload_id) = (self.sending, self.upload_id);
            on_the_way.push(
                async move {
                    let outcome = sending.put(upload_id, &ready.content, &ready.flow).await;
                    (ready, outcome)
                }
                .boxed(),
            );
        }
    }

    /// When something can be begun that cannot be begun now.
    fn due(&self) -> Option<Instant> {
        let now = Instant::now();
        let again = self.again.iter().map(|(at, _)| *at).min();
        again.max(self.not_before).filter(|due| *due > now)
    }

    async fn returned(&mut self, ready: Ready, outcome: Result<JournalPart, Trouble>) -> Result<(), Stop> {
        self.flows.remove(&ready.content.part.number);
        match outcome {
            Ok(part) => {
                self.pace.arrived(part.receipt.size, Instant::now());
                self.failures = 0;
                if matches!(self.ending, Some(Stop::Away(_))) {
                    // Not away after all.
                    self.ending = None;
                }
                self.acknowledged(&part, ready.content.hashed).await
            }
            Err(Trouble::Ours(error)) => {
                self.ending = Some(error.into());
                Ok(())
            }
            Err(Trouble::Stalled(window)) => {
                let (began, now) = (ready.flow.seen().began, Instant::now());
                self.sending.patience().stalled(began, now);
                self.pace.overwhelmed(began, now);
                self.failed(ready, stalled(window));
                Ok(())
            }
            Err(Trouble::Target(error)) if error.kind == TargetErrorKind::NotFound => Err(Stop::of_upload(error)),
            Err(Trouble::Target(error)) if error.retryable() => {
                if error.kind == TargetErrorKind::Busy {
                    self.pace.overwhelmed(ready.flow.seen().began, Instant::now());
                }
                self.failed(ready, error);
                Ok(())
            }
            Err(Trouble::Target(error)) => {
                // The first cause counts: what follows is mostly its consequence.
                if !matches!(self.ending, Some(Stop::Failed(_))) {
                    self.ending = Some(error.into());
                }
                Ok(())
            }
        }
    }

    /// A part that can be sent again, if not now.
    fn failed(&mut self, mut ready: Ready, error: TargetError) {
        let retry = &self.sending.steering.retry;
        let arrivals = self.sending.arrivals.load(Ordering::Relaxed);
        ready.attempts = if ready.arrivals == arrivals {
            ready.attempts.saturating_add(1)
        } else {
            1
        };
        ready.arrivals = arrivals;
        let now = Instant::now();
        let asked = error.retry_after.unwrap_or_default().min(retry.longest_away);
        let pause = retry.pause_after(ready.attempts).max(asked);
        tracing::warn!(
            part = ready.content.part.number,
            code = error.code,
            attempt = ready.attempts,
            ?pause,
            "part failed"
        );
        if !asked.is_zero() {
            self.not_before = self.not_before.max(now.checked_add(asked));
        }
        let spent = ready.attempts >= retry.attempts;
        match error.kind {
            TargetErrorKind::Integrity if spent => self.ending = Some(Stop::Failed(error.into())),
            TargetErrorKind::Integrity => {}
            kind => {
                self.failures = self
                    .failures
                    .saturating_add(u32::from(kind == TargetErrorKind::Network));
                if spent || self.failures >= retry.away_after {
                    self.ending.get_or_insert(Stop::Away(error));
                }
            }
        }
        self.again.push((now.checked_add(pause).unwrap_or(now), ready));
    }

    /// Counts a part that the journal has.
    async fn acknowledged(&mut self, part: &JournalPart, hashed: Vec<u8>) -> Result<(), Stop> {
        let number = part.receipt.number;
        if self.arrived.insert(number) {
            self.acknowledged = self.acknowledged.saturating_add(part.receipt.size);
        }
        self.sending.read_here().insert(number);
        self.hash.states.insert(number, hashed);
        self.tell();
        self.note_hash().await
    }

    /// Writes down how far the file was hashed, as far as it arrived without a gap: further on it has to be read again anyway.
    async fn note_hash(&mut self) -> Result<(), Stop> {
        let hash = &mut self.hash;
        while self.arrived.contains(&hash.prefix.saturating_add(1))
            && hash.states.contains_key(&hash.prefix.saturating_add(1))
        {
            hash.prefix = hash.prefix.saturating_add(1);
        }
        let prefix = hash.prefix;
        let now = Instant::now();
        let due = hash
            .written
            .is_none_or(|written| now.duration_since(written) >= HASH_NOTED);
        // What lies before the last state that can be written down is never needed again.
        hash.states = hash.states.split_off(&prefix);
        if due && let Some(state) = hash.states.remove(&prefix) {
            hash.written = Some(now);
            self.sending
                .write(move |journal: &Journal, id| journal.set_hashed(id, prefix, &state))
                .await?;
        }
        Ok(())
    }

    fn tell(&self) {
        let on_the_way = self.flows.values().map(|flow| flow.seen().taken).sum();
        self.sending.report.count(self.acknowledged, on_the_way);
    }
}

fn read_part(reading: Reading, part: PlannedPart, buffers: Buffers) -> Read {
    async move {
        let buffer = buffers.take().await.ok_or_else(SendError::cancelled)?;
        Ok(blocking(move || reading.next(part, buffer)).await??)
    }
    .boxed()
}

struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
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

fn stalled(window: Duration) -> TargetError {
    TargetError {
        kind: TargetErrorKind::Network,
        code: "part_stalled",
        params: BTreeMap::from([("seconds".into(), window.as_secs().to_string())]),
        retry_after: None,
    }
}
