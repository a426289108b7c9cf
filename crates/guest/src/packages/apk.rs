//! Alpine's apk: one letter and a colon before each value, an empty line after each package (apk-package(5), "Database").

use super::{
    Database, DatabaseKind, MAX_PACKAGES, Package, State, TEXT_LIMIT, corrupt, numbered_lines, real_paths, word_of,
};
use crate::{
    Evidence,
    files::{Files, Read},
    version::Rules,
};

/// Alpine up to 3.21 and since then.
const PATHS: &[&str] = &["/lib/apk/db/installed", "/usr/lib/apk/db/installed"];

pub(super) fn read(files: &Files<'_>, found: &mut Vec<Database>) {
    // A merged /usr shows the same file at both places.
    for path in real_paths(files, PATHS) {
        let read = match files.read(&path, TEXT_LIMIT) {
            Ok(None) => continue,
            Ok(Some(text)) => packages(&path, &text),
            Err(unknown) => Err(unknown),
        };
        found.push(Database::new(DatabaseKind::Apk, &path, read));
    }
}

fn packages(path: &str, text: &[u8]) -> Read<Vec<Package>> {
    let mut packages = Vec::new();
    let (mut named_at, mut version, mut architecture) = (None, None, None);
    for (number, line) in numbered_lines(text).chain([(0, &b""[..])]) {
        match line {
            [] => {
                if let (Some((line, name)), Some(version)) = (named_at.take(), version.take()) {
                    let value = format!("{name} {version}");
                    packages.push(Package {
                        name,
                        version,
                        architecture: architecture.take(),
                        state: State::Installed,
                        evidence: Evidence::path(path).line(line).value(&value),
                        rules: Rules::Apk,
                    });
                }
                (named_at, version, architecture) = (None, None, None);
                if packages.len() > MAX_PACKAGES {
                    return Err(corrupt(path));
                }
            }
            [b'P', b':', name @ ..] => named_at = word_of(name).map(|name| (number, name)),
            [b'V', b':', value @ ..] => version = word_of(value),
            [b'A', b':', value @ ..] => architecture = word_of(value),
            _ => {}
        }
    }
    Ok(packages)
}
