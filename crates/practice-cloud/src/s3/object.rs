//! Whole objects: put, read, deleted.

use s3s::{
    S3Result,
    dto::{
        DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput, DeletedObject, ETag,
        GetObjectInput, GetObjectOutput, HeadObjectInput, HeadObjectOutput, PutObjectInput, PutObjectOutput,
        StreamingBlob,
    },
    s3_error,
};

use super::{ObjectStore, policy::Policy, rights::is_public, timestamp};
use crate::{
    objects::{self, Description, Object, ObjectError},
    store::{self, to_db},
};

pub(super) async fn put(store: &ObjectStore, input: PutObjectInput) -> S3Result<PutObjectOutput> {
    let description = Description {
        public: is_public(input.acl.as_ref())?,
        content_type: input.content_type,
        metadata: input.metadata.unwrap_or_default(),
    };
    let only_new = input.if_none_match.is_some_and(|condition| condition.is_any());
    let received = store
        .receive(input.body, input.content_length, input.content_md5.as_deref())
        .await?;
    let etag = crate::hex(&received.md5);
    let (bucket, key) = (input.bucket, input.key);
    store
        .0
        .store_received(received, move |transaction, received| {
            Ok::<_, ObjectError>((
                (),
                objects::put_object(transaction, &bucket, &key, received, &description, only_new)?,
            ))
        })
        .await?;
    Ok(PutObjectOutput {
        e_tag: Some(ETag::Strong(etag)),
        ..PutObjectOutput::default()
    })
}

/// The answer, and the id of the content it is made of.
pub(super) async fn get(store: &ObjectStore, input: GetObjectInput, signed: bool) -> S3Result<(GetObjectOutput, i64)> {
    let object = readable(store, input.bucket, input.key, signed).await?;
    let range = input.range.map(|range| range.check(object.size)).transpose()?;
    if range.as_ref().is_some_and(std::ops::Range::is_empty) {
        return Err(s3_error!(InvalidRange));
    }
    let content_range = range.as_ref().map(|range| content_range(range, object.size));
    let range = range.unwrap_or(0..object.size);
    let content = object.content;
    let files = store
        .run(move |transaction| store::content_blobs(transaction, content).map_err(ObjectError::from))
        .await?;
    let length = to_db(range.end.saturating_sub(range.start));
    let output = GetObjectOutput {
        body: Some(StreamingBlob::wrap(store.0.blobs.read(&files, range))),
        accept_ranges: Some("bytes".to_owned()),
        content_length: Some(length),
        content_range,
        content_type: object.description.content_type,
        e_tag: Some(ETag::Strong(object.etag)),
        last_modified: Some(timestamp(object.modified)),
        metadata: Some(object.description.metadata),
        ..GetObjectOutput::default()
    };
    Ok((output, content))
}

pub(super) async fn head(store: &ObjectStore, input: HeadObjectInput, signed: bool) -> S3Result<HeadObjectOutput> {
    let object = readable(store, input.bucket, input.key, signed).await?;
    Ok(HeadObjectOutput {
        accept_ranges: Some("bytes".to_owned()),
        content_length: Some(to_db(object.size)),
        content_type: object.description.content_type,
        e_tag: Some(ETag::Strong(object.etag)),
        last_modified: Some(timestamp(object.modified)),
        metadata: Some(object.description.metadata),
        ..HeadObjectOutput::default()
    })
}

pub(super) async fn delete(store: &ObjectStore, input: DeleteObjectInput) -> S3Result<DeleteObjectOutput> {
    let (bucket, key) = (input.bucket, input.key);
    let unnamed = store
        .run(move |transaction| objects::delete_object(transaction, &bucket, &key))
        .await?;
    store.0.blobs.remove(unnamed).await;
    Ok(DeleteObjectOutput::default())
}

pub(super) async fn delete_several(store: &ObjectStore, input: DeleteObjectsInput) -> S3Result<DeleteObjectsOutput> {
    let bucket = input.bucket;
    let keys: Vec<String> = input.delete.objects.into_iter().map(|object| object.key).collect();
    let quiet = input.delete.quiet.unwrap_or(false);
    let (unnamed, keys) = store
        .run(move |transaction| {
            let mut unnamed = Vec::new();
            for key in &keys {
                unnamed.extend(objects::delete_object(transaction, &bucket, key)?);
            }
            Ok((unnamed, keys))
        })
        .await?;
    store.0.blobs.remove(unnamed).await;
    let deleted = keys.into_iter().map(|key| DeletedObject {
        key: Some(key),
        ..DeletedObject::default()
    });
    Ok(DeleteObjectsOutput {
        deleted: (!quiet).then(|| deleted.collect()),
        ..DeleteObjectsOutput::default()
    })
}

/// The object, or the refusal that fits who asks.
async fn readable(store: &ObjectStore, bucket: String, key: String, signed: bool) -> S3Result<Object> {
    if signed {
        let object = store
            .run(move |transaction| objects::object(transaction, &bucket, &key))
            .await?;
        return object.ok_or_else(|| s3_error!(NoSuchKey));
    }
    let (object, policy) = {
        let (bucket, key) = (bucket.clone(), key.clone());
        store
            .run(move |transaction| {
                let object = objects::object(transaction, &bucket, &key)?;
                Ok((object, objects::policy(transaction, &bucket)?))
            })
            .await?
    };
    // It was understood when it was put; were the database ever damaged, it would open nothing.
    let policy = policy.and_then(|policy| Policy::parse(&policy, &bucket).ok());
    // One answer for "private" and "not there", so that keys cannot be guessed.
    object
        .filter(|object| object.description.public || policy.is_some_and(|policy| policy.lets_read(&key)))
        .ok_or_else(|| s3_error!(AccessDenied))
}

fn content_range(range: &std::ops::Range<u64>, size: u64) -> String {
    format!("bytes {}-{}/{size}", range.start, range.end.saturating_sub(1))
}
