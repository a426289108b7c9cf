//! How the network is set up at boot, and what in it belongs to the old machine.

use serde::{Deserialize, Serialize};

use super::{Evidence, Fact};

/// How the network is set up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// Every program that has settings or that is started at boot. None of them: nothing sets up the network, or
    /// cloud-init does at the first boot.
    pub configurators: Vec<Configurator>,
    /// The machine's name; `None` when none is set.
    pub hostname: Fact<Option<Evidence>>,
    /// DNS servers that `/etc/resolv.conf` itself names; empty when a program writes it.
    pub name_servers: Fact<Vec<Evidence>>,
    /// Interface names that udev or systemd ties to one network card.
    pub fixed_names: Fact<Vec<FixedName>>,
    /// Where predictable names are switched off by a file: cards are then called `eth0`, `eth1`, ... (The kernel's
    /// command line may do so as well.)
    pub kernel_names: Fact<Option<Evidence>>,
}

/// A program that sets up the network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configurator {
    /// Which one.
    pub kind: ConfiguratorKind,
    /// Is it started at boot?
    pub active: Fact<bool>,
    /// What starts it, or keeps it from starting.
    pub evidence: Vec<Evidence>,
    /// What it is told to do, in the order in which it reads it.
    pub interfaces: Fact<Vec<Interface>>,
}

/// A program that sets up the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConfiguratorKind {
    /// netplan, which hands its settings on to systemd-networkd or NetworkManager.
    Netplan,
    /// `/etc/network/interfaces`: ifupdown, ifupdown2, ifupdown-ng, busybox.
    Ifupdown,
    /// NetworkManager.
    NetworkManager,
    /// systemd-networkd.
    Networkd,
    /// Red Hat's service `network`.
    NetworkScripts,
    /// SUSE's wicked.
    Wicked,
    /// dhcpcd on its own.
    Dhcpcd,
    /// FreeBSD's rc.conf.
    RcConf,
}

/// What one program does with one interface or with all that suit.
#[expect(
    clippy::struct_excessive_bools,
    reason = "answers to questions that have nothing to do with each other"
)]
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    /// What a network card must be to be meant, all of it; empty: any.
    pub matches: Vec<InterfaceMatch>,
    /// Set up at boot without anybody asking for it.
    pub automatic: bool,
    /// Asks for an IPv4 address by DHCP.
    pub dhcp4: bool,
    /// Takes its IPv6 address from the network, by DHCPv6 or router advertisements.
    pub dynamic6: bool,
    /// Fixed addresses, IPv4 and IPv6, each with its place.
    pub addresses: Vec<Evidence>,
    /// Fixed DNS servers.
    pub name_servers: Vec<Evidence>,
    /// A hardware address that the card is to take on instead of its own.
    pub sets_mac: Option<Evidence>,
    /// It is no network card of its own: loopback, bridge, bond, VLAN, tunnel, wireless or modem.
    pub special: Option<String>,
    /// cloud-init wrote this, and writes it anew on a new machine.
    pub by_cloud_init: bool,
    /// Where it begins.
    pub evidence: Evidence,
}

/// A condition on a network card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceMatch {
    /// What is compared.
    pub by: MatchBy,
    /// The name, pattern or address; several patterns are separated by spaces, `!` before one turns it round.
    pub value: String,
    /// Where it stands.
    pub evidence: Evidence,
}

/// What of a network card is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MatchBy {
    /// Its name, or a pattern (`en*`).
    Name,
    /// Its hardware address: never that of a new machine.
    Mac,
    /// Driver, path, type, virtualization and other properties.
    Other,
}

/// A name that is tied to one network card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FixedName {
    /// The name that the card is given.
    pub name: String,
    /// The card's hardware address; `None` when it is told by something else.
    pub mac: Option<String>,
    /// Where it stands.
    pub evidence: Evidence,
}
