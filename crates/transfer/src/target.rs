//! What the engine asks of a service that takes parts (S3 multipart upload is the model).

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;

use crate::body::PartBody;

/// What a target accepts. All sizes in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Smallest part, the last one excepted.
    pub min_part: u64,
    /// Largest part.
    pub max_part: u64,
    /// Most parts in one upload.
    pub max_parts: u32,
    /// Most parts on the way at the same time.
    pub max_concurrent: u32,
    /// Largest object.
    pub max_object: u64,
}

/// A part as the target acknowledged it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartReceipt {
    /// Counted from 1.
    pub number: u32,
    /// Bytes.
    pub size: u64,
    /// The target's own mark for the part's content, without quotes (S3: MD5 in hexadecimal digits).
    pub etag: String,
}

/// A finished object as the target tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredObject {
    /// Bytes.
    pub size: u64,
    /// Without quotes (S3 multipart: MD5 over the parts' MD5s, a dash, the number of parts).
    pub etag: String,
}

/// A service that takes an object in parts, in any order.
#[async_trait]
pub trait Target: Send + Sync {
    /// What the service accepts.
    fn limits(&self) -> Limits;

    /// Opens an upload and returns the service's id for it.
    async fn begin(&self, key: &str) -> Result<String, TargetError>;

    /// The parts that the service holds, ascending by number. An upload it does not know is [`TargetErrorKind::NotFound`].
    async fn parts(&self, key: &str, upload_id: &str) -> Result<Vec<PartReceipt>, TargetError>;

    /// The ids of all uploads that are open under this very key; none where the service does not tell.
    async fn uploads(&self, key: &str) -> Result<Vec<String>, TargetError>;

    /// Sends one part. `md5` is the MD5 of the body; the service refuses a part that does not match. The body may take its time: it is
    /// the engine that notices when nothing moves any more and drops the call.
    async fn put_part(
        &self,
        key: &str,
        upload_id: &str,
        number: u32,
        body: PartBody,
        md5: [u8; 16],
    ) -> Result<PartReceipt, TargetError>;

    /// Makes the object of the parts. Repeating it after success is success.
    async fn complete(&self, key: &str, upload_id: &str, parts: &[PartReceipt]) -> Result<(), TargetError>;

    /// Throws the upload's parts away. Repeating it, or an unknown upload, is success.
    async fn abort(&self, key: &str, upload_id: &str) -> Result<(), TargetError>;

    /// The finished object, `None` if there is none under this key.
    async fn stored(&self, key: &str) -> Result<Option<StoredObject>, TargetError>;
}

/// Who can do something about a target's error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TargetErrorKind {
    /// The service could not be reached or broke off: try again.
    Network,
    /// The service is overloaded (429, 503): try again, slower.
    Busy,
    /// Not signed in, key unknown or expired.
    Unauthorized,
    /// Signed in, but not allowed.
    Forbidden,
    /// The bucket, object or upload is not there.
    NotFound,
    /// The service stored or received something else than was sent.
    Integrity,
    /// The service refuses for another reason; repeating does not help.
    Rejected,
}

/// An error of a target, with a stable code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code} {params:?}")]
pub struct TargetError {
    /// Who can do something about it.
    pub kind: TargetErrorKind,
    /// Stable code (`snake_case`), for example `s3_access_denied`.
    pub code: &'static str,
    /// Parameters for the sentence: `status`, `service_message`, `request_id`.
    pub params: BTreeMap<String, String>,
    /// How long the service asks to be left alone (`Retry-After`).
    pub retry_after: Option<Duration>,
}

impl TargetError {
    /// True when repeating the same request can succeed.
    pub fn retryable(&self) -> bool {
        matches!(
            self.kind,
            TargetErrorKind::Network | TargetErrorKind::Busy | TargetErrorKind::Integrity
        )
    }
}
