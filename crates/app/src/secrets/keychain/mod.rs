//! The system's own keychain: Secret Service (GNOME, KDE, KeePassXC), macOS Keychain, Windows Credential Manager.

#[cfg(target_os = "macos")]
mod macos;
#[cfg(not(any(target_os = "macos", windows)))]
mod secret_service;
#[cfg(test)]
mod tests;
#[cfg(windows)]
mod windows;

#[cfg(target_os = "macos")]
use macos as native;
#[cfg(not(any(target_os = "macos", windows)))]
use secret_service as native;
#[cfg(windows)]
use windows as native;

use std::{
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use keyring_core::{CredentialStore, Entry, Error as StoreError};
use lotse_cloud::Secret;

use super::Keychain;
use crate::Error;

/// What every entry of ours belongs to: attribute `service` of the Secret Service, "where" on macOS.
const SERVICE: &str = "imagelotse";

/// How long the system may take until its keychain answers at all. A bus takes milliseconds, the start of a daemon seconds.
const FIRST_ANSWER: Duration = Duration::from_secs(10);

/// How long a person may take to answer when the system asks for the keychain's password.
const PERSON: Duration = Duration::from_mins(2);

type Store = Arc<CredentialStore>;

/// Why a store did not do what it was asked for, with the cause as the system tells it.
enum Why {
    /// Nothing there that keeps secrets.
    Unavailable(String),
    /// It is locked, and nobody unlocked it.
    Locked,
    /// Anything else.
    Failed(String),
}

/// The keychain of the system that the program runs on. Every call asks it anew: the daemon behind it may have been
/// restarted, and a secret is read once for many uploads.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemKeychain;

impl Keychain for SystemKeychain {
    fn works(&self) -> Result<(), Error> {
        native_store().ask(native::ready)
    }

    fn has(&self, account: &str) -> Result<bool, Error> {
        let account = account.to_owned();
        native_store().ask(move |store| native::has(store, &account))
    }

    fn read(&self, account: &str) -> Result<Option<Secret>, Error> {
        native_store().read(account)
    }

    fn write(&self, account: &str, secret: &Secret) -> Result<(), Error> {
        native_store().write(account, secret)
    }

    fn remove(&self, account: &str) -> Result<(), Error> {
        native_store().remove(account)
    }
}

fn native_store() -> NativeStore {
    NativeStore {
        connect: native::connect,
        first_answer: FIRST_ANSWER,
        person: PERSON,
    }
}

/// A way to a store, and how long it may take.
struct NativeStore {
    connect: fn() -> Result<Store, StoreError>,
    first_answer: Duration,
    person: Duration,
}

/// What the thread that asks the store tells while it waits for it.
enum Told<T> {
    /// The store is there.
    Connected,
    /// This is what came of it.
    Ended(Result<T, Error>),
}

impl NativeStore {
    fn read(&self, account: &str) -> Result<Option<Secret>, Error> {
        let account = account.to_owned();
        self.ask(move |store| match entry(store, &account)?.get_password() {
            Ok(secret) => Ok(Some(Secret::new(secret))),
            Err(StoreError::NoEntry) => Ok(None),
            Err(error) => Err(error),
        })
    }

    fn write(&self, account: &str, secret: &Secret) -> Result<(), Error> {
        let (account, secret) = (account.to_owned(), secret.clone());
        self.ask(move |store| {
            let entry = entry(store, &account)?;
            match entry.set_password(secret.expose()) {
                // One of them would be out of date for ever.
                Err(StoreError::Ambiguous(entries)) => {
                    remove_all(&entries)?;
                    entry.set_password(secret.expose())
                }
                done => done,
            }
        })
    }

    fn remove(&self, account: &str) -> Result<(), Error> {
        let account = account.to_owned();
        self.ask(move |store| match entry(store, &account)?.delete_credential() {
            Err(StoreError::Ambiguous(entries)) => remove_all(&entries),
            Err(StoreError::NoEntry) => Ok(()),
            done => done,
        })
    }

    /// Asks the store in a thread of its own: a bus that does not answer, or a question that nobody answers, cannot be
    /// broken off, only left behind.
    fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&CredentialStore) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Error> {
        let (tell, told) = mpsc::channel();
        let connect = self.connect;
        thread::Builder::new()
            .name("keychain".to_owned())
            .spawn(move || {
                let outcome = match connect() {
                    Ok(store) => {
                        // Whoever asked may have lost patience; then nobody wants the answer either.
                        _ = tell.send(Told::Connected);
                        question(&*store).map_err(|error| failure(&error))
                    }
                    Err(error) => Err(Error::new("keychain_unavailable").with("cause", cause(&error))),
                };
                _ = tell.send(Told::Ended(outcome));
            })
            .map_err(|cause| Error::new("keychain_failed").with("cause", cause).retryable())?;
        match told.recv_timeout(self.first_answer) {
            Ok(Told::Connected) => {}
            Ok(Told::Ended(outcome)) => return outcome,
            Err(silence) => return Err(Error::new("keychain_unavailable").with("cause", silence)),
        }
        match told.recv_timeout(self.person) {
            Ok(Told::Ended(outcome)) => outcome,
            Ok(Told::Connected) | Err(mpsc::RecvTimeoutError::Disconnected) => {
                Err(Error::new("keychain_failed").with("cause", "no answer").retryable())
            }
            // It was there a moment ago: what takes so long is a person.
            Err(mpsc::RecvTimeoutError::Timeout) => Err(Error::new("keychain_locked").retryable()),
        }
    }
}

fn entry(store: &CredentialStore, account: &str) -> Result<Entry, StoreError> {
    let modifiers = native::modifiers(account);
    let modifiers = modifiers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    store.build(SERVICE, account, Some(&modifiers))
}

fn remove_all(entries: &[Entry]) -> Result<(), StoreError> {
    entries.iter().try_for_each(|entry| match entry.delete_credential() {
        Err(StoreError::NoEntry) => Ok(()),
        done => done,
    })
}

fn failure(error: &StoreError) -> Error {
    match native::why(error) {
        Why::Unavailable(cause) => Error::new("keychain_unavailable").with("cause", cause),
        Why::Locked => Error::new("keychain_locked").retryable(),
        Why::Failed(cause) => Error::new("keychain_failed").with("cause", cause).retryable(),
    }
}

/// What the system says, without what it has kept: an error may carry the secret's bytes, which only `Debug` shows.
fn cause(error: &StoreError) -> String {
    match error {
        StoreError::PlatformFailure(platform) | StoreError::NoStorageAccess(platform) => platform.to_string(),
        StoreError::Ambiguous(entries) => format!("{} entries", entries.len()),
        other => other.to_string(),
    }
}
