//! Databases made by the families' own tools, compared with what those tools say is in them.

use std::{fs, io::Read as _, path::PathBuf};

use flate2::read::GzDecoder;
use proptest::prelude::*;

use super::{super::*, facts, look};
use crate::MemoryTree;

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/packages")
        .join(name)
}

/// The files of a fixture: paths and contents (ustar: name, size in octal, blocks of 512 bytes).
fn files(name: &str) -> Vec<(String, Vec<u8>)> {
    let packed = fs::read(fixture(&format!("{name}.tar.gz"))).unwrap();
    let mut tar = Vec::new();
    GzDecoder::new(&packed[..]).read_to_end(&mut tar).unwrap();
    let (mut files, mut at) = (Vec::new(), 0);
    while tar[at] != 0 {
        let word = |from: usize, len: usize| {
            let text = &tar[at + from..at + from + len];
            String::from_utf8(text.split(|byte| *byte == 0).next().unwrap().to_vec()).unwrap()
        };
        let size = usize::from_str_radix(word(124, 12).trim(), 8).unwrap();
        files.push((format!("/{}", word(0, 100)), tar[at + 512..at + 512 + size].to_vec()));
        at += 512 + size.next_multiple_of(512);
    }
    files
}

fn tree_of(files: &[(String, Vec<u8>)]) -> MemoryTree {
    files
        .iter()
        .fold(MemoryTree::new(), |tree, (path, content)| tree.file(path, content))
}

fn tree(name: &str) -> MemoryTree {
    tree_of(&files(name))
}

/// What the family's own tool says: a line for each package, sorted.
fn expected(name: &str) -> Vec<String> {
    let text = fs::read_to_string(fixture(&format!("{name}.expected"))).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn lines(database: &Database) -> Vec<String> {
    let mut lines: Vec<String> = database.packages.iter().map(line).collect();
    lines.sort();
    lines
}

fn line(package: &Package) -> String {
    let state = match (package.rules, package.state) {
        (Rules::Dpkg, State::Installed) => " installed",
        (Rules::Dpkg, State::ConfigFiles) => " config-files",
        (Rules::Dpkg, State::HalfConfigured) => " half-configured",
        _ => "",
    };
    let architecture = package.architecture.as_deref().unwrap_or("(none)");
    format!("{} {} {architecture}{state}", package.name, package.version)
}

#[test]
fn every_database_holds_what_its_own_tool_says() {
    for (name, kind) in [
        ("dpkg", DatabaseKind::Dpkg),
        ("dpkg-stopped", DatabaseKind::Dpkg),
        ("rpm-sqlite", DatabaseKind::RpmSqlite),
        ("rpm-wal", DatabaseKind::RpmSqlite),
        ("rpm-wal-torn", DatabaseKind::RpmSqlite),
        ("rpm-ndb", DatabaseKind::RpmNdb),
        ("rpm-berkeley", DatabaseKind::RpmBerkeley),
        ("rpm-berkeley-be", DatabaseKind::RpmBerkeley),
        ("apk", DatabaseKind::Apk),
        ("pacman", DatabaseKind::Pacman),
        ("portage", DatabaseKind::Portage),
        ("freebsd", DatabaseKind::FreebsdPkg),
        ("freebsd-journal", DatabaseKind::FreebsdPkg),
    ] {
        let databases = list(&tree(name));
        let [database] = &databases[..] else {
            panic!("{name}: {databases:?}");
        };
        assert_eq!(database.kind, kind, "{name}");
        assert_eq!(database.unread, None, "{name}");
        assert_eq!(lines(database), expected(name), "{name}");
    }
}

#[test]
fn a_program_is_found_in_every_familys_database() {
    for (name, version) in [
        ("dpkg", "22.4.2-1+deb12u4"),
        ("rpm-sqlite", "24.4-3.el10"),
        ("rpm-ndb", "24.4-3.el10"),
        ("rpm-berkeley", "24.4-3.el10"),
        ("apk", "25.1.4-r0"),
        ("pacman", "25.2-1"),
        ("portage", "24.4.1"),
        ("freebsd", "24.1.4_1"),
    ] {
        let package = look(&tree(name), &["cloud-init"]).unwrap().unwrap();
        assert_eq!(package.version, version, "{name}");
        let place = package.evidence;
        assert_eq!(place.value.unwrap(), format!("{} {version}", package.name), "{name}");
    }
}

#[test]
fn what_only_the_log_says_is_read_and_what_it_takes_back_is_gone() {
    let with_log = tree("rpm-wal");
    assert!(look(&with_log, &["snapshot"]).unwrap().is_some(), "installed last");
    assert_eq!(look(&with_log, &["cloud-init"]).unwrap(), None, "erased last");
    let without_log = with_log.without("/usr/lib/sysimage/rpm/rpmdb.sqlite-wal");
    assert_eq!(
        look(&without_log, &["snapshot"]).unwrap(),
        None,
        "it stands in the log only, or this test proves nothing"
    );
    assert!(look(&without_log, &["cloud-init"]).unwrap().is_some());
}

#[test]
fn a_log_of_another_database_or_with_a_wrong_sum_counts_for_nothing() {
    let original = files("rpm-wal");
    let erased = |at: usize| {
        let mut files = original.clone();
        files[1].1[at] ^= 1;
        look(&tree_of(&files), &["cloud-init"]).unwrap().is_none()
    };
    assert!(files("rpm-wal")[1].0.ends_with("-wal"));
    assert!(!erased(3), "the magic");
    assert!(!erased(17), "a salt");
    assert!(!erased(32 + 24 + 100), "the first page's content");
    // What is behind the last transaction's end is no part of it.
    let mut longer = original.clone();
    let frame = longer[1].1[32..32 + 24 + 4096].to_vec();
    longer[1].1.extend(frame);
    assert_eq!(list(&tree_of(&longer))[0], list(&tree_of(&original))[0]);
}

/// Gives a log of pages of 4 KiB its checksums, counted in one of the two byte orders.
fn seal(log: &mut [u8], big_endian: bool) {
    let mut sums = [0_u32; 2];
    let mut add = |bytes: &[u8]| {
        for pair in bytes.chunks_exact(8) {
            let [first, second] = [0, 4].map(|at| {
                let bytes = pair[at..at + 4].try_into().unwrap();
                if big_endian {
                    u32::from_be_bytes(bytes)
                } else {
                    u32::from_le_bytes(bytes)
                }
            });
            sums[0] = sums[0].wrapping_add(first).wrapping_add(sums[1]);
            sums[1] = sums[1].wrapping_add(second).wrapping_add(sums[0]);
        }
        [sums[0].to_be_bytes(), sums[1].to_be_bytes()].concat()
    };
    log[3] = if big_endian { 0x83 } else { 0x82 };
    let sum = add(&log[..24]);
    log[24..32].copy_from_slice(&sum);
    for frame in log[32..].chunks_exact_mut(24 + 4096) {
        add(&frame[..8]);
        let sum = add(&frame[24..]);
        frame[16..24].copy_from_slice(&sum);
    }
}

/// SQLite writes its machine's byte order and reads both.
#[test]
fn a_log_written_on_a_machine_of_the_other_byte_order_is_read() {
    let original = files("rpm-wal");
    for big_endian in [true, false] {
        let mut files = original.clone();
        seal(&mut files[1].1, big_endian);
        assert_eq!(files == original, !big_endian, "rpm wrote the log on this machine");
        let databases = list(&tree_of(&files));
        assert_eq!(lines(&databases[0]), expected("rpm-wal"));
    }
}

#[test]
fn a_log_that_claims_an_endless_database_is_refused() {
    let mut files = files("rpm-wal");
    let log = &mut files[1].1;
    for frame in log[32..].chunks_exact_mut(24 + 4096) {
        if frame[4..8] != [0; 4] {
            frame[4..8].fill(0xff);
        }
    }
    seal(log, false);
    let unknown = look(&tree_of(&files), &["cloud-init"]).unwrap_err();
    assert_eq!(unknown.code, "file_too_large");
}

#[test]
fn pages_that_lead_in_a_circle_end() {
    // In pages of 4 KiB: type 7 is a page of a value too long for one page; what follows it stands at 16.
    let mut files = files("rpm-berkeley");
    let database = &mut files[0].1;
    let mut turned = 0;
    for page in database.chunks_exact_mut(4096) {
        if page[25] == 7 {
            let own: [u8; 4] = page[8..12].try_into().unwrap();
            page[16..20].copy_from_slice(&own);
            turned += 1;
        }
        // Buckets as well: type 13.
        if page[25] == 13 {
            let own: [u8; 4] = page[8..12].try_into().unwrap();
            page[16..20].copy_from_slice(&own);
        }
    }
    assert!(turned > 3, "or this test proves nothing");
    assert!(matches!(facts(&tree_of(&files))[0].installed, Fact::Unknown(_)));
}

#[test]
fn a_change_that_never_ended_is_taken_back() {
    let without = tree("freebsd-journal").without("/var/db/pkg/local.sqlite-journal");
    let changed = list(&without);
    assert_ne!(
        lines(&changed[0]),
        expected("freebsd-journal"),
        "the file alone says something else, or this test proves nothing"
    );
    let ended = tree("freebsd").file("/var/db/pkg/local.sqlite-journal", [0; 512]);
    assert_eq!(lines(&list(&ended)[0]), expected("freebsd"), "an overwritten journal");
}

#[test]
fn old_and_new_place_of_rpm_are_one_database() {
    let tree = tree("rpm-ndb").symlink("/var/lib/rpm", "../../usr/lib/sysimage/rpm");
    assert_eq!(facts(&tree).len(), 1);
    assert_eq!(facts(&tree)[0].installed, Fact::Known(5));
    let empty = MemoryTree::new().file("/var/lib/rpm/rpmdb.sqlite", "");
    assert_eq!(facts(&empty), [], "made, and nothing was ever written");
}

#[test]
fn a_broken_package_hides_no_other() {
    let mut files = files("rpm-ndb");
    let database = &mut files[0].1;
    let at = find_bytes(database, b"openssh-server\0");
    database[at] = b'x';
    let tree = tree_of(&files);
    assert!(look(&tree, &["cloud-init"]).unwrap().is_some());
    let unknown = look(&tree, &["openssh-server"]).unwrap_err();
    assert_eq!(unknown.code, "package_database_corrupt", "its checksum is wrong");
    assert!(matches!(facts(&tree)[0].installed, Fact::Unknown(_)));
}

fn find_bytes(bytes: &[u8], wanted: &[u8]) -> usize {
    bytes.windows(wanted.len()).position(|window| window == wanted).unwrap()
}

#[test]
fn a_database_with_code_of_its_own_is_not_run() {
    let mut path = std::env::temp_dir();
    path.push(format!("lotse-hostile-{}", std::process::id()));
    for schema in [
        "CREATE VIEW Packages AS SELECT 1 AS hnum, randomblob(100) AS blob",
        "CREATE VIRTUAL TABLE Packages USING fts5(hnum, blob)",
        "CREATE TABLE Other(x)",
    ] {
        let made = rusqlite::Connection::open(&path).unwrap();
        made.execute_batch(schema).unwrap();
        drop(made);
        let database = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let tree = MemoryTree::new().file("/var/lib/rpm/rpmdb.sqlite", database);
        let unknown = look(&tree, &["cloud-init"]).unwrap_err();
        assert_eq!(unknown.code, "package_database_corrupt", "{schema}");
    }
}

#[test]
fn more_slots_than_one_page_holds_are_read() {
    // Three headers of the smallest kind would do; what counts are the pages of slots.
    let count: u32 = 600;
    let pages = (count + 2).div_ceil(256);
    let (mut slots, mut blobs) = (Vec::new(), Vec::new());
    for package in 1..=count {
        let header = header(&format!("p{package}"));
        let blocks = (16 + header.len() + 12).div_ceil(16);
        let first = pages * 256 + u32::try_from(blobs.len() / 16).unwrap();
        for number in [first, u32::try_from(blocks).unwrap()] {
            slots.push((package, number));
        }
        let mut blob = [&b"BlbS"[..], &package.to_le_bytes(), &[0; 4]].concat();
        blob.extend(u32::try_from(header.len()).unwrap().to_le_bytes());
        blob.extend(&header);
        blob.resize(blocks * 16 - 12, 0);
        let mut sum = simd_adler32::Adler32::new();
        sum.write(&blob);
        blob.extend(sum.finish().to_le_bytes());
        blob.extend(u32::try_from(header.len()).unwrap().to_le_bytes());
        blob.extend(b"BlbE");
        blobs.extend(blob);
    }
    let mut database = [&b"RpmP"[..], &[0; 8], &pages.to_le_bytes(), &[0; 16]].concat();
    for pair in slots.chunks(2) {
        database.extend(b"Slot");
        database.extend(pair[0].0.to_le_bytes());
        database.extend(pair[0].1.to_le_bytes());
        database.extend(pair[1].1.to_le_bytes());
    }
    while database.len() < pages as usize * 4096 {
        database.extend([&b"Slot"[..], &[0; 12]].concat());
    }
    database.extend(blobs);
    let tree = MemoryTree::new().file("/var/lib/rpm/Packages.db", database);
    assert_eq!(facts(&tree)[0].installed, Fact::Known(600));
    assert!(look(&tree, &["p600"]).unwrap().is_some());
}

/// A header with nothing but name, version and release.
fn header(name: &str) -> Vec<u8> {
    let values = [name, "1", "2"];
    let (mut index, mut data) = (Vec::new(), Vec::new());
    for (tag, value) in (1000_u32..).zip(values) {
        for number in [tag, 6, u32::try_from(data.len()).unwrap(), 1] {
            index.extend(number.to_be_bytes());
        }
        data.extend(value.as_bytes());
        data.push(0);
    }
    let mut header = 3_u32.to_be_bytes().to_vec();
    header.extend(u32::try_from(data.len()).unwrap().to_be_bytes());
    header.extend(index);
    header.extend(data);
    header
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    /// Whatever is damaged, reading ends, and a package is never told under a name or version that is none.
    #[test]
    fn damage_ends_in_an_answer(which in 0..6_usize, changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8), cut in any::<prop::sample::Index>(), is_cut in any::<bool>()) {
        let names = ["rpm-sqlite", "rpm-wal", "rpm-ndb", "rpm-berkeley", "rpm-berkeley-be", "freebsd-journal"];
        let mut files = files(names[which]);
        let last = files.len() - 1;
        for (at, value) in changes {
            let content = &mut files[last].1;
            let at = at.index(content.len());
            content[at] = value;
        }
        if is_cut {
            let content = &mut files[last].1;
            content.truncate(cut.index(content.len()));
        }
        for database in list(&tree_of(&files)) {
            for package in &database.packages {
                prop_assert!(word(&package.name).is_some() && !package.version.is_empty());
            }
        }
    }
}
