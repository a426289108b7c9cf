//! What stands in a partition, against what `blkid -p` says of it: filesystems made by the real tools
//! (`filesystems/make.py`).
#![expect(clippy::unwrap_used, reason = "a test that cannot read its fixture has failed")]

use std::{collections::HashMap, path::Path, sync::Arc};

use lotse_disk::{Disk, FileSource, MemorySource};
use lotse_guest::filesystem::recognise;
use proptest::prelude::*;

const BLOCK: usize = 4096;

/// In front of each filesystem: a sector that makes the file a disk.
const SECTOR: u64 = 512;

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/filesystems")
}

/// Each filesystem as a disk of its own, by name.
fn made() -> HashMap<String, Vec<u8>> {
    let disk = Disk::open(Arc::new(FileSource::open(&folder().join("made.raw.gz")).unwrap())).unwrap();
    let mut bytes = vec![0; usize::try_from(disk.len()).unwrap()];
    disk.read_at(&mut bytes, 0).unwrap();
    let number = |at: usize| usize::try_from(u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())).unwrap();
    let mut made = HashMap::new();
    let mut at = 512;
    while bytes[at] != 0 {
        let name = String::from_utf8_lossy(&bytes[at..at + 16])
            .trim_end_matches('\0')
            .to_owned();
        let (len, blocks) = (number(at + 16), number(at + 24));
        at += 32;
        let mut image = vec![0; len + 512];
        image[510..512].copy_from_slice(&[0x55, 0xaa]);
        for _ in 0..blocks {
            let to = number(at) + 512;
            let end = (to + BLOCK).min(image.len());
            image[to..end].copy_from_slice(&bytes[at + 8..at + 8 + end - to]);
            at += 8 + BLOCK;
        }
        made.insert(name, image);
    }
    made
}

fn disk(image: Vec<u8>) -> Disk {
    Disk::open(Arc::new(MemorySource::new(image))).unwrap()
}

#[test]
fn kind_label_and_uuid_are_what_blkid_says() {
    let mut made = made();
    let told = std::fs::read_to_string(folder().join("blkid.tsv")).unwrap();
    for line in told.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let [name, kind, uuid, label] = fields[..] else {
            panic!("{line}")
        };
        let disk = disk(made.remove(name).unwrap());
        let found = recognise(&disk, SECTOR, disk.len()).unwrap();
        // What this crate calls otherwise.
        let kind = match kind {
            "crypto_LUKS" => "luks",
            "iso9660" => "iso",
            kind => kind,
        };
        let found = found.map(|found| {
            (
                found.kind,
                found.uuid.unwrap_or_default(),
                found.label.unwrap_or_default(),
            )
        });
        let expected = (!kind.is_empty()).then(|| (kind, uuid.to_owned(), label.to_owned()));
        assert_eq!(found, expected, "{name}");
    }
    assert!(made.is_empty(), "not told of: {:?}", made.keys());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Superblocks are hostile: nothing panics, and it ends.
    #[test]
    fn damaged_filesystems_never_panic(which in 0..64_usize, changes in proptest::collection::vec((0..68 * 1024_usize, any::<u8>()), 1..64)) {
        static MADE: std::sync::OnceLock<Vec<Vec<u8>>> = std::sync::OnceLock::new();
        let images = MADE.get_or_init(|| {
            made().into_values().map(|mut image| {
                image.resize(1 << 20, 0);
                image
            }).collect()
        });
        let mut image = images[which % images.len()].clone();
        for (at, value) in changes {
            // Most of a superblock's numbers stand near its beginning.
            let at = 512 + if at % 2 == 0 { at % 2048 } else { at };
            image[at] = value;
        }
        let disk = disk(image);
        let _ = recognise(&disk, SECTOR, disk.len());
        let _ = lotse_guest::examine(&disk);
    }
}
