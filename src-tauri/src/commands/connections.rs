//! Setting connections up, and giving them what they need to be used.

use lotse_api::{ApiError, Connection, ConnectionDraft, TypedSecret};
use lotse_app::App;
use tauri::State;

/// The connections with their regions.
#[tauri::command]
pub(crate) async fn connections(app: State<'_, App>) -> Result<Vec<Connection>, ApiError> {
    Ok(app.connections().await?.into_iter().map(Connection::from).collect())
}

/// Keeps a new connection, or changes the one with this id.
#[tauri::command]
pub(crate) async fn save_connection(
    app: State<'_, App>,
    id: Option<String>,
    draft: ConnectionDraft,
) -> Result<Connection, ApiError> {
    Ok(app.save_connection(id.as_deref(), &draft.try_into()?).await?.into())
}

/// Removes a connection and its secret.
#[tauri::command]
pub(crate) async fn remove_connection(app: State<'_, App>, id: String) -> Result<(), ApiError> {
    Ok(app.remove_connection(&id).await?)
}

/// Takes the secret key that a connection needs.
#[tauri::command]
pub(crate) async fn sign_in(app: State<'_, App>, connection: String, secret: TypedSecret) -> Result<(), ApiError> {
    Ok(app.sign_in(&connection, &secret.into()).await?)
}
