//! Debian's dpkg and OpenWrt's opkg: one stanza of a control file (deb822(5)) for each package.

use super::{
    DESCRIPTION_LIMIT, Database, DatabaseKind, MAX_PACKAGES, Package, State, TEXT_LIMIT, corrupt, numbered_lines,
    parts, real_paths, word_of,
};
use crate::{
    Evidence,
    files::{Files, Read},
    version::Rules,
};

const STATUS: &str = "/var/lib/dpkg/status";

/// What dpkg did since it last wrote the whole status, a file of one stanza for each step, numbered in their order. They
/// are left when dpkg was stopped in the middle, or the machine was copied then.
const UPDATES: &str = "/var/lib/dpkg/updates";

/// Most steps that are told apart; dpkg writes the whole status after 250 (`MAXUPDATES`).
const MAX_UPDATES: usize = 1000;

/// Images without dpkg keep one file a package here, and no state: what is named is installed.
const PARTS: &str = "/var/lib/dpkg/status.d";

/// opkg's database: on the flash, and on systems whose `/var` is in memory.
const OPKG: &[&str] = &["/usr/lib/opkg/status", "/var/lib/opkg/status"];

pub(super) fn read(files: &Files<'_>, found: &mut Vec<Database>) {
    match files.read(STATUS, TEXT_LIMIT) {
        Ok(None) => {}
        Ok(Some(text)) => {
            let packages = packages(STATUS, &text, None).and_then(|packages| updated(files, packages));
            found.push(Database::new(DatabaseKind::Dpkg, STATUS, packages));
        }
        Err(unknown) => found.push(Database::new(DatabaseKind::Dpkg, STATUS, Err(unknown))),
    }
    for path in real_paths(files, OPKG) {
        match files.read(&path, TEXT_LIMIT) {
            Ok(None) => {}
            Ok(Some(text)) => found.push(Database::new(DatabaseKind::Opkg, &path, packages(&path, &text, None))),
            Err(unknown) => found.push(Database::new(DatabaseKind::Opkg, &path, Err(unknown))),
        }
    }
    match read_parts(files) {
        Ok(packages) if packages.is_empty() => {}
        read => found.push(Database::new(DatabaseKind::Dpkg, PARTS, read)),
    }
}

/// The packages after the steps that stand in [`UPDATES`].
fn updated(files: &Files<'_>, mut packages: Vec<Package>) -> Read<Vec<Package>> {
    let names = parts(files, UPDATES)?.unwrap_or_default();
    if names.len() > MAX_UPDATES {
        return Err(corrupt(UPDATES));
    }
    for name in names {
        // Others (`tmp.i`) are not yet or no longer part of it.
        if !name.bytes().all(|byte| byte.is_ascii_digit()) {
            continue;
        }
        let path = format!("{UPDATES}/{name}");
        let text = files.read(&path, DESCRIPTION_LIMIT)?.unwrap_or_default();
        for stanza in stanzas(&path, &text)?.into_iter().take(1) {
            let architecture = word_of(stanza.architecture);
            // One name may be installed for several architectures; what is purged tells none.
            packages.retain(|package| {
                let both = package.architecture.as_ref().zip(architecture.as_ref());
                package.name.as_bytes() != stanza.name || both.is_some_and(|(old, new)| old != new)
            });
            packages.extend(package(&path, &stanza, None));
        }
    }
    Ok(packages)
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
            packages.extend(self::packages(&path, &text, Some(State::Installed))?);
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

/// The packages of a control file. `state` holds for those that tell none.
fn packages(path: &str, text: &[u8], state: Option<State>) -> Read<Vec<Package>> {
    let stanzas = stanzas(path, text)?;
    let packages = stanzas.iter().filter_map(|stanza| package(path, stanza, state));
    Ok(packages.collect())
}

/// The stanzas of a control file that name a package; an empty line ends each.
fn stanzas<'a>(path: &str, text: &'a [u8]) -> Read<Vec<Stanza<'a>>> {
    let mut stanzas = Vec::new();
    let mut stanza = Stanza::default();
    for (number, line) in numbered_lines(text).chain([(0, &b""[..])]) {
        if line.trim_ascii().is_empty() {
            if !stanza.name.is_empty() {
                stanzas.push(stanza);
            }
            stanza = Stanza::default();
            if stanzas.len() > MAX_PACKAGES {
                return Err(corrupt(path));
            }
            continue;
        }
        // The next lines of a long field begin with a space and are none that is asked for.
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
    Ok(stanzas)
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
        Some(b"half-installed") => State::HalfInstalled,
        Some(b"half-configured") => State::HalfConfigured,
        Some(b"unpacked") => State::Unpacked,
        Some(b"config-files") => State::ConfigFiles,
        _ => State::NotInstalled,
    }
}
