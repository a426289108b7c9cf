//! `/etc/network/interfaces` of ifupdown, ifupdown2, ifupdown-ng and busybox (interfaces(5)).

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    Evidence,
    facts::{Interface, InterfaceMatch, MatchBy},
    files::{Files, Read},
};

use super::{CONFIG_LIMIT, MAX_FILES, MAX_INTERFACES, expand, not_read, special};

const PATH: &str = "/etc/network/interfaces";

/// Reads the file and all that it names.
pub(super) fn read(files: &Files<'_>) -> Read<Option<Vec<Interface>>> {
    let Some(text) = files.read_text(PATH, CONFIG_LIMIT)? else {
        return Ok(None);
    };
    let mut all = Stanzas::default();
    // Files still to read, the next one last.
    let mut stack = vec![(PATH.to_owned(), text)];
    let mut seen = 0;
    while let Some((path, text)) = stack.pop() {
        seen += 1;
        if seen > MAX_FILES {
            return Err(not_read(&path));
        }
        let named = all.file(&path, &text);
        let mut found = Vec::new();
        for pattern in named {
            for path in pattern.paths(files, &path)? {
                if let Some(text) = files.read_text(&path, CONFIG_LIMIT)? {
                    found.push((path, text));
                }
            }
        }
        stack.extend(found.into_iter().rev());
    }
    if all.interfaces.len() > MAX_INTERFACES {
        return Err(not_read(PATH));
    }
    Ok(Some(all.finish()))
}

/// Other files that are named.
#[derive(Debug, PartialEq, Eq)]
enum Named {
    Files(String),
    /// Every file in a directory whose name a package could have.
    Directory(String),
}

impl Named {
    fn paths(&self, files: &Files<'_>, from: &str) -> Read<Vec<String>> {
        let absolute = |path: &str| match path.strip_prefix('/') {
            Some(_) => path.to_owned(),
            None => format!("{}/{path}", from.rsplit_once('/').map_or("", |(folder, _)| folder)),
        };
        match self {
            Self::Files(pattern) => expand(files, &absolute(pattern)),
            Self::Directory(folder) => {
                let folder = absolute(folder.trim_end_matches('/'));
                let is_plain = |name: &&String| {
                    name.bytes()
                        .all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
                };
                let names = files.list(&folder)?;
                Ok(names
                    .iter()
                    .filter(is_plain)
                    .map(|name| format!("{folder}/{name}"))
                    .collect())
            }
        }
    }
}

#[derive(Debug, Default)]
struct Stanzas {
    /// Names that come up at boot or when the card appears.
    automatic: BTreeSet<String>,
    /// By name, in their order.
    interfaces: Vec<Interface>,
    by_name: BTreeMap<String, usize>,
}

impl Stanzas {
    /// Takes one file in and tells which others it names.
    fn file(&mut self, path: &str, text: &str) -> Vec<Named> {
        let mut named = Vec::new();
        // The interface and family of the stanza that is being read.
        let mut open: Option<(usize, Family)> = None;
        for (number, line) in logical_lines(text) {
            let mut words = line.split_whitespace();
            let Some(word) = words.next() else { continue };
            let evidence = || Evidence::path(path).line(number).value(line.trim());
            match word {
                "auto" | "allow-auto" | "allow-hotplug" => {
                    self.automatic.extend(words.map(str::to_owned));
                    open = None;
                }
                "source" => {
                    named.extend(words.map(|pattern| Named::Files(pattern.to_owned())));
                    open = None;
                }
                "source-directory" => {
                    named.extend(words.map(|folder| Named::Directory(folder.to_owned())));
                    open = None;
                }
                "iface" => {
                    let Some(name) = words.next() else {
                        open = None;
                        continue;
                    };
                    let index = self.interface(name, path, evidence());
                    let family = if words.clone().any(|word| word == "inet6") {
                        Family::Six
                    } else {
                        Family::Four
                    };
                    let methods: Vec<&str> = words.collect();
                    if let Some(interface) = self.interfaces.get_mut(index) {
                        method(interface, family, methods.get(1).copied().unwrap_or_default());
                    }
                    open = Some((index, family));
                }
                "mapping" | "template" | "rename" | "no-auto-down" | "no-scripts" => open = None,
                _ if word.starts_with("allow-") => open = None,
                _ => {
                    if let Some((index, family)) = open
                        && let Some(interface) = self.interfaces.get_mut(index)
                    {
                        option(interface, family, word, &words.collect::<Vec<_>>(), evidence);
                    }
                }
            }
        }
        named
    }

    /// Several stanzas of one name belong to one interface.
    fn interface(&mut self, name: &str, path: &str, evidence: Evidence) -> usize {
        let index = *self.by_name.entry(name.to_owned()).or_insert(self.interfaces.len());
        if index == self.interfaces.len() {
            self.interfaces.push(Interface {
                matches: vec![InterfaceMatch {
                    by: MatchBy::Name,
                    value: name.to_owned(),
                    evidence: evidence.clone(),
                }],
                special: special(name).map(str::to_owned),
                by_cloud_init: path.contains("50-cloud-init"),
                evidence,
                ..Interface::default()
            });
        }
        index
    }

    fn finish(mut self) -> Vec<Interface> {
        for (name, index) in &self.by_name {
            if let Some(interface) = self.interfaces.get_mut(*index) {
                // ifupdown also takes patterns (`auto /eth*`); only the plain ones are told.
                interface.automatic =
                    self.automatic.contains(name) || self.automatic.iter().any(|pattern| is_for(pattern, name));
            }
        }
        self.interfaces
    }
}

/// `/eth*` is a pattern for names, `/eth*=lan` one that maps them.
fn is_for(pattern: &str, name: &str) -> bool {
    let Some(pattern) = pattern.strip_prefix('/') else {
        return false;
    };
    let (pattern, mapped) = pattern.split_once('=').unwrap_or((pattern, ""));
    mapped == name || (mapped.is_empty() && super::suits(pattern, name))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Four,
    Six,
}

fn method(interface: &mut Interface, family: Family, method: &str) {
    match (family, method) {
        (Family::Four, "dhcp" | "bootp") => interface.dhcp4 = true,
        (Family::Six, "dhcp" | "auto") => interface.dynamic6 = true,
        (_, "loopback") => interface.special = Some("loopback".to_owned()),
        (_, "ppp" | "wvdial" | "tunnel" | "6to4" | "v4tunnel" | "can") => interface.special = Some(method.to_owned()),
        _ => {}
    }
}

fn option(interface: &mut Interface, family: Family, key: &str, values: &[&str], evidence: impl Fn() -> Evidence) {
    match (key, values.first().copied().unwrap_or_default()) {
        ("address", address) if !address.is_empty() => interface.addresses.push(evidence().value(address)),
        ("dns-nameservers" | "dns-nameserver", _) => {
            interface
                .name_servers
                .extend(values.iter().map(|server| evidence().value(server)));
        }
        ("hwaddress", _) => {
            let address = values.last().copied().unwrap_or_default();
            if address != "random" {
                interface.sets_mac = Some(evidence().value(address));
            }
        }
        // ifupdown2 and ifupdown-ng.
        ("use" | "inet", "dhcp") => interface.dhcp4 = true,
        ("inet6", "dhcp" | "auto") => interface.dynamic6 = true,
        ("accept_ra", "1" | "2") | ("autoconf", "1") if family == Family::Six => interface.dynamic6 = true,
        ("bridge_ports" | "bridge-ports", _) => interface.special = Some("bridge".to_owned()),
        ("bond-slaves" | "bond-mode" | "bond_mode", _) => interface.special = Some("bond".to_owned()),
        ("vlan-raw-device" | "vlan_raw_device", _) => interface.special = Some("vlan".to_owned()),
        ("wpa-ssid" | "wireless-essid" | "wpa-conf", _) => interface.special = Some("wireless".to_owned()),
        _ => {}
    }
}

/// Lines that are no comments, joined where a backslash continues them, with the number of the first.
fn logical_lines(text: &str) -> Vec<(u32, String)> {
    let mut all: Vec<(u32, String)> = Vec::new();
    let mut goes_on = false;
    for (number, line) in (1..).zip(text.lines()) {
        // A comment is continued as well, and stays one.
        let (part, continues) = match line.strip_suffix('\\') {
            Some(part) => (part, true),
            None => (line, false),
        };
        match all.last_mut() {
            Some((_, whole)) if goes_on => whole.push_str(part),
            _ => all.push((number, part.to_owned())),
        }
        goes_on = continues;
    }
    all.retain(|(_, line)| !line.trim_start().starts_with('#'));
    all
}
