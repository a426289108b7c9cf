//! Choosing and checking files.

use std::path::PathBuf;

use lotse_api::{ApiError, CheckedFile};
use rfd::AsyncFileDialog;
use tauri::WebviewWindow;

/// Checks one file, offline.
#[tauri::command]
pub(crate) async fn check_file(path: PathBuf) -> Result<CheckedFile, ApiError> {
    let asked = path.clone();
    let checked = tauri::async_runtime::spawn_blocking(move || lotse_app::check(&asked))
        .await
        .map_err(|cause| lotse_app::Error::new("check_aborted").with("cause", cause))??;
    Ok(CheckedFile::new(path, checked))
}

/// Opens the system's own dialog and returns the chosen files; none if it was closed. `title` is the window's text.
#[tauri::command]
pub(crate) async fn choose_files(window: WebviewWindow, title: String) -> Vec<PathBuf> {
    let dialog = AsyncFileDialog::new().set_title(title).set_parent(&window);
    let chosen = dialog.pick_files().await.unwrap_or_default();
    chosen.iter().map(|file| file.path().to_owned()).collect()
}
