//! dhcpcd(8) as a service: DHCP on every card, but for what dhcpcd.conf(5) says otherwise.

use crate::{
    Evidence,
    facts::{Interface, InterfaceMatch, MatchBy},
    files::{Files, Read},
};

use super::{CONFIG_LIMIT, MAX_INTERFACES, not_read, special};

const PATH: &str = "/etc/dhcpcd.conf";

pub(super) fn read(files: &Files<'_>) -> Read<Vec<Interface>> {
    let text = files.read_text(PATH, CONFIG_LIMIT)?.unwrap_or_default();
    let all = parse(&text);
    if all.len() > MAX_INTERFACES {
        Err(not_read(PATH))
    } else {
        Ok(all)
    }
}

/// The interface for every card first, then those that have a block of their own.
fn parse(text: &str) -> Vec<Interface> {
    let mut all = vec![Interface {
        automatic: true,
        dhcp4: true,
        dynamic6: true,
        evidence: Evidence::path(PATH),
        ..Interface::default()
    }];
    let mut open = Some(0);
    for (number, line) in (1..).zip(text.lines().map(str::trim)) {
        let mut words = line.split_whitespace();
        let evidence = |value: &str| Evidence::path(PATH).line(number).value(value);
        match (words.next().unwrap_or_default(), words.next().unwrap_or_default()) {
            ("interface", name) => {
                open = Some(all.len());
                all.push(Interface {
                    matches: vec![InterfaceMatch {
                        by: MatchBy::Name,
                        value: name.to_owned(),
                        evidence: evidence(line),
                    }],
                    automatic: true,
                    dhcp4: true,
                    dynamic6: true,
                    special: special(name).map(str::to_owned),
                    evidence: evidence(line),
                    ..Interface::default()
                });
            }
            ("ssid" | "profile" | "arping", _) => open = None,
            // Names that are (not) set up at all, as patterns.
            (key @ ("allowinterfaces" | "denyinterfaces"), first) => {
                let patterns = [first].into_iter().chain(words);
                let mark = if key == "denyinterfaces" { "!" } else { "" };
                let value: Vec<String> = patterns.map(|pattern| format!("{mark}{pattern}")).collect();
                if let Some(every) = all.first_mut() {
                    every.matches.push(InterfaceMatch {
                        by: MatchBy::Name,
                        value: value.join(" "),
                        evidence: evidence(line),
                    });
                }
            }
            (key, value) => {
                if let Some(interface) = open.and_then(|index| all.get_mut(index)) {
                    option(interface, key, value, &evidence);
                }
            }
        }
    }
    all
}

fn option(interface: &mut Interface, key: &str, value: &str, evidence: &impl Fn(&str) -> Evidence) {
    match (key, value.split_once('=')) {
        // With a fixed address dhcpcd asks for nothing.
        ("static", Some(("ip_address", address))) => {
            interface.dhcp4 = false;
            interface.addresses.push(evidence(address));
        }
        ("static", Some(("ip6_address", address))) => interface.addresses.push(evidence(address)),
        ("static", Some(("domain_name_servers", servers))) => interface.name_servers.push(evidence(servers)),
        ("noipv4" | "nodhcp" | "inform" | "ipv6only", _) => interface.dhcp4 = false,
        ("noipv6" | "ipv4only", _) => interface.dynamic6 = false,
        _ => {}
    }
}
