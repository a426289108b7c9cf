//! From a virtual disk to everything that is known about it. Never fails: what cannot be read is unknown, with its reason.

use std::{panic, thread};

use lotse_disk::Disk;

use crate::{
    Fact, Facts, Unknown,
    agents::{self, AgentFacts},
    boot::{self, Started},
    cloud_init::{Around, CommandLine},
    facts::Mount,
    files::{self, Files, Read},
    firewall, leftovers, network, packages, partition, root, space, sshd, system,
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
    let firmware = boot::firmware(disk, &table, &volumes);
    let mut facts = match &choice.system {
        Ok(system) => {
            let mounts: Vec<Mount> = system.planned.iter().map(|planned| planned.mount.clone()).collect();
            let started = firmware.entry(&system.files, &volumes);
            // An initramfs takes as long to unpack as all the rest to read.
            let (boot, facts) = thread::scope(|scope| {
                let boot = scope.spawn(|| started.finish(&mounts));
                let facts = read_system(&system.files, &volumes, &started);
                (boot.join(), facts)
            });
            let space = space::read(&system.files, &table, &volumes, system.opened, &mounts, disk.len());
            Facts {
                space: Fact::Known(space),
                boot: boot.unwrap_or_else(|panic| panic::resume_unwind(panic)),
                mounts: Fact::Known(mounts),
                ..facts
            }
        }
        Err(unknown) => Facts {
            system: system::of_unread(&choice.root, &table, unknown),
            boot: firmware.without_system(unknown),
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
fn read_system(files: &Files<'_>, volumes: &Volumes, started: &Started<'_>) -> Facts {
    let agents = read_agents(files, volumes, started);
    let sshd = sshd::read(files);
    let firewall = match &sshd.ports {
        Fact::Known(ports) => firewall::read(files, &ports.value),
        Fact::Unknown(unknown) => Fact::Unknown(unknown.clone()),
    };
    Facts {
        system: fact(system::read(files)),
        packages: Fact::Known(packages::read(files)),
        sshd: Fact::Known(sshd),
        network: Fact::Known(network::read(files)),
        firewall,
        leftovers: Fact::Known(leftovers::read(files)),
        agent: agents.agent,
        removed_agent: agents.removed,
        datasources: agents.datasources,
        cloud_init: agents.cloud_init,
        ignition: agents.ignition,
        login: agents.login,
        ..Facts::unread(&Unknown::new("no_system"))
    }
}

/// The program that configures a VM, and what it is told to do.
fn read_agents(files: &Files<'_>, volumes: &Volumes, started: &Started<'_>) -> AgentFacts {
    let labels = volumes.labels();
    let entry = match started.entry() {
        Fact::Known(entry) => entry.as_ref(),
        Fact::Unknown(_) => None,
    };
    let around = Around {
        command_line: entry.map(|entry| CommandLine {
            text: entry.command_line.clone(),
            evidence: entry.evidence.last().cloned().unwrap_or_default(),
        }),
        labels: &labels,
        started: Some(started),
    };
    agents::facts(files, &around)
}

fn fact<T>(read: Read<T>) -> Fact<T> {
    match read {
        Ok(value) => Fact::Known(value),
        Err(unknown) => Fact::Unknown(unknown),
    }
}
