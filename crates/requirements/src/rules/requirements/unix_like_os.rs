//! ccloud³ takes Unix-like operating systems only.

use lotse_guest::Fact;

use crate::rules::{CCLOUD, Rule};
use crate::{Finding, FindingKind, Status, Subject};

/// Families that are Unix-like, by their name in the report.
const UNIX_LIKE: &[&str] = &[
    "linux",
    "freebsd",
    "openbsd",
    "netbsd",
    "dragonfly",
    "illumos",
    "solaris",
    "hurd",
    "minix",
];

pub(in crate::rules) const RULE: Rule = Rule {
    code: "unix_like_os",
    kind: FindingKind::Requirement,
    sources: &[CCLOUD],
    reasons: &[
        "unix_like_os_found",
        "unix_like_os_other",
        "unix_like_os_not_recognised",
        "unix_like_os_missing",
    ],
    remedies: &["use_unix_like_os"],
    judge: |subject| Some(judge(subject)),
};

fn judge(subject: &Subject) -> Finding {
    let facts = match &subject.facts {
        Err(problem) => return Finding::not_read(RULE.code, problem),
        Ok(facts) => facts,
    };
    let found = |status, reason| Finding::requirement(RULE.code, status, reason);
    match &facts.system {
        Fact::Unknown(unknown) => Finding::fact_unknown(RULE.code, unknown),
        Fact::Known(Some(system)) => {
            let finding = if UNIX_LIKE.contains(&system.family.as_str()) {
                found(Status::Pass, "unix_like_os_found")
            } else {
                found(Status::Fail, "unix_like_os_other").file_remedy("use_unix_like_os", Vec::new())
            };
            finding
                .param("family", &system.family)
                .param("name", system.name.as_ref().unwrap_or(&system.family))
                .evidence(&system.evidence)
        }
        Fact::Known(None) if facts.root == Fact::Known(None) => {
            found(Status::Fail, "unix_like_os_missing").file_remedy("use_unix_like_os", Vec::new())
        }
        Fact::Known(None) => found(Status::Unknown, "unix_like_os_not_recognised"),
    }
}
