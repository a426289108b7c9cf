//! Starting, following, pausing, resuming and cancelling uploads, and what holds for all of them.

use std::path::PathBuf;

use lotse_api::{ApiError, Settings, Upload, UploadRequest};
use lotse_app::{App, upload_id};
use tauri::State;

/// Begins an upload.
#[tauri::command]
pub(crate) async fn start_upload(app: State<'_, App>, request: UploadRequest) -> Result<Upload, ApiError> {
    Ok(app.uploads().start(&request.into()).await?.into())
}

/// All uploads: those that have not ended in the queue's order, then the others, newest first.
#[tauri::command]
pub(crate) async fn uploads(app: State<'_, App>) -> Result<Vec<Upload>, ApiError> {
    Ok(app.uploads().list()?.into_iter().map(Upload::from).collect())
}

/// Takes one upload back.
#[tauri::command]
pub(crate) async fn cancel_upload(app: State<'_, App>, id: String) -> Result<Upload, ApiError> {
    Ok(app.uploads().cancel(upload_id(&id)?).await?.into())
}

/// Takes all uploads back that have not ended.
#[tauri::command]
pub(crate) async fn cancel_all_uploads(app: State<'_, App>) -> Result<(), ApiError> {
    app.uploads().cancel_all().await?;
    Ok(())
}

/// Goes on with an upload that was paused, interrupted or failed, or that waits.
#[tauri::command]
pub(crate) async fn resume_upload(app: State<'_, App>, id: String) -> Result<Upload, ApiError> {
    Ok(app.uploads().resume(upload_id(&id)?).await?.into())
}

/// Goes on with every upload that was paused or interrupted.
#[tauri::command]
pub(crate) async fn resume_all_uploads(app: State<'_, App>) -> Result<(), ApiError> {
    app.uploads().resume_all().await?;
    Ok(())
}

/// Stops an upload until it is resumed.
#[tauri::command]
pub(crate) async fn pause_upload(app: State<'_, App>, id: String) -> Result<Upload, ApiError> {
    Ok(app.uploads().pause(upload_id(&id)?).await?.into())
}

/// Stops every upload until it is resumed.
#[tauri::command]
pub(crate) async fn pause_all_uploads(app: State<'_, App>) -> Result<(), ApiError> {
    app.uploads().pause_all().await?;
    Ok(())
}

/// Puts an upload before another one in the queue; without one, to its end.
#[tauri::command]
pub(crate) async fn move_upload(app: State<'_, App>, id: String, before: Option<String>) -> Result<(), ApiError> {
    let before = before.as_deref().map(upload_id).transpose()?;
    Ok(app.uploads().move_before(upload_id(&id)?, before)?)
}

/// Sends a file that was changed from its beginning.
#[tauri::command]
pub(crate) async fn restart_upload(app: State<'_, App>, id: String) -> Result<Upload, ApiError> {
    Ok(app.uploads().start_anew(upload_id(&id)?).await?.into())
}

/// Goes on with an upload whose file has another path now.
#[tauri::command]
pub(crate) async fn relocate_upload(app: State<'_, App>, id: String, path: PathBuf) -> Result<Upload, ApiError> {
    Ok(app.uploads().relocate(upload_id(&id)?, &path).await?.into())
}

/// What was chosen for all uploads.
#[tauri::command]
pub(crate) async fn settings(app: State<'_, App>) -> Result<Settings, ApiError> {
    Ok(app.uploads().settings().into())
}

/// Chooses for all uploads; holds at once.
#[tauri::command]
pub(crate) async fn save_settings(app: State<'_, App>, settings: Settings) -> Result<(), ApiError> {
    Ok(app.uploads().set_settings(&settings.try_into()?)?)
}

/// Removes an upload that has ended from the list.
#[tauri::command]
pub(crate) async fn forget_upload(app: State<'_, App>, id: String) -> Result<(), ApiError> {
    Ok(app.uploads().forget(upload_id(&id)?)?)
}
