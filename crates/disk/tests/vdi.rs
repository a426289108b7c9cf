//! VDI as qemu-img and VirtualBox write it, byte by byte and extent by extent; and what must be refused.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that cannot make its image has failed")]

mod common;
#[path = "common/damaged.rs"]
mod damaged;
#[path = "common/map.rs"]
mod map;

use std::{
    fs,
    path::Path,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use common::{SIZE, assert_same, content, open, raw, read_all, run, text};
use lotse_disk::{Disk, ExtentKind, FileSource, Format, Kind, MemorySource};
use proptest::prelude::*;

fn convert(raw: &Path, to: &Path, options: &str) {
    let arguments = ["convert", "-f", "raw", "-O", "vdi", "-o", options, text(raw), text(to)];
    run("qemu-img", &arguments);
}

/// QEMU calls what was never written zero, since VDI knows no place for it to be unallocated in.
fn told_as(kind: ExtentKind) -> ExtentKind {
    if kind == ExtentKind::Unallocated {
        ExtentKind::Zero
    } else {
        kind
    }
}

fn open_bytes(bytes: Vec<u8>) -> lotse_disk::Result<Disk> {
    Disk::open(Arc::new(MemorySource::new(bytes)))
}

#[test]
fn dynamic_and_static_disks_read_as_the_disk_that_they_were_made_from() {
    let folder = tempfile::tempdir().unwrap();
    let raw = raw(folder.path());
    for (options, variant) in [("static=off", "dynamic"), ("static=on", "static")] {
        let path = folder.path().join("disk.vdi");
        convert(&raw, &path, options);
        let disk = open(&path).unwrap();
        assert_eq!(disk.container().format, Some(Format::Vdi));
        assert_eq!(disk.container().variant.as_deref(), Some(variant));
        assert_eq!(
            disk.container().virtual_size,
            Some(disk.len()),
            "{variant}: recognised size"
        );
        assert_same(&read_all(&disk), &content(), variant);
        assert_eq!(disk.missing_bytes().unwrap(), 0, "{variant}: nothing is cut off");
        if variant == "dynamic" {
            map::assert_extents(&disk, &path, "vdi", told_as);
        } else {
            // For static disks, qemu-img also asks the filesystem below for holes.
            assert!(disk.extents().all(|extent| extent.unwrap().kind == ExtentKind::Data));
        }
    }
}

#[test]
fn a_disk_of_three_gigabytes() {
    let folder = tempfile::tempdir().unwrap();
    let raw = map::large(folder.path());
    let path = folder.path().join("disk.vdi");
    convert(&raw, &path, "static=off");
    let disk = open(&path).unwrap();
    map::assert_large(&disk, &raw, "dynamic");
    map::assert_extents(&disk, &path, "vdi", told_as);
}

/// What a running VM leaves: blocks in the order in which they were first written.
#[test]
fn blocks_in_any_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk.vdi");
    run("qemu-img", &["create", "-q", "-f", "vdi", text(&path), "9M"]);
    let commands = [
        "write -P 1 5M 2M",
        "write -P 2 1000k 300k",
        "write -P 3 8M 1M",
        "write -P 4 0 512",
    ];
    let mut arguments = vec!["-f", "vdi"];
    arguments.extend(commands.iter().flat_map(|command| ["-c", command]));
    arguments.push(text(&path));
    run("qemu-io", &arguments);
    let plain = folder.path().join("plain.raw");
    run(
        "qemu-img",
        &["convert", "-f", "vdi", "-O", "raw", text(&path), text(&plain)],
    );
    let disk = open(&path).unwrap();
    assert_same(&read_all(&disk), &fs::read(&plain).unwrap(), "any order");
    map::assert_extents(&disk, &path, "vdi", told_as);
}

/// A VDI as VirtualBox lays it out: map and data on borders of 1 MiB, its text, a creation and a modification UUID.
/// `map` gives each block's number in the file.
fn vdi(block_size: usize, disk: &[u8], map: &[u32], kind: u32) -> Vec<u8> {
    let mut bytes = vec![0; 2 << 20];
    let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
    put(0, b"<<< Oracle VM VirtualBox Disk Image >>>\n");
    for (at, value) in [
        (64, 0xbeda_107f),
        (68, 0x0001_0001),
        (72, 400),
        (76, kind),
        (340, 1 << 20),
        (344, 2 << 20),
        (360, 512),
        (376, u32::try_from(block_size).unwrap()),
        (384, u32::try_from(map.len()).unwrap()),
        (468, 512),
    ] {
        put(at, &value.to_le_bytes());
    }
    put(368, &(disk.len() as u64).to_le_bytes());
    put(392, &[7; 32]);
    for (index, entry) in map.iter().enumerate() {
        put((1 << 20) + 4 * index, &entry.to_le_bytes());
    }
    for (block, entry) in disk.chunks(block_size).zip(map) {
        let start = (2 << 20) + block_size * *entry as usize;
        if *entry < u32::MAX - 1 {
            let end = start + block_size;
            bytes.resize(bytes.len().max(end), 0);
            bytes[start..start + block.len()].copy_from_slice(block);
        }
    }
    bytes
}

#[test]
fn block_sizes_that_virtualbox_can_be_told_to_use() {
    let disk = content();
    for block_size in [512, 4096, 65_536, 1 << 20, 4 << 20, 32 << 20] {
        let blocks = u32::try_from(SIZE.div_ceil(block_size)).unwrap();
        // Backwards, so that nothing follows by chance.
        let map: Vec<u32> = (0..blocks).rev().collect();
        let opened = open_bytes(vdi(block_size, &disk, &map, 1)).unwrap();
        assert_same(&read_all(&opened), &disk, &format!("blocks of {block_size} bytes"));
        assert_eq!(opened.missing_bytes().unwrap(), 0);
    }
}

#[test]
fn free_blocks_and_zero_blocks_are_told_apart() {
    let mut disk = content();
    disk.truncate(4 << 20);
    let bytes = vdi(1 << 20, &disk, &[1, u32::MAX, u32::MAX - 1, 0], 1);
    disk[1 << 20..3 << 20].fill(0);
    let opened = open_bytes(bytes).unwrap();
    assert_same(&read_all(&opened), &disk, "holes");
    let kinds: Vec<_> = opened.extents().map(|extent| extent.unwrap().kind).collect();
    let expected = [
        ExtentKind::Data,
        ExtentKind::Unallocated,
        ExtentKind::Zero,
        ExtentKind::Data,
    ];
    assert_eq!(kinds, expected);
}

/// `VBoxManage convertfromraw` writes what it was given; a VM sees whole sectors.
#[test]
fn an_odd_size_is_rounded_up_to_a_sector() {
    let disk = vec![5; (1 << 20) + 1];
    let opened = open_bytes(vdi(1 << 20, &disk, &[0, 1], 1)).unwrap();
    assert_eq!(opened.len(), (1 << 20) + 512);
    assert_eq!(opened.container().virtual_size, Some(opened.len()));
    let mut last = [9; 512];
    opened.read_at(&mut last, 1 << 20).unwrap();
    assert_eq!((last[0], last[1]), (5, 0));
}

#[test]
fn two_entries_for_one_block_do_no_harm() {
    let disk = vec![5; 3 << 20];
    let opened = open_bytes(vdi(1 << 20, &disk, &[0, 0, 0], 1)).unwrap();
    assert_same(&read_all(&opened), &disk, "one block thrice");
}

#[test]
fn what_is_not_a_whole_disk_or_damaged_is_refused_by_its_own_code() {
    let good = vdi(1 << 20, &content()[..2 << 20], &[0, 1], 1);
    assert!(open_bytes(good.clone()).is_ok());
    for (offset, byte, code, kind) in [
        (76, 3, "vdi_parent", Kind::Refused),              // undo
        (76, 4, "vdi_parent", Kind::Refused),              // differencing
        (424, 1, "vdi_parent", Kind::Refused),             // link UUID
        (455, 1, "vdi_parent", Kind::Refused),             // parent's modification UUID
        (70, 0, "vdi_features", Kind::Incompatible),       // version 0.1
        (68, 2, "vdi_features", Kind::Incompatible),       // version 1.2
        (381, 2, "vdi_features", Kind::Incompatible),      // 512 bytes before each block
        (76, 9, "vdi_corrupt", Kind::Corrupt),             // no such kind
        (73, 0, "vdi_corrupt", Kind::Corrupt),             // header of 144 bytes
        (361, 16, "vdi_corrupt", Kind::Corrupt),           // sectors of 4096 bytes
        (376, 1, "vdi_corrupt", Kind::Corrupt),            // blocks of 1 MiB and a byte
        (379, 32, "vdi_corrupt", Kind::Corrupt),           // no power of two
        (384, 1, "vdi_corrupt", Kind::Corrupt),            // one block for two
        (342, 0, "vdi_corrupt", Kind::Corrupt),            // map in the header
        (346, 0, "vdi_corrupt", Kind::Corrupt),            // data in the map
        (375, 1, "virtual_size_too_large", Kind::Refused), // 72 PB
    ] {
        let mut bytes = good.clone();
        bytes[offset] = byte;
        let error = open_bytes(bytes).unwrap_err();
        assert_eq!(
            (error.code(), error.kind()),
            (code, kind),
            "byte {offset} set to {byte}"
        );
    }
    // A block that the disk cannot have: found where it is read, and by the check.
    let disk = open_bytes(vdi(1 << 20, &vec![0; 2 << 20], &[0, 2], 1)).unwrap();
    assert_eq!(disk.read_at(&mut [0], 1 << 20).unwrap_err().code(), "vdi_corrupt");
    assert_eq!(disk.missing_bytes().unwrap_err().code(), "vdi_corrupt");
    disk.read_at(&mut [0; 512], 0).unwrap();
}

/// A download that broke off: told with how much is missing, without reading the data; what is there can be read.
#[test]
fn a_truncated_file_is_found_by_its_map() {
    let folder = tempfile::tempdir().unwrap();
    let raw = raw(folder.path());
    for options in ["static=off", "static=on"] {
        let path = folder.path().join("disk.vdi");
        convert(&raw, &path, options);
        let mut bytes = fs::read(&path).unwrap();
        // The last block is whole in the file, but all of it that belongs to the disk is three sectors.
        let cut = (1 << 20) - 2 * 512;
        bytes.truncate(bytes.len() - cut);
        let disk = open_bytes(bytes.clone()).unwrap();
        assert_eq!(disk.missing_bytes().unwrap(), 512, "{options}");
        let error = disk.read_at(&mut [0], disk.len() - 1).unwrap_err();
        assert_eq!(error.code(), "container_truncated", "{options}");
        let mut start = [0; 512];
        disk.read_at(&mut start, 0).unwrap();
        assert_eq!(start[510..], [0x55, 0xaa], "{options}: the beginning is there");
        // Within the map, and within the header.
        bytes.truncate(530);
        let disk = open_bytes(bytes.clone()).unwrap();
        assert_eq!(disk.missing_bytes().unwrap(), 512 + 4 * 10 - 530, "{options}");
        assert_eq!(disk.read_at(&mut [0], 0).unwrap_err().code(), "container_truncated");
        bytes.truncate(300);
        assert_eq!(
            open_bytes(bytes).unwrap_err().code(),
            "container_truncated",
            "{options}"
        );
    }
}

#[test]
fn a_huge_empty_disk_costs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk.vdi");
    run("qemu-img", &["create", "-q", "-f", "vdi", text(&path), "16T"]);
    let started = Instant::now();
    let disk = open(&path).unwrap();
    let extents: Vec<_> = disk.extents().map(Result::unwrap).collect();
    assert_eq!(
        (extents.len(), extents[0].len, extents[0].kind),
        (1, 16 << 40, ExtentKind::Unallocated)
    );
    assert_eq!(disk.missing_bytes().unwrap(), 0);
    assert!(
        started.elapsed() < Duration::from_secs(1),
        "took {:?}",
        started.elapsed()
    );
}

/// Threads share one disk's caches and still read the right bytes; small reads do not go to the map each time.
#[test]
fn many_threads_and_small_reads() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk.vdi");
    convert(&raw(folder.path()), &path, "static=off");
    let disk = Disk::open(Arc::new(FileSource::open(&path).unwrap())).unwrap();
    let expected = content();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_same(&read_all(&disk), &expected, "thread"));
        }
    });
    let started = Instant::now();
    let mut buf = [0; 256];
    for step in 0..20_000_u64 {
        disk.read_at(&mut buf, step * 7919 * 64 % (disk.len() - 256)).unwrap();
    }
    // 0.02 s on the machine this was written on; the limit only tells a cache from none.
    assert!(
        started.elapsed() < Duration::from_secs(2),
        "took {:?}",
        started.elapsed()
    );
}

/// Small images for the property test, made once: many blocks and few, in order and not.
fn small_images() -> &'static [Vec<u8>] {
    static IMAGES: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    IMAGES.get_or_init(|| {
        let disk = &content()[..1_500_160];
        let backwards = |blocks| (0..blocks).rev().collect::<Vec<u32>>();
        vec![
            vdi(512, disk, &backwards(2930), 1),
            vdi(65_536, disk, &backwards(23), 1),
            vdi(1 << 20, disk, &[u32::MAX - 1, 0], 1),
            vdi(1 << 20, disk, &[0, 1], 2),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Images are hostile: whatever bytes change, nothing panics, and it ends quickly.
    #[test]
    fn damaged_images_never_panic(
        image in 0..4_usize,
        // Most changes go to header and map, where they matter.
        changes in proptest::collection::vec(
            (prop_oneof![64..84_usize, 340..472_usize, (1_usize << 20)..(1 << 20) + 12_000], any::<u8>()),
            1..16,
        ),
        len in proptest::option::of(0..3_500_000_usize),
    ) {
        let mut bytes = small_images()[image].clone();
        for (at, value) in changes {
            bytes[at] = value;
        }
        if let Some(len) = len {
            bytes.truncate(len);
        }
        let started = Instant::now();
        damaged::use_disk(bytes);
        prop_assert!(started.elapsed() < Duration::from_secs(1), "took {:?}", started.elapsed());
    }
}
