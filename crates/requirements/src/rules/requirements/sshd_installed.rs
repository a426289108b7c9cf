//! An SSH server must be installed: without one only the recovery console reaches a VM.

use lotse_guest::Fact;

use crate::rules::{CCLOUD, Rule};
use crate::{Finding, FindingKind, Status, Subject, remedies};

pub(in crate::rules) const RULE: Rule = Rule {
    code: "sshd_installed",
    kind: FindingKind::Requirement,
    sources: &[CCLOUD],
    reasons: &["sshd_installed_found", "sshd_installed_other", "sshd_installed_missing"],
    remedies: &["install_sshd"],
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
    let finding = match (&sshd.installed, sshd.kind.as_deref()) {
        (Fact::Unknown(unknown), _) => Finding::fact_unknown(RULE.code, unknown),
        // ccloud³ asks for sshd, which is OpenSSH's; another one lets people in as well, but nobody has promised it.
        (Fact::Known(true), Some(kind)) if kind != "openssh" => {
            Finding::requirement(RULE.code, Status::Warning, "sshd_installed_other").param("kind", kind)
        }
        (Fact::Known(true), _) => Finding::requirement(RULE.code, Status::Pass, "sshd_installed_found"),
        (Fact::Known(false), _) => Finding::requirement(RULE.code, Status::Fail, "sshd_installed_missing")
            .remedy("install_sshd", remedies::install_sshd(subject)),
    };
    finding.evidence(&sshd.installed_evidence)
}
