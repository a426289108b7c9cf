//! The container must be whole: its own structures must not contradict each other.

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
        Ok(_) => Finding::requirement(RULE.code, Status::Pass, "container_intact_whole"),
        Err(problem) if problem.kind == DiskProblemKind::Corrupt => Finding {
            params: problem.params.clone(),
            ..Finding::requirement(RULE.code, Status::Fail, "container_intact_damaged")
        }
        .param("cause", &problem.code)
        .remedy("fetch_again", checksum(&subject.source.name)),
        Err(problem) => Finding::not_read(RULE.code, problem),
    }
}

fn checksum(name: &str) -> Vec<String> {
    remedies::file_word(name)
        .map(|file| format!("sha256sum {file}"))
        .into_iter()
        .collect()
}
