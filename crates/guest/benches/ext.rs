//! What reading an ext4 filesystem costs: a walk over all paths, and the content of all files. The image is made by
//! mke2fs from a tree like a small system's; `LOTSE_IMAGE` and `LOTSE_OFFSET` (bytes) name another one.
#![expect(clippy::unwrap_used, reason = "a measurement without its image is none")]

use std::{env, fs, hint::black_box, path::Path, process::Command, sync::Arc};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lotse_disk::{Disk, FileSource};
use lotse_guest::{FileKind, FileTree, ext::Ext};

/// 4,000 files in 200 directories, three levels deep.
fn make(folder: &Path) -> String {
    let root = folder.join("tree");
    for index in 0..4000 {
        let directory = root.join(format!("usr/share-{}/package-{}", index % 10, index % 200));
        fs::create_dir_all(&directory).unwrap();
        fs::write(
            directory.join(format!("a-file-{index}")),
            vec![b'x'; index * 7 % 20_000],
        )
        .unwrap();
    }
    let image = folder.join("image");
    fs::File::create(&image).unwrap().set_len(256 << 20).unwrap();
    let status = Command::new("mke2fs")
        .args(["-q", "-F", "-t", "ext4", "-d"])
        .args([&root, &image])
        .status();
    assert!(status.unwrap().success());
    image.to_str().unwrap().to_owned()
}

/// `lstat` and `list` of everything, by path; the paths of the files and their bytes.
fn walk(tree: &dyn FileTree) -> (Vec<String>, u64) {
    let (mut files, mut bytes) = (Vec::new(), 0);
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        for name in tree.list(&folder).unwrap().unwrap() {
            let path = format!("{folder}/{name}");
            let stat = tree.lstat(&path).unwrap().unwrap();
            match stat.kind {
                FileKind::Directory => folders.push(path),
                FileKind::File => {
                    bytes += stat.size;
                    files.push(path);
                }
                _ => {}
            }
        }
    }
    (files, bytes)
}

fn measure(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let image = env::var("LOTSE_IMAGE").unwrap_or_else(|_| make(folder.path()));
    let offset = env::var("LOTSE_OFFSET").map_or(0, |offset| offset.parse().unwrap());
    let disk = Disk::open(Arc::new(FileSource::open(Path::new(&image)).unwrap())).unwrap();
    let open = || Ext::open(&disk, offset, disk.len()).unwrap();
    let (files, bytes) = walk(&open());
    let mut group = criterion.benchmark_group("ext");
    group.throughput(Throughput::Elements(files.len() as u64));
    group.bench_function("walk", |bencher| bencher.iter(|| black_box(walk(&open()))));
    group.throughput(Throughput::Bytes(bytes));
    group.bench_function("read", |bencher| {
        bencher.iter(|| {
            let ext = open();
            for path in &files {
                black_box(ext.read(path, usize::MAX).unwrap());
            }
        });
    });
    group.finish();
}

criterion_group!(benches, measure);
criterion_main!(benches);
