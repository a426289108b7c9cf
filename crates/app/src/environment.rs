//! Time, randomness and folders: what the domain is given rather than takes, so that tests can drive it.

use std::{
    path::PathBuf,
    sync::{Arc, mpsc},
    thread,
};

use jiff::{Timestamp, tz::TimeZone};

use crate::{Error, Keychain, ProfilePaths, SystemKeychain};

/// What the domain asks of the world besides files and network.
pub trait Environment: Send + Sync {
    /// The time now.
    fn now(&self) -> Timestamp;

    /// The time zone of the person's clock.
    fn time_zone(&self) -> TimeZone;

    /// Keeps the computer from falling asleep until the answer is dropped, as far as the system lets it.
    fn keep_awake(&self) -> Awake;

    /// Fills `buf` with bytes that nobody can guess.
    ///
    /// # Errors
    /// When the system has no randomness to give (code `no_randomness`).
    fn random(&self, buf: &mut [u8]) -> Result<(), Error>;

    /// Where secrets are kept that a person wants kept.
    fn keychain(&self) -> Arc<dyn Keychain>;

    /// Where other programs of this person keep their connections.
    fn profile_paths(&self) -> ProfilePaths;
}

/// While it lives, the computer does not fall asleep by itself.
#[derive(Debug)]
pub struct Awake {
    /// The thread that holds the system's lock waits until this is dropped.
    _held: Option<mpsc::Sender<()>>,
}

impl Awake {
    /// Holds nothing: for tests, and where the system has no such lock.
    pub fn nothing() -> Self {
        Self { _held: None }
    }

    /// Asks the system. In a thread of its own, for Windows binds the request to the thread that makes it and Linux answers
    /// over a bus that may keep one waiting.
    fn hold() -> Self {
        let (held, released) = mpsc::channel();
        let spawned = thread::Builder::new().name("keep-awake".to_owned()).spawn(move || {
            // From falling asleep by itself only: whoever sends it to sleep is obeyed, an upload survives that.
            let lock = keepawake::Builder::default()
                .idle(true)
                .app_name("Imagelotse")
                .app_reverse_domain("de.imagelotse.desktop")
                .reason("Imagelotse")
                .create();
            if let Err(error) = &lock {
                // No bus, no such service: the upload runs all the same and is resumed after a sleep.
                tracing::info!(%error, "the computer cannot be kept awake");
            }
            // An error, too, means that nobody holds it any more.
            _ = released.recv();
        });
        Self {
            _held: spawned.is_ok().then_some(held),
        }
    }
}

/// The computer's own clock and randomness.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEnvironment;

impl Environment for SystemEnvironment {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn time_zone(&self) -> TimeZone {
        TimeZone::system()
    }

    fn keep_awake(&self) -> Awake {
        Awake::hold()
    }

    fn random(&self, buf: &mut [u8]) -> Result<(), Error> {
        getrandom::fill(buf).map_err(|cause| Error::new("no_randomness").with("cause", cause))
    }

    fn keychain(&self) -> Arc<dyn Keychain> {
        Arc::new(SystemKeychain::default())
    }

    fn profile_paths(&self) -> ProfilePaths {
        ProfilePaths::of_this_computer()
    }
}

/// Where journal and practice cloud live for this user: `$XDG_DATA_HOME/imagelotse`, `~/Library/Application Support/imagelotse`,
/// `%APPDATA%\imagelotse\data`.
///
/// # Errors
/// Code `no_home_folder` when the system tells no home folder.
pub fn data_folder() -> Result<PathBuf, Error> {
    directories::ProjectDirs::from("", "", "imagelotse")
        .map(|folders| folders.data_dir().to_owned())
        .ok_or_else(|| Error::new("no_home_folder"))
}
