//! Slackware: a file `name-version-architecture-build` for each package, whose name tells all.

use super::{Database, DatabaseKind, Package, State, parts, word};
use crate::{Evidence, files::Files, version::Rules};

/// Slackware since 15.0 and before.
const FOLDERS: &[&str] = &["/var/lib/pkgtools/packages", "/var/log/packages"];

pub(super) fn read(files: &Files<'_>, found: &mut Vec<Database>) {
    for folder in FOLDERS {
        let read = match parts(files, folder) {
            Ok(None) => continue,
            Ok(Some(names)) => Ok(names
                .iter()
                .filter_map(|name| package(folder, name))
                .collect::<Vec<_>>()),
            Err(unknown) => Err(unknown),
        };
        // Since 15.0 the old folder is a link to the new one.
        if read.as_ref().is_ok_and(Vec::is_empty) || found.iter().any(|other| other.kind == DatabaseKind::Slackware) {
            continue;
        }
        found.push(Database::new(DatabaseKind::Slackware, folder, read));
    }
}

fn package(folder: &str, file: &str) -> Option<Package> {
    let mut parts = file.rsplitn(4, '-');
    let (build, architecture) = (parts.next()?, parts.next()?);
    let (version, name) = (parts.next()?, parts.next()?);
    let (name, version) = (word(name)?, word(&format!("{version}-{build}"))?);
    Some(Package {
        architecture: word(architecture),
        state: State::Installed,
        evidence: Evidence::path(format!("{folder}/{file}")).value(&format!("{name} {version}")),
        rules: Rules::Plain,
        name,
        version,
    })
}
