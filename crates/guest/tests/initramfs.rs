//! Initramfs images made by the real cpio and the real compressors, laid out as the distributions' tools do it.
#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot make its image has failed"
)]

use std::{
    cell::Cell,
    fs,
    io::Write,
    path::Path,
    process::{Command, Stdio},
    sync::OnceLock,
};

use lotse_guest::initramfs::{Search, Wanted, search};
use proptest::prelude::*;

const DRIVERS: [Wanted<'_>; 3] = [
    Wanted::Module("virtio_blk"),
    Wanted::Module("virtio_scsi"),
    Wanted::Module("virtio_pci"),
];

/// What a program makes of its input.
fn through(program: &str, arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let feeding = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    feeding.join().unwrap().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}");
    output.stdout
}

/// An archive of files with such paths, made by cpio; each has a content of its own.
fn cpio(paths: &[&str]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let mut names = Vec::new();
    for (number, path) in paths.iter().enumerate() {
        let file = folder.path().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        // Lengths that need padding, and content that does not compress to nothing.
        let content: Vec<u8> = (0_u32..)
            .flat_map(|word| word.wrapping_mul(2_654_435_761).to_le_bytes())
            .take(80_000 + number)
            .collect();
        fs::write(file, content).unwrap();
        let mut ancestors: Vec<&Path> = Path::new(path).ancestors().collect();
        ancestors.reverse();
        for ancestor in ancestors.into_iter().skip(1) {
            let name = ancestor.to_str().unwrap().to_owned();
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    let list = names.join("\n");
    through(
        "cpio",
        &["--quiet", "-o", "-H", "newc", "-D", folder.path().to_str().unwrap()],
        list.as_bytes(),
    )
}

fn microcode() -> Vec<u8> {
    cpio(&["kernel/x86/microcode/GenuineIntel.bin"])
}

fn debian() -> Vec<u8> {
    cpio(&[
        "conf/initramfs.conf",
        "init",
        "usr/lib/modules/6.1.0-56-cloud-amd64/kernel/drivers/block/virtio_blk.ko",
        "usr/lib/modules/6.1.0-56-cloud-amd64/kernel/drivers/scsi/virtio_scsi.ko.xz",
        "usr/lib/modules/6.1.0-56-cloud-amd64/kernel/drivers/virtio/virtio-pci.ko.zst",
        "usr/lib/modules/6.1.0-56-cloud-amd64/modules.dep",
        "usr/sbin/modprobe",
    ])
}

fn searched(bytes: &[u8], wanted: &[Wanted<'_>]) -> Search {
    search(
        &mut |offset, len| {
            let rest = bytes.get(usize::try_from(offset).unwrap()..).unwrap_or_default();
            Ok(rest[..len.min(rest.len())].to_vec())
        },
        wanted,
    )
}

fn compressed(name: &str, bytes: &[u8]) -> Vec<u8> {
    match name {
        "none" => bytes.to_vec(),
        "gzip" => through("gzip", &["-n", "-9"], bytes),
        // As Linux wants it: no other checksum is known there.
        "xz" => through("xz", &["--check=crc32", "--lzma2=dict=1MiB"], bytes),
        "xz-bcj" => through("xz", &["--check=crc32", "--x86", "--lzma2=dict=512KiB"], bytes),
        "zstd" => through("zstd", &["-q", "-19", "-T0"], bytes),
        "zstd-frames" => {
            let (one, two) = bytes.split_at(bytes.len() / 2 / 4 * 4);
            [compressed("zstd", one), compressed("zstd", two)].concat()
        }
        "lz4" => through("lz4", &["-9", "-q"], bytes),
        "lz4-legacy" => through("lz4", &["-9", "-l", "-q"], bytes),
        "bzip2" => through("bzip2", &[], bytes),
        "lzma" => through("xz", &["--format=lzma"], bytes),
        _ => panic!("{name}"),
    }
}

#[test]
fn modules_are_found_however_the_archive_is_compressed() {
    let archive = debian();
    for method in [
        "none",
        "gzip",
        "xz",
        "xz-bcj",
        "zstd",
        "lz4",
        "lz4-legacy",
        "bzip2",
        "lzma",
    ] {
        let search = searched(&compressed(method, &archive), &DRIVERS);
        assert_eq!(search.found, [true, true, true], "{method}");
        assert_eq!(search.incomplete, None, "{method}");
        let name = method.split('-').next().unwrap();
        assert_eq!(search.compressions, [name], "{method}");
    }
}

#[test]
fn what_is_not_there_is_certain_only_after_everything_was_read() {
    let archive = debian();
    let ignition = [Wanted::Path("usr/bin/ignition")];
    for method in ["none", "gzip", "xz", "zstd", "lz4", "lz4-legacy", "bzip2", "lzma"] {
        let whole = compressed(method, &archive);
        let search = searched(&whole, &ignition);
        assert_eq!((search.found, search.incomplete), (vec![false], None), "{method}");
        let search = searched(&whole[..whole.len() * 2 / 3], &ignition);
        assert_eq!(search.found, [false], "{method}, cut off");
        let unknown = search.incomplete.unwrap_or_else(|| panic!("{method}, cut off"));
        assert_eq!(unknown.code, "initramfs_corrupt", "{method}");
    }
}

/// Microcode first (initramfs-tools, dracut, mkinitcpio), the modules apart (initramfs-tools from 0.143 on), zeros in
/// between as in a file padded to 512 bytes.
#[test]
fn archives_after_each_other_are_all_read() {
    let archive = debian();
    for method in ["none", "gzip", "xz", "zstd", "lz4", "lz4-legacy", "bzip2"] {
        for zeros in [0, 4, 512] {
            let mut image = microcode();
            image.resize(image.len() + zeros, 0);
            image.extend(compressed(method, &cpio(&["usr/lib/firmware/a.bin"])));
            if method == "none" {
                image.resize(image.len().next_multiple_of(4), 0);
            }
            image.extend(compressed("zstd", &archive));
            image.resize(image.len() + zeros, 0);
            let wanted = [
                DRIVERS[0],
                Wanted::Path("usr/lib/firmware/a.bin"),
                Wanted::Path("nothing"),
            ];
            let search = searched(&image, &wanted);
            assert_eq!(
                search.found,
                [true, true, false],
                "{method} {zeros} {:?}",
                search.incomplete
            );
            assert_eq!(search.incomplete, None, "{method} {zeros}");
            assert_eq!(
                search.compressions.len(),
                3,
                "{method} {zeros} {:?}",
                search.compressions
            );
        }
    }
}

#[test]
fn nothing_is_read_beyond_what_is_looked_for() {
    let mut paths = vec!["usr/lib/modules/6/kernel/drivers/block/virtio_blk.ko".to_owned()];
    paths.extend((0..60).map(|number| format!("usr/lib/firmware/{number:03}")));
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let image = cpio(&paths);
    let read = Cell::new(0);
    let mut fetch = |offset: u64, len: usize| {
        let rest = image.get(usize::try_from(offset).unwrap()..).unwrap_or_default();
        let bytes = rest[..len.min(rest.len())].to_vec();
        read.set(read.get() + bytes.len());
        Ok(bytes)
    };
    assert!(search(&mut fetch, &DRIVERS[..1]).found[0]);
    assert!(read.get() <= 1 << 20, "{} of {}", read.get(), image.len());
}

#[test]
fn what_cannot_be_read_is_named() {
    let lzo = searched(b"\x89LZO\x00\x0d\x0a\x1a\x0a and so on", &DRIVERS);
    let unknown = lzo.incomplete.unwrap();
    assert_eq!(
        (unknown.code.as_str(), unknown.params["compression"].as_str()),
        ("initramfs_compression", "lzo")
    );
    for bytes in [
        &b"\x7fELF no initramfs"[..],
        b"070701 but nothing more",
        b"\x1f\x8b\x08",
    ] {
        assert_eq!(searched(bytes, &DRIVERS).incomplete.unwrap().code, "initramfs_corrupt");
    }
    let inside = searched(&compressed("zstd", &cpio(&["init", "squashfs-root.img"])), &DRIVERS);
    assert_eq!(inside.incomplete.unwrap().code, "initramfs_inside");
    let nothing = searched(b"", &DRIVERS);
    assert_eq!(
        (nothing.found, nothing.incomplete),
        (vec![false; 3], None),
        "an empty file holds nothing"
    );
}

/// A bomb: what is read and unpacked is bounded, so it ends with an error after a gigabyte of nothing.
#[test]
fn an_endless_archive_ends() {
    let mut archive = cpio(&["init"]);
    // The file's length, the seventh number, made as long as it can be.
    archive[6 + 6 * 8..6 + 7 * 8].copy_from_slice(b"fffffffc");
    archive.resize(64 << 20, 0);
    let bomb = compressed("zstd", &archive).repeat(40);
    let search = searched(&bomb, &DRIVERS);
    assert!(search.incomplete.is_some());
}

fn samples() -> &'static [Vec<u8>] {
    static SAMPLES: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    SAMPLES.get_or_init(|| {
        let archive = cpio(&["init", "usr/lib/modules/6/kernel/drivers/block/virtio_blk.ko"]);
        ["none", "gzip", "xz", "zstd", "lz4", "lz4-legacy", "bzip2", "lzma"]
            .map(|method| [microcode(), compressed(method, &archive)].concat())
            .to_vec()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Damage anywhere never panics and always ends.
    #[test]
    fn damage_never_panics(
        which in 0..8_usize,
        changes in prop::collection::vec((0..1_000_000_usize, any::<u8>()), 1..12),
        len in 0..1_000_000_usize,
    ) {
        let mut bytes = samples()[which].clone();
        bytes.truncate(1 + len % bytes.len() * 2);
        for (at, value) in changes {
            let at = at % bytes.len();
            bytes[at] = value;
        }
        _ = searched(&bytes, &[DRIVERS[0], Wanted::Path("nothing")]);
    }
}
