//! The root's files, read so that "not there" is only said where it is certain: what stands below the mount point of
//! another filesystem is unknown, and so is what cannot be read.

use crate::{Error, FileTree, Stat, Unknown};

/// Largest `/etc/fstab` that is read, in bytes.
const FSTAB_LIMIT: usize = 1 << 20;

/// Directories that a merged `/usr` replaces by links.
const USR_LINKS: &[&str] = &["/bin", "/sbin", "/lib", "/lib32", "/lib64"];

/// A root filesystem and where others are mounted into it.
pub(crate) struct Files<'a> {
    tree: &'a dyn FileTree,
    /// Mount points of other filesystems whose files are not seen here, without a slash at their end.
    elsewhere: Vec<String>,
}

/// What could be read, or why it is not known.
pub(crate) type Read<T> = Result<T, Unknown>;

impl<'a> Files<'a> {
    /// Reads the mount points from `/etc/fstab`.
    pub(crate) fn new(tree: &'a dyn FileTree) -> Read<Self> {
        let fstab = tree
            .read("/etc/fstab", FSTAB_LIMIT)
            .map_err(|error| unknown(&error))?
            .unwrap_or_default();
        let mut elsewhere = mount_points(&String::from_utf8_lossy(&fstab));
        if elsewhere.iter().any(|point| point == "/usr") {
            for link in USR_LINKS {
                if tree.read_link(link).map_err(|error| unknown(&error))?.is_some() {
                    elsewhere.push((*link).to_owned());
                }
            }
        }
        Ok(Self { tree, elsewhere })
    }

    /// Type, size and mode with links followed; `None` only where it is certain that nothing is there.
    pub(crate) fn stat(&self, path: &str) -> Read<Option<Stat>> {
        self.certain(path, self.tree.stat(path))
    }

    /// Like [`Files::stat`], follows no link at the last step.
    pub(crate) fn lstat(&self, path: &str) -> Read<Option<Stat>> {
        self.certain(path, self.tree.lstat(path))
    }

    /// Is anything there, be it a link that leads nowhere?
    pub(crate) fn exists(&self, path: &str) -> Read<bool> {
        Ok(self.lstat(path)?.is_some())
    }

    /// A regular file's content, links followed.
    pub(crate) fn read(&self, path: &str, limit: usize) -> Read<Option<Vec<u8>>> {
        self.certain(path, self.tree.read(path, limit))
    }

    /// The first bytes of a regular file, links followed.
    pub(crate) fn read_start(&self, path: &str, len: usize) -> Read<Option<Vec<u8>>> {
        self.certain(path, self.tree.read_start(path, len))
    }

    /// A text file with everything that is not UTF-8 replaced.
    pub(crate) fn read_text(&self, path: &str, limit: usize) -> Read<Option<String>> {
        Ok(self
            .read(path, limit)?
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// Names in a directory in byte order; empty where there is none.
    pub(crate) fn list(&self, path: &str) -> Read<Vec<String>> {
        Ok(self.certain(path, self.tree.list(path))?.unwrap_or_default())
    }

    /// Target of a symbolic link.
    pub(crate) fn read_link(&self, path: &str) -> Read<Option<String>> {
        self.certain(path, self.tree.read_link(path))
    }

    /// The first of some paths that leads to a regular file.
    pub(crate) fn first_file<'p>(&self, paths: &[&'p str]) -> Read<Option<&'p str>> {
        for path in paths {
            if self.stat(path)?.is_some_and(|stat| stat.kind == crate::FileKind::File) {
                return Ok(Some(path));
            }
        }
        Ok(None)
    }

    fn certain<T>(&self, path: &str, result: Result<Option<T>, Error>) -> Read<Option<T>> {
        match result {
            Err(error) => Err(unknown(&error)),
            Ok(None) => match self.elsewhere.iter().find(|point| is_below(path, point)) {
                Some(point) => Err(Unknown::new("file_on_other_filesystem").with("mount", point)),
                None => Ok(None),
            },
            Ok(found) => Ok(found),
        }
    }
}

/// A reader's error as a reason; what came from below the filesystem is told as one reason with the error's code.
pub(crate) fn unknown(error: &Error) -> Unknown {
    if Unknown::CODES.contains(&error.code()) {
        Unknown::from(error)
    } else {
        Unknown::new("disk_not_read").with("error", error.code())
    }
}

fn is_below(path: &str, point: &str) -> bool {
    path.strip_prefix(point)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Mount points below `/` that `fstab(5)` names; an octal escape (`\040`) stands for a space there and is left as it is.
fn mount_points(fstab: &str) -> Vec<String> {
    let lines = fstab.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let points = lines.filter_map(|line| line.split_ascii_whitespace().nth(1));
    points
        .map(|point| point.trim_end_matches('/'))
        .filter(|point| point.starts_with('/'))
        .map(str::to_owned)
        .collect()
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
    }
}
