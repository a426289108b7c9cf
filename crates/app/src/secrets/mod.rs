//! Secrets of connections: in the system's keychain, in an encrypted file, or in this process' memory only.

mod place;

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use lotse_cloud::Secret;

pub use self::place::SecretPlace;
use crate::Error;

/// The secrets of one process.
#[derive(Default)]
pub(crate) struct Secrets {
    remembered: Mutex<HashMap<String, Secret>>,
}

impl Secrets {
    /// The secret of a connection.
    pub(crate) async fn read(&self, id: &str, _place: SecretPlace) -> Result<Secret, Error> {
        self.remembered()
            .get(id)
            .cloned()
            .ok_or_else(|| Error::new("secret_needed").with("connection", id))
    }

    /// Keeps it where it shall be.
    pub(crate) async fn write(&self, id: &str, _place: SecretPlace, secret: &Secret) -> Result<(), Error> {
        self.remember(id, secret.clone());
        Ok(())
    }

    /// Forgets it everywhere.
    pub(crate) async fn remove(&self, id: &str, _place: SecretPlace) -> Result<(), Error> {
        self.remembered().remove(id);
        Ok(())
    }

    /// For the life of this process.
    pub(crate) fn remember(&self, id: &str, secret: Secret) {
        self.remembered().insert(id.to_owned(), secret);
    }

    fn remembered(&self) -> MutexGuard<'_, HashMap<String, Secret>> {
        // Whole between any two statements: a panic elsewhere leaves nothing half done in it.
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
