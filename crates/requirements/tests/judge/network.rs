//! The network of the old machine: does a new VM ask for its address, and do the settings suit its card?

use lotse_guest::{
    Evidence, Fact, Facts, Unknown,
    facts::{Configurator, ConfiguratorKind, FixedName, Interface, InterfaceMatch, MatchBy, Network, Setting},
};
use lotse_requirements::{Certainty, Finding, Status, Subject, judge};

use crate::subjects::{ready, system, with};

const NETPLAN: &str = "/etc/netplan/01-netcfg.yaml";
const SWITCH: &str = "/etc/cloud/cloud.cfg.d/99-disable-network-config.cfg";

/// A setting for the card of this name; none is for any.
fn card(path: &str, name: &str) -> Interface {
    let matches = (!name.is_empty()).then(|| InterfaceMatch {
        by: MatchBy::Name,
        value: name.to_owned(),
        evidence: Evidence::path(path).line(4).value(name),
    });
    Interface {
        matches: matches.into_iter().collect(),
        automatic: true,
        evidence: Evidence::path(path).line(4).value(name),
        ..Interface::default()
    }
}

fn fixed(path: &str, name: &str, address: &str) -> Interface {
    Interface {
        addresses: vec![Evidence::path(path).line(6).value(address)],
        ..card(path, name)
    }
}

fn dhcp(path: &str, name: &str) -> Interface {
    Interface {
        dhcp4: true,
        ..card(path, name)
    }
}

fn for_mac(mut interface: Interface) -> Interface {
    let evidence = interface.evidence.clone().line(5).value("52:54:00:12:34:56");
    interface.matches.push(InterfaceMatch {
        by: MatchBy::Mac,
        value: "52:54:00:12:34:56".to_owned(),
        evidence,
    });
    interface
}

fn network(facts: &mut Facts) -> &mut Network {
    let known = match &mut facts.network {
        Fact::Known(network) => Some(network),
        Fact::Unknown(_) => None,
    };
    known.unwrap()
}

/// One program with these settings, and no other.
fn set_up_by(facts: &mut Facts, kind: ConfiguratorKind, interfaces: Vec<Interface>) {
    network(facts).configurators = vec![Configurator {
        kind,
        active: Fact::Known(true),
        evidence: Vec::new(),
        interfaces: Fact::Known(interfaces),
    }];
}

/// cloud-init sets up the network, beside what is there.
fn beside(kind: ConfiguratorKind, interface: Interface) -> Subject {
    with(|facts| set_up_by(facts, kind, vec![interface]))
}

/// cloud-init is told to leave the network alone, as Ubuntu's installer did.
fn alone(kind: ConfiguratorKind, interface: Interface) -> Subject {
    with(|facts| {
        set_up_by(facts, kind, vec![interface]);
        if let Fact::Known(Some(cloud_init)) = &mut facts.cloud_init {
            cloud_init.network_disabled = Fact::Known(Setting {
                value: true,
                from: Some(Evidence::path(SWITCH).line(1)),
            });
        }
    })
}

/// Without cloud-init.
fn without(kind: ConfiguratorKind, interface: Interface) -> Subject {
    with(|facts| {
        set_up_by(facts, kind, vec![interface]);
        facts.agent = Fact::Known(None);
    })
}

/// Settings in cloud-init's own files.
fn by_its_own(interface: Interface) -> Subject {
    with(|facts| {
        if let Fact::Known(Some(cloud_init)) = &mut facts.cloud_init {
            cloud_init.network_settings = Fact::Known(Some(vec![interface]));
        }
    })
}

fn nothing(id: &str, version: &str) -> Subject {
    with(|facts| {
        network(facts).configurators = Vec::new();
        facts.system = Fact::Known(Some(system(id, version, id)));
    })
}

fn tied(mut subject: Subject, name: &str) -> Subject {
    if let Ok(facts) = &mut subject.facts {
        network(facts).fixed_names = Fact::Known(vec![FixedName {
            name: name.to_owned(),
            mac: Some("52:54:00:12:34:56".to_owned()),
            evidence: Evidence::path("/etc/udev/rules.d/70-persistent-net.rules").line(2),
        }]);
    }
    subject
}

fn with_name_server(address: &str) -> Subject {
    with(|facts| {
        let server = Evidence::path("/etc/resolv.conf").line(2).value(address);
        network(facts).name_servers = Fact::Known(vec![server]);
    })
}

const IFCFG: &str = "/etc/sysconfig/network-scripts/ifcfg-eth0";

pub(crate) fn subjects() -> Vec<Subject> {
    use ConfiguratorKind::{Ifupdown, Netplan, NetworkScripts, Networkd};
    let mut all = vec![
        alone(Netplan, dhcp(NETPLAN, "en*")),
        alone(Netplan, fixed(NETPLAN, "ens192", "192.0.2.10/24")),
        alone(Netplan, fixed(NETPLAN, "ens192", "2001:db8::10/64")),
        alone(Netplan, card(NETPLAN, "ens192")),
        alone(Netplan, dhcp(NETPLAN, "ens192")),
        alone(Netplan, for_mac(dhcp(NETPLAN, "ens192"))),
        tied(alone(Netplan, dhcp(NETPLAN, "ens192")), "ens192"),
        without(NetworkScripts, for_mac(dhcp(IFCFG, "eth0"))),
        without(Ifupdown, fixed("/etc/network/interfaces", "eth0", "192.0.2.10")),
        beside(Netplan, fixed(NETPLAN, "ens192", "192.0.2.10/24")),
        beside(Ifupdown, fixed("/etc/network/interfaces", "eth0", "192.0.2.10")),
        beside(
            Networkd,
            Interface {
                sets_mac: Some(Evidence::path("/etc/systemd/network/10-lan.network").line(5)),
                ..dhcp("/etc/systemd/network/10-lan.network", "")
            },
        ),
        by_its_own(fixed(
            "/etc/cloud/cloud.cfg.d/90-installer-network.cfg",
            "ens192",
            "192.0.2.10/24",
        )),
        with_name_server("10.0.0.53"),
        with(|facts| {
            if let Fact::Known(Some(cloud_init)) = &mut facts.cloud_init {
                cloud_init.network_disabled = Fact::Unknown(Unknown::new("config_not_read").with("path", SWITCH));
            }
        }),
    ];
    for (id, version) in [
        ("debian", "12"),
        ("ubuntu", "24.04"),
        ("almalinux", "9.6"),
        ("arch", ""),
        ("alpine", "3.22"),
        ("centos", "6.10"),
    ] {
        all.push(nothing(id, version));
    }
    all
}

fn finding(subject: &Subject, code: &str) -> Option<Finding> {
    judge(subject).findings.into_iter().find(|finding| finding.code == code)
}

fn address(subject: &Subject) -> Finding {
    finding(subject, "network_address").unwrap()
}

fn reason(subject: &Subject, code: &str) -> String {
    finding(subject, code).unwrap().reason
}

fn commands(subject: &Subject, code: &str) -> Vec<String> {
    finding(subject, code).unwrap().remedy.unwrap().commands
}

use ConfiguratorKind::{Ifupdown, Netplan, NetworkManager, NetworkScripts, Networkd, Wicked};

#[test]
fn a_stock_system_passes() {
    assert_eq!(address(&ready()).reason, "network_address_cloud_init");
    assert_eq!(reason(&ready(), "network_card"), "network_card_any");
}

#[test]
fn a_fixed_address_that_nothing_replaces_keeps_the_owner_out() {
    let subject = alone(Netplan, fixed(NETPLAN, "ens192", "192.0.2.10/24"));
    let found = address(&subject);
    assert_eq!((found.status, found.certainty), (Status::Fail, Certainty::Likely));
    assert_eq!(found.params["addresses"], "192.0.2.10/24");
    assert_eq!(found.evidence[0].path.as_deref(), Some(NETPLAN));
    assert_eq!(
        commands(&subject, "network_address"),
        [
            format!("[ ! -e {SWITCH} ] || mv {SWITCH} {SWITCH}.bak"),
            format!("[ ! -e {NETPLAN} ] || mv {NETPLAN} {NETPLAN}.bak"),
        ],
        "both can be put back"
    );
}

/// What cloud-init wrote for the old machine is written anew on a new one, unless it leaves the network alone.
#[test]
fn what_cloud_init_wrote_counts_only_where_it_stays() {
    let written = || Interface {
        by_cloud_init: true,
        ..fixed("/etc/netplan/50-cloud-init.yaml", "ens192", "192.0.2.10/24")
    };
    assert_eq!(
        address(&beside(Netplan, written())).reason,
        "network_address_cloud_init"
    );
    assert_eq!(address(&alone(Netplan, written())).reason, "network_address_fixed");
}

#[test]
fn an_old_setting_competes_only_where_both_are_followed() {
    let netplan = |name| address(&beside(Netplan, fixed(NETPLAN, name, "192.0.2.10/24")));
    assert_eq!(
        (netplan("en*").status, netplan("en*").certainty),
        (Status::Warning, Certainty::Likely)
    );
    assert_eq!(
        netplan("ens192").certainty,
        Certainty::Possible,
        "the VM's card may have another name"
    );
    let old_card = |kind, path| address(&beside(kind, for_mac(fixed(path, "ens192", "192.0.2.10/24"))));
    assert_eq!(
        old_card(Ifupdown, "/etc/network/interfaces").reason,
        "network_address_cloud_init",
        "no new card has that hardware address"
    );
    assert_eq!(
        old_card(Netplan, NETPLAN).certainty,
        Certainty::Possible,
        "a definition of the new card's name is joined with cloud-init's, whose hardware address wins"
    );

    let networkd = |file: &str| {
        let path = format!("/etc/systemd/network/{file}");
        address(&beside(Networkd, fixed(&path, "", "192.0.2.10/24"))).reason
    };
    assert_eq!(networkd("05-lan.network"), "network_address_left_over");
    assert_eq!(
        networkd("20-lan.network"),
        "network_address_cloud_init",
        "cloud-init's file comes first"
    );

    let own_file = |kind, path: &str| address(&beside(kind, fixed(path, "eth0", "192.0.2.10"))).reason;
    assert_eq!(
        own_file(NetworkScripts, IFCFG),
        "network_address_cloud_init",
        "cloud-init writes over it"
    );
    assert_eq!(
        own_file(Wicked, "/etc/sysconfig/network/ifcfg-eth0"),
        "network_address_cloud_init"
    );
    assert_eq!(
        own_file(NetworkScripts, "/etc/sysconfig/network-scripts/ifcfg-lan"),
        "network_address_left_over"
    );
    let profile = "/etc/NetworkManager/system-connections/lan.nmconnection";
    assert_eq!(
        address(&beside(NetworkManager, fixed(profile, "", "192.0.2.10"))).certainty,
        Certainty::Possible
    );
}

#[test]
fn ifupdowns_file_keeps_its_loopback() {
    let subject = beside(Ifupdown, fixed("/etc/network/interfaces", "eth0", "192.0.2.10"));
    assert!(commands(&subject, "network_address")[1].contains("iface lo inet loopback"));
    let part = beside(Ifupdown, fixed("/etc/network/interfaces.d/lan", "eth0", "192.0.2.10"));
    assert_eq!(
        commands(&part, "network_address"),
        ["[ ! -e /etc/network/interfaces.d/lan ] || mv /etc/network/interfaces.d/lan /etc/network/lan.bak"],
        "any name in that folder would be read"
    );
}

/// `/etc/cloud/cloud.cfg` may say it too, and nobody sets that aside.
#[test]
fn only_files_that_hold_nothing_else_are_set_aside() {
    let subject = with(|facts| {
        set_up_by(facts, Netplan, vec![fixed(NETPLAN, "ens192", "192.0.2.10/24")]);
        if let Fact::Known(Some(cloud_init)) = &mut facts.cloud_init {
            cloud_init.network_disabled = Fact::Known(Setting {
                value: true,
                from: Some(Evidence::path("/etc/cloud/cloud.cfg").line(9)),
            });
        }
    });
    assert_eq!(commands(&subject, "network_address"), [""; 0]);
    let path = "/etc/netplan/a'; reboot; '.yaml";
    let quoted = commands(&beside(Netplan, fixed(path, "en*", "192.0.2.10/24")), "network_address");
    assert!(
        quoted[0].contains(r"'/etc/netplan/a'\''; reboot; '\''.yaml'"),
        "{quoted:?}"
    );
}

#[test]
fn settings_in_cloud_inits_own_files_win_over_what_the_vm_is_told() {
    let path = "/etc/cloud/cloud.cfg.d/90-installer-network.cfg";
    let subject = by_its_own(fixed(path, "ens192", "192.0.2.10/24"));
    assert_eq!(address(&subject).reason, "network_address_fixed");
    assert_eq!(
        commands(&subject, "network_address"),
        [format!("[ ! -e {path} ] || mv {path} {path}.bak")]
    );
    let subject = by_its_own(dhcp(path, "ens192"));
    assert_eq!(address(&subject).reason, "network_address_dhcp");
    assert_eq!(reason(&subject, "network_card"), "network_card_name");
}

#[test]
fn no_ipv6_is_told_apart_from_no_address_at_all() {
    let six = alone(Netplan, fixed(NETPLAN, "ens192", "2001:db8::10/64"));
    assert_eq!(address(&six).reason, "network_address_ipv6_only");
    let both = with(|facts| {
        let two = vec![fixed(NETPLAN, "ens192", "2001:db8::10/64"), dhcp(NETPLAN, "ens224")];
        set_up_by(facts, Netplan, two);
        facts.agent = Fact::Known(None);
    });
    assert_eq!(address(&both).reason, "network_address_dhcp");
}

/// NetworkManager's own profile for any card comes about only where there is no other.
#[test]
fn a_profile_for_every_card_leaves_no_room_for_the_default() {
    let default = || dhcp("/etc/NetworkManager/NetworkManager.conf", "");
    let profile = "/etc/NetworkManager/system-connections/lan.nmconnection";
    let with_profile = |name| {
        with(|facts| {
            set_up_by(
                facts,
                NetworkManager,
                vec![fixed(profile, name, "192.0.2.10"), default()],
            );
            facts.agent = Fact::Known(None);
        })
    };
    assert_eq!(address(&with_profile("")).reason, "network_address_fixed");
    assert_eq!(address(&with_profile("ens192")).reason, "network_address_dhcp");
}

#[test]
fn a_card_of_the_kernels_name_is_always_there() {
    let plain = without(Ifupdown, dhcp("/etc/network/interfaces", "eth0"));
    assert_eq!(reason(&plain, "network_card"), "network_card_name");
    let mut by_command_line = plain.clone();
    if let Ok(facts) = &mut by_command_line.facts
        && let Fact::Known(Some(entry)) = &mut facts.boot.entry
    {
        entry.command_line += " net.ifnames=0";
    }
    assert_eq!(reason(&by_command_line, "network_card"), "network_card_any");
    let mut alpine = plain;
    if let Ok(facts) = &mut alpine.facts {
        facts.system = Fact::Known(Some(system("alpine", "3.22", "Alpine")));
    }
    assert_eq!(reason(&alpine, "network_card"), "network_card_any");
}

#[test]
fn the_old_cards_address_suits_no_new_card() {
    let subject = without(NetworkScripts, for_mac(dhcp(IFCFG, "eth0")));
    let found = finding(&subject, "network_card").unwrap();
    assert_eq!((found.status, found.certainty), (Status::Fail, Certainty::Certain));
    assert_eq!(
        found.remedy.unwrap().commands,
        [format!("sed -i -e '/^HWADDR=/d' -e '/^UUID=/d' {IFCFG}")]
    );
    let two = with(|facts| {
        set_up_by(facts, Netplan, vec![for_mac(dhcp(NETPLAN, "")), dhcp(NETPLAN, "e*")]);
        facts.agent = Fact::Known(None);
    });
    assert_eq!(
        reason(&two, "network_card"),
        "network_card_any",
        "one setting for any card is enough"
    );
}

#[test]
fn a_name_that_is_tied_to_the_old_card_is_told() {
    let subject = tied(alone(Netplan, dhcp(NETPLAN, "ens192")), "ens192");
    let found = finding(&subject, "network_card").unwrap();
    assert_eq!(found.reason, "network_card_fixed_name");
    assert_eq!(
        found.evidence[0].path.as_deref(),
        Some("/etc/udev/rules.d/70-persistent-net.rules")
    );
    let other = tied(alone(Netplan, dhcp(NETPLAN, "ens192")), "eth7");
    assert_eq!(
        reason(&other, "network_card"),
        "network_card_name",
        "that name is used by nothing"
    );
}

#[test]
fn dns_servers_that_answer_everywhere_are_no_matter() {
    for (server, is_told) in [
        ("10.0.0.53", true),
        ("192.168.1.1", true),
        ("100.64.0.1", true),
        ("fd00::53", true),
        ("9.9.9.9", false),
        ("127.0.0.53", false),
        ("2620:fe::fe", false),
    ] {
        let told = address(&with_name_server(server)).reason == "network_address_name_servers";
        assert_eq!(told, is_told, "{server}");
    }
    let mut rewritten = beside(Ifupdown, dhcp("/etc/network/interfaces", "eth0"));
    if let Ok(facts) = &mut rewritten.facts {
        let server = Evidence::path("/etc/resolv.conf").line(1).value("10.0.0.53");
        network(facts).name_servers = Fact::Known(vec![server]);
    }
    assert_eq!(
        address(&rewritten).reason,
        "network_address_cloud_init",
        "the DHCP client writes the file anew"
    );
}

#[test]
fn without_a_program_nobody_asks_for_an_address() {
    let subject = nothing("debian", "12");
    assert_eq!(address(&subject).reason, "network_address_nothing");
    assert_eq!(finding(&subject, "network_card"), None);
    let mut by_kernel = subject;
    if let Ok(facts) = &mut by_kernel.facts
        && let Fact::Known(Some(entry)) = &mut facts.boot.entry
    {
        entry.command_line += " ip=dhcp";
    }
    assert_eq!(address(&by_kernel).status, Status::Pass, "the kernel asks for it");
}

#[test]
fn what_is_not_known_is_no_pass() {
    let unknown = || Unknown::new("network_config_not_read").with("path", NETPLAN);
    let mut subject = alone(Netplan, card(NETPLAN, "ens192"));
    if let Ok(facts) = &mut subject.facts {
        network(facts).configurators[0].interfaces = Fact::Unknown(unknown());
    }
    assert_eq!(address(&subject).status, Status::Unknown);
    let subject = with(|facts| {
        let mut all = Vec::new();
        std::mem::swap(&mut all, &mut network(facts).configurators);
        for mut one in all {
            one.active = Fact::Unknown(unknown());
            network(facts).configurators.push(one);
        }
    });
    assert_eq!(address(&subject).status, Status::Unknown);
}
