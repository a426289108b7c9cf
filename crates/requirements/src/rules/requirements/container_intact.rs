//! The container must be whole: its own structures must not contradict each other.

use std::collections::BTreeMap;

use lotse_guest::{Fact, Facts, Unknown};

use crate::rules::{CCLOUD, Rule};
use crate::{DiskProblemKind, Finding, FindingKind, Status, Subject, remedies};

pub(in crate::rules) const RULE: Rule = Rule {
    code: "container_intact",
    kind: FindingKind::Requirement,
    sources: &[CCLOUD],
    reasons: &[
        "container_intact_whole",
        "container_intact_noted",
        "container_intact_damaged",
    ],
    remedies: &["fetch_again"],
    judge: |subject| Some(judge(subject)),
};

fn judge(subject: &Subject) -> Finding {
    if let Some(problem) = &subject.damage {
        return damaged(subject, &problem.code, problem.params.clone());
    }
    match &subject.facts {
        Ok(facts) => match (cut_off(subject, facts), disk_not_read(facts)) {
            (Some(missing), _) => {
                let params = BTreeMap::from([("missing".to_owned(), missing.to_string())]);
                damaged(subject, "container_truncated", params)
            }
            (None, Some(unknown)) => Finding::fact_unknown(RULE.code, unknown),
            (None, None) => whole(subject),
        },
        Err(problem) if problem.kind == DiskProblemKind::Corrupt => {
            damaged(subject, &problem.code, problem.params.clone())
        }
        Err(problem) => Finding::not_read(RULE.code, problem),
    }
}

/// Nothing is wrong; what the reader notes is a warning, the first of it first.
fn whole(subject: &Subject) -> Finding {
    match subject.notes.first() {
        None => Finding::requirement(RULE.code, Status::Pass, "container_intact_whole"),
        Some(note) => Finding {
            params: note.params.clone(),
            ..Finding::requirement(RULE.code, Status::Warning, "container_intact_noted")
        }
        .param("cause", &note.code),
    }
}

fn damaged(subject: &Subject, cause: &str, params: BTreeMap<String, String>) -> Finding {
    Finding {
        params,
        ..Finding::requirement(RULE.code, Status::Fail, "container_intact_damaged")
    }
    .param("cause", cause)
    .file_remedy("fetch_again", checksum(&subject.source.name))
}

/// Bytes that the partitions of a raw disk reach beyond the file: nothing else tells that such a file was cut off.
fn cut_off(subject: &Subject, facts: &Facts) -> Option<u64> {
    let Fact::Known(table) = &facts.table else { return None };
    let size = subject
        .container
        .virtual_size
        .filter(|_| subject.container.format.as_deref() == Some("raw"))?;
    let ends = table
        .partitions
        .iter()
        .map(|partition| partition.offset.saturating_add(partition.len));
    ends.max()?.checked_sub(size).filter(|missing| *missing > 0)
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
