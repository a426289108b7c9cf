//! `docs/requirements.md`: every rule in both languages, made of the rules themselves.

use lotse_requirements::{RULES, SHARED_REASONS};

use crate::{Language, RulePage, Text, explain::answers};

/// The content of `docs/requirements.md`.
pub fn requirements_page() -> String {
    let mut lines = vec![
        "<!-- Made by `cargo xtask docs` from crates/requirements and ui/messages. Do not edit: a test compares. -->"
            .to_owned(),
    ];
    for text in &Language::ALL.map(Text::new) {
        let pages: Vec<RulePage> = RULES.iter().map(|rule| RulePage::new(text, rule)).collect();
        lines.extend(chapter(text, &pages));
    }
    lines.join("\n") + "\n"
}

/// One language.
fn chapter(text: &Text, pages: &[RulePage]) -> Vec<String> {
    let head = [
        "docs_code",
        "docs_rule",
        "docs_kind",
        "explain_sources",
        "explain_remedies",
    ];
    let mut lines = vec![
        String::new(),
        format!("# {}", text.get("docs_title")),
        String::new(),
        text.get("docs_intro"),
        String::new(),
        row(&head.map(|key| text.get(key))),
        format!("|{}", " --- |".repeat(head.len())),
    ];
    lines.extend(pages.iter().map(|page| {
        let remedies: Vec<String> = page.remedies.iter().map(|(code, _)| format!("`{code}`")).collect();
        row(&[
            format!("[`{}`](#{})", page.code, anchor(text, page.code)),
            escaped(&page.title),
            escaped(&page.kind_words),
            escaped(&page.sources.join("; ")),
            remedies.join(", "),
        ])
    }));
    lines.extend([String::new(), text.get("docs_shared")]);
    lines.extend(table(text, "explain_answers", &answers(text, SHARED_REASONS)));
    lines.extend(pages.iter().flat_map(|page| section(text, page)));
    lines
}

/// One rule.
fn section(text: &Text, page: &RulePage) -> Vec<String> {
    let mut lines = vec![
        String::new(),
        format!("<a id=\"{}\"></a>", anchor(text, page.code)),
        String::new(),
        format!("## {} (`{}`)", escaped(&page.title), page.code),
        String::new(),
        format!("{}. {}", escaped(&page.kind_words), escaped(&page.why)),
    ];
    lines.extend(table(text, "explain_answers", &page.answers));
    if !page.remedies.is_empty() {
        lines.extend(table(text, "explain_remedies", &page.remedies));
    }
    let sources = escaped(&page.sources.join("; "));
    lines.extend([String::new(), format!("{}: {sources}", text.get("explain_sources"))]);
    lines
}

/// Codes and their sentences.
fn table(text: &Text, heading: &str, entries: &[(&str, String)]) -> Vec<String> {
    let head = row(&["docs_code", heading].map(|key| text.get(key)));
    let mut lines = vec![String::new(), head, "| --- | --- |".to_owned()];
    lines.extend(
        entries
            .iter()
            .map(|(code, sentence)| row(&[format!("`{code}`"), escaped(sentence)])),
    );
    lines
}

fn row(cells: &[String]) -> String {
    format!("| {} |", cells.join(" | "))
}

/// Names a rule's section in one of the two languages.
fn anchor(text: &Text, code: &str) -> String {
    format!("{}-{code}", text.language().code())
}

/// What Markdown would take for its own, in a cell of a table.
fn escaped(sentence: &str) -> String {
    sentence
        .chars()
        .flat_map(|character| {
            let escape = matches!(character, '|' | '\\' | '`' | '*' | '_' | '<' | '>' | '[' | ']' | '#');
            escape.then_some('\\').into_iter().chain([character])
        })
        .collect()
}
