//! Package databases of a guest, each as the files that hold it.

use lotse_guest::{MemoryTree, packages};

/// Lists the packages of a tree, as a report does and further.
fn use_tree(tree: &MemoryTree) {
    for database in packages::list(tree) {
        for package in &database.packages {
            let plain = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
            assert!(plain(&package.name) && plain(&package.version), "{package:?}");
        }
    }
}

/// One file.
pub fn use_file(path: &str, bytes: &[u8]) {
    use_tree(&MemoryTree::new().file(path, bytes));
}

/// A database ndb whose blobs get the checksums that they should have, or else no mutation would come past them.
pub fn use_ndb(bytes: &[u8]) {
    let mut bytes = bytes.to_vec();
    let number = |bytes: &[u8], at: usize| {
        let bytes = bytes.get(at..at.checked_add(4)?)?;
        Some(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize)
    };
    let pages = number(&bytes, 12).unwrap_or(0).min(20);
    for slot in 2..pages * 256 {
        let (Some(first), Some(blocks)) = (number(&bytes, slot * 16 + 8), number(&bytes, slot * 16 + 12)) else {
            break;
        };
        let (from, to) = (first * 16, (first + blocks) * 16);
        if let Some(blob) = bytes.get_mut(from..to).filter(|blob| blob.len() > 28) {
            let (content, tail) = blob.split_at_mut(blob.len() - 12);
            tail[..4].copy_from_slice(&adler32(content).to_le_bytes());
        }
    }
    use_file("/usr/lib/sysimage/rpm/Packages.db", &bytes);
}

/// A header, as the only package of a database ndb.
pub fn use_header(header: &[u8]) {
    let blocks = (16 + header.len() + 12).div_ceil(16);
    let number = |number: usize| (number as u32).to_le_bytes();
    let mut database = [&b"RpmP"[..], &[0; 8], &number(1), &[0; 16]].concat();
    database.extend([&b"Slot"[..], &number(1), &number(256), &number(blocks)].concat());
    while database.len() < 4096 {
        database.extend([&b"Slot"[..], &[0; 12]].concat());
    }
    let mut blob = [&b"BlbS"[..], &number(1), &[0; 4], &number(header.len()), header].concat();
    blob.resize(blocks * 16 - 12, 0);
    let sum = adler32(&blob).to_le_bytes();
    blob.extend([&sum[..], &number(header.len()), b"BlbE"].concat());
    database.extend(blob);
    use_file("/usr/lib/sysimage/rpm/Packages.db", &database);
}

/// RFC 1950, 8.2.
fn adler32(bytes: &[u8]) -> u32 {
    let (mut low, mut high) = (1_u32, 0_u32);
    for byte in bytes {
        low = (low + u32::from(*byte)) % 65521;
        high = (high + low) % 65521;
    }
    high << 16 | low
}

/// One byte that says whether rpm's or FreeBSD's, four (little-endian) with the length of the database, the database, and
/// its log (rpm) or journal (FreeBSD), whose checksums become right if the first byte's second bit says so.
pub fn use_sqlite(bytes: &[u8]) {
    let Some((head, rest)) = bytes.split_first_chunk::<5>() else { return };
    let len = u32::from_le_bytes([head[1], head[2], head[3], head[4]]) as usize;
    let (database, other) = rest.split_at(len.min(rest.len()));
    let tree = MemoryTree::new();
    use_tree(&if head[0] & 1 == 0 {
        let mut log = other.to_vec();
        if head[0] & 2 != 0 {
            mend(&mut log);
        }
        let path = "/var/lib/rpm/rpmdb.sqlite";
        tree.file(path, database).file(&format!("{path}-wal"), log)
    } else {
        let path = "/var/db/pkg/local.sqlite";
        tree.file(path, database).file(&format!("{path}-journal"), other)
    });
}

/// Gives a log the salts and checksums that it should have.
fn mend(log: &mut [u8]) {
    let Some((header, frames)) = log.split_first_chunk_mut::<32>() else { return };
    let mut sums = [0_u32; 2];
    let mut add = |bytes: &[u8]| {
        for pair in bytes.chunks_exact(8) {
            let word = |at: usize| u32::from_le_bytes([pair[at], pair[at + 1], pair[at + 2], pair[at + 3]]);
            sums[0] = sums[0].wrapping_add(word(0)).wrapping_add(sums[1]);
            sums[1] = sums[1].wrapping_add(word(4)).wrapping_add(sums[0]);
        }
        [sums[0].to_be_bytes(), sums[1].to_be_bytes()].concat()
    };
    header[3] = 0x82;
    let sum = add(&header[..24]);
    header[24..].copy_from_slice(&sum);
    let page_size = u32::from_be_bytes([header[8], header[9], header[10], header[11]]) as usize;
    if !(512..=65_536).contains(&page_size) {
        return;
    }
    for frame in frames.chunks_exact_mut(24 + page_size) {
        frame[8..16].copy_from_slice(&header[16..24]);
        add(&frame[..8]);
        let sum = add(&frame[24..]);
        frame[16..24].copy_from_slice(&sum);
    }
}

/// One byte that says which, then the text of it; for the databases of folders each line is a folder's name.
pub fn use_text(bytes: &[u8]) {
    let Some((which, text)) = bytes.split_first() else { return };
    let tree = MemoryTree::new();
    let names = || {
        let lines = text.split(|byte| *byte == b'\n').take(50);
        lines.map(|line| String::from_utf8_lossy(line).replace(['/', '\0'], "_"))
    };
    use_tree(&match which % 7 {
        0 => tree.file("/var/lib/dpkg/status", text),
        1 => tree.file("/var/lib/dpkg/status.d/one", text),
        2 => tree.file("/usr/lib/opkg/status", text),
        3 => tree.file("/lib/apk/db/installed", text),
        4 => names().fold(tree, |tree, name| tree.file(&format!("/var/lib/pacman/local/{name}/desc"), text)),
        5 => names().fold(tree, |tree, name| tree.file(&format!("/var/db/pkg/a/{name}/CHOST"), text)),
        _ => names().fold(tree, |tree, name| tree.file(&format!("/var/lib/pkgtools/packages/{name}"), "")),
    });
}
