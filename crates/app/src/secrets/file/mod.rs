//! The encrypted file: for whoever has no keychain and does not want to type the secret each time. Several processes may use
//! it: it is read anew each time, and written whole or not at all.

mod sealed;
#[cfg(test)]
mod tests;

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use lotse_cloud::Secret;

use self::sealed::{Content, Flaw, Key, WorkFactor};
use super::{FileState, Keychain};
use crate::{Error, whole_file};

/// Fewest characters of a new passphrase (NIST SP 800-63B, section 5.1.1.2).
pub const LEAST_PASSPHRASE: usize = 8;

/// Most bytes of the file: thousands of secrets.
const MOST_BYTES: u64 = 1 << 20;

/// The encrypted file of a program's folder, and its key once it is unlocked.
pub(super) struct SecretsFile {
    path: PathBuf,
    /// What a new file's key shall cost.
    work: WorkFactor,
    key: Mutex<Option<Arc<Key>>>,
}

impl SecretsFile {
    pub(super) fn new(folder: &Path) -> Self {
        Self::with_work(folder, WorkFactor::RECOMMENDED)
    }

    fn with_work(folder: &Path, work: WorkFactor) -> Self {
        Self {
            path: folder.join("secrets.sealed"),
            work,
            key: Mutex::default(),
        }
    }

    pub(super) fn state(&self) -> FileState {
        match self.load() {
            Ok(None) => FileState::None,
            Ok(Some(content)) if self.key_of(&content).is_ok() => FileState::Unlocked,
            // What is wrong with a damaged file is told when its passphrase is given.
            Ok(Some(_)) | Err(_) => FileState::Locked,
        }
    }

    /// Takes the file's passphrase, or makes a new file with it where there is none.
    pub(super) fn unlock(&self, passphrase: &Secret) -> Result<(), Error> {
        let key = match self.load()? {
            Some(content) => content.key(passphrase).map_err(|flaw| self.flawed(flaw))?,
            None => self.create(passphrase)?,
        };
        *self.key() = Some(Arc::new(key));
        Ok(())
    }

    fn create(&self, passphrase: &Secret) -> Result<Key, Error> {
        if passphrase.expose().chars().count() < LEAST_PASSPHRASE {
            return Err(Error::new("passphrase_too_short").with("least", LEAST_PASSPHRASE));
        }
        let _writing = self.writing()?;
        if let Some(content) = self.load()? {
            // Another process was faster.
            return content.key(passphrase).map_err(|flaw| self.flawed(flaw));
        }
        let (content, key) = Content::new(passphrase, self.work).map_err(|flaw| self.flawed(flaw))?;
        self.save(content)?;
        Ok(key)
    }

    /// What the file holds; `None` without a file.
    fn load(&self) -> Result<Option<Content>, Error> {
        let unreadable = |cause: io::Error| {
            Error::new("secrets_file_unreadable")
                .with("path", self.path.display())
                .with("cause", cause)
                .retryable()
        };
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(error)),
        };
        let mut bytes = Vec::new();
        file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() as u64 > MOST_BYTES {
            return Err(self.flawed(Flaw::Damaged));
        }
        Content::from_bytes(&bytes).map(Some).map_err(|flaw| self.flawed(flaw))
    }

    /// Keeps other processes from writing until the answer is dropped.
    fn writing(&self) -> Result<File, Error> {
        let folder = self.path.parent().map_or(Ok(()), fs::create_dir_all);
        folder
            .and_then(|()| whole_file::alone(&self.path))
            .map_err(|cause| self.not_written(&cause))
    }

    fn save(&self, content: Content) -> Result<(), Error> {
        let bytes = content.into_bytes().map_err(|flaw| self.flawed(flaw))?;
        whole_file::write(&self.path, &bytes).map_err(|cause| self.not_written(&cause))
    }

    fn not_written(&self, cause: &io::Error) -> Error {
        Error::new("secrets_file_not_written")
            .with("path", self.path.display())
            .with("cause", cause)
            .retryable()
    }

    fn flawed(&self, flaw: Flaw) -> Error {
        let code = match flaw {
            Flaw::Damaged => "secrets_file_damaged",
            Flaw::Newer => "secrets_file_newer",
            Flaw::WrongPassphrase => return Error::new("passphrase_wrong"),
            Flaw::NoRandomness => return Error::new("no_randomness").with("cause", "getrandom"),
        };
        Error::new(code).with("path", self.path.display())
    }

    fn key(&self) -> MutexGuard<'_, Option<Arc<Key>>> {
        // Whole between any two statements: a panic elsewhere leaves nothing half done in it.
        self.key.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The key of this content, if its passphrase has been given.
    fn key_of(&self, content: &Content) -> Result<Arc<Key>, Error> {
        let key = self.key().clone();
        key.filter(|key| content.fits(key))
            .ok_or_else(|| Error::new("passphrase_needed"))
    }
}

impl Keychain for SecretsFile {
    fn works(&self) -> Result<(), Error> {
        self.load().map(drop)
    }

    fn has(&self, account: &str) -> Result<bool, Error> {
        Ok(self.load()?.is_some_and(|content| content.has(account)))
    }

    fn read(&self, account: &str) -> Result<Option<Secret>, Error> {
        match self.load()? {
            // Needs no passphrase to be told.
            Some(content) if content.has(account) => content
                .read(account, &*self.key_of(&content)?)
                .map_err(|flaw| self.flawed(flaw)),
            _ => Ok(None),
        }
    }

    fn write(&self, account: &str, secret: &Secret) -> Result<(), Error> {
        let _writing = self.writing()?;
        let mut content = self.load()?.ok_or_else(|| Error::new("passphrase_needed"))?;
        let key = self.key_of(&content)?;
        content.write(account, secret, &key).map_err(|flaw| self.flawed(flaw))?;
        self.save(content)
    }

    fn remove(&self, account: &str) -> Result<(), Error> {
        if !self.path.exists() {
            return Ok(());
        }
        let _writing = self.writing()?;
        let Some(mut content) = self.load()? else {
            return Ok(());
        };
        if !content.has(account) {
            return Ok(());
        }
        content.remove(account);
        if content.is_empty() {
            // Whoever forgot the passphrase begins anew with another one.
            return fs::remove_file(&self.path).map_err(|cause| self.not_written(&cause));
        }
        self.save(content)
    }
}
