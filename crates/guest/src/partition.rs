//! Partition tables: GPT (UEFI 2.10, chapter 5) with its backup, MBR with logical partitions, or none.

use std::collections::HashSet;

use lotse_disk::{
    Disk,
    bytes::{has, le16, le32, le64},
};

use crate::{
    Error, Kind, Result,
    checksum::crc32,
    facts::{Partition, PartitionTable, TableKind},
    filesystem::{hex, recognise, utf16},
    volume::Volume,
};

/// Entries read of one GPT, at most: UEFI asks for room for 128, Linux looks at no more than 256.
const MAX_GPT_ENTRIES: u32 = 1024;

/// Logical partitions read, at most. Linux has no more than 256 partitions on a disk.
const MAX_LOGICAL: usize = 256;

/// The type of the one partition that protects a GPT (UEFI 2.10, 5.2.3).
const PROTECTIVE: u8 = 0xee;

/// The byte at which the partitions of an MBR begin, and the length of an entry (UEFI 2.10, 5.2.1).
const MBR_ENTRIES: usize = 446;
const MBR_ENTRY: usize = 16;

/// Reads the partition table and recognises what stands in each partition. A disk without a table has one entry,
/// number 0, whose `filesystem` is `None` when nothing is recognised. A partition may reach past the disk's end.
///
/// # Errors
/// `partition_table_corrupt` when there is a GPT but neither copy is whole; what the disk says when it cannot be read.
pub fn read(disk: &Disk) -> Result<PartitionTable> {
    let boot = Volume::new(disk, 0, 512).read_up_to(0, 512)?;
    let mbr = Mbr::parse(&boot);
    let protected = mbr
        .as_ref()
        .is_some_and(|mbr| mbr.entries.iter().any(|entry| entry.kind == PROTECTIVE));
    if mbr.as_ref().is_none_or(|mbr| protected || mbr.entries.is_empty()) {
        if let Some(table) = gpt(disk, protected)? {
            return fill(disk, table);
        }
        if protected {
            return Err(Error::new(Kind::Corrupt, "partition_table_corrupt"));
        }
    }
    let whole = PartitionTable {
        kind: TableKind::None,
        sector_size: 512,
        partitions: vec![partition(0, 0, disk.len(), String::new(), None)],
        from_backup: false,
    };
    match mbr {
        Some(mbr) if !mbr.entries.is_empty() => mbr_table(disk, &mbr),
        // The boot sector of a filesystem has the same signature as a table without partitions.
        Some(mbr) => {
            let whole = fill(disk, whole)?;
            let bare = whole.partitions.iter().all(|partition| partition.filesystem.is_none());
            if bare { mbr_table(disk, &mbr) } else { Ok(whole) }
        }
        None => fill(disk, whole),
    }
}

fn partition(number: u32, offset: u64, len: u64, type_id: String, label: Option<String>) -> Partition {
    Partition {
        number,
        offset,
        len,
        type_id,
        label,
        filesystem: None,
    }
}

/// An extended partition of an MBR is only a frame around others.
pub(crate) fn is_frame(kind: TableKind, partition: &Partition) -> bool {
    kind == TableKind::Mbr && matches!(partition.type_id.as_str(), "05" | "0f" | "85")
}

/// Recognises the filesystems.
fn fill(disk: &Disk, mut table: PartitionTable) -> Result<PartitionTable> {
    for partition in &mut table.partitions {
        if is_frame(table.kind, partition) {
            continue;
        }
        if let Some(found) = recognise(disk, partition.offset, partition.len)? {
            partition.filesystem = Some(found.kind.to_owned());
            partition.label = partition.label.take().or(found.label);
        }
    }
    Ok(table)
}

/// The GPT, with sectors of 512 or 4096 bytes, or its backup where the first is damaged.
fn gpt(disk: &Disk, protected: bool) -> Result<Option<PartitionTable>> {
    const SECTORS: [u32; 2] = [512, 4096];
    let mut backups = Vec::new();
    for sector in SECTORS {
        let bytes = u64::from(sector);
        if let Some(table) = gpt_at(disk, sector, 1, false)? {
            return Ok(Some(table));
        }
        let header = Volume::new(disk, bytes, 512).read_up_to(0, 512)?;
        let damaged = has(&header, 0, b"EFI PART");
        if protected || damaged {
            backups.push((sector, (disk.len() / bytes).saturating_sub(1)));
        }
        if damaged {
            // On a disk that has grown since, the backup is no longer at the end; the first copy may still know.
            backups.push((sector, le64(&header, 32)));
        }
    }
    for (sector, lba) in backups {
        if let Some(table) = gpt_at(disk, sector, lba, true)? {
            return Ok(Some(table));
        }
    }
    Ok(None)
}

/// A GPT whose header stands in sector `lba`; `None` unless both checksums are right (UEFI 2.10, 5.3.2).
fn gpt_at(disk: &Disk, sector: u32, lba: u64, backup: bool) -> Result<Option<PartitionTable>> {
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
    let (count, entry_len) = (le32(&header, 80), le32(&header, 84));
    // "SizeOfPartitionEntry": 128 times a power of two.
    if !(128..=4096).contains(&entry_len) || count > MAX_GPT_ENTRIES {
        return Ok(None);
    }
    let entry_len = usize::try_from(entry_len).unwrap_or(128);
    let mut entries = vec![0; usize::try_from(count).unwrap_or(0) * entry_len];
    let Some(at) = le64(&header, 72).checked_mul(sector_len) else {
        return Ok(None);
    };
    if !volume.read_at(&mut entries, at)? || crc32(&entries) != le32(&header, 88) {
        return Ok(None);
    }
    let partitions = (1..)
        .zip(entries.chunks_exact(entry_len))
        .filter_map(|(number, entry)| gpt_entry(number, entry, sector_len));
    Ok(Some(PartitionTable {
        kind: TableKind::Gpt,
        sector_size: sector,
        partitions: partitions.collect(),
        from_backup: backup,
    }))
}

/// UEFI 2.10, 5.3.3: type, first and last sector (inclusive), name.
fn gpt_entry(number: u32, entry: &[u8], sector: u64) -> Option<Partition> {
    if entry.get(..16)?.iter().all(|byte| *byte == 0) {
        return None;
    }
    let (first, last) = (le64(entry, 32), le64(entry, 40));
    let sectors = last.checked_sub(first)?.checked_add(1)?;
    let (offset, len) = (first.checked_mul(sector)?, sectors.checked_mul(sector)?);
    offset.checked_add(len)?;
    Some(partition(number, offset, len, guid(entry)?, utf16(entry, 56, 72)))
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

/// A master or extended boot record.
struct Mbr {
    /// Used entries, with their place in the table from 0.
    entries: Vec<MbrEntry>,
}

struct MbrEntry {
    slot: u32,
    kind: u8,
    /// First sector: of the disk, or counted from an extended boot record.
    start: u64,
    sectors: u64,
}

impl MbrEntry {
    fn is_extended(&self) -> bool {
        matches!(self.kind, 0x05 | 0x0f | 0x85)
    }

    fn partition(&self, number: u32, start: u64, sector: u64) -> Partition {
        // 32-bit sector numbers of at most 4096 bytes: far from overflow.
        partition(
            number,
            start * sector,
            self.sectors * sector,
            format!("{:02x}", self.kind),
            None,
        )
    }
}

impl Mbr {
    /// `None` without the signature, or where the entries are not those of a table but of a filesystem's boot sector.
    fn parse(sector: &[u8]) -> Option<Self> {
        if !has(sector, 510, &[0x55, 0xaa]) {
            return None;
        }
        let mut entries = Vec::new();
        for (slot, entry) in (0..4).zip(sector.get(MBR_ENTRIES..510)?.as_chunks::<MBR_ENTRY>().0) {
            // BootIndicator.
            if !matches!(entry.first(), Some(0 | 0x80)) {
                return None;
            }
            let kind = entry.get(4).copied()?;
            let (start, sectors) = (u64::from(le32(entry, 8)), u64::from(le32(entry, 12)));
            if kind != 0 && sectors != 0 {
                entries.push(MbrEntry {
                    slot,
                    kind,
                    start,
                    sectors,
                });
            }
        }
        Some(Self { entries })
    }
}

/// Nothing in an MBR says how long a sector is: 4096 bytes only if a filesystem stands where that would put it, and
/// none where 512 bytes would.
fn mbr_table(disk: &Disk, mbr: &Mbr) -> Result<PartitionTable> {
    let small = fill(disk, mbr_partitions(disk, mbr, 512)?)?;
    let recognised = |table: &PartitionTable| table.partitions.iter().any(|partition| partition.filesystem.is_some());
    if recognised(&small) {
        return Ok(small);
    }
    let large = fill(disk, mbr_partitions(disk, mbr, 4096)?)?;
    Ok(if recognised(&large) { large } else { small })
}

fn mbr_partitions(disk: &Disk, mbr: &Mbr, sector_size: u32) -> Result<PartitionTable> {
    let sector = u64::from(sector_size);
    let mut partitions = Vec::new();
    let mut logical = Vec::new();
    for entry in &mbr.entries {
        partitions.push(entry.partition(entry.slot + 1, entry.start, sector));
        if entry.is_extended() && logical.is_empty() {
            logical = logical_partitions(disk, entry.start, sector)?;
        }
    }
    partitions.append(&mut logical);
    Ok(PartitionTable {
        kind: TableKind::Mbr,
        sector_size,
        partitions,
        from_backup: false,
    })
}

/// Follows the chain of extended boot records; each is visited once, and a broken link ends it.
fn logical_partitions(disk: &Disk, extended: u64, sector: u64) -> Result<Vec<Partition>> {
    let mut partitions = Vec::new();
    let mut visited = HashSet::new();
    let mut at = extended;
    let mut number = 5;
    while visited.len() < MAX_LOGICAL && visited.insert(at) {
        let record = Volume::new(disk, 0, disk.len()).read_up_to(at * sector, 512)?;
        let Some(record) = Mbr::parse(&record) else { break };
        let mut next = None;
        for entry in &record.entries {
            if entry.is_extended() {
                // Counted from the first extended boot record.
                next = next.or(Some(extended + entry.start));
            } else {
                // Counted from this one.
                partitions.push(entry.partition(number, at + entry.start, sector));
                number += 1;
            }
        }
        match next {
            Some(next) => at = next,
            None => break,
        }
    }
    Ok(partitions)
}
