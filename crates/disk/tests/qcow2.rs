//! Every qcow2 variant that qemu-img writes, byte by byte and extent by extent; and every one that must be refused.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that cannot make its image has failed")]

mod common;
#[path = "common/damaged.rs"]
mod damaged;

use std::{
    fs,
    os::unix::fs::FileExt,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use common::{assert_same, content, open, raw, read_all, run, text};
use lotse_disk::{Disk, ExtentKind, FileSource, Kind, MemorySource};
use proptest::prelude::*;

/// Converts the raw disk with these options; `compress` adds `-c`.
fn convert(raw: &Path, to: &Path, options: &str, compress: bool) {
    let mut arguments = vec!["convert", "-f", "raw", "-O", "qcow2", "-o", options];
    if compress {
        arguments.push("-c");
    }
    run("qemu-img", &[&arguments[..], &[text(raw), text(to)]].concat());
}

/// Our extents, and those of `qemu-img map`, merged alike: (offset, length, kind).
fn assert_extents(disk: &Disk, path: &Path, what: &str) {
    let ours: Vec<_> = disk
        .extents()
        .map(|extent| extent.unwrap())
        .map(|e| (e.offset, e.len, e.kind))
        .collect();
    let map = run("qemu-img", &["map", "--output=json", "-f", "qcow2", text(path)]);
    let map: Vec<serde_json::Value> = serde_json::from_str(&map).unwrap();
    let mut theirs: Vec<(u64, u64, ExtentKind)> = Vec::new();
    for entry in &map {
        let kind = match (entry["present"].as_bool().unwrap(), entry["zero"].as_bool().unwrap()) {
            (false, _) => ExtentKind::Unallocated,
            (true, true) => ExtentKind::Zero,
            (true, false) => ExtentKind::Data,
        };
        let (start, len) = (entry["start"].as_u64().unwrap(), entry["length"].as_u64().unwrap());
        match theirs.last_mut() {
            Some(last) if last.2 == kind && last.0 + last.1 == start => last.1 += len,
            _ => theirs.push((start, len, kind)),
        }
    }
    assert_eq!(ours, theirs, "{what}: ours (left), qemu-img map (right)");
}

#[test]
fn every_variant_reads_as_the_disk_that_it_was_made_from() {
    let folder = tempfile::tempdir().unwrap();
    let raw = raw(folder.path());
    let expected = content();
    for (options, compress) in [
        ("compat=0.10", false),
        ("compat=0.10", true),
        ("compat=1.1", false),
        ("compat=1.1", true),
        ("compat=1.1,lazy_refcounts=on", false),
        ("compat=1.1,cluster_size=512", false),
        ("compat=1.1,cluster_size=512", true),
        ("compat=0.10,cluster_size=1024", true),
        ("compat=1.1,cluster_size=4096,refcount_bits=1", false),
        ("compat=1.1,cluster_size=2M", false),
        ("compat=1.1,cluster_size=2M", true),
        ("compat=1.1,compression_type=zstd", true),
        ("compat=1.1,compression_type=zstd,cluster_size=4096", true),
        ("compat=1.1,compression_type=zstd,cluster_size=2M", true),
        ("compat=1.1,extended_l2=on", false),
        ("compat=1.1,extended_l2=on", true),
        ("compat=1.1,extended_l2=on,cluster_size=16k", false),
        ("compat=1.1,extended_l2=on,cluster_size=2M", false),
        ("compat=1.1,extended_l2=on,cluster_size=2M,compression_type=zstd", true),
        ("compat=1.1,preallocation=metadata", false),
        ("compat=1.1,preallocation=full", false),
    ] {
        let what = format!("{options}{}", if compress { " -c" } else { "" });
        let path = folder.path().join("disk.qcow2");
        convert(&raw, &path, options, compress);
        let disk = open(&path).unwrap();
        assert_eq!(
            disk.container().virtual_size,
            Some(disk.len()),
            "{what}: recognised size"
        );
        assert_same(&read_all(&disk), &expected, &what);
        // For preallocated clusters, qemu-img also asks the filesystem below for holes.
        if !options.contains("preallocation") {
            assert_extents(&disk, &path, &what);
        }
        assert_eq!(disk.missing_bytes().unwrap(), 0, "{what}: nothing is cut off");
    }
}

/// What a running VM leaves: clusters written in any order, zeroed, discarded, over a snapshot.
#[test]
fn zero_clusters_and_snapshots() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk.qcow2");
    for options in [
        "compat=0.10",
        "compat=1.1,extended_l2=on,cluster_size=16k",
        "compat=1.1,extended_l2=on,cluster_size=128k",
        "compat=1.1",
        "compat=1.1,cluster_size=512",
    ] {
        run(
            "qemu-img",
            &["create", "-q", "-f", "qcow2", "-o", options, text(&path), "8M"],
        );
        let io = |commands: &[&str]| {
            let mut arguments = vec!["-f", "qcow2"];
            arguments.extend(commands.iter().flat_map(|command| ["-c", command]));
            arguments.push(text(&path));
            run("qemu-io", &arguments);
        };
        io(&["write -P 1 5M 1M", "write -P 2 1M 300k", "write -P 3 100k 3k"]);
        run("qemu-img", &["snapshot", "-c", "before", text(&path)]);
        io(&[
            "write -P 4 5632k 64k",
            "write -z 1088k 128k",
            "write -z -u 5M 128k",
            "write -P 5 3M 64k",
            "discard 3M 64k",
            // Less than a cluster, and less than a subcluster of 4 KiB.
            "write -P 6 6M 1k",
            "write -P 7 6170k 5k",
            "write -z 6172k 1k",
            "write -P 8 7M 64k",
            "write -z 7180k 12k",
            "discard 7200k 8k",
            "write -c -P 9 7296k 128k",
        ]);
        let plain = folder.path().join("plain.raw");
        run(
            "qemu-img",
            &["convert", "-f", "qcow2", "-O", "raw", text(&path), text(&plain)],
        );
        let disk = open(&path).unwrap();
        assert_same(&read_all(&disk), &fs::read(&plain).unwrap(), options);
        assert_extents(&disk, &path, options);
        assert_eq!(disk.missing_bytes().unwrap(), 0);
    }
    let kinds: Vec<_> = open(&path)
        .unwrap()
        .extents()
        .map(|extent| extent.unwrap().kind)
        .collect();
    for kind in [ExtentKind::Data, ExtentKind::Zero, ExtentKind::Unallocated] {
        assert!(kinds.contains(&kind), "the last image has all kinds: {kind:?}");
    }
}

#[test]
fn a_huge_empty_disk_is_one_extent_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk.qcow2");
    run("qemu-img", &["create", "-q", "-f", "qcow2", text(&path), "64T"]);
    let started = Instant::now();
    let disk = open(&path).unwrap();
    let extents: Vec<_> = disk.extents().map(Result::unwrap).collect();
    assert!(extents.iter().all(|extent| extent.kind == ExtentKind::Unallocated));
    assert_eq!(extents.iter().map(|extent| extent.len).sum::<u64>(), 64 << 40);
    assert_eq!(disk.missing_bytes().unwrap(), 0);
    assert!(
        started.elapsed() < Duration::from_secs(1),
        "took {:?}",
        started.elapsed()
    );
    run("qemu-img", &["create", "-q", "-f", "qcow2", text(&path), "65T"]);
    assert_eq!(open(&path).unwrap_err().code(), "virtual_size_too_large");
}

/// Threads share one disk's caches and still read the right bytes.
#[test]
fn many_threads_read_one_disk() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk.qcow2");
    convert(&raw(folder.path()), &path, "compat=1.1", true);
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

#[test]
fn what_refers_elsewhere_or_is_unknown_is_refused_by_its_own_code() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let base = path("base.qcow2");
    convert(&raw(folder.path()), &base, "compat=1.1", false);

    let on_top = path("top.qcow2");
    run(
        "qemu-img",
        &[
            "create",
            "-q",
            "-f",
            "qcow2",
            "-b",
            text(&base),
            "-F",
            "qcow2",
            text(&on_top),
        ],
    );
    let error = open(&on_top).unwrap_err();
    assert_eq!((error.code(), error.kind()), ("qcow2_backing_file", Kind::Refused));
    assert_eq!(
        error.params()[0],
        ("file", text(&base).to_owned()),
        "the owner learns which file to merge"
    );

    let outside = path("outside.qcow2");
    let options = format!("data_file={}", text(&path("outside.data")));
    run(
        "qemu-img",
        &["create", "-q", "-f", "qcow2", "-o", &options, text(&outside), "1M"],
    );
    let error = open(&outside).unwrap_err();
    assert_eq!((error.code(), error.kind()), ("qcow2_data_file", Kind::Refused));

    let secret = path("secret.qcow2");
    let options = "encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10";
    run(
        "qemu-img",
        &[
            "create",
            "-q",
            "--object",
            "secret,id=s,data=x",
            "-f",
            "qcow2",
            "-o",
            options,
            text(&secret),
            "1M",
        ],
    );
    let error = open(&secret).unwrap_err();
    assert_eq!((error.code(), error.kind()), ("qcow2_encrypted", Kind::Refused));

    // Changed by hand, since no tool writes them: offset, byte, code.
    for (offset, byte, code) in [
        (72, 0x80, "qcow2_features"),         // incompatible bit 63
        (79, 2, "qcow2_marked_corrupt"),      // "corrupt" bit
        (7, 4, "qcow2_features"),             // version 4
        (23, 30, "qcow2_corrupt"),            // clusters of 1 GiB
        (24, 0x7f, "virtual_size_too_large"), // 9 EB
        (103, 100, "qcow2_corrupt"),          // header of 100 bytes
        (39, 0, "qcow2_corrupt"),             // no L1 entries
    ] {
        let mut bytes = fs::read(&base).unwrap();
        bytes[offset] = byte;
        let error = Disk::open(Arc::new(MemorySource::new(bytes))).unwrap_err();
        assert_eq!(error.code(), code, "byte {offset} set to {byte}");
    }
}

/// The file itself names the features that a program may not know; what it does not name is told by its number.
#[test]
fn unknown_features_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk.qcow2");
    convert(&raw(folder.path()), &path, "compat=1.1", false);
    let whole = fs::read(&path).unwrap();
    let table = whole
        .windows(4)
        .position(|window| window == [0x68, 0x03, 0xf8, 0x57])
        .unwrap();
    let mut bytes = whole.clone();
    // The first entry, made one of incompatible bit 40, and bit 41 that has no name.
    bytes[table + 8..table + 10].copy_from_slice(&[0, 40]);
    bytes[table + 10..table + 56].fill(0);
    bytes[table + 10..table + 20].copy_from_slice(b"time \x07warp");
    bytes[74] = 3;
    let error = Disk::open(Arc::new(MemorySource::new(bytes))).unwrap_err();
    assert_eq!(error.code(), "qcow2_features");
    assert_eq!(error.params(), [("features", "time warp, bit 41".to_owned())]);
    // A table that claims to be longer than the file names nothing, and does no harm.
    let mut bytes = whole;
    bytes[table + 4..table + 8].fill(0xff);
    bytes[74] = 1;
    let error = Disk::open(Arc::new(MemorySource::new(bytes))).unwrap_err();
    assert_eq!(error.params(), [("features", "bit 40".to_owned())]);
}

/// What a VM that was killed leaves is read, and said.
#[test]
fn a_dirty_image_and_one_with_snapshots_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk.qcow2");
    convert(&raw(folder.path()), &path, "compat=1.1,lazy_refcounts=on", false);
    assert!(open(&path).unwrap().notes().is_empty());
    // Killed in the middle of its work: with lazy refcounts, the dirty bit stays behind.
    std::process::Command::new("qemu-io")
        .args([
            "-f",
            "qcow2",
            "-c",
            "write -P 7 3M 512",
            "-c",
            "flush",
            "-c",
            "sigraise 9",
            text(&path),
        ])
        .output()
        .unwrap();
    let disk = open(&path).unwrap();
    let codes: Vec<_> = disk.notes().iter().map(lotse_disk::Note::code).collect();
    assert_eq!(codes, ["qcow2_dirty"]);
    let mut expected = content();
    expected[3 << 20..(3 << 20) + 512].fill(7);
    assert_same(&read_all(&disk), &expected, "dirty");

    convert(&raw(folder.path()), &path, "compat=1.1", false);
    run("qemu-img", &["snapshot", "-c", "one", text(&path)]);
    run("qemu-img", &["snapshot", "-c", "two", text(&path)]);
    let notes = open(&path).unwrap().notes();
    assert_eq!(notes.len(), 1);
    assert_eq!(notes[0].code(), "qcow2_snapshots");
    assert_eq!(notes[0].params(), [("count", "2".to_owned())]);
}

/// "Extended L2 Entries": what contradicts itself is damage, whatever it would read as.
#[test]
fn impossible_subclusters_are_damage() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk.qcow2");
    convert(
        &raw(folder.path()),
        &path,
        "compat=1.1,extended_l2=on,cluster_size=16k",
        false,
    );
    let whole = fs::read(&path).unwrap();
    let offset = |at: usize| {
        let number = u64::from_be_bytes(whole[at..at + 8].try_into().unwrap());
        usize::try_from(number & 0x00ff_ffff_ffff_fe00).unwrap()
    };
    let l2 = offset(offset(40));
    for (at, byte, what) in [
        (l2 + 8 + 3, 1, "allocated and zero at once"),
        (l2 + 7, 1, "the whole cluster is zero, which subclusters say now"),
        (23, 13, "subclusters of 256 bytes"),
    ] {
        let mut bytes = whole.clone();
        bytes[at] = byte;
        let code = Disk::open(Arc::new(MemorySource::new(bytes)))
            .and_then(|disk| disk.read_at(&mut [0; 16384], 0))
            .unwrap_err()
            .code();
        assert_eq!(code, "qcow2_corrupt", "{what}");
    }
    let mut bytes = whole;
    bytes[l2..l2 + 8].fill(0);
    let disk = Disk::open(Arc::new(MemorySource::new(bytes))).unwrap();
    let error = disk.read_at(&mut [0], 0).unwrap_err();
    assert_eq!(error.code(), "qcow2_corrupt", "allocated nowhere");
}

/// A download that broke off: told with how much is missing, without reading the data; what is there can be read.
#[test]
fn a_truncated_file_is_found_by_its_tables() {
    let folder = tempfile::tempdir().unwrap();
    let raw = raw(folder.path());
    for (options, compress) in [
        ("compat=1.1", false),
        ("compat=1.1", true),
        ("compat=1.1,compression_type=zstd", true),
    ] {
        let path = folder.path().join("disk.qcow2");
        convert(&raw, &path, options, compress);
        let whole = fs::metadata(&path).unwrap().len();
        let cut = 200_000;
        fs::OpenOptions::new()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(whole - cut)
            .unwrap();
        let disk = open(&path).unwrap();
        let missing = disk.missing_bytes().unwrap();
        assert!(missing > 0 && missing <= cut, "{options}: {missing} of {cut}");
        let last = disk
            .extents()
            .map(Result::unwrap)
            .filter(|extent| extent.kind == ExtentKind::Data)
            .last()
            .unwrap();
        let error = disk.read_at(&mut [0], last.offset + last.len - 1).unwrap_err();
        assert_eq!(error.code(), "container_truncated", "{options}");
        let mut start = [0; 512];
        disk.read_at(&mut start, 0).unwrap();
        assert_eq!(start[510..], [0x55, 0xaa], "{options}: the beginning is there");
    }
    // Cut so short that not even the first table is there.
    let path = folder.path().join("disk.qcow2");
    convert(&raw, &path, "compat=1.1", false);
    let mut head = vec![0; 70_000];
    fs::File::open(&path).unwrap().read_exact_at(&mut head, 0).unwrap();
    assert_eq!(
        Disk::open(Arc::new(MemorySource::new(head))).unwrap_err().code(),
        "container_truncated"
    );
}

#[test]
fn reading_past_the_end_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let disk = open(&raw(folder.path())).unwrap();
    let len = disk.len();
    assert_eq!(disk.read_at(&mut [0, 0], len - 1).unwrap_err().code(), "read_past_end");
    assert_eq!(disk.read_at(&mut [0], u64::MAX).unwrap_err().code(), "read_past_end");
    disk.read_at(&mut [], len).unwrap();
}

/// Small images for the property test, made once: all kinds of clusters, both compressions.
fn small_images() -> &'static [Vec<u8>] {
    static IMAGES: std::sync::OnceLock<Vec<Vec<u8>>> = std::sync::OnceLock::new();
    IMAGES.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let raw = folder.path().join("small.raw");
        fs::write(&raw, &content()[..1_500_000]).unwrap();
        let variants = [
            ("compat=1.1,cluster_size=512", false),
            ("compat=0.10,cluster_size=4096", true),
            ("compat=1.1,compression_type=zstd", true),
            ("compat=1.1,cluster_size=2M", false),
            ("compat=1.1,extended_l2=on,cluster_size=16k", false),
        ];
        let make = |(options, compress): &(&str, bool)| {
            let path = folder.path().join("small.qcow2");
            convert(&raw, &path, options, *compress);
            fs::read(path).unwrap()
        };
        variants.iter().map(make).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Images are hostile: whatever bytes change, nothing panics, and it ends quickly.
    #[test]
    fn damaged_images_never_panic(
        image in 0..5_usize,
        // Most changes go to header and tables, where they matter.
        changes in proptest::collection::vec((prop_oneof![0..112_usize, 0..0x6000_usize, 0..1_600_000_usize], any::<u8>()), 1..16),
        len in proptest::option::of(0..2_000_000_usize),
    ) {
        let mut bytes = small_images()[image].clone();
        for (at, value) in changes {
            let at = at % bytes.len();
            bytes[at] = value;
        }
        if let Some(len) = len {
            bytes.truncate(len);
        }
        let started = Instant::now();
        damaged::use_disk(bytes);
        prop_assert!(started.elapsed() < Duration::from_secs(5), "took {:?}", started.elapsed());
    }
}

/// A disk whose L1 table points to one L2 table again and again is larger than its file by far; the walk over it is
/// still bounded by the file.
#[test]
fn tables_used_many_times_cost_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk.qcow2");
    run(
        "qemu-img",
        &[
            "create",
            "-q",
            "-f",
            "qcow2",
            "-o",
            "cluster_size=64k",
            text(&path),
            "32T",
        ],
    );
    run("qemu-io", &["-f", "qcow2", "-c", "write -P 7 0 64k", text(&path)]);
    let mut bytes = fs::read(&path).unwrap();
    let l1 = usize::try_from(u64::from_be_bytes(bytes[40..48].try_into().unwrap())).unwrap();
    let first: [u8; 8] = bytes[l1..l1 + 8].try_into().unwrap();
    let entries = (32_usize << 40) / (8192 * 65_536);
    for entry in bytes[l1..l1 + entries * 8].as_chunks_mut::<8>().0 {
        *entry = first;
    }
    let disk = Disk::open(Arc::new(MemorySource::new(bytes))).unwrap();
    let started = Instant::now();
    assert_eq!(disk.missing_bytes().unwrap(), 0);
    assert_eq!(disk.extents().take(1000).flatten().count(), 1000);
    assert!(
        started.elapsed() < Duration::from_secs(1),
        "took {:?}",
        started.elapsed()
    );
}

/// The check of an image makes thousands of small reads all over it.
#[test]
fn small_reads_are_cheap() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk.qcow2");
    convert(&raw(folder.path()), &path, "compat=1.1", true);
    let disk = Disk::open(Arc::new(FileSource::open(&path).unwrap())).unwrap();
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
