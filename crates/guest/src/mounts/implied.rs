//! What is mounted without a line in fstab: by ostree, by Container Linux (Flatcar), and by systemd for the types of GPT
//! partitions.

use super::{Content, Planned, found};
use crate::{
    Evidence, FileTree,
    facts::{Mount, MountState, Partition},
    files::{Files, Read},
    volumes::{Found, Opened, Volumes},
};

/// Container Linux, `build_library/disk_layout.json` and systemd's `src/shared/gpt.c`: the root that is resized at first
/// boot, and the read-only `/usr`.
const CONTAINER_LINUX_ROOT: &str = "3884dd41-8582-4404-b9a8-e9b84f2df50e";
const CONTAINER_LINUX_USR: &str = "5dfbf5f4-2848-4bac-aa5e-0d9a20b745a6";

/// The Discoverable Partitions Specification's types that systemd-gpt-auto-generator(8) mounts once the root is there.
/// It mounts `/var` only for one machine, told by its machine-id, and is left out.
const BY_TYPE: &[(&str, &str)] = &[
    ("933ac7e1-2eb4-4f13-b844-0e14e2aef915", "/home"),
    ("3b8f8425-20e0-4f3b-907f-1a25a76f98e8", "/srv"),
    ("7ec6f557-3bc5-4aca-b293-16ef5df639d1", "/var/tmp"),
    ("bc13c2ff-59e6-4262-a352-b275fd6f7172", "/boot"),
];

const ESP: &str = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b";

/// "No auto", bit 63 of a partition's attributes (Discoverable Partitions Specification, "Partition Flags").
const NO_AUTO: u64 = 1 << 63;

const GENERATORS: &[&str] = &[
    "/usr/lib/systemd/system-generators/systemd-gpt-auto-generator",
    "/lib/systemd/system-generators/systemd-gpt-auto-generator",
];

/// The mounts of the root in `directory` of a tree (empty: the tree's own root) that no fstab tells of.
pub(crate) fn implied<'a>(
    alone: &Files<'_>,
    volumes: &'a Volumes,
    opened: &Opened,
    tree: &'a dyn FileTree,
    directory: &str,
) -> Read<Vec<Planned<'a>>> {
    if let Some(system) = directory.strip_prefix("/ostree/deploy/") {
        return ostree(volumes, tree, system.split('/').next().unwrap_or_default());
    }
    if is_container_linux(opened) {
        return container_linux(alone, volumes);
    }
    by_type(alone, volumes, opened)
}

fn made<'a>(
    point: &str,
    source: &str,
    evidence: Evidence,
    (state, content, opened): (MountState, Content<'a>, Option<&Opened>),
) -> Planned<'a> {
    Planned {
        mount: Mount {
            point: point.to_owned(),
            source: source.to_owned(),
            filesystem: opened
                .and_then(|opened| opened.filesystem.clone())
                .unwrap_or_else(|| "auto".to_owned()),
            options: String::new(),
            state,
            partition: opened.and_then(|opened| opened.number),
            layers: opened.map(|opened| opened.layers.clone()).unwrap_or_default(),
            evidence,
        },
        content,
    }
}

/// ostree-prepare-root(1): the filesystem's own root at `/sysroot`, its `/boot`, and one `/var` for all versions of a
/// system. Fedora CoreOS mounts the filesystem labelled `boot` over `/boot` (coreos-boot-mount-generator).
fn ostree<'a>(volumes: &'a Volumes, tree: &'a dyn FileTree, name: &str) -> Read<Vec<Planned<'a>>> {
    let from = |directory: &str| (MountState::Read, Content::Tree(tree, directory.to_owned()), None);
    let var = format!("/ostree/deploy/{name}/var");
    let evidence = || Evidence::path(format!("/ostree/deploy/{name}"));
    let mut planned = vec![
        made("/sysroot", "/", evidence(), from("")),
        made("/var", &var, evidence(), from(&var)),
    ];
    let physical = Files::joined(tree, "", &[]);
    if !physical.list("/boot")?.is_empty() {
        planned.push(made("/boot", "/boot", evidence(), from("/boot")));
    }
    if let Found::One(boot) = volumes.find("LABEL=boot") {
        planned.retain(|planned| planned.mount.point != "/boot");
        planned.push(made(
            "/boot",
            "LABEL=boot",
            Evidence::default().value("LABEL=boot"),
            found(Found::One(boot)),
        ));
    }
    Ok(planned)
}

/// Is it the root filesystem of a Container Linux?
pub(crate) fn is_container_linux(opened: &Opened) -> bool {
    let of_type = |partition: &Partition| partition.type_id == CONTAINER_LINUX_ROOT;
    opened.partition.as_ref().is_some_and(of_type)
}

/// The `/usr` with the highest priority (bits 48 to 51 of its attributes, as GRUB's gptprio chooses), the EFI partition
/// at `/boot`, and `/etc` as an overlay over what `/usr` has.
fn container_linux<'a>(alone: &Files<'_>, volumes: &'a Volumes) -> Read<Vec<Planned<'a>>> {
    let priority = |partition: &Partition| (partition.attributes >> 48) & 0xf;
    let usr = volumes
        .list()
        .iter()
        .filter(|opened| opened.filesystem.is_some())
        .filter_map(|opened| Some((opened, opened.partition.as_ref()?)))
        .filter(|(_, partition)| partition.type_id == CONTAINER_LINUX_USR)
        // The first of those with the same priority.
        .min_by_key(|(_, partition)| (u64::MAX - priority(partition), partition.number));
    let mut planned = Vec::new();
    let Some((usr, partition)) = usr else {
        return Ok(planned);
    };
    let source = partition
        .part_uuid
        .as_deref()
        .map(|uuid| format!("PARTUUID={uuid}"))
        .unwrap_or_default();
    let evidence = || Evidence::default().value(partition.name.as_deref().unwrap_or(CONTAINER_LINUX_USR));
    planned.push(made("/usr", &source, evidence(), found(Found::One(usr))));
    let below = "/share/flatcar/etc";
    let lower = usr.files().filter(|tree| matches!(tree.list(below), Ok(Some(_))));
    let untouched = alone.list("/etc")?.is_empty();
    let etc = match lower {
        Some(tree) if untouched => Content::Tree(tree, below.to_owned()),
        None if untouched => Content::Hidden,
        _ => Content::Elsewhere,
    };
    planned.push(made("/etc", "overlay", evidence(), (MountState::Read, etc, Some(usr))));
    if let Found::One(boot) = of_type(volumes, ESP) {
        planned.push(made(
            "/boot",
            "PARTLABEL=EFI-SYSTEM",
            evidence(),
            found(Found::One(boot)),
        ));
    }
    Ok(planned)
}

/// systemd-gpt-auto-generator(8): only into directories that are empty or missing.
fn by_type<'a>(alone: &Files<'_>, volumes: &'a Volumes, opened: &Opened) -> Read<Vec<Planned<'a>>> {
    let on_gpt = opened
        .partition
        .as_ref()
        .is_some_and(|partition| partition.type_id.len() == 36);
    let Some(generator) = alone.first_file(GENERATORS).ok().flatten().filter(|_| on_gpt) else {
        return Ok(Vec::new());
    };
    let mut planned = Vec::new();
    let mut plan = |kind: &str, point: &str| -> Read<()> {
        let Found::One(opened) = of_type(volumes, kind) else {
            return Ok(());
        };
        if alone.list(point)?.is_empty() {
            planned.push(made(point, kind, Evidence::path(generator), found(Found::One(opened))));
        }
        Ok(())
    };
    for (kind, point) in BY_TYPE {
        plan(kind, point)?;
    }
    // The EFI partition: only where the boot loader tells from which partition it came, as systemd-boot does.
    let has_systemd_boot = match of_type(volumes, ESP) {
        Found::One(esp) => esp
            .files()
            .is_some_and(|tree| matches!(tree.stat("/loader/loader.conf"), Ok(Some(_)))),
        _ => false,
    };
    if has_systemd_boot {
        let has_extended = matches!(of_type(volumes, "bc13c2ff-59e6-4262-a352-b275fd6f7172"), Found::One(_));
        plan(
            ESP,
            if has_extended || alone.exists("/efi")? {
                "/efi"
            } else {
                "/boot"
            },
        )?;
    }
    Ok(planned)
}

/// The first partition of a type that may be mounted by itself.
fn of_type<'a>(volumes: &'a Volumes, kind: &str) -> Found<'a> {
    let mut found = volumes.list().iter().filter(|opened| {
        let partition = opened.partition.as_ref();
        partition.is_some_and(|partition| partition.type_id == kind && partition.attributes & NO_AUTO == 0)
    });
    found.next().map_or(Found::None, Found::One)
}
