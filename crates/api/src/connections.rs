//! Connections as they cross to the window. A secret crosses one way only: from the window to the engine.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::ApiError;

/// Where the bucket stands in addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Addressing {
    /// `https://service/bucket/key`.
    Path,
    /// `https://bucket.service/key`.
    VirtualHost,
}

impl From<lotse_app::Addressing> for Addressing {
    fn from(addressing: lotse_app::Addressing) -> Self {
        match addressing {
            lotse_app::Addressing::Path => Self::Path,
            lotse_app::Addressing::VirtualHost => Self::VirtualHost,
        }
    }
}

impl From<Addressing> for lotse_app::Addressing {
    fn from(addressing: Addressing) -> Self {
        match addressing {
            Addressing::Path => Self::Path,
            Addressing::VirtualHost => Self::VirtualHost,
        }
    }
}

/// How a staging object is made readable for everybody who knows its address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum PublicBy {
    /// By its own access control list.
    Acl,
    /// By a statement in the bucket's policy.
    BucketPolicy,
}

impl From<lotse_app::PublicBy> for PublicBy {
    fn from(by: lotse_app::PublicBy) -> Self {
        match by {
            lotse_app::PublicBy::Acl => Self::Acl,
            lotse_app::PublicBy::BucketPolicy => Self::BucketPolicy,
        }
    }
}

impl From<PublicBy> for lotse_app::PublicBy {
    fn from(by: PublicBy) -> Self {
        match by {
            PublicBy::Acl => Self::Acl,
            PublicBy::BucketPolicy => Self::BucketPolicy,
        }
    }
}

/// Where a secret key is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum SecretPlace {
    /// In the system's keychain.
    Keychain,
    /// In a file encrypted under a passphrase.
    File,
    /// Nowhere: asked for each time.
    Ask,
}

impl From<lotse_app::SecretPlace> for SecretPlace {
    fn from(place: lotse_app::SecretPlace) -> Self {
        match place {
            lotse_app::SecretPlace::Keychain => Self::Keychain,
            lotse_app::SecretPlace::File => Self::File,
            lotse_app::SecretPlace::Ask => Self::Ask,
        }
    }
}

impl From<SecretPlace> for lotse_app::SecretPlace {
    fn from(place: SecretPlace) -> Self {
        match place {
            SecretPlace::Keychain => Self::Keychain,
            SecretPlace::File => Self::File,
            SecretPlace::Ask => Self::Ask,
        }
    }
}

/// What a person tells of an object storage, without the secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ObjectStorage {
    /// What the person calls it.
    pub name: String,
    /// The service's address as typed; without a scheme it is HTTPS.
    pub endpoint: String,
    /// Region to sign for.
    pub region: String,
    /// The bucket that takes staging objects.
    pub bucket: String,
    /// Where the bucket stands in addresses.
    pub addressing: Addressing,
    /// Access key.
    pub access_key: String,
    /// How a staging object is made readable.
    pub public_by: PublicBy,
    /// Where the secret key is kept.
    pub secret_in: SecretPlace,
    /// Address of the control panel; null where it was not told.
    pub panel: Option<String>,
    /// Names of the panel's regions that the person has noted.
    pub image_regions: Vec<String>,
}

impl From<lotse_app::ObjectStorage> for ObjectStorage {
    fn from(storage: lotse_app::ObjectStorage) -> Self {
        Self {
            name: storage.name,
            endpoint: storage.endpoint.to_string(),
            region: storage.region,
            bucket: storage.bucket,
            addressing: storage.addressing.into(),
            access_key: storage.access_key,
            public_by: storage.public_by.into(),
            secret_in: storage.secret_in.into(),
            panel: storage.panel.map(|panel| panel.to_string()),
            image_regions: storage.image_regions,
        }
    }
}

impl TryFrom<ObjectStorage> for lotse_app::ObjectStorage {
    type Error = lotse_app::Error;

    fn try_from(storage: ObjectStorage) -> Result<Self, lotse_app::Error> {
        let panel = storage.panel.unwrap_or_default();
        Ok(Self {
            name: storage.name,
            endpoint: Self::address(&storage.endpoint)?,
            region: storage.region,
            bucket: storage.bucket,
            addressing: storage.addressing.into(),
            access_key: storage.access_key,
            public_by: storage.public_by.into(),
            secret_in: storage.secret_in.into(),
            panel: Self::panel_address(&panel)?,
            image_regions: storage.image_regions,
        })
    }
}

/// A secret as it was typed. Not to be serialized, and nothing shows it.
#[derive(Clone, PartialEq, Eq, Deserialize, TS)]
#[serde(transparent)]
pub struct TypedSecret(String);

impl fmt::Debug for TypedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl From<TypedSecret> for lotse_app::Secret {
    fn from(secret: TypedSecret) -> Self {
        Self::new(secret.0)
    }
}

/// Where the secret key comes from when a connection is tried or kept.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, TS)]
#[serde(rename_all = "snake_case", tag = "from")]
pub enum SecretSource {
    /// From the person.
    Typed {
        /// What was typed.
        secret: TypedSecret,
    },
    /// From a connection that has one already.
    Kept {
        /// Its id.
        connection: String,
    },
    /// From another program's profile: the engine reads it, it does not cross.
    Profile {
        /// Whose profile it is.
        source: ProfileSource,
        /// Its name there.
        name: String,
    },
}

impl From<SecretSource> for lotse_app::SecretSource {
    fn from(source: SecretSource) -> Self {
        match source {
            SecretSource::Typed { secret } => Self::Typed(secret.into()),
            SecretSource::Kept { connection } => Self::Kept(connection),
            SecretSource::Profile { source, name } => Self::Profile {
                source: source.into(),
                name,
            },
        }
    }
}

/// A program whose profiles can be taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum ProfileSource {
    /// The AWS command line.
    Aws,
    /// rclone.
    Rclone,
}

impl From<lotse_app::ProfileSource> for ProfileSource {
    fn from(source: lotse_app::ProfileSource) -> Self {
        match source {
            lotse_app::ProfileSource::Aws => Self::Aws,
            lotse_app::ProfileSource::Rclone => Self::Rclone,
        }
    }
}

impl From<ProfileSource> for lotse_app::ProfileSource {
    fn from(source: ProfileSource) -> Self {
        match source {
            ProfileSource::Aws => Self::Aws,
            ProfileSource::Rclone => Self::Rclone,
        }
    }
}

/// What another program knows of an object storage, without the secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct Profile {
    /// Whose it is.
    pub source: ProfileSource,
    /// Its name there.
    pub name: String,
    /// The service's address; null where the profile tells none.
    pub endpoint: Option<String>,
    /// Region to sign for.
    pub region: Option<String>,
    /// Access key.
    pub access_key: Option<String>,
    /// Where the bucket stands in addresses.
    pub addressing: Addressing,
    /// Why it cannot be used.
    pub problem: Option<ApiError>,
}

impl From<lotse_app::Profile> for Profile {
    fn from(profile: lotse_app::Profile) -> Self {
        Self {
            source: profile.source.into(),
            name: profile.name,
            endpoint: profile.endpoint.map(|endpoint| endpoint.to_string()),
            region: profile.region,
            access_key: profile.access_key,
            addressing: profile.addressing.into(),
            problem: profile.problem.map(ApiError::from),
        }
    }
}

/// The profiles of this computer's user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct Profiles {
    /// In the order of their files.
    pub found: Vec<Profile>,
    /// Files that are there but could not be read.
    pub unreadable: Vec<ApiError>,
}

impl From<lotse_app::Profiles> for Profiles {
    fn from(profiles: lotse_app::Profiles) -> Self {
        Self {
            found: profiles.found.into_iter().map(Profile::from).collect(),
            unreadable: profiles.unreadable.into_iter().map(ApiError::from).collect(),
        }
    }
}

/// How the encrypted file of secrets stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum SecretFile {
    /// There is none yet.
    None,
    /// Its passphrase is needed.
    Locked,
    /// Its passphrase was given since the program was started.
    Unlocked,
}

impl From<lotse_app::FileState> for SecretFile {
    fn from(state: lotse_app::FileState) -> Self {
        match state {
            lotse_app::FileState::None => Self::None,
            lotse_app::FileState::Locked => Self::Locked,
            lotse_app::FileState::Unlocked => Self::Unlocked,
        }
    }
}

/// Where secrets can be kept on this computer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct SecretPlaces {
    /// Why the system's keychain cannot be used; null where it can.
    pub keychain: Option<ApiError>,
    /// The encrypted file.
    pub file: SecretFile,
}

impl From<lotse_app::SecretPlaces> for SecretPlaces {
    fn from(places: lotse_app::SecretPlaces) -> Self {
        Self {
            keychain: places.keychain.err().map(ApiError::from),
            file: places.file.into(),
        }
    }
}

/// A connection that is not kept yet, or shall be changed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, TS)]
pub struct ConnectionDraft {
    /// Everything but the secret.
    pub storage: ObjectStorage,
    /// The secret.
    pub secret: SecretSource,
}

impl TryFrom<ConnectionDraft> for lotse_app::Draft {
    type Error = lotse_app::Error;

    fn try_from(draft: ConnectionDraft) -> Result<Self, lotse_app::Error> {
        Ok(Self {
            storage: draft.storage.try_into()?,
            secret: draft.secret.into(),
        })
    }
}

/// What a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionKind {
    /// The embedded cloud: nothing leaves this computer.
    Practice,
    /// An object storage; a person imports from there in ccloud³'s panel.
    ObjectStorage,
}

/// A connection that images can be sent to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct Connection {
    /// Names it in calls.
    pub id: String,
    /// What it is.
    pub kind: ConnectionKind,
    /// What the person calls it; empty for the practice cloud.
    pub name: String,
    /// Regions that take images, the preset first; those the person noted where the service does not tell.
    pub regions: Vec<String>,
    /// What the person told of it; null for the practice cloud.
    pub storage: Option<ObjectStorage>,
    /// What keeps it from being used now, such as `secret_needed`.
    pub needs: Option<ApiError>,
}

impl From<lotse_app::Connection> for Connection {
    fn from(connection: lotse_app::Connection) -> Self {
        let kind = match connection.kind {
            lotse_app::ConnectionKind::Practice => ConnectionKind::Practice,
            lotse_app::ConnectionKind::ObjectStorage => ConnectionKind::ObjectStorage,
        };
        Self {
            id: connection.id,
            kind,
            name: connection.name,
            regions: connection.regions,
            storage: connection.storage.map(ObjectStorage::from),
            needs: connection.needs.map(ApiError::from),
        }
    }
}

/// What a connection's test tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum TestStepKind {
    /// The service's name is known.
    Name,
    /// The service answers, over TLS with a trusted certificate.
    Reach,
    /// The clocks agree.
    Clock,
    /// The service knows the key, and the secret fits.
    SignIn,
    /// The bucket is there.
    Bucket,
    /// An object can be written.
    Write,
    /// It can be made readable for everybody.
    PublicRead,
    /// It can be removed.
    Delete,
}

impl From<lotse_app::TestStepKind> for TestStepKind {
    fn from(kind: lotse_app::TestStepKind) -> Self {
        match kind {
            lotse_app::TestStepKind::Name => Self::Name,
            lotse_app::TestStepKind::Reach => Self::Reach,
            lotse_app::TestStepKind::Clock => Self::Clock,
            lotse_app::TestStepKind::SignIn => Self::SignIn,
            lotse_app::TestStepKind::Bucket => Self::Bucket,
            lotse_app::TestStepKind::Write => Self::Write,
            lotse_app::TestStepKind::PublicRead => Self::PublicRead,
            lotse_app::TestStepKind::Delete => Self::Delete,
        }
    }
}

/// How a step went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "snake_case", tag = "result")]
pub enum TestOutcome {
    /// It works.
    Passed {
        /// Parameters of the sentence that says so.
        #[ts(type = "Record<string, string>")]
        params: BTreeMap<String, String>,
    },
    /// It works, but something is to be known.
    Warned {
        /// What.
        error: ApiError,
    },
    /// It does not work.
    Failed {
        /// Why.
        error: ApiError,
    },
    /// Not tried, since something before it does not work.
    Skipped,
}

/// One step of a connection's test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct TestStep {
    /// What was tried.
    pub kind: TestStepKind,
    /// How it went.
    pub outcome: TestOutcome,
}

impl From<lotse_app::TestStep> for TestStep {
    fn from(step: lotse_app::TestStep) -> Self {
        let outcome = match step.outcome {
            lotse_app::TestOutcome::Passed(params) => TestOutcome::Passed { params },
            lotse_app::TestOutcome::Warned(error) => TestOutcome::Warned { error: error.into() },
            lotse_app::TestOutcome::Failed(error) => TestOutcome::Failed { error: error.into() },
            lotse_app::TestOutcome::Skipped => TestOutcome::Skipped,
        };
        Self {
            kind: step.kind.into(),
            outcome,
        }
    }
}
