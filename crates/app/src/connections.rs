//! The clouds that images can be sent to. So far one: the practice cloud, started inside this process when it is first used.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use lotse_cloud::{KeystoneConfig, OpenStack, S3, S3Config, Secret};
use lotse_practice_cloud::PracticeCloud;
use tokio::sync::OnceCell;

use crate::Error;

/// Id of the practice cloud's connection.
pub const PRACTICE: &str = "practice";

/// A connection as a person sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// Names it in calls, settings and the journal.
    pub id: String,
    /// What it is.
    pub kind: ConnectionKind,
    /// Regions that take images, in the service's order.
    pub regions: Vec<String>,
}

/// What a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionKind {
    /// The embedded cloud: nothing leaves this computer.
    Practice,
}

/// A connection in use: its clients, signed in.
pub(crate) struct OpenConnection {
    pub(crate) staging: S3,
    pub(crate) openstack: OpenStack,
    /// Stops the embedded server when the last user is gone.
    _practice: PracticeCloud,
}

/// The connections of one process, each opened when it is first used and kept.
pub(crate) struct Connections {
    folder: PathBuf,
    practice: OnceCell<Arc<OpenConnection>>,
}

impl Connections {
    pub(crate) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            practice: OnceCell::new(),
        }
    }

    pub(crate) async fn open(&self, id: &str) -> Result<Arc<OpenConnection>, Error> {
        if id != PRACTICE {
            return Err(Error::new("connection_unknown").with("connection", id));
        }
        self.practice
            .get_or_try_init(|| open_practice(&self.folder))
            .await
            .cloned()
    }

    pub(crate) async fn list(&self) -> Result<Vec<Connection>, Error> {
        let practice = self.open(PRACTICE).await?;
        Ok(vec![Connection {
            id: PRACTICE.to_owned(),
            kind: ConnectionKind::Practice,
            regions: practice.openstack.regions(),
        }])
    }
}

async fn open_practice(folder: &Path) -> Result<Arc<OpenConnection>, Error> {
    let practice = PracticeCloud::start(&folder.join("practice-cloud")).await?;
    let access = practice.access();
    let http = lotse_cloud::http_client()?;
    let staging = S3::new(
        S3Config {
            endpoint: access.s3_endpoint.clone(),
            region: access.s3_region.clone(),
            bucket: access.bucket.clone(),
            access_key: access.access_key.clone(),
            secret_key: Secret::new(access.secret_key.clone()),
            public_read: true,
        },
        http.clone(),
    )?;
    let openstack = OpenStack::sign_in(
        http,
        &KeystoneConfig {
            auth_url: access.auth_url.clone(),
            user: access.user.clone(),
            password: Secret::new(access.password.clone()),
            domain: access.domain.clone(),
            project: access.project.clone(),
        },
    )
    .await?;
    Ok(Arc::new(OpenConnection {
        staging,
        openstack,
        _practice: practice,
    }))
}
