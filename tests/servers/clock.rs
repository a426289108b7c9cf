//! A server with another time than ours: the real one, under libfaketime.

use std::{fs, path::PathBuf, process::Command};

use super::{Access, Kind, Server, ceph, ports, wait_for};
use crate::{Result, process::Process};

impl Server {
    /// Another gateway to the same buckets, whose clock is ahead by so many hours; radosgw only. It ends with this server.
    ///
    /// # Errors
    /// When there is no libfaketime, or the gateway does not answer.
    pub async fn ahead(&mut self, hours: u32) -> Result<Access> {
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
        let gateway = Process::start_server(&command, &folder.join("log/ahead-said.log"))?;
        self.processes.push(gateway);
        let endpoint = format!("http://127.0.0.1:{port}");
        wait_for(&endpoint, &mut self.processes, folder).await?;
        Ok(self.access.by(endpoint.parse()?))
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
