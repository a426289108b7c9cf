//! netplan's YAML (netplan-yaml reference): all files together, merged as netplan does.

use std::collections::BTreeMap;

use crate::{
    Evidence,
    facts::{Interface, InterfaceMatch, MatchBy},
    files::{Files, Read},
    yaml::{self, Key, Kind, Map, Parsed, Value},
};

use super::{CONFIG_LIMIT, MAX_FILES, MAX_INTERFACES, not_read};

/// Where files stand; one in a later folder replaces one of the same name in an earlier one (netplan-generate(8)).
const FOLDERS: &[&str] = &["/usr/lib/netplan", "/lib/netplan", "/etc/netplan"];

/// Sections of `network`, and what their interfaces are if they are no network cards.
const SECTIONS: &[(&str, Option<&str>)] = &[
    ("ethernets", None),
    ("wifis", Some("wireless")),
    ("modems", Some("modem")),
    ("bonds", Some("bond")),
    ("bridges", Some("bridge")),
    ("vlans", Some("vlan")),
    ("vrfs", Some("vrf")),
    ("tunnels", Some("tunnel")),
    ("dummy-devices", Some("dummy")),
    ("virtual-ethernets", Some("container")),
];

/// What all files together say.
#[derive(Debug, Default)]
pub(super) struct Settings {
    pub(super) interfaces: Vec<Interface>,
    /// Some of them are handed on to systemd-networkd.
    pub(super) to_networkd: bool,
}

/// One definition, as later files may change it.
#[derive(Debug, Default)]
struct Definition {
    interface: Interface,
    /// `match`: when it is there, the definition's name is only a name.
    has_match: bool,
    renderer: Option<String>,
    /// `accept-ra`, `dhcp6`.
    accepts: Option<bool>,
    dhcp6: bool,
}

pub(super) fn read(files: &Files<'_>) -> Read<Settings> {
    let mut paths: BTreeMap<String, String> = BTreeMap::new();
    for folder in FOLDERS {
        for name in files.list(folder)? {
            if name.strip_suffix(".yaml").is_some() {
                let path = format!("{folder}/{name}");
                paths.insert(name, path);
            }
        }
    }
    if paths.len() > MAX_FILES {
        return Err(not_read("/etc/netplan"));
    }
    let mut all = Merged::default();
    for path in paths.values() {
        let Some(text) = files.read_text(path, CONFIG_LIMIT)? else {
            continue;
        };
        match yaml::parse(&text, 0) {
            // netplan gives up as a whole when one file is broken.
            Parsed::Broken(_) | Parsed::Unclear => return Err(not_read(path)),
            Parsed::Value(value) => {
                if let Some(network) = value.get("network").and_then(Value::map) {
                    all.file(network, path);
                }
            }
        }
        if all.order.len() > MAX_INTERFACES {
            return Err(not_read(path));
        }
    }
    Ok(all.finish())
}

/// What one mapping `network` says that stands in another program's file.
pub(super) fn of_settings(network: &Map, path: &str) -> Vec<Interface> {
    let mut all = Merged::default();
    all.file(network, path);
    all.finish().interfaces
}

#[derive(Debug, Default)]
struct Merged {
    /// Section and name, in the order in which they came first.
    order: Vec<(usize, String)>,
    definitions: BTreeMap<(usize, String), Definition>,
    renderer: Option<String>,
    /// By section.
    renderers: BTreeMap<usize, String>,
}

impl Merged {
    fn file(&mut self, network: &Map, path: &str) {
        if let Some(renderer) = network.get("renderer").and_then(Value::text) {
            self.renderer = Some(renderer.to_owned());
        }
        for (index, (section, special)) in SECTIONS.iter().enumerate() {
            let Some(section) = network.get(section).and_then(Value::map) else {
                continue;
            };
            if let Some(renderer) = section.get("renderer").and_then(Value::text) {
                self.renderers.insert(index, renderer.to_owned());
            }
            for entry in &section.entries {
                let (name, Some(settings)) = (name_of(&entry.key), entry.value.map()) else {
                    continue;
                };
                let key = (index, name);
                if !self.definitions.contains_key(&key) {
                    self.order.push(key.clone());
                }
                let definition = self.definitions.entry(key.clone()).or_insert_with(|| {
                    let evidence = Evidence::path(path).line(entry.place.line).value(&key.1);
                    Definition {
                        interface: Interface {
                            automatic: true,
                            special: special.map(str::to_owned),
                            evidence,
                            ..Interface::default()
                        },
                        ..Definition::default()
                    }
                });
                definition.take(settings, path);
            }
        }
    }

    fn finish(mut self) -> Settings {
        let mut all = Settings::default();
        for key in &self.order {
            let Some(mut definition) = self.definitions.remove(key) else {
                continue;
            };
            let renderer = definition
                .renderer
                .as_ref()
                .or(self.renderers.get(&key.0))
                .or(self.renderer.as_ref());
            all.to_networkd |= renderer.is_none_or(|renderer| renderer != "NetworkManager");
            if !definition.has_match {
                let evidence = definition.interface.evidence.clone();
                definition.interface.matches.insert(
                    0,
                    InterfaceMatch {
                        by: MatchBy::Name,
                        value: key.1.clone(),
                        evidence,
                    },
                );
            }
            let interface = &mut definition.interface;
            interface.dynamic6 = definition.dhcp6 || definition.accepts.unwrap_or(interface.dhcp4);
            if interface.special.is_none() && key.1 == "lo" {
                interface.special = Some("loopback".to_owned());
            }
            all.interfaces.push(definition.interface);
        }
        all
    }
}

impl Definition {
    fn take(&mut self, settings: &Map, path: &str) {
        self.interface.by_cloud_init |= path.ends_with("/50-cloud-init.yaml");
        for entry in &settings.entries {
            let (Key::Text(key), value) = (&entry.key, &entry.value) else {
                continue;
            };
            let evidence = |text: &str| Evidence::path(path).line(value.place.line).value(text);
            match key.as_str() {
                "match" => {
                    self.has_match = true;
                    for entry in value.map().into_iter().flat_map(|map| &map.entries) {
                        self.match_by(&name_of(&entry.key), &entry.value, path);
                    }
                }
                "renderer" => self.renderer = value.text().map(str::to_owned),
                "dhcp4" => self.interface.dhcp4 = is_on(value).unwrap_or(self.interface.dhcp4),
                "dhcp6" => self.dhcp6 = is_on(value).unwrap_or(self.dhcp6),
                "accept-ra" => self.accepts = is_on(value).or(self.accepts),
                "addresses" => {
                    for address in value.list().into_iter().flatten().filter_map(address) {
                        self.interface
                            .addresses
                            .push(Evidence::path(path).line(address.1).value(&address.0));
                    }
                }
                "nameservers" => {
                    let servers = value.get("addresses").and_then(Value::list).into_iter().flatten();
                    for server in servers.filter_map(address) {
                        self.interface
                            .name_servers
                            .push(Evidence::path(path).line(server.1).value(&server.0));
                    }
                }
                "macaddress" => {
                    let mac = mac(value);
                    if mac.contains(':') {
                        self.interface.sets_mac = Some(evidence(&mac));
                    }
                }
                "activation-mode" => self.interface.automatic = false,
                _ => {}
            }
        }
    }

    /// A later file's condition of the same kind takes the place of an earlier one's.
    fn match_by(&mut self, key: &str, value: &Value, path: &str) {
        let (by, text) = match key {
            "name" => (MatchBy::Name, plain(value)),
            "macaddress" => (MatchBy::Mac, mac(value)),
            _ => (MatchBy::Other, format!("{key}={}", plain(value))),
        };
        let found = InterfaceMatch {
            by,
            evidence: Evidence::path(path).line(value.place.line).value(&text),
            value: text,
        };
        let prefix = format!("{key}=");
        let matches = &mut self.interface.matches;
        matches.retain(|known| known.by != by || (by == MatchBy::Other && !known.value.starts_with(&prefix)));
        matches.push(found);
    }
}

fn name_of(key: &Key) -> String {
    match key {
        Key::Text(text) | Key::Other(text) => text.clone(),
        Key::Int(number) => number.to_string(),
        Key::Bool(value) => value.to_string(),
        Key::Null => String::new(),
    }
}

/// A scalar, or several of a list with spaces between them.
fn plain(value: &Value) -> String {
    match &value.kind {
        Kind::Text(text) | Kind::Other(text) => text.clone(),
        Kind::Int(number) => number.to_string(),
        Kind::Bool(value) => value.to_string(),
        Kind::List(list) => {
            let texts: Vec<&str> = list.iter().filter_map(Value::text).collect();
            texts.join(" ")
        }
        Kind::Null | Kind::Map(_) => String::new(),
    }
}

/// A hardware address. YAML 1.1 takes one of nothing but digits for a number of base 60.
fn mac(value: &Value) -> String {
    let Kind::Int(mut number) = value.kind else {
        return plain(value);
    };
    let mut parts = Vec::new();
    for _ in 0..6 {
        parts.push(format!("{:02}", number.rem_euclid(60)));
        number = number.div_euclid(60);
    }
    parts.reverse();
    parts.join(":")
}

/// netplan's own words for true and false beside YAML's.
fn is_on(value: &Value) -> Option<bool> {
    match &value.kind {
        Kind::Bool(value) => Some(*value),
        Kind::Text(text) => match text.to_ascii_lowercase().as_str() {
            "true" | "on" | "yes" | "y" => Some(true),
            "false" | "off" | "no" | "n" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// `192.0.2.10/24`, or the same as the key of a mapping with options, and its line.
fn address(value: &Value) -> Option<(String, u32)> {
    let line = value.place.line;
    match &value.kind {
        Kind::Map(map) => map.entries.first().map(|entry| (name_of(&entry.key), entry.place.line)),
        _ => Some((plain(value), line)).filter(|(text, _)| !text.is_empty()),
    }
}
