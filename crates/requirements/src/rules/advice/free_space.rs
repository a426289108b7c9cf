//! Is there room for what the first start writes? Until the root has grown, or if it does not, nothing else is there.

use lotse_guest::Fact;

use crate::rules::Rule;
use crate::{Certainty, Finding, FindingKind, Status, Subject, remedies};

use super::unix;

/// What a first start writes before the root has grown: one file of the journal, which systemd makes 8 MiB large
/// (`FILE_SIZE_INCREASE` in journal-file.c), host keys, cloud-init's own files and its log. Twice that, in bytes.
const LIMIT: u64 = 16 << 20;

pub(in crate::rules) const RULE: Rule = Rule {
    code: "free_space",
    kind: FindingKind::Advice,
    sources: &["systemd: journald.conf(5)"],
    reasons: &["free_space_short"],
    remedies: &["free_space"],
    judge,
};

fn judge(subject: &Subject) -> Option<Finding> {
    let (facts, _) = unix(subject)?;
    let Fact::Known(space) = &facts.space else {
        return None;
    };
    let free = match &space.free {
        Fact::Unknown(unknown) => return Some(Finding::advice_unknown(RULE.code, unknown)),
        Fact::Known(free) => *free,
    };
    (free < LIMIT).then(|| {
        Finding::advice(RULE.code, Status::Warning, "free_space_short")
            .certainty(Certainty::Likely)
            .param("free_mib", free >> 20)
            .param("limit_mib", LIMIT >> 20)
            .remedy("free_space", remedies::free_space(subject))
    })
}
