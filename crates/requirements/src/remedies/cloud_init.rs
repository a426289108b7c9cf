//! Commands that switch cloud-init on again, put its datasources in order and make it forget the old machine.

use lotse_guest::{
    Fact,
    facts::{Agent, Datasources},
};

use super::{Init, Packages, distribution};
use crate::{Finding, Subject};

/// ConfigDrive first; NoCloud and None stay, so that the image still starts where there is no config drive. In one line,
/// for ds-identify reads no other list.
pub(crate) const DATASOURCES: &str = "datasource_list: [ ConfigDrive, NoCloud, None ]";

/// Units of cloud-init before release 24.3.
const UNITS: &str = "cloud-init-local.service cloud-init.service cloud-config.service cloud-final.service";

/// Its units since: one process, and the network stage has a name of its own.
const UNITS_SINCE_24_3: &str = "cloud-init-main.service cloud-init-local.service cloud-init-network.service cloud-config.service cloud-final.service";

/// Start scripts of System V.
const SCRIPTS: &[&str] = &["cloud-init-local", "cloud-init", "cloud-config", "cloud-final"];

/// Year and number of cloud-init's release, `(22, 4)` of `22.4.2-1+deb12u4`; `None` where it is not known.
pub(crate) fn release(subject: &Subject) -> Option<(u32, u32)> {
    let Fact::Known(Some(agent)) = &subject.facts.as_ref().ok()?.agent else {
        return None;
    };
    release_of(agent)
}

fn release_of(agent: &Agent) -> Option<(u32, u32)> {
    let Fact::Known(version) = &agent.version else {
        return None;
    };
    let version = version.split_once(':').map_or(version.as_str(), |(_, version)| version);
    let mut numbers = version.split(|c: char| !c.is_ascii_digit());
    let year = numbers.next()?.parse().ok()?;
    Some((year, numbers.next().and_then(|number| number.parse().ok()).unwrap_or(0)))
}

/// The units by their names in that release.
fn units(release: Option<(u32, u32)>) -> &'static str {
    if release.is_some_and(|release| release >= (24, 3)) {
        UNITS_SINCE_24_3
    } else {
        UNITS
    }
}

/// Has cloud-init started at boot where nothing starts it.
pub(crate) fn enable(subject: &Subject, agent: &Agent) -> Vec<String> {
    if is_freebsd(subject) {
        return vec!["sysrc cloudinit_enable=YES".to_owned()];
    }
    match distribution(subject).map(|distribution| distribution.init) {
        Some(Init::Systemd) => vec![format!("systemctl enable {}", units(release_of(agent)))],
        Some(Init::OpenRc) => vec!["setup-cloud-init".to_owned()],
        Some(Init::Chkconfig) => SCRIPTS.iter().map(|script| format!("chkconfig {script} on")).collect(),
        Some(Init::UpdateRc) => SCRIPTS
            .iter()
            .map(|script| format!("update-rc.d {script} defaults"))
            .collect(),
        None => Vec::new(),
    }
}

/// Takes every mask off, for one that is left keeps the settings from being applied. A mask that is no link in
/// `/etc/systemd/system` goes with a fresh copy of the package.
pub(crate) fn unmask(subject: &Subject, agent: &Agent, mask: &str) -> Vec<String> {
    if !mask.starts_with("/etc/systemd/system/") {
        return reinstall(subject);
    }
    vec![format!(
        "systemctl unmask cloud-init.target {}",
        units(release_of(agent))
    )]
}

/// Takes back what an administrator changed of the unit whose file or drop-in folder the path names; empty where a
/// condition stands elsewhere.
pub(crate) fn revert(path: &str) -> Vec<String> {
    if let Some(name) = path.strip_prefix("/etc/init/")
        && let Some(job) = name.strip_suffix(".override")
        && is_own_name(job)
    {
        return vec![format!("rm -f /etc/init/{job}.override")];
    }
    let unit = path
        .strip_prefix("/etc/systemd/system/")
        .and_then(|rest| rest.split('/').next())
        .map(|name| name.strip_suffix(".d").unwrap_or(name));
    match unit {
        Some(unit) if is_own_name(unit) => vec![format!("systemctl revert {unit}")],
        _ => Vec::new(),
    }
}

/// Only names that need no quoting get into a command; a path from an image may hold anything.
fn is_own_name(name: &str) -> bool {
    name.starts_with("cloud")
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
}

/// Puts the package's own files back.
fn reinstall(subject: &Subject) -> Vec<String> {
    let command = match distribution(subject).map(|distribution| distribution.packages) {
        Some(Packages::Apt) => "apt-get install --yes --reinstall cloud-init",
        Some(Packages::Dnf) => "dnf reinstall --assumeyes cloud-init",
        Some(Packages::Yum) => "yum reinstall --assumeyes cloud-init",
        Some(Packages::Zypper) => "zypper --non-interactive install --force cloud-init",
        Some(Packages::Pacman) => "pacman --sync --noconfirm cloud-init",
        Some(Packages::Apk) | None => return Vec::new(),
    };
    vec![command.to_owned()]
}

/// Takes a setting of ds-identify out of its file; where there is neither, nothing is to be done.
pub(crate) fn drop_identify_setting(subject: &Subject, key: &str) -> Vec<String> {
    let file = format!("{}/ds-identify.cfg", etc(subject));
    // FreeBSD's sed asks for a suffix of the old file, be it empty.
    let in_place = if is_freebsd(subject) { "-i ''" } else { "-i" };
    vec![format!(
        "test ! -e {file} || sed {in_place} '/^[[:space:]]*{key}:/d' {file}"
    )]
}

/// cloud-init's folder of settings; FreeBSD's port has it elsewhere.
pub(crate) fn etc(subject: &Subject) -> &'static str {
    if is_freebsd(subject) {
        "/usr/local/etc/cloud"
    } else {
        "/etc/cloud"
    }
}

/// cloud-init's folder of drop-ins, with the stroke behind it.
pub(crate) fn drop_ins(subject: &Subject) -> String {
    format!("{}/cloud.cfg.d/", etc(subject))
}

/// A drop-in that puts ConfigDrive first: its path and the command that writes it. `None` where no drop-in wins. It is
/// stronger than what cloud-init reads and than what ds-identify reads, which takes a list out of broken files too.
pub(crate) fn put_config_drive_first(subject: &Subject, sources: &Datasources) -> Option<(String, String)> {
    let identify = match &sources.identify {
        Fact::Known(Some(identify)) => identify.from.first(),
        _ => None,
    };
    let deciders = sources.from.first().into_iter().chain(identify);
    let deciders: Option<Vec<&str>> = deciders.map(|evidence| evidence.path.as_deref()).collect();
    let path = drop_in_path(subject, &deciders?, "ccloud.cfg")?;
    let command = write(DATASOURCES, &path);
    Some((path, command))
}

/// Writes one line into a file of settings.
pub(crate) fn write(line: &str, path: &str) -> String {
    format!("echo '{line}' > {path}")
}

/// The remedy of a setting: a drop-in with this line, told by that remedy's sentence; where no drop-in wins, a sentence
/// only. The last is the drop-in's name without what makes it strong.
pub(crate) fn set(
    subject: &Subject,
    finding: Finding,
    decider: Option<&str>,
    (remedy, line, name): (&str, &str, &str),
) -> Finding {
    match drop_in_path(subject, &Vec::from_iter(decider), name) {
        Some(path) => finding.remedy(remedy, vec![write(line, &path)]),
        None => finding
            .param("path", decider.unwrap_or_default())
            .param("wanted", line)
            .remedy("edit_setting", Vec::new()),
    }
}

/// The path of a drop-in that is stronger than the files that decide so far. Drop-ins are read in byte order and the last
/// one wins, so that a stock `99-installer.cfg` would overrule `99-ccloud.cfg`. `None` where no drop-in wins.
pub(crate) fn drop_in_path(subject: &Subject, deciders: &[&str], name: &str) -> Option<String> {
    const FIRST: &[&str] = &["99-", "zz-", "zzzz-"];
    let folder = drop_ins(subject);
    let mut overruling = "";
    for path in deciders {
        // Weaker than every drop-in.
        if path.ends_with("/settings.py") || *path == format!("{}/cloud.cfg", etc(subject)) {
            continue;
        }
        // Else another folder of drop-ins, or the kernel's command line.
        overruling = overruling.max(path.strip_prefix(&folder)?);
    }
    let names = FIRST.iter().map(|first| format!("{first}{name}"));
    let stronger = names.into_iter().find(|name| name.as_bytes() > overruling.as_bytes())?;
    Some(folder + &stronger)
}

/// Is it a FreeBSD?
pub(crate) fn is_freebsd(subject: &Subject) -> bool {
    subject
        .facts
        .as_ref()
        .is_ok_and(|facts| matches!(&facts.system, Fact::Known(Some(system)) if system.family == "freebsd"))
}

/// Makes cloud-init forget the old machine (`clean` since 17.2). `--machine-id` is left to the finding on the machine-id:
/// releases up to 22.4 delete the file, and then systemd cannot write a new one to a root that is still read-only.
pub(crate) fn clean(subject: &Subject) -> Vec<String> {
    let seeds = has_seeds(subject);
    if release(subject).is_none_or(|release| release < (17, 2)) {
        let folders = "/var/lib/cloud/instance /var/lib/cloud/instances /var/lib/cloud/data /var/lib/cloud/sem";
        let seed = if seeds { " /var/lib/cloud/seed" } else { "" };
        return vec![format!("rm -rf {folders}{seed}")];
    }
    let seed = if seeds { " --seed" } else { "" };
    vec![format!("cloud-init clean --logs{seed}")]
}

fn has_seeds(subject: &Subject) -> bool {
    let Ok(facts) = &subject.facts else { return false };
    let Fact::Known(leftovers) = &facts.leftovers else {
        return false;
    };
    matches!(&leftovers.cloud_init, Fact::Known(found) if found.iter().any(|found| found.kind == "seed"))
}
