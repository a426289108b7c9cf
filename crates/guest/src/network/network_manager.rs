//! NetworkManager's own profiles (nm-settings-keyfile(5)).

use std::collections::BTreeMap;

use crate::{
    Evidence,
    facts::{Interface, InterfaceMatch, MatchBy},
    files::{Files, Read},
};

use super::{CONFIG_LIMIT, MAX_INTERFACES, ifcfg, ini, not_read, special};

/// Permissions of everybody but the owner: with any of them a profile is not taken.
const OTHERS: u16 = 0o077;

/// Where profiles stand; one in the first folder hides one of the same name in the second.
const FOLDERS: [&str; 2] = [
    "/etc/NetworkManager/system-connections",
    "/usr/lib/NetworkManager/system-connections",
];

/// Where settings of the program itself stand, in the order in which they are read (NetworkManager.conf(5)).
const SETTINGS: [&str; 2] = ["/usr/lib/NetworkManager/conf.d", "/etc/NetworkManager/conf.d"];

const MAIN: &str = "/etc/NetworkManager/NetworkManager.conf";

/// All profiles, and what NetworkManager does with a card that none of them is for.
pub(super) fn read(files: &Files<'_>) -> Read<Vec<Interface>> {
    let mut paths: BTreeMap<String, String> = BTreeMap::new();
    for folder in FOLDERS {
        for name in files.list(folder)? {
            // Before version 1.14 a profile had no ending.
            if (folder == FOLDERS[0] || name.strip_suffix(".nmconnection").is_some()) && !is_left_out(&name) {
                paths.entry(name.clone()).or_insert(format!("{folder}/{name}"));
            }
        }
    }
    if paths.len() > MAX_INTERFACES {
        return Err(not_read(FOLDERS[0]));
    }
    let mut all = Vec::new();
    for path in paths.values() {
        // A profile that others may read is not taken; neither is a link to /dev/null, which hides one.
        let is_taken = files
            .stat(path)?
            .is_some_and(|stat| stat.mode & OTHERS == 0 || !path.starts_with("/etc/"));
        if is_taken && let Some(text) = files.read_text(path, CONFIG_LIMIT)? {
            all.extend(profile(&text, path));
        }
    }
    all.extend(ifcfg::read(files, &ifcfg::RED_HAT, true)?);
    let defaults = no_auto_default(files)?;
    if defaults.is_none() {
        all.push(Interface {
            automatic: true,
            dhcp4: true,
            dynamic6: true,
            evidence: Evidence::path(MAIN),
            ..Interface::default()
        });
    }
    Ok(all)
}

/// Names that editors and package managers leave (`nm_keyfile_utils_should_ignore_filename`).
fn is_left_out(name: &str) -> bool {
    name.starts_with('.')
        || name.ends_with('~')
        || [
            ".rpmsave",
            ".rpmnew",
            ".bak",
            ".orig",
            ".rej",
            ".tmp",
            ".dpkg-old",
            ".dpkg-dist",
        ]
        .iter()
        .any(|ending| name.ends_with(ending))
}

/// `no-auto-default=*`: a card without a profile is left alone. Red Hat's NetworkManager-config-server says so.
fn no_auto_default(files: &Files<'_>) -> Read<Option<Evidence>> {
    let mut paths = vec![MAIN.to_owned()];
    for folder in SETTINGS {
        for name in files.list(folder)? {
            if name.strip_suffix(".conf").is_some() {
                paths.push(format!("{folder}/{name}"));
            }
        }
    }
    for path in paths.iter().take(MAX_INTERFACES) {
        let text = files.read_text(path, CONFIG_LIMIT)?.unwrap_or_default();
        let entries = ini::read(&text);
        let found = entries
            .iter()
            .find(|entry| (entry.section, entry.key, entry.value) == ("main", "no-auto-default", "*"));
        if let Some(entry) = found {
            return Ok(Some(Evidence::path(path).line(entry.line).value("no-auto-default=*")));
        }
    }
    Ok(None)
}

/// One profile; `None` when it is none.
fn profile(text: &str, path: &str) -> Option<Interface> {
    let entries = ini::read(text);
    let value = |section: &str, key: &str| {
        let found = entries
            .iter()
            .rev()
            .find(|entry| entry.section == section && entry.key == key)?;
        Some((found.value, Evidence::path(path).line(found.line)))
    };
    let kind = value("connection", "type").map_or("", |(kind, _)| kind);
    let card = if kind == "802-3-ethernet" {
        "802-3-ethernet"
    } else {
        "ethernet"
    };
    let (_, evidence) = value("connection", "id").or_else(|| value("connection", "type"))?;
    let mut interface = Interface {
        automatic: value("connection", "autoconnect").is_none_or(|(value, _)| !matches!(value, "false" | "no" | "0")),
        special: match kind {
            "ethernet" | "802-3-ethernet" | "" => None,
            "802-11-wireless" => Some("wireless".to_owned()),
            other => Some(other.to_owned()),
        },
        by_cloud_init: path.contains("/cloud-init-"),
        evidence: evidence.clone(),
        ..Interface::default()
    };
    let mut add = |by, (value, evidence): (&str, Evidence)| {
        interface.matches.push(InterfaceMatch {
            by,
            value: value.trim_end_matches(';').replace(';', " "),
            evidence: evidence.value(value),
        });
    };
    for (section, key, by) in [
        ("connection", "interface-name", MatchBy::Name),
        ("match", "interface-name", MatchBy::Name),
        (card, "mac-address", MatchBy::Mac),
        ("match", "driver", MatchBy::Other),
        ("match", "path", MatchBy::Other),
        ("match", "kernel-command-line", MatchBy::Other),
    ] {
        if let Some(found) = value(section, key).filter(|(value, _)| !value.is_empty()) {
            add(by, found);
        }
    }
    if let Some((mac, evidence)) = value(card, "cloned-mac-address")
        && mac.contains(':')
    {
        interface.sets_mac = Some(evidence.value(mac));
    }
    for section in ["ipv4", "ipv6"] {
        let own = || entries.iter().filter(|entry| entry.section == section);
        // `address1=192.0.2.10/24,192.0.2.1`: the gateway may stand behind it.
        for entry in own().filter(|entry| entry.key.starts_with("address") && entry.key != "address-data") {
            for address in entry.value.split(';').filter(|address| !address.is_empty()) {
                let address = address.split(',').next().unwrap_or_default();
                interface
                    .addresses
                    .push(Evidence::path(path).line(entry.line).value(address));
            }
        }
        for entry in own().filter(|entry| entry.key == "dns") {
            for server in entry.value.split([';', ',']).filter(|server| !server.is_empty()) {
                interface
                    .name_servers
                    .push(Evidence::path(path).line(entry.line).value(server));
            }
        }
        let has_address = own().any(|entry| entry.key.starts_with("address"));
        let method = value(section, "method").map_or(if has_address { "manual" } else { "auto" }, |(method, _)| method);
        match (section, method) {
            ("ipv4", "auto") => interface.dhcp4 = true,
            ("ipv6", "auto" | "dhcp") => interface.dynamic6 = true,
            _ => {}
        }
    }
    if let Some((name, _)) = value("connection", "interface-name")
        && interface.special.is_none()
    {
        interface.special = special(name).map(str::to_owned);
    }
    Some(interface)
}
