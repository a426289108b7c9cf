//! Microsoft's filesystems: FAT, exFAT, NTFS, ReFS; their labels stand in the root directory or in a file.

use lotse_disk::bytes::{has, le16, le32, le64};

use super::{Filesystem, text, utf16};
use crate::{Result, volume::Volume};

/// Bytes of a root directory that are searched for a label, at most.
const MAX_DIRECTORY: u64 = 64 * 1024;

pub(super) fn find(volume: &Volume, head: &[u8]) -> Result<Option<Filesystem>> {
    if has(head, 3, b"NTFS    ") {
        let uuid = Some(format!("{:016X}", le64(head, 72)));
        return Ok(Some(Filesystem::new("ntfs", ntfs_label(volume, head)?, uuid)));
    }
    if has(head, 3, b"\0\0\0\0\0ReFS") || has(head, 3, b"ReFS\0") {
        return Ok(Some(Filesystem::new("refs", None, None)));
    }
    // exFAT file system specification, 3.1.
    if has(head, 3, b"EXFAT   ") {
        return Ok(Some(Filesystem::new(
            "exfat",
            exfat_label(volume, head)?,
            serial(head, 100),
        )));
    }
    fat(volume, head)
}

/// A serial number of 32 bits; none if it is zero.
fn serial(head: &[u8], at: usize) -> Option<String> {
    let serial = le32(head, at);
    (serial != 0).then(|| format!("{:04X}-{:04X}", serial >> 16, serial & 0xffff))
}

/// Microsoft FAT specification, section 3: what must hold for any boot sector of it.
fn fat(volume: &Volume, head: &[u8]) -> Result<Option<Filesystem>> {
    let byte = |at: usize| head.get(at).copied().unwrap_or(0);
    let (sector, cluster) = (u64::from(le16(head, 11)), byte(13));
    let jump = matches!(byte(0), 0xeb | 0xe9);
    let media = byte(21) == 0xf0 || byte(21) >= 0xf8;
    let (reserved, tables) = (u64::from(le16(head, 14)), byte(16));
    let sizes = [512, 1024, 2048, 4096].contains(&sector) && cluster.is_power_of_two();
    if !(has(head, 510, &[0x55, 0xaa]) && jump && media && sizes && reserved > 0 && (1..=4).contains(&tables)) {
        return Ok(None);
    }
    let short_table = u64::from(le16(head, 22));
    let (table, serial_at) = if short_table == 0 {
        (u64::from(le32(head, 36)), 67)
    } else {
        (short_table, 39)
    };
    // Numbers of at most 32 bits, sectors of at most 4096 bytes: far from overflow.
    let data = (reserved + u64::from(tables) * table) * sector;
    let entries = u64::from(le16(head, 17));
    let (at, len) = if short_table == 0 {
        let first = u64::from(le32(head, 44)).saturating_sub(2) * u64::from(cluster);
        (data + first * sector, u64::from(cluster) * sector)
    } else {
        (data, entries * 32)
    };
    let directory = part(volume, at, len)?;
    let entry = directory
        .as_chunks::<32>()
        .0
        .iter()
        .take_while(|entry| entry.first() != Some(&0))
        .find(|entry| {
            // A volume label: attribute 8 and not the mark of a long name; 0xe5 is deleted.
            let attributes = entry.get(11).copied().unwrap_or(0);
            attributes & 0x18 == 0x08 && attributes != 0x0f && entry.first() != Some(&0xe5)
        });
    let label = entry
        .and_then(|entry| text(entry, 0, 11))
        .filter(|label| label != "NO NAME");
    Ok(Some(Filesystem::new("vfat", label, serial(head, serial_at))))
}

/// exFAT file system specification, 7.3: the volume label entry of type 0x83 in the root directory.
fn exfat_label(volume: &Volume, head: &[u8]) -> Result<Option<String>> {
    let shift = |at: usize| head.get(at).map_or(0, |shift| u32::from(*shift));
    let (sector, cluster) = (shift(108), shift(109));
    if !(9..=12).contains(&sector) || cluster > 25 - sector {
        return Ok(None);
    }
    let root = u64::from(le32(head, 96)).saturating_sub(2) << cluster;
    let at = (u64::from(le32(head, 88)) + root) << sector;
    let directory = part(volume, at, 1 << (sector + cluster))?;
    let entry = directory
        .as_chunks::<32>()
        .0
        .iter()
        .take_while(|entry| entry.first() != Some(&0))
        .find(|entry| entry.first() == Some(&0x83));
    Ok(entry.and_then(|entry| utf16(entry, 2, usize::from(entry.get(1).copied().unwrap_or(0).min(11)) * 2)))
}

/// The attribute `$VOLUME_NAME` (0x60) of the file `$Volume`, which is record 3 of the master file table (Linux
/// `fs/ntfs3/ntfs.h`).
fn ntfs_label(volume: &Volume, head: &[u8]) -> Result<Option<String>> {
    let (sector, clusters, record) = (u64::from(le16(head, 11)), power(head, 13), power(head, 64));
    // A record's size: so many clusters, or 2 to that power with the sign turned.
    let record = match record {
        Power::Times(times) => (u64::from(times) * sector).saturating_mul(clusters.value()),
        Power::Of(of) => of,
    };
    let cluster = match clusters {
        Power::Times(times) => u64::from(times) * sector,
        Power::Of(of) => of.saturating_mul(sector),
    };
    if !(512..=4096).contains(&record) {
        return Ok(None);
    }
    let Some(at) = le64(head, 48)
        .checked_mul(cluster)
        .and_then(|at| at.checked_add(3 * record))
    else {
        return Ok(None);
    };
    let bytes = part(volume, at, record)?;
    if !has(&bytes, 0, b"FILE") {
        return Ok(None);
    }
    let mut at = usize::from(le16(&bytes, 20));
    // An attribute is at least 24 bytes long.
    for _ in 0..bytes.len() / 24 {
        let (kind, len) = (le32(&bytes, at), usize::try_from(le32(&bytes, at + 4)).unwrap_or(0));
        if kind == 0x60 {
            let len = usize::try_from(le32(&bytes, at + 16)).unwrap_or(0);
            return Ok(utf16(&bytes, at + usize::from(le16(&bytes, at + 20)), len.min(256)));
        }
        if kind == u32::MAX || len < 24 {
            break;
        }
        at = at.saturating_add(len).min(bytes.len());
    }
    Ok(None)
}

/// A byte that counts, or as a negative number gives a power of two.
#[derive(Clone, Copy)]
enum Power {
    Times(u8),
    Of(u64),
}

impl Power {
    fn value(self) -> u64 {
        match self {
            Self::Times(times) => u64::from(times),
            Self::Of(of) => of,
        }
    }
}

fn power(head: &[u8], at: usize) -> Power {
    match head.get(at).copied().unwrap_or(0) {
        byte @ 0..=0x80 => Power::Times(byte),
        byte => Power::Of(1_u64.checked_shl(256 - u32::from(byte)).unwrap_or(0)),
    }
}

/// Up to so many bytes of a directory or record; nothing past the volume's end.
fn part(volume: &Volume, at: u64, len: u64) -> Result<Vec<u8>> {
    volume.read_up_to(at, usize::try_from(len.min(MAX_DIRECTORY)).unwrap_or(0))
}
