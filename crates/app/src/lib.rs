//! The few things a person does with Imagelotse: check an image, send it, look at images. Ties the rooms together;
//! window and command line only adapt it.

mod check;
mod connections;
mod details;
mod environment;
mod error;
mod export;
mod facts;
mod images;
mod rate;
mod saving;
mod settings;
mod uploads;

pub use check::{Checked, check};
pub use connections::{Connection, ConnectionKind, PRACTICE};
pub use details::{Distribution, ImageDetails, Suggestion};
pub use environment::{Awake, Environment, SystemEnvironment, data_folder};
pub use error::Error;
pub use export::{ExportFormat, export};
pub use facts::facts;
pub use images::{Image, ImageList};
pub use lotse_words::Language;
pub use rate::{TimeLeft, TimeUnit};
pub use saving::{report_file_name, save_text};
pub use settings::{MOST_AT_ONCE, SLOWEST_LIMIT, Settings};
pub use uploads::{Hours, Upload, UploadRequest, UploadState, Uploads, upload_id};

use std::{path::Path, sync::Arc};

use connections::Connections;
/// The engine of one process: connections, uploads and what they need. Cheap to clone.
#[derive(Clone)]
pub struct App {
    connections: Arc<Connections>,
    uploads: Uploads,
}

impl App {
    /// Opens the engine over `folder` (journal, practice cloud); the folder is made if it is missing.
    ///
    /// # Errors
    /// When the folder or the journal in it cannot be used.
    pub fn open(folder: &Path, environment: Arc<dyn Environment>) -> Result<Self, Error> {
        let connections = Arc::new(Connections::new(folder));
        let uploads = Uploads::open(folder, Arc::clone(&connections), environment)?;
        Ok(Self { connections, uploads })
    }

    /// The connections that images can be sent to, each with its regions.
    ///
    /// # Errors
    /// When a connection cannot be reached or refuses to sign in.
    pub async fn connections(&self) -> Result<Vec<Connection>, Error> {
        self.connections.list().await
    }

    /// Every image of a connection, in all its regions.
    ///
    /// # Errors
    /// Code `connection_unknown`, or when the service cannot be asked.
    pub async fn images(&self, connection: &str) -> Result<ImageList, Error> {
        images::list(&*self.connections.open(connection).await?).await
    }

    /// The uploads: start, follow, resume, cancel.
    pub fn uploads(&self) -> &Uploads {
        &self.uploads
    }
}
