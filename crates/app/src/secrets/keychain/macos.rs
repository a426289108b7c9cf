//! macOS: the person's login keychain.

use apple_native_keyring_store::keychain;
use keyring_core::Error as StoreError;
use security_framework::base::Error as SecurityError;

use super::{SERVICE, Store, cause, failed, locked, unavailable};
use crate::Error;

pub(super) fn connect() -> Result<Store, StoreError> {
    Ok(keychain::Store::new()?)
}

pub(super) fn look() -> Result<Store, StoreError> {
    connect()
}

/// Whether it is locked shows when it is used.
pub(super) fn ready(store: &Store) -> Result<(), StoreError> {
    has(store, "").map(drop)
}

/// Reading the secret may ask the person; looking for the entry does not.
pub(super) fn has(store: &Store, account: &str) -> Result<bool, StoreError> {
    let found = store.search(&[("service", SERVICE), ("user", account)].into())?;
    Ok(!found.is_empty())
}

/// The system makes the names that it shows from service and account.
pub(super) fn modifiers(_: &str) -> Vec<(&'static str, String)> {
    Vec::new()
}

/// By the numbers of `SecBase.h`.
pub(super) fn told(error: &StoreError) -> Error {
    let (StoreError::PlatformFailure(platform) | StoreError::NoStorageAccess(platform)) = error else {
        return failed(cause(error));
    };
    match platform.downcast_ref::<SecurityError>().map(|error| error.code()) {
        // errSecNotAvailable, errSecNoSuchKeychain, errSecInvalidKeychain
        Some(-25291 | -25294 | -25295) => unavailable(&cause(error)),
        // errSecUserCanceled, errSecAuthFailed, errSecInteractionNotAllowed, errSecInteractionRequired
        Some(-128 | -25293 | -25308 | -25315) => locked(),
        _ => failed(cause(error)),
    }
}
