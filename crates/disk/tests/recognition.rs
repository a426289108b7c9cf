//! Formats are told by their bytes, and what can go wrong with a file has its own code each.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that cannot make its image has failed")]

mod common;

use std::{fs, path::Path, sync::Arc};

use common::{SIZE, assert_same, content, open, raw, read_all, run, text};
use lotse_disk::{Compression, Container, Disk, ExtentKind, FileSource, Format, Kind, MemorySource, Source, identify};

fn identified(path: &Path) -> Container {
    identify(&FileSource::open(path).unwrap()).unwrap()
}

fn identified_bytes(bytes: impl Into<Vec<u8>>) -> lotse_disk::Result<Container> {
    identify(&MemorySource::new(bytes.into()))
}

fn code(path: &Path) -> &'static str {
    FileSource::open(path).map(|_| ()).unwrap_err().code()
}

#[test]
fn a_raw_disk_is_its_own_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let path = raw(folder.path());
    let disk = open(&path).unwrap();
    assert_eq!(disk.container().format, Some(Format::Raw));
    assert_eq!(disk.len(), SIZE as u64);
    assert_same(&read_all(&disk), &content(), "raw");
    let extents: Vec<_> = disk.extents().map(|extent| extent.unwrap()).collect();
    assert_eq!(extents.len(), 1);
    assert_eq!((extents[0].len, extents[0].kind), (SIZE as u64, ExtentKind::Data));
}

/// Every container that qemu-img writes is named, with its size where the header tells it.
#[test]
fn containers_of_qemu_img() {
    let folder = tempfile::tempdir().unwrap();
    let raw = raw(folder.path());
    let size = Some(SIZE as u64);
    for (name, options, format, variant, virtual_size) in [
        ("qcow2", "compat=0.10", Format::Qcow2, Some("v2"), size),
        ("qcow2", "compat=1.1", Format::Qcow2, Some("v3"), size),
        ("qcow", "", Format::Qcow, None, size),
        ("vhdx", "", Format::Vhdx, None, None),
        ("vdi", "", Format::Vdi, Some("dynamic"), size),
        ("vdi", "static=on", Format::Vdi, Some("static"), size),
        (
            "vmdk",
            "subformat=monolithicSparse",
            Format::Vmdk,
            Some("monolithicSparse"),
            size,
        ),
        (
            "vmdk",
            "subformat=streamOptimized",
            Format::Vmdk,
            Some("streamOptimized"),
            size,
        ),
        (
            "vmdk",
            "subformat=monolithicFlat",
            Format::Vmdk,
            Some("monolithicFlat"),
            None,
        ),
        ("vpc", "force_size=on", Format::Vhd, Some("dynamic"), size),
        ("vpc", "force_size=on,subformat=fixed", Format::Vhd, Some("fixed"), size),
        ("qed", "", Format::Qed, None, size),
        ("parallels", "", Format::Parallels, None, None),
    ] {
        let path = folder.path().join("disk");
        let options = if options.is_empty() {
            vec![]
        } else {
            vec!["-o", options]
        };
        let arguments = [
            &["convert", "-f", "raw", "-O", name],
            &options[..],
            &[text(&raw), text(&path)],
        ]
        .concat();
        run("qemu-img", &arguments);
        let what = format!("{name} {options:?}");
        let expected = Container {
            format: Some(format),
            variant: variant.map(str::to_owned),
            virtual_size,
            compression: None,
        };
        assert_eq!(identified(&path), expected, "{what}");
        let opened = open(&path);
        match format {
            Format::Qcow2 => assert!(opened.is_ok(), "{what}"),
            Format::Vhdx | Format::Vdi | Format::Vmdk => {
                assert_eq!(opened.unwrap_err().code(), "format_not_read_yet", "{what}");
            }
            _ => assert_eq!(opened.unwrap_err().code(), "format_not_accepted", "{what}"),
        }
    }
}

#[test]
fn archives_and_compressed_files() {
    let folder = tempfile::tempdir().unwrap();
    let raw = raw(folder.path());
    let script = "import sys, gzip, bz2, lzma, tarfile, zipfile
raw, folder = sys.argv[1:]
data = open(raw, 'rb').read()
open(folder + '/gz', 'wb').write(gzip.compress(data, 1))
open(folder + '/bz2', 'wb').write(bz2.compress(data, 1))
open(folder + '/xz', 'wb').write(lzma.compress(data, preset=0))
tarfile.open(folder + '/tar', 'w').add(raw, 'disk.raw')
zipfile.ZipFile(folder + '/zip', 'w').write(raw, 'disk.raw')";
    run("python3", &["-c", script, text(&raw), text(folder.path())]);
    for (name, compression, code) in [
        ("gz", Compression::Gzip, "format_not_read_yet"),
        ("bz2", Compression::Bzip2, "format_not_read_yet"),
        ("xz", Compression::Xz, "format_not_accepted"),
    ] {
        let path = folder.path().join(name);
        let container = identified(&path);
        assert_eq!((container.format, container.compression), (None, Some(compression)));
        assert_eq!(open(&path).unwrap_err().code(), code);
    }
    assert_eq!(identified(&folder.path().join("tar")).format, Some(Format::Tar));
    assert_eq!(identified(&folder.path().join("zip")).format, Some(Format::Zip));
    assert_eq!(
        identified_bytes([0x28, 0xb5, 0x2f, 0xfd, 0]).unwrap().compression,
        Some(Compression::Zstd)
    );
    assert_eq!(
        identified_bytes(*b"7z\xbc\xaf\x27\x1c\0").unwrap().format,
        Some(Format::SevenZip)
    );
    assert_eq!(
        identified_bytes(*b"LUKS\xba\xbe\0\x02").unwrap().format,
        Some(Format::Luks)
    );
}

/// An installation medium that can also start from a USB stick has a partition table and is still no disk image.
#[test]
fn an_iso_stays_an_iso() {
    let mut bytes = content();
    bytes[0x8001..0x8006].copy_from_slice(b"CD001");
    assert_eq!(identified_bytes(bytes).unwrap().format, Some(Format::Iso));
}

#[test]
fn a_disk_without_a_table_is_known_by_its_filesystem() {
    for (at, magic) in [
        (1080, &[0x53, 0xef][..]),
        (0, b"XFSB"),
        (0x1_0040, b"_BHRfS_M"),
        (4096, b"EFI PART"),
    ] {
        let mut bytes = vec![0; 100_000];
        bytes[at..at + magic.len()].copy_from_slice(magic);
        assert_eq!(identified_bytes(bytes).unwrap().format, Some(Format::Raw), "{magic:?}");
    }
}

#[test]
fn anything_else_is_no_disk_image() {
    for bytes in [&b"PNG or a letter"[..], &[0; 1], &vec![0; 100_000], b"%PDF-1.7"] {
        let error = identified_bytes(bytes).unwrap_err();
        assert_eq!((error.code(), error.kind()), ("not_a_disk_image", Kind::Corrupt));
    }
}

/// A file that one program takes for qcow2 and another for a raw disk could show the check one system and start another.
#[test]
fn two_formats_at_once_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk.qcow2");
    run("qemu-img", &["create", "-q", "-f", "qcow2", text(&path), "1M"]);
    let mut bytes = fs::read(&path).unwrap();
    bytes[446..462].copy_from_slice(&[0x80, 0, 2, 0, 0x83, 0, 0, 0, 0, 8, 0, 0, 0, 8, 0, 0]);
    bytes[510..512].copy_from_slice(&[0x55, 0xaa]);
    let error = identified_bytes(bytes).unwrap_err();
    assert_eq!((error.code(), error.kind()), ("two_formats", Kind::Refused));
    let mut descriptor = content();
    descriptor[..21].copy_from_slice(b"# Disk DescriptorFile");
    assert_eq!(identified_bytes(descriptor.clone()).unwrap().format, Some(Format::Vmdk));
    descriptor[512..520].copy_from_slice(b"EFI PART");
    assert_eq!(identified_bytes(descriptor).unwrap_err().code(), "two_formats");
}

#[test]
fn each_file_that_cannot_be_opened_has_its_own_code() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    assert_eq!(code(folder.path()), "file_is_directory");
    assert_eq!(code(&path("nowhere")), "file_not_found");
    fs::write(path("empty"), b"").unwrap();
    assert_eq!(code(&path("empty")), "file_empty");
    assert_eq!(
        code(&path("empty/inside")),
        "file_not_found",
        "a file where a folder should be"
    );
    fs::write(path("vanished"), b"x").unwrap();
    fs::remove_file(path("vanished")).unwrap();
    assert_eq!(code(&path("vanished")), "file_not_found");
}

#[test]
fn what_is_no_regular_file_is_refused_without_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    run("mkfifo", &[text(&pipe)]);
    assert_eq!(
        code(&pipe),
        "file_not_regular",
        "opening a pipe would wait for its writer"
    );
    assert_eq!(code(Path::new("/dev/null")), "file_not_regular");
}

#[test]
fn a_file_that_may_not_be_read_says_so() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    fs::write(&path, b"x").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::File::open(&path).is_ok() {
        eprintln!("skipped: this user may read every file");
        return;
    }
    assert_eq!(code(&path), "file_permission_denied");
}

/// Deleted after it was opened: the bytes stay readable. Cut short: an error, no zeros.
#[test]
fn a_file_that_changes_while_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk.raw");
    fs::write(&path, content()).unwrap();
    let source = Arc::new(FileSource::open(&path).unwrap());
    let disk = Disk::open(source.clone()).unwrap();
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    fs::remove_file(&path).unwrap();
    disk.read_at(&mut [0; 512], 1 << 20).unwrap();
    file.set_len(4096).unwrap();
    assert_eq!(
        disk.read_at(&mut [0; 512], 1 << 20).unwrap_err().code(),
        "file_read_failed"
    );
    assert_eq!(
        source.read_at(&mut [0], source.len()).unwrap_err().code(),
        "source_too_short"
    );
}
