//! Filesystems made by the real mke2fs in many feature sets, compared file by file with what went in.
#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot make its image has failed"
)]

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{FileExt, MetadataExt, symlink},
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use lotse_disk::{Disk, FileSource, MemorySource};
use lotse_guest::{FileKind, FileTree, ext::Ext, filesystem};
use proptest::prelude::*;

fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {errors}");
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A tree with everything that has a place of its own in the format; `many` files in one directory.
fn source_tree(folder: &Path, many: usize) -> PathBuf {
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
        symlink("t".repeat(len), root.join(format!("link-{len}"))).unwrap();
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

fn noise(len: usize) -> Vec<u8> {
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
type Listing = BTreeMap<String, (FileKind, Option<u64>, u16, Vec<u8>)>;

fn host_listing(root: &Path) -> Listing {
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

fn tree_listing(tree: &dyn FileTree) -> Listing {
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

fn open(path: &Path) -> lotse_guest::Result<Ext> {
    let disk = Disk::open(Arc::new(FileSource::open(path).unwrap())).unwrap();
    Ext::open(&disk, 0, disk.len())
}

fn assert_same(ours: &Listing, theirs: &Listing, what: &str) {
    let names = |listing: &Listing| listing.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(ours), names(theirs), "{what}: names");
    for (path, entry) in theirs {
        let mine = &ours[path];
        assert_eq!((mine.0, mine.1, mine.2), (entry.0, entry.1, entry.2), "{what}: {path}");
        assert!(mine.3 == entry.3, "{what}: content of {path}");
    }
}

/// Compares the whole and the free space, UUID and label with what dumpe2fs says.
fn assert_counts(ext: &Ext, image: &Path, what: &str) {
    let output = Command::new("dumpe2fs").args(["-h", text(image)]).output().unwrap();
    let output = String::from_utf8_lossy(&output.stdout).into_owned();
    let field = |name: &str| {
        let line = output.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("{what}: {name} in {output}")).trim()
    };
    let number = |name: &str| field(name).parse::<u64>().unwrap();
    let block = number("Block size:");
    assert_eq!(ext.total_bytes(), number("Block count:") * block, "{what}: total");
    assert_eq!(
        ext.free_bytes().unwrap(),
        number("Free blocks:") * block,
        "{what}: free"
    );
    assert_eq!(ext.uuid().as_deref(), Some(field("Filesystem UUID:")), "{what}");
    assert_eq!(ext.label().as_deref(), Some(field("Filesystem volume name:")), "{what}");
    assert!(ext.was_unmounted_cleanly(), "{what}: mke2fs leaves it clean");
}

#[test]
fn every_feature_set_reads_as_the_tree_that_went_in() {
    let folder = tempfile::tempdir().unwrap();
    let root = source_tree(folder.path(), 400);
    let expected = host_listing(&root);
    for (kind, options) in [
        ("ext4", &[][..]),
        ("ext3", &[]),
        ("ext2", &[]),
        ("ext2", &["-b", "1024", "-r", "0", "-O", "none"]),
        ("ext3", &["-b", "1024"]),
        ("ext4", &["-b", "1024"]),
        ("ext4", &["-b", "2048"]),
        ("ext4", &["-b", "65536"]),
        ("ext4", &["-O", "^extents,^64bit"]),
        ("ext4", &["-O", "^metadata_csum,uninit_bg", "-b", "1024"]),
        ("ext4", &["-O", "^metadata_csum,^uninit_bg,^has_journal"]),
        ("ext4", &["-O", "inline_data", "-I", "256"]),
        ("ext4", &["-O", "inline_data", "-I", "1024"]),
        ("ext4", &["-O", "bigalloc", "-C", "65536"]),
        ("ext4", &["-O", "bigalloc", "-b", "1024", "-C", "16384"]),
        ("ext4", &["-O", "meta_bg,^resize_inode", "-b", "1024"]),
        (
            "ext4",
            &[
                "-O",
                "meta_bg,^resize_inode,^metadata_csum,^64bit",
                "-b",
                "1024",
                "-g",
                "1024",
            ],
        ),
        (
            "ext4",
            &["-O", "sparse_super2,meta_bg,^resize_inode", "-b", "1024", "-g", "512"],
        ),
        (
            "ext4",
            &[
                "-O",
                "metadata_csum_seed,orphan_file,fast_commit,large_dir,encrypt,casefold,mmp,ea_inode",
            ],
        ),
        ("ext4", &["-I", "128", "-O", "^metadata_csum"]),
        ("ext4", &["-I", "128"]),
        ("ext4", &["-O", "quota,project,verity,dir_nlink"]),
    ] {
        let what = format!("{kind} {options:?}");
        let image = folder.path().join("image");
        // Blocks of 64 KiB need more room for the same files; the image is sparse.
        let len = if options.contains(&"65536") {
            800 << 20
        } else {
            96 << 20
        };
        fs::File::create(&image).unwrap().set_len(len).unwrap();
        let fixed = [
            "-q",
            "-F",
            "-N",
            "2000",
            "-L",
            "wurzel",
            "-U",
            "01234567-89ab-cdef-0123-456789abcdef",
            "-E",
            "lazy_itable_init=1",
        ];
        run(
            "mke2fs",
            &[&fixed[..], &["-t", kind], options, &["-d", text(&root), text(&image)]].concat(),
        );
        let ext = open(&image).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_same(&tree_listing(&ext), &expected, &what);
        assert_eq!(
            ext.read("/absolute", 100).unwrap().unwrap(),
            b"lotse\n",
            "{what}: links inside the tree"
        );
        assert_counts(&ext, &image, &what);
        let disk = Disk::open(Arc::new(FileSource::open(&image).unwrap())).unwrap();
        let found = filesystem::recognise(&disk, 0, disk.len()).unwrap().unwrap();
        assert_eq!(
            (found.kind, found.label.as_deref()),
            (ext.kind(), Some("wurzel")),
            "{what}"
        );
        assert_eq!(
            found.uuid.as_deref(),
            Some("01234567-89ab-cdef-0123-456789abcdef"),
            "{what}"
        );
    }
}

/// As e2fsck leaves a directory: with real hash indexes, several levels deep.
#[test]
fn hashed_directories_lose_no_entry() {
    let folder = tempfile::tempdir().unwrap();
    let root = source_tree(folder.path(), 5000);
    let image = folder.path().join("image");
    for block in ["1024", "4096"] {
        fs::File::create(&image).unwrap().set_len(96 << 20).unwrap();
        run(
            "mke2fs",
            &[
                "-q",
                "-F",
                "-t",
                "ext4",
                "-b",
                block,
                "-N",
                "8000",
                "-d",
                text(&root),
                text(&image),
            ],
        );
        // Status 1: "errors corrected", which is what it is asked for.
        let status = Command::new("e2fsck")
            .args(["-fyD", text(&image)])
            .output()
            .unwrap()
            .status;
        assert!(matches!(status.code(), Some(0 | 1)), "e2fsck: {status}");
        assert_same(&tree_listing(&open(&image).unwrap()), &host_listing(&root), block);
    }
}

/// debugfs writes what a running system leaves behind: removed names, a file with more extents than its inode holds,
/// a block that was never written.
#[test]
fn fragmented_files_and_removed_names() {
    let folder = tempfile::tempdir().unwrap();
    let content = noise(3_000_000);
    let islands = folder.path().join("islands");
    // Every other block of 1 KiB is a hole: hundreds of extents, so the tree has inner blocks.
    let file = fs::File::create(&islands).unwrap();
    for at in (0..content.len()).step_by(2048) {
        file.write_all_at(&content[at..(at + 1024).min(content.len())], at as u64)
            .unwrap();
    }
    for kind in ["ext4", "ext3"] {
        let image = folder.path().join("image");
        fs::File::create(&image).unwrap().set_len(16 << 20).unwrap();
        run("mke2fs", &["-q", "-F", "-t", kind, "-b", "1024", text(&image)]);
        let commands = folder.path().join("commands");
        let script = format!(
            "write {0} islands\nwrite {0} second\nmkdir d\ncd d\nwrite /dev/null a\nwrite /dev/null b\nwrite /dev/null c\nrm a\nrm c\n",
            text(&islands)
        );
        fs::write(&commands, script).unwrap();
        run("debugfs", &["-w", "-f", text(&commands), text(&image)]);
        let ext = open(&image).unwrap();
        let expected = fs::read(&islands).unwrap();
        assert!(ext.read("/islands", 10_000_000).unwrap().unwrap() == expected, "{kind}");
        assert!(ext.read("/second", 10_000_000).unwrap().unwrap() == expected, "{kind}");
        assert!(
            ext.read_start("/second", 5000).unwrap().unwrap() == expected[..5000],
            "{kind}"
        );
        assert_eq!(ext.list("/d").unwrap().unwrap(), ["b"], "{kind}");
        assert_eq!(ext.lstat("/d/a").unwrap(), None, "{kind}");
    }
}

#[test]
fn what_was_never_written_reads_as_zeros() {
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("image");
    fs::File::create(&image).unwrap().set_len(16 << 20).unwrap();
    run("mke2fs", &["-q", "-F", "-t", "ext4", text(&image)]);
    let commands = folder.path().join("commands");
    fs::write(&commands, "write /dev/null f\nfallocate f 0 9\nsif f size 81920\n").unwrap();
    run("debugfs", &["-w", "-f", text(&commands), text(&image)]);
    assert!(open(&image).unwrap().read("/f", 100_000).unwrap().unwrap() == vec![0; 81_920]);
}

/// What cannot be read rightly is told, not guessed.
#[test]
fn dirty_journals_and_unknown_features_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("image");
    let root = source_tree(folder.path(), 10);
    let make = || {
        fs::File::create(&image).unwrap().set_len(64 << 20).unwrap();
        run(
            "mke2fs",
            &[
                "-q",
                "-F",
                "-t",
                "ext4",
                "-O",
                "^metadata_csum",
                "-d",
                text(&root),
                text(&image),
            ],
        );
    };
    make();
    run("debugfs", &["-w", "-R", "feature needs_recovery", text(&image)]);
    assert!(
        open(&image).is_ok(),
        "the flag alone, with an empty journal, changes nothing"
    );
    assert!(
        !open(&image).unwrap().was_unmounted_cleanly(),
        "but it tells that it was in use"
    );
    let commands = folder.path().join("commands");
    fs::write(&commands, "jo -c\njw -b 333 /dev/zero\njc\n").unwrap();
    make();
    run("debugfs", &["-w", "-f", text(&commands), text(&image)]);
    assert_eq!(open(&image).unwrap_err().code(), "journal_dirty");

    make();
    let patch = |offset: u64, bytes: &[u8]| {
        fs::OpenOptions::new()
            .write(true)
            .open(&image)
            .unwrap()
            .write_all_at(bytes, offset)
            .unwrap();
    };
    // s_feature_incompat with a bit that no kernel knows; then Lustre's.
    patch(1024 + 96 + 3, &[0x40]);
    let error = open(&image).unwrap_err();
    assert_eq!(
        (error.code(), error.params()[0].1.as_str()),
        ("ext_feature_not_read", "incompat 0x40000000")
    );
    make();
    patch(1024 + 96 + 1, &[0x12]);
    let error = open(&image).unwrap_err();
    assert_eq!(
        (error.code(), error.params()[0].1.as_str()),
        ("ext_feature_not_read", "dirdata")
    );
}

#[test]
fn checksums_are_proved() {
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("image");
    fs::File::create(&image).unwrap().set_len(16 << 20).unwrap();
    run("mke2fs", &["-q", "-F", "-t", "ext4", "-b", "4096", text(&image)]);
    let whole = fs::read(&image).unwrap();
    let what = |offset: usize| {
        let mut bytes = whole.clone();
        bytes[offset] ^= 1;
        let disk = Disk::open(Arc::new(MemorySource::new(bytes))).unwrap();
        let error = Ext::open(&disk, 0, disk.len()).unwrap_err();
        assert_eq!(error.code(), "ext_corrupt");
        error.params()[0].1.clone()
    };
    assert_eq!(what(1024 + 48), "superblock_checksum");
    // The first group's descriptor, then the root's inode: 256 bytes each.
    assert_eq!(what(4096 + 12), "group_checksum");
    let table = usize::try_from(u32::from_le_bytes(whole[4096 + 8..4096 + 12].try_into().unwrap())).unwrap() * 4096;
    assert_eq!(what(table + 256 + 16), "inode_checksum");
}

/// Small filesystems of several kinds, made once.
fn small_images() -> &'static [Vec<u8>] {
    static IMAGES: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    IMAGES.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let root = source_tree(folder.path(), 300);
        // Without checksums, damage reaches the code behind them.
        let variants: [&[&str]; 4] = [
            &["-t", "ext4", "-O", "^metadata_csum,^has_journal", "-b", "1024"],
            &["-t", "ext2", "-b", "1024"],
            &[
                "-t",
                "ext4",
                "-O",
                "inline_data,^metadata_csum,^has_journal",
                "-b",
                "1024",
            ],
            &["-t", "ext4", "-O", "^has_journal"],
        ];
        let make = |options: &&[&str]| {
            let image = folder.path().join("image");
            fs::File::create(&image).unwrap().set_len(5 << 20).unwrap();
            run(
                "mke2fs",
                &[&["-q", "-F", "-N", "512"], *options, &["-d", text(&root), text(&image)]].concat(),
            );
            fs::read(&image).unwrap()
        };
        variants.iter().map(make).collect()
    })
}

/// Walks everything that can be reached, at most 400 directories and files.
fn walk(tree: &dyn FileTree) {
    let mut folders = vec![String::new()];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        for name in tree.list(&folder).ok().flatten().unwrap_or_default() {
            seen += 1;
            if seen > 400 {
                return;
            }
            let path = format!("{folder}/{name}");
            let _ = tree.stat(&path);
            let _ = tree.read_link(&path);
            match tree.lstat(&path) {
                Ok(Some(stat)) if stat.kind == FileKind::Directory => folders.push(path),
                Ok(Some(_)) => drop(tree.read_start(&path, 300_000)),
                _ => {}
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Images are hostile: whatever bytes change, nothing panics, and it ends.
    #[test]
    fn damaged_filesystems_never_panic(
        image in 0..4_usize,
        // Most changes go to the superblock, the descriptors and the inode tables.
        changes in proptest::collection::vec(
            (prop_oneof![1024..2048_usize, 2048..6144_usize, 0..300_000_usize, 0..5_000_000_usize], any::<u8>()), 1..16),
        len in proptest::option::weighted(0.2, 2048..5_000_000_usize),
    ) {
        let mut bytes = small_images()[image].clone();
        for (at, value) in changes {
            bytes[at] = value;
        }
        if let Some(len) = len {
            bytes.truncate(len);
        }
        let started = Instant::now();
        if let Ok(disk) = Disk::open(Arc::new(MemorySource::new(bytes))) {
            let _ = filesystem::recognise(&disk, 0, disk.len());
            if let Ok(ext) = Ext::open(&disk, 0, disk.len()) {
                walk(&ext);
            }
        }
        prop_assert!(started.elapsed() < Duration::from_secs(10), "took {:?}", started.elapsed());
    }
}
