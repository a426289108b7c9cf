//! One disk, one system: others beside it are neither checked nor set up, and go along with all that is in them.

use lotse_guest::{Evidence, Fact, facts::FoundSystem};

use crate::rules::Rule;
use crate::{Finding, FindingKind, Status, Subject};

pub(in crate::rules) const RULE: Rule = Rule {
    code: "several_systems",
    kind: FindingKind::Advice,
    sources: &["os-release(5)", "ostree(1)"],
    reasons: &["several_systems_beside", "several_systems_undecided"],
    remedies: &["keep_one_system"],
    judge,
};

fn judge(subject: &Subject) -> Option<Finding> {
    let facts = subject.facts.as_ref().ok()?;
    let Fact::Known(systems) = &facts.systems else {
        return None;
    };
    let chosen = systems.iter().find(|system| system.chosen);
    let is_other = |system: &&FoundSystem| match chosen {
        // ostree keeps the version before beside the one that starts: they are one system.
        Some(chosen) => !(system.chosen || is_deployment_of(system, chosen)),
        None => true,
    };
    let others: Vec<&FoundSystem> = systems.iter().filter(is_other).collect();
    if others.is_empty() || (chosen.is_none() && others.len() < 2) {
        return None;
    }
    let reason = match chosen {
        Some(_) => "several_systems_beside",
        None => "several_systems_undecided",
    };
    let names = |systems: &[&FoundSystem]| systems.iter().map(|system| name(system)).collect::<Vec<_>>().join("; ");
    let evidence: Vec<Evidence> = others.iter().flat_map(|system| system.evidence.clone()).collect();
    Some(
        Finding::advice(RULE.code, Status::Warning, reason)
            .param("others", names(&others))
            .param("chosen", chosen.map(name).unwrap_or_default())
            .evidence(&evidence)
            .remedy("keep_one_system", Vec::new()),
    )
}

fn is_deployment_of(system: &FoundSystem, chosen: &FoundSystem) -> bool {
    let place = |system: &FoundSystem| (system.partition, system.layers.clone());
    let of_ostree = |system: &FoundSystem| system.directory.is_some();
    place(system) == place(chosen) && (of_ostree(system) || of_ostree(chosen))
}

/// `Debian GNU/Linux 12 (bookworm) [2]`: its name and the partition in which it stands.
fn name(system: &FoundSystem) -> String {
    let number = system.partition.map(|number| format!("[{number}]"));
    [system.name.clone(), number]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(" ")
}
