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
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

use keyring_core::{CredentialStore, Entry, Error as StoreError};
use lotse_cloud::Secret;

use super::Keychain;
use crate::Error;

/// What every entry of ours belongs to: attribute `service` of the Secret Service, "where" on macOS.
const SERVICE: &str = "imagelotse";

/// How long the system may take until its keychain answers at all (a bus takes milliseconds, the start of a daemon seconds),
/// and how long a person may take to answer when the system asks for the keychain's password.
const PATIENCE: Patience = Patience {
    first_answer: Duration::from_secs(10),
    person: Duration::from_mins(2),
};

/// How long a system that did not answer is not asked again: a list of connections must not wait for it once for each.
const SILENT: Duration = Duration::from_mins(1);

type Store = Arc<CredentialStore>;

/// The keychain of the system that the program runs on. Every call asks it anew: the daemon behind it may have been
/// restarted, and a secret is read once for many uploads.
#[derive(Debug, Default)]
pub struct SystemKeychain {
    /// Since when nothing answers there.
    silent: Mutex<Option<Instant>>,
}

impl Keychain for SystemKeychain {
    fn works(&self) -> Result<(), Error> {
        self.ask(native::look, native::ready)
    }

    fn has(&self, account: &str) -> Result<bool, Error> {
        let account = account.to_owned();
        self.ask(native::look, move |looker| native::has(looker, &account))
    }

    fn read(&self, account: &str) -> Result<Option<Secret>, Error> {
        let account = account.to_owned();
        self.ask(native::connect, move |store| {
            match entry(&**store, &account)?.get_password() {
                Ok(secret) => Ok(Some(Secret::new(secret))),
                Err(StoreError::NoEntry) => Ok(None),
                Err(error) => Err(error),
            }
        })
    }

    fn write(&self, account: &str, secret: &Secret) -> Result<(), Error> {
        let (account, secret) = (account.to_owned(), secret.clone());
        self.ask(native::connect, move |store| {
            let entry = entry(&**store, &account)?;
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
        self.ask(native::connect, move |store| {
            match entry(&**store, &account)?.delete_credential() {
                Err(StoreError::Ambiguous(entries)) => remove_all(&entries),
                Err(StoreError::NoEntry) => Ok(()),
                done => done,
            }
        })
    }
}

impl SystemKeychain {
    fn ask<C: 'static, T: Send + 'static>(
        &self,
        connect: fn() -> Result<C, StoreError>,
        question: impl FnOnce(&C) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Error> {
        if self.silent().is_some_and(|since| since.elapsed() < SILENT) {
            return Err(unavailable("no answer"));
        }
        let answered = PATIENCE.ask(connect, question);
        let silent = matches!(answered, Err(Unanswered::Silent));
        *self.silent() = silent.then(Instant::now);
        answered.map_err(Error::from)
    }

    fn silent(&self) -> MutexGuard<'_, Option<Instant>> {
        // One value, whole at any time.
        self.silent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long the system may take.
struct Patience {
    first_answer: Duration,
    person: Duration,
}

/// Why there is no answer.
#[derive(Debug, PartialEq, Eq)]
enum Unanswered {
    /// The system says nothing at all.
    Silent,
    /// It says why.
    Refused(Error),
}

/// What the thread that asks tells while it is waited for.
enum Told<T> {
    /// The keychain is there.
    Connected,
    /// This is what came of it.
    Ended(Result<T, Error>),
}

impl Patience {
    /// Asks in a thread of its own: a bus that does not answer, or a question to a person that nobody answers, cannot be
    /// broken off, only left behind.
    fn ask<C: 'static, T: Send + 'static>(
        &self,
        connect: fn() -> Result<C, StoreError>,
        question: impl FnOnce(&C) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Unanswered> {
        let (tell, told) = mpsc::channel();
        thread::Builder::new()
            .name("keychain".to_owned())
            .spawn(move || {
                let outcome = match connect() {
                    Ok(connection) => {
                        // Whoever asked may have lost patience; then nobody wants the answer either.
                        _ = tell.send(Told::Connected);
                        question(&connection).map_err(|error| native::told(&error))
                    }
                    Err(error) => Err(unavailable(&cause(&error))),
                };
                _ = tell.send(Told::Ended(outcome));
            })
            .map_err(|cause| Unanswered::Refused(failed(cause)))?;
        match told.recv_timeout(self.first_answer) {
            Ok(Told::Connected) => {}
            Ok(Told::Ended(outcome)) => return outcome.map_err(Unanswered::Refused),
            Err(RecvTimeoutError::Timeout) => return Err(Unanswered::Silent),
            Err(RecvTimeoutError::Disconnected) => return Err(Unanswered::Refused(failed("broken off"))),
        }
        let outcome = match told.recv_timeout(self.person) {
            Ok(Told::Ended(outcome)) => outcome,
            Ok(Told::Connected) | Err(RecvTimeoutError::Disconnected) => Err(failed("broken off")),
            // It was there a moment ago: what takes so long is a person.
            Err(RecvTimeoutError::Timeout) => Err(locked()),
        };
        outcome.map_err(Unanswered::Refused)
    }
}

impl From<Unanswered> for Error {
    fn from(unanswered: Unanswered) -> Self {
        match unanswered {
            Unanswered::Silent => unavailable("no answer"),
            Unanswered::Refused(error) => error,
        }
    }
}

fn unavailable(cause: &str) -> Error {
    Error::new("keychain_unavailable").with("cause", cause)
}

fn locked() -> Error {
    Error::new("keychain_locked").retryable()
}

fn failed(cause: impl std::fmt::Display) -> Error {
    Error::new("keychain_failed").with("cause", cause).retryable()
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

/// What the system says, without what it has kept: an error may carry the secret's bytes, which only `Debug` shows.
fn cause(error: &StoreError) -> String {
    match error {
        StoreError::PlatformFailure(platform) | StoreError::NoStorageAccess(platform) => platform.to_string(),
        StoreError::Ambiguous(entries) => format!("{} entries", entries.len()),
        other => other.to_string(),
    }
}
