//! What ccloud³ does not ask for, but keeps a VM from starting, its owner from getting in, or a secret from staying one.
//! An advice is silent where its question does not arise, and where the requirements have told already why nothing is known.

pub(in crate::rules) mod authorized_keys;
pub(in crate::rules) mod credentials;
mod found;
pub(in crate::rules) mod free_space;
pub(in crate::rules) mod histories;
pub(in crate::rules) mod machine_id;
pub(in crate::rules) mod private_keys;
pub(in crate::rules) mod room_to_grow;
pub(in crate::rules) mod swap;

use lotse_guest::{Fact, Facts, Unknown, facts::System};

use crate::{Finding, Status, Subject};

/// The facts, if the disk holds a Unix-like system whose files are read. Otherwise the requirements say what is wrong.
pub(super) fn unix(subject: &Subject) -> Option<(&Facts, &System)> {
    let facts = subject.facts.as_ref().ok()?;
    match &facts.system {
        Fact::Known(Some(system)) if system.family != "windows" => Some((facts, system)),
        _ => None,
    }
}

impl Finding {
    /// An advice without parameters, evidence and remedy, certain of what it says.
    pub(super) fn advice(code: &str, status: Status, reason: &str) -> Self {
        Self {
            kind: crate::FindingKind::Advice,
            ..Self::requirement(code, status, reason)
        }
    }

    /// An advice that cannot be given, because this fact could not be read off the disk.
    pub(super) fn advice_unknown(code: &str, unknown: &Unknown) -> Self {
        Self {
            kind: crate::FindingKind::Advice,
            ..Self::fact_unknown(code, unknown)
        }
    }
}
