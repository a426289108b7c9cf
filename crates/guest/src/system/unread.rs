//! The system of a disk whose files are not read: some filesystems and partition types are used by one family of systems
//! only, and tell at least that.

use crate::{
    Evidence, Fact, Unknown,
    facts::{PartitionTable, Root, System},
};

/// Partition types that name a family: GPT's (FreeBSD's gpart(8), OpenBSD's fdisk(8), NetBSD's gpt(8), illumos'
/// `sys/efi_partition.h`) and the MBR's.
const TYPES: &[(&str, &str)] = &[
    ("516e7cb6-6ecf-11d6-8ff8-00022d71170b", "freebsd"),
    ("516e7cba-6ecf-11d6-8ff8-00022d71170b", "freebsd"),
    ("516e7cb4-6ecf-11d6-8ff8-00022d71170b", "freebsd"),
    ("824cc7a0-36a8-11e3-890a-952519ad3f61", "openbsd"),
    ("49f48d5a-b10e-11dc-b99b-0019d1879648", "netbsd"),
    ("6a85cf4d-1dd2-11b2-99a6-080020736631", "illumos"),
    ("a5", "freebsd"),
    ("a6", "openbsd"),
    ("a9", "netbsd"),
];

/// Filesystems of one family only.
const FILESYSTEMS: &[(&str, &str)] = &[
    ("ntfs", "windows"),
    ("refs", "windows"),
    ("bitlocker", "windows"),
    ("ufs", "freebsd"),
    ("apfs", "macos"),
    ("hfsplus", "macos"),
];

/// What is known without any file. ZFS is many systems', so that its partition's type alone tells whose it is.
pub(crate) fn of_unread(root: &Fact<Option<Root>>, table: &PartitionTable, unknown: &Unknown) -> Fact<Option<System>> {
    match root {
        Fact::Known(Some(root)) => match family(root, table) {
            Some(family) => Fact::Known(Some(System {
                evidence: vec![Evidence::default().value(&root.filesystem)],
                ..System::of_family(family)
            })),
            None => Fact::Unknown(unknown.clone()),
        },
        // No filesystem holds a system: that there is none is known.
        Fact::Known(None) if unknown.code == "no_system" => Fact::Known(None),
        _ => Fact::Unknown(unknown.clone()),
    }
}

fn family(root: &Root, table: &PartitionTable) -> Option<&'static str> {
    let of = |list: &[(&str, &'static str)], wanted: &str| {
        list.iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
            .map(|(_, family)| *family)
    };
    let partition = table
        .partitions
        .iter()
        .find(|partition| Some(partition.number) == root.partition);
    let by_type = partition.and_then(|partition| of(TYPES, &partition.type_id));
    match root.filesystem.as_str() {
        "ufs" | "zfs" => by_type.or_else(|| of(FILESYSTEMS, &root.filesystem)),
        filesystem => of(FILESYSTEMS, filesystem),
    }
}
