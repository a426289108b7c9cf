//! The firewall, as far as it decides whether somebody can log in over the network.

use serde::{Deserialize, Serialize};

use super::{Evidence, Fact};

/// What keeps packets out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Firewall {
    /// Who reaches the SSH server's port over IPv4 once the system has started.
    pub ssh: Fact<Reach>,
    /// Every firewall that is started at boot or always there.
    pub filters: Vec<Filter>,
}

/// Who gets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// Nobody.
    Nobody,
    /// Only some addresses.
    SomeAddresses,
    /// Everybody.
    Everybody,
}

/// One firewall.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// `nftables`, `iptables`, `ufw`, `firewalld`, `tcp_wrappers`, `pf`, `ipfw`, or the name of one that is not looked
    /// into (`shorewall`, `ferm`, ..., `script`).
    pub kind: String,
    /// Whom it lets through to the SSH server's port.
    pub ssh: Fact<Reach>,
    /// What starts it, then the rule that decides.
    pub evidence: Vec<Evidence>,
}
