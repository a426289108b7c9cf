//! By which keys is the server known? Those of the old machine would be every VM's; without any, sshd does not start.

use lotse_guest::{
    Evidence, Fact,
    facts::{HostKeys, Setting},
};

use super::{acting_agent, plain_path, server, switches};
use crate::rules::{Rule, advice};
use crate::{Certainty, Finding, FindingKind, Status, Subject, remedies};

/// What cloud-init deletes and makes (`cloudinit/config/cc_ssh.py`, `ssh_host_*key*`).
const REPLACED: &str = "/etc/ssh/ssh_host_";

pub(in crate::rules) const RULE: Rule = Rule {
    code: "host_keys",
    kind: FindingKind::Advice,
    sources: &["OpenSSH: sshd(8), /etc/ssh/ssh_host_*_key", "cloud-init: cc_ssh"],
    reasons: &[
        "host_keys_made",
        "host_keys_replaced",
        "host_keys_shared",
        "host_keys_kept_by_cloud_init",
        "host_keys_none",
    ],
    remedies: &["remove_host_keys", "replace_host_keys", "make_host_keys"],
    judge,
};

fn judge(subject: &Subject) -> Option<Finding> {
    let (facts, _) = advice::unix(subject)?;
    let sshd = server(facts)?;
    // dropbear and others make theirs when they are first needed.
    if sshd.kind.as_deref() != Some("openssh") {
        return None;
    }
    let keys = match &sshd.host_keys {
        Fact::Known(keys) => keys,
        Fact::Unknown(unknown) => return Some(Finding::advice_unknown(RULE.code, unknown)),
    };
    if let Fact::Unknown(_) = facts.agent {
        // Who would make or replace them is not known, and a requirement tells that already.
        return None;
    }
    let by_cloud_init = match acting_agent(facts).filter(|agent| agent.kind == "cloud-init") {
        Some(_) => match switches(facts) {
            Some(switches) if switches.sets_keys.value => Some(&switches.ssh_deletekeys),
            Some(_) => None,
            // The settings are not known, and another rule tells that.
            None => return None,
        },
        None => None,
    };
    // Systems with Ignition are built by their makers and make keys by services of their own, in many ways.
    let by_ignition = acting_agent(facts).is_some_and(|agent| agent.kind == "ignition");
    if by_ignition && keys.present.is_empty() {
        return None;
    }
    let finding = match by_cloud_init {
        Some(deletes) => with_cloud_init(subject, keys, deletes),
        None => alone(subject, keys),
    };
    Some(finding.evidence(&keys.present))
}

/// cloud-init makes what is missing, and deletes what is there unless it is told not to.
fn with_cloud_init(subject: &Subject, keys: &HostKeys, deletes: &Setting<bool>) -> Finding {
    // It makes the usual ones; a server that is told to use others does not take those.
    if !keys.files.iter().any(|file| file.starts_with(REPLACED)) {
        return alone(subject, keys);
    }
    let kept: Vec<&Evidence> = keys
        .present
        .iter()
        .filter(|key| !deletes.value || !key.path.as_deref().unwrap_or_default().starts_with(REPLACED))
        .collect();
    if kept.is_empty() {
        let reason = if keys.present.is_empty() {
            "host_keys_made"
        } else {
            "host_keys_replaced"
        };
        return Finding::advice(RULE.code, Status::Pass, reason);
    }
    let elsewhere = kept
        .iter()
        .any(|key| !key.path.as_deref().unwrap_or_default().starts_with(REPLACED));
    if deletes.value || elsewhere {
        return Finding::advice(RULE.code, Status::Warning, "host_keys_shared").remedy("replace_host_keys", Vec::new());
    }
    Finding::advice(RULE.code, Status::Warning, "host_keys_kept_by_cloud_init")
        .evidence(deletes.from.as_slice())
        .remedy("remove_host_keys", removal(keys))
}

/// Nobody but the system itself makes keys.
fn alone(subject: &Subject, keys: &HostKeys) -> Finding {
    // `ssh-keygen -A` makes the usual ones only.
    let is_usual = keys.files.iter().any(|file| file.starts_with(REPLACED));
    let make = || {
        if is_usual {
            remedies::make_host_keys(subject)
        } else {
            Vec::new()
        }
    };
    match (&keys.made_by, keys.present.is_empty()) {
        (Some(_), true) => Finding::advice(RULE.code, Status::Pass, "host_keys_made"),
        (Some(_), false) => {
            Finding::advice(RULE.code, Status::Warning, "host_keys_shared").remedy("remove_host_keys", removal(keys))
        }
        (None, true) => Finding::advice(RULE.code, Status::Fail, "host_keys_none")
            // A unit or script that is not known here may make them.
            .certainty(Certainty::Likely)
            .remedy("make_host_keys", make()),
        (None, false) => {
            let mut commands = make();
            if !commands.is_empty() {
                commands.extend(removal(keys));
            }
            Finding::advice(RULE.code, Status::Warning, "host_keys_shared").remedy("replace_host_keys", commands)
        }
    }
}

fn removal(keys: &HostKeys) -> Vec<String> {
    let paths = keys.present.iter().filter_map(plain_path);
    paths.map(|path| format!("rm -f {path} {path}.pub")).collect()
}
