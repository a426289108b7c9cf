//! A file that was not closed has a log; its replay, in memory only, gives what QEMU's repair writes to the file.

use std::{fs, path::Path, process::Command, time::Duration, time::Instant};

use lotse_disk::{Disk, Kind};

use crate::{
    common::{assert_same, open, read_all, text},
    images::{
        LogEntry, MIB, SECTOR, Write, bat, change_headers, create, open_bytes, open_log, place, put, put_log, repaired,
        seal, u64_at, write,
    },
};

const GUID: [u8; 16] = *b"a log's own name";

/// A disk of 16 blocks of 1 MiB, of which 0, 3 and 4 are allocated.
fn image(folder: &Path) -> Vec<u8> {
    let path = folder.join("disk.vhdx");
    create(&path, "block_size=1M", "16M");
    write(&path, &["write -P 1 0 1M", "write -P 2 3M 2M"]);
    fs::read(&path).unwrap()
}

/// The BAT's first sector with these entries changed: (block, entry).
fn bat_sector(bytes: &[u8], changes: &[(usize, u64)]) -> Write {
    let at = bat(bytes);
    let mut sector: Box<[u8; SECTOR]> = Box::new(bytes[at..at + SECTOR].try_into().unwrap());
    for (block, entry) in changes {
        put(&mut *sector, 8 * block, &entry.to_le_bytes());
    }
    Write::Data(at, sector)
}

fn entry(sequence: u64, tail: usize, len: usize, writes: Vec<Write>) -> LogEntry {
    LogEntry {
        sequence,
        tail,
        flushed: len,
        last: len,
        writes,
    }
}

fn block(bytes: &[u8], index: usize) -> u64 {
    u64_at(bytes, bat(bytes) + 8 * index)
}

/// Ours is what QEMU's repair makes of the file.
fn assert_like_qemu(folder: &Path, bytes: &[u8], what: &str) -> Disk {
    let disk = open_bytes(bytes.to_vec()).unwrap();
    assert_same(&read_all(&disk), &repaired(folder, bytes), what);
    assert_eq!(disk.missing_bytes().unwrap(), 0, "{what}");
    let notes = disk.notes();
    assert_eq!(notes.len(), 1, "{what}: the owner is told");
    assert_eq!(notes[0].code(), "vhdx_log_replayed");
    disk
}

/// QEMU itself leaves the log when the disk below fails while the BAT is written.
#[test]
fn a_log_that_qemu_left_behind() {
    let folder = tempfile::tempdir().unwrap();
    let clean = image(folder.path());
    let path = folder.path().join("disk.vhdx");
    let failing = format!(
        "driver=vhdx,file.driver=blkdebug,file.image.driver=file,file.image.filename={},\
         file.inject-error.0.event=none,file.inject-error.0.iotype=write,file.inject-error.0.sector={}",
        text(&path),
        bat(&clean) / 512
    );
    let status = Command::new("qemu-io")
        .args(["--image-opts", &failing, "-c", "write -P 7 9M 1M"])
        .output()
        .unwrap()
        .status;
    assert!(!status.success(), "the write fails");
    let bytes = fs::read(&path).unwrap();
    assert_eq!(block(&bytes, 9), block(&clean, 9), "the BAT was not written");
    let disk = open(&path).unwrap();
    let mut ours = vec![0; MIB];
    disk.read_at(&mut ours, 9 << 20).unwrap();
    assert!(ours.contains(&7), "the log has the block's place");
    assert_like_qemu(folder.path(), &bytes, "QEMU's own log");
    assert_same(&fs::read(&path).unwrap(), &bytes, "the file is not touched");
}

/// One entry that allocates a block; several that build on each other; a sequence that wraps around the ring's end.
#[test]
fn sequences_of_entries() {
    let folder = tempfile::tempdir().unwrap();
    let clean = image(folder.path());
    let len = clean.len();
    let moved = block(&clean, 0);
    // From the ring's beginning, in its middle, and around its end: the log has 256 sectors.
    for start in [0, 100, 251] {
        let mut bytes = clean.clone();
        open_log(&mut bytes, GUID);
        // Blocks 0 and 7 change places; then 7 is gone again and 8 has it; then zeros over the table's rest.
        let first = entry(41, start, len, vec![bat_sector(&clean, &[(0, 2), (7, moved)])]).encode(GUID);
        let next = put_log(&mut bytes, start, &first);
        let second = entry(42, start, len, vec![bat_sector(&clean, &[(0, 2), (8, moved)])]).encode(GUID);
        let next = put_log(&mut bytes, next, &second);
        let rest = Write::Zero(bat(&clean) + SECTOR, SECTOR);
        let third = entry(43, start, len, vec![rest, bat_sector(&clean, &[(0, 2), (9, moved)])]).encode(GUID);
        put_log(&mut bytes, next, &third);
        let disk = assert_like_qemu(folder.path(), &bytes, &format!("from sector {start}"));
        let mut byte = [0xff; 1];
        for (block, expected) in [(0, 0), (7, 0), (8, 0), (9, 1), (3, 2)] {
            disk.read_at(&mut byte, block << 20).unwrap();
            assert_eq!(byte, [expected], "block {block}, log from sector {start}");
        }
    }
}

/// Only the newest complete sequence counts; older ones, and a newest entry that was torn, do not.
#[test]
fn the_newest_complete_sequence_counts() {
    let folder = tempfile::tempdir().unwrap();
    let clean = image(folder.path());
    let len = clean.len();
    let moved = block(&clean, 0);
    let mut bytes = clean.clone();
    open_log(&mut bytes, GUID);
    let to = |target: usize| vec![bat_sector(&clean, &[(0, 2), (target, moved)])];
    // The newest stands in the middle.
    put_log(&mut bytes, 0, &entry(5, 0, len, to(10)).encode(GUID));
    let next = put_log(&mut bytes, 40, &entry(8, 40, len, to(11)).encode(GUID));
    put_log(&mut bytes, 80, &entry(6, 80, len, to(12)).encode(GUID));
    // Newer, but another file's; newer, but torn.
    put_log(&mut bytes, 120, &entry(90, 120, len, to(13)).encode([7; 16]));
    let mut torn = entry(9, 40, len, to(15)).encode(GUID);
    torn[SECTOR + 100] ^= 1;
    put_log(&mut bytes, next, &torn);
    let is_at_11 = |disk: &Disk| {
        let mut byte = [0];
        disk.read_at(&mut byte, 11 << 20).unwrap();
        assert_eq!(byte, [1]);
    };
    is_at_11(&assert_like_qemu(folder.path(), &bytes, "newest complete"));
    // Newer, but its tail is gone: not complete by the specification (2.3.3). QEMU does not look at the tail.
    put_log(&mut bytes, 160, &entry(91, 3, len, to(14)).encode(GUID));
    is_at_11(&open_bytes(bytes).unwrap());
}

/// Entries before the tail were written to their places long ago: replayed, they would undo what came later.
#[test]
fn the_replay_begins_at_the_tail() {
    let folder = tempfile::tempdir().unwrap();
    let clean = image(folder.path());
    let len = clean.len();
    let moved = block(&clean, 0);
    let mut bytes = clean.clone();
    open_log(&mut bytes, GUID);
    let metadata_like = Write::Data(place(moved & !0xfffff), Box::new([9; SECTOR]));
    let next = put_log(&mut bytes, 0, &entry(1, 0, len, vec![metadata_like]).encode(GUID));
    let changes = vec![bat_sector(&clean, &[(0, 2), (6, moved)])];
    put_log(&mut bytes, next, &entry(2, next, len, changes).encode(GUID));
    let disk = open_bytes(bytes).unwrap();
    let mut byte = [0];
    disk.read_at(&mut byte, 6 << 20).unwrap();
    assert_eq!(byte, [1], "the first entry's data is not replayed");
}

/// More descriptors than one sector holds, with a sequence number of more than 32 bits. QEMU 10 does not replay more than
/// 126 descriptors.
#[test]
fn a_long_entry() {
    let folder = tempfile::tempdir().unwrap();
    let clean = image(folder.path());
    let mut bytes = clean.clone();
    open_log(&mut bytes, GUID);
    let at = bat(&clean);
    let mut writes: Vec<Write> = (0..130)
        .map(|index| Write::Zero(at + (1 + index % 8) * SECTOR, SECTOR))
        .collect();
    writes.push(bat_sector(&clean, &[(0, 2), (5, block(&clean, 0))]));
    let sequence = u64::from(u32::MAX) + 7;
    put_log(&mut bytes, 9, &entry(sequence, 9, clean.len(), writes).encode(GUID));
    let disk = open_bytes(bytes).unwrap();
    let mut expected = read_all(&open_bytes(clean).unwrap());
    expected.copy_within(..MIB, 5 * MIB);
    expected[..MIB].fill(0);
    assert_same(&read_all(&disk), &expected, "a long entry");
}

/// A block beyond the file's end, in a file that the log says was about to grow ([MS-VHDX] 2.3.3). QEMU grows it only if
/// the new length is no multiple of 1 MiB, and then finds its block outside.
#[test]
fn a_file_that_grows() {
    let folder = tempfile::tempdir().unwrap();
    let clean = image(folder.path());
    let len = clean.len();
    let mut bytes = clean.clone();
    open_log(&mut bytes, GUID);
    let mut grown = entry(1, 9, len, vec![bat_sector(&clean, &[(5, len as u64 | 6)])]);
    grown.last = len + MIB;
    put_log(&mut bytes, 9, &grown.encode(GUID));
    let disk = open_bytes(bytes).unwrap();
    assert_eq!(disk.missing_bytes().unwrap(), 0);
    let mut block = vec![1; MIB];
    disk.read_at(&mut block, 5 << 20).unwrap();
    assert!(block.iter().all(|byte| *byte == 0), "what the file grew by is zero");
}

#[test]
fn a_log_that_cannot_be_replayed_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let clean = image(folder.path());
    let len = clean.len();
    let write = || vec![bat_sector(&clean, &[(0, 2)])];
    let with_log = |entry: &[u8]| {
        let mut bytes = clean.clone();
        open_log(&mut bytes, GUID);
        put_log(&mut bytes, 0, entry);
        bytes
    };
    let good = entry(1, 0, len, write()).encode(GUID);
    assert!(open_bytes(with_log(&good)).is_ok());
    assert_eq!(
        open_bytes(with_log(&[])).unwrap_err().code(),
        "vhdx_corrupt",
        "no entry at all"
    );

    // Each field of an entry that is wrong, with the checksum right: place in the entry, byte.
    for (what, at, byte) in [
        ("signature", 0, b'L'),
        ("length beyond the log", 11, 0x7f),
        ("length of no sectors", 8, 1),
        ("tail within a sector", 12, 1),
        ("sequence of the header", 16, 9),
        ("more descriptors than fit", 26, 1),
        ("another log's", 32, 0),
        ("descriptor's signature", 64, b'x'),
        ("descriptor's offset", 64 + 16, 1),
        ("descriptor's offset far out", 64 + 23, 0x7f),
        ("descriptor's sequence", 64 + 24, 9),
        ("data sector's signature", SECTOR, b'x'),
        ("data sector's sequence, high", SECTOR + 4, 9),
        ("data sector's sequence, low", 2 * SECTOR - 4, 9),
    ] {
        let mut broken = good.clone();
        broken[at] = byte;
        seal(&mut broken);
        let error = open_bytes(with_log(&broken)).unwrap_err();
        assert_eq!((error.code(), error.kind()), ("vhdx_corrupt", Kind::Corrupt), "{what}");
    }
    let mut unsealed = good.clone();
    unsealed[300] ^= 1;
    assert_eq!(open_bytes(with_log(&unsealed)).unwrap_err().code(), "vhdx_corrupt");

    // Written when the file was longer than it is.
    let longer = entry(1, 0, len + 3 * MIB, write()).encode(GUID);
    let error = open_bytes(with_log(&longer)).unwrap_err();
    assert_eq!(error.code(), "container_truncated");
    assert_eq!(error.params()[0], ("missing", (3 * MIB).to_string()));
    let absurd = entry(1, 0, usize::MAX & !0xfff, write()).encode(GUID);
    assert_eq!(open_bytes(with_log(&absurd)).unwrap_err().code(), "vhdx_corrupt");

    let mut version = with_log(&good);
    change_headers(&mut version, 64, &[1]);
    assert_eq!(open_bytes(version.clone()).unwrap_err().code(), "vhdx_features");
    change_headers(&mut version, 48, &[0; 16]);
    assert!(
        open_bytes(version).is_ok(),
        "the version of a log without a name does not matter"
    );
    let mut large = with_log(&good);
    change_headers(&mut large, 68, &(128_u32 << 20).to_le_bytes());
    assert_eq!(open_bytes(large).unwrap_err().code(), "vhdx_features");
}

/// Every sector begins an entry that claims the whole log: checking each would take hours.
#[test]
fn a_log_made_to_be_slow_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk.vhdx");
    create(&path, "block_size=1M,log_size=32M", "16M");
    let mut bytes = fs::read(&path).unwrap();
    open_log(&mut bytes, GUID);
    let mut entry = entry(1, 0, bytes.len(), vec![]).encode(GUID);
    put(&mut entry, 8, &(32_u32 << 20).to_le_bytes());
    for sector in 0..(32 * MIB / SECTOR) {
        put_log(&mut bytes, sector, &entry);
    }
    let started = Instant::now();
    assert_eq!(open_bytes(bytes).unwrap_err().code(), "vhdx_corrupt");
    let elapsed = started.elapsed();
    assert!(elapsed < Duration::from_secs(2), "took {elapsed:?}");
}

/// The newest sequence stands behind so much that is slow to check that it is not reached: an older one must not be
/// taken for it.
#[test]
fn what_was_not_looked_at_may_be_newer() {
    let folder = tempfile::tempdir().unwrap();
    let clean = image(folder.path());
    let len = clean.len();
    let mut bytes = clean.clone();
    open_log(&mut bytes, GUID);
    put_log(
        &mut bytes,
        0,
        &entry(1, 0, len, vec![bat_sector(&clean, &[(0, 2)])]).encode(GUID),
    );
    let mut slow = entry(1, 0, len, vec![]).encode(GUID);
    put(&mut slow, 8, &(1_u32 << 20).to_le_bytes());
    for sector in 10..20 {
        put_log(&mut bytes, sector, &slow);
    }
    put_log(&mut bytes, 30, &entry(2, 30, len, vec![]).encode(GUID));
    assert_eq!(open_bytes(bytes).unwrap_err().code(), "vhdx_corrupt");
}
