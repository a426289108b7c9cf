//! Images and import tasks as Glance v2 shows them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;

/// What every image has; everything else in an image is a property (Images API v2, "Show image"), but for the service's own notes
/// on imports, `os_glance_*`.
const BASE: [&str; 25] = [
    "checksum",
    "container_format",
    "created_at",
    "direct_url",
    "disk_format",
    "file",
    "id",
    "locations",
    "min_disk",
    "min_ram",
    "name",
    "os_hash_algo",
    "os_hash_value",
    "os_hidden",
    "owner",
    "protected",
    "schema",
    "self",
    "size",
    "status",
    "stores",
    "tags",
    "updated_at",
    "virtual_size",
    "visibility",
];

/// An image in the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// A UUID.
    pub id: String,
    /// Name; the service allows images without one.
    pub name: Option<String>,
    /// `queued`, `saving`, `uploading`, `importing`, `active`, `killed`, `deactivated`, `deleted`, ...
    pub status: String,
    /// Stored bytes, once known.
    pub size: Option<u64>,
    /// `raw`, `qcow2`, ...
    pub disk_format: Option<String>,
    /// Tags.
    pub tags: Vec<String>,
    /// When it was made (ISO 8601).
    pub created_at: Option<String>,
    /// What `os_hash_value` is made with, usually `sha512`.
    pub os_hash_algo: Option<String>,
    /// Hash of the stored bytes in hexadecimal digits, once known.
    pub os_hash_value: Option<String>,
    /// Project that owns it.
    pub owner: Option<String>,
    /// All further properties.
    pub properties: BTreeMap<String, String>,
}

impl Image {
    /// `None` if it has no id or no status.
    pub(super) fn read(fields: &Map<String, Value>) -> Option<Image> {
        let text = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
        let tags = fields.get("tags").and_then(Value::as_array).into_iter().flatten();
        let properties = fields
            .iter()
            .filter(|(name, _)| !BASE.contains(&name.as_str()) && !name.starts_with("os_glance_"));
        Some(Image {
            id: text("id")?,
            name: text("name"),
            status: text("status")?,
            size: fields.get("size").and_then(Value::as_u64),
            disk_format: text("disk_format"),
            tags: tags.filter_map(Value::as_str).map(str::to_owned).collect(),
            created_at: text("created_at"),
            os_hash_algo: text("os_hash_algo"),
            os_hash_value: text("os_hash_value"),
            owner: text("owner"),
            properties: properties
                .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
                .collect(),
        })
    }
}

/// A task of the service for an image, for example an import.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Task {
    /// Its id.
    pub id: String,
    /// How far it is.
    pub status: TaskStatus,
    /// The service's words, above all when it failed.
    #[serde(default)]
    pub message: Option<String>,
    /// When it was made (ISO 8601, UTC).
    #[serde(default)]
    pub created_at: Option<String>,
}

/// How far a task is (Tasks API v2, "Task status").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum TaskStatus {
    /// Not begun.
    Pending,
    /// Running.
    Processing,
    /// Ended well.
    Success,
    /// Ended badly; see the message.
    Failure,
    /// A word that this version does not know.
    #[serde(other)]
    Unknown,
}

/// Where the v2 API of an image service is: the catalogue's address may or may not contain the version.
pub(super) fn image_endpoint(url: &Url) -> Option<Url> {
    let mut base = url.clone();
    base.set_query(None);
    base.set_fragment(None);
    let versioned = base.path().trim_end_matches('/').ends_with("/v2");
    base.path_segments_mut()
        .ok()?
        .pop_if_empty()
        .extend((!versioned).then_some("v2"));
    Some(base)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn properties_are_what_is_not_common_to_all_images() {
        let fields = json!({
            "id": "5", "name": null, "status": "active", "size": 7, "tags": ["a", 3], "visibility": "private",
            "self": "/v2/images/5", "os_distro": "debian", "odd": {"x": 1}, "os_hash_algo": "sha512",
        });
        let image = Image::read(fields.as_object().unwrap()).unwrap();
        assert_eq!(
            (image.name, image.size, image.tags),
            (None, Some(7), vec!["a".to_owned()])
        );
        assert_eq!(
            image.properties,
            BTreeMap::from([("os_distro".to_owned(), "debian".to_owned())])
        );
        assert_eq!(Image::read(json!({"id": "5"}).as_object().unwrap()), None);
    }

    #[test]
    fn the_catalogues_address_may_contain_the_version() {
        let endpoint = |text: &str| String::from(image_endpoint(&Url::parse(text).unwrap()).unwrap());
        assert_eq!(endpoint("http://h:9292"), "http://h:9292/v2");
        assert_eq!(endpoint("http://h/image/v2/"), "http://h/image/v2");
    }
}
