//! Setting connections up, and giving them what they need to be used.

use lotse_api::{ApiError, Connection, ConnectionDraft, Profiles, SecretPlaces, TypedSecret};
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

/// Removes a connection and its secret; while uploads of it have not ended only if it shall go `anyway`.
#[tauri::command]
pub(crate) async fn remove_connection(app: State<'_, App>, id: String, anyway: bool) -> Result<(), ApiError> {
    Ok(app.remove_connection(&id, anyway).await?)
}

/// What other programs of this person know of object storages.
#[tauri::command]
pub(crate) async fn profiles(app: State<'_, App>) -> Result<Profiles, ApiError> {
    Ok(app.profiles().into())
}

/// Where secrets can be kept on this computer.
#[tauri::command]
pub(crate) async fn secret_places(app: State<'_, App>) -> Result<SecretPlaces, ApiError> {
    Ok(app.secret_places().await.into())
}

/// Takes the secret key that a connection needs.
#[tauri::command]
pub(crate) async fn sign_in(app: State<'_, App>, connection: String, secret: TypedSecret) -> Result<(), ApiError> {
    Ok(app.sign_in(&connection, &secret.into()).await?)
}

/// Unlocks the encrypted file of secrets, or makes it.
#[tauri::command]
pub(crate) async fn unlock(app: State<'_, App>, passphrase: TypedSecret) -> Result<(), ApiError> {
    Ok(app.unlock(&passphrase.into()).await?)
}
