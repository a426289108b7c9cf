//! The files of one guest filesystem as the facts see them, whatever filesystem it is. Paths are resolved here, once,
//! inside the tree and never out of it.

use std::{collections::BTreeMap, sync::Arc};

use crate::{Error, Kind, error::Result};

/// Symbolic links followed in one path before it counts as a loop (Linux: `MAXSYMLINKS` in `include/linux/namei.h`).
pub(crate) const MAX_LINKS: u32 = 40;

/// Longest target of a symbolic link that is followed, in bytes (Linux: `PATH_MAX`).
pub(crate) const MAX_TARGET: usize = 4096;

/// What a directory entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A device, pipe or socket.
    Other,
}

/// A file's type, size and permissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// What it is.
    pub kind: FileKind,
    /// Size in bytes as the filesystem says; not bounded by anything.
    pub size: u64,
    /// The lower twelve bits of `st_mode`: permissions, set-id and sticky bits.
    pub mode: u16,
}

/// Read access by path to one filesystem. A path is absolute with or without its first slash; `..` stops at the root.
/// A path that no program could open (a missing part, a file where a directory should be, a loop of links) does not
/// exist. Names that are not UTF-8 are read with replacement characters.
pub trait FileTree: Send + Sync {
    /// File type, size, mode of a path; follows no link at the last step. `None` if it does not exist.
    ///
    /// # Errors
    /// When the filesystem cannot be read there.
    fn lstat(&self, path: &str) -> Result<Option<Stat>>;

    /// Like [`FileTree::lstat`] with symbolic links resolved: at most 40, absolute ones from the tree's root.
    ///
    /// # Errors
    /// When the filesystem cannot be read there.
    fn stat(&self, path: &str) -> Result<Option<Stat>>;

    /// Whole content, links followed. `None` if it does not exist or is no regular file.
    ///
    /// # Errors
    /// Code `file_too_large` above `limit` bytes; others when the filesystem cannot be read there.
    fn read(&self, path: &str, limit: usize) -> Result<Option<Vec<u8>>>;

    /// The first bytes of a file, at most `len`, links followed. `None` if it does not exist or is no regular file.
    ///
    /// # Errors
    /// When the filesystem cannot be read there.
    fn read_start(&self, path: &str, len: usize) -> Result<Option<Vec<u8>>>;

    /// At most `len` bytes of a file from `offset`, links followed; fewer only at its end, none beyond it. `None` if it
    /// does not exist or is no regular file. For files too large to be held in memory.
    ///
    /// # Errors
    /// When the filesystem cannot be read there.
    fn read_at(&self, path: &str, offset: u64, len: usize) -> Result<Option<Vec<u8>>>;

    /// Entry names in byte order without `.` and `..`, links followed. `None` if it is no directory.
    ///
    /// # Errors
    /// When the filesystem cannot be read there.
    fn list(&self, path: &str) -> Result<Option<Vec<String>>>;

    /// Target of a symbolic link itself. `None` if it does not exist or is no link.
    ///
    /// # Errors
    /// When the filesystem cannot be read there.
    fn read_link(&self, path: &str) -> Result<Option<String>>;

    /// How large it is and what of it is free; `None` where the filesystem does not tell.
    ///
    /// # Errors
    /// When its tables cannot be read.
    fn room(&self) -> Result<Option<Room>> {
        Ok(None)
    }
}

/// The size of a filesystem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// All of it in bytes, its own tables included.
    pub total: u64,
    /// Bytes that no file uses.
    pub free: u64,
}

/// What a filesystem offers below paths; whatever implements this is a [`FileTree`].
pub trait Nodes: Send + Sync {
    /// One file, directory or link: an inode.
    type Node: Clone;

    /// The root directory.
    ///
    /// # Errors
    /// When it cannot be read.
    fn root(&self) -> Result<Self::Node>;

    /// The entry `name` of a directory. Never called for anything but a directory, nor for `.` and `..`.
    ///
    /// # Errors
    /// When the directory or the entry's inode cannot be read.
    fn lookup(&self, directory: &Self::Node, name: &str) -> Result<Option<Self::Node>>;

    /// Type, size and mode.
    fn stat_of(&self, node: &Self::Node) -> Stat;

    /// The first bytes of a regular file, at most `len`; all of it when it is shorter.
    ///
    /// # Errors
    /// When they cannot be read.
    fn content(&self, file: &Self::Node, len: usize) -> Result<Vec<u8>>;

    /// At most `len` bytes of a regular file from `offset`; fewer only at its end. What stands here reads all before
    /// `offset` as well: a filesystem with large files has a way of its own.
    ///
    /// # Errors
    /// When they cannot be read.
    fn content_at(&self, file: &Self::Node, offset: u64, len: usize) -> Result<Vec<u8>> {
        let Ok(offset) = usize::try_from(offset) else {
            return Ok(Vec::new());
        };
        let mut bytes = self.content(file, offset.saturating_add(len))?;
        Ok(bytes.split_off(offset.min(bytes.len())))
    }

    /// Names in a directory without `.` and `..`, in any order.
    ///
    /// # Errors
    /// When it cannot be read.
    fn names(&self, directory: &Self::Node) -> Result<Vec<String>>;

    /// The target of a symbolic link.
    ///
    /// # Errors
    /// When it cannot be read.
    fn target(&self, link: &Self::Node) -> Result<String>;

    /// How large it is and what of it is free; `None` where that is not told.
    ///
    /// # Errors
    /// When its tables cannot be read.
    fn room(&self) -> Result<Option<Room>> {
        Ok(None)
    }
}

/// Follows a path from the root; `None` if it does not exist.
fn resolve<T: Nodes + ?Sized>(tree: &T, path: &str, follow_last: bool) -> Result<Option<T::Node>> {
    let mut links = 0;
    // The directories entered so far, so that `..` after a symbolic link leaves the link's target.
    let mut entered = vec![tree.root()?];
    // Parts still to go, the next one last.
    let mut rest: Vec<String> = parts(path).rev().map(str::to_owned).collect();
    while let Some(part) = rest.pop() {
        if part == ".." {
            if entered.len() > 1 {
                entered.pop();
            }
            continue;
        }
        let Some(directory) = entered.last() else {
            return Ok(None);
        };
        if tree.stat_of(directory).kind != FileKind::Directory {
            return Ok(None);
        }
        let Some(node) = tree.lookup(directory, &part)? else {
            return Ok(None);
        };
        if tree.stat_of(&node).kind == FileKind::Symlink && (follow_last || !rest.is_empty()) {
            links += 1;
            if links > MAX_LINKS {
                return Ok(None);
            }
            let target = tree.target(&node)?;
            if target.is_empty() || target.len() > MAX_TARGET {
                return Ok(None);
            }
            if target.starts_with('/') {
                entered.truncate(1);
            }
            rest.extend(parts(&target).rev().map(str::to_owned));
        } else {
            entered.push(node);
        }
    }
    Ok(entered.pop())
}

pub(crate) fn parts(path: &str) -> impl DoubleEndedIterator<Item = &str> {
    path.split('/').filter(|part| !part.is_empty() && *part != ".")
}

impl<T: Nodes> FileTree for T {
    fn lstat(&self, path: &str) -> Result<Option<Stat>> {
        Ok(resolve(self, path, false)?.map(|node| self.stat_of(&node)))
    }

    fn stat(&self, path: &str) -> Result<Option<Stat>> {
        Ok(resolve(self, path, true)?.map(|node| self.stat_of(&node)))
    }

    fn read(&self, path: &str, limit: usize) -> Result<Option<Vec<u8>>> {
        let Some(node) = resolve(self, path, true)? else {
            return Ok(None);
        };
        let stat = self.stat_of(&node);
        if stat.kind != FileKind::File {
            return Ok(None);
        }
        if stat.size > limit as u64 {
            let error = Error::new(Kind::Refused, "file_too_large");
            return Err(error.with("path", path).with("size", stat.size).with("limit", limit));
        }
        self.content(&node, limit).map(Some)
    }

    fn read_start(&self, path: &str, len: usize) -> Result<Option<Vec<u8>>> {
        match resolve(self, path, true)? {
            Some(node) if self.stat_of(&node).kind == FileKind::File => self.content(&node, len).map(Some),
            _ => Ok(None),
        }
    }

    fn read_at(&self, path: &str, offset: u64, len: usize) -> Result<Option<Vec<u8>>> {
        match resolve(self, path, true)? {
            Some(node) if self.stat_of(&node).kind == FileKind::File => self.content_at(&node, offset, len).map(Some),
            _ => Ok(None),
        }
    }

    fn list(&self, path: &str) -> Result<Option<Vec<String>>> {
        match resolve(self, path, true)? {
            Some(node) if self.stat_of(&node).kind == FileKind::Directory => {
                let mut names = self.names(&node)?;
                names.sort_unstable();
                Ok(Some(names))
            }
            _ => Ok(None),
        }
    }

    fn read_link(&self, path: &str) -> Result<Option<String>> {
        match resolve(self, path, false)? {
            Some(node) if self.stat_of(&node).kind == FileKind::Symlink => self.target(&node).map(Some),
            _ => Ok(None),
        }
    }

    fn room(&self) -> Result<Option<Room>> {
        Nodes::room(self)
    }
}

/// A tree in memory, built by hand: small systems for the tests of facts. Missing directories are made on the way.
#[derive(Debug, Clone)]
pub struct MemoryTree {
    root: Arc<MemoryNode>,
}

/// One entry of a [`MemoryTree`].
#[derive(Debug, Clone)]
pub enum MemoryNode {
    /// Content and mode.
    File(Arc<[u8]>, u16),
    /// Entries by name.
    Directory(BTreeMap<String, Arc<MemoryNode>>),
    /// Target.
    Symlink(String),
    /// A file whose content cannot be read.
    Unreadable(Error),
}

impl Default for MemoryTree {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryTree {
    /// An empty root directory.
    pub fn new() -> Self {
        Self {
            root: Arc::new(MemoryNode::Directory(BTreeMap::new())),
        }
    }

    /// Adds or replaces a file with mode 0644.
    #[must_use]
    pub fn file(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.put(path, MemoryNode::File(content.as_ref().into(), 0o644))
    }

    /// Adds or replaces a file with the lower twelve bits of its mode.
    #[must_use]
    pub fn file_with_mode(self, path: &str, content: impl AsRef<[u8]>, mode: u16) -> Self {
        self.put(path, MemoryNode::File(content.as_ref().into(), mode))
    }

    /// Adds or replaces a file with mode 0755.
    #[must_use]
    pub fn program(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.put(path, MemoryNode::File(content.as_ref().into(), 0o755))
    }

    /// Adds an empty directory.
    #[must_use]
    pub fn dir(self, path: &str) -> Self {
        self.put(path, MemoryNode::Directory(BTreeMap::new()))
    }

    /// Adds or replaces a symbolic link.
    #[must_use]
    pub fn symlink(self, path: &str, target: &str) -> Self {
        self.put(path, MemoryNode::Symlink(target.to_owned()))
    }

    /// Adds a file whose content gives an error when it is read.
    #[must_use]
    pub fn unreadable(self, path: &str, error: Error) -> Self {
        self.put(path, MemoryNode::Unreadable(error))
    }

    /// Takes away a file, a link or a directory with all that is in it.
    #[must_use]
    pub fn without(mut self, path: &str) -> Self {
        let names: Vec<&str> = parts(path).collect();
        Arc::make_mut(&mut self.root).set(&names, None);
        self
    }

    fn put(mut self, path: &str, node: MemoryNode) -> Self {
        let names: Vec<&str> = parts(path).collect();
        Arc::make_mut(&mut self.root).set(&names, Some(node));
        self
    }
}

impl MemoryNode {
    /// Sets the entry at the end of a path, or takes it away.
    fn set(&mut self, names: &[&str], node: Option<MemoryNode>) {
        let Some((name, rest)) = names.split_first() else {
            return;
        };
        if !matches!(self, Self::Directory(_)) {
            *self = Self::Directory(BTreeMap::new());
        }
        let Self::Directory(entries) = self else { return };
        match node {
            None if rest.is_empty() => {
                entries.remove(*name);
            }
            None => {
                if let Some(entry) = entries.get_mut(*name) {
                    Arc::make_mut(entry).set(rest, None);
                }
            }
            Some(node) if rest.is_empty() => {
                entries.insert((*name).to_owned(), Arc::new(node));
            }
            Some(node) => {
                let entry = entries
                    .entry((*name).to_owned())
                    .or_insert_with(|| Arc::new(Self::Directory(BTreeMap::new())));
                Arc::make_mut(entry).set(rest, Some(node));
            }
        }
    }
}

impl Nodes for MemoryTree {
    type Node = Arc<MemoryNode>;

    fn root(&self) -> Result<Self::Node> {
        Ok(Arc::clone(&self.root))
    }

    fn lookup(&self, directory: &Self::Node, name: &str) -> Result<Option<Self::Node>> {
        Ok(match &**directory {
            MemoryNode::Directory(entries) => entries.get(name).cloned(),
            _ => None,
        })
    }

    fn stat_of(&self, node: &Self::Node) -> Stat {
        match &**node {
            MemoryNode::File(content, mode) => Stat {
                kind: FileKind::File,
                size: content.len() as u64,
                mode: *mode,
            },
            MemoryNode::Directory(_) => Stat {
                kind: FileKind::Directory,
                size: 4096,
                mode: 0o755,
            },
            MemoryNode::Symlink(target) => Stat {
                kind: FileKind::Symlink,
                size: target.len() as u64,
                mode: 0o777,
            },
            MemoryNode::Unreadable(_) => Stat {
                kind: FileKind::File,
                size: 0,
                mode: 0o644,
            },
        }
    }

    fn content(&self, file: &Self::Node, len: usize) -> Result<Vec<u8>> {
        match &**file {
            MemoryNode::File(content, _) => Ok(content.iter().take(len).copied().collect()),
            MemoryNode::Unreadable(error) => Err(error.clone()),
            MemoryNode::Directory(_) | MemoryNode::Symlink(_) => Ok(Vec::new()),
        }
    }

    fn content_at(&self, file: &Self::Node, offset: u64, len: usize) -> Result<Vec<u8>> {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        match &**file {
            MemoryNode::File(content, _) => Ok(content.iter().skip(offset).take(len).copied().collect()),
            _ => self.content(file, len),
        }
    }

    fn names(&self, directory: &Self::Node) -> Result<Vec<String>> {
        Ok(match &**directory {
            MemoryNode::Directory(entries) => entries.keys().cloned().collect(),
            _ => Vec::new(),
        })
    }

    fn target(&self, link: &Self::Node) -> Result<String> {
        Ok(match &**link {
            MemoryNode::Symlink(target) => target.clone(),
            _ => String::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> MemoryTree {
        MemoryTree::new()
            .file("/usr/lib/os-release", "ID=debian\n")
            .symlink("/etc/os-release", "../usr/lib/os-release")
            .symlink("/lib", "usr/lib")
            .symlink("/etc/absolute", "/lib/os-release")
            .symlink("/etc/above", "../../../../../usr/lib/os-release")
            .symlink("/loop", "/loop")
            .symlink("/dangling", "/nowhere")
    }

    #[test]
    fn links_are_followed_inside_the_tree() {
        let tree = tree();
        for path in [
            "/etc/os-release",
            "etc/os-release",
            "/lib/os-release",
            "/etc/absolute",
            "/etc/above",
            "//etc/./absolute",
        ] {
            assert_eq!(
                tree.read(path, 100).unwrap().as_deref(),
                Some(&b"ID=debian\n"[..]),
                "{path}"
            );
        }
        assert_eq!(
            tree.lstat("/lib").unwrap().unwrap().kind,
            FileKind::Symlink,
            "the last step is not followed"
        );
        assert_eq!(tree.stat("/lib").unwrap().unwrap().kind, FileKind::Directory);
        assert_eq!(
            tree.stat("/lib/../../etc/os-release").unwrap().unwrap().kind,
            FileKind::File,
            ".. of a link's target"
        );
        assert_eq!(tree.read_link("/lib").unwrap().as_deref(), Some("usr/lib"));
        assert_eq!(
            tree.list("/").unwrap().unwrap(),
            ["dangling", "etc", "lib", "loop", "usr"]
        );
    }

    #[test]
    fn what_no_program_could_open_does_not_exist() {
        let tree = tree();
        for path in ["/loop", "/dangling", "/nowhere/file", "/usr/lib/os-release/file"] {
            assert_eq!(tree.stat(path).unwrap(), None, "{path}");
            assert_eq!(tree.read(path, 100).unwrap(), None, "{path}");
            assert_eq!(tree.list(path).unwrap(), None, "{path}");
        }
        assert!(tree.lstat("/dangling").unwrap().is_some(), "the link itself is there");
        assert_eq!(tree.read("/usr", 100).unwrap(), None, "a directory has no content");
        assert_eq!(tree.list("/usr/lib/os-release").unwrap(), None);
    }

    #[test]
    fn a_long_file_is_an_error_and_its_start_can_be_read() {
        let tree = tree();
        assert_eq!(tree.read("/lib/os-release", 5).unwrap_err().code(), "file_too_large");
        assert_eq!(
            tree.read_start("/lib/os-release", 2).unwrap().as_deref(),
            Some(&b"ID"[..])
        );
        assert_eq!(
            tree.read_at("/lib/os-release", 3, 4).unwrap().as_deref(),
            Some(&b"debi"[..])
        );
        assert_eq!(
            tree.read_at("/lib/os-release", 9, 100).unwrap().as_deref(),
            Some(&b"\n"[..]),
            "fewer at the end"
        );
        assert_eq!(
            tree.read_at("/lib/os-release", u64::MAX, 1).unwrap().as_deref(),
            Some(&b""[..])
        );
        assert_eq!(tree.read_at("/usr", 0, 1).unwrap(), None);
    }

    #[test]
    fn the_builder_replaces_and_removes() {
        let tree = tree()
            .file("/etc/os-release", "x")
            .without("/usr/lib")
            .unreadable("/bad", Error::new(Kind::Io, "journal_dirty"));
        assert_eq!(tree.read("/etc/os-release", 10).unwrap().as_deref(), Some(&b"x"[..]));
        assert_eq!(tree.list("/usr").unwrap().unwrap(), Vec::<String>::new());
        assert_eq!(tree.read("/bad", 10).unwrap_err().code(), "journal_dirty");
    }
}
