//! Slackware: a file `name-version-architecture-build` for each package, whose name tells all.

use super::{Database, DatabaseKind, Package, State, parts, real_paths, word};
use crate::{Evidence, files::Files, version::Rules};

/// Slackware since 15.0 and before.
const FOLDERS: &[&str] = &["/var/lib/pkgtools/packages", "/var/log/packages"];

pub(super) fn read(files: &Files<'_>, found: &mut Vec<Database>) {
    // Since 15.0 the old folder is a link to the new one.
    for folder in real_paths(files, FOLDERS) {
        match parts(files, &folder) {
            Ok(None) => {}
            Ok(Some(names)) => {
                let packages: Vec<Package> = names.iter().filter_map(|name| package(&folder, name)).collect();
                if !packages.is_empty() {
                    found.push(Database::new(DatabaseKind::Slackware, &folder, Ok(packages)));
                }
            }
            Err(unknown) => found.push(Database::new(DatabaseKind::Slackware, &folder, Err(unknown))),
        }
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
