//! The system must be made for the processor of the VM. ccloud³ names none; VMs usually have x86-64 processors.

use crate::rules::{Rule, advice};
use crate::{Certainty, Finding, FindingKind, Status, Subject};

pub(in crate::rules) const RULE: Rule = Rule {
    code: "architecture",
    kind: FindingKind::Advice,
    sources: &["System V ABI: e_machine", "uname(1)"],
    reasons: &["architecture_usual", "architecture_32_bit", "architecture_other"],
    remedies: &["use_x86_64"],
    judge,
};

/// 32-bit machines that an x86-64 processor also runs, as `uname -m` says them.
const X86: [&str; 5] = ["i386", "i486", "i586", "i686", "x86"];

fn judge(subject: &Subject) -> Option<Finding> {
    let (_, system) = advice::read_unix(subject)?;
    let machine = system.architecture.as_deref()?;
    let found = |status, reason| Finding::advice(RULE.code, status, reason);
    let finding = match (machine, system.bits) {
        ("x86_64", Some(64) | None) => found(Status::Pass, "architecture_usual").certainty(Certainty::Likely),
        ("x86_64", _) => found(Status::Warning, "architecture_32_bit")
            .certainty(Certainty::Possible)
            .remedy("use_x86_64", Vec::new()),
        (machine, _) if X86.contains(&machine) => found(Status::Warning, "architecture_32_bit")
            .certainty(Certainty::Possible)
            .remedy("use_x86_64", Vec::new()),
        _ => found(Status::Warning, "architecture_other")
            .certainty(Certainty::Likely)
            .remedy("use_x86_64", Vec::new()),
    };
    let place = system.evidence.last().cloned();
    Some(finding.param("machine", machine).evidence(place.as_slice()))
}
