//! What stands on a virtual disk: partition tables, filesystems and the facts about the system, each with where it
//! was read. Knows no rule and no cloud.

mod accounts;
pub mod agents;
pub mod boot;
mod checksum;
mod cloud_init;
mod error;
mod examine;
pub mod ext;
pub mod facts;
pub mod fat;
mod files;
pub mod filesystem;
pub mod firewall;
mod glob;
pub mod initramfs;
mod layers;
pub mod leftovers;
mod mounts;
pub mod network;
pub mod packages;
pub mod partition;
mod root;
mod services;
mod space;
pub mod sshd;
pub mod system;
pub mod tree;
mod version;
mod volume;
mod volumes;
mod yaml;

pub use error::{Error, Kind, Result};
pub use examine::examine;
pub use facts::{Evidence, Fact, Facts, Unknown};
pub use tree::{FileKind, FileTree, MemoryTree, Room, Stat};
