//! Everything that is read off an image, for engineers and support: what the rules judge, without the rules.

use std::{path::Path, sync::Arc};

use lotse_disk::{Disk, FileSource};
use lotse_guest::Facts;

use crate::Error;

/// Reads every fact off the image at `path`. Blocks while it reads, as long as [`check`](crate::check()).
///
/// # Errors
/// When the file cannot be read as a disk image; what cannot be read inside it is unknown, with its reason.
pub fn facts(path: &Path) -> Result<Facts, Error> {
    let disk = Disk::open(Arc::new(FileSource::open(path)?))?;
    Ok(lotse_guest::examine(&disk))
}
