//! What is over its time becomes private again. Nothing is lost by that: it can be made public once more.

use lotse_transfer::{Job, JobState};

use crate::{App, Error, connections::needs_somebody, uploads::Inner};

impl App {
    /// Makes every staging object private whose time is over, and those whose upload failed; returns how many. What cannot be reached is
    /// left for the next time. Asks no service when there is nothing to do.
    ///
    /// # Errors
    /// When the journal cannot be read or written.
    pub async fn tidy_staging(&self) -> Result<usize, Error> {
        Ok(self.uploads.inner.tidy().await?.made_private)
    }
}

/// What came of what is over its time: numbers of objects.
#[derive(Debug, Default)]
pub(crate) struct Tidied {
    pub(crate) made_private: usize,
    /// Still to be made private, and nothing is missing for it but the service's answer.
    pub(crate) left: usize,
}

impl Inner {
    pub(crate) async fn tidy(&self) -> Result<Tidied, Error> {
        let mut tidied = Tidied::default();
        for job in self.journal.jobs()? {
            if !self.is_over(&job) {
                continue;
            }
            // Whoever works on it needs it, or removes it.
            let Some(_claim) = self.journal.claim(job.id)? else {
                continue;
            };
            // It may have been removed, or published once more, in the meantime.
            let Some(job) = self.journal.job(job.id)?.filter(|job| self.is_over(job)) else {
                continue;
            };
            match self.make_private(&job).await {
                Ok(()) => tidied.made_private += 1,
                Err(error) if error.code.starts_with("journal_") => return Err(error),
                Err(error) => {
                    // Asking again every minute for what only a person can give would be asking that person every minute.
                    if !needs_somebody(&error) && (error.retryable || error.code == "staging_still_public") {
                        tidied.left += 1;
                    }
                    tracing::warn!(job = %job.id.0, %error, "the object is over its time and could not be made private");
                }
            }
        }
        if tidied.made_private > 0 {
            self.changed.send_replace(());
        }
        Ok(tidied)
    }

    async fn make_private(&self, job: &Job) -> Result<(), Error> {
        // Nobody waits for this: no system's question for a password may come of it.
        self.connections.check_at_hand(&job.connection).await?;
        let connection = self.connections.open(&job.connection).await?;
        self.conceal(&connection, job).await
    }

    /// Is the object to be private although it may be public?
    fn is_over(&self, job: &Job) -> bool {
        let over = |published| job.state == JobState::Failed || self.public_until(published) <= self.environment.now();
        !job.state.is_final() && job.published.is_some_and(over)
    }
}
