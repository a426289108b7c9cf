//! A small filesystem of a test's own, which can be full.

use std::{
    ffi::OsStr,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use tempfile::TempDir;

use crate::{Result, process::Process};

/// How long making it may take.
const LIMIT: Duration = Duration::from_secs(20);

/// A tmpfs in a mount namespace of its own: nothing is mounted on this machine, and it is gone when this is dropped. Only a program that
/// [`SmallDisk::command`] starts sees it. Wants root, or a kernel that lets everybody have user namespaces.
pub struct SmallDisk {
    holder: String,
    point: TempDir,
    _process: Process,
}

impl SmallDisk {
    /// With room for so many bytes.
    ///
    /// # Errors
    /// When no namespace can be had.
    pub fn new(size: u64) -> Result<SmallDisk> {
        let point = TempDir::new()?;
        let script = "mount -t tmpfs -o \"size=$1\" tmpfs \"$2\" && echo $$ && exec sleep infinity";
        let mut command = Command::new("unshare");
        command
            .args(["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"])
            .arg(size.to_string())
            .arg(point.path());
        let holder = Process::start(&command)?;
        Ok(SmallDisk {
            holder: holder.line(LIMIT)?.trim().to_owned(),
            point,
            _process: holder,
        })
    }

    /// Where it is, for a program that sees it.
    pub fn path(&self) -> &Path {
        self.point.path()
    }

    /// A program that sees it.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command
            .args([
                "--target",
                &self.holder,
                "--user",
                "--mount",
                "--preserve-credentials",
                "--",
            ])
            .arg(program);
        command
    }

    /// Leaves not a byte.
    ///
    /// # Errors
    /// When something else than the space ends.
    pub fn fill(&self) -> Result {
        let mut filler = fs::File::create(self.filler())?;
        loop {
            match filler.write_all(&[0; 512]) {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::StorageFull => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Makes room again.
    ///
    /// # Errors
    /// When it was not full.
    pub fn free(&self) -> Result {
        Ok(fs::remove_file(self.filler())?)
    }

    /// Through `/proc`, which is good for a plain file; SQLite resolves the link and misses it.
    fn filler(&self) -> PathBuf {
        let inside = self.path().strip_prefix("/").unwrap_or(self.path());
        Path::new("/proc")
            .join(&self.holder)
            .join("root")
            .join(inside)
            .join("filler")
    }
}
