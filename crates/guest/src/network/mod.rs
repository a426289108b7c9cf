//! How the network is set up at boot: which program does it, what it is told to do, and what in that belongs to the old
//! machine.

mod dhcpcd;
mod ifcfg;
mod ini;
mod interfaces;
mod names;
mod netplan;
mod network_manager;
mod networkd;
mod rc_conf;
pub(crate) mod settings;

use crate::{
    Evidence, Fact, FileTree, Unknown,
    facts::{Configurator, ConfiguratorKind, Interface, Network},
    files::{Files, Read},
    glob,
    services::{self, Start},
};

/// Largest file of settings, in bytes.
const CONFIG_LIMIT: usize = 1 << 20;

/// Most files that name each other.
const MAX_FILES: usize = 500;

/// Most interfaces, profiles or files of one program.
const MAX_INTERFACES: usize = 1000;

/// Interfaces that are no network cards, by how their names begin.
const SPECIAL_NAMES: &[(&str, &str)] = &[
    ("br", "bridge"),
    ("virbr", "bridge"),
    ("docker", "bridge"),
    ("bond", "bond"),
    ("team", "team"),
    ("vlan", "vlan"),
    ("tun", "tunnel"),
    ("tap", "tunnel"),
    ("6rd-", "tunnel"),
    ("wg", "tunnel"),
    ("ppp", "modem"),
    ("wl", "wireless"),
    ("ww", "modem"),
    ("dummy", "dummy"),
    ("veth", "container"),
    ("host0", "container"),
    ("ve-", "container"),
    ("vb-", "container"),
    ("vt-", "container"),
    ("vz-", "container"),
];

/// How the network of one tree is set up: for tests. What stands on other filesystems is not seen.
pub fn of_tree(tree: &dyn FileTree) -> Network {
    read(&Files::joined(tree, "", &[]))
}

/// Reads how the network is set up.
pub(crate) fn read(files: &Files<'_>) -> Network {
    Network {
        configurators: configurators(files),
        hostname: fact(names::hostname(files)),
        name_servers: fact(names::name_servers(files)),
        fixed_names: fact(names::fixed(files)),
        kernel_names: fact(names::kernel_names(files)),
    }
}

fn fact<T>(read: Read<T>) -> Fact<T> {
    match read {
        Ok(value) => Fact::Known(value),
        Err(unknown) => Fact::Unknown(unknown),
    }
}

/// Programs that set up the network, by where each stands and what starts it.
struct Program {
    kind: ConfiguratorKind,
    /// Without one of these files it is not installed.
    files: &'static [&'static str],
    units: &'static [&'static str],
    scripts: &'static [&'static str],
    read: fn(&Files<'_>) -> Read<Vec<Interface>>,
}

const NETPLAN_GENERATORS: &[&str] = &[
    "/usr/lib/systemd/system-generators/netplan",
    "/lib/systemd/system-generators/netplan",
];

const PROGRAMS: &[Program] = &[
    Program {
        kind: ConfiguratorKind::Ifupdown,
        files: &["/sbin/ifup", "/usr/sbin/ifup"],
        units: &["networking.service"],
        scripts: &["networking"],
        read: |files| Ok(interfaces::read(files)?.unwrap_or_default()),
    },
    Program {
        kind: ConfiguratorKind::NetworkManager,
        files: &["/usr/sbin/NetworkManager", "/usr/bin/NetworkManager"],
        units: &["NetworkManager.service"],
        scripts: &["NetworkManager", "network-manager", "networkmanager"],
        read: network_manager::read,
    },
    Program {
        kind: ConfiguratorKind::Networkd,
        files: &["/usr/lib/systemd/systemd-networkd", "/lib/systemd/systemd-networkd"],
        units: &["systemd-networkd.service"],
        scripts: &[],
        read: networkd::read,
    },
    Program {
        kind: ConfiguratorKind::NetworkScripts,
        files: &["/etc/rc.d/init.d/network", "/etc/init.d/network"],
        units: &["network.service"],
        scripts: &["network"],
        read: |files| ifcfg::read(files, &ifcfg::RED_HAT, false),
    },
    Program {
        kind: ConfiguratorKind::Wicked,
        files: &["/usr/sbin/wickedd"],
        units: &["wicked.service", "network.service"],
        scripts: &[],
        read: |files| ifcfg::read(files, &ifcfg::SUSE, false),
    },
    Program {
        kind: ConfiguratorKind::Dhcpcd,
        files: &["/sbin/dhcpcd", "/usr/sbin/dhcpcd", "/usr/bin/dhcpcd"],
        units: &["dhcpcd.service", "dhcpcd5.service"],
        scripts: &["dhcpcd", "dhcpcd5"],
        read: dhcpcd::read,
    },
];

fn configurators(files: &Files<'_>) -> Vec<Configurator> {
    let mut all: Vec<Configurator> = Vec::new();
    let netplan = netplan(files);
    let renders = netplan.as_ref().map_or(Ok(false), |(_, renders)| renders.clone());
    all.extend(netplan.map(|(configurator, _)| configurator));
    for program in PROGRAMS {
        match installed(files, program.files) {
            Ok(None) => {}
            Ok(Some(place)) => all.push(program.configurator(files, place, &renders)),
            // Whether it is there is not known: neither is what it does.
            Err(unknown) => all.push(Configurator {
                kind: program.kind,
                active: Fact::Unknown(unknown.clone()),
                evidence: Vec::new(),
                interfaces: Fact::Unknown(unknown),
            }),
        }
    }
    all.extend(rc_conf::read(files));
    all
}

fn installed(files: &Files<'_>, paths: &[&'static str]) -> Read<Option<&'static str>> {
    for path in paths {
        if files.stat(path)?.is_some() {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

impl Program {
    /// `renders`: netplan hands settings on to systemd-networkd and starts it.
    fn configurator(&self, files: &Files<'_>, place: &str, renders: &Read<bool>) -> Configurator {
        let started = services::init(files).and_then(|init| services::start(files, init, self.units, self.scripts));
        let (mut active, evidence) = match started {
            Ok(Start::Yes(_, places)) => (Fact::Known(true), places),
            Ok(Start::Masked(place)) => (Fact::Known(false), vec![place]),
            Ok(Start::Blocked(_, places)) => (Fact::Known(false), places),
            Ok(Start::No(_)) => (Fact::Known(false), vec![Evidence::path(place)]),
            Err(unknown) => (Fact::Unknown(unknown), vec![Evidence::path(place)]),
        };
        if self.kind == ConfiguratorKind::Networkd && active == Fact::Known(false) {
            match renders {
                Ok(true) => active = Fact::Known(true),
                Ok(false) => {}
                Err(unknown) => active = Fact::Unknown(unknown.clone()),
            }
        }
        Configurator {
            kind: self.kind,
            active,
            evidence,
            interfaces: fact((self.read)(files)),
        }
    }
}

/// netplan is a generator of systemd, which nothing switches off, and does its work where it has settings. Also tells
/// whether systemd-networkd gets some of them.
fn netplan(files: &Files<'_>) -> Option<(Configurator, Read<bool>)> {
    let (active, evidence) = match installed(files, NETPLAN_GENERATORS) {
        Ok(None) => return None,
        Ok(Some(place)) => (
            fact(services::init(files).map(|init| init == services::Init::Systemd)),
            vec![Evidence::path(place)],
        ),
        Err(unknown) => (Fact::Unknown(unknown), Vec::new()),
    };
    let read = netplan::read(files);
    let renders = read.as_ref().map(|settings| settings.to_networkd).map_err(Clone::clone);
    let configurator = Configurator {
        kind: ConfiguratorKind::Netplan,
        active,
        evidence,
        interfaces: fact(read.map(|settings| settings.interfaces)),
    };
    Some((configurator, renders))
}

fn not_read(path: &str) -> Unknown {
    Unknown::new("network_config_not_read").with("path", path)
}

/// What an interface is by its name, if it is no network card: `lo`, bridges, tunnels, VLANs.
fn special(name: &str) -> Option<&'static str> {
    if name == "lo" || name == "lo0" {
        return Some("loopback");
    }
    // `eth0.100`
    if name
        .split_once('.')
        .is_some_and(|(card, tag)| !card.is_empty() && tag.parse::<u16>().is_ok())
    {
        return Some("vlan");
    }
    SPECIAL_NAMES
        .iter()
        .find(|(prefix, _)| name.starts_with(prefix))
        .map(|(_, kind)| *kind)
}

/// Does a name suit a shell's pattern?
fn suits(pattern: &str, name: &str) -> bool {
    glob::matches(pattern, name)
}

/// Files that suit a path with a pattern in its last part, in byte order; hidden ones only where it asks for them.
fn expand(files: &Files<'_>, path: &str) -> Read<Vec<String>> {
    let (folder, last) = path.rsplit_once('/').unwrap_or(("", path));
    if folder.contains(['*', '?', '[']) {
        return Err(not_read(path));
    }
    if !last.contains(['*', '?', '[']) {
        return Ok(vec![path.to_owned()]);
    }
    let names = files.list(folder)?.into_iter();
    let suiting = names.filter(|name| suits(last, name) && (!name.starts_with('.') || last.starts_with('.')));
    Ok(suiting.map(|name| format!("{folder}/{name}")).collect())
}

#[cfg(test)]
mod tests;
