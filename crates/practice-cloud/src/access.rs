//! Addresses and credentials of a running practice cloud. Made anew at each start, never stored.

use std::fmt;

use url::Url;

use crate::PracticeError;

/// The bucket that is there from the start, for staging objects.
pub(crate) const BUCKET: &str = "staging";
/// The only region of the object store.
pub(crate) const REGION: &str = "practice";
/// The only user.
pub(crate) const USER: &str = "practice";
/// The only project.
pub(crate) const PROJECT: &str = "practice";
/// Id of the only domain; every Keystone has it.
pub(crate) const DOMAIN_ID: &str = "default";

/// How to reach and sign in to a practice cloud.
#[derive(Clone)]
pub struct Access {
    /// S3, path-style, without a trailing bucket.
    pub s3_endpoint: Url,
    /// The region to sign S3 requests for.
    pub s3_region: String,
    /// A bucket that exists.
    pub bucket: String,
    /// S3 access key.
    pub access_key: String,
    /// S3 secret key.
    pub secret_key: String,
    /// Keystone, ending in `/v3`.
    pub auth_url: Url,
    /// Name of the Keystone user.
    pub user: String,
    /// Password of the Keystone user.
    pub password: String,
    /// Id of the domain of user and project.
    pub domain: String,
    /// Name of the project.
    pub project: String,
}

impl Access {
    /// Fresh credentials for a cloud whose S3 and OpenStack services listen on these loopback ports.
    pub(crate) fn generate(s3_port: u16, openstack_port: u16) -> Result<Self, PracticeError> {
        let url = |port: u16, path: &str| {
            Url::parse(&format!("http://127.0.0.1:{port}{path}")).map_err(|error| PracticeError::port(&error))
        };
        Ok(Self {
            s3_endpoint: url(s3_port, "/")?,
            s3_region: REGION.to_owned(),
            bucket: BUCKET.to_owned(),
            access_key: random_hex::<10>()?.to_uppercase(),
            secret_key: random_hex::<20>()?,
            auth_url: url(openstack_port, "/identity/v3")?,
            user: USER.to_owned(),
            password: random_hex::<20>()?,
            domain: DOMAIN_ID.to_owned(),
            project: PROJECT.to_owned(),
        })
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access")
            .field("s3_endpoint", &self.s3_endpoint.as_str())
            .field("s3_region", &self.s3_region)
            .field("bucket", &self.bucket)
            .field("auth_url", &self.auth_url.as_str())
            .field("user", &self.user)
            .field("domain", &self.domain)
            .field("project", &self.project)
            .finish_non_exhaustive()
    }
}

/// `N` random bytes as lower-case hexadecimal digits.
fn random_hex<const N: usize>() -> Result<String, PracticeError> {
    let mut bytes = [0_u8; N];
    getrandom::fill(&mut bytes).map_err(|error| PracticeError::port(&error))?;
    Ok(crate::hex(&bytes))
}
