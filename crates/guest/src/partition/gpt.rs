//! The GUID partition table (UEFI 2.10, chapter 5) with sectors of 512 or 4096 bytes, and its backup.

use lotse_disk::{
    Disk,
    bytes::{has, le16, le32, le64},
};

use crate::{
    Result,
    checksum::crc32,
    facts::{Partition, PartitionTable, TableKind, TableProblem},
    filesystem::{hex, utf16},
    volume::Volume,
};

/// Longest array of entries that is read, in bytes: 4096 entries of the usual 128 bytes. UEFI asks for room for 128.
const MAX_ARRAY: u64 = 512 * 1024;

/// Partitions that are told, at most: as many as Linux looks at (`DISK_MAX_PARTS`).
const MAX_PARTITIONS: u32 = 256;

/// Bit 2 of the attributes: legacy BIOS bootable (UEFI 2.10, table 5.8).
const LEGACY_BOOTABLE: u64 = 1 << 2;

/// A GPT that could be read.
struct Copy {
    table: PartitionTable,
    /// Where the header says that the other copy is, as a sector.
    other: u64,
}

/// The GPT, or its backup where the first is damaged. `protective` is the last sector that the MBR protects, where the
/// MBR has such an entry.
pub(super) fn read(disk: &Disk, protective: Option<u64>) -> Result<Option<PartitionTable>> {
    const SECTORS: [u32; 2] = [512, 4096];
    let mut backups = Vec::new();
    for sector in SECTORS {
        let bytes = u64::from(sector);
        let last = (disk.len() / bytes).saturating_sub(1);
        if let Some(Copy { mut table, other }) = copy_at(disk, sector, 1)? {
            if copy_at(disk, sector, other)?.is_none() {
                table.problems.push(TableProblem::BackupDamaged);
            } else if other != last {
                table.problems.push(TableProblem::BackupNotAtEnd);
            }
            return Ok(Some(table));
        }
        let header = Volume::new(disk, bytes, 512).read_up_to(0, 512)?;
        let damaged = has(&header, 0, b"EFI PART");
        if protective.is_some() || damaged {
            backups.push((sector, last));
        }
        // On a disk that has grown since, the backup is no longer at the end; the first copy may still know, and the
        // MBR protects the disk as long as it was.
        if damaged {
            backups.push((sector, le64(&header, 32)));
        }
        backups.extend(protective.map(|last| (sector, last)));
    }
    for (sector, lba) in backups {
        if let Some(Copy { mut table, .. }) = copy_at(disk, sector, lba)? {
            table.from_backup = true;
            return Ok(Some(table));
        }
    }
    Ok(None)
}

/// A GPT whose header stands in sector `lba`; `None` unless both checksums are right (UEFI 2.10, 5.3.2).
fn copy_at(disk: &Disk, sector: u32, lba: u64) -> Result<Option<Copy>> {
    let sector_len = u64::from(sector);
    let volume = Volume::new(disk, 0, disk.len());
    let Some(at) = lba.checked_mul(sector_len) else {
        return Ok(None);
    };
    let mut header = volume.read_up_to(at, 512)?;
    // HeaderSize: at least 92 bytes; whatever follows in the sector is zero, and more than 512 bytes are never used.
    let size = usize::try_from(le32(&header, 12)).unwrap_or(usize::MAX);
    if !has(&header, 0, b"EFI PART") || !(92..=512).contains(&size) || le64(&header, 24) != lba {
        return Ok(None);
    }
    let checksum = le32(&header, 16);
    if let Some(field) = header.get_mut(16..20) {
        field.fill(0);
    }
    if header.get(..size).map(crc32) != Some(checksum) {
        return Ok(None);
    }
    let (count, entry_len) = (u64::from(le32(&header, 80)), u64::from(le32(&header, 84)));
    // "SizeOfPartitionEntry": 128 times a power of two. 32-bit numbers: their product fits.
    if !entry_len.is_power_of_two() || !(128..=4096).contains(&entry_len) || count * entry_len > MAX_ARRAY {
        return Ok(None);
    }
    let (Ok(array_len), Ok(entry_len)) = (usize::try_from(count * entry_len), usize::try_from(entry_len)) else {
        return Ok(None);
    };
    let mut entries = vec![0; array_len];
    let Some(at) = le64(&header, 72).checked_mul(sector_len) else {
        return Ok(None);
    };
    if !volume.read_at(&mut entries, at)? || crc32(&entries) != le32(&header, 88) {
        return Ok(None);
    }
    let partitions = (1..=MAX_PARTITIONS)
        .zip(entries.chunks_exact(entry_len))
        .filter_map(|(number, entry)| partition(number, entry, sector_len));
    let id = header.get(56..72).and_then(guid);
    Ok(Some(Copy {
        table: super::table(TableKind::Gpt, sector, id, partitions.collect()),
        other: le64(&header, 32),
    }))
}

/// UEFI 2.10, 5.3.3: type, own GUID, first and last sector (inclusive), attributes, name.
fn partition(number: u32, entry: &[u8], sector: u64) -> Option<Partition> {
    if entry.get(..16)?.iter().all(|byte| *byte == 0) {
        return None;
    }
    let (first, last) = (le64(entry, 32), le64(entry, 40));
    let sectors = last.checked_sub(first)?.checked_add(1)?;
    let (offset, len) = (first.checked_mul(sector)?, sectors.checked_mul(sector)?);
    offset.checked_add(len)?;
    let attributes = le64(entry, 48);
    Some(Partition {
        number,
        offset,
        len,
        type_id: guid(entry)?,
        name: utf16(entry, 56, 72),
        part_uuid: guid(entry.get(16..)?),
        attributes,
        bootable: attributes & LEGACY_BOOTABLE != 0,
        ..Partition::default()
    })
}

/// UEFI 2.10, appendix A: the first three fields are little endian.
fn guid(bytes: &[u8]) -> Option<String> {
    let (a, b, c) = (le32(bytes, 0), le16(bytes, 4), le16(bytes, 6));
    Some(format!(
        "{a:08x}-{b:04x}-{c:04x}-{}-{}",
        hex(bytes.get(8..10)?),
        hex(bytes.get(10..16)?)
    ))
}
