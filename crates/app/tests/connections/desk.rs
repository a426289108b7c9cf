//! A computer with an object storage that it knows nothing of: the practice cloud's, started beside it.

use std::{
    fs,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use lotse_app::{
    Addressing, App, Awake, Distribution, Draft, Environment, Error, ImageDetails, Keychain, MemoryKeychain,
    ObjectStorage, ProfilePaths, PublicBy, Secret, SecretPlace, SecretSource, Settings, SystemEnvironment, Upload,
    UploadRequest, UploadState,
};
use lotse_cloud::{S3, S3Config};
use lotse_practice_cloud::PracticeCloud;
use lotse_transfer::{JobId, JobState};
use rusty_s3::{Bucket, Credentials, S3Action as _, UrlStyle};
use tempfile::TempDir;
use url::Url;

pub(crate) type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

/// With a keychain of its own, which can be locked, and a clock that can be wrong.
#[derive(Default)]
struct Computer {
    keychain: Arc<LockableKeychain>,
    seconds_ahead: AtomicI64,
}

#[derive(Default)]
struct LockableKeychain {
    memory: MemoryKeychain,
    locked: AtomicBool,
}

impl LockableKeychain {
    fn open(&self) -> Result<&MemoryKeychain, Error> {
        if self.locked.load(Ordering::Relaxed) {
            Err(Error::new("keychain_locked"))
        } else {
            Ok(&self.memory)
        }
    }
}

impl Keychain for LockableKeychain {
    fn works(&self) -> Result<(), Error> {
        Ok(())
    }

    fn has(&self, account: &str) -> Result<bool, Error> {
        self.memory.has(account)
    }

    fn read(&self, account: &str) -> Result<Option<Secret>, Error> {
        self.open()?.read(account)
    }

    fn write(&self, account: &str, secret: &Secret) -> Result<(), Error> {
        self.open()?.write(account, secret)
    }

    fn remove(&self, account: &str) -> Result<(), Error> {
        self.open()?.remove(account)
    }
}

impl Environment for Computer {
    fn now(&self) -> Timestamp {
        SystemEnvironment.now() + SignedDuration::from_secs(self.seconds_ahead.load(Ordering::Relaxed))
    }

    fn time_zone(&self) -> TimeZone {
        TimeZone::UTC
    }

    fn keep_awake(&self) -> Awake {
        Awake::nothing()
    }

    fn random(&self, buf: &mut [u8]) -> Result<(), Error> {
        SystemEnvironment.random(buf)
    }

    fn keychain(&self) -> Arc<dyn Keychain> {
        Arc::<LockableKeychain>::clone(&self.keychain)
    }

    fn profile_paths(&self) -> ProfilePaths {
        ProfilePaths::default()
    }
}

pub(crate) struct Desk {
    folder: TempDir,
    computer: Arc<Computer>,
    service: PracticeCloud,
    pub(crate) app: App,
}

pub(crate) fn typed(secret: &str) -> SecretSource {
    SecretSource::Typed(Secret::new(secret))
}

impl Desk {
    pub(crate) async fn new() -> Outcome<Self> {
        let folder = TempDir::new()?;
        let service = PracticeCloud::start(&folder.path().join("service")).await?;
        let computer = Arc::<Computer>::default();
        let app = App::open(&folder.path().join("data"), Arc::<Computer>::clone(&computer))?;
        Ok(Self {
            folder,
            computer,
            service,
            app,
        })
    }

    /// Another program over the same data.
    pub(crate) fn process(&self) -> Result<App, Error> {
        App::open(&self.data(), Arc::<Computer>::clone(&self.computer))
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Puts the computer's clock ahead.
    pub(crate) fn put_clock_ahead(&self, seconds: i64) {
        self.computer.seconds_ahead.store(seconds, Ordering::Relaxed);
    }

    /// Has the person lock the keychain, or unlock it.
    pub(crate) fn lock_keychain(&self, locked: bool) {
        self.computer.keychain.locked.store(locked, Ordering::Relaxed);
    }

    /// Whether the keychain has a secret of this connection.
    pub(crate) fn keychain_has(&self, id: &str) -> Outcome<bool> {
        Ok(self.computer.keychain.has(id)?)
    }

    pub(crate) fn bucket(&self) -> &str {
        &self.service.access().bucket
    }

    pub(crate) fn secret(&self) -> &str {
        &self.service.access().secret_key
    }

    /// A server that speaks HTTP, but not S3.
    pub(crate) fn elsewhere(&self) -> Url {
        let mut url = self.service.access().auth_url.clone();
        url.set_path("");
        url
    }

    pub(crate) fn draft(&self) -> Draft {
        let access = self.service.access();
        Draft {
            storage: ObjectStorage {
                name: "Büro Köln".into(),
                endpoint: access.s3_endpoint.clone(),
                region: access.s3_region.clone(),
                bucket: access.bucket.clone(),
                addressing: Addressing::Path,
                access_key: access.access_key.clone(),
                public_by: PublicBy::Acl,
                secret_in: SecretPlace::Ask,
                panel: None,
                image_regions: Vec::new(),
            },
            secret: typed(&access.secret_key),
        }
    }

    fn client(&self) -> Outcome<S3> {
        let storage = self.draft().storage;
        let config = S3Config {
            endpoint: storage.endpoint,
            region: storage.region,
            bucket: storage.bucket,
            access_key: storage.access_key,
            secret_key: Secret::new(self.secret()),
            addressing: storage.addressing,
        };
        Ok(S3::new(config, lotse_cloud::http_client()?)?)
    }

    /// Keys of what is in the bucket.
    pub(crate) async fn left(&self) -> Outcome<Vec<String>> {
        let objects = self.client()?.objects("").await?;
        Ok(objects.into_iter().map(|object| object.key).collect())
    }

    /// The bucket's policy, if it has one.
    pub(crate) async fn policy(&self) -> Outcome<Option<String>> {
        let access = self.service.access();
        let bucket = Bucket::new(
            access.s3_endpoint.clone(),
            UrlStyle::Path,
            access.bucket.clone(),
            access.s3_region.clone(),
        )?;
        let credentials = Credentials::new(&access.access_key, &access.secret_key);
        let address = bucket
            .get_bucket_policy(Some(&credentials))
            .sign(Duration::from_mins(1));
        let answer = lotse_cloud::http_client()?.get(address).send().await?;
        let found = answer.status().is_success();
        let text = answer.text().await?;
        Ok(found.then_some(text))
    }

    /// An upload that has begun to send and is far from its end.
    pub(crate) async fn begun(&self, connection: &str) -> Outcome<JobId> {
        let path = self.folder.path().join("server.raw");
        let mut bytes: Vec<u8> = (0_u32..).flat_map(u32::to_le_bytes).take(20 << 20).collect();
        bytes[510..512].copy_from_slice(&[0x55, 0xaa]);
        fs::write(&path, bytes)?;
        self.app.uploads().set_settings(&Settings {
            bytes_per_second: Some(4_000_000),
            ..self.app.uploads().settings()
        })?;
        let request = UploadRequest {
            path,
            connection: connection.to_owned(),
            details: ImageDetails {
                name: "Server".into(),
                distribution: Distribution::Debian,
                region: String::new(),
                tags: Vec::new(),
                notes: String::new(),
            },
        };
        let upload = self.app.uploads().start(&request).await?;
        Ok(until(&self.app, upload.id, |upload| upload.acknowledged > 0).await?.id)
    }
}

pub(crate) fn waits_for_sign_in(upload: &Upload) -> bool {
    upload.state == UploadState::Job(JobState::WaitingForSignIn)
}

/// Follows an upload until it is as wished.
pub(crate) async fn until(app: &App, id: JobId, wished: impl Fn(&Upload) -> bool) -> Outcome<Upload> {
    let mut changes = app.uploads().changes();
    let mut seen = app.uploads().get(id)?;
    let follow = async {
        while !wished(&seen) {
            // Also looked at now and then, for what another process does.
            _ = tokio::time::timeout(Duration::from_millis(200), changes.changed()).await;
            seen = app.uploads().get(id)?;
        }
        Ok::<_, Error>(())
    };
    match tokio::time::timeout(Duration::from_mins(2), follow).await {
        Ok(followed) => followed?,
        Err(_) => return Err(format!("it stays so: {seen:?}").into()),
    }
    Ok(seen)
}
