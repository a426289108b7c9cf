//! The engine against a target in memory: faults, kills at any point, changed sources.

mod line;
mod memory;

use std::{
    fs::File,
    future::poll_fn,
    path::PathBuf,
    pin::pin,
    sync::Mutex,
    task::Poll,
    time::{Duration, SystemTime},
};

use proptest::prelude::*;
use sha2::{Digest, Sha512};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use self::memory::{Fault, Memory};
use super::*;
use crate::{
    job::{JobFailure, NewJob, SourceIdentity},
    retry::Retry,
};

const PART: u64 = 1_000;

pub(super) struct Upload {
    folder: TempDir,
    path: PathBuf,
    content: Vec<u8>,
    pub(super) journal: Journal,
    pub(super) job: Job,
    progress: Mutex<Vec<u64>>,
}

impl Upload {
    pub(super) fn of(size: usize) -> Upload {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("disk.raw");
        let content: Vec<u8> = (0..size)
            .map(|index| (index * 31 + index / 256).to_le_bytes()[0])
            .collect();
        std::fs::write(&path, &content).unwrap();
        let journal = Journal::open(&folder.path().join("journal")).unwrap();
        let new = NewJob {
            source: SourceIdentity::of(&path).unwrap(),
            connection: "practice".to_owned(),
            key: "k".to_owned(),
            part_size: PART,
            details: "{}".to_owned(),
        };
        let job = journal.add(&new, jiff::Timestamp::UNIX_EPOCH).unwrap();
        Upload {
            folder,
            path,
            content,
            journal,
            job,
            progress: Mutex::new(Vec::new()),
        }
    }

    fn target(&self, faults: &[Fault]) -> Memory {
        Memory::new(&self.journal, self.job.id, faults)
    }

    async fn send(&self, target: &dyn Target) -> Result<Sent, SendError> {
        self.send_until(target, &CancellationToken::new()).await
    }

    async fn send_until(&self, target: &dyn Target, cancel: &CancellationToken) -> Result<Sent, SendError> {
        let claim = self
            .journal
            .claim(self.job.id)
            .unwrap()
            .expect("nobody else works on it");
        let retry = Retry {
            attempts: 3,
            first: Duration::ZERO,
            longest_away: Duration::ZERO,
            ..Retry::default()
        };
        self.progress.lock().unwrap().clear();
        let on_progress = |now: Progress| {
            assert_eq!(now.total, self.job.source.size);
            self.progress.lock().unwrap().push(now.acknowledged);
        };
        let steering = Steering {
            cancel: cancel.clone(),
            retry,
            ..Steering::default()
        };
        let sent = send(&self.journal, target, &claim, &self.job, &steering, &on_progress).await;
        assert!(self.progress.lock().unwrap().is_sorted(), "progress never goes back");
        sent
    }

    /// Sends at least `parts` parts; then the key is refused.
    async fn send_some(&self, target: &Memory, parts: usize) {
        // The opening comes first.
        let mut faults = vec![Fault::None; 1 + parts];
        faults.extend([Fault::Unauthorized; 40]);
        target.next_faults(&faults);
        self.send(target).await.unwrap_err();
        target.next_faults(&[]);
    }

    fn state(&self) -> JobState {
        self.journal.job(self.job.id).unwrap().unwrap().state
    }

    fn assert_arrived(&self, sent: &Sent, target: &Memory) {
        assert_eq!(
            target.object().as_deref(),
            Some(&self.content[..]),
            "the object is the file"
        );
        assert_eq!(sent.sha512, hex(&Sha512::digest(&self.content)));
        let job = self.journal.job(self.job.id).unwrap().unwrap();
        assert_eq!(job.state, JobState::Verifying, "importing is the caller's");
        assert_eq!(job.sha512.as_deref(), Some(sent.sha512.as_str()));
        assert_eq!(job.acknowledged, self.content.len() as u64);
    }
}

/// Drops the future after it was polled `polls` times, as a kill would.
async fn kill_after<T>(polls: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        future.as_mut().poll(context).map(Some)
    })
    .await
}

fn any_fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        8 => Just(Fault::None),
        2 => Just(Fault::Network),
        2 => Just(Fault::AnswerLost),
        1 => Just(Fault::Busy),
        1 => Just(Fault::WrongEtag),
        1 => Just(Fault::Forget),
        1 => Just(Fault::Unauthorized),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// `Memory` itself asserts that no part is sent that the journal holds as acknowledged.
    #[test]
    fn whatever_fails_the_object_is_the_file_in_the_end(
        size in 1..8_500_usize,
        faults in prop::collection::vec(any_fault(), 0..40),
        kills in prop::collection::vec(0..90_usize, 0..5),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let upload = Upload::of(size);
            let target = upload.target(&faults);
            let mut arrived = None;
            for polls in kills.into_iter().map(Some).chain([None; 60]) {
                let sent = match polls {
                    Some(polls) => kill_after(polls, upload.send(&target)).await,
                    None => Some(upload.send(&target).await),
                };
                match sent {
                    Some(Ok(sent)) => {
                        arrived = Some(sent);
                        break;
                    }
                    Some(Err(error)) => {
                        upload.journal.fail(upload.job.id, &JobFailure::from(&error)).unwrap();
                    }
                    None => {}
                }
            }
            upload.assert_arrived(&arrived.expect("60 runs outlast 40 faults"), &target);
            assert_eq!(target.open_uploads(), 0, "nothing stays behind that nobody knows of");
        });
    }
}

#[tokio::test]
async fn an_undisturbed_upload_sends_every_part_once_and_few_at_a_time() {
    let upload = Upload::of(9_500);
    let mut target = upload.target(&[]);
    target.first_waits = true;
    let sent = upload.send(&target).await.unwrap();
    upload.assert_arrived(&sent, &target);
    let mut puts = target.puts();
    puts.sort_unstable();
    assert_eq!(puts, (1..=10).collect::<Vec<_>>());
    assert!(
        (2..=10).contains(&target.most_in_flight()),
        "several at a time, and no more than the target takes"
    );
    assert_eq!(upload.progress.lock().unwrap().last(), Some(&9_500));

    let upload = Upload::of(9_500);
    target = upload.target(&[]);
    target.max_concurrent = 1;
    upload.send(&target).await.unwrap();
    assert_eq!(target.most_in_flight(), 1, "the target's own limit counts");
}

#[tokio::test]
async fn resuming_sends_only_what_is_missing_and_counts_what_is_there() {
    let upload = Upload::of(9_500);
    // Opening and four parts succeed; then the key is refused.
    let mut faults = vec![Fault::None; 5];
    faults.extend([Fault::Unauthorized; 40]);
    let target = upload.target(&faults);
    let error = upload.send(&target).await.unwrap_err();
    assert!(error.retryable, "with a new key the same upload goes on");
    upload.journal.fail(upload.job.id, &JobFailure::from(&error)).unwrap();
    let there = upload.journal.job(upload.job.id).unwrap().unwrap().acknowledged;
    assert!(there >= PART, "something had been acknowledged");

    target.next_faults(&[]);
    let before = target.puts().len();
    let sent = upload.send(&target).await.unwrap();
    upload.assert_arrived(&sent, &target);
    assert_eq!(
        upload.progress.lock().unwrap().first(),
        Some(&there),
        "progress begins where it stood"
    );
    assert_eq!((target.puts().len() - before) as u64, (9_500 - there).div_ceil(PART));
    assert_eq!(target.begun(), 1);
}

#[tokio::test]
async fn a_lost_answer_to_the_completion_is_no_failure() {
    let upload = Upload::of(900);
    let target = upload.target(&[Fault::None, Fault::None, Fault::None, Fault::AnswerLost]);
    let sent = upload.send(&target).await.unwrap();
    upload.assert_arrived(&sent, &target);
    assert_eq!(target.begun(), 1, "the object that is there is taken");

    let again = upload.send(&target).await.unwrap();
    assert_eq!(again, sent, "a crash after the completion sends nothing again");
    assert_eq!(target.puts(), [1]);
}

#[tokio::test]
async fn an_upload_that_the_target_forgot_begins_anew_but_not_for_ever() {
    let upload = Upload::of(2_500);
    let target = upload.target(&[Fault::None, Fault::None, Fault::Forget]);
    let sent = upload.send(&target).await.unwrap();
    upload.assert_arrived(&sent, &target);
    assert_eq!(target.begun(), 2);

    let upload = Upload::of(500);
    let forgetful: Vec<Fault> = [Fault::None, Fault::Forget].repeat(20);
    let target = upload.target(&forgetful);
    upload.send(&target).await.unwrap_err();
    assert_eq!(target.begun(), 1 + REOPENINGS);
}

#[tokio::test]
async fn an_object_that_differs_is_never_passed_off_as_sent() {
    let upload = Upload::of(500);
    // Opening, part, list, completion; then the look at the object, and another one.
    let mut faults = vec![Fault::None; 4];
    faults.push(Fault::WrongEtag);
    let target = upload.target(&faults);
    upload.send(&target).await.unwrap();
    assert_eq!(target.begun(), 1, "an answer that was damaged once is asked for again");

    let upload = Upload::of(500);
    faults.push(Fault::WrongEtag);
    let target = upload.target(&faults);
    let error = upload.send(&target).await.unwrap_err();
    assert_eq!((error.code, error.retryable), ("object_mismatch", true));
    assert_eq!(error.params["found_size"], "500");

    target.spoil_object();
    upload.journal.fail(upload.job.id, &JobFailure::from(&error)).unwrap();
    let sent = upload.send(&target).await.unwrap();
    upload.assert_arrived(&sent, &target);
    assert_eq!(target.begun(), 2, "a spoiled object is replaced");
}

#[tokio::test]
async fn a_part_that_arrives_differently_is_repeated_until_the_budget_is_spent() {
    let upload = Upload::of(500);
    let target = upload.target(&[Fault::None, Fault::WrongEtag, Fault::WrongEtag]);
    upload.send(&target).await.unwrap();
    assert_eq!(target.puts(), [1, 1, 1]);

    let upload = Upload::of(500);
    let target = upload.target(&[Fault::None, Fault::WrongEtag, Fault::WrongEtag, Fault::WrongEtag]);
    assert_eq!(upload.send(&target).await.unwrap_err().code, "part_mismatch");
}

#[tokio::test]
async fn a_source_that_was_changed_is_refused() {
    let upload = Upload::of(6_500);
    // More than are on their way at once: some are acknowledged and written down before one is refused.
    let mut faults = vec![Fault::None; 6];
    faults.extend([Fault::Unauthorized; 40]);
    let target = upload.target(&faults);
    upload.send(&target).await.unwrap_err();
    assert!(upload.journal.job(upload.job.id).unwrap().unwrap().acknowledged > 0);
    target.next_faults(&[]);

    // Same size and time, other content: only the hashes of what was sent tell.
    let time = std::fs::metadata(&upload.path).unwrap().modified().unwrap();
    std::fs::write(&upload.path, vec![0xAA; 6_500]).unwrap();
    File::options()
        .write(true)
        .open(&upload.path)
        .unwrap()
        .set_modified(time)
        .unwrap();
    let error = upload.send(&target).await.unwrap_err();
    assert_eq!((error.code, error.retryable), ("source_changed", false));

    File::options()
        .write(true)
        .open(&upload.path)
        .unwrap()
        .set_modified(SystemTime::UNIX_EPOCH)
        .unwrap();
    assert_eq!(upload.send(&target).await.unwrap_err().code, "source_changed");
    std::fs::remove_file(&upload.path).unwrap();
    assert_eq!(upload.send(&target).await.unwrap_err().code, "source_not_found");
    assert_eq!(target.object(), None);
}

#[tokio::test]
async fn cancelling_stops_at_once_and_leaves_the_upload_for_the_caller() {
    let upload = Upload::of(3_500);
    let target = upload.target(&[]);
    let cancel = CancellationToken::new();
    assert!(kill_after(12, upload.send_until(&target, &cancel)).await.is_none());
    cancel.cancel();
    let before = target.puts();
    assert_eq!(upload.send_until(&target, &cancel).await.unwrap_err().code, "cancelled");
    assert_eq!(target.puts(), before, "nothing more is sent");
    assert_eq!(upload.state(), JobState::Uploading);

    let job = upload.journal.job(upload.job.id).unwrap().unwrap();
    let upload_id = job.upload_id.clone().unwrap();
    abort(&target, &job, &Retry::default()).await.unwrap();
    assert_eq!(
        target.parts("k", &upload_id).await.unwrap_err().kind,
        TargetErrorKind::NotFound
    );
}

#[tokio::test]
async fn jobs_that_are_over_or_not_ours_are_left_alone() {
    let upload = Upload::of(500);
    let target = upload.target(&[]);
    let other = upload
        .journal
        .add(
            &NewJob {
                source: upload.job.source.clone(),
                connection: "practice".to_owned(),
                key: "other".to_owned(),
                part_size: PART,
                details: "{}".to_owned(),
            },
            jiff::Timestamp::UNIX_EPOCH,
        )
        .unwrap();
    let claim = upload.journal.claim(other.id).unwrap().unwrap();
    let error = send(
        &upload.journal,
        &target,
        &claim,
        &upload.job,
        &Steering::default(),
        &|_| {},
    )
    .await
    .unwrap_err();
    assert_eq!(error.code, "job_not_claimed");

    upload.journal.advance(upload.job.id, JobState::Cancelled).unwrap();
    assert_eq!(upload.send(&target).await.unwrap_err().code, "job_transition");
    assert_eq!(target.begun(), 0);
    assert!(upload.folder.path().exists());
}

#[tokio::test]
async fn an_upload_whose_opening_was_not_heard_of_is_found_again() {
    let upload = Upload::of(2_500);
    let target = upload.target(&[Fault::AnswerLost]);
    let sent = upload.send(&target).await.unwrap();
    upload.assert_arrived(&sent, &target);
    assert_eq!((target.begun(), target.open_uploads()), (1, 0));

    // Taken back before its id became known: nothing may stay behind either.
    let upload = Upload::of(2_500);
    let target = upload.target(&[Fault::AnswerLost, Fault::Unauthorized]);
    upload.send(&target).await.unwrap_err();
    let job = upload.journal.job(upload.job.id).unwrap().unwrap();
    assert_eq!(
        (job.upload_id.as_deref(), job.opening, target.open_uploads()),
        (None, true, 1)
    );
    // Where the target cannot be asked (a mistyped address, a key without the right) the upload must not stay in the list for ever.
    target.next_faults(&[Fault::Unauthorized]);
    abort(&target, &job, &Retry::default()).await.unwrap();
    assert_eq!(target.open_uploads(), 1);
    abort(&target, &job, &Retry::default()).await.unwrap();
    assert_eq!(target.open_uploads(), 0);
}

#[tokio::test]
async fn parts_that_arrived_without_being_written_down_are_not_sent_again() {
    let upload = Upload::of(6_500);
    let target = upload.target(&[]);
    upload.send_some(&target, 4).await;
    let numbers: Vec<u32> = (1..=7).collect();
    upload.journal.discard_parts(upload.job.id, &numbers).unwrap();
    let before = target.puts().len();
    let there = target.held();
    let sent = upload.send(&target).await.unwrap();
    upload.assert_arrived(&sent, &target);
    assert_eq!(
        target.puts().len() - before,
        7 - there,
        "the file says that they are right"
    );
}

#[tokio::test]
async fn a_part_that_the_target_holds_otherwise_is_sent_again() {
    let upload = Upload::of(6_500);
    let target = upload.target(&[]);
    upload.send_some(&target, 4).await;
    target.spoil_part(2);
    let sent = upload.send(&target).await.unwrap();
    upload.assert_arrived(&sent, &target);
    assert_eq!(target.puts().iter().filter(|number| **number == 2).count(), 2);
}

#[tokio::test]
async fn a_file_under_another_number_must_have_the_same_content_before_anything_is_sent() {
    let upload = Upload::of(6_500);
    let target = upload.target(&[]);
    upload.send_some(&target, 4).await;
    let time = std::fs::metadata(&upload.path).unwrap().modified().unwrap();
    let replace = |content: &[u8]| {
        let other = upload.folder.path().join("other");
        std::fs::write(&other, content).unwrap();
        File::options()
            .write(true)
            .open(&other)
            .unwrap()
            .set_modified(time)
            .unwrap();
        std::fs::rename(&other, &upload.path).unwrap();
    };
    let mut changed = upload.content.clone();
    changed[10] ^= 1;
    replace(&changed);
    let before = target.puts();
    assert_eq!(upload.send(&target).await.unwrap_err().code, "source_changed");
    assert_eq!(target.puts(), before);
    replace(&upload.content);
    let sent = upload.send(&target).await.unwrap();
    upload.assert_arrived(&sent, &target);
}

#[tokio::test]
async fn a_file_that_was_moved_goes_on_from_its_new_place() {
    let upload = Upload::of(6_500);
    let target = upload.target(&[]);
    upload.send_some(&target, 4).await;
    let elsewhere = upload.folder.path().join("elsewhere.raw");
    std::fs::rename(&upload.path, &elsewhere).unwrap();
    let error = upload.send(&target).await.unwrap_err();
    assert_eq!(
        (error.kind, error.code, error.retryable),
        (SendErrorKind::Source, "source_not_found", true)
    );
    let there = upload.job.source.at(&elsewhere).unwrap();
    upload.journal.relocate(upload.job.id, &there.path).unwrap();
    let before = target.puts().len();
    let sent = upload.send(&target).await.unwrap();
    upload.assert_arrived(&sent, &target);
    assert!(target.puts().len() - before <= 3, "what was there stays");
}

#[tokio::test]
async fn a_changed_file_can_be_sent_anew() {
    let mut upload = Upload::of(6_500);
    let target = upload.target(&[]);
    upload.send_some(&target, 4).await;
    upload.content = vec![7; 3_000];
    std::fs::write(&upload.path, &upload.content).unwrap();
    let error = upload.send(&target).await.unwrap_err();
    assert_eq!((error.code, error.retryable), ("source_changed", false));
    upload.journal.fail(upload.job.id, &JobFailure::from(&error)).unwrap();

    let claim = upload.journal.claim(upload.job.id).unwrap().unwrap();
    let job = upload.journal.job(upload.job.id).unwrap().unwrap();
    let retry = Retry::default();
    let anew = start_anew(
        &upload.journal,
        &target,
        &claim,
        &job,
        "another",
        "{\"anew\":1}",
        &retry,
    )
    .await;
    upload.job = anew.unwrap();
    drop(claim);
    assert_eq!(
        (upload.state(), upload.job.acknowledged, target.open_uploads()),
        (JobState::Queued, 0, 0)
    );
    assert_eq!(
        (upload.job.failure.as_ref(), upload.job.details.as_str()),
        (None, "{\"anew\":1}")
    );
    let sent = upload.send(&target).await.unwrap();
    upload.assert_arrived(&sent, &target);
}

#[tokio::test]
async fn once_all_is_written_down_the_file_is_not_needed_any_more() {
    let upload = Upload::of(2_500);
    // Opening, three parts, the list; then the completion is refused for want of a key.
    let mut faults = vec![Fault::None; 5];
    faults.push(Fault::Unauthorized);
    let target = upload.target(&faults);
    assert_eq!(upload.send(&target).await.unwrap_err().kind, SendErrorKind::SignIn);
    std::fs::remove_file(&upload.path).unwrap();
    let sent = upload.send(&target).await.unwrap();
    upload.assert_arrived(&sent, &target);
}

#[tokio::test]
async fn a_full_disk_under_the_journal_loses_nothing() {
    let upload = Upload::of(300_000);
    let target = upload.target(&[]);
    upload.journal.limit_pages(Some(0));
    let error = upload.send(&target).await.unwrap_err();
    assert_eq!(
        (error.kind, error.code, error.retryable),
        (SendErrorKind::Journal, "journal_disk_full", true)
    );
    upload.journal.limit_pages(None);
    let sent = upload.send(&target).await.unwrap();
    upload.assert_arrived(&sent, &target);
    assert_eq!(target.begun(), 1);
}

#[tokio::test]
async fn parts_that_differ_in_the_end_again_and_again_are_named() {
    let upload = Upload::of(500);
    // Opening and part; then the list that is compared before the completion, and the one with which the next try begins.
    let mut faults = vec![Fault::None; 2];
    faults.extend([Fault::WrongEtag, Fault::None].repeat(3));
    let target = upload.target(&faults);
    let error = upload.send(&target).await.unwrap_err();
    assert_eq!(
        (error.kind, error.code, error.params["part"].as_str()),
        (SendErrorKind::Target, "part_mismatch", "1")
    );
    assert_eq!(target.object(), None, "nothing is put together of what differs");
}
