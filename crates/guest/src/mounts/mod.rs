//! What the system mounts at boot: `/etc/fstab`, each line with the volume that it means.

mod implied;

use crate::{
    Evidence, FileTree,
    facts::{Mount, MountState},
    files::{Files, Read},
    volumes::{Found, Opened, Volumes},
};

pub(crate) use self::implied::{implied, is_container_linux};

/// Where fstab(5) stands.
const FSTAB: &str = "/etc/fstab";

/// Largest `/etc/fstab` that is read, in bytes.
const FSTAB_LIMIT: usize = 1 << 20;

/// Lines of an fstab that are looked at, at most.
const MAX_LINES: usize = 1024;

/// Filesystems without a disk behind them (Linux `/proc/filesystems`: nodev).
const VIRTUAL: &[&str] = &[
    "autofs",
    "binfmt_misc",
    "bpf",
    "cgroup",
    "cgroup2",
    "configfs",
    "debugfs",
    "devpts",
    "devtmpfs",
    "efivarfs",
    "fusectl",
    "hugetlbfs",
    "mqueue",
    "proc",
    "pstore",
    "ramfs",
    "securityfs",
    "sysfs",
    "tmpfs",
    "tracefs",
    "usbfs",
];

/// A mount, and what was found of it.
pub(crate) struct Planned<'a> {
    pub(crate) mount: Mount,
    /// What takes its place below [`Mount::point`].
    pub(crate) content: Content<'a>,
}

/// What is seen below a mount point.
pub(crate) enum Content<'a> {
    /// What stands below this directory of a tree, empty for all of it.
    Tree(&'a dyn FileTree, String),
    /// What stands below another directory of the same system.
    Bind(String),
    /// Files that are not read although they are on this disk: what stands below it on the root is hidden.
    Hidden,
    /// Perhaps files of something that is not on this disk.
    Elsewhere,
    /// Nothing that changes what is seen.
    Nothing,
}

/// Reads the fstab of a root with nothing mounted into it and finds its volumes; the mount of `/` itself is among them.
pub(crate) fn read<'a>(alone: &Files<'_>, volumes: &'a Volumes) -> Read<Vec<Planned<'a>>> {
    let fstab = alone.read(FSTAB, FSTAB_LIMIT)?.unwrap_or_default();
    let text = String::from_utf8_lossy(&fstab);
    let lines = (1..).zip(text.lines()).take(MAX_LINES);
    Ok(lines
        .filter_map(|(number, line)| planned(number, line, volumes))
        .collect())
}

/// fstab(5): source, mount point, type, options; comments begin with `#`.
fn planned<'a>(number: u32, line: &str, volumes: &'a Volumes) -> Option<Planned<'a>> {
    let line = line.trim();
    if line.starts_with('#') {
        return None;
    }
    let mut fields = line.split_ascii_whitespace().map(unescaped);
    let (source, point) = (fields.next()?, fields.next()?);
    let filesystem = fields.next().unwrap_or_else(|| "auto".to_owned());
    let options = fields.next().unwrap_or_else(|| "defaults".to_owned());
    let has = |wanted: &[&str]| options.split(',').any(|option| wanted.contains(&option));
    let point = match point.trim_end_matches('/') {
        "" => "/".to_owned(),
        point => point.to_owned(),
    };
    let is_swap = filesystem == "swap";
    let (state, content, opened) = if VIRTUAL.contains(&filesystem.as_str()) {
        (MountState::Virtual, Content::Nothing, None)
    } else if has(&["noauto"]) && !has(&["x-systemd.automount"]) {
        (MountState::NotAtBoot, Content::Nothing, None)
    } else if has(&["bind", "rbind"]) && source.starts_with('/') {
        (MountState::Read, Content::Bind(source.clone()), None)
    } else {
        found(volumes.find(&source))
    };
    let content = if is_swap || !point.starts_with('/') {
        Content::Nothing
    } else {
        content
    };
    Some(Planned {
        mount: Mount {
            point,
            source,
            filesystem,
            options,
            state,
            partition: opened.and_then(|opened| opened.number),
            layers: opened.map(|opened| opened.layers.clone()).unwrap_or_default(),
            evidence: Evidence::path(FSTAB).line(number).value(line),
        },
        content,
    })
}

fn found(found: Found<'_>) -> (MountState, Content<'_>, Option<&Opened>) {
    match found {
        Found::One(opened) => match opened.files() {
            Some(tree) => (MountState::Read, Content::Tree(tree, String::new()), Some(opened)),
            None => (MountState::NotRead, Content::Hidden, Some(opened)),
        },
        Found::Several => (MountState::Ambiguous, Content::Hidden, None),
        Found::None => (MountState::NotOnDisk, Content::Elsewhere, None),
        Found::NotFollowed => (MountState::NotFollowed, Content::Elsewhere, None),
    }
}

/// fstab(5): a space in a field is written as `\040`, other characters likewise.
fn unescaped(field: &str) -> String {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = after
            .get(..3)
            .and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        match code {
            Some(code) if *first == b'\\' => {
                bytes.push(code);
                rest = after.get(3..).unwrap_or_default();
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
