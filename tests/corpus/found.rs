//! The facts in the corpus's own words, so that they can be held against what the tools said when an image was made.

use std::collections::BTreeSet;

use lotse_guest::{
    Fact, Facts, Unknown,
    facts::{Agent, Boot, Network, PartitionTable, Root, Space, Sshd, SshdLogin, System},
};
use serde::Serialize;
use serde_json::{Value, json};

/// Everything that an image's expectations may name; `{"unknown": code}` stands for what is not known, `"none"` for what
/// is known not to be there.
pub(crate) fn found(facts: &Facts) -> Value {
    json!({
        "table": fact(&facts.table, table),
        "root": option(&facts.root, root),
        "systems": fact(&facts.systems, |systems| {
            json!(systems.iter().map(|system| system.name.clone()).collect::<Vec<_>>())
        }),
        "system": option(&facts.system, system),
        "packages": fact(&facts.packages, |databases| {
            databases
                .iter()
                .map(|database| (database.kind.code().to_owned(), plain(&database.installed)))
                .collect()
        }),
        "agent": option(&facts.agent, agent),
        "datasources": option(&facts.datasources, |datasources| json!(datasources.list)),
        "login": option(&facts.login, |login| json!(login.user)),
        "sshd": fact(&facts.sshd, sshd),
        "boot": boot(&facts.boot),
        "network": fact(&facts.network, network),
        "firewall": fact(&facts.firewall, |firewall| plain(&firewall.ssh)),
        "space": fact(&facts.space, space),
        "machine_id": fact(&facts.leftovers, |leftovers| fact(&leftovers.machine_id, |id| json!(id.state))),
    })
}

fn table(table: &PartitionTable) -> Value {
    let partitions: Vec<_> = table
        .partitions
        .iter()
        .map(|partition| {
            json!({
                "number": partition.number,
                "offset": partition.offset,
                "len": partition.len,
                "type_id": partition.type_id,
            })
        })
        .collect();
    json!({
        "kind": table.kind,
        "sector_size": table.sector_size,
        "from_backup": table.from_backup,
        "partitions": partitions,
    })
}

fn root(root: &Root) -> Value {
    json!({"filesystem": root.filesystem, "partition": root.partition, "layers": root.layers})
}

fn system(system: &System) -> Value {
    json!({
        "family": system.family,
        "distribution": system.distribution,
        "like": system.like,
        "version": system.version,
        "name": system.name,
        "architecture": system.architecture,
    })
}

fn agent(agent: &Agent) -> Value {
    json!({
        "kind": agent.kind,
        "version": plain(&agent.version),
        "enabled": plain(&agent.enabled),
        "recent_enough": plain(&agent.recent_enough),
    })
}

fn sshd(sshd: &Sshd) -> Value {
    let login = |words: fn(&SshdLogin) -> Value| option(&sshd.config, |config| words(&config.login));
    json!({
        "installed": plain(&sshd.installed),
        "enabled": plain(&sshd.enabled),
        "ports": fact(&sshd.ports, |ports| json!(ports.value)),
        "permit_root_login": login(|login| json!(login.permit_root_login.value)),
        "pubkey_authentication": login(|login| json!(login.pubkey_authentication.value)),
        "password_authentication": login(|login| json!(login.password_authentication.value)),
    })
}

fn boot(boot: &Boot) -> Value {
    json!({
        "bios": fact(&boot.bios, |start| json!(start.possible)),
        "uefi": fact(&boot.uefi, |start| json!(start.possible)),
        "kernels": fact(&boot.kernels, |kernels| {
            json!(kernels.iter().filter_map(|kernel| kernel.version.clone()).collect::<BTreeSet<_>>())
        }),
        "root": option(&boot.entry, |entry| json!(entry.parameters("root").collect::<Vec<_>>())),
        "virtio_blk": option(&boot.drivers, |drivers| plain(&drivers.virtio_blk)),
    })
}

fn network(network: &Network) -> Value {
    network
        .configurators
        .iter()
        .filter(|configurator| configurator.active == Fact::Known(true))
        .map(|configurator| json!(configurator.kind))
        .collect()
}

fn space(space: &Space) -> Value {
    json!({"total": plain(&space.total), "free": plain(&space.free)})
}

fn fact<T>(fact: &Fact<T>, words: impl FnOnce(&T) -> Value) -> Value {
    match fact {
        Fact::Known(value) => words(value),
        Fact::Unknown(reason) => unknown(reason),
    }
}

fn option<T>(option: &Fact<Option<T>>, words: impl FnOnce(&T) -> Value) -> Value {
    fact(option, |value| value.as_ref().map_or_else(|| json!("none"), words))
}

fn plain<T: Serialize>(value: &Fact<T>) -> Value {
    fact(value, |value| json!(value))
}

fn unknown(reason: &Unknown) -> Value {
    json!({ "unknown": reason.code })
}

/// What differs, one line a fact: where, what was expected, what was found. A fact without expectation is not asked for.
pub(crate) fn differences(expected: &Value, found: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    compare("", expected, found, &mut lines);
    lines
}

fn compare(fact: &str, expected: &Value, found: &Value, lines: &mut Vec<String>) {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            for (name, value) in expected {
                let inner = if fact.is_empty() {
                    name.clone()
                } else {
                    format!("{fact}.{name}")
                };
                match found.get(name) {
                    Some(there) => compare(&inner, value, there, lines),
                    None => lines.push(format!(
                        "{inner}: expected {value}, found nothing in {}",
                        Value::Object(found.clone())
                    )),
                }
            }
        }
        _ if expected == found => {}
        _ => lines.push(format!("{fact}: expected {expected}, found {found}")),
    }
}

#[test]
fn a_difference_is_told_with_the_fact_and_both_values() {
    let expected = json!({"agent": {"kind": "cloud-init", "version": "1"}, "table": {"kind": "gpt"}, "roots": 1});
    let found = json!({"agent": {"kind": "cloud-init", "version": "2"}, "table": {"unknown": "x"}, "sshd": true});
    assert_eq!(
        differences(&expected, &found),
        [
            r#"agent.version: expected "1", found "2""#,
            r#"roots: expected 1, found nothing in {"agent":{"kind":"cloud-init","version":"2"},"sshd":true,"table":{"unknown":"x"}}"#,
            r#"table.kind: expected "gpt", found nothing in {"unknown":"x"}"#,
        ],
        "an expectation that names no fact is a mistake, not a pass"
    );
}
