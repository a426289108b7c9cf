//! On which port does sshd listen? Not on the usual one is no fault, but whoever logs in must know.

use lotse_guest::Fact;

use super::{owner, server};
use crate::rules::{Rule, advice};
use crate::{Finding, FindingKind, Status, Subject};

/// The port that every client takes without being told (IANA: ssh).
const USUAL: u16 = 22;

pub(in crate::rules) const RULE: Rule = Rule {
    code: "ssh_port",
    kind: FindingKind::Advice,
    sources: &["OpenSSH: sshd_config(5)", "systemd: systemd.socket(5)"],
    reasons: &["ssh_port_other", "ssh_port_none"],
    remedies: &["use_port", "open_port"],
    judge,
};

fn judge(subject: &Subject) -> Option<Finding> {
    let (facts, _) = advice::unix(subject)?;
    let ports = match &server(facts)?.ports {
        Fact::Known(ports) => ports,
        // The configuration's own rule tells that already.
        Fact::Unknown(_) => return None,
    };
    if ports.value.contains(&USUAL) {
        return None;
    }
    let finding = match ports.value.first() {
        None => Finding::advice(RULE.code, Status::Fail, "ssh_port_none").remedy("open_port", Vec::new()),
        Some(port) => Finding::advice(RULE.code, Status::Warning, "ssh_port_other")
            .param("port", port)
            .param("user", owner(facts).map_or("USER", |owner| owner.name))
            .remedy("use_port", Vec::new()),
    };
    Some(finding.evidence(&ports.evidence))
}
