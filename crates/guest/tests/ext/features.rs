//! Every feature set that mke2fs can make, compared file by file with what went in.

use std::{fs, os::unix::fs::FileExt, path::Path, process::Command, sync::Arc};

use lotse_disk::{Disk, FileSource};
use lotse_guest::{FileTree, ext::Ext, filesystem};

use crate::{
    images::{assert_same, host_listing, noise, open, run, source_tree, text, tree_listing},
    opinions::assert_same_opinions,
};

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
    let root = source_tree(folder.path(), 150);
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
        let ours = tree_listing(&ext);
        assert_same(&ours, &expected, &what);
        if !assert_same_opinions(&ours, &image, &what) {
            let refused = ["inline_data", "meta_bg", "casefold", "128"];
            let is_known = options
                .iter()
                .any(|option| refused.iter().any(|name| option.contains(name)));
            assert!(is_known || *kind == *"ext2", "{what}: only one second opinion");
        }
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
        let ours = tree_listing(&open(&image).unwrap());
        assert_same(&ours, &host_listing(&root), block);
        assert!(assert_same_opinions(&ours, &image, block));
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
fn foreign_journals_and_unknown_features_are_told() {
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
    // A journal on another device cannot be read: s_journal_inum of 0.
    run("debugfs", &["-w", "-R", "ssv journal_inum 0", text(&image)]);
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
