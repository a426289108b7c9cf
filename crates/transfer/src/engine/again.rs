//! Requests that are repeated, and uploads that are thrown away or begun anew.

use std::future::Future;

use tokio::task::JoinHandle;

use super::error::SendError;
use crate::{
    job::{Job, SourceIdentity},
    journal::{Claim, Journal},
    plan::part_size,
    retry::Retry,
    target::{Target, TargetError, TargetErrorKind},
};

/// Has the target throw away what was sent of an upload that is not finished, also one whose id never became known. An upload that it
/// does not know is success. One whose id never became known may stay where the target cannot be asked for it: nothing of it was ever
/// acknowledged, and whoever has the wrong address or a key that may not list must be able to end it.
///
/// # Errors
/// The target's codes.
pub async fn abort(target: &dyn Target, job: &Job, retry: &Retry) -> Result<(), SendError> {
    let mut open: Vec<String> = job.upload_id.iter().cloned().collect();
    if job.opening {
        match brief(retry, retry.away_after, || target.uploads(&job.key)).await {
            Ok(found) => open.extend(found),
            Err(error) => tracing::warn!(
                code = error.code,
                "an upload that may have been opened cannot be looked for"
            ),
        }
    }
    for upload_id in &open {
        brief(retry, retry.away_after, || target.abort(&job.key, upload_id)).await?;
    }
    Ok(())
}

/// Begins a job anew with the file as it is now, after a `source_changed`: the target throws away what it has, the parts are planned again,
/// `key` and `details` are what the app says of the file now, and the job is in state [`crate::JobState::Queued`].
///
/// # Errors
/// As [`abort`] and [`SourceIdentity::of`]; `object_too_large`; the journal's codes. Nothing has changed then but what the target threw away.
pub async fn start_anew(
    journal: &Journal,
    target: &dyn Target,
    claim: &Claim,
    job: &Job,
    key: &str,
    details: &str,
    retry: &Retry,
) -> Result<Job, SendError> {
    if claim.id() != job.id {
        return Err(SendError::not_claimed(job));
    }
    let path = job.source.path.clone();
    let source = blocking(move || SourceIdentity::of(&path)).await??;
    let part_size = part_size(source.size, &target.limits())?;
    abort(target, job, retry).await?;
    let (journal, id) = (journal.clone(), job.id);
    let (key, details) = (key.to_owned(), details.to_owned());
    Ok(blocking(move || journal.restart(id, &source, part_size, &key, &details)).await??)
}

/// Repeats a small request a few times, as long as that can help.
pub(super) async fn brief<T, F, R>(retry: &Retry, attempts: u32, mut request: F) -> Result<T, TargetError>
where
    F: FnMut() -> R,
    R: Future<Output = Result<T, TargetError>>,
{
    let mut attempt = 1;
    loop {
        let error = match request().await {
            Ok(answer) => return Ok(answer),
            Err(error) if error.retryable() && attempt < attempts => error,
            Err(error) => return Err(error),
        };
        // Who asks for a longer pause than that is left alone by the caller.
        let pause = retry.pause_after(attempt);
        if error.kind == TargetErrorKind::Busy && error.retry_after.is_some_and(|asked| asked > retry.longest) {
            return Err(error);
        }
        let pause = pause.max(error.retry_after.unwrap_or_default());
        tracing::warn!(code = error.code, attempt, ?pause, "request failed, repeating it");
        tokio::time::sleep(pause).await;
        attempt += 1;
    }
}

/// Runs what waits for the disk beside the runtime's own threads.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, SendError> {
    joined(tokio::task::spawn_blocking(work)).await
}

pub(super) async fn joined<T>(task: JoinHandle<T>) -> Result<T, SendError> {
    match task.await {
        Ok(result) => Ok(result),
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is being shut down.
            Err(_) => Err(SendError::cancelled()),
        },
    }
}
