//! What the real cloud-init and the real ds-identify of four releases make of many settings, against what is read here.
//! `tests/cloud_init/table.py` made the tables; `tests/cloud_init/README.md` tells how.

use std::io::Read as _;

use serde_json::Value as Json;

use super::{Around, CommandLine, Label, Settings, settings};
use crate::{Evidence, Fact, MemoryTree, files::Files};

/// A file of `tests/cloud_init`, unpacked.
fn unpacked(name: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cloud_init");
    let packed = std::fs::read(format!("{folder}/{name}.gz")).unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(&packed[..])
        .read_to_string(&mut text)
        .unwrap();
    text
}

/// A release's own script.
pub(crate) fn ds_identify(release: &str) -> String {
    unpacked(&format!("ds-identify-{release}"))
}

fn with_files(mut tree: MemoryTree, files: &Json) -> MemoryTree {
    for (path, content) in files.as_object().unwrap() {
        tree = tree.file(path, content.as_str().unwrap());
    }
    tree
}

fn tree(release: &str, base: &Json, row: &Json) -> MemoryTree {
    let stock = MemoryTree::new()
        .systemd()
        .program("/usr/lib/systemd/system-generators/cloud-init-generator", "#!/bin/sh\n")
        .program("/usr/bin/cloud-init", "")
        .program("/usr/lib/cloud-init/ds-identify", ds_identify(release));
    with_files(with_files(stock, base), &row["files"])
}

fn labels(row: &Json) -> Vec<Label> {
    let labels = row["labels"].as_array().cloned().unwrap_or_default();
    let label = |label: &Json| Label {
        text: label[0].as_str().unwrap().to_owned(),
        filesystem: label[1].as_str().unwrap().to_owned(),
        holds_seed: label[2].as_bool(),
    };
    labels.iter().map(label).collect()
}

fn known<T>(fact: Fact<T>) -> Option<T> {
    match fact {
        Fact::Known(value) => Some(value),
        Fact::Unknown(_) => None,
    }
}

/// The real programs' answers, and ours in the same words; only what both can tell.
fn answers(row: &Json, read: Settings) -> (Json, Json) {
    let (mut theirs, mut ours) = (Json::Null, Json::Null);
    let sources = known(read.datasources);
    theirs["list"] = row["python"]["list"].clone();
    ours["list"] = sources.as_ref().map(|sources| sources.list.clone()).into();
    let after = &row["after"];
    if let Some(sources) = sources {
        let Fact::Known(Some(identify)) = sources.identify else {
            return (row["identify"].clone(), format!("{:?}", sources.identify).into());
        };
        theirs["identify"] = row["identify"].clone();
        ours["identify"] = serde_json::json!({"runs": identify.runs_cloud_init, "writes": identify.writes});
        let local = after["local"].as_str();
        if let Some(expected) = known(sources.expected)
            && identify.runs_cloud_init
            && expected.because != "cached"
            && !after.is_null()
        {
            // The table asks the stage before the network only.
            let source = expected.source.as_deref().filter(|source| *source != "None");
            if local.is_some() || source == Some("ConfigDrive") {
                theirs["source"] = local.into();
                ours["source"] = source.into();
            }
        }
    }
    if !after.is_null() {
        theirs["user"] = after["user"].clone();
        ours["user"] = known(read.login).and_then(|login| login.user).into();
        let Fact::Known(read) = read.cloud_init else {
            return (theirs, format!("{:?}", read.cloud_init).into());
        };
        let Fact::Known(switches) = read.switches else {
            return (theirs, format!("{:?}", read.switches).into());
        };
        for (name, value) in [
            ("preserve_hostname", switches.preserve_hostname.value.into()),
            ("disable_root", switches.disable_root.value.into()),
            ("ssh_deletekeys", switches.ssh_deletekeys.value.into()),
            ("ssh_pwauth", Json::from(switches.ssh_pwauth.value)),
        ] {
            theirs[name] = after[name].clone();
            ours[name] = value;
        }
    }
    (theirs, ours)
}

#[test]
fn settings_are_read_as_the_real_programs_read_them() {
    let mut differing = Vec::new();
    let mut asked = 0;
    for release in ["20.4.1", "22.4.2", "25.1.4", "26.2"] {
        let table = unpacked(&format!("table-{release}.jsonl"));
        let mut rows = table.lines().map(|line| serde_json::from_str::<Json>(line).unwrap());
        let base = rows.next().unwrap()["base"].clone();
        for row in rows {
            asked += 1;
            let tree = tree(release, &base, &row);
            let labels = labels(&row);
            let around = Around {
                command_line: row["cmdline"].as_str().map(|text| CommandLine {
                    text: text.to_owned(),
                    evidence: Evidence::path("/boot/grub/grub.cfg").line(1),
                }),
                labels: &labels,
                started: None,
            };
            let (theirs, ours) = answers(&row, settings(&Files::new(&tree).unwrap(), &around));
            if theirs != ours {
                differing.push(format!("{release} {}\n  they: {theirs}\n  we:   {ours}", row["name"]));
            }
        }
    }
    assert!(
        differing.is_empty(),
        "{} of {asked}:\n{}",
        differing.len(),
        differing.join("\n")
    );
}
