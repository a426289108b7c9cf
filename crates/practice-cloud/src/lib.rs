//! An embedded cloud on loopback that speaks S3, Keystone v3 and Glance v2, for trying out and for tests.
//! It binds 127.0.0.1 only and downloads from nowhere but itself; all data lies in one folder.

use std::{error::Error, fmt, io, net::Ipv4Addr, path::Path, sync::Arc, time::Duration};

use hyper::{
    Request, Response,
    body::{Body, Incoming},
    service::{Service, service_fn},
};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use s3s::service::{S3Service, S3ServiceBuilder};
use tokio::net::{TcpListener, TcpStream};

mod access;
mod blobs;
mod error;
mod glance;
mod keystone;
mod node;
mod objects;
mod s3;
mod session;
mod store;

pub use access::Access;
pub use error::PracticeError;

use node::Node;

/// How often images are looked for whose process died while another one goes on serving the same folder.
const RECOVERY: Duration = Duration::from_secs(3);

/// Settings that only tests have a reason to change.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// How long a Keystone token is good.
    pub token_lifetime: Duration,
}

impl Default for Options {
    /// A token is good for one hour, Keystone's own default (`[token] expiration`).
    fn default() -> Self {
        Self {
            token_lifetime: Duration::from_hours(1),
        }
    }
}

/// A running practice cloud. It stops on [`PracticeCloud::shutdown`] or when it is dropped.
pub struct PracticeCloud {
    access: Access,
    node: Arc<Node>,
}

impl PracticeCloud {
    /// Starts on free loopback ports with its data in `folder`, which is made (readable by the owner only) if it is missing.
    ///
    /// Several processes may serve the same folder at once. Credentials are made anew at each start and never stored.
    ///
    /// # Errors
    /// `practice_folder`, `practice_database` or `practice_port`.
    pub async fn start(folder: &Path) -> Result<PracticeCloud, PracticeError> {
        Self::start_with(folder, Options::default()).await
    }

    /// [`PracticeCloud::start`] with other settings.
    ///
    /// # Errors
    /// As [`PracticeCloud::start`].
    pub async fn start_with(folder: &Path, options: Options) -> Result<PracticeCloud, PracticeError> {
        let (s3_listener, s3_port) = listen().await?;
        let (openstack_listener, openstack_port) = listen().await?;
        let access = Access::generate(s3_port, openstack_port)?;
        let node = {
            let (path, access) = (folder.to_owned(), access.clone());
            // Waits for a lock and a database: not on a thread that serves others.
            tokio::task::spawn_blocking(move || Node::open(&path, &access, options.token_lifetime))
                .await
                .map_err(|error| PracticeError::folder(folder, &error))??
        };
        let s3 = s3_service(&node, &access);
        let openstack: axum::Router = axum::Router::new()
            .merge(keystone::router())
            .merge(glance::router(&node, s3.clone()))
            .with_state(Arc::clone(&node));
        let openstack = TowerToHyperService::new(openstack);
        node.spawn(accept(Arc::clone(&node), s3_listener, move |stream| {
            serve(stream, s3.clone())
        }));
        node.spawn(accept(Arc::clone(&node), openstack_listener, move |stream| {
            serve(stream, openstack.clone())
        }));
        node.spawn(recover(Arc::clone(&node)));
        Ok(Self { access, node })
    }

    /// Addresses and credentials of this cloud.
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// Stops serving; requests under way are cut off. What was acknowledged is on disk.
    pub async fn shutdown(self) {
        self.node.take_tasks().shutdown().await;
    }
}

impl Drop for PracticeCloud {
    fn drop(&mut self) {
        // The tasks hold the node, and the node the tasks: taking them out ends both.
        drop(self.node.take_tasks());
    }
}

async fn listen() -> Result<(TcpListener, u16), PracticeError> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .map_err(|error| PracticeError::port(&error))?;
    let port = listener
        .local_addr()
        .map_err(|error| PracticeError::port(&error))?
        .port();
    Ok((listener, port))
}

fn s3_service(node: &Arc<Node>, access: &Access) -> S3Service {
    let mut builder = S3ServiceBuilder::new(s3::ObjectStore(Arc::clone(node)));
    let secret_key = access.secret_key.as_str().into();
    builder.set_auth(s3::Keys {
        access_key: access.access_key.clone(),
        secret_key,
    });
    builder.set_access(s3::Gate);
    builder.build()
}

async fn accept<F>(node: Arc<Node>, listener: TcpListener, serve: impl Fn(TcpStream) -> F + Send + 'static)
where
    F: Future<Output = ()> + Send + 'static,
{
    loop {
        match listener.accept().await {
            Ok((stream, _)) => node.spawn(serve(stream)),
            Err(error) => {
                // Too many open files, most likely: those that are open must end first.
                tracing::warn!(%error, "the practice cloud could not take a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Answers one connection's requests. Each is carried out to its end even if the client breaks off meanwhile: between a
/// file and its row in the database nothing may be left half done.
async fn serve<S, B>(stream: TcpStream, service: S)
where
    S: Service<Request<Incoming>, Response = Response<B>> + Send + 'static,
    S::Future: Send + 'static,
    S::Error: fmt::Debug + Send + 'static,
    B: Body<Data: Send> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let service = service_fn(move |request| {
        let answer = tokio::spawn(service.call(request));
        async move {
            let answer = answer.await.map_err(io::Error::other)?;
            answer.map_err(|error| io::Error::other(format!("{error:?}")))
        }
    });
    log_broken(
        hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service)
            .await,
    );
}

fn log_broken(result: hyper::Result<()>) {
    if let Err(error) = result {
        // A client that broke off: its own business.
        tracing::debug!(%error, "connection to the practice cloud ended early");
    }
}

async fn recover(node: Arc<Node>) {
    loop {
        if let Err(error) = glance::recover(&node).await {
            tracing::warn!(%error, "interrupted imports could not be looked for");
        }
        tokio::time::sleep(RECOVERY).await;
    }
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(
        String::with_capacity(bytes.len().saturating_mul(2)),
        |mut text, byte| {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        },
    )
}
