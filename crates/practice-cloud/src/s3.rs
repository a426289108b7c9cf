//! S3 on our own store: what radosgw and Swift accept and refuse, as far as an uploader meets it.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use s3s::{
    S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result,
    access::{S3Access, S3AccessContext},
    auth::{S3Auth, SecretKey},
    dto::{
        AbortMultipartUploadInput, AbortMultipartUploadOutput, Bucket, CommonPrefix, CompleteMultipartUploadInput,
        CompleteMultipartUploadOutput, CreateBucketInput, CreateBucketOutput, CreateMultipartUploadInput,
        CreateMultipartUploadOutput, DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput,
        DeletedObject, ETag, GetObjectInput, GetObjectOutput, HeadBucketInput, HeadBucketOutput, HeadObjectInput,
        HeadObjectOutput, ListBucketsInput, ListBucketsOutput, ListMultipartUploadsInput, ListMultipartUploadsOutput,
        ListObjectsInput, ListObjectsOutput, ListObjectsV2Input, ListObjectsV2Output, ListPartsInput, ListPartsOutput,
        MultipartUpload, Object as ListedObject, ObjectCannedACL, ObjectStorageClass, Owner, Part as ListedPart,
        PutObjectAclInput, PutObjectAclOutput, PutObjectInput, PutObjectOutput, StreamingBlob, Timestamp,
        UploadPartInput, UploadPartOutput,
    },
    s3_error,
};

use crate::{
    blobs::{Expected, ReceiveError, Received},
    node::Node,
    objects::{self, Description, Object, ObjectError},
    store::{self, to_db},
};

/// Largest part and largest object sent in one piece, bytes: 5 GiB (S3 user guide, "Amazon S3 multipart upload limits").
const MAX_PART: u64 = 5 * 1024 * 1024 * 1024;
/// Part numbers run from 1 to this (same source).
const MAX_PART_NUMBER: i32 = 10_000;
/// Entries in one page of a listing (S3 API reference, ListObjectsV2, ListParts, ListMultipartUploads).
const PAGE: i32 = 1000;
/// The operations that a request without a signature may try; the object decides.
const ANONYMOUS: [&str; 2] = ["GetObject", "HeadObject"];

/// Tells the image service in the same process which content a GET answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AnsweredContent(pub(crate) i64);

/// The object store.
#[derive(Clone)]
pub(crate) struct ObjectStore(pub(crate) Arc<Node>);

/// Knows the one key pair of this start.
pub(crate) struct Keys {
    pub(crate) access_key: String,
    pub(crate) secret_key: SecretKey,
}

#[async_trait::async_trait]
impl S3Auth for Keys {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        if access_key == self.access_key {
            Ok(self.secret_key.clone())
        } else {
            Err(s3_error!(InvalidAccessKeyId))
        }
    }
}

/// Lets unsigned requests through to [`ANONYMOUS`] operations only.
pub(crate) struct Gate;

#[async_trait::async_trait]
impl S3Access for Gate {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        // As Swift: an uploader that sends trailers must notice here and not at the customer's.
        if context.headers().contains_key("x-amz-trailer") {
            return Err(s3_error!(
                NotImplemented,
                "Transferring payloads with trailers is not supported."
            ));
        }
        if context.credentials().is_some() || ANONYMOUS.contains(&context.s3_op().name()) {
            return Ok(());
        }
        Err(s3_error!(AccessDenied))
    }
}

impl From<ObjectError> for S3Error {
    fn from(error: ObjectError) -> Self {
        match error {
            ObjectError::NoSuchBucket => s3_error!(NoSuchBucket),
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

    /// The object, or the refusal that fits who asks.
    async fn readable(&self, bucket: &str, key: &str, signed: bool) -> S3Result<Object> {
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        let object = self
            .0
            .store
            .run(move |transaction| objects::object(transaction, &bucket, &key))
            .await;
        if !signed {
            // One answer for "private" and "not there", so that keys cannot be guessed.
            return match object {
                Ok(Some(object)) if object.description.public => Ok(object),
                Err(ObjectError::Store(error)) => Err(S3Error::internal_error(error)),
                _ => Err(s3_error!(AccessDenied)),
            };
        }
        object?.ok_or_else(|| s3_error!(NoSuchKey))
    }

    async fn list(
        &self,
        bucket: String,
        prefix: String,
        delimiter: Option<String>,
        after: String,
        limit: i32,
    ) -> S3Result<Listing> {
        let limit = limit.clamp(0, PAGE);
        let listing = self
            .0
            .store
            .run(move |transaction| list(transaction, &bucket, &prefix, delimiter.as_deref(), after, limit));
        Ok(listing.await?)
    }
}

#[async_trait::async_trait]
impl S3 for ObjectStore {
    async fn create_bucket(&self, request: S3Request<CreateBucketInput>) -> S3Result<S3Response<CreateBucketOutput>> {
        let name = request.input.bucket;
        let location = format!("/{name}");
        self.0
            .store
            .run(move |transaction| objects::create_bucket(transaction, &name).map_err(ObjectError::from))
            .await?;
        Ok(S3Response::new(CreateBucketOutput {
            location: Some(location),
        }))
    }

    async fn head_bucket(&self, request: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        let name = request.input.bucket;
        self.0
            .store
            .run(move |transaction| objects::require_bucket(transaction, &name))
            .await?;
        Ok(S3Response::new(HeadBucketOutput::default()))
    }

    async fn list_buckets(&self, _: S3Request<ListBucketsInput>) -> S3Result<S3Response<ListBucketsOutput>> {
        let buckets = self
            .0
            .store
            .run(|transaction| objects::buckets(transaction).map_err(ObjectError::from))
            .await?;
        let buckets = buckets.into_iter().map(|(name, created)| Bucket {
            name: Some(name),
            creation_date: Some(timestamp(created)),
            bucket_region: None,
        });
        Ok(S3Response::new(ListBucketsOutput {
            buckets: Some(buckets.collect()),
            owner: Some(owner()),
            ..ListBucketsOutput::default()
        }))
    }

    async fn list_objects(&self, request: S3Request<ListObjectsInput>) -> S3Result<S3Response<ListObjectsOutput>> {
        let input = request.input;
        let (prefix, after) = (
            input.prefix.clone().unwrap_or_default(),
            input.marker.clone().unwrap_or_default(),
        );
        let limit = input.max_keys.unwrap_or(PAGE);
        let listing = self
            .list(input.bucket.clone(), prefix, input.delimiter.clone(), after, limit)
            .await?;
        Ok(S3Response::new(ListObjectsOutput {
            name: Some(input.bucket),
            prefix: input.prefix,
            marker: input.marker,
            max_keys: Some(limit),
            is_truncated: Some(listing.next.is_some()),
            next_marker: listing.next,
            contents: Some(listing.objects),
            common_prefixes: Some(listing.prefixes),
            delimiter: input.delimiter,
            ..ListObjectsOutput::default()
        }))
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = request.input;
        let after = input
            .continuation_token
            .clone()
            .or_else(|| input.start_after.clone())
            .unwrap_or_default();
        let limit = input.max_keys.unwrap_or(PAGE);
        let prefix = input.prefix.clone().unwrap_or_default();
        let listing = self
            .list(input.bucket.clone(), prefix, input.delimiter.clone(), after, limit)
            .await?;
        let count = listing.objects.len().saturating_add(listing.prefixes.len());
        Ok(S3Response::new(ListObjectsV2Output {
            name: Some(input.bucket),
            prefix: input.prefix,
            max_keys: Some(limit),
            key_count: i32::try_from(count).ok(),
            continuation_token: input.continuation_token,
            is_truncated: Some(listing.next.is_some()),
            next_continuation_token: listing.next,
            contents: Some(listing.objects),
            common_prefixes: Some(listing.prefixes),
            delimiter: input.delimiter,
            start_after: input.start_after,
            ..ListObjectsV2Output::default()
        }))
    }

    async fn put_object(&self, request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let input = request.input;
        let description = Description {
            public: is_public(input.acl.as_ref()),
            content_type: input.content_type,
            metadata: input.metadata.unwrap_or_default(),
        };
        let only_new = input.if_none_match.is_some_and(|condition| condition.is_any());
        let received = self
            .receive(input.body, input.content_length, input.content_md5.as_deref())
            .await?;
        let etag = crate::hex(&received.md5);
        let (bucket, key) = (input.bucket, input.key);
        self.0
            .store_received(received, move |transaction, received| {
                Ok::<_, ObjectError>((
                    (),
                    objects::put_object(transaction, &bucket, &key, received, &description, only_new)?,
                ))
            })
            .await?;
        Ok(S3Response::new(PutObjectOutput {
            e_tag: Some(ETag::Strong(etag)),
            ..PutObjectOutput::default()
        }))
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let input = request.input;
        let object = self
            .readable(&input.bucket, &input.key, request.credentials.is_some())
            .await?;
        let range = input.range.map(|range| range.check(object.size)).transpose()?;
        if range.as_ref().is_some_and(std::ops::Range::is_empty) {
            return Err(s3_error!(InvalidRange));
        }
        let content_range = range.as_ref().map(|range| content_range(range, object.size));
        let range = range.unwrap_or(0..object.size);
        let content = object.content;
        let files = self
            .0
            .store
            .run(move |transaction| store::content_blobs(transaction, content).map_err(ObjectError::from))
            .await?;
        let length = to_db(range.end.saturating_sub(range.start));
        let mut response = S3Response::new(GetObjectOutput {
            body: Some(StreamingBlob::wrap(self.0.blobs.read(&files, range))),
            accept_ranges: Some("bytes".to_owned()),
            content_length: Some(length),
            content_range,
            content_type: object.description.content_type,
            e_tag: Some(ETag::Strong(object.etag)),
            last_modified: Some(timestamp(object.modified)),
            metadata: Some(object.description.metadata),
            ..GetObjectOutput::default()
        });
        response.extensions.insert(AnsweredContent(content));
        Ok(response)
    }

    async fn head_object(&self, request: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let input = request.input;
        let object = self
            .readable(&input.bucket, &input.key, request.credentials.is_some())
            .await?;
        Ok(S3Response::new(HeadObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            content_length: Some(to_db(object.size)),
            content_type: object.description.content_type,
            e_tag: Some(ETag::Strong(object.etag)),
            last_modified: Some(timestamp(object.modified)),
            metadata: Some(object.description.metadata),
            ..HeadObjectOutput::default()
        }))
    }

    async fn delete_object(&self, request: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
        let (bucket, key) = (request.input.bucket, request.input.key);
        let unnamed = self
            .0
            .store
            .run(move |transaction| objects::delete_object(transaction, &bucket, &key))
            .await?;
        self.0.blobs.remove(unnamed).await;
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    async fn delete_objects(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let bucket = request.input.bucket;
        let keys: Vec<String> = request
            .input
            .delete
            .objects
            .into_iter()
            .map(|object| object.key)
            .collect();
        let quiet = request.input.delete.quiet.unwrap_or(false);
        let (unnamed, keys) = self
            .0
            .store
            .run(move |transaction| {
                let mut unnamed = Vec::new();
                for key in &keys {
                    unnamed.extend(objects::delete_object(transaction, &bucket, key)?);
                }
                Ok::<_, ObjectError>((unnamed, keys))
            })
            .await?;
        self.0.blobs.remove(unnamed).await;
        let deleted = keys.into_iter().map(|key| DeletedObject {
            key: Some(key),
            ..DeletedObject::default()
        });
        Ok(S3Response::new(DeleteObjectsOutput {
            deleted: (!quiet).then(|| deleted.collect()),
            ..DeleteObjectsOutput::default()
        }))
    }

    async fn put_object_acl(&self, request: S3Request<PutObjectAclInput>) -> S3Result<S3Response<PutObjectAclOutput>> {
        let input = request.input;
        // Only the ready-made rights that a request's header names; nobody here could use grants to single users.
        let public = is_public(Some(&input.acl.ok_or_else(|| s3_error!(NotImplemented))?));
        let found = self
            .0
            .store
            .run(move |transaction| objects::set_public(transaction, &input.bucket, &input.key, public))
            .await?;
        if !found {
            return Err(s3_error!(NoSuchKey));
        }
        Ok(S3Response::new(PutObjectAclOutput::default()))
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let input = request.input;
        let description = Description {
            public: is_public(input.acl.as_ref()),
            content_type: input.content_type,
            metadata: input.metadata.unwrap_or_default(),
        };
        let (bucket, key) = (input.bucket.clone(), input.key.clone());
        let id = self
            .0
            .store
            .run(move |transaction| objects::create_upload(transaction, &bucket, &key, &description))
            .await?;
        Ok(S3Response::new(CreateMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(id),
            ..CreateMultipartUploadOutput::default()
        }))
    }

    async fn upload_part(&self, request: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
        let input = request.input;
        let number = part_number(input.part_number)?;
        let (bucket, key, upload) = (input.bucket.clone(), input.key.clone(), input.upload_id.clone());
        self.0
            .store
            .run(move |transaction| objects::require_upload(transaction, &bucket, &key, &upload))
            .await?;
        let received = self
            .receive(input.body, input.content_length, input.content_md5.as_deref())
            .await?;
        let etag = crate::hex(&received.md5);
        let (bucket, key, upload) = (input.bucket, input.key, input.upload_id);
        self.0
            .store_received(received, move |transaction, received| {
                Ok::<_, ObjectError>((
                    (),
                    objects::put_part(transaction, &bucket, &key, &upload, number, received)?,
                ))
            })
            .await?;
        Ok(S3Response::new(UploadPartOutput {
            e_tag: Some(ETag::Strong(etag)),
            ..UploadPartOutput::default()
        }))
    }

    async fn list_parts(&self, request: S3Request<ListPartsInput>) -> S3Result<S3Response<ListPartsOutput>> {
        let input = request.input;
        let limit = input.max_parts.unwrap_or(PAGE).clamp(0, PAGE);
        let after = u32::try_from(input.part_number_marker.unwrap_or(0)).map_err(|_| s3_error!(InvalidArgument))?;
        let (bucket, key, upload) = (input.bucket.clone(), input.key.clone(), input.upload_id.clone());
        // One more than a page tells whether there is another.
        let more = i64::from(limit).saturating_add(1);
        let mut parts = self
            .0
            .store
            .run(move |transaction| objects::parts(transaction, &bucket, &key, &upload, after, more))
            .await?;
        let page = usize::try_from(limit).unwrap_or(0);
        let truncated = parts.len() > page;
        parts.truncate(page);
        let last = parts.last().and_then(|part| i32::try_from(part.number).ok());
        let parts = parts.into_iter().map(|part| ListedPart {
            part_number: i32::try_from(part.number).ok(),
            e_tag: Some(ETag::Strong(crate::hex(&part.md5))),
            size: Some(to_db(part.blob.size)),
            last_modified: Some(timestamp(part.modified)),
            ..ListedPart::default()
        });
        Ok(S3Response::new(ListPartsOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(input.upload_id),
            part_number_marker: Some(input.part_number_marker.unwrap_or(0)),
            next_part_number_marker: last,
            max_parts: Some(limit),
            is_truncated: Some(truncated),
            parts: Some(parts.collect()),
            owner: Some(owner()),
            ..ListPartsOutput::default()
        }))
    }

    async fn list_multipart_uploads(
        &self,
        request: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        let input = request.input;
        let limit = input.max_uploads.unwrap_or(PAGE).clamp(0, PAGE);
        let more = i64::from(limit).saturating_add(1);
        let (bucket, prefix) = (input.bucket.clone(), input.prefix.clone().unwrap_or_default());
        let key_marker = input.key_marker.clone().unwrap_or_default();
        // Without an id the marker means: behind every upload of that key (S3 API reference, ListMultipartUploads).
        let id_marker = match &input.upload_id_marker {
            Some(id) => id.clone(),
            None if key_marker.is_empty() => String::new(),
            None => char::MAX.to_string(),
        };
        let mut uploads = self
            .0
            .store
            .run(move |transaction| objects::uploads(transaction, &bucket, &prefix, (&key_marker, &id_marker), more))
            .await?;
        let page = usize::try_from(limit).unwrap_or(0);
        let truncated = uploads.len() > page;
        uploads.truncate(page);
        let last = uploads.last().filter(|_| truncated).cloned();
        let uploads = uploads.into_iter().map(|upload| MultipartUpload {
            upload_id: Some(upload.id),
            key: Some(upload.key),
            initiated: Some(timestamp(upload.created)),
            owner: Some(owner()),
            ..MultipartUpload::default()
        });
        Ok(S3Response::new(ListMultipartUploadsOutput {
            bucket: Some(input.bucket),
            prefix: input.prefix,
            key_marker: input.key_marker,
            upload_id_marker: input.upload_id_marker,
            max_uploads: Some(limit),
            is_truncated: Some(truncated),
            uploads: Some(uploads.collect()),
            next_key_marker: last.as_ref().map(|upload| upload.key.clone()),
            next_upload_id_marker: last.map(|upload| upload.id),
            ..ListMultipartUploadsOutput::default()
        }))
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let input = request.input;
        let mut wanted = Vec::new();
        for part in input
            .multipart_upload
            .and_then(|upload| upload.parts)
            .unwrap_or_default()
        {
            let number = part_number(part.part_number.ok_or_else(|| s3_error!(MalformedXML))?)?;
            wanted.push((number, part.e_tag.ok_or_else(|| s3_error!(MalformedXML))?.into_value()));
        }
        let (bucket, key) = (input.bucket.clone(), input.key.clone());
        let (etag, unnamed) = self
            .0
            .store
            .run(move |transaction| objects::complete(transaction, &bucket, &key, &input.upload_id, &wanted))
            .await?;
        self.0.blobs.remove(unnamed).await;
        Ok(S3Response::new(CompleteMultipartUploadOutput {
            location: Some(format!("/{}/{}", input.bucket, input.key)),
            bucket: Some(input.bucket),
            key: Some(input.key),
            e_tag: Some(ETag::Strong(etag)),
            ..CompleteMultipartUploadOutput::default()
        }))
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        let input = request.input;
        let unnamed = self
            .0
            .store
            .run(move |transaction| objects::abort(transaction, &input.bucket, &input.key, &input.upload_id))
            .await?;
        self.0.blobs.remove(unnamed).await;
        Ok(S3Response::new(AbortMultipartUploadOutput::default()))
    }
}

/// A page of a bucket's listing.
#[derive(Debug, Default)]
struct Listing {
    objects: Vec<ListedObject>,
    prefixes: Vec<CommonPrefix>,
    /// Where the next page begins, if there is one.
    next: Option<String>,
}

fn list(
    connection: &rusqlite::Connection,
    bucket: &str,
    prefix: &str,
    delimiter: Option<&str>,
    mut after: String,
    limit: i32,
) -> Result<Listing, ObjectError> {
    let mut listing = Listing::default();
    let delimiter = delimiter.filter(|delimiter| !delimiter.is_empty());
    let mut left = limit;
    while let Some(object) = objects::objects(connection, bucket, prefix, &after, 1)?.pop() {
        if left == 0 {
            listing.next = (limit > 0).then_some(after);
            break;
        }
        left = left.saturating_sub(1);
        let folder = delimiter.and_then(|delimiter| {
            let rest = object.key.get(prefix.len()..)?;
            let end = rest.find(delimiter)?.checked_add(delimiter.len())?;
            Some(format!("{prefix}{}", rest.get(..end)?))
        });
        if let Some(folder) = folder {
            // Everything below the folder sorts before the folder's name and the last character there is.
            after = format!("{folder}{}", char::MAX);
            listing.prefixes.push(CommonPrefix { prefix: Some(folder) });
        } else {
            after.clone_from(&object.key);
            listing.objects.push(ListedObject {
                key: Some(object.key),
                size: Some(to_db(object.size)),
                e_tag: Some(ETag::Strong(object.etag)),
                last_modified: Some(timestamp(object.modified)),
                owner: Some(owner()),
                storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
                ..ListedObject::default()
            });
        }
    }
    Ok(listing)
}

fn owner() -> Owner {
    Owner {
        id: Some(crate::access::USER.to_owned()),
        display_name: Some(crate::access::USER.to_owned()),
    }
}

fn is_public(acl: Option<&ObjectCannedACL>) -> bool {
    acl.is_some_and(|acl| [ObjectCannedACL::PUBLIC_READ, ObjectCannedACL::PUBLIC_READ_WRITE].contains(&acl.as_str()))
}

fn part_number(number: i32) -> S3Result<u32> {
    u32::try_from(number)
        .ok()
        .filter(|_| (1..=MAX_PART_NUMBER).contains(&number))
        .ok_or_else(|| {
            s3_error!(
                InvalidArgument,
                "Part number must be an integer between 1 and 10000, inclusive"
            )
        })
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

fn content_range(range: &std::ops::Range<u64>, size: u64) -> String {
    format!("bytes {}-{}/{size}", range.start, range.end.saturating_sub(1))
}
