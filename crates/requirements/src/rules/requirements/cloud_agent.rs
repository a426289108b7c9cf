//! cloud-init from 0.7.7, cloudbase-init, coreos-cloudinit, ignition or bsd-cloudinit must be installed and configured.

use lotse_guest::{Evidence, Fact, facts::Agent};

use crate::remedies::command_line::{Word, remove_words};
use crate::rules::{CCLOUD, Rule};
use crate::{Finding, FindingKind, Status, Subject, remedies};

/// Programs that ccloud³ names, besides cloud-init.
const OTHERS: &[&str] = &["ignition", "coreos-cloudinit", "cloudbase-init", "bsd-cloudinit"];

/// Programs that ask one cloud's own service only, and never a config drive.
const OF_ANOTHER_CLOUD: &[&str] = &["waagent", "google-guest-agent"];

/// The oldest cloud-init that ccloud³ takes.
const MINIMUM: &str = "0.7.7";

/// What `0.7.7` was too new for: the last releases of distributions whose packages never got there, by os-release's `ID`.
const NEVER_RECENT: &[(&str, u32)] = &[
    ("centos", 6),
    ("rhel", 6),
    ("ol", 6),
    ("scientific", 6),
    ("debian", 8),
    ("ubuntu", 14),
];

pub(in crate::rules) const RULE: Rule = Rule {
    code: "cloud_agent",
    kind: FindingKind::Requirement,
    sources: &[
        CCLOUD,
        "cloud-init: How to disable cloud-init",
        "Ignition: Supported Platforms",
        "systemd: systemd.unit(5)",
    ],
    reasons: &[
        "cloud_agent_ready",
        "cloud_agent_ready_some_version",
        "cloud_agent_missing",
        "cloud_agent_removed",
        "cloud_agent_too_old",
        "cloud_agent_version_unknown",
        "cloud_agent_disabled",
        "cloud_agent_disabled_file",
        "cloud_agent_identify_policy",
        "cloud_agent_command_line",
        "cloud_agent_masked",
        "cloud_agent_condition",
        "cloud_agent_no_start_link",
        "cloud_agent_first_boot_over",
        "cloud_agent_start_unknown",
        "cloud_agent_not_named",
        "cloud_agent_other_cloud",
    ],
    remedies: &[
        "install_cloud_init",
        "update_cloud_init",
        "newer_release",
        "show_cloud_init_version",
        "enable_cloud_init",
        "clear_command_line",
        "remove_condition",
        "enable_agent",
        "repeat_first_boot",
    ],
    judge: |subject| Some(judge(subject)),
};

fn judge(subject: &Subject) -> Finding {
    let facts = match &subject.facts {
        Err(problem) => return Finding::not_read(RULE.code, problem),
        Ok(facts) => facts,
    };
    let agent = match &facts.agent {
        Fact::Unknown(unknown) => return Finding::fact_unknown(RULE.code, unknown),
        Fact::Known(agent) => agent,
    };
    let Some(agent) = agent else {
        let (reason, evidence) = match &facts.removed_agent {
            Fact::Known(Some(evidence)) => ("cloud_agent_removed", std::slice::from_ref(evidence)),
            _ => ("cloud_agent_missing", &[][..]),
        };
        return Finding::requirement(RULE.code, Status::Fail, reason)
            .param("minimum", MINIMUM)
            .evidence(evidence)
            .remedy("install_cloud_init", remedies::install_cloud_init(subject));
    };
    let finding = judge_agent(subject, agent)
        .param("agent", &agent.kind)
        .evidence(&agent.evidence);
    match &agent.version {
        Fact::Known(version) => finding.param("version", version),
        Fact::Unknown(_) => finding,
    }
}

fn judge_agent(subject: &Subject, agent: &Agent) -> Finding {
    let found = |status, reason| Finding::requirement(RULE.code, status, reason);
    let is_cloud_init = agent.kind == "cloud-init";
    if OF_ANOTHER_CLOUD.contains(&agent.kind.as_str()) {
        return found(Status::Fail, "cloud_agent_other_cloud")
            .param("minimum", MINIMUM)
            .remedy("install_cloud_init", remedies::install_cloud_init(subject));
    }
    if is_cloud_init && agent.recent_enough == Fact::Known(false) {
        let finding = found(Status::Fail, "cloud_agent_too_old").param("minimum", MINIMUM);
        return if has_nothing_newer(subject) {
            finding.remedy("newer_release", Vec::new())
        } else {
            finding.remedy("update_cloud_init", remedies::update_cloud_init(subject))
        };
    }
    if agent.enabled == Fact::Known(false) {
        return if is_cloud_init {
            cloud_init_off(subject, agent)
        } else {
            other_off(subject, agent)
        };
    }
    let is_named = is_cloud_init || OTHERS.contains(&agent.kind.as_str());
    if !is_named {
        // Whether it is started or not: ccloud³ does not name it.
        let status = match agent.enabled {
            Fact::Known(_) => Status::Warning,
            Fact::Unknown(_) => Status::Unknown,
        };
        return found(status, "cloud_agent_not_named")
            .remedy("install_cloud_init", remedies::install_cloud_init(subject));
    }
    if is_cloud_init && let Fact::Unknown(unknown) = &agent.recent_enough {
        return if unknown.code == "version_not_known" {
            found(Status::Unknown, "cloud_agent_version_unknown")
                .param("minimum", MINIMUM)
                .remedy("show_cloud_init_version", vec!["cloud-init --version".to_owned()])
        } else {
            Finding::fact_unknown(RULE.code, unknown)
        };
    }
    if let Fact::Unknown(unknown) = &agent.enabled {
        return if unknown.code == "agent_start_not_known" {
            let finding = found(Status::Unknown, "cloud_agent_start_unknown");
            match first_boot_commands(subject, agent) {
                Some(commands) => finding.remedy("repeat_first_boot", commands),
                None => finding.remedy("enable_agent", Vec::new()),
            }
        } else {
            Finding::fact_unknown(RULE.code, unknown)
        };
    }
    match agent.version {
        Fact::Known(_) => found(Status::Pass, "cloud_agent_ready"),
        Fact::Unknown(_) => found(Status::Pass, "cloud_agent_ready_some_version"),
    }
}

/// Do the distribution's own packages end below [`MINIMUM`]?
fn has_nothing_newer(subject: &Subject) -> bool {
    let Ok(facts) = &subject.facts else { return false };
    let Fact::Known(Some(system)) = &facts.system else {
        return false;
    };
    let version = system.version.as_deref().and_then(|version| version.split('.').next());
    let major: Option<u32> = version.and_then(|version| version.parse().ok());
    NEVER_RECENT
        .iter()
        .any(|(id, last)| system.distribution.as_deref() == Some(id) && major.is_some_and(|major| major <= *last))
}

/// What decided that it does not run.
fn decider(agent: &Agent) -> Option<&Evidence> {
    agent.evidence.first()
}

/// Undoes exactly what switched cloud-init off.
fn cloud_init_off(subject: &Subject, agent: &Agent) -> Finding {
    let found = |reason| Finding::requirement(RULE.code, Status::Fail, reason);
    let path = decider(agent)
        .and_then(|evidence| evidence.path.as_deref())
        .unwrap_or_default();
    match agent.disabled_because.as_deref() {
        Some("disabled_file") => found("cloud_agent_disabled_file").remedy(
            "enable_cloud_init",
            vec!["rm -f /etc/cloud/cloud-init.disabled".to_owned()],
        ),
        Some("identify_policy") if path.ends_with("/ds-identify.cfg") => found("cloud_agent_identify_policy").remedy(
            "enable_cloud_init",
            remedies::cloud_init::drop_identify_setting(subject, "policy"),
        ),
        Some("identify_policy") => off_command_line(subject, agent, &[Word::Named("ci.di.policy")]),
        Some("command_line") => off_command_line(subject, agent, &[Word::Whole("cloud-init=disabled")]),
        Some("masked") => {
            found("cloud_agent_masked").remedy("enable_cloud_init", remedies::cloud_init::unmask(subject, agent, path))
        }
        Some("condition") => {
            let finding = found("cloud_agent_condition").param("path", path);
            let commands = remedies::cloud_init::revert(path);
            if commands.is_empty() {
                finding.remedy("remove_condition", commands)
            } else {
                finding.remedy("enable_cloud_init", commands)
            }
        }
        Some("no_start_link") => {
            found("cloud_agent_no_start_link").remedy("enable_cloud_init", remedies::cloud_init::enable(subject, agent))
        }
        _ => found("cloud_agent_disabled").remedy("enable_agent", Vec::new()),
    }
}

/// A word of the kernel's command line switched it off.
fn off_command_line(subject: &Subject, agent: &Agent, words: &[Word]) -> Finding {
    let decider = decider(agent);
    let text = |part: Option<&str>| part.unwrap_or_default().to_owned();
    Finding::requirement(RULE.code, Status::Fail, "cloud_agent_command_line")
        .param("word", text(decider.and_then(|evidence| evidence.value.as_deref())))
        .param("path", text(decider.and_then(|evidence| evidence.path.as_deref())))
        .remedy("clear_command_line", remove_words(subject, words))
}

/// A program other than cloud-init does not run.
fn other_off(subject: &Subject, agent: &Agent) -> Finding {
    let found = |reason| Finding::requirement(RULE.code, Status::Fail, reason);
    match agent.disabled_because.as_deref() {
        Some("first_boot_over") => {
            let commands = first_boot_commands(subject, agent).unwrap_or_default();
            found("cloud_agent_first_boot_over").remedy("repeat_first_boot", commands)
        }
        Some("no_start_link") if agent.kind == "nuageinit" => found("cloud_agent_no_start_link").remedy(
            "enable_agent",
            vec!["sysrc nuageinit_enable=YES".to_owned(), "touch /firstboot".to_owned()],
        ),
        _ => found("cloud_agent_disabled").remedy("enable_agent", Vec::new()),
    }
}

/// Makes the next start count as the first one; `None` where no command is known.
fn first_boot_commands(subject: &Subject, agent: &Agent) -> Option<Vec<String>> {
    const MICRO_OS: &str = "/boot/writable/firstboot_happened";
    let touch = |path: &str| Some(vec![format!("touch {path}")]);
    let decided_by = decider(agent).and_then(|evidence| evidence.path.as_deref());
    let facts = subject.facts.as_ref().ok()?;
    let distribution = match &facts.system {
        Fact::Known(Some(system)) => system.distribution.as_deref(),
        _ => None,
    };
    match (agent.kind.as_str(), distribution) {
        ("nuageinit", _) => touch("/firstboot"),
        ("ignition", _) if decided_by == Some(MICRO_OS) => Some(vec![format!("rm -f {MICRO_OS}")]),
        ("ignition", Some("flatcar")) => touch("/boot/flatcar/first_boot"),
        // Fedora CoreOS keeps /boot read-only.
        ("ignition", Some("fedora" | "rhcos" | "rhel" | "scos")) => Some(vec![
            "mount -o remount,rw /boot".to_owned(),
            "touch /boot/ignition.firstboot".to_owned(),
        ]),
        _ => None,
    }
}
