//! What stands on a virtual disk: partition tables, filesystems and the facts about the system, each with where it
//! was read. Knows no rule and no cloud.

pub mod facts;

pub use facts::{Evidence, Fact, Facts, Unknown};
