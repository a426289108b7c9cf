//! firewalld: zones, services and rich rules (firewalld.zone(5), firewalld.richlanguage(5)).

use quick_xml::{
    Reader,
    events::{BytesStart, Event},
};

use crate::{
    Evidence, Unknown,
    facts::{Filter, Reach},
    files::{Files, Read},
};

use super::{filter, iptables::prefix, model::Answer, started};

/// Largest file of a zone or service, in bytes.
const LIMIT: usize = 1 << 20;

/// Most zones that a network card may be in.
const MAX_ZONES: usize = 100;

/// A zone's file: the administrator's wins over the package's of the same name.
const ZONES: [&str; 2] = ["/etc/firewalld/zones", "/usr/lib/firewalld/zones"];
const SERVICES: [&str; 2] = ["/etc/firewalld/services", "/usr/lib/firewalld/services"];
const DIRECT: &str = "/etc/firewalld/direct.xml";
const SETTINGS: &str = "/etc/firewalld/firewalld.conf";

/// What a rule of a zone does with a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Accept,
    Deny,
    NotKnown,
}

/// One entry of a zone that may concern the port.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    /// Lower comes first (firewalld.richlanguage(5)).
    priority: i32,
    /// Only for some addresses.
    only_some: bool,
    verdict: Verdict,
    line: u32,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Zone {
    /// `ACCEPT`, `DROP`, `%%REJECT%%` or empty for the default.
    target: String,
    interfaces: Vec<String>,
    /// It is (also) for packets of these addresses.
    has_sources: bool,
    entries: Vec<Entry>,
}

pub(super) fn read(files: &Files<'_>, ports: &[u16]) -> Read<Option<Filter>> {
    let programs = ["/usr/sbin/firewalld", "/usr/bin/firewalld"];
    if files.first_file(&programs)?.is_none() {
        return Ok(None);
    }
    let Some(start) = started(files, &["firewalld.service"], &["firewalld"])? else {
        return Ok(None);
    };
    let mut answers = Vec::new();
    for port in ports {
        answers.push(judge(files, *port)?);
    }
    Ok(Some(filter("firewalld", start, answers.into_iter())))
}

fn judge(files: &Files<'_>, port: u16) -> Read<Answer> {
    // Rules of its old interface and policies between zones come before the zones.
    let text = files.read_text(DIRECT, LIMIT)?.unwrap_or_default();
    if text.contains("<rule ") || text.contains("<passthrough ") {
        return Ok(not_known(Evidence::path(DIRECT)));
    }
    for name in files.list("/etc/firewalld/policies")? {
        let path = format!("/etc/firewalld/policies/{name}");
        let text = files.read_text(&path, LIMIT)?.unwrap_or_default();
        if name.strip_suffix(".xml").is_some() && text.contains("HOST") {
            return Ok(not_known(Evidence::path(path)));
        }
    }
    let mut names = vec![default_zone(files)?];
    let mut some = false;
    for name in files
        .list(ZONES[0])?
        .iter()
        .take(MAX_ZONES)
        .filter_map(|name| name.strip_suffix(".xml"))
    {
        let Some((zone, path)) = zone(files, name, port)? else {
            continue;
        };
        let is_for_card = zone.interfaces.iter().any(|interface| !is_inner(interface));
        if is_for_card && names.iter().all(|(known, _)| known != name) {
            names.push((name.to_owned(), Evidence::path(&path)));
        }
        some |= zone.has_sources && zone.judge(&path).reach != Some(Reach::Nobody);
    }
    for (name, at) in zones_of_connections(files)? {
        if names.iter().all(|(known, _)| *known != name) {
            names.push((name, at));
        }
    }
    // The card's name on the new machine decides which of them it is in, and is not known. All must say the same.
    let mut common: Option<Answer> = None;
    for (name, at) in names {
        let Some((zone, path)) = zone(files, &name, port)? else {
            return Ok(not_known(at));
        };
        let answer = zone.judge(&path);
        match &common {
            Some(known) if known.reach != answer.reach => return Ok(not_known(at)),
            Some(_) => {}
            None => common = Some(answer),
        }
    }
    let answer = common.unwrap_or_else(|| not_known(Evidence::path(SETTINGS)));
    Ok(match answer.reach {
        Some(Reach::Nobody) if some => Answer {
            reach: Some(Reach::SomeAddresses),
            ..answer
        },
        _ => answer,
    })
}

fn not_known(evidence: Evidence) -> Answer {
    Answer {
        reach: None,
        evidence: Some(evidence),
    }
}

/// Interfaces that no network card has.
fn is_inner(interface: &str) -> bool {
    [
        "lo", "docker", "virbr", "br-", "cni", "podman", "tun", "tap", "wg", "veth",
    ]
    .iter()
    .any(|inner| interface.starts_with(inner))
}

/// Zones that the network's own settings put a card into (nm-settings-keyfile(5), `connection.zone`; nm-settings-ifcfg-rh(5),
/// `ZONE`).
fn zones_of_connections(files: &Files<'_>) -> Read<Vec<(String, Evidence)>> {
    const FOLDERS: [(&str, &str, &str); 2] = [
        ("/etc/NetworkManager/system-connections", "", "zone="),
        ("/etc/sysconfig/network-scripts", "ifcfg-", "ZONE="),
    ];
    let mut zones = Vec::new();
    for (folder, start, key) in FOLDERS {
        let names = files.list(folder)?;
        for name in names.iter().filter(|name| name.starts_with(start)).take(MAX_ZONES) {
            let path = format!("{folder}/{name}");
            let text = files.read_text(&path, LIMIT)?.unwrap_or_default();
            for (number, line) in (1..).zip(text.lines().map(str::trim)) {
                let value = line
                    .strip_prefix(key)
                    .map(|value| value.trim().trim_matches(['"', '\'']));
                if let Some(zone) = value.filter(|zone| !zone.is_empty()) {
                    zones.push((zone.to_owned(), Evidence::path(&path).line(number).value(line)));
                }
            }
        }
    }
    Ok(zones)
}

fn default_zone(files: &Files<'_>) -> Read<(String, Evidence)> {
    let text = files.read_text(SETTINGS, LIMIT)?.unwrap_or_default();
    let lines = (1..).zip(text.lines().map(str::trim));
    let set = lines.filter_map(|(number, line)| Some((line.strip_prefix("DefaultZone=")?.trim(), number)));
    Ok(match set.last() {
        Some((name, number)) => (name.to_owned(), Evidence::path(SETTINGS).line(number).value(name)),
        // firewalld.conf(5): the default of the default.
        None => ("public".to_owned(), Evidence::path(SETTINGS)),
    })
}

/// A zone and its path; `None` when there is none of that name.
fn zone(files: &Files<'_>, name: &str, port: u16) -> Read<Option<(Zone, String)>> {
    let Some((text, path)) = first(files, ZONES, name)? else {
        return Ok(None);
    };
    let mut failed = None;
    let zone = parse_zone(&text, port, &mut |service| {
        opens(files, service, port).unwrap_or_else(|unknown| {
            failed.get_or_insert(unknown);
            None
        })
    });
    match (failed, zone) {
        (Some(unknown), _) => Err(unknown),
        (None, Some(zone)) => Ok(Some((zone, path))),
        (None, None) => Err(Unknown::new("network_config_not_read").with("path", path)),
    }
}

fn first(files: &Files<'_>, folders: [&str; 2], name: &str) -> Read<Option<(String, String)>> {
    if name.contains('/') {
        return Ok(None);
    }
    for folder in folders {
        let path = format!("{folder}/{name}.xml");
        if let Some(text) = files.read_text(&path, LIMIT)? {
            return Ok(Some((text, path)));
        }
    }
    Ok(None)
}

/// Does a service open the port? `None`: it brings others along that are not looked into.
fn opens(files: &Files<'_>, service: &str, port: u16) -> Read<Option<bool>> {
    let Some((text, _)) = first(files, SERVICES, service)? else {
        // A service that is not there opens nothing.
        return Ok(Some(false));
    };
    let mut includes = false;
    let mut found = false;
    let mut reader = Reader::from_str(&text);
    loop {
        match reader.read_event() {
            Ok(Event::Start(tag) | Event::Empty(tag)) => match tag.name().as_ref() {
                "port" => found |= is_port(&tag, port),
                "protocol" => found |= attribute(&tag, "value") == "tcp",
                "include" => includes = true,
                _ => {}
            },
            Ok(Event::Eof) => break,
            Ok(_) => {}
            Err(_) => return Ok(None),
        }
    }
    Ok(if found || !includes { Some(found) } else { None })
}

fn attribute(tag: &BytesStart<'_>, name: &str) -> String {
    let attribute = tag.try_get_attribute(name).ok().flatten();
    attribute
        .map(|attribute| attribute.value.into_owned())
        .unwrap_or_default()
}

/// `<port protocol="tcp" port="20-25"/>`
fn is_port(tag: &BytesStart<'_>, port: u16) -> bool {
    let text = attribute(tag, "port");
    let (from, to) = text.split_once('-').unwrap_or((&text, &text));
    let suits = match (from.parse::<u16>(), to.parse::<u16>()) {
        (Ok(from), Ok(to)) => (from..=to).contains(&port),
        _ => false,
    };
    suits && attribute(tag, "protocol") == "tcp"
}

/// A rich rule that is being read.
#[derive(Debug, Default)]
struct Rich {
    priority: i32,
    line: u32,
    /// Not for IPv4.
    is_other_family: bool,
    only_some: bool,
    /// `None` as long as nothing says what it is about: then it is about everything.
    suits: Option<bool>,
    not_known: bool,
    verdict: Option<Verdict>,
}

/// Reads a zone as far as it concerns a port; `None` when the file is no XML.
fn parse_zone(text: &str, port: u16, opens: &mut dyn FnMut(&str) -> Option<bool>) -> Option<Zone> {
    let mut zone = Zone::default();
    let mut rich: Option<Rich> = None;
    let mut reader = Reader::from_str(text);
    loop {
        let at = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
        let event = reader.read_event().ok()?;
        let is_empty = matches!(event, Event::Empty(_));
        match event {
            Event::Start(tag) | Event::Empty(tag) => {
                let line = line_at(text, at);
                match (tag.name().as_ref(), &mut rich) {
                    ("rule", _) => {
                        let opened = Rich {
                            priority: attribute(&tag, "priority").parse().unwrap_or(0),
                            line,
                            is_other_family: attribute(&tag, "family") == "ipv6",
                            ..Rich::default()
                        };
                        rich = (!is_empty).then_some(opened);
                    }
                    (name, Some(rule)) => rule.part(name, &tag, port, opens),
                    ("zone", None) => zone.target = attribute(&tag, "target"),
                    ("interface", None) => zone.interfaces.push(attribute(&tag, "name")),
                    ("source", None) => zone.has_sources = true,
                    ("service", None) => match opens(&attribute(&tag, "name")) {
                        Some(true) => zone.add(0, Verdict::Accept, line),
                        Some(false) => {}
                        None => zone.add(0, Verdict::NotKnown, line),
                    },
                    ("port", None) if is_port(&tag, port) => zone.add(0, Verdict::Accept, line),
                    ("protocol", None) if attribute(&tag, "value") == "tcp" => zone.add(0, Verdict::Accept, line),
                    // Ports of the client are not known; a port that is sent on reaches another server.
                    ("source-port", None) => zone.add(0, Verdict::NotKnown, line),
                    ("forward-port", None) if is_port(&tag, port) => zone.add(i32::MIN, Verdict::NotKnown, line),
                    _ => {}
                }
            }
            Event::End(tag) if tag.name().as_ref() == "rule" => {
                zone.entries.extend(rich.take().and_then(Rich::entry));
            }
            Event::Eof => break,
            _ => {}
        }
    }
    zone.entries
        .sort_by_key(|entry| (entry.priority, entry.verdict == Verdict::Accept));
    Some(zone)
}

fn line_at(text: &str, at: usize) -> u32 {
    // The position stands before the tag, behind what was before it.
    let before = text.get(..at).unwrap_or(text);
    let skipped = text.get(at..).map_or(0, |rest| rest.len() - rest.trim_start().len());
    let between = text.get(at..at + skipped).unwrap_or_default();
    u32::try_from(before.matches('\n').count() + between.matches('\n').count() + 1).unwrap_or(u32::MAX)
}

impl Rich {
    fn part(&mut self, name: &str, tag: &BytesStart<'_>, port: u16, opens: &mut dyn FnMut(&str) -> Option<bool>) {
        let mut about = |suits: Option<bool>| match suits {
            Some(suits) => self.suits = Some(self.suits.unwrap_or(false) || suits),
            None => self.not_known = true,
        };
        match name {
            "source" => {
                let is_inverted = matches!(
                    attribute(tag, "invert").to_ascii_lowercase().as_str(),
                    "true" | "yes" | "1"
                );
                let everything = prefix(&attribute(tag, "address")).is_some_and(|prefix| prefix.len == 0);
                // "All but these" is everybody that no rule names.
                self.only_some |= !everything && !is_inverted;
            }
            "destination" => self.not_known = true,
            "service" => about(opens(&attribute(tag, "name"))),
            "port" => about(Some(is_port(tag, port))),
            "protocol" => about(Some(attribute(tag, "value") == "tcp")),
            "source-port" => about(None),
            "icmp-block" | "icmp-type" | "masquerade" => about(Some(false)),
            "forward-port" => about(if is_port(tag, port) { None } else { Some(false) }),
            "accept" => self.verdict = Some(Verdict::Accept),
            "reject" | "drop" => self.verdict = Some(Verdict::Deny),
            _ => {}
        }
    }

    fn entry(self) -> Option<Entry> {
        if self.is_other_family || self.suits == Some(false) {
            return None;
        }
        let verdict = if self.not_known {
            Verdict::NotKnown
        } else {
            self.verdict?
        };
        Some(Entry {
            priority: self.priority,
            only_some: self.only_some,
            verdict,
            line: self.line,
        })
    }
}

impl Zone {
    fn add(&mut self, priority: i32, verdict: Verdict, line: u32) {
        self.entries.push(Entry {
            priority,
            only_some: false,
            verdict,
            line,
        });
    }

    fn judge(&self, path: &str) -> Answer {
        let mut some = false;
        for entry in &self.entries {
            let evidence = Evidence::path(path).line(entry.line);
            match entry.verdict {
                Verdict::Accept if entry.only_some => some = true,
                Verdict::Deny if entry.only_some => {}
                Verdict::Accept => return answer(Reach::Everybody, evidence),
                Verdict::Deny => return answer(if some { Reach::SomeAddresses } else { Reach::Nobody }, evidence),
                Verdict::NotKnown => return not_known(evidence),
            }
        }
        let target = self.target.as_str();
        let evidence = Evidence::path(path).value(target);
        match target {
            "ACCEPT" => answer(Reach::Everybody, evidence),
            _ if some => answer(Reach::SomeAddresses, evidence),
            _ => answer(Reach::Nobody, evidence),
        }
    }
}

fn answer(reach: Reach, evidence: Evidence) -> Answer {
    Answer {
        reach: Some(reach),
        evidence: Some(evidence),
    }
}
