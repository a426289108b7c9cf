//! Buckets, objects and multipart uploads in the database, with the rules of S3 that do not depend on HTTP.

use std::collections::HashMap;

use md5::{Digest, Md5};
use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

use crate::{
    blobs::{Blob, Received},
    store::{StoreError, from_db, insert_blob, insert_content, now, release_blob, release_content},
};

/// Smallest part but the last, bytes: 5 MiB (S3 user guide, "Amazon S3 multipart upload limits"; radosgw has the same).
const MIN_PART: u64 = 5 * 1024 * 1024;
/// Buckets of one account (centron's object storage has this many).
const MAX_BUCKETS: i64 = 100;

/// Why a request on an object is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ObjectError {
    #[error("no such bucket")]
    NoSuchBucket,
    #[error("the bucket is not empty")]
    BucketNotEmpty,
    #[error("too many buckets")]
    TooManyBuckets,
    #[error("no such upload")]
    NoSuchUpload,
    #[error("no part, or another one, under number {0}")]
    InvalidPart(u32),
    #[error("part numbers do not ascend")]
    InvalidPartOrder,
    #[error("part {0} is too small")]
    TooSmall(u32),
    #[error("no parts")]
    NoParts,
    #[error("the key exists")]
    Exists,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<rusqlite::Error> for ObjectError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

/// What the client says about an object when it begins to send it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Description {
    /// May anybody read it?
    pub(crate) public: bool,
    pub(crate) content_type: Option<String>,
    /// `x-amz-meta-…`
    pub(crate) metadata: HashMap<String, String>,
}

/// A stored object.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    pub(crate) key: String,
    pub(crate) content: i64,
    pub(crate) size: u64,
    /// Without quotes.
    pub(crate) etag: String,
    pub(crate) description: Description,
    /// Milliseconds since 1970.
    pub(crate) modified: i64,
}

/// A part as it was acknowledged.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) number: u32,
    pub(crate) blob: Blob,
    pub(crate) md5: [u8; 16],
    /// Milliseconds since 1970.
    pub(crate) modified: i64,
}

/// An upload that was begun and not yet finished.
#[derive(Debug, Clone)]
pub(crate) struct Upload {
    pub(crate) id: String,
    pub(crate) key: String,
    /// Milliseconds since 1970.
    pub(crate) created: i64,
}

/// Makes a bucket if it is not there.
pub(crate) fn create_bucket(connection: &Connection, name: &str) -> Result<(), ObjectError> {
    match require_bucket(connection, name) {
        Err(ObjectError::NoSuchBucket) => {}
        outcome => return outcome,
    }
    let count: i64 = connection.query_row("SELECT count(*) FROM bucket", [], |row| row.get(0))?;
    if count >= MAX_BUCKETS {
        return Err(ObjectError::TooManyBuckets);
    }
    connection.execute(
        "INSERT INTO bucket (name, created) VALUES (?1, ?2)",
        params![name, now()],
    )?;
    Ok(())
}

/// Removes a bucket without objects, with its open uploads (so do radosgw and Swift); returns the files to remove after the commit.
pub(crate) fn delete_bucket(connection: &Connection, name: &str) -> Result<Vec<String>, ObjectError> {
    if !objects(connection, name, "", "", 1)?.is_empty() {
        return Err(ObjectError::BucketNotEmpty);
    }
    let mut unnamed = Vec::new();
    for upload in uploads(connection, name, "", ("", ""), i64::MAX)? {
        unnamed.extend(abort(connection, name, &upload.key, &upload.id)?);
    }
    connection.execute("DELETE FROM bucket WHERE name = ?1", [name])?;
    Ok(unnamed)
}

/// The text of a bucket's policy.
pub(crate) fn policy(connection: &Connection, bucket: &str) -> Result<Option<String>, ObjectError> {
    connection
        .query_row("SELECT policy FROM bucket WHERE name = ?1", [bucket], |row| row.get(0))
        .optional()?
        .ok_or(ObjectError::NoSuchBucket)
}

/// Replaces a bucket's policy, or takes it away.
pub(crate) fn set_policy(connection: &Connection, bucket: &str, policy: Option<&str>) -> Result<(), ObjectError> {
    let changed = connection.execute("UPDATE bucket SET policy = ?2 WHERE name = ?1", params![bucket, policy])?;
    if changed == 0 {
        return Err(ObjectError::NoSuchBucket);
    }
    Ok(())
}

/// Names and times of making, in milliseconds since 1970.
pub(crate) fn buckets(connection: &Connection) -> rusqlite::Result<Vec<(String, i64)>> {
    connection
        .prepare("SELECT name, created FROM bucket ORDER BY name")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

pub(crate) fn require_bucket(connection: &Connection, name: &str) -> Result<(), ObjectError> {
    connection
        .query_row("SELECT 1 FROM bucket WHERE name = ?1", [name], |_| Ok(()))
        .optional()?
        .ok_or(ObjectError::NoSuchBucket)
}

pub(crate) fn object(connection: &Connection, bucket: &str, key: &str) -> Result<Option<Object>, ObjectError> {
    require_bucket(connection, bucket)?;
    let sql = format!("{SELECT_OBJECT} AND key = ?2");
    Ok(connection.query_row(&sql, [bucket, key], read_object).optional()?)
}

/// Up to `limit` objects whose keys start with `prefix` and come after `after`, ascending by key.
pub(crate) fn objects(
    connection: &Connection,
    bucket: &str,
    prefix: &str,
    after: &str,
    limit: i64,
) -> Result<Vec<Object>, ObjectError> {
    require_bucket(connection, bucket)?;
    let sql = format!("{SELECT_OBJECT} AND key > ?2 AND substr(key, 1, length(?3)) = ?3 ORDER BY key LIMIT ?4");
    let mut statement = connection.prepare_cached(&sql)?;
    let objects = statement.query_map(params![bucket, after, prefix, limit], read_object)?;
    Ok(objects.collect::<Result<_, _>>()?)
}

const SELECT_OBJECT: &str = "SELECT key, content, content.size, etag, public, content_type, metadata, modified
    FROM object JOIN content ON content.id = object.content WHERE bucket = ?1";

fn read_object(row: &Row<'_>) -> rusqlite::Result<Object> {
    Ok(Object {
        key: row.get(0)?,
        content: row.get(1)?,
        size: from_db(row.get(2)?),
        etag: row.get(3)?,
        description: read_description(row, 4)?,
        modified: row.get(7)?,
    })
}

fn read_description(row: &Row<'_>, first: usize) -> rusqlite::Result<Description> {
    let metadata: String = row.get(first.saturating_add(2))?;
    Ok(Description {
        public: row.get(first)?,
        content_type: row.get(first.saturating_add(1))?,
        // Written by this module only; were it ever damaged, the object itself is still worth having.
        metadata: serde_json::from_str(&metadata).unwrap_or_default(),
    })
}

/// Stores a whole object; returns the files that it replaced, to be removed after the commit.
pub(crate) fn put_object(
    connection: &Connection,
    bucket: &str,
    key: &str,
    received: &Received,
    description: &Description,
    only_new: bool,
) -> Result<Vec<String>, ObjectError> {
    if object(connection, bucket, key)?.is_some() && only_new {
        return Err(ObjectError::Exists);
    }
    insert_blob(connection, &received.blob)?;
    let (content, _) = insert_content(connection, [&received.blob])?;
    link_object(
        connection,
        bucket,
        key,
        content,
        &crate::hex(&received.md5),
        description,
    )
}

fn link_object(
    connection: &Connection,
    bucket: &str,
    key: &str,
    content: i64,
    etag: &str,
    description: &Description,
) -> Result<Vec<String>, ObjectError> {
    let replaced = delete_object(connection, bucket, key)?;
    let metadata = serde_json::to_string(&description.metadata).unwrap_or_default();
    connection.execute(
        "INSERT INTO object (bucket, key, content, etag, public, content_type, metadata, modified)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            bucket,
            key,
            content,
            etag,
            description.public,
            description.content_type,
            metadata,
            now()
        ],
    )?;
    Ok(replaced)
}

/// Removes an object if it is there; returns the files to remove after the commit.
pub(crate) fn delete_object(connection: &Connection, bucket: &str, key: &str) -> Result<Vec<String>, ObjectError> {
    require_bucket(connection, bucket)?;
    // A Complete is only repeatable as long as what it made is there.
    connection.execute(
        "DELETE FROM upload WHERE bucket = ?1 AND key = ?2 AND completed IS NOT NULL",
        [bucket, key],
    )?;
    let content: Option<i64> = connection
        .query_row(
            "DELETE FROM object WHERE bucket = ?1 AND key = ?2 RETURNING content",
            [bucket, key],
            |row| row.get(0),
        )
        .optional()?;
    Ok(content.map_or(Ok(Vec::new()), |content| release_content(connection, content))?)
}

/// Changes who may read an object; false: there is none.
pub(crate) fn set_public(connection: &Connection, bucket: &str, key: &str, public: bool) -> Result<bool, ObjectError> {
    require_bucket(connection, bucket)?;
    let changed = connection.execute(
        "UPDATE object SET public = ?3 WHERE bucket = ?1 AND key = ?2",
        params![bucket, key, public],
    )?;
    Ok(changed > 0)
}

/// Begins a multipart upload and returns its id.
pub(crate) fn create_upload(
    connection: &Connection,
    bucket: &str,
    key: &str,
    description: &Description,
) -> Result<String, ObjectError> {
    require_bucket(connection, bucket)?;
    let id = format!("2~{}", Uuid::new_v4().simple());
    let metadata = serde_json::to_string(&description.metadata).unwrap_or_default();
    connection.execute(
        "INSERT INTO upload (id, bucket, key, public, content_type, metadata, created) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![id, bucket, key, description.public, description.content_type, metadata, now()],
    )?;
    Ok(id)
}

/// Fails unless the upload is open under this very key.
pub(crate) fn require_upload(connection: &Connection, bucket: &str, key: &str, id: &str) -> Result<(), ObjectError> {
    require_bucket(connection, bucket)?;
    match find_upload(connection, bucket, key, id)? {
        Some((_, None)) => Ok(()),
        _ => Err(ObjectError::NoSuchUpload),
    }
}

/// The description of an upload and the ETag it was completed with.
fn find_upload(
    connection: &Connection,
    bucket: &str,
    key: &str,
    id: &str,
) -> rusqlite::Result<Option<(Description, Option<String>)>> {
    connection
        .query_row(
            "SELECT public, content_type, metadata, completed FROM upload WHERE id = ?1 AND bucket = ?2 AND key = ?3",
            [id, bucket, key],
            |row| Ok((read_description(row, 0)?, row.get(3)?)),
        )
        .optional()
}

/// Stores a part in place of an earlier one of the same number; returns the file to remove after the commit.
pub(crate) fn put_part(
    connection: &Connection,
    bucket: &str,
    key: &str,
    upload: &str,
    number: u32,
    received: &Received,
) -> Result<Vec<String>, ObjectError> {
    require_upload(connection, bucket, key, upload)?;
    let earlier: Option<String> = connection
        .query_row(
            "DELETE FROM part WHERE upload = ?1 AND number = ?2 RETURNING blob",
            params![upload, number],
            |row| row.get(0),
        )
        .optional()?;
    insert_blob(connection, &received.blob)?;
    connection.execute(
        "INSERT INTO part (upload, number, blob, md5, modified) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![upload, number, received.blob.id, received.md5, now()],
    )?;
    let mut unnamed = Vec::new();
    if let Some(earlier) = earlier
        && release_blob(connection, &earlier)?
    {
        unnamed.push(earlier);
    }
    Ok(unnamed)
}

/// Up to `limit` parts with numbers above `after`, ascending.
pub(crate) fn parts(
    connection: &Connection,
    bucket: &str,
    key: &str,
    upload: &str,
    after: u32,
    limit: i64,
) -> Result<Vec<Part>, ObjectError> {
    require_upload(connection, bucket, key, upload)?;
    let mut statement = connection.prepare_cached(
        "SELECT number, blob.id, blob.size, md5, modified FROM part JOIN blob ON blob.id = part.blob
         WHERE upload = ?1 AND number > ?2 ORDER BY number LIMIT ?3",
    )?;
    let parts = statement.query_map(params![upload, after, limit], |row| {
        Ok(Part {
            number: row.get(0)?,
            blob: Blob {
                id: row.get(1)?,
                size: from_db(row.get(2)?),
            },
            md5: row.get(3)?,
            modified: row.get(4)?,
        })
    })?;
    Ok(parts.collect::<Result<_, _>>()?)
}

/// Up to `limit` open uploads after `(key, id)` whose keys start with `prefix`, ascending by key and id.
pub(crate) fn uploads(
    connection: &Connection,
    bucket: &str,
    prefix: &str,
    after: (&str, &str),
    limit: i64,
) -> Result<Vec<Upload>, ObjectError> {
    require_bucket(connection, bucket)?;
    let mut statement = connection.prepare_cached(
        "SELECT id, key, created FROM upload WHERE bucket = ?1 AND completed IS NULL
         AND (key, id) > (?2, ?3) AND substr(key, 1, length(?4)) = ?4 ORDER BY key, id LIMIT ?5",
    )?;
    let uploads = statement.query_map(params![bucket, after.0, after.1, prefix, limit], |row| {
        Ok(Upload {
            id: row.get(0)?,
            key: row.get(1)?,
            created: row.get(2)?,
        })
    })?;
    Ok(uploads.collect::<Result<_, _>>()?)
}

/// Makes the object of the parts `(number, ETag)`, without copying a byte. Returns its ETag and the files to remove after the
/// commit. Repeated after success it answers the same as long as the object is there (so do Swift and radosgw).
pub(crate) fn complete(
    connection: &Connection,
    bucket: &str,
    key: &str,
    upload: &str,
    wanted: &[(u32, String)],
) -> Result<(String, Vec<String>), ObjectError> {
    require_bucket(connection, bucket)?;
    let Some((description, completed)) = find_upload(connection, bucket, key, upload)? else {
        return Err(ObjectError::NoSuchUpload);
    };
    if let Some(etag) = completed {
        return Ok((etag, Vec::new()));
    }
    if wanted.is_empty() {
        return Err(ObjectError::NoParts);
    }
    if wanted
        .windows(2)
        .any(|pair| matches!(pair, [(first, _), (second, _)] if first >= second))
    {
        return Err(ObjectError::InvalidPartOrder);
    }
    let mut stored: HashMap<u32, Part> = parts(connection, bucket, key, upload, 0, i64::MAX)?
        .into_iter()
        .map(|part| (part.number, part))
        .collect();
    let mut chosen = Vec::with_capacity(stored.len());
    for (number, etag) in wanted {
        match stored.remove(number) {
            Some(part) if crate::hex(&part.md5).eq_ignore_ascii_case(etag) => chosen.push(part),
            _ => return Err(ObjectError::InvalidPart(*number)),
        }
    }
    if let Some((_, all_but_last)) = chosen.split_last()
        && let Some(small) = all_but_last.iter().find(|part| part.blob.size < MIN_PART)
    {
        return Err(ObjectError::TooSmall(small.number));
    }
    let mut md5 = Md5::new();
    for part in &chosen {
        md5.update(part.md5);
    }
    let etag = format!("{}-{}", crate::hex(&md5.finalize()), chosen.len());

    let (content, _) = insert_content(connection, chosen.iter().map(|part| &part.blob))?;
    let mut unnamed = link_object(connection, bucket, key, content, &etag, &description)?;
    connection.execute("DELETE FROM part WHERE upload = ?1", [upload])?;
    for part in stored.into_values() {
        if release_blob(connection, &part.blob.id)? {
            unnamed.push(part.blob.id);
        }
    }
    connection.execute("UPDATE upload SET completed = ?2 WHERE id = ?1", [upload, &etag])?;
    Ok((etag, unnamed))
}

/// Throws an upload and its parts away; returns the files to remove after the commit.
pub(crate) fn abort(
    connection: &Connection,
    bucket: &str,
    key: &str,
    upload: &str,
) -> Result<Vec<String>, ObjectError> {
    let parts = parts(connection, bucket, key, upload, 0, i64::MAX)?;
    connection.execute("DELETE FROM upload WHERE id = ?1", [upload])?;
    let mut unnamed = Vec::new();
    for part in parts {
        if release_blob(connection, &part.blob.id)? {
            unnamed.push(part.blob.id);
        }
    }
    Ok(unnamed)
}
