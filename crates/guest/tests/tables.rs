//! Partition tables by sgdisk, parted and sfdisk against what libblkid says of them (`tables/make.py`), and what is
//! told of damaged ones.
#![expect(clippy::unwrap_used, reason = "a test that cannot read its fixture has failed")]

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use lotse_disk::{Disk, FileSource, MemorySource};
use lotse_guest::{
    examine,
    facts::{PartitionTable, TableKind, TableProblem},
    partition,
};
use proptest::prelude::*;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tables")
}

fn bytes(name: &str) -> Vec<u8> {
    let path = folder().join(format!("{name}.raw.gz"));
    let disk = Disk::open(Arc::new(FileSource::open(&path).unwrap())).unwrap();
    let mut bytes = vec![0; usize::try_from(disk.len()).unwrap()];
    disk.read_at(&mut bytes, 0).unwrap();
    bytes
}

fn table(bytes: Vec<u8>) -> PartitionTable {
    partition::read(&Disk::open(Arc::new(MemorySource::new(bytes))).unwrap()).unwrap()
}

#[test]
fn every_partition_is_what_libblkid_says() {
    let told = std::fs::read_to_string(folder().join("partx.tsv")).unwrap();
    let mut expected: BTreeMap<&str, Vec<Vec<&str>>> = BTreeMap::new();
    for line in told.lines() {
        let (name, rest) = line.split_once('\t').unwrap();
        expected.entry(name).or_default().push(rest.split('\t').collect());
    }
    assert_eq!(expected.len(), 7);
    for (name, rows) in expected {
        let table = table(bytes(name));
        let found: Vec<Vec<String>> = table
            .partitions
            .iter()
            .map(|partition| {
                let (kind, flags) = match table.kind {
                    TableKind::Gpt => (partition.type_id.clone(), partition.attributes),
                    _ => (
                        format!("0x{}", partition.type_id.trim_start_matches('0')),
                        if partition.bootable { 0x80 } else { 0 },
                    ),
                };
                vec![
                    partition.number.to_string(),
                    // partx counts in units of 512 bytes.
                    (partition.offset / 512).to_string(),
                    (partition.len / 512).to_string(),
                    kind,
                    partition.part_uuid.clone().unwrap_or_default(),
                    format!("0x{flags:x}"),
                    partition.name.clone().unwrap_or_default(),
                ]
            })
            .collect();
        assert_eq!(found, rows, "{name}");
        let sector = if name.ends_with("4096") { 4096 } else { 512 };
        assert_eq!((table.sector_size, table.from_backup), (sector, false), "{name}");
        let problems: &[TableProblem] = if name == "sgdisk-hybrid" {
            &[TableProblem::Hybrid]
        } else {
            &[]
        };
        assert_eq!(table.problems, problems, "{name}");
    }
    assert!(
        table(bytes("sgdisk-200")).partitions[1].bootable,
        "legacy BIOS bootable"
    );
    assert_eq!(table(bytes("sfdisk-logical")).id.as_deref(), Some("c0ffee01"));
}

#[test]
fn what_is_wrong_with_a_gpt_is_told() {
    let good = bytes("parted-gpt");
    let len = good.len();
    let mut no_backup = good.clone();
    no_backup[len - 512..].fill(0);
    assert_eq!(table(no_backup).problems, [TableProblem::BackupDamaged]);

    let mut grown = good.clone();
    grown.resize(2 * len, 0);
    let told = table(grown.clone());
    assert_eq!(
        (told.problems.as_slice(), told.from_backup),
        (&[TableProblem::BackupNotAtEnd][..], false)
    );
    // Nothing left of the first header: the MBR still says how long the disk was.
    grown[512..1024].fill(0);
    let told = table(grown);
    assert_eq!((told.partitions.len(), told.from_backup), (3, true));

    let mut short = good;
    short.truncate(5 << 20);
    let problems = table(short).problems;
    assert_eq!(
        problems,
        [
            TableProblem::BackupDamaged,
            TableProblem::PastEnd(2),
            TableProblem::PastEnd(3)
        ]
    );
}

#[test]
fn what_is_wrong_with_an_mbr_is_told() {
    let mut overlapping = bytes("sfdisk-logical");
    // The first partition as long as the disk, and more.
    overlapping[446 + 12..446 + 16].copy_from_slice(&40_000_u32.to_le_bytes());
    let told = table(overlapping);
    assert_eq!(
        told.problems,
        [
            TableProblem::Overlap(1, 5),
            TableProblem::Overlap(1, 6),
            TableProblem::PastEnd(1)
        ],
        "the frame of the logical partitions is none"
    );

    let mut broken = bytes("sfdisk-logical");
    // The second extended boot record, which the first one leads to.
    let first = 3 << 20;
    let second = first
        + 512 * usize::try_from(u32::from_le_bytes(broken[first + 470..first + 474].try_into().unwrap())).unwrap();
    broken[second + 510] = 0;
    let told = table(broken.clone());
    assert_eq!(told.problems, [TableProblem::LogicalChainBroken]);
    assert_eq!(
        told.partitions
            .iter()
            .map(|partition| partition.number)
            .collect::<Vec<_>>(),
        [1, 2, 5]
    );
}

/// UEFI's own check: CRC-32 with the usual polynomial.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc: u32, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    })
}

/// Writes numbers into the primary header and makes its checksums right again.
fn with_header(disk: &mut [u8], numbers: &[(usize, u32)], entries: usize) {
    for (at, number) in numbers {
        disk[512 + at..512 + at + 4].copy_from_slice(&number.to_le_bytes());
    }
    let sum = crc32(&disk[1024..1024 + entries]);
    disk[512 + 88..512 + 92].copy_from_slice(&sum.to_le_bytes());
    disk[512 + 16..512 + 20].fill(0);
    let sum = crc32(&disk[512..512 + 92]);
    disk[512 + 16..512 + 20].copy_from_slice(&sum.to_le_bytes());
}

#[test]
fn entries_may_be_longer_and_a_table_may_not_be_endless() {
    // Entries of 256 bytes: the specification allows 128 times any power of two.
    let mut longer = bytes("parted-gpt");
    let entries: Vec<u8> = longer[1024..1024 + 8192]
        .as_chunks::<128>()
        .0
        .iter()
        .flat_map(|entry| {
            let mut long = entry.to_vec();
            long.resize(256, 0);
            long
        })
        .collect();
    longer[1024..1024 + 16384].copy_from_slice(&entries);
    with_header(&mut longer, &[(80, 64), (84, 256)], 16384);
    let told = table(longer);
    assert_eq!((told.partitions.len(), told.from_backup), (3, false));
    assert_eq!(told.partitions[1].name.as_deref(), Some("wurzel"));

    // Four billion entries, their checksum never right: the backup counts.
    for numbers in [
        [(80, u32::MAX), (84, 128)],
        [(80, 128), (84, u32::MAX)],
        [(80, 16), (84, 130)],
        [(80, 1), (84, 0)],
    ] {
        let mut endless = bytes("parted-gpt");
        with_header(&mut endless, &numbers, 16384);
        let told = table(endless);
        assert_eq!((told.partitions.len(), told.from_backup), (3, true), "{numbers:?}");
    }
}

/// 256 partitions that all claim the same LVM, and within it the same filesystem.
#[test]
fn a_hostile_table_ends_quickly() {
    let path = folder().join("../layers/lvm.raw.gz");
    let disk = Disk::open(Arc::new(FileSource::open(&path).unwrap())).unwrap();
    let mut bytes = vec![0; usize::try_from(disk.len()).unwrap()];
    disk.read_at(&mut bytes, 0).unwrap();
    // Room for 1024 entries is between the header and the first partition at 1 MiB.
    let physical = bytes[1024 + 128..1024 + 256].to_vec();
    for number in 0..1024 {
        let at = 1024 + 128 * number;
        bytes[at..at + 128].copy_from_slice(&physical);
        bytes[at + 16..at + 20].copy_from_slice(&u32::try_from(number).unwrap().to_le_bytes());
    }
    with_header(&mut bytes, &[(80, 1024), (84, 128)], 1024 * 128);
    let disk = Disk::open(Arc::new(MemorySource::new(bytes))).unwrap();
    let table = partition::read(&disk).unwrap();
    assert_eq!(table.partitions.len(), 256, "as many as Linux looks at");
    assert!(table.problems.len() < 20, "told, but not one by one");
    let started = Instant::now();
    let _ = examine(&disk);
    assert!(
        started.elapsed() < Duration::from_secs(10),
        "took {:?}",
        started.elapsed()
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Real tables with some bytes changed, in the places where tables stand: nothing panics, and it ends.
    #[test]
    fn damaged_tables_never_panic(
        which in 0..7_usize,
        changes in proptest::collection::vec((prop_oneof![440..512_usize, 512..8192_usize, 16_384..20_480_usize], any::<u8>()), 1..16),
        records in proptest::collection::vec((0..64_usize, any::<u8>()), 0..8),
    ) {
        static MADE: std::sync::OnceLock<Vec<Vec<u8>>> = std::sync::OnceLock::new();
        let names = ["sgdisk-200", "sgdisk-hybrid", "sgdisk-4096", "sfdisk-mbr-4096", "sfdisk-logical", "parted-gpt", "parted-msdos"];
        let made = MADE.get_or_init(|| names.map(bytes).to_vec());
        let mut bytes = made[which].clone();
        for (at, value) in changes {
            bytes[at] = value;
        }
        for (at, value) in records {
            // The first extended boot record of either disk.
            bytes[(3 << 20) + 446 + at] = value;
            bytes[(4 << 20) + 446 + at] = value;
        }
        let started = Instant::now();
        if let Ok(disk) = Disk::open(Arc::new(MemorySource::new(bytes))) {
            let _ = examine(&disk);
        }
        prop_assert!(started.elapsed() < Duration::from_secs(5), "took {:?}", started.elapsed());
    }
}
