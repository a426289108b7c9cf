//! Opening and reading one disk of 64 MiB in each container and compression: `cargo bench -p lotse-disk`. Against other
//! programs it is `cargo xtask bench disk`.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot make its disk has failed")]

use std::{fs, hint::black_box, path::Path, process::Command, sync::Arc};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lotse_disk::{Disk, MemorySource};

/// What is read at a time, in bytes.
const PIECE: usize = 1 << 20;

/// Bytes of the disk.
const SIZE: usize = 64 << 20;

/// A name, and the command that makes `image` from `disk`.
const IMAGES: &[(&str, &str)] = &[
    ("raw", "cp disk image"),
    ("qcow2", "qemu-img convert -f raw -O qcow2 disk image"),
    ("qcow2 zlib", "qemu-img convert -f raw -O qcow2 -c disk image"),
    (
        "qcow2 zstd",
        "qemu-img convert -f raw -O qcow2 -c -o compression_type=zstd disk image",
    ),
    ("vhdx", "qemu-img convert -f raw -O vhdx disk image"),
    ("vdi", "qemu-img convert -f raw -O vdi disk image"),
    (
        "vmdk stream",
        "qemu-img convert -f raw -O vmdk -o subformat=streamOptimized disk image",
    ),
    ("gzip", "gzip -c disk >image"),
    ("bzip2", "bzip2 -c disk >image"),
];

/// Holes, words and programs' kind of bytes in turn.
fn disk() -> Vec<u8> {
    let mut disk = vec![0_u8; SIZE];
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    for (index, part) in disk.chunks_mut(PIECE).enumerate() {
        for word in part.chunks_mut(8) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            match index % 3 {
                0 => {}
                1 => word.copy_from_slice(if state & 1 == 0 { b"a lotse " } else { b"at sea, " }),
                _ => word.copy_from_slice(&(state & 0x0000_ffff_0000_ffff).to_le_bytes()),
            }
        }
    }
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    disk
}

fn image(folder: &Path, command: &str) -> Arc<MemorySource> {
    let status = Command::new("sh").args(["-ec", command]).current_dir(folder).status();
    assert!(status.unwrap().success(), "{command}");
    Arc::new(MemorySource::new(fs::read(folder.join("image")).unwrap()))
}

fn read(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("disk"), disk()).unwrap();
    let mut group = criterion.benchmark_group("open and read");
    group.sample_size(10).throughput(Throughput::Bytes(SIZE as u64));
    for (name, command) in IMAGES {
        let source = image(folder.path(), command);
        group.bench_function(*name, |bencher| {
            let mut piece = vec![0; PIECE];
            bencher.iter(|| {
                let disk = Disk::open(Arc::clone(&source) as Arc<_>).unwrap();
                for offset in (0..disk.len()).step_by(PIECE) {
                    disk.read_at(&mut piece, offset).unwrap();
                    black_box(&piece);
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, read);
criterion_main!(benches);
