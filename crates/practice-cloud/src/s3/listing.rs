//! What is in a bucket, page by page: objects and open uploads.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::{
    S3Result,
    dto::{
        CommonPrefix, ETag, EncodingType, ListMultipartUploadsInput, ListMultipartUploadsOutput, ListObjectsInput,
        ListObjectsOutput, ListObjectsV2Input, ListObjectsV2Output, MultipartUpload, Object as ListedObject,
        ObjectStorageClass,
    },
    s3_error,
};

use super::{ObjectStore, owner, timestamp};
use crate::{
    objects::{self, ObjectError},
    store::to_db,
};

/// Entries in one page of a listing (S3 API reference, ListObjects, ListParts, ListMultipartUploads).
const PAGE: i32 = 1000;

/// What `encoding-type=url` leaves as it is (S3 API reference, ListObjects, EncodingType).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'/');

/// How many entries a page shall have at most.
pub(super) fn page(asked: Option<i32>) -> S3Result<i32> {
    let asked = asked.unwrap_or(PAGE);
    // As Swift and AWS; radosgw takes a negative number for none.
    if asked < 0 {
        return Err(s3_error!(InvalidArgument));
    }
    Ok(asked.min(PAGE))
}

/// Cuts what was read down to a page; true if there is more.
pub(super) fn cut<T>(entries: &mut Vec<T>, page: i32) -> bool {
    let page = usize::try_from(page).unwrap_or(0);
    let more = entries.len() > page;
    entries.truncate(page);
    // Nobody could go on behind a page without an entry.
    more && page > 0
}

/// How keys are written.
#[derive(Debug, Clone, Copy)]
enum Writing {
    Plain,
    Url,
}

impl Writing {
    fn of(asked: Option<&EncodingType>) -> S3Result<Self> {
        match asked.map(EncodingType::as_str) {
            None => Ok(Self::Plain),
            Some(EncodingType::URL) => Ok(Self::Url),
            Some(_) => Err(s3_error!(InvalidArgument)),
        }
    }

    fn write(self, text: String) -> String {
        match self {
            Self::Plain => text,
            Self::Url => utf8_percent_encode(&text, ENCODED).to_string(),
        }
    }
}

/// What to list.
#[derive(Debug)]
struct Query {
    bucket: String,
    prefix: String,
    delimiter: Option<String>,
    after: String,
    page: i32,
}

/// A page of a bucket's listing.
#[derive(Debug, Default)]
struct Listing {
    objects: Vec<ListedObject>,
    prefixes: Vec<CommonPrefix>,
    /// Where the next page begins, if there is one.
    next: Option<String>,
}

impl Listing {
    async fn read(store: &ObjectStore, query: Query, writing: Writing) -> S3Result<Listing> {
        let mut listing = store.run(move |transaction| list(transaction, query)).await?;
        for object in &mut listing.objects {
            object.key = object.key.take().map(|key| writing.write(key));
        }
        for prefix in &mut listing.prefixes {
            prefix.prefix = prefix.prefix.take().map(|prefix| writing.write(prefix));
        }
        Ok(listing)
    }
}

pub(super) async fn objects(store: &ObjectStore, input: ListObjectsInput) -> S3Result<ListObjectsOutput> {
    let (page, writing) = (page(input.max_keys)?, Writing::of(input.encoding_type.as_ref())?);
    let query = Query {
        bucket: input.bucket.clone(),
        prefix: input.prefix.clone().unwrap_or_default(),
        delimiter: input.delimiter.clone(),
        after: input.marker.clone().unwrap_or_default(),
        page,
    };
    let listing = Listing::read(store, query, writing).await?;
    let truncated = listing.next.is_some();
    // As Swift and AWS: whoever asks without a delimiter goes on behind the last key. Radosgw always tells the marker.
    let next = listing.next.filter(|_| input.delimiter.is_some());
    Ok(ListObjectsOutput {
        name: Some(input.bucket),
        prefix: Some(writing.write(input.prefix.unwrap_or_default())),
        marker: Some(writing.write(input.marker.unwrap_or_default())),
        max_keys: Some(page),
        is_truncated: Some(truncated),
        next_marker: next.map(|next| writing.write(next)),
        contents: Some(listing.objects),
        common_prefixes: Some(listing.prefixes),
        delimiter: input.delimiter,
        encoding_type: input.encoding_type,
        ..ListObjectsOutput::default()
    })
}

pub(super) async fn objects_v2(store: &ObjectStore, input: ListObjectsV2Input) -> S3Result<ListObjectsV2Output> {
    // centron announces no paging with this version (docs/decisions.md), although radosgw 16 could.
    if input.continuation_token.is_some() || input.start_after.is_some() {
        return Err(s3_error!(
            NotImplemented,
            "ListObjectsV2 has no pages here, use ListObjects"
        ));
    }
    let (page, writing) = (page(input.max_keys)?, Writing::of(input.encoding_type.as_ref())?);
    let query = Query {
        bucket: input.bucket.clone(),
        prefix: input.prefix.clone().unwrap_or_default(),
        delimiter: input.delimiter.clone(),
        after: String::new(),
        page,
    };
    let listing = Listing::read(store, query, writing).await?;
    let count = listing.objects.len().saturating_add(listing.prefixes.len());
    Ok(ListObjectsV2Output {
        name: Some(input.bucket),
        prefix: Some(writing.write(input.prefix.unwrap_or_default())),
        max_keys: Some(page),
        key_count: i32::try_from(count).ok(),
        is_truncated: Some(listing.next.is_some()),
        next_continuation_token: listing.next,
        contents: Some(listing.objects),
        common_prefixes: Some(listing.prefixes),
        delimiter: input.delimiter,
        encoding_type: input.encoding_type,
        ..ListObjectsV2Output::default()
    })
}

pub(super) async fn uploads(
    store: &ObjectStore,
    input: ListMultipartUploadsInput,
) -> S3Result<ListMultipartUploadsOutput> {
    if input.delimiter.is_some() {
        return Err(s3_error!(NotImplemented));
    }
    let (page, writing) = (page(input.max_uploads)?, Writing::of(input.encoding_type.as_ref())?);
    // One more than a page tells whether there is another.
    let more = i64::from(page).saturating_add(1);
    let (bucket, prefix) = (input.bucket.clone(), input.prefix.clone().unwrap_or_default());
    let key_marker = input.key_marker.clone().unwrap_or_default();
    // Without an id the marker means: behind every upload of that key (S3 API reference, ListMultipartUploads).
    // Without a key the id means nothing (same source).
    let id_marker = match input.upload_id_marker.clone().filter(|id| !id.is_empty()) {
        Some(id) if !key_marker.is_empty() => id,
        None if !key_marker.is_empty() => char::MAX.to_string(),
        _ => String::new(),
    };
    let mut uploads = store
        .run(move |transaction| objects::uploads(transaction, &bucket, &prefix, (&key_marker, &id_marker), more))
        .await?;
    let truncated = cut(&mut uploads, page);
    let last = uploads.last().filter(|_| truncated).cloned();
    let uploads = uploads.into_iter().map(|upload| MultipartUpload {
        upload_id: Some(upload.id),
        key: Some(writing.write(upload.key)),
        initiated: Some(timestamp(upload.created)),
        owner: Some(owner()),
        ..MultipartUpload::default()
    });
    Ok(ListMultipartUploadsOutput {
        bucket: Some(input.bucket),
        prefix: Some(writing.write(input.prefix.unwrap_or_default())),
        key_marker: Some(writing.write(input.key_marker.unwrap_or_default())),
        upload_id_marker: Some(input.upload_id_marker.unwrap_or_default()),
        max_uploads: Some(page),
        is_truncated: Some(truncated),
        uploads: Some(uploads.collect()),
        next_key_marker: last.as_ref().map(|upload| writing.write(upload.key.clone())),
        next_upload_id_marker: last.map(|upload| upload.id),
        encoding_type: input.encoding_type,
        ..ListMultipartUploadsOutput::default()
    })
}

fn list(connection: &rusqlite::Connection, query: Query) -> Result<Listing, ObjectError> {
    let Query {
        bucket,
        prefix,
        delimiter,
        mut after,
        page,
    } = query;
    let delimiter = delimiter.filter(|delimiter| !delimiter.is_empty());
    // Where the folder ends that the key is in, below the prefix.
    let folder = |key: &str| {
        let delimiter = delimiter.as_deref()?;
        let rest = key.get(prefix.len()..)?;
        let end = rest.find(delimiter)?.checked_add(delimiter.len())?;
        Some(format!("{prefix}{}", rest.get(..end)?))
    };
    // A marker inside a folder is behind it: the folder was on the page before.
    if let Some(folder) = after.starts_with(&prefix).then(|| folder(&after)).flatten() {
        after = behind(&folder);
    }
    objects::require_bucket(connection, &bucket)?;
    let (mut listing, mut left, mut last) = (Listing::default(), page, String::new());
    while page > 0
        && let Some(object) = objects::objects(connection, &bucket, &prefix, &after, 1)?.pop()
    {
        if left == 0 {
            listing.next = Some(last);
            break;
        }
        left = left.saturating_sub(1);
        if let Some(folder) = folder(&object.key) {
            after = behind(&folder);
            last.clone_from(&folder);
            listing.prefixes.push(CommonPrefix { prefix: Some(folder) });
        } else {
            after.clone_from(&object.key);
            last.clone_from(&object.key);
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

/// Everything below a folder sorts before its name and the last character there is.
fn behind(folder: &str) -> String {
    format!("{folder}{}", char::MAX)
}
