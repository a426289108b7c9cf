//! Upstart's jobs (init(5)): EL 6 and Ubuntu up to 14.04. A job's `start on` is asked for the events of a normal boot.

use super::{Start, sysv};
use crate::{
    Evidence, Unknown,
    files::{Files, Read},
};

/// Largest job that is read, in bytes.
const JOB_LIMIT: usize = 256 << 10;

/// Jobs that wait for jobs.
const MAX_DEPTH: usize = 6;

/// Events that every boot has (upstart-events(7)).
const BOOT_EVENTS: &[&str] = &[
    "startup",
    "filesystem",
    "virtual-filesystems",
    "local-filesystems",
    "remote-filesystems",
    "all-swaps",
    "mounted",
    "net-device-up",
    "net-device-added",
    "static-network-up",
];

/// What Upstart starts: jobs, then System V's links.
pub(super) fn start(files: &Files<'_>, scripts: &[&str]) -> Read<Start> {
    let level = level(files)?;
    let mut off = None;
    for script in scripts {
        match job(files, script, level, MAX_DEPTH)? {
            Job::Starts(place) => return Ok(Start::Yes((*script).to_owned(), vec![place])),
            Job::Manual(place) => _ = off.get_or_insert_with(|| Start::Blocked((*script).to_owned(), vec![place])),
            Job::Other(place) => _ = off.get_or_insert_with(|| Start::No(vec![place])),
            Job::Missing => {}
        }
    }
    match off {
        // A link of the same name starts the script, which asks for the job.
        Some(off) => Ok(match sysv::start_at(files, &[level], scripts)? {
            Start::Yes(name, _) if files.exists(&format!("/etc/init/{name}.conf"))? => off,
            Start::No(_) => off,
            started => started,
        }),
        None => sysv::start(files, scripts),
    }
}

/// `/etc/inittab` may name the runlevel; Ubuntu's own is in `rc-sysinit.conf`.
fn level(files: &Files<'_>) -> Read<char> {
    if sysv::inittab(files)?.iter().any(|line| line.action == "initdefault") {
        return sysv::level(files);
    }
    let text = files
        .read_text("/etc/init/rc-sysinit.conf", JOB_LIMIT)?
        .unwrap_or_default();
    let named = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("env DEFAULT_RUNLEVEL="));
    Ok(match named.and_then(|value| value.chars().find(char::is_ascii_digit)) {
        Some(level) => level,
        None => sysv::level(files)?,
    })
}

enum Job {
    Starts(Evidence),
    /// Only by hand, for this line.
    Manual(Evidence),
    /// By events that a boot does not have, or none.
    Other(Evidence),
    Missing,
}

fn job(files: &Files<'_>, name: &str, level: char, depth: usize) -> Read<Job> {
    let path = format!("/etc/init/{name}.conf");
    let Some(text) = files.read_text(&path, JOB_LIMIT)? else {
        return Ok(Job::Missing);
    };
    let mut stanzas = stanzas(&path, &text);
    // "override" files change a job; the last stanza of a kind holds (init(5)).
    let path = format!("/etc/init/{name}.override");
    if let Some(text) = files.read_text(&path, JOB_LIMIT)? {
        stanzas.extend(self::stanzas(&path, &text));
    }
    let Some((words, place)) = stanzas.pop() else {
        return Ok(Job::Other(Evidence::path(format!("/etc/init/{name}.conf"))));
    };
    if words == "manual" {
        return Ok(Job::Manual(place));
    }
    Ok(match holds(files, &words, level, depth)? {
        Some(true) => Job::Starts(place),
        Some(false) => Job::Other(place),
        None => {
            return Err(Unknown::new("start_condition_not_known")
                .with("unit", name)
                .with("condition", words));
        }
    })
}

/// `start on …` (without these words) and `manual`, each with its place, in the order of the file. An open parenthesis
/// continues a line.
fn stanzas(path: &str, text: &str) -> Vec<(String, Evidence)> {
    let mut found = Vec::new();
    let mut lines = (1..).zip(
        text.lines()
            .map(|line| line.split('#').next().unwrap_or_default().trim()),
    );
    while let Some((number, line)) = lines.next() {
        if line == "manual" {
            found.push((line.to_owned(), Evidence::path(path).line(number).value(line)));
            continue;
        }
        let mut words = line.split_whitespace();
        if (words.next(), words.next()) != (Some("start"), Some("on")) {
            continue;
        }
        let mut expression = words.collect::<Vec<_>>().join(" ");
        let open = |text: &str| text.matches('(').count() > text.matches(')').count();
        while open(&expression)
            || expression.ends_with(" and")
            || expression.ends_with(" or")
            || expression.ends_with('\\')
        {
            let Some((_, next)) = lines.next() else { break };
            expression = format!("{} {next}", expression.trim_end_matches('\\'));
        }
        let place = Evidence::path(path)
            .line(number)
            .value(&format!("start on {expression}"));
        found.push((expression, place));
    }
    found
}

/// Does an expression of events hold at a normal boot? `and` binds no closer than `or` (init(5)): they are taken from
/// left to right. `None` when that hangs on an event that is not known.
fn holds(files: &Files<'_>, expression: &str, level: char, depth: usize) -> Read<Option<bool>> {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ");
    // For each open parenthesis: the value so far, and the operator before it.
    let mut open: Vec<(Option<Option<bool>>, bool)> = Vec::new();
    let mut value: Option<Option<bool>> = None;
    let mut and = false;
    let mut words = spaced.split_whitespace().peekable();
    while let Some(word) = words.next() {
        let operand = match word {
            "and" | "or" => {
                and = word == "and";
                continue;
            }
            "(" => {
                open.push((value.take(), and));
                and = false;
                continue;
            }
            ")" => {
                let Some((before, operator)) = open.pop() else { continue };
                let inner = value.take().unwrap_or(Some(false));
                value = before;
                and = operator;
                inner
            }
            event => {
                let mut arguments = Vec::new();
                while let Some(argument) = words.next_if(|next| !matches!(*next, "and" | "or" | "(" | ")")) {
                    arguments.push(argument);
                }
                happens(files, event, &arguments, level, depth)?
            }
        };
        value = Some(match (value.take(), and) {
            (None, _) => operand,
            (Some(left), true) => both(left, operand),
            (Some(left), false) => both(left.map(|left| !left), operand.map(|right| !right)).map(|neither| !neither),
        });
    }
    Ok(value.unwrap_or(Some(false)))
}

/// Both, where `None` is not known.
fn both(left: Option<bool>, right: Option<bool>) -> Option<bool> {
    match (left, right) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

fn happens(files: &Files<'_>, event: &str, arguments: &[&str], level: char, depth: usize) -> Read<Option<bool>> {
    let runlevel = |pattern: &str| crate::glob::matches(pattern, &level.to_string());
    let of_runlevel = || {
        arguments
            .iter()
            .find_map(|argument| argument.strip_prefix("RUNLEVEL="))
            .is_none_or(runlevel)
    };
    Ok(match event {
        "runlevel" => match arguments.first() {
            Some(argument) => Some(runlevel(argument.strip_prefix("RUNLEVEL=").unwrap_or(argument))),
            None => Some(true),
        },
        event if BOOT_EVENTS.contains(&event) => Some(true),
        "started" | "starting" | "stopped" | "stopping" => match arguments.first().copied() {
            Some("rc" | "rc-sysinit" | "rcS") => Some(of_runlevel()),
            Some(name) if depth > 0 => match job(files, name.trim_start_matches("JOB="), level, depth - 1)? {
                Job::Starts(_) => Some(true),
                Job::Manual(_) | Job::Missing => Some(false),
                Job::Other(_) => None,
            },
            _ => None,
        },
        _ => None,
    })
}
