//! Choosing and checking files.

use std::path::PathBuf;

use lotse_api::{ApiError, CheckedFile, crossing};
use lotse_app::Error;
use rfd::AsyncFileDialog;
use tauri::WebviewWindow;

/// Checks one file, offline.
#[tauri::command]
pub(crate) async fn check_file(path: PathBuf) -> Result<CheckedFile, ApiError> {
    let asked = path.clone();
    let checked = tauri::async_runtime::spawn_blocking(move || lotse_app::check(&asked))
        .await
        .map_err(|cause| Error::new("check_aborted").with("cause", cause))?;
    let checked = checked.map_err(|error| match path.to_str() {
        // The file is there, but its name did not come through to the window whole.
        Some(text) if error.code == "file_not_found" && text.contains('\u{fffd}') => {
            Error::new("file_name_not_unicode")
        }
        _ => error,
    })?;
    Ok(CheckedFile::new(path, checked))
}

/// Opens the system's own dialog and returns the chosen files; none if it was closed. `title` is the window's text.
#[tauri::command]
pub(crate) async fn choose_files(window: WebviewWindow, title: String) -> Vec<PathBuf> {
    let dialog = AsyncFileDialog::new().set_title(title).set_parent(&window);
    let chosen = dialog.pick_files().await.unwrap_or_default();
    chosen.iter().map(|file| crossing(file.path())).collect()
}
