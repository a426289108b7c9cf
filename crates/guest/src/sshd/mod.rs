//! The SSH server: which one is there, whether it is started at boot, on which ports it listens and whom it lets in.

mod command;
mod config;
mod effective;
mod keywords;
#[cfg(test)]
mod tests;

use self::{command::Command, effective::Effective};
use crate::{
    Evidence, Fact, FileTree, Unknown,
    facts::{HostKeys, Sshd, SshdSetting},
    files::{Files, Read},
    packages::{self, Names},
    services::{self, Init, Start, UNIT_LIMIT, systemd},
};

/// A program that is an SSH server, and what it is called where.
struct Server {
    kind: &'static str,
    /// Where it stands, by how often it does.
    programs: &'static [&'static str],
    packages: Names,
    /// Services first; of a socket the service or template that it starts is asked for its command line.
    units: &'static [&'static str],
    scripts: &'static [&'static str],
}

const OPENSSH: Server = Server {
    kind: "openssh",
    programs: &["/usr/sbin/sshd", "/usr/bin/sshd", "/usr/local/sbin/sshd"],
    // Alpine and Arch put it in `openssh` or a part of it.
    packages: Names {
        freebsd: &["openssh-portable"],
        ..Names::everywhere(&["openssh-server", "openssh"])
    },
    // Debian's name first; the other is everybody else's, and Debian's alias.
    units: &["ssh.service", "sshd.service", "ssh.socket", "sshd.socket"],
    scripts: &["ssh", "sshd"],
};

const DROPBEAR: Server = Server {
    kind: "dropbear",
    programs: &["/usr/sbin/dropbear", "/usr/bin/dropbear", "/sbin/dropbear"],
    packages: Names::everywhere(&["dropbear", "dropbear-bin"]),
    units: &["dropbear.service", "dropbear.socket"],
    scripts: &["dropbear"],
};

const TINYSSH: Server = Server {
    kind: "tinyssh",
    programs: &["/usr/sbin/tinysshd", "/usr/bin/tinysshd"],
    packages: Names::everywhere(&["tinyssh", "tinysshd"]),
    units: &["tinyssh.service", "tinyssh.socket", "tinysshd.socket"],
    scripts: &["tinyssh", "tinysshd"],
};

/// Debian's switch: its units and its start script do nothing while this exists.
const NOT_TO_BE_RUN: &str = "/etc/ssh/sshd_not_to_be_run";

/// What is known of one server's start.
struct Started {
    because: Option<&'static str>,
    by: Option<String>,
    places: Vec<Evidence>,
}

/// The SSH server of a single filesystem. For tests and measurements; a disk is read by [`crate::examine()`].
pub fn of_tree(tree: &dyn FileTree) -> Sshd {
    read(&Files::joined(tree, "", &[]))
}

/// Reads everything about the SSH server: the one that is started, OpenSSH before others.
pub(crate) fn read(files: &Files<'_>) -> Sshd {
    let mut first = None;
    for server in [&OPENSSH, &DROPBEAR, &TINYSSH] {
        let there = match files.first_file(server.programs) {
            Ok(None) => continue,
            Ok(Some(program)) => Ok(program),
            Err(unknown) => Err(unknown),
        };
        let sshd = read_server(files, server, there);
        if sshd.enabled == Fact::Known(true) {
            return sshd;
        }
        first.get_or_insert(sshd);
    }
    first.unwrap_or_else(|| {
        let program = OPENSSH.programs.first().copied().unwrap_or_default();
        let mut installed_evidence = vec![Evidence::path(program)];
        // A database that still names it tells that its files were lost.
        if let Ok(Some(package)) = packages::find(files, &OPENSSH.packages) {
            installed_evidence.push(package.evidence);
        }
        let none = Unknown::new("sshd_not_installed");
        Sshd {
            kind: None,
            installed: Fact::Known(false),
            enabled: Fact::Known(false),
            not_started_because: Some("not_installed".to_owned()),
            started_by: None,
            installed_evidence,
            enabled_evidence: Vec::new(),
            ports: Fact::Unknown(none.clone()),
            config: Fact::Known(None),
            host_keys: Fact::Unknown(none),
        }
    })
}

/// The program decides whether a server is there: a removed package takes it along, and one that was built from source
/// has no package.
fn read_server(files: &Files<'_>, server: &Server, program: Read<&'static str>) -> Sshd {
    // Only more evidence; whether the database can be read changes nothing.
    let package = packages::find(files, &server.packages).ok().flatten();
    let started = started(files, server);
    let (installed, installed_evidence) = match &program {
        Ok(program) => {
            let package = package.as_ref().map(|package| package.evidence.clone());
            let places = [Some(Evidence::path(*program)), package];
            (Fact::Known(true), places.into_iter().flatten().collect())
        }
        Err(unknown) => (Fact::Unknown(unknown.clone()), Vec::new()),
    };
    let version = package.as_ref().map(|package| package.version.as_str());
    let by = started.as_ref().ok().and_then(|started| started.by.clone());
    let listening = program.and_then(|program| listening(files, server, program, version, by.as_deref()));
    let (ports, config, host_keys) = match listening {
        Ok((ports, config, host_keys)) => (Fact::Known(ports), Fact::Known(config), host_keys),
        Err(unknown) => (
            Fact::Unknown(unknown.clone()),
            Fact::Unknown(unknown.clone()),
            Fact::Unknown(unknown),
        ),
    };
    let (enabled, not_started_because, enabled_evidence) = match started {
        Ok(started) => (
            Fact::Known(started.because.is_none()),
            started.because.map(str::to_owned),
            started.places,
        ),
        Err(unknown) => (Fact::Unknown(unknown), None, Vec::new()),
    };
    Sshd {
        kind: Some(server.kind.to_owned()),
        installed,
        enabled,
        not_started_because,
        started_by: by,
        installed_evidence,
        enabled_evidence,
        ports,
        config,
        host_keys,
    }
}

fn started(files: &Files<'_>, server: &Server) -> Read<Started> {
    let init = services::init(files)?;
    let (because, by, places) = match services::start(files, init, server.units, server.scripts)? {
        Start::Yes(name, places) => match switched_off(files, &name)? {
            Some(place) => (Some("not_to_be_run"), None, [vec![place], places].concat()),
            None => (None, Some(name), places),
        },
        Start::Masked(place) => (Some("masked"), None, vec![place]),
        Start::Blocked(_, places) if is_switch(&places) => (Some("not_to_be_run"), None, places),
        Start::Blocked(_, places) => (Some("condition"), None, places),
        Start::No(places) => (Some("no_start_link"), None, places),
    };
    Ok(Started { because, by, places })
}

/// Is Debian's switch what keeps the server from running?
fn is_switch(places: &[Evidence]) -> bool {
    let condition = places.first().and_then(|place| place.value.as_deref());
    condition.is_some_and(|condition| condition.ends_with(NOT_TO_BE_RUN))
}

/// A script is started; does Debian's switch keep the server from running? Its units ask by a condition.
fn switched_off(files: &Files<'_>, name: &str) -> Read<Option<Evidence>> {
    if name.contains('.') || !files.exists(NOT_TO_BE_RUN)? {
        return Ok(None);
    }
    let script = files.read_text(&format!("/etc/init.d/{name}"), UNIT_LIMIT)?;
    let asks = script.is_some_and(|script| script.contains("sshd_not_to_be_run"));
    Ok(asks.then(|| Evidence::path(NOT_TO_BE_RUN)))
}

type Listening = (SshdSetting<Vec<u16>>, Option<crate::facts::SshdConfig>, Fact<HostKeys>);

/// Ports, configuration and keys of a server. One that is not started is read as if its first service were.
fn listening(
    files: &Files<'_>,
    server: &Server,
    program: &str,
    version: Option<&str>,
    by: Option<&str>,
) -> Read<Listening> {
    let init = services::init(files).ok();
    let name = by.or(server.units.first().copied()).unwrap_or_default();
    let socket = match (init, name.strip_suffix(".socket")) {
        (Some(Init::Systemd), Some(_)) => files.boot().entries(files, name)?,
        _ => None,
    };
    if server.kind != OPENSSH.kind {
        let ports = match &socket {
            Some(entries) => effective::socket_ports(entries),
            None => SshdSetting::default_of(vec![effective::DEFAULT_PORT]),
        };
        let keys = HostKeys {
            files: Vec::new(),
            present: Vec::new(),
            made_by: None,
        };
        return Ok((ports, None, Fact::Known(keys)));
    }
    let service = match init {
        Some(Init::Systemd) => service_of(files, name, socket.as_deref())?,
        _ => name.to_owned(),
    };
    let command = match init {
        Some(init) => Command::read(files, init, &service)?,
        None => Command::default(),
    };
    let Effective {
        config,
        ports,
        host_keys,
    } = effective::read(files, &command, program, permit_root_login(version))?;
    let mut listening = ports;
    if let Some(entries) = &socket {
        // Ubuntu's generator tells the socket what the configuration says, if that says anything.
        let generator = systemd::generator(files, "sshd-socket-generator")?.is_some();
        if !generator || listening.is_default() {
            listening = effective::socket_ports(entries);
        }
    }
    let host_keys = match read_host_keys(files, init, &service, &host_keys) {
        Ok(keys) => Fact::Known(keys),
        Err(unknown) => Fact::Unknown(unknown),
    };
    Ok((listening, Some(config), host_keys))
}

/// The service that a socket starts: its own name's, a template's if it takes each connection for itself, or the one that
/// `Service=` names (systemd.socket(5)). Another unit is its own.
fn service_of(files: &Files<'_>, name: &str, socket: Option<&[systemd::Entry]>) -> Read<String> {
    let Some((entries, base)) = socket.zip(name.strip_suffix(".socket")) else {
        if files.boot().entries(files, name)?.is_none() {
            let other = OPENSSH
                .units
                .iter()
                .find(|unit| matches!(files.boot().entries(files, unit), Ok(Some(_))));
            return Ok((*other.unwrap_or(&name)).to_owned());
        }
        return Ok(name.to_owned());
    };
    let last = |key: &str| {
        let of_key = entries
            .iter()
            .rfind(|entry| entry.section == "Socket" && entry.key == key);
        of_key.map(|entry| entry.value.as_str())
    };
    Ok(match (last("Service"), last("Accept")) {
        (Some(service), _) => service.to_owned(),
        (None, Some("yes" | "true" | "1" | "on")) => format!("{base}@.service"),
        _ => format!("{base}.service"),
    })
}

/// Releases before 7.0 let root in with a password, and so does Red Hat's 7.4 of EL 7.
fn permit_root_login(version: Option<&str>) -> &'static str {
    let version = version.unwrap_or_default();
    let upstream = version.split_once(':').map_or(version, |(_, upstream)| upstream);
    let major: Option<u32> = upstream.split('.').next().and_then(|major| major.parse().ok());
    let old = major.is_some_and(|major| major < 7) || version.contains(".el7");
    if old { "yes" } else { "prohibit-password" }
}

fn read_host_keys(files: &Files<'_>, init: Option<Init>, service: &str, paths: &[String]) -> Read<HostKeys> {
    let mut present = Vec::new();
    for path in paths {
        if files.stat(path)?.is_some() {
            present.push(Evidence::path(path));
        }
    }
    let makes = |text: &str| ["keygen", "genkeys", "gen-keys"].iter().any(|word| text.contains(word));
    let made_by = if init == Some(Init::Systemd) {
        let entries = files.boot().entries(files, service)?.unwrap_or_default();
        let asking = entries.iter().find(|entry| {
            matches!(entry.key.as_str(), "Wants" | "Requires" | "ExecStartPre" | "BindsTo") && makes(&entry.value)
        });
        match asking {
            Some(entry) => Some(entry.place.clone()),
            None => files
                .boot()
                .units()
                .find(|unit| unit.contains("ssh") && makes(unit))
                .map(|unit| Evidence::default().value(unit)),
        }
    } else {
        let mut found = None;
        for folder in ["/etc/init.d", "/etc/rc.d"] {
            let path = format!("{folder}/{service}");
            let text = files.read_text(&path, UNIT_LIMIT)?.unwrap_or_default();
            found = (1..)
                .zip(text.lines())
                .find(|(_, line)| makes(line))
                .map(|(number, _)| Evidence::path(path).line(number));
            if found.is_some() {
                break;
            }
        }
        found
    };
    Ok(HostKeys {
        files: paths.to_vec(),
        present,
        made_by,
    })
}
