//! Real disk images, built by the systems' own tools: what we read off them is held against what those tools say.

mod files;
mod found;
mod images;

use std::sync::Arc;

use lotse_disk::{Disk, FileSource};
use lotse_tests::{Result, provided};

fn open(image: &str) -> Result<Disk> {
    let path = provided::fixture(image)?;
    Ok(Disk::open(Arc::new(FileSource::open(&path)?))?)
}
