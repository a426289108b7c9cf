//! The container must stand alone: no reference to other files, no two formats at once.

use super::Rule;
use crate::{DiskProblemKind, Finding, FindingKind, Status, Subject, remedies};

pub(super) const RULE: Rule = Rule {
    code: "container_safe",
    kind: FindingKind::Requirement,
    reasons: &["container_safe_alone", "container_safe_refused"],
    remedies: &["flatten_container"],
    judge,
};

fn judge(subject: &Subject) -> Finding {
    match &subject.facts {
        Ok(_) => Finding::requirement(RULE.code, Status::Pass, "container_safe_alone"),
        Err(problem) if problem.kind == DiskProblemKind::Refused => Finding {
            params: problem.params.clone(),
            ..Finding::requirement(RULE.code, Status::Fail, "container_safe_refused")
        }
        .param("cause", &problem.code)
        .remedy("flatten_container", flatten(subject)),
        Err(problem) => Finding::not_read(RULE.code, problem),
    }
}

/// Rewrites the image as one file. It follows the very references that were refused here, so the sentence beside it
/// says to do so only with an image one made oneself.
fn flatten(subject: &Subject) -> Vec<String> {
    match subject.container.format.as_deref() {
        Some(format @ ("qcow2" | "vmdk" | "vdi" | "vhdx")) => remedies::convert_to_qcow2(&subject.source.name, format),
        _ => Vec::new(),
    }
}
