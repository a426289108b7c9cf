//! The images behind a connection.

use lotse_api::{ApiError, ImageList};
use lotse_app::App;
use tauri::State;

/// Every image of a connection.
#[tauri::command]
pub(crate) async fn images(app: State<'_, App>, connection: String) -> Result<ImageList, ApiError> {
    Ok(app.images(&connection).await?.into())
}
