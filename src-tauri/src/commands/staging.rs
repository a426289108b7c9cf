//! The hand-over of a staged image, and what stands in object storages.

use lotse_api::{ApiError, HandOver, Language, StagingList, Upload};
use lotse_app::{App, Error, upload_id};
use tauri::State;

use crate::opening;

/// All that the panel asks for when a staged image is imported.
#[tauri::command]
pub(crate) async fn hand_over(app: State<'_, App>, id: String) -> Result<HandOver, ApiError> {
    Ok(app.uploads().hand_over(upload_id(&id)?).await?.into())
}

/// The image is in ccloud³: removes the file from the object storage and ends the upload.
#[tauri::command]
pub(crate) async fn import_finished(app: State<'_, App>, id: String) -> Result<Upload, ApiError> {
    Ok(app.uploads().import_finished(upload_id(&id)?).await?.into())
}

/// Makes the file readable again where it is not, and checks its address as a stranger would.
#[tauri::command]
pub(crate) async fn publish_again(app: State<'_, App>, id: String) -> Result<HandOver, ApiError> {
    Ok(app.uploads().publish_again(upload_id(&id)?).await?.into())
}

/// Opens the person's mail program with a draft to centron: link, details, and the report where the file can still be checked.
#[tauri::command]
pub(crate) async fn mail_hand_over(app: State<'_, App>, id: String, language: Language) -> Result<(), ApiError> {
    let id = upload_id(&id)?;
    let link = app.hand_over_mail(id, language.into(), &jiff::Zoned::now()).await?;
    Ok(opening::open(link, "mail_not_opened").await?)
}

/// Opens the control panel in the browser, at the address that the person has noted for the connection.
#[tauri::command]
pub(crate) async fn open_panel(app: State<'_, App>, connection: String) -> Result<(), ApiError> {
    let storage = app.connection(&connection).await?.storage;
    // Only what a browser shows: the file of connections can be changed by hand.
    let panel = storage
        .and_then(|storage| storage.panel)
        .filter(|panel| matches!(panel.scheme(), "http" | "https"))
        .ok_or_else(|| Error::new("panel_unknown"))?;
    Ok(opening::open(panel.into(), "panel_not_opened").await?)
}

/// Every staging object that still exists, of all connections.
#[tauri::command]
pub(crate) async fn staging(app: State<'_, App>) -> Result<StagingList, ApiError> {
    Ok(app.staging().await?.into())
}

/// Removes a staging object, or with `upload_id` the parts of an upload that was not finished.
#[tauri::command]
pub(crate) async fn remove_staging(
    app: State<'_, App>,
    connection: String,
    key: String,
    upload_id: Option<String>,
) -> Result<(), ApiError> {
    Ok(app.remove_staging(&connection, &key, upload_id.as_deref()).await?)
}
