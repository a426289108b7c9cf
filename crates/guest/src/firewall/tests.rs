//! The rulesets of `tests/firewall/cases`, with what the kernel itself did with each of them (`make.py` there).

use std::{collections::BTreeMap, fs, path::PathBuf};

use super::*;
use crate::MemoryTree;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/firewall")
}

/// A Debian with systemd that starts one service.
fn debian(unit: &str) -> MemoryTree {
    MemoryTree::new()
        .systemd()
        .file(
            &format!("/usr/lib/systemd/system/{unit}"),
            "[Unit]\n[Install]\nWantedBy=multi-user.target\n",
        )
        .symlink(
            &format!("/etc/systemd/system/multi-user.target.wants/{unit}"),
            &format!("/usr/lib/systemd/system/{unit}"),
        )
}

/// The system of a case.
fn system(name: &str) -> MemoryTree {
    let path = folder().join("cases").join(name);
    let (stem, kind) = name.rsplit_once('.').unwrap();
    match kind {
        "nft" => debian("nftables.service")
            .program("/usr/sbin/nft", "")
            .file("/etc/nftables.conf", fs::read(path).unwrap()),
        "v4" => debian("netfilter-persistent.service").file("/etc/iptables/rules.v4", fs::read(path).unwrap()),
        "ufw" => {
            let mut tree = debian("ufw.service").program("/usr/sbin/ufw", "");
            for entry in fs::read_dir(folder().join("ufw").join(stem)).unwrap() {
                let entry = entry.unwrap();
                let inside = entry.file_name().into_string().unwrap().replace('_', "/");
                tree = tree.file(&format!("/{inside}"), fs::read(entry.path()).unwrap());
            }
            tree
        }
        _ => panic!("{name}"),
    }
}

fn firewall(tree: &MemoryTree) -> Firewall {
    match read(&Files::new(tree).unwrap(), &[22]) {
        Fact::Known(firewall) => firewall,
        Fact::Unknown(unknown) => panic!("{unknown:?}"),
    }
}

/// What depends on the new machine must stay unknown, and everything else must be what the kernel does. A few rulesets
/// may stay unknown although the kernel is of one mind: they say so here.
#[test]
fn every_ruleset_is_judged_as_the_kernel_does() {
    // Address translation, and several fields at once, are not looked into.
    const MAY_BE_UNKNOWN: &[&str] = &["any-card.v4", "redirect.v4"];
    let expected = fs::read_to_string(folder().join("expected.txt")).unwrap();
    let expected: BTreeMap<&str, &str> = expected.lines().map(|line| line.split_once(' ').unwrap()).collect();
    let cases: Vec<String> = fs::read_dir(folder().join("cases"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(cases.len(), expected.len(), "make.py was not run");
    let mut wrong = Vec::new();
    for name in &cases {
        let firewall = firewall(&system(name));
        assert_eq!(firewall.filters.len(), 1, "{name}");
        let ours = match &firewall.ssh {
            Fact::Known(Reach::Everybody) => "everybody",
            Fact::Known(Reach::SomeAddresses) => "some_addresses",
            Fact::Known(Reach::Nobody) => "nobody",
            Fact::Unknown(unknown) => {
                assert_eq!(unknown.code, "firewall_not_certain", "{name}: {unknown:?}");
                "depends"
            }
        };
        let theirs = expected[name.as_str()];
        if ours != theirs && !(ours == "depends" && MAY_BE_UNKNOWN.contains(&name.as_str())) {
            wrong.push(format!("{name}: kernel {theirs}, here {ours}: {:?}", firewall.filters));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A system with firewalld and its package's own zones, as far as they concern SSH.
fn firewalld(settings: &str) -> MemoryTree {
    debian("firewalld.service")
        .program("/usr/sbin/firewalld", "")
        .file("/etc/firewalld/firewalld.conf", settings)
        .file(
            "/usr/lib/firewalld/zones/public.xml",
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<zone>\n  <short>Public</short>\n  <service name=\"ssh\"/>\n  \
             <service name=\"dhcpv6-client\"/>\n  <forward/>\n</zone>\n",
        )
        .file(
            "/usr/lib/firewalld/zones/drop.xml",
            "<zone target=\"DROP\">\n  <short>Drop</short>\n</zone>\n",
        )
        .file(
            "/usr/lib/firewalld/zones/trusted.xml",
            "<zone target=\"ACCEPT\">\n</zone>\n",
        )
        .file(
            "/usr/lib/firewalld/services/ssh.xml",
            "<service>\n  <short>SSH</short>\n  <port protocol=\"tcp\" port=\"22\"/>\n</service>\n",
        )
}

fn reach(tree: &MemoryTree) -> Option<Reach> {
    match firewall(tree).ssh {
        Fact::Known(reach) => Some(reach),
        Fact::Unknown(_) => None,
    }
}

/// Zones and rules as firewalld.zone(5) and firewalld.richlanguage(5) tell them.
#[test]
fn firewalld_is_judged_by_the_zone_of_the_card() {
    let zone = |text: &str| firewalld("").file("/etc/firewalld/zones/public.xml", format!("<zone>\n{text}\n</zone>\n"));
    for (what, tree, expected) in [
        (
            "the default of the default is public",
            firewalld("# none\n"),
            Some(Reach::Everybody),
        ),
        (
            "drop lets nothing in",
            firewalld("DefaultZone=drop\n"),
            Some(Reach::Nobody),
        ),
        (
            "trusted lets everything in",
            firewalld("DefaultZone=trusted\n"),
            Some(Reach::Everybody),
        ),
        ("a zone that is not there", firewalld("DefaultZone=gone\n"), None),
        (
            "the administrator's file wins",
            zone("<service name=\"http\"/>"),
            Some(Reach::Nobody),
        ),
        (
            "a port",
            zone("<port port=\"20-25\" protocol=\"tcp\"/>"),
            Some(Reach::Everybody),
        ),
        (
            "a port of UDP",
            zone("<port port=\"22\" protocol=\"udp\"/>"),
            Some(Reach::Nobody),
        ),
        (
            "a rich rule for an office",
            zone("<rule family=\"ipv4\"><source address=\"203.0.113.0/24\"/><service name=\"ssh\"/><accept/></rule>"),
            Some(Reach::SomeAddresses),
        ),
        (
            "a rich rule for IPv6",
            zone("<rule family=\"ipv6\"><service name=\"ssh\"/><accept/></rule>"),
            Some(Reach::Nobody),
        ),
        (
            "what is denied comes before what is allowed",
            zone("<service name=\"ssh\"/><rule><service name=\"ssh\"/><reject/></rule>"),
            Some(Reach::Nobody),
        ),
        (
            "a priority comes before that",
            zone(
                "<rule><service name=\"ssh\"/><drop/></rule><rule priority=\"-5\"><port port=\"22\" protocol=\"tcp\"/><accept/></rule>",
            ),
            Some(Reach::Everybody),
        ),
        (
            "another zone with a card that may be the new machine's",
            firewalld("").file(
                "/etc/firewalld/zones/internal.xml",
                "<zone><interface name=\"eth0\"/></zone>",
            ),
            None,
        ),
        (
            "a zone for containers is for no card",
            firewalld("").file(
                "/etc/firewalld/zones/docker.xml",
                "<zone><interface name=\"docker0\"/></zone>",
            ),
            Some(Reach::Everybody),
        ),
        (
            "a connection of NetworkManager that puts the card elsewhere",
            firewalld("").file(
                "/etc/NetworkManager/system-connections/eth0.nmconnection",
                "[connection]\nid=eth0\nzone=drop\n",
            ),
            None,
        ),
        (
            "an interface file that says what is so anyway",
            firewalld("").file(
                "/etc/sysconfig/network-scripts/ifcfg-eth0",
                "DEVICE=eth0\nZONE=\"public\"\n",
            ),
            Some(Reach::Everybody),
        ),
        (
            "rules of the direct interface",
            firewalld("").file(
                "/etc/firewalld/direct.xml",
                "<direct><rule ipv=\"ipv4\">-j DROP</rule></direct>",
            ),
            None,
        ),
    ] {
        assert_eq!(reach(&tree), expected, "{what}");
    }
}

#[test]
fn a_firewall_that_is_not_started_closes_nothing() {
    let rules = "*filter\n:INPUT DROP\nCOMMIT\n";
    let base = MemoryTree::new().systemd().file("/etc/iptables/rules.v4", rules);
    let stopped = base
        .clone()
        .file("/usr/lib/systemd/system/netfilter-persistent.service", "[Unit]\n");
    assert_eq!(reach(&stopped), Some(Reach::Everybody));
    assert!(firewall(&stopped).filters.is_empty());
    let started = debian("netfilter-persistent.service").file("/etc/iptables/rules.v4", rules);
    assert_eq!(reach(&started), Some(Reach::Nobody));
    // The package's plug-ins do the work: `apt remove iptables-persistent` takes them along.
    let without = started.file("/usr/share/netfilter-persistent/plugins.d/README", "");
    assert_eq!(reach(&without), Some(Reach::Everybody));
}

#[test]
fn the_servers_own_port_is_what_counts() {
    let rules = "*filter\n:INPUT DROP\n-A INPUT -p tcp --dport 22 -j ACCEPT\n\
                 -A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT\nCOMMIT\n";
    let tree = debian("netfilter-persistent.service").file("/etc/iptables/rules.v4", rules);
    let files = Files::new(&tree).unwrap();
    for (ports, expected) in [
        (&[22][..], Reach::Everybody),
        (&[2222], Reach::Nobody),
        (&[2222, 22], Reach::Everybody),
    ] {
        let Fact::Known(firewall) = read(&files, ports) else {
            panic!()
        };
        assert_eq!(firewall.ssh, Fact::Known(expected), "{ports:?}");
    }
}

#[test]
fn the_deciding_rule_is_told_with_its_line() {
    let closed = firewall(&system("redhat-no-ssh.v4"));
    let rule = closed.filters[0].evidence.last().unwrap();
    assert_eq!(
        (rule.path.as_deref(), rule.line),
        (Some("/etc/iptables/rules.v4"), Some(9)),
        "{rule:?}"
    );
    let open = firewall(&system("arch.nft"));
    let rule = open.filters[0].evidence.last().unwrap();
    assert_eq!(
        rule.value.as_deref(),
        Some("tcp dport ssh accept comment \"allow sshd\"")
    );
    assert_eq!(rule.line, Some(13));
}

#[test]
fn firewalls_that_undo_each_other_are_not_known() {
    let tree = system("allow.ufw");
    assert_eq!(reach(&tree), Some(Reach::Everybody));
    let both = tree
        .file("/usr/lib/systemd/system/netfilter-persistent.service", "[Unit]\n")
        .symlink(
            "/etc/systemd/system/multi-user.target.wants/netfilter-persistent.service",
            "/usr/lib/systemd/system/netfilter-persistent.service",
        )
        .file("/etc/iptables/rules.v4", "*filter\n:INPUT DROP\nCOMMIT\n");
    assert_eq!(reach(&both), None);
    let script = MemoryTree::new()
        .systemd()
        .program("/etc/rc.local", "#!/bin/sh\niptables -P INPUT DROP\n");
    assert_eq!(reach(&script), None, "what a script does is not followed");
    assert_eq!(firewall(&script).filters[0].evidence[0].line, Some(2));
}

/// hosts_access(5): the first file's first suiting rule, then the second's, then everybody.
#[test]
fn tcp_wrappers_are_asked_where_the_server_is_built_with_them() {
    let sshd = |allow: &str, deny: &str| {
        MemoryTree::new()
            .systemd()
            .program("/usr/sbin/sshd", "\x7fELF…libwrap.so.0…")
            .file("/etc/hosts.allow", allow)
            .file("/etc/hosts.deny", deny)
    };
    for (allow, deny, expected) in [
        ("# nothing\n", "# ALL: PARANOID\n", Some(Reach::Everybody)),
        ("", "ALL: ALL\n", Some(Reach::Nobody)),
        ("", "sshd : ALL\n", Some(Reach::Nobody)),
        ("", "in.ftpd: ALL\n", Some(Reach::Everybody)),
        ("sshd: 203.0.113.\n", "ALL: ALL\n", Some(Reach::SomeAddresses)),
        ("sshd: ALL\n", "ALL: ALL\n", Some(Reach::Everybody)),
        ("sshd: ALL: deny\n", "", Some(Reach::Nobody)),
        (
            "sshd: [2001:db8::]/32 10.0.0.0/8 : allow\nALL: ALL \\\n : deny\n",
            "",
            Some(Reach::SomeAddresses),
        ),
        ("", "ALL: PARANOID\n", None),
        ("", "sshd: ALL EXCEPT 10.\n", None),
    ] {
        assert_eq!(reach(&sshd(allow, deny)), expected, "{allow:?} {deny:?}");
    }
    let without = sshd("", "ALL: ALL\n").program("/usr/sbin/sshd", "\x7fELF");
    assert_eq!(
        reach(&without),
        Some(Reach::Everybody),
        "Red Hat's server since 8 does not ask"
    );
}

#[test]
fn freebsds_filters_are_told_by_rc_conf() {
    let tree = |rc: &str, pf: &str| MemoryTree::new().file("/etc/rc.conf", rc).file("/etc/pf.conf", pf);
    for (rc, pf, expected) in [
        ("pf_enable=\"NO\"\n", "block in all\n", Some(Reach::Everybody)),
        ("pf_enable=\"YES\"\n", "pass all\n", Some(Reach::Everybody)),
        (
            "pf_enable=\"YES\"\n",
            "block in all\npass in proto tcp to port 22\n",
            None,
        ),
        (
            "firewall_enable=\"YES\"\nfirewall_type=\"open\"\n",
            "",
            Some(Reach::Everybody),
        ),
        (
            "firewall_enable=\"YES\"\nfirewall_type=\"closed\"\n",
            "",
            Some(Reach::Nobody),
        ),
        ("firewall_enable=\"YES\"\nfirewall_type=\"workstation\"\n", "", None),
    ] {
        let filters = bsd::read(&Files::new(&tree(rc, pf)).unwrap(), &[22]).unwrap();
        assert_eq!(
            matches!(together(&filters), Fact::Known(_)),
            expected.is_some(),
            "{rc:?}"
        );
        if let (Fact::Known(found), Some(expected)) = (together(&filters), expected) {
            assert_eq!(found, expected, "{rc:?}");
        }
    }
}

mod hostile {
    use std::fmt::Write as _;

    use proptest::prelude::*;

    use super::*;

    /// Words that rules are made of, so that a mutation comes further than the first word.
    fn words() -> impl Strategy<Value = String> {
        let word = prop::sample::select(vec![
            "table",
            "inet",
            "t",
            "{",
            "}",
            "chain",
            "c",
            "type filter hook input priority 0;",
            "policy drop;",
            "jump c",
            "goto c",
            "tcp dport",
            "22",
            "vmap",
            ":",
            ",",
            "accept",
            "drop",
            "ct state",
            "new",
            "\n",
            "set",
            "s",
            "@s",
            "elements =",
            "define x =",
            "$x",
            "include \"x\"",
            "*filter",
            ":INPUT DROP",
            "-A INPUT",
            "-j",
            "-p tcp",
            "--dport",
            "!",
            "-N c",
            "-I INPUT 9",
            "COMMIT",
            "\"",
            "&",
            "(",
            "|",
            ".",
            "ip saddr",
            "limit rate over",
        ]);
        prop::collection::vec(word, 0..60).prop_map(|words| words.join(" "))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_rules_break_the_reader(text in prop_oneof![words(), ".{0,300}"]) {
            for (unit, path) in [
                ("nftables.service", "/etc/nftables.conf"),
                ("netfilter-persistent.service", "/etc/iptables/rules.v4"),
                ("firewalld.service", "/etc/firewalld/zones/public.xml"),
            ] {
                let tree = debian(unit).program("/usr/sbin/nft", "").program("/usr/sbin/firewalld", "").file(path, &text);
                _ = firewall(&tree);
            }
        }
    }

    /// Definitions of definitions grow by powers: they end where nft's own would fill the memory.
    #[test]
    fn definitions_and_chains_that_multiply_end() {
        let mut text = String::from("define a0 = 1\n");
        for number in 1..40 {
            let before = number - 1;
            _ = writeln!(text, "define a{number} = {{ $a{before}, $a{before}, $a{before} }}");
        }
        text.push_str("table ip t {\n chain c { type filter hook input priority 0; tcp dport $a39 accept; }\n}\n");
        let tree = debian("nftables.service")
            .program("/usr/sbin/nft", "")
            .file("/etc/nftables.conf", text);
        assert_eq!(reach(&tree), None);

        let mut text = String::from("*filter\n:INPUT ACCEPT\n");
        for number in (0..1000).rev() {
            _ = writeln!(text, "-N c{number}");
            for _ in 0..5 {
                _ = writeln!(text, "-A c{number} -j c{}", number + 1);
            }
        }
        text.push_str("-A INPUT -j c0\nCOMMIT\n");
        let tree = debian("netfilter-persistent.service").file("/etc/iptables/rules.v4", text);
        assert_eq!(reach(&tree), None, "deeper than a kernel jumps");
    }
}
