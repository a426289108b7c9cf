//! `ifcfg-*` files of Red Hat (network-scripts, NetworkManager's plug-in) and SUSE (wicked, ifcfg(5)): shell variables.

use crate::{
    Evidence,
    facts::{Interface, InterfaceMatch, MatchBy},
    files::{Files, Read},
};

use super::{CONFIG_LIMIT, MAX_INTERFACES, not_read, special};

/// Where a family keeps its files, and how it says what is brought up at boot.
pub(super) struct Family {
    folder: &'static str,
    /// SUSE: the name of the file names the interface, and `STARTMODE` when it is brought up.
    is_suse: bool,
}

pub(super) const RED_HAT: Family = Family {
    folder: "/etc/sysconfig/network-scripts",
    is_suse: false,
};

pub(super) const SUSE: Family = Family {
    folder: "/etc/sysconfig/network",
    is_suse: true,
};

/// Reads all files; `for_manager` leaves out those that NetworkManager is told to leave alone.
pub(super) fn read(files: &Files<'_>, family: &Family, for_manager: bool) -> Read<Vec<Interface>> {
    let names = files.list(family.folder)?;
    let names: Vec<&String> = names.iter().filter(|name| is_taken(name)).collect();
    if names.len() > MAX_INTERFACES {
        return Err(not_read(family.folder));
    }
    let mut all = Vec::new();
    for name in names {
        let path = format!("{}/{name}", family.folder);
        let text = files.read_text(&path, CONFIG_LIMIT)?.unwrap_or_default();
        let values = variables(&text);
        let is_managed = values
            .iter()
            .all(|(key, value, _)| *key != "NM_CONTROLLED" || is_yes(value));
        if !for_manager || is_managed {
            all.push(interface(&values, &text, &path, name, family.is_suse));
        }
    }
    Ok(all)
}

/// What editors and package managers leave is not read (`ifcfg-eth0.rpmsave`, `ifcfg-eth0~`).
fn is_taken(name: &str) -> bool {
    name.strip_prefix("ifcfg-").is_some_and(|rest| {
        let ending = rest.rsplit_once('.').map_or("", |(_, ending)| ending);
        !rest.is_empty()
            && !rest.ends_with('~')
            && !matches!(
                ending,
                "bak" | "orig" | "rpmsave" | "rpmnew" | "rpmorig" | "old" | "template" | "scpmbackup"
            )
    })
}

/// Variables with their values unquoted and their lines; of a repeated one the last holds.
fn variables(text: &str) -> Vec<(&str, &str, u32)> {
    let mut all: Vec<(&str, &str, u32)> = Vec::new();
    for (number, line) in (1..).zip(text.lines().map(str::trim)) {
        let Some((key, value)) = line.split_once('=').filter(|_| !line.starts_with('#')) else {
            continue;
        };
        let value = match value.chars().next() {
            Some(quote @ ('"' | '\'')) => value
                .get(1..)
                .and_then(|rest| rest.split(quote).next())
                .unwrap_or_default(),
            _ => value.split_whitespace().next().unwrap_or_default(),
        };
        all.push((key.trim(), value, number));
    }
    all
}

fn is_yes(value: &str) -> bool {
    matches!(value.to_ascii_lowercase().as_str(), "yes" | "true" | "1" | "t" | "y")
}

fn interface(values: &[(&str, &str, u32)], text: &str, path: &str, file: &str, is_suse: bool) -> Interface {
    let value = |wanted: &str| {
        let found = values
            .iter()
            .rev()
            .find(|(key, value, _)| *key == wanted && !value.is_empty());
        found.map(|(_, value, line)| (*value, Evidence::path(path).line(*line).value(value)))
    };
    let says_no = |wanted: &str| value(wanted).is_some_and(|(value, _)| !is_yes(value));
    let from_file = file.strip_prefix("ifcfg-").unwrap_or(file);
    let mac = value("HWADDR");
    let name = match value("DEVICE").filter(|_| !is_suse) {
        Some(found) => Some(found),
        // Red Hat: with a hardware address the name of the file is only a name.
        None if mac.is_some() && !is_suse => None,
        None => Some((from_file, Evidence::path(path))),
    };
    let mut interface = Interface {
        evidence: Evidence::path(path),
        by_cloud_init: text.contains("reated by cloud-init"),
        ..Interface::default()
    };
    for (by, found) in [(MatchBy::Name, name), (MatchBy::Mac, mac)] {
        if let Some((value, evidence)) = found {
            interface.matches.push(InterfaceMatch {
                by,
                value: value.to_owned(),
                evidence,
            });
        }
    }
    interface.sets_mac = value(if is_suse { "LLADDR" } else { "MACADDR" }).map(|(_, evidence)| evidence);
    interface.automatic = if is_suse {
        value("STARTMODE")
            .is_some_and(|(mode, _)| matches!(mode, "auto" | "hotplug" | "boot" | "onboot" | "on" | "nfsroot"))
    } else {
        !says_no("ONBOOT")
    };
    let protocol = value("BOOTPROTO").map_or(String::new(), |(protocol, _)| protocol.to_ascii_lowercase());
    interface.dhcp4 = matches!(protocol.as_str(), "dhcp" | "bootp" | "dhcp4" | "dhcp+autoip");
    interface.dynamic6 = if is_suse {
        matches!(protocol.as_str(), "dhcp" | "dhcp6")
    } else {
        value("DHCPV6C").is_some_and(|(value, _)| is_yes(value))
            || value("IPV6INIT").is_some_and(|(value, _)| is_yes(value)) && !says_no("IPV6_AUTOCONF")
    };
    for (key, value, line) in values.iter().filter(|(_, value, _)| !value.is_empty()) {
        let evidence = || Evidence::path(path).line(*line).value(value);
        let is_numbered = |prefix: &str| {
            key.strip_prefix(prefix).is_some_and(|rest| {
                let rest = rest.strip_prefix('_').unwrap_or(rest);
                rest.bytes().all(|byte| byte.is_ascii_alphanumeric())
            })
        };
        if is_numbered("IPADDR") || *key == "IPV6ADDR" {
            interface.addresses.push(evidence());
        } else if key
            .strip_prefix("DNS")
            .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()))
        {
            interface.name_servers.push(evidence());
        }
    }
    let kind = value("TYPE").map_or(String::new(), |(kind, _)| kind.to_ascii_lowercase());
    interface.special = if value("VLAN").is_some_and(|(value, _)| is_yes(value)) || value("ETHERDEVICE").is_some() {
        Some("vlan".to_owned())
    } else if value("BONDING_MASTER").is_some() || value("BONDING_OPTS").is_some() {
        Some("bond".to_owned())
    } else if value("BRIDGE").is_none() && value("BRIDGE_PORTS").is_some() {
        Some("bridge".to_owned())
    } else {
        match kind.as_str() {
            "" | "ethernet" => interface
                .matches
                .iter()
                .find_map(|one| special(&one.value))
                .map(str::to_owned),
            other => Some(other.to_owned()),
        }
    };
    interface
}
