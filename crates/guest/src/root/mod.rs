//! Which of a disk's filesystems holds `/`: the one that looks like a root, of several the one that the boot entries
//! name, else the only one that could be it.

mod entries;
mod systems;

use self::systems::Likeness;
pub(crate) use self::systems::System;
use crate::{
    Evidence, Fact, Unknown,
    facts::{FoundSystem, Root},
    volumes::{Found, Opened, Volumes, inside_layer},
};

/// Smallest partition that may hold a system without being recognised, in bytes: 64 MiB. Boot loaders' partitions and
/// gaps are smaller.
const MIN_ROOT: u64 = 64 << 20;

/// Filesystems that can hold a root but whose files are not read.
const UNREAD: &[&str] = &[
    "xfs", "btrfs", "bcachefs", "f2fs", "jfs", "nilfs2", "reiserfs", "zfs", "ufs", "ntfs", "refs", "apfs", "hfsplus",
    "squashfs", "erofs",
];

/// What lies between a partition and a filesystem; which filesystem stands inside is not known where it is not looked
/// through.
const LAYERS: &[&str] = &["luks", "lvm", "mdraid", "bcache", "bitlocker"];

/// The label of the filesystem onto which CirrOS unpacks itself at its first boot (its `/init`: `ROOTFS_LABEL`).
const CIRROS: &str = "cirros-rootfs";

/// The root and its files; the latter as the reason why not where they cannot be read.
pub(crate) struct Choice<'a> {
    pub(crate) root: Fact<Option<Root>>,
    pub(crate) systems: Fact<Vec<FoundSystem>>,
    pub(crate) system: Result<System<'a>, Unknown>,
}

impl Choice<'_> {
    fn unknown(unknown: Unknown, systems: Fact<Vec<FoundSystem>>) -> Self {
        Self {
            root: Fact::Unknown(unknown.clone()),
            systems,
            system: Err(unknown),
        }
    }
}

/// A filesystem that may hold the root but cannot be read.
struct Unread<'a> {
    opened: &'a Opened,
    kind: &'a str,
    why: Unknown,
}

fn root_in(opened: &Opened, directory: &str, read: bool) -> Root {
    Root {
        filesystem: opened.filesystem.clone().unwrap_or_default(),
        partition: opened.number,
        layers: opened.layers.clone(),
        read,
        directory: (!directory.is_empty()).then(|| directory.to_owned()),
        uuid: opened.uuid.clone(),
    }
}

/// Chooses the root.
pub(crate) fn choose(volumes: &Volumes) -> Choice<'_> {
    let mut systems: Vec<System<'_>> = Vec::new();
    let mut unread: Vec<Unread<'_>> = Vec::new();
    for opened in volumes.list() {
        let kind = opened.filesystem.as_deref();
        if let Some(tree) = opened.files().filter(|_| kind != Some("vfat")) {
            match systems::find(volumes, opened, tree) {
                Ok(mut found) => systems.append(&mut found),
                Err(why) => unread.extend(kind.map(|kind| Unread { opened, kind, why })),
            }
        } else {
            unread.extend(unread_root(opened));
        }
    }
    let most = systems.iter().map(|system| system.likeness).max();
    let likely = systems.iter().filter(|system| Some(system.likeness) == most).count();
    let decided = match likely {
        0 => return choose_unread(volumes, &unread),
        1 => systems
            .iter()
            .position(|system| Some(system.likeness) == most)
            .map(|index| (index, None)),
        _ => by_boot_entries(volumes, &systems, most).map(|(index, why)| (index, Some(why))),
    };
    let chosen = decided.as_ref().map(|(index, _)| *index);
    let why = decided.as_ref().and_then(|(_, why)| why.as_ref());
    let facts = systems.iter().enumerate();
    let facts = Fact::Known(
        facts
            .map(|(index, system)| system.fact(chosen == Some(index), why))
            .collect(),
    );
    let Some(index) = chosen.filter(|index| *index < systems.len()) else {
        let places = systems.iter().filter(|system| Some(system.likeness) == most);
        let mut numbers: Vec<u32> = places.filter_map(|system| system.opened.number).collect();
        numbers.dedup();
        let numbers: Vec<String> = numbers.iter().map(u32::to_string).collect();
        let unknown = Unknown::new("several_systems").with("partitions", numbers.join(", "));
        return Choice::unknown(unknown, facts);
    };
    let system = systems.swap_remove(index);
    Choice {
        root: Fact::Known(Some(root_in(system.opened, &system.directory, true))),
        systems: facts,
        system: Ok(system),
    }
}

/// A volume that may hold the root although its files are not read, with the reason.
fn unread_root(opened: &Opened) -> Option<Unread<'_>> {
    let unread = |kind, why| Some(Unread { opened, kind, why });
    let kind = opened.filesystem.as_deref();
    match (kind, systems::not_read(opened)) {
        _ if opened.looked_through => None,
        (Some("vfat"), _) => None,
        (kind, Some(why)) => unread(kind.or(opened.layers.last().map(String::as_str))?, why),
        (Some(kind), None) if LAYERS.contains(&kind) => {
            let layers: Vec<String> = opened.layers.iter().cloned().chain([kind.to_owned()]).collect();
            unread(kind, inside_layer(&layers, opened.number))
        }
        (Some(kind), None) if UNREAD.contains(&kind) => {
            unread(kind, Unknown::new("filesystem_not_read").with("filesystem", kind))
        }
        _ => None,
    }
}

/// Of several systems the one that every default boot entry names, with the first entry that does.
fn by_boot_entries(volumes: &Volumes, systems: &[System<'_>], most: Option<Likeness>) -> Option<(usize, Evidence)> {
    let mut decided: Option<(usize, Evidence)> = None;
    for (_, entry) in entries::defaults(volumes) {
        let named: Vec<usize> = systems
            .iter()
            .enumerate()
            .filter(|(_, system)| Some(system.likeness) == most && is_named(volumes, system, &entry))
            .map(|(index, _)| index)
            .collect();
        match (named.as_slice(), &decided) {
            ([index], None) => decided = Some((*index, entry.evidence)),
            ([index], Some((known, _))) if index == known => {}
            // Names another one, or none of these.
            _ => return None,
        }
    }
    decided
}

fn is_named(volumes: &Volumes, system: &System<'_>, entry: &entries::Entry) -> bool {
    let on_this = match entry.root.as_deref().map(|root| volumes.find(root)) {
        Some(Found::One(opened)) => std::ptr::eq(opened, system.opened),
        // What cannot be followed (`/dev/mapper/…` of a layer, a variable) speaks for none, except where ostree decides.
        Some(_) => false,
        None => entry.ostree.is_some(),
    };
    match (&entry.ostree, system.opened.files()) {
        (Some(ostree), Some(tree)) => on_this && systems::is_deployment(system, tree, ostree),
        _ => on_this && system.directory.is_empty(),
    }
}

/// No readable filesystem is a root: the largest of those that could be, as long as all are of one kind and nothing else
/// could hold a system.
fn choose_unread<'a>(volumes: &'a Volumes, unread: &[Unread<'a>]) -> Choice<'a> {
    let none = || Fact::Known(Vec::new());
    if let Some(opened) = volumes
        .list()
        .iter()
        .find(|opened| opened.label.as_deref() == Some(CIRROS) && opened.files().is_some())
    {
        let unknown = Unknown::new("system_unpacked_at_boot");
        return Choice {
            root: Fact::Known(Some(root_in(opened, "", true))),
            systems: Fact::Unknown(unknown.clone()),
            system: Err(unknown),
        };
    }
    let blank = volumes.list().iter().find(|opened| {
        let unrecognised = opened.filesystem.is_none() && opened.closed.is_none();
        unrecognised && opened.len >= MIN_ROOT
    });
    if let Some(opened) = blank {
        let place = opened.number.map(|number| number.to_string()).unwrap_or_default();
        let unknown = Unknown::new("filesystem_not_recognised").with("partition", place);
        return Choice::unknown(unknown.clone(), Fact::Unknown(unknown));
    }
    // What is called `root` goes before what is merely large.
    let rank = |unread: &Unread<'_>| (unread.opened.is_called_root(), unread.opened.len);
    let Some(likely) = unread.iter().max_by_key(|unread| rank(unread)) else {
        return Choice {
            root: Fact::Known(None),
            systems: none(),
            system: Err(Unknown::new("no_system")),
        };
    };
    let mut kinds: Vec<&str> = unread.iter().map(|unread| unread.kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let unknown = if kinds.len() > 1 && !likely.opened.is_called_root() {
        Unknown::new("filesystem_not_read").with("filesystem", kinds.join(", "))
    } else {
        likely.why.clone()
    };
    let is_certain = kinds.len() == 1 || likely.opened.is_called_root();
    if !is_certain || unknown.code == "root_inside_layer" {
        return Choice::unknown(unknown.clone(), Fact::Unknown(unknown));
    }
    Choice {
        root: Fact::Known(Some(root_in(likely.opened, "", false))),
        systems: Fact::Unknown(unknown.clone()),
        system: Err(unknown),
    }
}

#[cfg(test)]
mod tests;
