//! Uploads as a person sees them: start, follow, pause, resume, cancel. The journal is the truth; this process adds what
//! only it knows: which uploads it is working on, whose turn it is, and how fast.

mod clean;
mod described;
mod hours;
mod image;
mod key;
mod oversee;
mod run;
mod stage;
mod turns;

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use lotse_disk::{Container, FileSource};
use lotse_transfer::{
    Claim, Job, JobFailure, JobId, JobState, Journal, NewJob, Retry, SourceIdentity, Steering, Target as _, Throttle,
};
use tokio::sync::watch;
use uuid::Uuid;

pub(crate) use described::{file_name, image_details};
pub use hours::Hours;
pub(crate) use key::name_in;

use self::{
    described::{JobDetails, disk_format},
    turns::Turns,
};
use crate::{
    Environment, Error, ImageDetails, Settings, TimeLeft,
    connections::{Connections, needs_somebody},
    rate::Rate,
    settings::SettingsFile,
};

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

impl UploadState {
    /// Has it ended for good?
    pub fn is_final(self) -> bool {
        matches!(self, Self::Job(state) if state.is_final())
    }
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
    /// Until all bytes have arrived, at that speed.
    pub time_left: Option<TimeLeft>,
    /// When the hours in which uploads may run begin; `None` when it does not wait for them.
    pub starts_at: Option<Timestamp>,
    /// Since when everybody who knows the staging object's address can read it; `None` while it is private.
    pub published: Option<Timestamp>,
    /// Until when, at the latest.
    pub public_until: Option<Timestamp>,
    /// The image, once the service was asked to make it.
    pub image_id: Option<String>,
    /// Why it failed, or what it waits for.
    pub failure: Option<JobFailure>,
    /// When it was asked for.
    pub created: Timestamp,
}

/// What this process knows of an upload that it works on.
struct Running {
    steering: Steering,
    acknowledged: u64,
    rate: Rate,
    stage: Stage,
}

/// What an upload of this process is at, as far as the journal does not say.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Stage {
    /// Waits for its turn.
    Waiting,
    /// As the journal says.
    Working,
    /// Waits for the service outside the sending of parts.
    Offline(JobFailure),
}

/// The uploads of one process over one journal. Cheap to clone.
#[derive(Clone)]
pub struct Uploads {
    pub(crate) inner: Arc<Inner>,
}

/// What all clones of [`Uploads`] share.
pub(crate) struct Inner {
    pub(crate) journal: Journal,
    pub(crate) connections: Arc<Connections>,
    pub(crate) environment: Arc<dyn Environment>,
    settings: SettingsFile,
    running: Mutex<HashMap<JobId, Running>>,
    turns: Arc<Turns>,
    throttle: Throttle,
    overseen: AtomicBool,
    /// What is over its time shall be looked through now: a connection may be open that was not before.
    tidy_wanted: AtomicBool,
    pub(crate) changed: watch::Sender<()>,
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
            settings: SettingsFile::open(folder),
            running: Mutex::default(),
            turns: Turns::new(),
            throttle: Throttle::default(),
            overseen: AtomicBool::new(false),
            tidy_wanted: AtomicBool::new(false),
            changed: watch::Sender::new(()),
        };
        inner.apply_settings();
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Writes an upload down and begins it. It goes on after this returns; follow it by [`Uploads::changes`].
    ///
    /// # Errors
    /// When the details, the file, the connection or its region do not hold; nothing has been written down then.
    pub async fn start(&self, request: &UploadRequest) -> Result<Upload, Error> {
        let details = request.details.cleaned()?;
        let source = SourceIdentity::of(&request.path)?;
        let container = lotse_disk::identify(&FileSource::open(&request.path)?)?;
        let disk_format = disk_format(&container)?;
        let connection = self.inner.connections.open(&request.connection).await?;
        // ccloud³ tells its regions to nobody but a person in its panel.
        if let Some(openstack) = &connection.openstack
            && !openstack.regions().contains(&details.region)
        {
            return Err(Error::new("region_unknown").with("region", &details.region));
        }
        let part_size = lotse_transfer::part_size(source.size, &connection.staging.limits())?;
        let new = NewJob {
            key: self.staging_key(&source.path, &container)?,
            source,
            connection: request.connection.clone(),
            part_size,
            details: JobDetails {
                image: details,
                disk_format,
            }
            .to_json()?,
        };
        let job = self.inner.journal.add(&new, self.inner.environment.now())?;
        self.begin(job.id).await
    }

    /// Goes on with an upload that was paused, interrupted, or failed, or that waits: at once, where it waits for the network.
    ///
    /// # Errors
    /// Codes `upload_unknown`, `upload_final`, `upload_busy_elsewhere`; `upload_staged` where all has been done but what a person
    /// does. An upload that already runs here is no error.
    pub async fn resume(&self, id: JobId) -> Result<Upload, Error> {
        self.settled(id).await?;
        if let Some(running) = self.running().get(&id) {
            running.steering.retry_now.wake();
        } else if self.job(id)?.state == JobState::Staged {
            return Err(Error::new("upload_staged"));
        } else {
            return self.begin(id).await;
        }
        self.get(id)
    }

    /// Goes on with every upload that was paused or interrupted, in the queue's order, and returns them.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn resume_all(&self) -> Result<Vec<Upload>, Error> {
        self.resume_those(|state| was_stopped(state) || state == UploadState::Job(JobState::Paused))
            .await
    }

    /// Goes on with every upload that was interrupted, and with those that wait for a key, which may be another one by now; oldest first;
    /// and returns them. One that another process took meanwhile is left to it.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn resume_interrupted(&self) -> Result<Vec<Upload>, Error> {
        self.resume_those(was_stopped).await
    }

    /// Goes on with every upload of these connections that waits for somebody to sign in.
    pub(crate) async fn resume_signed_in(&self, connections: impl Fn(&str) -> bool) -> Result<(), Error> {
        self.inner.tidy_wanted.store(true, Ordering::Relaxed);
        let waits = UploadState::Job(JobState::WaitingForSignIn);
        for upload in self.list()? {
            if upload.state != waits || !connections(&upload.connection) {
                continue;
            }
            match self.resume(upload.id).await {
                Err(error) if !was_faster(&error) => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    async fn resume_those(&self, wanted: impl Fn(UploadState) -> bool) -> Result<Vec<Upload>, Error> {
        let mut resumed = Vec::new();
        for upload in self.list()?.into_iter().filter(|upload| wanted(upload.state)) {
            match self.resume(upload.id).await {
                Ok(upload) => resumed.push(upload),
                Err(error) if was_faster(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(resumed)
    }

    /// Stops an upload until somebody resumes it, also after a restart of the program. What has arrived stays.
    ///
    /// # Errors
    /// Codes `upload_unknown`, `upload_final`, `upload_busy_elsewhere`; `upload_not_pausable` where it has failed or the
    /// service is already making the image.
    pub async fn pause(&self, id: JobId) -> Result<Upload, Error> {
        let pausable = |job: &Job| job.state == JobState::Paused || job.state.may_become(JobState::Paused);
        let not_pausable = || Error::new("upload_not_pausable");
        let before = self.job(id)?;
        if before.state.is_final() {
            return Err(Error::new("upload_final"));
        }
        if !pausable(&before) {
            return Err(not_pausable());
        }
        let was_running = self.stop(id).await;
        let (claim, job) = self.claim(id).await?;
        let paused = match job.state {
            JobState::Paused => Ok(job),
            _ if pausable(&job) => Ok(self.inner.journal.advance(id, JobState::Paused)?),
            _ => Err(not_pausable()),
        };
        drop(claim);
        // It had come further than can be paused while it was being stopped: it goes on.
        if paused.is_err() && was_running {
            self.begin(id).await?;
        }
        self.inner.changed.send_replace(());
        paused.map(|job| self.seen(&job))
    }

    /// Pauses every upload that can be paused, and returns how many.
    ///
    /// # Errors
    /// The first error of [`Uploads::pause`], after all have been tried.
    pub async fn pause_all(&self) -> Result<usize, Error> {
        let mut paused = 0;
        let mut first_error = None;
        // The last of the queue first, so that none begins only because another one stopped.
        for upload in self.list()?.into_iter().rev() {
            if matches!(upload.state, UploadState::Job(state) if !state.may_become(JobState::Paused)) {
                continue;
            }
            match self.pause(upload.id).await {
                Ok(_) => paused += 1,
                Err(error) if matches!(error.code.as_str(), "upload_final" | "upload_not_pausable") => {}
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        first_error.map_or(Ok(paused), Err)
    }

    /// Puts an upload before another one in the queue, or to its end.
    ///
    /// # Errors
    /// Code `upload_unknown`.
    pub fn move_before(&self, id: JobId, other: Option<JobId>) -> Result<(), Error> {
        self.job(id)?;
        other.map(|other| self.job(other)).transpose()?;
        self.inner.journal.move_before(id, other)?;
        self.inner.turns.reorder(&self.queue()?);
        self.inner.changed.send_replace(());
        Ok(())
    }

    /// Sends the file as it is now from its beginning, after it was changed: what has arrived of the old one is removed.
    ///
    /// # Errors
    /// As [`Uploads::start`] and [`Uploads::cancel`].
    pub async fn start_anew(&self, id: JobId) -> Result<Upload, Error> {
        self.stop(id).await;
        let (claim, job) = self.claim(id).await?;
        // It may have become an image of another format.
        let container = lotse_disk::identify(&FileSource::open(&job.source.path)?)?;
        let details = JobDetails {
            image: image_details(&job),
            disk_format: disk_format(&container)?,
        };
        let connection = self.inner.connections.open(&job.connection).await?;
        clean::clean_up(&self.inner, &job).await?;
        let retry = Retry::default();
        lotse_transfer::start_anew(
            &self.inner.journal,
            &connection.staging,
            &claim,
            &job,
            &self.staging_key(&job.source.path, &container)?,
            &details.to_json()?,
            &retry,
        )
        .await?;
        drop(claim);
        self.begin(id).await
    }

    /// Goes on with an upload whose file has another path now.
    ///
    /// # Errors
    /// Code `source_changed` when that is another file; the `source_*` codes; as [`Uploads::resume`].
    pub async fn relocate(&self, id: JobId, path: &Path) -> Result<Upload, Error> {
        self.stop(id).await;
        let (claim, job) = self.claim(id).await?;
        let found = job.source.at(path)?;
        let job = self.inner.journal.relocate(id, &found.path)?;
        drop(claim);
        if job.state == JobState::Staged {
            // It has arrived: the file is only looked at once more for the mail.
            return Ok(self.seen(&job));
        }
        self.begin(id).await
    }

    /// What a person has chosen for all uploads.
    pub fn settings(&self) -> Settings {
        self.inner.settings.refresh();
        self.inner.settings.get()
    }

    /// Chooses; it holds at once, also for what runs already, and for other processes within a second.
    ///
    /// # Errors
    /// Codes `at_once_out_of_range`, `limit_too_slow`, `settings_not_written`; nothing changes then.
    pub fn set_settings(&self, settings: &Settings) -> Result<(), Error> {
        self.inner.settings.set(settings)?;
        self.inner.apply_settings();
        self.inner.changed.send_replace(());
        Ok(())
    }

    /// Takes an upload back: stops it and removes from the service what it left there.
    ///
    /// # Errors
    /// Codes `upload_unknown`, `upload_final`, `upload_busy_elsewhere`; `cancel_incomplete` when the service could not
    /// be cleaned up, `secret_needed` and its like when somebody must sign in for that: the upload then stands at failed, or as ready
    /// as it was, and can be cancelled again.
    pub async fn cancel(&self, id: JobId) -> Result<Upload, Error> {
        self.stop(id).await;
        let (_claim, job) = self.claim(id).await?;
        let cancelled = match clean::clean_up(&self.inner, &job).await {
            Ok(()) => Ok(self.inner.journal.advance(id, JobState::Cancelled)?),
            Err(cause) => {
                let error = Error::new("cancel_incomplete").with("cause", &cause.code).retryable();
                // One that stands ready goes on doing so.
                if job.state != JobState::Staged {
                    self.inner.journal.fail(id, &failure(&error))?;
                }
                Err(if needs_somebody(&cause) { cause } else { error })
            }
        };
        self.inner.changed.send_replace(());
        cancelled.map(|job| self.seen(&job))
    }

    /// Takes back every upload that has not ended, also those that were interrupted or failed, and returns how many. One that stands
    /// ready for its import stays: all of it has arrived, and an import may be running. [`Uploads::cancel`] takes it back.
    ///
    /// # Errors
    /// The first error of [`Uploads::cancel`], after all have been tried: `upload_busy_elsewhere` for one that another
    /// process works on.
    pub async fn cancel_all(&self) -> Result<usize, Error> {
        // All are told to stop before the first is cleaned up: none shall get done while the others are being taken back.
        self.running()
            .values()
            .for_each(|running| running.steering.cancel.cancel());
        let mut cancelled = 0;
        let mut first_error = None;
        for upload in self.list()? {
            let stays = |state: JobState| state.is_final() || state == JobState::Staged;
            if matches!(upload.state, UploadState::Job(state) if stays(state)) {
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

    /// All uploads: those that have not ended in the queue's order, then the others, newest first.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn list(&self) -> Result<Vec<Upload>, Error> {
        // Newest first.
        let (ended, mut queue): (Vec<Job>, Vec<Job>) = self
            .inner
            .journal
            .jobs()?
            .into_iter()
            .partition(|job| job.state.is_final());
        queue.sort_by_key(|job| job.position);
        Ok(queue.iter().chain(&ended).map(|job| self.seen(job)).collect())
    }

    /// Every upload that has not ended, in the order in which they run.
    fn queue(&self) -> Result<Vec<JobId>, Error> {
        let mut jobs = self.inner.journal.jobs()?;
        jobs.retain(|job| !job.state.is_final());
        jobs.sort_by_key(|job| job.position);
        Ok(jobs.into_iter().map(|job| job.id).collect())
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

    /// Keeps to the settings from now on, also where no upload runs: above all what is over its time becomes private, now and every hour.
    /// To be called once by whoever runs for long, within the runtime. Ends with the last clone.
    pub fn oversee(&self) {
        oversee::oversee(&self.inner);
    }

    async fn begin(&self, id: JobId) -> Result<Upload, Error> {
        let (claim, job) = self.claim(id).await?;
        // From here on it stands in line: should the program end now, it was interrupted and no longer paused or failed.
        let job = match job.state {
            JobState::Paused | JobState::Failed | JobState::WaitingForSignIn => {
                self.inner.journal.advance(id, JobState::Queued)?
            }
            _ => job,
        };
        let steering = Steering {
            throttle: self.inner.throttle.clone(),
            ..Steering::default()
        };
        let running = Running {
            steering: steering.clone(),
            acknowledged: job.acknowledged,
            rate: Rate::default(),
            stage: Stage::Waiting,
        };
        self.running().insert(id, running);
        tokio::spawn(run::run(self.clone(), job, claim, steering));
        oversee::oversee(&self.inner);
        self.inner.changed.send_replace(());
        self.get(id)
    }

    /// Notes what a running upload is at.
    fn enter(&self, job: &Job, stage: &Stage) {
        let entered = self
            .running()
            .get_mut(&job.id)
            .is_some_and(|running| std::mem::replace(&mut running.stage, stage.clone()) != *stage);
        if entered {
            self.inner.changed.send_replace(());
        }
    }

    /// Tells the upload to stop, waits until it has, and returns whether it ran here.
    async fn stop(&self, id: JobId) -> bool {
        let mut changes = self.changes();
        let mut ran = false;
        loop {
            changes.mark_unchanged();
            match self.running().get(&id) {
                None => return ran,
                Some(running) => running.steering.cancel.cancel(),
            }
            ran = true;
            if changes.changed().await.is_err() {
                return ran;
            }
        }
    }

    /// Waits for what this process does on an upload to be over, where the journal says already how it ended.
    async fn settled(&self, id: JobId) -> Result<(), Error> {
        let mut changes = self.changes();
        loop {
            changes.mark_unchanged();
            let state = self.job(id)?.state;
            let has_ended = state.is_final() || stands_still(state);
            // The sender lives as long as `self`.
            if !has_ended || !self.running().contains_key(&id) || changes.changed().await.is_err() {
                return Ok(());
            }
        }
    }

    /// Takes the upload for this process, and reads what the process that had it before may have written meanwhile.
    pub(crate) async fn claim(&self, id: JobId) -> Result<(Claim, Job), Error> {
        self.settled(id).await?;
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

    pub(crate) fn job(&self, id: JobId) -> Result<Job, Error> {
        self.inner.journal.job(id)?.ok_or_else(|| Error::new("upload_unknown"))
    }

    /// With 128 random bits, so that nobody finds the object while it is public.
    fn staging_key(&self, path: &Path, container: &Container) -> Result<String, Error> {
        let mut bytes = [0; 16];
        self.inner.environment.random(&mut bytes)?;
        Ok(key::staging_key(u128::from_be_bytes(bytes), path, container))
    }

    pub(crate) fn seen(&self, job: &Job) -> Upload {
        let running = self.running();
        let here = running.get(&job.id);
        let interrupted = here.is_none()
            && !job.state.is_final()
            && !stands_still(job.state)
            && matches!(self.inner.journal.claim(job.id), Ok(Some(_)));
        let (state, failure) = match here.map(|here| &here.stage) {
            _ if interrupted => (UploadState::Interrupted, None),
            Some(Stage::Waiting) if !job.state.is_final() => (UploadState::Job(JobState::Queued), None),
            Some(Stage::Offline(cause)) => (UploadState::Job(JobState::WaitingForNetwork), Some(cause.clone())),
            _ => (UploadState::Job(job.state), job.failure.clone()),
        };
        let acknowledged = here.map_or(job.acknowledged, |here| here.acknowledged.max(job.acknowledged));
        let bytes_per_second = here
            .filter(|_| state == UploadState::Job(JobState::Uploading))
            .and_then(|here| here.rate.bytes_per_second());
        Upload {
            id: job.id,
            connection: job.connection.clone(),
            source_name: file_name(&job.source.path),
            details: image_details(job),
            state,
            acknowledged,
            total: job.source.size,
            bytes_per_second,
            time_left: TimeLeft::of(job.source.size.saturating_sub(acknowledged), bytes_per_second),
            starts_at: (state == UploadState::Job(JobState::Queued))
                .then(|| self.inner.opens_at())
                .flatten(),
            published: job.published,
            public_until: job.published.map(|published| self.inner.public_until(published)),
            image_id: job.image_id.clone(),
            failure,
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

/// Does it wait for somebody, not for a process?
fn stands_still(state: JobState) -> bool {
    matches!(
        state,
        JobState::Failed | JobState::Paused | JobState::WaitingForSignIn | JobState::Staged
    )
}

/// Does it stand still though nobody wanted it to? A key that was refused may be another one by now, or the keychain be open.
fn was_stopped(state: UploadState) -> bool {
    matches!(
        state,
        UploadState::Interrupted | UploadState::Job(JobState::WaitingForSignIn)
    )
}

/// Has another process, or the upload itself, come further in the meantime?
fn was_faster(error: &Error) -> bool {
    matches!(
        error.code.as_str(),
        "upload_busy_elsewhere" | "upload_final" | "upload_staged"
    )
}

fn failure(error: &Error) -> JobFailure {
    JobFailure {
        code: error.code.clone(),
        params: error.params.clone(),
        retryable: error.retryable,
    }
}
