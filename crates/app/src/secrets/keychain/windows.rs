//! Windows: the Credential Manager of the person who is signed in.

use keyring_core::Error as StoreError;
use windows_native_keyring_store as store;

use super::{Store, cause, entry, failed, unavailable};
use crate::Error;

pub(super) fn connect() -> Result<Store, StoreError> {
    // As it is shown: `ccloud@imagelotse`.
    let shown = [("divider", "@")].into_iter().collect();
    Ok(store::Store::new_with_configuration(&shown)?)
}

pub(super) fn look() -> Result<Store, StoreError> {
    connect()
}

/// A session without one says so whatever it is asked.
pub(super) fn ready(store: &Store) -> Result<(), StoreError> {
    has(store, "").map(drop)
}

pub(super) fn has(store: &Store, account: &str) -> Result<bool, StoreError> {
    match entry(&**store, account)?.get_attributes() {
        Ok(_) => Ok(true),
        Err(StoreError::NoEntry) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The name that is shown is made from account and service.
pub(super) fn modifiers(_: &str) -> Vec<(&'static str, String)> {
    Vec::new()
}

/// It is open while the person is signed in; access is denied to a session that has none (a service, a sign-in over the
/// network: `ERROR_NO_SUCH_LOGON_SESSION`).
pub(super) fn told(error: &StoreError) -> Error {
    match error {
        StoreError::NoStorageAccess(_) => unavailable(&cause(error)),
        _ => failed(cause(error)),
    }
}
