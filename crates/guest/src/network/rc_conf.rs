//! FreeBSD's `ifconfig_*` variables (rc.conf(5)).

use std::collections::BTreeMap;

use crate::{
    Evidence, Fact,
    facts::{Configurator, ConfiguratorKind, Interface, InterfaceMatch, MatchBy},
    files::{Files, Read},
};

use super::{CONFIG_LIMIT, MAX_INTERFACES, fact, not_read, special};

const PATHS: [&str; 2] = ["/etc/rc.conf", "/etc/rc.conf.local"];

/// `None` where the system is no FreeBSD.
pub(super) fn read(files: &Files<'_>) -> Option<Configurator> {
    // The settings that rc itself brings; other systems have a file of the name rc.conf as well.
    let evidence = match files.stat("/etc/defaults/rc.conf") {
        Ok(None) => return None,
        _ => Evidence::path("/etc/defaults/rc.conf"),
    };
    Some(Configurator {
        kind: ConfiguratorKind::RcConf,
        active: Fact::Known(true),
        evidence: vec![evidence],
        interfaces: fact(interfaces(files)),
    })
}

fn interfaces(files: &Files<'_>) -> Read<Vec<Interface>> {
    let mut all: BTreeMap<String, Interface> = BTreeMap::new();
    for path in PATHS {
        let text = files.read_text(path, CONFIG_LIMIT)?.unwrap_or_default();
        for (number, line) in (1..).zip(text.lines().map(str::trim)) {
            let Some((name, value)) = line.strip_prefix("ifconfig_").and_then(|rest| rest.split_once('=')) else {
                continue;
            };
            let value = value.trim_matches(|c| c == '"' || c == '\'');
            add(&mut all, name, value, &Evidence::path(path).line(number).value(line));
        }
    }
    if all.len() > MAX_INTERFACES {
        return Err(not_read(PATHS[0]));
    }
    Ok(all.into_values().collect())
}

fn add(all: &mut BTreeMap<String, Interface>, name: &str, value: &str, evidence: &Evidence) {
    let (card, kind) = match name.split_once('_') {
        Some((card, kind)) => (card, kind),
        None => (name, ""),
    };
    let interface = all.entry(card.to_owned()).or_insert_with(|| Interface {
        matches: match card {
            // For every card that has no variable of its own.
            "DEFAULT" => Vec::new(),
            _ => vec![InterfaceMatch {
                by: MatchBy::Name,
                value: card.to_owned(),
                evidence: evidence.clone(),
            }],
        },
        automatic: true,
        special: special(card).map(str::to_owned),
        evidence: evidence.clone(),
        ..Interface::default()
    });
    let words: Vec<&str> = value.split_whitespace().collect();
    match kind {
        "" | "ipv6" => {
            interface.dhcp4 |= words
                .iter()
                .any(|word| matches!(word.to_ascii_uppercase().as_str(), "DHCP" | "SYNCDHCP" | "NOSYNCDHCP"));
            interface.dynamic6 |= words.contains(&"accept_rtadv");
            for pair in words.windows(2) {
                if let [family, address] = pair
                    && matches!(*family, "inet" | "inet6")
                    && address.contains(['.', ':'])
                {
                    interface.addresses.push(evidence.clone().value(address));
                }
            }
            // `ifconfig_em0="192.0.2.10 netmask 255.255.255.0"`
            if let Some(first) = words.first().filter(|word| word.contains('.')) {
                interface.addresses.push(evidence.clone().value(first));
            }
            if words.iter().any(|word| word.eq_ignore_ascii_case("NOAUTO")) {
                interface.automatic = false;
            }
        }
        _ => {}
    }
}
