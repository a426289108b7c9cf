//! Does every VM get an identity of its own? One that stands in the image is that of all VMs made from it; DHCP clients
//! make their own from it, so that two VMs in one network may be given the same address.

use lotse_guest::{Fact, facts::MachineIdState};

use crate::rules::Rule;
use crate::{Finding, FindingKind, Status, Subject, remedies};

use super::unix;

pub(in crate::rules) const RULE: Rule = Rule {
    code: "machine_id",
    kind: FindingKind::Advice,
    sources: &["systemd: machine-id(5)", "systemd: Building Images Safely"],
    reasons: &["machine_id_new", "machine_id_kept", "machine_id_kept_by_dbus"],
    remedies: &["renew_machine_id"],
    judge,
};

fn judge(subject: &Subject) -> Option<Finding> {
    let (facts, system) = unix(subject)?;
    if system.family != "linux" {
        return None;
    }
    // Where the whole system is not read, the requirements say so.
    let Fact::Known(leftovers) = &facts.leftovers else {
        return None;
    };
    let id = match &leftovers.machine_id {
        Fact::Unknown(unknown) => return Some(Finding::advice_unknown(RULE.code, unknown)),
        Fact::Known(id) => id,
    };
    let reason = match id.state {
        MachineIdState::Set => "machine_id_kept",
        _ if id.copied_for_dbus => "machine_id_kept_by_dbus",
        _ => {
            return Some(Finding::advice(RULE.code, Status::Pass, "machine_id_new").evidence(&id.evidence));
        }
    };
    // Of two files the one that decides stands first.
    let mut evidence = id.evidence.clone();
    if id.state != MachineIdState::Set {
        evidence.reverse();
    }
    Some(
        Finding::advice(RULE.code, Status::Warning, reason)
            .evidence(&evidence)
            .remedy(
                "renew_machine_id",
                remedies::renew_machine_id(subject, id.copied_for_dbus),
            ),
    )
}
