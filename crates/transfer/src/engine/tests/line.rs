//! Hours and days in virtual time: a link that is slow, stuck, away or refused, and comes back.

use std::{collections::BTreeMap, sync::Mutex, time::Duration};

use async_trait::async_trait;
use futures::StreamExt;
use md5::{Digest, Md5};
use tokio::time::{Instant, sleep};

use super::{PART, Upload};
use crate::{
    JobState, Limits, PartBody, PartReceipt, Progress, Retry, SendError, SendErrorKind, Sent, Stall, Steering,
    StoredObject, Target, TargetError, TargetErrorKind, Throttle,
    engine::read::{hex, multipart_etag},
    send,
};

/// What the link or the service is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weather {
    /// Bytes a second for each part.
    Fine(u64),
    /// Nothing arrives, and everybody hears of it at once.
    Away,
    /// Nothing arrives, and nobody hears anything.
    Stuck,
    /// 503, with the seconds of `Retry-After`.
    Busy(Option<u64>),
    SignedOut,
}

/// A service behind a link whose weather changes with time.
struct Line {
    began: Instant,
    /// Until when each lasts; the last one for good.
    weather: Vec<(Duration, Weather)>,
    parts: Mutex<BTreeMap<u32, Vec<u8>>>,
    object: Mutex<Option<StoredObject>>,
    /// When each request came, and with which part.
    asked: Mutex<Vec<(Duration, Option<u32>)>>,
    on_the_way: Mutex<(u32, u32)>,
}

impl Line {
    fn new(weather: &[(u64, Weather)]) -> Line {
        let weather = weather
            .iter()
            .map(|(until, weather)| (Duration::from_secs(*until), *weather));
        Line {
            began: Instant::now(),
            weather: weather.collect(),
            parts: Mutex::default(),
            object: Mutex::default(),
            asked: Mutex::default(),
            on_the_way: Mutex::default(),
        }
    }

    fn weather(&self) -> Weather {
        let now = self.began.elapsed();
        let current = self.weather.iter().find(|(until, _)| now < *until);
        current.or(self.weather.last()).expect("some weather").1
    }

    /// The request is made; `Ok` with the bytes a second if it gets through.
    async fn asked(&self, part: Option<u32>) -> Result<u64, TargetError> {
        self.asked.lock().unwrap().push((self.began.elapsed(), part));
        sleep(Duration::from_millis(20)).await;
        let (kind, code, retry_after) = match self.weather() {
            Weather::Fine(rate) => return Ok(rate),
            Weather::Stuck => {
                // As long as the small requests' own limit.
                sleep(Duration::from_mins(if part.is_some() { 60 * 24 * 365 } else { 1 })).await;
                (TargetErrorKind::Network, "s3_timeout", None)
            }
            Weather::Away => (TargetErrorKind::Network, "s3_unreachable", None),
            Weather::Busy(seconds) => (TargetErrorKind::Busy, "s3_busy", seconds.map(Duration::from_secs)),
            Weather::SignedOut => (TargetErrorKind::Unauthorized, "s3_invalid_key", None),
        };
        Err(TargetError {
            kind,
            code,
            params: BTreeMap::new(),
            retry_after,
        })
    }

    fn requests(&self, during: std::ops::Range<u64>) -> usize {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|(at, _)| during.contains(&at.as_secs())).count()
    }

    fn puts(&self) -> usize {
        self.asked
            .lock()
            .unwrap()
            .iter()
            .filter(|(_, part)| part.is_some())
            .count()
    }

    fn most_on_the_way(&self) -> u32 {
        self.on_the_way.lock().unwrap().1
    }

    async fn receive(&self, number: u32, mut body: PartBody) -> Result<PartReceipt, TargetError> {
        let mut rate = self.asked(Some(number)).await?;
        let mut data = Vec::new();
        while let Some(piece) = body.next().await {
            data.extend_from_slice(&piece);
            sleep(Duration::from_millis(piece.len() as u64 * 1000 / rate)).await;
            rate = match self.weather() {
                Weather::Fine(rate) => rate,
                Weather::Stuck => std::future::pending().await,
                _ => return self.asked(None).await.map(|_| unreachable!("the weather is bad")),
            };
        }
        let receipt = receipt(number, &data);
        self.parts.lock().unwrap().insert(number, data);
        Ok(receipt)
    }
}

fn receipt(number: u32, data: &[u8]) -> PartReceipt {
    PartReceipt {
        number,
        size: data.len() as u64,
        etag: hex(&Md5::digest(data)),
    }
}

#[async_trait]
impl Target for Line {
    fn limits(&self) -> Limits {
        Limits {
            min_part: 1,
            max_part: 1 << 30,
            max_parts: 10_000,
            max_concurrent: 10,
            max_object: 1 << 40,
        }
    }

    async fn begin(&self, _key: &str) -> Result<String, TargetError> {
        self.asked(None).await.map(|_| "upload".to_owned())
    }

    async fn uploads(&self, _key: &str) -> Result<Vec<String>, TargetError> {
        self.asked(None).await.map(|_| Vec::new())
    }

    async fn parts(&self, _key: &str, _upload_id: &str) -> Result<Vec<PartReceipt>, TargetError> {
        self.asked(None).await?;
        let parts = self.parts.lock().unwrap();
        Ok(parts.iter().map(|(number, data)| receipt(*number, data)).collect())
    }

    async fn put_part(
        &self,
        _key: &str,
        _upload_id: &str,
        number: u32,
        body: PartBody,
        _md5: [u8; 16],
    ) -> Result<PartReceipt, TargetError> {
        struct Arrived<'a>(&'a Line);
        impl Drop for Arrived<'_> {
            fn drop(&mut self) {
                self.0.on_the_way.lock().unwrap().0 -= 1;
            }
        }
        {
            let mut on_the_way = self.on_the_way.lock().unwrap();
            on_the_way.0 += 1;
            on_the_way.1 = on_the_way.1.max(on_the_way.0);
        }
        let _arrived = Arrived(self);
        self.receive(number, body).await
    }

    async fn complete(&self, _key: &str, _upload_id: &str, _parts: &[PartReceipt]) -> Result<(), TargetError> {
        self.asked(None).await?;
        let parts = self.parts.lock().unwrap();
        let md5s: Vec<[u8; 16]> = parts.values().map(|data| Md5::digest(data).into()).collect();
        *self.object.lock().unwrap() = Some(StoredObject {
            size: parts.values().map(|data| data.len() as u64).sum(),
            etag: multipart_etag(md5s.iter()),
        });
        Ok(())
    }

    async fn abort(&self, _key: &str, _upload_id: &str) -> Result<(), TargetError> {
        self.asked(None).await.map(|_| ())
    }

    async fn stored(&self, _key: &str) -> Result<Option<StoredObject>, TargetError> {
        self.asked(None).await?;
        Ok(self.object.lock().unwrap().clone())
    }
}

/// Sends, and returns the outcome with every state that was told.
async fn follow(upload: &Upload, line: &Line, steering: &Steering) -> (Result<Sent, SendError>, Vec<JobState>) {
    let states = Mutex::new(Vec::new());
    let observe = |now: Progress| {
        let mut states = states.lock().unwrap();
        if states.last() != Some(&now.state) {
            states.push(now.state);
        }
        assert_eq!(now.retry_in.is_some(), now.state == JobState::WaitingForNetwork);
    };
    let claim = upload.journal.claim(upload.job.id).unwrap().unwrap();
    let sent = send(&upload.journal, line, &claim, &upload.job, steering, &observe).await;
    (sent, states.into_inner().unwrap())
}

const FAST: Weather = Weather::Fine(1_000_000);
const DAY: u64 = 24 * 60 * 60;

#[tokio::test(start_paused = true)]
async fn three_days_without_a_network_are_waited_for_and_nothing_is_sent_twice() {
    use JobState::{Checking, Uploading, Verifying, WaitingForNetwork};
    let upload = Upload::of(20_000);
    // Each part takes ten seconds: the network goes in the middle of some.
    let line = Line::new(&[(45, Weather::Fine(100)), (3 * DAY, Weather::Away), (4 * DAY, FAST)]);
    let (sent, states) = follow(&upload, &line, &Steering::default()).await;
    sent.unwrap();
    assert_eq!(
        states,
        [Checking, Uploading, WaitingForNetwork, Checking, Uploading, Verifying]
    );
    let looks = line.requests(3600..3 * DAY);
    assert!((500..6000).contains(&looks), "every few minutes, not {looks} times");
    assert!(
        line.began.elapsed().as_secs() < 3 * DAY + 600,
        "it notices within minutes that the network is back"
    );
    assert!(
        line.puts() <= 20 + 30,
        "what had arrived is not sent again: {}",
        line.puts()
    );
}

#[tokio::test(start_paused = true)]
async fn whoever_knows_that_the_network_is_back_ends_the_wait() {
    let upload = Upload::of(5_000);
    let line = Line::new(&[(DAY, Weather::Away), (2 * DAY, FAST)]);
    let steering = Steering::default();
    let waker = async {
        sleep(Duration::from_secs(DAY + 1)).await;
        let waiting = upload.journal.job(upload.job.id).unwrap().unwrap();
        assert_eq!(waiting.state, JobState::WaitingForNetwork);
        assert_eq!(waiting.failure.expect("what it waits for").code, "s3_unreachable");
        steering.retry_now.wake();
    };
    let ((sent, _), ()) = tokio::join!(follow(&upload, &line, &steering), waker);
    sent.unwrap();
    assert!(line.began.elapsed().as_secs() < DAY + 5, "{:?}", line.began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_stuck_is_given_up_and_the_job_goes_on() {
    let upload = Upload::of(10_000);
    let line = Line::new(&[(30, Weather::Fine(100)), (600, Weather::Stuck), (DAY, FAST)]);
    let (sent, states) = follow(&upload, &line, &Steering::default()).await;
    sent.unwrap();
    assert!(states.contains(&JobState::WaitingForNetwork), "{states:?}");
    assert!(
        line.began.elapsed() < Duration::from_mins(25),
        "{:?}",
        line.began.elapsed()
    );
    assert!(line.puts() < 30, "{} tries", line.puts());
}

#[tokio::test(start_paused = true)]
async fn the_smallest_bandwidth_limit_makes_nothing_look_stuck() {
    let upload = Upload::of(100_000);
    let line = Line::new(&[(DAY, FAST)]);
    let steering = Steering {
        throttle: Throttle::new(Some(50)),
        ..Steering::default()
    };
    let (sent, states) = follow(&upload, &line, &steering).await;
    sent.unwrap();
    assert!(
        line.began.elapsed() >= Duration::from_secs(1_900),
        "the limit is kept: {:?}",
        line.began.elapsed()
    );
    assert_eq!(
        (line.puts(), states.len()),
        (100, 3),
        "no part is sent twice, nothing is waited for"
    );
}

/// The socket takes 1,000 bytes and then nothing for over an hour: longer than any guess.
#[tokio::test(start_paused = true)]
async fn a_link_slower_than_thought_gets_through_by_doubling_the_patience() {
    let upload = Upload::of(8_000);
    let line = Line::new(&[(400 * DAY, Weather::Fine(1))]);
    let steering = Steering {
        stall: Stall {
            shortest: Duration::from_secs(45),
            ..Stall::default()
        },
        ..Steering::default()
    };
    let (sent, _) = follow(&upload, &line, &steering).await;
    sent.unwrap();
    assert!(line.puts() <= 8 + 16, "{} tries", line.puts());
}

#[tokio::test(start_paused = true)]
async fn an_overwhelmed_service_is_left_alone_as_long_as_it_asks() {
    let upload = Upload::of(40_000);
    let line = Line::new(&[(40, Weather::Fine(100)), (70, Weather::Busy(Some(120))), (DAY, FAST)]);
    let (sent, _) = follow(&upload, &line, &Steering::default()).await;
    sent.unwrap();
    let asked = line.requests(75..155);
    assert_eq!(asked, 0, "nothing is asked before the time is over");

    let upload = Upload::of(40_000);
    let line = Line::new(&[(40, Weather::Fine(100)), (3600, Weather::Busy(None)), (DAY, FAST)]);
    let (sent, states) = follow(&upload, &line, &Steering::default()).await;
    sent.unwrap();
    assert!(
        states.contains(&JobState::WaitingForNetwork),
        "an hour of 503 is no failure"
    );
    assert!(line.requests(0..3600) < 150, "{} requests", line.requests(0..3600));
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_not_accepted_any_more_is_told_and_what_is_there_is_kept() {
    let upload = Upload::of(20_000);
    let mut line = Line::new(&[(45, Weather::Fine(100)), (DAY, Weather::SignedOut)]);
    let (sent, states) = follow(&upload, &line, &Steering::default()).await;
    let error = sent.unwrap_err();
    assert_eq!((error.kind, error.code), (SendErrorKind::SignIn, "s3_invalid_key"));
    assert_eq!(states.last(), Some(&JobState::WaitingForSignIn));
    let job = upload.journal.job(upload.job.id).unwrap().unwrap();
    assert_eq!(
        (job.state, job.failure.unwrap().code.as_str()),
        (JobState::WaitingForSignIn, "s3_invalid_key")
    );
    assert!(job.acknowledged >= 4 * PART);

    line.weather = vec![(Duration::MAX, FAST)];
    let before = line.puts() as u64;
    follow(&upload, &line, &Steering::default()).await.0.unwrap();
    assert_eq!(
        line.puts() as u64 - before,
        (20_000 - job.acknowledged) / PART,
        "only what is missing"
    );
}

#[tokio::test(start_paused = true)]
async fn more_parts_go_at_once_as_long_as_that_is_faster_and_memory_allows() {
    let upload = Upload::of(200_000);
    let line = Line::new(&[(DAY, Weather::Fine(1_000))]);
    follow(&upload, &line, &Steering::default()).await.0.unwrap();
    assert_eq!(line.most_on_the_way(), 10);

    for (memory, most) in [(0, 1), (4 * PART, 2), (7 * PART, 5)] {
        let upload = Upload::of(50_000);
        let line = Line::new(&[(DAY, Weather::Fine(1_000))]);
        let steering = Steering {
            memory,
            ..Steering::default()
        };
        follow(&upload, &line, &steering).await.0.unwrap();
        assert_eq!(line.most_on_the_way(), most, "{memory} bytes");
    }
}

#[tokio::test(start_paused = true)]
async fn stopping_while_waiting_stops_at_once() {
    let upload = Upload::of(5_000);
    let line = Line::new(&[(DAY, Weather::Away)]);
    let steering = Steering {
        retry: Retry::default(),
        ..Steering::default()
    };
    let stopper = async {
        sleep(Duration::from_hours(5)).await;
        steering.cancel.cancel();
    };
    let ((sent, _), ()) = tokio::join!(follow(&upload, &line, &steering), stopper);
    assert_eq!(sent.unwrap_err().kind, SendErrorKind::Cancelled);
    assert!(line.began.elapsed() < Duration::from_secs(5 * 3600 + 1));
    assert!(
        JobState::WaitingForNetwork.may_become(JobState::Paused),
        "and can be paused then"
    );
}
