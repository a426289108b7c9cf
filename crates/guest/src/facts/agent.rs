//! The program that configures a VM at its first start, and where it looks for its data.

use serde::{Deserialize, Serialize};

use super::{Evidence, Fact};

/// The program that configures a VM at its first start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    /// `cloud-init`, `ignition`, `coreos-cloudinit`, `cloudbase-init`, `bsd-cloudinit`, `nuageinit`.
    pub kind: String,
    /// The package's full version, or the program's own.
    pub version: Fact<String>,
    /// Is the version at least 0.7.7 by the rules of the package's family? Only asked of cloud-init.
    pub recent_enough: Fact<bool>,
    /// Does it run at boot?
    pub enabled: Fact<bool>,
    /// Why it does not run at boot, as a code: `disabled_file` (cloud-init.disabled), `masked`, `identify_policy`
    /// (ds-identify.cfg), `no_start_link`; `None` when it does.
    pub disabled_because: Option<String>,
    /// Where this was read, first what decides `enabled`.
    pub evidence: Vec<Evidence>,
}

/// cloud-init's list of datasources.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Datasources {
    /// In the order in which they are tried.
    pub list: Vec<String>,
    /// The place that decided first (the built-in list of `settings.py` if no file names one), then those overruled.
    pub from: Vec<Evidence>,
    /// True when no configuration names a list and cloud-init's own default holds.
    pub built_in: bool,
}
