//! Where cloud-init is told to leave the network alone, something else must set it up.

use lotse_guest::{
    Fact,
    facts::{Interface, MatchBy, Network},
};

use super::cloud_init;
use crate::rules::Rule;
use crate::{Certainty, Finding, FindingKind, Status, Subject, remedies};

/// Drop-ins that hold this one setting and nothing else: Ubuntu's installer's, and the one that cloud-init's own
/// documentation and its comment in netplan's file name.
const OWN_FILES: &[&str] = &[
    "subiquity-disable-cloudinit-networking.cfg",
    "99-disable-network-config.cfg",
];

pub(in crate::rules) const RULE: Rule = Rule {
    code: "cloud_init_network",
    kind: FindingKind::Advice,
    sources: &["cloud-init: Network configuration", "netplan(5)"],
    reasons: &[
        "cloud_init_network_left_to_system",
        "cloud_init_network_of_old_machine",
        "cloud_init_network_nobody",
    ],
    remedies: &["let_cloud_init_do_network", "let_cloud_init_do_network_by_hand"],
    judge,
};

fn judge(subject: &Subject) -> Option<Finding> {
    let (facts, cloud_init) = cloud_init(subject)?;
    let from = match &cloud_init.network_disabled {
        Fact::Known(setting) if !setting.value => return None,
        Fact::Known(setting) => setting.from.clone(),
        Fact::Unknown(unknown) => return Some(Finding::advice_unknown(RULE.code, unknown)),
    };
    let network = match &facts.network {
        Fact::Known(network) => network,
        Fact::Unknown(unknown) => return Some(Finding::advice_unknown(RULE.code, unknown)),
    };
    let cards = match cards(network) {
        Ok(cards) => cards,
        Err(unknown) => return Some(Finding::advice_unknown(RULE.code, unknown)),
    };
    let path = from.as_ref().and_then(|from| from.path.clone()).unwrap_or_default();
    let decider: Vec<_> = from.into_iter().collect();
    if let Some(card) = cards.iter().find(|card| !is_of_old_machine(card)) {
        return Some(
            Finding::advice(RULE.code, Status::Pass, "cloud_init_network_left_to_system")
                .evidence(&decider)
                .evidence(std::slice::from_ref(&card.evidence)),
        );
    }
    let old = cards.first();
    let reason = match old {
        Some(_) => "cloud_init_network_of_old_machine",
        None => "cloud_init_network_nobody",
    };
    let own_file = OWN_FILES
        .iter()
        .map(|name| remedies::cloud_init::drop_ins(subject) + name)
        .find(|own| *own == path);
    let finding = Finding::advice(RULE.code, Status::Fail, reason)
        .certainty(Certainty::Likely)
        .param("path", &path)
        .evidence(&decider)
        .evidence(&old.map(|card| card.evidence.clone()).into_iter().collect::<Vec<_>>());
    Some(match own_file {
        Some(file) => finding.remedy("let_cloud_init_do_network", vec![format!("rm -f {file}")]),
        None => finding.remedy("let_cloud_init_do_network_by_hand", Vec::new()),
    })
}

/// What sets up a network card at boot, and whatever keeps that from being known.
fn cards(network: &Network) -> Result<Vec<&Interface>, &lotse_guest::Unknown> {
    let mut cards = Vec::new();
    for configurator in &network.configurators {
        match &configurator.active {
            Fact::Known(false) => continue,
            Fact::Known(true) => {}
            Fact::Unknown(unknown) => return Err(unknown),
        }
        let interfaces = match &configurator.interfaces {
            Fact::Known(interfaces) => interfaces,
            Fact::Unknown(unknown) => return Err(unknown),
        };
        cards.extend(interfaces.iter().filter(|interface| {
            interface.special.is_none() && interface.automatic && (interface.dhcp4 || !interface.addresses.is_empty())
        }));
    }
    Ok(cards)
}

/// cloud-init wrote it for the card of the old machine, and does not write it anew.
fn is_of_old_machine(interface: &Interface) -> bool {
    interface.by_cloud_init && interface.matches.iter().any(|wanted| wanted.by == MatchBy::Mac)
}
