//! Room on the disk: free bytes, swap, and whether the root can grow on a larger disk.

use crate::{
    Evidence, Fact, FileKind, Unknown,
    facts::{Grower, Mount, MountState, Partition, PartitionTable, Space, Swap, TableKind},
    files::{self, Files, Read},
    partition,
    volumes::{Found, Opened, Volumes},
};

/// Bytes at the end of a disk that the GPT's backup takes: 128 entries of 128 bytes, and its header in a sector of its
/// own (UEFI 2.10, section 5.3.1).
const GPT_ENTRIES: u64 = 16 << 10;

/// Most definitions of systemd-repart that are listed.
const MAX_DEFINITIONS: usize = 100;

/// Programs that let something grow, by what they are called here.
const PROGRAMS: &[(&str, &[&str])] = &[
    ("growpart", &["/usr/bin/growpart", "/usr/sbin/growpart"]),
    (
        "growroot",
        &[
            "/usr/share/initramfs-tools/hooks/growroot",
            "/usr/lib/dracut/modules.d/50growroot/module-setup.sh",
            "/usr/share/dracut/modules.d/50growroot/install",
        ],
    ),
    ("resize2fs", &["/sbin/resize2fs", "/usr/sbin/resize2fs"]),
];

/// Where systemd-repart's definitions stand (repart.d(5)).
const REPART: &[&str] = &["/etc/repart.d", "/usr/lib/repart.d"];

/// Reads what there is of room. `root` is where the root filesystem stands, `disk` the virtual disk's length in bytes.
pub(crate) fn read(
    files: &Files<'_>,
    table: &PartitionTable,
    volumes: &Volumes,
    root: &Opened,
    mounts: &[Mount],
    disk: u64,
) -> Space {
    let size = match root.files().map(crate::FileTree::room) {
        Some(Ok(Some(size))) => Ok(size),
        Some(Err(error)) => Err(files::unknown(&error)),
        Some(Ok(None)) | None => {
            let filesystem = root.filesystem.as_deref().unwrap_or_default();
            Err(Unknown::new("filesystem_not_read").with("filesystem", filesystem))
        }
    };
    let own = table
        .partitions
        .iter()
        .find(|partition| table.kind != TableKind::None && Some(partition.number) == root.number);
    let behind = own.map(|own| behind(table, own)).unwrap_or_default();
    Space {
        total: fact(size.clone().map(|size| size.total)),
        free: fact(size.map(|size| size.free)),
        root_is_last: behind.is_empty(),
        unpartitioned_behind_root: own.map_or(0, |own| unpartitioned(table, own, &behind, disk)),
        partitions_behind_root: behind.iter().map(|partition| partition.number).collect(),
        growers: fact(growers(files, mounts)),
        swap: fact(swap(files, volumes, mounts)),
    }
}

fn fact<T>(read: Read<T>) -> Fact<T> {
    match read {
        Ok(value) => Fact::Known(value),
        Err(unknown) => Fact::Unknown(unknown),
    }
}

/// Partitions that begin behind another one's end, the next one first. The frame of logical partitions is none.
fn behind<'t>(table: &'t PartitionTable, own: &Partition) -> Vec<&'t Partition> {
    let end = own.offset.saturating_add(own.len);
    let mut all: Vec<&Partition> = table
        .partitions
        .iter()
        .filter(|other| other.offset >= end && other.len > 0 && !partition::is_frame(table.kind, other))
        .collect();
    all.sort_by_key(|partition| partition.offset);
    all
}

fn unpartitioned(table: &PartitionTable, own: &Partition, behind: &[&Partition], disk: u64) -> u64 {
    let end = own.offset.saturating_add(own.len);
    let reserved = match table.kind {
        TableKind::Gpt => GPT_ENTRIES + u64::from(table.sector_size),
        _ => 0,
    };
    // A logical partition can only grow inside its frame.
    let frame = table.partitions.iter().find(|frame| {
        partition::is_frame(table.kind, frame)
            && frame.offset <= own.offset
            && frame.offset.saturating_add(frame.len) >= end
    });
    let limit = frame.map_or(disk.saturating_sub(reserved), |frame| {
        frame.offset.saturating_add(frame.len)
    });
    let next = behind.first().map_or(limit, |next| next.offset.min(limit));
    next.saturating_sub(end)
}

fn growers(files: &Files<'_>, mounts: &[Mount]) -> Read<Vec<Grower>> {
    let mut all = Vec::new();
    let mut add = |kind: &str, evidence| {
        all.push(Grower {
            kind: kind.to_owned(),
            evidence,
        });
    };
    for (kind, paths) in PROGRAMS {
        if let Some(path) = files.first_file(paths)? {
            add(kind, Evidence::path(path));
        }
    }
    let programs = [
        "/usr/bin/systemd-repart",
        "/bin/systemd-repart",
        "/usr/sbin/systemd-repart",
    ];
    if files.first_file(&programs)?.is_some() {
        for folder in REPART {
            for name in files.list(folder)?.iter().take(MAX_DEFINITIONS) {
                if name.strip_suffix(".conf").is_some() {
                    add("systemd_repart", Evidence::path(format!("{folder}/{name}")));
                }
            }
        }
    }
    let root = mounts.iter().find(|mount| mount.point == "/");
    if let Some(root) = root.filter(|root| root.options.split(',').any(|option| option == "x-systemd.growfs")) {
        add("growfs", root.evidence.clone());
    }
    Ok(all)
}

/// Does a line of fstab mean this volume?
fn is_source(volumes: &Volumes, opened: &Opened, source: &str) -> bool {
    matches!(volumes.find(source), Found::One(found) if std::ptr::eq(found, opened))
}

fn swap(files: &Files<'_>, volumes: &Volumes, mounts: &[Mount]) -> Read<Vec<Swap>> {
    let lines: Vec<&Mount> = mounts.iter().filter(|mount| mount.filesystem == "swap").collect();
    let mut all = Vec::new();
    for opened in volumes
        .list()
        .iter()
        .filter(|opened| opened.filesystem.as_deref() == Some("swap"))
    {
        let line = lines.iter().find(|line| is_source(volumes, opened, &line.source));
        all.push(Swap {
            is_file: false,
            partition: opened.number,
            len: Some(opened.len),
            used_at_boot: line.is_some_and(|line| line.state != MountState::NotAtBoot),
            evidence: line.map(|line| line.evidence.clone()),
        });
    }
    for line in lines {
        let is_path = line.source.starts_with('/') && !line.source.starts_with("/dev/");
        if !is_path {
            continue;
        }
        let stat = files.stat(&line.source)?.filter(|stat| stat.kind == FileKind::File);
        all.push(Swap {
            is_file: true,
            partition: None,
            len: stat.map(|stat| stat.size),
            used_at_boot: !line.options.split(',').any(|option| option == "noauto"),
            evidence: Some(line.evidence.clone()),
        });
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::MemoryTree;

    const MIB: u64 = 1 << 20;

    fn partition(number: u32, offset: u64, len: u64, type_id: &str) -> Partition {
        Partition {
            number,
            offset,
            len,
            type_id: type_id.to_owned(),
            ..Partition::default()
        }
    }

    fn table(kind: TableKind, partitions: Vec<Partition>) -> PartitionTable {
        PartitionTable {
            kind,
            sector_size: 512,
            id: None,
            partitions,
            from_backup: false,
            problems: Vec::new(),
        }
    }

    fn read_space(tree: &MemoryTree, table: &PartitionTable, root: u32, disk: u64) -> Space {
        let volumes = Volumes::of(
            table
                .partitions
                .iter()
                .map(|partition| {
                    let tree =
                        (partition.number == root).then(|| Ok(Arc::new(tree.clone()) as Arc<dyn crate::FileTree>));
                    let filesystem = if partition.number == root { "ext4" } else { "swap" };
                    Opened::in_memory(partition.number, filesystem, partition.len, tree)
                })
                .collect(),
        );
        let files = Files::new(tree).unwrap();
        let opened = volumes
            .list()
            .iter()
            .find(|opened| opened.number == Some(root))
            .unwrap();
        let planned = crate::mounts::read(&files, &volumes).unwrap();
        let mounts: Vec<Mount> = planned.iter().map(|planned| planned.mount.clone()).collect();
        read(&files, table, &volumes, opened, &mounts, disk)
    }

    #[test]
    fn the_last_partition_can_grow() {
        let table = table(
            TableKind::Gpt,
            // As cloud images are made: the root has the number 1 and stands behind the others.
            vec![
                partition(1, 128 * MIB, 1000 * MIB, ""),
                partition(14, MIB, 3 * MIB, ""),
                partition(15, 4 * MIB, 124 * MIB, ""),
            ],
        );
        let space = read_space(&MemoryTree::new(), &table, 1, 2000 * MIB);
        assert!(space.root_is_last);
        assert_eq!(
            space.unpartitioned_behind_root,
            2000 * MIB - 1128 * MIB - 33 * 512,
            "the backup of the GPT takes 33 sectors"
        );
    }

    #[test]
    fn swap_behind_the_root_keeps_it_from_growing() {
        // As the Debian installer divides a disk: root, and swap as a logical partition in the rest.
        let table = table(
            TableKind::Mbr,
            vec![
                partition(1, MIB, 900 * MIB, "83"),
                partition(2, 902 * MIB, 98 * MIB, "05"),
                partition(5, 903 * MIB, 97 * MIB, "82"),
            ],
        );
        let tree = MemoryTree::new().file(
            "/etc/fstab",
            "/dev/sda1 / ext4 defaults 0 1\n/dev/sda5 none swap sw 0 0\n",
        );
        let space = read_space(&tree, &table, 1, 1000 * MIB);
        assert_eq!(
            (space.root_is_last, space.partitions_behind_root.as_slice()),
            (false, &[5][..])
        );
        assert_eq!(space.unpartitioned_behind_root, 2 * MIB);
        let Fact::Known(swap) = space.swap else { panic!() };
        let used: Vec<_> = swap.iter().filter(|swap| swap.used_at_boot).collect();
        assert_eq!(used.len(), 1);
        assert_eq!(
            (used[0].partition, used[0].len, used[0].is_file),
            (Some(5), Some(97 * MIB), false)
        );
    }

    #[test]
    fn growers_and_swap_files_are_told_with_their_place() {
        let tree = MemoryTree::new()
            .file(
                "/etc/fstab",
                "/dev/sda1 / ext4 defaults,x-systemd.growfs 0 1\n/swapfile none swap sw 0 0\n",
            )
            .file("/swapfile", [0; 4096])
            .program("/usr/bin/growpart", "")
            .program("/usr/bin/systemd-repart", "")
            .file("/usr/lib/repart.d/50-root.conf", "[Partition]\nType=root\n");
        let table = table(TableKind::Gpt, vec![partition(1, MIB, 100 * MIB, "")]);
        let space = read_space(&tree, &table, 1, 200 * MIB);
        let Fact::Known(growers) = space.growers else { panic!() };
        let kinds: Vec<&str> = growers.iter().map(|grower| grower.kind.as_str()).collect();
        assert_eq!(kinds, ["growpart", "systemd_repart", "growfs"]);
        let Fact::Known(swap) = space.swap else { panic!() };
        let [file] = swap.as_slice() else { panic!("{swap:?}") };
        assert_eq!((file.is_file, file.len, file.used_at_boot), (true, Some(4096), true));
        assert_eq!(file.evidence.as_ref().unwrap().line, Some(2));
        assert!(matches!(space.free, Fact::Unknown(_)), "a tree in memory has no end");
    }
}
