//! What is no filesystem but holds one: LUKS, BitLocker, LVM, RAID members, bcache.

use lotse_disk::bytes::{has, le64};

use super::{Filesystem, text, uuid};
use crate::{Result, layers::mdraid, volume::Volume};

/// `BCACHE_MAGIC` in Linux `drivers/md/bcache/bcache_ondisk.h`.
const BCACHE: [u8; 16] = [
    0xc6, 0x85, 0x73, 0xf6, 0x4e, 0x1a, 0x45, 0xca, 0x82, 0x65, 0xf5, 0x7f, 0x48, 0xba, 0x6d, 0x81,
];

pub(super) fn find(volume: &Volume, head: &[u8]) -> Result<Option<Filesystem>> {
    if let Some(found) = luks(head).or_else(|| lvm(head)) {
        return Ok(Some(found));
    }
    if let Some(array) = mdraid::superblock(volume)? {
        return Ok(Some(Filesystem::new("mdraid", array.name, array.uuid)));
    }
    // MS-FVEH, "BitLocker": the signature takes the place of NTFS's.
    if has(head, 3, b"-FVE-FS-") {
        return Ok(Some(Filesystem::new("bitlocker", None, None)));
    }
    // `struct cache_sb` at 4 KiB: own place at 8, magic at 24, UUID at 40, label at 72.
    if has(head, 4096 + 24, &BCACHE) && le64(head, 4096 + 8) == 8 {
        return Ok(Some(Filesystem::new(
            "bcache",
            text(head, 4096 + 72, 32),
            uuid(head, 4096 + 40),
        )));
    }
    Ok(None)
}

/// LUKS1 On-Disk Format 1.2.3, LUKS2 On-Disk Format 1.1: UUID at 168; LUKS2's label at 24.
fn luks(head: &[u8]) -> Option<Filesystem> {
    if !has(head, 0, b"LUKS\xba\xbe") {
        return None;
    }
    let label = if has(head, 6, &[0, 2]) {
        text(head, 24, 48)
    } else {
        None
    };
    Some(Filesystem::new("luks", label, text(head, 168, 40)))
}

/// LVM2 lib/format_text/layout.h: a label in one of the first four sectors; its identifier is written in groups.
fn lvm(head: &[u8]) -> Option<Filesystem> {
    let at = (0..4)
        .map(|sector| sector * 512)
        .find(|at| has(head, *at, b"LABELONE") && has(head, at + 24, b"LVM2 001"))?;
    let id = text(head, at + 32, 32);
    let grouped = id.filter(|id| id.len() == 32 && id.is_ascii()).map(|id| {
        let mut rest = id.as_str();
        let groups = [6, 4, 4, 4, 4, 4, 6].iter().filter_map(|len| {
            let (group, after) = rest.split_at_checked(*len)?;
            rest = after;
            Some(group)
        });
        groups.collect::<Vec<&str>>().join("-")
    });
    Some(Filesystem::new("lvm", None, grouped))
}
