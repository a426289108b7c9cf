//! What the journal keeps of an upload's wished-for image, and what its file tells.

use std::path::Path;

use lotse_disk::Container;
use lotse_transfer::Job;
use serde::{Deserialize, Serialize};

use crate::{Distribution, Error, ImageDetails};

/// What this crate keeps in a job's `details`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct JobDetails {
    pub(super) image: ImageDetails,
    /// Container format as Glance names it.
    pub(super) disk_format: String,
}

impl JobDetails {
    pub(super) fn to_json(&self) -> Result<String, Error> {
        serde_json::to_string(self).map_err(|cause| Error::new("upload_details_unreadable").with("cause", cause))
    }
}

/// The container's format as Glance names it.
///
/// # Errors
/// Code `format_not_accepted`: refused before it is sent rather than afterwards.
pub(super) fn disk_format(container: &Container) -> Result<String, Error> {
    let refused = |name: &str| Err(Error::new("format_not_accepted").with("format", name));
    match (container.format, container.compression) {
        (_, Some(compression)) if !compression.is_accepted() => refused(compression.name()),
        (Some(format), _) if !format.is_accepted() => refused(format.name()),
        (Some(format), _) => Ok(format.name().to_owned()),
        // Behind a compression the format does not show; Glance wants one named and knows such files as raw.
        (None, _) => Ok("raw".to_owned()),
    }
}

pub(crate) fn file_name(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// What was asked for; a row of a newer version that cannot be read still shows under its file's name.
pub(crate) fn image_details(job: &Job) -> ImageDetails {
    serde_json::from_str(&job.details).map_or_else(
        |_| ImageDetails {
            name: file_name(&job.source.path),
            distribution: Distribution::Unknown,
            region: String::new(),
            tags: Vec::new(),
            notes: String::new(),
        },
        |details: JobDetails| details.image,
    )
}
