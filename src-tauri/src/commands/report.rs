//! A report leaves the window: as a file, or as a draft in the person's mail program.

use std::path::Path;

use lotse_api::{ApiError, ExportFormat, ExportRequest};
use lotse_app::Error;
use rfd::AsyncFileDialog;
use tauri::WebviewWindow;

use crate::opening::{self, blocking};

/// Asks where to with the system's own dialog, `title` being the window's text, and writes the report there in the form
/// asked for. Returns the file's name; none if the dialog was closed.
#[tauri::command]
pub(crate) async fn save_report(
    window: WebviewWindow,
    request: ExportRequest,
    title: String,
) -> Result<Option<String>, ApiError> {
    let name = request.file_name();
    let image = request.report.source.name.clone();
    let ending = Path::new(&name)
        .extension()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let text = request.export(&jiff::Zoned::now())?;
    let dialog = AsyncFileDialog::new()
        .set_title(title)
        .set_file_name(&name)
        .add_filter(ending.to_uppercase(), &[&ending])
        .set_parent(&window);
    let Some(file) = dialog.save_file().await else {
        return Ok(None);
    };
    if file.file_name() == image {
        return Err(Error::new("image_not_overwritten").into());
    }
    let path = file.path().to_owned();
    blocking(move || lotse_app::save_text(&path, &text)).await??;
    Ok(Some(file.file_name()))
}

/// Opens the person's mail program with a draft to centron.
#[tauri::command]
pub(crate) async fn mail_report(request: ExportRequest) -> Result<(), ApiError> {
    let request = ExportRequest {
        format: ExportFormat::Mail,
        ..request
    };
    let link = request.export(&jiff::Zoned::now())?;
    Ok(opening::open(link, "mail_not_opened").await?)
}
