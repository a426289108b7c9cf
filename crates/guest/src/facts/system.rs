//! The operating system.

use serde::{Deserialize, Serialize};

use super::Evidence;

/// Operating system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct System {
    /// `linux`, `freebsd`, `windows`, ...
    pub family: String,
    /// os-release's `ID`.
    pub distribution: Option<String>,
    /// os-release's `ID_LIKE`: distributions that this one is made from, the closest first.
    pub like: Vec<String>,
    /// os-release's `VERSION_ID`.
    pub version: Option<String>,
    /// os-release's `PRETTY_NAME`.
    pub name: Option<String>,
    /// `x86_64`, `aarch64`, ...: the ELF machine of the init program.
    pub architecture: Option<String>,
    /// Where this was read.
    pub evidence: Vec<Evidence>,
}
