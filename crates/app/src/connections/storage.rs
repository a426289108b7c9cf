//! What a person tells of an object storage.

use lotse_cloud::{Addressing, PublicBy, S3, S3Config, Secret};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::{Error, ProfileSource, SecretPlace};

/// An object storage through which images reach ccloud³: everything but the secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectStorage {
    /// What the person calls it.
    pub name: String,
    /// The service, without the bucket.
    pub endpoint: Url,
    /// Region to sign for.
    pub region: String,
    /// The bucket that takes staging objects.
    pub bucket: String,
    /// Where the bucket stands in addresses.
    #[serde(default)]
    pub addressing: Addressing,
    /// Access key: names the account, is no secret by itself.
    pub access_key: String,
    /// How a staging object is made readable for ccloud³.
    #[serde(default)]
    pub public_by: PublicBy,
    /// Where the secret key is kept.
    #[serde(default)]
    pub secret_in: SecretPlace,
    /// Address of the control panel in which images are imported.
    #[serde(default)]
    pub panel: Option<Url>,
    /// Names of the regions as the panel shows them, as far as the person has noted them.
    #[serde(default)]
    pub image_regions: Vec<String>,
}

impl ObjectStorage {
    /// A client of its bucket.
    pub(super) fn client(&self, secret: Secret) -> Result<S3, Error> {
        let config = S3Config {
            endpoint: self.endpoint.clone(),
            region: self.region.clone(),
            bucket: self.bucket.clone(),
            access_key: self.access_key.clone(),
            secret_key: secret,
            addressing: self.addressing,
        };
        Ok(S3::new(config, lotse_cloud::http_client()?)?)
    }
}

/// Where the secret key comes from when a connection is tried or kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// From the person.
    Typed(Secret),
    /// From the connection with this id, which has one already.
    Kept(String),
    /// From another program's profile.
    Profile {
        /// Whose it is.
        source: ProfileSource,
        /// What it is called there.
        name: String,
    },
}

/// A connection that is not kept yet, or shall be changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// Everything but the secret.
    pub storage: ObjectStorage,
    /// The secret.
    pub secret: SecretSource,
}
