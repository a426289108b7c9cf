//! Changing an image: JSON patch as Glance takes it (media type v2.1, RFC 6902 without move, copy and test).

use std::sync::Arc;

use axum::{
    Extension, Json,
    body::Body,
    extract::{Path, State},
    response::IntoResponse,
};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde_json::Value;

use super::{
    fault::{Fault, Reply},
    image::{self, Image, Status},
    read_json, schema,
};
use crate::{keystone::Caller, node::Node};

/// The only media type of a change.
const PATCH_TYPE: &str = "application/openstack-images-v2.1-json-patch";
const OPERATIONS: &str = "add, remove, replace";
/// Set by Glance only.
const READ_ONLY: [&str; 13] = [
    "created_at",
    "updated_at",
    "status",
    "checksum",
    "size",
    "virtual_size",
    "direct_url",
    "self",
    "file",
    "schema",
    "id",
    "os_hash_algo",
    "os_hash_value",
];
/// Fields of every image; they can be changed but not removed.
const FIELDS: [&str; 10] = [
    "name",
    "disk_format",
    "container_format",
    "visibility",
    "protected",
    "os_hidden",
    "min_disk",
    "min_ram",
    "owner",
    "tags",
];

/// One step of a change.
#[derive(Debug, PartialEq)]
enum Change {
    Add(String, Value),
    Replace(String, Value),
    Remove(String),
}

pub(super) async fn update(
    State(node): State<Arc<Node>>,
    Extension(caller): Extension<Caller>,
    Path((region, id)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Reply {
    let media_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    if media_type.split(';').next().map(str::trim) != Some(PATCH_TYPE) {
        let accept_patch = HeaderName::from_static("accept-patch");
        return Err(Fault::unsupported_type(&headers).with_header(accept_patch, HeaderValue::from_static(PATCH_TYPE)));
    }
    let changes = parse(&read_json(body).await?)?;
    if !caller.scoped {
        return Err(Fault::no_such_image(&id));
    }
    let image = node
        .store
        .run(move |transaction| {
            let mut image = image::find(transaction, &region, &id)?;
            for change in &changes {
                apply(&mut image, change)?;
            }
            image.save(transaction, &region)?;
            Ok::<_, Fault>(image)
        })
        .await?;
    Ok(Json(image.view()).into_response())
}

fn parse(body: &Value) -> Result<Vec<Change>, Fault> {
    let changes = body
        .as_array()
        .ok_or_else(|| Fault::bad_request("Request body must be a JSON array of operation objects."))?;
    changes.iter().map(parse_change).collect()
}

fn parse_change(change: &Value) -> Result<Change, Fault> {
    let change = change
        .as_object()
        .ok_or_else(|| Fault::bad_request("Operations must be JSON objects."))?;
    let operation = change.get("op").and_then(Value::as_str).ok_or_else(|| {
        let explanation = "Unable to find `op` in JSON Schema change. It must be one of the following: ";
        Fault::bad_request(format!("{explanation}{OPERATIONS}."))
    })?;
    if !OPERATIONS.split(", ").any(|known| known == operation) {
        let explanation = format!("Invalid operation: `{operation}`. It must be one of the following: {OPERATIONS}.");
        return Err(Fault::bad_request(explanation));
    }
    let path = change
        .get("path")
        .and_then(Value::as_str)
        .ok_or_else(|| Fault::bad_request("Unable to find 'path' in JSON Schema change"))?;
    let key = parse_pointer(path)?;
    if READ_ONLY.contains(&key.as_str()) {
        return Err(Fault::forbidden(format!("Attribute '{key}' is read-only.")));
    }
    if !FIELDS.contains(&key.as_str()) {
        schema::check_property_name(&key)?;
    }
    if operation == "remove" {
        return Ok(Change::Remove(key));
    }
    let value = change
        .get("value")
        .ok_or_else(|| Fault::bad_request(format!("Operation \"{operation}\" requires a member named \"value\".")))?;
    schema::check(&key, value)?;
    Ok(if operation == "add" {
        Change::Add(key, value.clone())
    } else {
        Change::Replace(key, value.clone())
    })
}

/// The one segment of a JSON pointer (RFC 6901).
fn parse_pointer(pointer: &str) -> Result<String, Fault> {
    let segment = pointer
        .strip_prefix('/')
        .ok_or_else(|| Fault::bad_request(format!("Pointer `{pointer}` does not start with \"/\".")))?;
    if segment.is_empty() || segment.contains('/') {
        return Err(Fault::bad_request(format!(
            "Invalid JSON pointer for this resource: '{pointer}'"
        )));
    }
    let plain = segment.replace("~0", "").replace("~1", "");
    if plain.contains('~') {
        let explanation = format!("Pointer `{pointer}` contains \"~\" not part of a recognized escape sequence.");
        return Err(Fault::bad_request(explanation));
    }
    Ok(segment.replace("~1", "/").replace("~0", "~").trim().to_owned())
}

fn apply(image: &mut Image, change: &Change) -> Result<(), Fault> {
    let (key, value) = match change {
        Change::Remove(key) => {
            if FIELDS.contains(&key.as_str()) {
                return Err(Fault::forbidden_detail(format!("Property {key} may not be removed.")));
            }
            return match image.fields.properties.remove(key) {
                Some(_) => Ok(()),
                None => Err(absent(key)),
            };
        }
        Change::Add(key, value) => (key, value),
        Change::Replace(key, value) => {
            if !FIELDS.contains(&key.as_str()) && !image.fields.properties.contains_key(key) {
                return Err(absent(key));
            }
            (key, value)
        }
    };
    if ["disk_format", "container_format"].contains(&key.as_str()) && image.status != Status::Queued {
        return Err(Fault::forbidden(format!(
            "Attribute {key} can be only replaced for a queued image."
        )));
    }
    if !image.fields.set(key, value)? {
        image.fields.set_property(key, value)?;
    }
    Ok(())
}

fn absent(key: &str) -> Fault {
    Fault::conflict_detail(format!("Property {key} does not exist."))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pointer_names_one_property() {
        assert_eq!(parse_pointer("/name").unwrap(), "name");
        assert_eq!(parse_pointer("/a~1b~0c").unwrap(), "a/b~c");
        for bad in ["", "name", "/", "/tags/-", "/a~2", "/a~"] {
            assert!(parse_pointer(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_glance_sets_itself_cannot_be_changed() {
        for key in ["status", "size", "os_hash_value", "id", "os_glance_foo", "deleted"] {
            assert!(
                parse(&json!([{"op": "add", "path": format!("/{key}"), "value": "x"}])).is_err(),
                "{key}"
            );
        }
    }

    #[test]
    fn add_sets_and_replace_needs_what_is_there() {
        let mut image = Image::new(String::new(), image::Fields::default());
        assert!(apply(&mut image, &Change::Replace("os_distro".into(), json!("debian"))).is_err());
        apply(&mut image, &Change::Add("os_distro".into(), json!("debian"))).unwrap();
        apply(&mut image, &Change::Add("os_distro".into(), json!("fedora"))).unwrap();
        assert_eq!(image.fields.properties["os_distro"], "fedora");
        apply(&mut image, &Change::Remove("os_distro".into())).unwrap();
        assert!(apply(&mut image, &Change::Remove("os_distro".into())).is_err());
        assert!(apply(&mut image, &Change::Remove("name".into())).is_err());
    }
}
