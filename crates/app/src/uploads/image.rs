//! After the last byte, where the service makes images itself: the object is public as long as the service fetches it, and then gone.

use std::time::Duration;

use lotse_cloud::{Glance, NewImage, OpenStack};
use lotse_transfer::{Job, JobState, Steering};
use uuid::Uuid;

use super::{
    Inner, JobDetails, Uploads,
    run::{Stop, patiently},
};
use crate::{Error, connections::OpenConnection, images};

/// How often the service is asked whether the image is ready.
const POLL: Duration = Duration::from_millis(500);

/// Has the service make the image and removes the object. May be repeated after an end anywhere in between.
pub(super) async fn make(
    uploads: &Uploads,
    job: &Job,
    connection: &OpenConnection,
    openstack: &OpenStack,
    steering: &Steering,
) -> Result<(), Stop> {
    let inner = &*uploads.inner;
    let image = if let Some(image) = &job.image_id {
        image.clone()
    } else {
        // Chosen and written down before the service hears of it, so that a crash cannot leave an image nobody knows.
        let image = new_image_id(inner)?;
        inner.journal.set_image(job.id, &image)?;
        image
    };
    if job.state != JobState::Importing {
        inner.journal.advance(job.id, JobState::Importing)?;
    }
    inner.changed.send_replace(());
    let imported = patiently(uploads, job, steering, || {
        import(inner, connection, openstack, job, &image, steering)
    });
    if let Err(stop) = imported.await {
        // Whoever stops it removes the object; who must sign in may find the service still fetching it.
        if matches!(stop, Stop::Failed(_)) {
            inner.conceal_or_leave(connection, job).await?;
        }
        return Err(stop);
    }
    patiently(uploads, job, steering, || connection.remove(&job.key, true)).await?;
    inner.journal.set_published(job.id, None)?;
    inner.journal.advance(job.id, JobState::Done)?;
    Ok(())
}

fn new_image_id(inner: &Inner) -> Result<String, Error> {
    let mut bytes = [0; 16];
    inner.environment.random(&mut bytes)?;
    Ok(uuid::Builder::from_random_bytes(bytes).into_uuid().to_string())
}

/// Lets the service make an image of the staging object and compares what it made. May be repeated.
async fn import(
    inner: &Inner,
    connection: &OpenConnection,
    openstack: &OpenStack,
    job: &Job,
    image: &str,
    steering: &Steering,
) -> Result<(), Error> {
    let unreadable = |cause: &dyn std::fmt::Display| Error::new("upload_details_unreadable").with("cause", cause);
    let JobDetails {
        image: details,
        disk_format,
    } = serde_json::from_str(&job.details).map_err(|cause| unreadable(&cause))?;
    let id = Uuid::parse_str(image).map_err(|cause| unreadable(&cause))?;
    let glance: Glance = openstack.images(&details.region)?;
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
        inner.publish(connection, job).await?;
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
