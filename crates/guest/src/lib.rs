//! What stands on a virtual disk: partition tables, filesystems and the facts about the system, each with where it
//! was read. Knows no rule and no cloud.

mod checksum;
mod error;
mod examine;
pub mod ext;
pub mod facts;
pub mod filesystem;
pub mod partition;
pub mod tree;
mod volume;
mod root;
mod version;
mod system;
mod sshd;
mod services;
mod packages;
mod files;
mod cloud_init;

pub use error::{Error, Kind, Result};
pub use examine::examine;
pub use facts::{Evidence, Fact, Facts, Unknown};
pub use tree::{FileKind, FileTree, MemoryTree, Stat};
