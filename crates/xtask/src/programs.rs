//! Builds the programs: one selection of packages and features for everything, so that no dependency is compiled twice.

use std::path::PathBuf;
use std::process::Command;

use crate::system::{Need, System};
use crate::workspace::Workspace;
use crate::{Outcome, child, debian, failure, node};

/// How the programs are compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    /// Half the time of a release build, and the hot loops are optimised all the same (root Cargo.toml).
    Dev,
    /// As it is handed out.
    Release,
}

impl Profile {
    fn folder(self) -> &'static str {
        match self {
            Self::Dev => "debug",
            Self::Release => "release",
        }
    }

    fn apply(self, command: &mut Command) {
        if self == Self::Release {
            command.arg("--release");
        }
    }
}

/// The packages and features that every check compiles. The window's program takes its page from inside itself.
pub(crate) const EVERYTHING: [&str; 3] = ["--workspace", "--features", "imagelotse/custom-protocol"];

/// Makes sure that the machine has what is needed, or tells what to install.
pub(crate) fn provide(workspace: &Workspace, system: System, needs: &[Need]) -> Outcome {
    if system == System::Debian {
        return debian::provide(workspace, needs);
    }
    let missing: Vec<_> = needs
        .iter()
        .filter(|need| !is_there(workspace, **need))
        .filter_map(|need| system.advice(*need))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    failure(format!(
        "something is missing on this machine. Please install it, then call this again:\n  {}",
        missing.join("\n  ")
    ))
}

fn is_there(workspace: &Workspace, need: Need) -> bool {
    let all = |programs: &[&str]| programs.iter().all(|program| workspace.has(program));
    match need {
        Need::Compiler if cfg!(windows) => true,
        Need::Compiler => all(&["cc"]),
        Need::Window if cfg!(target_os = "linux") => {
            child::output(
                workspace
                    .command("pkg-config")
                    .args(["--exists", "webkit2gtk-4.1", "gtk+-3.0"]),
            )
            .is_ok()
        }
        Need::Window => true,
        Need::Images => all(&[
            "mmdebstrap",
            "sfdisk",
            "mke2fs",
            "mkfs.vfat",
            "mcopy",
            "qemu-img",
            "python3",
            "unshare",
        ]),
        Need::Tests => all(&[
            "Xvfb",
            "xwininfo",
            "dbus-daemon",
            "dbus-send",
            "gnome-keyring-daemon",
            "curl",
            "WebKitWebDriver",
            "xdotool",
            "openbox",
            "shellcheck",
            "swift-proxy-server",
            "swift-object-server",
            "memcached",
            "ceph-mon",
            "ceph-osd",
            "ceph",
            "radosgw",
            "radosgw-admin",
            "faketime",
        ]),
    }
}

/// Builds the page and packs it into `ui/dist`.
pub(crate) fn build_page(workspace: &Workspace) -> Outcome {
    node::install_packages(workspace)?;
    child::run(&mut workspace.npm(["run", "build"]))
}

/// Builds the window's program; its page must be built.
pub(crate) fn build_desktop(workspace: &Workspace, profile: Profile) -> Outcome<PathBuf> {
    let mut command = workspace.cargo([
        "build",
        "--package",
        "imagelotse",
        "--features",
        "imagelotse/custom-protocol",
    ]);
    profile.apply(&mut command);
    child::run(&mut command)?;
    Ok(program(workspace, "imagelotse", profile))
}

/// Builds the command line program.
pub(crate) fn build_cli(workspace: &Workspace, profile: Profile) -> Outcome<PathBuf> {
    let mut command = workspace.cargo(["build", "--package", "lotse-cli"]);
    profile.apply(&mut command);
    child::run(&mut command)?;
    Ok(program(workspace, "lotse", profile))
}

/// Where cargo puts a program.
pub(crate) fn program(workspace: &Workspace, name: &str, profile: Profile) -> PathBuf {
    workspace
        .target(profile.folder())
        .join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}
