//! Does a firewall that is started at boot keep SSH out? Simple rules are evaluated as the kernel does; what the disk
//! alone does not tell stays unknown.

mod bsd;
mod firewalld;
mod iptables;
mod model;
mod nft;
mod sources;
mod tcp_wrappers;
mod ufw;

use crate::{
    Evidence, Fact, FileTree, Unknown,
    facts::{Filter, Firewall, Reach},
    files::{Files, Read},
    services::{self, Start},
};

use self::model::Answer;

/// Largest file of rules, in bytes.
const RULES_LIMIT: usize = 4 << 20;

/// Whom the firewalls of one tree let through to some ports: for tests. What stands on other filesystems is not seen.
pub fn of_tree(tree: &dyn FileTree, ports: &[u16]) -> Fact<Firewall> {
    read(&Files::joined(tree, "", &[]), ports)
}

/// Reads which firewalls start and whom they let through to the SSH server, which listens on `ports`.
pub(crate) fn read(files: &Files<'_>, ports: &[u16]) -> Fact<Firewall> {
    match filters(files, ports) {
        Ok(filters) => Fact::Known(Firewall {
            ssh: together(&filters),
            filters,
        }),
        Err(unknown) => Fact::Unknown(unknown),
    }
}

fn filters(files: &Files<'_>, ports: &[u16]) -> Read<Vec<Filter>> {
    let mut all = sources::packet_filters(files, ports)?;
    all.extend(bsd::read(files, ports)?);
    all.extend(tcp_wrappers::read(files)?);
    Ok(all)
}

/// All firewalls together. Packet filters may undo each other's rules when they load them, so that they must agree;
/// TCP wrappers come after them and can only take away.
fn together(filters: &[Filter]) -> Fact<Reach> {
    let (wrappers, packets): (Vec<&Filter>, Vec<&Filter>) =
        filters.iter().partition(|filter| filter.kind == tcp_wrappers::KIND);
    let mut reach = match packets.split_first() {
        None => Fact::Known(Reach::Everybody),
        Some((first, rest)) => match rest.iter().find(|filter| filter.ssh != first.ssh) {
            None => first.ssh.clone(),
            Some(other) => Fact::Unknown(not_certain(&other.kind)),
        },
    };
    for filter in wrappers {
        reach = match (&filter.ssh, reach) {
            (Fact::Known(one), Fact::Known(other)) => Fact::Known(other.min(*one)),
            (Fact::Known(Reach::Nobody), _) | (_, Fact::Known(Reach::Nobody)) => Fact::Known(Reach::Nobody),
            (Fact::Unknown(unknown), _) => Fact::Unknown(unknown.clone()),
            (_, unknown) => unknown,
        };
    }
    reach
}

/// What the disk alone does not tell.
fn not_certain(kind: &str) -> Unknown {
    Unknown::new("firewall_not_certain").with("kind", kind)
}

/// A filter from what its rules answer for each port: the server is reached by the port that is most open.
fn filter(kind: &str, started: Vec<Evidence>, answers: impl Iterator<Item = Answer>) -> Filter {
    let mut best: Option<Answer> = None;
    let mut doubt = None;
    for answer in answers {
        match (&best, answer.reach) {
            (_, None) => doubt = doubt.or(answer.evidence),
            (Some(known), reach) if known.reach >= reach => {}
            _ => best = Some(answer),
        }
    }
    let mut evidence = started;
    let ssh = match best {
        Some(Answer {
            reach: Some(reach),
            evidence: rule,
        }) if reach == Reach::Everybody || doubt.is_none() => {
            evidence.extend(rule);
            Fact::Known(reach)
        }
        _ => {
            evidence.extend(doubt);
            Fact::Unknown(not_certain(kind))
        }
    };
    evidence.retain(|evidence| *evidence != Evidence::default());
    Filter {
        kind: kind.to_owned(),
        ssh,
        evidence,
    }
}

/// One that is not looked into.
fn not_looked_into(kind: &str, started: Vec<Evidence>) -> Filter {
    Filter {
        kind: kind.to_owned(),
        ssh: Fact::Unknown(not_certain(kind)),
        evidence: started,
    }
}

/// What starts a service at boot, if anything does.
fn started(files: &Files<'_>, units: &[&str], scripts: &[&str]) -> Read<Option<Vec<Evidence>>> {
    Ok(match services::start(files, services::init(files)?, units, scripts)? {
        // The first place is what decides; how systemd gets there is told with the service itself.
        Start::Yes(_, places) => Some(places.into_iter().take(1).collect()),
        _ => None,
    })
}

/// A shell variable's last value in a file of assignments, with its line: `KEY=value`, `KEY="value"`.
fn shell_value(text: &str, key: &str) -> Option<(String, u32)> {
    let lines = (1..).zip(text.lines().map(str::trim));
    let values = lines.filter_map(|(number, line)| {
        let line = line.strip_prefix("export ").unwrap_or(line);
        let value = line.strip_prefix(key)?.strip_prefix('=')?;
        let value = match value.chars().next() {
            Some(quote @ ('"' | '\'')) => value.get(1..)?.split(quote).next()?,
            _ => value.split([' ', '\t', '#', ';']).next()?,
        };
        Some((value.to_owned(), number))
    });
    values.last()
}

#[cfg(test)]
mod tests;
