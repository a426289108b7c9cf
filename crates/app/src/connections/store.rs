//! The connections that a person has set up, in `connections.json` beside the settings. No secret is in it.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use super::ObjectStorage;
use crate::Error;

/// The connections' file. Read anew at each use: it is small, and another process may have written it.
pub(super) struct Store {
    path: PathBuf,
}

impl Store {
    /// The connections of the program whose data is in `folder`.
    pub(super) fn new(folder: &Path) -> Self {
        Self {
            path: folder.join("connections.json"),
        }
    }

    /// All of them by id.
    pub(super) fn all(&self) -> Result<BTreeMap<String, ObjectStorage>, Error> {
        let unreadable = |cause: &dyn std::fmt::Display| {
            Error::new("connections_unreadable")
                .with("path", self.path.display())
                .with("cause", cause)
        };
        match fs::read(&self.path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|cause| unreadable(&cause)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeMap::new()),
            Err(error) => Err(unreadable(&error)),
        }
    }

    /// Writes them down whole or not at all.
    pub(super) fn set(&self, all: &BTreeMap<String, ObjectStorage>) -> Result<(), Error> {
        let not_written = |cause: &dyn std::fmt::Display| {
            Error::new("settings_not_written")
                .with("path", self.path.display())
                .with("cause", cause)
                .retryable()
        };
        let json = serde_json::to_vec_pretty(all).map_err(|cause| not_written(&cause))?;
        let beside = self.path.with_extension(format!("json.{}", std::process::id()));
        let written = fs::write(&beside, json).and_then(|()| fs::rename(&beside, &self.path));
        written.map_err(|cause| {
            // What stands there is of no use to anybody.
            _ = fs::remove_file(&beside);
            not_written(&cause)
        })
    }
}
