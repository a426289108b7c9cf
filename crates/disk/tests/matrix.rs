//! Every container and compression that ccloud³ accepts, made by the real tools from one disk with data, holes and zeros:
//! every byte, every extent. Each format's own test goes further; this one shows that none is left out.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that cannot make its image has failed")]

mod common;
#[path = "common/map.rs"]
mod map;

use std::{fs, os::unix::fs::FileExt, path::Path};

use common::{assert_same, content, open, raw, read_all, run, text};
use lotse_disk::{Compression, Disk, ExtentKind, Format};

/// What the extents are compared with.
#[derive(Clone, Copy)]
enum Oracle {
    /// `qemu-img map`, which tells what was never written from what was zeroed.
    Map,
    /// `qemu-img map`, which calls both zero in this format.
    MapOfZeros,
    /// `qemu-img map` knows nothing of this format's blocks: data is where a block of so many bytes is not all zero.
    Blocks(u64),
    /// All of it stands in the file, holes or not. (QEMU asks the filesystem below as well.)
    AllData,
}

/// qemu-img's format and options (`-c`: compressed clusters), and how the extents are to be.
const PLAIN: &[(&str, &str, Oracle)] = &[
    ("raw", "", Oracle::MapOfZeros),
    ("qcow2", "compat=0.10", Oracle::Map),
    ("qcow2", "compat=0.10 -c", Oracle::Map),
    ("qcow2", "compat=1.1", Oracle::Map),
    ("qcow2", "compat=1.1 -c", Oracle::Map),
    ("qcow2", "cluster_size=512", Oracle::Map),
    ("qcow2", "cluster_size=512 -c", Oracle::Map),
    ("qcow2", "cluster_size=1k", Oracle::Map),
    ("qcow2", "cluster_size=4k", Oracle::Map),
    ("qcow2", "cluster_size=16k -c", Oracle::Map),
    ("qcow2", "cluster_size=256k", Oracle::Map),
    ("qcow2", "cluster_size=2M", Oracle::Map),
    ("qcow2", "cluster_size=2M -c", Oracle::Map),
    ("qcow2", "compression_type=zstd -c", Oracle::Map),
    ("qcow2", "compression_type=zstd,cluster_size=512 -c", Oracle::Map),
    ("qcow2", "compression_type=zstd,cluster_size=2M -c", Oracle::Map),
    ("qcow2", "extended_l2=on", Oracle::Map),
    ("qcow2", "extended_l2=on -c", Oracle::Map),
    ("qcow2", "extended_l2=on,cluster_size=16k", Oracle::Map),
    ("qcow2", "extended_l2=on,cluster_size=2M", Oracle::Map),
    ("qcow2", "lazy_refcounts=on", Oracle::Map),
    ("qcow2", "refcount_bits=1", Oracle::Map),
    ("qcow2", "refcount_bits=64", Oracle::Map),
    ("qcow2", "preallocation=metadata", Oracle::AllData),
    ("qcow2", "preallocation=falloc", Oracle::AllData),
    ("qcow2", "preallocation=full", Oracle::AllData),
    ("vhdx", "subformat=dynamic", Oracle::Blocks(8 << 20)),
    ("vhdx", "subformat=dynamic,block_size=1M", Oracle::Blocks(1 << 20)),
    ("vhdx", "subformat=dynamic,block_size=32M", Oracle::Blocks(32 << 20)),
    ("vhdx", "subformat=dynamic,block_size=256M", Oracle::Blocks(256 << 20)),
    ("vhdx", "subformat=dynamic,log_size=8M", Oracle::Blocks(8 << 20)),
    ("vhdx", "subformat=fixed,block_size=1M", Oracle::Blocks(1 << 20)),
    ("vhdx", "subformat=fixed,block_state_zero=off", Oracle::AllData),
    ("vdi", "static=off", Oracle::MapOfZeros),
    ("vdi", "static=on", Oracle::AllData),
    ("vmdk", "subformat=monolithicSparse", Oracle::Map),
    ("vmdk", "subformat=monolithicSparse,compat6=on", Oracle::Map),
    ("vmdk", "subformat=monolithicSparse,zeroed_grain=on", Oracle::Map),
    ("vmdk", "subformat=monolithicSparse,adapter_type=lsilogic", Oracle::Map),
    ("vmdk", "subformat=streamOptimized", Oracle::Map),
];

/// Makes one variant out of the raw disk.
fn convert(raw: &Path, to: &Path, format: &str, options: &str) {
    let (options, compress) = match options.strip_suffix(" -c") {
        Some(options) => (options, true),
        None => (options, false),
    };
    let mut arguments = vec!["convert", "-f", "raw", "-O", format];
    if !options.is_empty() {
        arguments.extend(["-o", options]);
    }
    if compress {
        arguments.push("-c");
    }
    arguments.extend([text(raw), text(to)]);
    run("qemu-img", &arguments);
}

fn never_written_is_zero(kind: ExtentKind) -> ExtentKind {
    if kind == ExtentKind::Unallocated {
        ExtentKind::Zero
    } else {
        kind
    }
}

/// For each piece of `block` bytes: is there data?
fn data_in(disk: &Disk, block: u64) -> Vec<bool> {
    let mut blocks = vec![false; usize::try_from(disk.len().div_ceil(block)).unwrap()];
    for extent in disk.extents().map(Result::unwrap) {
        assert_eq!(extent.offset % block, 0, "extents begin with a block");
        if extent.kind == ExtentKind::Data {
            let end = (extent.offset + extent.len).div_ceil(block);
            blocks[usize::try_from(extent.offset / block).unwrap()..usize::try_from(end).unwrap()].fill(true);
        }
    }
    blocks
}

fn assert_extents(disk: &Disk, path: &Path, format: &str, oracle: Oracle) {
    match oracle {
        Oracle::Map => map::assert_extents(disk, path, format, |kind| kind),
        Oracle::MapOfZeros => map::assert_extents(disk, path, format, never_written_is_zero),
        Oracle::Blocks(block) => {
            let expected: Vec<bool> = content()
                .chunks(usize::try_from(block).unwrap())
                .map(|block| block.iter().any(|byte| *byte != 0))
                .collect();
            assert_eq!(data_in(disk, block), expected);
        }
        Oracle::AllData => {
            let kinds: Vec<_> = disk.extents().map(|extent| extent.unwrap().kind).collect();
            assert_eq!(kinds, [ExtentKind::Data]);
        }
    }
}

#[test]
fn every_variant_is_the_disk_that_it_was_made_from() {
    let folder = tempfile::tempdir().unwrap();
    let raw = raw(folder.path());
    let expected = content();
    for (format, options, oracle) in PLAIN {
        let what = format!("{format} {options}");
        let path = folder.path().join("disk");
        convert(&raw, &path, format, options);
        let disk = open(&path).unwrap();
        assert_eq!(disk.container().format.map(Format::name), Some(*format), "{what}");
        assert_eq!(disk.container().virtual_size, Some(disk.len()), "{what}");
        assert_eq!(disk.container().compression, None, "{what}");
        assert_same(&read_all(&disk), &expected, &what);
        assert_extents(&disk, &path, format, *oracle);
        assert_eq!(disk.missing_bytes().unwrap(), 0, "{what}: nothing is cut off");
        assert!(disk.notes().is_empty(), "{what}: nothing to tell");
    }
}

/// Each format within each compression: what is inside is the same disk, with the same extents.
#[test]
fn every_format_in_every_compression() {
    let folder = tempfile::tempdir().unwrap();
    let raw = raw(folder.path());
    let expected = content();
    let plain = folder.path().join("plain");
    let packed = folder.path().join("packed");
    let script = "import sys, gzip, bz2
how, plain, packed = sys.argv[1:]
data = open(plain, 'rb').read()
half = len(data) // 2
pack = {'gzip': lambda part: gzip.compress(part, 6), 'bzip2': lambda part: bz2.compress(part, 1)}[how.split()[0]]
parts = [data[:half], data[half:]] if how.endswith('twice') else [data]
open(packed, 'wb').write(b''.join(map(pack, parts)))";
    for (format, options, oracle) in [
        ("raw", "", Oracle::AllData),
        ("qcow2", "compat=1.1", Oracle::Map),
        ("qcow2", "compression_type=zstd -c", Oracle::Map),
        ("vhdx", "subformat=dynamic,block_size=1M", Oracle::Blocks(1 << 20)),
        ("vdi", "static=off", Oracle::MapOfZeros),
        ("vmdk", "subformat=monolithicSparse", Oracle::Map),
        ("vmdk", "subformat=streamOptimized", Oracle::Map),
    ] {
        convert(&raw, &plain, format, options);
        for (how, compression) in [
            ("gzip", Compression::Gzip),
            ("gzip twice", Compression::Gzip),
            ("bzip2", Compression::Bzip2),
            ("bzip2 twice", Compression::Bzip2),
        ] {
            let what = format!("{format} {options} in {how}");
            run("python3", &["-c", script, how, text(&plain), text(&packed)]);
            let disk = open(&packed).unwrap();
            assert_eq!(disk.container().format.map(Format::name), Some(format), "{what}");
            assert_eq!(disk.container().compression, Some(compression), "{what}");
            assert_same(&read_all(&disk), &expected, &what);
            assert_extents(&disk, &plain, format, oracle);
            assert_eq!(disk.missing_bytes().unwrap(), 0, "{what}: nothing is cut off");
        }
    }
}

/// More than 2^31 bytes, of which few are stored: no number is cut, no hole is read.
#[test]
fn a_disk_of_three_gigabytes_in_each_format() {
    let folder = tempfile::tempdir().unwrap();
    let raw = map::large(folder.path());
    let file = fs::OpenOptions::new().write(true).open(&raw).unwrap();
    file.write_all_at(&[0x55, 0xaa], 510).unwrap();
    map::assert_large(&open(&raw).unwrap(), &raw, "raw");
    for (format, options) in [
        ("qcow2", "compat=1.1"),
        ("qcow2", "compat=1.1 -c"),
        ("qcow2", "cluster_size=512"),
        ("qcow2", "extended_l2=on"),
        ("vhdx", "subformat=dynamic,block_size=1M"),
        ("vdi", "static=off"),
        ("vmdk", "subformat=monolithicSparse"),
        ("vmdk", "subformat=streamOptimized"),
    ] {
        let path = folder.path().join("disk");
        convert(&raw, &path, format, options);
        map::assert_large(&open(&path).unwrap(), &raw, &format!("{format} {options}"));
    }
}

/// What keeps the disk's bytes in other files is refused, whichever of the files one takes.
#[test]
fn disks_in_several_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let raw = raw(folder.path());
    for subformat in ["monolithicFlat", "twoGbMaxExtentSparse", "twoGbMaxExtentFlat"] {
        let path = folder.path().join("disk.vmdk");
        convert(&raw, &path, "vmdk", &format!("subformat={subformat}"));
        assert!(
            fs::metadata(&path).unwrap().len() < 10_000,
            "{subformat}: a text that names the others"
        );
        let error = open(&path).unwrap_err();
        assert_eq!(error.code(), "vmdk_foreign_extent", "{subformat}");
    }
}
