//! Opens an address in the person's own browser or mail program.

use std::time::Duration;

use lotse_app::Error;

/// A program that has not been refused by then has been started: some systems' openers end only with it.
const OPENED: Duration = Duration::from_secs(3);

/// Opens `address`; `refused` is the code of the error when nothing opens it (param `cause`).
pub(crate) async fn open(address: String, refused: &str) -> Result<(), Error> {
    let opening = blocking(move || open::that(address));
    match tokio::time::timeout(OPENED, opening).await {
        Ok(outcome) => outcome?.map_err(|cause| Error::new(refused).with("cause", cause)),
        Err(_) => Ok(()),
    }
}

/// Runs what waits for the disk or another program where nothing else waits for it.
pub(crate) async fn blocking<T: Send + 'static>(task: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    tauri::async_runtime::spawn_blocking(task)
        .await
        .map_err(|cause| Error::new("task_aborted").with("cause", cause))
}
