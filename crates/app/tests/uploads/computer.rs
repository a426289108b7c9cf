//! A computer of its own for each test: the program's data and some images on it.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use lotse_app::{
    App, Distribution, Error, ImageDetails, PRACTICE, Settings, SystemEnvironment, Upload, UploadRequest, UploadState,
};
use lotse_transfer::{JobId, JobState};
use tempfile::TempDir;

pub(crate) type Outcome = Result<(), Box<dyn std::error::Error>>;

/// Long enough for several parts of 8 MiB, so that there is something to interrupt.
pub(crate) const SIZE: usize = 40 << 20;

/// Bytes of an image that is sent in one part.
pub(crate) const SMALL: u64 = 1 << 20;

pub(crate) struct Computer {
    pub(crate) folder: TempDir,
}

impl Computer {
    pub(crate) fn new() -> std::io::Result<Self> {
        Ok(Self {
            folder: TempDir::new()?,
        })
    }

    /// The program's data; each `App` over it is like a process of its own.
    pub(crate) fn app(&self) -> Result<App, Error> {
        App::open(&self.folder.path().join("data"), Arc::new(SystemEnvironment))
    }

    /// A disk as `identify` wants it (boot signature), with bytes that do not repeat from part to part.
    pub(crate) fn image(&self, name: &str) -> std::io::Result<PathBuf> {
        let mut bytes: Vec<u8> = (0_u32..).flat_map(u32::to_le_bytes).take(SIZE).collect();
        bytes[510..512].copy_from_slice(&[0x55, 0xaa]);
        let path = self.folder.path().join(name);
        fs::write(&path, bytes)?;
        Ok(path)
    }

    /// The same of one part.
    pub(crate) fn small_image(&self, name: &str) -> std::io::Result<PathBuf> {
        let path = self.image(name)?;
        fs::File::options().write(true).open(&path)?.set_len(SMALL)?;
        Ok(path)
    }

    /// Waits until the practice cloud keeps no more than a database needs. Parts that were on their way when an upload was
    /// cancelled go when the server notices that nobody sends them any more.
    pub(crate) async fn is_swept(&self) -> std::io::Result<bool> {
        for _ in 0..100 {
            if self.stored()? < 4 << 20 {
                return Ok(true);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(false)
    }

    /// Bytes that the practice cloud keeps on disk.
    pub(crate) fn stored(&self) -> std::io::Result<u64> {
        size_below(&self.folder.path().join("data/practice-cloud"))
    }
}

pub(crate) fn size_below(folder: &Path) -> std::io::Result<u64> {
    let mut size = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        size += if entry.file_type()?.is_dir() {
            size_below(&entry.path())?
        } else {
            entry.metadata()?.len()
        };
    }
    Ok(size)
}

pub(crate) fn request(path: PathBuf) -> UploadRequest {
    UploadRequest {
        path,
        connection: PRACTICE.to_owned(),
        details: ImageDetails {
            name: "Büro Server".to_owned(),
            distribution: Distribution::Debian,
            region: "practice-south".to_owned(),
            tags: vec!["web".to_owned()],
            notes: "Aus dem Keller".to_owned(),
        },
    }
}

/// Waits until `wanted` says yes; an upload on loopback that takes longer than a minute has hung.
pub(crate) async fn until(app: &App, id: JobId, wanted: impl Fn(&Upload) -> bool) -> Result<Upload, Error> {
    let mut changes = app.uploads().changes();
    let waiting = async {
        loop {
            changes.mark_unchanged();
            let upload = app.uploads().get(id)?;
            if wanted(&upload) {
                return Ok(upload);
            }
            changes
                .changed()
                .await
                .map_err(|_| Error::new("the uploads are gone"))?;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), waiting)
        .await
        .map_err(|_| Error::new("timeout"))?
}

pub(crate) fn ended(upload: &Upload) -> bool {
    matches!(
        upload.state,
        UploadState::Job(JobState::Done | JobState::Failed | JobState::Cancelled)
    )
}

/// Runs an upload in a runtime of its own until `wanted`, and then drops the runtime: all its tasks end where they stand.
pub(crate) fn interrupted(
    computer: &Computer,
    path: PathBuf,
    wanted: impl Fn(&Upload) -> bool,
) -> Result<JobId, Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Runtime::new()?;
    let id = runtime.block_on(async {
        let app = computer.app()?;
        slow(&app)?;
        let begun = app.uploads().start(&request(path)).await?;
        until(&app, begun.id, wanted).await?;
        Ok::<_, Error>(begun.id)
    })?;
    runtime.shutdown_timeout(Duration::from_secs(10));
    limit(&computer.app()?, None)?;
    Ok(id)
}

/// So slow that an image is still on its way when the test looks at it again.
pub(crate) fn slow(app: &App) -> Result<(), Error> {
    limit(app, Some(8_000_000))
}

pub(crate) fn limit(app: &App, bytes_per_second: Option<u64>) -> Result<(), Error> {
    app.uploads().set_settings(&Settings {
        bytes_per_second,
        ..app.uploads().settings()
    })
}
