//! Real images made by the real qemu-img, and what qemu-img says about them.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot make its image has failed"
)]

use std::{fs, path::Path, process::Command, sync::Arc};

use lotse_disk::{Disk, FileSource};

/// Bytes of the disk that all images hold: no multiple of a cluster, so that the last one is cut.
pub(crate) const SIZE: usize = 9 * 1024 * 1024 + 3 * 512;

/// Runs a program and gives its output; fails the test with its messages.
pub(crate) fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// A boot sector, text that compresses, noise that does not, long holes, and written zeros.
pub(crate) fn content() -> Vec<u8> {
    let mut disk = vec![0; SIZE];
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut noise = |part: &mut [u8]| {
        for byte in part {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            *byte = state.to_le_bytes()[3];
        }
    };
    noise(&mut disk[300_000..900_000]);
    noise(&mut disk[5 << 20..(5 << 20) + 70_001]);
    noise(&mut disk[SIZE - 700..]);
    for (index, byte) in disk[1_000_000..1_800_000].iter_mut().enumerate() {
        *byte = b"Imagelotse brings a disk image safely into an account. "[index % 55];
    }
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    disk
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Writes the disk as a raw file.
pub(crate) fn raw(folder: &Path) -> std::path::PathBuf {
    let path = folder.join("disk.raw");
    fs::write(&path, content()).unwrap();
    path
}

pub(crate) fn open(path: &Path) -> lotse_disk::Result<Disk> {
    Disk::open(Arc::new(FileSource::open(path)?))
}

/// All bytes, read in pieces that begin and end anywhere.
pub(crate) fn read_all(disk: &Disk) -> Vec<u8> {
    let mut bytes = vec![0xff; usize::try_from(disk.len()).unwrap()];
    let mut at = 0;
    for (index, part) in std::iter::repeat([1, 511, 4096, 65_537, 1_000_000])
        .flatten()
        .enumerate()
    {
        if at == bytes.len() {
            break;
        }
        let end = bytes.len().min(at + part + index);
        disk.read_at(&mut bytes[at..end], at as u64).unwrap();
        at = end;
    }
    bytes
}

/// Fails with the first place that differs instead of printing megabytes.
pub(crate) fn assert_same(ours: &[u8], theirs: &[u8], what: &str) {
    assert_eq!(ours.len(), theirs.len(), "{what}: length");
    let first = ours.iter().zip(theirs).position(|(a, b)| a != b);
    assert_eq!(first, None, "{what}: first byte that differs");
}
