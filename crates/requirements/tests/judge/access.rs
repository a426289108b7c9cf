//! Is the VM reachable, and does it let its owner in: sshd, its configuration, ports and keys, account, name, firewall.

use lotse_guest::{
    Evidence, Fact, MemoryTree, Unknown,
    facts::{
        Account, Filter, Firewall, HostKeys, Login, Reach, Setting, Shell, Sshd, SshdConfig, SshdSetting, Switches,
    },
    sshd,
};
use lotse_requirements::{Certainty, Finding, Status, Subject, judge};

use crate::subjects::{agent, ready, system, with, with_sshd};

/// What sshd is told by a `sshd_config`, read as an image's is.
fn config(text: &str) -> SshdConfig {
    let tree = MemoryTree::new()
        .program("/usr/sbin/sshd", "")
        .file("/etc/ssh/sshd_config", format!("UsePAM yes\n{text}"));
    let read = sshd::of_tree(&tree).config;
    let config = if let Fact::Known(config) = read { config } else { None };
    config.unwrap()
}

fn with_config(text: &str) -> Subject {
    with_sshd(|sshd| sshd.config = Fact::Known(Some(config(text))))
}

fn login(subject: &mut Subject) -> &mut Login {
    let login = match &mut subject.facts.as_mut().unwrap().login {
        Fact::Known(login) => login.as_mut(),
        Fact::Unknown(_) => None,
    };
    login.unwrap()
}

fn with_login(change: impl FnOnce(&mut Login)) -> Subject {
    let mut subject = ready();
    change(login(&mut subject));
    subject
}

/// The key goes to root only, and root may use it.
fn for_root(mut subject: Subject) -> Subject {
    let login = login(&mut subject);
    login.user = None;
    login.root = true;
    login.account = Fact::Known(Some(account("root")));
    login.groups = Some(vec!["root".to_owned()]);
    subject
}

/// The user is there already.
fn with_account(change: impl FnOnce(&mut Account)) -> Subject {
    with_login(|login| {
        let mut account = account("debian");
        change(&mut account);
        login.account = Fact::Known(Some(account));
    })
}

fn account(name: &str) -> Account {
    Account {
        from: Evidence::path("/etc/passwd")
            .line(28)
            .value(&format!("{name}:1000:/bin/bash")),
        uid: 1000,
        gid: 1000,
        shell: "/bin/bash".to_owned(),
        password: "none".to_owned(),
        locked: false,
        must_change: false,
        open_to_others: None,
        expires: None,
    }
}

fn with_shell(path: &str, there: Option<bool>) -> Subject {
    with_login(|login| {
        login.shell = Some(Shell {
            path: path.to_owned(),
            there,
            from: Evidence::path("/etc/cloud/cloud.cfg")
                .line(106)
                .value(&format!("shell: {path}")),
        });
    })
}

fn with_switches(change: impl FnOnce(&mut Switches)) -> Subject {
    with(|facts| {
        if let Fact::Known(Some(cloud_init)) = &mut facts.cloud_init
            && let Fact::Known(switches) = &mut cloud_init.switches
        {
            change(switches);
        }
    })
}

fn set_to<T>(value: T, path: &str) -> Setting<T> {
    Setting {
        value,
        from: Some(Evidence::path(path).line(3)),
    }
}

fn with_filters(filters: &[(&str, Fact<Reach>, &str)]) -> Subject {
    with(|facts| {
        let all: Vec<Filter> = filters
            .iter()
            .map(|(kind, ssh, path)| Filter {
                kind: (*kind).to_owned(),
                ssh: ssh.clone(),
                evidence: vec![
                    Evidence::path(format!("/etc/systemd/system/multi-user.target.wants/{kind}.service")),
                    Evidence::path(*path).line(9),
                ],
            })
            .collect();
        facts.firewall = Fact::Known(Firewall {
            ssh: all
                .first()
                .map_or(Fact::Known(Reach::Everybody), |filter| filter.ssh.clone()),
            filters: all,
        });
    })
}

fn with_ports(ports: &[u16]) -> Subject {
    with_sshd(|sshd| {
        sshd.ports = Fact::Known(SshdSetting {
            value: ports.to_vec(),
            evidence: vec![Evidence::path("/etc/ssh/sshd_config").line(14)],
        });
    })
}

fn with_host_keys(present: &[&str], made_by: Option<&str>, agent_kind: Option<&str>) -> Subject {
    with(|facts| {
        if let Fact::Known(sshd) = &mut facts.sshd {
            sshd.host_keys = Fact::Known(HostKeys {
                files: [present, &[HOST_KEY]]
                    .concat()
                    .iter()
                    .map(|path| (*path).to_owned())
                    .collect(),
                present: present.iter().map(|path| Evidence::path(*path)).collect(),
                made_by: made_by.map(|unit| Evidence::default().value(unit)),
            });
        }
        facts.agent = Fact::Known(agent_kind.map(agent));
    })
}

const HOST_KEY: &str = "/etc/ssh/ssh_host_ed25519_key";

fn expiring(day: u32) -> Subject {
    with_account(|account| account.expires = Some(day))
}

fn on_alpine(mut subject: Subject) -> Subject {
    subject.facts.as_mut().unwrap().system = Fact::Known(Some(system("alpine", "3.22.1", "Alpine Linux v3.22")));
    subject
}

fn without_pam() -> Subject {
    with_sshd(|sshd| {
        if let Fact::Known(Some(config)) = &mut sshd.config {
            config.use_pam = SshdSetting {
                value: false,
                evidence: vec![Evidence::path("/etc/ssh/sshd_config").line(85).value("usepam no")],
            };
        }
    })
}

fn not_started(because: &str, path: &str, value: Option<&str>) -> Subject {
    with_sshd(|sshd| {
        sshd.enabled = Fact::Known(false);
        sshd.started_by = None;
        sshd.not_started_because = Some(because.to_owned());
        let place = Evidence::path(path);
        sshd.enabled_evidence = vec![value.map_or(place.clone(), |value| place.value(value))];
    })
}

/// One subject for every reason and remedy of these rules.
pub(crate) fn subjects() -> Vec<Subject> {
    [keys(), configurations(), accounts(), names(), firewalls(), servers()].concat()
}

fn keys() -> Vec<Subject> {
    let nobody_knows = |mut subject: Subject| {
        login(&mut subject).groups = None;
        subject
    };
    vec![
        with_config("DenyUsers deb*"),
        with_config("DenyUsers guest debian"),
        with_config("AllowUsers admin"),
        with_config("AllowUsers debian@192.0.2.*"),
        with_config("DenyGroups sudo"),
        with_config("AllowGroups wheel"),
        nobody_knows(with_config("AllowGroups wheel")),
        for_root(with_config("PermitRootLogin no")),
        for_root(with_config("PermitRootLogin forced-commands-only")),
        with_config("PubkeyAuthentication no"),
        with_config("PubkeyAuthentication no\nAllowUsers admin\nAuthenticationMethods publickey,password"),
        with_config("AuthorizedKeysFile none"),
        with_config("AuthorizedKeysFile /etc/ssh/keys"),
        with_account(|account| {
            account.open_to_others = Some(Evidence::path("/home/debian").value("mode 777"));
        }),
        with_config("AuthenticationMethods publickey,password"),
        with_config("Match Address 192.0.2.0/24\nPubkeyAuthentication no"),
    ]
}

fn configurations() -> Vec<Subject> {
    let missing = || {
        with_sshd(|sshd| {
            let tree = MemoryTree::new().program("/usr/sbin/sshd", "");
            sshd.config = sshd::of_tree(&tree).config;
        })
    };
    vec![
        missing(),
        on_alpine(missing()),
        with_config("Port banana"),
        with_config("Port banana\nMatch Nobody x"),
        with_config("Match Nobody x"),
        with_config("AuthorizedKeysCommand /bin/true"),
        with_config("NoSuchKeyword yes"),
        with_config("AddressFamily inet6"),
        with_config("ListenAddress 127.0.0.1"),
        with_config("ListenAddress 192.0.2.5"),
        with_config("ListenAddress old.example.org"),
        with_sshd(|sshd| {
            sshd.config = Fact::Unknown(Unknown::new("sshd_config_not_read").with("path", "/etc/ssh/sshd_config"));
        }),
    ]
}

fn accounts() -> Vec<Subject> {
    vec![
        with_shell("/bin/zsh", Some(false)),
        with_shell("/usr/sbin/nologin", Some(true)),
        without_pam(),
        on_alpine(without_pam()),
        expiring(1),
        expiring(19_000),
        with_account(|account| account.must_change = true),
        with_account(|account| {
            account.must_change = true;
            account.expires = Some(0);
        }),
        with_login(|login| login.barred = Some(Evidence::path("/etc/nologin"))),
    ]
}

fn names() -> Vec<Subject> {
    let drop_in = "/etc/cloud/cloud.cfg.d/99-old.cfg";
    let no_user = || {
        with_login(|login| {
            login.user = None;
            login.from = vec![Evidence::path(drop_in).line(1).value("users")];
        })
    };
    let redirected = with_login(|login| login.user = Some("root".to_owned()));
    vec![
        with_login(|login| login.root = true),
        for_root(ready()),
        with_switches(|switches| switches.sets_keys = set_to(false, "/etc/cloud/cloud.cfg")),
        with_switches(|switches| switches.imports_keys = set_to(false, drop_in)),
        no_user(),
        redirected,
        with_switches(|switches| switches.makes_users = set_to(false, "/etc/cloud/cloud.cfg")),
        on_alpine(with_switches(|switches| {
            switches.makes_users = set_to(false, "/etc/cloud/cloud.cfg");
        })),
        with(|facts| facts.login = Fact::Unknown(Unknown::new("config_not_read").with("path", "/etc/cloud/cloud.cfg"))),
    ]
}

fn firewalls() -> Vec<Subject> {
    let unknown = || Fact::Unknown(Unknown::new("firewall_not_certain").with("kind", "ferm"));
    let mut subjects: Vec<Subject> = [
        ("ufw", "/etc/ufw/user.rules"),
        ("firewalld", "/etc/firewalld/zones/public.xml"),
        ("nftables", "/etc/nftables.conf"),
        ("iptables", "/etc/iptables/rules.v4"),
        ("tcp_wrappers", "/etc/hosts.deny"),
        ("tcp_wrappers", "/etc/hosts.allow"),
        ("ipfw", "/etc/rc.conf"),
    ]
    .into_iter()
    .map(|(kind, path)| with_filters(&[(kind, Fact::Known(Reach::Nobody), path)]))
    .collect();
    subjects.push(with_filters(&[(
        "ufw",
        Fact::Known(Reach::SomeAddresses),
        "/etc/ufw/user.rules",
    )]));
    subjects.push(with_filters(&[(
        "ufw",
        Fact::Known(Reach::Everybody),
        "/etc/ufw/user.rules",
    )]));
    subjects.push(with_filters(&[("ferm", unknown(), "/etc/ferm/ferm.conf")]));
    subjects
}

fn servers() -> Vec<Subject> {
    let kept = |subject: Subject| {
        let mut subject = subject;
        if let Fact::Known(Some(cloud_init)) = &mut subject.facts.as_mut().unwrap().cloud_init
            && let Fact::Known(switches) = &mut cloud_init.switches
        {
            switches.ssh_deletekeys = set_to(false, "/etc/cloud/cloud.cfg");
        }
        subject
    };
    let dropbear = |sshd: &mut Sshd| {
        sshd.kind = Some("dropbear".to_owned());
        sshd.config = Fact::Known(None);
    };
    vec![
        with_ports(&[2222]),
        with_ports(&[]),
        with_host_keys(&[HOST_KEY], None, Some("cloud-init")),
        kept(with_host_keys(&[HOST_KEY], None, Some("cloud-init"))),
        with_host_keys(&[HOST_KEY], None, None),
        with_host_keys(&[HOST_KEY], Some("sshd-keygen.target"), None),
        with_host_keys(&[], None, None),
        with_sshd(dropbear),
        with_sshd(|sshd| sshd.started_by = Some("ssh.socket".to_owned())),
        not_started("no_start_link", "/etc/runlevels/default/sshd", None),
        not_started("no_start_link", "/etc/runit/runsvdir/default/sshd", None),
        not_started("no_start_link", "/etc/rc3.d/S??ssh", None),
        not_started("no_start_link", "/etc/rc.conf", None),
        not_started("masked", "/etc/systemd/system/sshd.service", Some("/dev/null")),
        not_started("condition", "/etc/init/ssh.override", Some("manual")),
        not_started(
            "condition",
            "/etc/systemd/system/ssh.service.d/x.conf",
            Some("ConditionPathExists=!/etc/off"),
        ),
    ]
}

fn finding(subject: &Subject, code: &str) -> Option<Finding> {
    judge(subject).findings.into_iter().find(|finding| finding.code == code)
}

fn commands(subject: &Subject, code: &str) -> Vec<String> {
    finding(subject, code)
        .unwrap()
        .remedy
        .map(|remedy| remedy.commands)
        .unwrap_or_default()
}

fn told(subject: &Subject, code: &str) -> (Status, String) {
    let finding = finding(subject, code).unwrap();
    (finding.status, finding.reason)
}

#[test]
fn a_healthy_image_tells_the_name_and_no_warning() {
    let subject = ready();
    assert_eq!(
        told(&subject, "login_name"),
        (Status::Pass, "login_name_user".to_owned())
    );
    for code in ["ssh_key_login", "sshd_configuration", "host_keys"] {
        assert_eq!(finding(&subject, code).unwrap().status, Status::Pass, "{code}");
    }
    for code in ["login_account", "ssh_port", "firewall"] {
        assert_eq!(finding(&subject, code), None, "{code}: nothing to tell");
    }
}

#[test]
fn several_causes_stand_in_one_finding_and_all_are_mended() {
    let subject = with_config("PubkeyAuthentication no\nAllowUsers admin\nAuthenticationMethods publickey,password");
    let finding = finding(&subject, "ssh_key_login").unwrap();
    assert_eq!(finding.reason, "ssh_key_login_user_not_allowed");
    assert_eq!(
        finding.details,
        ["ssh_key_login_keys_off", "ssh_key_login_more_than_a_key"]
    );
    let lines: Vec<_> = finding.evidence.iter().map(|place| place.line).collect();
    assert_eq!(lines, [Some(3), Some(2), Some(4)]);
    assert_eq!(commands(&subject, "ssh_key_login").len(), 3);
}

#[test]
fn a_block_for_some_connections_is_only_possible() {
    let closes = with_config("Match Address 192.0.2.0/24\nPubkeyAuthentication no");
    let finding = finding(&closes, "ssh_key_login").unwrap();
    assert_eq!(
        (finding.status, finding.certainty),
        (Status::Warning, Certainty::Possible)
    );
    let opens = with_config("PubkeyAuthentication no\nMatch Address 192.0.2.0/24\nPubkeyAuthentication yes");
    assert_eq!(
        told(&opens, "ssh_key_login"),
        (Status::Warning, "ssh_key_login_keys_off".to_owned()),
        "from some addresses the key is taken"
    );
    let harmless = with_config("Match Address 192.0.2.0/24\nX11Forwarding no\nPasswordAuthentication no");
    assert_eq!(told(&harmless, "ssh_key_login").0, Status::Pass);
}

#[test]
fn no_command_holds_what_an_image_may_have_written() {
    let mut subject = with_config("AllowUsers admin");
    login(&mut subject).user = Some("x; rm -rf /".to_owned());
    assert_eq!(commands(&subject, "ssh_key_login"), [""; 0]);
    let subject = with_config("DenyUsers debian $(reboot)");
    assert_eq!(commands(&subject, "ssh_key_login"), [""; 0]);
    let subject = with_account(|account| {
        account.open_to_others = Some(Evidence::path("/home/$(reboot)").value("mode 777"));
    });
    assert_eq!(commands(&subject, "ssh_key_login"), [""; 0]);
    let odd = not_started("masked", "/etc/systemd/system/ssh; reboot.service", None);
    assert_eq!(
        commands(&odd, "sshd_enabled"),
        ["systemctl unmask ssh.service", "systemctl enable ssh.service"]
    );
    let odd = not_started("condition", "x", Some("ConditionPathExists=!/etc/a$(reboot)"));
    assert_eq!(commands(&odd, "sshd_enabled"), [""; 0]);
    let rules = with_filters(&[("nftables", Fact::Known(Reach::Nobody), "/etc/nft$(reboot).conf")]);
    assert_eq!(commands(&rules, "firewall"), [""; 0]);
}

#[test]
fn a_drop_in_comes_after_the_file_that_decides() {
    let subject = |path: &str| with_switches(|switches| switches.imports_keys = set_to(false, path));
    for (path, expected) in [
        ("/etc/cloud/cloud.cfg", "99-ccloud-keys.cfg"),
        ("/etc/cloud/cloud.cfg.d/90_dpkg.cfg", "99-ccloud-keys.cfg"),
        ("/etc/cloud/cloud.cfg.d/99-installer.cfg", "zz-ccloud-keys.cfg"),
    ] {
        assert_eq!(
            commands(&subject(path), "login_name"),
            [format!(
                "echo 'allow_public_ssh_keys: true' > /etc/cloud/cloud.cfg.d/{expected}"
            )]
        );
    }
    assert_eq!(
        commands(&subject("/etc/cloud/cloud.cfg.d/zzz.cfg"), "login_name"),
        [""; 0]
    );
}

#[test]
fn every_init_system_has_its_own_way_to_start_the_server() {
    for (path, expected) in [
        (
            "/etc/systemd/system/multi-user.target.wants/ssh.service",
            "systemctl enable ssh.service",
        ),
        ("/etc/runlevels/default/sshd", "rc-update add sshd default"),
        (
            "/etc/runit/runsvdir/default/sshd",
            "ln -sf /etc/sv/sshd /etc/runit/runsvdir/default/",
        ),
        ("/etc/rc3.d/S??ssh", "update-rc.d ssh defaults"),
        ("/etc/defaults/rc.conf", "sysrc sshd_enable=YES"),
    ] {
        assert_eq!(
            commands(&not_started("no_start_link", path, None), "sshd_enabled"),
            [expected],
            "{path}"
        );
    }
    let override_file = not_started("condition", "/etc/init/ssh.override", Some("manual"));
    assert_eq!(
        commands(&override_file, "sshd_enabled"),
        ["rm -f /etc/init/ssh.override"]
    );
}

#[test]
fn a_server_other_than_sshd_is_not_what_ccloud_asks_for() {
    let subject = with_sshd(|sshd| {
        sshd.kind = Some("dropbear".to_owned());
        sshd.config = Fact::Known(None);
    });
    assert_eq!(
        told(&subject, "sshd_installed"),
        (Status::Warning, "sshd_installed_other".to_owned())
    );
    assert_eq!(finding(&subject, "ssh_key_login"), None, "its settings are others");
}

#[test]
fn nothing_is_said_of_an_owner_whom_nobody_sets_up() {
    let off = with(|facts| {
        if let Fact::Known(Some(agent)) = &mut facts.agent {
            agent.enabled = Fact::Known(false);
        }
        facts.firewall = Fact::Known(Firewall {
            ssh: Fact::Known(Reach::Everybody),
            filters: Vec::new(),
        });
    });
    for code in ["login_name", "ssh_key_login", "login_account"] {
        assert_eq!(
            finding(&off, code),
            None,
            "{code}: the requirements tell that the agent does not run"
        );
    }
}

#[test]
fn a_socket_opens_its_addresses_itself() {
    let subject = with_sshd(|sshd| {
        sshd.config = Fact::Known(Some(config("ListenAddress 192.0.2.5")));
        sshd.started_by = Some("ssh.socket".to_owned());
    });
    assert_eq!(told(&subject, "sshd_configuration").0, Status::Pass);
    assert_eq!(told(&subject, "sshd_enabled").1, "sshd_enabled_by_socket");
}

#[test]
fn only_keys_that_nothing_replaces_are_shared() {
    let replaced = with_host_keys(&[HOST_KEY], None, Some("cloud-init"));
    assert_eq!(
        told(&replaced, "host_keys"),
        (Status::Pass, "host_keys_replaced".to_owned())
    );
    let elsewhere = with_host_keys(&["/etc/ssh/own_key"], None, Some("cloud-init"));
    assert_eq!(
        told(&elsewhere, "host_keys").0,
        Status::Warning,
        "cloud-init deletes only the usual ones"
    );
    let alone = with_host_keys(&[HOST_KEY], Some("sshd-keygen.target"), None);
    assert_eq!(
        commands(&alone, "host_keys"),
        [format!("rm -f {HOST_KEY} {HOST_KEY}.pub")]
    );
    assert_eq!(told(&with_host_keys(&[], None, None), "host_keys").0, Status::Fail);

    let mut unknown = with_host_keys(&[], None, None);
    unknown.facts.as_mut().unwrap().agent = Fact::Unknown(Unknown::new("file_too_large"));
    assert_eq!(finding(&unknown, "host_keys"), None, "who would make them is not known");

    let other = with_sshd(|sshd| {
        sshd.host_keys = Fact::Known(HostKeys {
            files: vec!["/etc/ssh/own_key".to_owned()],
            present: Vec::new(),
            made_by: None,
        });
    });
    assert_eq!(
        (told(&other, "host_keys").0, commands(&other, "host_keys")),
        (Status::Fail, vec![]),
        "neither cloud-init nor `ssh-keygen -A` makes keys of another name"
    );
}

#[test]
fn dates_of_expiry_are_told_as_dates() {
    for (day, date) in [
        (0, "1970-01-01"),
        (11_016, "2000-02-29"),
        (19_000, "2022-01-08"),
        (47_540, "2100-02-28"),
    ] {
        assert_eq!(finding(&expiring(day), "login_account").unwrap().params["date"], date);
    }
}
