//! Where a person wants a secret to be kept, and where it can be.

use serde::{Deserialize, Serialize};

use crate::Error;

/// Where a connection's secret is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretPlace {
    /// In the system's keychain.
    #[default]
    Keychain,
    /// In a file of this program's, encrypted under a passphrase.
    File,
    /// Nowhere: it is asked for each time the program is started.
    Ask,
}

/// Where a secret can be kept on this computer. To ask for it each time is always possible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretPlaces {
    /// Is there a keychain? Code `keychain_unavailable` where there is none.
    pub keychain: Result<(), Error>,
    /// The encrypted file.
    pub file: FileState,
}

/// How it stands with the encrypted file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileState {
    /// There is none yet: the first passphrase makes it.
    None,
    /// It is there; its passphrase has not been given in this process.
    Locked,
    /// Its secrets can be read.
    Unlocked,
}
