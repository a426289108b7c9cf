//! What is damaged, cut off, unknown or unsafe: each has its own code, and nothing panics or hangs.

use std::{
    fs,
    path::Path,
    sync::OnceLock,
    time::{Duration, Instant},
};

use lotse_disk::{ExtentKind, Kind, MemorySource, identify};
use proptest::prelude::*;

use crate::{
    common::{SIZE, assert_same, content, open, raw, read_all},
    images::{
        FILE_PARAMETERS, HEADER_LEN, HEADERS, LOGICAL_SECTOR_SIZE, LogEntry, MIB, REGION_TABLES, VIRTUAL_DISK_ID,
        VIRTUAL_DISK_SIZE, Write, bat, change_headers, change_regions, convert, create, item, item_entry, metadata,
        open_bytes, open_log, put, put_log, seal, u64_at, write,
    },
};

fn image(folder: &Path) -> Vec<u8> {
    let path = folder.join("disk.vhdx");
    convert(&raw(folder), &path, "block_size=1M");
    fs::read(path).unwrap()
}

fn code(bytes: &[u8], change: impl FnOnce(&mut Vec<u8>)) -> &'static str {
    let mut bytes = bytes.to_vec();
    change(&mut bytes);
    open_bytes(bytes).map_or_else(|error| error.code(), |_| "opened")
}

/// The header with the greater sequence number counts if it is sound, else the other.
#[test]
fn one_of_two_headers_counts() {
    let folder = tempfile::tempdir().unwrap();
    let good = image(folder.path());
    let [first, second] = HEADERS;
    let newer = if u64_at(&good, first + 8) > u64_at(&good, second + 8) {
        first
    } else {
        second
    };
    let older = first + second - newer;
    let version_2 = |bytes: &mut Vec<u8>, header: usize| {
        bytes[header + 66] = 2;
        seal(&mut bytes[header..header + HEADER_LEN]);
    };
    assert_eq!(code(&good, |b| version_2(b, older)), "opened", "the older is not asked");
    assert_eq!(code(&good, |b| version_2(b, newer)), "vhdx_features");
    let damaged = |b: &mut Vec<u8>| {
        version_2(b, newer);
        b[newer + 100] ^= 1;
    };
    assert_eq!(code(&good, damaged), "opened", "the newer is damaged");
    let both = |b: &mut Vec<u8>| {
        b[newer + 100] ^= 1;
        b[older] ^= 1;
    };
    assert_eq!(code(&good, both), "vhdx_corrupt");
    // Equal numbers: told apart by nothing, unless the headers are the same.
    let alike = |b: &mut Vec<u8>| b.copy_within(first..first + HEADER_LEN, second);
    assert_eq!(code(&good, alike), "opened");
    let unlike = |b: &mut Vec<u8>| {
        b[newer + 20] ^= 1;
        change_headers(b, 8, &[1; 8]);
    };
    assert_eq!(code(&good, unlike), "vhdx_corrupt");
}

#[test]
fn the_second_region_table_stands_in_for_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let good = image(folder.path());
    let [first, second] = REGION_TABLES;
    let mut bytes = good.clone();
    bytes[first + 70] ^= 1;
    assert_same(
        &read_all(&open_bytes(bytes.clone()).unwrap()),
        &content(),
        "second table",
    );
    bytes[second + 70] ^= 1;
    assert_eq!(open_bytes(bytes).unwrap_err().code(), "vhdx_corrupt");
    // Both sound, but not the same: who knows which one another program takes.
    let other = |b: &mut Vec<u8>| {
        put(b, second + 64, &(64_u64 << 20).to_le_bytes());
        seal(&mut b[second..second + 65_536]);
    };
    assert_eq!(code(&good, other), "vhdx_corrupt");
}

/// Changed by hand, with checksums right, since no tool writes them.
#[test]
fn damaged_tables_have_a_code() {
    let folder = tempfile::tempdir().unwrap();
    let good = image(folder.path());
    let [table, _] = REGION_TABLES;
    let first_region = u64_at(&good, table + 16 + 16);
    let corrupt: [(&str, usize, Vec<u8>); 9] = [
        ("too many regions", 8, vec![0xff, 0xff, 0, 0]),
        ("only one region", 8, vec![1, 0, 0, 0]),
        ("region within the header section", 32, vec![0; 8]),
        ("region at no whole MiB", 32, 0x20_0200_u64.to_le_bytes().to_vec()),
        ("region of no length", 40, vec![0; 4]),
        ("region over another", 64, first_region.to_le_bytes().to_vec()),
        ("region over the log", 64, (1_u64 << 20).to_le_bytes().to_vec()),
        (
            "region at the end of all numbers",
            32,
            0xffff_ffff_fff0_0000_u64.to_le_bytes().to_vec(),
        ),
        ("region far out", 64, (1_u64 << 60).to_le_bytes().to_vec()),
    ];
    for (what, at, value) in corrupt {
        assert_eq!(code(&good, |b| change_regions(b, at, &value)), "vhdx_corrupt", "{what}");
    }
    let again = |b: &mut Vec<u8>| {
        let twice = b[table + 16..table + 32].to_vec();
        change_regions(b, 48, &twice);
    };
    assert_eq!(code(&good, again), "vhdx_corrupt", "one region twice");
    let unknown = |required: u8| {
        let mut region = vec![0xaa; 16];
        region.extend(0x7000_0000_u64.to_le_bytes());
        region.extend([0, 0, 0x10, 0, required, 0, 0, 0]);
        code(&good, |b| {
            change_regions(b, 8, &[3]);
            change_regions(b, 16 + 64, &region);
        })
    };
    assert_eq!(unknown(0), "opened");
    assert_eq!(unknown(1), "vhdx_features");
    assert_eq!(
        code(&good, |b| change_headers(b, 72, &[1])),
        "vhdx_corrupt",
        "log at no whole MiB"
    );
    assert_eq!(
        code(&good, |b| change_headers(b, 69, &[1])),
        "vhdx_corrupt",
        "log of no whole MiB"
    );
}

#[test]
fn damaged_metadata_has_a_code() {
    let folder = tempfile::tempdir().unwrap();
    let good = image(folder.path());
    let (table, parameters) = (metadata(&good), item(&good, FILE_PARAMETERS));
    let (size, sector) = (item(&good, VIRTUAL_DISK_SIZE), item(&good, LOGICAL_SECTOR_SIZE));
    let identity = item_entry(&good, VIRTUAL_DISK_ID);
    let size_entry = item_entry(&good, VIRTUAL_DISK_SIZE);
    for (what, at, value, expected) in [
        ("signature", table, &b"metaDATA"[..], "vhdx_corrupt"),
        ("too many items", table + 10, &[0, 8], "vhdx_corrupt"),
        ("too few items", table + 10, &[1, 0], "vhdx_corrupt"),
        ("item in the table", size_entry + 16, &[0, 1, 0, 0], "vhdx_corrupt"),
        ("item outside", size_entry + 16, &[0xfd, 0xff, 0x0f, 0], "vhdx_corrupt"),
        ("item far outside", size_entry + 16, &[0xff; 4], "vhdx_corrupt"),
        ("item too short", size_entry + 20, &[7], "vhdx_corrupt"),
        ("blocks of 3 MiB", parameters, &[0, 0, 0x30, 0], "vhdx_corrupt"),
        ("blocks of 512 KiB", parameters, &[0, 0, 8, 0], "vhdx_corrupt"),
        ("blocks of 512 MiB", parameters, &[0, 0, 0, 0x20], "vhdx_corrupt"),
        ("blocks of nothing", parameters, &[0; 4], "vhdx_corrupt"),
        ("sectors of 520", sector, &[8], "vhdx_corrupt"),
        ("size of half a sector", size, &[1], "vhdx_corrupt"),
        ("size beyond the BAT", size + 5, &[1], "vhdx_corrupt"),
        ("size of 65 TiB", size + 5, &[65], "virtual_size_too_large"),
        (
            "size of 16 EiB",
            size,
            &[0, 0xf0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            "virtual_size_too_large",
        ),
        // The item that tells the disk's identity becomes one that nobody knows: a user's, optional, required.
        ("unknown item, required", identity, &[0], "vhdx_features"),
        ("known item as a user's, required", identity + 24, &[5], "vhdx_features"),
        ("known item as a user's", identity + 24, &[1], "opened"),
    ] {
        assert_eq!(code(&good, |b| put(b, at, value)), expected, "{what}");
    }
}

/// The owner learns which file to merge; the other file is never looked for.
#[test]
fn a_differencing_disk_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let good = image(folder.path());
    let parameters = item(&good, FILE_PARAMETERS);
    let mut bytes = good.clone();
    bytes[parameters + 4] |= 2;
    let error = open_bytes(bytes.clone()).unwrap_err();
    assert_eq!((error.code(), error.kind()), ("vhdx_parent", Kind::Refused));
    assert_eq!(error.params()[0], ("file", "?".to_owned()), "no locator tells the name");

    // A parent locator with one key ([MS-VHDX] 2.6.2.6).
    let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
    let (key, path) = (utf16("relative_path"), utf16("..\\Basis – Original.vhdx"));
    let mut locator = vec![0; 18];
    locator.extend([1, 0]);
    locator.extend(32_u32.to_le_bytes());
    locator.extend(u32::try_from(32 + key.len()).unwrap().to_le_bytes());
    locator.extend(u16::try_from(key.len()).unwrap().to_le_bytes());
    locator.extend(u16::try_from(path.len()).unwrap().to_le_bytes());
    locator.extend([key, path].concat());
    let table = metadata(&bytes);
    let count = usize::from(bytes[table + 10]);
    let entry = table + 32 * (count + 1);
    bytes[table + 10] += 1;
    let guid = 0xA8D3_5F2D_B30B_454D_ABF7_D3D8_4834_AB0C_u128.to_be_bytes();
    for (at, from) in [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15]
        .into_iter()
        .enumerate()
    {
        bytes[entry + at] = guid[from];
    }
    put(&mut bytes, entry + 16, &0x2_0000_u32.to_le_bytes());
    put(
        &mut bytes,
        entry + 20,
        &u32::try_from(locator.len()).unwrap().to_le_bytes(),
    );
    put(&mut bytes, entry + 24, &[4]);
    put(&mut bytes, table + 0x2_0000, &locator);
    let error = open_bytes(bytes.clone()).unwrap_err();
    assert_eq!(error.params()[0], ("file", "..\\Basis – Original.vhdx".to_owned()));
    let container = identify(&MemorySource::new(bytes.clone())).unwrap();
    assert_eq!(container.variant.as_deref(), Some("differencing"));
    // A locator alone is enough.
    bytes[parameters + 4] &= !2;
    assert_eq!(open_bytes(bytes).unwrap_err().code(), "vhdx_parent");
}

/// A wrong entry of the BAT spoils its block only; the rest can be read.
#[test]
fn damaged_bat_entries_are_found_where_they_matter() {
    let folder = tempfile::tempdir().unwrap();
    let good = image(folder.path());
    let at = bat(&good);
    assert_eq!(u64_at(&good, at) & 7, 6, "the first block is allocated");
    let far = (3_u64 << 40) | 6;
    for (what, entry) in [
        ("state 4", u64_at(&good, at) - 2),
        ("partially present", u64_at(&good, at) + 1),
        ("reserved bits", u64_at(&good, at) | 0x1000),
        ("over the header", 6),
        ("over the log", (1 << 20) | 6),
        ("over the BAT", at as u64 | 6),
        ("far beyond any file of this disk", far),
        ("at the end of all numbers", 0xffff_ffff_fff0_0006),
    ] {
        let mut bytes = good.clone();
        put(&mut bytes, at, &entry.to_le_bytes());
        let disk = open_bytes(bytes).unwrap();
        let error = disk.read_at(&mut [0; 512], 0).unwrap_err();
        assert_eq!(error.code(), "vhdx_corrupt", "{what}");
        assert_eq!(disk.missing_bytes().unwrap_err().code(), "vhdx_corrupt", "{what}");
        let mut later = vec![0; 512];
        disk.read_at(&mut later, 5 << 20).unwrap();
        assert_same(&later, &content()[5 << 20..(5 << 20) + 512], what);
    }
}

/// A cloud that takes such a file for raw would start what stands in its first sector.
#[test]
fn a_partition_table_in_the_header_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut bytes = image(folder.path());
    put(&mut bytes, 446, &[0x80, 0, 2, 0, 0x83, 0, 0, 0, 0, 8, 0, 0, 0, 8, 0, 0]);
    put(&mut bytes, 510, &[0x55, 0xaa]);
    assert_eq!(open_bytes(bytes).unwrap_err().code(), "two_formats");
}

/// A download that broke off: told with how much is missing, without reading the data; what is there can be read.
#[test]
fn a_truncated_file_is_found_by_its_tables() {
    let folder = tempfile::tempdir().unwrap();
    let raw = raw(folder.path());
    let path = folder.path().join("disk.vhdx");
    for options in ["block_size=1M", "block_size=1M,subformat=fixed", "block_size=32M"] {
        convert(&raw, &path, options);
        let whole = fs::read(&path).unwrap();
        let cut = MIB + 300_000;
        // In blocks of 32 MiB, all but the first 9 MiB is no part of the disk.
        let block = usize::try_from(u64_at(&whole, bat(&whole)) & !0xf_ffff).unwrap();
        let used = if options.contains("32M") {
            block + SIZE
        } else {
            whole.len()
        };
        let disk = open_bytes(whole[..used - cut].to_vec()).unwrap();
        let missing = disk.missing_bytes().unwrap();
        assert!(missing > 0 && missing <= cut as u64, "{options}: {missing} of {cut}");
        let extents = disk.extents().map(Result::unwrap);
        let last = extents.filter(|extent| extent.kind == ExtentKind::Data).last().unwrap();
        let error = disk.read_at(&mut [0], last.offset + last.len - 1).unwrap_err();
        assert_eq!(error.code(), "container_truncated", "{options}");
        let mut start = [0; 512];
        disk.read_at(&mut start, 0).unwrap();
        assert_eq!(start[510..], [0x55, 0xaa], "{options}: the beginning is there");
    }
    // Cut so short that not even the tables are there, or not all of them.
    let whole = fs::read(&path).unwrap();
    for len in [20, 65_000, 100_000, 200_000, 300_000, MIB, 3 * MIB] {
        let error = open_bytes(whole[..len].to_vec()).unwrap_err();
        assert_eq!(error.code(), "container_truncated", "{len} bytes");
        assert!(
            identify(&MemorySource::new(whole[..len].to_vec())).is_ok(),
            "{len} bytes are still a VHDX file"
        );
    }
}

/// The table of a large disk is cut off in its middle.
#[test]
fn a_truncated_table_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk.vhdx");
    create(&path, "block_size=1M", "400G");
    write(&path, &["write -q -P 1 0 512"]);
    let mut bytes = fs::read(&path).unwrap();
    // QEMU puts the metadata after the BAT: they change places, so that the cut spares the metadata.
    let [table, _] = REGION_TABLES;
    assert_eq!(u64_at(&bytes, table + 32), bat(&bytes) as u64);
    let from = metadata(&bytes);
    let bat_at = bat(&bytes);
    let bat_bytes = bytes[bat_at..from].to_vec();
    let metadata_bytes = bytes[from..from + MIB].to_vec();
    put(&mut bytes, bat_at, &metadata_bytes);
    put(&mut bytes, bat_at + MIB, &bat_bytes);
    change_regions(&mut bytes, 32, &((bat_at + MIB) as u64).to_le_bytes());
    change_regions(&mut bytes, 64, &(bat_at as u64).to_le_bytes());
    let entries = 400 * 1024 + 400 * 1024 / 4096 - 1;
    let end = bat_at + MIB + entries * 8;
    bytes.truncate(end - 1_000_000);
    let disk = open_bytes(bytes).unwrap();
    assert!(disk.missing_bytes().unwrap() >= 1_000_000);
    assert_eq!(
        disk.read_at(&mut [0], disk.len() - 1).unwrap_err().code(),
        "container_truncated"
    );
    assert_eq!(disk.read_at(&mut [0], disk.len()).unwrap_err().code(), "read_past_end");
}

/// Small images for the property test, made once: both kinds, and a log to be replayed.
fn small_images() -> &'static [Vec<u8>] {
    static IMAGES: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    IMAGES.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let (raw, path) = (folder.path().join("small.raw"), folder.path().join("small.vhdx"));
        fs::write(&raw, &content()[..2_500_096]).unwrap();
        let make = |options: &&str| {
            convert(&raw, &path, options);
            fs::read(&path).unwrap()
        };
        let mut images: Vec<_> = ["block_size=1M", "block_size=1M,subformat=fixed"]
            .iter()
            .map(make)
            .collect();
        let mut dirty = images[0].clone();
        let guid = [3; 16];
        open_log(&mut dirty, guid);
        let at = bat(&dirty);
        let data = Write::Data(at, Box::new(dirty[at..at + 4096].try_into().unwrap()));
        let entry = LogEntry {
            sequence: 1,
            tail: 0,
            flushed: dirty.len(),
            last: dirty.len(),
            writes: vec![Write::Zero(at + 4096, 8192), data],
        };
        put_log(&mut dirty, 0, &entry.encode(guid));
        images.push(dirty);
        images
    })
}

/// Makes all checksums right again, as whoever means harm would.
fn seal_all(bytes: &mut [u8]) {
    for start in HEADERS {
        seal(&mut bytes[start..start + HEADER_LEN]);
    }
    for start in REGION_TABLES {
        seal(&mut bytes[start..start + 65_536]);
    }
    let log = &mut bytes[MIB..2 * MIB];
    if log.starts_with(b"loge") {
        let len = u32::from_le_bytes(log[8..12].try_into().unwrap()) as usize;
        if (64..=MIB).contains(&len) {
            seal(&mut log[..len]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Images are hostile: whatever bytes change, nothing panics, and it ends quickly.
    #[test]
    fn damaged_images_never_panic(
        image in 0..3_usize,
        // Most changes go where they matter: headers, region tables, log, BAT, metadata table and items.
        changes in proptest::collection::vec((prop_oneof![
            0x1_0000..0x1_0060_usize, 0x2_0000..0x2_0060_usize, 0x3_0000..0x3_0060_usize, 0x4_0000..0x4_0060_usize,
            0x10_0000..0x10_00a0_usize, 0x20_0000..0x20_0040_usize, 0x30_0000..0x30_00e0_usize,
            0x31_0000..0x31_0030_usize, 0..0x70_0000_usize,
        ], any::<u8>()), 1..=16),
        sealed in any::<bool>(),
        len in proptest::option::of(0..7_000_000_usize),
    ) {
        let mut bytes = small_images()[image].clone();
        for (at, value) in changes {
            let at = at % bytes.len();
            bytes[at] = value;
        }
        if sealed {
            seal_all(&mut bytes);
        }
        if let Some(len) = len {
            bytes.truncate(len);
        }
        let started = Instant::now();
        super::damaged::use_disk(bytes);
        prop_assert!(started.elapsed() < Duration::from_secs(1), "took {:?}", started.elapsed());
    }
}

/// The check of an image makes thousands of small reads all over it.
#[test]
fn small_reads_are_cheap() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk.vhdx");
    convert(&raw(folder.path()), &path, "block_size=1M");
    let disk = open(&path).unwrap();
    let started = Instant::now();
    let mut buf = [0; 256];
    for step in 0..20_000_u64 {
        disk.read_at(&mut buf, step * 7919 * 64 % (disk.len() - 256)).unwrap();
    }
    let elapsed = started.elapsed();
    assert!(elapsed < Duration::from_secs(2), "took {elapsed:?}");
}
