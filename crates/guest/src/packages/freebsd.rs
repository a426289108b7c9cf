//! FreeBSD's pkg: the table `packages` of `local.sqlite` (pkg's `libpkg/pkgdb.c`).

use super::{Database, DatabaseKind, MAX_PACKAGES, Package, State, corrupt, sqlite, word};
use crate::{
    Evidence,
    files::{Files, Read},
    version::Rules,
};

const PATH: &str = "/var/db/pkg/local.sqlite";

pub(super) fn read(files: &Files<'_>, found: &mut Vec<Database>) {
    match files.stat(PATH) {
        Ok(Some(stat)) if stat.size > 0 => found.push(Database::new(DatabaseKind::FreebsdPkg, PATH, packages(files))),
        Ok(_) => {}
        Err(unknown) => found.push(Database::new(DatabaseKind::FreebsdPkg, PATH, Err(unknown))),
    }
}

fn packages(files: &Files<'_>) -> Read<Vec<Package>> {
    let database = sqlite::open(files, PATH, DatabaseKind::FreebsdPkg, "packages")?;
    let rows = database.texts("SELECT name, version, arch FROM packages", MAX_PACKAGES)?;
    rows.into_iter()
        .map(|[name, version, arch]| package(&name, &version, &arch))
        .collect()
}

fn package(name: &str, version: &str, architecture: &str) -> Read<Package> {
    let (Some(name), Some(version)) = (word(name), word(version)) else {
        return Err(corrupt(PATH));
    };
    Ok(Package {
        architecture: word(architecture),
        state: State::Installed,
        evidence: Evidence::path(PATH).value(&format!("{name} {version}")),
        rules: Rules::Freebsd,
        name,
        version,
    })
}
