//! Disk images on a real web server, with the habits that such servers have (tests/servers/http-nohead.py).
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test whose server does not start has failed")]

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    thread,
};

use lotse_cloud::{CloudError, RangeFile, http_client};
use lotse_disk::{BlockSource, Disk, ExtentKind, Fetch, Source};
use url::Url;

/// The server, for as long as the test runs.
struct Server {
    child: Child,
    address: String,
    /// What it was asked, line by line.
    log: Option<thread::JoinHandle<Vec<String>>>,
}

impl Server {
    fn start(folder: &Path) -> Server {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/servers/http-nohead.py");
        let mut child = Command::new("python3")
            .args([&script, folder])
            .arg("0")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let address = line.split_whitespace().nth(2).unwrap().to_owned();
        let errors = BufReader::new(child.stderr.take().unwrap());
        let log = thread::spawn(move || errors.lines().map_while(Result::ok).collect());
        Server {
            child,
            address,
            log: Some(log),
        }
    }

    async fn open(&self, path: &str) -> Result<RangeFile, CloudError> {
        let url = Url::parse(&self.address).unwrap().join(path).unwrap();
        RangeFile::open(http_client().unwrap(), url).await
    }

    async fn code(&self, path: &str) -> &'static str {
        self.open(path).await.map(|file| format!("{file:?}")).unwrap_err().code
    }

    /// What the server was asked until now; stops it.
    fn asked(mut self) -> Vec<String> {
        self.child.kill().unwrap();
        self.log.take().unwrap().join().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|at| u8::try_from(at / 3 % 251).unwrap()).collect()
}

/// Runs what blocks on a thread of its own, as the program does.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

#[tokio::test]
async fn an_image_on_a_web_server_is_read_without_fetching_it() {
    let folder = tempfile::tempdir().unwrap();
    let raw = folder.path().join("disk.raw");
    let image = folder.path().join("disk.qcow2");
    let mut disk = vec![0; 64 << 20];
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    disk[1 << 20..40 << 20].copy_from_slice(&bytes(39 << 20));
    std::fs::write(&raw, &disk).unwrap();
    let made = Command::new("qemu-img")
        .args(["convert", "-f", "raw", "-O", "qcow2"])
        .args([&raw, &image])
        .status()
        .unwrap();
    assert!(made.success());

    let server = Server::start(folder.path());
    let file = server.open("/redir/disk.qcow2").await.unwrap();
    blocking(move || {
        let disk_there = Disk::open(Arc::new(BlockSource::new(file))).unwrap();
        assert_eq!(disk_there.len(), disk.len() as u64);
        assert_eq!(disk_there.missing_bytes().unwrap(), 0);
        let data: u64 = disk_there
            .extents()
            .map(Result::unwrap)
            .filter(|extent| extent.kind == ExtentKind::Data)
            .map(|extent| extent.len)
            .sum();
        assert!((39 << 20..41 << 20).contains(&data));
        let mut buf = vec![0; 300_000];
        for offset in [0, (1 << 20) - 1000, 39 << 20, 63 << 20] {
            disk_there.read_at(&mut buf, offset as u64).unwrap();
            assert!(buf[..] == disk[offset..offset + buf.len()], "at {offset}");
        }
    })
    .await;
    let asked = server.asked();
    assert!(
        asked
            .iter()
            .all(|line| line.starts_with("GET ") && line.contains("Range=bytes="))
    );
    assert!(asked.len() < 20, "few requests: {asked:#?}");
}

#[tokio::test]
async fn every_byte_arrives_although_connections_break() {
    let folder = tempfile::tempdir().unwrap();
    let whole = bytes(3_000_000);
    std::fs::write(folder.path().join("disk"), &whole).unwrap();
    let server = Server::start(folder.path());
    // Each connection is cut after 700,000 bytes; from a server without validators that may be compared.
    for path in ["/disk", "/cut/700000/disk", "/weak/disk", "/redir/cut/700000/disk"] {
        let file = server.open(path).await.unwrap();
        assert_eq!(file.len(), 3_000_000);
        let whole = whole.clone();
        blocking(move || {
            assert!(file.fetch(0..3_000_000).unwrap() == whole);
            assert_eq!(file.fetch(2_999_999..3_000_000).unwrap(), whole[2_999_999..]);
            let source = BlockSource::new(file);
            let mut buf = vec![0; whole.len()];
            source.read_at(&mut buf, 0).unwrap();
            assert!(buf == whole);
        })
        .await;
    }
}

#[tokio::test]
async fn each_habit_of_a_server_that_cannot_serve_has_its_own_code() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("disk"), bytes(100_000)).unwrap();
    std::fs::write(folder.path().join("empty"), b"").unwrap();
    let server = Server::start(folder.path());
    for (path, code) in [
        ("/norange/disk", "http_no_ranges"),
        ("/gzip/disk", "http_no_ranges"),
        ("/nowhere", "http_not_found"),
        ("/auth/disk", "http_forbidden"),
        ("/empty", "http_empty"),
        ("/status/503/disk", "http_busy"),
        ("/status/500/disk", "http_server_error"),
        ("/status/418/disk", "http_rejected"),
        ("/loop/disk", "http_redirect_refused"),
        ("/moved/disk", "http_redirect_refused"),
    ] {
        assert_eq!(server.code(path).await, code, "{path}");
    }
    let file = RangeFile::open(http_client().unwrap(), Url::parse("ftp://127.0.0.1/disk").unwrap()).await;
    assert_eq!(file.unwrap_err().code, "http_address_invalid");
    let gone = server.address.clone();
    drop(server);
    let file = RangeFile::open(http_client().unwrap(), Url::parse(&gone).unwrap()).await;
    let error = file.unwrap_err();
    assert_eq!((error.code, error.retryable), ("http_unreachable", true));
}

/// Half of the one file and half of the other would be a disk that never was.
#[tokio::test]
async fn a_file_that_changes_meanwhile_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk");
    std::fs::write(&path, bytes(100_000)).unwrap();
    let server = Server::start(folder.path());
    let changing = server.open("/changed/disk").await.unwrap();
    let (file, weak, shorter) = (
        server.open("/disk").await.unwrap(),
        server.open("/weak/disk").await.unwrap(),
        server.open("/disk").await.unwrap(),
    );
    let code = |file: RangeFile, range| blocking(move || file.fetch(range).unwrap_err().code());
    assert_eq!(code(changing, 0..1000).await, "http_changed");
    std::fs::write(&path, vec![7; 100_000]).unwrap();
    assert_eq!(code(file, 0..1000).await, "http_changed");
    assert_eq!(
        code(weak, 0..1000).await,
        "http_changed",
        "a weak ETag is compared here"
    );
    std::fs::write(&path, vec![7; 100]).unwrap();
    assert_eq!(code(shorter, 50_000..60_000).await, "http_changed");
}
