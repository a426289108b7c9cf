//! The container must stand alone: no reference to other files, no two formats at once.

use crate::rules::{CCLOUD, Rule};
use crate::{DiskProblem, DiskProblemKind, Finding, FindingKind, Status, Subject, remedies};

pub(in crate::rules) const RULE: Rule = Rule {
    code: "container_safe",
    kind: FindingKind::Requirement,
    sources: &[CCLOUD],
    reasons: &[
        "container_safe_alone",
        "container_safe_refers_to_files",
        "container_safe_encrypted",
        "container_safe_ambiguous",
        "container_safe_unbelievable",
    ],
    remedies: &["flatten_container", "decrypt_container", "rebuild_container"],
    judge: |subject| Some(judge(subject)),
};

fn judge(subject: &Subject) -> Finding {
    match &subject.facts {
        Ok(_) => Finding::requirement(RULE.code, Status::Pass, "container_safe_alone"),
        Err(problem) if problem.kind == DiskProblemKind::Refused => refused(subject, problem),
        Err(problem) => Finding::not_read(RULE.code, problem),
    }
}

fn refused(subject: &Subject, problem: &DiskProblem) -> Finding {
    let (reason, remedy, commands) = match problem.code.as_str() {
        "two_formats" => ("container_safe_ambiguous", "rebuild_container", Vec::new()),
        "virtual_size_too_large" => ("container_safe_unbelievable", "rebuild_container", Vec::new()),
        code if code.ends_with("_encrypted") => ("container_safe_encrypted", "decrypt_container", Vec::new()),
        _ => ("container_safe_refers_to_files", "flatten_container", flatten(subject)),
    };
    let finding = Finding::requirement(RULE.code, Status::Fail, reason);
    Finding {
        params: problem.params.clone(),
        ..finding
    }
    .param("cause", &problem.code)
    .file_remedy(remedy, commands)
}

/// Rewrites the image as one file. It follows the very references that were refused here, so the sentence beside it
/// says to do so only with an image one made oneself.
fn flatten(subject: &Subject) -> Vec<String> {
    match subject.container.format.as_deref() {
        Some(format @ ("qcow2" | "vmdk" | "vdi" | "vhdx")) => remedies::convert_to_qcow2(&subject.source.name, format),
        _ => Vec::new(),
    }
}
