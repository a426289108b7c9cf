//! Does a VM ask for its address? VMs from custom images get theirs by DHCP, and none of IPv6; one that keeps the old
//! machine's address cannot be reached.

use lotse_guest::{
    Evidence, Fact, Facts,
    facts::{ConfiguratorKind, Interface, Network},
};

use crate::rules::{CCLOUD, Rule};
use crate::{Certainty, Finding, FindingKind, Status, Subject, remedies};

use super::{
    network::{Cards, CloudInit, by_mac, by_name},
    unix,
};

pub(in crate::rules) const RULE: Rule = Rule {
    code: "network_address",
    kind: FindingKind::Advice,
    sources: &[
        CCLOUD,
        "cloud-init: Networking config",
        "netplan(5)",
        "systemd.network(5)",
        "interfaces(5)",
    ],
    reasons: &[
        "network_address_dhcp",
        "network_address_cloud_init",
        "network_address_fixed",
        "network_address_ipv6_only",
        "network_address_no_dhcp",
        "network_address_left_over",
        "network_address_nothing",
        "network_address_name_servers",
    ],
    remedies: &[
        "let_cloud_init_set_up_network",
        "set_network_settings_aside",
        "ask_for_dhcp",
        "start_network_program",
        "drop_name_servers",
    ],
    judge,
};

/// Where systemd-networkd finds what cloud-init or netplan wrote; of the files that suit a card the first by name holds.
const WRITTEN_BY_NETPLAN: &str = "10-netplan";
const WRITTEN_BY_CLOUD_INIT: &str = "10-cloud-init";

fn judge(subject: &Subject) -> Option<Finding> {
    let (facts, _) = unix(subject)?;
    // Where the whole system is not read, the requirements say so.
    let Fact::Known(network) = &facts.network else {
        return None;
    };
    let cloud_init = CloudInit::of(facts)?;
    let cards = Cards::of(network, &cloud_init);
    Some(match &cloud_init {
        CloudInit::NotKnown(unknown) => Finding::advice_unknown(RULE.code, unknown),
        CloudInit::Writes => judge_left_over(subject, facts, network, &cards),
        CloudInit::WritesItsOwn(own) => {
            let own: Vec<&Interface> = own
                .iter()
                .filter(|interface| super::network::is_card(interface))
                .collect();
            let from = own.first().map(|interface| interface.evidence.clone());
            judge_addresses(network, &cards, &own, |finding| {
                let paths: Vec<&str> = from.iter().filter_map(|from| from.path.as_deref()).collect();
                finding.remedy("let_cloud_init_set_up_network", remedies::set_aside(&paths))
            })
        }
        CloudInit::LeavesAlone(switch) => {
            if !cards.is_any_active && cards.unknown.is_none() {
                return nothing(subject, facts);
            }
            let own: Vec<&Interface> = cards.all.iter().map(|(_, interface)| *interface).collect();
            judge_addresses(network, &cards, &own, |finding| match switch {
                Some(switch) => {
                    let mut paths: Vec<&str> = switch.path.as_deref().into_iter().collect();
                    let fixed = own.iter().filter(|interface| !interface.addresses.is_empty());
                    paths.extend(fixed.filter_map(|interface| interface.evidence.path.as_deref()));
                    finding.remedy("let_cloud_init_set_up_network", remedies::set_aside(&paths))
                }
                None => finding.remedy("ask_for_dhcp", Vec::new()),
            })
        }
    })
}

/// Settings that hold alone: one of them must ask for an address.
fn judge_addresses(
    network: &Network,
    cards: &Cards<'_>,
    own: &[&Interface],
    with_remedy: impl Fn(Finding) -> Finding,
) -> Finding {
    if own.iter().any(|interface| interface.dhcp4) {
        return judge_name_servers(network, cards, own).unwrap_or_else(|| {
            let places: Vec<Evidence> = own
                .iter()
                .filter(|interface| interface.dhcp4)
                .map(|interface| interface.evidence.clone())
                .collect();
            Finding::advice(RULE.code, Status::Pass, "network_address_dhcp").evidence(&places)
        });
    }
    if let Some(unknown) = cards.unknown {
        return Finding::advice_unknown(RULE.code, unknown);
    }
    let fixed = own.iter().flat_map(|interface| &interface.addresses);
    let (four, six): (Vec<&Evidence>, Vec<&Evidence>) = fixed.partition(|address| is_ipv4(address));
    let fail = |reason, places: &[Evidence]| {
        with_remedy(
            Finding::advice(RULE.code, Status::Fail, reason)
                .certainty(Certainty::Likely)
                .evidence(places),
        )
    };
    let cloned = |places: &[&Evidence]| places.iter().map(|place| (*place).clone()).collect::<Vec<_>>();
    if !four.is_empty() {
        return fail("network_address_fixed", &cloned(&four)).param("addresses", values(&four));
    }
    let dynamic: Vec<&Evidence> = own
        .iter()
        .filter(|interface| interface.dynamic6)
        .map(|interface| &interface.evidence)
        .collect();
    if !six.is_empty() || !dynamic.is_empty() {
        return fail("network_address_ipv6_only", &cloned(&[six, dynamic].concat()));
    }
    let places: Vec<Evidence> = own.iter().map(|interface| interface.evidence.clone()).collect();
    fail("network_address_no_dhcp", &places)
}

/// cloud-init writes what the VM is told; what the old machine left is read as well.
fn judge_left_over(subject: &Subject, facts: &Facts, network: &Network, cards: &Cards<'_>) -> Finding {
    if !cards.is_any_active {
        return match cards.unknown {
            Some(unknown) => Finding::advice_unknown(RULE.code, unknown),
            None => nothing(subject, facts).unwrap_or_else(|| cloud_init_writes(facts)),
        };
    }
    let has_netplan = network
        .configurators
        .iter()
        .any(|configurator| configurator.kind == ConfiguratorKind::Netplan);
    let rivals: Vec<(Certainty, &Interface)> = cards
        .all
        .iter()
        .filter(|(_, interface)| interface.addresses.iter().any(is_ipv4))
        .filter_map(|(kind, interface)| Some((competes(*kind, interface, has_netplan)?, *interface)))
        .collect();
    if rivals.is_empty() {
        return judge_name_servers(network, cards, &[]).unwrap_or_else(|| cloud_init_writes(facts));
    }
    let is_likely = rivals.iter().any(|(certainty, _)| *certainty == Certainty::Likely);
    let addresses: Vec<&Evidence> = rivals
        .iter()
        .flat_map(|(_, interface)| &interface.addresses)
        .filter(|address| is_ipv4(address))
        .collect();
    let places: Vec<Evidence> = addresses.iter().map(|address| (*address).clone()).collect();
    let paths: Vec<&str> = rivals
        .iter()
        .filter_map(|(_, interface)| interface.evidence.path.as_deref())
        .collect();
    Finding::advice(RULE.code, Status::Warning, "network_address_left_over")
        .certainty(if is_likely {
            Certainty::Likely
        } else {
            Certainty::Possible
        })
        .param("addresses", values(&addresses))
        .evidence(&places)
        .remedy("set_network_settings_aside", remedies::set_aside(&paths))
}

fn cloud_init_writes(facts: &Facts) -> Finding {
    let places = match &facts.agent {
        Fact::Known(Some(agent)) => agent.evidence.get(..1).unwrap_or_default(),
        _ => &[],
    };
    Finding::advice(RULE.code, Status::Pass, "network_address_cloud_init").evidence(places)
}

/// Does a setting for a fixed address come together with what cloud-init writes for the same card?
fn competes(kind: ConfiguratorKind, interface: &Interface, has_netplan: bool) -> Option<Certainty> {
    let is_for_old_card = by_mac(interface).is_some();
    // netplan joins definitions of one name, and of two hardware addresses takes cloud-init's: seen with netplan 0.106.
    if is_for_old_card && kind != ConfiguratorKind::Netplan {
        return None;
    }
    let by_chance = if is_for_old_card || by_name(interface).is_some() {
        // Whether the new card has that name is up to the VM's hardware.
        Certainty::Possible
    } else {
        Certainty::Likely
    };
    let path = interface.evidence.path.as_deref().unwrap_or_default();
    let file = path.rsplit('/').next().unwrap_or_default();
    // The file of a card's name is written over.
    let is_cards_own_file = by_name(interface).is_some_and(|name| file.strip_prefix("ifcfg-") == Some(&name.value));
    match kind {
        // Both are merged, or both are carried out.
        ConfiguratorKind::Netplan | ConfiguratorKind::Ifupdown | ConfiguratorKind::Dhcpcd => Some(by_chance),
        ConfiguratorKind::Networkd => {
            let written = if has_netplan {
                WRITTEN_BY_NETPLAN
            } else {
                WRITTEN_BY_CLOUD_INIT
            };
            (file < written).then_some(by_chance)
        }
        ConfiguratorKind::NetworkScripts | ConfiguratorKind::Wicked => (!is_cards_own_file).then_some(by_chance),
        // The profile that was used last is preferred; cloud-init's has a priority of its own since release 23.2.
        ConfiguratorKind::NetworkManager => (!is_cards_own_file).then_some(Certainty::Possible),
        // It writes into the same file.
        ConfiguratorKind::RcConf => None,
    }
}

/// No program sets up the network; the kernel may, told by its command line.
fn nothing(subject: &Subject, facts: &Facts) -> Option<Finding> {
    let by_kernel =
        matches!(&facts.boot.entry, Fact::Known(Some(entry)) if entry.parameters("ip").any(|value| value != "off"));
    (!by_kernel).then(|| {
        Finding::advice(RULE.code, Status::Warning, "network_address_nothing")
            .certainty(Certainty::Likely)
            .remedy("start_network_program", remedies::start_network_program(subject))
    })
}

/// DNS servers of a private network answer there only.
fn judge_name_servers(network: &Network, cards: &Cards<'_>, own: &[&Interface]) -> Option<Finding> {
    // Programs other than these write /etc/resolv.conf anew when they get an address.
    let keeps_file = cards
        .all
        .iter()
        .all(|(kind, _)| matches!(kind, ConfiguratorKind::Netplan | ConfiguratorKind::Networkd));
    let in_file = match &network.name_servers {
        Fact::Known(servers) if keeps_file => servers.as_slice(),
        _ => &[],
    };
    let of_cards = own.iter().filter(|interface| interface.dhcp4);
    let private: Vec<&Evidence> = in_file
        .iter()
        .chain(of_cards.flat_map(|interface| &interface.name_servers))
        .filter(|server| is_private(server))
        .collect();
    if private.is_empty() {
        return None;
    }
    let places: Vec<Evidence> = private.iter().map(|server| (*server).clone()).collect();
    Some(
        Finding::advice(RULE.code, Status::Warning, "network_address_name_servers")
            .certainty(Certainty::Possible)
            .param("servers", values(&private))
            .evidence(&places)
            .remedy("drop_name_servers", Vec::new()),
    )
}

fn values(places: &[&Evidence]) -> String {
    let mut values: Vec<&str> = places.iter().filter_map(|place| place.value.as_deref()).collect();
    values.dedup();
    values.join(", ")
}

fn plain_address(place: &Evidence) -> &str {
    let value = place.value.as_deref().unwrap_or_default();
    value.split('/').next().unwrap_or_default().trim()
}

fn is_ipv4(place: &Evidence) -> bool {
    plain_address(place).parse::<std::net::Ipv4Addr>().is_ok()
}

/// Addresses of private networks (RFC 1918, RFC 6598, RFC 4193) and of one cable only; those of the machine itself belong
/// to a program on it.
fn is_private(place: &Evidence) -> bool {
    match plain_address(place).parse() {
        Ok(std::net::IpAddr::V4(four)) => {
            let [first, second, ..] = four.octets();
            four.is_private() || four.is_link_local() || (first == 100 && second & 0xc0 == 64)
        }
        Ok(std::net::IpAddr::V6(six)) => six.is_unique_local() || six.is_unicast_link_local(),
        Err(_) => false,
    }
}
