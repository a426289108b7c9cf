//! Exact commands for a remedy: packages and services by the image's distribution, and file names quoted for a shell.

mod access;
mod boot;
pub(crate) mod cloud_init;
pub(crate) mod command_line;
mod leftovers;
mod network;

use lotse_guest::Fact;

pub(crate) use self::boot::{
    add_fallback_loader, add_virtio_drivers, install_boot_loader, install_kernel, make_mounts_optional,
    name_mounts_by_uuid, name_root_by_uuid, renew_boot_menu, renew_initramfs,
};
use crate::Subject;

pub(crate) use access::{
    add_user, enable_sshd, install_sshd, is_alpine, make_host_keys, meet_condition, restore_sshd_configuration,
    unmask_sshd,
};
pub(crate) use leftovers::{delete, erase, free_space, install_growers, path_word, renew_machine_id};
pub(crate) use network::{drop_hwaddr, set_aside, start_network_program};

/// The tools that a distribution installs packages with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Packages {
    Apt,
    Dnf,
    /// EL 6 and 7 have no dnf.
    Yum,
    Apk,
    Pacman,
    Zypper,
}

/// What starts services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Init {
    Systemd,
    OpenRc,
    /// Scripts of System V with `chkconfig` (EL 6).
    Chkconfig,
    /// Scripts of System V with `update-rc.d` (Devuan).
    UpdateRc,
}

/// How a distribution is worked on.
#[derive(Debug, Clone, Copy)]
struct Distribution {
    packages: Packages,
    init: Init,
}

/// The distribution's tools by os-release's `ID`, else the first known of `ID_LIKE`; `None` where no command would be exact.
fn distribution(subject: &Subject) -> Option<Distribution> {
    let facts = subject.facts.as_ref().ok()?;
    let Fact::Known(Some(system)) = &facts.system else {
        return None;
    };
    let major = system.version.as_deref().and_then(|version| version.split('.').next());
    system
        .distribution
        .iter()
        .chain(&system.like)
        .find_map(|id| by_id(id, major))
}

fn by_id(id: &str, major: Option<&str>) -> Option<Distribution> {
    let systemd = |packages| {
        Some(Distribution {
            packages,
            init: Init::Systemd,
        })
    };
    match id {
        "devuan" => Some(Distribution {
            packages: Packages::Apt,
            init: Init::UpdateRc,
        }),
        "debian" | "ubuntu" | "linuxmint" | "raspbian" | "kali" | "pop" => systemd(Packages::Apt),
        "rhel" | "centos" | "scientific" | "ol" | "almalinux" | "rocky" => match major {
            Some("6") => Some(Distribution {
                packages: Packages::Yum,
                init: Init::Chkconfig,
            }),
            Some("7") => systemd(Packages::Yum),
            _ => systemd(Packages::Dnf),
        },
        "fedora" | "amzn" => systemd(Packages::Dnf),
        "alpine" => Some(Distribution {
            packages: Packages::Apk,
            init: Init::OpenRc,
        }),
        "arch" | "manjaro" | "endeavouros" => systemd(Packages::Pacman),
        "sles" | "sled" | "suse" | "opensuse" | "opensuse-leap" | "opensuse-tumbleweed" => systemd(Packages::Zypper),
        _ => None,
    }
}

/// Commands that bring a package, refreshing the lists first where the tool does not by itself.
fn install(packages: Packages, name: &str) -> Vec<String> {
    let command = match packages {
        Packages::Apt => return vec!["apt-get update".to_owned(), format!("apt-get install --yes {name}")],
        Packages::Dnf => "dnf install --assumeyes",
        Packages::Yum => "yum install --assumeyes",
        Packages::Apk => "apk add",
        // A partial upgrade breaks Arch, so that an install is always a full upgrade.
        Packages::Pacman => "pacman --sync --refresh --sysupgrade --noconfirm",
        Packages::Zypper => "zypper --non-interactive install",
    };
    vec![format!("{command} {name}")]
}

/// Brings cloud-init and has it started at boot.
pub(crate) fn install_cloud_init(subject: &Subject) -> Vec<String> {
    let Some(distribution) = distribution(subject) else {
        return Vec::new();
    };
    let mut commands = install(distribution.packages, "cloud-init");
    match distribution.packages {
        // Installing enables it: Debian's scripts, Red Hat's presets.
        Packages::Apt | Packages::Dnf | Packages::Yum => {}
        Packages::Apk => commands.push("setup-cloud-init".to_owned()),
        // Arch ships cloud-init 24.3 or newer, which starts as one process with five units.
        Packages::Pacman => commands.push(
            "systemctl enable cloud-init-main.service cloud-init-local.service cloud-init-network.service \
             cloud-config.service cloud-final.service"
                .to_owned(),
        ),
        Packages::Zypper => commands.push(
            "systemctl enable cloud-init-local.service cloud-init.service cloud-config.service cloud-final.service"
                .to_owned(),
        ),
    }
    commands
}

/// Brings the newest cloud-init of the distribution.
pub(crate) fn update_cloud_init(subject: &Subject) -> Vec<String> {
    distribution(subject)
        .map(|distribution| install(distribution.packages, "cloud-init"))
        .unwrap_or_default()
}

/// Removes another program that sets VMs up; `None` where no command would be exact.
pub(crate) fn remove_agent(subject: &Subject, kind: &str) -> Option<String> {
    let packages = distribution(subject)?.packages;
    let facts = subject.facts.as_ref().ok()?;
    let is_ubuntu = matches!(
        &facts.system,
        Fact::Known(Some(system)) if system.distribution.as_deref() == Some("ubuntu")
    );
    let package = match (kind, packages) {
        ("waagent", Packages::Apt) if is_ubuntu => "walinuxagent",
        ("waagent", Packages::Apt) => "waagent",
        ("waagent", Packages::Dnf | Packages::Yum) => "WALinuxAgent",
        ("waagent", Packages::Zypper) => "python-azure-agent",
        ("google-guest-agent", _) => "google-guest-agent",
        ("tiny-cloud", Packages::Apk) => "tiny-cloud",
        _ => return None,
    };
    let command = match packages {
        Packages::Apt => "apt-get purge --yes",
        Packages::Dnf => "dnf remove --assumeyes",
        Packages::Yum => "yum remove --assumeyes",
        Packages::Apk => "apk del",
        Packages::Pacman => "pacman --remove --noconfirm",
        Packages::Zypper => "zypper --non-interactive remove",
    };
    Some(format!("{command} {package}"))
}

/// The file's name as one word of a shell, `./` before it so that neither an option nor one of QEMU's protocols is read
/// out of it; `None` where a control character or a mark of direction would make the command another than it looks.
pub(crate) fn file_word(name: &str) -> Option<String> {
    let is_unseen = |character: char| {
        character.is_control()
            || matches!(character, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if name.is_empty() || name.chars().any(is_unseen) {
        return None;
    }
    let plain = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"._-+".contains(&byte));
    Some(if plain {
        format!("./{name}")
    } else {
        format!("'./{}'", name.replace('\'', r"'\''"))
    })
}

/// The name without its last ending (`disk.vhd` -> `disk`); whole where there is none.
pub(crate) fn stem(name: &str) -> &str {
    match name.rsplit_once('.') {
        Some((stem, _)) if !stem.is_empty() => stem,
        _ => name,
    }
}

/// Rewrites the image as one self-contained qcow2 file. `from` is QEMU's name of the format, never left to guessing.
pub(crate) fn convert_to_qcow2(name: &str, from: &str) -> Vec<String> {
    // Also `DISK.QCOW2`: on some systems `DISK.qcow2` is the same file.
    let is_qcow2 = name
        .rsplit_once('.')
        .is_some_and(|(_, ending)| ending.eq_ignore_ascii_case("qcow2"));
    let target = format!("{}{}.qcow2", stem(name), if is_qcow2 { "-ccloud" } else { "" });
    let (Some(source), Some(target)) = (file_word(name), file_word(&target)) else {
        return Vec::new();
    };
    vec![format!("qemu-img convert -p -f {from} -O qcow2 {source} {target}")]
}
