//! Multipart uploads: begun, sent part by part, completed or thrown away.

use s3s::{
    S3Result,
    dto::{
        AbortMultipartUploadInput, AbortMultipartUploadOutput, CompleteMultipartUploadInput,
        CompleteMultipartUploadOutput, CreateMultipartUploadInput, CreateMultipartUploadOutput, ETag, ListPartsInput,
        ListPartsOutput, Part, UploadPartInput, UploadPartOutput,
    },
    s3_error,
};

use super::{ObjectStore, listing, owner, rights::is_public, timestamp};
use crate::{
    objects::{self, Description, ObjectError},
    store::to_db,
};

/// Part numbers run from 1 to this (S3 user guide, "Amazon S3 multipart upload limits").
const MAX_PART_NUMBER: i32 = 10_000;

pub(super) async fn begin(
    store: &ObjectStore,
    input: CreateMultipartUploadInput,
) -> S3Result<CreateMultipartUploadOutput> {
    let description = Description {
        public: is_public(input.acl.as_ref())?,
        content_type: input.content_type,
        metadata: input.metadata.unwrap_or_default(),
    };
    let (bucket, key) = (input.bucket.clone(), input.key.clone());
    let id = store
        .run(move |transaction| objects::create_upload(transaction, &bucket, &key, &description))
        .await?;
    Ok(CreateMultipartUploadOutput {
        bucket: Some(input.bucket),
        key: Some(input.key),
        upload_id: Some(id),
        ..CreateMultipartUploadOutput::default()
    })
}

pub(super) async fn put_part(store: &ObjectStore, input: UploadPartInput) -> S3Result<UploadPartOutput> {
    let number = part_number(input.part_number)?;
    let (bucket, key, upload) = (input.bucket.clone(), input.key.clone(), input.upload_id.clone());
    store
        .run(move |transaction| objects::require_upload(transaction, &bucket, &key, &upload))
        .await?;
    let received = store
        .receive(input.body, input.content_length, input.content_md5.as_deref())
        .await?;
    let etag = crate::hex(&received.md5);
    let (bucket, key, upload) = (input.bucket, input.key, input.upload_id);
    store
        .0
        .store_received(received, move |transaction, received| {
            Ok::<_, ObjectError>((
                (),
                objects::put_part(transaction, &bucket, &key, &upload, number, received)?,
            ))
        })
        .await?;
    Ok(UploadPartOutput {
        e_tag: Some(ETag::Strong(etag)),
        ..UploadPartOutput::default()
    })
}

pub(super) async fn list_parts(store: &ObjectStore, input: ListPartsInput) -> S3Result<ListPartsOutput> {
    let limit = listing::page(input.max_parts)?;
    let after = u32::try_from(input.part_number_marker.unwrap_or(0)).map_err(|_| s3_error!(InvalidArgument))?;
    let (bucket, key, upload) = (input.bucket.clone(), input.key.clone(), input.upload_id.clone());
    // One more than a page tells whether there is another.
    let more = i64::from(limit).saturating_add(1);
    let mut parts = store
        .run(move |transaction| objects::parts(transaction, &bucket, &key, &upload, after, more))
        .await?;
    let truncated = listing::cut(&mut parts, limit);
    let last = parts.last().and_then(|part| i32::try_from(part.number).ok());
    let parts = parts.into_iter().map(|part| Part {
        part_number: i32::try_from(part.number).ok(),
        e_tag: Some(ETag::Strong(crate::hex(&part.md5))),
        size: Some(to_db(part.blob.size)),
        last_modified: Some(timestamp(part.modified)),
        ..Part::default()
    });
    Ok(ListPartsOutput {
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
    })
}

pub(super) async fn complete(
    store: &ObjectStore,
    input: CompleteMultipartUploadInput,
) -> S3Result<CompleteMultipartUploadOutput> {
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
    let (etag, unnamed) = store
        .run(move |transaction| objects::complete(transaction, &bucket, &key, &input.upload_id, &wanted))
        .await?;
    store.0.blobs.remove(unnamed).await;
    Ok(CompleteMultipartUploadOutput {
        location: Some(format!("/{}/{}", input.bucket, input.key)),
        bucket: Some(input.bucket),
        key: Some(input.key),
        e_tag: Some(ETag::Strong(etag)),
        ..CompleteMultipartUploadOutput::default()
    })
}

pub(super) async fn abort(
    store: &ObjectStore,
    input: AbortMultipartUploadInput,
) -> S3Result<AbortMultipartUploadOutput> {
    let unnamed = store
        .run(move |transaction| objects::abort(transaction, &input.bucket, &input.key, &input.upload_id))
        .await?;
    store.0.blobs.remove(unnamed).await;
    Ok(AbortMultipartUploadOutput::default())
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
