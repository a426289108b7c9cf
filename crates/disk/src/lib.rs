//! One container file (raw, qcow2, ...) as one read-only virtual disk, judged from its bytes, never from its name.
//!
//! Images are hostile input: a reader never follows a reference to another file, never allocates by a number that it
//! has not bounded, never panics and always ends.

pub mod bytes;
mod codec;
mod compressed;
mod container;
mod disk;
mod error;
mod identify;
mod lru;
mod note;
mod qcow2;
mod source;
mod vdi;
mod vhdx;
mod vmdk;

pub use container::{Compression, Container, Format};
pub use disk::{Disk, Extent, ExtentKind, Extents};
pub use error::{Error, Kind, Result};
pub use identify::identify;
pub use note::Note;
pub use source::{BlockSource, Fetch, FileSource, MemorySource, Source};
