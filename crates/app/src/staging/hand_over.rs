//! The hand-over: what a person needs to import an image, and what is done when they have.

use jiff::{SignedDuration, Zoned};
use lotse_transfer::{Job, JobId, JobState};
use lotse_words::{Language, LinkWords};

use super::HandOver;
use crate::{App, Error, Upload, Uploads, check, connections::OpenConnection, export::worded, uploads::image_details};

/// So much time is to be left for an import when an address is given out once more.
const FOR_AN_IMPORT: SignedDuration = SignedDuration::from_hours(24);

impl Uploads {
    /// All that the panel asks for, of an upload that stands ready for its import. Needs no network and no secret.
    ///
    /// # Errors
    /// Codes `upload_unknown`, `upload_not_staged`, `connection_unknown`.
    pub async fn hand_over(&self, id: JobId) -> Result<HandOver, Error> {
        let job = self.job(id)?;
        check_staged(&job)?;
        self.handed_over(&job).await
    }

    /// Says that the image has been imported: the object is removed, or made private where the key may not remove it, and the upload is done.
    ///
    /// # Errors
    /// Codes `upload_unknown`, `upload_final`, `upload_not_staged`, `upload_busy_elsewhere`; the codes of connections and secrets; what
    /// the service says. The upload stands ready as before then.
    pub async fn import_finished(&self, id: JobId) -> Result<Upload, Error> {
        let (_claim, job) = self.claim(id).await?;
        check_staged(&job)?;
        let connection = self.inner.connections.open(&job.connection).await?;
        match connection.remove(&job.key, job.published.is_some()).await {
            // Some keys may write and not remove: then nobody shall read it at least, and the upload can end.
            Err(refused) if matches!(refused.code.as_str(), "s3_access_denied" | "s3_rejected") => {
                tracing::warn!(job = %job.id.0, error = %refused, "the object may not be removed, making it private");
                connection.conceal(&job.key).await?;
            }
            removed => removed?,
        }
        self.inner.journal.set_published(id, None)?;
        let job = self.inner.journal.advance(id, JobState::Done)?;
        self.inner.changed.send_replace(());
        Ok(self.seen(&job))
    }

    /// Makes an object that stands ready public once more after its time was over, and looks as a stranger whether it can be read. One
    /// that still is keeps its time as long as there is a day of it left: an import needs some.
    ///
    /// # Errors
    /// As [`Uploads::import_finished`]; `staging_gone` where there is no object any more; `s3_no_public_access`, `s3_not_public`.
    pub async fn publish_again(&self, id: JobId) -> Result<HandOver, Error> {
        let (_claim, job) = self.claim(id).await?;
        check_staged(&job)?;
        let connection = self.inner.connections.open(&job.connection).await?;
        if !connection.holds(&job.key).await? {
            return Err(Error::new("staging_gone").with("key", &job.key));
        }
        let has_time = |published| self.inner.public_until(published) >= self.inner.environment.now() + FOR_AN_IMPORT;
        let still = job.published.is_some_and(has_time) && connection.staging.is_public(&job.key).await?;
        let published = self.publish_and_check(&connection, &job, still).await;
        if let Err(error) = published {
            if !error.retryable {
                self.inner.conceal_or_leave(&connection, &job).await?;
            }
            self.inner.changed.send_replace(());
            return Err(error);
        }
        self.inner.changed.send_replace(());
        self.handed_over(&self.job(id)?).await
    }

    async fn publish_and_check(&self, connection: &OpenConnection, job: &Job, still: bool) -> Result<(), Error> {
        if !still {
            self.inner.publish(connection, job).await?;
        }
        connection.check_public(&job.key, job.source.size).await
    }

    async fn handed_over(&self, job: &Job) -> Result<HandOver, Error> {
        let connections = &self.inner.connections;
        Ok(HandOver {
            upload: job.id,
            url: connections.address(&job.connection, &job.key).await?,
            file_name: crate::uploads::file_name(&job.source.path),
            size: job.source.size,
            details: image_details(job),
            panel: connections.panel(&job.connection)?,
            published: job.published,
            public_until: job.published.map(|published| self.inner.public_until(published)),
        })
    }
}

impl App {
    /// Drafts a mail to centron with the link, what was said about the image and, as long as the file is still there and the same, what
    /// the check finds in it: a `mailto:` link. Reads the file as [`check()`] does. `now` tells the person's time zone.
    ///
    /// # Errors
    /// As [`Uploads::hand_over`]; `staging_private` where nobody could follow the link.
    pub async fn hand_over_mail(&self, id: JobId, language: Language, now: &Zoned) -> Result<String, Error> {
        let hand_over = self.uploads.hand_over(id).await?;
        let Some(until) = hand_over.public_until else {
            return Err(Error::new("staging_private"));
        };
        let source = self.uploads.job(id)?.source;
        let checked = tokio::task::spawn_blocking(move || {
            let same = source.at(&source.path).is_ok_and(|found| found == source);
            same.then(|| check(&source.path).ok()).flatten()
        });
        let report = checked
            .await
            .map_err(|_| Error::new("check_aborted"))?
            .map(|checked| checked.report);
        let link = LinkWords {
            url: hand_over.url.as_str(),
            file: &hand_over.file_name,
            size: hand_over.size,
            until: &until.to_zoned(now.time_zone().clone()),
        };
        Ok(lotse_words::link_mail(link, worded(&hand_over.details), report.as_ref(), language).link())
    }
}

fn check_staged(job: &Job) -> Result<(), Error> {
    if job.state == JobState::Staged {
        Ok(())
    } else {
        Err(Error::new("upload_not_staged"))
    }
}
