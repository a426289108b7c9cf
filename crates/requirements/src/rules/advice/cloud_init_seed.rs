//! Settings for NoCloud that travel with the image, and whether a VM takes them instead of those of its config drive.

use lotse_guest::{
    Evidence, Fact,
    facts::{Datasources, Expected},
};

use super::cloud_init;
use crate::remedies::command_line::{Word, remove_words};
use crate::rules::Rule;
use crate::{Certainty, Finding, FindingKind, Status, Subject, remedies};

pub(in crate::rules) const RULE: Rule = Rule {
    code: "cloud_init_seed",
    kind: FindingKind::Advice,
    sources: &["cloud-init: NoCloud", "cloud-init: ds-identify"],
    reasons: &[
        "cloud_init_seed_taken",
        "cloud_init_seed_not_taken",
        "cloud_init_seed_open",
    ],
    remedies: &["put_config_drive_before_seed", "remove_seed_by_hand"],
    judge,
};

fn judge(subject: &Subject) -> Option<Finding> {
    let (facts, cloud_init) = cloud_init(subject)?;
    let seeds = match &cloud_init.seeds {
        Fact::Known(seeds) if seeds.is_empty() => return None,
        Fact::Known(seeds) => seeds,
        Fact::Unknown(unknown) => return Some(Finding::advice_unknown(RULE.code, unknown)),
    };
    let sources = match &facts.datasources {
        Fact::Known(sources) => sources.as_ref(),
        Fact::Unknown(_) => None,
    };
    let expected = match sources.map(|sources| &sources.expected) {
        Some(Fact::Known(expected)) => Some(expected),
        _ => None,
    };
    let finding = match expected.map(|Expected { because, .. }| because.as_str()) {
        Some("seed_on_disk") => Finding::advice(RULE.code, Status::Fail, "cloud_init_seed_taken"),
        Some("config_drive") => {
            return Some(Finding::advice(RULE.code, Status::Pass, "cloud_init_seed_not_taken").evidence(seeds));
        }
        _ => Finding::advice(RULE.code, Status::Warning, "cloud_init_seed_open").certainty(Certainty::Possible),
    };
    let commands = commands(subject, seeds, sources);
    let remedy = if commands.is_empty() {
        "remove_seed_by_hand"
    } else {
        "put_config_drive_before_seed"
    };
    Some(finding.evidence(seeds).remedy(remedy, commands))
}

/// ConfigDrive goes before the settings, which stay: what lies there may be somebody's only copy. Empty where that does not
/// help.
fn commands(subject: &Subject, seeds: &[Evidence], sources: Option<&Datasources>) -> Vec<String> {
    let is_word = |seed: &Evidence| seed.value.as_deref().is_some_and(|value| value.starts_with("ds="));
    let drop_in = sources.and_then(|sources| remedies::cloud_init::put_config_drive_first(subject, sources));
    let Some((_, drop_in)) = drop_in else { return Vec::new() };
    let mut commands = Vec::new();
    if seeds.iter().any(is_word) {
        commands = remove_words(subject, &[Word::Named("ds")]);
        if commands.is_empty() {
            return commands;
        }
    }
    commands.push(drop_in);
    commands
}
