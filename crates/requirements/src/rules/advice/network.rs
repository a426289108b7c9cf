//! Who sets up the network on a new VM, and with which settings, as far as the image tells: cloud-init, or what stands on
//! the disk.

use lotse_guest::{
    Evidence, Fact, Facts, Unknown,
    facts::{ConfiguratorKind, Interface, InterfaceMatch, MatchBy, Network, System},
};

/// What cloud-init does about the network at the first start.
#[derive(Debug)]
pub(super) enum CloudInit<'f> {
    /// It writes settings for the cards that are there, as the VM is told.
    Writes,
    /// It writes settings that stand in its own files, whatever the VM is told.
    WritesItsOwn(&'f [Interface]),
    /// It leaves the network alone, here by a setting with its place.
    LeavesAlone(Option<&'f Evidence>),
    /// Nobody can tell.
    NotKnown(&'f Unknown),
}

impl<'f> CloudInit<'f> {
    /// `None` where the requirements say that nothing is known of the agent.
    pub(super) fn of(facts: &'f Facts) -> Option<Self> {
        let agent = match &facts.agent {
            Fact::Unknown(_) => return None,
            Fact::Known(agent) => agent.as_ref().filter(|agent| agent.kind == "cloud-init"),
        };
        let Some(agent) = agent else {
            return Some(Self::LeavesAlone(None));
        };
        match &agent.enabled {
            Fact::Unknown(_) => return None,
            Fact::Known(false) => return Some(Self::LeavesAlone(None)),
            Fact::Known(true) => {}
        }
        // Older ones than ccloud³ takes write nothing by themselves.
        if agent.recent_enough == Fact::Known(false) {
            return Some(Self::LeavesAlone(None));
        }
        if let Fact::Known(Some(sources)) = &facts.datasources
            && let Fact::Known(expected) = &sources.expected
            // What was written on the old machine stays.
            && matches!(expected.because.as_str(), "identify_disables" | "cached")
        {
            return Some(Self::LeavesAlone(None));
        }
        let settings = match &facts.cloud_init {
            Fact::Unknown(unknown) => return Some(Self::NotKnown(unknown)),
            Fact::Known(None) => return Some(Self::LeavesAlone(None)),
            Fact::Known(Some(settings)) => settings,
        };
        Some(match (&settings.network_disabled, &settings.network_settings) {
            (Fact::Unknown(unknown), _) | (_, Fact::Unknown(unknown)) => Self::NotKnown(unknown),
            (Fact::Known(disabled), _) if disabled.value => Self::LeavesAlone(disabled.from.as_ref()),
            (_, Fact::Known(Some(own))) => Self::WritesItsOwn(own),
            _ => Self::Writes,
        })
    }

    fn writes(&self) -> bool {
        matches!(self, Self::Writes | Self::WritesItsOwn(_))
    }
}

/// What the programs that are started at boot do with network cards.
#[derive(Debug, Default)]
pub(super) struct Cards<'f> {
    /// Settings that are followed without anybody asking, but for those that cloud-init writes anew.
    pub(super) all: Vec<(ConfiguratorKind, &'f Interface)>,
    /// Is any program started at boot?
    pub(super) is_any_active: bool,
    /// Why not all is known.
    pub(super) unknown: Option<&'f Unknown>,
}

impl<'f> Cards<'f> {
    pub(super) fn of(network: &'f Network, cloud_init: &CloudInit<'_>) -> Self {
        let mut cards = Self::default();
        for configurator in &network.configurators {
            match &configurator.active {
                Fact::Known(false) => continue,
                Fact::Unknown(unknown) => {
                    cards.unknown = Some(unknown);
                    continue;
                }
                Fact::Known(true) => cards.is_any_active = true,
            }
            match &configurator.interfaces {
                Fact::Unknown(unknown) => cards.unknown = Some(unknown),
                Fact::Known(interfaces) => {
                    let held: Vec<&Interface> = interfaces
                        .iter()
                        .filter(|interface| is_card(interface) && !(interface.by_cloud_init && cloud_init.writes()))
                        .collect();
                    // What a program does with a card that no profile is for does not come about with one for every card.
                    let is_any_profile = held
                        .iter()
                        .any(|interface| interface.matches.is_empty() && !is_default(interface));
                    let held = held
                        .into_iter()
                        .filter(|interface| !(is_any_profile && is_default(interface)));
                    cards.all.extend(held.map(|interface| (configurator.kind, interface)));
                }
            }
        }
        cards
    }
}

/// Is it what NetworkManager does by itself?
fn is_default(interface: &Interface) -> bool {
    interface.evidence.path.as_deref() == Some("/etc/NetworkManager/NetworkManager.conf")
}

/// Is it for a wired network card, and set up at boot?
pub(super) fn is_card(interface: &Interface) -> bool {
    let is_other_kind = |one: &InterfaceMatch| {
        one.by == MatchBy::Other
            && (["WLAN", "SSID", "BSSID"].iter().any(|key| one.value.starts_with(key))
                || one.value.strip_prefix("Type=").is_some_and(|kind| kind != "ether"))
    };
    interface.special.is_none() && interface.automatic && !interface.matches.iter().any(is_other_kind)
}

/// The condition that only the old machine's card meets.
pub(super) fn by_mac(interface: &Interface) -> Option<&InterfaceMatch> {
    interface.matches.iter().find(|one| one.by == MatchBy::Mac)
}

/// The one name that a card must have; `None` where any or several names will do.
pub(super) fn by_name(interface: &Interface) -> Option<&InterfaceMatch> {
    let is_plain =
        |one: &&InterfaceMatch| one.by == MatchBy::Name && !one.value.contains(['*', '?', '[', '!', ' ', '/']);
    interface.matches.iter().find(is_plain)
}

/// Are cards called `eth0`, `eth1`, ... by the order in which they are found? Otherwise their names tell where they are
/// plugged in, and another machine has others.
pub(super) fn has_kernel_names(facts: &Facts, network: &Network, system: &System) -> bool {
    let by_command_line =
        || matches!(&facts.boot.entry, Fact::Known(Some(entry)) if entry.parameters("net.ifnames").last() == Some("0"));
    let by_file = || matches!(&network.kernel_names, Fact::Known(Some(_)));
    by_command_line() || by_file() || is_older_than_names(system)
}

/// Systems without systemd's names for cards (systemd 197, of 2013) or without udev.
fn is_older_than_names(system: &System) -> bool {
    let major = system.version.as_deref().and_then(|version| version.split('.').next());
    let major: Option<u32> = major.and_then(|major| major.parse().ok());
    let first_with_names = match system.distribution.as_deref() {
        Some("alpine") => return true,
        Some("rhel" | "centos" | "scientific" | "ol") => 7,
        Some("debian") => 9,
        Some("ubuntu") => 16,
        Some("sles") => 12,
        _ => return false,
    };
    major.is_some_and(|major| major < first_with_names)
}
