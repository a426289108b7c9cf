//! Which of a disk's filesystems holds `/`: the one that looks like a root, else the only one that could be it.

use std::sync::Arc;

use crate::{Error, Fact, FileTree, Unknown, facts::Root, files, volumes::Opened};

/// Smallest partition that may hold a system without being recognised, in bytes: 64 MiB. Boot loaders' partitions and
/// gaps are smaller.
const MIN_ROOT: u64 = 64 << 20;

/// Filesystems that can hold a root but whose files are not read.
const UNREAD: &[&str] = &["xfs", "btrfs", "f2fs", "zfs", "ufs", "ntfs"];

/// What lies between a partition and a filesystem and is not looked into; which filesystem stands inside is not known.
const LAYERS: &[&str] = &["luks", "lvm", "mdraid"];

/// Files of which every root has one; a link is enough, for it may lead to a `/usr` elsewhere.
const RELEASES: &[&str] = &[
    "/etc/os-release",
    "/usr/lib/os-release",
    "/etc/redhat-release",
    "/etc/debian_version",
    "/etc/alpine-release",
];

const INITS: &[&str] = &[
    "/sbin/init",
    "/usr/sbin/init",
    "/usr/lib/systemd/systemd",
    "/lib/systemd/systemd",
    "/init",
];

/// A partition, or a disk without a table, and what stands in it.
pub(crate) struct Candidate {
    /// As the table counts; `None` without a table.
    pub(crate) number: Option<u32>,
    /// Length in bytes.
    pub(crate) len: u64,
    /// As in [`crate::facts::Partition::filesystem`].
    pub(crate) filesystem: Option<String>,
    /// Its files, where the filesystem is one that is read.
    pub(crate) tree: Option<Result<Arc<dyn FileTree>, Error>>,
}

impl From<&Opened> for Candidate {
    fn from(opened: &Opened) -> Self {
        Self {
            number: opened.number,
            len: opened.volume.len(),
            filesystem: opened.filesystem.clone(),
            tree: opened.tree.clone(),
        }
    }
}

impl Candidate {
    /// The number as a parameter; empty without a table.
    fn place(&self) -> String {
        self.number.map(|number| number.to_string()).unwrap_or_default()
    }

    fn root(&self, filesystem: &str, read: bool) -> Root {
        Root {
            filesystem: filesystem.to_owned(),
            partition: self.number,
            read,
            ..Root::default()
        }
    }
}

/// The root and its files; the latter as the reason why not where they cannot be read.
pub(crate) struct Choice<'a> {
    pub(crate) root: Fact<Option<Root>>,
    pub(crate) tree: Result<&'a dyn FileTree, Unknown>,
}

impl Choice<'_> {
    fn unknown(unknown: Unknown) -> Self {
        Self {
            root: Fact::Unknown(unknown.clone()),
            tree: Err(unknown),
        }
    }
}

/// How much a filesystem looks like a root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Likeness {
    None,
    /// `/etc` and a release file, but nothing to start (a rescue system, a container's files).
    System,
    /// Also an init program.
    Bootable,
}

/// Chooses the root.
pub(crate) fn choose(candidates: &[Candidate]) -> Choice<'_> {
    let mut roots: Vec<(Likeness, &Candidate, &str, &dyn FileTree)> = Vec::new();
    let mut unread: Vec<(&Candidate, &str, Unknown)> = Vec::new();
    for candidate in candidates {
        let Some(filesystem) = candidate.filesystem.as_deref() else {
            continue;
        };
        match &candidate.tree {
            Some(Ok(tree)) => match likeness(tree.as_ref()) {
                Ok(Likeness::None) => {}
                Ok(likeness) => roots.push((likeness, candidate, filesystem, tree.as_ref())),
                Err(error) => unread.push((candidate, filesystem, files::unknown(&error))),
            },
            Some(Err(_)) if filesystem == "vfat" => {}
            Some(Err(error)) => unread.push((candidate, filesystem, files::unknown(error))),
            None if LAYERS.contains(&filesystem) => {
                unread.push((candidate, filesystem, inside_layer(candidate, filesystem)));
            }
            None if UNREAD.contains(&filesystem) => {
                let unknown = Unknown::new("filesystem_not_read").with("filesystem", filesystem);
                unread.push((candidate, filesystem, unknown));
            }
            None => {}
        }
    }
    let most = roots.iter().map(|(likeness, ..)| *likeness).max();
    roots.retain(|(likeness, ..)| Some(*likeness) == most);
    match roots.as_slice() {
        [(_, candidate, filesystem, tree)] => Choice {
            root: Fact::Known(Some(candidate.root(filesystem, true))),
            tree: Ok(*tree),
        },
        [] => choose_unread(candidates, &unread),
        several => {
            let numbers: Vec<String> = several
                .iter()
                .filter_map(|(_, root, ..)| root.number)
                .map(|number| number.to_string())
                .collect();
            Choice::unknown(Unknown::new("several_systems").with("partitions", numbers.join(", ")))
        }
    }
}

/// No readable filesystem is a root: the largest of those that could be, as long as all are of one kind and nothing else
/// could hold a system.
fn choose_unread<'a>(candidates: &[Candidate], unread: &[(&Candidate, &str, Unknown)]) -> Choice<'a> {
    let blank = candidates
        .iter()
        .find(|candidate| candidate.filesystem.is_none() && candidate.len >= MIN_ROOT);
    if let Some(candidate) = blank {
        let unknown = Unknown::new("filesystem_not_recognised").with("partition", candidate.place());
        return Choice::unknown(unknown);
    }
    let Some((largest, filesystem, unknown)) = unread.iter().max_by_key(|(candidate, ..)| candidate.len) else {
        return Choice {
            root: Fact::Known(None),
            tree: Err(Unknown::new("no_system")),
        };
    };
    let mut kinds: Vec<&str> = unread.iter().map(|(_, kind, _)| *kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    if kinds.len() > 1 {
        return Choice::unknown(Unknown::new("filesystem_not_read").with("filesystem", kinds.join(", ")));
    }
    if LAYERS.contains(filesystem) {
        return Choice::unknown(unknown.clone());
    }
    Choice {
        root: Fact::Known(Some(largest.root(filesystem, false))),
        tree: Err(unknown.clone()),
    }
}

fn inside_layer(candidate: &Candidate, layer: &str) -> Unknown {
    Unknown::new("root_inside_layer")
        .with("layers", layer)
        .with("partition", candidate.place())
}

fn likeness(tree: &dyn FileTree) -> Result<Likeness, Error> {
    let any = |paths: &[&str]| -> Result<bool, Error> {
        for path in paths {
            if tree.lstat(path)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    };
    if tree.list("/etc")?.is_none() {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Kind, MemoryTree};

    fn candidate(number: u32, filesystem: &str, len: u64) -> Candidate {
        Candidate {
            number: Some(number),
            len,
            filesystem: Some(filesystem.to_owned()),
            tree: None,
        }
    }

    fn with_tree(number: u32, tree: MemoryTree) -> Candidate {
        Candidate {
            tree: Some(Ok(Arc::new(tree))),
            ..candidate(number, "ext4", 1 << 30)
        }
    }

    fn system() -> MemoryTree {
        MemoryTree::new()
            .symlink("/etc/os-release", "../usr/lib/os-release")
            .symlink("/sbin/init", "/lib/systemd/systemd")
    }

    fn boot() -> MemoryTree {
        MemoryTree::new().file("/vmlinuz", "").dir("/grub")
    }

    fn chosen(candidates: &[Candidate]) -> Fact<Option<Root>> {
        choose(candidates).root
    }

    #[test]
    fn the_filesystem_with_a_system_is_the_root() {
        let root = chosen(&[
            with_tree(1, boot()),
            candidate(14, "vfat", 1 << 20),
            with_tree(3, system()),
        ]);
        let Fact::Known(Some(root)) = root else {
            panic!("{root:?}")
        };
        assert_eq!(
            (root.partition, root.filesystem.as_str(), root.read),
            (Some(3), "ext4", true)
        );
    }

    #[test]
    fn a_system_that_can_start_is_preferred_and_two_of_them_are_not_guessed_at() {
        let rescue = system().without("/sbin/init");
        let root = chosen(&[with_tree(1, rescue), with_tree(2, system())]);
        assert!(matches!(root, Fact::Known(Some(Root { partition: Some(2), .. }))));
        let Fact::Unknown(unknown) = chosen(&[with_tree(1, system()), with_tree(2, system())]) else {
            panic!()
        };
        assert_eq!(
            (unknown.code.as_str(), unknown.params["partitions"].as_str()),
            ("several_systems", "1, 2")
        );
    }

    #[test]
    fn a_filesystem_that_is_not_read_is_named_as_the_root_only_without_doubt() {
        let boot_and_root = [
            candidate(1, "vfat", 1 << 20),
            candidate(2, "xfs", 1 << 30),
            candidate(3, "xfs", 8 << 30),
        ];
        let choice = choose(&boot_and_root);
        assert!(matches!(
            &choice.root,
            Fact::Known(Some(Root {
                partition: Some(3),
                read: false,
                ..
            }))
        ));
        assert_eq!(choice.tree.err().unwrap().params["filesystem"], "xfs");
        let Fact::Unknown(unknown) = chosen(&[candidate(1, "xfs", 1 << 30), candidate(2, "lvm", 8 << 30)]) else {
            panic!()
        };
        assert_eq!(
            (unknown.code.as_str(), unknown.params["filesystem"].as_str()),
            ("filesystem_not_read", "lvm, xfs")
        );
        assert!(
            matches!(
                chosen(&[candidate(1, "xfs", 9 << 30), with_tree(2, system())]),
                Fact::Known(Some(Root { read: true, .. }))
            ),
            "a data disk beside the root does not matter"
        );
    }

    #[test]
    fn a_damaged_filesystem_is_unknown_and_not_missing() {
        let dirty = Candidate {
            tree: Some(Err(Error::new(Kind::Incompatible, "journal_dirty"))),
            ..candidate(1, "ext4", 1 << 30)
        };
        let candidates = [dirty];
        let choice = choose(&candidates);
        assert!(matches!(&choice.root, Fact::Known(Some(Root { read: false, .. }))));
        assert_eq!(choice.tree.err().unwrap().code, "journal_dirty");
    }

    fn blank(number: u32, len: u64) -> Candidate {
        Candidate {
            filesystem: None,
            ..candidate(number, "", len)
        }
    }

    #[test]
    fn a_data_partition_is_not_the_root_while_another_was_not_recognised() {
        for data in ["xfs", "ntfs", "lvm"] {
            let candidates = [candidate(1, data, 1 << 30), blank(2, 8 << 30)];
            let choice = choose(&candidates);
            let Fact::Unknown(unknown) = &choice.root else {
                panic!("{data}: {:?}", choice.root)
            };
            assert_eq!(
                (unknown.code.as_str(), unknown.params["partition"].as_str()),
                ("filesystem_not_recognised", "2")
            );
            assert_eq!(choice.tree.err().as_ref(), Some(unknown));
        }
        let boot_loader = chosen(&[blank(1, 16 << 20), candidate(2, "xfs", 8 << 30)]);
        assert!(
            matches!(&boot_loader, Fact::Known(Some(root)) if root.filesystem == "xfs"),
            "no system fits into so small a gap: {boot_loader:?}"
        );
    }

    #[test]
    fn what_stands_inside_a_layer_is_not_known() {
        for layer in ["lvm", "luks", "mdraid"] {
            let candidates = [candidate(1, "vfat", 1 << 20), candidate(2, layer, 8 << 30)];
            let choice = choose(&candidates);
            let Fact::Unknown(unknown) = &choice.root else {
                panic!("{layer} is no filesystem: {:?}", choice.root)
            };
            assert_eq!(
                (unknown.code.as_str(), unknown.params["layers"].as_str()),
                ("root_inside_layer", layer)
            );
            assert_eq!(choice.tree.err().as_ref(), Some(unknown));
        }
    }

    #[test]
    fn nothing_is_only_said_when_everything_was_judged() {
        assert_eq!(
            chosen(&[with_tree(1, boot()), candidate(2, "swap", 1 << 30)]),
            Fact::Known(None)
        );
        assert!(
            matches!(chosen(&[blank(1, 1 << 30)]), Fact::Unknown(unknown) if unknown.code == "filesystem_not_recognised")
        );
    }
}
