//! cloud-init must look for ConfigDrive before NoCloud: ccloud³ hands a VM its settings on a config drive, and where
//! NoCloud comes first "VMs made from the image may not work correctly". A further sentence tells what will come of it.

use lotse_guest::{
    Evidence, Fact,
    facts::{Datasources, Expected, Identify},
};

use crate::remedies::command_line::{Word, remove_words};
use crate::rules::{CCLOUD, Rule};
use crate::{Certainty, Finding, FindingKind, Status, Subject, remedies};

/// What Ubuntu's installer leaves behind, with the list `[None]`.
const INSTALLER: &str = "99-installer.cfg";

pub(in crate::rules) const RULE: Rule = Rule {
    code: "datasource_order",
    kind: FindingKind::Requirement,
    sources: &[
        CCLOUD,
        "cloud-init: ConfigDrive",
        "cloud-init: NoCloud",
        "cloud-init: ds-identify",
    ],
    reasons: &[
        "datasource_order_config_drive_first",
        "datasource_order_nocloud_first",
        "datasource_order_nocloud_first_built_in",
        "datasource_order_config_drive_missing",
        "datasource_order_config_drive_not_listed",
        "datasource_order_installer",
        "datasource_order_overruled",
        "datasource_order_identify_disables",
        "datasource_order_metadata_only",
        "datasource_order_not_asked",
        "datasource_order_no_agent",
        "datasource_order_effect_identify",
        "datasource_order_effect_nothing_there",
        "datasource_order_effect_seed",
        "datasource_order_effect_kept",
        "datasource_order_effect_unknown",
    ],
    remedies: &[
        "put_config_drive_first",
        "remove_installer_settings",
        "edit_datasource_list",
        "free_datasource",
    ],
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
        Fact::Known(Some(sources)) => judge_sources(subject, sources),
    }
}

/// How a list stands to ccloud³'s rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    ConfigDriveFirst,
    NoCloudFirst,
    /// Only a service on the network is asked.
    MetadataOnly,
    ConfigDriveMissing,
}

impl Order {
    fn of(list: &[String]) -> Self {
        let place = |wanted: &str| {
            list.iter()
                .position(|name| plain_name(name).eq_ignore_ascii_case(wanted))
        };
        match (place("ConfigDrive"), place("NoCloud")) {
            (Some(config_drive), Some(nocloud)) if nocloud < config_drive => Self::NoCloudFirst,
            (Some(_), _) => Self::ConfigDriveFirst,
            // An OpenStack metadata service may still answer; ccloud³ does not say that there is one.
            (None, _) if place("OpenStack").or(place("Ec2")).is_some() => Self::MetadataOnly,
            (None, _) => Self::ConfigDriveMissing,
        }
    }
}

/// A list may name a datasource with its module's prefix (`cloudinit.sources.DS_PREFIX`).
fn plain_name(name: &str) -> &str {
    name.strip_prefix("DataSource").unwrap_or(name)
}

fn judge_sources(subject: &Subject, sources: &Datasources) -> Finding {
    let identify = match &sources.identify {
        Fact::Known(identify) => identify.as_ref(),
        Fact::Unknown(_) => None,
    };
    let expected = match &sources.expected {
        Fact::Known(expected) => Some(expected),
        Fact::Unknown(_) => None,
    };
    let own = Order::of(&sources.list);
    // What ds-identify leaves of the list is all that is tried.
    let overruled = expected.filter(|expected| {
        expected.wins == "identify"
            && own != Order::ConfigDriveMissing
            && Order::of(&expected.list) == Order::ConfigDriveMissing
            && !matches!(expected.because.as_str(), "cached" | "identify_disables")
    });
    let finding = match (overruled, identify) {
        (Some(expected), Some(identify)) => overruled_finding(subject, own, expected, identify, sources),
        // Its own switch is told by the rule on the program itself.
        (_, Some(identify))
            if own != Order::ConfigDriveMissing && !identify.runs_cloud_init && identify.mode != "disabled" =>
        {
            let reason = "datasource_order_identify_disables";
            let finding = Finding::requirement(RULE.code, Status::Fail, reason).evidence(&sources.from);
            with_drop_in(subject, finding, sources)
        }
        _ => listed(subject, own, sources, identify, expected),
    };
    let (path, line) = place(sources.from.first());
    finding
        .param("list", sources.list.join(", "))
        .param("path", path)
        .param("line", line)
}

/// Path and line for a sentence.
fn place(evidence: Option<&Evidence>) -> (String, String) {
    let path = evidence.and_then(|evidence| evidence.path.clone());
    let line = evidence.and_then(|evidence| evidence.line);
    (
        path.unwrap_or_default(),
        line.map(|line| line.to_string()).unwrap_or_default(),
    )
}

/// Judges cloud-init's own list, and says what comes of it.
fn listed(
    subject: &Subject,
    own: Order,
    sources: &Datasources,
    identify: Option<&Identify>,
    expected: Option<&Expected>,
) -> Finding {
    let reads_config_drive = expected.is_some_and(|expected| expected.because == "config_drive");
    let is_installer = sources.list == ["None"]
        && sources
            .from
            .first()
            .and_then(|evidence| evidence.path.as_deref())
            .is_some_and(|path| path == remedies::cloud_init::drop_ins(subject) + INSTALLER);
    let (status, reason) = match own {
        Order::ConfigDriveFirst => (Status::Pass, "datasource_order_config_drive_first"),
        Order::NoCloudFirst if sources.built_in => (Status::Warning, "datasource_order_nocloud_first_built_in"),
        Order::NoCloudFirst => (Status::Warning, "datasource_order_nocloud_first"),
        Order::MetadataOnly => (Status::Warning, "datasource_order_metadata_only"),
        Order::ConfigDriveMissing if is_installer => (Status::Fail, "datasource_order_installer"),
        // ds-identify reads the same files in another way and may hand cloud-init the config drive all the same.
        Order::ConfigDriveMissing if reads_config_drive => {
            (Status::Warning, "datasource_order_config_drive_not_listed")
        }
        Order::ConfigDriveMissing => (Status::Fail, "datasource_order_config_drive_missing"),
    };
    let finding = Finding::requirement(RULE.code, status, reason).evidence(&sources.from);
    if status == Status::Pass {
        return finding;
    }
    let finding = match (status, own) {
        (Status::Warning, Order::MetadataOnly) if !reads_config_drive => finding.certainty(Certainty::Possible),
        (Status::Warning, _) => with_effect(finding, identify, expected),
        _ => finding,
    };
    if is_installer {
        let mut commands = vec![format!("rm -f {}{INSTALLER}", remedies::cloud_init::drop_ins(subject))];
        let left = Datasources {
            from: sources.from.iter().skip(1).cloned().collect(),
            ..sources.clone()
        };
        let finding = with_drop_in(subject, finding, &left);
        commands.extend(finding.remedy.iter().flat_map(|remedy| remedy.commands.clone()));
        return finding.remedy("remove_installer_settings", commands);
    }
    with_drop_in(subject, finding, sources)
}

/// The further sentence: what will happen on a VM with a config drive.
fn with_effect(finding: Finding, identify: Option<&Identify>, expected: Option<&Expected>) -> Finding {
    let Some(expected) = expected else {
        return finding
            .certainty(Certainty::Possible)
            .detail("datasource_order_effect_unknown");
    };
    match (expected.because.as_str(), expected.wins.as_str(), identify) {
        ("config_drive", "identify", Some(identify)) => finding
            .certainty(Certainty::Possible)
            .detail("datasource_order_effect_identify")
            .evidence(std::slice::from_ref(&identify.program)),
        ("config_drive", ..) => finding
            .certainty(Certainty::Possible)
            .detail("datasource_order_effect_nothing_there"),
        ("seed_on_disk", ..) => finding
            .detail("datasource_order_effect_seed")
            .evidence(&expected.evidence),
        ("cached", ..) => finding
            .detail("datasource_order_effect_kept")
            .evidence(&expected.evidence),
        // It does not run at all, which the rule on the program itself tells.
        ("identify_disables", ..) => finding,
        _ => finding
            .certainty(Certainty::Possible)
            .detail("datasource_order_effect_unknown"),
    }
}

/// ds-identify's own settings, or the kernel's command line, name another datasource than the list.
fn overruled_finding(
    subject: &Subject,
    own: Order,
    expected: &Expected,
    identify: &Identify,
    sources: &Datasources,
) -> Finding {
    let named = |evidence: &&Evidence| {
        let key = evidence
            .value
            .as_deref()
            .and_then(|value| value.split(['=', ':']).next());
        matches!(key, Some("datasource" | "ci.ds" | "ci.datasource" | "ds"))
    };
    let decider = identify.policy.iter().find(named).or_else(|| identify.from.first());
    let path = decider
        .and_then(|evidence| evidence.path.as_deref())
        .unwrap_or_default();
    let word = decider
        .and_then(|evidence| evidence.value.as_deref())
        .unwrap_or_default();
    let finding = Finding::requirement(RULE.code, Status::Fail, "datasource_order_overruled")
        .param("taken", expected.list.join(", "))
        .param("decider", path)
        .param("word", word)
        .evidence(&decider.cloned().into_iter().collect::<Vec<_>>())
        .evidence(&sources.from);
    if identify.datasource.is_none() {
        // The list itself, which ds-identify reads in another way than cloud-init.
        return with_drop_in(subject, finding, sources);
    }
    let mut commands = if path.ends_with("/ds-identify.cfg") {
        remedies::cloud_init::drop_identify_setting(subject, "datasource")
    } else if word.starts_with("ds=") {
        remove_words(subject, &[Word::Named("ds")])
    } else {
        remove_words(subject, &[Word::Named("ci.ds"), Word::Named("ci.datasource")])
    };
    if !commands.is_empty() && own != Order::ConfigDriveFirst {
        let drop_in = remedies::cloud_init::put_config_drive_first(subject, sources);
        commands.extend(drop_in.map(|(_, command)| command));
    }
    finding.remedy("free_datasource", commands)
}

fn with_drop_in(subject: &Subject, finding: Finding, sources: &Datasources) -> Finding {
    match remedies::cloud_init::put_config_drive_first(subject, sources) {
        Some((path, command)) => finding
            .param("drop_in", path)
            .remedy("put_config_drive_first", vec![command]),
        None => finding
            .param("wanted", remedies::cloud_init::DATASOURCES)
            .remedy("edit_datasource_list", Vec::new()),
    }
}
