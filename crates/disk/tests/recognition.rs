//! Formats are told by their bytes, and what can go wrong with a file has its own code each.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that cannot make its image has failed")]

mod common;

use std::{fs, path::Path, sync::Arc};

use common::{SIZE, assert_same, content, open, raw, read_all, run, text};
use lotse_disk::{Container, Disk, ExtentKind, FileSource, Format, Kind, MemorySource, Source, identify};

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
        ("vhdx", "", Format::Vhdx, Some("dynamic"), size),
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
        let code = opened.map(|disk| disk.len()).map_err(|error| error.code());
        let expected = match (format, variant) {
            // Its bytes are in a second file.
            (Format::Vmdk, Some("monolithicFlat")) => Err("vmdk_foreign_extent"),
            (format, _) if format.is_accepted() => Ok(SIZE as u64),
            _ => Err("format_not_accepted"),
        };
        assert_eq!(code, expected, "{what}");
    }
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
