//! The secrets of connections: in the system's keychain, in an encrypted file, or in memory only, as the person chose.
//! Nothing here is shown, logged or written elsewhere.

mod file;
mod keychain;
mod memory;
mod place;
#[cfg(test)]
mod tests;

pub use self::{
    file::LEAST_PASSPHRASE,
    keychain::SystemKeychain,
    memory::MemoryKeychain,
    place::{FileState, SecretPlace, SecretPlaces},
};

use std::{path::Path, sync::Arc};

use lotse_cloud::Secret;

use self::file::SecretsFile;
use crate::Error;

/// A store of secrets by account. Its calls block: for seconds at times, and for minutes while the system asks a person to
/// unlock it.
pub trait Keychain: Send + Sync {
    /// Is there one that could keep a secret? Asks nobody for a password.
    ///
    /// # Errors
    /// Code `keychain_unavailable`.
    fn works(&self) -> Result<(), Error>;

    /// Does an account have a secret? Asks nobody for a password.
    ///
    /// # Errors
    /// As [`Keychain::works`], or when it is there and does not answer.
    fn has(&self, account: &str) -> Result<bool, Error>;

    /// The secret of an account; `None` when it has none.
    ///
    /// # Errors
    /// Codes `keychain_unavailable` (there is none), `keychain_locked` (and nobody unlocked it), `keychain_failed`.
    fn read(&self, account: &str) -> Result<Option<Secret>, Error>;

    /// Keeps the secret of an account, in place of the one it had.
    ///
    /// # Errors
    /// As [`Keychain::read`].
    fn write(&self, account: &str, secret: &Secret) -> Result<(), Error>;

    /// Forgets the secret of an account; one without a secret is fine.
    ///
    /// # Errors
    /// As [`Keychain::read`].
    fn remove(&self, account: &str) -> Result<(), Error>;
}

/// The secrets of one process' connections. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Secrets {
    keychain: Arc<dyn Keychain>,
    file: Arc<SecretsFile>,
    typed: Arc<MemoryKeychain>,
}

impl Secrets {
    /// Those of the program whose data is in `folder`.
    pub(crate) fn new(folder: &Path, keychain: Arc<dyn Keychain>) -> Self {
        Self {
            keychain,
            file: Arc::new(SecretsFile::new(folder)),
            typed: Arc::default(),
        }
    }

    /// The secret of a connection. Where its place has none to give, one that was typed in this process does.
    ///
    /// # Errors
    /// Code `secret_needed` when it is kept nowhere, `passphrase_needed` when the file is locked; `keychain_*`,
    /// `secrets_file_*` when its place does not work.
    pub(crate) async fn read(&self, id: &str, place: SecretPlace) -> Result<Secret, Error> {
        let account = id.to_owned();
        let kept = self.at(place, move |keychain| keychain.read(&account)).await;
        if let Ok(Some(secret)) = kept {
            return Ok(secret);
        }
        if let Some(typed) = self.typed.read(id)? {
            return Ok(typed);
        }
        kept?.ok_or_else(|| Error::new("secret_needed").with("connection", id))
    }

    /// What keeps the secret of a connection from being read now, as far as can be told without asking anybody for a password.
    ///
    /// # Errors
    /// As [`Secrets::read`].
    pub(crate) async fn needs(&self, id: &str, place: SecretPlace) -> Result<(), Error> {
        if self.typed.has(id)? {
            return Ok(());
        }
        let account = id.to_owned();
        if !self.at(place, move |keychain| keychain.has(&account)).await? {
            return Err(Error::new("secret_needed").with("connection", id));
        }
        let file = Arc::clone(&self.file);
        if place == SecretPlace::File && blocking(move || Ok(file.state())).await? != FileState::Unlocked {
            return Err(Error::new("passphrase_needed"));
        }
        Ok(())
    }

    /// Keeps the secret of a connection in place of the one it had there.
    ///
    /// # Errors
    /// Code `passphrase_needed` when the file is locked or not there yet; `keychain_*`, `secrets_file_*` when its place does
    /// not work.
    pub(crate) async fn write(&self, id: &str, place: SecretPlace, secret: &Secret) -> Result<(), Error> {
        // What was typed before is out of date, and is to be remembered no longer than the person wants.
        self.typed.remove(id)?;
        let (account, secret) = (id.to_owned(), secret.clone());
        self.at(place, move |keychain| keychain.write(&account, &secret)).await
    }

    /// Forgets the secret of a connection; one without a secret is fine. Needs no passphrase.
    ///
    /// # Errors
    /// `keychain_*`, `secrets_file_*` when its place does not work.
    pub(crate) async fn remove(&self, id: &str, place: SecretPlace) -> Result<(), Error> {
        self.typed.remove(id)?;
        let account = id.to_owned();
        self.at(place, move |keychain| keychain.remove(&account)).await
    }

    /// Remembers a secret until this process ends, wherever the connection's secret is kept.
    pub(crate) fn remember(&self, id: &str, secret: Secret) {
        self.typed.remember(id, secret);
    }

    /// Where a secret can be kept. Asks nobody for a password.
    pub(crate) async fn places(&self) -> SecretPlaces {
        let (keychain, file) = (Arc::clone(&self.keychain), Arc::clone(&self.file));
        SecretPlaces {
            keychain: blocking(move || keychain.works()).await,
            file: blocking(move || Ok(file.state())).await.unwrap_or(FileState::Locked),
        }
    }

    /// Unlocks the encrypted file for this process, or makes it where there is none. Takes about a second.
    ///
    /// # Errors
    /// Codes `passphrase_wrong`; `passphrase_too_short` for a new file; `secrets_file_*`.
    pub(crate) async fn unlock(&self, passphrase: &Secret) -> Result<(), Error> {
        let (file, passphrase) = (Arc::clone(&self.file), passphrase.clone());
        blocking(move || file.unlock(&passphrase)).await
    }

    async fn at<T: Send + 'static>(
        &self,
        place: SecretPlace,
        act: impl FnOnce(&dyn Keychain) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let keychain: Arc<dyn Keychain> = match place {
            SecretPlace::Keychain => Arc::clone(&self.keychain),
            SecretPlace::File => Arc::clone(&self.file) as _,
            SecretPlace::Ask => Arc::clone(&self.typed) as _,
        };
        blocking(move || act(&*keychain)).await
    }
}

/// In a thread that may wait: for the bus, the disk, a person.
async fn blocking<T: Send + 'static>(act: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(act)
        .await
        .unwrap_or_else(|aborted| Err(Error::new("task_aborted").with("cause", aborted)))
}
