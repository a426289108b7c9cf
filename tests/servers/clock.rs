//! A server with another time than ours: the real one, under libfaketime.

use std::{fs, path::PathBuf, process::Command};

use super::{Access, Kind, Server, ceph, ports, wait_for};
use crate::{Result, process::Process};

/// A running gateway whose clock is ahead of ours. It ends with this.
pub struct Ahead {
    /// Where it is.
    pub access: Access,
    process: Option<Process>,
    /// What libfaketime keeps in memory that could be shared; it stays behind when the gateway is killed.
    left: [String; 2],
}

impl Server {
    /// Another gateway to the same buckets, whose clock is ahead by so many hours; radosgw only. To be dropped before this server is.
    ///
    /// # Errors
    /// When there is no libfaketime, or the gateway does not answer.
    pub async fn ahead(&self, hours: u32) -> Result<Ahead> {
        if self.kind != Kind::Radosgw {
            return Err("only radosgw has a second gateway".into());
        }
        let [port] = ports::free::<1>()?;
        let folder = self.folder.path();
        let mut command = Command::new("radosgw");
        ceph::second_gateway(&mut command, folder, port);
        command
            .env("LD_PRELOAD", library()?)
            .env("FAKETIME", format!("+{hours}h"))
            // How long something takes stays true.
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        let mut process = Process::start_server(&command, &folder.join("log/ahead-said.log"))?;
        let endpoint = format!("http://127.0.0.1:{port}");
        let waited = wait_for(&endpoint, std::slice::from_mut(&mut process), folder).await;
        let ahead = Ahead {
            access: self.access.by(endpoint.parse()?),
            left: ["faketime_shm_", "sem.faketime_sem_"].map(|name| format!("/dev/shm/{name}{}", process.id())),
            process: Some(process),
        };
        waited.map(|()| ahead)
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        drop(self.process.take());
        for file in &self.left {
            // Where it is not, nothing is left.
            _ = fs::remove_file(file);
        }
    }
}

/// Where the library for programs of several threads is: with Debian in a folder for each kind of processor.
fn library() -> Result<PathBuf> {
    let of_processors = fs::read_dir("/usr/lib")?.flatten().map(|folder| folder.path());
    ["/usr/lib64", "/usr/lib"]
        .into_iter()
        .map(PathBuf::from)
        .chain(of_processors)
        .map(|folder| folder.join("faketime/libfaketimeMT.so.1"))
        .find(|library| library.exists())
        .ok_or_else(|| "there is no libfaketime. `cargo xtask test` installs it.".into())
}
