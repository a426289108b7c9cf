//! The report as text: verdict, what was found, then what is not in order with evidence and remedy, the gravest first, and
//! last what is in order.

use lotse_requirements::{Report, Status};

use crate::{Language, Text, WordedFinding, WordedReport, wrap::wrapped};

/// Columns of a report that is not shown on a terminal.
pub const WIDTH: usize = 100;

/// What a painted piece of text tells, so that a terminal can give it a colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tone {
    /// In order, or what kind of problem.
    pub status: Status,
    /// The verdict stands out.
    pub strong: bool,
}

/// The report as text without colours, [`WIDTH`] columns wide.
pub fn text(report: &Report, language: Language) -> String {
    text_painted(report, &Text::new(language), WIDTH, |_, words| words.to_owned())
}

/// The report as text of so many columns, what tells a status painted by `paint`. Commands and what stands in the image are
/// never broken, so that they can be copied.
pub fn text_painted(report: &Report, text: &Text, width: usize, paint: impl Fn(Tone, &str) -> String) -> String {
    let report = WordedReport::with(text, report);
    let status = report.status;
    let verdict = format!("{} {}", sign(status), report.verdict_word);
    let mut lines = wrapped(&report.heading, "", "", width);
    lines.extend([String::new(), paint(Tone { status, strong: true }, &verdict)]);
    lines.extend(wrapped(&report.verdict_sentence, "  ", "  ", width));
    lines.push(String::new());
    let labels = report.facts.iter().map(|(label, _)| label.chars().count());
    let label_width = labels.max().unwrap_or(0);
    for (label, value) in &report.facts {
        let hanging = " ".repeat(label_width + 4);
        lines.extend(wrapped(value, &format!("  {label:label_width$}  "), &hanging, width));
    }
    let problems = report.sections.iter().flat_map(|section| &section.blocks);
    for block in problems {
        lines.push(String::new());
        lines.extend(block_lines(text, block, width, &paint));
    }
    if !report.passed.is_empty() {
        lines.push(String::new());
    }
    // One paragraph each, so that they do not push the problems off the screen.
    for finding in &report.passed {
        let status = Status::Pass;
        let sign = paint(Tone { status, strong: false }, &sign(status).to_string());
        let sentence = format!("{}: {}  [{}]", finding.title, finding.sentence, finding.code);
        let hanging = "    ";
        let mut paragraph = wrapped(&sentence, "  ", hanging, width).into_iter();
        lines.extend(paragraph.next().map(|first| format!("{sign} {}", first.trim_start())));
        lines.extend(paragraph);
    }
    lines.join("\n") + "\n"
}

impl WordedFinding {
    /// The finding as it stands in [`text`](crate::text()), one line each, not wrapped.
    pub fn lines(&self, text: &Text) -> Vec<String> {
        block_lines(text, std::slice::from_ref(self), usize::MAX, &|_, words: &str| {
            words.to_owned()
        })
    }
}

/// Findings that differ in their names only.
fn block_lines(
    text: &Text,
    block: &[WordedFinding],
    width: usize,
    paint: &impl Fn(Tone, &str) -> String,
) -> Vec<String> {
    let mut lines: Vec<String> = block.iter().map(|finding| name_line(finding, paint)).collect();
    let Some(finding) = block.first() else { return lines };
    let indented = |sentence: &str| wrapped(sentence, "    ", "    ", width);
    lines.extend(indented(&finding.sentence));
    lines.extend(finding.cause.iter().flat_map(|cause| indented(cause)));
    for evidence in &finding.evidence {
        let place = [evidence.place.as_deref(), evidence.value.as_deref()]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join("  ");
        lines.push(format!("    {}: {place}", text.get("report_where")));
    }
    if let Some(remedy) = &finding.remedy {
        lines.extend(indented(&format!("{}: {}", text.get("report_remedy"), remedy.sentence)));
        if remedy.destructive && !remedy.commands.is_empty() {
            lines.extend(indented(&remedy.place_words));
        }
        lines.extend(remedy.commands.iter().map(|command| format!("        {command}")));
    }
    lines
}

/// `! Hinweis (möglich)  Name  [code]`
fn name_line(finding: &WordedFinding, paint: &impl Fn(Tone, &str) -> String) -> String {
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
    format!("{status}  {}  [{}]", finding.title, finding.code)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn sentences_are_wrapped_but_commands_and_places_stay_whole() {
        let report = sample::nothing_installed();
        for language in Language::ALL {
            let text = text(&report, language);
            let problems = report.findings.iter().filter(|finding| finding.status != Status::Pass);
            for finding in problems {
                let commands = finding.remedy.iter().flat_map(|remedy| &remedy.commands);
                for whole in commands.chain(finding.evidence.iter().filter_map(|evidence| evidence.path.as_ref())) {
                    assert!(text.contains(whole.as_str()), "{whole}:\n{text}");
                }
            }
            let words = |line: &&str| !line.starts_with("        ") && !line.contains(": /");
            let longest = text.lines().filter(words).map(|line| line.chars().count()).max();
            assert!(longest <= Some(WIDTH), "{longest:?}:\n{text}");
            assert!(!text.contains('\u{1b}'), "no colours:\n{text}");
        }
    }

    #[test]
    fn what_one_cause_kept_from_being_judged_is_told_once() {
        let text = text(&sample::unread(), Language::English);
        let sentence = "could not be checked, because";
        assert_eq!(text.matches(sentence).count(), 1, "{text}");
        for code in ["[root_filesystem]", "[cloud_agent]", "[sshd_enabled]"] {
            assert!(text.contains(code), "{code}:\n{text}");
        }
    }
}
