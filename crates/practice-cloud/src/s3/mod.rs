//! S3 on our own store: what radosgw and Swift accept and refuse, as far as an uploader meets it.

mod buckets;
mod gate;
mod listing;
mod multipart;
mod object;
mod policy;
mod rights;

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use rusqlite::Transaction;
use s3s::{
    S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result,
    dto::{
        AbortMultipartUploadInput, AbortMultipartUploadOutput, CompleteMultipartUploadInput,
        CompleteMultipartUploadOutput, CreateBucketInput, CreateBucketOutput, CreateMultipartUploadInput,
        CreateMultipartUploadOutput, DeleteBucketInput, DeleteBucketOutput, DeleteBucketPolicyInput,
        DeleteBucketPolicyOutput, DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput,
        GetBucketPolicyInput, GetBucketPolicyOutput, GetObjectAclInput, GetObjectAclOutput, GetObjectInput,
        GetObjectOutput, HeadBucketInput, HeadBucketOutput, HeadObjectInput, HeadObjectOutput, ListBucketsInput,
        ListBucketsOutput, ListMultipartUploadsInput, ListMultipartUploadsOutput, ListObjectsInput, ListObjectsOutput,
        ListObjectsV2Input, ListObjectsV2Output, ListPartsInput, ListPartsOutput, Owner, PutBucketPolicyInput,
        PutBucketPolicyOutput, PutObjectAclInput, PutObjectAclOutput, PutObjectInput, PutObjectOutput, StreamingBlob,
        Timestamp, UploadPartInput, UploadPartOutput,
    },
    s3_error,
};

use crate::{
    blobs::{Expected, ReceiveError, Received},
    node::Node,
    objects::ObjectError,
};

pub(crate) use gate::{Gate, Keys};

/// Largest part and largest object sent in one piece, bytes: 5 GiB (S3 user guide, "Amazon S3 multipart upload limits").
const MAX_PART: u64 = 5 * 1024 * 1024 * 1024;

/// Tells the image service in the same process which content a GET answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AnsweredContent(pub(crate) i64);

/// The object store.
#[derive(Clone)]
pub(crate) struct ObjectStore(pub(crate) Arc<Node>);

impl From<ObjectError> for S3Error {
    fn from(error: ObjectError) -> Self {
        match error {
            ObjectError::NoSuchBucket => s3_error!(NoSuchBucket),
            ObjectError::BucketNotEmpty => s3_error!(BucketNotEmpty),
            ObjectError::TooManyBuckets => s3_error!(TooManyBuckets),
            ObjectError::NoSuchUpload => s3_error!(NoSuchUpload),
            ObjectError::InvalidPart(number) => s3_error!(InvalidPart, "part {number}"),
            ObjectError::InvalidPartOrder => s3_error!(InvalidPartOrder),
            ObjectError::TooSmall(number) => s3_error!(EntityTooSmall, "part {number}"),
            ObjectError::NoParts => s3_error!(MalformedXML),
            ObjectError::Exists => s3_error!(PreconditionFailed),
            ObjectError::Store(error) => S3Error::internal_error(error),
        }
    }
}

impl From<ReceiveError> for S3Error {
    fn from(error: ReceiveError) -> Self {
        match error {
            ReceiveError::Broken | ReceiveError::WrongSize => s3_error!(IncompleteBody),
            ReceiveError::WrongMd5 => s3_error!(BadDigest),
            ReceiveError::Io(error) => S3Error::internal_error(error),
        }
    }
}

impl ObjectStore {
    /// Runs `work` in one transaction of the database.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, ObjectError> + Send + 'static,
    ) -> S3Result<T> {
        Ok(self.0.store.run(work).await?)
    }

    async fn receive(&self, body: Option<StreamingBlob>, length: Option<i64>, md5: Option<&str>) -> S3Result<Received> {
        let size = length
            .map(u64::try_from)
            .transpose()
            .map_err(|_| s3_error!(InvalidArgument))?;
        if size.is_some_and(|size| size > MAX_PART) {
            return Err(s3_error!(EntityTooLarge));
        }
        // Without a length the body could go on for good; radosgw wants one, too.
        let size = size
            .or(body.is_none().then_some(0))
            .ok_or_else(|| s3_error!(MissingContentLength))?;
        let expected = Expected {
            size: Some(size),
            md5: md5.map(parse_md5).transpose()?,
            sha512: false,
        };
        let body = body.unwrap_or_else(|| StreamingBlob::from(s3s::Body::empty()));
        Ok(self.0.blobs.receive(body, expected).await?)
    }
}

#[async_trait::async_trait]
impl S3 for ObjectStore {
    async fn create_bucket(&self, request: S3Request<CreateBucketInput>) -> S3Result<S3Response<CreateBucketOutput>> {
        Ok(S3Response::new(buckets::create(self, request.input).await?))
    }

    async fn head_bucket(&self, request: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        Ok(S3Response::new(buckets::head(self, request.input).await?))
    }

    async fn list_buckets(&self, request: S3Request<ListBucketsInput>) -> S3Result<S3Response<ListBucketsOutput>> {
        let signed = request.credentials.is_some();
        Ok(S3Response::new(buckets::list(self, request.input, signed).await?))
    }

    async fn delete_bucket(&self, request: S3Request<DeleteBucketInput>) -> S3Result<S3Response<DeleteBucketOutput>> {
        Ok(S3Response::new(buckets::delete(self, request.input).await?))
    }

    async fn put_bucket_policy(
        &self,
        request: S3Request<PutBucketPolicyInput>,
    ) -> S3Result<S3Response<PutBucketPolicyOutput>> {
        Ok(S3Response::new(buckets::put_policy(self, request.input).await?))
    }

    async fn get_bucket_policy(
        &self,
        request: S3Request<GetBucketPolicyInput>,
    ) -> S3Result<S3Response<GetBucketPolicyOutput>> {
        Ok(S3Response::new(buckets::get_policy(self, request.input).await?))
    }

    async fn delete_bucket_policy(
        &self,
        request: S3Request<DeleteBucketPolicyInput>,
    ) -> S3Result<S3Response<DeleteBucketPolicyOutput>> {
        Ok(S3Response::new(buckets::delete_policy(self, request.input).await?))
    }

    async fn list_objects(&self, request: S3Request<ListObjectsInput>) -> S3Result<S3Response<ListObjectsOutput>> {
        Ok(S3Response::new(listing::objects(self, request.input).await?))
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        Ok(S3Response::new(listing::objects_v2(self, request.input).await?))
    }

    async fn list_multipart_uploads(
        &self,
        request: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        Ok(S3Response::new(listing::uploads(self, request.input).await?))
    }

    async fn put_object(&self, request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        Ok(S3Response::new(object::put(self, request.input).await?))
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let signed = request.credentials.is_some();
        let (output, content) = object::get(self, request.input, signed).await?;
        let mut response = S3Response::new(output);
        response.extensions.insert(AnsweredContent(content));
        Ok(response)
    }

    async fn head_object(&self, request: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let signed = request.credentials.is_some();
        Ok(S3Response::new(object::head(self, request.input, signed).await?))
    }

    async fn delete_object(&self, request: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
        Ok(S3Response::new(object::delete(self, request.input).await?))
    }

    async fn delete_objects(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        Ok(S3Response::new(object::delete_several(self, request.input).await?))
    }

    async fn put_object_acl(&self, request: S3Request<PutObjectAclInput>) -> S3Result<S3Response<PutObjectAclOutput>> {
        Ok(S3Response::new(rights::put(self, request.input).await?))
    }

    async fn get_object_acl(&self, request: S3Request<GetObjectAclInput>) -> S3Result<S3Response<GetObjectAclOutput>> {
        Ok(S3Response::new(rights::get(self, request.input).await?))
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        Ok(S3Response::new(multipart::begin(self, request.input).await?))
    }

    async fn upload_part(&self, request: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
        Ok(S3Response::new(multipart::put_part(self, request.input).await?))
    }

    async fn list_parts(&self, request: S3Request<ListPartsInput>) -> S3Result<S3Response<ListPartsOutput>> {
        Ok(S3Response::new(multipart::list_parts(self, request.input).await?))
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        Ok(S3Response::new(multipart::complete(self, request.input).await?))
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        Ok(S3Response::new(multipart::abort(self, request.input).await?))
    }
}

fn owner() -> Owner {
    Owner {
        id: Some(crate::access::USER.to_owned()),
        display_name: Some(crate::access::USER.to_owned()),
    }
}

fn parse_md5(text: &str) -> S3Result<[u8; 16]> {
    let invalid = || S3Error::new(S3ErrorCode::InvalidDigest);
    BASE64_STANDARD
        .decode(text)
        .ok()
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(invalid)
}

fn timestamp(milliseconds: i64) -> Timestamp {
    let since = Duration::from_millis(u64::try_from(milliseconds).unwrap_or(0));
    Timestamp::from(
        SystemTime::UNIX_EPOCH
            .checked_add(since)
            .unwrap_or(SystemTime::UNIX_EPOCH),
    )
}
