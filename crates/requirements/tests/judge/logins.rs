//! What the rules say of who gets in, beside what real servers did: `logins.py` set systems up by cloud-init's own code,
//! started OpenSSH's server and logged in from another machine.

use std::collections::BTreeMap;

use lotse_guest::{Fact, MemoryTree, agents, sshd};
use lotse_requirements::{Finding, FindingKind, Status, Subject, judge};
use serde::Deserialize;
use serde_json::Value;

use crate::subjects::with;

#[derive(Deserialize)]
struct Table {
    /// Debian's own `sshd_config`.
    stock: String,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    /// Its `sshd_config`; `<stock>` stands for Debian's own.
    sshd: String,
    /// Further files.
    files: BTreeMap<String, String>,
    /// cloud-init's settings.
    cloud: Value,
    /// `/etc/passwd` and others, those that differ from the first case's.
    kept: BTreeMap<String, String>,
    /// Modes of directories.
    home: BTreeMap<String, u16>,
    /// Did the server let in whoever has the key? `None`: it did not start.
    #[serde(rename = "in")]
    lets_in: BTreeMap<String, Option<bool>>,
    /// The same after the remedies' commands.
    mended: Option<Mended>,
}

#[derive(Deserialize)]
struct Mended {
    commands: Vec<String>,
    #[serde(rename = "in")]
    lets_in: BTreeMap<String, Option<bool>>,
    /// Sum of the commands' exit codes, each run twice.
    status: i32,
}

fn table() -> Table {
    serde_json::from_str(include_str!("logins.json")).unwrap()
}

/// The case's system as an image would hold it, read as an image's is.
fn subject(table: &Table, case: &Case) -> Subject {
    let mut tree = MemoryTree::new()
        .file("/etc/ssh/sshd_config", case.sshd.replace("<stock>", &table.stock))
        .file("/etc/cloud/cloud.cfg", case.cloud.to_string())
        .file("/usr/lib/python3/dist-packages/cloudinit/settings.py", "")
        .file("/etc/ssh/ssh_host_ed25519_key", "");
    for program in [
        "/usr/sbin/sshd",
        "/usr/bin/cloud-init",
        "/bin/sh",
        "/bin/bash",
        "/bin/false",
        "/usr/sbin/nologin",
    ] {
        tree = tree.program(program, "\x7fELF");
    }
    for (path, text) in table.cases[0].kept.iter().chain(&case.kept).chain(&case.files) {
        tree = tree.file(path, text);
    }
    for (path, mode) in case.home.iter().rev() {
        if case.home.keys().all(|other| !other.starts_with(&format!("{path}/"))) {
            tree = tree.file_with_mode(path, "", *mode);
        }
    }
    let read = agents::facts_of(&tree, "");
    let mut server = sshd::of_tree(&tree);
    server.enabled = Fact::Known(true);
    with(|facts| {
        facts.agent = read.agent;
        facts.cloud_init = read.cloud_init;
        facts.login = read.login;
        facts.sshd = Fact::Known(server);
    })
}

/// The findings that decide whether the owner gets in.
fn findings(subject: &Subject) -> Vec<Finding> {
    let deciding = [
        "ssh_key_login",
        "sshd_configuration",
        "login_account",
        "login_name",
        "host_keys",
    ];
    let all = judge(subject).findings.into_iter();
    all.filter(|finding| finding.kind == FindingKind::Advice && deciding.contains(&finding.code.as_str()))
        .collect()
}

/// Without those for host keys, which are systemd's to run.
fn commands(findings: &[Finding]) -> Vec<String> {
    let findings = findings.iter().filter(|finding| finding.code != "host_keys");
    let remedies = findings.filter_map(|finding| finding.remedy.as_ref());
    remedies.flat_map(|remedy| remedy.commands.clone()).collect()
}

#[test]
fn the_rules_say_of_every_login_what_real_servers_did() {
    let table = table();
    assert!(table.cases.len() >= 150);
    let mut wrong = Vec::new();
    for case in &table.cases {
        let findings = findings(&subject(&table, case));
        let says: Vec<_> = findings
            .iter()
            .map(|finding| (&finding.reason, finding.status))
            .collect();
        assert!(
            findings.iter().all(|finding| finding.status != Status::Unknown),
            "{}: {findings:#?}",
            case.name
        );
        let fails = findings.iter().any(|finding| finding.status == Status::Fail);
        let warns = findings.iter().any(|finding| finding.status == Status::Warning);
        let gets_in = case.lets_in.values().any(|lets_in| *lets_in == Some(true));
        // A warning may go either way; a failure and a pass may not.
        if !warns && fails == gets_in || fails && gets_in {
            wrong.push(format!("{}: {:?}, but {says:?}", case.name, case.lets_in));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_what_depends_on_more_than_the_image_is_a_warning() {
    let table = table();
    let warned: Vec<&str> = table
        .cases
        .iter()
        .filter(|case| {
            let findings = findings(&subject(&table, case));
            findings.iter().any(|finding| finding.status == Status::Warning)
        })
        .map(|case| case.name.as_str())
        .collect();
    assert_eq!(
        warned,
        [
            "no keys are set",
            "expired long ago",
            "expires in 100 years",
            "NoSuchKeyword yes"
        ],
        "host keys that nobody replaces; a date that an image alone cannot judge; a word that a newer server may know"
    );
}

/// What the commands of the remedies make of the systems: everybody gets in, or no command is given.
#[test]
fn the_remedies_commands_let_the_owner_in() {
    let table = table();
    let mut all = BTreeMap::new();
    let mut wrong = Vec::new();
    for case in &table.cases {
        let commands = commands(&findings(&subject(&table, case)));
        if commands.is_empty() {
            continue;
        }
        let proved = case.mended.as_ref().is_some_and(|mended| {
            mended.commands == commands
                && mended.status == 0
                && mended.lets_in.values().any(|lets_in| *lets_in == Some(true))
        });
        if !proved {
            let mended = case.mended.as_ref().map(|mended| (&mended.lets_in, mended.status));
            wrong.push(format!("{}: {mended:?} after {commands:#?}", case.name));
        }
        all.insert(case.name.clone(), commands);
    }
    if let Some(path) = std::env::var_os("LOTSE_COMMANDS") {
        std::fs::write(path, serde_json::to_string_pretty(&all).unwrap()).unwrap();
        return;
    }
    assert!(
        wrong.is_empty(),
        "not proved (logins.py says how):\n{}",
        wrong.join("\n")
    );
}
