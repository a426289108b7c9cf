//! Master and extended boot records (UEFI 2.10, 5.2.1; Linux `block/partitions/msdos.c` for the logical partitions'
//! numbers).

use std::collections::HashSet;

use lotse_disk::{
    Disk,
    bytes::{has, le32},
};

use crate::{
    Result,
    facts::{Partition, PartitionTable, TableKind, TableProblem},
    volume::Volume,
};

/// Extended boot records followed, at most. Linux has no more than 256 partitions on a disk.
const MAX_LOGICAL: usize = 256;

/// The type of the one partition that protects a GPT (UEFI 2.10, 5.2.3).
const PROTECTIVE: u8 = 0xee;

/// The byte at which the partitions of an MBR begin, and the length of an entry (UEFI 2.10, 5.2.1).
const ENTRIES: usize = 446;
const ENTRY: usize = 16;

/// "UniqueMBRDiskSignature" (UEFI 2.10, table 5.1).
const SIGNATURE: usize = 440;

/// A master or extended boot record.
pub(super) struct Mbr {
    signature: u32,
    /// Used entries, with their place in the table from 0.
    entries: Vec<Entry>,
}

struct Entry {
    slot: u32,
    active: bool,
    kind: u8,
    /// First sector: of the disk, or counted from an extended boot record.
    start: u64,
    sectors: u64,
}

impl Entry {
    fn is_extended(&self) -> bool {
        matches!(self.kind, 0x05 | 0x0f | 0x85)
    }

    fn partition(&self, signature: u32, number: u32, start: u64, sector: u64) -> Partition {
        Partition {
            number,
            // 32-bit sector numbers of at most 4096 bytes: far from overflow.
            offset: start * sector,
            len: self.sectors * sector,
            type_id: format!("{:02x}", self.kind),
            part_uuid: (signature != 0).then(|| format!("{signature:08x}-{number:02x}")),
            bootable: self.active,
            ..Partition::default()
        }
    }
}

impl Mbr {
    /// `None` without the signature, or where the entries are not those of a table but of a filesystem's boot sector.
    pub(super) fn parse(sector: &[u8]) -> Option<Self> {
        if !has(sector, 510, &[0x55, 0xaa]) {
            return None;
        }
        let mut entries = Vec::new();
        for (slot, entry) in (0..4).zip(sector.get(ENTRIES..510)?.as_chunks::<ENTRY>().0) {
            // BootIndicator.
            let active = match entry.first() {
                Some(0) => false,
                Some(0x80) => true,
                _ => return None,
            };
            let kind = entry.get(4).copied()?;
            let (start, sectors) = (u64::from(le32(entry, 8)), u64::from(le32(entry, 12)));
            if kind != 0 && sectors != 0 {
                entries.push(Entry {
                    slot,
                    active,
                    kind,
                    start,
                    sectors,
                });
            }
        }
        Some(Self {
            signature: le32(sector, SIGNATURE),
            entries,
        })
    }

    /// No entry is used.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The last sector that the protective entry covers: the whole disk as it was when the GPT was written.
    pub(super) fn protective(&self) -> Option<u64> {
        let entry = self.entries.iter().find(|entry| entry.kind == PROTECTIVE)?;
        Some((entry.start + entry.sectors).saturating_sub(1))
    }

    /// Names a partition beside the one that protects the GPT.
    pub(super) fn is_hybrid(&self) -> bool {
        self.entries.iter().any(|entry| entry.kind != PROTECTIVE)
    }

    /// The partitions, were a sector that long.
    pub(super) fn table(&self, disk: &Disk, sector_size: u32) -> Result<PartitionTable> {
        let sector = u64::from(sector_size);
        let mut partitions = Vec::new();
        let mut logical = Logical {
            disk,
            signature: self.signature,
            sector,
            visited: HashSet::new(),
            partitions: Vec::new(),
            whole: true,
        };
        for entry in &self.entries {
            partitions.push(entry.partition(self.signature, entry.slot + 1, entry.start, sector));
            if entry.is_extended() {
                logical.follow(entry.start)?;
            }
        }
        partitions.append(&mut logical.partitions);
        let id = (self.signature != 0).then(|| format!("{:08x}", self.signature));
        let mut table = super::table(TableKind::Mbr, sector_size, id, partitions);
        if !logical.whole {
            table.problems.push(TableProblem::LogicalChainBroken);
        }
        Ok(table)
    }
}

/// The logical partitions found so far.
struct Logical<'a> {
    disk: &'a Disk,
    signature: u32,
    sector: u64,
    /// Sectors of extended boot records.
    visited: HashSet<u64>,
    partitions: Vec<Partition>,
    /// False when a chain did not end as it should.
    whole: bool,
}

impl Logical<'_> {
    /// Follows the chain of extended boot records; each is visited once, and a broken link ends it.
    fn follow(&mut self, extended: u64) -> Result<()> {
        let mut next = Some(extended);
        while let Some(at) = next.take() {
            if self.visited.len() >= MAX_LOGICAL || !self.visited.insert(at) {
                self.whole = false;
                break;
            }
            let record = Volume::new(self.disk, 0, self.disk.len()).read_up_to(at * self.sector, 512)?;
            let Some(record) = Mbr::parse(&record) else {
                self.whole = false;
                break;
            };
            for entry in &record.entries {
                if entry.is_extended() {
                    // Counted from the first extended boot record.
                    next = next.or(Some(extended + entry.start));
                } else {
                    // Counted from this one.
                    let number = u32::try_from(self.partitions.len())
                        .unwrap_or(u32::MAX)
                        .saturating_add(5);
                    let start = at + entry.start;
                    let partition = entry.partition(self.signature, number, start, self.sector);
                    self.partitions.push(partition);
                }
            }
        }
        Ok(())
    }
}
