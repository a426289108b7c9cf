//! A VM that keeps the image's host name instead of taking its own.

use lotse_guest::Fact;

use super::cloud_init;
use crate::rules::Rule;
use crate::{Finding, FindingKind, Status, Subject, remedies};

pub(in crate::rules) const RULE: Rule = Rule {
    code: "cloud_init_hostname",
    kind: FindingKind::Advice,
    sources: &["cloud-init: Set Hostname"],
    reasons: &["cloud_init_hostname_preserved", "cloud_init_hostname_preserved_named"],
    remedies: &["let_cloud_init_name", "edit_setting"],
    judge,
};

fn judge(subject: &Subject) -> Option<Finding> {
    let (facts, cloud_init) = cloud_init(subject)?;
    // That the switches are not known is told by the rules on logging in.
    let Fact::Known(switches) = &cloud_init.switches else {
        return None;
    };
    let setting = &switches.preserve_hostname;
    if !setting.value {
        return None;
    }
    let decider: Vec<_> = setting.from.iter().cloned().collect();
    let path = setting.from.as_ref().and_then(|from| from.path.as_deref());
    let name = match &facts.network {
        Fact::Known(network) => match &network.hostname {
            Fact::Known(Some(name)) => name.value.as_deref(),
            _ => None,
        },
        Fact::Unknown(_) => None,
    };
    let finding = match name {
        Some(name) => {
            Finding::advice(RULE.code, Status::Warning, "cloud_init_hostname_preserved_named").param("name", name)
        }
        None => Finding::advice(RULE.code, Status::Warning, "cloud_init_hostname_preserved"),
    };
    Some(remedies::cloud_init::set(
        subject,
        finding.evidence(&decider),
        path,
        ("let_cloud_init_name", "preserve_hostname: false", "ccloud-hostname.cfg"),
    ))
}
