//! The verdict on the datasource order against what the real cloud-init and the real ds-identify of four releases do on a
//! VM with a config drive (`crates/guest/tests/cloud_init/README.md` tells how they were asked).

use std::io::Read as _;

use lotse_guest::{MemoryTree, agents};
use lotse_requirements::{Finding, Status};
use serde_json::Value as Json;

use super::finding;
use crate::subjects::with;

fn unpacked(name: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../guest/tests/cloud_init");
    let packed = std::fs::read(format!("{folder}/{name}.gz")).unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(&packed[..])
        .read_to_string(&mut text)
        .unwrap();
    text
}

fn tree(script: &str, base: &Json, row: &Json) -> MemoryTree {
    let mut tree = MemoryTree::new()
        .program("/usr/lib/systemd/systemd", "")
        .symlink("/sbin/init", "/usr/lib/systemd/systemd")
        .program("/usr/lib/systemd/system-generators/cloud-init-generator", "#!/bin/sh\n")
        .program("/usr/bin/cloud-init", "")
        .program("/usr/lib/cloud-init/ds-identify", script);
    for (path, content) in base
        .as_object()
        .unwrap()
        .iter()
        .chain(row["files"].as_object().unwrap())
    {
        tree = tree.file(path, content.as_str().unwrap());
    }
    tree
}

/// What is said of the order; `None` where a reader had to give up.
fn order(tree: &MemoryTree, row: &Json) -> Option<Finding> {
    let line = row["cmdline"].as_str().unwrap_or_default();
    let read = agents::facts_of(tree, line);
    let subject = with(|facts| {
        facts.datasources = read.datasources;
        facts.cloud_init = read.cloud_init;
    });
    let order = finding(&subject, "datasource_order").unwrap();
    (order.status != Status::Unknown).then_some(order)
}

/// Runs a remedy's commands; `None` where one of them is about the boot loader.
fn run(mut tree: MemoryTree, commands: &[String]) -> Option<MemoryTree> {
    const IDENTIFY: &str = "/etc/cloud/ds-identify.cfg";
    for command in commands {
        tree = if let Some((line, path)) = command.strip_prefix("echo '").and_then(|rest| rest.split_once("' > ")) {
            tree.file(path, format!("{line}\n"))
        } else if let Some(path) = command.strip_prefix("rm -f ") {
            tree.without(path)
        } else if command.contains("datasource:/d") {
            // The only line in the table's file.
            tree.without(IDENTIFY)
        } else {
            return None;
        };
    }
    Some(tree)
}

/// Every row of the tables that is about a VM with a config drive and tells everything: its release, its files, and what
/// the programs did.
fn rows() -> impl Iterator<Item = (&'static str, MemoryTree, Json)> {
    // A kept cache is told by the finding on the instance; labels come with a whole disk only; without a drive there is
    // none to be taken.
    let is_told = |row: &Json| {
        row["labels"].is_null() && !matches!(row["name"].as_str(), Some("manual-clean" | "without a config drive"))
    };
    ["20.4.1", "22.4.2", "25.1.4", "26.2"]
        .into_iter()
        .flat_map(move |release| {
            let script = unpacked(&format!("ds-identify-{release}"));
            let table = unpacked(&format!("table-{release}.jsonl"));
            let mut rows = table.lines().map(|line| serde_json::from_str::<Json>(line).unwrap());
            let base = rows.next().unwrap()["base"].clone();
            let rows: Vec<Json> = rows.filter(is_told).collect();
            rows.into_iter()
                .map(move |row| (release, tree(&script, &base, &row), row))
        })
}

/// A person acts on the sentence: none may promise a config drive that is not taken, or fail an image that takes it.
#[test]
fn the_verdict_is_what_the_real_programs_do() {
    let (mut asked, mut wrong) = (0, Vec::new());
    for (release, tree, row) in rows() {
        let Some(order) = order(&tree, &row) else { continue };
        asked += 1;
        let runs = row["identify"]["runs"] != false;
        let takes_drive = runs && row["after"]["local"] == "ConfigDrive";
        let promises = order.status == Status::Pass
            || order.details.iter().any(|detail| {
                matches!(
                    detail.as_str(),
                    "datasource_order_effect_identify" | "datasource_order_effect_nothing_there"
                )
            });
        let fails = order.status == Status::Fail || order.details == ["datasource_order_effect_seed"];
        if (promises && !takes_drive) || (fails && takes_drive) {
            wrong.push(format!(
                "{release} {}: {} {:?}, but runs: {runs}, takes: {}",
                row["name"], order.reason, order.details, row["after"]["local"]
            ));
        }
    }
    assert!(asked > 350, "only {asked} could be asked");
    assert!(wrong.is_empty(), "{} of {asked}:\n{}", wrong.len(), wrong.join("\n"));
}

/// Settings about how settings are joined: no drop-in is read, or none overrules a list. Nobody has them by accident.
const JOINED_OTHERWISE: &[&str] = &[
    "no folder",
    "merge_how replace from below",
    "merge_how deletes",
    "a weaker mapping beats a list",
];

/// Whoever runs the commands is done: the order is right then, whatever was wrong with it.
#[test]
fn the_remedy_mends_what_it_is_for() {
    let (mut mended, mut left) = (0, Vec::new());
    for (release, tree, row) in rows() {
        let Some(commands) = order(&tree, &row).and_then(|order| Some(order.remedy?.commands)) else {
            continue;
        };
        if commands.is_empty() || JOINED_OTHERWISE.contains(&row["name"].as_str().unwrap()) {
            continue;
        }
        let Some(tree) = run(tree, &commands) else { continue };
        match order(&tree, &row) {
            Some(after) if after.status == Status::Pass => mended += 1,
            after => left.push(format!("{release} {}: {commands:?}: {after:?}", row["name"])),
        }
    }
    assert!(mended > 150, "only {mended} had commands");
    assert!(left.is_empty(), "{}:\n{}", left.len(), left.join("\n"));
}
