//! Where a container's bytes come from: a file, memory, later an HTTP range source.

use std::fmt::Debug;

use crate::Result;

/// Random access to the bytes of one container file, from several threads at once.
pub trait Source: Debug + Send + Sync {
    /// Length in bytes when the source was opened.
    fn len(&self) -> u64;

    /// True if there is not a single byte.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fills `buf` from `offset`. Reading past the end is an error with code `source_too_short`.
    ///
    /// # Errors
    /// [`Kind::Io`](crate::Kind::Io) when the bytes cannot be read.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<()>;
}
