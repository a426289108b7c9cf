//! Time, randomness and folders: what the domain is given rather than takes, so that tests can drive it.

use std::path::PathBuf;

use jiff::Timestamp;

use crate::Error;

/// What the domain asks of the world besides files and network.
pub trait Environment: Send + Sync {
    /// The time now.
    fn now(&self) -> Timestamp;

    /// Fills `buf` with bytes that nobody can guess.
    ///
    /// # Errors
    /// When the system has no randomness to give (code `no_randomness`).
    fn random(&self, buf: &mut [u8]) -> Result<(), Error>;
}

/// The computer's own clock and randomness.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEnvironment;

impl Environment for SystemEnvironment {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn random(&self, buf: &mut [u8]) -> Result<(), Error> {
        getrandom::fill(buf).map_err(|cause| Error::new("no_randomness").with("cause", cause))
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
