//! Partition tables written by the real sfdisk, and what stands in the partitions.
#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot make its image has failed"
)]

use std::{
    fs,
    io::Write,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use lotse_disk::{Disk, FileSource, MemorySource};
use lotse_guest::{
    FileTree,
    ext::Ext,
    facts::{Partition, PartitionTable, TableKind},
    partition,
};
use proptest::prelude::*;

const SIZE: u64 = 64 << 20;

/// Runs a program with this on its standard input.
fn run(program: &str, arguments: &[&str], input: &str) {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A disk of 64 MiB that sfdisk has partitioned.
fn partitioned(folder: &Path, script: &str) -> PathBuf {
    let path = folder.join("disk.raw");
    fs::File::create(&path).unwrap().set_len(SIZE).unwrap();
    run("sfdisk", &["-q", path.to_str().unwrap()], script);
    path
}

/// Makes a filesystem with a file in it at a place on the disk.
fn make_ext(disk: &Path, offset: u64, len: u64, label: &str) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("here"), label).unwrap();
    let options = format!("offset={offset}");
    let kib = format!("{}k", len / 1024);
    let arguments = [
        "-q",
        "-F",
        "-t",
        "ext4",
        "-L",
        label,
        "-E",
        &options,
        "-d",
        folder.path().to_str().unwrap(),
        disk.to_str().unwrap(),
        &kib,
    ];
    run("mke2fs", &arguments, "");
}

fn open(path: &Path) -> Disk {
    Disk::open(Arc::new(FileSource::open(path).unwrap())).unwrap()
}

/// Number, offset and length in KiB, type, name or label, filesystem.
type Row<'a> = (u32, u64, u64, &'a str, Option<&'a str>, Option<&'a str>);

fn rows(table: &PartitionTable) -> Vec<Row<'_>> {
    let row = |p: &'_ Partition| (p.number, p.offset >> 10, p.len >> 10);
    let rows = table.partitions.iter().map(|p| {
        let (number, offset, len) = row(p);
        (
            number,
            offset,
            len,
            p.type_id.as_str(),
            p.name.as_deref().or(p.label.as_deref()),
            p.filesystem.as_deref(),
        )
    });
    rows.collect()
}

const LINUX: &str = "0fc63daf-8483-4772-8e79-3d69d8477de4";
const EFI: &str = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b";

const GPT: &str = "label: gpt\nsize=4MiB, type=uefi\nsize=1MiB, type=21686148-6449-6E6F-744E-656564454649\nstart=8MiB, size=40MiB, type=linux, name=\"root ü\"\n";

fn expect_gpt(table: &PartitionTable, from_backup: bool) {
    assert_eq!(
        (table.kind, table.sector_size, table.from_backup),
        (TableKind::Gpt, 512, from_backup)
    );
    let bios = "21686148-6449-6e6f-744e-656564454649";
    assert_eq!(
        rows(table),
        [
            (1, 1024, 4096, EFI, None, None),
            (2, 5120, 1024, bios, None, None),
            (3, 8192, 40_960, LINUX, Some("root ü"), Some("ext4")),
        ]
    );
}

#[test]
fn gpt_and_its_backup() {
    let folder = tempfile::tempdir().unwrap();
    let path = partitioned(folder.path(), GPT);
    make_ext(&path, 8 << 20, 40 << 20, "wurzel");
    let disk = open(&path);
    let table = partition::read(&disk).unwrap();
    expect_gpt(&table, false);
    let root = &table.partitions[2];
    let ext = Ext::open(&disk, root.offset, root.len).unwrap();
    assert_eq!(ext.read("/here", 100).unwrap().unwrap(), b"wurzel");

    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    // One bit in an entry, then in the header, then no header at all.
    for (offset, bytes) in [(1024 + 40, &[0x55][..]), (512 + 8, &[0x55]), (512, &[0; 512])] {
        file.write_all_at(bytes, offset).unwrap();
        expect_gpt(&partition::read(&open(&path)).unwrap(), true);
    }
    // Without the backup too, the protective MBR still tells that there was a GPT.
    file.write_all_at(&[0; 512], SIZE - 512).unwrap();
    let error = partition::read(&open(&path)).unwrap_err();
    assert_eq!(error.code(), "partition_table_corrupt");
}

/// A cloud gives an image a larger disk: the backup is then in the middle.
#[test]
fn gpt_of_a_disk_that_has_grown() {
    let folder = tempfile::tempdir().unwrap();
    let path = partitioned(folder.path(), GPT);
    make_ext(&path, 8 << 20, 40 << 20, "wurzel");
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(SIZE * 2).unwrap();
    expect_gpt(&partition::read(&open(&path)).unwrap(), false);
    // Damaged entries: the header still says where the backup is.
    file.write_all_at(&[0x55], 1024 + 40).unwrap();
    expect_gpt(&partition::read(&open(&path)).unwrap(), true);
}

/// GPT and MBR with sectors of 4096 bytes: the same tables with their numbers counted in larger sectors.
#[test]
fn sectors_of_4096_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk.raw");
    fs::File::create(&path).unwrap().set_len(SIZE).unwrap();
    // This sfdisk knows sectors of 512 bytes only.
    let script = "import struct, sys, uuid, zlib
linux = uuid.UUID('0fc63daf-8483-4772-8e79-3d69d8477de4').bytes_le
entries = (linux + uuid.uuid4().bytes_le + struct.pack('<QQQ72x', 2048, 10239, 0)).ljust(128 * 128, b'\\0')
def header(crc):
    numbers = struct.pack('<IIIIQQQQ', 0x10000, 92, crc, 0, 1, 16383, 6, 16378)
    return b'EFI PART' + numbers + uuid.UUID(int=7).bytes_le + struct.pack('<QIII', 2, 128, 128, zlib.crc32(entries))
disk = open(sys.argv[1], 'r+b')
disk.seek(4096); disk.write(header(zlib.crc32(header(0))))
disk.seek(8192); disk.write(entries)
disk.seek(446); disk.write(struct.pack('<8BII', 0, 0, 2, 0, 0xee, 255, 255, 255, 1, 16383))
disk.seek(510); disk.write(b'\\x55\\xaa')";
    run("python3", &["-c", script, path.to_str().unwrap()], "");
    make_ext(&path, 8 << 20, 32 << 20, "wurzel");
    let table = partition::read(&open(&path)).unwrap();
    assert_eq!(
        (table.kind, table.sector_size, table.from_backup),
        (TableKind::Gpt, 4096, false)
    );
    assert_eq!(rows(&table), [(1, 8192, 32_768, LINUX, Some("wurzel"), Some("ext4"))]);

    let path = partitioned(folder.path(), "label: dos\nstart=2048, size=8192, type=83\n");
    make_ext(&path, 8 << 20, 32 << 20, "wurzel");
    let table = partition::read(&open(&path)).unwrap();
    assert_eq!((table.kind, table.sector_size), (TableKind::Mbr, 4096));
    assert_eq!(rows(&table), [(1, 8192, 32_768, "83", Some("wurzel"), Some("ext4"))]);
    // A filesystem where 512 bytes put it decides for those.
    make_ext(&path, 1 << 20, 4 << 20, "klein");
    let table = partition::read(&open(&path)).unwrap();
    assert_eq!((table.sector_size, rows(&table)[0].1), (512, 1024));
}

#[test]
fn mbr_with_logical_partitions() {
    let folder = tempfile::tempdir().unwrap();
    let script = "label: dos\nsize=4MiB, type=83, bootable\nstart=8MiB, type=f\nstart=9MiB, size=8MiB, type=83\nstart=20MiB, size=8MiB, type=82\nstart=40MiB, size=8MiB, type=83\n";
    let path = partitioned(folder.path(), script);
    make_ext(&path, 9 << 20, 8 << 20, "fünf");
    make_ext(&path, 40 << 20, 8 << 20, "sieben");
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all_at(b"SWAPSPACE2", (20 << 20) + 4086).unwrap();
    file.write_all_at(b"tausch", (20 << 20) + 1024 + 28).unwrap();
    let table = partition::read(&open(&path)).unwrap();
    assert_eq!((table.kind, table.sector_size), (TableKind::Mbr, 512));
    assert_eq!(
        rows(&table),
        [
            (1, 1024, 4096, "83", None, None),
            (2, 8192, 57_344, "0f", None, None),
            (5, 9216, 8192, "83", Some("fünf"), Some("ext4")),
            (6, 20_480, 8192, "82", Some("tausch"), Some("swap")),
            (7, 40_960, 8192, "83", Some("sieben"), Some("ext4")),
        ]
    );
}

/// An extended boot record that points to itself, or to one before it.
#[test]
fn logical_partitions_in_a_loop_end() {
    let folder = tempfile::tempdir().unwrap();
    let script = "label: dos\nstart=8MiB, type=f\nstart=9MiB, size=8MiB\nstart=20MiB, size=8MiB\n";
    let path = partitioned(folder.path(), script);
    let mut bytes = fs::read(&path).unwrap();
    // The second record's link, written into the first one's second slot, points to the extended partition's begin.
    let second = (8 << 20)
        + usize::try_from(u32::from_le_bytes(
            bytes[(8 << 20) + 470..(8 << 20) + 474].try_into().unwrap(),
        ))
        .unwrap()
            * 512;
    bytes[second + 462..second + 478].copy_from_slice(&[0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0]);
    let disk = Disk::open(Arc::new(MemorySource::new(bytes))).unwrap();
    assert_eq!(partition::read(&disk).unwrap().partitions.len(), 3);
}

/// A GPT with an MBR that tells of its partitions too: the GPT counts.
#[test]
fn hybrid_tables_are_gpt() {
    let folder = tempfile::tempdir().unwrap();
    let path = partitioned(folder.path(), GPT);
    make_ext(&path, 8 << 20, 40 << 20, "wurzel");
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    let entry = [0x80, 0, 0, 0, 0x83, 0, 0, 0, 0, 0x40, 0, 0, 0, 0x40, 1, 0];
    file.write_all_at(&entry, 446 + 16).unwrap();
    expect_gpt(&partition::read(&open(&path)).unwrap(), false);
    // Without the protective entry, the GPT is left over from an earlier use: Linux goes by the MBR.
    file.write_all_at(&[0; 16], 446).unwrap();
    let table = partition::read(&open(&path)).unwrap();
    assert_eq!((table.kind, rows(&table)[0].0), (TableKind::Mbr, 2));
}

#[test]
fn no_table_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk.raw");
    fs::File::create(&path).unwrap().set_len(SIZE).unwrap();
    make_ext(&path, 0, SIZE, "wurzel");
    let whole = [(0, 0, SIZE >> 10, "", Some("wurzel"), Some("ext4"))];
    let table = partition::read(&open(&path)).unwrap();
    assert_eq!((table.kind, rows(&table)), (TableKind::None, whole.to_vec()));
    // A boot loader in the first sector (extlinux) has the signature of an MBR but no partitions.
    fs::OpenOptions::new()
        .write(true)
        .open(&path)
        .unwrap()
        .write_all_at(&[0x55, 0xaa], 510)
        .unwrap();
    let table = partition::read(&open(&path)).unwrap();
    assert_eq!((table.kind, rows(&table)), (TableKind::None, whole.to_vec()));
    // Something else altogether.
    let mut bytes = vec![0; 1 << 20];
    bytes[4086..4096].copy_from_slice(b"SWAPSPACE2");
    let disk = Disk::open(Arc::new(MemorySource::new(bytes))).unwrap();
    assert_eq!(
        partition::read(&disk).unwrap().partitions[0].filesystem.as_deref(),
        Some("swap")
    );
}

/// A cut-off raw disk still shows its table; the partition reaches past the end.
#[test]
fn partitions_past_the_end_are_shown() {
    let folder = tempfile::tempdir().unwrap();
    let path = partitioned(folder.path(), GPT);
    make_ext(&path, 8 << 20, 40 << 20, "wurzel");
    fs::OpenOptions::new()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(20 << 20)
        .unwrap();
    let disk = open(&path);
    let table = partition::read(&disk).unwrap();
    expect_gpt(&table, false);
    assert!(table.partitions[2].offset + table.partitions[2].len > disk.len());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    /// Tables are hostile: nothing panics, and it ends.
    #[test]
    fn damaged_tables_never_panic(
        kind in 0..2_usize,
        changes in proptest::collection::vec((prop_oneof![440..512_usize, 512..1700_usize, (8 << 20)..(8 << 20) + 512_usize], any::<u8>()), 1..16),
    ) {
        static DISKS: std::sync::OnceLock<Vec<Vec<u8>>> = std::sync::OnceLock::new();
        let disks = DISKS.get_or_init(|| {
            let folder = tempfile::tempdir().unwrap();
            let mbr = "label: dos\nstart=8MiB, type=f\nstart=9MiB, size=8MiB\nstart=20MiB, size=8MiB\n";
            let make = |script| {
                let mut bytes = fs::read(partitioned(folder.path(), script)).unwrap();
                bytes.truncate(22 << 20);
                bytes
            };
            vec![make(GPT), make(mbr)]
        });
        let mut bytes = disks[kind].clone();
        for (at, value) in changes {
            bytes[at] = value;
        }
        let started = Instant::now();
        if let Ok(disk) = Disk::open(Arc::new(MemorySource::new(bytes))) {
            let _ = partition::read(&disk);
        }
        prop_assert!(started.elapsed() < Duration::from_secs(5), "took {:?}", started.elapsed());
    }
}
