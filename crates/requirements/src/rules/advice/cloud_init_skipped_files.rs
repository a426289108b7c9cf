//! Files of settings that cloud-init skips because they are no valid YAML: what they were written for does not happen.

use super::cloud_init;
use crate::rules::Rule;
use crate::{Finding, FindingKind, Status, Subject};

pub(in crate::rules) const RULE: Rule = Rule {
    code: "cloud_init_skipped_files",
    kind: FindingKind::Advice,
    sources: &["cloud-init: Configuration sources", "YAML 1.1"],
    reasons: &[
        "cloud_init_skipped_file",
        "cloud_init_skipped_file_line",
        "cloud_init_skipped_files",
    ],
    remedies: &["mend_yaml"],
    judge,
};

fn judge(subject: &Subject) -> Option<Finding> {
    let (_, cloud_init) = cloud_init(subject)?;
    let first = cloud_init.skipped.first()?;
    let reason = match (cloud_init.skipped.len(), first.line) {
        (1, None) => "cloud_init_skipped_file",
        (1, Some(_)) => "cloud_init_skipped_file_line",
        _ => "cloud_init_skipped_files",
    };
    let line = first.line.map(|line| line.to_string()).unwrap_or_default();
    Some(
        Finding::advice(RULE.code, Status::Warning, reason)
            .param("count", cloud_init.skipped.len())
            .param("path", first.path.as_deref().unwrap_or_default())
            .param("line", line)
            .evidence(&cloud_init.skipped)
            .remedy("mend_yaml", Vec::new()),
    )
}
