//! The SSH server: is the program there, and is it started at boot?

use crate::{
    Evidence, Fact,
    facts::Sshd,
    files::{Files, Read},
    packages::{self, Names},
    services::{self, Start, UNIT_LIMIT},
};

/// Where the server stands, by how often it does.
const PROGRAMS: &[&str] = &["/usr/sbin/sshd", "/usr/bin/sshd", "/usr/local/sbin/sshd"];

/// Packages that bring it; Alpine and Arch put it in `openssh` or a part of it.
const PACKAGES: Names = Names {
    freebsd: &["openssh-portable"],
    ..Names::everywhere(&["openssh-server", "openssh"])
};

/// Debian's name first; the other is everybody else's, and Debian's alias.
const UNITS: &[&str] = &["ssh.service", "sshd.service", "ssh.socket", "sshd.socket"];

/// Names of the start script.
const SCRIPTS: &[&str] = &["ssh", "sshd"];

/// Debian's switch: its units and its start script do nothing while this exists.
const NOT_TO_BE_RUN: &str = "/etc/ssh/sshd_not_to_be_run";

/// Reads everything about the SSH server.
pub(crate) fn read(files: &Files<'_>) -> Sshd {
    let (installed, installed_evidence) = match installed(files) {
        Ok((installed, evidence)) => (Fact::Known(installed), evidence),
        Err(unknown) => (Fact::Unknown(unknown), Vec::new()),
    };
    let started = match &installed {
        // Removing the package leaves start links and scripts behind; they start nothing.
        Fact::Known(false) => Ok((Some("not_installed"), Vec::new())),
        _ => started(files),
    };
    match started {
        Ok((because, evidence)) => Sshd {
            installed,
            enabled: Fact::Known(because.is_none()),
            not_started_because: because.map(str::to_owned),
            installed_evidence,
            enabled_evidence: evidence,
        },
        Err(unknown) => Sshd {
            installed,
            enabled: Fact::Unknown(unknown),
            not_started_because: None,
            installed_evidence,
            enabled_evidence: Vec::new(),
        },
    }
}

/// The program decides: a removed package takes it along, and one that was built from source has no package.
fn installed(files: &Files<'_>) -> Read<(bool, Vec<Evidence>)> {
    let Some(program) = files.first_file(PROGRAMS)? else {
        return Ok((false, Vec::new()));
    };
    let mut evidence = vec![Evidence::path(program)];
    // Only more evidence; whether the database can be read changes nothing.
    if let Ok(Some(package)) = packages::find(files, &PACKAGES) {
        evidence.push(package.evidence);
    }
    Ok((true, evidence))
}

/// `None` when it is started, else why it is not.
fn started(files: &Files<'_>) -> Read<(Option<&'static str>, Vec<Evidence>)> {
    let init = services::init(files)?;
    match services::start(files, init, UNITS, SCRIPTS)? {
        Start::Yes(name, places) => unless_switched_off(files, &name, places),
        Start::Masked(place) => Ok((Some("masked"), vec![place])),
        Start::Blocked(_, places) if is_switch(&places) => Ok((Some("not_to_be_run"), places)),
        Start::Blocked(_, places) => Ok((Some("condition"), places)),
        Start::No(places) => Ok((Some("no_start_link"), places)),
    }
}

/// Is Debian's switch what keeps the server from running?
fn is_switch(places: &[Evidence]) -> bool {
    let condition = places.first().and_then(|place| place.value.as_deref());
    condition.is_some_and(|condition| condition.ends_with(NOT_TO_BE_RUN))
}

/// A script is started; does Debian's switch keep it from running? Its units ask by a condition.
fn unless_switched_off(
    files: &Files<'_>,
    name: &str,
    mut places: Vec<Evidence>,
) -> Read<(Option<&'static str>, Vec<Evidence>)> {
    if !name.contains('.') && files.exists(NOT_TO_BE_RUN)? {
        let script = files.read_text(&format!("/etc/init.d/{name}"), UNIT_LIMIT)?;
        if script.is_some_and(|script| script.contains("sshd_not_to_be_run")) {
            places.insert(0, Evidence::path(NOT_TO_BE_RUN));
            return Ok((Some("not_to_be_run"), places));
        }
    }
    Ok((None, places))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryTree;

    /// As Debian 12's openssh-server 1:9.2p1-2+deb12u10 leaves it.
    fn debian() -> MemoryTree {
        MemoryTree::new()
            .systemd()
            .program("/usr/sbin/sshd", "\x7fELF")
            .program(
                "/etc/init.d/ssh",
                "if test -e /etc/ssh/sshd_not_to_be_run; then exit 0; fi\n",
            )
            .file(
                "/usr/lib/systemd/system/ssh.service",
                "[Unit]\nConditionPathExists=!/etc/ssh/sshd_not_to_be_run\n[Install]\nAlias=sshd.service\n",
            )
            .file(
                "/var/lib/dpkg/status",
                "Package: openssh-server\nStatus: install ok installed\nVersion: 1:9.2p1-2+deb12u10\n",
            )
            .symlink(
                "/etc/systemd/system/multi-user.target.wants/ssh.service",
                "/lib/systemd/system/ssh.service",
            )
            .symlink("/etc/systemd/system/sshd.service", "/lib/systemd/system/ssh.service")
    }

    fn read_sshd(tree: &MemoryTree) -> Sshd {
        read(&Files::new(tree).unwrap())
    }

    #[test]
    fn a_stock_debian_starts_its_server() {
        let sshd = read_sshd(&debian());
        assert_eq!(
            (&sshd.installed, &sshd.enabled),
            (&Fact::Known(true), &Fact::Known(true))
        );
        assert_eq!(
            sshd.installed_evidence[1].value.as_deref(),
            Some("openssh-server 1:9.2p1-2+deb12u10")
        );
    }

    #[test]
    fn a_removed_server_is_not_installed_though_its_links_stay() {
        let tree = debian()
            .without("/usr/sbin/sshd")
            .without("/usr/lib/systemd/system/ssh.service")
            .symlink("/etc/rc3.d/S01ssh", "../init.d/ssh")
            .file(
                "/var/lib/dpkg/status",
                "Package: openssh-server\nStatus: deinstall ok config-files\nVersion: 1:9.2p1-2\n",
            );
        let sshd = read_sshd(&tree);
        assert_eq!((sshd.installed, sshd.enabled), (Fact::Known(false), Fact::Known(false)));
    }

    #[test]
    fn debians_switch_keeps_it_from_running_where_the_unit_asks() {
        let tree = debian().file("/etc/ssh/sshd_not_to_be_run", "");
        let sshd = read_sshd(&tree);
        assert_eq!(sshd.not_started_because.as_deref(), Some("not_to_be_run"));
        let deaf = tree.file("/usr/lib/systemd/system/ssh.service", "[Unit]\n");
        assert_eq!(
            read_sshd(&deaf).enabled,
            Fact::Known(true),
            "another distribution's unit does not ask"
        );
    }

    const CLOUD_INIT: &str = "/usr/lib/systemd/system/cloud-init.service";

    /// As EL 9 has it, with sshd disabled: cloud-init's unit starts it all the same.
    fn el() -> MemoryTree {
        MemoryTree::new()
            .systemd()
            .program("/usr/sbin/sshd", "\x7fELF")
            .program("/usr/lib/systemd/system-generators/cloud-init-generator", "#!/bin/sh\n")
            .file("/usr/lib/systemd/system/cloud-init.target", "[Unit]\n")
            .file("/usr/lib/systemd/system/sshd.service", "[Unit]\n")
            .file(
                CLOUD_INIT,
                "[Unit]\n# Wants=sshd.service\nDescription=x\nWants=cloud-init-local.service\nWants=sshd-keygen.service \\\n  sshd.service\n\n[Install]\n",
            )
            .symlink(
                "/etc/systemd/system/cloud-init.target.wants/cloud-init.service",
                CLOUD_INIT,
            )
    }

    #[test]
    fn a_server_that_only_cloud_init_wants_is_started_though_it_is_disabled() {
        let sshd = read_sshd(&el());
        assert_eq!(sshd.enabled, Fact::Known(true));
        let wants = Evidence::path(CLOUD_INIT).line(5).value("Wants=sshd.service");
        assert_eq!(sshd.enabled_evidence[0], wants, "the unit that names it comes first");
        assert_eq!(
            sshd.enabled_evidence[1].path.as_deref(),
            Some("/etc/systemd/system/cloud-init.target.wants/cloud-init.service")
        );
    }

    #[test]
    fn a_switched_off_cloud_init_does_not_start_the_server() {
        let off = el().file("/etc/cloud/cloud-init.disabled", "");
        assert_eq!(read_sshd(&off).not_started_because.as_deref(), Some("no_start_link"));
        let linked = off.symlink(
            "/etc/systemd/system/multi-user.target.wants/cloud-init.service",
            CLOUD_INIT,
        );
        assert_eq!(
            read_sshd(&linked).enabled,
            Fact::Known(true),
            "a link needs no generator"
        );
    }

    #[test]
    fn a_wish_for_the_server_starts_nothing_that_is_masked_missing_or_named_by_a_unit_that_does_not_run() {
        let because = |tree: &MemoryTree| read_sshd(tree).not_started_because.unwrap_or_default();
        let link = "/etc/systemd/system/cloud-init.target.wants/cloud-init.service";
        assert_eq!(because(&el().without(link)), "no_start_link");
        assert_eq!(
            because(&el().symlink("/etc/systemd/system/cloud-init.service", "/dev/null")),
            "no_start_link"
        );
        assert_eq!(
            because(&el().file(
                CLOUD_INIT,
                "[Unit]\nAfter=sshd.service\n[Install]\nWants=sshd.service\n"
            )),
            "no_start_link",
            "an order starts nothing, nor does the wrong section"
        );
        assert_eq!(
            because(&el().symlink("/etc/systemd/system/sshd.service", "/dev/null")),
            "masked"
        );

        // Debian's unit is ssh.service; `systemctl disable` takes its alias sshd.service away as well.
        let disabled = el().without("/usr/lib/systemd/system/sshd.service").file(
            "/usr/lib/systemd/system/ssh.service",
            "[Unit]\nConditionPathExists=!/etc/ssh/sshd_not_to_be_run\n",
        );
        assert_eq!(because(&disabled), "no_start_link");
        let aliased = disabled.symlink("/etc/systemd/system/sshd.service", "/lib/systemd/system/ssh.service");
        assert_eq!(read_sshd(&aliased).enabled, Fact::Known(true));
        let switch = aliased.file("/etc/ssh/sshd_not_to_be_run", "");
        assert_eq!(because(&switch), "not_to_be_run");
        let masked = switch.symlink("/etc/systemd/system/ssh.service", "/dev/null");
        assert_eq!(because(&masked), "masked", "the alias of a masked unit is masked");
    }

    #[test]
    fn a_masked_server_says_so() {
        let sshd = read_sshd(&debian().symlink("/etc/systemd/system/ssh.service", "/dev/null"));
        assert_eq!(sshd.not_started_because.as_deref(), Some("masked"));
        assert_eq!(
            sshd.enabled_evidence[0].path.as_deref(),
            Some("/etc/systemd/system/ssh.service")
        );
    }

    #[test]
    fn rpm_is_not_needed_to_see_the_program() {
        let tree = debian()
            .without("/var/lib/dpkg")
            .file("/var/lib/rpm/rpmdb.sqlite", "SQLite format 3\0");
        assert_eq!(read_sshd(&tree).installed, Fact::Known(true));
        assert_eq!(read_sshd(&tree.without("/usr/sbin/sshd")).installed, Fact::Known(false));
    }
}
