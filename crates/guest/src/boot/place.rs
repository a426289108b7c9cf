//! Where a boot loader's files are: in the system as it is mounted, or in a volume by itself.

use crate::{
    FileKind, FileTree, Unknown,
    files::{self, Files, Read},
    volumes::{Found, Volumes},
};

/// Files by path.
#[derive(Clone, Copy)]
pub(super) enum Tree<'a> {
    /// Of the system.
    System(&'a Files<'a>),
    /// Of one volume.
    Volume(&'a dyn FileTree),
}

impl Tree<'_> {
    pub(super) fn is_file(&self, path: &str) -> Read<bool> {
        let stat = match self {
            Self::System(files) => files.stat(path)?,
            Self::Volume(tree) => certain(tree.stat(path))?,
        };
        Ok(stat.is_some_and(|stat| stat.kind == FileKind::File))
    }

    pub(super) fn read_text(&self, path: &str, limit: usize) -> Read<Option<String>> {
        let bytes = match self {
            Self::System(files) => files.read(path, limit)?,
            Self::Volume(tree) => certain(tree.read(path, limit))?,
        };
        Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    pub(super) fn read_at(&self, path: &str, offset: u64, len: usize) -> Read<Vec<u8>> {
        let bytes = match self {
            Self::System(files) => files.read_at(path, offset, len)?,
            Self::Volume(tree) => certain(tree.read_at(path, offset, len))?,
        };
        Ok(bytes.unwrap_or_default())
    }

    pub(super) fn list(&self, path: &str) -> Read<Vec<String>> {
        match self {
            Self::System(files) => files.list(path),
            Self::Volume(tree) => Ok(certain(tree.list(path))?.unwrap_or_default()),
        }
    }
}

fn certain<T>(result: crate::Result<T>) -> Read<T> {
    result.map_err(|error| files::unknown(&error))
}

/// A directory that may be `/boot` or the root of what a boot loader sees.
#[derive(Clone)]
pub(super) struct Base<'a> {
    pub(super) tree: Tree<'a>,
    /// Without a slash at its end.
    pub(super) folder: String,
}

/// All of them, the system's own first.
pub(super) fn bases<'a>(files: Option<&'a Files<'a>>, volumes: &'a Volumes) -> Vec<Base<'a>> {
    let base = |tree, folder: &str| Base {
        tree,
        folder: folder.to_owned(),
    };
    let system = files
        .into_iter()
        .flat_map(|files| ["/boot", "/boot/efi", "/efi", ""].map(|folder| base(Tree::System(files), folder)));
    let trees = volumes.list().iter().filter_map(|opened| opened.files());
    let others = trees.flat_map(|tree| ["", "/boot"].map(|folder| base(Tree::Volume(tree), folder)));
    system.chain(others).collect()
}

/// A file that an entry names.
pub(super) enum Located<'a> {
    /// Here; the path is that in the system where it can be told.
    At(Tree<'a>, String),
    /// Certainly nowhere.
    Missing,
    /// Perhaps somewhere.
    NotKnown(Unknown),
}

/// Looks for a file as a boot loader names it: `device` is the volume to which the path refers if the entry says so,
/// `folder` the directory of the configuration.
pub(super) fn locate<'a>(
    path: &str,
    device: Option<&str>,
    folder: &str,
    bases: &[Base<'a>],
    volumes: &'a Volumes,
) -> Located<'a> {
    // `(hd0,gpt1)/vmlinuz`, `($root)/vmlinuz`.
    let path = match path.strip_prefix('(').and_then(|rest| rest.split_once(')')) {
        Some((_, rest)) => rest,
        None => path,
    };
    // UEFI's own way of writing a path.
    let path = path.replace('\\', "/");
    let local = if path.starts_with('/') {
        path.clone()
    } else {
        format!("{folder}/{path}")
    };
    let mut unknown = None;
    let mut there = |tree: Tree<'a>, path: &str| match tree.is_file(path) {
        Ok(there) => there,
        Err(reason) => {
            unknown.get_or_insert(reason);
            false
        }
    };
    let shown = bases.iter().filter(|base| matches!(base.tree, Tree::System(_)));
    let mut in_system: Vec<(Tree<'a>, String)> = shown
        .map(|base| (base.tree, format!("{}{local}", base.folder)))
        .collect();
    // The path as it is comes before the same below a mount point.
    in_system.reverse();
    let volume = device.map(|device| volumes.find(device));
    if let Some(Found::One(opened)) = volume
        && let Some(tree) = opened.files()
    {
        let tree = Tree::Volume(tree);
        if !there(tree, &local) {
            return match unknown {
                Some(unknown) => Located::NotKnown(unknown),
                None => Located::Missing,
            };
        }
        let known = in_system
            .into_iter()
            .find(|(tree, path)| tree.is_file(path) == Ok(true));
        return known.map_or(Located::At(tree, local), |(tree, path)| Located::At(tree, path));
    }
    for (tree, path) in in_system {
        if there(tree, &path) {
            return Located::At(tree, path);
        }
    }
    for base in bases {
        if matches!(base.tree, Tree::Volume(_)) && base.folder.is_empty() && there(base.tree, &local) {
            return Located::At(base.tree, local);
        }
    }
    match (unknown, volume) {
        (Some(unknown), _) => Located::NotKnown(unknown),
        // A filesystem that is on this disk but not read, or on another disk.
        (None, Some(Found::One(opened))) => Located::NotKnown(
            Unknown::new("filesystem_not_read").with("filesystem", opened.filesystem.as_deref().unwrap_or_default()),
        ),
        (None, _) => Located::Missing,
    }
}
