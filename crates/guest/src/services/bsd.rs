//! BSD's rc (rc.conf(5)): variables of shell files, `sshd_enable="YES"` on FreeBSD, `sshd=YES` on NetBSD, `sshd_flags` on
//! OpenBSD.

use std::collections::BTreeMap;

use super::Start;
use crate::{
    Evidence,
    files::{Files, Read},
};

/// Largest configuration that is read, in bytes; FreeBSD's defaults have less than 50 KiB.
const CONF_LIMIT: usize = 256 << 10;

/// The value of a variable and where it was set last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Variable {
    pub(crate) value: String,
    pub(crate) place: Evidence,
}

/// Reads what rc reads for a service, the later file the one that holds (rc.conf(5)).
pub(crate) fn variables(files: &Files<'_>, service: &str) -> Read<BTreeMap<String, Variable>> {
    let mut found = BTreeMap::new();
    for path in [
        "/etc/defaults/rc.conf".to_owned(),
        "/etc/defaults/vendor.conf".to_owned(),
        "/etc/rc.conf".to_owned(),
        "/etc/rc.conf.local".to_owned(),
        format!("/etc/rc.conf.d/{service}"),
        format!("/usr/local/etc/rc.conf.d/{service}"),
    ] {
        let text = files.read_text(&path, CONF_LIMIT)?.unwrap_or_default();
        found.extend(assignments(&path, &text));
    }
    Ok(found)
}

/// `name=value` of a shell's file, quotes taken off; what a shell would compute is left as it stands.
pub(crate) fn assignments(path: &str, text: &str) -> Vec<(String, Variable)> {
    let lines = (1..).zip(text.lines().map(str::trim));
    let read = lines.filter_map(|(number, line)| {
        let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
        let (name, rest) = line.split_once('=')?;
        let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        let value = word(rest);
        let place = Evidence::path(path).line(number).value(&format!("{name}={value}"));
        is_name.then(|| (name.to_owned(), Variable { value, place }))
    });
    read.collect()
}

/// The first word as a shell reads it: with quotes, up to a space, a semicolon or a comment.
fn word(text: &str) -> String {
    let mut value = String::new();
    let mut quote = None;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (Some(open), close) if open == close => quote = None,
            (None, '"' | '\'') => quote = Some(character),
            (None | Some('"'), '\\') => value.extend(characters.next()),
            (None, ' ' | '\t' | ';' | '#') => break,
            _ => value.push(character),
        }
    }
    value
}

/// rc's `checkyesno` (rc.subr(8)).
fn is_yes(value: &str) -> bool {
    ["yes", "true", "on", "1"]
        .iter()
        .any(|word| value.eq_ignore_ascii_case(word))
}

/// What BSD's rc starts.
pub(super) fn start(files: &Files<'_>, scripts: &[&str]) -> Read<Start> {
    for script in scripts {
        if files
            .first_file(&[&format!("/etc/rc.d/{script}"), &format!("/usr/local/etc/rc.d/{script}")])?
            .is_none()
        {
            continue;
        }
        let variables = variables(files, script)?;
        let (variable, starts) = if let Some(variable) = variables.get(&format!("{script}_enable")) {
            (variable, is_yes(&variable.value))
        } else if let Some(variable) = variables.get(*script) {
            (variable, is_yes(&variable.value))
        } else if let Some(variable) = variables.get(&format!("{script}_flags")) {
            (variable, variable.value != "NO")
        } else {
            continue;
        };
        let places = vec![variable.place.clone()];
        return Ok(if starts {
            Start::Yes((*script).to_owned(), places)
        } else {
            Start::No(places)
        });
    }
    Ok(Start::No(vec![Evidence::path("/etc/rc.conf")]))
}
