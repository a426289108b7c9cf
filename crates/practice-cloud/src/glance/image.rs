//! An image: its fields, its row in the database, and how it looks to a client.

use std::collections::{BTreeMap, BTreeSet};

use http::StatusCode;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{fault::Fault, schema};
use crate::{
    keystone::PROJECT_ID,
    store::{now, release_content},
};

/// Where an image is on its way. Glance's `killed` is not here: since v2 a failed upload is back at `queued`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    /// Described, without data.
    Queued,
    /// A PUT brings the data.
    Saving,
    /// An import brings the data.
    Importing,
    /// Complete.
    Active,
    /// Gone; the id stays taken.
    Deleted,
}

impl Status {
    const ALL: [Self; 5] = [Self::Queued, Self::Saving, Self::Importing, Self::Active, Self::Deleted];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Saving => "saving",
            Self::Importing => "importing",
            Self::Active => "active",
            Self::Deleted => "deleted",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// What a client says and Glance adds, apart from the status.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Fields {
    pub(super) name: Option<String>,
    pub(super) disk_format: Option<String>,
    pub(super) container_format: Option<String>,
    pub(super) visibility: String,
    pub(super) protected: bool,
    pub(super) os_hidden: bool,
    /// GB
    pub(super) min_disk: i64,
    /// MB
    pub(super) min_ram: i64,
    pub(super) tags: BTreeSet<String>,
    pub(super) properties: BTreeMap<String, String>,
    /// Bytes.
    pub(super) size: Option<u64>,
    /// MD5 of the data.
    pub(super) checksum: Option<String>,
    /// SHA-512 of the data.
    pub(super) os_hash_value: Option<String>,
    /// Milliseconds since 1970.
    pub(super) created: i64,
    /// Milliseconds since 1970.
    pub(super) updated: i64,
}

impl Default for Fields {
    fn default() -> Self {
        Self {
            name: None,
            disk_format: None,
            container_format: None,
            visibility: "shared".to_owned(),
            protected: false,
            os_hidden: false,
            min_disk: 0,
            min_ram: 0,
            tags: BTreeSet::new(),
            properties: BTreeMap::new(),
            size: None,
            checksum: None,
            os_hash_value: None,
            created: now(),
            updated: now(),
        }
    }
}

/// An image of one region.
#[derive(Debug, Clone)]
pub(super) struct Image {
    pub(super) id: String,
    pub(super) status: Status,
    pub(super) fields: Fields,
    /// Its data, once there is some.
    pub(super) content: Option<i64>,
    /// The session that brings the data.
    pub(super) session: Option<String>,
    /// The import that brings the data.
    pub(super) task: Option<String>,
}

/// An image that some session works on.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) region: String,
    pub(super) id: String,
    pub(super) session: String,
    /// `None`: a PUT.
    pub(super) task: Option<String>,
}

impl Fields {
    /// Sets what is a field of every image, from a value that fits the schema; false: it is a property of the client's.
    pub(super) fn set(&mut self, key: &str, value: &Value) -> Result<bool, Fault> {
        let text = || value.as_str().map(str::to_owned);
        match key {
            "name" => {
                schema::refuse_4_bytes(
                    value.as_str().unwrap_or_default(),
                    "Name can't contain 4 byte unicode characters.",
                )?;
                self.name = text();
            }
            "disk_format" => self.disk_format = text(),
            "container_format" => self.container_format = text(),
            "visibility" if value == "public" => {
                return Err(Fault::forbidden(
                    "You are not authorized to complete publicize_image action.",
                ));
            }
            "visibility" => self.visibility = text().unwrap_or_default(),
            "protected" => self.protected = value == true,
            "os_hidden" => self.os_hidden = value == true,
            "min_disk" => self.min_disk = schema::number(key, value)?,
            "min_ram" => self.min_ram = schema::number(key, value)?,
            "owner" if value != PROJECT_ID => {
                let owner = value.as_str().unwrap_or("None");
                return Err(Fault::forbidden(format!(
                    "You are not permitted to create images owned by '{owner}'."
                )));
            }
            "owner" => {}
            "tags" => {
                let tags = value.as_array().into_iter().flatten().filter_map(Value::as_str);
                self.tags = tags
                    .map(|tag| check_tag(tag).map(|()| tag.to_owned()))
                    .collect::<Result<_, _>>()?;
                self.check_counts()?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Sets a property of the client's own.
    pub(super) fn set_property(&mut self, key: &str, value: &Value) -> Result<(), Fault> {
        schema::check_property_name(key)?;
        let value = value.as_str().unwrap_or_default();
        let mut name = key.to_owned();
        if let Some(first) = name.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        schema::refuse_4_bytes(value, &format!("{name} can't contain 4 byte unicode characters."))?;
        self.properties.insert(key.to_owned(), value.to_owned());
        self.check_counts()
    }

    pub(super) fn check_counts(&self) -> Result<(), Fault> {
        let most = schema::MAX_COUNT;
        for (count, what) in [(self.properties.len(), "properties"), (self.tags.len(), "tags")] {
            if count > most {
                let explanation = format!(
                    "The limit has been exceeded on the number of allowed image {what}. Attempted: {count}, Maximum: {most}"
                );
                return Err(Fault::new(StatusCode::PAYLOAD_TOO_LARGE, explanation));
            }
        }
        Ok(())
    }
}

/// Refuses a tag that Glance's database could not keep.
pub(super) fn check_tag(tag: &str) -> Result<(), Fault> {
    schema::refuse_4_bytes(tag, "Param values can't contain 4 byte unicode.")
}

/// `2026-11-22T03:25:51Z`
pub(super) fn whole_seconds(milliseconds: i64) -> String {
    Timestamp::from_millisecond(milliseconds)
        .map(|time| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
        .unwrap_or_default()
}

impl Image {
    /// A new image, before it has a row.
    pub(super) fn new(id: String, fields: Fields) -> Self {
        Self {
            id,
            status: Status::Queued,
            fields,
            content: None,
            session: None,
            task: None,
        }
    }

    /// The image as a client sees it.
    pub(super) fn view(&self) -> Value {
        let Self { id, fields, .. } = self;
        let mut view = json!({
            "id": id,
            "name": fields.name,
            "status": self.status.as_str(),
            "disk_format": fields.disk_format,
            "container_format": fields.container_format,
            "visibility": fields.visibility,
            "protected": fields.protected,
            "os_hidden": fields.os_hidden,
            "min_disk": fields.min_disk,
            "min_ram": fields.min_ram,
            "owner": PROJECT_ID,
            "size": fields.size,
            "virtual_size": self.virtual_size(),
            "checksum": fields.checksum,
            "os_hash_algo": fields.os_hash_value.as_ref().map(|_| "sha512"),
            "os_hash_value": fields.os_hash_value,
            "created_at": whole_seconds(fields.created),
            "updated_at": whole_seconds(fields.updated),
            "tags": fields.tags,
            "self": format!("/v2/images/{id}"),
            "file": format!("/v2/images/{id}/file"),
            "schema": "/v2/schemas/image",
        });
        if let Some(view) = view.as_object_mut() {
            for (key, value) in &fields.properties {
                view.entry(key).or_insert_with(|| json!(value));
            }
        }
        view
    }

    /// Bytes of the disk inside; known without looking into the data for raw images only.
    fn virtual_size(&self) -> Option<u64> {
        self.fields
            .size
            .filter(|size| *size > 0 && self.fields.disk_format.as_deref() == Some("raw"))
    }

    /// Writes a row that is there.
    pub(super) fn save(&mut self, connection: &Connection, region: &str) -> Result<(), Fault> {
        self.fields.updated = now();
        let fields = serde_json::to_string(&self.fields).map_err(|_| Fault::internal())?;
        connection.execute(
            "UPDATE image SET status = ?3, fields = ?4, content = ?5, session = ?6, task = ?7 WHERE region = ?1 AND id = ?2",
            params![region, self.id, self.status.as_str(), fields, self.content, self.session, self.task],
        )?;
        Ok(())
    }

    /// Takes the data away; returns the files to remove after the commit.
    pub(super) fn drop_content(&mut self, connection: &Connection, region: &str) -> Result<Vec<String>, Fault> {
        let content = self.content.take();
        self.save(connection, region)?;
        Ok(content.map_or(Ok(Vec::new()), |content| release_content(connection, content))?)
    }
}

/// Writes a new row; 409 when the id was ever used.
pub(super) fn insert(connection: &Connection, region: &str, image: &Image) -> Result<(), Fault> {
    let fields = serde_json::to_string(&image.fields).map_err(|_| Fault::internal())?;
    let inserted = connection.execute(
        "INSERT INTO image (region, id, status, fields) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
        params![region, image.id, image.status.as_str(), fields],
    )?;
    if inserted == 0 {
        return Err(Fault::conflict(format!("Image ID {} already exists!", image.id)));
    }
    Ok(())
}

const SELECT: &str = "SELECT id, status, fields, content, session, task FROM image WHERE region = ?1";

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Option<Image>> {
    let (status, fields): (String, String) = (row.get(1)?, row.get(2)?);
    let Some(status) = Status::parse(&status).filter(|status| *status != Status::Deleted) else {
        return Ok(None);
    };
    // A row that cannot be read is as good as none; only this module writes them.
    let Ok(fields) = serde_json::from_str(&fields) else {
        return Ok(None);
    };
    Ok(Some(Image {
        id: row.get(0)?,
        status,
        fields,
        content: row.get(3)?,
        session: row.get(4)?,
        task: row.get(5)?,
    }))
}

/// The image, or 404.
pub(super) fn find(connection: &Connection, region: &str, id: &str) -> Result<Image, Fault> {
    connection
        .query_row(&format!("{SELECT} AND id = ?2"), [region, id], read)
        .optional()?
        .flatten()
        .ok_or_else(|| Fault::no_such_image(id))
}

/// All images of a region, the newest first.
pub(super) fn all(connection: &Connection, region: &str) -> Result<Vec<Image>, Fault> {
    let mut statement = connection.prepare_cached(&format!("{SELECT} ORDER BY number DESC"))?;
    let images = statement.query_map([region], read)?.collect::<Result<Vec<_>, _>>()?;
    Ok(images.into_iter().flatten().collect())
}

/// All images that a session works on, in every region.
pub(super) fn held(connection: &Connection) -> rusqlite::Result<Vec<Held>> {
    connection
        .prepare_cached("SELECT region, id, session, task FROM image WHERE session IS NOT NULL")?
        .query_map([], |row| {
            Ok(Held {
                region: row.get(0)?,
                id: row.get(1)?,
                session: row.get(2)?,
                task: row.get(3)?,
            })
        })?
        .collect()
}

/// Hands a dead session's image to `session`.
pub(super) fn take_over(connection: &Connection, held: &Held, session: &str) -> rusqlite::Result<()> {
    connection
        .execute(
            "UPDATE image SET session = ?3 WHERE region = ?1 AND id = ?2",
            [&held.region, &held.id, session],
        )
        .map(drop)
}
