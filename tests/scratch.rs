//! A small filesystem of a test's own, which can be full.

use std::{
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

/// A tmpfs in a mount namespace of its own, seen through `/proc`: nothing is mounted on this machine, and it is gone when this is dropped.
/// Wants root, or a kernel that lets everybody have user namespaces.
pub struct SmallDisk {
    path: PathBuf,
    _holder: Process,
    _point: TempDir,
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
        let pid = holder.line(LIMIT)?;
        let inside = point.path().strip_prefix("/")?;
        Ok(SmallDisk {
            path: Path::new("/proc").join(pid.trim()).join("root").join(inside),
            _holder: holder,
            _point: point,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
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

    fn filler(&self) -> PathBuf {
        self.path.join("filler")
    }
}
