//! The rulesets of `tests/firewall/cases`, with what the kernel itself did with each of them (`make.py` there).

use std::{collections::BTreeMap, fs, path::PathBuf};

use super::*;
use crate::MemoryTree;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/firewall")
}

/// A Debian with systemd that starts one service.
fn debian(unit: &str) -> MemoryTree {
    MemoryTree::new()
        .systemd()
        .file(
            &format!("/usr/lib/systemd/system/{unit}"),
            "[Unit]\n[Install]\nWantedBy=multi-user.target\n",
        )
        .symlink(
            &format!("/etc/systemd/system/multi-user.target.wants/{unit}"),
            &format!("/usr/lib/systemd/system/{unit}"),
        )
}

/// The system of a case.
fn system(name: &str) -> MemoryTree {
    let path = folder().join("cases").join(name);
    let (stem, kind) = name.rsplit_once('.').unwrap();
    match kind {
        "nft" => debian("nftables.service")
            .program("/usr/sbin/nft", "")
            .file("/etc/nftables.conf", fs::read(path).unwrap()),
        "v4" => debian("netfilter-persistent.service").file("/etc/iptables/rules.v4", fs::read(path).unwrap()),
        "ufw" => {
            let mut tree = debian("ufw.service").program("/usr/sbin/ufw", "");
            for entry in fs::read_dir(folder().join("ufw").join(stem)).unwrap() {
                let entry = entry.unwrap();
                let inside = entry.file_name().into_string().unwrap().replace('_', "/");
                tree = tree.file(&format!("/{inside}"), fs::read(entry.path()).unwrap());
            }
            tree
        }
        _ => panic!("{name}"),
    }
}

fn firewall(tree: &MemoryTree) -> Firewall {
    match read(&Files::new(tree).unwrap(), &[22]) {
        Fact::Known(firewall) => firewall,
        Fact::Unknown(unknown) => panic!("{unknown:?}"),
    }
}

/// What depends on the new machine must stay unknown, and everything else must be what the kernel does. A few rulesets
/// may stay unknown although the kernel is of one mind: they say so here.
#[test]
fn every_ruleset_is_judged_as_the_kernel_does() {
    // Address translation, and several fields at once, are not looked into.
    const MAY_BE_UNKNOWN: &[&str] = &["any-card.v4", "redirect.v4"];
    let expected = fs::read_to_string(folder().join("expected.txt")).unwrap();
    let expected: BTreeMap<&str, &str> = expected.lines().map(|line| line.split_once(' ').unwrap()).collect();
    let cases: Vec<String> = fs::read_dir(folder().join("cases"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(cases.len(), expected.len(), "make.py was not run");
    let mut wrong = Vec::new();
    for name in &cases {
        let firewall = firewall(&system(name));
        assert_eq!(firewall.filters.len(), 1, "{name}");
        let ours = match &firewall.ssh {
            Fact::Known(Reach::Everybody) => "everybody",
            Fact::Known(Reach::SomeAddresses) => "some_addresses",
            Fact::Known(Reach::Nobody) => "nobody",
            Fact::Unknown(unknown) => {
                assert_eq!(unknown.code, "firewall_not_certain", "{name}: {unknown:?}");
                "depends"
            }
        };
        let theirs = expected[name.as_str()];
        if ours != theirs && !(ours == "depends" && MAY_BE_UNKNOWN.contains(&name.as_str())) {
            wrong.push(format!("{name}: kernel {theirs}, here {ours}: {:?}", firewall.filters));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
