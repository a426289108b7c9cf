//! The report as one page of HTML that needs nothing else: no script, no other file, both languages in it, printable on A4.

mod palette;

use jiff::Zoned;
use lotse_requirements::{FindingKind, Report, Status, Verdict};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::{Language, Text, VERSION, WordedFinding, WordedReport, explain::kind_key, plain::plain_report, text::sign};

const STYLE: &str = include_str!("page.css");

/// The program's own icon.
const ICON: &str = include_str!("../../../../icons/imagelotse.svg");

/// Even if a name from the image found a way past the escaping, the browser would load and run nothing.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// The report as a page, in the given language first. `made` is told in it.
pub fn html(report: &Report, language: Language, made: &Zoned) -> String {
    let report = &plain_report(report);
    let languages = match language {
        Language::German => [Language::German, Language::English],
        Language::English => [Language::English, Language::German],
    };
    let texts = languages.map(Text::new);
    let style = format!("{}{STYLE}", palette::palette());
    html! {
        (DOCTYPE)
        html lang=(language.code()) {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="generator" content=(format!("Imagelotse {VERSION}"));
                title { (report.source.name) " – Imagelotse" }
                style { (PreEscaped(style)) }
            }
            body {
                // Which of the two is pressed decides by CSS alone which language shows.
                @for (index, text) in texts.iter().enumerate() {
                    input type="radio" name="language" class="switch" id=(text.language().code())
                        aria-label=(name_of(text.language())) autocomplete="off" checked[index == 0];
                }
                header {
                    span class="icon" aria-hidden="true" { (PreEscaped(ICON)) }
                    span class="program" { "Imagelotse" }
                    span class="languages" {
                        @for text in &texts {
                            label for=(text.language().code()) lang=(text.language().code()) {
                                (name_of(text.language()))
                            }
                        }
                    }
                }
                main {
                    @for text in &texts {
                        article class=(text.language().code()) lang=(text.language().code()) {
                            (article(text, report, made))
                        }
                    }
                }
            }
        }
    }
    .into_string()
}

/// A language in its own words.
fn name_of(language: Language) -> &'static str {
    match language {
        Language::German => "Deutsch",
        Language::English => "English",
    }
}

fn article(text: &Text, report: &Report, made: &Zoned) -> Markup {
    let worded = WordedReport::with(text, report);
    html! {
        h1 { (worded.name) }
        section class=(format!("verdict {}", class_of(worded.status))) {
            span class="sign" aria-hidden="true" { (sign(worded.status)) }
            div {
                p class="word" { (worded.verdict_word) }
                p { (worded.verdict_sentence) }
            }
        }
        @for section in &worded.sections {
            h2 { (section.title) " (" (section.blocks.iter().map(Vec::len).sum::<usize>()) ")" }
            @for block in &section.blocks { (findings(text, block)) }
        }
        h2 { (text.get("report_facts")) }
        dl class="facts" {
            @for (label, value) in worded.file.iter().chain(&worded.facts) {
                div { dt { (label) } dd { (value) } }
            }
        }
        @if !worded.passed.is_empty() {
            details class="passed" {
                summary { (count_of(text, worded.passed.len())) }
                @for found in &worded.passed { (findings(text, std::slice::from_ref(found))) }
            }
            // A closed fold is not printed; on paper one line each is enough.
            div class="paper" {
                h2 { (count_of(text, worded.passed.len())) }
                ul {
                    @for found in &worded.passed { li { (sign(Status::Pass)) " " b { (found.title) } " – " (found.sentence) } }
                }
            }
        }
        footer {
            p { (text.with("html_made", [("date", &crate::date(text.language(), made) as &dyn std::fmt::Display), ("version", &VERSION)])) }
            p { (text.get(if worded.verdict == Verdict::Ready { "html_offline" } else { "html_again" })) }
        }
    }
}

/// One finding, or several that the same cause kept from being judged.
fn findings(text: &Text, block: &[WordedFinding]) -> Markup {
    let Some(finding) = block.first() else {
        return Markup::default();
    };
    let sure = finding.certainty.as_deref().map(|certainty| format!(" ({certainty})"));
    html! {
        section class=(format!("finding {}", class_of(finding.status))) {
            div class="head" {
                div { @for finding in block { h3 { (finding.title) } } }
                span class="badge" { (sign(finding.status)) " " (finding.status_word) (sure.unwrap_or_default()) }
            }
            p { (finding.sentence) }
            @if let Some(cause) = &finding.cause { p { (cause) } }
            @if let (Some(why), [_]) = (&finding.why, block) {
                @if finding.status != Status::Pass { p class="why" { (why) } }
            }
            @if !finding.evidence.is_empty() {
                ul class="where" aria-label=(text.get("report_where")) {
                    @for evidence in &finding.evidence {
                        li {
                            @if let Some(place) = &evidence.place { code class="place" { (place) } }
                            @if let Some(value) = &evidence.value { " " code { (value) } }
                        }
                    }
                }
            }
            @if let Some(remedy) = &finding.remedy {
                div class="remedy" {
                    h4 { (text.get("report_remedy")) }
                    p { (remedy.sentence) }
                    @if !remedy.commands.is_empty() {
                        p class="commands-in" { (remedy.place_words) }
                        pre { @for command in &remedy.commands { code { (command) "\n" } } }
                    }
                }
            }
            @for kind in [FindingKind::Requirement, FindingKind::Advice] {
                @let codes: Vec<&str> = block.iter().filter(|one| one.kind == kind).map(|one| one.code.as_str()).collect();
                @if !codes.is_empty() {
                    p class="code" { (text.get(kind_key(kind))) " · " code { (codes.join(", ")) } }
                }
            }
        }
    }
}

fn class_of(status: Status) -> &'static str {
    match status {
        Status::Pass => "pass",
        Status::Warning => "warning",
        Status::Fail => "fail",
        Status::Unknown => "unknown",
    }
}

fn count_of(text: &Text, count: usize) -> String {
    if count == 1 {
        text.get("report_passed_one")
    } else {
        text.with("report_passed", [("count", &count as &dyn std::fmt::Display)])
    }
}

#[cfg(test)]
mod tests;
