//! Gentoo's portage: a folder `category/name-version` for each package (`/var/db/pkg`, PMS and portage(5)).

use super::{Database, DatabaseKind, MAX_PACKAGES, Package, State, corrupt, parts, word};
use crate::{
    Evidence, FileKind,
    files::{Files, Read},
    version::{self, Rules},
};

const ROOT: &str = "/var/db/pkg";

/// Largest of the small files that hold one value each, in bytes.
const VALUE_LIMIT: usize = 4096;

pub(super) fn read(files: &Files<'_>, found: &mut Vec<Database>) {
    match packages(files) {
        // FreeBSD keeps its database of another form in a folder of this name.
        Ok(packages) if packages.is_empty() => {}
        read => found.push(Database::new(DatabaseKind::Portage, ROOT, read)),
    }
}

fn packages(files: &Files<'_>) -> Read<Vec<Package>> {
    let mut packages = Vec::new();
    for category in parts(files, ROOT)?.unwrap_or_default() {
        // PMS 3.1.1: a category's name has a letter, digit or `_` first; others are portage's own unfinished work.
        if !category.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_') {
            continue;
        }
        let folder = format!("{ROOT}/{category}");
        for name in parts(files, &folder)?.unwrap_or_default() {
            packages.extend(package(&category, &name));
            if packages.len() > MAX_PACKAGES {
                return Err(corrupt(ROOT));
            }
        }
    }
    Ok(packages)
}

/// The version begins behind the first hyphen that a version follows (PMS 3.1.2: no name ends like that). `-MERGING-`
/// stands before the name of a package that is just being written.
fn package(category: &str, folder: &str) -> Option<Package> {
    if folder.starts_with('-') {
        return None;
    }
    let hyphens: Vec<usize> = folder.match_indices('-').map(|(at, _)| at).take(64).collect();
    let at = hyphens
        .into_iter()
        .find(|at| folder.get(at + 1..).is_some_and(version::is_portage))?;
    let version = word(folder.get(at + 1..)?)?;
    let name = word(&format!("{category}/{}", folder.get(..at)?))?;
    Some(Package {
        architecture: None,
        state: State::Installed,
        evidence: Evidence::path(format!("{ROOT}/{category}/{folder}")).value(&format!("{name} {version}")),
        rules: Rules::Portage,
        name,
        version,
    })
}

/// Adds the architecture, the first part of `CHOST`, and proves that the folder holds a package.
pub(super) fn details(files: &Files<'_>, package: &mut Package) -> Read<()> {
    let folder = format!("{ROOT}/{}-{}", package.name, package.version);
    let there = files
        .stat(&folder)?
        .is_some_and(|stat| stat.kind == FileKind::Directory);
    if !there {
        return Err(corrupt(&folder));
    }
    let host = files.read_text(&format!("{folder}/CHOST"), VALUE_LIMIT)?;
    package.architecture = host.and_then(|host| word(host.trim().split('-').next()?));
    Ok(())
}
