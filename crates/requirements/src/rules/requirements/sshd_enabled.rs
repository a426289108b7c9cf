//! The SSH server must be started at boot, by a service or a socket.

use lotse_guest::{Fact, facts::Sshd};

use crate::rules::{CCLOUD, Rule};
use crate::{Finding, FindingKind, Status, Subject, remedies};

pub(in crate::rules) const RULE: Rule = Rule {
    code: "sshd_enabled",
    kind: FindingKind::Requirement,
    sources: &[CCLOUD],
    reasons: &[
        "sshd_enabled_at_boot",
        "sshd_enabled_by_socket",
        "sshd_enabled_not_installed",
        "sshd_enabled_masked",
        "sshd_enabled_not_to_be_run",
        "sshd_enabled_condition",
        "sshd_enabled_no_start_link",
    ],
    remedies: &[
        "install_sshd",
        "unmask_sshd",
        "allow_sshd",
        "meet_sshd_condition",
        "enable_sshd",
    ],
    judge: |subject| Some(judge(subject)),
};

fn judge(subject: &Subject) -> Finding {
    let sshd = match &subject.facts {
        Err(problem) => return Finding::not_read(RULE.code, problem),
        Ok(facts) => match &facts.sshd {
            Fact::Unknown(unknown) => return Finding::fact_unknown(RULE.code, unknown),
            Fact::Known(sshd) => sshd,
        },
    };
    match (&sshd.installed, &sshd.enabled) {
        // A start link alone starts nothing, and a removed package leaves it behind.
        (Fact::Known(false), _) => Finding::requirement(RULE.code, Status::Fail, "sshd_enabled_not_installed")
            .remedy("install_sshd", remedies::install_sshd(subject))
            .evidence(&sshd.installed_evidence),
        (_, Fact::Known(false)) => not_started(subject, sshd).evidence(&sshd.enabled_evidence),
        (Fact::Unknown(unknown), _) | (_, Fact::Unknown(unknown)) => {
            Finding::fact_unknown(RULE.code, unknown).evidence(&sshd.enabled_evidence)
        }
        (Fact::Known(true), Fact::Known(true)) => {
            let by_socket = sshd.started_by.as_deref().is_some_and(|by| by.ends_with(".socket"));
            let reason = if by_socket {
                "sshd_enabled_by_socket"
            } else {
                "sshd_enabled_at_boot"
            };
            Finding::requirement(RULE.code, Status::Pass, reason).evidence(&sshd.enabled_evidence)
        }
    }
}

fn not_started(subject: &Subject, sshd: &Sshd) -> Finding {
    let failed = |reason| Finding::requirement(RULE.code, Status::Fail, reason);
    match sshd.not_started_because.as_deref() {
        Some("masked") => failed("sshd_enabled_masked").remedy("unmask_sshd", remedies::unmask_sshd(subject, sshd)),
        Some("not_to_be_run") => failed("sshd_enabled_not_to_be_run")
            .remedy("allow_sshd", vec!["rm -f /etc/ssh/sshd_not_to_be_run".to_owned()]),
        Some("condition") => {
            failed("sshd_enabled_condition").remedy("meet_sshd_condition", remedies::meet_condition(sshd))
        }
        _ => failed("sshd_enabled_no_start_link").remedy("enable_sshd", remedies::enable_sshd(subject, sshd)),
    }
}
