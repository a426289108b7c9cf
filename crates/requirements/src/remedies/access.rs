//! Commands for the way in: the SSH server's package, start, configuration and keys, and the account of its owner.

use lotse_guest::{Evidence, facts::Sshd};

use super::{Distribution, Init, Packages, distribution, install};
use crate::Subject;

/// What starts the SSH server, and what it is called there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Starter<'e> {
    Systemd(&'e str),
    OpenRc(&'e str),
    /// System V's links.
    Links(&'e str),
    Runit(&'e str),
    /// A variable of the BSDs' rc.conf.
    Rc,
}

/// Debian's packages are told apart by their tool.
fn package(packages: Packages) -> &'static str {
    match packages {
        Packages::Apt | Packages::Dnf | Packages::Yum => "openssh-server",
        Packages::Apk | Packages::Pacman | Packages::Zypper => "openssh",
    }
}

/// The service's name where the distribution is known.
fn service(packages: Packages) -> &'static str {
    if packages == Packages::Apt { "ssh" } else { "sshd" }
}

/// Brings the SSH server and has it started at boot.
pub(crate) fn install_sshd(subject: &Subject) -> Vec<String> {
    let Some(distribution) = distribution(subject) else {
        return Vec::new();
    };
    let mut commands = install(distribution.packages, package(distribution.packages));
    commands.push(enable(distribution, service(distribution.packages)));
    commands
}

fn enable(Distribution { init, .. }: Distribution, service: &str) -> String {
    match init {
        Init::Systemd => format!("systemctl enable {service}.service"),
        Init::OpenRc => format!("rc-update add {service} default"),
        Init::Chkconfig => format!("chkconfig {service} on"),
        Init::UpdateRc => format!("update-rc.d {service} defaults"),
    }
}

/// Has the SSH server started at boot. The place where it is missing tells the init system and the service's own name.
pub(crate) fn enable_sshd(subject: &Subject, sshd: &Sshd) -> Vec<String> {
    let distribution = distribution(subject);
    let command = match starter(&sshd.enabled_evidence) {
        Some(Starter::Systemd(unit)) => Some(format!("systemctl enable {unit}")),
        Some(Starter::OpenRc(name)) => Some(format!("rc-update add {name} default")),
        Some(Starter::Links(name)) => match distribution.map(|distribution| distribution.init) {
            Some(Init::Chkconfig) => Some(format!("chkconfig {name} on")),
            Some(_) => Some(format!("update-rc.d {name} defaults")),
            None => None,
        },
        Some(Starter::Runit(name)) => Some(format!("ln -sf /etc/sv/{name} /etc/runit/runsvdir/default/")),
        Some(Starter::Rc) => Some("sysrc sshd_enable=YES".to_owned()),
        None => distribution.map(|distribution| enable(distribution, service(distribution.packages))),
    };
    command.into_iter().collect()
}

/// Takes the mask off the SSH server and has it started at boot.
pub(crate) fn unmask_sshd(subject: &Subject, sshd: &Sshd) -> Vec<String> {
    let path = sshd.enabled_evidence.first().and_then(|place| place.path.as_deref());
    match path
        .and_then(|path| path.rsplit('/').next())
        .filter(|unit| is_unit(unit))
    {
        Some(unit) => vec![format!("systemctl unmask {unit}"), format!("systemctl enable {unit}")],
        None => distribution(subject)
            .map(|distribution| {
                let service = service(distribution.packages);
                vec![
                    format!("systemctl unmask {service}.service"),
                    enable(distribution, service),
                ]
            })
            .unwrap_or_default(),
    }
}

/// Takes away what a start waits in vain for: a file that must not be there.
pub(crate) fn meet_condition(sshd: &Sshd) -> Vec<String> {
    let Some(place) = sshd.enabled_evidence.first() else {
        return Vec::new();
    };
    let switch = match (place.path.as_deref(), place.value.as_deref()) {
        // Upstart's override, runit's own switch.
        (Some(path), _) if path.ends_with(".override") || path.ends_with("/down") => Some(path),
        (_, Some(condition)) => condition.strip_prefix("ConditionPathExists=!"),
        _ => None,
    };
    let plain = |path: &&str| {
        path.starts_with("/etc/")
            && path
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte))
    };
    switch
        .filter(plain)
        .map(|path| format!("rm -f {path}"))
        .into_iter()
        .collect()
}

/// Told by where a link or line would stand (`Sshd::enabled_evidence`).
fn starter(places: &[Evidence]) -> Option<Starter<'_>> {
    let path = places.first()?.path.as_deref()?;
    let (folder, name) = path.rsplit_once('/')?;
    let is_links = folder.rsplit_once('.').is_some_and(|(_, end)| end == "wants");
    if is_links || folder.ends_with("/systemd/system") {
        return is_unit(name).then_some(Starter::Systemd(name));
    }
    let name = name.strip_prefix("S??").unwrap_or(name);
    let is_ours = matches!(name, "ssh" | "sshd" | "dropbear" | "tinyssh");
    match folder {
        "/etc" | "/etc/defaults" if path.contains("rc.conf") => Some(Starter::Rc),
        _ if !is_ours => None,
        _ if folder.starts_with("/etc/runlevels/") => Some(Starter::OpenRc(name)),
        _ if folder.starts_with("/etc/runit/") => Some(Starter::Runit(name)),
        _ if folder.starts_with("/etc/rc") => Some(Starter::Links(name)),
        _ => None,
    }
}

/// A unit of an SSH server, whose name needs no quoting.
fn is_unit(name: &str) -> bool {
    let Some((base, "service" | "socket")) = name.rsplit_once('.') else {
        return false;
    };
    matches!(base, "ssh" | "sshd" | "dropbear" | "tinyssh" | "tinysshd")
}

/// Brings the configuration that the package came with.
pub(crate) fn restore_sshd_configuration(subject: &Subject) -> Vec<String> {
    let command = match distribution(subject).map(|distribution| distribution.packages) {
        // Debian's package keeps a copy, which its own scripts make the configuration of.
        Some(Packages::Apt) => "cp /usr/share/openssh/sshd_config /etc/ssh/sshd_config",
        Some(Packages::Dnf) => "dnf reinstall --assumeyes openssh-server",
        Some(Packages::Yum) => "yum reinstall --assumeyes openssh-server",
        Some(Packages::Apk) => "apk fix openssh-server",
        Some(Packages::Pacman) => "pacman --sync --noconfirm openssh",
        Some(Packages::Zypper) => "zypper --non-interactive install --force openssh-server",
        None => return Vec::new(),
    };
    vec![command.to_owned()]
}

/// Has every VM make host keys of its own before the server starts. Only Debian's service does not do that by itself, and
/// its check of the configuration fails without keys, so that it has to come second.
pub(crate) fn make_host_keys(subject: &Subject) -> Vec<String> {
    match distribution(subject) {
        Some(Distribution {
            packages: Packages::Apt,
            init: Init::Systemd,
        }) => vec![
            "mkdir -p /etc/systemd/system/ssh.service.d".to_owned(),
            r"printf '[Service]\nExecStartPre=\nExecStartPre=/usr/bin/ssh-keygen -A\nExecStartPre=/usr/sbin/sshd -t\n' > /etc/systemd/system/ssh.service.d/host-keys.conf"
                .to_owned(),
        ],
        _ => Vec::new(),
    }
}

/// Makes an account with a home directory. `name` needs no quoting.
pub(crate) fn add_user(subject: &Subject, name: &str) -> Vec<String> {
    match distribution(subject).map(|distribution| distribution.packages) {
        Some(Packages::Apk) => vec![format!("id {name} || adduser -D {name}")],
        Some(_) => vec![format!("id {name} || useradd --create-home {name}")],
        None => Vec::new(),
    }
}

/// Alpine builds its SSH server without PAM.
pub(crate) fn is_alpine(subject: &Subject) -> bool {
    distribution(subject).is_some_and(|distribution| distribution.packages == Packages::Apk)
}
