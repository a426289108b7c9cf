//! Every finding as a person reads it, German and English side by side: one snapshot a rule, of every reason and remedy
//! that the tests' subjects give.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::Path,
    process::Command,
};

use insta::{assert_snapshot, with_settings};
use lotse_requirements::{Finding, FindingKind, RULES, judge};
use lotse_words::{Language, Text, WordedFinding, script};

/// Everything that tells one way to answer from another.
type Answer = (String, String);

#[test]
fn every_finding_reads_well_in_both_languages() {
    let texts = Language::ALL.map(Text::new);
    let findings: Vec<Finding> = crate::subjects::all()
        .iter()
        .flat_map(|subject| judge(subject).findings)
        .collect();
    for rule in RULES {
        let mut answers: BTreeMap<Answer, Vec<&Finding>> = BTreeMap::new();
        for found in findings.iter().filter(|finding| finding.code == rule.code) {
            let remedy = found.remedy.as_ref().map(|remedy| remedy.code.clone());
            let sentences = [&found.reason].into_iter().chain(&found.details);
            let sentences: Vec<&str> = sentences.map(String::as_str).collect();
            answers
                .entry((sentences.join(" + "), remedy.unwrap_or_default()))
                .or_default()
                .push(found);
        }
        let page: String = answers
            .iter()
            .map(|(answer, found)| answer_page(&texts, answer, found))
            .collect();
        with_settings!({
            snapshot_path => "snapshots/words", prepend_module_to_snapshot => false, omit_expression => true
        }, { assert_snapshot!(rule.code, page) });
    }
}

/// Every script that the rules can make is a program of POSIX sh in which shellcheck sees no mistake. (Debian's package;
/// `cargo xtask` installs it. Notes on style are not asked for.)
#[test]
fn every_script_is_sound() {
    let scripts: BTreeSet<String> = crate::subjects::all()
        .iter()
        .filter_map(|subject| script(&judge(subject), Language::German))
        .collect();
    assert!(scripts.len() > 20, "the subjects have remedies for many systems");
    let folder = tempfile::tempdir().unwrap();
    let files: Vec<_> = scripts
        .iter()
        .enumerate()
        .map(|(number, script)| {
            let file = folder.path().join(format!("{number}.sh"));
            fs::write(&file, script).unwrap();
            file
        })
        .collect();
    let checked = Command::new("shellcheck")
        .args(["--shell=sh", "--severity=warning", "--format=gcc"])
        .args(&files)
        .output()
        .expect("shellcheck is installed (cargo xtask test)");
    let complaints = String::from_utf8_lossy(&checked.stdout);
    let first = complaints.lines().next().unwrap_or_default();
    let about = files
        .iter()
        .find(|file| first.starts_with(&*file.to_string_lossy()))
        .map(|file| fs::read_to_string(file).unwrap());
    assert!(checked.status.success(), "{complaints}\n{}", about.unwrap_or_default());
}

/// One answer in both languages, and the other commands that the same remedy has on other systems.
fn answer_page(texts: &[Text; 2], (reason, remedy): &Answer, found: &[&Finding]) -> String {
    let Some(finding) = found.first() else {
        return String::new();
    };
    let kind = match finding.kind {
        FindingKind::Requirement => "requirement",
        FindingKind::Advice => "advice",
    };
    let mut page = format!("=== {kind}: {reason} {remedy}").trim_end().to_owned() + "\n";
    for text in texts {
        _ = writeln!(page, "--- {}", text.language().code());
        for line in WordedFinding::new(text, finding).lines(text) {
            page += &line;
            page.push('\n');
        }
    }
    let commands = |finding: &Finding| finding.remedy.as_ref().map(|remedy| remedy.commands.clone());
    let others: BTreeSet<Vec<String>> = found
        .iter()
        .filter_map(|other| commands(other))
        .filter(|other| Some(other) != commands(finding).as_ref())
        .collect();
    for other in others {
        page += "--- elsewhere\n";
        if other.is_empty() {
            page += "        (no commands)\n";
        }
        for command in other {
            _ = writeln!(page, "        {command}");
        }
    }
    page.push('\n');
    page
}

#[test]
fn no_snapshot_is_left_of_a_rule_that_is_gone() {
    let codes: BTreeSet<&str> = RULES.iter().map(|rule| rule.code).collect();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/judge/snapshots/words");
    for entry in fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let code = name.split('.').next().unwrap();
        assert!(
            codes.contains(code),
            "snapshots/words/{name} belongs to no rule: remove it"
        );
    }
}
