//! Do the settings of the network suit another network card than that of the old machine? A new VM's card has another
//! hardware address, and often another name.

use lotse_guest::{
    Evidence, Fact,
    facts::{FixedName, Interface},
};

use crate::rules::Rule;
use crate::{Certainty, Finding, FindingKind, Status, Subject, remedies};

use super::{
    network::{Cards, CloudInit, by_mac, by_name, has_kernel_names, is_card},
    unix,
};

pub(in crate::rules) const RULE: Rule = Rule {
    code: "network_card",
    kind: FindingKind::Advice,
    sources: &[
        "systemd.net-naming-scheme(7)",
        "systemd.link(5)",
        "netplan(5)",
        "udev(7)",
    ],
    reasons: &[
        "network_card_any",
        "network_card_mac",
        "network_card_sets_mac",
        "network_card_fixed_name",
        "network_card_name",
    ],
    remedies: &[
        "free_network_card",
        "take_mac_out",
        "set_card_names_aside",
        "name_no_card",
    ],
    judge,
};

fn judge(subject: &Subject) -> Option<Finding> {
    let (facts, system) = unix(subject)?;
    let Fact::Known(network) = &facts.network else {
        return None;
    };
    let cloud_init = CloudInit::of(facts)?;
    let cards = Cards::of(network, &cloud_init);
    if !cards.is_any_active {
        return None;
    }
    let (held, switch): (Vec<&Interface>, Option<&Evidence>) = match cloud_init {
        // The address says so.
        CloudInit::NotKnown(_) => return None,
        // It names the cards that it finds.
        CloudInit::Writes => (Vec::new(), None),
        CloudInit::WritesItsOwn(own) => {
            let own: Vec<&Interface> = own.iter().filter(|interface| is_card(interface)).collect();
            let from = own.first().map(|interface| &interface.evidence);
            (own, from)
        }
        CloudInit::LeavesAlone(switch) => (cards.all.iter().map(|(_, interface)| *interface).collect(), switch),
    };
    // A hardware address is taken on whoever else has a say.
    let sets_mac = cards
        .all
        .iter()
        .map(|(_, interface)| *interface)
        .chain(held.iter().copied())
        .find(|interface| interface.sets_mac.is_some() && by_mac(interface).is_none());
    let asking: Vec<&Interface> = held.into_iter().filter(|interface| interface.dhcp4).collect();
    let has_kernel_names = has_kernel_names(facts, network, system);
    let suits_any = |interface: &Interface| {
        by_mac(interface).is_none() && by_name(interface).is_none_or(|name| has_kernel_names && name.value == "eth0")
    };
    let is_any_free = asking.iter().any(|interface| suits_any(interface));
    let bound = asking.first().filter(|_| !is_any_free);
    let fixed_names: &[FixedName] = match &network.fixed_names {
        Fact::Known(names) => names,
        Fact::Unknown(_) => &[],
    };
    Some(match (bound, sets_mac) {
        (Some(first), _) if asking.iter().all(|interface| by_mac(interface).is_some()) => bound_to_mac(first, switch),
        (_, Some(interface)) => sets_a_mac(interface),
        (Some(first), None) => bound_to_name(first, fixed_names, switch),
        (None, None) => Finding::advice(RULE.code, Status::Pass, "network_card_any"),
    })
}

/// Files that hold the settings, and what keeps cloud-init from writing others.
fn files<'e>(interface: &'e Interface, switch: Option<&'e Evidence>) -> Vec<&'e str> {
    let places = [switch, Some(&interface.evidence)];
    places
        .into_iter()
        .flatten()
        .filter_map(|place| place.path.as_deref())
        .collect()
}

fn bound_to_mac(interface: &Interface, switch: Option<&Evidence>) -> Finding {
    let places: Vec<Evidence> = by_mac(interface).map(|one| one.evidence.clone()).into_iter().collect();
    let path = interface.evidence.path.as_deref().unwrap_or_default();
    let commands = match switch {
        Some(_) => remedies::set_aside(&files(interface, switch)),
        None => remedies::drop_hwaddr(path),
    };
    Finding::advice(RULE.code, Status::Fail, "network_card_mac")
        .param("path", path)
        .evidence(&places)
        .remedy("free_network_card", commands)
}

fn sets_a_mac(interface: &Interface) -> Finding {
    let places: Vec<Evidence> = interface.sets_mac.iter().cloned().collect();
    Finding::advice(RULE.code, Status::Warning, "network_card_sets_mac")
        .certainty(Certainty::Likely)
        .evidence(&places)
        .remedy("take_mac_out", Vec::new())
}

fn bound_to_name(interface: &Interface, fixed_names: &[FixedName], switch: Option<&Evidence>) -> Finding {
    let name = by_name(interface).map(|one| one.value.as_str()).unwrap_or_default();
    let warning = |reason, certainty| {
        Finding::advice(RULE.code, Status::Warning, reason)
            .certainty(certainty)
            .param("name", name)
    };
    let tied = fixed_names
        .iter()
        .find(|fixed| fixed.name == name && fixed.mac.is_some());
    if let Some(tied) = tied {
        let paths: Vec<&str> = tied.evidence.path.as_deref().into_iter().collect();
        return warning("network_card_fixed_name", Certainty::Likely)
            .evidence(&[tied.evidence.clone(), interface.evidence.clone()])
            .remedy("set_card_names_aside", remedies::set_aside(&paths));
    }
    let commands = match switch {
        Some(_) => remedies::set_aside(&files(interface, switch)),
        None => Vec::new(),
    };
    warning("network_card_name", Certainty::Possible)
        .evidence(std::slice::from_ref(&interface.evidence))
        .remedy("name_no_card", commands)
}
