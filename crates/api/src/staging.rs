//! Staging objects and the hand-over as they cross to the window.

use serde::Serialize;
use ts_rs::TS;

use crate::{ApiError, ImageDetails};

/// All that the panel asks for when an image is imported.
#[derive(Debug, Clone, Serialize, TS)]
pub struct HandOver {
    /// Id of the upload.
    pub upload: String,
    /// Address from which ccloud³ imports.
    pub url: String,
    /// Name of the file without its folder.
    pub file_name: String,
    /// Bytes.
    #[ts(type = "number")]
    pub size: u64,
    /// What was said about the image.
    pub details: ImageDetails,
    /// Address of the panel, where the connection tells it.
    pub panel: Option<String>,
    /// Since when everybody who knows the address can read it (RFC 3339); null while it is private.
    pub published: Option<String>,
    /// Until when, at the latest (RFC 3339).
    pub public_until: Option<String>,
}

impl From<lotse_app::HandOver> for HandOver {
    fn from(hand_over: lotse_app::HandOver) -> Self {
        Self {
            upload: hand_over.upload.0.to_string(),
            url: hand_over.url.to_string(),
            file_name: hand_over.file_name,
            size: hand_over.size,
            details: hand_over.details.into(),
            panel: hand_over.panel.map(|panel| panel.to_string()),
            published: hand_over.published.map(|at| at.to_string()),
            public_until: hand_over.public_until.map(|at| at.to_string()),
        }
    }
}

/// What a staging object is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum StagingKind {
    /// A whole object.
    Object,
    /// Parts of an upload that was not finished.
    OpenUpload {
        /// The service's id.
        upload_id: String,
    },
}

/// Something of this program's in an object storage.
#[derive(Debug, Clone, Serialize, TS)]
pub struct StagingObject {
    /// Id of the connection.
    pub connection: String,
    /// Its key.
    pub key: String,
    /// Name of the file that was sent.
    pub file_name: String,
    /// Bytes; null for parts.
    #[ts(type = "number | null")]
    pub size: Option<u64>,
    /// What it is.
    pub kind: StagingKind,
    /// When it was written or begun (RFC 3339).
    pub since: String,
    /// The upload of this computer to which it belongs; null for another computer's.
    pub upload: Option<String>,
    /// Can everybody who knows its address read it? null: not known.
    pub public: Option<bool>,
    /// Until when, at the latest (RFC 3339).
    pub public_until: Option<String>,
}

impl From<lotse_app::StagingObject> for StagingObject {
    fn from(object: lotse_app::StagingObject) -> Self {
        let kind = match object.kind {
            lotse_app::StagingKind::Object => StagingKind::Object,
            lotse_app::StagingKind::OpenUpload { upload_id } => StagingKind::OpenUpload { upload_id },
        };
        Self {
            connection: object.connection,
            key: object.key,
            file_name: object.file_name,
            size: object.size,
            kind,
            since: object.since.to_string(),
            upload: object.upload.map(|id| id.0.to_string()),
            public: object.public,
            public_until: object.public_until.map(|at| at.to_string()),
        }
    }
}

/// A connection that could not be asked.
#[derive(Debug, Clone, Serialize, TS)]
pub struct Unreachable {
    /// Its id.
    pub connection: String,
    /// Why.
    pub error: ApiError,
}

/// Every staging object that still exists, as far as the connections could be asked.
#[derive(Debug, Clone, Serialize, TS)]
pub struct StagingList {
    /// Connection by connection.
    pub objects: Vec<StagingObject>,
    /// Those that could not be asked.
    pub unreachable: Vec<Unreachable>,
}

impl From<lotse_app::StagingList> for StagingList {
    fn from(list: lotse_app::StagingList) -> Self {
        let unreachable = list.unreachable.into_iter().map(|(connection, error)| Unreachable {
            connection,
            error: error.into(),
        });
        Self {
            objects: list.objects.into_iter().map(StagingObject::from).collect(),
            unreachable: unreachable.collect(),
        }
    }
}
