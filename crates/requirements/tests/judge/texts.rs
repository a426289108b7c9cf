//! Every finding has its sentences, in German and in English, and a value for each of their placeholders.

use std::collections::{BTreeMap, BTreeSet};

use lotse_guest::Unknown;
use lotse_requirements::{RULES, SHARED_REASONS, judge};

type Catalogue = BTreeMap<String, String>;

fn catalogues() -> [Catalogue; 2] {
    [
        include_str!("../../../../ui/messages/de.json"),
        include_str!("../../../../ui/messages/en.json"),
    ]
    .map(|text| serde_json::from_str(text).unwrap())
}

fn placeholders(sentence: &str) -> BTreeSet<&str> {
    sentence
        .split('{')
        .skip(1)
        .filter_map(|rest| rest.split_once('}'))
        .map(|(name, _)| name)
        .collect()
}

fn keys() -> Vec<String> {
    let mut keys: Vec<String> = SHARED_REASONS.iter().map(|reason| format!("reason_{reason}")).collect();
    for rule in RULES {
        keys.extend(["title", "why"].map(|part| format!("finding_{}_{part}", rule.code)));
        keys.extend(rule.reasons.iter().map(|reason| format!("reason_{reason}")));
        keys.extend(rule.remedies.iter().map(|remedy| format!("remedy_{remedy}")));
    }
    for verdict in ["ready", "ready_with_warnings", "will_not_work", "unknown"] {
        keys.extend([format!("verdict_{verdict}"), format!("verdict_{verdict}_long")]);
    }
    keys.extend(["pass", "warning", "fail", "unknown"].map(|status| format!("status_{status}")));
    keys.extend(["certain", "likely", "possible"].map(|certainty| format!("certainty_{certainty}")));
    keys.extend(Unknown::CODES.iter().map(|code| format!("unknown_{code}")));
    keys
}

#[test]
fn every_code_has_its_text_in_both_languages() {
    let [german, english] = catalogues();
    for key in keys() {
        let (Some(german), Some(english)) = (german.get(&key), english.get(&key)) else {
            panic!("{key} has no text")
        };
        assert!(!german.trim().is_empty() && !english.trim().is_empty(), "{key}");
        assert_eq!(
            placeholders(german),
            placeholders(english),
            "{key} tells the same in both languages"
        );
    }
}

#[test]
fn no_text_is_left_over() {
    let keys: BTreeSet<String> = keys().into_iter().collect();
    for catalogue in catalogues() {
        for key in catalogue.keys() {
            let ours = [
                "finding_",
                "reason_",
                "remedy_",
                "verdict_",
                "status_",
                "certainty_",
                "unknown_",
            ];
            assert!(
                !ours.iter().any(|family| key.starts_with(family)) || keys.contains(key),
                "{key} is used by no rule"
            );
        }
    }
}

#[test]
fn every_placeholder_has_its_value() {
    for catalogue in catalogues() {
        for subject in crate::subjects::all() {
            for finding in judge(&subject).findings {
                let reasons = [&finding.reason].into_iter().chain(&finding.details);
                let reasons = reasons.map(|reason| catalogue[&format!("reason_{reason}")].as_str());
                let remedy = finding
                    .remedy
                    .as_ref()
                    .map(|remedy| catalogue[&format!("remedy_{}", remedy.code)].as_str());
                for name in reasons.chain(remedy).flat_map(placeholders) {
                    assert!(
                        finding.params.contains_key(name),
                        "{}: {{{name}}} has no value",
                        finding.reason
                    );
                }
            }
        }
    }
}
