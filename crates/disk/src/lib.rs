//! One container file (raw, qcow2, ...) as one read-only virtual disk, judged from its bytes, never from its name.
//!
//! Images are hostile input: a reader never follows a reference to another file, never allocates by a number that it
//! has not bounded, never panics and always ends.

mod container;
mod error;
mod source;

pub use container::{Compression, Container, Format};
pub use error::{Error, Kind, Result};
pub use source::{FileSource, MemorySource, Source};
