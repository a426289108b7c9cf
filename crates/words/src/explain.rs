//! A rule's page: what is asked and why, how each answer reads, what helps, where it comes from.

use lotse_requirements::{FindingKind, RULES, Rule, SHARED_REASONS};

use crate::{Text, wrap::wrapped};

/// How alike two codes must be so that one is offered for the other, from 0 (nothing in common) to 1 (Jaro-Winkler).
const ALIKE: f64 = 0.82;

/// So many codes are offered at most.
const OFFERED: usize = 4;

/// A rule put into words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RulePage {
    /// The rule's code.
    pub code: &'static str,
    /// Its name.
    pub title: String,
    /// Requirement or advice.
    pub kind: FindingKind,
    /// The same in words.
    pub kind_words: String,
    /// Why the question matters.
    pub why: String,
    /// Names of documents and manual pages.
    pub sources: &'static [&'static str],
    /// Every answer besides those that every rule may give: its code and how it reads. What differs from image to image stands as `‹name›`.
    pub answers: Vec<(&'static str, String)>,
    /// Every remedy: its code and what it says.
    pub remedies: Vec<(&'static str, String)>,
}

impl RulePage {
    /// The page of a rule.
    pub fn new(text: &Text, rule: &Rule) -> Self {
        let Rule {
            code,
            kind,
            sources,
            reasons,
            remedies,
            ..
        } = *rule;
        Self {
            code,
            title: open(text, &format!("finding_{code}_title")),
            kind,
            kind_words: text.get(kind_key(kind)),
            why: open(text, &format!("finding_{code}_why")),
            sources,
            answers: answers(text, reasons),
            remedies: remedies
                .iter()
                .map(|remedy| (*remedy, open(text, &format!("remedy_{remedy}"))))
                .collect(),
        }
    }

    /// The page as text of so many columns.
    pub fn lines(&self, text: &Text, width: usize) -> Vec<String> {
        let mut lines = vec![
            format!("{}  [{}]", self.title, self.code),
            format!("  {}", self.kind_words),
            String::new(),
        ];
        lines.extend(wrapped(&self.why, "  ", "  ", width));
        for (heading, entries) in [
            ("explain_answers", &self.answers),
            ("explain_shared", &answers(text, SHARED_REASONS)),
            ("explain_remedies", &self.remedies),
        ] {
            if !entries.is_empty() {
                lines.extend([String::new(), text.get(heading)]);
            }
            for (code, sentence) in entries {
                lines.push(format!("  {code}"));
                lines.extend(wrapped(sentence, "      ", "      ", width));
            }
        }
        lines.extend([String::new(), text.get("explain_sources")]);
        lines.extend(self.sources.iter().map(|source| format!("  {source}")));
        lines
    }
}

/// Codes of answers and how they read.
pub(crate) fn answers(text: &Text, reasons: &[&'static str]) -> Vec<(&'static str, String)> {
    reasons
        .iter()
        .map(|reason| (*reason, open(text, &format!("reason_{reason}"))))
        .collect()
}

/// The message that says what a kind of rule is.
pub(crate) fn kind_key(kind: FindingKind) -> &'static str {
    match kind {
        FindingKind::Requirement => "kind_requirement",
        FindingKind::Advice => "kind_advice",
    }
}

/// The rule that has this code, or gives an answer or a remedy of this code. Capitals and hyphens do not matter.
pub fn rule(code: &str) -> Option<&'static Rule> {
    let code = tidied(code);
    let has = |codes: &[&str]| codes.contains(&code.as_str());
    RULES
        .iter()
        .find(|rule| rule.code == code)
        .or_else(|| RULES.iter().find(|rule| has(rule.reasons) || has(rule.remedies)))
}

/// Codes of rules that were perhaps meant, the most alike first.
pub fn close_codes(code: &str) -> Vec<&'static str> {
    let code = tidied(code);
    let mut close: Vec<(f64, &'static str)> = RULES
        .iter()
        .map(|rule| {
            let part = code.len() >= 3 && (rule.code.contains(&code) || code.contains(rule.code));
            let likeness = if part {
                1.0
            } else {
                strsim::jaro_winkler(rule.code, &code)
            };
            (likeness, rule.code)
        })
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .collect();
    close.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    close.into_iter().map(|(_, code)| code).take(OFFERED).collect()
}

fn tidied(code: &str) -> String {
    code.trim().to_lowercase().replace('-', "_")
}

/// A sentence whose placeholders stay open: `{path}` reads `‹path›`.
fn open(text: &Text, key: &str) -> String {
    text.get(key).replace('{', "‹").replace('}', "›")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Language;

    #[test]
    fn a_rule_is_found_by_its_code_and_by_any_of_its_answers_and_remedies() {
        for code in [
            "datasource_order",
            "Datasource-Order",
            "datasource_order_not_asked",
            "put_config_drive_first",
        ] {
            assert_eq!(rule(code).map(|rule| rule.code), Some("datasource_order"), "{code}");
        }
        assert!(rule("fact_unknown").is_none(), "every rule may give it");
        assert!(rule("").is_none());
    }

    #[test]
    fn a_mistyped_code_leads_to_the_one_that_was_meant() {
        assert_eq!(close_codes("datasorce_order").first(), Some(&"datasource_order"));
        assert_eq!(close_codes("sshd").len().min(2), 2, "both rules on the SSH server");
        assert_eq!(close_codes("zzz"), Vec::<&str>::new());
    }

    #[test]
    fn every_rule_has_a_whole_page_in_both_languages() {
        for text in Language::ALL.map(Text::new) {
            for rule in RULES {
                let page = RulePage::new(&text, rule).lines(&text, crate::WIDTH).join("\n");
                for code in rule.reasons.iter().chain(rule.remedies).chain(rule.sources) {
                    assert!(page.contains(code), "{code} is missing:\n{page}");
                }
                for raw in ["reason_", "remedy_", "finding_", "explain_", "report_", "{"] {
                    let mut lines = page
                        .lines()
                        .filter(|line| !line.starts_with("  ") || line.contains(' '));
                    assert!(!lines.any(|line| line.starts_with(raw)), "{raw}:\n{page}");
                }
            }
        }
    }
}
