//! From a virtual disk to everything that is known about it. Never fails: what cannot be read is unknown, with its reason.

use lotse_disk::Disk;

use crate::{
    Evidence, Fact, Facts, Unknown, agents,
    cloud_init::{self, Around},
    facts::{Root, System},
    files::{self, Files, Read},
    firewall, leftovers, packages, partition, root, sshd, system,
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
fn read_system(files: &Files<'_>, volumes: &Volumes) -> Facts {
    let agents = read_agents(files, volumes);
    Facts {
        system: fact(system::read(files)),
        packages: Fact::Known(packages::read(files)),
        sshd: Fact::Known(sshd::read(files)),
        firewall: firewall::read(files, &[22]),
        leftovers: Fact::Known(leftovers::read(files)),
        ..agents
    }
}

/// The program that configures a VM, and what it is told to do; everything else is left to the caller.
fn read_agents(files: &Files<'_>, volumes: &Volumes) -> Facts {
    let labels = volumes.labels();
    let around = Around {
        command_line: None,
        labels: &labels,
    };
    let agent = agents::read(files, &around);
    let nothing = Facts::unread(&Unknown::new("no_system"));
    let kind = match &agent {
        Ok(agent) => agent.as_ref().map(|agent| agent.kind.as_str()),
        Err(unknown) => {
            return Facts {
                agent: Fact::Unknown(unknown.clone()),
                datasources: Fact::Unknown(unknown.clone()),
                cloud_init: Fact::Unknown(unknown.clone()),
                ignition: Fact::Unknown(unknown.clone()),
                login: Fact::Unknown(unknown.clone()),
                ..nothing
            };
        }
    };
    let (datasources, cloud_init, login) = if kind == Some("cloud-init") {
        let settings = cloud_init::settings(files, &around);
        (
            settings.datasources.some(),
            settings.cloud_init.some(),
            settings.login.some(),
        )
    } else {
        let login = kind.and_then(|kind| agents::login(files, kind));
        (Fact::Known(None), Fact::Known(None), Fact::Known(login))
    };
    let ignition = match kind {
        Some("ignition") => fact(agents::read_ignition(files, &around).map(Some)),
        _ => Fact::Known(None),
    };
    Facts {
        agent: fact(agent),
        datasources,
        cloud_init,
        ignition,
        login,
        ..nothing
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
