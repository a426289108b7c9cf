//! What the package database says: dpkg, apk and pacman are read, rpm's databases are named as not read. Whether a
//! program is there is asked of the program itself; from here come its version and the line that names it.

use crate::{
    Evidence, Unknown,
    files::{Files, Read},
    version::Rules,
};

/// Largest database file that is read, in bytes; a full desktop's dpkg status has about 6 MB.
const DATABASE_LIMIT: usize = 64 << 20;

/// Largest description of a single package, in bytes.
const DESCRIPTION_LIMIT: usize = 1 << 20;

/// Most files of a database in parts that are read; a full desktop has about 4,000 packages.
const MAX_PARTS: usize = 20_000;

/// Where rpm keeps its database and which kind it is.
const RPM: &[(&str, &str)] = &[
    ("/usr/lib/sysimage/rpm/rpmdb.sqlite", "rpm-sqlite"),
    ("/usr/lib/sysimage/rpm/Packages.db", "rpm-ndb"),
    ("/var/lib/rpm/rpmdb.sqlite", "rpm-sqlite"),
    ("/var/lib/rpm/Packages.db", "rpm-ndb"),
    ("/var/lib/rpm/Packages", "rpm-berkeley"),
    ("/usr/share/rpm/rpmdb.sqlite", "rpm-sqlite"),
];

/// An installed package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Package {
    /// Its full version.
    pub(crate) version: String,
    /// How its version compares.
    pub(crate) rules: Rules,
    /// The database's line that names it.
    pub(crate) evidence: Evidence,
}

/// The first of some packages that is installed. `None`: there is a database and none of them is in it, or there is no
/// database at all.
///
/// # Errors
/// `package_database_not_read` for rpm; otherwise why a file could not be read.
pub(crate) fn find(files: &Files<'_>, names: &[&str]) -> Read<Option<Package>> {
    if let Some(package) = find_dpkg(files, names)? {
        return Ok(Some(package));
    }
    for path in ["/lib/apk/db/installed", "/usr/lib/apk/db/installed"] {
        if let Some(package) = files
            .read(path, DATABASE_LIMIT)?
            .and_then(|text| find_apk(path, &text, names))
        {
            return Ok(Some(package));
        }
    }
    if let Some(package) = find_pacman(files, names)? {
        return Ok(Some(package));
    }
    for (path, kind) in RPM {
        if files.stat(path)?.is_some() {
            return Err(Unknown::new("package_database_not_read").with("kind", kind));
        }
    }
    Ok(None)
}

/// Names in a database's folder, as long as there are not absurdly many.
fn parts(files: &Files<'_>, folder: &str, kind: &str) -> Read<Vec<String>> {
    let names = files.list(folder)?;
    if names.len() > MAX_PARTS {
        return Err(Unknown::new("package_database_not_read").with("kind", kind));
    }
    Ok(names)
}

fn find_dpkg(files: &Files<'_>, names: &[&str]) -> Read<Option<Package>> {
    const STATUS: &str = "/var/lib/dpkg/status";
    const PARTS: &str = "/var/lib/dpkg/status.d";
    if let Some(text) = files.read(STATUS, DATABASE_LIMIT)?
        && let Some(package) = find_stanza(STATUS, &text, names, true)
    {
        return Ok(Some(package));
    }
    for name in parts(files, PARTS, "dpkg")? {
        let path = format!("{PARTS}/{name}");
        // Images without dpkg keep one file a package there, and no state: what is named is installed.
        if let Some(text) = files.read(&path, DESCRIPTION_LIMIT)?
            && let Some(package) = find_stanza(&path, &text, names, false)
        {
            return Ok(Some(package));
        }
    }
    Ok(None)
}

/// Lines with their numbers from 1; what is not UTF-8 is no line that anything is looked for in.
fn numbered_lines(text: &[u8]) -> impl Iterator<Item = (u32, &str)> {
    (1..).zip(text.split(|byte| *byte == b'\n')).map(|(number, line)| {
        (
            number,
            std::str::from_utf8(line).unwrap_or_default().trim_end_matches('\r'),
        )
    })
}

/// Looks through a file of Debian control stanzas (deb822(5)); an empty line ends each.
fn find_stanza(path: &str, text: &[u8], names: &[&str], needs_state: bool) -> Option<Package> {
    let mut named_at = None;
    let (mut version, mut installed) = (None, !needs_state);
    for (number, line) in numbered_lines(text).chain([(0, "")]) {
        if line.is_empty() {
            if let (Some((at, name)), Some(version), true) = (named_at, version, installed) {
                return Some(Package {
                    version: str::to_owned(version),
                    rules: Rules::Dpkg,
                    evidence: Evidence::path(path).line(at).value(&format!("{name} {version}")),
                });
            }
            (named_at, version, installed) = (None, None, !needs_state);
        } else if let Some(name) = line.strip_prefix("Package:").map(str::trim) {
            named_at = names.contains(&name).then_some((number, name));
        } else if let Some(value) = line.strip_prefix("Version:") {
            version = Some(value.trim());
        } else if let Some(value) = line.strip_prefix("Status:") {
            // dpkg(1): wanted state, error flag, state. A package on hold is installed as well.
            installed = value.split_ascii_whitespace().skip(1).eq(["ok", "installed"]);
        }
    }
    None
}

/// apk's database: one letter and a colon before each value, an empty line after each package.
fn find_apk(path: &str, text: &[u8], names: &[&str]) -> Option<Package> {
    let mut named_at = None;
    let mut version = None;
    for (number, line) in numbered_lines(text).chain([(0, "")]) {
        if line.is_empty() {
            if let (Some((at, name)), Some(version)) = (named_at, version) {
                return Some(Package {
                    version: str::to_owned(version),
                    rules: Rules::Apk,
                    evidence: Evidence::path(path).line(at).value(&format!("{name} {version}")),
                });
            }
            (named_at, version) = (None, None);
        } else if let Some(name) = line.strip_prefix("P:") {
            named_at = names.contains(&name).then_some((number, name));
        } else if let Some(value) = line.strip_prefix("V:") {
            version = Some(value);
        }
    }
    None
}

/// pacman keeps a folder `name-version-release` for each package; its `desc` says which part is the name.
fn find_pacman(files: &Files<'_>, names: &[&str]) -> Read<Option<Package>> {
    const LOCAL: &str = "/var/lib/pacman/local";
    for folder in parts(files, LOCAL, "pacman")? {
        if !names.iter().any(|name| folder.starts_with(name)) {
            continue;
        }
        let path = format!("{LOCAL}/{folder}/desc");
        let Some(text) = files.read(&path, DESCRIPTION_LIMIT)? else {
            continue;
        };
        let value_after = |heading: &str| {
            let mut lines = numbered_lines(&text)
                .skip_while(move |(_, line)| *line != heading)
                .skip(1);
            lines.next()
        };
        if let (Some((at, name)), Some((_, version))) = (value_after("%NAME%"), value_after("%VERSION%"))
            && names.contains(&name)
        {
            return Ok(Some(Package {
                version: version.to_owned(),
                rules: Rules::Plain,
                evidence: Evidence::path(path).line(at).value(&format!("{name} {version}")),
            }));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryTree;

    fn look(tree: &MemoryTree, names: &[&str]) -> Read<Option<Package>> {
        find(&Files::new(tree).unwrap(), names)
    }

    const STATUS: &str = "Package: adduser\nStatus: install ok installed\nVersion: 3.134\n\n\
        Package: cloud-init\nStatus: install ok installed\nPriority: optional\nVersion: 22.4.2-1+deb12u4\nDescription: x\n .\n y\n\n\
        Package: openssh-server\nStatus: deinstall ok config-files\nVersion: 1:9.2p1-2\n";

    #[test]
    fn dpkg_tells_version_and_line() {
        let tree = MemoryTree::new().file("/var/lib/dpkg/status", STATUS);
        let package = look(&tree, &["cloud-init"]).unwrap().unwrap();
        assert_eq!(package.version, "22.4.2-1+deb12u4");
        assert_eq!(package.evidence.line, Some(5));
        assert_eq!(package.evidence.value.as_deref(), Some("cloud-init 22.4.2-1+deb12u4"));
    }

    #[test]
    fn a_removed_package_is_not_installed() {
        let tree = MemoryTree::new().file("/var/lib/dpkg/status", STATUS);
        assert_eq!(
            look(&tree, &["openssh-server"]).unwrap(),
            None,
            "deinstall ok config-files"
        );
        assert_eq!(
            look(&tree, &["init"]).unwrap(),
            None,
            "a part of a name is another package"
        );
    }

    #[test]
    fn the_last_stanza_needs_no_empty_line() {
        let tree = MemoryTree::new().file(
            "/var/lib/dpkg/status",
            "Package: openssh-server\nStatus: hold ok installed\nVersion: 1:9.2p1-2",
        );
        assert_eq!(
            look(&tree, &["openssh-server"]).unwrap().unwrap().version,
            "1:9.2p1-2",
            "on hold, yet installed"
        );
    }

    #[test]
    fn other_databases_are_read_too() {
        let distroless = MemoryTree::new().file(
            "/var/lib/dpkg/status.d/cloud-init",
            "Package: cloud-init\nVersion: 25.1-1\n",
        );
        assert_eq!(look(&distroless, &["cloud-init"]).unwrap().unwrap().version, "25.1-1");
        let alpine = MemoryTree::new().file(
            "/lib/apk/db/installed",
            "C:Q1x=\nP:openssh\nV:9.9_p2-r0\n\nC:Q1y=\nP:cloud-init\nV:25.1.4-r0\nA:noarch\n\n",
        );
        let package = look(&alpine, &["cloud-init"]).unwrap().unwrap();
        assert_eq!(
            (package.version.as_str(), package.evidence.line),
            ("25.1.4-r0", Some(6))
        );
        let arch = MemoryTree::new()
            .file(
                "/var/lib/pacman/local/cloud-init-extra-1-1/desc",
                "%NAME%\ncloud-init-extra\n\n%VERSION%\n1-1\n",
            )
            .file(
                "/var/lib/pacman/local/cloud-init-25.2-1/desc",
                "%NAME%\ncloud-init\n\n%VERSION%\n25.2-1\n",
            );
        assert_eq!(look(&arch, &["cloud-init"]).unwrap().unwrap().version, "25.2-1");
    }

    #[test]
    fn rpm_is_named_and_not_guessed() {
        let tree = MemoryTree::new().file("/var/lib/rpm/Packages", "\0");
        let unknown = look(&tree, &["cloud-init"]).unwrap_err();
        assert_eq!(
            (unknown.code.as_str(), unknown.params["kind"].as_str()),
            ("package_database_not_read", "rpm-berkeley")
        );
    }
}
