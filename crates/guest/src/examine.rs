//! From a virtual disk to everything that is known about it. Never fails: what cannot be read is unknown, with its reason.

use lotse_disk::Disk;

use crate::{
    Evidence, Fact, Facts, FileTree, Result, Unknown, cloud_init, ext,
    facts::{Agent, Datasources, Partition, PartitionTable, Root, Sshd, System, TableKind},
    files::{self, Files, Read},
    partition,
    root::{self, Candidate},
    sshd, system,
};

/// Reads everything that the rules ask for.
pub fn examine(disk: &Disk) -> Facts {
    let table = match partition::read(disk) {
        Ok(table) => table,
        Err(error) => return nothing_read(&files::unknown(&error)),
    };
    let candidates: Vec<Candidate> = table
        .partitions
        .iter()
        .filter(|partition| !partition::is_frame(table.kind, partition))
        .map(|partition| candidate(disk, &table, partition))
        .collect();
    let choice = root::choose(&candidates);
    let system_facts = match choice.tree {
        Ok(tree) => SystemFacts::read(tree),
        Err(unknown) => SystemFacts::unread(&choice.root, &unknown),
    };
    let SystemFacts {
        system,
        agent,
        datasources,
        sshd,
    } = system_facts;
    Facts {
        root: choice.root,
        table: Fact::Known(table),
        system,
        agent,
        datasources,
        sshd,
    }
}

fn nothing_read(unknown: &Unknown) -> Facts {
    let root = Fact::Unknown(unknown.clone());
    let SystemFacts {
        system,
        agent,
        datasources,
        sshd,
    } = SystemFacts::unread(&root, unknown);
    Facts {
        table: Fact::Unknown(unknown.clone()),
        root,
        system,
        agent,
        datasources,
        sshd,
    }
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

/// What the files of a root say.
struct SystemFacts {
    system: Fact<Option<System>>,
    agent: Fact<Option<Agent>>,
    datasources: Fact<Option<Datasources>>,
    sshd: Fact<Sshd>,
}

impl SystemFacts {
    fn read(tree: &dyn FileTree) -> Self {
        let files = match Files::new(tree) {
            Ok(files) => files,
            Err(unknown) => return Self::unread(&Fact::Known(None), &unknown),
        };
        let agent = fact(cloud_init::read(&files));
        let datasources = match &agent {
            Fact::Known(Some(agent)) if agent.kind == "cloud-init" => {
                fact(cloud_init::read_datasources(&files).map(Some))
            }
            Fact::Known(_) => Fact::Known(None),
            Fact::Unknown(unknown) => Fact::Unknown(unknown.clone()),
        };
        Self {
            system: fact(system::read(&files)),
            agent,
            datasources,
            sshd: Fact::Known(sshd::read(&files)),
        }
    }

    /// Files that are not read. Some filesystems are used by one family of systems only and tell at least that.
    fn unread(root: &Fact<Option<Root>>, unknown: &Unknown) -> Self {
        let system = match root {
            Fact::Known(Some(root)) if root.filesystem == "ntfs" => Fact::Known(Some(only_family("windows", root))),
            Fact::Known(Some(root)) if root.filesystem == "ufs" => Fact::Known(Some(only_family("freebsd", root))),
            // No filesystem holds a system: that there is none is known.
            Fact::Known(None) if unknown.code == "no_system" => Fact::Known(None),
            _ => Fact::Unknown(unknown.clone()),
        };
        Self {
            system,
            agent: Fact::Unknown(unknown.clone()),
            datasources: Fact::Unknown(unknown.clone()),
            sshd: Fact::Unknown(unknown.clone()),
        }
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
