//! Every staging object that still exists: what the journal knows, and what is in the buckets.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use lotse_transfer::{Job, JobState, Target as _, TargetErrorKind};

use super::{StagingKind, StagingList, StagingObject};
use crate::{
    App, Error,
    connections::{OpenConnection, PREFIX},
    uploads::name_in,
};

/// So many objects that are not public as far as the journal knows are looked at as a stranger: each costs a request.
const LOOKED_AT: usize = 100;

impl App {
    /// Every staging object that still exists, of this computer and of others over the same connections. Where a connection cannot be
    /// asked, what the journal knows of it is told.
    ///
    /// # Errors
    /// When the journal or the connections' file cannot be read.
    pub async fn staging(&self) -> Result<StagingList, Error> {
        let all = self.uploads.inner.journal.jobs()?;
        // By key alone: two connections may lead to the same bucket, and no two keys are alike.
        let of_key: BTreeMap<&str, &Job> = all.iter().rev().map(|job| (job.key.as_str(), job)).collect();
        let mut jobs: BTreeMap<&str, Vec<&Job>> = BTreeMap::new();
        for job in &all {
            jobs.entry(&job.connection).or_default().push(job);
        }
        let known: BTreeSet<String> = self.connections.ids()?.into_iter().collect();
        let mut list = StagingList::default();
        for id in &known {
            let jobs = jobs.remove(id.as_str()).unwrap_or_default();
            match self.in_bucket(id, &jobs, &of_key).await {
                Ok(objects) => list.objects.extend(objects),
                Err(error) => {
                    list.objects.extend(jobs.iter().filter_map(|job| self.by_journal(job)));
                    list.unreachable.push((id.clone(), error));
                }
            }
        }
        // Of connections that were removed only the journal still knows.
        for (id, jobs) in jobs {
            let objects: Vec<StagingObject> = jobs.iter().filter_map(|job| self.by_journal(job)).collect();
            if !objects.is_empty() {
                let gone = Error::new("connection_unknown").with("connection", id);
                list.unreachable.push((id.to_owned(), gone));
                list.objects.extend(objects);
            }
        }
        Ok(list)
    }

    /// What a connection's bucket holds below the prefix, with what the journal knows of it: `jobs` are the connection's own, `of_key` all.
    async fn in_bucket(
        &self,
        id: &str,
        jobs: &[&Job],
        of_key: &BTreeMap<&str, &Job>,
    ) -> Result<Vec<StagingObject>, Error> {
        let connection = self.connections.open(id).await?;
        let objects = connection.staging.objects(PREFIX).await?;
        let uploads = match connection.staging.open_uploads(PREFIX).await {
            Ok(uploads) => Some(uploads),
            // Some services do not list them, and some keys may not: the objects are what can be public, and what costs.
            Err(error) if matches!(error.kind, TargetErrorKind::Forbidden | TargetErrorKind::Rejected) => {
                tracing::info!(code = error.code, connection = id, "open uploads cannot be listed");
                None
            }
            Err(error) => return Err(error.into()),
        };
        let uploads_listed = uploads.is_some();
        let mut found = Vec::new();
        let mut looks = 0;
        for object in objects {
            let job = of_key.get(object.key.as_str()).copied();
            let public = match job {
                Some(job) if !job.state.is_final() && job.published.is_some() => Some(true),
                _ if looks >= LOOKED_AT => None,
                _ => {
                    looks += 1;
                    connection.staging.is_public(&object.key).await.ok()
                }
            };
            found.push(StagingObject {
                size: Some(object.size),
                public,
                public_until: job.and_then(|job| self.public_until(job)),
                ..whole(id, &object.key, StagingKind::Object, object.modified, job)
            });
        }
        for upload in uploads.into_iter().flatten() {
            let job = of_key.get(upload.key.as_str()).copied();
            let kind = StagingKind::OpenUpload {
                upload_id: upload.upload_id,
            };
            found.push(whole(id, &upload.key, kind, upload.begun, job));
        }
        // Lists may lag behind what was written (Swift's do).
        for job in jobs {
            if found.iter().any(|object| object.key == job.key) {
                continue;
            }
            let Some(object) = self.by_journal(job) else {
                continue;
            };
            let is_there = match object.kind {
                StagingKind::Object => connection.holds(&job.key).await?,
                StagingKind::OpenUpload { .. } => !uploads_listed,
            };
            if is_there {
                found.push(object);
            }
        }
        Ok(found)
    }

    /// What stands in the bucket of a job as far as the journal tells.
    fn by_journal(&self, job: &Job) -> Option<StagingObject> {
        let all_sent = job.sha512.is_some() && job.acknowledged == job.source.size;
        let has_arrived = all_sent || job.published.is_some();
        let kind = match &job.upload_id {
            _ if job.state.is_final() => return None,
            Some(_) if has_arrived => StagingKind::Object,
            Some(upload_id) => StagingKind::OpenUpload {
                upload_id: upload_id.clone(),
            },
            None => return None,
        };
        Some(StagingObject {
            size: has_arrived.then_some(job.source.size),
            public: Some(job.published.is_some()),
            public_until: self.public_until(job),
            ..whole(&job.connection, &job.key, kind, job.created, Some(job))
        })
    }

    fn public_until(&self, job: &Job) -> Option<Timestamp> {
        job.published
            .filter(|_| !job.state.is_final())
            .map(|published| self.uploads.inner.public_until(published))
    }

    /// Removes a staging object, or with `upload_id` the parts of an upload that was not finished. One that stands ready for its import
    /// is cancelled by that.
    ///
    /// # Errors
    /// Codes `staging_foreign` for what is not this program's, `staging_in_use` where an upload of this computer still needs it, which
    /// can be cancelled instead; the codes of connections and secrets; what the service says.
    pub async fn remove_staging(&self, connection: &str, key: &str, upload_id: Option<&str>) -> Result<(), Error> {
        if !key.starts_with(PREFIX) {
            return Err(Error::new("staging_foreign").with("key", key));
        }
        let journal = &self.uploads.inner.journal;
        let job = journal.jobs()?.into_iter().find(|job| job.key == key);
        match (&job, upload_id) {
            (Some(job), None) if job.state == JobState::Staged => {
                self.uploads.cancel(job.id).await?;
                // The upload's own connection may have been removed: what it cannot reach goes over this one.
                if job.connection == connection {
                    return Ok(());
                }
            }
            // What lies beside an object that has arrived is left from a try whose answer was lost.
            (Some(job), Some(_)) if job.state == JobState::Staged => {}
            (Some(job), _) if !job.state.is_final() => return Err(Error::new("staging_in_use").with("key", key)),
            _ => {}
        }
        let open = self.connections.open(connection).await?;
        match upload_id {
            Some(upload_id) => open.staging.abort(key, upload_id).await?,
            // Whether it is public nobody here knows.
            None => open.remove(key, true).await?,
        }
        if let (Some(job), None) = (&job, upload_id) {
            journal.set_published(job.id, None)?;
        }
        Ok(())
    }
}

fn whole(connection: &str, key: &str, kind: StagingKind, since: Timestamp, job: Option<&Job>) -> StagingObject {
    StagingObject {
        connection: connection.to_owned(),
        key: key.to_owned(),
        file_name: job.map_or_else(
            || name_in(key).to_owned(),
            |job| crate::uploads::file_name(&job.source.path),
        ),
        size: None,
        // Parts are nobody's to read.
        public: (kind != StagingKind::Object).then_some(false),
        kind,
        since,
        upload: job.map(|job| job.id),
        public_until: None,
    }
}

impl OpenConnection {
    /// Is there an object under this key?
    pub(crate) async fn holds(&self, key: &str) -> Result<bool, Error> {
        Ok(self.staging.stored(key).await?.is_some())
    }
}
