//! The file that is sent: is it there, may it be read, is it still the one that was first sent?

use std::{
    collections::BTreeMap,
    fs::{File, Metadata},
    io,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use file_id::FileId;

use crate::job::SourceIdentity;

/// A file that cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code} {params:?}")]
pub struct SourceError {
    /// Stable code: `source_not_found`, `source_permission_denied`, `source_is_directory`, `source_not_regular`,
    /// `source_empty`, `source_unreadable` or `source_changed`.
    pub code: &'static str,
    /// `path`; with `source_unreadable` also `reason`, the system's own words.
    pub params: BTreeMap<String, String>,
}

impl SourceError {
    pub(crate) fn new(code: &'static str, path: &Path) -> SourceError {
        SourceError {
            code,
            params: BTreeMap::from([("path".into(), path.display().to_string())]),
        }
    }

    pub(crate) fn io(error: &io::Error, path: &Path) -> SourceError {
        match error.kind() {
            // A path that runs through a file is as little there as one that ends nowhere.
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => SourceError::new("source_not_found", path),
            io::ErrorKind::PermissionDenied => SourceError::new("source_permission_denied", path),
            io::ErrorKind::IsADirectory => SourceError::new("source_is_directory", path),
            _ => SourceError::unreadable(&error.to_string(), path),
        }
    }

    fn unreadable(reason: &str, path: &Path) -> SourceError {
        let mut unreadable = SourceError::new("source_unreadable", path);
        unreadable.params.insert("reason".into(), reason.to_owned());
        unreadable
    }
}

impl SourceIdentity {
    /// What identifies the file at `path`, which is made absolute (symbolic links are kept). Opens the file for reading once.
    ///
    /// # Errors
    /// See [`SourceError::code`].
    pub fn of(path: &Path) -> Result<SourceIdentity, SourceError> {
        let path = std::path::absolute(path).map_err(|error| SourceError::io(&error, path))?;
        let (_, identity) = open(path)?;
        Ok(identity)
    }

    /// What identifies the file at another `path`, if it can be the same file: it was moved, or copied with its time.
    ///
    /// # Errors
    /// `source_changed` if its size or time is another; see [`SourceError::code`] for the others.
    pub fn at(&self, path: &Path) -> Result<SourceIdentity, SourceError> {
        let now = SourceIdentity::of(path)?;
        if self.looks_like(&now) {
            Ok(now)
        } else {
            Err(SourceError::new("source_changed", &now.path))
        }
    }

    /// Opens the file again if it still looks the same: by size and time. Also tells what identifies it now.
    pub(crate) fn reopen(&self) -> Result<(File, SourceIdentity), SourceError> {
        let (file, now) = match open(self.path.clone()) {
            // It had content once.
            Err(error) if error.code == "source_empty" => return Err(self.changed()),
            other => other?,
        };
        if self.looks_like(&now) {
            Ok((file, now))
        } else {
            Err(self.changed())
        }
    }

    fn looks_like(&self, now: &SourceIdentity) -> bool {
        (self.size, self.modified_ns) == (now.size, now.modified_ns)
    }

    /// Is the opened file still the same?
    pub(crate) fn check(&self, file: &File) -> Result<(), SourceError> {
        let metadata = file.metadata().map_err(|error| SourceError::io(&error, &self.path))?;
        if metadata.len() == self.size && modified_ns(&metadata) == self.modified_ns {
            Ok(())
        } else {
            Err(self.changed())
        }
    }

    pub(crate) fn changed(&self) -> SourceError {
        SourceError::new("source_changed", &self.path)
    }
}

fn open(path: PathBuf) -> Result<(File, SourceIdentity), SourceError> {
    // Looked at before it is opened: opening a named pipe would wait for a writer.
    let metadata = std::fs::metadata(&path).map_err(|error| SourceError::io(&error, &path))?;
    if metadata.is_dir() {
        return Err(SourceError::new("source_is_directory", &path));
    }
    if !metadata.is_file() {
        return Err(SourceError::new("source_not_regular", &path));
    }
    let file = File::open(&path).map_err(|error| SourceError::io(&error, &path))?;
    let metadata = file.metadata().map_err(|error| SourceError::io(&error, &path))?;
    if metadata.len() == 0 {
        return Err(SourceError::new("source_empty", &path));
    }
    Ok((
        file,
        SourceIdentity {
            size: metadata.len(),
            modified_ns: modified_ns(&metadata),
            file_id: file_id(&path),
            path,
        },
    ))
}

fn file_id(path: &Path) -> Option<String> {
    Some(match file_id::get_file_id(path).ok()? {
        FileId::Inode { inode_number, .. } => inode_number.to_string(),
        FileId::LowRes { file_index, .. } => file_index.to_string(),
        FileId::HighRes { file_id, .. } => file_id.to_string(),
    })
}

fn modified_ns(metadata: &Metadata) -> i64 {
    let Ok(modified) = metadata.modified() else { return 0 };
    match modified.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_nanos()).unwrap_or(i64::MAX),
        Err(_) => UNIX_EPOCH
            .duration_since(modified)
            .ok()
            .and_then(|before| i64::try_from(before.as_nanos()).ok())
            .map_or(i64::MIN, |before| -before),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    fn code(path: &Path) -> &'static str {
        SourceIdentity::of(path).unwrap_err().code
    }

    #[test]
    fn each_unusable_source_has_its_own_code() {
        let folder = tempfile::tempdir().unwrap();
        let empty = folder.path().join("empty.raw");
        std::fs::write(&empty, b"").unwrap();
        assert_eq!(code(&empty), "source_empty");
        assert_eq!(code(folder.path()), "source_is_directory");
        assert_eq!(code(&folder.path().join("gone.raw")), "source_not_found");
        assert_eq!(code(&empty.join("below-a-file")), "source_not_found");
    }

    #[cfg(unix)]
    #[test]
    fn devices_are_refused_without_waiting_for_them() {
        let device = SourceIdentity::of(Path::new("/dev/null")).unwrap_err();
        assert_eq!(device.code, "source_not_regular");
        assert_eq!(
            device.params.keys().collect::<Vec<_>>(),
            ["path"],
            "sentences are made elsewhere"
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_may_not_be_read_says_so() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret.raw");
        std::fs::write(&path, b"x").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o000)).unwrap();
        // Root reads everything; the mapping is the same for both.
        match SourceIdentity::of(&path) {
            Err(error) => assert_eq!(error.code, "source_permission_denied"),
            Ok(_) => assert!(File::open(&path).is_ok(), "readable only because the test runs as root"),
        }
        let denied = io::Error::from(io::ErrorKind::PermissionDenied);
        assert_eq!(SourceError::io(&denied, &path).code, "source_permission_denied");
    }

    #[test]
    fn a_touched_or_cut_file_is_not_the_same_any_more() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("disk.raw");
        std::fs::write(&path, b"0123456789").unwrap();
        let identity = SourceIdentity::of(&path).unwrap();
        assert!(identity.path.is_absolute());
        let (file, now) = identity.reopen().unwrap();
        assert_eq!(now, identity, "nothing happened to it");
        identity.check(&file).unwrap();

        let moved = folder.path().join("moved.raw");
        std::fs::rename(&path, &moved).unwrap();
        assert_eq!(identity.reopen().unwrap_err().code, "source_not_found");
        let there = identity.at(&moved).unwrap();
        assert_eq!((there.file_id, there.path), (identity.file_id.clone(), moved.clone()));
        let other = folder.path().join("other.raw");
        std::fs::write(&other, b"012345678").unwrap();
        assert_eq!(identity.at(&other).unwrap_err().code, "source_changed");
        std::fs::rename(&moved, &path).unwrap();

        let writer = File::options().write(true).open(&path).unwrap();
        writer.set_modified(SystemTime::now() + Duration::from_secs(5)).unwrap();
        assert_eq!(identity.reopen().unwrap_err().code, "source_changed");
        assert_eq!(identity.check(&file).unwrap_err().code, "source_changed");
        writer.set_len(0).unwrap();
        assert_eq!(
            identity.reopen().unwrap_err().code,
            "source_changed",
            "an emptied file was changed, too"
        );
        std::fs::remove_file(&path).unwrap();
        assert_eq!(identity.reopen().unwrap_err().code, "source_not_found");
    }
}
