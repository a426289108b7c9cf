//! Connections and the images behind them.

use lotse_api::{ApiError, Connection, ImageList};
use lotse_app::App;
use tauri::State;

/// The connections with their regions.
#[tauri::command]
pub(crate) async fn connections(app: State<'_, App>) -> Result<Vec<Connection>, ApiError> {
    Ok(app.connections().await?.into_iter().map(Connection::from).collect())
}

/// Every image of a connection.
#[tauri::command]
pub(crate) async fn images(app: State<'_, App>, connection: String) -> Result<ImageList, ApiError> {
    Ok(app.images(&connection).await?.into())
}
