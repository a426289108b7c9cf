//! One upload's way, from its first part to its end: an image, or an object that stands ready for a person's import.

use std::{future::Future, pin::pin, time::Duration};

use lotse_transfer::{Claim, Job, JobState, Progress, SendErrorKind, Steering, send};

use super::{Stage, Uploads, failure, image, stage};
use crate::{Error, connections::needs_somebody};

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
            Stop::SignIn(error) => {
                // Another process may know by then what somebody tells it.
                uploads.inner.connections.forget(&job.connection);
                journal
                    .wait(job.id, JobState::WaitingForSignIn, &failure(error))
                    .map(|_| ())
            }
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

/// Why the work ended before its end.
pub(super) enum Stop {
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
            "keystone_unauthorized" | "s3_invalid_key" | "s3_signature" => Self::SignIn(error),
            _ if needs_somebody(&error) => Self::SignIn(error),
            _ => Self::Failed(error),
        }
    }
}

async fn work(uploads: &Uploads, job: &Job, claim: &Claim, steering: &Steering) -> Result<(), Stop> {
    if job.image_id.is_none() {
        send_in_turn(uploads, job, claim, steering).await?;
    }
    uploads.enter(job, &Stage::Working);
    let job = uploads.job(job.id)?;
    let connection = patiently(uploads, &job, steering, || {
        uploads.inner.connections.open(&job.connection)
    })
    .await?;
    match &connection.openstack {
        Some(openstack) => image::make(uploads, &job, &connection, openstack, steering).await,
        None => stage::stage(uploads, &job, &connection, steering).await,
    }
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
pub(super) async fn patiently<T, F>(
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
            Err(error) if error.retryable && error.code != "cancelled" && !needs_somebody(&error) => error,
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
