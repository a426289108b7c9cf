//! Runs the test of a connection: real calls, one step after the other. What it writes it removes again, whatever fails and whoever
//! breaks it off.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use jiff::Timestamp;
use lotse_cloud::{PublicBy, Reached, S3};
use lotse_transfer::{Target as _, TargetError};
use tokio::sync::mpsc::{self, UnboundedSender};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use url::{Host, Url};

use super::{ObjectStorage, TestOutcome, TestStep, TestStepKind, cleaned::labels};
use crate::Error;

/// From how many seconds on a difference of the clocks is told: services take 15 minutes, and nobody notices less than one.
const CLOCK_TOLD: u64 = 60;

/// How long the look-up of a name may take: the system's resolver gives up earlier (`resolv.conf`: 5 s, twice).
const LOOKUP: Duration = Duration::from_secs(15);

/// Most addresses of a name that are told.
const MOST_ADDRESSES: usize = 4;

/// Bytes of the object that is written: twice what the ranged GET of a stranger fetches.
const SIZE: usize = 2 << 10;

/// How often, and how far apart, something is tried that a service may need a moment for: AWS applies a bucket's policy after seconds.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_secs(1);

/// What a test needs.
pub(super) struct Trial<'a> {
    pub(super) storage: &'a ObjectStorage,
    /// A client of that storage; with another region where the service tells it.
    pub(super) client: &'a (dyn Fn(&ObjectStorage) -> Result<S3, Error> + Sync),
    /// The object that is written: nobody else's.
    pub(super) key: String,
    pub(super) now: &'a (dyn Fn() -> Timestamp + Sync),
    pub(super) observe: &'a (dyn Fn(&TestStep) + Sync),
    /// What goes on when the test is dropped.
    pub(super) tidying: &'a TaskTracker,
}

/// The steps so far.
struct Steps<'a> {
    taken: Vec<TestStep>,
    observe: &'a (dyn Fn(&TestStep) + Sync),
}

impl Steps<'_> {
    /// Notes a step, and returns whether the next one makes sense.
    fn take(&mut self, kind: TestStepKind, outcome: TestOutcome) -> bool {
        let goes_on = matches!(outcome, TestOutcome::Passed(_) | TestOutcome::Warned(_));
        let step = TestStep { kind, outcome };
        (self.observe)(&step);
        self.taken.push(step);
        goes_on
    }

    /// All that are left were not tried.
    fn end(mut self) -> Vec<TestStep> {
        for kind in TestStepKind::ALL.into_iter().skip(self.taken.len()) {
            self.take(kind, TestOutcome::Skipped);
        }
        self.taken
    }
}

impl Trial<'_> {
    /// Takes every step of [`TestStepKind::ALL`].
    ///
    /// # Errors
    /// When no client can be made at all.
    pub(super) async fn run(self) -> Result<Vec<TestStep>, Error> {
        let mut steps = Steps {
            taken: Vec::new(),
            observe: self.observe,
        };
        let client = (self.client)(self.storage)?;
        if !steps.take(TestStepKind::Name, self.name().await) {
            return Ok(steps.end());
        }
        let reached = client.reach().await;
        let date = reached.as_ref().ok().and_then(|reached| reached.date);
        let clock = clock(date, (self.now)());
        if !steps.take(TestStepKind::Reach, reach(&self.storage.endpoint, reached))
            || !steps.take(TestStepKind::Clock, clock)
        {
            return Ok(steps.end());
        }
        let storage = settle_region(self.storage, &client).await;
        let client = (self.client)(&storage)?;
        if !steps.take(TestStepKind::SignIn, sign_in(&storage, &client).await)
            || !steps.take(TestStepKind::Bucket, bucket(&storage, &client).await)
        {
            return Ok(steps.end());
        }
        let object = TestObject {
            client,
            key: self.key,
            by: storage.public_by,
        };
        // Dropped with this future: what goes on then only removes what was written.
        let broken_off = CancellationToken::new();
        let _guard = broken_off.clone().drop_guard();
        let (tell, mut told) = mpsc::unbounded_channel();
        self.tidying.spawn(object.come_and_go(tell, broken_off));
        while let Some((kind, outcome)) = told.recv().await {
            steps.take(kind, outcome);
        }
        Ok(steps.end())
    }

    async fn name(&self) -> TestOutcome {
        let endpoint = &self.storage.endpoint;
        let host = endpoint.host_str().unwrap_or_default();
        if let Some(proxy) = lotse_cloud::proxy_of(endpoint) {
            return passed([("note", "proxy".to_owned()), ("proxy", proxy)]);
        }
        if matches!(endpoint.host(), Some(Host::Ipv4(_) | Host::Ipv6(_))) {
            return passed([("note", "address".to_owned()), ("host", host.to_owned())]);
        }
        let port = endpoint.port_or_known_default().unwrap_or(443);
        let looked_up = tokio::time::timeout(LOOKUP, tokio::net::lookup_host((host, port))).await;
        let mut addresses: Vec<String> = match looked_up {
            Ok(Ok(found)) => found.map(|address| address.ip().to_string()).collect(),
            Ok(Err(_)) | Err(_) => Vec::new(),
        };
        addresses.sort();
        addresses.dedup();
        if addresses.is_empty() {
            return TestOutcome::Failed(Error::new("s3_name_unknown").with("host", host).retryable());
        }
        let count = addresses.len().to_string();
        addresses.truncate(MOST_ADDRESSES);
        passed([
            ("host", host.to_owned()),
            ("addresses", addresses.join(", ")),
            ("count", count),
        ])
    }
}

fn reach(endpoint: &Url, reached: Result<Reached, TargetError>) -> TestOutcome {
    match reached {
        Err(error) => TestOutcome::Failed(error.into()),
        Ok(reached) if reached.encrypted => passed([]),
        Ok(_) if is_this_computer(endpoint) => passed([("note", "plain".to_owned())]),
        Ok(_) => {
            let server = endpoint.host_str().unwrap_or_default();
            TestOutcome::Warned(Error::new("connection_not_encrypted").with("server", server))
        }
    }
}

/// The storage with its region: as typed, else as the service tells it, else as the client presets it.
pub(super) async fn settle_region(storage: &ObjectStorage, client: &S3) -> ObjectStorage {
    let mut storage = storage.clone();
    if storage.region.is_empty() {
        storage.region = match client.region_told().await {
            Ok(Some(told)) => told,
            // One that does not tell takes any.
            Ok(None) | Err(_) => PRESET_REGION.to_owned(),
        };
    }
    storage
}

/// What services without regions of their own expect (radosgw, Garage, MinIO, Swift), and AWS' first.
pub(super) const PRESET_REGION: &str = "us-east-1";

fn clock(theirs: Option<Timestamp>, ours: Timestamp) -> TestOutcome {
    let Some(theirs) = theirs else {
        return passed([("note", "unknown".to_owned())]);
    };
    let seconds = theirs.duration_since(ours).as_secs().unsigned_abs();
    if seconds < CLOCK_TOLD {
        passed([("seconds", seconds.to_string())])
    } else {
        TestOutcome::Warned(Error::new("connection_clock_differs").with("seconds", seconds))
    }
}

async fn sign_in(storage: &ObjectStorage, client: &S3) -> TestOutcome {
    let region = ("region", storage.region.clone());
    let refused = match client.buckets().await {
        Ok(buckets) => return passed([region, ("buckets", buckets.len().to_string())]),
        Err(refused) => refused,
    };
    match refused.code {
        // Known, or it would have been told so; whether it may use its bucket shows next.
        "s3_access_denied" | "s3_rejected" => passed([region, ("note", "may_not_list".to_owned())]),
        "s3_signature" | "s3_wrong_region" => TestOutcome::Failed(match client.region_told().await {
            Ok(Some(told)) if told != storage.region => Error::new("connection_region_wrong")
                .with("region", &storage.region)
                .with("told", told),
            _ => refused.into(),
        }),
        // A service that lists buckets elsewhere, but here what is in one: its name is the server's first word.
        "s3_answer_invalid" => TestOutcome::Failed(match labels(&storage.endpoint) {
            Some((bucket, service)) => Error::new("connection_endpoint_bucket")
                .with("server", service)
                .with("bucket", bucket),
            None => refused.into(),
        }),
        _ => TestOutcome::Failed(refused.into()),
    }
}

async fn bucket(storage: &ObjectStorage, client: &S3) -> TestOutcome {
    let name = &storage.bucket;
    if name.is_empty() {
        return TestOutcome::Failed(Error::new("connection_bucket_empty"));
    }
    match client.bucket_exists().await {
        Ok(()) => {}
        // Uploads do without; whether it is somebody else's shows at writing.
        Err(refused) if refused.code == "s3_access_denied" => {
            return TestOutcome::Warned(Error::new("connection_may_not_list").with("bucket", name));
        }
        Err(refused) => return TestOutcome::Failed(Error::from(refused).with("bucket", name)),
    }
    let bucket = ("bucket", name.clone());
    match client.open_uploads(super::PREFIX).await {
        Ok(open) if !open.is_empty() => passed([
            bucket,
            ("note", "open_uploads".to_owned()),
            ("open_uploads", open.len().to_string()),
        ]),
        // Only a note: a service that does not list them is none the worse.
        Ok(_) | Err(_) => passed([bucket]),
    }
}

/// The object that a test writes.
struct TestObject {
    client: S3,
    key: String,
    by: PublicBy,
}

impl TestObject {
    /// Writes it, makes it public and private again, and removes it. In a task of its own: a request that is on its way when the test is
    /// broken off may still be carried out, so that its end is waited for before the object is removed.
    async fn come_and_go(self, tell: UnboundedSender<(TestStepKind, TestOutcome)>, broken_off: CancellationToken) {
        // Nobody listens any more when it was broken off.
        let tell = |kind, result| _ = tell.send((kind, outcome(result)));
        let written = self.client.put(&self.key, Bytes::from_static(&[0; SIZE])).await;
        let wrote = written.is_ok();
        tell(TestStepKind::Write, written.map_err(Error::from));
        if wrote && !broken_off.is_cancelled() {
            let public = self.read_as_stranger(&broken_off).await;
            tell(TestStepKind::PublicRead, public);
        }
        // Also after a failed write: the service may have done it and only its answer was lost.
        let removed = self.remove().await;
        if let Err(error) = &removed {
            tracing::warn!(%error, "a test left its object in the bucket");
        }
        if wrote {
            tell(TestStepKind::Delete, removed);
        }
    }

    /// Makes it public, reads it without signing in, closes it, and is refused.
    async fn read_as_stranger(&self, broken_off: &CancellationToken) -> Result<(), Error> {
        let published = self.client.publish(&self.key, self.by).await;
        published.map_err(|refused| no_public_access(refused, self.by))?;
        let size = u64::try_from(SIZE).unwrap_or_default();
        for last in (0..TRIES).rev() {
            match self.client.check_public(&self.key, size).await {
                Ok(()) => break,
                Err(refused) if last == 0 || broken_off.is_cancelled() => return Err(refused.into()),
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
        self.client.withdraw(&self.key, self.by).await?;
        for last in (0..TRIES).rev() {
            if !self.client.is_public(&self.key).await? {
                break;
            }
            if last == 0 || broken_off.is_cancelled() {
                return Err(Error::new("connection_still_public").with("key", &self.key));
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    /// Removes it and whatever made it public, and looks whether it is gone.
    async fn remove(&self) -> Result<(), Error> {
        let left_behind = || Error::new("connection_left_behind").with("key", &self.key);
        for last in (0..TRIES).rev() {
            let removed = async {
                if self.by == PublicBy::BucketPolicy {
                    // An object that is gone may still stand in the policy; a bucket whose policy cannot be changed has none of ours.
                    match self.client.withdraw(&self.key, self.by).await {
                        Err(refused) if refused.retryable() => return Err(refused),
                        _ => {}
                    }
                }
                self.client.delete(&self.key).await
            };
            match removed.await {
                Ok(()) => break,
                Err(error) if error.retryable() && last > 0 => tokio::time::sleep(PAUSE).await,
                Err(error) => return Err(left_behind().with("cause", error.code)),
            }
        }
        match self.client.stored(&self.key).await {
            Ok(Some(_)) => Err(left_behind()),
            // Who may not list is told 403 of what is not there.
            Ok(None) | Err(_) => Ok(()),
        }
    }
}

/// ACL refused: its own sentence speaks of the other way. The policy refused: there is another next step.
fn no_public_access(refused: TargetError, by: PublicBy) -> Error {
    let mut error = Error::from(refused);
    if error.code == "s3_no_public_access" && by == PublicBy::BucketPolicy {
        "connection_no_policy".clone_into(&mut error.code);
    }
    error
}

fn outcome(result: Result<(), Error>) -> TestOutcome {
    match result {
        Ok(()) => passed([]),
        Err(error) => TestOutcome::Failed(error),
    }
}

fn passed<const N: usize>(params: [(&str, String); N]) -> TestOutcome {
    let params = params.into_iter().map(|(name, value)| (name.to_owned(), value));
    TestOutcome::Passed(params.collect::<BTreeMap<_, _>>())
}

/// Nothing leaves it then.
fn is_this_computer(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_differs_by_a_minute_is_told_in_either_direction() {
        let ours: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        let at = |text: &str| clock(Some(text.parse().unwrap()), ours);
        let warned =
            |seconds: &str| TestOutcome::Warned(Error::new("connection_clock_differs").with("seconds", seconds));
        assert_eq!(at("2026-11-22T12:00:59Z"), passed([("seconds", "59".to_owned())]));
        assert_eq!(at("2026-11-22T11:59:01Z"), passed([("seconds", "59".to_owned())]));
        assert_eq!(at("2026-11-22T12:01:00Z"), warned("60"));
        assert_eq!(at("2026-11-22T10:00:00Z"), warned("7200"));
        assert_eq!(clock(None, ours), passed([("note", "unknown".to_owned())]));
    }

    #[test]
    fn what_can_be_read_on_its_way_is_told_but_for_this_computer() {
        let told = |endpoint: &str, encrypted| {
            let reached = Reached {
                date: None,
                encrypted,
                proxy: None,
            };
            match reach(&Url::parse(endpoint).unwrap(), Ok(reached)) {
                TestOutcome::Warned(error) => error.code,
                TestOutcome::Passed(params) => params.get("note").cloned().unwrap_or_default(),
                other => format!("{other:?}"),
            }
        };
        assert_eq!(told("https://s3.example.com", true), "");
        assert_eq!(told("http://s3.example.com", false), "connection_not_encrypted");
        assert_eq!(told("http://10.0.0.1:9000", false), "connection_not_encrypted");
        assert_eq!(told("http://localhost.example.com", false), "connection_not_encrypted");
        for here in [
            "http://127.0.0.1:9000",
            "http://[::1]",
            "http://localhost:9000",
            "http://s3.localhost",
        ] {
            assert_eq!(told(here, false), "plain", "{here}");
        }
    }
}
