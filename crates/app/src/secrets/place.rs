//! Where a person wants a secret to be kept.

use serde::{Deserialize, Serialize};

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
