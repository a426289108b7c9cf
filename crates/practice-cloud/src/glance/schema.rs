//! What Glance takes as an image's properties: its schema, and the rules it checks besides.

use serde_json::{Map, Value, json};

use super::fault::Fault;

/// Disk formats of Glance's default configuration (`[image_format] disk_formats`, Glance 25).
const DISK_FORMATS: [&str; 11] = [
    "ami", "ari", "aki", "vhd", "vhdx", "vmdk", "raw", "qcow2", "vdi", "iso", "ploop",
];
/// Container formats of Glance's default configuration (`[image_format] container_formats`, Glance 25).
const CONTAINER_FORMATS: [&str; 8] = ["ami", "ari", "aki", "bare", "ovf", "ova", "docker", "compressed"];
const VISIBILITIES: [&str; 4] = ["community", "public", "private", "shared"];
/// Longest name, tag and name of a property, in characters (the columns of Glance's database).
const MAX_TEXT: usize = 255;
/// Most tags and most properties of one image (`image_tag_quota`, `image_property_quota`).
pub(super) const MAX_COUNT: usize = 128;
/// Glance keeps whole numbers in columns of 32 bits.
const MAX_NUMBER: i64 = 2_147_483_647;
/// Properties that Glance sets itself start with this.
const RESERVED_PREFIX: &str = "os_glance";

/// The schema that `GET /v2/schemas/image` answers, shortened to types and limits.
pub(super) fn image() -> Value {
    let with_null = |formats: &[&str]| {
        std::iter::once(Value::Null)
            .chain(formats.iter().map(|format| json!(format)))
            .collect::<Vec<_>>()
    };
    json!({"name": "image", "additionalProperties": {"type": "string"}, "properties": {
        "id": {"type": "string",
            "pattern": "^([0-9a-fA-F]){8}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){12}$"},
        "name": {"type": ["null", "string"], "maxLength": MAX_TEXT},
        "disk_format": {"type": ["null", "string"], "enum": with_null(&DISK_FORMATS)},
        "container_format": {"type": ["null", "string"], "enum": with_null(&CONTAINER_FORMATS)},
        "visibility": {"type": "string", "enum": VISIBILITIES},
        "protected": {"type": "boolean"},
        "os_hidden": {"type": "boolean"},
        "owner": {"type": ["null", "string"], "maxLength": MAX_TEXT},
        "min_ram": {"type": "integer"},
        "min_disk": {"type": "integer"},
        "tags": {"type": "array", "items": {"type": "string", "maxLength": MAX_TEXT}},
        "status": {"type": "string", "readOnly": true},
        "size": {"type": ["null", "integer"], "readOnly": true},
        "virtual_size": {"type": ["null", "integer"], "readOnly": true},
        "checksum": {"type": ["null", "string"], "readOnly": true},
        "os_hash_algo": {"type": ["null", "string"], "readOnly": true},
        "os_hash_value": {"type": ["null", "string"], "readOnly": true},
        "created_at": {"type": "string", "readOnly": true},
        "updated_at": {"type": "string", "readOnly": true},
    }})
}

fn mismatch(what: impl std::fmt::Display) -> Fault {
    Fault::bad_request(format!("Provided object does not match schema 'image': {what}"))
}

fn is_short(value: &Value) -> Result<(), Fault> {
    match value.as_str() {
        Some(text) if text.chars().count() > MAX_TEXT => Err(mismatch(format!("'{text}' is too long"))),
        Some(_) => Ok(()),
        None => Err(mismatch(format!("{value} is not of type 'string'"))),
    }
}

fn is_one_of(value: &Value, allowed: &[&str], or_null: bool) -> Result<(), Fault> {
    match value {
        Value::Null if or_null => Ok(()),
        Value::String(text) if allowed.contains(&text.as_str()) => Ok(()),
        other => Err(mismatch(format!("{other} is not one of {allowed:?}"))),
    }
}

/// Is `value` what the schema allows for `key`?
pub(super) fn check(key: &str, value: &Value) -> Result<(), Fault> {
    match key {
        "id" => match value.as_str() {
            // Only the form with dashes; `Uuid` would take more.
            Some(id) if id.len() == 36 && uuid::Uuid::try_parse(id).is_ok() => Ok(()),
            _ => Err(mismatch(format!("{value} does not match the pattern of an id"))),
        },
        "name" | "owner" if value.is_null() => Ok(()),
        "disk_format" => is_one_of(value, &DISK_FORMATS, true),
        "container_format" => is_one_of(value, &CONTAINER_FORMATS, true),
        "visibility" => is_one_of(value, &VISIBILITIES, false),
        "protected" | "os_hidden" if value.is_boolean() => Ok(()),
        "protected" | "os_hidden" => Err(mismatch(format!("{value} is not of type 'boolean'"))),
        "min_ram" | "min_disk" if value.is_i64() || value.is_u64() => Ok(()),
        "min_ram" | "min_disk" => Err(mismatch(format!("{value} is not of type 'integer'"))),
        "tags" => {
            let tags = value
                .as_array()
                .ok_or_else(|| mismatch(format!("{value} is not of type 'array'")))?;
            tags.iter().try_for_each(is_short)
        }
        "name" | "owner" => is_short(value),
        _ if value.is_string() => Ok(()),
        _ => Err(mismatch(format!("{value} is not of type 'string'"))),
    }
}

/// A whole number as Glance's database takes it.
pub(super) fn number(key: &str, value: &Value) -> Result<i64, Fault> {
    let refused = |why: &str| Fault::bad_request(format!("Invalid value '{value}' for parameter '{key}': {why}"));
    match value.as_i64() {
        Some(number) if number < 0 => Err(refused("Cannot be a negative value")),
        Some(number) if number <= MAX_NUMBER => Ok(number),
        _ => Err(refused("Value is too large")),
    }
}

/// Glance's database columns hold characters of up to three bytes only.
pub(super) fn refuse_4_bytes(text: &str, what: &str) -> Result<(), Fault> {
    if text.chars().any(|character| character.len_utf8() == 4) {
        return Err(Fault::bad_request(what));
    }
    Ok(())
}

/// Is `key` a name that a client may give to a property of its own?
pub(super) fn check_property_name(key: &str) -> Result<(), Fault> {
    if ["location", "deleted", "deleted_at"].contains(&key) || key.starts_with(RESERVED_PREFIX) {
        return Err(Fault::forbidden_detail(format!("Attribute '{key}' is reserved.")));
    }
    if key.chars().count() > MAX_TEXT {
        return Err(Fault::bad_request(
            "Custom property should not be greater than 255 characters.",
        ));
    }
    refuse_4_bytes(key, "Property names can't contain 4 byte unicode.")
}

/// Refuses a body that sets what only Glance sets, then checks all values.
pub(super) fn check_new(body: &Map<String, Value>) -> Result<(), Fault> {
    let read_only = |key: &str| Fault::forbidden(format!("Attribute '{key}' is read-only."));
    if let Some(key) = ["direct_url", "self", "file", "schema", "stores", "locations"]
        .into_iter()
        .find(|key| body.contains_key(*key))
    {
        return Err(read_only(key));
    }
    let own = ["checksum", "created_at", "size", "status", "updated_at", "virtual_size"];
    body.iter()
        .filter(|(key, _)| !own.contains(&key.as_str()))
        .try_for_each(|(key, value)| check(key, value))?;
    match own.into_iter().find(|key| body.contains_key(*key)) {
        Some(key) => Err(read_only(key)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_of_ccloud_are_taken_and_others_are_not() {
        for format in ["raw", "qcow2", "vhdx", "vdi", "vmdk"] {
            check("disk_format", &json!(format)).unwrap();
        }
        assert!(check("disk_format", &json!("vhdxx")).is_err());
        assert!(check("container_format", &json!("raw")).is_err());
    }

    #[test]
    fn lengths_are_counted_in_characters() {
        check("name", &json!("ü".repeat(255))).unwrap();
        assert!(check("name", &json!("ü".repeat(256))).is_err());
        assert!(check("tags", &json!(["t".repeat(256)])).is_err());
    }

    #[test]
    fn numbers_must_be_whole_and_fit() {
        assert_eq!(number("min_disk", &json!(7)).unwrap(), 7);
        for bad in [json!(-1), json!(2_147_483_648_u64), json!(u64::MAX)] {
            assert!(number("min_disk", &bad).is_err(), "{bad}");
        }
        assert!(check("min_disk", &json!("3")).is_err());
        assert!(check("min_disk", &json!(1.5)).is_err());
    }
}
