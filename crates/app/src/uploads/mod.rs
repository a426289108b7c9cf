//! Uploads as a person sees them: start, follow, resume, cancel. The journal is the truth; this process adds what only
//! it knows: which uploads it is working on, and how fast.

mod run;

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use lotse_disk::{Container, FileSource};
use lotse_transfer::{
    CancellationToken, Claim, Job, JobFailure, JobId, JobState, Journal, NewJob, SourceIdentity, Target as _,
};
use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, watch};
use uuid::Uuid;

use crate::{Distribution, Environment, Error, ImageDetails, connections::Connections, rate::Rate};

/// What a person asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadRequest {
    /// The file.
    pub path: PathBuf,
    /// Id of the connection.
    pub connection: String,
    /// The wished-for image.
    pub details: ImageDetails,
}

/// Where an upload stands, for a person: the journal's state, or that nobody works on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UploadState {
    /// As the journal says; a living process works on it or it has ended.
    Job(JobState),
    /// Not ended, but no living process works on it: it can be resumed.
    Interrupted,
}

/// An upload as a person sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// Names it for good.
    pub id: JobId,
    /// Id of its connection.
    pub connection: String,
    /// Name of the file without its folder.
    pub source_name: String,
    /// The wished-for image.
    pub details: ImageDetails,
    /// Where it stands.
    pub state: UploadState,
    /// Bytes acknowledged by the target.
    pub acknowledged: u64,
    /// Bytes in all.
    pub total: u64,
    /// Moving average while this process sends; `None` until it can be told.
    pub bytes_per_second: Option<u64>,
    /// The image, once the service was asked to make it.
    pub image_id: Option<String>,
    /// Why it failed.
    pub failure: Option<JobFailure>,
    /// When it was asked for.
    pub created: Timestamp,
}

/// What this crate keeps in a job's `details`.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct JobDetails {
    image: ImageDetails,
    /// Container format as Glance names it.
    disk_format: String,
}

/// What this process knows of an upload that it works on.
#[derive(Default)]
struct Running {
    cancel: CancellationToken,
    acknowledged: u64,
    rate: Rate,
}

/// The uploads of one process over one journal. Cheap to clone.
#[derive(Clone)]
pub struct Uploads {
    inner: Arc<Inner>,
}

struct Inner {
    journal: Journal,
    connections: Arc<Connections>,
    environment: Arc<dyn Environment>,
    running: Mutex<HashMap<JobId, Running>>,
    /// One upload at a time: two that share a line only make both late.
    turn: Semaphore,
    changed: watch::Sender<()>,
}

impl Uploads {
    pub(crate) fn open(
        folder: &Path,
        connections: Arc<Connections>,
        environment: Arc<dyn Environment>,
    ) -> Result<Self, Error> {
        let journal = Journal::open(&folder.join("journal"))?;
        let inner = Inner {
            journal,
            connections,
            environment,
            running: Mutex::default(),
            turn: Semaphore::new(1),
            changed: watch::Sender::new(()),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Writes an upload down and begins it. It goes on after this returns; follow it by [`Uploads::changes`].
    ///
    /// # Errors
    /// When the details, the file, the connection or its region do not hold; nothing has been written down then.
    pub async fn start(&self, request: &UploadRequest) -> Result<Upload, Error> {
        let details = request.details.cleaned()?;
        let source = SourceIdentity::of(&request.path)?;
        let disk_format = disk_format(&lotse_disk::identify(&FileSource::open(&request.path)?)?)?;
        let connection = self.inner.connections.open(&request.connection).await?;
        if !connection.openstack.regions().contains(&details.region) {
            return Err(Error::new("region_unknown").with("region", &details.region));
        }
        let part_size = lotse_transfer::part_size(source.size, &connection.staging.limits())?;
        let new = NewJob {
            key: self.staging_key(&source.path)?,
            source,
            connection: request.connection.clone(),
            part_size,
            details: serde_json::to_string(&JobDetails {
                image: details,
                disk_format,
            })
            .map_err(|cause| Error::new("upload_details_unreadable").with("cause", cause))?,
        };
        let job = self.inner.journal.add(&new, self.inner.environment.now())?;
        self.begin(job.id).await
    }

    /// Goes on with an upload that was interrupted or failed.
    ///
    /// # Errors
    /// Codes `upload_unknown`, `upload_final`, `upload_busy_elsewhere`. An upload that already runs here is no error.
    pub async fn resume(&self, id: JobId) -> Result<Upload, Error> {
        if self.running().contains_key(&id) {
            return self.get(id);
        }
        self.begin(id).await
    }

    /// Goes on with every upload that was interrupted, oldest first, and returns them. One that another process took
    /// meanwhile is left to it.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn resume_interrupted(&self) -> Result<Vec<Upload>, Error> {
        let mut resumed = Vec::new();
        let mut waiting = self.list()?;
        waiting.reverse();
        for upload in waiting
            .into_iter()
            .filter(|upload| upload.state == UploadState::Interrupted)
        {
            match self.resume(upload.id).await {
                Ok(upload) => resumed.push(upload),
                Err(error) if matches!(error.code.as_str(), "upload_busy_elsewhere" | "upload_final") => {}
                Err(error) => return Err(error),
            }
        }
        Ok(resumed)
    }

    /// Takes an upload back: stops it and removes from the service what it left there.
    ///
    /// # Errors
    /// Codes `upload_unknown`, `upload_final`, `upload_busy_elsewhere`; `cancel_incomplete` when the service could not
    /// be cleaned up: the upload then stands at failed and can be cancelled again.
    pub async fn cancel(&self, id: JobId) -> Result<Upload, Error> {
        self.stop(id).await;
        let (_claim, job) = self.claim(id).await?;
        let cancelled = match run::clean_up(&self.inner, &job).await {
            Ok(()) => Ok(self.inner.journal.advance(id, JobState::Cancelled)?),
            Err(cause) => {
                let error = Error::new("cancel_incomplete").with("cause", cause.code).retryable();
                self.inner.journal.fail(id, &failure(&error))?;
                Err(error)
            }
        };
        self.inner.changed.send_replace(());
        cancelled.map(|job| self.seen(&job))
    }

    /// Takes back every upload that has not ended, also those that were interrupted or failed, and returns how many.
    ///
    /// # Errors
    /// The first error of [`Uploads::cancel`], after all have been tried: `upload_busy_elsewhere` for one that another
    /// process works on.
    pub async fn cancel_all(&self) -> Result<usize, Error> {
        // All are told to stop before the first is cleaned up: none shall get done while the others are being taken back.
        self.running().values().for_each(|running| running.cancel.cancel());
        let mut cancelled = 0;
        let mut first_error = None;
        for upload in self.list()? {
            if matches!(upload.state, UploadState::Job(state) if state.is_final()) {
                continue;
            }
            match self.cancel(upload.id).await {
                Ok(_) => cancelled += 1,
                // Ended by itself while the others were being cancelled.
                Err(error) if error.code == "upload_final" => {}
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        first_error.map_or(Ok(cancelled), Err)
    }

    /// Removes an upload that has ended from the list.
    ///
    /// # Errors
    /// Codes `upload_unknown`, `upload_not_final`.
    pub fn forget(&self, id: JobId) -> Result<(), Error> {
        if !self.job(id)?.state.is_final() {
            return Err(Error::new("upload_not_final"));
        }
        self.inner.journal.remove(id)?;
        self.inner.changed.send_replace(());
        Ok(())
    }

    /// All uploads, newest first.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn list(&self) -> Result<Vec<Upload>, Error> {
        Ok(self.inner.journal.jobs()?.iter().map(|job| self.seen(job)).collect())
    }

    /// One upload.
    ///
    /// # Errors
    /// Code `upload_unknown`.
    pub fn get(&self, id: JobId) -> Result<Upload, Error> {
        Ok(self.seen(&self.job(id)?))
    }

    /// Wakes whenever an upload of this process has moved on.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.inner.changed.subscribe()
    }

    async fn begin(&self, id: JobId) -> Result<Upload, Error> {
        let (claim, job) = self.claim(id).await?;
        let running = Running {
            acknowledged: job.acknowledged,
            ..Running::default()
        };
        let cancel = running.cancel.clone();
        self.running().insert(id, running);
        tokio::spawn(run::run(self.clone(), job, claim, cancel));
        self.inner.changed.send_replace(());
        self.get(id)
    }

    /// Tells the upload to stop and waits until it has.
    async fn stop(&self, id: JobId) {
        let mut changes = self.changes();
        loop {
            changes.mark_unchanged();
            match self.running().get(&id) {
                None => return,
                Some(running) => running.cancel.cancel(),
            }
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    /// Takes the upload for this process, and reads what the process that had it before may have written meanwhile.
    async fn claim(&self, id: JobId) -> Result<(Claim, Job), Error> {
        self.job(id)?;
        // Whoever lists uploads tries each lock for a moment; only a lock that stays is somebody's.
        for _ in 0..10 {
            if let Some(claim) = self.inner.journal.claim(id)? {
                let job = self.job(id)?;
                return if job.state.is_final() {
                    Err(Error::new("upload_final"))
                } else {
                    Ok((claim, job))
                };
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Err(Error::new("upload_busy_elsewhere").retryable())
    }

    fn job(&self, id: JobId) -> Result<Job, Error> {
        self.inner.journal.job(id)?.ok_or_else(|| Error::new("upload_unknown"))
    }

    /// 128 random bits, so that nobody finds the object while it is public, and the file's name with its ending.
    fn staging_key(&self, path: &Path) -> Result<String, Error> {
        let mut bytes = [0; 16];
        self.inner.environment.random(&mut bytes)?;
        Ok(format!("{:032x}/{}", u128::from_be_bytes(bytes), file_name(path)))
    }

    fn seen(&self, job: &Job) -> Upload {
        let running = self.running();
        let here = running.get(&job.id);
        let interrupted = here.is_none()
            && !job.state.is_final()
            && job.state != JobState::Failed
            && matches!(self.inner.journal.claim(job.id), Ok(Some(_)));
        // Begun again, but not yet so far that the journal says so: what it failed of before is not how it stands now.
        let begun_again = here.is_some() && job.state == JobState::Failed;
        let state = match job.state {
            _ if interrupted => UploadState::Interrupted,
            _ if begun_again => UploadState::Job(JobState::Queued),
            state => UploadState::Job(state),
        };
        Upload {
            id: job.id,
            connection: job.connection.clone(),
            source_name: file_name(&job.source.path),
            details: image_details(job),
            state,
            acknowledged: here.map_or(job.acknowledged, |here| here.acknowledged.max(job.acknowledged)),
            total: job.source.size,
            bytes_per_second: here.and_then(|here| here.rate.bytes_per_second()),
            image_id: job.image_id.clone(),
            failure: job
                .failure
                .clone()
                .filter(|_| state == UploadState::Job(JobState::Failed)),
            created: job.created,
        }
    }

    fn running(&self) -> MutexGuard<'_, HashMap<JobId, Running>> {
        // The map is whole between any two statements: a panic elsewhere leaves nothing half done in it.
        self.inner.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The upload that `text` names.
///
/// # Errors
/// Code `upload_unknown` when it is no UUID.
pub fn upload_id(text: &str) -> Result<JobId, Error> {
    Uuid::parse_str(text.trim())
        .map(JobId)
        .map_err(|_| Error::new("upload_unknown"))
}

/// The container's format as Glance names it.
///
/// # Errors
/// Code `format_not_accepted`: refused before it is sent rather than afterwards.
fn disk_format(container: &Container) -> Result<String, Error> {
    let refused = |name: &str| Err(Error::new("format_not_accepted").with("format", name));
    match (container.format, container.compression) {
        (_, Some(compression)) if !compression.is_accepted() => refused(compression.name()),
        (Some(format), _) if !format.is_accepted() => refused(format.name()),
        (Some(format), _) => Ok(format.name().to_owned()),
        // Behind a compression the format does not show; Glance wants one named and knows such files as raw.
        (None, _) => Ok("raw".to_owned()),
    }
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// What was asked for; a row of a newer version that cannot be read still shows under its file's name.
fn image_details(job: &Job) -> ImageDetails {
    serde_json::from_str(&job.details).map_or_else(
        |_| ImageDetails {
            name: file_name(&job.source.path),
            distribution: Distribution::Unknown,
            region: String::new(),
            tags: Vec::new(),
            notes: String::new(),
        },
        |details: JobDetails| details.image,
    )
}

fn failure(error: &Error) -> JobFailure {
    JobFailure {
        code: error.code.clone(),
        params: error.params.clone(),
        retryable: error.retryable,
    }
}
