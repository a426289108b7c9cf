//! OpenRC's runlevels (openrc(8)): links in `/etc/runlevels/<level>`, of the levels that a boot goes through.

use super::{Start, is_program, sysv};
use crate::{
    Evidence,
    files::{Files, Read},
};

/// Runlevels that stand in runlevels.
const MAX_LEVELS: usize = 16;

/// What OpenRC starts.
pub(super) fn start(files: &Files<'_>, scripts: &[&str]) -> Read<Start> {
    let default = default_level(files)?;
    let mut levels = vec!["sysinit".to_owned(), "boot".to_owned(), default.clone()];
    let mut next = 0;
    while let Some(level) = levels.get(next).cloned() {
        next += 1;
        for name in files.list(&format!("/etc/runlevels/{level}"))? {
            let link = format!("/etc/runlevels/{level}/{name}");
            if scripts.contains(&name.as_str()) && is_program(files, &format!("/etc/init.d/{name}"))? {
                return Ok(Start::Yes(name, vec![Evidence::path(link)]));
            }
            // A runlevel in a runlevel is part of it ("Stacked runlevels").
            let stacked = files
                .stat(&link)?
                .is_some_and(|stat| stat.kind == crate::FileKind::Directory);
            if stacked && levels.len() < MAX_LEVELS && !levels.contains(&name) {
                levels.push(name);
            }
        }
    }
    let script = scripts.first().unwrap_or(&"");
    Ok(Start::No(vec![Evidence::path(format!(
        "/etc/runlevels/{default}/{script}"
    ))]))
}

/// `/etc/inittab` says which runlevel OpenRC goes to last, by `openrc NAME` (Gentoo's for its init's default level).
fn default_level(files: &Files<'_>) -> Read<String> {
    let lines = sysv::inittab(files)?;
    let digit = lines
        .iter()
        .find(|line| line.action == "initdefault")
        .and_then(|line| line.levels.chars().next());
    let mut named = lines
        .iter()
        .filter(|line| digit.is_none_or(|digit| line.levels.contains(digit)))
        .filter_map(|line| {
            let mut words = line.process.split_whitespace();
            let program = words.next()?.rsplit('/').next()?;
            let level = words.next().filter(|_| matches!(program, "openrc" | "rc"))?;
            (!matches!(
                level,
                "sysinit" | "boot" | "shutdown" | "single" | "nonetwork" | "reboot"
            ))
            .then_some(level)
        });
    Ok(named.next_back().unwrap_or("default").to_owned())
}
