//! The journal's tables, version by version. `user_version` tells how far a file has come.

use rusqlite::{Connection, TransactionBehavior};

use super::JournalError;

/// Step n leads from version n to n + 1. Published steps are never changed.
const MIGRATIONS: &[&str] = &["
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
"];

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
