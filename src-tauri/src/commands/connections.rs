//! Setting connections up, and giving them what they need to be used.

use lotse_api::{ApiError, Connection, ConnectionDraft, Profiles, SecretPlaces, TestStep, TypedSecret};
use lotse_app::App;
use tauri::{State, ipc::Channel};

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

/// Tries a connection; each step is told when it has ended, to the caller alone, so that two tests never mix.
#[tauri::command]
pub(crate) async fn test_connection(
    app: State<'_, App>,
    draft: ConnectionDraft,
    steps: Channel<TestStep>,
) -> Result<Vec<TestStep>, ApiError> {
    let told = |step: &lotse_app::TestStep| {
        if let Err(error) = steps.send(step.clone().into()) {
            tracing::warn!(%error, "the page could not be told of a step");
        }
    };
    let all = app.test_connection(&draft.try_into()?, &told).await?;
    Ok(all.into_iter().map(TestStep::from).collect())
}

/// The buckets that the draft's key may see.
#[tauri::command]
pub(crate) async fn buckets(app: State<'_, App>, draft: ConnectionDraft) -> Result<Vec<String>, ApiError> {
    Ok(app.buckets(&draft.try_into()?).await?)
}

/// Makes the draft's bucket.
#[tauri::command]
pub(crate) async fn create_bucket(app: State<'_, App>, draft: ConnectionDraft) -> Result<(), ApiError> {
    Ok(app.create_bucket(&draft.try_into()?).await?)
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
