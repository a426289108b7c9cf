//! What an upload left in the service is taken away: when it is cancelled, or begun anew.

use lotse_transfer::{Job, Retry, abort};
use uuid::Uuid;

use super::{Inner, JobDetails};
use crate::Error;

/// Removes from the service what an upload left there. Where its connection is gone, nothing of it can be reached any more; where its bucket
/// is gone, so is everything in it.
pub(super) async fn clean_up(inner: &Inner, job: &Job) -> Result<(), Error> {
    // An upload that is lost takes its id along, but not what was made public.
    let has_object = job.upload_id.is_some() || job.published.is_some();
    if !has_object && !job.opening && job.image_id.is_none() {
        return Ok(());
    }
    let connection = match inner.connections.open(&job.connection).await {
        Err(error) if error.code == "connection_unknown" => return Ok(()),
        opened => opened?,
    };
    match abort(&connection.staging, job, &Retry::default()).await {
        // Whether the object is gone as well is looked at below.
        Err(refused) if refused.code == "s3_no_such_bucket" => {}
        aborted => aborted?,
    }
    if has_object {
        connection.remove(&job.key, job.published.is_some()).await?;
        inner.journal.set_published(job.id, None)?;
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
