//! Network settings in cloud-init's own files (its "Networking config", versions 1 and 2): they win over what a datasource
//! says, and so over what the new VM is told.

use crate::{
    Evidence,
    facts::{Interface, InterfaceMatch, MatchBy},
    files::Read,
    yaml::Value,
};

use super::{MAX_INTERFACES, netplan, not_read, special};

/// Interfaces that the setting `network` describes. Version 2 is netplan's own.
pub(crate) fn interfaces(network: &Value, path: &str) -> Read<Vec<Interface>> {
    let all = match (network.get("config").and_then(Value::list), network.map()) {
        (Some(list), _) => version_1(list, path),
        (None, Some(map)) => netplan::of_settings(map, path),
        (None, None) => return Err(not_read(path)),
    };
    if all.len() > MAX_INTERFACES {
        return Err(not_read(path));
    }
    Ok(all)
}

fn version_1(list: &[Value], path: &str) -> Vec<Interface> {
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::text).unwrap_or_default().to_owned();
    let cards = list
        .iter()
        .filter(|value| text(value, "type") != "nameserver" && text(value, "type") != "route");
    cards
        .map(|card| {
            let evidence = |value: &str| Evidence::path(path).line(card.place.line).value(value);
            let (name, mac, kind) = (text(card, "name"), text(card, "mac_address"), text(card, "type"));
            let mut interface = Interface {
                automatic: true,
                special: match kind.as_str() {
                    "physical" => special(&name).map(str::to_owned),
                    other => Some(other.to_owned()),
                },
                evidence: evidence(&name),
                ..Interface::default()
            };
            // With a hardware address the name is one that the card is given.
            let (by, value) = if mac.is_empty() {
                (MatchBy::Name, name)
            } else {
                (MatchBy::Mac, mac)
            };
            interface.matches.push(InterfaceMatch {
                by,
                evidence: evidence(&value),
                value,
            });
            for subnet in card.get("subnets").and_then(Value::list).into_iter().flatten() {
                match text(subnet, "type").as_str() {
                    "dhcp" | "dhcp4" => interface.dhcp4 = true,
                    "dhcp6" | "ipv6_slaac" | "ipv6_dhcpv6-stateful" | "ipv6_dhcpv6-stateless" => {
                        interface.dynamic6 = true;
                    }
                    _ => {
                        let address = text(subnet, "address");
                        if !address.is_empty() {
                            let line = subnet.place.line;
                            interface
                                .addresses
                                .push(Evidence::path(path).line(line).value(&address));
                        }
                    }
                }
            }
            interface
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::{self, Parsed};

    fn read(text: &str) -> Vec<Interface> {
        let Parsed::Value(value) = yaml::parse(text, 0) else {
            panic!()
        };
        interfaces(
            value.get("network").unwrap(),
            "/etc/cloud/cloud.cfg.d/90-installer-network.cfg",
        )
        .unwrap()
    }

    /// As Ubuntu's installer writes it since 23.10.
    #[test]
    fn version_2_is_netplans() {
        let all = read("network:\n  version: 2\n  ethernets:\n    ens192:\n      addresses:\n      - 192.0.2.10/24\n");
        assert_eq!(all.len(), 1);
        assert_eq!((all[0].matches[0].value.as_str(), all[0].dhcp4), ("ens192", false));
        assert_eq!(all[0].addresses[0].line, Some(6));
    }

    #[test]
    fn version_1_is_a_list() {
        let all = read(
            "network:\n  version: 1\n  config:\n  - type: physical\n    name: eth0\n    mac_address: '52:54:00:12:34:56'\n    subnets:\n    \
             - type: static\n      address: 192.0.2.10/24\n    - type: dhcp6\n  - type: physical\n    name: eth1\n    subnets:\n    \
             - type: dhcp\n  - type: bond\n    name: bond0\n  - type: nameserver\n    address: 192.0.2.53\n",
        );
        let [first, second, bond] = all.as_slice() else {
            panic!("{all:?}")
        };
        assert_eq!(
            (first.matches[0].by, first.addresses[0].value.as_deref()),
            (MatchBy::Mac, Some("192.0.2.10/24"))
        );
        assert!(!first.dhcp4 && first.dynamic6 && second.dhcp4 && second.matches[0].by == MatchBy::Name);
        assert!(bond.special.is_some(), "a bond is no card");
    }
}
