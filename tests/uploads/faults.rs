//! Every fault that a network and a service have, one scenario each: the object arrives, or the right thing is said.

use std::{fs, path::PathBuf, time::Duration};

use lotse_tests::{
    Result,
    faults::{Asked, End, Fault, Proxy, Rule, Script, Sent},
    random::Random,
    sending::{Order, Outcome, Patience, send},
    servers::{Kind, Server, Settings},
    stored::sha256_of_file,
};
use lotse_transfer::{CancellationToken, JobState};
use tempfile::TempDir;

use crate::object::{abort_uploads, open_uploads, sha256_of_object};

/// Small parts, which the servers are told to take: five of them and a rest.
const PART: u64 = 64 << 10;
const FILE: u64 = 5 * PART + 12_345;

/// Longest that a call of the engine may take in a scenario; what takes longer hangs.
const LIMIT: Duration = Duration::from_mins(2);

/// Random scenarios for each server.
const STORMS: u64 = 8;

/// What one scenario is, and what it must come to.
struct Scenario {
    name: String,
    script: Script,
    end: Ends,
    /// Bytes of parts that may be sent beyond the file.
    more: u64,
    /// Uploads that may stay open: those of which the client was never told.
    open: usize,
}

enum Ends {
    /// The object is there, and no upload is left open.
    Sent,
    /// The engine stops with this code and state; when the cause is gone, the next call completes it.
    Waits(&'static str, JobState),
}

fn sent(name: &str, rules: Vec<Rule>, more: u64) -> Scenario {
    Scenario {
        name: name.to_owned(),
        script: rules.into(),
        end: Ends::Sent,
        more,
        open: 0,
    }
}

fn refuse(status: u16, code: &'static str, retry_after: Option<u64>) -> Fault {
    Fault::Refuse {
        status,
        code,
        retry_after,
    }
}

fn waits(name: &str, on: Asked, status: u16, service_code: &'static str, code: &'static str) -> Scenario {
    Scenario {
        name: name.to_owned(),
        script: vec![Rule::times(on, u32::MAX, refuse(status, service_code, None))].into(),
        end: Ends::Waits(code, JobState::WaitingForSignIn),
        // What was on the way when it stopped.
        more: FILE,
        open: 0,
    }
}

#[expect(clippy::too_many_lines, reason = "a list, one fault after the other")]
fn scenarios() -> Vec<Scenario> {
    use Asked::{Begin, Complete, Head, List, Part};
    let cut = |after, end| Fault::CutRequest { after, end };
    let all = Fault::LoseAnswer(End::Close);
    let mut scenarios = vec![
        sent("nothing at all", vec![], 0),
        sent(
            "closed in the middle of a part",
            vec![Rule::times(Part, 3, cut(PART / 2, End::Close))],
            3 * PART,
        ),
        sent(
            "reset in the middle of a part",
            vec![Rule::times(Part, 3, cut(PART / 3, End::Reset)).after(1)],
            3 * PART,
        ),
        sent(
            "reset before the first byte",
            vec![
                Rule::first(Begin, cut(0, End::Reset)),
                Rule::first(Part, cut(0, End::Reset)),
                Rule::first(Complete, cut(0, End::Reset)),
                Rule::first(Head, cut(0, End::Reset)),
            ],
            PART,
        ),
        sent(
            "a part that is never answered",
            vec![Rule::first(Part, Fault::NeverAnswer).after(2)],
            PART,
        ),
        sent(
            "an opening, a completion and a comparison that are never answered",
            vec![
                Rule::first(Begin, Fault::NeverAnswer),
                Rule::first(Complete, Fault::NeverAnswer),
                Rule::first(Head, Fault::NeverAnswer),
            ],
            0,
        ),
        sent(
            "nobody reads any more",
            vec![Rule::times(Part, 2, Fault::StopReading { after: PART / 4 })],
            2 * PART,
        ),
        sent(
            "an answer that is cut off",
            vec![
                Rule::first(Begin, Fault::TruncateAnswer { after: 60 }),
                Rule::first(Complete, Fault::TruncateAnswer { after: 40 }),
            ],
            0,
        ),
        sent(
            "a damaged answer to a part",
            vec![Rule::times(Part, 2, Fault::CorruptAnswer)],
            2 * PART,
        ),
        sent(
            "a damaged answer to the completion",
            vec![Rule::first(Complete, Fault::CorruptAnswer)],
            0,
        ),
        sent(
            "a damaged answer to the comparison",
            vec![Rule::first(Head, Fault::CorruptAnswer)],
            0,
        ),
        sent(
            "a damaged part",
            vec![Rule::times(Part, 2, Fault::CorruptRequest)],
            2 * PART,
        ),
        sent(
            "500 at everything once",
            [Begin, Part, Complete, Head]
                .map(|on| Rule::first(on, refuse(500, "InternalError", None)))
                .to_vec(),
            PART,
        ),
        sent(
            "500 at one part for long",
            vec![Rule::times(Part, 12, refuse(500, "InternalError", None))],
            12 * PART,
        ),
        sent(
            "503 SlowDown",
            vec![
                Rule::first(Begin, refuse(503, "SlowDown", None)),
                Rule::times(Part, 8, refuse(503, "SlowDown", None)),
                Rule::first(Complete, refuse(503, "SlowDown", None)),
            ],
            8 * PART,
        ),
        sent(
            "503 SlowDown with a time to wait",
            vec![Rule::times(Part, 2, refuse(503, "SlowDown", Some(1)))],
            2 * PART,
        ),
        sent(
            "429",
            vec![Rule::times(Part, 3, refuse(429, "TooManyRequests", None))],
            3 * PART,
        ),
        sent(
            "a hotel's page",
            vec![
                Rule::first(Begin, Fault::HotelPage(200)),
                Rule::times(Part, 2, Fault::HotelPage(200)),
                Rule::first(Part, Fault::HotelPage(502)),
                Rule::first(Complete, Fault::HotelPage(200)),
            ],
            3 * PART,
        ),
        Scenario {
            open: 1,
            ..sent("everything is delivered twice", vec![Rule::always(Fault::Twice)], 0)
        },
        sent(
            "the answer to an opening is lost",
            vec![Rule::first(Begin, all.clone())],
            0,
        ),
        sent(
            "the answers to parts are lost",
            vec![Rule::times(Part, 3, all.clone())],
            3 * PART,
        ),
        sent(
            "the answer to a completion is lost",
            vec![Rule::first(Complete, all.clone())],
            0,
        ),
        sent(
            "the answers to three completions are lost",
            vec![Rule::times(Complete, 3, Fault::LoseAnswer(End::Reset))],
            0,
        ),
        sent("the answer to the comparison is lost", vec![Rule::first(Head, all)], 0),
        sent(
            "the network is away while parts are sent",
            vec![Rule::first(Part, Fault::Offline(Duration::from_secs(3))).after(2)],
            // Whatever was on the way.
            FILE,
        ),
        sent(
            "the network is away again and again",
            vec![
                Rule::first(Begin, Fault::Offline(Duration::from_millis(700))),
                Rule::first(Part, Fault::Offline(Duration::from_millis(700))),
                Rule::first(Complete, Fault::Offline(Duration::from_millis(700))),
                Rule::first(Head, Fault::Offline(Duration::from_millis(700))),
            ],
            FILE,
        ),
        sent(
            "the server's clock is an hour ahead",
            vec![Rule::always(Fault::ClockAhead(Duration::from_hours(1)))],
            FILE,
        ),
        sent("20 kB/s", vec![Rule::always(Fault::Slow(20_000))], 0),
        // The server has it still: nothing was lost but an answer of a part of it that did not know better.
        sent(
            "faults at the list of parts",
            vec![
                Rule::first(Part, refuse(404, "NoSuchUpload", None)).after(3),
                Rule::first(List, refuse(500, "InternalError", None)),
            ],
            FILE,
        ),
        waits(
            "an expired token at a part",
            Part,
            403,
            "ExpiredToken",
            "s3_invalid_key",
        ),
        waits(
            "a key that is not known any more",
            Part,
            403,
            "InvalidAccessKeyId",
            "s3_invalid_key",
        ),
        waits(
            "a wrong signature at the opening",
            Begin,
            403,
            "SignatureDoesNotMatch",
            "s3_signature",
        ),
        waits(
            "a key that expires at the completion",
            Complete,
            403,
            "ExpiredToken",
            "s3_invalid_key",
        ),
        sent(
            "a part whose upload is said to be lost",
            vec![Rule::first(Part, refuse(404, "NoSuchUpload", None)).after(3)],
            FILE,
        ),
    ];
    scenarios.extend((0..STORMS).map(|seed| Scenario {
        name: format!("storm with seed {seed}"),
        script: Script::storm(seed, 12, PART),
        end: Ends::Sent,
        // As many faults, each at a part, and the comparison at the end may have all sent anew.
        more: 12 * PART + FILE,
        // An opening that is delivered twice.
        open: 12,
    }));
    scenarios
}

/// A file, a journal, and a proxy in front of a server.
struct Setting<'a> {
    server: &'a Server,
    proxy: Proxy,
    folder: TempDir,
    file: PathBuf,
    sha256: String,
}

impl Setting<'_> {
    fn new(server: &Server) -> Result<Setting<'_>> {
        let folder = TempDir::new()?;
        let file = folder.path().join("disk.raw");
        fs::write(&file, Random::new(6).bytes(usize::try_from(FILE)?))?;
        Ok(Setting {
            server,
            proxy: Proxy::start(&server.access.endpoint)?,
            sha256: sha256_of_file(&file)?,
            folder,
            file,
        })
    }

    fn order(&self, key: &str) -> Result<Order> {
        Ok(Order {
            journal: self.folder.path().join("journal"),
            file: self.file.clone(),
            access: self.server.access.by(self.proxy.url()?),
            key: key.to_owned(),
            part_size: Some(PART),
            workers: None,
            patience: Some(Patience::default()),
        })
    }

    /// What is wrong with the outcome; nothing is best.
    async fn play(&self, number: usize, scenario: &Scenario) -> Result<Vec<String>> {
        let key = format!("faults/ä {number}.raw");
        let order = self.order(&key)?;
        self.proxy.play(scenario.script.clone());
        let mut outcome = within_limit(&order).await?;
        let mut wrong = Vec::new();
        if let Ends::Waits(code, state) = scenario.end {
            if outcome.code.as_deref() != Some(code) || outcome.state != Some(state) || !outcome.retryable {
                wrong.push(format!("wanted {code} in {state:?}, came to {outcome:?}"));
            }
            let so_far = self.proxy.sent();
            if so_far.part_bytes > FILE + scenario.more {
                wrong.push(format!("went on without a key: {so_far:?}"));
            }
            self.proxy.play(Script::default());
            outcome = within_limit(&order).await?;
        }
        wrong.extend(self.arrived(&key, &outcome, scenario).await?);
        Ok(wrong)
    }

    async fn arrived(&self, key: &str, outcome: &Outcome, scenario: &Scenario) -> Result<Vec<String>> {
        let sent: Sent = self.proxy.sent();
        let mut wrong = Vec::new();
        if outcome.code.is_some() || outcome.state != Some(JobState::Done) || outcome.acknowledged != FILE {
            wrong.push(format!("came to {outcome:?}"));
        }
        match sha256_of_object(&self.server.access, key).await {
            Ok(sha256) if sha256 == self.sha256 => {}
            Ok(_) => wrong.push("THE OBJECT IS NOT THE FILE".to_owned()),
            Err(error) => wrong.push(format!("no object: {error}")),
        }
        let open = open_uploads(&self.server.access, key).await?.len();
        if open > scenario.open {
            wrong.push(format!("{open} uploads were left open"));
        }
        if sent.part_bytes > FILE + scenario.more {
            wrong.push(format!("{} bytes too many", sent.part_bytes - FILE - scenario.more));
        }
        if !wrong.is_empty() {
            wrong.push(format!("{sent:?}"));
        }
        Ok(wrong)
    }
}

/// Cancels a call that hangs; then its code is `cancelled`.
async fn within_limit(order: &Order) -> Result<Outcome> {
    let cancel = CancellationToken::new();
    let deadline = {
        let cancel = cancel.clone();
        tokio::spawn(async move {
            tokio::time::sleep(LIMIT).await;
            cancel.cancel();
        })
    };
    let outcome = send(order, &cancel).await;
    deadline.abort();
    outcome
}

async fn all(kind: Kind) -> Result {
    let settings = Settings {
        min_part: 1,
        ..Settings::default()
    };
    let server = Server::start(kind, settings).await?;
    let setting = Setting::new(&server)?;
    // The first upload of all makes the server set up what it keeps, which takes some seconds.
    let first = within_limit(&setting.order("faults/first.raw")?).await?;
    assert_eq!(first.code, None, "{first:?}");
    lost(&setting).await?;
    let only = std::env::var("LOTSE_SCENARIO").ok();
    let mut failed = Vec::new();
    for (number, scenario) in scenarios().iter().enumerate() {
        if only.as_ref().is_some_and(|only| !scenario.name.contains(only.as_str())) {
            continue;
        }
        let began = std::time::Instant::now();
        let wrong = setting.play(number, scenario).await?;
        println!("{:7.1} s  {}", began.elapsed().as_secs_f64(), scenario.name);
        if !wrong.is_empty() {
            failed.push(format!("{}\n    {}", scenario.name, wrong.join("\n    ")));
        }
    }
    assert!(
        failed.is_empty(),
        "{}, with {} (LOTSE_SCENARIO=NAME runs those alone whose name has it):\n{}",
        kind.name(),
        failed.len(),
        failed.join("\n")
    );
    Ok(())
}

/// An upload that is really gone, as after the 90 days for which centron keeps one: it is begun anew.
async fn lost(setting: &Setting<'_>) -> Result {
    let key = "faults/lost.raw";
    let order = setting.order(key)?;
    let hold = Rule::times(Asked::Part, u32::MAX, Fault::Hold).after(2);
    setting.proxy.play(vec![hold]);
    let cancel = CancellationToken::new();
    let outcome = {
        let mut sending = std::pin::pin!(send(&order, &cancel));
        tokio::select! {
            () = setting.proxy.held() => {}
            early = &mut sending => return Err(format!("it ended before: {early:?}").into()),
        }
        assert_eq!(abort_uploads(&setting.server.access, key).await?, 1);
        setting.proxy.go_on(Script::default());
        sending.await?
    };
    assert_eq!(
        (outcome.code.as_deref(), outcome.state),
        (None, Some(JobState::Done)),
        "{outcome:?}"
    );
    assert_eq!(sha256_of_object(&setting.server.access, key).await?, setting.sha256);
    assert_eq!(open_uploads(&setting.server.access, key).await?.len(), 0);
    Ok(())
}

#[tokio::test]
async fn uploads_to_radosgw_survive_every_fault() -> Result {
    all(Kind::Radosgw).await
}

#[tokio::test]
async fn uploads_to_swift_survive_every_fault() -> Result {
    all(Kind::Swift).await
}
