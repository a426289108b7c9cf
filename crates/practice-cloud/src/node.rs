//! What the services of one running practice cloud share: database, files, credentials, background tasks.

use std::{
    collections::HashSet,
    future::Future,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rusqlite::Transaction;
use tokio::task::JoinSet;

use crate::{
    Access, PracticeError,
    blobs::{Blobs, Received},
    keystone::Identity,
    session::{FolderLock, Session},
    store::{Store, StoreError, all_blobs},
};

/// The database's file in the data folder.
const DATABASE: &str = "practice.sqlite";

/// One running practice cloud.
pub(crate) struct Node {
    pub(crate) store: Store,
    pub(crate) blobs: Blobs,
    pub(crate) session: Arc<Session>,
    pub(crate) identity: Identity,
    /// Connections, uploads and imports under way.
    tasks: Mutex<JoinSet<()>>,
}

impl Node {
    /// Opens the data folder and removes what dead processes left in it. Blocks.
    pub(crate) fn open(folder: &Path, access: &Access, token_lifetime: Duration) -> Result<Arc<Self>, PracticeError> {
        let unusable = |error: &std::io::Error| PracticeError::folder(folder, error);
        make_private(folder).map_err(|error| unusable(&error))?;
        let lock = FolderLock::acquire(folder).map_err(|error| unusable(&error))?;
        let session = Session::open(&folder.join("sessions"), &lock).map_err(|error| unusable(&error))?;
        let session = Arc::new(session);
        let database = folder.join(DATABASE);
        let damaged = |error: &StoreError| PracticeError::database(&database, error);
        let store = Store::open(&database).map_err(|error| damaged(&error))?;
        let blobs = Blobs::open(folder, Arc::clone(&session)).map_err(|error| unusable(&error))?;
        let known =
            || -> Result<HashSet<String>, StoreError> { store.run_blocking(|transaction| Ok(all_blobs(transaction)?)) };
        blobs.clean(known).map_err(|error| damaged(&error))?;
        session.forget_dead(&lock).map_err(|error| unusable(&error))?;
        let identity = Identity::new(access.clone(), token_lifetime);
        Ok(Arc::new(Self {
            store,
            blobs,
            session,
            identity,
            tasks: Mutex::default(),
        }))
    }

    /// Runs something until it ends or the cloud stops.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        // Forgets those that have ended, so that the set does not grow with each connection.
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    }

    /// Takes the running tasks out; dropping them stops them.
    pub(crate) fn take_tasks(&self) -> JoinSet<()> {
        std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Gives a received file its row. `work` returns its result and the files that lost theirs; if it fails, the file goes.
    pub(crate) async fn store_received<T, E>(
        &self,
        received: Received,
        work: impl FnOnce(&Transaction<'_>, &Received) -> Result<(T, Vec<String>), E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let id = received.blob.id.clone();
        match self.store.run(move |transaction| work(transaction, &received)).await {
            Ok((result, unnamed)) => {
                self.blobs.remove(unnamed).await;
                Ok(result)
            }
            Err(error) => {
                self.blobs.remove(vec![id]).await;
                Err(error)
            }
        }
    }
}

/// Makes the folder, for the owner only where the system can say so.
fn make_private(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}
