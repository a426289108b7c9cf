//! Which services a system starts at boot: systemd's wants links and masks, OpenRC's run levels, System V's start links.

use crate::{
    Evidence, Unknown,
    files::{Files, Read},
};

/// Where systemd looks for units, the administrator's folder first (systemd.unit(5)).
const UNIT_FOLDERS: &[&str] = &[
    "/etc/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

/// Targets that a normal boot reaches; a link for `rescue.target` starts nothing.
const BOOT_TARGETS: &[&str] = &[
    "basic",
    "cloud-config",
    "cloud-init",
    "default",
    "graphical",
    "multi-user",
    "network",
    "network-online",
    "sockets",
    "sysinit",
];

/// Largest unit or start script that is looked through, in bytes.
pub(crate) const UNIT_LIMIT: usize = 256 << 10;

/// The program that starts services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Init {
    Systemd,
    OpenRc,
    SysV,
}

/// Does a service start at boot?
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Start {
    /// Started, by this link; the name is the unit's or script's.
    Yes(String, Evidence),
    /// Masked, by this link.
    Masked(Evidence),
    /// Nothing starts it.
    No,
}

/// Which init a root uses.
///
/// # Errors
/// `service_start_not_known` when it is none of those that are read.
pub(crate) fn init(files: &Files<'_>) -> Read<Init> {
    let linked = match files.read_link("/sbin/init")? {
        None => files.read_link("/usr/sbin/init")?,
        linked => linked,
    };
    if linked.is_some_and(|target| target.ends_with("systemd")) {
        return Ok(Init::Systemd);
    }
    if !files.list("/etc/runlevels/default")?.is_empty() {
        return Ok(Init::OpenRc);
    }
    if files
        .first_file(&["/usr/lib/systemd/systemd", "/lib/systemd/systemd"])?
        .is_some()
        && !files.exists("/sbin/init")?
    {
        return Ok(Init::Systemd);
    }
    for folder in ["/etc/rc3.d", "/etc/rc.d/rc3.d", "/etc/rc2.d"] {
        if !files.list(folder)?.is_empty() {
            return Ok(Init::SysV);
        }
    }
    Err(Unknown::new("service_start_not_known"))
}

/// Does one of some services start at boot? `units` are systemd's names in the order of their weight, `scripts` those of
/// OpenRC and System V.
///
/// # Errors
/// Also `first_boot_presets` when the first boot would decide.
pub(crate) fn start(files: &Files<'_>, init: Init, units: &[&str], scripts: &[&str]) -> Read<Start> {
    match init {
        Init::Systemd => start_systemd(files, units, scripts),
        Init::OpenRc => {
            for level in ["sysinit", "boot", "default"] {
                for script in scripts {
                    let link = format!("/etc/runlevels/{level}/{script}");
                    if files.exists(&link)? && files.stat(&format!("/etc/init.d/{script}"))?.is_some() {
                        return Ok(Start::Yes((*script).to_owned(), Evidence::path(link)));
                    }
                }
            }
            Ok(Start::No)
        }
        Init::SysV => start_sysv(files, scripts),
    }
}

fn start_systemd(files: &Files<'_>, units: &[&str], scripts: &[&str]) -> Read<Start> {
    let mut masked = None;
    for unit in units {
        if let Some(evidence) = mask(files, unit)? {
            masked.get_or_insert(evidence);
        } else if unit_exists(files, unit)?
            && let Some(link) = wants_link(files, unit)?
        {
            return Ok(Start::Yes((*unit).to_owned(), link));
        }
    }
    // systemd-sysv-generator(8) makes a unit of a script only where there is none of that name, masked ones included.
    for script in scripts {
        let unit = format!("{script}.service");
        if !unit_exists(files, &unit)?
            && mask(files, &unit)?.is_none()
            && let Start::Yes(name, link) = start_sysv(files, &[script])?
        {
            return Ok(Start::Yes(name, link));
        }
    }
    match masked {
        Some(evidence) => Ok(Start::Masked(evidence)),
        None if is_first_boot(files)? => Err(Unknown::new("first_boot_presets")),
        None => Ok(Start::No),
    }
}

/// A link to `/dev/null` or an empty file of the unit's name masks it, whatever else links to it (systemctl(1)).
pub(crate) fn mask(files: &Files<'_>, unit: &str) -> Read<Option<Evidence>> {
    let path = format!("/etc/systemd/system/{unit}");
    if let Some(target) = files.read_link(&path)? {
        return Ok((target == "/dev/null").then(|| Evidence::path(path).value(&target)));
    }
    let empty = files
        .lstat(&path)?
        .is_some_and(|stat| stat.kind == crate::FileKind::File && stat.size == 0);
    Ok(empty.then(|| Evidence::path(path)))
}

/// The unit's file, in the first folder that has it.
pub(crate) fn unit_file(files: &Files<'_>, unit: &str) -> Read<Option<String>> {
    for folder in UNIT_FOLDERS {
        let path = format!("{folder}/{unit}");
        if files.stat(&path)?.is_some() {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

fn unit_exists(files: &Files<'_>, unit: &str) -> Read<bool> {
    Ok(unit_file(files, unit)?.is_some())
}

/// A link for the unit in some boot target's `.wants` or `.requires`. Where it points does not matter: systemd takes its name.
fn wants_link(files: &Files<'_>, unit: &str) -> Read<Option<Evidence>> {
    for folder in UNIT_FOLDERS {
        for target in BOOT_TARGETS {
            for kind in ["wants", "requires"] {
                let link = format!("{folder}/{target}.target.{kind}/{unit}");
                if files.exists(&link)? {
                    let evidence = Evidence::path(&link);
                    return Ok(Some(match files.read_link(&link)? {
                        Some(to) => evidence.value(&to),
                        None => evidence,
                    }));
                }
            }
        }
    }
    Ok(None)
}

/// A unit that is started because another one asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// The unit, with an alias resolved.
    pub(crate) unit: String,
    /// The unit that asks for it.
    pub(crate) by: &'static str,
    /// Where it asks, and the link that starts the asking unit.
    pub(crate) evidence: Vec<Evidence>,
}

/// The first of some systemd units that one of the units `by` asks for, as far as that one itself is started by a link:
/// systemd then starts it although it is disabled, but not if it is masked or not there (systemd.unit(5), `Wants=`).
pub(crate) fn wanted(
    files: &Files<'_>,
    by: impl Iterator<Item = &'static str>,
    units: &[&str],
) -> Read<Option<Wanted>> {
    for by in by {
        if mask(files, by)?.is_some() {
            continue;
        }
        let (Some(path), Some(link)) = (unit_file(files, by)?, wants_link(files, by)?) else {
            continue;
        };
        let text = files.read_text(&path, UNIT_LIMIT)?.unwrap_or_default();
        for (line, key, name) in wishes(&text) {
            if !units.contains(&name) || !unit_exists(files, name)? {
                continue;
            }
            let unit = resolve_alias(files, name)?;
            if mask(files, name)?.is_none() && mask(files, &unit)?.is_none() {
                let wish = Evidence::path(path).line(line).value(&format!("{key}={name}"));
                return Ok(Some(Wanted {
                    unit,
                    by,
                    evidence: vec![wish, link],
                }));
            }
        }
    }
    Ok(None)
}

/// The name of the unit that an alias leads to: that of its link's target, in the first folder that has the alias.
fn resolve_alias(files: &Files<'_>, unit: &str) -> Read<String> {
    for folder in UNIT_FOLDERS {
        let path = format!("{folder}/{unit}");
        if files.exists(&path)? {
            let target = files.read_link(&path)?;
            let name = target.as_deref().and_then(|target| target.rsplit('/').next());
            return Ok(name.unwrap_or(unit).to_owned());
        }
    }
    Ok(unit.to_owned())
}

/// The units that a unit file asks for, with the line and key of each. A backslash continues a line, and comments may
/// stand between (systemd.syntax(7)).
fn wishes(text: &str) -> Vec<(u32, &str, &str)> {
    let mut found = Vec::new();
    let mut in_unit = false;
    // The key that the next line continues.
    let mut continued: Option<&str> = None;
    for (number, line) in (1..).zip(text.lines().map(str::trim)) {
        if line.starts_with(['#', ';']) {
            continue;
        }
        let (line, goes_on) = match line.strip_suffix('\\') {
            Some(line) => (line, true),
            None => (line, false),
        };
        let (key, names) = match continued {
            Some(key) => (key, line),
            None if line.starts_with('[') => {
                in_unit = line == "[Unit]";
                continue;
            }
            None => line
                .split_once('=')
                .map_or((line, ""), |(key, names)| (key.trim(), names)),
        };
        if in_unit && matches!(key, "Wants" | "Requires" | "BindsTo" | "Upholds") {
            found.extend(names.split_whitespace().map(|name| (number, key, name)));
        }
        continued = goes_on.then_some(key);
    }
    found
}

fn start_sysv(files: &Files<'_>, scripts: &[&str]) -> Read<Start> {
    for level in ['3', '2', '4', '5'] {
        for folder in [format!("/etc/rc{level}.d"), format!("/etc/rc.d/rc{level}.d")] {
            for name in files.list(&folder)? {
                let Some(script) = name
                    .strip_prefix('S')
                    .map(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()))
                else {
                    continue;
                };
                // The link must lead to a script: removing a package may leave it behind.
                let link = format!("{folder}/{name}");
                if scripts.contains(&script) && files.stat(&link)?.is_some() {
                    return Ok(Start::Yes(script.to_owned(), Evidence::path(link)));
                }
            }
        }
    }
    Ok(Start::No)
}

/// machine-id(5): the first boot is told by a missing file or the word `uninitialized`; an empty file is not one.
fn is_first_boot(files: &Files<'_>) -> Read<bool> {
    Ok(match files.read_start("/etc/machine-id", 64)? {
        None => true,
        Some(text) => text.trim_ascii_end() == b"uninitialized",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryTree;

    fn debian() -> MemoryTree {
        MemoryTree::new()
            .symlink("/sbin", "usr/sbin")
            .symlink("/usr/sbin/init", "/lib/systemd/systemd")
            .symlink("/lib", "usr/lib")
            .program("/usr/lib/systemd/systemd", "")
            .file("/usr/lib/systemd/system/ssh.service", "[Unit]\n")
            .file("/etc/machine-id", "")
    }

    fn ssh(tree: &MemoryTree) -> Read<Start> {
        let files = Files::new(tree).unwrap();
        start(&files, init(&files).unwrap(), &["ssh.service", "ssh.socket"], &["ssh"])
    }

    const WANTS: &str = "/etc/systemd/system/multi-user.target.wants/ssh.service";

    #[test]
    fn a_wants_link_starts_a_unit() {
        let tree = debian().symlink(WANTS, "/lib/systemd/system/ssh.service");
        let evidence = Evidence::path(WANTS).value("/lib/systemd/system/ssh.service");
        assert_eq!(ssh(&tree).unwrap(), Start::Yes("ssh.service".to_owned(), evidence));
        assert_eq!(ssh(&debian()).unwrap(), Start::No);
    }

    #[test]
    fn a_link_without_its_unit_starts_nothing() {
        let tree = debian()
            .symlink(WANTS, "/lib/systemd/system/ssh.service")
            .without("/usr/lib/systemd/system/ssh.service");
        assert_eq!(ssh(&tree).unwrap(), Start::No, "what `dpkg --remove` leaves behind");
    }

    #[test]
    fn a_mask_wins_over_the_link_that_stays() {
        for tree in [
            debian().symlink("/etc/systemd/system/ssh.service", "/dev/null"),
            debian().file("/etc/systemd/system/ssh.service", ""),
        ] {
            let tree = tree.symlink(WANTS, "/lib/systemd/system/ssh.service");
            assert!(matches!(ssh(&tree).unwrap(), Start::Masked(_)));
            let socket = tree.file("/usr/lib/systemd/system/ssh.socket", "[Socket]\n").symlink(
                "/etc/systemd/system/sockets.target.wants/ssh.socket",
                "/lib/systemd/system/ssh.socket",
            );
            assert!(matches!(ssh(&socket).unwrap(), Start::Yes(unit, _) if unit == "ssh.socket"));
        }
    }

    #[test]
    fn links_for_the_rescue_target_do_not_count() {
        let tree = debian().symlink(
            "/etc/systemd/system/rescue.target.wants/ssh.service",
            "/lib/systemd/system/ssh.service",
        );
        assert_eq!(ssh(&tree).unwrap(), Start::No);
    }

    #[test]
    fn presets_may_decide_at_the_first_boot_only() {
        let fresh = debian().file("/etc/machine-id", "uninitialized\n");
        assert_eq!(ssh(&fresh).unwrap_err().code, "first_boot_presets");
        assert_eq!(
            ssh(&debian().without("/etc/machine-id")).unwrap_err().code,
            "first_boot_presets"
        );
        assert_eq!(
            ssh(&debian()).unwrap(),
            Start::No,
            "an empty machine-id is no first boot"
        );
        assert!(
            matches!(ssh(&fresh.symlink(WANTS, "x")).unwrap(), Start::Yes(..)),
            "what is linked starts anyway"
        );
    }

    #[test]
    fn openrc_and_system_v_are_read() {
        let alpine = MemoryTree::new()
            .symlink("/sbin/init", "/bin/busybox")
            .program("/etc/init.d/ssh", "#!/sbin/openrc-run\n")
            .symlink("/etc/runlevels/default/crond", "/etc/init.d/crond");
        assert_eq!(ssh(&alpine).unwrap(), Start::No);
        let started = alpine.symlink("/etc/runlevels/default/ssh", "/etc/init.d/ssh");
        assert!(matches!(ssh(&started).unwrap(), Start::Yes(..)));

        let sysv = MemoryTree::new()
            .program("/sbin/init", "")
            .program("/etc/init.d/ssh", "#!/bin/sh\n")
            .symlink("/etc/rc3.d/K01cups", "../init.d/cups")
            .symlink("/etc/rc3.d/S02ssh", "../init.d/ssh");
        assert!(
            matches!(ssh(&sysv).unwrap(), Start::Yes(_, evidence) if evidence.path.as_deref() == Some("/etc/rc3.d/S02ssh"))
        );
        assert_eq!(
            ssh(&sysv.without("/etc/init.d/ssh")).unwrap(),
            Start::No,
            "the script is gone"
        );
    }

    #[test]
    fn an_unknown_init_is_not_guessed() {
        let tree = MemoryTree::new().program("/sbin/init", "runit");
        assert_eq!(
            init(&Files::new(&tree).unwrap()).unwrap_err().code,
            "service_start_not_known"
        );
    }
}
