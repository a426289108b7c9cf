//! Keeps the page up to date about the uploads, at most ten times a second.

use std::time::Duration;

use lotse_api::{UPLOADS, Upload};
use lotse_app::App;
use tauri::{AppHandle, Emitter as _};

/// A person does not see more often; a page that redraws for every part would only make the computer warm.
const PAUSE: Duration = Duration::from_millis(100);

/// How long an upload of another process may go on unseen.
const LOOK: Duration = Duration::from_secs(1);

/// Goes on with what was interrupted when the program last ended, and tells the page whenever an upload moves on.
pub(crate) fn forward_uploads(handle: AppHandle, app: App) {
    tauri::async_runtime::spawn(async move {
        // Also makes private what is over its time, now and every hour.
        app.uploads().oversee();
        let mut changes = app.uploads().changes();
        if let Err(error) = app.uploads().resume_interrupted().await {
            tracing::warn!(%error, "interrupted uploads could not be resumed");
        }
        let mut told = Vec::new();
        loop {
            // Other processes' uploads move on without a word: look for them now and then.
            if let Ok(Err(_)) = tokio::time::timeout(LOOK, changes.changed()).await {
                return;
            }
            match app.uploads().list() {
                Ok(uploads) if uploads != told => {
                    let shown: Vec<Upload> = uploads.iter().cloned().map(Upload::from).collect();
                    told = uploads;
                    if let Err(error) = handle.emit_to("main", UPLOADS, shown) {
                        tracing::warn!(%error, "the page could not be told of the uploads");
                    }
                }
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "the uploads could not be read"),
            }
            tokio::time::sleep(PAUSE).await;
        }
    });
}
