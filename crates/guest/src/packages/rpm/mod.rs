//! rpm's databases: every form holds the same headers, one for each package.

mod berkeley;
mod header;
mod ndb;
mod sqlite;

use self::header::Header;
use super::{
    Database, DatabaseKind, MAX_PACKAGES, Package, State, corrupt, real_paths,
    window::{IN_ORDER, TO_AND_FRO, Window},
};
use crate::{
    Evidence, Unknown,
    files::{Files, Read},
    version::Rules,
};

/// Where rpm keeps its database: Fedora since 36 and SUSE, everybody else, image-based systems.
const FOLDERS: &[&str] = &["/usr/lib/sysimage/rpm", "/var/lib/rpm", "/usr/share/rpm"];

/// Its forms, the newest first: where two stand side by side, the older one is left from before an upgrade.
const FORMS: &[(&str, DatabaseKind)] = &[
    ("rpmdb.sqlite", DatabaseKind::RpmSqlite),
    ("Packages.db", DatabaseKind::RpmNdb),
    ("Packages", DatabaseKind::RpmBerkeley),
];

pub(super) fn read(files: &Files<'_>, found: &mut Vec<Database>) {
    // Systems that moved their database left a link at the old place.
    for folder in real_paths(files, FOLDERS) {
        found.extend(read_folder(files, &folder));
    }
}

fn read_folder(files: &Files<'_>, folder: &str) -> Option<Database> {
    for (name, kind) in FORMS {
        let path = format!("{folder}/{name}");
        match files.stat(&path) {
            // rpm makes the file before it writes the first package.
            Ok(Some(stat)) if stat.size > 0 => {
                let mut packages = Vec::new();
                let read = match kind {
                    DatabaseKind::RpmSqlite => sqlite::read(files, &path, &mut packages),
                    DatabaseKind::RpmNdb => {
                        open(files, &path, IN_ORDER).and_then(|mut file| ndb::read(&mut file, &mut packages))
                    }
                    _ => open(files, &path, TO_AND_FRO).and_then(|mut file| berkeley::read(&mut file, &mut packages)),
                };
                return Some(Database {
                    kind: *kind,
                    path,
                    packages,
                    unread: read.err(),
                });
            }
            Ok(_) => {}
            Err(unknown) => return Some(Database::new(*kind, &path, Err(unknown))),
        }
    }
    None
}

fn open<'a>(files: &'a Files<'a>, path: &'a str, at_once: usize) -> Read<Window<'a>> {
    Window::open(files, path, at_once)?.ok_or_else(|| corrupt(path))
}

/// Adds the package of one header. A header that breaks the rules is remembered in `broken` and hides no other.
fn add(path: &str, header: Option<Header>, packages: &mut Vec<Package>, broken: &mut Option<Unknown>) -> Read<()> {
    let Some(header) = header else {
        broken.get_or_insert_with(|| corrupt(path));
        return Ok(());
    };
    if packages.len() >= MAX_PACKAGES {
        return Err(corrupt(path));
    }
    let version = match header.epoch {
        Some(epoch) => format!("{epoch}:{}-{}", header.version, header.release),
        None => format!("{}-{}", header.version, header.release),
    };
    packages.push(Package {
        evidence: Evidence::path(path).value(&format!("{} {version}", header.name)),
        name: header.name,
        version,
        architecture: header.architecture,
        state: State::Installed,
        rules: Rules::Rpm,
    });
    Ok(())
}
