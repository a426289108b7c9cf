//! Damage and malice: a clear error, never a hang or a panic.

use std::{
    fs,
    os::unix::fs::FileExt,
    process::Command,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use lotse_disk::{Disk, MemorySource};
use lotse_guest::{FileKind, FileTree, ext::Ext, filesystem};
use proptest::prelude::*;

use crate::{
    images::{run, source_tree, text},
    journal::dirty_images,
};

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

#[test]
fn checksums_of_directories_and_trees_are_proved() {
    let folder = tempfile::tempdir().unwrap();
    let root = source_tree(folder.path(), 300);
    let islands = fs::File::create(root.join("islands")).unwrap();
    for at in (0..200_000).step_by(2048) {
        islands.write_all_at(b"island", at).unwrap();
    }
    let image = folder.path().join("image");
    fs::File::create(&image).unwrap().set_len(16 << 20).unwrap();
    run(
        "mke2fs",
        &["-q", "-F", "-t", "ext4", "-b", "1024", "-d", text(&root), text(&image)],
    );
    // With an index of hashes, as the kernel makes one; status 1 is "errors corrected".
    let status = Command::new("e2fsck")
        .args(["-fyD", text(&image)])
        .output()
        .unwrap()
        .status;
    assert!(matches!(status.code(), Some(0 | 1)), "e2fsck: {status}");
    let whole = fs::read(&image).unwrap();
    let damaged = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        let disk = Disk::open(Arc::new(MemorySource::new(bytes))).unwrap();
        Ext::open(&disk, 0, disk.len()).unwrap()
    };
    let block_with = |what: &[u8]| whole.windows(what.len()).position(|bytes| bytes == what).unwrap() / 1024 * 1024;
    let code = |error: &lotse_guest::Error| format!("{} {}", error.code(), error.params()[0].1);

    // A leaf of the directory `many`: what stands in others is still found.
    let name = b"a-name-of-some-length-00007";
    let ext = damaged(block_with(name));
    assert_eq!(code(&ext.list("/many").unwrap_err()), "ext_corrupt directory_checksum");
    assert_eq!(
        code(&ext.lstat("/many/not-there").unwrap_err()),
        "ext_corrupt directory_checksum",
        "a name that may stand in the damaged block"
    );
    let found = (0..300).filter(|index| {
        let path = format!("/many/a-name-of-some-length-{index:05}");
        ext.lstat(&path).is_ok_and(|stat| stat.is_some())
    });
    assert!((200..300).contains(&found.count()), "one block of some fifteen");
    assert!(ext.list("/few").is_ok(), "and other directories are read as ever");

    // The root of its index: `.` and `..`, then hash version 1 or more, length 8, and 0 levels.
    let index = (0..whole.len())
        .step_by(1024)
        .find(|at| whole[at + 4..at + 6] == [12, 0] && whole[at + 16..at + 18] == [0xf4, 3] && whole[at + 29] == 8);
    let ext = damaged(index.unwrap() + 40);
    assert_eq!(code(&ext.list("/many").unwrap_err()), "ext_corrupt directory_checksum");

    let leaf = (0..whole.len())
        .step_by(1024)
        .find(|at| whole[*at..at + 2] == [0x0a, 0xf3])
        .unwrap();
    let error = damaged(leaf + 20).read("/islands", 1 << 20).unwrap_err();
    assert_eq!(code(&error), "ext_corrupt extent_checksum");
    assert_eq!(error.params()[1].1, (leaf / 1024).to_string(), "and which block");
}

/// Small filesystems of several kinds, made once.
fn small_images() -> &'static [Vec<u8>] {
    static IMAGES: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    IMAGES.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let root = source_tree(folder.path(), 300);
        // Without checksums, damage reaches the code behind them.
        let variants: [&str; 9] = [
            "-t ext4 -O ^metadata_csum,^has_journal",
            "-t ext2",
            "-t ext2 -r 0 -O none",
            "-t ext3 -J size=1",
            "-t ext4 -O inline_data,^metadata_csum,^has_journal",
            "-t ext4 -O bigalloc,^metadata_csum,^has_journal -C 4096",
            "-t ext4 -O meta_bg,^resize_inode,^metadata_csum,^has_journal -g 512",
            "-t ext4 -O casefold,large_dir,quota,project,orphan_file,^metadata_csum -J size=1",
            "-t ext4 -O ^has_journal",
        ];
        let make = |options: &&str| {
            let image = folder.path().join("image");
            fs::File::create(&image).unwrap().set_len(6 << 20).unwrap();
            run(
                "mke2fs",
                &[
                    &["-q", "-F", "-N", "512", "-b", "1024"],
                    &*options.split(' ').collect::<Vec<_>>(),
                    &["-d", text(&root), text(&image)],
                ]
                .concat(),
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

/// Opens and reads all, within bounded time.
fn read_damaged(bytes: Vec<u8>) -> Result<(), TestCaseError> {
    let started = Instant::now();
    if let Ok(disk) = Disk::open(Arc::new(MemorySource::new(bytes))) {
        let _ = filesystem::recognise(&disk, 0, disk.len());
        if let Ok(ext) = Ext::open(&disk, 0, disk.len()) {
            let _ = ext.free_bytes();
            walk(&ext);
        }
    }
    prop_assert!(
        started.elapsed() < Duration::from_secs(10),
        "took {:?}",
        started.elapsed()
    );
    Ok(())
}

/// Places where a block begins as the journal's own do.
fn journal_blocks(image: &[u8]) -> Vec<usize> {
    let is_one = |at: &usize| image[*at..*at + 4] == [0xc0, 0x3b, 0x39, 0x98];
    (0..image.len()).step_by(1024).filter(is_one).collect()
}

/// The blocks of the fast commits: place and length of each value after its tag.
fn fast_commit_values(image: &[u8]) -> Vec<(usize, usize)> {
    let word = |at: usize| usize::from(u16::from_le_bytes([image[at], image[at + 1]]));
    // `HEAD` of 8 bytes, no features, and a tag that may follow it.
    let is_head = |at: &usize| image[*at..*at + 8] == [9, 0, 8, 0, 0, 0, 0, 0] && (1..=7).contains(&word(*at + 12));
    let mut values = Vec::new();
    let mut at = (0..image.len()).step_by(1024).find(is_head).unwrap();
    while at < image.len() {
        let block_end = (at / 1024 + 1) * 1024;
        let (tag, len) = (word(at), word(at + 2));
        if !(1..=9).contains(&tag) || at + 4 + len > block_end {
            break;
        }
        values.push((at, len));
        at += 4 + len;
        if block_end - at < 4 {
            at = block_end;
        }
    }
    values
}

/// CRC-32C from 0, without inversion, from one `TAIL` to the next.
fn seal_fast_commits(bytes: &mut [u8], values: &[(usize, usize)]) {
    let mut sum = !0;
    for (at, len) in values.iter().copied() {
        if bytes[at] == 8 {
            sum = crc32c::crc32c_append(sum, &bytes[at..at + 8]);
            bytes[at + 8..at + 12].copy_from_slice(&(!sum).to_le_bytes());
            sum = !0;
        } else {
            sum = crc32c::crc32c_append(sum, &bytes[at..at + 4 + len]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Images are hostile: whatever bytes change, nothing panics, and it ends.
    #[test]
    fn damaged_filesystems_never_panic(
        image in 0..9_usize,
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
        read_damaged(bytes)?;
    }

    /// The same for what stands in a journal, in its superblock and its own blocks.
    #[test]
    fn damaged_journals_never_panic(
        image in any::<prop::sample::Index>(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), 4..120_usize, any::<u8>()), 1..16),
    ) {
        let mut bytes = image.get(dirty_images()).image.clone();
        let blocks = journal_blocks(&bytes);
        for (block, at, value) in changes {
            bytes[block.get(&blocks) + at] = value;
        }
        read_damaged(bytes)?;
    }

    /// And for fast commits with whatever values, their checksum right all the same.
    #[test]
    fn any_fast_commit_can_be_read(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), 0..140_usize, any::<u8>()), 1..16),
        tags in proptest::collection::vec((any::<prop::sample::Index>(), 1..8_u8), 0..4),
    ) {
        let image = dirty_images().iter().find(|image| image.name == "fast").unwrap();
        let mut bytes = image.image.clone();
        let values = fast_commit_values(&bytes);
        seal_fast_commits(&mut bytes, &values);
        prop_assert!(bytes == image.image, "the checksums are counted as Linux counts them");
        prop_assert!(values.len() > 20, "there are fast commits in it: {}", values.len());
        let changeable: Vec<_> = values.iter().filter(|(at, _)| bytes[*at] < 8).copied().collect();
        for (value, at, byte) in changes {
            let (place, len) = *value.get(&changeable);
            if at < len {
                bytes[place + 4 + at] = byte;
            }
        }
        for (value, tag) in tags {
            bytes[value.get(&changeable).0] = tag;
        }
        seal_fast_commits(&mut bytes, &values);
        read_damaged(bytes)?;
    }
}
