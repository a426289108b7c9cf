//! What `qemu-img map` says about an image, and large disks of which only a few places hold data.

use std::{fs, os::unix::fs::FileExt, path::Path};

use lotse_disk::{Disk, ExtentKind};

use super::common::{assert_same, run, text};

/// Our extents must be those of `qemu-img map`, merged alike. `told_as` is what QEMU makes of a kind in this format.
pub(crate) fn assert_extents(disk: &Disk, path: &Path, format: &str, told_as: fn(ExtentKind) -> ExtentKind) {
    let mut ours: Vec<(u64, u64, ExtentKind)> = Vec::new();
    for extent in disk.extents() {
        let extent = extent.unwrap();
        add(&mut ours, extent.offset, extent.len, told_as(extent.kind));
    }
    let map = run("qemu-img", &["map", "--output=json", "-f", format, text(path)]);
    let map: Vec<serde_json::Value> = serde_json::from_str(&map).unwrap();
    let mut theirs = Vec::new();
    for entry in &map {
        let kind = match (entry["present"].as_bool().unwrap(), entry["zero"].as_bool().unwrap()) {
            (false, _) => ExtentKind::Unallocated,
            (true, true) => ExtentKind::Zero,
            (true, false) => ExtentKind::Data,
        };
        let (start, len) = (entry["start"].as_u64().unwrap(), entry["length"].as_u64().unwrap());
        add(&mut theirs, start, len, kind);
    }
    assert_eq!(ours, theirs, "{}: ours (left), qemu-img map (right)", path.display());
}

fn add(extents: &mut Vec<(u64, u64, ExtentKind)>, start: u64, len: u64, kind: ExtentKind) {
    match extents.last_mut() {
        Some(last) if last.2 == kind && last.0 + last.1 == start => last.1 += len,
        _ => extents.push((start, len, kind)),
    }
}

/// The length of [`large`]'s disk: more than 2^31 bytes, and no multiple of a grain or block.
pub(crate) const LARGE: u64 = (3 << 30) + 3 * 512;

/// Where [`large`]'s disk holds data: at both ends, over the borders of 32 MiB (a grain table) and 2 GiB.
pub(crate) const PLACES: [(u64, u64); 5] = [
    (0, 700),
    ((32 << 20) - 100_000, 300_000),
    (1 << 30, 3 << 20),
    ((2 << 30) - 70_000, 140_000),
    (LARGE - 5000, 5000),
];

/// A raw disk of 3 GiB, almost all holes.
pub(crate) fn large(folder: &Path) -> std::path::PathBuf {
    let path = folder.join("large.raw");
    let file = fs::File::create(&path).unwrap();
    file.set_len(LARGE).unwrap();
    for (offset, len) in PLACES {
        let bytes: Vec<u8> = (offset..offset + len)
            .map(|at| u8::try_from(at % 251 + at / 4096 % 3 + 1).unwrap())
            .collect();
        file.write_all_at(&bytes, offset).unwrap();
    }
    path
}

/// Compares the disk with [`large`]'s: all that is data, every place, and a little around each border.
pub(crate) fn assert_large(disk: &Disk, raw: &Path, what: &str) {
    let raw = fs::File::open(raw).unwrap();
    let compare = |offset: u64, len: u64| {
        let len = usize::try_from(len.min(LARGE - offset)).unwrap();
        let (mut ours, mut theirs) = (vec![0xff; len], vec![0; len]);
        disk.read_at(&mut ours, offset).unwrap();
        raw.read_exact_at(&mut theirs, offset).unwrap();
        assert_same(&ours, &theirs, &format!("{what}, {len} bytes at {offset}"));
    };
    assert_eq!(disk.len(), LARGE, "{what}");
    let mut data = 0;
    for extent in disk.extents() {
        let extent = extent.unwrap();
        compare(extent.offset.saturating_sub(1000), 5000);
        if extent.kind == ExtentKind::Data {
            data += extent.len;
            compare(extent.offset, extent.len);
        }
    }
    assert!(
        data < 30 << 20,
        "{what}: {data} bytes of data, where nearly all is holes"
    );
    for (offset, len) in PLACES {
        compare(offset, len);
        compare(offset.saturating_sub(2 << 20), 8 << 20);
    }
}
