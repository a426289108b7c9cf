//! Starting, following, resuming and cancelling uploads.

use lotse_api::{ApiError, Upload, UploadRequest};
use lotse_app::{App, upload_id};
use tauri::State;

/// Begins an upload.
#[tauri::command]
pub(crate) async fn start_upload(app: State<'_, App>, request: UploadRequest) -> Result<Upload, ApiError> {
    Ok(app.uploads().start(&request.into()).await?.into())
}

/// All uploads, newest first.
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

/// Goes on with an upload that was interrupted or failed.
#[tauri::command]
pub(crate) async fn resume_upload(app: State<'_, App>, id: String) -> Result<Upload, ApiError> {
    Ok(app.uploads().resume(upload_id(&id)?).await?.into())
}

/// Removes an upload that has ended from the list.
#[tauri::command]
pub(crate) async fn forget_upload(app: State<'_, App>, id: String) -> Result<(), ApiError> {
    Ok(app.uploads().forget(upload_id(&id)?)?)
}
