//! Partition tables: GPT (UEFI 2.10, chapter 5) with its backup, MBR with logical partitions, or none; and what is wrong
//! with one that could be read.

mod gpt;
mod mbr;

use lotse_disk::Disk;

use crate::{
    Error, Kind, Result,
    facts::{Partition, PartitionTable, TableKind, TableProblem},
    filesystem::recognise,
    volume::Volume,
};

use self::mbr::Mbr;

/// Pairs of overlapping partitions that are told, at most.
const MAX_OVERLAPS: usize = 16;

/// Reads the partition table and recognises what stands in each partition. A disk without a table has one entry,
/// number 0, whose `filesystem` is `None` when nothing is recognised. A partition may reach past the disk's end.
///
/// # Errors
/// `partition_table_corrupt` when there is a GPT but neither copy is whole; what the disk says when it cannot be read.
pub fn read(disk: &Disk) -> Result<PartitionTable> {
    let mut table = find(disk)?;
    tell_places(&mut table, disk.len());
    Ok(table)
}

fn find(disk: &Disk) -> Result<PartitionTable> {
    let boot = Volume::new(disk, 0, 512).read_up_to(0, 512)?;
    let mbr = Mbr::parse(&boot);
    let protective = mbr.as_ref().and_then(Mbr::protective);
    if mbr.as_ref().is_none_or(|mbr| protective.is_some() || mbr.is_empty()) {
        if let Some(mut table) = gpt::read(disk, protective)? {
            if mbr.is_some_and(|mbr| mbr.is_hybrid()) {
                table.problems.push(TableProblem::Hybrid);
            }
            return fill(disk, table);
        }
        if protective.is_some() {
            return Err(Error::new(Kind::Corrupt, "partition_table_corrupt"));
        }
    }
    let whole = Partition {
        len: disk.len(),
        ..Partition::default()
    };
    let whole = table(TableKind::None, 512, None, vec![whole]);
    match mbr {
        Some(mbr) if !mbr.is_empty() => mbr_table(disk, &mbr),
        // The boot sector of a filesystem has the same signature as a table without partitions.
        Some(mbr) => {
            let whole = fill(disk, whole)?;
            let bare = whole.partitions.iter().all(|partition| partition.filesystem.is_none());
            if bare { mbr_table(disk, &mbr) } else { Ok(whole) }
        }
        None => fill(disk, whole),
    }
}

fn table(kind: TableKind, sector_size: u32, id: Option<String>, partitions: Vec<Partition>) -> PartitionTable {
    PartitionTable {
        kind,
        sector_size,
        id,
        partitions,
        from_backup: false,
        problems: Vec::new(),
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
            partition.label = found.label;
            partition.uuid = found.uuid;
        }
    }
    Ok(table)
}

/// Nothing in an MBR says how long a sector is: 4096 bytes only if a filesystem stands where that would put it, and
/// none where 512 bytes would.
fn mbr_table(disk: &Disk, mbr: &Mbr) -> Result<PartitionTable> {
    let small = fill(disk, mbr.table(disk, 512)?)?;
    let recognised = |table: &PartitionTable| table.partitions.iter().any(|partition| partition.filesystem.is_some());
    if recognised(&small) {
        return Ok(small);
    }
    let large = fill(disk, mbr.table(disk, 4096)?)?;
    Ok(if recognised(&large) { large } else { small })
}

/// Tells of partitions that share sectors or reach past the disk's end.
fn tell_places(table: &mut PartitionTable, disk_len: u64) {
    let end = |partition: &Partition| partition.offset.saturating_add(partition.len);
    let mut ordered: Vec<&Partition> = table
        .partitions
        .iter()
        .filter(|partition| !is_frame(table.kind, partition) && partition.len > 0)
        .collect();
    ordered.sort_by_key(|partition| (partition.offset, partition.number));
    let mut problems = Vec::new();
    // The partition that reaches furthest so far.
    let mut furthest: Option<&Partition> = None;
    for partition in ordered {
        if let Some(before) = furthest
            && end(before) > partition.offset
            && problems.len() < MAX_OVERLAPS
        {
            problems.push(TableProblem::Overlap(before.number, partition.number));
        }
        if furthest.is_none_or(|before| end(before) < end(partition)) {
            furthest = Some(partition);
        }
    }
    let past = table.partitions.iter().filter(|partition| end(partition) > disk_len);
    problems.extend(past.map(|partition| TableProblem::PastEnd(partition.number)));
    table.problems.append(&mut problems);
}
