//! The programs that configure a VM at its first start: which are there, and which of them acts. cloud-init has a room
//! of its own.

mod ignition;

use crate::{
    Evidence, Fact, FileTree, Unknown, accounts,
    cloud_init::{self, Around, CommandLine},
    facts::{Agent, CloudInit, Datasources, Ignition, Login, OtherAgent},
    files::{Files, Read},
    packages::{self, Names},
    services::{self, Init, Start},
};

/// The program that configures a VM, and what it is told to do; each as in [`crate::Facts`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentFacts {
    /// The program.
    pub agent: Fact<Option<Agent>>,
    /// Settings of a cloud-init that is not there.
    pub removed: Fact<Option<Evidence>>,
    /// cloud-init's list of datasources.
    pub datasources: Fact<Option<Datasources>>,
    /// What else cloud-init is told to do.
    pub cloud_init: Fact<Option<CloudInit>>,
    /// What Ignition will do.
    pub ignition: Fact<Option<Ignition>>,
    /// The name that a VM's SSH key is given to.
    pub login: Fact<Option<Login>>,
}

/// The facts of a single filesystem, started with the given command line. For tests and measurements; a disk is read by
/// [`crate::examine()`].
pub fn facts_of(tree: &dyn FileTree, command_line: &str) -> AgentFacts {
    let around = Around {
        command_line: Some(CommandLine {
            text: command_line.to_owned(),
            evidence: Evidence::default(),
        }),
        ..Around::default()
    };
    facts(&Files::joined(tree, "", &[]), &around)
}

/// Everything about the program that configures a VM.
pub(crate) fn facts(files: &Files<'_>, around: &Around<'_>) -> AgentFacts {
    let agent = match read(files, around) {
        Ok(agent) => agent,
        Err(unknown) => {
            return AgentFacts {
                agent: Fact::Unknown(unknown.clone()),
                removed: Fact::Unknown(unknown.clone()),
                datasources: Fact::Unknown(unknown.clone()),
                cloud_init: Fact::Unknown(unknown.clone()),
                ignition: Fact::Unknown(unknown.clone()),
                login: Fact::Unknown(unknown),
            };
        }
    };
    let kind = agent.as_ref().map(|agent| agent.kind.as_str());
    let (datasources, cloud_init, login) = if kind == Some("cloud-init") {
        let settings = cloud_init::settings(files, around);
        (
            settings.datasources.some(),
            settings.cloud_init.some(),
            settings.login.some(),
        )
    } else {
        let login = kind.and_then(|kind| login(files, kind));
        (Fact::Known(None), Fact::Known(None), Fact::Known(login))
    };
    let ignition = match kind {
        Some("ignition") => Fact::from(ignition::read(files, around).map(Some)),
        _ => Fact::Known(None),
    };
    let removed = match &agent {
        Some(_) => Fact::Known(None),
        None => Fact::from(cloud_init::remains(files)),
    };
    AgentFacts {
        agent: Fact::Known(agent),
        removed,
        datasources,
        cloud_init,
        ignition,
        login,
    }
}

/// A program, what shows that it is there, and the packages that bring it.
struct Program {
    kind: &'static str,
    paths: &'static [&'static str],
    packages: Names,
    /// The user that it gives keys to where nothing else is said.
    user: Option<&'static str>,
}

/// Programs that configure a VM as a whole, in the order in which they are told where none is known to run.
const PROGRAMS: &[Program] = &[
    Program {
        kind: "ignition",
        paths: ignition::PATHS,
        packages: Names::everywhere(&["ignition", "ignition-dracut"]),
        user: Some("core"),
    },
    Program {
        kind: "coreos-cloudinit",
        paths: &["/usr/bin/coreos-cloudinit", "/usr/share/oem/bin/coreos-cloudinit"],
        packages: Names::everywhere(&["coreos-cloudinit"]),
        user: Some("core"),
    },
    Program {
        kind: "bsd-cloudinit",
        paths: &[
            "/usr/local/bin/bsd-cloudinit",
            "/etc/rc.d/bsd-cloudinit",
            "/usr/local/etc/rc.d/bsd-cloudinit",
            "/usr/local/bsd-cloudinit/cloudinit",
            "/root/bsd-cloudinit/cloudinit",
        ],
        packages: Names::everywhere(&["bsd-cloudinit"]),
        user: Some("freebsd"),
    },
    Program {
        kind: "nuageinit",
        paths: &["/usr/libexec/nuageinit"],
        packages: Names::everywhere(&["FreeBSD-nuageinit"]),
        user: Some("freebsd"),
    },
    Program {
        kind: "cloudbase-init",
        paths: &[
            "/Program Files/Cloudbase Solutions/Cloudbase-Init/Python/Scripts/cloudbase-init.exe",
            "/Program Files (x86)/Cloudbase Solutions/Cloudbase-Init/Python/Scripts/cloudbase-init.exe",
        ],
        packages: Names::everywhere(&[]),
        user: Some("Admin"),
    },
    Program {
        kind: "tiny-cloud",
        paths: &[
            "/usr/bin/tiny-cloud",
            "/sbin/tiny-cloud",
            "/usr/sbin/tiny-cloud",
            "/lib/tiny-cloud/init",
        ],
        packages: Names::everywhere(&["tiny-cloud"]),
        user: Some("alpine"),
    },
    Program {
        kind: "cirros-init",
        paths: &["/usr/bin/cirros-query", "/usr/bin/cirros-apply", "/sbin/cirros-apply"],
        packages: Names::everywhere(&[]),
        user: Some("cirros"),
    },
    Program {
        kind: "waagent",
        paths: &["/usr/sbin/waagent", "/usr/bin/waagent"],
        packages: Names::everywhere(&["waagent", "walinuxagent", "WALinuxAgent"]),
        user: None,
    },
    Program {
        kind: "google-guest-agent",
        paths: &["/usr/bin/google_guest_agent", "/usr/bin/google_guest_agent_manager"],
        packages: Names::everywhere(&["google-guest-agent"]),
        user: None,
    },
];

/// Programs that fetch data for others, and configure nothing as a whole.
const BESIDE: &[(&str, &[&str])] = &[(
    "afterburn",
    &[
        "/usr/bin/afterburn",
        "/usr/bin/coreos-metadata",
        "/usr/lib/systemd/system/afterburn.service",
    ],
)];

/// The program that acts at a VM's first start, with the others that are there; `None` when there is none at all.
///
/// cloud-init acts unless it does not start and another one does.
fn read(files: &Files<'_>, around: &Around<'_>) -> Read<Option<Agent>> {
    let mut found: Vec<Agent> = cloud_init::agent(files, around)?.into_iter().collect();
    for program in PROGRAMS {
        if let Some(path) = first_path(files, program.paths)? {
            found.push(agent(files, around, program, path));
        }
    }
    if !found.iter().any(|agent| agent.kind == "ignition")
        && let Some(agent) = ignition::inside_initramfs(files, around)?
    {
        found.push(agent);
    }
    let acts = found
        .iter()
        .position(|agent| agent.enabled == Fact::Known(true))
        .unwrap_or(0);
    if found.is_empty() {
        return Ok(None);
    }
    let mut agent = found.remove(acts);
    for other in found {
        agent.others.push(OtherAgent {
            kind: other.kind,
            // The program's own path comes after what decides whether it starts.
            evidence: other.evidence.into_iter().next_back().unwrap_or_default(),
        });
    }
    for (kind, paths) in BESIDE {
        if let Some(path) = first_path(files, paths)? {
            agent.others.push(OtherAgent {
                kind: (*kind).to_owned(),
                evidence: Evidence::path(path),
            });
        }
    }
    Ok(Some(agent))
}

/// The first of some paths that is there, be it a folder.
fn first_path<'p>(files: &Files<'_>, paths: &[&'p str]) -> Read<Option<&'p str>> {
    for path in paths {
        if files.stat(path)?.is_some() {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

fn agent(files: &Files<'_>, around: &Around<'_>, program: &Program, path: &str) -> Agent {
    let start = match program.kind {
        "ignition" => ignition::enabled(files, around),
        "nuageinit" => nuageinit_enabled(files),
        kind => Err(Unknown::new("agent_start_not_known").with("agent", kind)),
    };
    let (enabled, disabled_because, mut evidence) = match start {
        Ok((because, evidence)) => (Fact::Known(because.is_none()), because.map(str::to_owned), evidence),
        Err(unknown) => (Fact::Unknown(unknown), None, Vec::new()),
    };
    let version = match packages::find(files, &program.packages) {
        Ok(Some(package)) => {
            evidence.push(package.evidence);
            Fact::Known(package.version)
        }
        Ok(None) => Fact::Unknown(Unknown::new("version_not_known")),
        Err(unknown) => Fact::Unknown(unknown),
    };
    evidence.push(Evidence::path(path));
    Agent {
        kind: program.kind.to_owned(),
        version,
        recent_enough: Fact::Unknown(Unknown::new("version_not_known")),
        enabled,
        disabled_because,
        evidence,
        others: Vec::new(),
    }
}

/// Why a program does not run at boot, `None` when it does, with what decides.
type Enabled = (Option<&'static str>, Vec<Evidence>);

/// FreeBSD's start script runs where its switch is set, and at the first start only (`KEYWORD: firstboot`, rc(8)): as
/// long as `/firstboot` is there.
fn nuageinit_enabled(files: &Files<'_>) -> Read<Enabled> {
    const FIRST_BOOT: &str = "/firstboot";
    let place = match services::start(files, Init::BsdRc, &[], &["nuageinit"])? {
        Start::Yes(_, places) => places,
        Start::No(places) | Start::Blocked(_, places) => return Ok((Some("no_start_link"), places)),
        Start::Masked(place) => return Ok((Some("masked"), vec![place])),
    };
    if files.stat(FIRST_BOOT)?.is_none() {
        return Ok((Some("first_boot_over"), place));
    }
    Ok((None, place.into_iter().chain([Evidence::path(FIRST_BOOT)]).collect()))
}

/// The user that a program other than cloud-init gives the key to; `None` where it gives none.
fn login(files: &Files<'_>, kind: &str) -> Option<Login> {
    let user = PROGRAMS.iter().find(|program| program.kind == kind)?.user?;
    Some(accounts::login(files, Some(user.to_owned()), false, Vec::new(), None))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    use crate::MemoryTree;

    fn agent(tree: &MemoryTree, command_line: &str) -> Option<Agent> {
        let around = Around {
            command_line: Some(line(command_line)),
            ..Around::default()
        };
        read(&Files::new(tree).unwrap(), &around).unwrap()
    }

    fn line(text: &str) -> CommandLine {
        CommandLine {
            text: text.to_owned(),
            evidence: Evidence::path("/boot/loader/entries/ostree-1.conf").line(4),
        }
    }

    /// As Fedora CoreOS has it; its grub.cfg is that of coreos-assembler.
    fn coreos() -> MemoryTree {
        MemoryTree::new()
            .systemd()
            .program("/usr/lib/dracut/modules.d/30ignition/ignition", "\x7fELF")
            .program("/usr/bin/afterburn", "\x7fELF")
            .file(
                "/boot/grub2/grub.cfg",
                "set ignition_firstboot=\"\"\nif [ -f \"/ignition.firstboot\" ]; then\n    set ignition_firstboot=\"ignition.firstboot\"\nfi\n",
            )
            .file("/etc/passwd", "core:x:1000:1000:CoreOS Admin:/var/home/core:/bin/bash\n")
            .file("/etc/shadow", "core:*:19000:0:99999:7:::\n")
    }

    #[test]
    fn ignition_runs_as_long_as_its_switch_is_there() {
        let fresh = agent(
            &coreos().file("/boot/ignition.firstboot", ""),
            "ignition.platform.id=openstack",
        )
        .unwrap();
        assert_eq!((fresh.kind.as_str(), &fresh.enabled), ("ignition", &Fact::Known(true)));
        assert_eq!(
            fresh.evidence[0],
            Evidence::path("/boot/ignition.firstboot"),
            "what decides comes first"
        );
        assert_eq!(fresh.others[0].kind, "afterburn");
        let used = agent(&coreos(), "ignition.platform.id=qemu").unwrap();
        assert_eq!(used.disabled_because.as_deref(), Some("first_boot_over"));
        let written = agent(&coreos(), "ignition.firstboot ignition.platform.id=qemu").unwrap();
        assert_eq!(written.enabled, Fact::Known(true));
    }

    #[test]
    fn the_platform_says_where_ignition_looks_for_its_settings() {
        let tree = coreos();
        let around = Around {
            command_line: Some(line("ro ignition.platform.id=metal ignition.platform.id=openstack")),
            ..Around::default()
        };
        let read = ignition::read(&Files::new(&tree).unwrap(), &around).unwrap();
        let from = line("").evidence.value("ignition.platform.id=openstack");
        assert_eq!(
            read,
            Ignition {
                platform: Some("openstack".to_owned()),
                from: Some(from)
            }
        );
        let login = login(&Files::new(&tree).unwrap(), "ignition").unwrap();
        assert_eq!(login.user.as_deref(), Some("core"));
        assert!(matches!(login.account, Fact::Known(Some(account)) if account.shell == "/bin/bash"));
    }

    #[test]
    fn freebsds_own_program_needs_its_switch_and_the_first_boot() {
        let freebsd = MemoryTree::new()
            .file("/etc/rc", "#!/bin/sh\n")
            .file("/etc/rc.subr", "")
            .program("/etc/rc.d/nuageinit", "#!/bin/sh\n# KEYWORD: firstboot\n")
            .program("/usr/libexec/nuageinit", "#!/usr/libexec/flua\n")
            .file("/etc/defaults/rc.conf", "nuageinit_enable=\"NO\"\n");
        let kind = agent(&freebsd, "").unwrap();
        assert_eq!(
            (kind.kind.as_str(), kind.disabled_because.as_deref()),
            ("nuageinit", Some("no_start_link"))
        );
        let on = freebsd.file("/etc/rc.conf", "sshd_enable=\"YES\"\nnuageinit_enable=\"YES\"\n");
        assert_eq!(
            agent(&on, "").unwrap().disabled_because.as_deref(),
            Some("first_boot_over")
        );
        let first = agent(&on.file("/firstboot", ""), "").unwrap();
        assert_eq!(first.enabled, Fact::Known(true));
        assert_eq!(first.evidence[0].path.as_deref(), Some("/etc/rc.conf"));
    }

    #[test]
    fn of_several_programs_the_one_that_starts_acts_and_the_others_are_told() {
        let both = coreos()
            .file("/boot/ignition.firstboot", "")
            .program("/usr/bin/cloud-init", "")
            .file("/etc/cloud/cloud-init.disabled", "");
        let acting = agent(&both, "").unwrap();
        assert_eq!(acting.kind, "ignition", "cloud-init is switched off");
        assert_eq!(acting.others[0].kind, "cloud-init");
        let neither = agent(&both.without("/boot/ignition.firstboot"), "").unwrap();
        assert_eq!(
            (neither.kind.as_str(), neither.disabled_because.as_deref()),
            ("cloud-init", Some("disabled_file"))
        );
        assert_eq!(neither.others[0].kind, "ignition");
    }

    #[test]
    fn programs_that_are_not_followed_are_not_said_to_run() {
        for (path, kind) in [
            ("/usr/bin/coreos-cloudinit", "coreos-cloudinit"),
            ("/usr/bin/cirros-query", "cirros-init"),
            ("/usr/sbin/tiny-cloud", "tiny-cloud"),
            ("/usr/sbin/waagent", "waagent"),
        ] {
            let found = agent(&MemoryTree::new().program(path, ""), "").unwrap();
            assert_eq!(found.kind, kind);
            assert!(matches!(found.enabled, Fact::Unknown(_)), "{kind}");
        }
        assert_eq!(agent(&MemoryTree::new().dir("/etc"), ""), None);
    }

    /// `dpkg --remove` leaves the settings behind, and whoever sees them takes the program for installed.
    #[test]
    fn a_program_that_was_removed_is_told_by_the_settings_that_stayed() {
        let removed = |tree: &MemoryTree| facts_of(tree, "").removed;
        let settings = MemoryTree::new().file("/etc/cloud/cloud.cfg", "users: [default]\n");
        assert_eq!(
            removed(&settings),
            Fact::Known(Some(Evidence::path("/etc/cloud/cloud.cfg")))
        );
        assert_eq!(removed(&settings.program("/usr/bin/cloud-init", "")), Fact::Known(None));
        assert_eq!(removed(&MemoryTree::new().dir("/etc/cloud")), Fact::Known(None));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]
        #[test]
        fn any_settings_end_without_a_panic(
            main in "(datasource_list|users|system_info|merge_how|conf_d|network|: |\\[|\\]|\\{|\\}|,|- |\n|  |NoCloud|default|&a|\\*a|'|#){0,40}",
            drop_in in "(datasource_list: |merge_how: |list\\(append\\)|\\[|\\]|, |NoCloud|seedfrom|\n|  |\t|\\\\|:){0,30}",
            identify in "(policy: |datasource: |search|,|disabled|found=|first|#|\n|\\\\){0,12}",
            line in "(cc:|end_cc|ds=nocloud|;s=|/x|ci.ds=|%5B|\\]|datasource_list| |cloud-init=){0,12}",
        ) {
            let tree = MemoryTree::new()
                .systemd()
                .program("/usr/lib/systemd/system-generators/cloud-init-generator", "")
                .program("/usr/bin/cloud-init", "")
                .program("/usr/lib/cloud-init/ds-identify", crate::cloud_init::ds_identify("26.2"))
                .file("/etc/cloud/cloud.cfg", main)
                .file("/etc/cloud/cloud.cfg.d/90.cfg", drop_in)
                .file("/etc/cloud/ds-identify.cfg", identify);
            let read = facts_of(&tree, &line);
            prop_assert!(matches!(read.agent, Fact::Known(Some(_))));
        }
    }
}
