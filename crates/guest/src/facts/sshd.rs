//! The SSH server.

use serde::{Deserialize, Serialize};

use super::{Evidence, Fact};

/// The SSH server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sshd {
    /// Package state and program agree that it is there.
    pub installed: Fact<bool>,
    /// Started at boot, by a service or a socket.
    pub enabled: Fact<bool>,
    /// Why it is not started, as a code: `not_installed`, `masked`, `no_start_link`, `not_to_be_run`
    /// (Debian's switch), `condition` (another condition or required unit); `None` when it is.
    pub not_started_because: Option<String>,
    /// Where `installed` was read.
    pub installed_evidence: Vec<Evidence>,
    /// Where `enabled` was read.
    pub enabled_evidence: Vec<Evidence>,
}
