//! Which services a system starts at boot, exactly as its init decides: systemd, System V, Upstart, OpenRC, runit, BusyBox
//! and BSD's rc. What none of these reads is not known.

mod bsd;
mod busybox;
mod openrc;
mod runit;
pub(crate) mod systemd;
mod sysv;
mod upstart;

use self::systemd::State;
pub(crate) use self::{
    bsd::{Variable, assignments, variables},
    systemd::UNIT_LIMIT,
};
use crate::{
    Evidence, FileKind, Unknown,
    files::{Files, Read},
};

/// Links from `/sbin/init` to the program itself; Debian's alternatives need three.
const MAX_INIT_LINKS: usize = 8;

/// The program that starts services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Init {
    Systemd,
    OpenRc,
    SysV,
    Upstart,
    Runit,
    /// BusyBox' own init without OpenRC.
    BusyBox,
    /// FreeBSD's, NetBSD's or OpenBSD's rc.
    BsdRc,
}

impl Init {
    /// As in [`crate::facts::Boot::init`].
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Systemd => "systemd",
            Self::OpenRc => "openrc",
            Self::SysV => "sysv",
            Self::Upstart => "upstart",
            Self::Runit => "runit",
            Self::BusyBox => "busybox",
            Self::BsdRc => "bsd_rc",
        }
    }
}

/// Does a service start at boot?
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Start {
    /// Started; the unit's or script's name, and what starts it, the deciding place first.
    Yes(String, Vec<Evidence>),
    /// Masked, by this link or empty file.
    Masked(Evidence),
    /// Something would start it, but the first place keeps it from running: a condition or a switch.
    Blocked(String, Vec<Evidence>),
    /// Nothing starts it; where a link or line would stand that does.
    No(Vec<Evidence>),
}

/// Which init a root uses.
///
/// # Errors
/// `service_start_not_known` when it is none of those that are read.
pub(crate) fn init(files: &Files<'_>) -> Read<Init> {
    let program = init_program(files)?;
    let name = program.rsplit('/').next().unwrap_or_default();
    let by_name = match name {
        "systemd" => Some(Init::Systemd),
        "openrc-init" => Some(Init::OpenRc),
        "runit" | "runit-init" => Some(Init::Runit),
        "upstart" => Some(Init::Upstart),
        "sysvinit" => Some(Init::SysV),
        name if name.starts_with("s6-") || name == "dinit" => {
            return Err(Unknown::new("service_start_not_known"));
        }
        _ => None,
    };
    if let Some(init) = by_name {
        return Ok(init);
    }
    let started_by_openrc = sysv::inittab(files)?
        .iter()
        .any(|line| words_of(&line.process).any(|word| word == "openrc"));
    if started_by_openrc || !files.list("/etc/runlevels/default")?.is_empty() {
        return Ok(Init::OpenRc);
    }
    if name == "busybox" {
        return Ok(Init::BusyBox);
    }
    // A program of its own: told by what stands beside it.
    let there = files.stat("/sbin/init")?.is_some() || files.stat("/usr/sbin/init")?.is_some();
    let systemd = files.first_file(&["/usr/lib/systemd/systemd", "/lib/systemd/systemd"])?;
    if systemd.is_some() && !there {
        return Ok(Init::Systemd);
    }
    let has_jobs = files
        .list("/etc/init")?
        .iter()
        .any(|name| name.strip_suffix(".conf").is_some());
    if has_jobs && files.first_file(&["/sbin/initctl", "/usr/sbin/initctl"])?.is_some() {
        return Ok(Init::Upstart);
    }
    if files.first_file(&["/etc/rc.subr"])?.is_some() {
        return Ok(Init::BsdRc);
    }
    for folder in ["/etc/rc3.d", "/etc/rc.d/rc3.d", "/etc/rc2.d", "/etc/init.d/rc3.d"] {
        if !files.list(folder)?.is_empty() {
            return Ok(Init::SysV);
        }
    }
    if !files.list("/etc/runit/runsvdir/default")?.is_empty() {
        return Ok(Init::Runit);
    }
    Err(Unknown::new("service_start_not_known"))
}

/// The path at the end of `/sbin/init`'s links; `/sbin/init` itself where it is none.
fn init_program(files: &Files<'_>) -> Read<String> {
    let at = if files.exists("/sbin/init")? {
        "/sbin/init"
    } else {
        "/usr/sbin/init"
    };
    let mut path = at.to_owned();
    for _ in 0..MAX_INIT_LINKS {
        let Some(target) = files.read_link(&path)? else { break };
        // The name is told by a link that leads nowhere as well: the program may stand on another filesystem.
        path = if target.starts_with('/') {
            target
        } else {
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            format!("{folder}/{target}")
        };
        if path.ends_with("/systemd") {
            break;
        }
    }
    Ok(path)
}

/// Does one of some services start at boot? `units` are systemd's names in the order of their weight, `scripts` those of
/// the other inits.
///
/// # Errors
/// What could not be read and might start it; `start_condition_not_known` when only the running system can tell.
pub(crate) fn start(files: &Files<'_>, init: Init, units: &[&str], scripts: &[&str]) -> Read<Start> {
    match init {
        Init::Systemd => start_systemd(files, units, scripts),
        Init::OpenRc => openrc::start(files, scripts),
        Init::SysV => sysv::start(files, scripts),
        Init::Upstart => upstart::start(files, scripts),
        Init::Runit => runit::start(files, scripts),
        Init::BusyBox => busybox::start(files, scripts),
        Init::BsdRc => bsd::start(files, scripts),
    }
}

fn start_systemd(files: &Files<'_>, units: &[&str], scripts: &[&str]) -> Read<Start> {
    let boot = files.boot();
    // What is said if nothing starts it, the most telling reason first.
    let (mut blocked, mut masked, mut idle) = (None, None, None);
    let mut not_known = None;
    for unit in units {
        match boot.state(files, unit) {
            Ok(State::Started(name, places)) => return Ok(Start::Yes(name, places)),
            Ok(State::Blocked(name, places)) => _ = blocked.get_or_insert(Start::Blocked(name, places)),
            Ok(State::Masked(place)) => _ = masked.get_or_insert(Start::Masked(place)),
            Ok(State::Idle(_, places)) => _ = idle.get_or_insert(Start::No(places)),
            Ok(State::Missing) => {}
            Err(unknown) => _ = not_known.get_or_insert(unknown),
        }
    }
    if systemd::generator(files, "systemd-sysv-generator")?.is_some() {
        // It makes a unit of a script only where there is none of that name, masked ones included. Links of the runlevels
        // 2 to 4 are for multi-user.target, those of 5 for graphical.target (systemd-sysv-generator(8)).
        let mut levels = Vec::new();
        if boot.reaches("multi-user.target") {
            levels.extend(['2', '3', '4']);
        }
        if boot.reaches("graphical.target") {
            levels.push('5');
        }
        for script in scripts {
            if boot.state(files, &format!("{script}.service"))? == State::Missing
                && is_program(files, &format!("/etc/init.d/{script}"))?
                && let Start::Yes(name, places) = sysv::start_at(files, &levels, &[script])?
            {
                return Ok(Start::Yes(name, places));
            }
        }
    }
    if let Some(unknown) = not_known {
        return Err(unknown);
    }
    let link = units
        .first()
        .map(|unit| format!("/etc/systemd/system/multi-user.target.wants/{unit}"));
    let nothing = || Start::No(link.map(Evidence::path).into_iter().collect());
    Ok(blocked.or(masked).or(idle).unwrap_or_else(nothing))
}

/// A link to `/dev/null` or an empty file of the unit's name masks it, whatever else links to it (systemctl(1)).
pub(crate) fn mask(files: &Files<'_>, unit: &str) -> Read<Option<Evidence>> {
    files.boot().mask(files, unit)
}

/// Is there a file that may be executed?
fn is_program(files: &Files<'_>, path: &str) -> Read<bool> {
    Ok(files
        .stat(path)?
        .is_some_and(|stat| stat.kind == FileKind::File && stat.mode & 0o111 != 0))
}

/// The words of a command line without the folders before them.
fn words_of(command: &str) -> impl Iterator<Item = &str> {
    command.split_whitespace().filter_map(|word| word.rsplit('/').next())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryTree;

    fn debian() -> MemoryTree {
        MemoryTree::new().systemd().file(
            "/usr/lib/systemd/system/ssh.service",
            "[Unit]\n[Install]\nWantedBy=multi-user.target\n",
        )
    }

    fn ssh(tree: &MemoryTree) -> Read<Start> {
        let files = Files::new(tree).unwrap();
        start(&files, init(&files).unwrap(), &["ssh.service", "ssh.socket"], &["ssh"])
    }

    /// Where it is read that ssh is started.
    fn place(tree: &MemoryTree) -> String {
        match ssh(tree).unwrap() {
            Start::Yes(_, places) => places[0].path.clone().unwrap(),
            other => panic!("{other:?}"),
        }
    }

    /// Where one would have to look for what does not start it.
    fn not_at(tree: &MemoryTree) -> String {
        match ssh(tree).unwrap() {
            Start::No(places) => places[0].path.clone().unwrap(),
            other => panic!("{other:?}"),
        }
    }

    const WANTS: &str = "/etc/systemd/system/multi-user.target.wants/ssh.service";

    #[test]
    fn a_wants_link_starts_a_unit() {
        let tree = debian().symlink(WANTS, "/lib/systemd/system/ssh.service");
        let evidence = Evidence::path(WANTS).value("/lib/systemd/system/ssh.service");
        assert_eq!(
            ssh(&tree).unwrap(),
            Start::Yes("ssh.service".to_owned(), vec![evidence])
        );
        assert_eq!(not_at(&debian()), WANTS, "where the link would stand");
        assert_eq!(
            place(&debian().symlink(WANTS, "/somewhere/else.service")),
            WANTS,
            "where it points does not matter"
        );
    }

    #[test]
    fn a_link_without_its_unit_starts_nothing() {
        let tree = debian()
            .symlink(WANTS, "/lib/systemd/system/ssh.service")
            .without("/usr/lib/systemd/system/ssh.service");
        assert!(
            matches!(ssh(&tree).unwrap(), Start::No(_)),
            "what `dpkg --remove` leaves behind"
        );
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
    fn only_targets_that_the_boot_reaches_count() {
        let rescue = debian().symlink(
            "/etc/systemd/system/rescue.target.wants/ssh.service",
            "/lib/systemd/system/ssh.service",
        );
        assert_eq!(not_at(&rescue), WANTS);
        let own = debian()
            .file(
                "/etc/systemd/system/own.target",
                "[Unit]\nRequires=basic.target\nWants=sshd.service\n",
            )
            .symlink("/etc/systemd/system/sshd.service", "/lib/systemd/system/ssh.service");
        assert_eq!(not_at(&own), WANTS);
        let reached = own.symlink("/etc/systemd/system/default.target", "own.target");
        assert_eq!(
            place(&reached),
            "/etc/systemd/system/own.target",
            "by an alias of the unit"
        );
        let to_rescue = debian().symlink(WANTS, "x").symlink(
            "/etc/systemd/system/default.target",
            "/lib/systemd/system/rescue.target",
        );
        assert_eq!(not_at(&to_rescue), WANTS, "a system that boots into the rescue mode");
    }

    #[test]
    fn a_link_to_nothing_takes_one_of_less_weight_away() {
        let vendor = debian().symlink(
            "/usr/lib/systemd/system/multi-user.target.wants/ssh.service",
            "../ssh.service",
        );
        assert!(matches!(ssh(&vendor).unwrap(), Start::Yes(..)));
        assert!(matches!(
            ssh(&vendor.symlink(WANTS, "/dev/null")).unwrap(),
            Start::No(_)
        ));
        assert!(
            matches!(ssh(&debian().file(WANTS, "[Unit]\n")).unwrap(), Start::No(_)),
            "a copy is no link"
        );
    }

    #[test]
    fn a_condition_keeps_it_from_running() {
        let tree = debian().symlink(WANTS, "x").file(
            "/etc/systemd/system/ssh.service.d/10.conf",
            "[Unit]\nConditionPathExists=!/etc/off\n",
        );
        assert!(matches!(ssh(&tree).unwrap(), Start::Yes(..)));
        let Start::Blocked(unit, places) = ssh(&tree.clone().file("/etc/off", "")).unwrap() else {
            panic!()
        };
        assert_eq!(
            (unit.as_str(), places[0].path.as_deref(), places[0].line),
            (
                "ssh.service",
                Some("/etc/systemd/system/ssh.service.d/10.conf"),
                Some(2)
            )
        );
    }

    #[test]
    fn presets_decide_at_the_first_boot_only() {
        let presets = "/usr/lib/systemd/system-preset/90.preset";
        let fresh = debian().file("/etc/machine-id", "uninitialized\n");
        for fresh in [fresh.clone(), debian().without("/etc/machine-id")] {
            assert_eq!(place(&fresh), "/etc/machine-id", "without a preset a unit is enabled");
            assert_eq!(
                place(&fresh.clone().file(presets, "enable ssh.*\ndisable *\n")),
                presets
            );
            assert_eq!(not_at(&fresh.clone().file(presets, "disable *\n")), WANTS);
            assert_eq!(
                place(&fresh.file(presets, "disable *\n").symlink(WANTS, "x")),
                WANTS,
                "what is linked stays"
            );
        }
        assert_eq!(
            not_at(&debian().file(presets, "enable *\n")),
            WANTS,
            "an empty machine-id is no first boot"
        );
    }

    #[test]
    fn start_links_of_scripts_count_where_systemd_has_its_generator_for_them() {
        let tree = debian()
            .without("/usr/lib/systemd/system/ssh.service")
            .program("/etc/init.d/ssh", "#!/bin/sh\n")
            .symlink("/etc/rc3.d/S02ssh", "../init.d/ssh");
        assert!(matches!(ssh(&tree).unwrap(), Start::No(_)), "systemd 259 has none");
        let tree = tree.program("/usr/lib/systemd/system-generators/systemd-sysv-generator", "\x7fELF");
        assert_eq!(place(&tree), "/etc/rc3.d/S02ssh");
        let native = tree.clone().file("/usr/lib/systemd/system/ssh.service", "[Unit]\n");
        assert!(
            matches!(ssh(&native).unwrap(), Start::No(_)),
            "a unit of the name hides the script"
        );
        let masked = tree.symlink("/etc/systemd/system/ssh.service", "/dev/null");
        assert!(matches!(ssh(&masked).unwrap(), Start::Masked(_)));
    }

    #[test]
    fn openrc_starts_what_its_runlevels_link() {
        let alpine = MemoryTree::new()
            .symlink("/sbin/init", "/bin/busybox")
            .program("/bin/busybox", "\x7fELF")
            .file(
                "/etc/inittab",
                "::sysinit:/sbin/openrc sysinit\n::sysinit:/sbin/openrc boot\n::wait:/sbin/openrc default\n",
            )
            .program("/etc/init.d/ssh", "#!/sbin/openrc-run\n")
            .symlink("/etc/runlevels/default/crond", "/etc/init.d/crond");
        assert_eq!(not_at(&alpine), "/etc/runlevels/default/ssh");
        let started = alpine.clone().symlink("/etc/runlevels/default/ssh", "/etc/init.d/ssh");
        assert_eq!(place(&started), "/etc/runlevels/default/ssh");
        assert!(matches!(
            ssh(&started.without("/etc/init.d/ssh")).unwrap(),
            Start::No(_)
        ));
        let stacked = alpine
            .symlink("/etc/runlevels/default/cloud", "/etc/runlevels/cloud")
            .symlink("/etc/runlevels/cloud/ssh", "/etc/init.d/ssh");
        assert_eq!(place(&stacked), "/etc/runlevels/cloud/ssh");
    }

    #[test]
    fn system_v_starts_its_default_runlevel() {
        let sysv = MemoryTree::new()
            .program("/sbin/init", "")
            .program("/etc/init.d/ssh", "#!/bin/sh\n")
            .symlink("/etc/rc2.d/S01x", "../init.d/x")
            .symlink("/etc/rc3.d/K01cups", "../init.d/cups")
            .symlink("/etc/rc3.d/S02ssh", "../init.d/ssh");
        assert!(matches!(ssh(&sysv).unwrap(), Start::No(_)), "Debian's default is 2");
        let three = sysv.file("/etc/inittab", "# id:2:initdefault:\nid:3:initdefault:\n");
        assert_eq!(place(&three), "/etc/rc3.d/S02ssh");
        assert!(
            matches!(ssh(&three.clone().without("/etc/init.d/ssh")).unwrap(), Start::No(_)),
            "the script is gone"
        );
        assert!(
            matches!(ssh(&three.file("/etc/init.d/ssh", "")).unwrap(), Start::No(_)),
            "a file that may not be executed is passed over"
        );
    }

    #[test]
    fn upstart_starts_jobs_by_the_events_of_a_boot() {
        let ubuntu = |job: &str| {
            MemoryTree::new()
                .program("/sbin/init", "\x7fELF")
                .program("/sbin/initctl", "\x7fELF")
                .file(
                    "/etc/init/rc-sysinit.conf",
                    "start on filesystem and static-network-up\nenv DEFAULT_RUNLEVEL=2\n",
                )
                .file("/etc/init/ssh.conf", job)
        };
        let started = |tree: &MemoryTree| matches!(ssh(tree).unwrap(), Start::Yes(..));
        // Ubuntu 14.04's openssh-server 1:6.6p1.
        let stock = ubuntu("description \"OpenSSH server\"\n\nstart on runlevel [2345]\nstop on runlevel [!2345]\n");
        assert_eq!(place(&stock), "/etc/init/ssh.conf");
        let manual = stock.clone().file("/etc/init/ssh.override", "manual\n");
        assert!(
            matches!(ssh(&manual).unwrap(), Start::Blocked(_, places) if places[0].path.as_deref() == Some("/etc/init/ssh.override"))
        );
        assert!(!started(&ubuntu("start on runlevel [!2345]\n")));
        assert!(started(&ubuntu(
            "start on (filesystem\n  and net-device-up IFACE!=lo)\n"
        )));
        assert!(started(&ubuntu(
            "start on runlevel [3] or (started rc-sysinit and startup)\n"
        )));
        assert_eq!(
            ssh(&ubuntu("start on my-event\n")).unwrap_err().code,
            "start_condition_not_known"
        );
        assert!(started(&ubuntu("start on my-event or startup\n")), "one is enough");
    }

    #[test]
    fn el_6_starts_links_of_the_runlevel_in_inittab() {
        let el6 = MemoryTree::new()
            .program("/sbin/init", "\x7fELF")
            .program("/sbin/initctl", "\x7fELF")
            .file("/etc/init/rcS.conf", "start on startup\n")
            .file("/etc/inittab", "id:3:initdefault:\n")
            .symlink("/etc/rc3.d", "rc.d/rc3.d")
            .symlink("/etc/init.d", "rc.d/init.d")
            .program("/etc/rc.d/init.d/ssh", "#!/bin/bash\n# chkconfig: 2345 55 25\n");
        assert_eq!(
            not_at(&el6),
            "/etc/rc3.d/S??ssh",
            "chkconfig's header alone starts nothing"
        );
        assert_eq!(
            place(&el6.symlink("/etc/rc.d/rc3.d/S55ssh", "../init.d/ssh")),
            "/etc/rc3.d/S55ssh"
        );
    }

    #[test]
    fn busybox_starts_what_its_script_goes_through() {
        // CirrOS' own files (cirros-dev/cirros, src/etc/inittab and src/etc/init.d/rc.sysinit).
        let cirros = MemoryTree::new()
            .symlink("/sbin/init", "../bin/busybox")
            .program("/bin/busybox", "\x7fELF")
            .file(
                "/etc/inittab",
                "::sysinit:/etc/init.d/rc.sysinit\n#ttyS0::respawn:/sbin/getty ssh\n",
            )
            .program(
                "/etc/init.d/rc.sysinit",
                "#!/bin/sh\n# /etc/x.d/S*\nfor s in /etc/rc3.d/S*; do\n  \"$s\" start\ndone\n",
            )
            .program("/etc/init.d/S50ssh", "#!/bin/sh\n");
        assert_eq!(not_at(&cirros), "/etc/rc3.d/S??ssh");
        assert_eq!(
            place(&cirros.symlink("/etc/rc3.d/S50-ssh", "../init.d/S50ssh")),
            "/etc/rc3.d/S50-ssh"
        );
        let buildroot = MemoryTree::new()
            .symlink("/sbin/init", "../bin/busybox")
            .program(
                "/etc/init.d/rcS",
                "#!/bin/sh\nfor i in /etc/init.d/S??* ;do\n$i start\ndone\n",
            )
            .program("/etc/init.d/S50ssh", "#!/bin/sh\n");
        assert_eq!(place(&buildroot), "/etc/init.d/S50ssh");
    }

    #[test]
    fn runit_starts_what_is_linked_and_not_down() {
        let void = MemoryTree::new()
            .symlink("/sbin/init", "runit-init")
            .program("/etc/sv/ssh/run", "#!/bin/sh\n")
            .symlink("/etc/runit/runsvdir/default/ssh", "/etc/sv/ssh");
        assert_eq!(place(&void), "/etc/runit/runsvdir/default/ssh");
        assert!(matches!(
            ssh(&void.clone().file("/etc/sv/ssh/down", "")).unwrap(),
            Start::Blocked(..)
        ));
        assert!(matches!(
            ssh(&void.without("/etc/runit/runsvdir/default/ssh")).unwrap(),
            Start::No(_)
        ));
    }

    #[test]
    fn bsd_starts_what_its_variables_say() {
        let freebsd = MemoryTree::new()
            .program("/sbin/init", "\x7fELF")
            .file("/etc/rc.subr", "")
            .file("/etc/defaults/rc.conf", "ssh_enable=\"NO\"\t# Enable sshd\n")
            .program("/etc/rc.d/ssh", "");
        assert_eq!(not_at(&freebsd), "/etc/defaults/rc.conf");
        let on = freebsd
            .clone()
            .file("/etc/rc.conf", "hostname=\"x\"\nssh_enable=\"YES\" # really\n");
        assert_eq!(place(&on), "/etc/rc.conf");
        assert_eq!(
            not_at(&on.file("/etc/rc.conf.local", "ssh_enable=NO\n")),
            "/etc/rc.conf.local"
        );
        let openbsd = MemoryTree::new()
            .program("/sbin/init", "")
            .file("/etc/rc.subr", "")
            .program("/etc/rc.d/ssh", "");
        assert_eq!(
            place(&openbsd.clone().file("/etc/rc.conf", "ssh_flags=\n")),
            "/etc/rc.conf"
        );
        assert_eq!(
            not_at(&openbsd.file("/etc/rc.conf.local", "ssh_flags=NO\n")),
            "/etc/rc.conf.local"
        );
    }

    #[test]
    fn an_unknown_init_is_not_guessed() {
        for tree in [
            MemoryTree::new().program("/sbin/init", "own"),
            MemoryTree::new().symlink("/sbin/init", "/usr/bin/s6-svscan"),
        ] {
            assert_eq!(
                init(&Files::new(&tree).unwrap()).unwrap_err().code,
                "service_start_not_known"
            );
        }
    }
}
