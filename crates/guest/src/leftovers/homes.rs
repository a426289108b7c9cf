//! The home directories in which people leave things, and the histories in them.

use std::collections::BTreeMap;

use crate::{
    FileKind, Unknown,
    facts::Found,
    files::{Files, Read},
};

use super::{found, is_filled, names};

/// Largest `/etc/passwd` that is read, in bytes.
const PASSWD_LIMIT: usize = 4 << 20;

/// Most home directories that are looked into; an image is no directory server.
const MAX_HOMES: usize = 500;

/// Where homes are found without an entry in `/etc/passwd`; the second is FreeBSD's.
const HOME_FOLDERS: &[&str] = &["/home", "/usr/home"];

/// Daemons have these as their homes; nobody keeps anything there.
const NO_HOMES: &[&str] = &[
    "/bin",
    "/sbin",
    "/usr",
    "/dev",
    "/run",
    "/var/run",
    "/proc",
    "/nonexistent",
    "/lib",
];

/// Programs that write what was typed, and where in a home they do.
const HISTORIES: &[(&str, &str)] = &[
    ("bash", ".bash_history"),
    ("zsh", ".zsh_history"),
    ("zsh", ".zhistory"),
    ("zsh", ".histfile"),
    ("sh", ".sh_history"),
    ("sh", ".ash_history"),
    ("ksh", ".ksh_history"),
    ("csh", ".history"),
    ("fish", ".local/share/fish/fish_history"),
    ("mysql", ".mysql_history"),
    ("mysql", ".mariadb_history"),
    ("postgresql", ".psql_history"),
    ("sqlite", ".sqlite_history"),
    ("redis", ".rediscli_history"),
    ("mongodb", ".dbshell"),
    ("mongodb", ".mongodb/mongosh/mongosh_repl_history"),
    ("python", ".python_history"),
    ("node", ".node_repl_history"),
    ("less", ".lesshst"),
    ("vim", ".viminfo"),
];

/// A home directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Home {
    pub(super) path: String,
    pub(super) user: Option<String>,
    /// What stands directly in it.
    names: Vec<String>,
}

impl Home {
    /// The path of something in it, where its first part is there.
    pub(super) fn at(&self, path: &str) -> Option<String> {
        let first = path.split('/').next().unwrap_or_default();
        let is_there = self.names.binary_search_by(|name| name.as_str().cmp(first)).is_ok();
        is_there.then(|| format!("{}/{path}", self.path))
    }

    /// What stands directly in it.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }
}

/// The homes of everybody who may log in, and every directory in `/home`.
///
/// # Errors
/// `too_much_to_read` when there are more than an image has.
pub(super) fn read(files: &Files<'_>) -> Read<Vec<Home>> {
    let mut users: BTreeMap<String, Option<String>> = BTreeMap::new();
    users.insert("/root".to_owned(), Some("root".to_owned()));
    let passwd = files.read_text("/etc/passwd", PASSWD_LIMIT)?.unwrap_or_default();
    for (user, home) in passwd.lines().filter_map(user_and_home) {
        users.insert(home.to_owned(), Some(user.to_owned()));
    }
    for folder in HOME_FOLDERS {
        for name in names(files, folder)? {
            users.entry(format!("{folder}/{name}")).or_insert(None);
        }
    }
    if users.len() > MAX_HOMES {
        return Err(Unknown::new("too_much_to_read").with("path", "/home"));
    }
    let mut homes = Vec::new();
    for (path, user) in users {
        let is_folder = files.stat(&path)?.is_some_and(|stat| stat.kind == FileKind::Directory);
        if is_folder {
            let names = names(files, &path)?;
            homes.push(Home { path, user, names });
        }
    }
    Ok(homes)
}

/// One line of passwd(5) of somebody who may log in.
fn user_and_home(line: &str) -> Option<(&str, &str)> {
    let fields: Vec<&str> = line.split(':').collect();
    let &[user, _, _, _, _, home, ref shell @ ..] = fields.as_slice() else {
        return None;
    };
    let shell = shell.first().copied().unwrap_or_default();
    let home = home.trim_end_matches('/');
    let may_log_in = !shell.ends_with("/nologin") && !shell.ends_with("/false");
    let is_home = home.starts_with('/') && (home.starts_with("/usr/home/") || !is_below_any(home, NO_HOMES));
    (may_log_in && is_home && !user.is_empty()).then_some((user, home))
}

fn is_below_any(path: &str, folders: &[&str]) -> bool {
    folders.iter().any(|folder| {
        path.strip_prefix(folder)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

/// Histories that are not empty.
pub(super) fn histories(files: &Files<'_>, homes: &[Home]) -> Read<Vec<Found>> {
    let mut all = Vec::new();
    for home in homes {
        for (program, path) in HISTORIES {
            if let Some(path) = home.at(path)
                && is_filled(files, &path)?
            {
                all.push(found(program, path));
            }
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryTree;

    #[test]
    fn people_have_homes_and_daemons_have_none() {
        let tree = MemoryTree::new()
            .file(
                "/etc/passwd",
                "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n\
                 sync:x:4:65534:sync:/bin:/bin/sync\npostgres:x:110:115::/var/lib/postgresql:/bin/bash\n\
                 anna:x:1000:1000:Anna,,,:/home/anna:/bin/zsh\ngone:x:1001:1001::/home/gone:/bin/sh\nbroken\n",
            )
            .dir("/root")
            .dir("/bin")
            .file("/var/lib/postgresql/.psql_history", "select 1;\n")
            .file("/home/anna/.bash_history", "")
            .file("/home/anna/.zsh_history", "ls\n")
            .file("/home/berta/.bash_history", "ls\n")
            .file("/home/lost+found", "");
        let files = Files::new(&tree).unwrap();
        let homes = read(&files).unwrap();
        let users: Vec<_> = homes
            .iter()
            .map(|home| (home.path.as_str(), home.user.as_deref()))
            .collect();
        assert_eq!(
            users,
            [
                ("/home/anna", Some("anna")),
                ("/home/berta", None),
                ("/root", Some("root")),
                ("/var/lib/postgresql", Some("postgres")),
            ]
        );
        let found = histories(&files, &homes).unwrap();
        let paths: Vec<_> = found
            .iter()
            .map(|found| (found.kind.as_str(), found.path.as_str()))
            .collect();
        assert_eq!(
            paths,
            [
                ("zsh", "/home/anna/.zsh_history"),
                ("bash", "/home/berta/.bash_history"),
                ("postgresql", "/var/lib/postgresql/.psql_history"),
            ],
            "an empty history tells nothing"
        );
    }

    #[test]
    fn too_many_homes_are_not_read() {
        let mut tree = MemoryTree::new();
        for number in 0..=MAX_HOMES {
            tree = tree.dir(&format!("/home/user{number}"));
        }
        assert_eq!(read(&Files::new(&tree).unwrap()).unwrap_err().code, "too_much_to_read");
    }
}
