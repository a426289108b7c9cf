//! Sparse VMDK as qemu-img and VMware write it, byte by byte and extent by extent; and what must be refused.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that cannot make its image has failed")]

mod common;
#[path = "common/damaged.rs"]
mod damaged;
#[path = "common/map.rs"]
mod map;
#[path = "common/stream.rs"]
mod stream;

use std::{
    fs,
    path::Path,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use common::{assert_same, content, open, raw, read_all, run, text};
use lotse_disk::{Disk, Error, ExtentKind, FileSource, Format, Kind, MemorySource, Source, identify};
use proptest::prelude::*;
use stream::{stream, stream_of};

fn convert(raw: &Path, to: &Path, options: &str) {
    let arguments = ["convert", "-f", "raw", "-O", "vmdk", "-o", options, text(raw), text(to)];
    run("qemu-img", &arguments);
}

fn open_bytes(bytes: Vec<u8>) -> lotse_disk::Result<Disk> {
    Disk::open(Arc::new(MemorySource::new(bytes)))
}

fn param<'a>(error: &'a Error, name: &str) -> &'a str {
    &error.params().iter().find(|(key, _)| *key == name).unwrap().1
}

#[test]
fn every_variant_reads_as_the_disk_that_it_was_made_from() {
    let folder = tempfile::tempdir().unwrap();
    let raw = raw(folder.path());
    for (options, variant) in [
        ("subformat=monolithicSparse", "monolithicSparse"),
        ("subformat=monolithicSparse,compat6=on", "monolithicSparse"),
        ("subformat=monolithicSparse,zeroed_grain=on", "monolithicSparse"),
        ("subformat=streamOptimized", "streamOptimized"),
    ] {
        let path = folder.path().join("disk.vmdk");
        convert(&raw, &path, options);
        let disk = open(&path).unwrap();
        assert_eq!(disk.container().format, Some(Format::Vmdk));
        assert_eq!(disk.container().variant.as_deref(), Some(variant), "{options}");
        assert_eq!(
            disk.container().virtual_size,
            Some(disk.len()),
            "{options}: recognised size"
        );
        assert_same(&read_all(&disk), &content(), options);
        map::assert_extents(&disk, &path, "vmdk", |kind| kind);
        assert_eq!(disk.missing_bytes().unwrap(), 0, "{options}: nothing is cut off");
    }
}

#[test]
fn a_disk_of_three_gigabytes() {
    let folder = tempfile::tempdir().unwrap();
    let raw = map::large(folder.path());
    for options in ["subformat=monolithicSparse", "subformat=streamOptimized"] {
        let path = folder.path().join("disk.vmdk");
        convert(&raw, &path, options);
        let disk = open(&path).unwrap();
        map::assert_large(&disk, &raw, options);
        map::assert_extents(&disk, &path, "vmdk", |kind| kind);
    }
}

/// What a running VM leaves: grains written in any order, some as zeros, some told to be zeros.
#[test]
fn zeroed_grains_and_grains_of_zeros() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk.vmdk");
    for options in ["zeroed_grain=on", "zeroed_grain=off"] {
        run(
            "qemu-img",
            &["create", "-q", "-f", "vmdk", "-o", options, text(&path), "70M"],
        );
        let commands = [
            "write -P 1 60M 1M",
            "write -P 2 33M 300k",
            "write -P 3 100k 3k",
            "write -P 0 10M 1M",
            "write -z 60M 128k",
            "write -z 20M 1M",
            "write -P 4 32760k 64k",
        ];
        let mut arguments = vec!["-f", "vmdk"];
        arguments.extend(commands.iter().flat_map(|command| ["-c", command]));
        arguments.push(text(&path));
        run("qemu-io", &arguments);
        let plain = folder.path().join("plain.raw");
        run(
            "qemu-img",
            &["convert", "-f", "vmdk", "-O", "raw", text(&path), text(&plain)],
        );
        let disk = open(&path).unwrap();
        assert_same(&read_all(&disk), &fs::read(&plain).unwrap(), options);
        map::assert_extents(&disk, &path, "vmdk", |kind| kind);
        let at = |offset: u64| {
            let mut extents = disk.extents().map(Result::unwrap);
            extents.find(|extent| extent.offset + extent.len > offset).unwrap().kind
        };
        assert_eq!(at(10 << 20), ExtentKind::Data, "{options}: zeros that were written");
        let told = if options == "zeroed_grain=on" {
            ExtentKind::Zero
        } else {
            ExtentKind::Data
        };
        assert_eq!(
            (at(20 << 20), at(60 << 20)),
            (told, told),
            "{options}: zeros that were told"
        );
    }
}

/// What VMware exports and VirtualBox writes, as the technical note has it: all tables behind the grains that they
/// refer to, each behind its marker, and the directory's place in a footer. qemu-img must read the same from it.
#[test]
fn a_stream_with_its_tables_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stream.vmdk");
    let mut disk = content();
    // More than one grain table, holes over its border, and no multiple of a grain.
    disk.resize((70 << 20) + 512, 0);
    disk[33 << 20..34 << 20].fill(6);
    disk[70 << 20..].fill(7);
    let bytes = stream(&disk);
    fs::write(&path, &bytes).unwrap();
    let plain = folder.path().join("plain.raw");
    run(
        "qemu-img",
        &["convert", "-f", "vmdk", "-O", "raw", text(&path), text(&plain)],
    );
    assert_same(&fs::read(&plain).unwrap(), &disk, "as qemu-img reads it");
    let opened = open(&path).unwrap();
    assert_eq!(opened.container().variant.as_deref(), Some("streamOptimized"));
    assert_eq!(opened.container().virtual_size, Some(opened.len()));
    assert_same(&read_all(&opened), &disk, "as we read it");
    map::assert_extents(&opened, &path, "vmdk", |kind| kind);
    assert_eq!(opened.missing_bytes().unwrap(), 0);

    // Any cut takes the footer away.
    for cut in [1, 512, 513, 1024, 5000, bytes.len() / 2] {
        let error = open_bytes(bytes[..bytes.len() - cut].to_vec()).unwrap_err();
        assert_eq!(error.code(), "container_truncated", "{cut} bytes cut off");
        assert!(
            param(&error, "missing").parse::<usize>().unwrap() <= cut,
            "{cut}: {error}"
        );
    }
    // A footer that describes another disk, or none.
    let footer = bytes.len() - 1024;
    for (at, byte) in [(footer + 12, 2), (footer, 0), (footer + 56, 0xff), (footer - 500, 2)] {
        let mut bytes = bytes.clone();
        bytes[at] = byte;
        if at == footer + 56 {
            bytes[at..at + 8].fill(0xff);
        }
        assert_eq!(open_bytes(bytes).unwrap_err().code(), "vmdk_corrupt", "byte {at}");
    }
}

/// The technical note allows other grains than those of 64 KiB that everyone writes, and QEMU smaller tables.
#[test]
fn other_sizes_of_grains_and_tables() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stream.vmdk");
    let plain = folder.path().join("plain.raw");
    let disk = content();
    for (grain_sectors, entries) in [(8, 512), (16, 128), (128, 100), (2048, 3), (4096, 512)] {
        let what = format!("grains of {grain_sectors} sectors, tables of {entries}");
        fs::write(&path, stream_of(&disk, grain_sectors, entries)).unwrap();
        run(
            "qemu-img",
            &["convert", "-f", "vmdk", "-O", "raw", text(&path), text(&plain)],
        );
        assert_same(&fs::read(&plain).unwrap(), &disk, &format!("{what}, by qemu-img"));
        let opened = open(&path).unwrap();
        assert_same(&read_all(&opened), &disk, &what);
        map::assert_extents(&opened, &path, "vmdk", |kind| kind);
        assert_eq!(opened.missing_bytes().unwrap(), 0, "{what}");
    }
}

/// A grain that is not the one that its table says, or is damaged: an error there, and nowhere else.
#[test]
fn each_compressed_grain_is_checked() {
    let disk = content();
    let bytes = stream(&disk);
    // The first grain stands behind the header and the descriptor: LBA, length, zlib data with a checksum at its end.
    let first = 128 * 512;
    let len = u32::from_le_bytes(bytes[first + 8..first + 12].try_into().unwrap()) as usize;
    for (at, what) in [
        (first, "grain_marker"),
        (first + 11, "grain_marker"),
        (first + 12, "compressed_grain"),
        (first + 12 + len - 1, "compressed_grain"),
    ] {
        let mut bytes = bytes.clone();
        bytes[at] ^= 0x55;
        let opened = open_bytes(bytes).unwrap();
        let error = opened.read_at(&mut [0; 512], 0).unwrap_err();
        assert_eq!(
            (error.code(), param(&error, "what")),
            ("vmdk_corrupt", what),
            "byte {at}"
        );
        let mut grain = vec![0; 65_536];
        assert!(opened.read_at(&mut grain, 0).is_err());
        opened.read_at(&mut grain, 5 << 20).unwrap();
        assert_same(&grain, &disk[5 << 20..(5 << 20) + 65_536], "another grain");
    }
}

#[test]
fn a_disk_in_other_files_is_refused_and_they_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let raw = raw(folder.path());
    let path = folder.path().join("disk.vmdk");
    for (subformat, file) in [
        ("monolithicFlat", "disk-flat.vmdk"),
        ("twoGbMaxExtentSparse", "disk-s001.vmdk"),
        ("twoGbMaxExtentFlat", "disk-f001.vmdk"),
    ] {
        convert(&raw, &path, &format!("subformat={subformat}"));
        let container = identify(&FileSource::open(&path).unwrap()).unwrap();
        assert_eq!(
            (container.variant.as_deref(), container.virtual_size),
            (Some(subformat), None)
        );
        let error = open(&path).unwrap_err();
        assert_eq!(
            (error.code(), error.kind()),
            ("vmdk_foreign_extent", Kind::Refused),
            "{subformat}"
        );
        assert_eq!(param(&error, "extent"), file);
        // It is named from the text; whether it is there plays no part.
        fs::remove_file(folder.path().join(file)).unwrap_or_default();
        assert_eq!(open(&path).unwrap_err().code(), "vmdk_foreign_extent");
    }
    convert(&raw, &path, "subformat=twoGbMaxExtentSparse");
    let error = open(&folder.path().join("disk-s001.vmdk")).unwrap_err();
    assert_eq!(
        (error.code(), error.kind()),
        ("vmdk_part", Kind::Refused),
        "one part alone is no disk"
    );
    // As ESXi has them, by hand.
    for (create_type, line, file) in [
        ("vmfs", "RW 4096 VMFS \"server-flat.vmdk\"", "server-flat.vmdk"),
        (
            "vmfsSparse",
            "RW 4096 VMFSSPARSE \"server-delta.vmdk\"",
            "server-delta.vmdk",
        ),
        (
            "vmfsRawDeviceMap",
            "RW 4096 VMFSRDM \"/vmfs/devices/disks/x\"",
            "/vmfs/devices/disks/x",
        ),
        (
            "fullDevice",
            "RW 4096 FLAT \"\\\\.\\PhysicalDrive0\" 0",
            "\\\\.\\PhysicalDrive0",
        ),
        (
            "custom",
            "RW 63 ZERO\r\nRW 4096 FLAT \"\u{1b}[31mred\u{7}\" 0",
            "[31mred",
        ),
    ] {
        let text = format!(
            "# Disk DescriptorFile\r\nversion=1\r\nparentCID=ffffffff\r\ncreateType=\"{create_type}\"\r\n{line}\r\n"
        );
        let error = open_bytes(text.into_bytes()).unwrap_err();
        assert_eq!(
            (error.code(), param(&error, "extent")),
            ("vmdk_foreign_extent", file),
            "{create_type}"
        );
    }
    let long = format!(
        "# Disk DescriptorFile\nversion=1\ncreateType=\"vmfs\"\nRW 1 VMFS \"{}\"\n",
        "x".repeat(5000)
    );
    let error = open_bytes(long.into_bytes()).unwrap_err();
    assert_eq!(param(&error, "extent").len(), 200);
    let nothing = b"# Disk DescriptorFile\nversion=1\ncreateType=\"vmfs\"\nRW 1 ZERO\n".to_vec();
    assert_eq!(open_bytes(nothing).unwrap_err().code(), "vmdk_corrupt");
}

/// An image whose descriptor, which stands in sectors 1 to 20, has this text instead of that.
fn with_descriptor(image: &[u8], from: &str, to: &str) -> Vec<u8> {
    let mut bytes = image.to_vec();
    let descriptor = String::from_utf8_lossy(&bytes[512..21 * 512]).into_owned();
    assert!(descriptor.contains(from), "{descriptor}");
    let mut changed = descriptor.replacen(from, to, 1).into_bytes();
    changed.resize(20 * 512, 0);
    bytes[512..21 * 512].copy_from_slice(&changed);
    bytes
}

#[test]
fn what_refers_elsewhere_or_is_unknown_is_refused_by_its_own_code() {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().join("base.vmdk");
    convert(&raw(folder.path()), &base, "subformat=monolithicSparse");
    let top = folder.path().join("top.vmdk");
    run(
        "qemu-img",
        &[
            "create",
            "-q",
            "-f",
            "vmdk",
            "-b",
            text(&base),
            "-F",
            "vmdk",
            text(&top),
        ],
    );
    let error = open(&top).unwrap_err();
    assert_eq!((error.code(), error.kind()), ("vmdk_parent", Kind::Refused));
    assert_eq!(
        param(&error, "file"),
        text(&base),
        "the owner learns which file to merge"
    );

    let image = fs::read(&base).unwrap();
    let extent = "RW 18435 SPARSE \"base.vmdk\"";
    for (from, to, code) in [
        ("parentCID=ffffffff", "parentCID=12345678", "vmdk_parent"),
        (
            "# Extent description",
            "# parentFileNameHint=\"/etc/passwd\"",
            "vmdk_parent",
        ),
        (extent, "RW 18435 FLAT \"other.vmdk\" 0", "vmdk_foreign_extent"),
        (
            extent,
            "RW 9000 SPARSE \"base.vmdk\"\nRW 9435 SPARSE \"other.vmdk\"",
            "vmdk_foreign_extent",
        ),
        (
            "createType=\"monolithicSparse\"",
            "createType=\"twoGbMaxExtentSparse\"",
            "vmdk_foreign_extent",
        ),
    ] {
        let error = open_bytes(with_descriptor(&image, from, to)).unwrap_err();
        assert_eq!((error.code(), error.kind()), (code, Kind::Refused), "{to}");
    }
    // Read only once, as ovftool writes it; renamed since.
    let renamed = with_descriptor(&image, extent, "RDONLY 18435 SPARSE \"call-me-stream.vmdk\"");
    assert_same(&read_all(&open_bytes(renamed).unwrap()), &content(), "another name");

    // Changed by hand, since no tool writes them: offset, byte, code.
    for (offset, byte, code) in [
        (4, 4, "vmdk_features"),           // version 4
        (4, 0, "vmdk_features"),           // version 0
        (10, 4, "vmdk_features"),          // incompatible flag 18
        (77, 2, "vmdk_features"),          // unknown compression
        (28, 9, "vmdk_features"),          // descriptor where only some programs look for it
        (28, 0, "vmdk_part"),              // no descriptor
        (77, 1, "vmdk_corrupt"),           // compressed, but no flag says so
        (10, 1, "vmdk_corrupt"),           // a flag says compressed, but no method
        (73, b'\r', "vmdk_corrupt"),       // sent as text
        (20, 3, "vmdk_corrupt"),           // grains of 131 sectors
        (22, 1, "vmdk_corrupt"),           // grains of 32 MiB
        (45, 4, "vmdk_corrupt"),           // tables of 1024 entries
        (45, 0, "vmdk_corrupt"),           // tables of none
        (63, 1, "vmdk_corrupt"),           // directory nowhere
        (18, 1, "virtual_size_too_large"), // 144 PB
    ] {
        let mut bytes = image.clone();
        bytes[offset] = byte;
        let error = open_bytes(bytes).unwrap_err();
        assert_eq!(error.code(), code, "byte {offset} set to {byte}");
    }
    let mut nothing = image.clone();
    nothing[12..20].fill(0);
    assert_eq!(open_bytes(nothing).unwrap_err().code(), "vmdk_corrupt", "no capacity");

    for (magic, variant) in [(&b"COWD\x01\0\0\0"[..], "vmfsSparse"), (&SE_SPARSE, "seSparse")] {
        let mut bytes = vec![0; 4096];
        bytes[..magic.len()].copy_from_slice(magic);
        let container = identify(&MemorySource::new(bytes.clone())).unwrap();
        assert_eq!(
            (container.format, container.variant.as_deref()),
            (Some(Format::Vmdk), Some(variant))
        );
        let error = open_bytes(bytes).unwrap_err();
        assert_eq!((error.code(), error.kind()), ("vmdk_features", Kind::Incompatible));
        assert_eq!(param(&error, "feature"), variant);
    }
}

const SE_SPARSE: [u8; 16] = [0xbe, 0xba, 0xfe, 0xca, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0];

/// A download that broke off: told with how much is missing, without reading the data; what is there can be read.
#[test]
fn a_truncated_file_is_found_by_its_tables() {
    let folder = tempfile::tempdir().unwrap();
    let raw = raw(folder.path());
    for options in ["subformat=monolithicSparse", "subformat=streamOptimized"] {
        let path = folder.path().join("disk.vmdk");
        convert(&raw, &path, options);
        let whole = fs::read(&path).unwrap();
        for cut in [512, 70_000, 200_000] {
            let disk = open_bytes(whole[..whole.len() - cut].to_vec()).unwrap();
            let missing = disk.missing_bytes().unwrap();
            if cut > 65_536 {
                assert!(missing > 0, "{options}: {cut} bytes cut off");
            }
            assert!(missing <= cut as u64, "{options}: {missing} of {cut}");
            let extents = disk.extents().map(Result::unwrap);
            let last = extents.filter(|extent| extent.kind == ExtentKind::Data).last().unwrap();
            let read = disk.read_at(&mut [0], last.offset + last.len - 1);
            assert_eq!(read.is_err(), missing > 0, "{options}: {cut}");
            if let Err(error) = read {
                assert_eq!(error.code(), "container_truncated", "{options}");
            }
            let mut start = [0; 512];
            disk.read_at(&mut start, 0).unwrap();
            assert_eq!(start[510..], [0x55, 0xaa], "{options}: the beginning is there");
        }
        // Within the grain table, the grain directory and the header.
        let cut = |len: usize| open_bytes(whole[..len].to_vec());
        let sector = |at: usize| u64::from_le_bytes(whole[at..at + 8].try_into().unwrap());
        let directory = usize::try_from(sector(56) * 512).unwrap();
        let disk = cut(directory + 600).unwrap();
        assert_eq!(disk.missing_bytes().unwrap(), 512 + 2048 - 600, "{options}: the table");
        assert_eq!(disk.read_at(&mut [0], 0).unwrap_err().code(), "container_truncated");
        assert_eq!(
            cut(directory + 4).unwrap().missing_bytes().unwrap(),
            508 + 2048,
            "{options}"
        );
        assert_eq!(cut(directory + 3).unwrap_err().code(), "container_truncated");
        assert_eq!(cut(300).unwrap_err().code(), "container_truncated");
    }
}

/// Counts what is read, to prove that a check does not read the data.
#[derive(Debug)]
struct Counted {
    source: MemorySource,
    bytes: std::sync::atomic::AtomicU64,
}

impl Source for Counted {
    fn len(&self) -> u64 {
        self.source.len()
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> lotse_disk::Result<()> {
        self.bytes
            .fetch_add(buf.len() as u64, std::sync::atomic::Ordering::Relaxed);
        self.source.read_at(buf, offset)
    }
}

#[test]
fn the_check_for_missing_bytes_reads_the_tables_only() {
    let folder = tempfile::tempdir().unwrap();
    let raw = raw(folder.path());
    let path = folder.path().join("disk.vmdk");
    for options in ["subformat=monolithicSparse", "subformat=streamOptimized"] {
        convert(&raw, &path, options);
        let source = Arc::new(Counted {
            source: MemorySource::new(fs::read(&path).unwrap()),
            bytes: 0.into(),
        });
        let disk = Disk::open(source.clone()).unwrap();
        let before = source.bytes.load(std::sync::atomic::Ordering::Relaxed);
        assert_eq!(disk.missing_bytes().unwrap(), 0);
        let read = source.bytes.load(std::sync::atomic::Ordering::Relaxed) - before;
        assert!(
            read <= 2048 + 12,
            "{options}: {read} bytes for one table and one marker"
        );
    }
}

#[test]
fn a_huge_empty_disk_costs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk.vmdk");
    run("qemu-img", &["create", "-q", "-f", "vmdk", text(&path), "2T"]);
    let started = Instant::now();
    let disk = open(&path).unwrap();
    let extents: Vec<_> = disk.extents().map(Result::unwrap).collect();
    assert!(extents.iter().all(|extent| extent.kind == ExtentKind::Unallocated));
    assert_eq!(extents.iter().map(|extent| extent.len).sum::<u64>(), 2 << 40);
    assert_eq!(disk.missing_bytes().unwrap(), 0);
    assert!(
        started.elapsed() < Duration::from_secs(1),
        "took {:?}",
        started.elapsed()
    );
}

/// Threads share one disk's caches and still read the right bytes; small reads do not unpack a grain each time.
#[test]
fn many_threads_and_small_reads() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk.vmdk");
    convert(&raw(folder.path()), &path, "subformat=streamOptimized");
    let disk = open(&path).unwrap();
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

/// A directory that points to one table again and again makes a disk larger than its file by far; the check is still
/// bounded by the file.
#[test]
fn tables_used_many_times_cost_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk.vmdk");
    run("qemu-img", &["create", "-q", "-f", "vmdk", text(&path), "1T"]);
    run("qemu-io", &["-f", "vmdk", "-c", "write -P 7 0 64k", text(&path)]);
    let mut bytes = fs::read(&path).unwrap();
    let directory = usize::try_from(u64::from_le_bytes(bytes[56..64].try_into().unwrap())).unwrap() * 512;
    let first: [u8; 4] = bytes[directory..directory + 4].try_into().unwrap();
    let entries = (1 << 40) / (32 << 20);
    for entry in bytes[directory..directory + 4 * entries].as_chunks_mut::<4>().0 {
        *entry = first;
    }
    let disk = open_bytes(bytes).unwrap();
    let started = Instant::now();
    assert_eq!(disk.missing_bytes().unwrap(), 0);
    assert_eq!(disk.extents().take(1000).flatten().count(), 1000);
    assert!(
        started.elapsed() < Duration::from_secs(1),
        "took {:?}",
        started.elapsed()
    );
}

/// Small images for the property test, made once: plain, zeroed grains, compressed, compressed with a footer.
fn small_images() -> &'static [Vec<u8>] {
    static IMAGES: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    IMAGES.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let raw = folder.path().join("small.raw");
        let disk = &content()[..1_500_160];
        fs::write(&raw, disk).unwrap();
        let options = [
            "subformat=monolithicSparse",
            "zeroed_grain=on",
            "subformat=streamOptimized",
        ];
        let mut images: Vec<_> = options
            .iter()
            .map(|options| {
                let path = folder.path().join("small.vmdk");
                convert(&raw, &path, options);
                fs::read(path).unwrap()
            })
            .collect();
        images.push(stream(disk));
        images
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Images are hostile: whatever bytes change, nothing panics, and it ends quickly.
    #[test]
    fn damaged_images_never_panic(
        image in 0..4_usize,
        // Most changes go to header, descriptor and tables, and to the end, where they matter.
        changes in proptest::collection::vec(
            (prop_oneof![0..80_usize, 512..1100_usize, 0x2a00..0x4000_usize, 0..0x1_8000_usize], any::<bool>(), any::<u8>()),
            1..16,
        ),
        len in proptest::option::of(0..2_000_000_usize),
    ) {
        let mut bytes = small_images()[image].clone();
        for (at, from_end, value) in changes {
            let at = at % bytes.len();
            let at = if from_end { bytes.len() - 1 - at } else { at };
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
