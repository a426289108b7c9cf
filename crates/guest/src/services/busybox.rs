//! BusyBox' init: what `/etc/inittab` starts, and the folders of start scripts that its script goes through (CirrOS,
//! Buildroot).

use std::collections::BTreeSet;

use super::{Start, UNIT_LIMIT, sysv, words_of};
use crate::{
    Evidence,
    files::{Files, Read},
};

/// What BusyBox starts without an `/etc/inittab` (its documentation, "init").
const DEFAULT_SCRIPT: &str = "/etc/init.d/rcS";

/// What BusyBox' init starts.
pub(super) fn start(files: &Files<'_>, scripts: &[&str]) -> Read<Start> {
    let mut folders = BTreeSet::new();
    let mut run: Vec<String> = Vec::new();
    let lines = sysv::inittab(files)?;
    if lines.is_empty() {
        run.push(DEFAULT_SCRIPT.to_owned());
    }
    for line in lines {
        if !matches!(
            line.action.as_str(),
            "sysinit" | "wait" | "once" | "respawn" | "askfirst"
        ) {
            continue;
        }
        if let Some(script) = words_of(&line.process).find_map(|word| scripts.iter().find(|script| **script == word)) {
            return Ok(Start::Yes((*script).to_owned(), vec![line.place]));
        }
        run.extend(
            line.process
                .split_whitespace()
                .filter(|word| word.starts_with('/'))
                .map(str::to_owned),
        );
    }
    for path in run {
        // A binary is no script, and a shell's name stands beside the script.
        if files.read_start(&path, 2)?.as_deref() == Some(b"#!") {
            folders.extend(script_folders(&files.read_text(&path, UNIT_LIMIT)?.unwrap_or_default()));
        }
    }
    for folder in &folders {
        if let Some(started) = sysv::start_in(files, folder, scripts)? {
            return Ok(started);
        }
    }
    let folder = folders.first().map_or("/etc/init.d", String::as_str);
    let script = scripts.first().unwrap_or(&"");
    Ok(Start::No(vec![Evidence::path(format!("{folder}/S??{script}"))]))
}

/// Folders whose start scripts a shell script goes through: `for s in /etc/rc3.d/S*`, `/etc/init.d/S??*`.
fn script_folders(text: &str) -> BTreeSet<String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let words = lines.flat_map(|line| line.split(|c: char| c.is_whitespace() || c == ';' || c == '"'));
    let folders = words.filter_map(|word| {
        let (folder, name) = word.rsplit_once('/')?;
        let goes_through = name
            .strip_prefix('S')
            .is_some_and(|rest| rest.starts_with(['*', '?', '[']));
        (goes_through && folder.starts_with('/')).then(|| folder.to_owned())
    });
    folders.take(16).collect()
}
