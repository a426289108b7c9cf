//! The operating system.

use serde::{Deserialize, Serialize};

use super::Evidence;

/// Operating system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct System {
    /// `linux`, `freebsd`, `windows`, ...
    pub family: String,
    /// os-release's `ID`, or what it would be for a system older than that.
    pub distribution: Option<String>,
    /// os-release's `ID_LIKE`: distributions that this one is made from, the closest first.
    pub like: Vec<String>,
    /// os-release's `VERSION_ID`.
    pub version: Option<String>,
    /// os-release's `PRETTY_NAME`.
    pub name: Option<String>,
    /// os-release's `VARIANT_ID`, such as `coreos` of Fedora CoreOS.
    #[serde(default)]
    pub variant: Option<String>,
    /// `x86_64`, `aarch64`, ...: the ELF machine of the init program.
    pub architecture: Option<String>,
    /// 32 or 64: the ELF class of the init program.
    #[serde(default)]
    pub bits: Option<u8>,
    /// `glibc`, `musl`, `uclibc` or `bsd`: by the dynamic linker of the init program.
    #[serde(default)]
    pub libc: Option<String>,
    /// Where this was read: the release file first, then the program that tells the machine.
    pub evidence: Vec<Evidence>,
}

impl System {
    /// A system of which nothing but the family is known.
    pub fn of_family(family: &str) -> Self {
        Self {
            family: family.to_owned(),
            distribution: None,
            like: Vec::new(),
            version: None,
            name: None,
            variant: None,
            architecture: None,
            bits: None,
            libc: None,
            evidence: Vec::new(),
        }
    }
}
