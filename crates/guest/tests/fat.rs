//! FAT filesystems made by the real mkfs.vfat and filled by mtools, compared file by file with what went in.
#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot make its image has failed"
)]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use lotse_disk::{Disk, FileSource, MemorySource};
use lotse_guest::{FileKind, FileTree, fat::Fat};
use proptest::prelude::*;

fn run(program: &str, arguments: &[&str]) -> String {
    let path = std::env::var("PATH").unwrap_or_default();
    let output = Command::new(program)
        .env("PATH", format!("{path}:/usr/sbin:/sbin"))
        .env("LC_ALL", "C.UTF-8")
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors} ({program} {arguments:?})");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Bytes that do not repeat.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ len as u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    };
    std::iter::repeat_with(next).take(len).collect()
}

/// An ESP's files, and everything that has a place of its own in the format.
fn source_tree(folder: &Path) -> PathBuf {
    let root = folder.join("tree");
    fs::create_dir_all(root.join("EFI/BOOT")).unwrap();
    fs::create_dir_all(root.join("EFI/debian")).unwrap();
    fs::write(root.join("EFI/BOOT/BOOTX64.EFI"), noise(150_000)).unwrap();
    fs::write(root.join("EFI/debian/grub.cfg"), "search.fs_uuid 1 root\n").unwrap();
    fs::create_dir_all(root.join("loader/entries")).unwrap();
    fs::write(root.join("loader/loader.conf"), "default debian\n").unwrap();
    let long = "0d1e2f3a4b5c6d7e8f90a1b2c3d4e5f6-6.1.0-56-cloud-amd64.conf";
    fs::write(root.join("loader/entries").join(long), "title Debian\n").unwrap();
    fs::write(root.join("empty"), "").unwrap();
    fs::write(root.join("Straße mit ÄÖÜ und ☃.txt"), "Umlaute\n").unwrap();
    fs::write(root.join("lower.txt"), "short, in lower case\n").unwrap();
    // Stored in code page 850, which agrees with Linux's own, 437, in this letter.
    fs::write(root.join("ÄRGER"), "short, but not ASCII\n").unwrap();
    fs::write(root.join(format!("{}.txt", "n".repeat(251))), "the longest name\n").unwrap();
    // Lengths around those of a sector and a cluster.
    for len in [1, 511, 512, 513, 2047, 2048, 2049, 8192, 65_537] {
        fs::write(root.join(format!("length-{len}")), noise(len)).unwrap();
    }
    let mut deep = root.clone();
    for level in 0..8 {
        deep = deep.join(format!("level {level}"));
    }
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("deepest"), "here\n").unwrap();
    let many = root.join("many");
    fs::create_dir(&many).unwrap();
    for number in 0..300 {
        fs::write(many.join(format!("file number {number}.module")), number.to_string()).unwrap();
    }
    root
}

/// One filesystem with those files, its chains in pieces.
fn image(folder: &Path, tree: &Path, kib: u64, options: &[&str]) -> PathBuf {
    let image = folder.join(format!("{kib}{}.fat", options.concat()));
    fs::File::create(&image).unwrap().set_len(kib * 1024).unwrap();
    run(
        "mkfs.vfat",
        &[&["--invariant", "-n", "EFI"], options, &[text(&image)]].concat(),
    );
    let to = text(&image);
    // Small files between which holes are left: what comes later is stored in pieces, in both directions.
    for number in 0..12 {
        let hole = folder.join(format!("hole{number}"));
        fs::write(&hole, noise(3000)).unwrap();
        run("mcopy", &["-i", to, text(&hole), "::"]);
    }
    for number in (0..12).step_by(2) {
        run("mdel", &["-i", to, &format!("::hole{number}")]);
    }
    let mut entries: Vec<_> = fs::read_dir(tree).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    let mut copy = vec!["-s", "-i", to];
    copy.extend(entries.iter().map(|path| text(path)));
    copy.push("::");
    run("mcopy", &copy);
    for number in (1..12).step_by(2) {
        run("mdel", &["-i", to, &format!("::hole{number}")]);
    }
    image
}

/// The bytes after a sector that makes any of them a disk.
fn opened(bytes: &[u8]) -> lotse_guest::Result<Fat> {
    let mut whole = vec![0; 512];
    whole[510..].copy_from_slice(&[0x55, 0xaa]);
    whole.extend(bytes);
    let disk = Disk::open(Arc::new(MemorySource::new(whole))).unwrap();
    Fat::open(&disk, 512, bytes.len() as u64)
}

fn open(path: &Path) -> Fat {
    let disk = Disk::open(Arc::new(FileSource::open(path).unwrap())).unwrap();
    Fat::open(&disk, 0, disk.len()).unwrap()
}

/// Every file with its content; `None` is a directory.
fn files_on_host(folder: &Path) -> BTreeMap<String, Option<Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            let name = format!("/{}", text(path.strip_prefix(folder).unwrap()));
            if path.is_dir() {
                found.insert(name, None);
                folders.push(path);
            } else {
                found.insert(name, Some(fs::read(&path).unwrap()));
            }
        }
    }
    found
}

fn files_in_image(fat: &Fat) -> BTreeMap<String, Option<Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![String::new()];
    while let Some(next) = folders.pop() {
        for name in fat.list(&next).unwrap().unwrap() {
            let path = format!("{next}/{name}");
            if fat.stat(&path).unwrap().unwrap().kind == FileKind::Directory {
                found.insert(path.clone(), None);
                folders.push(path);
            } else {
                let content = fat.read(&path, 1 << 20).unwrap();
                found.insert(path, content);
            }
        }
    }
    found
}

#[test]
fn every_file_of_every_width_is_read_as_it_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let tree = source_tree(folder.path());
    let expected = files_on_host(&tree);
    for (kib, options) in [
        (2880, &["-F", "12"][..]),
        (2880, &["-F", "12", "-s", "4", "-f", "1"]),
        (16 << 10, &["-F", "16"]),
        (64 << 10, &["-F", "16", "-S", "4096"]),
        // Large enough for mtools, which counts clusters; with room in the root, which it does not let grow.
        (300 << 10, &["-F", "32", "-s", "8"]),
        (320 << 10, &["-F", "32", "-S", "1024", "-s", "4"]),
    ] {
        let image = image(folder.path(), &tree, kib, options);
        let fat = open(&image);
        let found = files_in_image(&fat);
        let strange: Vec<_> = found.keys().filter(|path| !expected.contains_key(*path)).collect();
        assert!(strange.is_empty(), "{kib} KiB {options:?}: {strange:?}");
        for (path, content) in &expected {
            assert!(found.get(path) == Some(content), "{kib} KiB {options:?} {path}");
        }
        let whole = noise(65_537);
        for (at, len) in [(0, 10), (511, 2), (4096, 5000), (65_530, 100), (65_537, 1), (70_000, 1)] {
            let end = (at + len).min(whole.len());
            let part = fat.read_at("/length-65537", at as u64, len).unwrap().unwrap();
            assert_eq!(part, whole.get(at..end).unwrap_or_default(), "{options:?} {at} {len}");
        }
    }
}

/// Installers make FAT32 of fewer clusters than the specification allows; Linux and UEFI take it for what it is.
#[test]
fn a_small_fat32_is_no_fat16() {
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("small");
    fs::File::create(&image).unwrap().set_len(16 << 20).unwrap();
    run("mkfs.vfat", &["--invariant", "-F", "32", "-n", "EFI", text(&image)]);
    let fat = open(&image);
    assert!(format!("{fat:?}").contains("Fat32"), "{fat:?}");
    assert_eq!(fat.list("/").unwrap(), Some(Vec::new()), "the label is no file");
}

#[test]
fn names_are_found_in_any_case_and_by_their_short_form() {
    let folder = tempfile::tempdir().unwrap();
    let tree = source_tree(folder.path());
    let image = image(folder.path(), &tree, 16 << 10, &["-F", "16"]);
    let fat = open(&image);
    for path in [
        "/EFI/BOOT/BOOTX64.EFI",
        "/efi/boot/bootx64.efi",
        "/Efi/Boot/BootX64.efi",
        "/STRASSE/../LOWER.TXT",
        "/straße mit äöü und ☃.TXT",
        // As `mdir` shows it beside the long name.
        "/loader/entries/0D1E2F~1.CON",
        "/ärger",
    ] {
        let found = fat.stat(path).unwrap().is_some();
        assert_eq!(found, !path.contains("STRASSE"), "{path}");
    }
    let shown = run("mdir", &["-i", text(&image), "::/loader/entries"]);
    assert!(shown.contains("0D1E2F~1 CON"), "{shown}");
    assert_eq!(fat.read_link("/EFI").unwrap(), None, "there are no links");
    assert_eq!(fat.list("/empty").unwrap(), None);
}

/// A small image for what is done to its bytes.
fn small() -> &'static [u8] {
    static IMAGE: OnceLock<Vec<u8>> = OnceLock::new();
    IMAGE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let tree = folder.path().join("tree");
        fs::create_dir_all(tree.join("EFI/BOOT")).unwrap();
        fs::write(tree.join("EFI/BOOT/BOOTX64.EFI"), noise(20_000)).unwrap();
        fs::write(tree.join("a long name, in two entries"), noise(5000)).unwrap();
        fs::read(image(folder.path(), &tree, 1440, &["-F", "12"])).unwrap()
    })
}

/// Reads everything, however wrong it is; the number of entries is bounded so that a loop of directories ends.
fn read_all(bytes: &[u8]) {
    let Ok(fat) = opened(bytes) else { return };
    let mut folders = vec![String::new()];
    let mut left = 200;
    while let Some(next) = folders.pop() {
        let Ok(Some(names)) = fat.list(&next) else { continue };
        for name in names {
            left -= 1;
            if left == 0 {
                return;
            }
            let path = format!("{next}/{name}");
            if matches!(fat.stat(&path), Ok(Some(stat)) if stat.kind == FileKind::Directory) {
                folders.push(path);
            } else {
                _ = fat.read(&path, 1 << 20);
                _ = fat.read_at(&path, 5000, 5000);
            }
        }
    }
}

#[test]
fn a_chain_that_comes_back_to_itself_ends_with_an_error() {
    let mut bytes = small().to_vec();
    let fat = opened(&bytes).unwrap();
    assert_eq!(
        fat.read("/EFI/BOOT/BOOTX64.EFI", 1 << 20).unwrap().unwrap(),
        noise(20_000)
    );
    // FAT12 of 512-byte sectors: the table follows the one reserved sector. Every cluster leads to cluster 2.
    for pair in bytes[515..512 + 9 * 512].chunks_exact_mut(3) {
        pair.copy_from_slice(&[0x02, 0x20, 0x00]);
    }
    let fat = opened(&bytes).unwrap();
    let started = Instant::now();
    let error = fat.read("/a long name, in two entries", 1 << 20);
    assert!(error.is_err() || error.is_ok_and(|content| content.is_some()));
    let error = fat.list("/EFI/BOOT").unwrap_err();
    assert_eq!(error.code(), "fat_corrupt");
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[test]
fn what_is_no_fat_is_an_error() {
    for bytes in [vec![0; 4096], small()[1024..5120].to_vec(), {
        let mut bytes = small().to_vec();
        bytes[13] = 3;
        bytes
    }] {
        assert_eq!(opened(&bytes).unwrap_err().code(), "fat_corrupt");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Damage anywhere in boot sector, tables and directories never panics and always ends.
    #[test]
    fn damage_never_panics(changes in prop::collection::vec((0..16_384_usize, any::<u8>()), 1..24)) {
        let mut bytes = small().to_vec();
        for (at, value) in changes {
            bytes[at] = value;
        }
        read_all(&bytes);
    }

    /// The same where it hurts most: the numbers in the boot sector.
    #[test]
    fn a_damaged_boot_sector_never_panics(changes in prop::collection::vec((11..64_usize, any::<u8>()), 1..6)) {
        let mut bytes = small().to_vec();
        for (at, value) in changes {
            bytes[at] = value;
        }
        read_all(&bytes);
    }
}
