//! One system's files with its filesystems joined as they are mounted, read so that "not there" is only said where it
//! is certain: what stands below the mount point of a filesystem that is not read is unknown.

use std::{
    collections::HashMap,
    sync::{Mutex, OnceLock, PoisonError},
};

use crate::{
    Error, FileKind, FileTree, Stat, Unknown,
    mounts::{Content, Planned},
    packages::{self, Database},
    services::systemd::Boot,
    tree::{MAX_LINKS, MAX_TARGET, parts},
};

/// Entries remembered, at most; a report asks for some hundreds.
const MAX_KNOWN: usize = 16 * 1024;

/// Mounts that are joined, at most.
const MAX_MOUNTS: usize = 256;

/// A root filesystem and what is mounted into it.
pub(crate) struct Files<'a> {
    /// The root first, then by depth of the mount point.
    mounts: Vec<Joined<'a>>,
    /// Entries by their path without links.
    known: Mutex<HashMap<String, Option<Entry>>>,
    /// The package databases, read when they are first asked for: large ones cost as much as all else together.
    packages: OnceLock<Vec<Database>>,
    /// What systemd starts, read when it is first asked for: several facts ask.
    boot: OnceLock<Boot>,
}

/// A mount in its place.
struct Joined<'a> {
    /// Absolute, without links and without a slash at its end; empty for the root.
    point: String,
    view: View<'a>,
}

enum View<'a> {
    /// What stands below this directory (without links, without a slash at its end) of a tree.
    Tree(&'a dyn FileTree, String),
    /// Files that are not read.
    Hidden,
    /// Perhaps files of something that is not on this disk; else what the filesystem below has.
    Elsewhere,
}

/// What is known of a path.
#[derive(Clone)]
struct Entry {
    stat: Stat,
    /// Where a link leads.
    target: Option<String>,
}

/// A path without links, and where it stands.
struct At<'a> {
    path: String,
    tree: &'a dyn FileTree,
    local: String,
    stat: Stat,
}

/// What could be read, or why it is not known.
pub(crate) type Read<T> = Result<T, Unknown>;

impl<'a> Files<'a> {
    /// A root alone on its disk: what its fstab names is elsewhere.
    #[cfg(test)]
    pub(crate) fn new(tree: &'a dyn FileTree) -> Read<Self> {
        static NONE: crate::volumes::Volumes = crate::volumes::Volumes::NONE;
        let alone = Self::joined(tree, "", &[]);
        Ok(Self::joined(tree, "", &crate::mounts::read(&alone, &NONE)?))
    }

    /// The directory `base` of a tree as `/`, and what is mounted into it.
    pub(crate) fn joined(tree: &'a dyn FileTree, base: &str, planned: &[Planned<'a>]) -> Self {
        let root = View::Tree(tree, base.to_owned());
        let mut files = Self {
            mounts: vec![Joined {
                point: String::new(),
                view: root,
            }],
            known: Mutex::default(),
            packages: OnceLock::new(),
            boot: OnceLock::new(),
        };
        let mut ordered: Vec<&Planned<'a>> = planned.iter().filter(|planned| planned.mount.point != "/").collect();
        ordered.sort_by_key(|planned| parts(&planned.mount.point).count());
        for planned in ordered.into_iter().take(MAX_MOUNTS) {
            files.mount(planned);
        }
        files
    }

    /// The package databases, read once.
    pub(crate) fn packages(&self) -> &[Database] {
        self.packages.get_or_init(|| packages::databases(self))
    }

    /// What systemd starts at boot.
    pub(crate) fn boot(&self) -> &Boot {
        self.boot.get_or_init(|| Boot::read(self))
    }

    fn mount(&mut self, planned: &Planned<'a>) {
        let view = match &planned.content {
            Content::Tree(tree, base) => View::Tree(*tree, base.clone()),
            Content::Bind(source) => match self.resolve(source, true) {
                Ok(Some(at)) => View::Tree(at.tree, at.local),
                Ok(None) => return,
                Err(_) => View::Hidden,
            },
            Content::Hidden => View::Hidden,
            Content::Elsewhere => View::Elsewhere,
            Content::Nothing => return,
        };
        let point = match self.resolve(&planned.mount.point, true) {
            Ok(Some(at)) => at.path,
            // systemd makes a mount point that is missing.
            Ok(None) => parts(&planned.mount.point).fold(String::new(), |path, part| path + "/" + part),
            // Below something that is not seen either.
            Err(_) => return,
        };
        if point.is_empty() {
            return;
        }
        self.mounts.push(Joined { point, view });
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Type, size and mode with links followed; `None` only where it is certain that nothing is there.
    pub(crate) fn stat(&self, path: &str) -> Read<Option<Stat>> {
        Ok(self.resolve(path, true)?.map(|at| at.stat))
    }

    /// Like [`Files::stat`], follows no link at the last step.
    pub(crate) fn lstat(&self, path: &str) -> Read<Option<Stat>> {
        Ok(self.resolve(path, false)?.map(|at| at.stat))
    }

    /// Is anything there, be it a link that leads nowhere?
    pub(crate) fn exists(&self, path: &str) -> Read<bool> {
        Ok(self.lstat(path)?.is_some())
    }

    /// A regular file's content, links followed.
    pub(crate) fn read(&self, path: &str, limit: usize) -> Read<Option<Vec<u8>>> {
        self.at(path, |at| at.tree.read(&at.local, limit))
    }

    /// The first bytes of a regular file, links followed.
    pub(crate) fn read_start(&self, path: &str, len: usize) -> Read<Option<Vec<u8>>> {
        self.at(path, |at| at.tree.read_start(&at.local, len))
    }

    /// Bytes of a regular file from `offset`, fewer at its end, links followed.
    pub(crate) fn read_at(&self, path: &str, offset: u64, len: usize) -> Read<Option<Vec<u8>>> {
        self.at(path, |at| at.tree.read_at(&at.local, offset, len))
    }

    /// A text file with everything that is not UTF-8 replaced.
    pub(crate) fn read_text(&self, path: &str, limit: usize) -> Read<Option<String>> {
        Ok(self
            .read(path, limit)?
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// Names in a directory in byte order; empty where there is none.
    pub(crate) fn list(&self, path: &str) -> Read<Vec<String>> {
        let Some(at) = self.resolve(path, true)? else {
            return Ok(Vec::new());
        };
        let names = at
            .tree
            .list(&at.local)
            .map_err(|error| unknown(&error))?
            .unwrap_or_default();
        // The empty directory is there to be mounted over.
        match self.elsewhere(&at.path) {
            Some(unknown) if names.is_empty() => Err(unknown),
            _ => Ok(names),
        }
    }

    /// Target of a symbolic link.
    pub(crate) fn read_link(&self, path: &str) -> Read<Option<String>> {
        let Some(at) = self.resolve(path, false)? else {
            return Ok(None);
        };
        Ok(self.entry(&at.path)?.and_then(|entry| entry.target))
    }

    /// The first of some paths that leads to a regular file.
    pub(crate) fn first_file<'p>(&self, paths: &[&'p str]) -> Read<Option<&'p str>> {
        for path in paths {
            if self.stat(path)?.is_some_and(|stat| stat.kind == FileKind::File) {
                return Ok(Some(path));
            }
        }
        Ok(None)
    }

    /// The path of what a path leads to, without links.
    pub(crate) fn real_path(&self, path: &str) -> Read<Option<String>> {
        Ok(self.resolve(path, true)?.map(|at| at.path))
    }

    fn at<T>(&self, path: &str, read: impl Fn(&At<'a>) -> Result<Option<T>, Error>) -> Read<Option<T>> {
        match self.resolve(path, true)? {
            Some(at) => read(&at).map_err(|error| unknown(&error)),
            None => Ok(None),
        }
    }

    /// Follows a path across all mounts; `None` only where it is certain that nothing is there.
    fn resolve(&self, path: &str, follow_last: bool) -> Read<Option<At<'a>>> {
        let mut links = 0;
        // The directories entered so far, without links.
        let mut at = String::new();
        let mut stat = self.entry("")?.map(|entry| entry.stat);
        // Parts still to go, the next one last.
        let mut rest: Vec<String> = parts(path).rev().map(str::to_owned).collect();
        while let Some(part) = rest.pop() {
            if part == ".." {
                at.truncate(at.rfind('/').unwrap_or(0));
                stat = self.entry(&at)?.map(|entry| entry.stat);
                continue;
            }
            if stat.is_none_or(|stat| stat.kind != FileKind::Directory) {
                return self.missing(&at);
            }
            let next = format!("{at}/{part}");
            let Some(entry) = self.entry(&next)? else {
                return self.missing(&next);
            };
            match entry.target {
                Some(target) if follow_last || !rest.is_empty() => {
                    links += 1;
                    if links > MAX_LINKS || target.is_empty() || target.len() > MAX_TARGET {
                        return Ok(None);
                    }
                    if target.starts_with('/') {
                        at.clear();
                        stat = self.entry("")?.map(|entry| entry.stat);
                    }
                    rest.extend(parts(&target).rev().map(str::to_owned));
                }
                _ => {
                    at = next;
                    stat = Some(entry.stat);
                }
            }
        }
        let Some(stat) = stat else { return Ok(None) };
        let (tree, local) = self.place(&at)?;
        Ok(Some(At {
            path: at,
            tree,
            local,
            stat,
        }))
    }

    /// What is at a path without links.
    fn entry(&self, path: &str) -> Read<Option<Entry>> {
        if let Some(entry) = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(path) {
            return Ok(entry.clone());
        }
        let (tree, local) = self.place(path)?;
        let entry = match tree.lstat(&local).map_err(|error| unknown(&error))? {
            Some(stat) if stat.kind == FileKind::Symlink => Some(Entry {
                stat,
                target: tree.read_link(&local).map_err(|error| unknown(&error))?,
            }),
            Some(stat) => Some(Entry { stat, target: None }),
            None => None,
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_KNOWN {
            known.clear();
        }
        known.insert(path.to_owned(), entry.clone());
        Ok(entry)
    }

    /// The tree in which a path without links stands, and its path there.
    fn place(&self, path: &str) -> Read<(&'a dyn FileTree, String)> {
        // Later mounts cover earlier ones.
        for mount in self.mounts.iter().rev() {
            let Some(rest) = below(path, &mount.point) else {
                continue;
            };
            match &mount.view {
                View::Tree(tree, base) => return Ok((*tree, format!("{base}{rest}"))),
                View::Hidden => return Err(on_other_filesystem(&mount.point)),
                View::Elsewhere => {}
            }
        }
        Err(Unknown::new("no_system"))
    }

    fn missing<T>(&self, path: &str) -> Read<Option<T>> {
        self.elsewhere(path).map_or(Ok(None), Err)
    }

    /// The reason why what is not found here may be there all the same.
    fn elsewhere(&self, path: &str) -> Option<Unknown> {
        let mount = self
            .mounts
            .iter()
            .rev()
            .find(|mount| below(path, &mount.point).is_some())?;
        matches!(mount.view, View::Elsewhere).then(|| on_other_filesystem(&mount.point))
    }
}

fn on_other_filesystem(point: &str) -> Unknown {
    Unknown::new("file_on_other_filesystem").with("mount", point)
}

/// A reader's error as a reason; what came from below the filesystem is told as one reason with the error's code.
pub(crate) fn unknown(error: &Error) -> Unknown {
    if Unknown::CODES.contains(&error.code()) {
        Unknown::from(error)
    } else {
        Unknown::new("disk_not_read").with("error", error.code())
    }
}

/// What is left of a path at or below a mount point.
fn below<'p>(path: &'p str, point: &str) -> Option<&'p str> {
    path.strip_prefix(point)
        .filter(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryTree;

    #[test]
    fn a_file_below_another_filesystem_is_not_said_to_be_missing() {
        let tree = MemoryTree::new()
            .file(
                "/etc/fstab",
                "# comment /etc\nUUID=1 / ext4 defaults 0 1\nUUID=2 /usr/ ext4 ro 0 2\nUUID=3 none swap\n",
            )
            .symlink("/sbin", "usr/sbin")
            .file("/usr/lib/os-release", "ID=debian\n");
        let files = Files::new(&tree).unwrap();
        let unknown = files.stat("/usr/sbin/sshd").unwrap_err();
        assert_eq!(
            (unknown.code.as_str(), unknown.params["mount"].as_str()),
            ("file_on_other_filesystem", "/usr")
        );
        assert!(files.stat("/sbin/init").is_err(), "a merged /usr hides /sbin as well");
        assert_eq!(files.stat("/etc/ssh").unwrap(), None, "the root itself is certain");
        assert_eq!(
            files.stat("/usrlocal").unwrap(),
            None,
            "a longer name is another directory"
        );
        assert!(
            files.stat("/usr/lib/os-release").unwrap().is_some(),
            "what is there is there"
        );
        assert!(
            files.list("/usr/bin").is_err(),
            "nothing is said of what is mounted over"
        );
        assert_eq!(files.list("/srv").unwrap(), Vec::<String>::new());
    }
}
