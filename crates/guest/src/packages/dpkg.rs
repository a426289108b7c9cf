//! Debian's dpkg and OpenWrt's opkg: one stanza of a control file (deb822(5)) for each package.

use super::{
    DESCRIPTION_LIMIT, Database, DatabaseKind, MAX_PACKAGES, Package, State, TEXT_LIMIT, corrupt, numbered_lines,
    parts, word_of,
};
use crate::{
    Evidence,
    files::{Files, Read},
    version::Rules,
};

const STATUS: &str = "/var/lib/dpkg/status";

/// Images without dpkg keep one file a package here, and no state: what is named is installed.
const PARTS: &str = "/var/lib/dpkg/status.d";

/// opkg's database: on the flash, and on systems whose `/var` is in memory.
const OPKG: &[&str] = &["/usr/lib/opkg/status", "/var/lib/opkg/status"];

pub(super) fn read(files: &Files<'_>, found: &mut Vec<Database>) {
    for (kind, path) in [(DatabaseKind::Dpkg, STATUS)]
        .into_iter()
        .chain(OPKG.iter().map(|path| (DatabaseKind::Opkg, *path)))
    {
        match files.read(path, TEXT_LIMIT) {
            Ok(None) => {}
            Ok(Some(text)) => found.push(Database::new(kind, path, stanzas(path, &text, None))),
            Err(unknown) => found.push(Database::new(kind, path, Err(unknown))),
        }
    }
    match read_parts(files) {
        Ok(packages) if packages.is_empty() => {}
        read => found.push(Database::new(DatabaseKind::Dpkg, PARTS, read)),
    }
}

fn read_parts(files: &Files<'_>) -> Read<Vec<Package>> {
    let mut packages = Vec::new();
    for name in parts(files, PARTS)?.unwrap_or_default() {
        // `NAME.md5sums` stands beside each package's own file.
        if name.ends_with(".md5sums") {
            continue;
        }
        let path = format!("{PARTS}/{name}");
        if let Some(text) = files.read(&path, DESCRIPTION_LIMIT)? {
            packages.extend(stanzas(&path, &text, Some(State::Installed))?);
        }
    }
    Ok(packages)
}

/// The fields of one stanza that are asked for.
#[derive(Default)]
struct Stanza<'a> {
    line: u32,
    name: &'a [u8],
    version: &'a [u8],
    architecture: &'a [u8],
    state: Option<State>,
}

/// The packages of a control file; an empty line ends each. `state` holds for those that tell none.
fn stanzas(path: &str, text: &[u8], state: Option<State>) -> Read<Vec<Package>> {
    let mut packages = Vec::new();
    let mut stanza = Stanza::default();
    for (number, line) in numbered_lines(text).chain([(0, &b""[..])]) {
        if line.trim_ascii().is_empty() {
            packages.extend(package(path, &stanza, state));
            if packages.len() > MAX_PACKAGES {
                return Err(corrupt(path));
            }
            stanza = Stanza::default();
            continue;
        }
        // The next lines of a long field begin with a space.
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            continue;
        };
        let (field, value) = line.split_at(colon);
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        // deb822(5): the names of fields are not case-sensitive.
        if field.eq_ignore_ascii_case(b"Package") {
            (stanza.line, stanza.name) = (number, value);
        } else if field.eq_ignore_ascii_case(b"Version") {
            stanza.version = value;
        } else if field.eq_ignore_ascii_case(b"Architecture") {
            stanza.architecture = value;
        } else if field.eq_ignore_ascii_case(b"Status") {
            stanza.state = Some(state_of(value));
        }
    }
    Ok(packages)
}

/// `None` for what is no package: a name without version is one that dpkg only remembers being told of.
fn package(path: &str, stanza: &Stanza<'_>, state: Option<State>) -> Option<Package> {
    let name = word_of(stanza.name)?;
    let version = word_of(stanza.version)?;
    Some(Package {
        architecture: word_of(stanza.architecture),
        state: stanza.state.or(state).unwrap_or(State::NotInstalled),
        evidence: Evidence::path(path)
            .line(stanza.line)
            .value(&format!("{name} {version}")),
        rules: Rules::Dpkg,
        name,
        version,
    })
}

/// dpkg(1), "Package states": wanted state, error flag, state. A package on hold is installed as well, and so is one
/// whose triggers wait: its own configuration is done.
fn state_of(value: &[u8]) -> State {
    let mut words = value.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    match words.nth(2) {
        Some(b"installed" | b"triggers-awaited" | b"triggers-pending") => State::Installed,
        // `half-installed` is also what opkg and dpkg write first of all.
        Some(b"half-installed") => State::HalfInstalled,
        Some(b"half-configured") => State::HalfConfigured,
        Some(b"unpacked") => State::Unpacked,
        Some(b"config-files") => State::ConfigFiles,
        _ => State::NotInstalled,
    }
}
