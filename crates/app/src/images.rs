//! The images of a connection, over all its regions, with the storage they take together.

use lotse_cloud::Image as CloudImage;

use crate::{Distribution, Error, ImageDetails, connections::OpenConnection};

/// Glance's common property for the distribution (OpenStack "useful image properties").
const DISTRIBUTION: &str = "os_distro";

/// Where Horizon, OpenStack's own panel, keeps an image's description.
const NOTES: &str = "description";

/// An image in a region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The service's id.
    pub id: String,
    /// Region in which it is.
    pub region: String,
    /// Name.
    pub name: String,
    /// The service's word: `queued`, `importing`, `active`, ...
    pub status: String,
    /// Stored bytes, once known.
    pub size: Option<u64>,
    /// `raw`, `qcow2`, ...
    pub disk_format: Option<String>,
    /// Distribution, where one was given.
    pub distribution: Option<Distribution>,
    /// Tags.
    pub tags: Vec<String>,
    /// Notes.
    pub notes: String,
    /// When it was made, as the service tells it (ISO 8601).
    pub created: Option<String>,
}

/// Images and the storage that they take together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageList {
    /// Region by region, in each as the service lists them.
    pub images: Vec<Image>,
    /// Sum of the sizes in bytes.
    pub total_size: u64,
}

pub(crate) async fn list(connection: &OpenConnection) -> Result<ImageList, Error> {
    let mut images = Vec::new();
    let openstack = connection.openstack()?;
    for region in openstack.regions() {
        let found = openstack.images(&region)?.list().await?;
        images.extend(found.into_iter().map(|image| in_region(image, &region)));
    }
    let total_size = images
        .iter()
        .filter_map(|image| image.size)
        .fold(0, u64::saturating_add);
    Ok(ImageList { images, total_size })
}

fn in_region(image: CloudImage, region: &str) -> Image {
    Image {
        id: image.id,
        region: region.to_owned(),
        name: image.name.unwrap_or_default(),
        status: image.status,
        size: image.size,
        disk_format: image.disk_format,
        distribution: image
            .properties
            .get(DISTRIBUTION)
            .map(|id| Distribution::from_os_release_id(id)),
        tags: image.tags,
        notes: image.properties.get(NOTES).cloned().unwrap_or_default(),
        created: image.created_at,
    }
}

/// The properties under which an image's details are kept in the service.
pub(crate) fn properties(details: &ImageDetails) -> impl Iterator<Item = (String, String)> {
    let distribution = (details.distribution != Distribution::Unknown)
        .then(|| (DISTRIBUTION.to_owned(), details.distribution.name().to_owned()));
    let notes = (!details.notes.is_empty()).then(|| (NOTES.to_owned(), details.notes.clone()));
    distribution.into_iter().chain(notes)
}
