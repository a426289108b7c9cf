//! Real S3 servers on loopback, each from nothing in a folder of its own and gone when it is dropped.

mod ceph;
pub mod clock;
mod ports;
pub mod secure;
mod swift;
mod users;

use std::{
    fmt::Write as _,
    path::Path,
    time::{Duration, Instant},
};

use lotse_cloud::{Addressing, S3, S3Config, Secret, http_client};
use lotse_practice_cloud::PracticeCloud;
use rusty_s3::{Bucket, Credentials, S3Action as _, UrlStyle, actions::CreateBucket};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use url::Url;

use self::secure::Secure;
use crate::{Result, process::Process};

/// How long a server may take to answer. A quiet machine needs 4 to 12 seconds.
const START_LIMIT: Duration = Duration::from_mins(3);

/// How often a start is tried: another program may take a port just after it was found to be free.
const ATTEMPTS: u32 = 3;

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// OpenStack Swift with its `s3api`.
    Swift,
    /// Ceph's radosgw, which is what centron runs.
    Radosgw,
    /// The program's own practice cloud.
    Practice,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 3] = [Kind::Swift, Kind::Radosgw, Kind::Practice];

    /// As it is called on a command line.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Swift => "swift",
            Kind::Radosgw => "radosgw",
            Kind::Practice => "practice",
        }
    }
}

/// What one may choose about a server.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Smallest part of a multipart upload but the last, in bytes. S3's own is 5 MiB. The practice cloud keeps to its own.
    pub min_part: u64,
    /// Memory for what is stored, in GiB; radosgw only, which keeps everything in memory here.
    pub memory_gib: u64,
    /// Answers with TLS too; radosgw only.
    pub tls: bool,
    /// Is called [`secure::NAME`], so that a bucket may stand before that in the address; Swift always is.
    pub named: bool,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            min_part: 5 << 20,
            memory_gib: 2,
            tls: false,
            named: false,
        }
    }
}

/// Where a server is, and as whom it lets one in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Access {
    /// Its address, without a bucket.
    pub endpoint: Url,
    /// Region to sign for.
    pub region: String,
    /// A bucket that is there.
    pub bucket: String,
    /// Access key.
    pub access_key: String,
    /// Secret key; nothing that has to be kept secret.
    pub secret_key: String,
}

impl Access {
    /// The same server by another address, such as a proxy's.
    #[must_use]
    pub fn by(&self, endpoint: Url) -> Access {
        Access {
            endpoint,
            ..self.clone()
        }
    }

    /// What the program's own client needs.
    pub fn config(&self) -> S3Config {
        S3Config {
            endpoint: self.endpoint.clone(),
            region: self.region.clone(),
            bucket: self.bucket.clone(),
            access_key: self.access_key.clone(),
            secret_key: Secret::new(self.secret_key.clone()),
            addressing: Addressing::Path,
        }
    }

    /// The program's own client.
    ///
    /// # Errors
    /// When no client can be made.
    pub fn client(&self) -> Result<S3> {
        Ok(S3::new(self.config(), http_client()?)?)
    }

    /// Makes the bucket.
    ///
    /// # Errors
    /// When the service refuses.
    pub async fn make_bucket(&self) -> Result {
        let (bucket, keys) = self.by_hand()?;
        let url = CreateBucket::new(&bucket, &keys).sign(Duration::from_mins(5));
        let answer = http_client()?.put(url).header("content-length", 0).send().await?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        Err(format!("no bucket could be made: {status} {}", answer.text().await?).into())
    }

    /// The bucket and its keys for requests made by hand.
    ///
    /// # Errors
    /// When the address is none.
    pub fn by_hand(&self) -> Result<(Bucket, Credentials)> {
        let bucket = Bucket::new(
            self.endpoint.clone(),
            UrlStyle::Path,
            self.bucket.clone(),
            self.region.clone(),
        )?;
        Ok((bucket, Credentials::new(&self.access_key, &self.secret_key)))
    }
}

/// A running server. It ends with this, and with the thread that started it.
pub struct Server {
    /// Where it is.
    pub access: Access,
    /// Where it is with TLS, if that was asked for.
    pub secure: Option<Secure>,
    kind: Kind,
    // Ended before their folder goes.
    processes: Vec<Process>,
    practice: Option<PracticeCloud>,
    folder: TempDir,
}

impl Server {
    /// Starts one and makes a bucket. To be called from a thread that outlives it, not from a pool's.
    ///
    /// # Errors
    /// When a program is missing, or the server does not answer in time; the end of its logs is part of the message.
    pub async fn start(kind: Kind, settings: Settings) -> Result<Server> {
        let mut attempt = 1;
        loop {
            match Server::start_once(kind, settings).await {
                Err(error) if attempt < ATTEMPTS => {
                    eprintln!("{} did not start, once more: {error}", kind.name());
                    attempt += 1;
                }
                outcome => return outcome,
            }
        }
    }

    async fn start_once(kind: Kind, settings: Settings) -> Result<Server> {
        let folder = tempfile::Builder::new().prefix("lotse-s3-").tempdir()?;
        let (processes, practice, access, secure) = match kind {
            Kind::Swift => {
                let (processes, access) = swift::start(folder.path(), settings).await?;
                (processes, None, access, None)
            }
            Kind::Radosgw => {
                let (processes, access, secure) = ceph::start(folder.path(), settings).await?;
                (processes, None, access, secure)
            }
            Kind::Practice => {
                let practice = PracticeCloud::start(folder.path()).await?;
                let access = practice_access(&practice);
                (Vec::new(), Some(practice), access, None)
            }
        };
        if kind != Kind::Practice {
            access
                .make_bucket()
                .await
                .map_err(|error| with_logs(&error.to_string(), folder.path()))?;
        }
        Ok(Server {
            access,
            secure,
            kind,
            processes,
            practice,
            folder,
        })
    }

    /// Which one it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What the operator does: `radosgw-admin` with these words; radosgw only.
    ///
    /// # Errors
    /// When it refuses.
    pub fn admin(&self, words: &[&str]) -> Result<String> {
        ceph::admin(self.folder.path(), words)
    }

    /// The end of what it logged.
    pub fn logs(&self) -> String {
        logs(self.folder.path())
    }
}

fn practice_access(practice: &PracticeCloud) -> Access {
    let access = practice.access();
    Access {
        endpoint: access.s3_endpoint.clone(),
        region: access.s3_region.clone(),
        bucket: access.bucket.clone(),
        access_key: access.access_key.clone(),
        secret_key: access.secret_key.clone(),
    }
}

/// Waits until `url` answers at all with success, while the processes run.
async fn wait_for(url: &str, processes: &mut [Process], folder: &Path) -> Result {
    let http = http_client()?;
    let limit = Instant::now() + START_LIMIT;
    loop {
        if http
            .get(url)
            .send()
            .await
            .is_ok_and(|answer| answer.status().is_success())
        {
            return Ok(());
        }
        for process in &mut *processes {
            process
                .still_runs()
                .map_err(|error| with_logs(&error.to_string(), folder))?;
        }
        if Instant::now() > limit {
            return Err(with_logs(&format!("{url} does not answer"), folder).into());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn with_logs(sentence: &str, folder: &Path) -> String {
    format!("{sentence}\n{}", logs(folder))
}

/// The last lines of every log in the folder.
fn logs(folder: &Path) -> String {
    let mut text = String::new();
    let files = std::fs::read_dir(folder.join("log")).into_iter().flatten().flatten();
    for path in files.map(|file| file.path()) {
        let log = std::fs::read(&path).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        for line in lines.iter().skip(lines.len().saturating_sub(8)) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            // Writing into a String cannot fail.
            _ = writeln!(text, "{name}: {line}");
        }
    }
    text
}

/// A port of the loopback address that nobody uses now.
pub(crate) fn free_port() -> Result<u16> {
    let [port] = ports::free::<1>()?;
    Ok(port)
}

/// The name of the user that runs this.
fn user() -> Result<String> {
    let mut id = std::process::Command::new("id");
    Ok(crate::process::output(id.arg("-un"))?.trim().to_owned())
}
