//! The hand-over of a staged image, and what stands in object storages.

use lotse_api::ApiError;
use lotse_app::{App, Error};
use tauri::State;

use crate::opening;

/// Opens the control panel in the browser, at the address that the person has noted for the connection.
#[tauri::command]
pub(crate) async fn open_panel(app: State<'_, App>, connection: String) -> Result<(), ApiError> {
    let known = app.connections().await?.into_iter().find(|one| one.id == connection);
    let storage = known.and_then(|one| one.storage);
    // Only what a browser shows: the file of connections can be changed by hand.
    let panel = storage
        .and_then(|storage| storage.panel)
        .filter(|panel| matches!(panel.scheme(), "http" | "https"))
        .ok_or_else(|| Error::new("panel_unknown"))?;
    Ok(opening::open(panel.into(), "panel_not_opened").await?)
}
