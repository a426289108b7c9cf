//! Between the journal's rows and the program's types.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use rusqlite::{
    Connection, OptionalExtension, Row,
    types::{Value, ValueRef},
};
use uuid::Uuid;

use super::{JournalError, JournalPart};
use crate::{
    job::{Job, JobFailure, JobId, JobState, SourceIdentity},
    target::PartReceipt,
};

const JOB: &str =
    "SELECT id, state, source_path, source_size, modified_ns, connection, object_key, upload_id, part_size, details,
    image_id, sha512, failure, created, position, file_id, opening, published,
    (SELECT coalesce(sum(size), 0) FROM parts WHERE job = seq) AS acknowledged FROM jobs";

pub(super) fn job(connection: &Connection, id: JobId) -> Result<Job, JournalError> {
    let mut statement = connection.prepare_cached(&format!("{JOB} WHERE id = ?1"))?;
    let mut rows = statement.query([id.0.to_string()])?;
    match rows.next()? {
        Some(row) => read_job(row),
        None => Err(JournalError::unknown(id)),
    }
}

pub(super) fn jobs(connection: &Connection) -> Result<Vec<Job>, JournalError> {
    let mut statement = connection.prepare_cached(&format!("{JOB} ORDER BY seq DESC"))?;
    let mut rows = statement.query([])?;
    let mut jobs = Vec::new();
    while let Some(row) = rows.next()? {
        jobs.push(read_job(row)?);
    }
    Ok(jobs)
}

pub(super) fn hashed(connection: &Connection, id: JobId) -> Result<Option<(u32, Vec<u8>)>, JournalError> {
    let noted = connection
        .prepare_cached("SELECT hashed, hash_state FROM jobs WHERE id = ?1")?
        .query_row([id.0.to_string()], |row| {
            Ok((row.get::<_, u32>(0)?, row.get::<_, Option<Vec<u8>>>(1)?))
        })
        .optional()?;
    let (parts, state) = noted.ok_or_else(|| JournalError::unknown(id))?;
    Ok(state.map(|state| (parts, state)))
}

/// The jobs' ids in the order of the queue.
pub(super) fn queue(connection: &Connection) -> Result<Vec<JobId>, JournalError> {
    let mut statement = connection.prepare_cached("SELECT id FROM jobs ORDER BY position, seq")?;
    let ids = statement.query_map([], |row| row.get::<_, String>(0))?;
    ids.map(|id| read_id(&id?)).collect()
}

/// Forgets the upload with all that is known of its parts.
pub(super) fn forget_parts(connection: &Connection, id: JobId) -> Result<(), JournalError> {
    let seq = seq(connection, id)?;
    connection.execute("DELETE FROM parts WHERE job = ?1", [seq])?;
    connection.execute(
        "UPDATE jobs SET upload_id = NULL, opening = 0, sha512 = NULL, hashed = 0, hash_state = NULL WHERE seq = ?1",
        [seq],
    )?;
    Ok(())
}

pub(super) fn seq(connection: &Connection, id: JobId) -> Result<i64, JournalError> {
    let seq = connection
        .prepare_cached("SELECT seq FROM jobs WHERE id = ?1")?
        .query_row([id.0.to_string()], |row| row.get(0))
        .optional()?;
    seq.ok_or_else(|| JournalError::unknown(id))
}

pub(super) fn parts(connection: &Connection, id: JobId) -> Result<Vec<JournalPart>, JournalError> {
    let mut statement = connection.prepare_cached(
        "SELECT number, parts.size, etag, md5 FROM parts JOIN jobs ON parts.job = jobs.seq WHERE jobs.id = ?1 ORDER BY number",
    )?;
    let mut rows = statement.query([id.0.to_string()])?;
    let mut parts = Vec::new();
    while let Some(row) = rows.next()? {
        let receipt = PartReceipt {
            number: row.get(0)?,
            size: from_sql(row.get(1)?)?,
            etag: row.get(2)?,
        };
        parts.push(JournalPart {
            receipt,
            md5: row.get(3)?,
        });
    }
    Ok(parts)
}

fn read_job(row: &Row) -> Result<Job, JournalError> {
    let id: String = row.get("id")?;
    let state: String = row.get("state")?;
    let failure: Option<String> = row.get("failure")?;
    let created: String = row.get("created")?;
    let published: Option<String> = row.get("published")?;
    Ok(Job {
        id: read_id(&id)?,
        state: JobState::ALL
            .into_iter()
            .find(|known| known.name() == state)
            .ok_or_else(|| JournalError::corrupt("state"))?,
        source: SourceIdentity {
            path: path_from_sql(row.get_ref("source_path")?)?,
            size: from_sql(row.get("source_size")?)?,
            modified_ns: row.get("modified_ns")?,
            file_id: row.get("file_id")?,
        },
        connection: row.get("connection")?,
        key: row.get("object_key")?,
        upload_id: row.get("upload_id")?,
        part_size: from_sql(row.get("part_size")?)?,
        details: row.get("details")?,
        opening: row.get("opening")?,
        published: published
            .map(|text| text.parse().map_err(|_| JournalError::corrupt("published")))
            .transpose()?,
        image_id: row.get("image_id")?,
        sha512: row.get("sha512")?,
        acknowledged: from_sql(row.get("acknowledged")?)?,
        failure: failure
            .map(|text| serde_json::from_str(&text).map_err(|_| JournalError::corrupt("failure")))
            .transpose()?,
        position: row.get("position")?,
        created: created.parse().map_err(|_| JournalError::corrupt("created"))?,
    })
}

fn read_id(id: &str) -> Result<JobId, JournalError> {
    Uuid::parse_str(id).map(JobId).map_err(|_| JournalError::corrupt("id"))
}

pub(super) fn failure_to_sql(failure: &JobFailure) -> Result<String, JournalError> {
    serde_json::to_string(failure).map_err(|error| JournalError::failed(&error.to_string()))
}

/// SQLite's integers have a sign; no file is larger than what they hold.
pub(super) fn to_sql(size: u64) -> Result<i64, JournalError> {
    i64::try_from(size).map_err(|_| JournalError::failed("size above 2^63"))
}

fn from_sql(size: i64) -> Result<u64, JournalError> {
    u64::try_from(size).map_err(|_| JournalError::corrupt("size"))
}

pub(super) fn path_to_sql(path: &Path) -> Value {
    match path.to_str() {
        Some(text) => Value::Text(text.to_owned()),
        None => Value::Blob(os::bytes(path.as_os_str())),
    }
}

fn path_from_sql(value: ValueRef) -> Result<PathBuf, JournalError> {
    let path: OsString = match value {
        ValueRef::Text(text) => std::str::from_utf8(text).ok().map(OsString::from),
        ValueRef::Blob(bytes) => os::string(bytes),
        _ => None,
    }
    .ok_or_else(|| JournalError::corrupt("source_path"))?;
    Ok(path.into())
}

#[cfg(unix)]
mod os {
    use std::{
        ffi::{OsStr, OsString},
        os::unix::ffi::{OsStrExt, OsStringExt},
    };

    pub(super) fn bytes(text: &OsStr) -> Vec<u8> {
        text.as_bytes().to_vec()
    }

    #[expect(clippy::unnecessary_wraps, reason = "on Windows not every byte string is a path")]
    pub(super) fn string(bytes: &[u8]) -> Option<OsString> {
        Some(OsString::from_vec(bytes.to_vec()))
    }
}

#[cfg(windows)]
mod os {
    use std::{
        ffi::{OsStr, OsString},
        os::windows::ffi::{OsStrExt, OsStringExt},
    };

    pub(super) fn bytes(text: &OsStr) -> Vec<u8> {
        text.encode_wide().flat_map(u16::to_le_bytes).collect()
    }

    pub(super) fn string(bytes: &[u8]) -> Option<OsString> {
        let (units, rest) = bytes.as_chunks::<2>();
        rest.is_empty()
            .then(|| OsString::from_wide(&units.iter().map(|unit| u16::from_le_bytes(*unit)).collect::<Vec<_>>()))
    }
}
