//! SQLite databases of the guest: read into memory with what their log or journal holds, then opened read-only by
//! SQLite itself, which never sees a file.

mod image;
mod journal;
mod wal;

use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::{Connection, MAIN_DB, config::DbConfig, limits::Limit};

use self::image::Image;
use super::{DatabaseKind, corrupt, not_read};
use crate::files::{Files, Read};

/// Instructions of SQLite's virtual machine that one database may cost: a hundred for each of the most packages, and as
/// much again to find its tables.
const MOST_INSTRUCTIONS: u64 = 10_000_000;

/// How often they are counted.
const COUNTED_EACH: u16 = 1000;

/// Longest text or blob, in bytes; rpm's headers stay below.
const MAX_VALUE: i32 = 64 << 20;

/// Bytes of a database that may be read out of its blobs; see [`Database::blob`].
const BUDGET: u64 = 1 << 30;

/// Bytes that all texts of a query may have together.
const MAX_TEXTS: usize = 16 << 20;

/// A database in memory.
pub(super) struct Database<'p> {
    connection: Connection,
    path: &'p str,
    budget: AtomicU64,
}

/// One row's blob.
pub(super) struct Blob<'d> {
    handle: rusqlite::blob::Blob<'d>,
    path: &'d str,
    budget: &'d AtomicU64,
}

/// Opens a database that has an ordinary table of the given name.
///
/// # Errors
/// `package_database_corrupt`, `package_database_not_read`, `file_too_large`, or why a file could not be read.
pub(super) fn open<'p>(files: &Files<'_>, path: &'p str, kind: DatabaseKind, table: &str) -> Read<Database<'p>> {
    let mut image = Image::open(files, path, kind)?;
    let size = image.size();
    let mut connection = Connection::open_in_memory().map_err(|_| not_read(kind))?;
    let loaded = connection.deserialize_read_exact(MAIN_DB, &mut image, size, true);
    if let Some(unknown) = image.failed() {
        return Err(unknown);
    }
    let guarded = loaded.and_then(|()| guard(&mut connection));
    guarded.map_err(|_| corrupt(path))?;
    let ordinary = connection.query_row(
        "SELECT count(*) FROM sqlite_schema WHERE name = ?1 AND type = 'table' AND rootpage > 0",
        [table],
        |row| row.get::<_, i64>(0),
    );
    // A virtual table has no page of its own, and its code is none that a hostile image should reach.
    if ordinary.map_err(|_| corrupt(path))? != 1 {
        return Err(corrupt(path));
    }
    Ok(Database {
        connection,
        path,
        budget: AtomicU64::new(BUDGET),
    })
}

/// What <https://sqlite.org/security.html> asks for with databases from others.
fn guard(connection: &mut Connection) -> rusqlite::Result<()> {
    for (option, value) in [
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false),
    ] {
        connection.set_db_config(option, value)?;
    }
    for (limit, most) in [
        (Limit::SQLITE_LIMIT_LENGTH, MAX_VALUE),
        (Limit::SQLITE_LIMIT_SQL_LENGTH, 100_000),
        (Limit::SQLITE_LIMIT_COLUMN, 100),
        (Limit::SQLITE_LIMIT_EXPR_DEPTH, 100),
        (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 10),
        (Limit::SQLITE_LIMIT_VDBE_OP, 25_000),
        (Limit::SQLITE_LIMIT_FUNCTION_ARG, 20),
        (Limit::SQLITE_LIMIT_ATTACHED, 0),
        (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 50),
        (Limit::SQLITE_LIMIT_VARIABLE_NUMBER, 10),
        (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 1),
        (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
    ] {
        connection.set_limit(limit, most)?;
    }
    let mut left = MOST_INSTRUCTIONS;
    let count = move || {
        left = left.saturating_sub(u64::from(COUNTED_EACH));
        left == 0
    };
    connection.progress_handler(i32::from(COUNTED_EACH), Some(count))?;
    for (pragma, value) in [("cell_size_check", "ON"), ("temp_store", "MEMORY")] {
        connection.pragma_update(None, pragma, value)?;
    }
    Ok(())
}

impl Database<'_> {
    /// The whole numbers of a query's first column; more than `most` are none that an honest database has.
    pub(super) fn numbers(&self, query: &str, most: usize) -> Read<Vec<i64>> {
        self.rows(query, most, |row| row.get(0))
    }

    /// The first three columns of a query, as text.
    pub(super) fn texts(&self, query: &str, most: usize) -> Read<Vec<[String; 3]>> {
        let mut left = MAX_TEXTS;
        self.rows(query, most, |row| {
            let texts: [String; 3] = [row.get(0)?, row.get(1)?, row.get(2)?];
            // Rows may share their pages in a hostile database.
            let spent = left.checked_sub(texts.iter().map(String::len).sum());
            left = spent.ok_or(rusqlite::Error::InvalidQuery)?;
            Ok(texts)
        })
    }

    fn rows<T>(
        &self,
        query: &str,
        most: usize,
        row: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Read<Vec<T>> {
        let read = || -> rusqlite::Result<Vec<T>> {
            let mut statement = self.connection.prepare(query)?;
            let rows = statement.query_map([], row)?;
            rows.take(most.saturating_add(1)).collect()
        };
        let rows = read().map_err(|_| corrupt(self.path))?;
        if rows.len() > most {
            return Err(corrupt(self.path));
        }
        Ok(rows)
    }

    /// The blob of one row, of which only the beginning is read: most of a header of rpm names files.
    pub(super) fn blob(&self, table: &str, column: &str, row: i64) -> Read<Blob<'_>> {
        let blob = self.connection.blob_open(MAIN_DB, table, column, row, true);
        Ok(Blob {
            handle: blob.map_err(|_| corrupt(self.path))?,
            path: self.path,
            budget: &self.budget,
        })
    }
}

impl Blob<'_> {
    /// Its length in bytes.
    pub(super) fn len(&self) -> usize {
        self.handle.len()
    }

    /// Its first bytes, at most `len`. Rows may share their pages in a hostile database; all together cost no more than
    /// the budget.
    pub(super) fn start(&self, len: usize) -> Read<Vec<u8>> {
        let len = len.min(self.len());
        let spent = self.budget.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
            left.checked_sub(len as u64)
        });
        let mut bytes = vec![0; len];
        match (spent, self.handle.read_at_exact(&mut bytes, 0)) {
            (Ok(_), Ok(())) => Ok(bytes),
            _ => Err(corrupt(self.path)),
        }
    }
}
