//! VHDX as qemu-img writes it, byte by byte; what must be refused; and logs that nobody replayed.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that cannot make its image has failed")]

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/damaged.rs"]
mod damaged;
mod hostile;
mod images;
mod log;

use std::{
    fs,
    io::{Read as _, Seek as _, SeekFrom},
    os::unix::fs::FileExt as _,
    path::Path,
    time::{Duration, Instant},
};

use common::{assert_same, content, open, raw, read_all, run, text};
use images::{LOGICAL_SECTOR_SIZE, MIB, bat, convert, create, item, open_bytes, place, put, u64_at, write};
use lotse_disk::{Disk, ExtentKind};

/// Extents as (offset, length, kind).
fn extents(disk: &Disk) -> Vec<(u64, u64, ExtentKind)> {
    let extents = disk.extents().map(|extent| extent.unwrap());
    extents.map(|e| (e.offset, e.len, e.kind)).collect()
}

/// What the extents must be: QEMU allocates the blocks that hold anything but zeros, in a fixed
/// disk too. (`qemu-img map` does not know the
/// blocks of a VHDX file and calls the whole disk data.)
fn expected_extents(disk: &[u8], block: usize) -> Vec<(u64, u64, ExtentKind)> {
    let mut extents: Vec<(u64, u64, ExtentKind)> = Vec::new();
    for part in disk.chunks(block) {
        let is_data = part.iter().any(|byte| *byte != 0);
        let kind = if is_data { ExtentKind::Data } else { ExtentKind::Zero };
        match extents.last_mut() {
            Some(last) if last.2 == kind => last.1 += part.len() as u64,
            last => {
                let start = last.map_or(0, |last| last.0 + last.1);
                extents.push((start, part.len() as u64, kind));
            }
        }
    }
    extents
}

#[test]
fn every_variant_reads_as_the_disk_that_it_was_made_from() {
    let folder = tempfile::tempdir().unwrap();
    let raw = raw(folder.path());
    let expected = content();
    for (subformat, block, more) in [
        ("dynamic", 1, ""),
        ("dynamic", 1, ",log_size=5M"),
        ("dynamic", 2, ""),
        ("dynamic", 32, ""),
        ("dynamic", 256, ""),
        ("fixed", 1, ""),
        ("fixed", 1, ",block_state_zero=off"),
        ("fixed", 16, ""),
        ("fixed", 256, ""),
    ] {
        let options = format!("subformat={subformat},block_size={block}M{more}");
        let path = folder.path().join("disk.vhdx");
        convert(&raw, &path, &options);
        let disk = open(&path).unwrap();
        let container = disk.container();
        assert_eq!(container.virtual_size, Some(disk.len()), "{options}: recognised size");
        assert_eq!(container.variant.as_deref(), Some(subformat), "{options}");
        assert_same(&read_all(&disk), &expected, &options);
        let expected = if more.contains("zero=off") {
            vec![(0, disk.len(), ExtentKind::Data)]
        } else {
            expected_extents(&expected, block * MIB)
        };
        assert_eq!(extents(&disk), expected, "{options}");
        assert_eq!(disk.missing_bytes().unwrap(), 0, "{options}: nothing is cut off");
        assert!(disk.notes().is_empty(), "{options}: it was closed properly");
    }
}

/// Places on a disk that only a right reading of the BAT finds: around the entries of sector bitmaps, which follow each
/// 4 GiB, and at the very end. (offset, length, byte)
const PLACES: [(u64, u64, u8); 9] = [
    (0, 4096, 1),
    ((4 << 30) - 70_144, 70_144, 2),
    (4 << 30, 66_048, 3),
    ((5 << 30) + 512, 512, 4),
    ((8 << 30) - 512, 1024, 5),
    ((16 << 30) - 4096, 8192, 6),
    ((32 << 30) - 4096, 8192, 7),
    ((36 << 30) + 4096, 4096, 8),
    ((40 << 30) - 4096, 4096, 9),
];

/// Writes the places that are on a disk of this size.
fn write_places(path: &Path, size: u64) -> Vec<(u64, u64, u8)> {
    let mut places = PLACES.to_vec();
    places.retain(|(at, len, _)| at + len <= size);
    let commands: Vec<String> = places
        .iter()
        .map(|(at, len, byte)| format!("write -q -P {byte} {at} {len}"))
        .collect();
    write(path, &commands.iter().map(String::as_str).collect::<Vec<_>>());
    places
}

/// Each place holds its byte, and everything else is a hole or zero.
fn assert_places(disk: &Disk, places: &[(u64, u64, u8)], block: u64, what: &str) {
    let mut blocks = std::collections::BTreeSet::new();
    for (at, len, byte) in places {
        let (before, after) = (at.min(&100), (disk.len() - at - len).min(100));
        let mut bytes = vec![0xff; place(before + len + after)];
        disk.read_at(&mut bytes, at - before).unwrap();
        let mut expected = vec![0; place(*before)];
        expected.resize(place(before + len), *byte);
        expected.resize(bytes.len(), 0);
        // Where two places touch, only the first counts the other's bytes as zeros.
        let touches = |at: u64| places.iter().any(|other| other.0 == at || other.0 + other.1 == at);
        let from = if touches(*at) && places.iter().any(|other| other.0 + other.1 == *at) {
            place(*before)
        } else {
            0
        };
        let until = if places.iter().any(|other| other.0 == at + len) {
            place(before + len)
        } else {
            bytes.len()
        };
        assert_same(&bytes[from..until], &expected[from..until], &format!("{what}: at {at}"));
        blocks.extend(at / block..=(at + len - 1) / block);
    }
    let data: u64 = extents(disk)
        .iter()
        .filter(|extent| extent.2 == ExtentKind::Data)
        .map(|extent| extent.1)
        .sum();
    let last = disk.len() / block;
    let allocated: u64 = blocks
        .iter()
        .map(|index| if *index == last { disk.len() % block } else { block })
        .sum();
    assert_eq!(data, allocated, "{what}: bytes in allocated blocks");
}

/// 6 and 40 GiB are where a reader goes wrong that does not count the sector bitmaps' entries right.
#[test]
fn data_far_out_on_large_disks() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk.vhdx");
    for size in [3_u64, 6, 40] {
        for block in [1_u64, 8, 64, 256] {
            let what = format!("{size} GiB in blocks of {block} MiB");
            create(&path, &format!("block_size={block}M"), &format!("{size}G"));
            let places = write_places(&path, size << 30);
            let disk = open(&path).unwrap();
            assert_eq!(disk.len(), size << 30, "{what}");
            assert_places(&disk, &places, block << 20, &what);
            assert_eq!(disk.missing_bytes().unwrap(), 0, "{what}");
        }
    }
}

/// Disks with sectors of 4 KiB have a sector bitmap for each 32 GiB only. QEMU does not read them: the file is its
/// own, with sector size and BAT changed by hand, and the second opinion is that of the crate vhdx-core.
#[test]
fn sectors_of_4_kib() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk.vhdx");
    for block in [1_u64, 32, 256] {
        let what = format!("blocks of {block} MiB");
        create(&path, &format!("block_size={block}M"), "40G");
        let places = write_places(&path, 40 << 30);
        let file = fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
        let mut tables = vec![0; 4 * MIB];
        file.read_exact_at(&mut tables, 0).unwrap();
        let at = item(&tables, LOGICAL_SECTOR_SIZE);
        put(&mut tables, at, &4096_u32.to_le_bytes());
        let bat = bat(&tables);
        let blocks = (40 << 10) / block;
        let entry = |index: u64, ratio: u64| bat + 8 * place(index + index / ratio);
        let entries: Vec<_> = (0..blocks)
            .map(|index| u64_at(&tables, entry(index, 4096 / block)))
            .collect();
        for (index, value) in (0..).zip(entries) {
            put(&mut tables, entry(index, 32_768 / block), &value.to_le_bytes());
        }
        file.write_all_at(&tables, 0).unwrap();
        let disk = open(&path).unwrap();
        assert_places(&disk, &places, block << 20, &what);
        let mut second = vhdx::VhdxReader::open(&path).unwrap();
        for (at, len, _) in places {
            let (mut ours, mut theirs) = (vec![0; place(len)], vec![0; place(len)]);
            disk.read_at(&mut ours, at).unwrap();
            second.seek(SeekFrom::Start(at)).unwrap();
            second.read_exact(&mut theirs).unwrap();
            assert_same(&ours, &theirs, &format!("{what}: at {at}"));
        }
    }
}

/// What a running VM leaves: blocks allocated in any order, zeroed and discarded.
#[test]
fn a_disk_that_was_used() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk.vhdx");
    let plain = folder.path().join("plain.raw");
    for options in [
        "block_size=1M",
        "block_size=4M,block_state_zero=off",
        "subformat=fixed,block_size=2M",
    ] {
        create(&path, options, "50M");
        write(
            &path,
            &[
                "write -P 1 40M 3M",
                "write -P 2 100k 3k",
                "write -P 3 12M 5000k",
                "write -z 13M 2M",
                "write -P 4 11M 1536k",
                "write -P 5 52428288 512",
            ],
        );
        run(
            "qemu-img",
            &["convert", "-f", "vhdx", "-O", "raw", text(&path), text(&plain)],
        );
        let disk = open(&path).unwrap();
        assert_same(&read_all(&disk), &fs::read(&plain).unwrap(), options);
        assert_eq!(disk.missing_bytes().unwrap(), 0, "{options}");
    }
}

/// Every state that a block can have on a disk without a parent ([MS-VHDX] 2.5.1.1).
#[test]
fn block_states() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk.vhdx");
    create(&path, "block_size=1M", "8M");
    write(&path, &["write -P 1 0 8M"]);
    let mut bytes = fs::read(&path).unwrap();
    let bat = bat(&bytes);
    for (index, state) in [(1, 0), (2, 1), (3, 2), (4, 3), (5, 5)] {
        // The offset stays, as it may.
        bytes[bat + 8 * index] = state;
    }
    let disk = open_bytes(bytes).unwrap();
    let mib = MIB as u64;
    assert_eq!(
        extents(&disk),
        [
            (0, mib, ExtentKind::Data),
            (mib, 2 * mib, ExtentKind::Unallocated),
            (3 * mib, 3 * mib, ExtentKind::Zero),
            (6 * mib, 2 * mib, ExtentKind::Data),
        ]
    );
    let mut expected = vec![1; 8 * MIB];
    expected[MIB..6 * MIB].fill(0);
    assert_same(&read_all(&disk), &expected, "states");
}

#[test]
fn a_huge_empty_disk_is_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk.vhdx");
    for options in [
        "block_size=1M",
        "block_size=256M",
        "block_size=256M,block_state_zero=off",
    ] {
        create(&path, options, "64T");
        let started = Instant::now();
        let disk = open(&path).unwrap();
        let extents = extents(&disk);
        assert!(extents.iter().all(|extent| extent.2 != ExtentKind::Data), "{options}");
        assert_eq!(
            extents.iter().map(|extent| extent.1).sum::<u64>(),
            64 << 40,
            "{options}"
        );
        assert_eq!(disk.missing_bytes().unwrap(), 0, "{options}");
        // Blocks of 1 MiB make a table of 512 MiB, which is read twice here.
        let elapsed = started.elapsed();
        assert!(elapsed < Duration::from_secs(5), "{options}: took {elapsed:?}");
    }
}

/// Threads share one disk's cache and still read the right bytes.
#[test]
fn many_threads_read_one_disk() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk.vhdx");
    convert(&raw(folder.path()), &path, "block_size=1M");
    let disk = open(&path).unwrap();
    let expected = content();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let disk = disk.clone();
            let expected = &expected;
            scope.spawn(move || assert_same(&read_all(&disk), expected, "thread"));
        }
    });
}
