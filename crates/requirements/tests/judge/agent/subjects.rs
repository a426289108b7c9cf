//! Images whose program for setting a VM up is off, is another one, has its settings elsewhere, or remembers too much.

use lotse_guest::{
    Evidence, Fact, Facts, Unknown,
    facts::{Agent, CloudInit, Datasources, Expected, Found, Identify, Ignition, Instance, OtherAgent, Switches},
};
use lotse_requirements::Subject;

use crate::subjects::{agent, names, system, with, with_agent};

pub(super) const DROP_INS: &str = "/etc/cloud/cloud.cfg.d";
pub(super) const GRUB_CFG: &str = "/boot/grub/grub.cfg";
pub(super) const CLOUD_CFG: &str = "/etc/cloud/cloud.cfg";
pub(super) const SETTINGS_PY: &str = "/usr/lib/python3/dist-packages/cloudinit/settings.py";

pub(crate) fn subjects() -> Vec<Subject> {
    [switched_off(), agents(), orders(), leftovers(), settings(), platforms()].concat()
}

/// Another distribution, started by that loader.
pub(super) fn on(facts: &mut Facts, id: &str, version: &str, loader: &str) {
    facts.system = Fact::Known(Some(system(id, version, id)));
    if let Fact::Known(Some(entry)) = &mut facts.boot.entry {
        loader.clone_into(&mut entry.loader);
    }
}

pub(super) fn off(facts: &mut Facts, because: &str, decider: Evidence) {
    let mut agent = agent("cloud-init");
    agent.enabled = Fact::Known(false);
    agent.disabled_because = Some(because.to_owned());
    agent.evidence.insert(0, decider);
    facts.agent = Fact::Known(Some(agent));
}

pub(super) fn off_by(because: &str, decider: Evidence) -> Subject {
    with(|facts| off(facts, because, decider))
}

pub(super) fn command_line(value: &str) -> Evidence {
    Evidence::path(GRUB_CFG).line(119).value(value)
}

pub(super) fn switched_off() -> Vec<Subject> {
    let mut subjects = vec![
        off_by("disabled_file", Evidence::path("/etc/cloud/cloud-init.disabled")),
        off_by(
            "identify_policy",
            Evidence::path("/etc/cloud/ds-identify.cfg")
                .line(1)
                .value("policy: disabled"),
        ),
        off_by("identify_policy", command_line("ci.di.policy=disabled")),
        off_by(
            "masked",
            Evidence::path("/etc/systemd/system/cloud-final.service").value("/dev/null"),
        ),
        off_by(
            "masked",
            Evidence::path("/usr/lib/systemd/system/cloud-final.service").value("/dev/null"),
        ),
        off_by(
            "condition",
            Evidence::path("/etc/systemd/system/cloud-init.service.d/10-local.conf").line(2),
        ),
        off_by(
            "condition",
            Evidence::path("/usr/lib/systemd/system/cloud-init.service").line(9),
        ),
        off_by("condition", Evidence::path("/etc/init/cloud-init.override").line(1)),
        off_by("something_new", Evidence::path("/etc/somewhere")),
    ];
    for (id, version, loader) in [
        ("debian", "12", "grub"),
        ("debian", "12", "systemd_boot"),
        ("almalinux", "9.6", "grub"),
        ("centos", "6.10", "grub_legacy"),
        ("arch", "", "grub"),
        ("opensuse-leap", "15.6", "grub"),
        ("alpine", "3.22", "grub"),
        ("alpine", "3.22", "syslinux"),
        ("unheard-of", "1", "grub"),
    ] {
        subjects.push(with(|facts| {
            on(facts, id, version, loader);
            off(facts, "command_line", command_line("cloud-init=disabled"));
        }));
    }
    for (id, version) in [
        ("debian", "12"),
        ("devuan", "5"),
        ("alpine", "3.22"),
        ("centos", "6.10"),
        ("unheard-of", "1"),
    ] {
        let wants = "/etc/systemd/system/cloud-init.target.wants/cloud-init.service";
        subjects.push(with(|facts| {
            on(facts, id, version, "grub");
            off(facts, "no_start_link", Evidence::path(wants));
        }));
    }
    subjects.push(with(|facts| {
        let mut freebsd = system("freebsd", "14.2", "FreeBSD 14.2");
        "freebsd".clone_into(&mut freebsd.family);
        facts.system = Fact::Known(Some(freebsd));
        off(facts, "no_start_link", Evidence::path("/etc/rc.conf"));
    }));
    for id in ["fedora", "almalinux", "opensuse-leap", "arch"] {
        subjects.push(with(|facts| {
            on(facts, id, "42", "grub");
            off(
                facts,
                "masked",
                Evidence::path("/usr/lib/systemd/system/cloud-init.service"),
            );
        }));
    }
    subjects
}

/// A program of another name; what decided stands first in its evidence.
pub(super) fn other(kind: &str, change: impl FnOnce(&mut Agent)) -> Subject {
    with(|facts| {
        let mut agent = agent(kind);
        agent.version = Fact::Unknown(Unknown::new("version_not_known"));
        agent.recent_enough = Fact::Unknown(Unknown::new("version_not_known"));
        change(&mut agent);
        facts.agent = Fact::Known(Some(agent));
        facts.datasources = Fact::Known(None);
        facts.cloud_init = Fact::Known(None);
    })
}

pub(super) fn first_boot_over(kind: &str, decider: &str) -> Subject {
    other(kind, |agent| {
        agent.enabled = Fact::Known(false);
        agent.disabled_because = Some("first_boot_over".to_owned());
        agent.evidence.insert(0, Evidence::path(decider));
    })
}

pub(super) fn start_unknown(kind: &str) -> Subject {
    other(kind, |agent| {
        agent.enabled = Fact::Unknown(Unknown::new("agent_start_not_known").with("agent", kind));
    })
}

pub(super) fn of_distribution(mut subject: Subject, id: &str) -> Subject {
    if let Ok(facts) = &mut subject.facts {
        facts.system = Fact::Known(Some(system(id, "42", id)));
    }
    subject
}

pub(super) fn removed() -> Subject {
    with(|facts| {
        facts.agent = Fact::Known(None);
        facts.datasources = Fact::Known(None);
        facts.cloud_init = Fact::Known(None);
        facts.removed_agent = Fact::Known(Some(Evidence::path(CLOUD_CFG)));
    })
}

pub(super) fn too_old(id: &str, version: &str) -> Subject {
    let old = with_agent(|agent| {
        agent.version = Fact::Known("0.7.5-10".to_owned());
        agent.recent_enough = Fact::Known(false);
    });
    let mut subject = old;
    if let Ok(facts) = &mut subject.facts {
        facts.system = Fact::Known(Some(system(id, version, id)));
    }
    subject
}

pub(super) fn agents() -> Vec<Subject> {
    let beside = |kind: &str, path: &str| {
        with_agent(|agent| {
            agent.others.push(OtherAgent {
                kind: kind.to_owned(),
                evidence: Evidence::path(path),
            });
        })
    };
    vec![
        removed(),
        too_old("centos", "6.10"),
        too_old("ubuntu", "16.04"),
        with_agent(|agent| {
            agent.version = Fact::Unknown(Unknown::new("version_not_known"));
            agent.recent_enough = Fact::Unknown(Unknown::new("version_not_known"));
        }),
        other("ignition", |_| {}),
        other("waagent", |_| {}),
        other("tiny-cloud", |_| {}),
        start_unknown("tiny-cloud"),
        start_unknown("coreos-cloudinit"),
        start_unknown("ignition"),
        of_distribution(start_unknown("ignition"), "flatcar"),
        first_boot_over("nuageinit", "/etc/rc.conf"),
        first_boot_over("ignition", "/boot/writable/firstboot_happened"),
        of_distribution(first_boot_over("ignition", "/boot/grub2/grub.cfg"), "fedora"),
        other("nuageinit", |agent| {
            agent.enabled = Fact::Known(false);
            agent.disabled_because = Some("no_start_link".to_owned());
        }),
        beside("waagent", "/usr/sbin/waagent"),
        of_distribution(beside("waagent", "/usr/sbin/waagent"), "ubuntu"),
        of_distribution(beside("google-guest-agent", "/usr/bin/google_guest_agent"), "almalinux"),
        of_distribution(beside("tiny-cloud", "/sbin/tiny-cloud"), "alpine"),
        beside("cirros-init", "/sbin/cirros-apply"),
    ]
}

pub(super) fn places(from: &[(&str, u32)]) -> Vec<Evidence> {
    from.iter()
        .map(|(path, line)| Evidence::path(*path).line(*line))
        .collect()
}

/// A stock Debian's ds-identify.
pub(super) fn identify(list: &[&str], writes: Option<&[&str]>) -> Identify {
    Identify {
        program: Evidence::path("/usr/lib/cloud-init/ds-identify"),
        mode: "search".to_owned(),
        policy: Vec::new(),
        datasource: None,
        list: names(list),
        from: Vec::new(),
        built_in: true,
        writes: writes.map(names),
        runs_cloud_init: true,
    }
}

pub(super) fn expected(source: Option<&str>, because: &str, wins: &str, list: &[&str]) -> Expected {
    Expected {
        source: source.map(str::to_owned),
        because: because.to_owned(),
        wins: wins.to_owned(),
        list: names(list),
        evidence: Vec::new(),
    }
}

pub(super) fn sources(
    list: &[&str],
    from: &[(&str, u32)],
    identify: Option<Identify>,
    expected: Expected,
) -> Datasources {
    Datasources {
        list: names(list),
        from: places(from),
        built_in: from.first().is_some_and(|(path, _)| *path == SETTINGS_PY),
        identify: Fact::Known(identify),
        expected: Fact::Known(expected),
    }
}

pub(super) fn ordered(sources: Datasources) -> Subject {
    with(|facts| facts.datasources = Fact::Known(Some(sources)))
}

pub(super) const STOCK: &[&str] = &["NoCloud", "ConfigDrive", "None"];
pub(super) const TAKEN: &[&str] = &["ConfigDrive", "None"];

/// As Debian 12 comes: nothing says anything, and ds-identify finds the config drive.
pub(super) fn stock_debian() -> Subject {
    let identify = identify(&["MAAS", "ConfigDrive", "NoCloud"], Some(TAKEN));
    ordered(sources(
        STOCK,
        &[(SETTINGS_PY, 23)],
        Some(identify),
        expected(Some("ConfigDrive"), "config_drive", "identify", TAKEN),
    ))
}

/// As Alpine comes: cloud-init's own code decides.
pub(super) fn stock_alpine() -> Subject {
    ordered(sources(
        STOCK,
        &[(CLOUD_CFG, 1)],
        None,
        expected(Some("ConfigDrive"), "config_drive", "python", STOCK),
    ))
}

/// As Ubuntu's installer leaves it.
pub(super) fn installed_ubuntu() -> Subject {
    let installer = format!("{DROP_INS}/99-installer.cfg");
    let dpkg = format!("{DROP_INS}/90_dpkg.cfg");
    ordered(sources(
        &["None"],
        &[(&installer, 4), (&dpkg, 2)],
        Some(identify(&["None"], None)),
        expected(Some("None"), "config_drive_not_listed", "python", &["None"]),
    ))
}

/// The list is right, and something stronger names another datasource.
pub(super) fn overruled(decider: Evidence) -> Subject {
    let mut identify = identify(TAKEN, Some(&["NoCloud", "None"]));
    identify.policy = vec![decider];
    identify.datasource = Some("NoCloud".to_owned());
    ordered(sources(
        &["ConfigDrive", "NoCloud", "None"],
        &[("/etc/cloud/cloud.cfg.d/99-ccloud.cfg", 1)],
        Some(identify),
        expected(
            Some("None"),
            "config_drive_not_listed",
            "identify",
            &["NoCloud", "None"],
        ),
    ))
}

pub(super) fn orders() -> Vec<Subject> {
    let dpkg = format!("{DROP_INS}/90_dpkg.cfg");
    let dpkg = [(dpkg.as_str(), 2)];
    let with_expected = |expected: Expected| ordered(sources(STOCK, &dpkg, None, expected));
    let in_identify_cfg = Evidence::path("/etc/cloud/ds-identify.cfg")
        .line(1)
        .value("datasource: NoCloud");
    let mut read_otherwise = sources(
        &["ConfigDrive", "NoCloud"],
        &dpkg,
        Some(Identify {
            from: places(&dpkg),
            ..identify(&["NoCloud"], Some(&["NoCloud", "None"]))
        }),
        expected(
            Some("None"),
            "config_drive_not_listed",
            "identify",
            &["NoCloud", "None"],
        ),
    );
    let mut both_wrong = overruled(in_identify_cfg.clone());
    if let Ok(facts) = &mut both_wrong.facts
        && let Fact::Known(Some(sources)) = &mut facts.datasources
    {
        sources.list = names(STOCK);
    }
    let otherwise = ordered(read_otherwise.clone());
    read_otherwise.identify = Fact::Known(Some(Identify {
        runs_cloud_init: false,
        ..identify(&["NoCloud"], None)
    }));
    read_otherwise.expected = Fact::Known(expected(None, "identify_disables", "identify", &["NoCloud"]));
    vec![
        stock_debian(),
        stock_alpine(),
        installed_ubuntu(),
        with_expected(expected(Some("NoCloud"), "seed_on_disk", "python", STOCK)),
        with_expected(expected(Some("OpenStack"), "cached", "python", STOCK)),
        with_expected(expected(None, "something_new", "python", STOCK)),
        // cloud-init's own code reads a list that ds-identify does not see.
        ordered(sources(
            &["NoCloud"],
            &dpkg,
            Some(identify(&["MAAS", "ConfigDrive"], Some(TAKEN))),
            expected(Some("ConfigDrive"), "config_drive", "identify", TAKEN),
        )),
        overruled(in_identify_cfg),
        both_wrong,
        overruled(command_line("ci.ds=NoCloud")),
        overruled(command_line("ds=nocloud")),
        otherwise,
        ordered(read_otherwise),
    ]
}

pub(super) fn with_cloud_init(change: impl FnOnce(&mut CloudInit)) -> Subject {
    with(|facts| {
        if let Fact::Known(Some(cloud_init)) = &mut facts.cloud_init {
            change(cloud_init);
        }
    })
}

pub(super) fn with_expected(mut subject: Subject, changed: Fact<Expected>) -> Subject {
    if let Ok(facts) = &mut subject.facts
        && let Fact::Known(Some(sources)) = &mut facts.datasources
    {
        sources.expected = changed;
    }
    subject
}

pub(super) fn ran(kept: bool) -> Subject {
    with_cloud_init(|cloud_init| {
        let marker = Evidence::path("/var/lib/cloud/instance/manual-clean");
        cloud_init.instance = Fact::Known(Some(Instance {
            link: Evidence::path("/var/lib/cloud/instance").value("/var/lib/cloud/instances/i-1"),
            id: Some("i-1".to_owned()),
            datasource: Some("OpenStack".to_owned()),
            kept,
            kept_evidence: if kept { vec![marker] } else { Vec::new() },
        }));
    })
}

pub(super) fn seeded(seed: Evidence, because: Option<&str>) -> Subject {
    let subject = with_cloud_init(|cloud_init| cloud_init.seeds = Fact::Known(vec![seed]));
    let expected = match because {
        Some(because) => Fact::Known(expected(None, because, "python", STOCK)),
        None => Fact::Unknown(Unknown::new("datasource_not_predicted").with("source", "OpenStack")),
    };
    with_expected(subject, expected)
}

pub(super) fn leftovers() -> Vec<Subject> {
    let folder = || Evidence::path("/var/lib/cloud/seed/nocloud");
    let mut old = ran(false);
    let mut with_seed = ran(false);
    for (subject, version, kind, path) in [
        (&mut old, "0.7.9", "instance", "/var/lib/cloud/instances/i-1"),
        (&mut with_seed, "24.4", "seed", "/var/lib/cloud/seed/nocloud"),
    ] {
        if let Ok(facts) = &mut subject.facts {
            if let Fact::Known(Some(agent)) = &mut facts.agent {
                agent.version = Fact::Known(version.to_owned());
            }
            if let Fact::Known(leftovers) = &mut facts.leftovers {
                leftovers.cloud_init = Fact::Known(vec![Found {
                    kind: kind.to_owned(),
                    path: path.to_owned(),
                }]);
            }
        }
    }
    let mut on_arch = seeded(command_line("ds=nocloud"), Some("seed_on_disk"));
    if let Ok(facts) = &mut on_arch.facts {
        on(facts, "arch", "", "systemd_boot");
    }
    vec![
        ran(true),
        ran(false),
        old,
        with_seed,
        with_cloud_init(|cloud_init| cloud_init.instance = Fact::Unknown(Unknown::new("journal_dirty"))),
        with_cloud_init(|cloud_init| cloud_init.seeds = Fact::Unknown(Unknown::new("journal_dirty"))),
        seeded(folder(), Some("seed_on_disk")),
        seeded(folder(), Some("config_drive")),
        seeded(folder(), None),
        seeded(Evidence::default().value("LABEL=cidata"), Some("seed_on_disk")),
        seeded(command_line("ds=nocloud"), Some("seed_on_disk")),
        on_arch,
    ]
}

pub(super) fn with_switches(change: impl FnOnce(&mut Switches)) -> Subject {
    with_cloud_init(|cloud_init| {
        if let Fact::Known(switches) = &mut cloud_init.switches {
            change(switches);
        }
    })
}

pub(super) fn preserving(path: &str) -> Subject {
    with_switches(|switches| {
        switches.preserve_hostname.value = true;
        switches.preserve_hostname.from = Some(Evidence::path(path).line(3));
    })
}

pub(super) fn password_login(path: &str) -> Subject {
    with_switches(|switches| {
        switches.ssh_pwauth.value = Some(true);
        switches.ssh_pwauth.from = Some(Evidence::path(path).line(3));
    })
}

pub(super) fn settings() -> Vec<Subject> {
    let skipped = |lines: &[Option<u32>]| {
        let files = lines.iter().map(|line| Evidence {
            line: *line,
            ..Evidence::path(format!("{DROP_INS}/50-own.cfg"))
        });
        with_cloud_init(|cloud_init| cloud_init.skipped = files.collect())
    };
    let mut nameless = preserving(CLOUD_CFG);
    if let Ok(facts) = &mut nameless.facts
        && let Fact::Known(network) = &mut facts.network
    {
        network.hostname = Fact::Known(None);
    }
    let mut named = preserving(CLOUD_CFG);
    if let Ok(facts) = &mut named.facts
        && let Fact::Known(network) = &mut facts.network
    {
        network.hostname = Fact::Known(Some(Evidence::path("/etc/hostname").line(1).value("old-server")));
    }
    vec![
        skipped(&[None]),
        skipped(&[Some(7)]),
        skipped(&[Some(7), None]),
        nameless,
        named,
        preserving("/etc/elsewhere/x.cfg"),
        password_login(CLOUD_CFG),
        password_login("/etc/elsewhere/x.cfg"),
    ]
}

pub(super) fn on_platform(platform: Option<&str>) -> Subject {
    let mut subject = other("ignition", |_| {});
    if let Ok(facts) = &mut subject.facts {
        facts.ignition = Fact::Known(Some(Ignition {
            platform: platform.map(str::to_owned),
            from: platform.map(|id| {
                Evidence::path("/boot/loader/entries/ostree-1.conf")
                    .line(3)
                    .value(&format!("ignition.platform.id={id}"))
            }),
        }));
    }
    subject
}

pub(super) fn platforms() -> Vec<Subject> {
    [Some("openstack"), Some("kubevirt"), Some("metal"), Some("qemu"), None]
        .map(on_platform)
        .to_vec()
}
