//! What is read of servers as distributions leave them.

use super::*;
use crate::MemoryTree;

/// As Debian 12's openssh-server 1:9.2p1-2+deb12u10 leaves it.
fn debian() -> MemoryTree {
    MemoryTree::new()
        .systemd()
        .program("/usr/sbin/sshd", "\x7fELF")
        .program(
            "/etc/init.d/ssh",
            "if test -e /etc/ssh/sshd_not_to_be_run; then exit 0; fi\n",
        )
        .file(
            "/usr/lib/systemd/system/ssh.service",
            "[Unit]\nConditionPathExists=!/etc/ssh/sshd_not_to_be_run\n[Install]\nAlias=sshd.service\n",
        )
        .file(
            "/var/lib/dpkg/status",
            "Package: openssh-server\nStatus: install ok installed\nVersion: 1:9.2p1-2+deb12u10\n",
        )
        .symlink(
            "/etc/systemd/system/multi-user.target.wants/ssh.service",
            "/lib/systemd/system/ssh.service",
        )
        .symlink("/etc/systemd/system/sshd.service", "/lib/systemd/system/ssh.service")
}

fn read_sshd(tree: &MemoryTree) -> Sshd {
    read(&Files::new(tree).unwrap())
}

#[test]
fn a_stock_debian_starts_its_server() {
    let sshd = read_sshd(&debian());
    assert_eq!(
        (&sshd.installed, &sshd.enabled),
        (&Fact::Known(true), &Fact::Known(true))
    );
    assert_eq!(
        sshd.installed_evidence[1].value.as_deref(),
        Some("openssh-server 1:9.2p1-2+deb12u10")
    );
}

#[test]
fn a_removed_server_is_not_installed_though_its_links_stay() {
    let tree = debian()
        .without("/usr/sbin/sshd")
        .without("/usr/lib/systemd/system/ssh.service")
        .symlink("/etc/rc3.d/S01ssh", "../init.d/ssh")
        .file(
            "/var/lib/dpkg/status",
            "Package: openssh-server\nStatus: deinstall ok config-files\nVersion: 1:9.2p1-2\n",
        );
    let sshd = read_sshd(&tree);
    assert_eq!((sshd.installed, sshd.enabled), (Fact::Known(false), Fact::Known(false)));
}

#[test]
fn debians_switch_keeps_it_from_running_where_the_unit_asks() {
    let tree = debian().file("/etc/ssh/sshd_not_to_be_run", "");
    let sshd = read_sshd(&tree);
    assert_eq!(sshd.not_started_because.as_deref(), Some("not_to_be_run"));
    let deaf = tree.file("/usr/lib/systemd/system/ssh.service", "[Unit]\n");
    assert_eq!(
        read_sshd(&deaf).enabled,
        Fact::Known(true),
        "another distribution's unit does not ask"
    );
}

const CLOUD_INIT: &str = "/usr/lib/systemd/system/cloud-init.service";

/// As EL 9 has it, with sshd disabled: cloud-init's unit starts it all the same.
fn el() -> MemoryTree {
    MemoryTree::new()
        .systemd()
        .program("/usr/sbin/sshd", "\x7fELF")
        .program("/usr/lib/systemd/system-generators/cloud-init-generator", "#!/bin/sh\n")
        .file("/usr/lib/systemd/system/cloud-init.target", "[Unit]\n")
        .file("/usr/lib/systemd/system/sshd.service", "[Unit]\n")
        .file(
            CLOUD_INIT,
            "[Unit]\n# Wants=sshd.service\nDescription=x\nWants=cloud-init-local.service\nWants=sshd-keygen.service \\\n  sshd.service\n\n[Install]\n",
        )
        .symlink(
            "/etc/systemd/system/cloud-init.target.wants/cloud-init.service",
            CLOUD_INIT,
        )
}

#[test]
fn a_server_that_only_cloud_init_wants_is_started_though_it_is_disabled() {
    let sshd = read_sshd(&el());
    assert_eq!(sshd.enabled, Fact::Known(true));
    let wants = Evidence::path(CLOUD_INIT).line(5).value("Wants=sshd.service");
    assert_eq!(sshd.enabled_evidence[0], wants, "the unit that names it comes first");
    assert_eq!(
        sshd.enabled_evidence[1].path.as_deref(),
        Some("/etc/systemd/system/cloud-init.target.wants/cloud-init.service")
    );
}

#[test]
fn a_switched_off_cloud_init_does_not_start_the_server() {
    let off = el().file("/etc/cloud/cloud-init.disabled", "");
    assert_eq!(read_sshd(&off).not_started_because.as_deref(), Some("no_start_link"));
    let linked = off.symlink(
        "/etc/systemd/system/multi-user.target.wants/cloud-init.service",
        CLOUD_INIT,
    );
    assert_eq!(
        read_sshd(&linked).enabled,
        Fact::Known(true),
        "a link needs no generator"
    );
}

#[test]
fn a_wish_for_the_server_starts_nothing_that_is_masked_missing_or_named_by_a_unit_that_does_not_run() {
    let because = |tree: &MemoryTree| read_sshd(tree).not_started_because.unwrap_or_default();
    let link = "/etc/systemd/system/cloud-init.target.wants/cloud-init.service";
    assert_eq!(because(&el().without(link)), "no_start_link");
    assert_eq!(
        because(&el().symlink("/etc/systemd/system/cloud-init.service", "/dev/null")),
        "no_start_link"
    );
    assert_eq!(
        because(&el().file(
            CLOUD_INIT,
            "[Unit]\nAfter=sshd.service\n[Install]\nWants=sshd.service\n"
        )),
        "no_start_link",
        "an order starts nothing, nor does the wrong section"
    );
    assert_eq!(
        because(&el().symlink("/etc/systemd/system/sshd.service", "/dev/null")),
        "masked"
    );

    // Debian's unit is ssh.service; `systemctl disable` takes its alias sshd.service away as well.
    let disabled = el().without("/usr/lib/systemd/system/sshd.service").file(
        "/usr/lib/systemd/system/ssh.service",
        "[Unit]\nConditionPathExists=!/etc/ssh/sshd_not_to_be_run\n",
    );
    assert_eq!(because(&disabled), "no_start_link");
    let aliased = disabled.symlink("/etc/systemd/system/sshd.service", "/lib/systemd/system/ssh.service");
    assert_eq!(read_sshd(&aliased).enabled, Fact::Known(true));
    let switch = aliased.file("/etc/ssh/sshd_not_to_be_run", "");
    assert_eq!(because(&switch), "not_to_be_run");
    let masked = switch.symlink("/etc/systemd/system/ssh.service", "/dev/null");
    assert_eq!(because(&masked), "masked", "the alias of a masked unit is masked");
}

#[test]
fn a_masked_server_says_so() {
    let sshd = read_sshd(&debian().symlink("/etc/systemd/system/ssh.service", "/dev/null"));
    assert_eq!(sshd.not_started_because.as_deref(), Some("masked"));
    assert_eq!(
        sshd.enabled_evidence[0].path.as_deref(),
        Some("/etc/systemd/system/ssh.service")
    );
}

#[test]
fn rpm_is_not_needed_to_see_the_program() {
    let tree = debian()
        .without("/var/lib/dpkg")
        .file("/var/lib/rpm/rpmdb.sqlite", "SQLite format 3\0");
    assert_eq!(read_sshd(&tree).installed, Fact::Known(true));
    assert_eq!(read_sshd(&tree.without("/usr/sbin/sshd")).installed, Fact::Known(false));
}

#[test]
fn a_missing_server_tells_where_it_was_looked_for() {
    let sshd = read_sshd(&MemoryTree::new().systemd());
    assert_eq!(sshd.installed_evidence, [Evidence::path("/usr/sbin/sshd")]);
    assert_eq!((sshd.kind, sshd.config), (None, Fact::Known(None)));
    let idle = read_sshd(&debian().without("/etc/systemd/system/multi-user.target.wants"));
    assert_eq!(
        idle.enabled_evidence[0].path.as_deref(),
        Some("/etc/systemd/system/multi-user.target.wants/ssh.service"),
        "where the link would stand"
    );
}

/// As Ubuntu 24.04 starts it.
fn with_socket() -> MemoryTree {
    debian()
        .without("/etc/systemd/system/multi-user.target.wants")
        .file(
            "/usr/lib/systemd/system/ssh.socket",
            "[Socket]\nListenStream=22\nAccept=no\n",
        )
        .symlink(
            "/etc/systemd/system/sockets.target.wants/ssh.socket",
            "/usr/lib/systemd/system/ssh.socket",
        )
}

fn ports(sshd: &Sshd) -> (Vec<u16>, Option<&str>) {
    let Fact::Known(ports) = &sshd.ports else {
        panic!("{sshd:?}")
    };
    (
        ports.value.clone(),
        ports.evidence.first().and_then(|place| place.path.as_deref()),
    )
}

#[test]
fn a_socket_decides_the_port() {
    let sshd = read_sshd(&with_socket());
    assert_eq!(sshd.started_by.as_deref(), Some("ssh.socket"));
    assert_eq!(ports(&sshd), (vec![22], Some("/usr/lib/systemd/system/ssh.socket")));

    let config = with_socket().file("/etc/ssh/sshd_config", "Port 2022\n");
    assert_eq!(
        ports(&read_sshd(&config)).0,
        [22],
        "the configuration's port is the socket's to open"
    );
    let generator = config.program("/usr/lib/systemd/system-generators/sshd-socket-generator", "\x7fELF");
    assert_eq!(
        ports(&read_sshd(&generator)),
        (vec![2022], Some("/etc/ssh/sshd_config"))
    );

    let own = with_socket().file(
        "/etc/systemd/system/ssh.socket.d/own.conf",
        "[Socket]\nListenStream=\nListenStream=0.0.0.0:443\nListenStream=[::]:443\n",
    );
    assert_eq!(
        ports(&read_sshd(&own)),
        (vec![443], Some("/etc/systemd/system/ssh.socket.d/own.conf"))
    );
}

#[test]
fn a_service_listens_where_configuration_and_command_line_say() {
    assert_eq!(
        ports(&read_sshd(&debian())),
        (vec![22], None),
        "the default has no place"
    );
    let config = debian().file("/etc/ssh/sshd_config", "# x\nPort 2022\nPort 22\n");
    assert_eq!(ports(&read_sshd(&config)).0, [2022, 22]);
    let unit = config.file(
        "/usr/lib/systemd/system/ssh.service",
        "[Service]\nEnvironmentFile=-/etc/default/ssh\nExecStart=/usr/sbin/sshd -D $SSHD_OPTS\n",
    );
    let option = unit.clone().file("/etc/default/ssh", "SSHD_OPTS=-p99\n");
    assert_eq!(ports(&read_sshd(&option)), (vec![99], Some("/etc/default/ssh")));
    let other = unit
        .file("/etc/default/ssh", "SSHD_OPTS='-f /etc/other'\n")
        .file("/etc/other", "ListenAddress 192.0.2.1:98\n");
    assert_eq!(ports(&read_sshd(&other)), (vec![98], Some("/etc/other")));
}

#[test]
fn suse_reads_the_vendors_configuration_where_there_is_no_other() {
    let suse = debian().file("/usr/etc/ssh/sshd_config", "PermitRootLogin no\n");
    let root = |tree: &MemoryTree| match read_sshd(tree).config {
        Fact::Known(Some(config)) => config.login.permit_root_login,
        other => panic!("{other:?}"),
    };
    assert_eq!(root(&suse).value, "no");
    let both = suse.file("/etc/ssh/sshd_config", "Port 22\n");
    assert_eq!(
        (root(&both).value.as_str(), root(&both).is_default()),
        ("prohibit-password", true)
    );
}

#[test]
fn older_servers_let_root_in_by_password_unless_told_otherwise() {
    for (version, expected) in [
        ("1:9.2p1-2+deb12u10", "prohibit-password"),
        ("5.3p1-124.el6_10", "yes"),
        ("7.4p1-23.el7_9", "yes"),
        ("8.0p1-25.el8", "prohibit-password"),
        ("1:6.6p1-2ubuntu2.13", "yes"),
    ] {
        assert_eq!(permit_root_login(Some(version)), expected, "{version}");
    }
}

#[test]
fn another_server_counts_when_it_is_the_one_that_runs() {
    // CirrOS' own start link (cirros-dev/cirros, src/etc/rc3.d).
    let cirros = MemoryTree::new()
        .symlink("/sbin/init", "../bin/busybox")
        .file("/etc/inittab", "::sysinit:/etc/init.d/rc.sysinit\n")
        .program(
            "/etc/init.d/rc.sysinit",
            "#!/bin/sh\nfor s in /etc/rc3.d/S*; do\ndone\n",
        )
        .program("/etc/init.d/S50dropbear", "#!/bin/sh\n")
        .symlink("/etc/rc3.d/S50-dropbear", "../init.d/S50dropbear")
        .program("/usr/sbin/dropbear", "\x7fELF");
    let sshd = read_sshd(&cirros);
    assert_eq!(
        (sshd.kind.as_deref(), &sshd.enabled),
        (Some("dropbear"), &Fact::Known(true))
    );
    assert_eq!(ports(&sshd).0, [22]);
    let both = cirros.program("/usr/sbin/sshd", "\x7fELF");
    assert_eq!(
        read_sshd(&both).kind.as_deref(),
        Some("dropbear"),
        "the one that is started"
    );
    let neither = both.without("/etc/rc3.d");
    assert_eq!(read_sshd(&neither).kind.as_deref(), Some("openssh"));
}

#[test]
fn host_keys_are_named_and_so_is_what_makes_them() {
    let keys = |tree: &MemoryTree| match read_sshd(tree).host_keys {
        Fact::Known(keys) => keys,
        Fact::Unknown(unknown) => panic!("{unknown:?}"),
    };
    let usual = ["rsa", "ecdsa", "ed25519"].map(|kind| format!("/etc/ssh/ssh_host_{kind}_key"));
    assert_eq!(
        keys(&debian()),
        HostKeys {
            files: usual.to_vec(),
            present: Vec::new(),
            made_by: None
        }
    );
    let present = debian().file("/etc/ssh/ssh_host_ed25519_key", "secret");
    assert_eq!(
        keys(&present).present,
        [Evidence::path("/etc/ssh/ssh_host_ed25519_key")],
        "never what it holds"
    );
    let fedora = debian().file(
        "/usr/lib/systemd/system/ssh.service",
        "[Unit]\nWants=sshd-keygen.target\n",
    );
    assert_eq!(
        keys(&fedora).made_by.unwrap().value.as_deref(),
        Some("Wants=sshd-keygen.target")
    );
}
