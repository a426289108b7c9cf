//! Further programs that would set a VM up: of another cloud, or at cross-purposes with the one that acts.

use lotse_guest::{
    Fact,
    facts::{Agent, OtherAgent},
};

use super::unix;
use crate::rules::Rule;
use crate::{Certainty, Finding, FindingKind, Status, Subject, remedies};

/// Programs of another cloud; they wait for a service that is not there.
const OF_ANOTHER_CLOUD: &[&str] = &["waagent", "google-guest-agent"];

/// Programs that set a whole VM up once their package is there. Others need a switch of their own (Ignition, nuageinit) or
/// only fetch data (Afterburn), and stand beside another program on stock systems.
const WHOLE: &[&str] = &["coreos-cloudinit", "bsd-cloudinit", "tiny-cloud", "cirros-init"];

pub(in crate::rules) const RULE: Rule = Rule {
    code: "other_agents",
    kind: FindingKind::Advice,
    sources: &["Azure Linux Agent", "Google Guest Agent", "Tiny Cloud"],
    reasons: &["other_agents_of_another_cloud", "other_agents_several"],
    remedies: &["remove_other_agents"],
    judge,
};

fn judge(subject: &Subject) -> Option<Finding> {
    let (facts, _) = unix(subject)?;
    let Fact::Known(Some(agent)) = &facts.agent else {
        return None;
    };
    let several = among(agent, WHOLE);
    let (reason, others) = if several.is_empty() {
        ("other_agents_of_another_cloud", among(agent, OF_ANOTHER_CLOUD))
    } else {
        ("other_agents_several", several)
    };
    if others.is_empty() {
        return None;
    }
    let kinds: Vec<&str> = others.iter().map(|other| other.kind.as_str()).collect();
    let evidence: Vec<_> = others.iter().map(|other| other.evidence.clone()).collect();
    let commands = kinds
        .iter()
        .filter_map(|kind| remedies::remove_agent(subject, kind))
        .collect();
    Some(
        Finding::advice(RULE.code, Status::Warning, reason)
            .certainty(Certainty::Possible)
            .param("agent", &agent.kind)
            .param("others", kinds.join(", "))
            .evidence(&evidence)
            .remedy("remove_other_agents", commands),
    )
}

fn among<'a>(agent: &'a Agent, kinds: &[&str]) -> Vec<&'a OtherAgent> {
    agent
        .others
        .iter()
        .filter(|other| kinds.contains(&other.kind.as_str()))
        .collect()
}
