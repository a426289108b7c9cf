//! The systems of `tests/network/cases`, with what netplan and ifupdown themselves make of them (`make.py` there), and
//! small ones for what has no such tool here.

use std::{collections::BTreeSet, fs, path::Path};

use super::*;
use crate::{
    MemoryTree,
    facts::{InterfaceMatch, MatchBy},
};

/// A tree with all files of a folder.
fn tree_of(folder: &Path) -> MemoryTree {
    let mut tree = MemoryTree::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let inside = format!("/{}", path.strip_prefix(folder).unwrap().display());
                tree = tree.file(&inside, fs::read(&path).unwrap());
            }
        }
    }
    tree
}

fn names_by(interface: &Interface, by: MatchBy) -> String {
    let found = interface.matches.iter().filter(|one| one.by == by);
    let words: Vec<&str> = found.map(|one| one.value.as_str()).collect();
    if words.is_empty() {
        "-".to_owned()
    } else {
        words.join(",")
    }
}

fn addresses(list: &[Evidence]) -> String {
    let mut all: Vec<&str> = list
        .iter()
        .map(|one| {
            one.value
                .as_deref()
                .unwrap_or_default()
                .split('/')
                .next()
                .unwrap_or_default()
        })
        .collect();
    all.sort_unstable();
    if all.is_empty() { "-".to_owned() } else { all.join(",") }
}

#[test]
fn netplan_and_ifupdown_are_read_as_they_read_themselves() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/network");
    let expected = fs::read_to_string(folder.join("expected.txt")).unwrap();
    let mut ours = BTreeSet::new();
    for entry in fs::read_dir(folder.join("cases")).unwrap() {
        let path = entry.unwrap().path();
        let case = path.file_name().unwrap().to_str().unwrap();
        let tree = tree_of(&path);
        let files = Files::new(&tree).unwrap();
        let found = if case.starts_with("netplan") {
            netplan::read(&files).unwrap().interfaces
        } else {
            interfaces::read(&files).unwrap().unwrap()
        };
        for one in &found {
            assert!(one.evidence.line.is_some(), "{case}: {one:?}");
            ours.insert(format!(
                "{case} {} {} {} {} {} {}",
                names_by(one, MatchBy::Name),
                names_by(one, MatchBy::Mac),
                if one.automatic { "up" } else { "-" },
                if one.dhcp4 { "dhcp" } else { "-" },
                addresses(&one.addresses),
                addresses(&one.name_servers),
            ));
        }
    }
    let theirs: BTreeSet<String> = expected.lines().map(str::to_owned).collect();
    assert_eq!(ours, theirs);
}

fn network(tree: &MemoryTree) -> Network {
    read(&Files::new(tree).unwrap())
}

fn configurator(tree: &MemoryTree, kind: ConfiguratorKind) -> Configurator {
    let found = network(tree).configurators.into_iter().find(|one| one.kind == kind);
    found.unwrap_or_else(|| panic!("no {kind:?}"))
}

fn known(interfaces: &Fact<Vec<Interface>>) -> &[Interface] {
    match interfaces {
        Fact::Known(interfaces) => interfaces,
        Fact::Unknown(unknown) => panic!("{unknown:?}"),
    }
}

fn wanted(tree: MemoryTree, unit: &str) -> MemoryTree {
    tree.file(&format!("/usr/lib/systemd/system/{unit}"), "[Unit]\n")
        .symlink(
            &format!("/etc/systemd/system/multi-user.target.wants/{unit}"),
            &format!("/usr/lib/systemd/system/{unit}"),
        )
}

#[test]
fn netplan_starts_networkd_unless_it_hands_on_to_network_manager() {
    let base = MemoryTree::new()
        .systemd()
        .program("/usr/lib/systemd/system-generators/netplan", "")
        .program("/usr/lib/systemd/systemd-networkd", "")
        .file("/usr/lib/systemd/system/systemd-networkd.service", "[Unit]\n");
    for (text, active) in [
        ("network: {version: 2, ethernets: {eth0: {dhcp4: true}}}\n", true),
        (
            "network: {version: 2, renderer: NetworkManager, ethernets: {eth0: {dhcp4: true}}}\n",
            false,
        ),
        ("network: {version: 2, renderer: networkd}\n", false),
    ] {
        let tree = base.clone().file("/etc/netplan/01.yaml", text);
        let networkd = configurator(&tree, ConfiguratorKind::Networkd);
        assert_eq!(networkd.active, Fact::Known(active), "{text}");
        assert_eq!(configurator(&tree, ConfiguratorKind::Netplan).active, Fact::Known(true));
    }
    let broken = base.file("/etc/netplan/01.yaml", "network: [\n");
    let netplan = configurator(&broken, ConfiguratorKind::Netplan);
    assert!(matches!(netplan.interfaces, Fact::Unknown(unknown) if unknown.code == "network_config_not_read"));
}

#[test]
fn network_manager_reads_its_profiles_and_asks_dhcp_without_one() {
    let profile = "[connection]\nid=Wired\ntype=ethernet\ninterface-name=ens3\n\n[ethernet]\nmac-address=52:54:00:12:34:56\n\n\
                   [ipv4]\nmethod=manual\naddress1=192.0.2.10/24,192.0.2.1\ndns=192.0.2.53;\n\n[ipv6]\nmethod=disabled\n";
    let path = "/etc/NetworkManager/system-connections/Wired.nmconnection";
    let base = wanted(MemoryTree::new().systemd(), "NetworkManager.service").program("/usr/sbin/NetworkManager", "");
    let tree = base.clone().file_with_mode(path, profile, 0o600);
    let manager = configurator(&tree, ConfiguratorKind::NetworkManager);
    assert_eq!(manager.active, Fact::Known(true));
    let [wired, default] = known(&manager.interfaces) else {
        panic!("{manager:?}")
    };
    assert_eq!(
        (names_by(wired, MatchBy::Name), names_by(wired, MatchBy::Mac)),
        ("ens3".into(), "52:54:00:12:34:56".into())
    );
    assert_eq!(addresses(&wired.addresses), "192.0.2.10");
    assert_eq!(wired.addresses[0].line, Some(11), "a person must find it");
    assert!(!wired.dhcp4 && !wired.dynamic6 && wired.automatic);
    assert!(default.matches.is_empty() && default.dhcp4, "any other card gets DHCP");

    let readable = base.clone().file(path, profile);
    let manager = configurator(&readable, ConfiguratorKind::NetworkManager);
    assert_eq!(
        known(&manager.interfaces).len(),
        1,
        "a profile that others may read is not taken"
    );

    let server = base.file(
        "/usr/lib/NetworkManager/conf.d/00-server.conf",
        "[main]\nno-auto-default=*\n",
    );
    assert_eq!(
        known(&configurator(&server, ConfiguratorKind::NetworkManager).interfaces),
        []
    );
}

#[test]
fn red_hats_files_tell_names_and_hardware_addresses() {
    let tree = MemoryTree::new()
        .program("/etc/rc.d/init.d/network", "")
        .file(
            "/etc/sysconfig/network-scripts/ifcfg-eth0",
            "DEVICE=eth0\nHWADDR=52:54:00:12:34:56\nBOOTPROTO=dhcp\nONBOOT=yes\nTYPE=Ethernet\n",
        )
        .file(
            "/etc/sysconfig/network-scripts/ifcfg-eth1",
            "DEVICE=\"eth1\"\nBOOTPROTO=none\nIPADDR=192.0.2.10\nPREFIX=24\nDNS1=192.0.2.53\nONBOOT=\"no\"\n",
        )
        .file(
            "/etc/sysconfig/network-scripts/ifcfg-lo",
            "DEVICE=lo\nIPADDR=127.0.0.1\n",
        )
        .file("/etc/sysconfig/network-scripts/ifcfg-eth0.rpmsave", "DEVICE=eth5\n");
    let scripts = configurator(&tree, ConfiguratorKind::NetworkScripts);
    let [first, second, loopback] = known(&scripts.interfaces) else {
        panic!("{scripts:?}")
    };
    assert_eq!(names_by(first, MatchBy::Mac), "52:54:00:12:34:56");
    assert!(first.dhcp4 && first.automatic && first.addresses.is_empty());
    assert_eq!(
        (addresses(&second.addresses), addresses(&second.name_servers)),
        ("192.0.2.10".into(), "192.0.2.53".into())
    );
    assert!(!second.dhcp4 && !second.automatic);
    assert_eq!(loopback.special.as_deref(), Some("loopback"));
}

#[test]
fn suses_files_are_named_by_their_interface() {
    let tree = wanted(MemoryTree::new().systemd(), "wicked.service")
        .program("/usr/sbin/wickedd", "")
        .file(
            "/etc/sysconfig/network/ifcfg-eth0",
            "BOOTPROTO='dhcp'\nSTARTMODE='auto'\n",
        )
        .file(
            "/etc/sysconfig/network/ifcfg-eth1",
            "BOOTPROTO='static'\nIPADDR='192.0.2.10/24'\nSTARTMODE='off'\n",
        )
        .file("/etc/sysconfig/network/ifcfg.template", "STARTMODE='auto'\n");
    let wicked = configurator(&tree, ConfiguratorKind::Wicked);
    assert_eq!(wicked.active, Fact::Known(true));
    let [first, second] = known(&wicked.interfaces) else {
        panic!("{wicked:?}")
    };
    assert_eq!(names_by(first, MatchBy::Name), "eth0");
    assert!(first.dhcp4 && first.automatic && !second.automatic);
    assert_eq!(addresses(&second.addresses), "192.0.2.10");
}

#[test]
fn networkd_takes_the_first_folder_and_its_drop_ins() {
    let tree = MemoryTree::new()
        .program("/usr/lib/systemd/systemd-networkd", "")
        .file(
            "/usr/lib/systemd/network/50-dhcp.network",
            "[Match]\nName=en*\n[Network]\nDHCP=yes\n",
        )
        .file(
            "/etc/systemd/network/50-dhcp.network.d/static.conf",
            "[Network]\nDHCP=no\nAddress=192.0.2.10/24\n",
        )
        .file(
            "/usr/lib/systemd/network/80-wlan.network",
            "[Match]\nName=wl*\n[Network]\nDHCP=yes\n",
        )
        .symlink("/etc/systemd/network/80-wlan.network", "/dev/null")
        .file(
            "/etc/systemd/network/70-mac.network",
            "[Match]\nMACAddress=52:54:00:12:34:56\n[Network]\nDHCP=ipv4\n",
        )
        .file(
            "/etc/systemd/network/10-lan.link",
            "[Match]\nMACAddress=52:54:00:12:34:56\n[Link]\nName=lan0\n",
        );
    let networkd = configurator(&tree, ConfiguratorKind::Networkd);
    let [first, second] = known(&networkd.interfaces) else {
        panic!("{networkd:?}")
    };
    assert!(!first.dhcp4, "the drop-in wins");
    assert_eq!(
        first.addresses[0].path.as_deref(),
        Some("/etc/systemd/network/50-dhcp.network.d/static.conf")
    );
    assert!(second.dhcp4 && names_by(second, MatchBy::Mac) == "52:54:00:12:34:56");
    let Fact::Known(names) = network(&tree).fixed_names else {
        panic!()
    };
    assert_eq!(
        (names[0].name.as_str(), names[0].mac.as_deref()),
        ("lan0", Some("52:54:00:12:34:56"))
    );
}

#[test]
fn rules_of_the_old_machine_are_told() {
    let tree = MemoryTree::new()
        .file(
            "/etc/udev/rules.d/70-persistent-net.rules",
            "# PCI device 0x1af4:/sys/devices/pci0000:00/0000:00:03.0 (virtio-pci)\n\
             SUBSYSTEM==\"net\", ACTION==\"add\", DRIVERS==\"?*\", ATTR{address}==\"52:54:00:12:34:56\", \
             ATTR{dev_id}==\"0x0\", ATTR{type}==\"1\", KERNEL==\"eth*\", NAME=\"eth0\"\n",
        )
        .file("/etc/udev/rules.d/60-disk.rules", "SUBSYSTEM==\"block\", NAME=\"x\"\n")
        .symlink("/etc/systemd/network/99-default.link", "/dev/null")
        .file("/etc/hostname", "# name\nweb1\n")
        .file("/etc/resolv.conf", "search example.org\nnameserver 192.0.2.53\n");
    let network = network(&tree);
    let Fact::Known(names) = network.fixed_names else {
        panic!()
    };
    assert_eq!(names.len(), 1);
    assert_eq!(
        (names[0].name.as_str(), names[0].mac.as_deref(), names[0].evidence.line),
        ("eth0", Some("52:54:00:12:34:56"), Some(2))
    );
    assert!(matches!(network.kernel_names, Fact::Known(Some(_))));
    assert!(
        matches!(network.hostname, Fact::Known(Some(at)) if at.value.as_deref() == Some("web1") && at.line == Some(2))
    );
    assert!(matches!(network.name_servers, Fact::Known(servers) if servers.len() == 1));
}

#[test]
fn dhcpcd_and_freebsd_are_read() {
    let tree = MemoryTree::new().program("/sbin/dhcpcd", "").file(
        "/etc/dhcpcd.conf",
        "hostname\ndenyinterfaces wlan*\ninterface eth0\nstatic ip_address=192.0.2.10/24\n",
    );
    let dhcpcd = configurator(&tree, ConfiguratorKind::Dhcpcd);
    let [every, card] = known(&dhcpcd.interfaces) else {
        panic!("{dhcpcd:?}")
    };
    assert!(every.dhcp4 && names_by(every, MatchBy::Name) == "!wlan*");
    assert!(!card.dhcp4 && addresses(&card.addresses) == "192.0.2.10");

    let freebsd = MemoryTree::new().file("/etc/defaults/rc.conf", "").file(
        "/etc/rc.conf",
        "hostname=\"bsd\"\nifconfig_DEFAULT=\"SYNCDHCP accept_rtadv\"\nifconfig_vtnet0=\"inet 192.0.2.10/24\"\n",
    );
    let rc = configurator(&freebsd, ConfiguratorKind::RcConf);
    let [every, card] = known(&rc.interfaces) else {
        panic!("{rc:?}")
    };
    assert!(every.matches.is_empty() && every.dhcp4 && every.dynamic6);
    assert_eq!(
        (names_by(card, MatchBy::Name), addresses(&card.addresses)),
        ("vtnet0".into(), "192.0.2.10".into())
    );
}

/// `MatchBy::Other` carries its key, so that a report can say what is compared.
#[test]
fn other_conditions_name_what_they_compare() {
    let tree = MemoryTree::new().file(
        "/etc/netplan/01.yaml",
        "network:\n  ethernets:\n    lan:\n      match: {driver: virtio_net}\n      dhcp4: true\n",
    );
    let settings = netplan::read(&Files::new(&tree).unwrap()).unwrap();
    let InterfaceMatch { by, value, evidence } = &settings.interfaces[0].matches[0];
    assert_eq!(
        (*by, value.as_str(), evidence.line),
        (MatchBy::Other, "driver=virtio_net", Some(4))
    );
}

mod hostile {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn no_settings_break_a_reader(text in prop_oneof![
            ".{0,300}",
            prop::collection::vec(prop::sample::select(vec![
                "network:", "  ethernets:", "    a:", "      dhcp4: true", "      match: {name: [x]}", "iface a inet dhcp",
                "auto a", "source *", "source-directory .", "address 1.2.3.4", "\\", "[Match]", "Name=*", "[connection]",
                "id=x", "type=y", "address1=", "[ipv4]", "DEVICE=", "IPADDR='", "ifconfig_a_b=\"inet", "interface",
                "static ip_address", "SUBSYSTEM==\"net\"", ", NAME=\"", "NAME=\"eth0\"",
            ]), 0..30).prop_map(|lines| lines.join("\n")),
        ]) {
            let mut tree = MemoryTree::new();
            for path in [
                "/sbin/ifup", "/usr/sbin/NetworkManager", "/usr/lib/systemd/systemd-networkd", "/etc/rc.d/init.d/network",
                "/usr/sbin/wickedd", "/sbin/dhcpcd", "/usr/lib/systemd/system-generators/netplan",
                "/etc/defaults/rc.conf", "/etc/netplan/a.yaml", "/etc/network/interfaces", "/etc/systemd/network/a.network",
                "/etc/systemd/network/a.link", "/etc/sysconfig/network-scripts/ifcfg-a", "/etc/sysconfig/network/ifcfg-a",
                "/etc/dhcpcd.conf", "/etc/rc.conf", "/etc/udev/rules.d/70-net.rules", "/etc/hostname", "/etc/resolv.conf",
            ] {
                tree = tree.file(path, &text);
            }
            tree = tree.file_with_mode("/etc/NetworkManager/system-connections/a.nmconnection", &text, 0o600);
            _ = network(&tree);
        }
    }

    /// A file that names itself, and a folder that names it: ifupdown runs out of files, and this one gives up.
    #[test]
    fn files_that_name_each_other_end() {
        let tree = MemoryTree::new()
            .file(
                "/etc/network/interfaces",
                "source /etc/network/interfaces\nsource-directory /etc/network\n",
            )
            .file("/etc/network/more", "source-directory .\n");
        let unknown = interfaces::read(&Files::new(&tree).unwrap()).unwrap_err();
        assert_eq!(unknown.code, "network_config_not_read");
    }
}
