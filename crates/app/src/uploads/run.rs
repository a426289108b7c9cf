//! One upload's way, from its first part to the finished image; and back, when it is cancelled.

use std::time::Duration;

use lotse_cloud::{Glance, NewImage};
use lotse_transfer::{CancellationToken, Claim, Job, JobState, Progress, Retry, Steering, abort, send};
use uuid::Uuid;

use super::{Inner, JobDetails, Uploads, failure};
use crate::{Error, connections::OpenConnection, images};

/// How often the service is asked whether the image is ready.
const POLL: Duration = Duration::from_millis(500);

/// Works on an upload until it is done, fails or is stopped, and writes the outcome down.
pub(super) async fn run(uploads: Uploads, job: Job, claim: Claim, cancel: CancellationToken) {
    let outcome = work(&uploads, &job, &claim, &cancel).await;
    // `cancelled` also ends what the program's own end interrupts: such an upload has not failed, it can be resumed.
    if let Err(error) = outcome
        && error.code != "cancelled"
    {
        tracing::warn!(job = %job.id.0, %error, "upload failed");
        if let Err(error) = uploads.inner.journal.fail(job.id, &failure(&error)) {
            tracing::error!(job = %job.id.0, %error, "the failure could not be written down");
        }
    }
    // The lock goes before the entry: whoever waits for the entry to vanish may take the lock next.
    drop(claim);
    uploads.running().remove(&job.id);
    uploads.inner.changed.send_replace(());
}

async fn work(uploads: &Uploads, job: &Job, claim: &Claim, cancel: &CancellationToken) -> Result<(), Error> {
    let inner = &*uploads.inner;
    let stopped = || Error::new("cancelled");
    let _turn = tokio::select! {
        turn = inner.turn.acquire() => turn.map_err(|_| stopped())?,
        () = cancel.cancelled() => return Err(stopped()),
    };
    let connection = inner.connections.open(&job.connection).await?;
    let image = if let Some(image) = &job.image_id {
        image.clone()
    } else {
        let steering = Steering {
            cancel: cancel.clone(),
            ..Steering::default()
        };
        send(
            &inner.journal,
            &connection.staging,
            claim,
            job,
            &steering,
            &|progress| {
                observe(uploads, job, progress);
            },
        )
        .await?;
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
    import(&connection, &job, &image, cancel).await?;
    connection.staging.delete(&job.key).await?;
    inner.journal.advance(job.id, JobState::Done)?;
    Ok(())
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

/// Lets the service make an image of the staging object and compares what it made.
async fn import(connection: &OpenConnection, job: &Job, image: &str, cancel: &CancellationToken) -> Result<(), Error> {
    let unreadable = |cause: &dyn std::fmt::Display| Error::new("upload_details_unreadable").with("cause", cause);
    let JobDetails {
        image: details,
        disk_format,
    } = serde_json::from_str(&job.details).map_err(|cause| unreadable(&cause))?;
    let id = Uuid::parse_str(image).map_err(|cause| unreadable(&cause))?;
    let glance: Glance = connection.openstack.images(&details.region)?;
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
        glance
            .import_from_url(id, &connection.staging.object_url(&job.key))
            .await?;
    }
    let ready = glance.wait_until_active(id, POLL, cancel).await?;
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
        connection.openstack.images(&details.image.region)?.delete(id).await?;
    }
    Ok(())
}
