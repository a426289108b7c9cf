//! From a virtual disk to everything that is known about it. Never fails: what cannot be read is unknown, with its reason.

use lotse_disk::Disk;

use crate::{
    Evidence, Fact, Facts, FileTree, Result, Unknown, cloud_init, ext,
    facts::{Partition, PartitionTable, Root, System, TableKind},
    files::{self, Files, Read},
    leftovers, partition,
    root::{self, Candidate},
    sshd, system,
};

/// Reads everything that the rules ask for.
pub fn examine(disk: &Disk) -> Facts {
    let table = match partition::read(disk) {
        Ok(table) => table,
        Err(error) => return Facts::unread(&files::unknown(&error)),
    };
    let candidates: Vec<Candidate> = table
        .partitions
        .iter()
        .filter(|partition| !partition::is_frame(table.kind, partition))
        .map(|partition| candidate(disk, &table, partition))
        .collect();
    let choice = root::choose(&candidates);
    let mut facts = match choice.tree.and_then(Files::new) {
        Ok(files) => read_system(&files),
        Err(unknown) => Facts {
            system: system_of_unread(&choice.root, &unknown),
            ..Facts::unread(&unknown)
        },
    };
    facts.root = choice.root;
    facts.table = Fact::Known(table);
    facts
}

fn candidate(disk: &Disk, table: &PartitionTable, partition: &Partition) -> Candidate {
    let is_ext = matches!(partition.filesystem.as_deref(), Some("ext2" | "ext3" | "ext4"));
    Candidate {
        number: (table.kind != TableKind::None).then_some(partition.number),
        len: partition.len,
        filesystem: partition.filesystem.clone(),
        tree: is_ext.then(|| open(disk, partition)),
    }
}

fn open(disk: &Disk, partition: &Partition) -> Result<Box<dyn FileTree>> {
    Ok(Box::new(ext::Ext::open(disk, partition.offset, partition.len)?))
}

/// What the files of a root say; table and root are left to the caller.
fn read_system(files: &Files<'_>) -> Facts {
    let agent = fact(cloud_init::read(files));
    let datasources = match &agent {
        Fact::Known(Some(agent)) if agent.kind == "cloud-init" => fact(cloud_init::read_datasources(files).map(Some)),
        Fact::Known(_) => Fact::Known(None),
        Fact::Unknown(unknown) => Fact::Unknown(unknown.clone()),
    };
    Facts {
        system: fact(system::read(files)),
        agent,
        datasources,
        sshd: Fact::Known(sshd::read(files)),
        leftovers: Fact::Known(leftovers::read(files)),
        ..Facts::unread(&Unknown::new("no_system"))
    }
}

/// The system of a root whose files are not read. Some filesystems are used by one family of systems only and tell at
/// least that.
fn system_of_unread(root: &Fact<Option<Root>>, unknown: &Unknown) -> Fact<Option<System>> {
    match root {
        Fact::Known(Some(root)) if root.filesystem == "ntfs" => Fact::Known(Some(only_family("windows", root))),
        Fact::Known(Some(root)) if root.filesystem == "ufs" => Fact::Known(Some(only_family("freebsd", root))),
        // No filesystem holds a system: that there is none is known.
        Fact::Known(None) if unknown.code == "no_system" => Fact::Known(None),
        _ => Fact::Unknown(unknown.clone()),
    }
}

fn only_family(family: &str, root: &Root) -> System {
    System {
        family: family.to_owned(),
        distribution: None,
        like: Vec::new(),
        version: None,
        name: None,
        architecture: None,
        evidence: vec![Evidence::default().value(&root.filesystem)],
    }
}

fn fact<T>(read: Read<T>) -> Fact<T> {
    match read {
        Ok(value) => Fact::Known(value),
        Err(unknown) => Fact::Unknown(unknown),
    }
}
