//! Ignition looks for its settings in one place only, which the boot configuration names: the platform.

use lotse_guest::Fact;

use super::unix;
use crate::rules::Rule;
use crate::{Certainty, Finding, FindingKind, Status, Subject};

/// Platforms whose provider is the one that reads OpenStack's config drive.
const OPENSTACK: &[&str] = &["openstack", "brightbox"];

/// Platforms that read a config drive of the same label and layout, and are meant for something else.
const SAME_DRIVE: &[&str] = &["kubevirt", "nutanix"];

pub(in crate::rules) const RULE: Rule = Rule {
    code: "ignition_platform",
    kind: FindingKind::Advice,
    sources: &["Ignition: Supported Platforms", "Fedora CoreOS: Platforms"],
    reasons: &[
        "ignition_platform_openstack",
        "ignition_platform_same_drive",
        "ignition_platform_other",
        "ignition_platform_not_named",
    ],
    remedies: &["take_openstack_edition"],
    judge,
};

fn judge(subject: &Subject) -> Option<Finding> {
    let (facts, _) = unix(subject)?;
    let ignition = match &facts.ignition {
        Fact::Known(ignition) => ignition.as_ref()?,
        // Where the program itself is not known, the requirement says why.
        Fact::Unknown(_) if matches!(facts.agent, Fact::Unknown(_)) => return None,
        Fact::Unknown(unknown) => return Some(Finding::advice_unknown(RULE.code, unknown)),
    };
    let platform = ignition.platform.as_deref();
    let (status, certainty, reason) = match platform {
        Some(id) if OPENSTACK.contains(&id) => (Status::Pass, Certainty::Certain, "ignition_platform_openstack"),
        Some(id) if SAME_DRIVE.contains(&id) => (Status::Warning, Certainty::Possible, "ignition_platform_same_drive"),
        Some(_) => (Status::Fail, Certainty::Likely, "ignition_platform_other"),
        None => (Status::Warning, Certainty::Possible, "ignition_platform_not_named"),
    };
    let from: Vec<_> = ignition.from.iter().cloned().collect();
    let finding = Finding::advice(RULE.code, status, reason)
        .certainty(certainty)
        .param("platform", platform.unwrap_or_default())
        .evidence(&from);
    Some(if status == Status::Pass {
        finding
    } else {
        finding.remedy("take_openstack_edition", Vec::new())
    })
}
