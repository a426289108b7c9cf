//! gzip and bzip2 around a disk, as the tools that people use write them: every byte, at any offset, from several threads;
//! and every kind of damage told.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that cannot make its image has failed")]

mod common;
#[path = "common/tools.rs"]
mod tools;

use std::{fmt::Write as _, fs, path::Path, process::Command, sync::Arc, thread};

use common::{assert_same, content, open, read_all, run, text};
use flate2::{Compress, Compression as Level, Crc, FlushCompress};
use lotse_disk::{Compression, Disk, Format, Kind, MemorySource, Result, identify};
use proptest::prelude::*;
use tools::has;

/// A disk of some size without two equal parts, so that a wrong place is noticed.
fn large() -> Vec<u8> {
    let mut disk = content();
    let part = disk.clone();
    for copy in 1..2_u8 {
        disk.extend(part.iter().enumerate().map(|(index, byte)| {
            if index % 1000 == 0 {
                byte.wrapping_add(copy)
            } else {
                *byte
            }
        }));
    }
    disk
}

/// A disk small enough to try each of its compressed bytes.
fn small() -> Vec<u8> {
    let mut disk = vec![0; 6000];
    let mut state = 1_u32;
    for (index, byte) in disk[1024..2500].iter_mut().enumerate() {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *byte = if index % 3 == 0 {
            state.to_le_bytes()[3]
        } else {
            b"Imagelotse"[index % 10]
        };
    }
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    disk
}

/// What a shell command makes of the disk on its standard input.
fn packed(disk: &[u8], command: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("disk"), disk).unwrap();
    let script = format!("cat disk | {command} > packed");
    let output = Command::new("sh")
        .args(["-euc", &script])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command}: {said}");
    fs::read(folder.path().join("packed")).unwrap()
}

/// Python's zlib and bz2, which offer what the command lines do not.
fn python(disk: &[u8], expression: &str) -> Vec<u8> {
    packed(
        disk,
        &format!(
            "python3 -c 'import sys, zlib, gzip, bz2, struct; d = sys.stdin.buffer.read(); sys.stdout.buffer.write({expression})'"
        ),
    )
}

fn opened(packed: Vec<u8>) -> Result<Disk> {
    Disk::open(Arc::new(MemorySource::new(packed)))
}

fn code(packed: Vec<u8>) -> &'static str {
    opened(packed).map_or_else(|error| error.code(), |_| "opened")
}

fn random(state: &mut u64, below: usize) -> usize {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    usize::try_from(*state % below as u64).unwrap()
}

/// Small reads anywhere, forwards and backwards.
fn read_anywhere(disk: &Disk, plain: &[u8], seed: u64, what: &str) {
    let mut state = seed;
    let mut buffer = vec![0; 70_000];
    for _ in 0..60 {
        let len = 1 + random(&mut state, buffer.len());
        let at = random(&mut state, plain.len() - len);
        disk.read_at(&mut buffer[..len], at as u64).unwrap();
        assert_same(
            &buffer[..len],
            &plain[at..at + len],
            &format!("{what}: {len} bytes at {at}"),
        );
    }
}

#[test]
fn every_tool_s_file_is_read_right_everywhere() {
    let plain = large();
    for (program, command, compression) in [
        ("gzip", "gzip -c", Compression::Gzip),
        ("gzip", "gzip -1 --rsyncable -c", Compression::Gzip),
        (
            "gzip",
            "( dd bs=7000000 count=1 iflag=fullblock status=none | gzip -9; gzip -1 )",
            Compression::Gzip,
        ),
        ("pigz", "pigz -c", Compression::Gzip),
        ("pigz", "pigz -c -i -p 3", Compression::Gzip),
        ("bgzip", "bgzip -c", Compression::Gzip),
        ("bzip2", "bzip2 -c", Compression::Bzip2),
        ("bzip2", "bzip2 -1 -c", Compression::Bzip2),
        (
            "bzip2",
            "( dd bs=7000000 count=1 iflag=fullblock status=none | bzip2 -9; bzip2 -3 )",
            Compression::Bzip2,
        ),
        ("pbzip2", "pbzip2 -c", Compression::Bzip2),
        ("lbzip2", "lbzip2 -c", Compression::Bzip2),
    ] {
        if !has(program) {
            eprintln!("skipped: {program} is not there");
            continue;
        }
        let packed = packed(&plain, command);
        let disk = opened(packed.clone()).unwrap();
        read_anywhere(&disk, &plain, 7, command);
        assert_same(&read_all(&disk), &plain, command);
        assert_eq!(disk.container().compression, Some(compression), "{command}");
        assert_eq!(disk.container().format, Some(Format::Raw), "{command}");
        assert_eq!(disk.container().virtual_size, Some(plain.len() as u64), "{command}");
        assert_eq!(disk.missing_bytes().unwrap(), 0, "{command}");
        let seen = identify(&MemorySource::new(packed)).unwrap();
        assert_eq!((seen.format, seen.compression), (Some(Format::Raw), Some(compression)));
        assert_eq!(seen.virtual_size, None, "the length is known only after unpacking");
    }
}

/// Blocks of each kind, and checkpoints within each kind of block.
#[test]
fn every_kind_of_deflate_block() {
    let plain = large();
    for (name, level, strategy) in [
        ("stored", 0, "Z_DEFAULT_STRATEGY"),
        ("fixed", 6, "Z_FIXED"),
        ("huffman only", 6, "Z_HUFFMAN_ONLY"),
        ("runs", 6, "Z_RLE"),
        ("small window", 9, "Z_FILTERED"),
    ] {
        let bits = if name == "small window" { 16 + 9 } else { 31 };
        let make = format!(
            "(lambda c: c.compress(d) + c.flush())(zlib.compressobj({level}, zlib.DEFLATED, {bits}, 9, zlib.{strategy}))"
        );
        let disk = opened(python(&plain, &make)).unwrap();
        read_anywhere(&disk, &plain, 11, name);
        assert_same(&read_all(&disk), &plain, name);
    }
}

#[test]
fn containers_inside_are_opened_like_plain_ones() {
    let folder = tempfile::tempdir().unwrap();
    let raw = common::raw(folder.path());
    let plain = content();
    for (format, options, variant) in [("qcow2", "compat=1.1", "v3"), ("vdi", "static=off", "dynamic")] {
        let image = folder.path().join(format);
        run(
            "qemu-img",
            &[
                "convert",
                "-f",
                "raw",
                "-O",
                format,
                "-o",
                options,
                text(&raw),
                text(&image),
            ],
        );
        for tool in ["gzip", "bzip2"] {
            let what = format!("{format} in {tool}");
            let packed = packed(&fs::read(&image).unwrap(), &format!("{tool} -c"));
            let seen = identify(&MemorySource::new(packed.clone())).unwrap();
            let file = folder.path().join("packed");
            fs::write(&file, packed).unwrap();
            let disk = open(&file).unwrap();
            let container = disk.container();
            assert_eq!(container.format.unwrap().name(), format, "{what}");
            assert_eq!(container.variant.as_deref(), Some(variant), "{what}");
            assert_eq!(container.compression.unwrap().name(), tool, "{what}");
            assert_eq!(&seen, container, "{what}: the beginning tells all of it");
            assert_eq!(disk.len(), plain.len() as u64, "{what}");
            assert_same(&read_all(&disk), &plain, &what);
            assert_eq!(disk.missing_bytes().unwrap(), 0, "{what}");
        }
    }
}

/// RFC 1952, 2.3.1: everything that can stand in a header, and its checksum.
#[test]
fn all_fields_of_a_member_s_header() {
    let plain = small();
    let member = |flags: &str, crc: &str| {
        let make = format!(
            "(lambda h: h + {crc} + zlib.compress(d, 9, -15) + struct.pack(\"<II\", zlib.crc32(d), len(d)))\
             (bytes([31, 139, 8, {flags}, 1, 2, 3, 4, 2, 3]) + b\"\\5\\0extra\" + b\"disk.img\\0\" + b\"a comment\\0\")"
        );
        python(&plain, &make)
    };
    let sum = "struct.pack(\"<H\", zlib.crc32(h) & 65535)";
    assert_same(&read_all(&opened(member("31", sum)).unwrap()), &plain, "all fields");
    assert_same(
        &read_all(&opened(member("28", "b\"\"")).unwrap()),
        &plain,
        "no checksum",
    );
    assert_eq!(
        code(member("31", "b\"\\0\\0\"")),
        "gzip_corrupt",
        "its checksum does not fit"
    );
    assert_eq!(code(member("28 + 32", "b\"\"")), "gzip_corrupt", "a reserved flag");
}

#[test]
fn several_threads_at_once() {
    let plain = large();
    for tool in ["gzip -1 -c", "bzip2 -1 -c"] {
        let disk = opened(packed(&plain, tool)).unwrap();
        thread::scope(|scope| {
            for seed in 1..5 {
                let (disk, plain) = (disk.clone(), &plain);
                scope.spawn(move || read_anywhere(&disk, plain, seed, tool));
            }
        });
    }
}

/// A disk whose end is missing would start, and lose data later.
#[test]
fn every_truncation_is_told() {
    for (tool, truncated) in [("gzip -c", "gzip_truncated"), ("bzip2 -c", "bzip2_truncated")] {
        let whole = packed(&small(), tool);
        for len in 16..whole.len() {
            assert_eq!(
                code(whole[..len].to_vec()),
                truncated,
                "{tool}: {len} of {} bytes",
                whole.len()
            );
        }
        let large = packed(&content(), tool);
        for len in [100_000, large.len() / 2, large.len() - 1] {
            let error = opened(large[..len].to_vec()).unwrap_err();
            assert_eq!(
                (error.code(), error.kind()),
                (truncated, Kind::Corrupt),
                "{tool}: {len} bytes"
            );
        }
    }
}

/// Never wrong bytes: a changed byte is told, or it stood where it does not matter.
#[test]
fn every_changed_byte_is_told() {
    let plain = small();
    for tool in [
        "gzip -c",
        "bzip2 -c",
        "( dd bs=3000 count=1 iflag=fullblock status=none | gzip; gzip )",
        "( dd bs=3000 count=1 status=none | bzip2; bzip2 )",
    ] {
        let whole = packed(&plain, tool);
        for at in 0..whole.len() {
            for change in [0x01, 0x80, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] ^= change;
                // The time, the operating system and the compressor's word about itself are read by nobody.
                if let Ok(disk) = opened(bytes)
                    && disk.missing_bytes().is_ok()
                {
                    assert_same(&read_all(&disk), &plain, &format!("{tool}: byte {at} ^ {change}"));
                }
            }
        }
    }
}

#[test]
fn what_follows_the_end_is_told_but_padding_is_not() {
    let plain = small();
    for (tool, trailing) in [("gzip -c", "gzip_trailing"), ("bzip2 -c", "bzip2_trailing")] {
        let whole = packed(&plain, tool);
        let padded = [whole.clone(), vec![0; 10_000]].concat();
        let disk = opened(padded).unwrap();
        assert_eq!(disk.missing_bytes().unwrap(), 0, "{tool}: zeros up to a tape's block");
        assert_same(&read_all(&disk), &plain, tool);
        for garbage in [&b"x"[..], b"\0\0\0\0\0garbage", &vec![b'B'; 100_000]] {
            let disk = opened([&whole, garbage].concat()).unwrap();
            assert_same(&read_all(&disk), &plain, tool);
            let error = disk.missing_bytes().unwrap_err();
            assert_eq!((error.code(), error.kind()), (trailing, Kind::Corrupt), "{tool}");
            let told = error
                .params()
                .iter()
                .map(|(_, value)| value.parse::<usize>().unwrap())
                .collect::<Vec<_>>();
            assert_eq!(told, [whole.len(), garbage.len()], "{tool}: place and number");
        }
    }
}

#[test]
fn checksums_are_checked() {
    let mut gzip = packed(&small(), "gzip -c");
    let size = gzip.len() - 4;
    gzip[size] ^= 1;
    assert_eq!(code(gzip.clone()), "gzip_crc", "the size modulo 2^32");
    gzip[size] ^= 1;
    gzip[size - 4] ^= 1;
    assert_eq!(code(gzip), "gzip_crc");
    let mut bzip2 = packed(&small(), "bzip2 -c");
    bzip2[10] ^= 1;
    assert_eq!(code(bzip2.clone()), "bzip2_crc", "a block's");
    bzip2[10] ^= 1;
    let last = bzip2.len() - 2;
    bzip2[last] ^= 0x10;
    assert_eq!(code(bzip2), "bzip2_crc", "the stream's");
}

/// ccloud³ unpacks once; and a file can be made that unpacks to itself for ever.
#[test]
fn only_one_compression_is_looked_through() {
    for (outer, inner) in [("gzip", "gzip"), ("gzip", "bzip2"), ("bzip2", "xz"), ("gzip", "zstd")] {
        if !has(inner) {
            eprintln!("skipped: {inner} is not there");
            continue;
        }
        let twice = packed(&small(), &format!("{inner} -c | {outer} -c"));
        let seen = identify(&MemorySource::new(twice.clone())).unwrap();
        assert_eq!((seen.format, seen.compression.unwrap().name()), (None, outer));
        let error = opened(twice).unwrap_err();
        assert_eq!((error.code(), error.kind()), ("compressed_twice", Kind::Incompatible));
    }
}

#[test]
fn what_is_inside_is_judged_like_a_plain_file() {
    assert_eq!(code(packed(b"a letter", "gzip -c")), "not_a_disk_image");
    assert_eq!(code(packed(b"", "bzip2 -c")), "not_a_disk_image");
    let mut iso = content();
    iso[0x8001..0x8006].copy_from_slice(b"CD001");
    let packed = packed(&iso, "gzip -c");
    // Half of it: that it is an ISO shows before anything else is unpacked.
    let error = opened(packed[..packed.len() / 2].to_vec()).unwrap_err();
    assert_eq!(error.code(), "format_not_accepted");
}

/// A disk of 4 GiB and 64 MiB, all but the boot sector zeros: the trailer says 64 MiB, the disk is 65 times as large.
#[test]
fn sizes_beyond_the_trailer_s_32_bits() {
    const PART: usize = 16 << 20;
    const PARTS: usize = 260;
    let mut first = vec![0; PART];
    first[510..512].copy_from_slice(&[0x55, 0xaa]);
    let mut crc = Crc::new();
    let mut gzip = vec![31, 139, 8, 0, 0, 0, 0, 0, 0, 255];
    let deflated = |part: &[u8], crc: &mut Crc| {
        let mut out = Vec::with_capacity(1 << 20);
        let mut compress = Compress::new(Level::fast(), false);
        compress.compress_vec(part, &mut out, FlushCompress::Full).unwrap();
        assert_eq!(compress.total_in(), PART as u64);
        crc.update(part);
        out
    };
    gzip.extend(deflated(&first, &mut crc));
    let mut zeros = Crc::new();
    let part = deflated(&vec![0; PART], &mut zeros);
    for _ in 1..PARTS {
        gzip.extend_from_slice(&part);
        crc.combine(&zeros);
    }
    // An empty last block with fixed codes.
    gzip.extend_from_slice(&[3, 0]);
    gzip.extend_from_slice(&crc.sum().to_le_bytes());
    let size = (PART * PARTS) as u64;
    gzip.extend_from_slice(&size.to_le_bytes()[..4]);
    let disk = opened(gzip).unwrap();
    assert_eq!(disk.len(), size);
    let mut buffer = vec![1; 1 << 20];
    for at in [size - (1 << 20), 4 << 30, (4 << 30) - 77, 1 << 20] {
        disk.read_at(&mut buffer, at).unwrap();
        assert!(buffer.iter().all(|byte| *byte == 0), "zeros at {at}");
    }
    disk.read_at(&mut buffer[..512], 0).unwrap();
    assert_eq!(buffer[510..512], [0x55, 0xaa]);
}

/// A gigabyte of zeros in 700 bytes of bzip2, a terabyte in a chain of members: work, but no memory.
#[test]
fn a_bomb_takes_no_memory() {
    fn peak() -> u64 {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
    if !Path::new("/proc/self/status").exists() {
        eprintln!("skipped: no /proc");
        return;
    }
    let mut disk = vec![0; 256 << 20];
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    let packed = packed(&disk, "bzip2 -9 -c");
    drop(disk);
    let before = peak();
    let disk = opened(packed).unwrap();
    let mut buffer = vec![1; 4096];
    let mut said = String::new();
    for at in [0, 100 << 20, 200 << 20, (256 << 20) - 4096] {
        disk.read_at(&mut buffer, at).unwrap();
        write!(said, "{} ", buffer.iter().filter(|byte| **byte != 0).count()).unwrap();
    }
    assert_eq!(said, "2 0 0 0 ");
    // Other tests of this file run meanwhile in the same process.
    assert!(peak() - before < 256 << 10, "{} KiB", peak() - before);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever is changed: an error, or the same bytes; never a panic.
    #[test]
    fn hostile_bytes_are_survived(
        which in 0..4_usize,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..16),
        cut in any::<prop::sample::Index>(),
        is_cut in prop::bool::weighted(0.2),
    ) {
        use std::sync::OnceLock;
        static PACKED: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
        let all = PACKED.get_or_init(|| {
            let plain = small();
            ["gzip -c", "gzip -1 -c", "bzip2 -c", "bzip2 -1 -c"]
                .map(|tool| packed(&plain, tool))
                .to_vec()
        });
        let mut bytes = all[which].clone();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if is_cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(disk) = opened(bytes)
            && disk.missing_bytes().is_ok()
        {
            prop_assert!(read_all(&disk) == small(), "wrong bytes");
        }
    }
}

/// Where bgzip's members say that others begin, several threads decode: what they say is never believed unproved.
#[test]
fn a_bgzip_file_that_lies_about_its_members_is_told_or_read_right() {
    if !has("bgzip") {
        eprintln!("skipped: bgzip is not there");
        return;
    }
    let plain = large();
    let good = packed(&plain, "bgzip -c");
    // The member after 6 MB: its header, its announced length, and behind it its trailer.
    let mut at = 0;
    while at < 6_000_000.min(good.len() / 2) {
        at += usize::from(u16::from_le_bytes([good[at + 16], good[at + 17]])) + 1;
    }
    let len = usize::from(u16::from_le_bytes([good[at + 16], good[at + 17]])) + 1;
    let changed = |index: usize| {
        let mut bytes = good.clone();
        bytes[index] ^= 0x40;
        bytes
    };
    for (what, index) in [("CRC-32", at + len - 8), ("ISIZE", at + len - 4)] {
        let error = opened(changed(index)).unwrap_err();
        assert_eq!(error.code(), "gzip_crc", "{what}");
    }
    // The announced length is no part of gzip: other readers ignore it, and so must what is read.
    let disk = opened(changed(at + 16)).unwrap();
    assert_same(&read_all(&disk), &plain, "a wrong BSIZE");
    let error = opened(good[..at + len / 2].to_vec()).unwrap_err();
    assert_eq!(error.code(), "gzip_truncated");
    let mut longer = good.clone();
    longer.extend_from_slice(b"garbage");
    let told = opened(longer).unwrap().missing_bytes().unwrap_err();
    assert_eq!(told.code(), "gzip_trailing");
}
