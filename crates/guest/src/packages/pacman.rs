//! Arch Linux's pacman: a folder `name-version-release` for each package, in it `desc` with a heading before each value.

use super::{DESCRIPTION_LIMIT, Database, DatabaseKind, Package, State, corrupt, numbered_lines, parts, word, word_of};
use crate::{
    Evidence,
    files::{Files, Read},
    version::Rules,
};

const LOCAL: &str = "/var/lib/pacman/local";

/// The folders' names tell all but the architecture, so that a report opens no thousand files.
pub(super) fn read(files: &Files<'_>, found: &mut Vec<Database>) {
    let read = match parts(files, LOCAL) {
        Ok(None) => return,
        Ok(Some(folders)) => Ok(folders.iter().filter_map(|folder| package(folder)).collect()),
        Err(unknown) => Err(unknown),
    };
    found.push(Database::new(DatabaseKind::Pacman, LOCAL, read));
}

fn package(folder: &str) -> Option<Package> {
    let (rest, release) = folder.rsplit_once('-')?;
    let (name, version) = rest.rsplit_once('-')?;
    let (name, version) = (word(name)?, word(&format!("{version}-{release}"))?);
    Some(Package {
        architecture: None,
        state: State::Installed,
        evidence: Evidence::path(format!("{LOCAL}/{folder}/desc")).value(&format!("{name} {version}")),
        rules: Rules::Pacman,
        name,
        version,
    })
}

/// Adds what `desc` tells: the line and the architecture. The folder must mean what it says.
pub(super) fn details(files: &Files<'_>, package: &mut Package) -> Read<()> {
    let path = format!("{LOCAL}/{}-{}/desc", package.name, package.version);
    let text = files.read(&path, DESCRIPTION_LIMIT)?.ok_or_else(|| corrupt(&path))?;
    let value_after = |heading: &str| {
        let lines = numbered_lines(&text).skip_while(move |(_, line)| *line != heading.as_bytes());
        lines.skip(1).map(|(number, line)| (number, word_of(line))).next()
    };
    let (Some((line, Some(name))), Some((_, Some(version)))) = (value_after("%NAME%"), value_after("%VERSION%")) else {
        return Err(corrupt(&path));
    };
    if (&name, &version) != (&package.name, &package.version) {
        return Err(corrupt(&path));
    }
    package.architecture = value_after("%ARCH%").and_then(|(_, architecture)| architecture);
    package.evidence.line = Some(line);
    Ok(())
}
