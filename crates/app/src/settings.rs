//! What a person has chosen for good, kept beside the journal. Every process reads it anew when it has changed.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use serde::{Deserialize, Serialize};

use crate::{Error, Hours, whole_file};

/// Most uploads at the same time: more only make each of them late.
pub const MOST_AT_ONCE: u32 = 4;

/// The slowest limit, in bytes a second: below it a part of 8 MiB takes more than two hours and never ends.
pub const SLOWEST_LIMIT: u64 = 1000;

/// Longest time for which a staging object stays public, in days: an import that has not happened after a season will not happen.
pub const MOST_STAGING_DAYS: u32 = 90;

/// What a person has chosen for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// How many uploads run at the same time, from 1 to [`MOST_AT_ONCE`].
    pub at_once: u32,
    /// Bytes a second that all uploads of a process take together; `None` for as many as there are.
    pub bytes_per_second: Option<u64>,
    /// The hours in which uploads may run; `None` for always.
    pub hours: Option<Hours>,
    /// Keeps the computer from falling asleep while an upload runs.
    pub keep_awake: bool,
    /// So many days after a staging object was made public it becomes private again, from 1 to [`MOST_STAGING_DAYS`].
    pub staging_days: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            at_once: 1,
            bytes_per_second: None,
            hours: None,
            keep_awake: true,
            staging_days: 7,
        }
    }
}

impl Settings {
    fn checked(&self) -> Result<(), Error> {
        if !(1..=MOST_AT_ONCE).contains(&self.at_once) {
            return Err(Error::new("at_once_out_of_range").with("most", MOST_AT_ONCE));
        }
        if self.bytes_per_second.is_some_and(|limit| limit < SLOWEST_LIMIT) {
            return Err(Error::new("limit_too_slow").with("slowest_kb", SLOWEST_LIMIT / 1000));
        }
        if !(1..=MOST_STAGING_DAYS).contains(&self.staging_days) {
            return Err(Error::new("staging_days_out_of_range").with("most", MOST_STAGING_DAYS));
        }
        Ok(())
    }
}

/// The settings' file.
pub(crate) struct SettingsFile {
    path: PathBuf,
    read: Mutex<Read>,
}

#[derive(Default)]
struct Read {
    changed: Option<SystemTime>,
    settings: Settings,
}

impl SettingsFile {
    /// The settings of the program whose data is in `folder`. A file that cannot be read counts as none.
    pub(crate) fn open(folder: &Path) -> Self {
        let file = Self {
            path: folder.join("settings.json"),
            read: Mutex::default(),
        };
        file.refresh();
        file
    }

    pub(crate) fn get(&self) -> Settings {
        self.read().settings.clone()
    }

    /// Reads the file if another process has written it since, and tells whether that changed anything.
    pub(crate) fn refresh(&self) -> bool {
        let mut read = self.read();
        let changed = fs::metadata(&self.path).and_then(|metadata| metadata.modified()).ok();
        if changed == read.changed {
            return false;
        }
        read.changed = changed;
        let settings = match fs::read(&self.path) {
            Ok(bytes) => match serde_json::from_slice::<Settings>(&bytes) {
                Ok(settings) if settings.checked().is_ok() => settings,
                // Whoever wrote that knows what it should say; the next choice made here replaces it.
                _ => {
                    tracing::warn!(path = %self.path.display(), "the settings cannot be read: those that hold stay");
                    return false;
                }
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Settings::default(),
            Err(error) => {
                tracing::warn!(path = %self.path.display(), %error, "the settings cannot be read: those that hold stay");
                return false;
            }
        };
        let differs = settings != read.settings;
        read.settings = settings;
        differs
    }

    /// Writes them down whole or not at all.
    pub(crate) fn set(&self, settings: &Settings) -> Result<(), Error> {
        settings.checked()?;
        let not_written = |cause: &dyn std::fmt::Display| {
            Error::new("settings_not_written")
                .with("path", self.path.display())
                .with("cause", cause)
                .retryable()
        };
        let json = serde_json::to_vec_pretty(settings).map_err(|cause| not_written(&cause))?;
        whole_file::write(&self.path, &json).map_err(|cause| not_written(&cause))?;
        let mut read = self.read();
        read.changed = fs::metadata(&self.path).and_then(|metadata| metadata.modified()).ok();
        read.settings = settings.clone();
        Ok(())
    }

    fn read(&self) -> MutexGuard<'_, Read> {
        // Whole between any two statements: a panic elsewhere leaves nothing half done in it.
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_process_sees_what_was_chosen() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (SettingsFile::open(folder.path()), SettingsFile::open(folder.path()));
        assert_eq!(other.get(), Settings::default());
        let chosen = Settings {
            at_once: 2,
            bytes_per_second: Some(1_000_000),
            hours: Some(Hours::parse("22:00-06:00").unwrap()),
            keep_awake: false,
            staging_days: 30,
        };
        one.set(&chosen).unwrap();
        assert!(other.refresh() && !other.refresh(), "told once");
        assert_eq!(other.get(), chosen);
        assert_eq!(SettingsFile::open(folder.path()).get(), chosen, "and after a restart");
    }

    #[test]
    fn nonsense_is_refused_and_nothing_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let file = SettingsFile::open(folder.path());
        let with = |at_once, bytes_per_second| Settings {
            at_once,
            bytes_per_second,
            ..Settings::default()
        };
        assert_eq!(file.set(&with(0, None)).unwrap_err().code, "at_once_out_of_range");
        assert_eq!(file.set(&with(5, None)).unwrap_err().code, "at_once_out_of_range");
        assert_eq!(file.set(&with(1, Some(999))).unwrap_err().code, "limit_too_slow");
        for staging_days in [0, 91] {
            let never = Settings {
                staging_days,
                ..Settings::default()
            };
            assert_eq!(file.set(&never).unwrap_err().code, "staging_days_out_of_range");
        }
        assert_eq!(file.get(), Settings::default());

        file.set(&with(3, None)).unwrap();
        fs::write(folder.path().join("settings.json"), "{").unwrap();
        file.refresh();
        assert_eq!(
            file.get().at_once,
            3,
            "a damaged file changes nothing while the program runs"
        );
        let newer = r#"{"at_once": 2, "of_a_newer_program": true}"#;
        fs::write(folder.path().join("settings.json"), newer).unwrap();
        assert_eq!(SettingsFile::open(folder.path()).get().at_once, 2);
    }
}
