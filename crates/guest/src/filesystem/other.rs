//! Filesystems of other systems and of optical discs.

use lotse_disk::bytes::{be32, be64, has, le32, le64};

use super::{Filesystem, text};
use crate::{Result, volume::Volume};

pub(super) fn find(head: &[u8]) -> Option<Filesystem> {
    if let Some(found) = ufs(head) {
        return Some(found);
    }
    // ECMA-119, 8.4: volume identifier.
    if has(head, 0x8001, b"CD001") {
        return Some(Filesystem::new("iso", text(head, 0x8028, 32), iso_date(head)));
    }
    // ECMA-167, 9.1 and 10.2: a volume recognition sequence with UDF's own descriptor.
    let descriptors = (0x8000..0xc000).step_by(2048);
    if has(head, 0x8001, b"BEA01") && descriptors.into_iter().any(|at| has(head, at + 1, b"NSR0")) {
        return Some(Filesystem::new("udf", None, None));
    }
    // Apple TN1150, "Volume Header"; Apple File System Reference, "Container Superblock".
    if has(head, 1024, b"H+\0\x04") || has(head, 1024, b"HX\0\x05") {
        return Some(Filesystem::new("hfsplus", None, None));
    }
    has(head, 32, b"NXSB").then(|| Filesystem::new("apfs", None, None))
}

/// FreeBSD sys/ufs/ffs/fs.h: `SBLOCKSEARCH` without its last; magic of UFS2 or UFS1 at 1372, identifier at 144, volume
/// name at 680.
fn ufs(head: &[u8]) -> Option<Filesystem> {
    const MAGICS: [u32; 2] = [0x1954_0119, 0x0001_1954];
    for at in [65_536, 8192, 0] {
        let number = if MAGICS.contains(&le32(head, at + 1372)) {
            le32
        } else if MAGICS.contains(&be32(head, at + 1372)) {
            be32
        } else {
            continue;
        };
        let (first, second) = (number(head, at + 144), number(head, at + 148));
        let id = (first != 0 || second != 0).then(|| format!("{first:08x}{second:08x}"));
        return Some(Filesystem::new("ufs", text(head, at + 680, 32), id));
    }
    None
}

/// ECMA-119, 8.4.26 and 8.4.27: the date of the last change, else of creation, as 16 digits.
fn iso_date(head: &[u8]) -> Option<String> {
    [830, 813].into_iter().find_map(|at| {
        let digits = text(head, 0x8000 + at, 16)?;
        let known = digits.len() == 16
            && digits.bytes().all(|digit| digit.is_ascii_digit())
            && digits.bytes().any(|digit| digit != b'0');
        let parts =
            [0..4, 4..6, 6..8, 8..10, 10..12, 12..14, 14..16].map(|range| digits.get(range).unwrap_or_default());
        known.then(|| parts.join("-"))
    })
}

/// ZFS On-Disk Specification, 1.3: in a vdev label a list of names and values from 16 KiB on, and 128 KiB of uberblocks
/// after the first 128 KiB.
pub(super) fn zfs(volume: &Volume) -> Result<Option<Filesystem>> {
    const RING: usize = 128 * 1024;
    const MAGIC: u64 = 0x00ba_b10c;
    let ring = volume.read_up_to(RING as u64, RING)?;
    let found = (0..RING)
        .step_by(1024)
        .any(|at| [le64(&ring, at), le64(&ring, at).swap_bytes()].contains(&MAGIC));
    if !found {
        return Ok(None);
    }
    let list = volume.read_up_to(16 * 1024, 112 * 1024)?;
    let name = value(&list, b"name").and_then(|at| {
        let len = usize::try_from(be32(&list, at)).ok()?;
        text(&list, at.checked_add(4)?, len.min(256))
    });
    let guid = value(&list, b"pool_guid").map(|at| be64(&list, at).to_string());
    Ok(Some(Filesystem::new("zfs", name, guid)))
}

/// Where a pair's value stands in a packed list (`nvpair`, XDR): after two sizes, the name with its length, filled up to
/// four bytes, the type and the number of elements.
fn value(list: &[u8], wanted: &[u8]) -> Option<usize> {
    // Four bytes of encoding, version and flags of the list.
    let mut at = 12_usize;
    // The shortest pair has 28 bytes.
    for _ in 0..list.len() / 28 {
        let (size, len) = (
            usize::try_from(be32(list, at)).ok()?,
            usize::try_from(be32(list, at + 8)).ok()?,
        );
        if size < 28 || len > size {
            return None;
        }
        if len == wanted.len() && has(list, at + 12, wanted) {
            return at.checked_add(12 + len.next_multiple_of(4) + 8);
        }
        at = at.checked_add(size).filter(|at| *at < list.len())?;
    }
    None
}
