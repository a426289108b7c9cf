//! Damage and malice: a clear error, never a hang or a panic.

use std::{
    fs,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use lotse_disk::{Disk, MemorySource};
use lotse_guest::{FileKind, FileTree, ext::Ext, filesystem};
use proptest::prelude::*;

use crate::images::{run, source_tree, text};

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
