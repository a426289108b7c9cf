//! What the package databases say: name, version, architecture and state of each package, family by family. Whether a
//! program is there is asked of the program itself; from here come its version and the line that names it.

mod apk;
mod dpkg;
mod freebsd;
mod names;
mod pacman;
mod portage;
mod rpm;
mod slackware;
mod sqlite;
#[cfg(test)]
mod tests;
mod window;

pub(crate) use names::Names;

pub use crate::facts::DatabaseKind;
use crate::{
    Evidence, Fact, FileTree, Unknown,
    facts::PackageDatabase,
    files::{Files, Read},
    version::Rules,
};

/// Largest database of text that is read, in bytes; a full desktop's dpkg status has about 6 MB.
const TEXT_LIMIT: usize = 64 << 20;

/// Largest description of a single package, in bytes.
const DESCRIPTION_LIMIT: usize = 1 << 20;

/// Most packages of one database; a full desktop has about 4,000, TeX Live on Fedora another 6,000.
pub(crate) const MAX_PACKAGES: usize = 50_000;

/// Longest name or version that is taken for one, in bytes (Linux: `NAME_MAX`, which every package's file keeps).
const MAX_WORD: usize = 255;

/// A package that a database knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// Its name in the family; with its category in Gentoo (`net-misc/openssh`).
    pub name: String,
    /// Its full version, with epoch and release where the family has them.
    pub version: String,
    /// As the family writes it (`amd64`, `x86_64`, `noarch`, `FreeBSD:14:amd64`); `None` where none is told.
    pub architecture: Option<String>,
    /// Is it installed, and how far?
    pub state: State,
    /// The place that names it.
    pub evidence: Evidence,
    /// How its version compares.
    pub(crate) rules: Rules,
}

/// How far a package is installed; only dpkg and opkg know more than [`State::Installed`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Its files are there and it is configured; others' triggers may still be pending.
    Installed,
    /// Unpacked, its configuration did not finish.
    HalfConfigured,
    /// Its files are there, it was never configured.
    Unpacked,
    /// Installing or removing it did not finish.
    HalfInstalled,
    /// Removed but for its configuration files.
    ConfigFiles,
    /// Only known by name.
    NotInstalled,
}

/// A package database and what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Database {
    /// Whose it is and how it is stored.
    pub kind: DatabaseKind,
    /// Absolute path inside the guest.
    pub path: String,
    /// What could be read.
    pub packages: Vec<Package>,
    /// Why there may be more than what could be read.
    pub unread: Option<Unknown>,
}

impl Database {
    fn new(kind: DatabaseKind, path: &str, read: Read<Vec<Package>>) -> Self {
        let (packages, unread) = match read {
            Ok(packages) => (packages, None),
            Err(unknown) => (Vec::new(), Some(unknown)),
        };
        Self {
            kind,
            path: path.to_owned(),
            packages,
            unread,
        }
    }

    /// How many packages are installed.
    fn installed(&self) -> Fact<usize> {
        match &self.unread {
            Some(unknown) => Fact::Unknown(unknown.clone()),
            None => Fact::Known(
                self.packages
                    .iter()
                    .filter(|package| package.state == State::Installed)
                    .count(),
            ),
        }
    }
}

/// Every package of every database in a tree, with all that is known of each: for tests and for those who want the
/// whole list. A report asks for less. What stands on other filesystems is not seen.
pub fn list(tree: &dyn FileTree) -> Vec<Database> {
    let files = Files::joined(tree, "", &[]);
    let mut databases = files.packages().to_vec();
    for database in &mut databases {
        let (kind, mut unread) = (database.kind, database.unread.take());
        database
            .packages
            .retain_mut(|package| match details(&files, kind, package) {
                Ok(()) => true,
                Err(unknown) => {
                    unread.get_or_insert(unknown);
                    false
                }
            });
        database.unread = unread;
    }
    databases
}

/// The databases as a fact.
pub(crate) fn read(files: &Files<'_>) -> Vec<PackageDatabase> {
    let databases = files.packages().iter();
    databases
        .map(|database| PackageDatabase {
            kind: database.kind,
            path: database.path.clone(),
            installed: database.installed(),
        })
        .collect()
}

/// The first of some packages that is installed. `None`: no database names one, or there is no database at all.
///
/// # Errors
/// When none was found and a database could not be read completely: its reason.
pub(crate) fn find(files: &Files<'_>, names: &Names) -> Read<Option<Package>> {
    let mut unread = None;
    for database in files.packages() {
        for wanted in names.of(database.kind) {
            let found = database.packages.iter().find(|package| {
                package.state == State::Installed && names::means(database.kind, &package.name, wanted)
            });
            if let Some(package) = found {
                let mut package = package.clone();
                match details(files, database.kind, &mut package) {
                    Ok(()) => return Ok(Some(package)),
                    Err(unknown) => {
                        unread.get_or_insert(unknown);
                    }
                }
            }
        }
        if let Some(unknown) = &database.unread {
            unread.get_or_insert_with(|| unknown.clone());
        }
    }
    unread.map_or(Ok(None), Err)
}

/// Reads every database there is, once for each report: [`Files::packages`] keeps it.
pub(crate) fn databases(files: &Files<'_>) -> Vec<Database> {
    let mut found = Vec::new();
    dpkg::read(files, &mut found);
    rpm::read(files, &mut found);
    apk::read(files, &mut found);
    pacman::read(files, &mut found);
    portage::read(files, &mut found);
    freebsd::read(files, &mut found);
    slackware::read(files, &mut found);
    found
}

/// What a folder's name does not tell: read only for the packages that are asked for.
fn details(files: &Files<'_>, kind: DatabaseKind, package: &mut Package) -> Read<()> {
    match kind {
        DatabaseKind::Pacman => pacman::details(files, package),
        DatabaseKind::Portage => portage::details(files, package),
        DatabaseKind::Slackware
        | DatabaseKind::Dpkg
        | DatabaseKind::Opkg
        | DatabaseKind::RpmSqlite
        | DatabaseKind::RpmNdb
        | DatabaseKind::RpmBerkeley
        | DatabaseKind::Apk
        | DatabaseKind::FreebsdPkg => Ok(()),
    }
}

/// A database that breaks the rules of its own form.
fn corrupt(path: &str) -> Unknown {
    Unknown::new("package_database_corrupt").with("path", path)
}

/// A form of database that is not known here.
fn not_read(kind: DatabaseKind) -> Unknown {
    Unknown::new("package_database_not_read").with("kind", kind.code())
}

/// Names in a database's folder, as long as there are not absurdly many. `None`: no such folder.
fn parts(files: &Files<'_>, folder: &str) -> Read<Option<Vec<String>>> {
    let there = files.stat(folder)?;
    if there.is_none_or(|stat| stat.kind != crate::FileKind::Directory) {
        return Ok(None);
    }
    let names = files.list(folder)?;
    if names.len() > MAX_PACKAGES {
        return Err(corrupt(folder));
    }
    Ok(Some(names))
}

/// Where some paths really are, each once; one that cannot be followed stays as it is, to be told when it is read.
fn real_paths(files: &Files<'_>, paths: &[&str]) -> Vec<String> {
    let mut real = Vec::new();
    for path in paths {
        match files.real_path(path) {
            Ok(None) => {}
            Ok(Some(path)) if real.contains(&path) => {}
            Ok(Some(path)) => real.push(path),
            Err(_) => real.push((*path).to_owned()),
        }
    }
    real
}

/// A word of a database: a name or version without white space and signs that no terminal should see.
fn word(text: &str) -> Option<String> {
    let fits = !text.is_empty() && text.len() <= MAX_WORD && text.chars().all(|c| c.is_ascii_graphic());
    fits.then(|| text.to_owned())
}

/// The same of bytes.
fn word_of(bytes: &[u8]) -> Option<String> {
    std::str::from_utf8(bytes).ok().and_then(word)
}

/// Lines with their numbers from 1, without what ends them.
fn numbered_lines(text: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    let lines = text.split(|byte| *byte == b'\n');
    (1..).zip(lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line)))
}
