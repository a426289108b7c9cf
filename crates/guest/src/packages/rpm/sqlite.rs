//! rpm's `rpmdb.sqlite`: the table `Packages` with a number and a header for each package (rpm's
//! `lib/backend/sqlite.cc`).

use super::{add, header};
use crate::{
    files::{Files, Read},
    packages::{DatabaseKind, MAX_PACKAGES, Package, corrupt, sqlite},
};

pub(super) fn read(files: &Files<'_>, path: &str, packages: &mut Vec<Package>) -> Read<()> {
    let database = sqlite::open(files, path, DatabaseKind::RpmSqlite, "Packages")?;
    let mut broken = None;
    for row in database.numbers("SELECT hnum FROM Packages", MAX_PACKAGES)? {
        let header = match database.blob("Packages", "blob", row) {
            Ok(blob) => header::read(blob.len(), |len| blob.start(len)),
            Err(unknown) => Err(unknown),
        };
        // Pages that cannot be read are of one package's.
        let header = header.unwrap_or_default();
        add(path, header, packages, &mut broken)?;
    }
    broken.map_or(Ok(()), |_| Err(corrupt(path)))
}
