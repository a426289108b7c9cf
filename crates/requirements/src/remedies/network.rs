//! Commands that take the old machine's network settings out of the way, so that they can be put back.

use crate::Subject;

use super::{Init, Packages, distribution, install, path_word};

/// Folders whose programs take no file that ends in `.bak`.
const FOLDERS: &[&str] = &[
    "/etc/netplan/",
    "/etc/systemd/network/",
    "/etc/NetworkManager/system-connections/",
    "/etc/sysconfig/network-scripts/ifcfg-",
    "/etc/sysconfig/network/ifcfg-",
    "/etc/udev/rules.d/",
];

/// Folder of cloud-init's drop-ins.
const DROP_INS: &str = "/etc/cloud/cloud.cfg.d/";

/// ifupdown's own file, in which the loopback stands as well.
const INTERFACES: &str = "/etc/network/interfaces";

/// Gives each file another name, under which nothing reads it. Nothing at all where one of them is no file that may be taken
/// away: half of it would leave a machine without a network.
pub(crate) fn set_aside(paths: &[&str]) -> Vec<String> {
    let mut commands = Vec::new();
    for (index, path) in paths.iter().enumerate() {
        if paths.iter().take(index).any(|earlier| earlier == path) {
            continue;
        }
        match set_one_aside(path) {
            Some(more) => commands.extend(more),
            None => return Vec::new(),
        }
    }
    commands
}

fn set_one_aside(path: &str) -> Option<Vec<String>> {
    let word = path_word(path)?;
    if path == INTERFACES {
        return Some(vec![
            format!("[ -e {INTERFACES}.bak ] || cp {INTERFACES} {INTERFACES}.bak"),
            format!(r"printf 'auto lo\niface lo inet loopback\nsource /etc/network/interfaces.d/*\n' > {INTERFACES}"),
        ]);
    }
    let to = if let Some(name) = path.strip_prefix("/etc/network/interfaces.d/") {
        // Every file in that folder is read, whatever its name.
        path_word(&format!("/etc/network/{name}.bak"))?
    } else {
        let is_network_drop_in = path.strip_prefix(DROP_INS).is_some_and(|name| name.contains("network"));
        let is_settings = FOLDERS.iter().any(|folder| path.starts_with(folder));
        if !is_network_drop_in && !is_settings {
            return None;
        }
        path_word(&format!("{path}.bak"))?
    };
    Some(vec![format!("[ ! -e {word} ] || mv {word} {to}")])
}

/// Takes the old card's hardware address out of one of Red Hat's files.
pub(crate) fn drop_hwaddr(path: &str) -> Vec<String> {
    match path_word(path) {
        Some(word) if path.starts_with("/etc/sysconfig/network-scripts/ifcfg-") => {
            vec![format!("sed -i -e '/^HWADDR=/d' -e '/^UUID=/d' {word}")]
        }
        _ => Vec::new(),
    }
}

/// Brings a program that sets up the network and has it started at boot.
pub(crate) fn start_network_program(subject: &Subject) -> Vec<String> {
    let Some(known) = distribution(subject) else {
        return Vec::new();
    };
    let is_ubuntu = subject.facts.as_ref().is_ok_and(|facts| {
        matches!(&facts.system, lotse_guest::Fact::Known(Some(system)) if system.distribution.as_deref() == Some("ubuntu"))
    });
    match (known.packages, known.init) {
        (Packages::Apt, _) if is_ubuntu => install(known.packages, "netplan.io"),
        // Its script enables it; a client for DHCP comes along as a recommendation.
        (Packages::Apt, _) => install(known.packages, "ifupdown"),
        (Packages::Dnf | Packages::Yum | Packages::Zypper, Init::Systemd) => {
            let mut commands = install(known.packages, "NetworkManager");
            commands.push("systemctl enable NetworkManager.service".to_owned());
            commands
        }
        (Packages::Pacman, _) => {
            vec!["systemctl enable systemd-networkd.service systemd-resolved.service".to_owned()]
        }
        (Packages::Apk, _) => vec!["rc-update add networking boot".to_owned()],
        _ => Vec::new(),
    }
}
