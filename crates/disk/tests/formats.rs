//! Formats that are named but not accepted, made by the tools that people use; and files that are two formats at once.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that cannot make its image has failed")]

mod common;
#[path = "common/tools.rs"]
mod tools;

use std::{fs, path::Path, process::Command, sync::Arc};

use common::{assert_same, content, open, raw, read_all, run, text};
use lotse_disk::{Compression, Container, Disk, FileSource, Format, Kind, MemorySource, identify};
use tools::has;

fn identified(path: &Path) -> Container {
    identify(&FileSource::open(path).unwrap()).unwrap()
}

fn identified_bytes(bytes: impl Into<Vec<u8>>) -> lotse_disk::Result<Container> {
    identify(&MemorySource::new(bytes.into()))
}

/// Runs a shell script in the folder; fails with what it said.
fn shell(folder: &Path, script: &str) {
    let output = Command::new("sh")
        .args(["-euc", script])
        .current_dir(folder)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}: {said}");
}

/// Every archive and container that `disk` can name and ccloud³ does not take, as its own tool writes it.
#[test]
fn what_is_not_accepted_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    raw(folder);
    fs::write(folder.join("machine.ovf"), "<Envelope/>").unwrap();
    let python = "python3 -c 'import tarfile, zipfile
data = open(\"disk.raw\", \"rb\").read()";
    for (program, script, format) in [
        ("qemu-img", "qemu-img convert -O qcow disk.raw out", Format::Qcow),
        ("qemu-img", "qemu-img convert -O qed disk.raw out", Format::Qed),
        (
            "qemu-img",
            "qemu-img convert -O parallels disk.raw out",
            Format::Parallels,
        ),
        ("qemu-img", "qemu-img convert -O vpc disk.raw out", Format::Vhd),
        (
            "qemu-img",
            "qemu-img convert -O vpc -o subformat=fixed disk.raw out",
            Format::Vhd,
        ),
        (
            "qemu-img",
            "qemu-img create -q --object secret,id=s,data=x -f luks -o key-secret=s,iter-time=10 out 1M",
            Format::Luks,
        ),
        (
            "cryptsetup",
            "truncate -s 20M out
            printf x | /usr/sbin/cryptsetup luksFormat -q --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 out -",
            Format::Luks,
        ),
        (
            "cryptsetup",
            "truncate -s 4M out
            printf x | /usr/sbin/cryptsetup luksFormat -q --type luks1 --pbkdf-force-iterations 1000 out -",
            Format::Luks,
        ),
        (
            "xorriso",
            "xorriso -outdev out -map disk.raw /disk.raw -padding 0 2>&1",
            Format::Iso,
        ),
        // With a partition table of its own, as the media of distributions have one.
        (
            "xorriso",
            "xorriso -as mkisofs -quiet -partition_offset 16 -append_partition 2 0x83 disk.raw -o out machine.ovf 2>&1",
            Format::Iso,
        ),
        ("genisoimage", "genisoimage -quiet -o out disk.raw", Format::Iso),
        ("tar", "tar -cf out disk.raw machine.ovf", Format::Tar),
        ("tar", "tar -cf out --format=pax disk.raw", Format::Tar),
        ("tar", "tar -cf out --format=ustar machine.ovf disk.raw", Format::Ova),
        ("tar", "tar -cf out --format=gnu machine.ovf disk.raw", Format::Ova),
        ("tar", "tar -cf out --format=pax machine.ovf disk.raw", Format::Ova),
        ("7z", "7z a -bd -t7z out.7z disk.raw >/dev/null; mv out.7z out", Format::SevenZip),
        ("7z", "7z a -bd -tzip out.zip disk.raw >/dev/null; mv out.zip out", Format::Zip),
        (
            "python3",
            &format!("{python}\nzipfile.ZipFile(\"out\", \"w\", 8).writestr(\"disk.raw\", data)'"),
            Format::Zip,
        ),
        (
            "python3",
            &format!("{python}\ntarfile.open(\"out\", \"w\").add(\"disk.raw\")'"),
            Format::Tar,
        ),
    ] {
        if !has(program) {
            eprintln!("skipped: {program} is not installed: {script}");
            continue;
        }
        let _ = fs::remove_file(folder.join("out"));
        shell(folder, script);
        let path = folder.join("out");
        assert_eq!(identified(&path).format, Some(format), "{script}");
        let error = open(&path).unwrap_err();
        assert_eq!(error.code(), "format_not_accepted", "{script}");
        assert_eq!(error.params()[0], ("format", format.name().to_owned()), "{script}");
    }
}

#[test]
fn compressions_that_are_not_accepted_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    raw(folder);
    for (program, script, compression) in [
        ("xz", "xz -0 -c disk.raw >out", Compression::Xz),
        ("zstd", "zstd -1 -q -f disk.raw -o out", Compression::Zstd),
        (
            "python3",
            "python3 -c 'import lzma
open(\"out\", \"wb\").write(lzma.compress(open(\"disk.raw\", \"rb\").read(), preset=0))'",
            Compression::Xz,
        ),
    ] {
        if !has(program) {
            eprintln!("skipped: {program} is not installed: {script}");
            continue;
        }
        shell(folder, script);
        let path = folder.join("out");
        let container = identified(&path);
        assert_eq!(container.compression, Some(compression), "{script}");
        assert_eq!(container.format, None, "{script}");
        assert_eq!(open(&path).unwrap_err().code(), "format_not_accepted", "{script}");
    }
}

#[test]
fn a_dmg_is_told_by_its_trailer() {
    // No free tool writes a DMG: the disk's bytes, then the trailer as Apple's hdiutil writes it.
    let mut bytes = content();
    let mut trailer = [0; 512];
    trailer[..12].copy_from_slice(b"koly\0\0\0\x04\0\0\x02\0");
    bytes.extend_from_slice(&trailer);
    assert_eq!(identified_bytes(bytes).unwrap().format, Some(Format::Dmg));
}

/// Names are in reports that other programs read.
#[test]
fn names_are_stable() {
    let names = [
        (Format::Raw, "raw"),
        (Format::Qcow2, "qcow2"),
        (Format::Vhdx, "vhdx"),
        (Format::Vdi, "vdi"),
        (Format::Vmdk, "vmdk"),
        (Format::Vhd, "vhd"),
        (Format::Qed, "qed"),
        (Format::Parallels, "parallels"),
        (Format::Iso, "iso"),
        (Format::Qcow, "qcow"),
        (Format::Luks, "luks"),
        (Format::Dmg, "dmg"),
        (Format::Zip, "zip"),
        (Format::SevenZip, "7z"),
        (Format::Tar, "tar"),
        (Format::Ova, "ova"),
    ];
    for (format, name) in names {
        assert_eq!(format.name(), name);
        assert_eq!(serde_json::to_value(format).unwrap(), name);
    }
}

/// Writes `bytes` at `at`.
fn put(file: &mut [u8], at: usize, bytes: &[u8]) {
    file[at..at + bytes.len()].copy_from_slice(bytes);
}

/// A change that makes a file another format as well.
type Patch = fn(&mut Vec<u8>);

/// What somebody can write into a file so that another program takes it for something else.
const PATCHES: &[(&str, Patch)] = &[
    ("raw: a boot sector", |file| {
        put(file, 446, &[0x80, 0, 2, 0, 0x83, 0, 0, 0, 0, 8, 0, 0, 0, 8, 0, 0]);
        put(file, 510, &[0x55, 0xaa]);
    }),
    ("raw: a boot sector that only a BIOS would start", |file| {
        put(file, 510, &[0x55, 0xaa]);
    }),
    ("raw: GPT", |file| put(file, 512, b"EFI PART")),
    ("raw: GPT on 4K sectors", |file| put(file, 4096, b"EFI PART")),
    (
        "raw: ext4, which leaves the first 1024 bytes to whoever wants them",
        |file| {
            put(file, 1024 + 24, &[2, 0, 0, 0]);
            put(file, 1024 + 56, &[0x53, 0xef]);
            put(file, 1024 + 76, &[1, 0, 0, 0]);
        },
    ),
    ("raw: btrfs, which leaves the first 64 KiB", |file| {
        put(file, 0x1_0040, b"_BHRfS_M");
    }),
    ("raw: LVM", |file| put(file, 512, b"LABELONE")),
    ("iso", |file| put(file, 0x8001, b"CD001")),
    ("vdi", |file| put(file, 64, &[0x7f, 0x10, 0xda, 0xbe])),
    ("tar", |file| put(file, 257, b"ustar")),
    ("vhd", |file| {
        let end = file.len() - 512;
        put(file, end, b"conectix");
    }),
    ("vhd", |file| {
        let end = file.len() - 511;
        put(file, end, b"conectix");
    }),
    ("dmg", |file| {
        let end = file.len() - 512;
        put(file, end, b"koly\0\0\0\x04\0\0\x02\0");
    }),
];

/// Each container that ccloud³ accepts, with each of these written into it.
#[test]
fn a_container_that_is_something_else_too_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let raw = raw(folder.path());
    let path = folder.path().join("disk");
    for (format, options, name) in [
        ("qcow2", "compat=1.1", "qcow2"),
        ("qcow2", "compat=0.10", "qcow2"),
        ("qcow2", "cluster_size=512", "qcow2"),
        ("vhdx", "subformat=dynamic", "vhdx"),
        ("vdi", "static=off", "vdi"),
        ("vmdk", "subformat=monolithicSparse", "vmdk"),
        ("vmdk", "subformat=streamOptimized", "vmdk"),
    ] {
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
                text(&path),
            ],
        );
        let whole = fs::read(&path).unwrap();
        assert!(identified_bytes(whole.clone()).is_ok(), "{format} {options}: honest");
        for (what, patch) in PATCHES.iter().filter(|(what, _)| *what != name) {
            let mut bytes = whole.clone();
            patch(&mut bytes);
            let error = identified_bytes(bytes).map(|found| (found, *what)).unwrap_err();
            assert_eq!(
                (error.code(), error.kind()),
                ("two_formats", Kind::Refused),
                "{format} with {what}"
            );
            let other = what.split(':').next().unwrap();
            let mut names: Vec<&str> = error.params().iter().map(|(_, value)| value.as_str()).collect();
            names.sort_unstable();
            let mut expected = [name, other];
            expected.sort_unstable();
            assert_eq!(names, expected, "{format} {options} with {what}");
        }
    }
}

/// CVE-2026-24708: what a guest writes to the beginning of its own disk turns the raw disk into something that qemu-img
/// takes for another format.
#[test]
fn a_raw_disk_with_a_header_in_front_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk");
    let header = |format: &str| {
        run("qemu-img", &["create", "-q", "-f", format, text(&path), "1M"]);
        fs::read(&path).unwrap()[..96].to_vec()
    };
    let mut headers: Vec<(&str, Vec<u8>)> = ["qcow2", "qcow", "qed", "vdi", "vmdk", "vhdx", "parallels"]
        .into_iter()
        .map(|format| (format, header(format)))
        .collect();
    headers.push(("vhd", b"conectix\0\0\0\x02".to_vec()));
    headers.push(("luks", b"LUKS\xba\xbe\0\x01".to_vec()));
    headers.push(("bochs", b"Bochs Virtual HD Image\0".to_vec()));
    headers.push(("cloop", b"#!/bin/sh\n#V2.0 Format\nmodprobe cloop file=$0".to_vec()));
    // CVE-2022-47951: a descriptor names any file of the server. QEMU takes all of these for one.
    for text in [
        "# Disk DescriptorFile\nversion=1\ncreateType=\"monolithicFlat\"\nRW 8 FLAT \"/etc/passwd\" 0\n",
        "# anything\n#\n   \nversion=2\nRW 8 FLAT \"/etc/passwd\" 0\n",
        "version=3\r\n",
    ] {
        headers.push(("vmdk", text.as_bytes().to_vec()));
    }
    headers.push(("gzip", vec![0x1f, 0x8b, 8, 0]));
    headers.push(("bzip2", b"BZh91AY&SY".to_vec()));

    // A disk with a boot sector and partitions, and one with nothing but an ext4 filesystem.
    let mut table = content();
    put(&mut table, 446, &[0x80, 0, 2, 0, 0x83, 0, 0, 0, 0, 8, 0, 0, 0, 8, 0, 0]);
    let plain = folder.path().join("plain.raw");
    fs::write(&plain, vec![0; 4 << 20]).unwrap();
    let mke2fs = if Path::new("/usr/sbin/mke2fs").exists() {
        "/usr/sbin/mke2fs"
    } else {
        "mke2fs"
    };
    run(mke2fs, &["-q", "-F", "-t", "ext4", text(&plain)]);
    for disk in [table, fs::read(&plain).unwrap()] {
        assert_eq!(identified_bytes(disk.clone()).unwrap().format, Some(Format::Raw));
        for (name, header) in &headers {
            let mut bytes = disk.clone();
            put(&mut bytes, 0, header);
            let error = identified_bytes(bytes).map(|found| (found, *name)).unwrap_err();
            assert_eq!(error.code(), "two_formats", "{name}");
            let names: Vec<&str> = error.params().iter().map(|(_, value)| value.as_str()).collect();
            assert!(names.contains(name) && names.contains(&"raw"), "{name}: {names:?}");
        }
    }
}

/// Honest files that look like two formats to a careless reader.
#[test]
fn honest_files_are_not_refused() {
    // An installation medium that also starts from a USB stick has a partition table and is still no disk image.
    let mut hybrid = content();
    put(&mut hybrid, 0x8001, b"CD001");
    put(
        &mut hybrid,
        446,
        &[0x80, 0, 2, 0, 0x17, 0, 0, 0, 0, 8, 0, 0, 0, 8, 0, 0],
    );
    put(&mut hybrid, 512, b"EFI PART");
    assert_eq!(identified_bytes(hybrid).unwrap().format, Some(Format::Iso));

    // A disk with GPT and, for old firmware, a hybrid MBR.
    let mut disk = content();
    put(&mut disk, 446, &[0x80, 0, 2, 0, 0x83, 0, 0, 0, 0, 8, 0, 0, 0, 8, 0, 0]);
    put(&mut disk, 462, &[0, 0, 2, 0, 0xee, 0, 0, 0, 1, 0, 0, 0, 0, 8, 0, 0]);
    put(&mut disk, 512, b"EFI PART");
    // Files on it are anything, at any place: images of all kinds too.
    for at in [2048, 1 << 20, (1 << 20) + 64, 5 << 20] {
        for magic in [
            &b"QFI\xfb\0\0\0\x03"[..],
            b"KDMV",
            b"vhdxfile",
            b"\x7f\x10\xda\xbe",
            b"CD001",
            b"conectix",
            b"koly",
        ] {
            let mut bytes = disk.clone();
            put(&mut bytes, at, magic);
            assert_eq!(identified_bytes(bytes).unwrap().format, Some(Format::Raw), "{magic:?}");
        }
    }

    let opened = Disk::open(Arc::new(MemorySource::new(disk.clone()))).unwrap();
    assert_same(&read_all(&opened), &disk, "its own bytes");

    // A script that begins with a comment is no disk, and a disk's boot code may begin with any letter.
    let mut bytes = disk.clone();
    put(&mut bytes, 0, b"# not a descriptor\nversion=10\n");
    assert_eq!(identified_bytes(bytes).unwrap().format, Some(Format::Raw));

    // Random bytes of a compressed file that look like a boot signature or an ext superblock's magic.
    let mut bytes = vec![0xa5; 200_000];
    put(&mut bytes, 0, &[0x1f, 0x8b, 8, 0]);
    put(&mut bytes, 510, &[0x55, 0xaa]);
    put(&mut bytes, 1080, &[0x53, 0xef]);
    let container = identified_bytes(bytes).unwrap();
    assert_eq!(container.compression, Some(Compression::Gzip));
}
