//! cloud-init, or another program that configures a VM at its first start: is it there, which version, does it run at
//! boot, and where does it look for its settings?

mod built_in;
mod config;
mod datasources;

pub(crate) use datasources::read as read_datasources;

use crate::{
    Evidence, Fact, FileKind, Unknown,
    facts::Agent,
    files::{Files, Read},
    packages::{self, Names},
    services::{self, Init, Start},
    version::{self, Rules},
};

/// The oldest cloud-init that is recent enough, [`Agent::recent_enough`].
const MINIMUM: &str = "0.7.7";

/// Packages that bring the program; Debian and Ubuntu split it from release 25 on.
const PACKAGES: Names = Names::everywhere(&["cloud-init", "cloud-init-base"]);

const PROGRAMS: &[&str] = &["/usr/bin/cloud-init", "/usr/local/bin/cloud-init"];

/// Units of the stage that reads the settings: the one process since release 24.3, the network stage, its name since.
const UNITS: &[&str] = &[
    "cloud-init-main.service",
    "cloud-init-network.service",
    "cloud-init.service",
];

/// Units that must not be masked either, or the settings are not applied.
const OTHER_UNITS: &[&str] = &[
    "cloud-init.target",
    "cloud-init-local.service",
    "cloud-config.service",
    "cloud-final.service",
];

/// Switch that cloud-init's generator and units ask for.
const DISABLED: &str = "/etc/cloud/cloud-init.disabled";

/// Settings of ds-identify, which decides before every boot whether cloud-init runs.
const IDENTIFY: &str = "/etc/cloud/ds-identify.cfg";

/// Largest settings file that is read, in bytes.
const SETTINGS_LIMIT: usize = 1 << 20;

/// The other programs and what shows that they are there.
const OTHER_AGENTS: &[(&str, &[&str])] = &[
    (
        "ignition",
        &["/usr/lib/dracut/modules.d/30ignition", "/usr/bin/ignition"],
    ),
    ("coreos-cloudinit", &["/usr/bin/coreos-cloudinit"]),
    (
        "bsd-cloudinit",
        &["/usr/local/bin/bsd-cloudinit", "/etc/rc.d/bsd-cloudinit"],
    ),
    ("nuageinit", &["/usr/libexec/nuageinit"]),
];

/// The program that configures a VM at its first start; `None` when there is none.
pub(crate) fn read(files: &Files<'_>) -> Read<Option<Agent>> {
    let Some(program) = files.first_file(PROGRAMS)? else {
        return other_agent(files);
    };
    let mut evidence = Vec::new();
    let (enabled, disabled_because) = match enabled(files) {
        Ok((because, place)) => {
            evidence.extend(place);
            (Fact::Known(because.is_none()), because.map(str::to_owned))
        }
        Err(unknown) => (Fact::Unknown(unknown), None),
    };
    evidence.push(Evidence::path(program));
    let (version, recent_enough) = match find_version(files) {
        Ok((version, rules, place)) => {
            evidence.push(place);
            let recent = version::at_least(rules, &version, MINIMUM);
            (Fact::Known(version), Fact::Known(recent))
        }
        Err(unknown) => (Fact::Unknown(unknown.clone()), Fact::Unknown(unknown)),
    };
    let kind = "cloud-init".to_owned();
    Ok(Some(Agent {
        kind,
        version,
        recent_enough,
        enabled,
        disabled_because,
        evidence,
    }))
}

fn other_agent(files: &Files<'_>) -> Read<Option<Agent>> {
    for (kind, paths) in OTHER_AGENTS {
        for path in *paths {
            if files.stat(path)?.is_some() {
                return Ok(Some(Agent {
                    kind: (*kind).to_owned(),
                    version: Fact::Unknown(Unknown::new("version_not_known")),
                    recent_enough: Fact::Unknown(Unknown::new("version_not_known")),
                    enabled: Fact::Unknown(Unknown::new("agent_start_not_known").with("agent", kind)),
                    disabled_because: None,
                    evidence: vec![Evidence::path(*path)],
                }));
            }
        }
    }
    Ok(None)
}

/// The package's version, else the program's own from `cloudinit/version.py`.
fn find_version(files: &Files<'_>) -> Read<(String, Rules, Evidence)> {
    let from_package = packages::find(files, &PACKAGES);
    if let Ok(Some(package)) = from_package {
        return Ok((package.version, package.rules, package.evidence));
    }
    for module in module_folders(files)? {
        let path = format!("{module}/version.py");
        let Some(text) = files.read_text(&path, SETTINGS_LIMIT)? else {
            continue;
        };
        let line = (1..).zip(text.lines()).find_map(|(number, line)| {
            let version = line.strip_prefix("__VERSION__")?.trim_start().strip_prefix('=')?;
            let version = version.split('#').next()?.trim().trim_matches(['"', '\'']);
            let plain = version.starts_with(|c: char| c.is_ascii_digit()) && version.len() <= 64;
            plain.then(|| (number, version.to_owned()))
        });
        if let Some((number, version)) = line {
            let value = format!("__VERSION__ = \"{version}\"");
            return Ok((version, Rules::Plain, Evidence::path(path).line(number).value(&value)));
        }
    }
    Err(from_package.err().unwrap_or_else(|| Unknown::new("version_not_known")))
}

/// Folders of the Python module `cloudinit`, in the order in which Python looks.
fn module_folders(files: &Files<'_>) -> Read<Vec<String>> {
    let mut found = Vec::new();
    for library in ["/usr/local/lib", "/usr/lib", "/usr/lib64"] {
        for python in files.list(library)?.iter().filter(|name| name.starts_with("python")) {
            for packages in ["dist-packages", "site-packages"] {
                let folder = format!("{library}/{python}/{packages}/cloudinit");
                if files
                    .stat(&folder)?
                    .is_some_and(|stat| stat.kind == FileKind::Directory)
                {
                    found.push(folder);
                }
            }
        }
    }
    Ok(found)
}

/// The switch that keeps cloud-init's generator from starting it, and its place.
pub(crate) fn switched_off(files: &Files<'_>) -> Read<Option<(&'static str, Evidence)>> {
    if files.stat(DISABLED)?.is_some() {
        return Ok(Some(("disabled_file", Evidence::path(DISABLED))));
    }
    let settings = files.read_text(IDENTIFY, SETTINGS_LIMIT)?.unwrap_or_default();
    Ok(disabling_policy(&settings).map(|place| ("identify_policy", place)))
}

/// `None` when cloud-init runs at boot, else why it does not; with what decides.
fn enabled(files: &Files<'_>) -> Read<(Option<&'static str>, Option<Evidence>)> {
    if let Some((because, place)) = switched_off(files)? {
        return Ok((Some(because), Some(place)));
    }
    let init = services::init(files)?;
    if init == Init::Systemd {
        for unit in UNITS.iter().chain(OTHER_UNITS) {
            if let Some(place) = services::mask(files, unit)? {
                return Ok((Some("masked"), Some(place)));
            }
        }
    }
    Ok(match services::start(files, init, UNITS, &["cloud-init"])? {
        Start::Yes(_, places) => (None, places.into_iter().next()),
        Start::Masked(place) => (Some("masked"), Some(place)),
        Start::Blocked(_, places) => (Some("condition"), places.into_iter().next()),
        Start::No(places) => (Some("no_start_link"), places.into_iter().next()),
    })
}

/// ds-identify's settings are lines `key: value`; of the key `policy` the last one holds, and of its modes the last
/// one; `disabled` means that cloud-init never runs (ds-identify, `parse_policy`).
fn disabling_policy(settings: &str) -> Option<Evidence> {
    let policies = (1..).zip(settings.lines()).filter_map(|(number, line)| {
        let (key, value) = line.split('#').next()?.split_once(':')?;
        (key.trim() == "policy").then(|| (number, value.trim().trim_matches(['"', '\''])))
    });
    let (number, value) = policies.last()?;
    let modes = ["enabled", "disabled", "search", "report"];
    let mode = value.split(',').map(str::trim).rfind(|word| modes.contains(word));
    (mode == Some("disabled")).then(|| Evidence::path(IDENTIFY).line(number).value(&format!("policy: {value}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryTree;

    /// As Debian 12's cloud-init 22.4.2-1+deb12u4 leaves it.
    fn debian() -> MemoryTree {
        MemoryTree::new()
            .systemd()
            .program("/usr/lib/systemd/system-generators/cloud-init-generator", "#!/bin/sh\n")
            .file("/usr/lib/systemd/system/cloud-init.target", "[Unit]\n")
            .program("/usr/bin/cloud-init", "#!/usr/bin/python3\n")
            .file(
                "/usr/lib/systemd/system/cloud-init.service",
                "[Install]\nWantedBy=cloud-init.target\n",
            )
            .symlink(
                "/etc/systemd/system/cloud-init.target.wants/cloud-init.service",
                "/lib/systemd/system/cloud-init.service",
            )
            .file(
                "/var/lib/dpkg/status",
                "Package: cloud-init\nStatus: install ok installed\nVersion: 22.4.2-1+deb12u4\n",
            )
            .file(
                "/usr/lib/python3/dist-packages/cloudinit/version.py",
                "# comment\n__VERSION__ = \"22.4.2\"\n",
            )
    }

    fn agent(tree: &MemoryTree) -> Agent {
        read(&Files::new(tree).unwrap()).unwrap().unwrap()
    }

    #[test]
    fn a_stock_debian_runs_cloud_init() {
        let agent = agent(&debian());
        assert_eq!(agent.version, Fact::Known("22.4.2-1+deb12u4".to_owned()));
        assert_eq!(
            (agent.recent_enough, agent.enabled),
            (Fact::Known(true), Fact::Known(true))
        );
        assert_eq!(
            agent.evidence[0].path.as_deref(),
            Some("/etc/systemd/system/cloud-init.target.wants/cloud-init.service")
        );
    }

    #[test]
    fn comments_beside_what_was_read_are_not_shown() {
        let tree = debian()
            .file(IDENTIFY, "policy: disabled # password hunter2\n")
            .file(
                "/usr/lib/python3/dist-packages/cloudinit/version.py",
                "__VERSION__ = \"22.4.2\" # hunter2\n",
            )
            .without("/var/lib/dpkg");
        let agent = agent(&tree);
        assert_eq!(agent.evidence[0].value.as_deref(), Some("policy: disabled"));
        assert_eq!(agent.version, Fact::Known("22.4.2".to_owned()));
        assert!(!format!("{agent:?}").contains("hunter2"), "{agent:?}");
    }

    #[test]
    fn every_switch_that_turns_it_off_is_named() {
        for (tree, because, path) in [
            (debian().file(DISABLED, ""), "disabled_file", DISABLED),
            (
                debian().file(IDENTIFY, "# policy: search\npolicy: disabled\n"),
                "identify_policy",
                IDENTIFY,
            ),
            (
                debian().symlink("/etc/systemd/system/cloud-final.service", "/dev/null"),
                "masked",
                "/etc/systemd/system/cloud-final.service",
            ),
        ] {
            let agent = agent(&tree);
            assert_eq!(agent.enabled, Fact::Known(false), "{because}");
            assert_eq!(agent.disabled_because.as_deref(), Some(because));
            assert_eq!(
                agent.evidence[0].path.as_deref(),
                Some(path),
                "what decides comes first"
            );
        }
        let unlinked = agent(&debian().without("/etc/systemd/system/cloud-init.target.wants"));
        assert_eq!(unlinked.disabled_because.as_deref(), Some("no_start_link"));
    }

    #[test]
    fn another_policy_does_not_turn_it_off() {
        assert_eq!(
            disabling_policy("policy: search,found=all,maybe=none,notfound=disabled\n").map(|place| place.value),
            None
        );
        assert!(
            disabling_policy("policy: disabled\npolicy: enabled # disabled\n").is_none(),
            "the last line holds"
        );
        assert!(disabling_policy("datasource: disabled\n").is_none());
    }

    #[test]
    fn without_a_readable_database_the_program_tells_its_version() {
        let tree = debian()
            .without("/var/lib/dpkg")
            .file("/var/lib/rpm/rpmdb.sqlite", "SQLite format 3\0");
        let with_module = agent(&tree);
        assert_eq!(with_module.version, Fact::Known("22.4.2".to_owned()));
        assert_eq!(with_module.recent_enough, Fact::Known(true));
        let without = agent(&tree.without("/usr/lib/python3/dist-packages/cloudinit/version.py"));
        assert!(matches!(without.version, Fact::Unknown(unknown) if unknown.code == "package_database_corrupt"));
    }

    #[test]
    fn other_programs_are_recognised_and_not_said_to_run() {
        let agent = agent(&MemoryTree::new().dir("/usr/lib/dracut/modules.d/30ignition"));
        assert_eq!(agent.kind, "ignition");
        assert!(matches!(agent.enabled, Fact::Unknown(_)));
        assert_eq!(
            read(&Files::new(&MemoryTree::new().dir("/etc")).unwrap()).unwrap(),
            None
        );
    }
}
