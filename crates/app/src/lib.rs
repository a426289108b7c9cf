//! The few things a person does with Imagelotse: check an image, send it, look at images. Ties the rooms together;
//! window and command line only adapt it.

mod check;
mod connections;
mod details;
mod environment;
mod error;
mod export;
mod facts;
mod images;
mod profiles;
mod rate;
mod saving;
mod secrets;
mod settings;
mod staging;
mod uploads;
mod whole_file;

pub use check::{Checked, check};
pub use connections::{
    Connection, ConnectionKind, Draft, ObjectStorage, PRACTICE, SecretSource, TestOutcome, TestStep, TestStepKind,
};
pub use details::{Distribution, ImageDetails, Suggestion};
pub use environment::{Awake, Environment, SystemEnvironment, data_folder};
pub use error::Error;
pub use export::{ExportFormat, export};
pub use facts::facts;
pub use images::{Image, ImageList};
pub use lotse_cloud::{Addressing, PublicBy, Secret};
pub use lotse_transfer::JobId;
pub use lotse_words::Language;
pub use profiles::{Profile, ProfilePaths, ProfileSource, Profiles};
pub use rate::{TimeLeft, TimeUnit};
pub use saving::{report_file_name, save_text};
pub use secrets::{FileState, Keychain, LEAST_PASSPHRASE, MemoryKeychain, SecretPlace, SecretPlaces, SystemKeychain};
pub use settings::{MOST_AT_ONCE, MOST_STAGING_DAYS, SLOWEST_LIMIT, Settings};
pub use staging::{HandOver, StagingKind, StagingList, StagingObject};
pub use uploads::{Hours, Upload, UploadRequest, UploadState, Uploads, upload_id};

use std::{path::Path, sync::Arc};

use connections::Connections;

/// The engine of one process: connections, uploads and what they need. Cheap to clone.
#[derive(Clone)]
pub struct App {
    connections: Arc<Connections>,
    uploads: Uploads,
    environment: Arc<dyn Environment>,
}

impl App {
    /// Opens the engine over `folder` (journal, practice cloud); the folder is made if it is missing.
    ///
    /// # Errors
    /// When the folder or the journal in it cannot be used.
    pub fn open(folder: &Path, environment: Arc<dyn Environment>) -> Result<Self, Error> {
        let connections = Arc::new(Connections::new(folder, &*environment));
        let uploads = Uploads::open(folder, Arc::clone(&connections), Arc::clone(&environment))?;
        Ok(Self {
            connections,
            uploads,
            environment,
        })
    }

    /// The connections that images can be sent to, each with its regions.
    ///
    /// # Errors
    /// When a connection cannot be reached or refuses to sign in.
    pub async fn connections(&self) -> Result<Vec<Connection>, Error> {
        self.connections.list().await
    }

    /// One of them that a person has set up.
    ///
    /// # Errors
    /// Codes `connection_unknown`, `connection_is_practice`, of which there is nothing to tell.
    pub async fn connection(&self, id: &str) -> Result<Connection, Error> {
        self.connections.one(id).await
    }

    /// Keeps a new connection, or changes the one with this id. Uploads of it that run go on with what they began with; those that wait
    /// for somebody to sign in go on now.
    ///
    /// # Errors
    /// What was typed wrong (`connection_…`, `s3_endpoint_invalid`), each with its own code; `connection_unknown`; `connection_in_use`
    /// where uploads of it that have not ended would lose their bucket; `secret_needed` and the other codes of secrets;
    /// `settings_not_written`. Nothing changes then.
    pub async fn save_connection(&self, id: Option<&str>, draft: &Draft) -> Result<Connection, Error> {
        let kept = self.keep_connection(id, draft).await?;
        self.uploads.resume_signed_in(|of| of == kept.id).await?;
        Ok(kept)
    }

    /// The same, and leaves the uploads to whoever resumes them.
    ///
    /// # Errors
    /// As [`App::save_connection`].
    pub async fn keep_connection(&self, id: Option<&str>, draft: &Draft) -> Result<Connection, Error> {
        if let Some(id) = id
            && self.connections.moves(id, draft)?
        {
            self.check_unused(id)?;
        }
        // Nothing that waits for a connection that was removed may go to another one of its name.
        let waiting = self
            .uploads
            .list()?
            .into_iter()
            .filter(|upload| !upload.state.is_final());
        let used = waiting.map(|upload| upload.connection).collect();
        self.connections.save(id, draft, &used).await
    }

    /// Removes a connection and its secret; what is in its bucket stays.
    ///
    /// # Errors
    /// Codes `connection_unknown`, `connection_is_practice`; `connection_in_use` where uploads of it have not ended, unless it shall go `anyway`: what they left in
    /// the bucket can then not be removed from here any more. The codes of secrets where its secret could not be removed; `anyway`
    /// leaves it there.
    pub async fn remove_connection(&self, id: &str, anyway: bool) -> Result<(), Error> {
        if !anyway {
            self.check_unused(id)?;
        }
        self.connections.remove(id, anyway).await
    }

    /// Tries a connection that is described: name, TLS, clock, key, bucket, write, public read, delete. Each step is told when it was
    /// taken; after one that failed those that need it are skipped. What is written is removed again, also when the answer is not
    /// waited for: see [`App::tidied`].
    ///
    /// # Errors
    /// What was typed wrong, or the codes of secrets; no step was taken then.
    pub async fn test_connection(
        &self,
        draft: &Draft,
        observe: &(dyn Fn(&TestStep) + Sync),
    ) -> Result<Vec<TestStep>, Error> {
        self.connections.test(draft, &*self.environment, observe).await
    }

    /// Waits until what tests have written is gone that were broken off; a minute at most where the service does not answer.
    pub async fn tidied(&self) {
        self.connections.tidied().await;
    }

    /// The names of the buckets that a described connection's account has.
    ///
    /// # Errors
    /// What was typed wrong; the codes of secrets; the `s3_*` codes, among them `s3_access_denied` where the key may not list them.
    pub async fn buckets(&self, draft: &Draft) -> Result<Vec<String>, Error> {
        self.connections.buckets(draft).await
    }

    /// Makes the bucket that a described connection names. That it is there already and one's own is success.
    ///
    /// # Errors
    /// What was typed wrong; the codes of secrets; the `s3_*` codes, among them `s3_bucket_name_invalid` and `s3_bucket_taken`.
    pub async fn create_bucket(&self, draft: &Draft) -> Result<(), Error> {
        self.connections.create_bucket(draft).await
    }

    /// The journal knows of every upload that may still have something in the bucket: sending, waiting, failed or handed over.
    fn check_unused(&self, connection: &str) -> Result<(), Error> {
        let uploads = self.uploads.list()?;
        let of_it = uploads
            .iter()
            .filter(|upload| upload.connection == connection && !upload.state.is_final());
        match of_it.count() {
            0 => Ok(()),
            count => Err(Error::new("connection_in_use")
                .with("connection", connection)
                .with("count", count)),
        }
    }

    /// Takes the secret that a connection needs, and goes on with its uploads that wait for that.
    ///
    /// # Errors
    /// Code `connection_unknown`; `connection_secret_empty`, `connection_secret_invalid`; the codes of secrets.
    pub async fn sign_in(&self, connection: &str, secret: &Secret) -> Result<(), Error> {
        self.keep_secret(connection, secret).await?;
        self.uploads.resume_signed_in(|id| id == connection).await
    }

    /// Takes the secret that a connection needs, and leaves its uploads to whoever resumes them.
    ///
    /// # Errors
    /// As [`App::sign_in`].
    pub async fn keep_secret(&self, connection: &str, secret: &Secret) -> Result<(), Error> {
        self.connections.sign_in(connection, secret).await
    }

    /// Where a secret can be kept on this computer.
    pub async fn secret_places(&self) -> SecretPlaces {
        self.connections.secret_places().await
    }

    /// Unlocks the encrypted file of secrets for this process, or makes it where there is none, and goes on with the uploads that wait for
    /// that. Takes about a second.
    ///
    /// # Errors
    /// Codes `passphrase_wrong`, `passphrase_too_short` for a new file, `secrets_file_*`.
    pub async fn unlock(&self, passphrase: &Secret) -> Result<(), Error> {
        self.unlock_secrets(passphrase).await?;
        let in_file = self.connections.with_secret_in(SecretPlace::File)?;
        self.uploads
            .resume_signed_in(|id| in_file.iter().any(|of| of == id))
            .await
    }

    /// Unlocks the encrypted file of secrets, and leaves the uploads to whoever resumes them.
    ///
    /// # Errors
    /// As [`App::unlock`].
    pub async fn unlock_secrets(&self, passphrase: &Secret) -> Result<(), Error> {
        self.connections.unlock(passphrase).await
    }

    /// The connections that other programs of this person have. Reads their files now.
    pub fn profiles(&self) -> Profiles {
        self.connections.profiles()
    }

    /// Every image of a connection, in all its regions.
    ///
    /// # Errors
    /// Code `connection_unknown`, `connection_without_images` behind an object storage alone, or when the service cannot be asked.
    pub async fn images(&self, connection: &str) -> Result<ImageList, Error> {
        images::list(&*self.connections.open(connection).await?).await
    }

    /// The uploads: start, follow, resume, cancel.
    pub fn uploads(&self) -> &Uploads {
        &self.uploads
    }
}
