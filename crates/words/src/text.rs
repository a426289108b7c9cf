//! The report as text: verdict, what was found, then each rule with evidence and remedy, problems first.

use lotse_requirements::{Report, Status, Verdict};

use crate::{Language, Text, WordedFinding, WordedReport};

/// What a painted piece of text tells, so that a terminal can give it a colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tone {
    /// In order, or what kind of problem.
    pub status: Status,
    /// The verdict stands out.
    pub strong: bool,
}

/// The report as text without colours.
pub fn text(report: &Report, language: Language) -> String {
    text_painted(report, &Text::new(language), |_, words| words.to_owned())
}

/// The report as text, what tells a status painted by `paint`.
pub fn text_painted(report: &Report, text: &Text, paint: impl Fn(Tone, &str) -> String) -> String {
    let report = WordedReport::with(text, report);
    let status = status_of(report.verdict);
    let verdict = format!("{} {}", sign(status), report.verdict_word);
    let mut lines = vec![
        report.heading.clone(),
        String::new(),
        paint(Tone { status, strong: true }, &verdict),
        format!("  {}", report.verdict_sentence),
        String::new(),
    ];
    let width = report
        .facts
        .iter()
        .map(|(label, _)| label.chars().count())
        .max()
        .unwrap_or(0);
    lines.extend(
        report
            .facts
            .iter()
            .map(|(label, value)| format!("  {label:width$}  {value}")),
    );
    for finding in &report.findings {
        lines.push(String::new());
        lines.extend(lines_of(text, finding, &paint));
    }
    lines.join("\n") + "\n"
}

impl WordedFinding {
    /// The finding as it stands in [`text`](crate::text()), one line each.
    pub fn lines(&self, text: &Text) -> Vec<String> {
        lines_of(text, self, &|_, words: &str| words.to_owned())
    }
}

fn lines_of(text: &Text, finding: &WordedFinding, paint: &impl Fn(Tone, &str) -> String) -> Vec<String> {
    let tone = Tone {
        status: finding.status,
        strong: false,
    };
    let sure = finding
        .certainty
        .as_deref()
        .map(|certainty| format!(" ({certainty})"))
        .unwrap_or_default();
    let status = paint(tone, &format!("{} {}{sure}", sign(finding.status), finding.status_word));
    let mut lines = vec![format!("{status}  {}  [{}]", finding.title, finding.code)];
    lines.push(format!("    {}", finding.sentence));
    lines.extend(finding.cause.as_ref().map(|cause| format!("    {cause}")));
    for evidence in &finding.evidence {
        let place = [evidence.place.as_deref(), evidence.value.as_deref()]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join("  ");
        lines.push(format!("    {}: {place}", text.get("report_where")));
    }
    if let Some(remedy) = &finding.remedy {
        lines.push(format!("    {}: {}", text.get("report_remedy"), remedy.sentence));
        lines.extend(remedy.commands.iter().map(|command| format!("        {command}")));
    }
    lines
}

/// One sign a status, so that it can be told without colours.
pub(crate) fn sign(status: Status) -> char {
    match status {
        Status::Pass => '✔',
        Status::Warning => '!',
        Status::Fail => '✘',
        Status::Unknown => '?',
    }
}

/// The status that a verdict looks like.
pub(crate) fn status_of(verdict: Verdict) -> Status {
    match verdict {
        Verdict::Ready => Status::Pass,
        Verdict::ReadyWithWarnings => Status::Warning,
        Verdict::WillNotWork => Status::Fail,
        Verdict::Unknown => Status::Unknown,
    }
}
