//! System V's start links: `/etc/rc3.d/S20ssh` for the runlevel that `/etc/inittab` names (inittab(5)).

use super::{Start, is_program, words_of};
use crate::{
    Evidence,
    files::{Files, Read},
};

/// Largest `/etc/inittab` that is read, in bytes.
const INITTAB_LIMIT: usize = 64 << 10;

/// A line of `/etc/inittab`: `id:runlevels:action:process`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) levels: String,
    pub(super) action: String,
    pub(super) process: String,
    pub(super) place: Evidence,
}

/// The lines of `/etc/inittab`.
pub(super) fn inittab(files: &Files<'_>) -> Read<Vec<Line>> {
    const PATH: &str = "/etc/inittab";
    let text = files.read_text(PATH, INITTAB_LIMIT)?.unwrap_or_default();
    let lines = (1..).zip(text.lines().map(str::trim));
    let read = lines
        .filter(|(_, line)| !line.starts_with('#'))
        .filter_map(|(number, line)| {
            let mut parts = line.splitn(4, ':').skip(1);
            Some(Line {
                levels: parts.next()?.to_owned(),
                action: parts.next()?.trim().to_owned(),
                process: parts.next().unwrap_or_default().trim().to_owned(),
                place: Evidence::path(PATH).line(number).value(line),
            })
        });
    Ok(read.collect())
}

/// The runlevel of a normal boot: `initdefault`'s, else Debian's 2 where its folders are, else 3.
pub(super) fn level(files: &Files<'_>) -> Read<char> {
    let named = inittab(files)?
        .into_iter()
        .find(|line| line.action == "initdefault")
        .and_then(|line| line.levels.chars().find(char::is_ascii_digit));
    Ok(match named {
        Some(level) => level,
        None if files.exists("/etc/rc.d/rc3.d")? => '3',
        None => '2',
    })
}

/// Does a start link of one of the runlevels start one of the scripts?
pub(super) fn start_at(files: &Files<'_>, levels: &[char], scripts: &[&str]) -> Read<Start> {
    for level in levels {
        for folder in [
            format!("/etc/rc{level}.d"),
            format!("/etc/rc.d/rc{level}.d"),
            format!("/etc/init.d/rc{level}.d"),
        ] {
            if let Some(started) = start_in(files, &folder, scripts)? {
                return Ok(started);
            }
        }
    }
    let (level, script) = (levels.first().unwrap_or(&'3'), scripts.first().unwrap_or(&""));
    Ok(Start::No(vec![Evidence::path(format!("/etc/rc{level}.d/S??{script}"))]))
}

/// Does a folder of start links start one of the scripts? The link must lead to a program: removing a package may leave
/// it behind.
pub(super) fn start_in(files: &Files<'_>, folder: &str, scripts: &[&str]) -> Read<Option<Start>> {
    for name in files.list(folder)? {
        let Some(rest) = name.strip_prefix('S') else { continue };
        let script = rest
            .trim_start_matches(|c: char| c.is_ascii_digit())
            .trim_start_matches('-');
        let link = format!("{folder}/{name}");
        if scripts.contains(&script) && is_program(files, &link)? {
            return Ok(Some(Start::Yes(script.to_owned(), vec![Evidence::path(link)])));
        }
    }
    Ok(None)
}

/// What System V's init starts: the default runlevel's links, those of the boot itself, and what `/etc/inittab` starts.
pub(super) fn start(files: &Files<'_>, scripts: &[&str]) -> Read<Start> {
    let level = level(files)?;
    for line in inittab(files)? {
        let runs = matches!(
            line.action.as_str(),
            "respawn" | "wait" | "once" | "boot" | "bootwait" | "sysinit"
        );
        if runs
            && (line.levels.is_empty() || line.levels.contains(level))
            && let Some(script) =
                words_of(&line.process).find_map(|word| scripts.iter().find(|script| **script == word))
        {
            return Ok(Start::Yes((*script).to_owned(), vec![line.place]));
        }
    }
    // Debian's and SUSE's links of the boot before any runlevel.
    for folder in ["/etc/rcS.d", "/etc/init.d/boot.d"] {
        if let Some(started) = start_in(files, folder, scripts)? {
            return Ok(started);
        }
    }
    start_at(files, &[level], scripts)
}
