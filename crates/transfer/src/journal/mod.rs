//! The journal: every upload and every acknowledged part, on disk before the next step relies on it.
//! SQLite in WAL mode with `synchronous = FULL`: what a call has returned survives a crash of the machine.

mod claim;
mod error;
mod row;
mod schema;

use std::{
    fs::{DirBuilder, File, OpenOptions},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, ToSql, Transaction, TransactionBehavior, params};
use uuid::Uuid;

pub use self::{claim::Claim, error::JournalError};
use crate::{
    job::{Job, JobFailure, JobId, JobState, NewJob, SourceIdentity},
    target::PartReceipt,
};

/// How long a write waits for another process that is writing.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// A part that the target acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalPart {
    /// What the target said.
    pub receipt: PartReceipt,
    /// MD5 of the part as it was read from the file.
    pub md5: [u8; 16],
}

/// All uploads of this user. Clones share one connection; calls block for the time of a disk write.
#[derive(Debug, Clone)]
pub struct Journal {
    folder: PathBuf,
    connection: Arc<Mutex<Connection>>,
}

impl Journal {
    /// Opens `folder/journal.sqlite`. Folder and file are made if they are missing, readable for this user only.
    ///
    /// # Errors
    /// `journal_unavailable` if the folder cannot be used, `journal_newer` if a newer program wrote it, `journal_corrupt`, `journal_busy`,
    /// `journal_disk_full`, `journal_failed`.
    pub fn open(folder: &Path) -> Result<Journal, JournalError> {
        Journal::open_in(folder).map_err(|error| error.in_folder(folder))
    }

    fn open_in(folder: &Path) -> Result<Journal, JournalError> {
        create_folder(folder)?;
        let path = folder.join("journal.sqlite");
        // Made here for its mode, which SQLite passes on to the files beside it.
        drop(create_private(&path)?);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(&path, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        schema::migrate(&mut connection)?;
        Ok(Journal {
            folder: folder.to_owned(),
            connection: Arc::new(Mutex::new(connection)),
        })
    }

    /// Writes a new job down, in state [`JobState::Queued`] and last in the queue.
    ///
    /// # Errors
    /// The `journal_*` codes of [`Journal::open`].
    pub fn add(&self, new: &NewJob, now: jiff::Timestamp) -> Result<Job, JournalError> {
        let id = JobId(Uuid::new_v4());
        self.write(|transaction| {
            transaction.execute(
                "INSERT INTO jobs (id, state, source_path, source_size, modified_ns, connection, object_key, part_size, details, created, file_id,
                    position)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, (SELECT coalesce(max(position), 0) + 1 FROM jobs))",
                params![
                    id.0.to_string(),
                    JobState::Queued.name(),
                    row::path_to_sql(&new.source.path),
                    row::to_sql(new.source.size)?,
                    new.source.modified_ns,
                    new.connection,
                    new.key,
                    row::to_sql(new.part_size)?,
                    new.details,
                    now.to_string(),
                    new.source.file_id,
                ],
            )?;
            row::job(transaction, id)
        })
    }

    /// The job with this id.
    ///
    /// # Errors
    /// The `journal_*` codes of [`Journal::open`].
    pub fn job(&self, id: JobId) -> Result<Option<Job>, JournalError> {
        match row::job(&self.connection(), id) {
            Err(error) if error.code == "job_unknown" => Ok(None),
            other => other.map(Some),
        }
    }

    /// All jobs, the newest first.
    ///
    /// # Errors
    /// The `journal_*` codes of [`Journal::open`].
    pub fn jobs(&self) -> Result<Vec<Job>, JournalError> {
        row::jobs(&self.connection())
    }

    /// Puts a job before another one in the queue, or to its end.
    ///
    /// # Errors
    /// `job_unknown`, and the `journal_*` codes of [`Journal::open`].
    pub fn move_before(&self, id: JobId, other: Option<JobId>) -> Result<(), JournalError> {
        self.write(|transaction| {
            row::seq(transaction, id)?;
            let mut queue = row::queue(transaction)?;
            queue.retain(|queued| *queued != id);
            let place = match other {
                None => queue.len(),
                Some(other) if other == id => return Ok(()),
                Some(other) => queue
                    .iter()
                    .position(|queued| *queued == other)
                    .ok_or_else(|| JournalError::unknown(other))?,
            };
            queue.insert(place, id);
            for (position, queued) in (1_i64..).zip(&queue) {
                let sql = "UPDATE jobs SET position = ?2 WHERE id = ?1";
                transaction.execute(sql, params![queued.0.to_string(), position])?;
            }
            Ok(())
        })
    }

    /// Begins a job anew with what the file is now and what the app says of it, under another key: upload, parts, checksums and image
    /// are forgotten. It is in state [`JobState::Queued`] then. What the target still holds of it must have been removed before.
    ///
    /// # Errors
    /// As [`Journal::advance`].
    pub fn restart(
        &self,
        id: JobId,
        source: &SourceIdentity,
        part_size: u64,
        key: &str,
        details: &str,
    ) -> Result<Job, JournalError> {
        let (size, part_size) = (row::to_sql(source.size)?, row::to_sql(part_size)?);
        self.write(|transaction| {
            let from = row::job(transaction, id)?.state;
            if from != JobState::Queued && !from.may_become(JobState::Queued) {
                return Err(JournalError::transition(id, from, JobState::Queued));
            }
            row::forget_parts(transaction, id)?;
            transaction.execute(
                "UPDATE jobs SET state = ?2, failure = NULL, image_id = NULL, published = NULL, source_path = ?3, source_size = ?4,
                    modified_ns = ?5, file_id = ?6, part_size = ?7, details = ?8, object_key = ?9 WHERE id = ?1",
                params![
                    id.0.to_string(),
                    JobState::Queued.name(),
                    row::path_to_sql(&source.path),
                    size,
                    source.modified_ns,
                    source.file_id,
                    part_size,
                    details,
                    key,
                ],
            )?;
            row::job(transaction, id)
        })
    }

    /// Notes where the file is now. Whether it is the same file is for [`SourceIdentity::at`] to say.
    ///
    /// # Errors
    /// `job_unknown`, and the `journal_*` codes of [`Journal::open`].
    pub fn relocate(&self, id: JobId, path: &Path) -> Result<Job, JournalError> {
        self.write(|transaction| {
            let sql = "UPDATE jobs SET source_path = ?2 WHERE id = ?1";
            transaction.execute(sql, params![id.0.to_string(), row::path_to_sql(path)])?;
            row::job(transaction, id)
        })
    }

    /// Brings a job into another state; a failure that was noted is over then.
    ///
    /// # Errors
    /// `job_transition` if [`JobState::may_become`] does not allow it, `job_unknown`, and the `journal_*` codes of [`Journal::open`].
    pub fn advance(&self, id: JobId, to: JobState) -> Result<Job, JournalError> {
        self.change_state(id, to, None)
    }

    /// Notes why a job failed and brings it into state [`JobState::Failed`].
    ///
    /// # Errors
    /// As [`Journal::advance`].
    pub fn fail(&self, id: JobId, failure: &JobFailure) -> Result<Job, JournalError> {
        self.change_state(id, JobState::Failed, Some(failure))
    }

    /// Notes what a job waits for and brings it into state [`JobState::WaitingForNetwork`] or [`JobState::WaitingForSignIn`].
    ///
    /// # Errors
    /// As [`Journal::advance`].
    pub fn wait(&self, id: JobId, state: JobState, cause: &JobFailure) -> Result<Job, JournalError> {
        self.change_state(id, state, Some(cause))
    }

    fn change_state(&self, id: JobId, to: JobState, failure: Option<&JobFailure>) -> Result<Job, JournalError> {
        let failure = failure.map(row::failure_to_sql).transpose()?;
        self.write(|transaction| {
            let from = row::job(transaction, id)?.state;
            if !from.may_become(to) {
                return Err(JournalError::transition(id, from, to));
            }
            transaction.execute(
                "UPDATE jobs SET state = ?2, failure = ?3 WHERE id = ?1",
                params![id.0.to_string(), to.name(), failure],
            )?;
            row::job(transaction, id)
        })
    }

    /// Notes the target's id for the upload. To be called before any part is sent.
    ///
    /// # Errors
    /// `job_unknown`, and the `journal_*` codes of [`Journal::open`].
    pub fn set_upload(&self, id: JobId, upload_id: &str) -> Result<(), JournalError> {
        self.update(
            id,
            "UPDATE jobs SET upload_id = ?2, opening = 0 WHERE id = ?1",
            upload_id,
        )
    }

    /// Notes that the target is asked to open an upload. To be called before it is asked.
    ///
    /// # Errors
    /// `job_unknown`, and the `journal_*` codes of [`Journal::open`].
    pub fn set_opening(&self, id: JobId) -> Result<(), JournalError> {
        self.update(id, "UPDATE jobs SET opening = ?2 WHERE id = ?1", 1)
    }

    /// Notes how far the file was hashed: its first `parts` parts, which the target has all acknowledged, and the state of the hash then.
    ///
    /// # Errors
    /// `job_unknown`, and the `journal_*` codes of [`Journal::open`].
    pub fn set_hashed(&self, id: JobId, parts: u32, state: &[u8]) -> Result<(), JournalError> {
        self.write(|transaction| {
            let sql = "UPDATE jobs SET hashed = ?2, hash_state = ?3 WHERE id = ?1";
            match transaction.execute(sql, params![id.0.to_string(), parts, state])? {
                0 => Err(JournalError::unknown(id)),
                _ => Ok(()),
            }
        })
    }

    /// What [`Journal::set_hashed`] noted.
    ///
    /// # Errors
    /// `job_unknown`, and the `journal_*` codes of [`Journal::open`].
    pub fn hashed(&self, id: JobId) -> Result<Option<(u32, Vec<u8>)>, JournalError> {
        row::hashed(&self.connection(), id)
    }

    /// Notes the filesystem's number of the file, after its content was found to be the same under another one.
    ///
    /// # Errors
    /// `job_unknown`, and the `journal_*` codes of [`Journal::open`].
    pub fn set_file_id(&self, id: JobId, file_id: Option<&str>) -> Result<(), JournalError> {
        self.update(id, "UPDATE jobs SET file_id = ?2 WHERE id = ?1", file_id)
    }

    /// Notes the SHA-512 of the whole file, in hexadecimal digits.
    ///
    /// # Errors
    /// `job_unknown`, and the `journal_*` codes of [`Journal::open`].
    pub fn set_sha512(&self, id: JobId, sha512: &str) -> Result<(), JournalError> {
        self.update(id, "UPDATE jobs SET sha512 = ?2 WHERE id = ?1", sha512)
    }

    /// Notes the id of the image. To be called before the image is made.
    ///
    /// # Errors
    /// `job_unknown`, and the `journal_*` codes of [`Journal::open`].
    pub fn set_image(&self, id: JobId, image_id: &str) -> Result<(), JournalError> {
        self.update(id, "UPDATE jobs SET image_id = ?2 WHERE id = ?1", image_id)
    }

    /// Notes since when everybody who knows the object's address may be able to read it, or that nobody can any more. To be called
    /// before the target is asked to make it public, and after it was asked to make it private.
    ///
    /// # Errors
    /// `job_unknown`, and the `journal_*` codes of [`Journal::open`].
    pub fn set_published(&self, id: JobId, published: Option<jiff::Timestamp>) -> Result<(), JournalError> {
        self.update(
            id,
            "UPDATE jobs SET published = ?2 WHERE id = ?1",
            published.map(|at| at.to_string()),
        )
    }

    /// Notes a part that the target acknowledged; a part of the same number is replaced.
    ///
    /// # Errors
    /// `job_unknown`, and the `journal_*` codes of [`Journal::open`].
    pub fn record_part(&self, id: JobId, part: &PartReceipt, md5: [u8; 16]) -> Result<(), JournalError> {
        let size = row::to_sql(part.size)?;
        self.write(|transaction| {
            let seq = row::seq(transaction, id)?;
            transaction.execute(
                "INSERT OR REPLACE INTO parts (job, number, size, etag, md5) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![seq, part.number, size, part.etag, md5],
            )?;
            Ok(())
        })
    }

    /// The parts that the target acknowledged, ascending by number.
    ///
    /// # Errors
    /// The `journal_*` codes of [`Journal::open`].
    pub fn parts(&self, id: JobId) -> Result<Vec<JournalPart>, JournalError> {
        row::parts(&self.connection(), id)
    }

    /// Forgets some parts, by number: the target does not hold them any more, or holds something else.
    ///
    /// # Errors
    /// `job_unknown`, and the `journal_*` codes of [`Journal::open`].
    pub fn discard_parts(&self, id: JobId, numbers: &[u32]) -> Result<(), JournalError> {
        self.write(|transaction| {
            let seq = row::seq(transaction, id)?;
            for number in numbers {
                transaction.execute("DELETE FROM parts WHERE job = ?1 AND number = ?2", params![seq, number])?;
            }
            Ok(())
        })
    }

    /// Forgets the upload with all its parts and the checksum: the target does not know it any more.
    ///
    /// # Errors
    /// `job_unknown`, and the `journal_*` codes of [`Journal::open`].
    pub fn forget_parts(&self, id: JobId) -> Result<(), JournalError> {
        self.write(|transaction| row::forget_parts(transaction, id))
    }

    /// Removes a job that is done or cancelled.
    ///
    /// # Errors
    /// `job_not_final`, `job_unknown`, and the `journal_*` codes of [`Journal::open`].
    pub fn remove(&self, id: JobId) -> Result<(), JournalError> {
        self.write(|transaction| {
            let state = row::job(transaction, id)?.state;
            if !state.is_final() {
                return Err(JournalError::not_final(id, state));
            }
            transaction.execute("DELETE FROM jobs WHERE id = ?1", [id.0.to_string()])?;
            Ok(())
        })?;
        // An empty file that stays behind does no harm.
        let _ = std::fs::remove_file(claim::lock_path(&self.folder, id));
        Ok(())
    }

    /// Takes the right to work on a job; `None` if another process, or another part of this one, has it.
    ///
    /// # Errors
    /// `job_unknown`, `journal_unavailable` if the lock file cannot be used, and the `journal_*` codes of [`Journal::open`].
    pub fn claim(&self, id: JobId) -> Result<Option<Claim>, JournalError> {
        row::seq(&self.connection(), id)?;
        Claim::take(&self.folder, id)
    }

    fn update(&self, id: JobId, sql: &str, value: impl ToSql) -> Result<(), JournalError> {
        self.write(
            |transaction| match transaction.execute(sql, params![id.0.to_string(), value])? {
                0 => Err(JournalError::unknown(id)),
                _ => Ok(()),
            },
        )
    }

    fn write<T>(&self, work: impl FnOnce(&Transaction) -> Result<T, JournalError>) -> Result<T, JournalError> {
        self.transaction(work).map_err(|error| error.in_folder(&self.folder))
    }

    fn transaction<T>(&self, work: impl FnOnce(&Transaction) -> Result<T, JournalError>) -> Result<T, JournalError> {
        let mut connection = self.connection();
        // Immediate: what was read inside cannot be changed by another process before it is written.
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let result = work(&transaction)?;
        transaction.commit()?;
        Ok(result)
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        // A thread that panicked in the middle left a transaction that was rolled back when it was dropped.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
impl Journal {
    /// Lets the file grow by no more than `pages` pages of 4 KiB, as a full disk does; `None`: as much as it wants.
    pub(crate) fn limit_pages(&self, pages: Option<u32>) {
        let connection = self.connection();
        let now: u32 = connection.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
        let most = pages.map_or(1 << 30, |pages| now + pages);
        connection
            .query_row(&format!("PRAGMA max_page_count = {most}"), [], |_| Ok(()))
            .unwrap();
    }
}

fn create_folder(folder: &Path) -> Result<(), JournalError> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(|error| JournalError::io(&error, folder))
}

fn create_private(path: &Path) -> Result<File, JournalError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(|error| JournalError::io(&error, path))
}

#[cfg(test)]
mod tests;
