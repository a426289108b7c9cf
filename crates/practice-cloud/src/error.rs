//! Why a practice cloud did not start.

use std::{collections::BTreeMap, fmt, path::Path};

/// An error of starting, with a stable code; its sentences are `error_<code>` and `error_<code>_next`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PracticeError {
    code: &'static str,
    params: BTreeMap<&'static str, String>,
    retryable: bool,
}

impl PracticeError {
    /// Every code there is.
    pub const CODES: &[&str] = &["practice_database", "practice_folder", "practice_port"];

    /// Stable code (`snake_case`), one of [`PracticeError::CODES`].
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// Parameters of the sentences: `path` and `reason`.
    pub fn params(&self) -> &BTreeMap<&'static str, String> {
        &self.params
    }

    /// Can starting again help although nothing was changed?
    pub fn retryable(&self) -> bool {
        self.retryable
    }

    /// The data folder cannot be made, written or read.
    pub(crate) fn folder(path: &Path, reason: &dyn fmt::Display) -> Self {
        let params = BTreeMap::from([("path", path.display().to_string()), ("reason", reason.to_string())]);
        Self {
            code: "practice_folder",
            params,
            retryable: false,
        }
    }

    /// The database in the data folder cannot be opened or is damaged.
    pub(crate) fn database(path: &Path, reason: &dyn fmt::Display) -> Self {
        let params = BTreeMap::from([("path", path.display().to_string()), ("reason", reason.to_string())]);
        Self {
            code: "practice_database",
            params,
            retryable: false,
        }
    }

    /// No port on loopback, or no randomness for the secrets.
    pub(crate) fn port(reason: &dyn fmt::Display) -> Self {
        Self {
            code: "practice_port",
            params: BTreeMap::from([("reason", reason.to_string())]),
            retryable: true,
        }
    }
}

impl fmt::Display for PracticeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code)?;
        self.params
            .iter()
            .try_for_each(|(name, value)| write!(f, " {name}={value}"))
    }
}

impl std::error::Error for PracticeError {}
