//! A report put into words: what the window, the terminal, the page and the mail show, in one place.

use std::fmt::Display;

use lotse_requirements::{Certainty, Evidence, Finding, FindingKind, RemedyPlace, Report, Status, Verdict, by_cause};

use crate::{
    Language, Text,
    plain::{plain_report, plain_values},
};

/// A report put into words. Nothing in it can steer a terminal; for HTML it must still be escaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WordedReport {
    /// The file's name.
    pub name: String,
    /// File, format and sizes in one line.
    pub heading: String,
    /// Format and sizes of the file: label and value.
    pub file: Vec<(String, String)>,
    /// What the findings come to.
    pub verdict: Verdict,
    /// The status that the verdict looks like: an advice that fails must not look harmless.
    pub status: Status,
    /// The verdict in a few words.
    pub verdict_word: String,
    /// What that means.
    pub verdict_sentence: String,
    /// What is in the image: label and value.
    pub facts: Vec<(String, String)>,
    /// What is not in order, the gravest first.
    pub sections: Vec<WordedSection>,
    /// What is in order, as the rules' order has it.
    pub passed: Vec<WordedFinding>,
}

/// Findings that weigh the same, in the rules' order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WordedSection {
    /// What they have in common.
    pub title: String,
    /// One finding each, or several that the same cause kept from being judged: those differ in their names only.
    pub blocks: Vec<Vec<WordedFinding>>,
}

/// A finding put into words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WordedFinding {
    /// The rule's code.
    pub code: String,
    /// Requirement or advice.
    pub kind: FindingKind,
    /// What came out.
    pub status: Status,
    /// The same as a word.
    pub status_word: String,
    /// How sure it is, as a word; none where it is certain.
    pub certainty: Option<String>,
    /// The rule's name.
    pub title: String,
    /// What is so and what follows, and what else is to be said.
    pub sentence: String,
    /// Why the rule's question matters.
    pub why: Option<String>,
    /// What kept the rule from judging, or what else there is to know.
    pub cause: Option<String>,
    /// Where it was read: place and what stands there.
    pub evidence: Vec<WordedEvidence>,
    /// How to mend it.
    pub remedy: Option<WordedRemedy>,
}

/// A place in the image and what stands there; one of the two may be missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WordedEvidence {
    /// `/etc/fstab:3`.
    pub place: Option<String>,
    /// The line's content.
    pub value: Option<String>,
}

/// How to mend something, put into words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WordedRemedy {
    /// What to do.
    pub sentence: String,
    /// Where the commands are run.
    pub place: RemedyPlace,
    /// The same in words.
    pub place_words: String,
    /// Must a person decide?
    pub destructive: bool,
    /// Exact commands, one each.
    pub commands: Vec<String>,
}

impl WordedReport {
    /// Puts a report into words.
    pub fn new(report: &Report, language: Language) -> Self {
        Self::with(&Text::new(language), report)
    }

    /// The same with a catalogue that is there already.
    pub fn with(text: &Text, report: &Report) -> Self {
        let report = &plain_report(report);
        let breaks = report.findings.iter().any(is_breaking);
        let (status, outlook) = outlook(report.verdict, breaks);
        let worded = |finding| WordedFinding::of_plain(text, finding);
        Self {
            name: report.source.name.clone(),
            heading: heading(text, report),
            file: file(text, report),
            verdict: report.verdict,
            status,
            verdict_word: text.get(outlook),
            verdict_sentence: text.get(&format!("{outlook}_long")),
            facts: facts(text, report),
            sections: sections(text, &report.findings),
            passed: with_status(&report.findings, Status::Pass).map(worded).collect(),
        }
    }

    /// Everything that was found, the gravest first.
    pub fn findings(&self) -> impl Iterator<Item = &WordedFinding> {
        self.problems().chain(&self.passed)
    }

    /// What is not in order, the gravest first.
    pub fn problems(&self) -> impl Iterator<Item = &WordedFinding> {
        self.sections.iter().flat_map(|section| section.blocks.iter().flatten())
    }
}

/// What ccloud³ does not ask for, but keeps a VM from starting or its owner from getting in.
fn is_breaking(finding: &Finding) -> bool {
    finding.kind == FindingKind::Advice && finding.status == Status::Fail
}

/// How the verdict looks, and the message that tells it.
fn outlook(verdict: Verdict, breaks: bool) -> (Status, &'static str) {
    match (verdict, breaks) {
        (Verdict::Ready, _) => (Status::Pass, "verdict_ready"),
        (Verdict::ReadyWithWarnings, false) => (Status::Warning, "verdict_ready_with_warnings"),
        (Verdict::ReadyWithWarnings, true) => (Status::Fail, "outlook_ready_with_warnings_failing"),
        (Verdict::WillNotWork, _) => (Status::Fail, "verdict_will_not_work"),
        (Verdict::Unknown, false) => (Status::Unknown, "verdict_unknown"),
        (Verdict::Unknown, true) => (Status::Fail, "outlook_unknown_failing"),
    }
}

fn with_status(findings: &[Finding], status: Status) -> impl Iterator<Item = &Finding> {
    findings.iter().filter(move |finding| finding.status == status)
}

/// The sections that have something to tell, the gravest first.
fn sections(text: &Text, findings: &[Finding]) -> Vec<WordedSection> {
    let alone = |finding| vec![finding];
    let failing = || with_status(findings, Status::Fail);
    [
        (
            "report_section_unmet",
            failing().filter(|finding| !is_breaking(finding)).map(alone).collect(),
        ),
        (
            "report_section_breaking",
            failing().filter(|finding| is_breaking(finding)).map(alone).collect(),
        ),
        (
            "report_section_warnings",
            with_status(findings, Status::Warning).map(alone).collect(),
        ),
        (
            "report_section_unknown",
            by_cause(with_status(findings, Status::Unknown)),
        ),
    ]
    .into_iter()
    .map(|(title, blocks): (_, Vec<Vec<&Finding>>)| WordedSection {
        title: text.get(title),
        blocks: blocks
            .into_iter()
            .map(|block| {
                block
                    .into_iter()
                    .map(|finding| WordedFinding::of_plain(text, finding))
                    .collect()
            })
            .collect(),
    })
    .filter(|section| !section.blocks.is_empty())
    .collect()
}

impl WordedFinding {
    /// Puts one finding into words.
    pub fn new(text: &Text, finding: &Finding) -> Self {
        Self::of_plain(text, &plain_values(finding))
    }

    /// A finding of a report that is plain already.
    pub(crate) fn of_plain(text: &Text, finding: &Finding) -> Self {
        let Finding { code, params, .. } = finding;
        Self {
            code: code.clone(),
            kind: finding.kind,
            status: finding.status,
            status_word: text.get(&match (finding.kind, finding.status) {
                // Nobody asked for what an advice finds missing: there is nothing to be "not met".
                (FindingKind::Advice, Status::Fail) => "report_advice_fail".to_owned(),
                (_, status) => format!("status_{}", status_code(status)),
            }),
            certainty: (finding.certainty != Certainty::Certain)
                .then(|| text.get(&format!("certainty_{}", certainty_code(finding.certainty)))),
            title: text
                .filled(&format!("finding_{code}_title"), params)
                .unwrap_or_else(|| code.clone()),
            sentence: [&finding.reason]
                .into_iter()
                .chain(&finding.details)
                .map(|reason| {
                    text.filled(&format!("reason_{reason}"), params)
                        .unwrap_or_else(|| reason.clone())
                })
                .collect::<Vec<_>>()
                .join(" "),
            why: text.filled(&format!("finding_{code}_why"), params),
            cause: cause(text, finding),
            evidence: finding.evidence.iter().filter_map(WordedEvidence::of_plain).collect(),
            remedy: finding.remedy.as_ref().map(|remedy| WordedRemedy {
                sentence: text
                    .filled(&format!("remedy_{}", remedy.code), params)
                    .unwrap_or_else(|| remedy.code.clone()),
                place: remedy.place,
                place_words: text.get(match (remedy.place, remedy.destructive) {
                    (RemedyPlace::System, false) => "report_commands_system",
                    (RemedyPlace::System, true) => "report_commands_destructive",
                    (RemedyPlace::File, _) => "report_commands_file",
                }),
                destructive: remedy.destructive,
                commands: remedy.commands.clone(),
            }),
        }
    }
}

impl WordedEvidence {
    fn of_plain(evidence: &Evidence) -> Option<Self> {
        let place = match (&evidence.path, evidence.line) {
            (Some(path), Some(line)) => Some(format!("{path}:{line}")),
            (path, _) => path.clone(),
        };
        let value = evidence.value.clone();
        (place.is_some() || value.is_some()).then_some(Self { place, value })
    }
}

fn heading(text: &Text, report: &Report) -> String {
    text.with(
        "report_heading",
        [
            ("name", &report.source.name as &dyn Display),
            ("size", &text.bytes(report.source.size)),
            ("format", &format(text, report)),
            ("virtual_size", &virtual_size(text, report)),
        ],
    )
}

fn file(text: &Text, report: &Report) -> Vec<(String, String)> {
    [
        ("report_fact_format", format(text, report)),
        ("report_fact_size", text.bytes(report.source.size)),
        ("report_fact_virtual_size", virtual_size(text, report)),
    ]
    .map(|(key, value)| (text.get(key), value))
    .into()
}

/// `vmdk (streamOptimized), gzip`.
pub(crate) fn format(text: &Text, report: &Report) -> String {
    let unknown = text.get("report_unknown");
    let format = report.container.format.as_deref().unwrap_or(&unknown);
    let variant = report
        .container
        .variant
        .as_deref()
        .map(|variant| format!(" ({variant})"))
        .unwrap_or_default();
    let packed = report
        .compression
        .as_deref()
        .map(|compression| format!(", {compression}"))
        .unwrap_or_default();
    format!("{format}{variant}{packed}")
}

pub(crate) fn virtual_size(text: &Text, report: &Report) -> String {
    report
        .container
        .virtual_size
        .map_or_else(|| text.get("report_unknown"), |size| text.bytes(size))
}

fn facts(text: &Text, report: &Report) -> Vec<(String, String)> {
    let unknown = || text.get("report_unknown");
    let yes_no = |value: Option<bool>, yes: &str, no: &str| {
        value.map_or_else(unknown, |value| text.get(if value { yes } else { no }))
    };
    let table = report.disk.table.as_deref().map_or_else(unknown, |table| match table {
        "none" => text.get("report_table_none"),
        table => table.to_uppercase(),
    });
    let root = report.root.as_ref().map_or_else(unknown, |root| {
        let place = root
            .partition
            .map(|number| text.with("report_partition", [("number", &number as &dyn Display)]));
        let layers = (!root.layers.is_empty()).then(|| root.layers.join(" / "));
        [Some(root.filesystem.clone()), layers, place]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(", ")
    });
    let system = report.os.as_ref().map_or_else(unknown, |os| {
        let name = os
            .name
            .clone()
            .or_else(|| Some([os.distribution.as_deref()?, os.version.as_deref()?].join(" ")));
        [Some(name.unwrap_or_else(|| os.family.clone())), os.architecture.clone()]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(", ")
    });
    // Null stands for "unknown" and for "none"; the rule that asked for it knows which.
    let has_no_agent = report
        .findings
        .iter()
        .any(|finding| finding.reason == "cloud_agent_missing");
    let no_agent = || {
        if has_no_agent {
            text.get("report_not_installed")
        } else {
            unknown()
        }
    };
    let agent = report.agent.as_ref().map_or_else(no_agent, |agent| {
        let version = agent.version.clone().unwrap_or_else(unknown);
        format!(
            "{} {version}, {}",
            agent.kind,
            yes_no(agent.enabled, "report_enabled", "report_disabled")
        )
    });
    let datasources = report
        .datasources
        .as_ref()
        .map_or_else(no_agent, |sources| first_of(&sources.list));
    let installed = yes_no(report.sshd.installed, "report_installed", "report_not_installed");
    let started = || yes_no(report.sshd.enabled, "report_started", "report_not_started");
    let sshd = match report.sshd.installed {
        Some(true) => format!("{installed}, {}", started()),
        // Whether something starts that is not there, or not known, is no news.
        Some(false) | None => installed,
    };
    let login = report.login.as_ref().map_or_else(unknown, |login| {
        let root = login.root.then(|| "root".to_owned());
        login
            .user
            .clone()
            .or(root)
            .unwrap_or_else(|| text.get("report_login_nobody"))
    });
    [
        ("report_fact_table", table),
        ("report_fact_root", root),
        ("report_fact_system", system),
        ("report_fact_agent", agent),
        ("report_fact_datasources", datasources),
        ("report_fact_sshd", sshd),
        ("report_fact_login", login),
    ]
    .map(|(key, value)| (text.get(key), value))
    .into()
}

/// A list's first few entries: cloud-init's built-in list has some thirty.
fn first_of(list: &[String]) -> String {
    const SHOWN: usize = 4;
    let shown = list.get(..SHOWN).unwrap_or(list).join(", ");
    if list.len() > SHOWN {
        format!("{shown}, …")
    } else {
        shown
    }
}

/// What kept a rule from judging is a code of its own: of the reader of the disk (`error_`) or of its files (`unknown_`). So
/// is what the reader of the disk notes (`note_`).
fn cause(text: &Text, finding: &Finding) -> Option<String> {
    let cause = finding.params.get("cause")?;
    ["unknown", "error", "note"]
        .iter()
        .find_map(|family| text.filled(&format!("{family}_{cause}"), &finding.params))
}

fn status_code(status: Status) -> &'static str {
    match status {
        Status::Pass => "pass",
        Status::Warning => "warning",
        Status::Fail => "fail",
        Status::Unknown => "unknown",
    }
}

fn certainty_code(certainty: Certainty) -> &'static str {
    match certainty {
        Certainty::Certain => "certain",
        Certainty::Likely => "likely",
        Certainty::Possible => "possible",
    }
}
