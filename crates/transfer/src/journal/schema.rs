//! The journal's tables, version by version. `user_version` tells how far a file has come.

use rusqlite::{Connection, TransactionBehavior};

use super::JournalError;

/// Step n leads from version n to n + 1. Published steps are never changed.
const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE jobs (
        -- Order in which they were written down.
        seq          INTEGER PRIMARY KEY AUTOINCREMENT,
        id           TEXT    NOT NULL UNIQUE,
        state        TEXT    NOT NULL,
        -- Text, or the system's own bytes where the path is no Unicode.
        source_path           NOT NULL,
        source_size  INTEGER NOT NULL,
        modified_ns  INTEGER NOT NULL,
        connection   TEXT    NOT NULL,
        object_key   TEXT    NOT NULL,
        upload_id    TEXT,
        part_size    INTEGER NOT NULL,
        details      TEXT    NOT NULL,
        image_id     TEXT,
        sha512       TEXT,
        -- JSON, only in state `failed`.
        failure      TEXT,
        created      TEXT    NOT NULL
    );
    CREATE TABLE parts (
        job    INTEGER NOT NULL REFERENCES jobs (seq) ON DELETE CASCADE,
        number INTEGER NOT NULL,
        size   INTEGER NOT NULL,
        etag   TEXT    NOT NULL,
        md5    BLOB    NOT NULL,
        PRIMARY KEY (job, number)
    ) WITHOUT ROWID;
",
    "
    -- Place in the queue: the smaller, the sooner. Those of version 1 keep the order in which they were written down.
    ALTER TABLE jobs ADD COLUMN position   INTEGER NOT NULL DEFAULT 0;
    UPDATE jobs SET position = seq;
    ALTER TABLE jobs ADD COLUMN file_id    TEXT;
    -- 1: the target was asked to open an upload, and its answer is not known.
    ALTER TABLE jobs ADD COLUMN opening    INTEGER NOT NULL DEFAULT 0;
    -- SHA-512 of the file's first `hashed` parts, not yet finished, as the program's own encoding of its state.
    ALTER TABLE jobs ADD COLUMN hashed     INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE jobs ADD COLUMN hash_state BLOB;
",
    "
    -- Since when the object may be public; NULL while it is private. What was begun by versions 1 and 2 went to the practice cloud
    -- alone, on this computer, and is removed after its import.
    ALTER TABLE jobs ADD COLUMN published  TEXT;
",
];

/// Brings the tables to the newest version; an error leaves them as they were.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), JournalError> {
    migrate_by(connection, MIGRATIONS)
}

fn migrate_by(connection: &mut Connection, migrations: &[&str]) -> Result<(), JournalError> {
    // Immediate: of two processes that start at once, one migrates, the other finds it done.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let done = usize::try_from(version).ok().filter(|done| *done <= migrations.len());
    let Some(done) = done else {
        return Err(JournalError::newer(version, migrations.len()));
    };
    for step in migrations.iter().skip(done) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(
        None,
        "user_version",
        i64::try_from(migrations.len()).unwrap_or(i64::MAX),
    )?;
    transaction.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(connection: &Connection) -> i64 {
        connection
            .query_row("PRAGMA user_version", [], |row| row.get(0))
            .unwrap()
    }

    #[test]
    fn steps_run_once_and_in_order_and_keep_the_content() {
        let mut connection = Connection::open_in_memory().unwrap();
        let steps = [
            "CREATE TABLE a (x); INSERT INTO a VALUES (1);",
            "ALTER TABLE a ADD COLUMN y DEFAULT 7;",
        ];
        migrate_by(&mut connection, &steps[..1]).unwrap();
        assert_eq!(version(&connection), 1);
        migrate_by(&mut connection, &steps).unwrap();
        migrate_by(&mut connection, &steps).unwrap();
        let rows: Vec<(i64, i64)> = connection
            .prepare("SELECT x, y FROM a")
            .unwrap()
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        assert_eq!((version(&connection), rows), (2, vec![(1, 7)]));
    }

    /// An update of the program must not cost anybody an upload.
    #[test]
    fn jobs_of_version_1_keep_their_meaning() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate_by(&mut connection, &MIGRATIONS[..1]).unwrap();
        connection
            .execute_batch(
                "INSERT INTO jobs (id, state, source_path, source_size, modified_ns, connection, object_key, upload_id, part_size, details, created)
                 VALUES ('6ba7b810-9dad-11d1-80b4-00c04fd430c8', 'uploading', '/a.raw', 10, 5, 'practice', 'k', 'u', 8388608, '{}', '2026-11-22T03:00:00Z'),
                        ('6ba7b811-9dad-11d1-80b4-00c04fd430c8', 'failed', '/b.raw', 10, 5, 'practice', 'l', NULL, 8388608, '{}', '2026-11-22T03:00:00Z');
                 INSERT INTO parts VALUES (1, 1, 10, 'e', zeroblob(16));",
            )
            .unwrap();
        migrate(&mut connection).unwrap();
        let jobs = super::super::row::jobs(&connection).unwrap();
        let [second, first] = jobs.as_slice() else {
            panic!("two jobs, not {jobs:?}")
        };
        assert_eq!((first.state.name(), second.state.name()), ("uploading", "failed"));
        assert_eq!((first.acknowledged, first.upload_id.as_deref()), (10, Some("u")));
        assert_eq!((first.opening, first.source.file_id.as_deref()), (false, None));
        assert!(first.position < second.position, "the order is kept");
        assert_eq!((first.published, second.published), (None, None));
    }

    #[test]
    fn jobs_of_version_2_keep_their_meaning() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate_by(&mut connection, &MIGRATIONS[..2]).unwrap();
        connection
            .execute_batch(
                "INSERT INTO jobs (id, state, source_path, source_size, modified_ns, connection, object_key, upload_id, part_size, details, image_id,
                    created, position, file_id, opening, hashed, hash_state)
                 VALUES ('6ba7b810-9dad-11d1-80b4-00c04fd430c8', 'importing', '/a.raw', 10, 5, 'practice', 'k', 'u', 8388608, '{}', 'i',
                    '2026-11-22T03:00:00Z', 3, '17', 1, 1, x'00');
                 INSERT INTO parts VALUES (1, 1, 10, 'e', zeroblob(16));",
            )
            .unwrap();
        migrate(&mut connection).unwrap();
        let jobs = super::super::row::jobs(&connection).unwrap();
        let [job] = jobs.as_slice() else {
            panic!("one job, not {jobs:?}")
        };
        assert_eq!((job.state.name(), job.image_id.as_deref()), ("importing", Some("i")));
        assert_eq!((job.position, job.opening, job.published), (3, true, None));
        assert_eq!(
            super::super::row::hashed(&connection, job.id).unwrap(),
            Some((1, vec![0]))
        );
    }

    #[test]
    fn a_step_that_fails_changes_nothing() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate_by(
            &mut connection,
            &["CREATE TABLE a (x);", "CREATE TABLE b (x); SELECT nonsense;"],
        )
        .unwrap_err();
        assert_eq!(version(&connection), 0);
        let tables: i64 = connection
            .query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0))
            .unwrap();
        assert_eq!(tables, 0);
    }

    #[test]
    fn a_journal_of_a_newer_program_is_left_alone() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.pragma_update(None, "user_version", 99).unwrap();
        assert_eq!(migrate(&mut connection).unwrap_err().code, "journal_newer");
        assert_eq!(version(&connection), 99);
    }
}
