//! The database: which files make up which part, object and image. One SQLite file that several processes may share.

use std::{
    collections::HashSet,
    io,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use crate::{access::BUCKET, blobs::Blob};

/// Raised with each change of the schema.
const SCHEMA_VERSION: i64 = 2;

/// How long a writer waits for another process's transaction; they last milliseconds.
const BUSY: Duration = Duration::from_secs(20);

/// `blob`: a file. `content`: files put one after the other, shared by objects and images, immutable.
/// A part or content that names a blob keeps it; whoever removes the last name removes row and file ([`release_blob`]).
const SCHEMA: &str = "
CREATE TABLE blob (id TEXT PRIMARY KEY, size INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE content (id INTEGER PRIMARY KEY AUTOINCREMENT, size INTEGER NOT NULL);
CREATE TABLE content_blob (
    content INTEGER NOT NULL REFERENCES content (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    blob TEXT NOT NULL REFERENCES blob (id),
    PRIMARY KEY (content, position)) WITHOUT ROWID;
CREATE INDEX content_blob_blob ON content_blob (blob);
CREATE TABLE bucket (name TEXT PRIMARY KEY, created INTEGER NOT NULL, policy TEXT) WITHOUT ROWID;
CREATE TABLE object (
    bucket TEXT NOT NULL REFERENCES bucket (name),
    key TEXT NOT NULL,
    content INTEGER NOT NULL REFERENCES content (id),
    etag TEXT NOT NULL,
    public INTEGER NOT NULL,
    content_type TEXT,
    metadata TEXT NOT NULL,
    modified INTEGER NOT NULL,
    PRIMARY KEY (bucket, key)) WITHOUT ROWID;
CREATE INDEX object_content ON object (content);
CREATE TABLE upload (
    id TEXT PRIMARY KEY,
    bucket TEXT NOT NULL REFERENCES bucket (name),
    key TEXT NOT NULL,
    public INTEGER NOT NULL,
    content_type TEXT,
    metadata TEXT NOT NULL,
    created INTEGER NOT NULL,
    completed TEXT) WITHOUT ROWID;
CREATE INDEX upload_key ON upload (bucket, key);
CREATE TABLE part (
    upload TEXT NOT NULL REFERENCES upload (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    blob TEXT NOT NULL REFERENCES blob (id),
    md5 BLOB NOT NULL,
    modified INTEGER NOT NULL,
    PRIMARY KEY (upload, number)) WITHOUT ROWID;
CREATE INDEX part_blob ON part (blob);
CREATE TABLE image (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    region TEXT NOT NULL,
    id TEXT NOT NULL,
    status TEXT NOT NULL,
    fields TEXT NOT NULL,
    content INTEGER REFERENCES content (id),
    session TEXT,
    task TEXT,
    UNIQUE (region, id));
CREATE INDEX image_content ON image (content);
CREATE TABLE task (
    id TEXT PRIMARY KEY,
    region TEXT NOT NULL,
    image TEXT NOT NULL,
    status TEXT NOT NULL,
    message TEXT NOT NULL,
    input TEXT NOT NULL,
    request TEXT NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX task_image ON task (region, image);
";

/// What version 1 lacked: policies of buckets.
const FROM_1: &str = "ALTER TABLE bucket ADD COLUMN policy TEXT;";

/// The database cannot answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("the database was written by a newer version ({0})")]
    Newer(i64),
    #[error("the server is stopping")]
    Stopping,
}

/// A connection to the database.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    connection: Arc<Mutex<Connection>>,
}

impl Store {
    /// Opens or makes the database. The caller holds the folder's lock, so that only one process makes the tables.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let mut connection = Connection::open(path)?;
        connection.busy_timeout(BUSY)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // FULL: what was acknowledged to a client survives a power cut, too.
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        match transaction.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))? {
            0 => {
                transaction.execute_batch(SCHEMA)?;
            }
            1 => transaction.execute_batch(FROM_1)?,
            SCHEMA_VERSION => {}
            newer => return Err(StoreError::Newer(newer)),
        }
        transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
        // A client may have deleted it.
        transaction.execute(
            "INSERT INTO bucket (name, created) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
            params![BUCKET, now()],
        )?;
        transaction.commit()?;
        Ok(Self {
            connection: Arc::new(Mutex::new(connection)),
        })
    }

    /// Runs `work` in one transaction, which is undone when it fails.
    pub(crate) async fn run<T, E>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let store = self.clone();
        tokio::task::spawn_blocking(move || store.run_blocking(work))
            .await
            .map_err(|_| StoreError::Stopping)?
    }

    /// [`Store::run`] for callers outside the runtime.
    pub(crate) fn run_blocking<T, E: From<StoreError>>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        // A panic in another request rolled its transaction back; the connection itself is whole.
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(StoreError::from)?;
        let result = work(&transaction)?;
        transaction.commit().map_err(StoreError::from)?;
        Ok(result)
    }
}

/// Milliseconds since 1970.
pub(crate) fn now() -> i64 {
    Timestamp::now().as_millisecond()
}

/// SQLite's integers are signed; no file reaches 2^63 bytes.
pub(crate) fn to_db(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

/// The way back of [`to_db`].
pub(crate) fn from_db(size: i64) -> u64 {
    u64::try_from(size).unwrap_or(0)
}

/// Names of all files that have a row.
pub(crate) fn all_blobs(connection: &Connection) -> rusqlite::Result<HashSet<String>> {
    connection
        .prepare("SELECT id FROM blob")?
        .query_map([], |row| row.get(0))?
        .collect()
}

pub(crate) fn insert_blob(connection: &Connection, blob: &Blob) -> rusqlite::Result<()> {
    connection
        .execute(
            "INSERT INTO blob (id, size) VALUES (?1, ?2)",
            params![blob.id, to_db(blob.size)],
        )
        .map(drop)
}

/// Removes the row of a file that nobody names any more. True: the caller removes the file after the commit.
pub(crate) fn release_blob(connection: &Connection, id: &str) -> rusqlite::Result<bool> {
    let removed = connection.execute(
        "DELETE FROM blob WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM part WHERE blob = ?1)
         AND NOT EXISTS (SELECT 1 FROM content_blob WHERE blob = ?1)",
        [id],
    )?;
    Ok(removed > 0)
}

/// Puts files one after the other.
pub(crate) fn insert_content<'a>(
    connection: &Connection,
    blobs: impl IntoIterator<Item = &'a Blob>,
) -> rusqlite::Result<(i64, u64)> {
    connection.execute("INSERT INTO content (size) VALUES (0)", [])?;
    let content = connection.last_insert_rowid();
    let mut statement =
        connection.prepare_cached("INSERT INTO content_blob (content, position, blob) VALUES (?1, ?2, ?3)")?;
    let mut size = 0_u64;
    for (position, blob) in (0_i64..).zip(blobs) {
        statement.execute(params![content, position, blob.id])?;
        size = size.saturating_add(blob.size);
    }
    connection.execute(
        "UPDATE content SET size = ?2 WHERE id = ?1",
        params![content, to_db(size)],
    )?;
    Ok((content, size))
}

/// The files of a content in their order.
pub(crate) fn content_blobs(connection: &Connection, content: i64) -> rusqlite::Result<Vec<Blob>> {
    connection
        .prepare_cached(
            "SELECT blob.id, blob.size FROM content_blob JOIN blob ON blob.id = content_blob.blob
             WHERE content = ?1 ORDER BY position",
        )?
        .query_map([content], |row| {
            Ok(Blob {
                id: row.get(0)?,
                size: from_db(row.get(1)?),
            })
        })?
        .collect()
}

/// Bytes of a content; `None` when it is gone.
pub(crate) fn content_size(connection: &Connection, content: i64) -> rusqlite::Result<Option<u64>> {
    connection
        .query_row("SELECT size FROM content WHERE id = ?1", [content], |row| row.get(0))
        .optional()
        .map(|size| size.map(from_db))
}

/// Removes a content that no object and no image names any more; returns the files to remove after the commit.
pub(crate) fn release_content(connection: &Connection, content: i64) -> rusqlite::Result<Vec<String>> {
    let blobs = content_blobs(connection, content)?;
    let removed = connection.execute(
        "DELETE FROM content WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM object WHERE content = ?1)
         AND NOT EXISTS (SELECT 1 FROM image WHERE content = ?1)",
        [content],
    )?;
    if removed == 0 {
        return Ok(Vec::new());
    }
    let mut unnamed = Vec::new();
    for blob in blobs {
        if release_blob(connection, &blob.id)? {
            unnamed.push(blob.id);
        }
    }
    Ok(unnamed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::{self, ObjectError};

    /// A person's practice cloud made by an earlier version goes on with what is in it.
    #[test]
    fn a_database_of_version_1_is_brought_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("practice.sqlite");
        drop(Store::open(&path).unwrap());
        let old = Connection::open(&path).unwrap();
        old.execute_batch(
            "ALTER TABLE bucket DROP COLUMN policy; INSERT INTO bucket VALUES ('mine', 1); PRAGMA user_version = 1;",
        )
        .unwrap();
        drop(old);
        for _ in 0..2 {
            let policy = Store::open(&path)
                .unwrap()
                .run_blocking(|transaction| {
                    let policy = objects::policy(transaction, "mine")?;
                    objects::set_policy(transaction, "mine", Some("{}"))?;
                    Ok::<_, ObjectError>(policy)
                })
                .unwrap();
            assert!(policy.is_none_or(|policy| policy == "{}"));
        }
    }
}
