//! The clouds that images can be sent to: the practice cloud, started inside this process when it is first used, and what a person
//! has set up: object storages, from which ccloud³ imports.

mod cleaned;
mod id;
mod storage;
mod store;
mod test;
mod trial;

use std::{
    collections::{BTreeSet, HashMap},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use lotse_cloud::{Addressing, KeystoneConfig, OpenStack, PublicBy, S3, S3Config, Secret};
use lotse_practice_cloud::PracticeCloud;
use tokio::sync::OnceCell;
use tokio_util::task::TaskTracker;
use url::Url;

pub use self::{
    storage::{Draft, ObjectStorage, SecretSource},
    test::{TestOutcome, TestStep, TestStepKind},
};
use self::{
    store::{Store, Stored},
    trial::Trial,
};
use crate::{Environment, Error, ProfilePaths, Profiles, SecretPlace, SecretPlaces, profiles, secrets::Secrets};

/// Id of the practice cloud's connection.
pub const PRACTICE: &str = "practice";

/// Under which the objects of uploads and tests lie in a bucket.
pub(crate) const PREFIX: &str = "imagelotse/";

/// A connection as a person sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// Names it in calls, settings and the journal: a short word of small letters, digits and `-`.
    pub id: String,
    /// What it is.
    pub kind: ConnectionKind,
    /// What the person calls it; empty for the practice cloud.
    pub name: String,
    /// Regions that take images, in the service's order; those the person noted where the service does not tell.
    pub regions: Vec<String>,
    /// What the person told of it; none for the practice cloud.
    pub storage: Option<ObjectStorage>,
    /// What keeps it from being used now, such as `secret_needed`.
    pub needs: Option<Error>,
}

/// What a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionKind {
    /// The embedded cloud: nothing leaves this computer.
    Practice,
    /// An object storage; a person imports from there in ccloud³'s panel.
    ObjectStorage,
}

/// A connection in use: its clients, signed in.
pub(crate) struct OpenConnection {
    pub(crate) staging: S3,
    pub(crate) public_by: PublicBy,
    /// Stands for the right to change the bucket's policy, against other processes of this person.
    pub(crate) policy: PathBuf,
    /// Where images are made without a person; none behind an object storage alone.
    pub(crate) openstack: Option<OpenStack>,
    /// As the person told it when it was opened; none for the practice cloud.
    pub(crate) storage: Option<ObjectStorage>,
    /// Stops the embedded server when the last user is gone.
    _practice: Option<PracticeCloud>,
}

impl OpenConnection {
    /// # Errors
    /// Code `connection_without_images` behind an object storage alone.
    pub(crate) fn openstack(&self) -> Result<&OpenStack, Error> {
        self.openstack
            .as_ref()
            .ok_or_else(|| Error::new("connection_without_images"))
    }
}

/// The connections of one process, each opened when it is first used and kept.
pub(crate) struct Connections {
    folder: PathBuf,
    store: Store,
    secrets: Secrets,
    profile_paths: ProfilePaths,
    practice: OnceCell<Arc<OpenConnection>>,
    open: Mutex<HashMap<String, Arc<OpenConnection>>>,
    /// What goes on removing the objects of tests that were broken off.
    tidying: TaskTracker,
}

impl Connections {
    pub(crate) fn new(folder: &Path, environment: &dyn Environment) -> Self {
        Self {
            folder: folder.to_owned(),
            store: Store::new(folder),
            secrets: Secrets::new(folder, environment.keychain()),
            profile_paths: environment.profile_paths(),
            practice: OnceCell::new(),
            open: Mutex::default(),
            tidying: TaskTracker::new(),
        }
    }

    pub(crate) async fn open(&self, id: &str) -> Result<Arc<OpenConnection>, Error> {
        if id == PRACTICE {
            return self
                .practice
                .get_or_try_init(|| open_practice(&self.folder))
                .await
                .cloned();
        }
        let storage = self.store.one(id)?;
        if let Some(open) = self.opened().get(id)
            && open.storage.as_ref() == Some(&storage)
        {
            return Ok(Arc::clone(open));
        }
        let secret = self.secrets.read(id, storage.secret_in).await?;
        let open = Arc::new(OpenConnection {
            staging: storage.client(secret)?,
            public_by: storage.public_by,
            policy: policy_file(&self.folder, &storage.bucket),
            openstack: None,
            storage: Some(storage),
            _practice: None,
        });
        self.opened().insert(id.to_owned(), Arc::clone(&open));
        Ok(open)
    }

    pub(crate) async fn list(&self) -> Result<Vec<Connection>, Error> {
        let practice = self.open(PRACTICE).await?;
        let mut all = vec![Connection {
            id: PRACTICE.to_owned(),
            kind: ConnectionKind::Practice,
            name: String::new(),
            regions: practice.openstack()?.regions(),
            storage: None,
            needs: None,
        }];
        for (id, stored) in self.store.all()? {
            all.push(self.seen(id, stored).await);
        }
        Ok(all)
    }

    /// The ids of all of them.
    pub(crate) fn ids(&self) -> Result<Vec<String>, Error> {
        let kept = self.store.all()?;
        Ok(std::iter::once(PRACTICE.to_owned()).chain(kept.into_keys()).collect())
    }

    /// The address of an object for whoever may read it without a key. Needs no secret.
    pub(crate) async fn address(&self, id: &str, key: &str) -> Result<Url, Error> {
        if id == PRACTICE {
            return Ok(self.open(id).await?.staging.object_url(key));
        }
        Ok(self.store.one(id)?.client(Secret::new(String::new()))?.object_url(key))
    }

    /// The address of the panel, where the person told it.
    pub(crate) fn panel(&self, id: &str) -> Result<Option<Url>, Error> {
        if id == PRACTICE {
            return Ok(None);
        }
        Ok(self.store.one(id)?.panel)
    }

    /// One of them; the practice cloud needs nothing.
    pub(crate) async fn one(&self, id: &str) -> Result<Connection, Error> {
        let stored = self.store.all()?.remove(id).ok_or_else(|| unknown(id))?;
        Ok(self.seen(id.to_owned(), stored).await)
    }

    /// What a draft for the connection with this id changes of where its uploads go.
    pub(crate) fn moves(&self, id: &str, draft: &Draft) -> Result<bool, Error> {
        let (before, after) = (self.store.one(id)?, draft.storage.cleaned()?);
        let place = |storage: &ObjectStorage| (storage.endpoint.clone(), storage.bucket.clone(), storage.addressing);
        Ok(place(&before) != place(&after))
    }

    /// Keeps a new connection under an id that is not `used`, or changes one. Uploads that run go on with what they began with.
    pub(crate) async fn save(
        &self,
        id: Option<&str>,
        draft: &Draft,
        used: &BTreeSet<String>,
    ) -> Result<Connection, Error> {
        let mut storage = draft.storage.cleaned()?;
        if storage.region.is_empty() {
            // A secret that is not at hand is no reason not to keep a changed name.
            storage.region = match self.secret(&draft.secret).await {
                Ok(secret) => self.settled(storage.clone(), secret).await?.0.region,
                Err(_) => trial::PRESET_REGION.to_owned(),
            };
        }
        let id = match id {
            Some(id) => {
                self.change(id, &storage, &draft.secret).await?;
                id.to_owned()
            }
            None => self.add(&storage, &draft.secret, used).await?,
        };
        self.forget(&id);
        Ok(self.seen(id, Stored::Known(Box::new(storage))).await)
    }

    async fn add(
        &self,
        storage: &ObjectStorage,
        source: &SecretSource,
        used: &BTreeSet<String>,
    ) -> Result<String, Error> {
        let secret = self.secret(source).await?;
        let id = self.store.add(storage, used)?;
        match self.secrets.write(&id, storage.secret_in, &secret).await {
            Ok(()) => Ok(id),
            Err(error) => {
                self.store.remove(&id)?;
                Err(error)
            }
        }
    }

    async fn change(&self, id: &str, storage: &ObjectStorage, source: &SecretSource) -> Result<(), Error> {
        let before = self.store.one(id)?;
        let place = storage.secret_in;
        let secret = self.new_secret(id, &before, storage, source).await?;
        let entry = self.store.set(id, storage)?;
        if let Some(secret) = &secret
            && let Err(error) = self.secrets.write(id, place, secret).await
        {
            self.store.restore(id, entry)?;
            return Err(error);
        }
        if before.secret_in != place {
            if let Err(error) = self.secrets.remove(id, before.secret_in).await {
                tracing::warn!(%error, connection = id, "the secret is still in its old place, too");
            }
            // What this process remembers is forgotten with any place.
            if let (SecretPlace::Ask, Some(secret)) = (place, secret) {
                self.secrets.remember(id, secret);
            }
        }
        Ok(())
    }

    /// The secret that a changed connection needs written: none where it stays where it is.
    async fn new_secret(
        &self,
        id: &str,
        before: &ObjectStorage,
        after: &ObjectStorage,
        source: &SecretSource,
    ) -> Result<Option<Secret>, Error> {
        let stays = *source == SecretSource::Kept(id.to_owned()) && before.secret_in == after.secret_in;
        if stays {
            Ok(None)
        } else {
            self.secret(source).await.map(Some)
        }
    }

    /// Removes a connection and its secret. `anyway`: also where the secret cannot be removed.
    pub(crate) async fn remove(&self, id: &str, anyway: bool) -> Result<(), Error> {
        let stored = self.store.all()?.remove(id).ok_or_else(|| unknown(id))?;
        // The secret first: without its connection nobody could find it any more. Where that is only the program knows that wrote it.
        if let Stored::Known(storage) = stored
            && let Err(error) = self.secrets.remove(id, storage.secret_in).await
        {
            if !anyway && error.code != "keychain_unavailable" {
                return Err(error);
            }
            tracing::warn!(%error, connection = id, "the secret of a removed connection is still where it was");
        }
        self.store.remove(id)?;
        self.forget(id);
        Ok(())
    }

    /// Can a connection be used without asking anybody, as far as can be told?
    ///
    /// # Errors
    /// What it needs.
    pub(crate) async fn check_at_hand(&self, id: &str) -> Result<(), Error> {
        if id == PRACTICE || self.opened().contains_key(id) {
            return Ok(());
        }
        self.secrets.needs(id, self.store.one(id)?.secret_in).await
    }

    /// Has a connection opened anew the next time: with the secret that may have been changed by another process meanwhile.
    pub(crate) fn forget(&self, id: &str) {
        self.opened().remove(id);
    }

    /// Takes a secret that a connection needs.
    pub(crate) async fn sign_in(&self, id: &str, secret: &Secret) -> Result<(), Error> {
        let storage = self.store.one(id)?;
        let secret = cleaned::secret(secret)?;
        match self.secrets.write(id, storage.secret_in, &secret).await {
            // A keychain that is away just now is no reason to stop: this process knows the secret, the next one asks again.
            Err(error) if storage.secret_in == SecretPlace::Keychain && needs_somebody(&error) => {
                self.secrets.remember(id, secret);
            }
            written => written?,
        }
        self.forget(id);
        Ok(())
    }

    /// Ids of those whose secret is kept there.
    pub(crate) fn with_secret_in(&self, place: SecretPlace) -> Result<Vec<String>, Error> {
        let all = self.store.all()?.into_iter();
        let of_place = |stored: &Stored| matches!(stored, Stored::Known(storage) if storage.secret_in == place);
        Ok(all.filter(|(_, stored)| of_place(stored)).map(|(id, _)| id).collect())
    }

    /// Unlocks the encrypted file, or makes it.
    pub(crate) async fn unlock(&self, passphrase: &Secret) -> Result<(), Error> {
        self.secrets.unlock(passphrase).await
    }

    /// Where secrets can be kept.
    pub(crate) async fn secret_places(&self) -> SecretPlaces {
        self.secrets.places().await
    }

    /// What other programs have.
    pub(crate) fn profiles(&self) -> Profiles {
        profiles::read(&self.profile_paths)
    }

    /// Tries a connection step by step. Dropped before its end it goes on only to remove what it has written.
    pub(crate) async fn test(
        &self,
        draft: &Draft,
        environment: &dyn Environment,
        observe: &(dyn Fn(&TestStep) + Sync),
    ) -> Result<Vec<TestStep>, Error> {
        let storage = draft.storage.cleaned_to_try()?;
        let secret = self.secret(&draft.secret).await?;
        let mut random = [0; 16];
        environment.random(&mut random)?;
        let trial = Trial {
            storage: &storage,
            client: &|storage| storage.client(secret.clone()),
            key: format!("{PREFIX}{:032x}/test.raw", u128::from_be_bytes(random)),
            now: &|| environment.now(),
            observe,
            tidying: &self.tidying,
        };
        trial.run().await
    }

    /// Waits until nothing of tests that were broken off is being removed any more.
    pub(crate) async fn tidied(&self) {
        self.tidying.close();
        self.tidying.wait().await;
    }

    /// The buckets of a draft's account.
    pub(crate) async fn buckets(&self, draft: &Draft) -> Result<Vec<String>, Error> {
        Ok(self.drafted(draft).await?.1.buckets().await?)
    }

    /// Makes the bucket of a draft.
    pub(crate) async fn create_bucket(&self, draft: &Draft) -> Result<(), Error> {
        let (storage, client) = self.drafted(draft).await?;
        if storage.bucket.is_empty() {
            return Err(Error::new("connection_bucket_empty"));
        }
        if !cleaned::may_be_made(&storage.bucket) {
            return Err(Error::new("s3_bucket_name_invalid").with("bucket", storage.bucket));
        }
        Ok(client.create_bucket().await?)
    }

    /// A client as a draft describes it, and what it describes.
    async fn drafted(&self, draft: &Draft) -> Result<(ObjectStorage, S3), Error> {
        let typed = draft.storage.cleaned_to_try()?;
        let secret = self.secret(&draft.secret).await?;
        self.settled(typed, secret).await
    }

    /// With its region, which is asked for where it was not typed.
    async fn settled(&self, typed: ObjectStorage, secret: Secret) -> Result<(ObjectStorage, S3), Error> {
        let client = typed.client(secret.clone())?;
        if !typed.region.is_empty() {
            return Ok((typed, client));
        }
        let storage = trial::settle_region(&typed, &client).await;
        let client = storage.client(secret)?;
        Ok((storage, client))
    }

    async fn secret(&self, source: &SecretSource) -> Result<Secret, Error> {
        match source {
            SecretSource::Typed(secret) => cleaned::secret(secret),
            SecretSource::Kept(id) => self.secrets.read(id, self.store.one(id)?.secret_in).await,
            SecretSource::Profile { source, name } => {
                let (_, secret) = profiles::secret(&self.profile_paths, *source, name)?;
                cleaned::secret(&secret)
            }
        }
    }

    async fn seen(&self, id: String, stored: Stored) -> Connection {
        let kind = ConnectionKind::ObjectStorage;
        match stored {
            Stored::Known(storage) => Connection {
                kind,
                name: storage.name.clone(),
                regions: storage.image_regions.clone(),
                needs: self.secrets.needs(&id, storage.secret_in).await.err(),
                storage: Some(*storage),
                id,
            },
            Stored::Strange(name, error) => Connection {
                kind,
                name,
                regions: Vec::new(),
                needs: Some(error),
                storage: None,
                id,
            },
        }
    }

    fn opened(&self) -> MutexGuard<'_, HashMap<String, Arc<OpenConnection>>> {
        // Whole between any two statements: a panic elsewhere leaves nothing half done in it.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unknown(id: &str) -> Error {
    if id == PRACTICE {
        return Error::new("connection_is_practice");
    }
    Error::new("connection_unknown").with("connection", id)
}

/// Does a connection that cannot be opened wait for a person, rather than for the network or for good?
pub(crate) fn needs_somebody(error: &Error) -> bool {
    matches!(
        error.code.as_str(),
        "secret_needed" | "passphrase_needed" | "keychain_locked" | "keychain_unavailable" | "keychain_failed"
    ) || error.code.starts_with("secrets_file_")
}

/// Named by the beginning of the bucket's name, all of whose characters may stand in a file's: those that share it wait for each other.
fn policy_file(folder: &Path, bucket: &str) -> PathBuf {
    folder.join(format!("policy-{bucket:.63}"))
}

async fn open_practice(folder: &Path) -> Result<Arc<OpenConnection>, Error> {
    let practice = PracticeCloud::start(&folder.join("practice-cloud")).await?;
    let access = practice.access();
    let http = lotse_cloud::http_client()?;
    let staging = S3::new(
        S3Config {
            endpoint: access.s3_endpoint.clone(),
            region: access.s3_region.clone(),
            bucket: access.bucket.clone(),
            access_key: access.access_key.clone(),
            secret_key: Secret::new(access.secret_key.clone()),
            addressing: Addressing::Path,
        },
        http.clone(),
    )?;
    let openstack = OpenStack::sign_in(
        http,
        &KeystoneConfig {
            auth_url: access.auth_url.clone(),
            user: access.user.clone(),
            password: Secret::new(access.password.clone()),
            domain: access.domain.clone(),
            project: access.project.clone(),
        },
    )
    .await?;
    Ok(Arc::new(OpenConnection {
        staging,
        public_by: PublicBy::Acl,
        policy: policy_file(folder, &access.bucket),
        openstack: Some(openstack),
        storage: None,
        _practice: Some(practice),
    }))
}
