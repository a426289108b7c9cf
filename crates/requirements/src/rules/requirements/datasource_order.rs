//! cloud-init must look for ConfigDrive before NoCloud: ccloud³ hands a VM its settings on a config drive, and where
//! NoCloud comes first "VMs made from the image may not work correctly".

use lotse_guest::{Fact, facts::Datasources};

use crate::rules::{CCLOUD, Rule};
use crate::{Finding, FindingKind, Status, Subject};

/// Folder of cloud-init's drop-ins.
const DROP_INS: &str = "/etc/cloud/cloud.cfg.d/";

/// Names for the drop-in. Drop-ins are read in byte order and the last one wins, so that a stock `99-installer.cfg`
/// would overrule the first of them.
const DROP_IN_NAMES: &[&str] = &["99-ccloud.cfg", "zz-ccloud.cfg"];

/// ConfigDrive first; NoCloud and None stay, so that the image still starts where there is no config drive.
const WANTED: &str = "datasource_list: [ ConfigDrive, NoCloud, None ]";

pub(in crate::rules) const RULE: Rule = Rule {
    code: "datasource_order",
    kind: FindingKind::Requirement,
    sources: &[CCLOUD],
    reasons: &[
        "datasource_order_config_drive_first",
        "datasource_order_nocloud_first",
        "datasource_order_nocloud_first_built_in",
        "datasource_order_config_drive_missing",
        "datasource_order_metadata_only",
        "datasource_order_not_asked",
        "datasource_order_no_agent",
    ],
    remedies: &["put_config_drive_first", "edit_datasource_list"],
    judge: |subject| Some(judge(subject)),
};

fn judge(subject: &Subject) -> Finding {
    let facts = match &subject.facts {
        Err(problem) => return Finding::not_read(RULE.code, problem),
        Ok(facts) => facts,
    };
    let found = |status, reason| Finding::requirement(RULE.code, status, reason);
    let agent = match &facts.agent {
        Fact::Unknown(unknown) => return Finding::fact_unknown(RULE.code, unknown),
        Fact::Known(None) => return found(Status::Unknown, "datasource_order_no_agent"),
        Fact::Known(Some(agent)) => agent,
    };
    if agent.kind != "cloud-init" {
        return found(Status::Pass, "datasource_order_not_asked").param("agent", &agent.kind);
    }
    match &facts.datasources {
        Fact::Unknown(unknown) => Finding::fact_unknown(RULE.code, unknown),
        Fact::Known(None) => found(Status::Unknown, "datasource_order_no_agent"),
        Fact::Known(Some(sources)) => judge_list(sources),
    }
}

fn judge_list(sources: &Datasources) -> Finding {
    let place = |wanted: &str| sources.list.iter().position(|name| plain_name(name) == wanted);
    let (status, reason) = match (place("ConfigDrive"), place("NoCloud")) {
        (Some(config_drive), Some(nocloud)) if nocloud < config_drive && sources.built_in => {
            (Status::Warning, "datasource_order_nocloud_first_built_in")
        }
        (Some(config_drive), Some(nocloud)) if nocloud < config_drive => {
            (Status::Warning, "datasource_order_nocloud_first")
        }
        (Some(_), _) => (Status::Pass, "datasource_order_config_drive_first"),
        // An OpenStack metadata service may still answer; ccloud³ does not say that there is one.
        (None, _) if place("OpenStack").or(place("Ec2")).is_some() => {
            (Status::Warning, "datasource_order_metadata_only")
        }
        (None, _) => (Status::Fail, "datasource_order_config_drive_missing"),
    };
    let decider = sources.from.first();
    let finding = Finding::requirement(RULE.code, status, reason)
        .param("list", sources.list.join(", "))
        .param(
            "path",
            decider
                .and_then(|evidence| evidence.path.as_deref())
                .unwrap_or_default(),
        )
        .param(
            "line",
            decider
                .and_then(|evidence| evidence.line)
                .map(|line| line.to_string())
                .unwrap_or_default(),
        )
        .evidence(&sources.from);
    if status == Status::Pass {
        finding
    } else {
        with_remedy(finding, sources)
    }
}

/// A list may name a datasource with its module's prefix (`cloudinit.sources.DS_PREFIX`).
fn plain_name(name: &str) -> &str {
    name.strip_prefix("DataSource").unwrap_or(name)
}

fn with_remedy(finding: Finding, sources: &Datasources) -> Finding {
    let decider = sources.from.first().and_then(|evidence| evidence.path.as_deref());
    let overruling = decider.and_then(|path| path.strip_prefix(DROP_INS)).unwrap_or_default();
    match DROP_IN_NAMES
        .iter()
        .find(|name| name.as_bytes() > overruling.as_bytes())
    {
        Some(name) => finding.param("drop_in", format!("{DROP_INS}{name}")).remedy(
            "put_config_drive_first",
            vec![format!("echo '{WANTED}' > {DROP_INS}{name}")],
        ),
        None => finding
            .param("wanted", WANTED)
            .remedy("edit_datasource_list", Vec::new()),
    }
}
