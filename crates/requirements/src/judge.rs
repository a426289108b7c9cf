//! From a subject to its report: every rule is asked, then the findings are summed up.

use lotse_guest::{Fact, facts::TableKind};

use crate::{
    AgentSummary, DatasourceSummary, DiskSummary, Finding, FindingKind, LoginSummary, OsSummary, RULES, Report,
    RootSummary, SshdSummary, Status, Subject, Verdict,
};

/// Version of the report's format, `docs/report-json.md`.
const SCHEMA: u32 = 1;

/// Judges an image by every rule. Never fails: what is not known becomes an `unknown` finding.
pub fn judge(subject: &Subject) -> Report {
    let findings: Vec<Finding> = RULES.iter().filter_map(|rule| (rule.judge)(subject)).collect();
    let facts = subject.facts.as_ref().ok();
    let table = facts.and_then(|facts| known(&facts.table));
    Report {
        schema: SCHEMA,
        source: subject.source.clone(),
        verdict: verdict(&findings),
        container: subject.container.clone(),
        compression: subject.compression.clone(),
        disk: DiskSummary {
            table: table.map(|table| table_name(table.kind).to_owned()),
            sector_size: table.map(|table| table.sector_size),
        },
        root: facts
            .and_then(|facts| known(&facts.root))
            .and_then(Option::as_ref)
            .map(|root| RootSummary {
                filesystem: root.filesystem.clone(),
                partition: root.partition,
                layers: root.layers.clone(),
            }),
        os: facts
            .and_then(|facts| known(&facts.system))
            .and_then(Option::as_ref)
            .map(|system| OsSummary {
                family: system.family.clone(),
                distribution: system.distribution.clone(),
                version: system.version.clone(),
                architecture: system.architecture.clone(),
                name: system.name.clone(),
            }),
        agent: facts
            .and_then(|facts| known(&facts.agent))
            .and_then(Option::as_ref)
            .map(|agent| AgentSummary {
                kind: agent.kind.clone(),
                version: known(&agent.version).cloned(),
                enabled: known(&agent.enabled).copied(),
            }),
        datasources: facts
            .and_then(|facts| known(&facts.datasources))
            .and_then(Option::as_ref)
            .map(|sources| DatasourceSummary {
                list: sources.list.clone(),
                from: sources.from.clone(),
            }),
        sshd: facts.and_then(|facts| known(&facts.sshd)).map_or(
            SshdSummary {
                installed: None,
                enabled: None,
            },
            |sshd| SshdSummary {
                installed: known(&sshd.installed).copied(),
                enabled: known(&sshd.enabled).copied(),
            },
        ),
        login: facts
            .and_then(|facts| known(&facts.login))
            .and_then(Option::as_ref)
            .map(|login| LoginSummary {
                user: login.user.clone(),
                root: login.root,
            }),
        findings,
    }
}

/// A table's name in the report.
pub(crate) fn table_name(kind: TableKind) -> &'static str {
    match kind {
        TableKind::Gpt => "gpt",
        TableKind::Mbr => "mbr",
        TableKind::None => "none",
    }
}

fn known<T>(fact: &Fact<T>) -> Option<&T> {
    match fact {
        Fact::Known(value) => Some(value),
        Fact::Unknown(_) => None,
    }
}

/// The worst of the requirements decides; an advice can only add a warning.
fn verdict(findings: &[Finding]) -> Verdict {
    let requirement = |status| {
        findings
            .iter()
            .any(|finding| finding.kind == FindingKind::Requirement && finding.status == status)
    };
    if requirement(Status::Fail) {
        Verdict::WillNotWork
    } else if requirement(Status::Unknown) {
        Verdict::Unknown
    } else if findings.iter().any(|finding| finding.status != Status::Pass) {
        Verdict::ReadyWithWarnings
    } else {
        Verdict::Ready
    }
}
