//! Linux: the Secret Service on the session's bus.

use keyring_core::Error as StoreError;
use secret_service::{EncryptionType, Error as ServiceError, blocking::SecretService};
use zbus_secret_service_keyring_store as store;

use super::{SERVICE, Store, cause, failed, locked, unavailable};
use crate::Error;

pub(super) fn connect() -> Result<Store, StoreError> {
    Ok(store::Store::new()?)
}

/// A connection on which no secret goes. The store's own search would ask for the password of a keyring that is locked.
pub(super) fn look() -> Result<SecretService<'static>, StoreError> {
    SecretService::connect(EncryptionType::Plain).map_err(platform)
}

/// A daemon without a keyring that new secrets go into by default keeps none.
pub(super) fn ready(service: &SecretService<'static>) -> Result<(), StoreError> {
    service.get_default_collection().map(drop).map_err(platform)
}

pub(super) fn has(service: &SecretService<'static>, account: &str) -> Result<bool, StoreError> {
    let found = service
        .search_items([("service", SERVICE), ("username", account)].into())
        .map_err(platform)?;
    Ok(!(found.unlocked.is_empty() && found.locked.is_empty()))
}

fn platform(error: ServiceError) -> StoreError {
    StoreError::PlatformFailure(Box::new(error))
}

/// The name that a program for keyrings (seahorse, KWalletManager) shows.
pub(super) fn modifiers(account: &str) -> Vec<(&'static str, String)> {
    vec![("label", format!("Imagelotse: {account}"))]
}

pub(super) fn told(error: &StoreError) -> Error {
    let (StoreError::PlatformFailure(told) | StoreError::NoStorageAccess(told)) = error else {
        return failed(cause(error));
    };
    match told.downcast_ref::<ServiceError>() {
        Some(ServiceError::Locked | ServiceError::Prompt | ServiceError::PromptDisconnected) => locked(),
        Some(ServiceError::NoResult) => unavailable("no default keyring"),
        Some(ServiceError::Unavailable) => unavailable(&cause(error)),
        // https://specifications.freedesktop.org/secret-service-spec/latest/errors.html
        Some(error) if error.to_string().contains("org.freedesktop.Secret.Error.IsLocked") => locked(),
        _ => failed(cause(error)),
    }
}
