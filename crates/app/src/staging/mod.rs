//! Staging objects: what stands in an object storage until ccloud³ has imported it, and the hand-over to the person who does that.

mod hand_over;
mod list;
mod object;
mod tidy;

use jiff::Timestamp;
use lotse_transfer::JobId;
use url::Url;

use crate::{Error, ImageDetails};

/// All that the panel asks for when an image is imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandOver {
    /// The upload.
    pub upload: JobId,
    /// Address from which ccloud³ imports; ends in the file's extension.
    pub url: Url,
    /// Name of the file without its folder.
    pub file_name: String,
    /// Bytes.
    pub size: u64,
    /// What was said about the image.
    pub details: ImageDetails,
    /// Address of the panel, where the connection tells it.
    pub panel: Option<Url>,
    /// Since when everybody who knows the address can read it; none while it is private.
    pub published: Option<Timestamp>,
    /// Until when, at the latest.
    pub public_until: Option<Timestamp>,
}

/// What a staging object is.
#[derive(Debug, Clone, PartialEq, Eq)]
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StagingObject {
    /// Id of the connection.
    pub connection: String,
    /// Its key.
    pub key: String,
    /// Name of the file that was sent.
    pub file_name: String,
    /// Bytes; not known of parts.
    pub size: Option<u64>,
    /// What it is.
    pub kind: StagingKind,
    /// When it was written or begun.
    pub since: Timestamp,
    /// The upload of this computer to which it belongs; none for another computer's.
    pub upload: Option<JobId>,
    /// Can everybody who knows its address read it? None: not known.
    pub public: Option<bool>,
    /// Until when, at the latest.
    pub public_until: Option<Timestamp>,
}

/// Every staging object that still exists, as far as the connections could be asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StagingList {
    /// Connection by connection.
    pub objects: Vec<StagingObject>,
    /// Connections that could not be asked, by id, and why.
    pub unreachable: Vec<(String, Error)>,
}
