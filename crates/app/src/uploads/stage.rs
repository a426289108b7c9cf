//! After the last byte, where a person imports: the object is made public, read as a stranger reads it, and stands ready.

use lotse_transfer::{Job, JobState, Steering};

use super::{
    Inner, Uploads,
    run::{Stop, patiently},
};
use crate::{Error, connections::OpenConnection};

/// Makes the object public and leaves it for the import. May be repeated after an end anywhere in between.
pub(super) async fn stage(
    uploads: &Uploads,
    job: &Job,
    connection: &OpenConnection,
    steering: &Steering,
) -> Result<(), Stop> {
    let inner = &*uploads.inner;
    let ready = async {
        patiently(uploads, job, steering, || inner.publish(connection, job)).await?;
        patiently(uploads, job, steering, || {
            connection.check_public(&job.key, job.source.size)
        })
        .await
    };
    match ready.await {
        Ok(()) => {
            inner.journal.advance(job.id, JobState::Staged)?;
            Ok(())
        }
        Err(Stop::Failed(error)) => {
            inner.conceal_or_leave(connection, job).await?;
            // What has arrived stays: once the connection was changed it goes on from there.
            Err(Stop::Failed(error.retryable()))
        }
        stopped => stopped,
    }
}

impl Inner {
    /// Makes a job's object public; the journal says so before.
    pub(crate) async fn publish(&self, connection: &OpenConnection, job: &Job) -> Result<(), Error> {
        self.journal.set_published(job.id, Some(self.environment.now()))?;
        connection.publish(&job.key).await
    }

    /// Makes a job's object private; the journal says so afterwards.
    pub(crate) async fn conceal(&self, connection: &OpenConnection, job: &Job) -> Result<(), Error> {
        connection.conceal(&job.key).await?;
        Ok(self.journal.set_published(job.id, None)?)
    }

    /// Makes the object of a job that failed private. Where that does not succeed now, it does when everything is tidied.
    pub(crate) async fn conceal_or_leave(&self, connection: &OpenConnection, job: &Job) -> Result<(), Error> {
        match self.conceal(connection, job).await {
            Err(error) if error.code.starts_with("journal_") => Err(error),
            Err(error) => {
                tracing::warn!(job = %job.id.0, %error, "the object could not be made private, trying again later");
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }
}
