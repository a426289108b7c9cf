//! cloud-init: is it there, which version, does it run at boot, where does it look for its settings, and what do they say?

mod built_in;
mod command_line;
mod config;
mod datasources;
mod identify;
mod instance;
mod merge;
mod seeds;
mod shell;
mod switches;
#[cfg(test)]
mod table;
mod users;

pub(crate) use command_line::CommandLine;
#[cfg(test)]
pub(crate) use table::ds_identify;

use crate::{
    Evidence, Fact, FileKind, Unknown, accounts,
    boot::Started,
    facts::{Agent, CloudInit, Datasources, Login},
    files::{Files, Read},
    packages::{self, Names},
    services::{self, Init, Start},
    version::{self, Rules},
};

/// The oldest cloud-init that is recent enough, [`Agent::recent_enough`].
const MINIMUM: &str = "0.7.7";

/// Packages that bring the program; Debian and Ubuntu split it from release 25 on.
const PACKAGES: Names = Names::everywhere(&["cloud-init", "cloud-init-base", "py311-cloud-init", "py39-cloud-init"]);

const PROGRAMS: &[&str] = &[
    "/usr/bin/cloud-init",
    "/usr/local/bin/cloud-init",
    "/bin/cloud-init",
    "/usr/sbin/cloud-init",
    "/usr/local/sbin/cloud-init",
];

/// Folder of programs that were built apart from the distribution.
const OPT: &str = "/opt";

/// Most folders below `/opt`, or of Python's releases, that are looked into.
const MAX_FOLDERS: usize = 100;

/// Units of the stage that reads the settings: the one process since release 24.3, the network stage, its name since.
const UNITS: &[&str] = &[
    "cloud-init-main.service",
    "cloud-init-network.service",
    "cloud-init.service",
];

/// Names of the start script: OpenRC's and System V's, FreeBSD's.
const SCRIPTS: &[&str] = &["cloud-init", "cloudinit"];

/// Units that must not be masked either, or the settings are not applied.
const OTHER_UNITS: &[&str] = &[
    "cloud-init.target",
    "cloud-init-local.service",
    "cloud-config.service",
    "cloud-final.service",
];

/// Where cloud-init's generator stands; it starts `cloud-init.target`, and asks ds-identify before.
const GENERATORS: &[&str] = &[
    "/usr/lib/systemd/system-generators/cloud-init-generator",
    "/lib/systemd/system-generators/cloud-init-generator",
    "/usr/local/lib/systemd/system-generators/cloud-init-generator",
];

/// Switch that cloud-init's generator and units ask for.
const DISABLED: &str = "/etc/cloud/cloud-init.disabled";

/// Switch that the generator of older releases asks for first.
const ENABLED: &str = "/etc/cloud/cloud-init.enabled";

/// Largest settings file that is read, in bytes.
const SETTINGS_LIMIT: usize = 1 << 20;

/// What the files of a root alone do not tell.
#[derive(Clone, Default)]
pub(crate) struct Around<'a> {
    /// The kernel's command line of the system that starts by default, where the boot configuration tells it.
    pub(crate) command_line: Option<CommandLine>,
    /// The disk's filesystems that have a label.
    pub(crate) labels: &'a [Label],
    /// The initramfs that is started, where there is a boot configuration.
    pub(crate) started: Option<&'a Started<'a>>,
}

/// A filesystem's label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Label {
    pub(crate) text: String,
    /// As in [`crate::facts::Partition::filesystem`].
    pub(crate) filesystem: String,
    /// Do `user-data` and `meta-data` stand in it? `None` where its files are not read.
    pub(crate) holds_seed: Option<bool>,
}

/// cloud-init as the program that configures a VM; `None` when it is not there.
pub(crate) fn agent(files: &Files<'_>, around: &Around<'_>) -> Read<Option<Agent>> {
    let Some(program) = program(files)? else {
        return Ok(None);
    };
    let mut evidence = Vec::new();
    let (enabled, disabled_because) = match enabled(files, around) {
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
    Ok(Some(Agent {
        kind: "cloud-init".to_owned(),
        version,
        recent_enough,
        enabled,
        disabled_because,
        evidence,
        others: Vec::new(),
    }))
}

/// What cloud-init's settings say.
pub(crate) struct Settings {
    pub(crate) datasources: Fact<Datasources>,
    pub(crate) cloud_init: Fact<CloudInit>,
    pub(crate) login: Fact<Login>,
}

/// Reads cloud-init's settings once, for everything that is asked of them.
pub(crate) fn settings(files: &Files<'_>, around: &Around<'_>) -> Settings {
    let read = paths(files).and_then(|paths| {
        let config = config::read(files, &paths, around.command_line.as_ref())?;
        Ok((paths, config))
    });
    let (paths, config) = match read {
        Ok(read) => read,
        Err(unknown) => {
            return Settings {
                datasources: Fact::Unknown(unknown.clone()),
                cloud_init: Fact::Unknown(unknown.clone()),
                login: Fact::Unknown(unknown),
            };
        }
    };
    let templated = config
        .template
        .as_ref()
        .map(|template| Unknown::new("config_not_read").with("path", template.path.as_deref().unwrap_or_default()));
    Settings {
        datasources: Fact::from(datasources::read(files, around, paths.etc(), &config)),
        cloud_init: Fact::Known(CloudInit {
            skipped: config.skipped.clone(),
            instance: Fact::from(instance::read(files, &config)),
            seeds: Fact::from(seeds::Seeds::read(files, around, &config).map(|seeds| seeds.evidence)),
            network_disabled: match &templated {
                Some(unknown) => Fact::Unknown(unknown.clone()),
                None => Fact::Known(switches::network_disabled(&config)),
            },
            network_settings: match &templated {
                Some(unknown) => Fact::Unknown(unknown.clone()),
                None => Fact::from(switches::network_settings(&config)),
            },
            switches: match templated {
                Some(unknown) => Fact::Unknown(unknown),
                None => Fact::from(switches::read(files, &config)),
            },
        }),
        login: Fact::from(
            users::default_user(&config)
                .map(|user| accounts::login(files, user.name, user.root, user.from, Some(&user.plan))),
        ),
    }
}

/// Settings without a program: a package that was removed leaves them behind (`deinstall ok config-files`, `.rpmsave`).
pub(crate) fn remains(files: &Files<'_>) -> Read<Option<Evidence>> {
    let found = files.first_file(&["/etc/cloud/cloud.cfg", "/etc/cloud/cloud.cfg.rpmsave"])?;
    Ok(found.map(Evidence::path))
}

/// The program's path.
fn program(files: &Files<'_>) -> Read<Option<String>> {
    if let Some(program) = files.first_file(PROGRAMS)? {
        return Ok(Some(program.to_owned()));
    }
    for folder in files.list(OPT)?.iter().take(MAX_FOLDERS) {
        let program = format!("{OPT}/{folder}/bin/cloud-init");
        if files.stat(&program)?.is_some_and(|stat| stat.kind == FileKind::File) {
            return Ok(Some(program));
        }
    }
    Ok(None)
}

/// The package's version, else the program's own: from `cloudinit/version.py`, or what pip notes beside the module.
fn find_version(files: &Files<'_>) -> Read<(String, Rules, Evidence)> {
    let from_package = packages::find(files, &PACKAGES);
    if let Ok(Some(package)) = from_package {
        return Ok((package.version, package.rules, package.evidence));
    }
    for module in module_folders(files)? {
        if let Some((version, place)) = version_py(files, &module)? {
            return Ok((version, Rules::Plain, place));
        }
        if let Some((version, place)) = version_of_metadata(files, &module)? {
            return Ok((version, Rules::Plain, place));
        }
    }
    Err(from_package.err().unwrap_or_else(|| Unknown::new("version_not_known")))
}

/// Does it look like a version? What stands in a file may be anything.
fn is_version(version: &str) -> bool {
    version.starts_with(|c: char| c.is_ascii_digit()) && version.len() <= 64
}

/// `__VERSION__ = "22.4.2"`; releases before 0.7.8 have a function with a list instead.
fn version_py(files: &Files<'_>, module: &str) -> Read<Option<(String, Evidence)>> {
    let path = format!("{module}/version.py");
    let Some(text) = files.read_text(&path, SETTINGS_LIMIT)? else {
        return Ok(None);
    };
    for (number, line) in (1..).zip(text.lines()) {
        let quoted = match line.trim().strip_prefix("__VERSION__") {
            Some(rest) => rest.trim_start().strip_prefix('='),
            None => line
                .trim()
                .strip_prefix("return vr.StrictVersion(")
                .and_then(|rest| rest.strip_suffix(')')),
        };
        let version = quoted
            .and_then(|quoted| quoted.split('#').next())
            .map(|quoted| quoted.trim().trim_matches(['"', '\'']));
        if let Some(version) = version.filter(|version| is_version(version)) {
            let value = format!("__VERSION__ = \"{version}\"");
            return Ok(Some((
                version.to_owned(),
                Evidence::path(path).line(number).value(&value),
            )));
        }
    }
    Ok(None)
}

/// `cloud_init-22.4.2.dist-info/METADATA` or `cloud_init-22.4.2.egg-info`, beside the module.
fn version_of_metadata(files: &Files<'_>, module: &str) -> Read<Option<(String, Evidence)>> {
    let folder = module.rsplit_once('/').map_or("", |(folder, _)| folder);
    for name in files.list(folder)? {
        let bare = name
            .strip_prefix("cloud_init-")
            .or_else(|| name.strip_prefix("cloud-init-"));
        let bare = bare.and_then(|bare| {
            bare.strip_suffix(".dist-info")
                .or_else(|| bare.strip_suffix(".egg-info"))
        });
        // An egg's name ends in the Python that it is for: `0.7.5-py2.6`.
        let version = bare
            .and_then(|bare| bare.split("-py").next())
            .filter(|version| is_version(version));
        if let Some(version) = version {
            let place = Evidence::path(format!("{folder}/{name}")).value(version);
            return Ok(Some((version.to_owned(), place)));
        }
    }
    Ok(None)
}

/// Folders of the Python module `cloudinit`, in the order in which Python looks.
fn module_folders(files: &Files<'_>) -> Read<Vec<String>> {
    let mut libraries: Vec<String> = ["/usr/local/lib", "/usr/lib", "/usr/lib64"].map(str::to_owned).into();
    let apart = files.list(OPT)?;
    libraries.extend(
        apart
            .iter()
            .take(MAX_FOLDERS)
            .map(|folder| format!("{OPT}/{folder}/lib")),
    );
    let mut found = Vec::new();
    for library in libraries {
        let pythons = files.list(&library)?;
        for python in pythons
            .iter()
            .filter(|name| name.starts_with("python"))
            .take(MAX_FOLDERS)
        {
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

/// Where this cloud-init's settings are, as its own `settings.py` says (`CLOUD_CONFIG`).
fn paths(files: &Files<'_>) -> Read<config::Paths> {
    let mut settings_py = None;
    for module in module_folders(files)? {
        let path = format!("{module}/settings.py");
        if let Some(text) = files.read_text(&path, SETTINGS_LIMIT)? {
            settings_py = Some((path, text));
            break;
        }
    }
    let named = settings_py.as_ref().and_then(|(_, text)| {
        let value = text.lines().find_map(|line| line.strip_prefix("CLOUD_CONFIG = "))?;
        let path = value.trim().trim_matches(['"', '\'']);
        (path.starts_with('/') && path.len() < 200).then(|| path.to_owned())
    });
    let main = match named {
        Some(path) => path,
        None => "/etc/cloud/cloud.cfg".to_owned(),
    };
    Ok(config::Paths { main, settings_py })
}

/// The generator, where systemd runs it.
fn generator(files: &Files<'_>) -> Read<Option<&'static str>> {
    // A file of the same name in /etc comes first, and an empty one or a link to /dev/null masks it.
    let override_path = "/etc/systemd/system-generators/cloud-init-generator";
    if files.exists(override_path)? {
        let runs = files.stat(override_path)?.is_some_and(|stat| stat.size > 0);
        return Ok(runs.then_some(override_path));
    }
    files.first_file(GENERATORS)
}

/// The switch among the files that keeps cloud-init's generator from starting it, and its place.
pub(crate) fn switched_off(files: &Files<'_>) -> Read<Option<(&'static str, Evidence)>> {
    switch(files, &Around::default())
}

/// The switch that keeps cloud-init from starting, the kernel's command line included.
fn switch(files: &Files<'_>, around: &Around<'_>) -> Read<Option<(&'static str, Evidence)>> {
    match around.command_line.as_ref().and_then(CommandLine::disables) {
        Some((true, place)) => return Ok(Some(("command_line", place))),
        Some((false, _)) if asks_for_enabled_file(files)? => return Ok(None),
        _ => {}
    }
    let file = files.stat(DISABLED)?.is_some_and(|stat| stat.kind == FileKind::File);
    if file && !(asks_for_enabled_file(files)? && files.stat(ENABLED)?.is_some_and(|stat| stat.kind == FileKind::File))
    {
        return Ok(Some(("disabled_file", Evidence::path(DISABLED))));
    }
    if identify::is_started(files)? {
        let read = identify::mode(files, around)?;
        let disabled = read.filter(|(mode, _)| mode == "disabled");
        return Ok(disabled.and_then(|(_, place)| Some(("identify_policy", place?))));
    }
    Ok(None)
}

/// The generator up to release 23.1 lets `cloud-init.enabled` and the command line overrule `cloud-init.disabled`; later
/// units ask for the file themselves.
fn asks_for_enabled_file(files: &Files<'_>) -> Read<bool> {
    let Some(path) = generator(files)? else {
        return Ok(false);
    };
    let text = files.read_text(path, SETTINGS_LIMIT)?.unwrap_or_default();
    Ok(text.contains("etc_file()"))
}

/// `None` when cloud-init runs at boot, else why it does not; with what decides.
fn enabled(files: &Files<'_>, around: &Around<'_>) -> Read<(Option<&'static str>, Option<Evidence>)> {
    if let Some((because, place)) = switch(files, around)? {
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
    Ok(match services::start(files, init, UNITS, SCRIPTS)? {
        Start::Yes(_, places) => (None, places.into_iter().next()),
        Start::Masked(place) => (Some("masked"), Some(place)),
        Start::Blocked(_, places) => (Some("condition"), places.into_iter().next()),
        Start::No(places) => (Some("no_start_link"), places.into_iter().next()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryTree;

    const IDENTIFY: &str = "/etc/cloud/ds-identify.cfg";

    /// As Debian 12's cloud-init 22.4.2-1+deb12u4 leaves it.
    fn debian() -> MemoryTree {
        MemoryTree::new()
            .systemd()
            .file("/usr/lib/systemd/system/cloud-init.target", "[Unit]\n")
            .program("/usr/bin/cloud-init", "#!/usr/bin/python3\n")
            .program(
                "/usr/lib/systemd/system-generators/cloud-init-generator",
                "etc_file() {\n}\n",
            )
            .program("/usr/lib/cloud-init/ds-identify", ds_identify("22.4.2"))
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
        super::agent(&Files::new(tree).unwrap(), &Around::default())
            .unwrap()
            .unwrap()
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
    fn the_kernels_command_line_turns_it_off_and_on() {
        let off = |text: &str, tree: &MemoryTree| {
            let around = Around {
                command_line: Some(CommandLine {
                    text: text.to_owned(),
                    evidence: Evidence::path("/boot/grub/grub.cfg").line(7),
                }),
                ..Around::default()
            };
            super::agent(&Files::new(tree).unwrap(), &around).unwrap().unwrap()
        };
        let agent = off("root=/dev/sda1 cloud-init=disabled", &debian());
        assert_eq!(agent.disabled_because.as_deref(), Some("command_line"));
        let decides = Evidence::path("/boot/grub/grub.cfg")
            .line(7)
            .value("cloud-init=disabled");
        assert_eq!(agent.evidence[0], decides);
        let policy = off("ci.di.policy=disabled", &debian());
        assert_eq!(policy.disabled_because.as_deref(), Some("identify_policy"));
    }

    #[test]
    fn a_program_without_a_package_tells_its_version_by_its_own_files() {
        let module = "/usr/local/lib/python3.9/site-packages";
        let tree = MemoryTree::new()
            .program("/usr/local/bin/cloud-init", "")
            .file(&format!("{module}/cloudinit/__init__.py"), "");
        let version = |tree: &MemoryTree| {
            super::agent(&Files::new(tree).unwrap(), &Around::default())
                .unwrap()
                .unwrap()
                .version
        };
        let info = tree.clone().file(
            &format!("{module}/cloud_init-22.1.dist-info/METADATA"),
            "Version: 22.1\n",
        );
        assert_eq!(version(&info), Fact::Known("22.1".to_owned()));
        let egg = tree
            .clone()
            .file(&format!("{module}/cloud_init-0.7.5-py2.6.egg-info"), "");
        assert_eq!(version(&egg), Fact::Known("0.7.5".to_owned()));
        let old = tree.clone().file(
            &format!("{module}/cloudinit/version.py"),
            "def version():\n    return vr.StrictVersion(\"0.7.5\")\n",
        );
        assert_eq!(version(&old), Fact::Known("0.7.5".to_owned()));
        assert!(matches!(version(&tree), Fact::Unknown(_)));
    }

    /// A person looks for the mistake in a file of a hundred lines.
    #[test]
    fn a_file_that_is_no_yaml_is_told_with_the_line() {
        for (text, line) in [
            ("a: 1\nb: [1, 2\nc: 3\n", Some(3)),
            ("a: 1\nb:\n\t- x\n", Some(3)),
            ("users:\n  - name: anna\n groups: x\n", Some(3)),
            ("just words\n", None),
        ] {
            let tree = debian().file("/etc/cloud/cloud.cfg.d/50-own.cfg", text);
            let Fact::Known(read) = settings(&Files::new(&tree).unwrap(), &Around::default()).cloud_init else {
                panic!("{text}");
            };
            let skipped = Evidence {
                line,
                ..Evidence::path("/etc/cloud/cloud.cfg.d/50-own.cfg")
            };
            assert_eq!(read.skipped, [skipped], "{text}");
        }
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
}
