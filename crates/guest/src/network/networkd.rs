//! systemd-networkd's `.network` files, and the `.link` files by which udev names cards (systemd.network(5),
//! systemd.link(5)).

use std::collections::BTreeMap;

use crate::{
    Evidence,
    facts::{FixedName, Interface, InterfaceMatch, MatchBy},
    files::{Files, Read},
};

use super::{CONFIG_LIMIT, MAX_INTERFACES, ini, not_read, special};

/// Where files stand; one in an earlier folder hides those of the same name in the later ones.
const FOLDERS: [&str; 4] = [
    "/etc/systemd/network",
    "/usr/local/lib/systemd/network",
    "/usr/lib/systemd/network",
    "/lib/systemd/network",
];

/// A file with its drop-ins.
pub(super) struct Unit {
    pub(super) path: String,
    /// Each file's path and content, the unit itself first.
    texts: Vec<(String, String)>,
}

/// One entry of a unit and where it stands.
struct Setting {
    section: String,
    key: String,
    value: String,
    evidence: Evidence,
}

impl Unit {
    fn settings(&self) -> Vec<Setting> {
        let mut all = Vec::new();
        for (path, text) in &self.texts {
            all.extend(ini::read(text).into_iter().map(|entry| Setting {
                section: entry.section.to_owned(),
                key: entry.key.to_owned(),
                value: entry.value.to_owned(),
                evidence: Evidence::path(path).line(entry.line).value(entry.value),
            }));
        }
        all
    }
}

/// All files of one kind in the order in which they are tried: by name, whatever their folder.
pub(super) fn units(files: &Files<'_>, ending: &str) -> Read<Vec<Unit>> {
    let mut paths: BTreeMap<String, String> = BTreeMap::new();
    // Drop-ins by the name of the unit, then by their own.
    let mut drop_ins: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for folder in FOLDERS {
        for name in files.list(folder)? {
            if name.ends_with(ending) {
                paths.entry(name.clone()).or_insert(format!("{folder}/{name}"));
            } else if let Some(unit) = name.strip_suffix(".d").filter(|unit| unit.ends_with(ending)) {
                for part in files.list(&format!("{folder}/{name}"))? {
                    let path = format!("{folder}/{name}/{part}");
                    if part.strip_suffix(".conf").is_some() {
                        drop_ins.entry(unit.to_owned()).or_default().entry(part).or_insert(path);
                    }
                }
            }
        }
    }
    if paths.len() > MAX_INTERFACES || drop_ins.values().any(|parts| parts.len() > MAX_INTERFACES) {
        return Err(not_read(FOLDERS[0]));
    }
    let mut all = Vec::new();
    for (name, path) in paths {
        // A link to /dev/null or an empty file hides it.
        let Some(text) = files.read_text(&path, CONFIG_LIMIT)?.filter(|text| !text.is_empty()) else {
            continue;
        };
        let mut texts = vec![(path.clone(), text)];
        for part in drop_ins.get(&name).into_iter().flat_map(BTreeMap::values) {
            if let Some(text) = files.read_text(part, CONFIG_LIMIT)? {
                texts.push((part.clone(), text));
            }
        }
        all.push(Unit { path, texts });
    }
    Ok(all)
}

pub(super) fn read(files: &Files<'_>) -> Read<Vec<Interface>> {
    Ok(units(files, ".network")?.iter().map(interface).collect())
}

fn is_yes(value: &str) -> bool {
    matches!(
        value.to_ascii_lowercase().as_str(),
        "yes" | "true" | "1" | "on" | "y" | "t"
    )
}

fn interface(unit: &Unit) -> Interface {
    let mut interface = Interface {
        automatic: true,
        by_cloud_init: unit.path.contains("/10-cloud-init"),
        evidence: Evidence::path(&unit.path),
        ..Interface::default()
    };
    let mut accepts: Option<bool> = None;
    let mut local = false;
    for Setting {
        section,
        key,
        value,
        evidence,
    } in unit.settings()
    {
        match (section.as_str(), key.as_str()) {
            ("Match", key) if !value.is_empty() => {
                let by = match key {
                    "Name" | "OriginalName" => MatchBy::Name,
                    "MACAddress" | "PermanentMACAddress" => MatchBy::Mac,
                    _ => MatchBy::Other,
                };
                // Without a name, the condition tells nothing.
                let value = if by == MatchBy::Other {
                    interface.special = interface.special.or(special_property(key, &value).map(str::to_owned));
                    format!("{key}={value}")
                } else {
                    value
                };
                interface.matches.push(InterfaceMatch { by, value, evidence });
            }
            ("Network", "DHCP") => {
                let value = value.to_ascii_lowercase();
                interface.dhcp4 = is_yes(&value) || matches!(value.as_str(), "ipv4" | "both" | "v4");
                interface.dynamic6 = is_yes(&value) || matches!(value.as_str(), "ipv6" | "both" | "v6");
            }
            ("Network", "IPv6AcceptRA") => accepts = Some(is_yes(&value)),
            ("Network", "LinkLocalAddressing") => local = matches!(value.as_str(), "no" | "ipv4" | "false"),
            ("Network" | "Address", "Address") if value.is_empty() => interface.addresses.clear(),
            ("Network" | "Address", "Address") => interface.addresses.push(evidence),
            ("Network", "DNS") => {
                let servers = value.split_whitespace().map(|server| evidence.clone().value(server));
                interface.name_servers.extend(servers);
            }
            ("Network", "Bridge" | "Bond" | "VRF") => interface.special = Some(key.to_ascii_lowercase()),
            ("Link", "MACAddress") => interface.sets_mac = Some(evidence),
            ("Link", "Unmanaged") if is_yes(&value) => interface.automatic = false,
            ("Link", "ActivationPolicy") if !matches!(value.as_str(), "up" | "always-up" | "bound") => {
                interface.automatic = false;
            }
            _ => {}
        }
    }
    // systemd.network(5): router advertisements are accepted where nothing else is said and IPv6 is on.
    interface.dynamic6 |= accepts.unwrap_or(!local && interface.dhcp4);
    if interface.special.is_none() {
        let names = interface.matches.iter().filter(|one| one.by == MatchBy::Name);
        interface.special = names.filter_map(|one| special(&one.value)).map(str::to_owned).next();
    }
    interface
}

/// What an interface with a property is, if it is no network card: systemd brings files for such ones.
fn special_property(key: &str, value: &str) -> Option<&'static str> {
    match (key, value) {
        ("Type", "wlan") => Some("wireless"),
        ("Type", "sit") => Some("tunnel"),
        ("Virtualization", "container") => Some("container"),
        _ => None,
    }
}

/// Names that `.link` files give to one card.
pub(super) fn fixed_names(files: &Files<'_>) -> Read<Vec<FixedName>> {
    let mut all = Vec::new();
    for unit in units(files, ".link")? {
        let settings = unit.settings();
        let last = |section: &str, keys: &[&str]| {
            let mut found = settings.iter().rev();
            found.find(|one| one.section == section && keys.contains(&one.key.as_str()) && !one.value.is_empty())
        };
        if let Some(name) = last("Link", &["Name"]) {
            all.push(FixedName {
                name: name.value.clone(),
                mac: last("Match", &["MACAddress", "PermanentMACAddress"]).map(|mac| mac.value.clone()),
                evidence: name.evidence.clone(),
            });
        }
    }
    Ok(all)
}
