//! The system's root must stand on ext3 or ext4.

use lotse_guest::Fact;

use crate::rules::{CCLOUD, Rule};
use crate::{Finding, FindingKind, Status, Subject};

pub(in crate::rules) const RULE: Rule = Rule {
    code: "root_filesystem",
    kind: FindingKind::Requirement,
    sources: &[CCLOUD],
    reasons: &[
        "root_filesystem_accepted",
        "root_filesystem_only_candidate",
        "root_filesystem_ext2",
        "root_filesystem_not_accepted",
        "root_filesystem_missing",
    ],
    remedies: &["add_journal", "reinstall_on_ext4", "use_bootable_disk"],
    judge: |subject| Some(judge(subject)),
};

fn judge(subject: &Subject) -> Finding {
    let root = match &subject.facts {
        Err(problem) => return Finding::not_read(RULE.code, problem),
        Ok(facts) => match &facts.root {
            Fact::Unknown(unknown) => return Finding::fact_unknown(RULE.code, unknown),
            Fact::Known(root) => root,
        },
    };
    let found = |status, reason| Finding::requirement(RULE.code, status, reason);
    let Some(root) = root else {
        return found(Status::Fail, "root_filesystem_missing").file_remedy("use_bootable_disk", Vec::new());
    };
    let finding = match root.filesystem.as_str() {
        "ext3" | "ext4" if root.read => found(Status::Pass, "root_filesystem_accepted"),
        "ext3" | "ext4" => found(Status::Unknown, "root_filesystem_only_candidate"),
        "ext2" => found(Status::Fail, "root_filesystem_ext2").remedy(
            "add_journal",
            vec![
                r#"tune2fs -j "$(findmnt --noheadings --output SOURCE /)""#.to_owned(),
                r"sed -i -E 's@^([^#[:space:]]+[[:space:]]+/[[:space:]]+)ext2\b@\1ext3@' /etc/fstab".to_owned(),
            ],
        ),
        _ => found(Status::Fail, "root_filesystem_not_accepted").remedy("reinstall_on_ext4", Vec::new()),
    };
    let finding = finding.param("filesystem", &root.filesystem);
    match root.partition {
        Some(number) => finding.param("partition", number),
        None => finding,
    }
}
