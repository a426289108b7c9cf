//! A computer with an object storage: the practice cloud's S3 behind a line, set up as a person sets one up.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use lotse_app::{
    Addressing, App, Awake, Draft, Environment, Error, Keychain, MemoryKeychain, ObjectStorage, ProfilePaths, PublicBy,
    Secret, SecretPlace, SecretSource, SystemEnvironment, Upload, UploadRequest, UploadState,
};
use lotse_cloud::{S3, S3Config};
use lotse_practice_cloud::PracticeCloud;
use lotse_transfer::JobState;

use crate::{
    computer::{Computer, ended, request, until},
    line::Line,
};

/// A clock that can be put forward; all else is the system's.
#[derive(Default)]
pub(crate) struct Clock {
    ahead: Mutex<SignedDuration>,
}

impl Clock {
    pub(crate) fn forward(&self, days: i64) {
        let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        *ahead += SignedDuration::from_hours(24 * days);
    }
}

impl Environment for Clock {
    fn now(&self) -> Timestamp {
        SystemEnvironment.now() + *self.ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn time_zone(&self) -> TimeZone {
        SystemEnvironment.time_zone()
    }

    fn keep_awake(&self) -> Awake {
        Awake::nothing()
    }

    fn random(&self, buf: &mut [u8]) -> Result<(), Error> {
        SystemEnvironment.random(buf)
    }

    fn keychain(&self) -> Arc<dyn Keychain> {
        Arc::new(MemoryKeychain::default())
    }

    fn profile_paths(&self) -> ProfilePaths {
        SystemEnvironment.profile_paths()
    }
}

pub(crate) struct Storage {
    pub(crate) computer: Computer,
    pub(crate) clock: Arc<Clock>,
    pub(crate) line: Arc<Line>,
    pub(crate) connection: String,
    pub(crate) app: App,
    service: PracticeCloud,
    endpoint: url::Url,
}

impl Storage {
    pub(crate) async fn new() -> Result<Self, Box<dyn std::error::Error>> {
        let computer = Computer::new()?;
        let service = PracticeCloud::start(&computer.folder.path().join("storage")).await?;
        let (line, endpoint) = Line::to(&service.access().s3_endpoint).await?;
        let clock = Arc::new(Clock::default());
        let app = App::open(
            &computer.folder.path().join("data"),
            Arc::clone(&clock) as Arc<dyn Environment>,
        )?;
        let mut storage = Self {
            computer,
            clock,
            line,
            connection: String::new(),
            app,
            service,
            endpoint,
        };
        let saved = storage.app.save_connection(None, &storage.draft(PublicBy::Acl)).await?;
        storage.connection = saved.id;
        Ok(storage)
    }

    pub(crate) fn draft(&self, public_by: PublicBy) -> Draft {
        let access = self.service.access();
        Draft {
            storage: ObjectStorage {
                name: "ccloud³".into(),
                endpoint: self.endpoint.clone(),
                region: access.s3_region.clone(),
                bucket: access.bucket.clone(),
                addressing: Addressing::Path,
                access_key: access.access_key.clone(),
                public_by,
                secret_in: SecretPlace::Ask,
                panel: "https://panel.example.org/".parse().ok(),
                image_regions: Vec::new(),
            },
            secret: SecretSource::Typed(self.secret()),
        }
    }

    pub(crate) fn secret(&self) -> Secret {
        Secret::new(self.service.access().secret_key.clone())
    }

    /// Another process over the same data; it has been told no secret.
    pub(crate) fn process(&self) -> Result<App, Error> {
        App::open(
            &self.computer.folder.path().join("data"),
            Arc::clone(&self.clock) as Arc<dyn Environment>,
        )
    }

    /// What another computer with the same key sees: not over the line.
    pub(crate) fn elsewhere(&self) -> Result<S3, Box<dyn std::error::Error>> {
        let access = self.service.access();
        let config = S3Config {
            endpoint: access.s3_endpoint.clone(),
            region: access.s3_region.clone(),
            bucket: access.bucket.clone(),
            access_key: access.access_key.clone(),
            secret_key: self.secret(),
            addressing: Addressing::Path,
        };
        Ok(S3::new(config, lotse_cloud::http_client()?)?)
    }

    /// Keys of all objects in the bucket.
    pub(crate) async fn keys(&self) -> Result<Vec<String>, Box<dyn std::error::Error>> {
        let objects = self.elsewhere()?.objects("").await?;
        Ok(objects.into_iter().map(|object| object.key).collect())
    }

    pub(crate) fn request(&self, path: PathBuf) -> UploadRequest {
        let mut request = request(path);
        request.connection.clone_from(&self.connection);
        // Nobody but the panel knows ccloud³'s regions.
        request.details.region = String::new();
        request
    }

    /// Sends a small image until it stands ready.
    pub(crate) async fn staged(&self, name: &str) -> Result<Upload, Box<dyn std::error::Error>> {
        let path = self.computer.small_image(name)?;
        let begun = self.app.uploads().start(&self.request(path)).await?;
        let staged = until(&self.app, begun.id, stands).await?;
        assert_eq!(staged.state, UploadState::Job(JobState::Staged), "{:?}", staged.failure);
        Ok(staged)
    }
}

/// It has ended, or waits for a person.
pub(crate) fn stands(upload: &Upload) -> bool {
    ended(upload)
        || matches!(
            upload.state,
            UploadState::Job(JobState::Staged | JobState::WaitingForSignIn)
        )
}
