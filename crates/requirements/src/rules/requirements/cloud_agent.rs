//! cloud-init from 0.7.7, cloudbase-init, coreos-cloudinit, ignition or bsd-cloudinit must be installed and configured.

use lotse_guest::{Fact, facts::Agent};

use crate::rules::{CCLOUD, Rule};
use crate::{Finding, FindingKind, Status, Subject, remedies};

/// Programs that ccloud³ names, besides cloud-init.
const OTHERS: &[&str] = &["ignition", "coreos-cloudinit", "cloudbase-init", "bsd-cloudinit"];

/// The oldest cloud-init that ccloud³ takes.
const MINIMUM: &str = "0.7.7";

pub(in crate::rules) const RULE: Rule = Rule {
    code: "cloud_agent",
    kind: FindingKind::Requirement,
    sources: &[CCLOUD],
    reasons: &[
        "cloud_agent_ready",
        "cloud_agent_missing",
        "cloud_agent_too_old",
        "cloud_agent_disabled",
        "cloud_agent_not_named",
    ],
    remedies: &[
        "install_cloud_init",
        "update_cloud_init",
        "enable_cloud_init",
        "enable_agent",
    ],
    judge: |subject| Some(judge(subject)),
};

fn judge(subject: &Subject) -> Finding {
    let agent = match &subject.facts {
        Err(problem) => return Finding::not_read(RULE.code, problem),
        Ok(facts) => match &facts.agent {
            Fact::Unknown(unknown) => return Finding::fact_unknown(RULE.code, unknown),
            Fact::Known(agent) => agent,
        },
    };
    let Some(agent) = agent else {
        return Finding::requirement(RULE.code, Status::Fail, "cloud_agent_missing")
            .param("minimum", MINIMUM)
            .remedy("install_cloud_init", remedies::install_cloud_init(subject));
    };
    let finding = judge_agent(subject, agent)
        .param("agent", &agent.kind)
        .evidence(&agent.evidence);
    match &agent.version {
        Fact::Known(version) => finding.param("version", version),
        Fact::Unknown(_) => finding.param("version", ""),
    }
}

fn judge_agent(subject: &Subject, agent: &Agent) -> Finding {
    let found = |status, reason| Finding::requirement(RULE.code, status, reason);
    let is_cloud_init = agent.kind == "cloud-init";
    if is_cloud_init && agent.recent_enough == Fact::Known(false) {
        return found(Status::Fail, "cloud_agent_too_old")
            .param("minimum", MINIMUM)
            .remedy("update_cloud_init", remedies::update_cloud_init(subject));
    }
    if agent.enabled == Fact::Known(false) {
        let finding = found(Status::Fail, "cloud_agent_disabled");
        return if is_cloud_init {
            finding.remedy("enable_cloud_init", enable_commands(agent))
        } else {
            finding.remedy("enable_agent", Vec::new())
        };
    }
    if is_cloud_init && let Fact::Unknown(unknown) = &agent.recent_enough {
        return Finding::fact_unknown(RULE.code, unknown);
    }
    if let Fact::Unknown(unknown) = &agent.enabled {
        return Finding::fact_unknown(RULE.code, unknown);
    }
    if is_cloud_init || OTHERS.contains(&agent.kind.as_str()) {
        found(Status::Pass, "cloud_agent_ready")
    } else {
        found(Status::Warning, "cloud_agent_not_named")
    }
}

/// Undoes exactly what switched cloud-init off, as the evidence names it.
fn enable_commands(agent: &Agent) -> Vec<String> {
    let decided_by = agent.evidence.first().and_then(|evidence| evidence.path.as_deref());
    match (agent.disabled_because.as_deref(), decided_by) {
        (Some("disabled_file"), _) => vec!["rm /etc/cloud/cloud-init.disabled".to_owned()],
        (Some("identify_policy"), _) => vec![r"sed -i '/^[[:space:]]*policy:/d' /etc/cloud/ds-identify.cfg".to_owned()],
        (Some("masked"), Some(path)) => match path.rsplit('/').next() {
            Some(unit) if is_unit_name(unit) => vec![format!("systemctl unmask {unit}")],
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// Only names that need no quoting get into a command; a path from an image may hold anything.
fn is_unit_name(name: &str) -> bool {
    name.starts_with("cloud")
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".-_@".contains(&byte))
}
