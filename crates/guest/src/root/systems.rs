//! The systems on the disk: every directory that looks like a root, with what is mounted into it.

use crate::{
    Evidence, FileTree, Unknown,
    facts::FoundSystem,
    files::{Files, Read},
    mounts::{self, Planned},
    tree::parts,
    volumes::{Opened, Volumes},
};

/// ostree's systems and deployments that are looked at, at most.
const MAX_DEPLOYMENTS: usize = 32;

/// Largest release file that is read, in bytes.
const RELEASE_LIMIT: usize = 64 * 1024;

/// Files of which every root has one; a link is enough, for it may lead to a `/usr` elsewhere.
const RELEASES: &[&str] = &[
    "/etc/os-release",
    "/usr/lib/os-release",
    "/etc/redhat-release",
    "/etc/debian_version",
    "/etc/alpine-release",
    "/etc/gentoo-release",
    "/etc/SuSE-release",
    "/etc/arch-release",
    "/etc/slackware-version",
];

const INITS: &[&str] = &[
    "/sbin/init",
    "/usr/sbin/init",
    "/usr/lib/systemd/systemd",
    "/lib/systemd/systemd",
    "/init",
];

/// How much a directory looks like a root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Likeness {
    None,
    /// `/etc` and a release file, but nothing to start (a rescue system, a container's files).
    System,
    /// Also an init program.
    Bootable,
}

/// A system with its filesystems joined.
pub(crate) struct System<'a> {
    pub(crate) opened: &'a Opened,
    /// The directory of the filesystem which is `/`; empty for the filesystem's own root.
    pub(crate) directory: String,
    pub(crate) planned: Vec<Planned<'a>>,
    pub(crate) files: Files<'a>,
    pub(crate) likeness: Likeness,
}

impl System<'_> {
    /// As a fact; `why` is what decided that it was chosen.
    pub(crate) fn fact(&self, chosen: bool, why: Option<&Evidence>) -> FoundSystem {
        let name = name(&self.files);
        FoundSystem {
            partition: self.opened.number,
            layers: self.opened.layers.clone(),
            directory: (!self.directory.is_empty()).then(|| self.directory.clone()),
            name: name.as_ref().map(|(name, _)| name.clone()),
            chosen,
            evidence: name
                .map(|(_, evidence)| evidence)
                .into_iter()
                .chain(why.filter(|_| chosen).cloned())
                .collect(),
        }
    }
}

/// Every system in a filesystem whose files are read. An error where it may hold one but cannot be read.
pub(crate) fn find<'a>(volumes: &'a Volumes, opened: &'a Opened, tree: &'a dyn FileTree) -> Read<Vec<System<'a>>> {
    let mut found = Vec::new();
    for directory in deployments(tree)? {
        let system = join(volumes, opened, tree, directory)?;
        found.extend((system.likeness > Likeness::None).then_some(system));
    }
    let system = join(volumes, opened, tree, String::new())?;
    found.extend((system.likeness > Likeness::None).then_some(system));
    Ok(found)
}

fn join<'a>(volumes: &'a Volumes, opened: &'a Opened, tree: &'a dyn FileTree, directory: String) -> Read<System<'a>> {
    let alone = Files::joined(tree, &directory, &[]);
    let mut planned = mounts::read(&alone, volumes)?;
    let implied = mounts::implied(&alone, volumes, opened, tree, &directory)?;
    for mount in implied {
        if planned.iter().all(|planned| planned.mount.point != mount.mount.point) {
            planned.push(mount);
        }
    }
    let files = Files::joined(tree, &directory, &planned);
    Ok(System {
        opened,
        likeness: if mounts::is_container_linux(opened) && !planned.is_empty() {
            // Nearly empty until its first boot: everything comes from `/usr`.
            Likeness::Bootable
        } else {
            likeness(&files)?
        },
        directory,
        planned,
        files,
    })
}

/// ostree keeps each version of a system in `/ostree/deploy/<name>/deploy/<checksum>.<number>` (ostree(1), "Deployments").
fn deployments(tree: &dyn FileTree) -> Read<Vec<String>> {
    let files = Files::joined(tree, "", &[]);
    let mut found = Vec::new();
    for name in files.list("/ostree/deploy")? {
        let folder = format!("/ostree/deploy/{name}/deploy");
        for version in files.list(&folder)? {
            let path = format!("{folder}/{version}");
            // Beside each stands a file `<checksum>.<number>.origin`.
            let numbered = version
                .rsplit_once('.')
                .is_some_and(|(_, number)| number.parse::<u32>().is_ok());
            if numbered && found.len() < MAX_DEPLOYMENTS {
                found.push(path);
            }
        }
    }
    Ok(found)
}

fn likeness(files: &Files<'_>) -> Read<Likeness> {
    let any = |paths: &[&str]| -> Read<bool> {
        for path in paths {
            match files.exists(path) {
                Ok(true) => return Ok(true),
                // A mount of its own that is not read may well hold it.
                Err(unknown) if unknown.code == "file_on_other_filesystem" => return Ok(true),
                Ok(false) => {}
                Err(unknown) => return Err(unknown),
            }
        }
        Ok(false)
    };
    if files.list("/etc")?.is_empty() {
        return Ok(Likeness::None);
    }
    let init = any(INITS)?;
    Ok(match any(RELEASES)? {
        true if init => Likeness::Bootable,
        true => Likeness::System,
        // Too old or too small for a release file.
        false if init && any(&["/etc/passwd"])? => Likeness::Bootable,
        false => Likeness::None,
    })
}

/// What the system calls itself, and where.
fn name(files: &Files<'_>) -> Option<(String, Evidence)> {
    let text = |path: &str| files.read_text(path, RELEASE_LIMIT).ok().flatten();
    for path in ["/etc/os-release", "/usr/lib/os-release"] {
        let Some(text) = text(path) else { continue };
        let line = |key: &str| {
            (1..).zip(text.lines()).find_map(|(number, line)| {
                let value = line.trim().strip_prefix(key)?.strip_prefix('=')?;
                Some((number, value.trim_matches(['"', '\'']).to_owned()))
            })
        };
        if let Some((number, name)) = line("PRETTY_NAME").or_else(|| line("NAME")).or_else(|| line("ID")) {
            return Some((name.clone(), Evidence::path(path).line(number).value(&name)));
        }
    }
    for path in [
        "/etc/redhat-release",
        "/etc/SuSE-release",
        "/etc/gentoo-release",
        "/etc/debian_version",
        "/etc/alpine-release",
    ] {
        let Some(text) = text(path) else { continue };
        if let Some(first) = text.lines().map(str::trim).find(|line| !line.is_empty()) {
            let name = match path {
                "/etc/debian_version" => format!("Debian {first}"),
                "/etc/alpine-release" => format!("Alpine Linux {first}"),
                _ => first.to_owned(),
            };
            return Some((name, Evidence::path(path).line(1).value(first)));
        }
    }
    None
}

/// Does a boot entry's `ostree=` lead to this deployment? It names a link in the root filesystem.
pub(crate) fn is_deployment(system: &System<'_>, tree: &dyn FileTree, path: &str) -> bool {
    if system.directory.is_empty() {
        return false;
    }
    let files = Files::joined(tree, "", &[]);
    let wanted = parts(&system.directory).fold(String::new(), |path, part| path + "/" + part);
    files.real_path(path).ok().flatten().is_some_and(|real| real == wanted)
}

/// The reason why a filesystem that may hold a root cannot be judged.
pub(crate) fn not_read(opened: &Opened) -> Option<Unknown> {
    if let Some(closed) = &opened.closed {
        return Some(closed.clone());
    }
    match &opened.tree {
        Some(Err(error)) => Some(crate::files::unknown(error)),
        _ => None,
    }
}
