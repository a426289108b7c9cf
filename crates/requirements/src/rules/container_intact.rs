//! The container must be whole: its own structures must not contradict each other.

use lotse_guest::{Fact, Facts, Unknown};

use super::Rule;
use crate::{DiskProblemKind, Finding, FindingKind, Status, Subject, remedies};

pub(super) const RULE: Rule = Rule {
    code: "container_intact",
    kind: FindingKind::Requirement,
    reasons: &["container_intact_whole", "container_intact_damaged"],
    remedies: &["fetch_again"],
    judge,
};

fn judge(subject: &Subject) -> Finding {
    match &subject.facts {
        Ok(facts) => match disk_not_read(facts) {
            None => Finding::requirement(RULE.code, Status::Pass, "container_intact_whole"),
            Some(unknown) => Finding::fact_unknown(RULE.code, unknown),
        },
        Err(problem) if problem.kind == DiskProblemKind::Corrupt => Finding {
            params: problem.params.clone(),
            ..Finding::requirement(RULE.code, Status::Fail, "container_intact_damaged")
        }
        .param("cause", &problem.code)
        .remedy("fetch_again", checksum(&subject.source.name)),
        Err(problem) => Finding::not_read(RULE.code, problem),
    }
}

/// A fact that is unknown because the container failed below the filesystem. It was opened then, but is not whole.
fn disk_not_read(facts: &Facts) -> Option<&Unknown> {
    fn reason<T>(fact: &Fact<T>) -> Option<&Unknown> {
        match fact {
            Fact::Unknown(unknown) if unknown.code == "disk_not_read" => Some(unknown),
            _ => None,
        }
    }
    let sshd = match &facts.sshd {
        Fact::Known(sshd) => reason(&sshd.installed).or(reason(&sshd.enabled)),
        Fact::Unknown(_) => reason(&facts.sshd),
    };
    reason(&facts.table)
        .or(reason(&facts.root))
        .or(reason(&facts.system))
        .or(reason(&facts.agent))
        .or(reason(&facts.datasources))
        .or(sshd)
}

fn checksum(name: &str) -> Vec<String> {
    remedies::file_word(name)
        .map(|file| format!("sha256sum {file}"))
        .into_iter()
        .collect()
}
