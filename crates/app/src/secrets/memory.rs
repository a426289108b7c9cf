//! Secrets that live only as long as this process.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use lotse_cloud::Secret;

use crate::{Error, Keychain};

/// Keeps secrets in memory and nowhere else: for whoever wants to be asked each time, and in place of the system's keychain
/// in tests.
#[derive(Debug, Default)]
pub struct MemoryKeychain {
    secrets: Mutex<BTreeMap<String, Secret>>,
}

impl MemoryKeychain {
    /// Keeps the secret of an account, in place of the one it had.
    pub(super) fn remember(&self, account: &str, secret: Secret) {
        self.secrets().insert(account.to_owned(), secret);
    }

    fn secrets(&self) -> MutexGuard<'_, BTreeMap<String, Secret>> {
        // Whole between any two statements: a panic elsewhere leaves nothing half done in it.
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Keychain for MemoryKeychain {
    fn works(&self) -> Result<(), Error> {
        Ok(())
    }

    fn has(&self, account: &str) -> Result<bool, Error> {
        Ok(self.secrets().contains_key(account))
    }

    fn read(&self, account: &str) -> Result<Option<Secret>, Error> {
        Ok(self.secrets().get(account).cloned())
    }

    fn write(&self, account: &str, secret: &Secret) -> Result<(), Error> {
        self.remember(account, secret.clone());
        Ok(())
    }

    fn remove(&self, account: &str) -> Result<(), Error> {
        self.secrets().remove(account);
        Ok(())
    }
}
