//! S3 object storage: multipart uploads, buckets, lists and public objects, by signed addresses (Signature Version 4).
//! Written for what Ceph's radosgw, Swift's s3api, Garage and AWS really answer.

mod ask;
mod buckets;
mod clock;
mod error;
mod listing;
mod manner;
mod pace;
mod policy;
mod public;
mod reach;
mod region;
mod target;
mod xml;

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{StatusCode, header::CONTENT_TYPE};
use jiff::Timestamp;
use lotse_transfer::{TargetError, TargetErrorKind};
use reqwest::{Client, RequestBuilder};
use rusty_s3::{
    Bucket, BucketError, Credentials, S3Action, UrlStyle,
    actions::{DeleteObject, PutObject},
};
use url::{Host, Url};

use self::{
    buckets::name_invalid,
    clock::Clock,
    error::{error, is_missing_key, no_answer, proxy_refused, refusal},
    pace::Pace,
};
pub use self::{
    listing::{OpenUpload, StoredKey},
    manner::{Addressing, PublicBy},
    reach::Reached,
};
use crate::{
    CloudError, Secret,
    http::{Answer, NoAnswer, REQUEST_TIMEOUT},
};

/// How long a signed address is good for: as much as S3 lets clocks differ (15 minutes).
const SIGNED_FOR: Duration = Duration::from_mins(15);

/// Signed for where none is named, as every client does.
const DEFAULT_REGION: &str = "us-east-1";

/// Where and as whom.
#[derive(Clone)]
pub struct S3Config {
    /// The service, without the bucket.
    pub endpoint: Url,
    /// Region to sign for; empty: `us-east-1`.
    pub region: String,
    /// The bucket; may be empty as long as nothing is asked of one.
    pub bucket: String,
    /// Access key.
    pub access_key: String,
    /// Secret key.
    pub secret_key: Secret,
    /// Where the bucket's name stands in an address.
    pub addressing: Addressing,
}

impl fmt::Debug for S3Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // An endpoint with a password in it is refused, and until then it is not shown.
        f.debug_struct("S3Config")
            .field("endpoint", &self.endpoint.host_str())
            .field("region", &self.region)
            .field("bucket", &self.bucket)
            .field("access_key", &self.access_key)
            .field("secret_key", &self.secret_key)
            .field("addressing", &self.addressing)
            .finish()
    }
}

/// How long requests other than parts may take, from the first byte to the answer's last. For parts it is the engine that notices when
/// nothing moves any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct S3Timeouts {
    /// For small requests: one minute.
    pub small: Duration,
    /// For putting an object together: ten minutes, since AWS speaks of minutes for large ones.
    pub complete: Duration,
}

impl Default for S3Timeouts {
    fn default() -> S3Timeouts {
        S3Timeouts {
            small: REQUEST_TIMEOUT,
            complete: Duration::from_mins(10),
        }
    }
}

/// A service and one of its buckets. Clones share what they learn and the pace of their requests.
#[derive(Clone)]
pub struct S3 {
    http: Client,
    /// The service's own address.
    service: Url,
    bucket: Bucket,
    credentials: Credentials,
    clock: Arc<Clock>,
    pace: Arc<Pace>,
    timeouts: S3Timeouts,
}

impl fmt::Debug for S3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3")
            .field("bucket", &self.bucket.base_url().as_str())
            .finish_non_exhaustive()
    }
}

impl S3 {
    /// A client of a service and a bucket; nothing is sent yet.
    ///
    /// # Errors
    /// `s3_endpoint_invalid` if the endpoint is no HTTP address, or has a user or password in it; `s3_bucket_name_invalid`.
    pub fn new(config: S3Config, http: Client) -> Result<S3, CloudError> {
        let mut service = config.endpoint;
        service.set_query(None);
        service.set_fragment(None);
        let has_user = !service.username().is_empty() || service.password().is_some();
        let shown = if has_user {
            service.host_str().unwrap_or_default().to_owned()
        } else {
            service.to_string()
        };
        let invalid = || CloudError::new("s3_endpoint_invalid").with("endpoint", &shown);
        if has_user {
            return Err(invalid());
        }
        // As parts of a path they would mean another place.
        if matches!(config.bucket.as_str(), "." | "..") {
            return Err(CloudError::new("s3_bucket_name_invalid").with("bucket", &config.bucket));
        }
        let style = match config.addressing {
            Addressing::VirtualHost if !config.bucket.is_empty() => UrlStyle::VirtualHost,
            Addressing::VirtualHost | Addressing::Path => UrlStyle::Path,
        };
        let region = if config.region.is_empty() {
            DEFAULT_REGION.to_owned()
        } else {
            config.region
        };
        let by_name = matches!(service.host(), Some(Host::Domain(_)));
        let bucket =
            Bucket::new(service.clone(), style, config.bucket.clone(), region).map_err(|cause| match cause {
                // The service's own address is one, and the bucket's name before it makes it none.
                BucketError::ParseError(_) if by_name => {
                    CloudError::new("s3_bucket_name_invalid").with("bucket", &config.bucket)
                }
                cause => invalid().with("reason", &cause),
            })?;
        Ok(S3 {
            http,
            service,
            bucket,
            credentials: Credentials::new(config.access_key, config.secret_key.expose()),
            clock: Arc::default(),
            pace: Arc::default(),
            timeouts: S3Timeouts::default(),
        })
    }

    /// The same with other limits of time.
    #[must_use]
    pub fn with_timeouts(mut self, timeouts: S3Timeouts) -> S3 {
        self.timeouts = timeouts;
        self
    }

    /// The object's address, not signed: for objects that everybody may read. It ends as the key does, with the file's extension.
    pub fn object_url(&self, key: &str) -> Url {
        self.bucket.object_url(key)
    }

    /// Stores something small in one piece.
    ///
    /// # Errors
    /// The `s3_*` codes.
    pub async fn put(&self, key: &str, content: Bytes) -> Result<(), TargetError> {
        self.object(key)?;
        let action = PutObject::new(&self.bucket, Some(&self.credentials), key);
        let answer = self
            .exchange(self.timeouts.small, |at| {
                self.http
                    .put(action.sign_with_time(SIGNED_FOR, at))
                    .header(CONTENT_TYPE, content_type(key))
                    .body(content.clone())
            })
            .await?;
        if answer.status.is_success() {
            Ok(())
        } else {
            Err(refusal(&answer))
        }
    }

    /// Removes an object. That there is none is success.
    ///
    /// # Errors
    /// The `s3_*` codes.
    pub async fn delete(&self, key: &str) -> Result<(), TargetError> {
        self.object(key)?;
        let action = DeleteObject::new(&self.bucket, Some(&self.credentials), key);
        let answer = self
            .exchange(self.timeouts.small, |at| {
                self.http.delete(action.sign_with_time(SIGNED_FOR, at))
            })
            .await?;
        if answer.status.is_success() {
            return Ok(());
        }
        let refused = refusal(&answer);
        if is_missing_key(&refused) { Ok(()) } else { Err(refused) }
    }

    /// The bucket, where there is one.
    fn bucket(&self) -> Result<&Bucket, TargetError> {
        if self.bucket.name().is_empty() {
            return Err(name_invalid(""));
        }
        Ok(&self.bucket)
    }

    /// The object's address, if the key can be one. An empty key would mean the bucket, and `.` and `..` in a path another object.
    fn object(&self, key: &str) -> Result<Url, TargetError> {
        let bucket = self.bucket()?;
        if key.is_empty() || key.split('/').any(|segment| matches!(segment, "." | "..")) {
            return Err(error(
                TargetErrorKind::Rejected,
                "s3_key_invalid",
                [("key", key.to_owned())],
            ));
        }
        Ok(bucket.object_url(key))
    }

    /// A small request, signed at the time that it is given. Refused because of that time, it is repeated once by the service's clock.
    async fn exchange(
        &self,
        timeout: Duration,
        request: impl Fn(&Timestamp) -> RequestBuilder + Send + Sync,
    ) -> Result<Answer, TargetError> {
        for last in [false, true] {
            let signed = self.clock.now();
            let answer = self.send(request(&signed).timeout(timeout)).await?;
            if last || !self.clock.corrected_by(&answer, signed) {
                return Ok(answer);
            }
        }
        Err(error(TargetErrorKind::Network, "s3_clock_skew", []))
    }

    /// Sends a request when it is its turn.
    async fn send(&self, request: RequestBuilder) -> Result<Answer, TargetError> {
        self.pace.turn().await;
        let response = request.send().await.map_err(|error| no_answer(NoAnswer::from(error)))?;
        let answer = Answer::read(response).await.map_err(no_answer)?;
        if answer.status == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
            // Without TLS the proxy's own refusal comes as the answer.
            return Err(proxy_refused(&answer, &self.service));
        }
        Ok(answer)
    }
}

/// What a file is by its name, for whoever fetches it. There is no name for disk images but that of any bytes.
fn content_type(key: &str) -> &'static str {
    let name = key.rsplit_once('/').map_or(key, |(_, name)| name);
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    if extension.eq_ignore_ascii_case("gz") {
        "application/gzip"
    } else if extension.eq_ignore_ascii_case("bz2") {
        "application/x-bzip2"
    } else {
        "application/octet-stream"
    }
}
