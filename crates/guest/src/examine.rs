//! From a virtual disk to everything that is known about it. Never fails: what cannot be read is unknown, with its reason.

use lotse_disk::Disk;

use crate::{
    Evidence, Fact, Facts, Unknown, cloud_init,
    facts::{Root, System},
    files::{self, Files, Read},
    leftovers, packages, partition, root, sshd, system,
    volumes::Volumes,
};

/// Reads everything that the rules ask for.
pub fn examine(disk: &Disk) -> Facts {
    let table = match partition::read(disk) {
        Ok(table) => table,
        Err(error) => return Facts::unread(&files::unknown(&error)),
    };
    let volumes = Volumes::open(disk, &table);
    let choice = root::choose(&volumes);
    let mut facts = match &choice.system {
        Ok(system) => Facts {
            mounts: Fact::Known(system.planned.iter().map(|planned| planned.mount.clone()).collect()),
            ..read_system(&system.files, &volumes)
        },
        Err(unknown) => Facts {
            system: system_of_unread(&choice.root, unknown),
            ..Facts::unread(unknown)
        },
    };
    facts.root = choice.root;
    facts.systems = choice.systems;
    facts.volumes = Fact::Known(volumes.facts());
    facts.table = Fact::Known(table);
    facts
}

/// What the files of a root and the other volumes say; table and root are left to the caller.
fn read_system(files: &Files<'_>, _volumes: &Volumes) -> Facts {
    let agent = fact(cloud_init::read(files));
    let datasources = match &agent {
        Fact::Known(Some(agent)) if agent.kind == "cloud-init" => fact(cloud_init::read_datasources(files).map(Some)),
        Fact::Known(_) => Fact::Known(None),
        Fact::Unknown(unknown) => Fact::Unknown(unknown.clone()),
    };
    Facts {
        system: fact(system::read(files)),
        packages: Fact::Known(packages::read(files)),
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
