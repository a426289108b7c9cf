//! Images made by the real tools, and what is in them, path by path.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{FileExt, MetadataExt, symlink},
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use lotse_disk::{Disk, FileSource};
use lotse_guest::{FileKind, FileTree, ext::Ext};

pub(crate) fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {errors}");
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A tree with everything that has a place of its own in the format; `many` files in one directory.
pub(crate) fn source_tree(folder: &Path, many: usize) -> PathBuf {
    let root = folder.join("tree");
    fs::create_dir_all(root.join("etc/ssh")).unwrap();
    fs::write(root.join("etc/hostname"), "lotse\n").unwrap();
    fs::write(
        root.join("etc/ssh/sshd_config"),
        "PasswordAuthentication no\n".repeat(40),
    )
    .unwrap();
    fs::write(root.join("empty"), "").unwrap();
    // Around the lengths at which inline data ends and goes on in an attribute.
    for len in [1, 59, 60, 61, 100, 130, 160, 1023, 1024, 1025, 4096, 65_536, 65_537] {
        fs::write(root.join(format!("length-{len}")), noise(len)).unwrap();
    }
    // Large enough for two levels of indirect blocks of 1 KiB.
    fs::write(root.join("large"), noise(700_000)).unwrap();
    let sparse = fs::File::create(root.join("sparse")).unwrap();
    for at in [0_u64, 50_000, 300_000, 1_000_000, 19_000_000] {
        sparse.write_all_at(b"island", at).unwrap();
    }
    let mut deep = root.clone();
    for level in 0..30 {
        deep = deep.join(format!("level-{level}"));
    }
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("bottom"), "deep\n").unwrap();
    for len in [1, 58, 59, 60, 61, 200, 1000] {
        symlink("t/".repeat(len).split_at(len).0, root.join(format!("link-{len}"))).unwrap();
    }
    symlink("../etc/hostname", root.join("etc/link")).unwrap();
    symlink("/etc/link", root.join("absolute")).unwrap();
    fs::create_dir(root.join("many")).unwrap();
    for index in 0..many {
        fs::write(
            root.join(format!("many/a-name-of-some-length-{index:05}")),
            format!("{index}\n"),
        )
        .unwrap();
    }
    fs::create_dir(root.join("few")).unwrap();
    for index in 0..5 {
        fs::write(root.join(format!("few/{index}")), "").unwrap();
    }
    root
}

pub(crate) fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64 ^ len as u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..len).map(|_| next()).collect()
}

/// What `lstat`, `readlink` and `read` tell of every path, for a host's folder and for a tree.
pub(crate) type Listing = BTreeMap<String, (FileKind, Option<u64>, u16, Vec<u8>)>;

pub(crate) fn host_listing(root: &Path) -> Listing {
    let mut listing = Listing::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let metadata = path.symlink_metadata().unwrap();
            let name = format!("/{}", text(path.strip_prefix(root).unwrap()));
            let mode = u16::try_from(metadata.mode() & 0o7777).unwrap();
            let entry = if metadata.is_dir() {
                folders.push(path);
                (FileKind::Directory, None, mode, Vec::new())
            } else if metadata.is_symlink() {
                let target = text(&fs::read_link(&path).unwrap()).as_bytes().to_vec();
                (FileKind::Symlink, Some(metadata.len()), mode, target)
            } else {
                (FileKind::File, Some(metadata.len()), mode, fs::read(&path).unwrap())
            };
            listing.insert(name, entry);
        }
    }
    listing
}

pub(crate) fn tree_listing(tree: &dyn FileTree) -> Listing {
    let mut listing = Listing::new();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        for name in tree.list(&folder).unwrap().unwrap() {
            if folder.is_empty() && name == "lost+found" {
                continue;
            }
            let path = format!("{folder}/{name}");
            let stat = tree.lstat(&path).unwrap().unwrap();
            let (size, content) = match stat.kind {
                FileKind::Directory => {
                    folders.push(path.clone());
                    (None, Vec::new())
                }
                FileKind::Symlink => (Some(stat.size), tree.read_link(&path).unwrap().unwrap().into_bytes()),
                _ => (Some(stat.size), tree.read(&path, 100_000_000).unwrap().unwrap()),
            };
            listing.insert(path, (stat.kind, size, stat.mode, content));
        }
    }
    listing
}

pub(crate) fn open(path: &Path) -> lotse_guest::Result<Ext> {
    let disk = Disk::open(Arc::new(FileSource::open(path).unwrap())).unwrap();
    Ext::open(&disk, 0, disk.len())
}

pub(crate) fn assert_same(ours: &Listing, theirs: &Listing, what: &str) {
    let names = |listing: &Listing| listing.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(ours), names(theirs), "{what}: names");
    for (path, entry) in theirs {
        let mine = &ours[path];
        assert_eq!((mine.0, mine.1, mine.2), (entry.0, entry.1, entry.2), "{what}: {path}");
        assert!(mine.3 == entry.3, "{what}: content of {path}");
    }
}
