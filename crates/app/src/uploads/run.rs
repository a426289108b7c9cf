//! One upload's way, from its first part to the finished image; and back, when it is cancelled.

use std::{future::Future, pin::pin, time::Duration};

use lotse_cloud::{Glance, NewImage};
use lotse_transfer::{Claim, Job, JobState, Progress, Retry, SendErrorKind, Steering, abort, send};
use uuid::Uuid;

use super::{Inner, JobDetails, Stage, Uploads, failure};
use crate::{
    Error,
    connections::{self, OpenConnection},
    images,
};

/// How often the service is asked whether the image is ready.
const POLL: Duration = Duration::from_millis(500);

/// Longest wait before a service that could not be reached is asked again.
const LONGEST_WAIT: Duration = Duration::from_mins(2);

/// Works on an upload until it is done, fails or is stopped, and writes the outcome down.
pub(super) async fn run(uploads: Uploads, job: Job, claim: Claim, steering: Steering) {
    let outcome = work(&uploads, &job, &claim, &steering).await;
    if let Err(stop) = outcome {
        let journal = &uploads.inner.journal;
        let noted = match &stop {
            // Whoever stopped it writes down why; what the program's own end interrupts can be resumed.
            Stop::Stopped => Ok(()),
            Stop::SignIn(error) => journal
                .wait(job.id, JobState::WaitingForSignIn, &failure(error))
                .map(|_| ()),
            Stop::Failed(error) => {
                tracing::warn!(job = %job.id.0, %error, "upload failed");
                journal.fail(job.id, &failure(error)).map(|_| ())
            }
        };
        if let Err(error) = noted {
            tracing::error!(job = %job.id.0, %error, "the outcome could not be written down");
        }
    }
    // The lock goes before the entry: whoever waits for the entry to vanish may take the lock next.
    drop(claim);
    uploads.running().remove(&job.id);
    uploads.inner.changed.send_replace(());
}

/// Why the work ended before the image was there.
enum Stop {
    /// By whoever steers.
    Stopped,
    /// Somebody must sign in.
    SignIn(Error),
    Failed(Error),
}

impl<E: Into<Error>> From<E> for Stop {
    fn from(error: E) -> Self {
        let error = error.into();
        match error.code.as_str() {
            "cancelled" => Self::Stopped,
            "keystone_unauthorized" => Self::SignIn(error),
            _ if connections::needs_somebody(&error) => Self::SignIn(error),
            _ => Self::Failed(error),
        }
    }
}

async fn work(uploads: &Uploads, job: &Job, claim: &Claim, steering: &Steering) -> Result<(), Stop> {
    let inner = &*uploads.inner;
    let image = if let Some(image) = &job.image_id {
        uploads.enter(job, &Stage::Working);
        image.clone()
    } else {
        send_in_turn(uploads, job, claim, steering).await?;
        // Chosen and written down before the service hears of it, so that a crash cannot leave an image nobody knows.
        let image = new_image_id(inner)?;
        inner.journal.set_image(job.id, &image)?;
        image
    };
    let job = uploads.job(job.id)?;
    if job.state != JobState::Importing {
        inner.journal.advance(job.id, JobState::Importing)?;
    }
    inner.changed.send_replace(());
    let connection = patiently(uploads, &job, steering, || inner.connections.open(&job.connection)).await?;
    patiently(uploads, &job, steering, || import(&connection, &job, &image, steering)).await?;
    patiently(uploads, &job, steering, || async {
        Ok::<_, Error>(connection.staging.delete(&job.key).await?)
    })
    .await?;
    inner.journal.advance(job.id, JobState::Done)?;
    Ok(())
}

/// Sends the file when it is its turn. Where the hours end meanwhile it stops, and waits for its turn anew.
async fn send_in_turn(uploads: &Uploads, job: &Job, claim: &Claim, steering: &Steering) -> Result<(), Stop> {
    let inner = &*uploads.inner;
    loop {
        uploads.enter(job, &Stage::Waiting);
        let order = uploads.queue()?;
        let _turn = tokio::select! {
            turn = inner.turns.take(job.id, &order) => turn,
            () = steering.cancel.cancelled() => return Err(Stop::Stopped),
        };
        uploads.enter(job, &Stage::Working);
        let steering_now = Steering {
            cancel: steering.cancel.child_token(),
            ..steering.clone()
        };
        let mut sending = pin!(send_now(uploads, job, claim, &steering_now));
        tokio::select! {
            sent = &mut sending => return sent,
            () = inner.turns.closed() => {}
        }
        // Stopped as by a person, and waited for: afterwards nothing is still being written down.
        steering_now.cancel.cancel();
        match sending.await {
            Err(Stop::Stopped) if !steering.cancel.is_cancelled() => {}
            ended => return ended,
        }
    }
}

async fn send_now(uploads: &Uploads, job: &Job, claim: &Claim, steering: &Steering) -> Result<(), Stop> {
    let inner = &*uploads.inner;
    let connection = patiently(uploads, job, steering, || inner.connections.open(&job.connection)).await?;
    let observe = |progress: Progress| observe(uploads, job, progress);
    match send(&inner.journal, &connection.staging, claim, job, steering, &observe).await {
        Ok(_) => Ok(()),
        Err(error) if error.kind == SendErrorKind::SignIn => Err(Stop::SignIn(error.into())),
        Err(error) => Err(error.into()),
    }
}

/// Does what asks a service until it answers, however long that takes: what it did not answer is asked again.
async fn patiently<T, F>(
    uploads: &Uploads,
    job: &Job,
    steering: &Steering,
    mut ask: impl FnMut() -> F,
) -> Result<T, Stop>
where
    F: Future<Output = Result<T, Error>>,
{
    let mut wait = steering.retry.first;
    loop {
        let answer = tokio::select! {
            answer = ask() => answer,
            () = steering.cancel.cancelled() => return Err(Stop::Stopped),
        };
        let error = match answer {
            Ok(answer) => {
                uploads.enter(job, &Stage::Working);
                return Ok(answer);
            }
            Err(error) if error.retryable && error.code != "cancelled" => error,
            Err(error) => return Err(error.into()),
        };
        tracing::warn!(job = %job.id.0, %error, ?wait, "the service did not answer as it should, asking again");
        uploads.enter(job, &Stage::Offline(failure(&error)));
        tokio::select! {
            () = tokio::time::sleep(wait) => wait = wait.saturating_mul(2).min(LONGEST_WAIT),
            () = steering.retry_now.woken() => wait = steering.retry.first,
            () = steering.cancel.cancelled() => return Err(Stop::Stopped),
        }
    }
}

fn observe(uploads: &Uploads, job: &Job, progress: Progress) {
    if let Some(running) = uploads.running().get_mut(&job.id) {
        running.acknowledged = running.acknowledged.max(progress.acknowledged);
        running
            .rate
            .observe(uploads.inner.environment.now(), progress.acknowledged);
    }
    uploads.inner.changed.send_replace(());
}

fn new_image_id(inner: &Inner) -> Result<String, Error> {
    let mut bytes = [0; 16];
    inner.environment.random(&mut bytes)?;
    Ok(uuid::Builder::from_random_bytes(bytes).into_uuid().to_string())
}

/// Lets the service make an image of the staging object and compares what it made. May be repeated.
async fn import(connection: &OpenConnection, job: &Job, image: &str, steering: &Steering) -> Result<(), Error> {
    let unreadable = |cause: &dyn std::fmt::Display| Error::new("upload_details_unreadable").with("cause", cause);
    let JobDetails {
        image: details,
        disk_format,
    } = serde_json::from_str(&job.details).map_err(|cause| unreadable(&cause))?;
    let id = Uuid::parse_str(image).map_err(|cause| unreadable(&cause))?;
    let glance: Glance = connection.openstack()?.images(&details.region)?;
    let properties = images::properties(&details).collect();
    // An image that an earlier, interrupted try made is found again by its id.
    let made = glance
        .create(&NewImage {
            id,
            name: details.name,
            disk_format,
            tags: details.tags,
            properties,
        })
        .await?;
    if made.status == "queued" {
        // Only what arrived and was compared is made public, and only until the service has fetched it.
        connection.staging.publish(&job.key, connection.public_by).await?;
        glance
            .import_from_url(id, &connection.staging.object_url(&job.key))
            .await?;
    }
    let ready = glance.wait_until_active(id, POLL, &steering.cancel).await?;
    let same_size = ready.size.is_none_or(|size| size == job.source.size);
    let same_hash = match (&ready.os_hash_algo, &ready.os_hash_value, &job.sha512) {
        (Some(algorithm), Some(theirs), Some(ours)) if algorithm == "sha512" => theirs == ours,
        // Nothing to compare with: the parts' own checksums have been compared before.
        _ => true,
    };
    if same_size && same_hash {
        Ok(())
    } else {
        Err(Error::new("image_mismatch").with("image", image))
    }
}

/// Removes from the service what an upload left there.
pub(super) async fn clean_up(inner: &Inner, job: &Job) -> Result<(), Error> {
    if job.upload_id.is_none() && !job.opening && job.image_id.is_none() {
        return Ok(());
    }
    let connection = inner.connections.open(&job.connection).await?;
    abort(&connection.staging, job, &Retry::default()).await?;
    if job.upload_id.is_some() {
        connection.staging.delete(&job.key).await?;
    }
    if let (Some(image), Ok(details)) = (&job.image_id, serde_json::from_str::<JobDetails>(&job.details))
        && let Ok(id) = Uuid::parse_str(image)
    {
        connection
            .openstack()?
            .images(&details.image.region)?
            .delete(id)
            .await?;
    }
    Ok(())
}
