//! Everything on the disk that holds a filesystem or could hold one, opened once, and found again by the names that
//! fstab and boot loaders use.

use std::sync::Arc;

use lotse_disk::Disk;

use crate::{
    FileTree, Result, ext,
    facts::{self, Partition, PartitionTable, TableKind},
    fat, partition,
    volume::Volume,
};

/// A partition, the whole disk without a table, or what stands inside a layer.
pub(crate) struct Opened {
    /// Number as the table counts of the (first) partition in which it stands; `None` without a table.
    pub(crate) number: Option<u32>,
    /// The partition itself; `None` for what stands inside a layer.
    pub(crate) partition: Option<Partition>,
    /// What lies between, outermost first.
    pub(crate) layers: Vec<String>,
    /// The name that a layer gives it: `vg/lv`, or the array's name.
    pub(crate) name: Option<String>,
    /// Its bytes.
    pub(crate) volume: Volume,
    /// As in [`Partition::filesystem`].
    pub(crate) filesystem: Option<String>,
    /// As blkid says it.
    pub(crate) label: Option<String>,
    /// As blkid says it.
    pub(crate) uuid: Option<String>,
    /// Its files, where the filesystem is one that is read.
    pub(crate) tree: Option<Result<Arc<dyn FileTree>>>,
}

impl Opened {
    /// The files, where they can be read.
    pub(crate) fn files(&self) -> Option<&dyn FileTree> {
        self.tree.as_ref()?.as_deref().ok()
    }

    fn fact(&self) -> facts::Volume {
        facts::Volume {
            partition: self.number,
            layers: self.layers.clone(),
            name: self.name.clone(),
            len: self.volume.len(),
            filesystem: self.filesystem.clone(),
            label: self.label.clone(),
            uuid: self.uuid.clone(),
        }
    }
}

/// What a name for a volume led to.
#[derive(Clone, Copy)]
pub(crate) enum Found<'a> {
    /// This one.
    One(&'a Opened),
    /// Several have this UUID or label.
    Several,
    /// Nothing on this disk has it.
    None,
    /// The name tells a running machine something, but nothing here (`/dev/disk/by-path/…`, `nfs:/export`).
    NotFollowed,
}

/// All volumes of a disk.
pub(crate) struct Volumes {
    list: Vec<Opened>,
}

impl Volumes {
    /// Of a tree in memory, which stands on no disk.
    #[cfg(test)]
    pub(crate) const NONE: Self = Self { list: Vec::new() };

    /// Opens what stands in the partitions.
    pub(crate) fn open(disk: &Disk, table: &PartitionTable) -> Self {
        let partitions = table.partitions.iter();
        let list = partitions
            .filter(|partition| !partition::is_frame(table.kind, partition))
            .map(|partition| {
                let volume = Volume::new(disk, partition.offset, partition.len);
                Opened {
                    number: (table.kind != TableKind::None).then_some(partition.number),
                    partition: Some(partition.clone()),
                    layers: Vec::new(),
                    name: None,
                    tree: open_tree(partition.filesystem.as_deref(), &volume),
                    volume,
                    filesystem: partition.filesystem.clone(),
                    label: partition.label.clone(),
                    uuid: partition.uuid.clone(),
                }
            })
            .collect();
        Self { list }
    }

    /// In the partition table's order, what stands inside a layer after all partitions.
    pub(crate) fn list(&self) -> &[Opened] {
        &self.list
    }

    /// As facts.
    pub(crate) fn facts(&self) -> Vec<facts::Volume> {
        self.list.iter().map(Opened::fact).collect()
    }

    /// Finds a volume by the first field of fstab(5), or by what `root=` says: `UUID=`, `LABEL=`, `PARTUUID=`,
    /// `PARTLABEL=`, `/dev/disk/by-…/…`, `/dev/mapper/vg-lv`, `/dev/vg/lv`, and `/dev/sda1` by its number, as if this
    /// disk were the machine's first one.
    pub(crate) fn find(&self, name: &str) -> Found<'_> {
        const BY: [(&str, &str, Tag); 4] = [
            ("UUID=", "/dev/disk/by-uuid/", Tag::Uuid),
            ("LABEL=", "/dev/disk/by-label/", Tag::Label),
            ("PARTUUID=", "/dev/disk/by-partuuid/", Tag::PartUuid),
            ("PARTLABEL=", "/dev/disk/by-partlabel/", Tag::PartLabel),
        ];
        for (prefix, link, tag) in BY {
            if let Some(value) = name.strip_prefix(prefix) {
                return self.tagged(tag, value.trim_matches('"'));
            }
            if let Some(value) = name.strip_prefix(link) {
                return self.tagged(tag, &hex_unescaped(value));
            }
        }
        let Some(device) = name.strip_prefix("/dev/") else {
            return Found::NotFollowed;
        };
        if let Some(mapped) = device.strip_prefix("mapper/") {
            return self.only(|opened| opened.name.as_deref().map(mapper_name).as_deref() == Some(mapped));
        }
        if let Some(number) = device_number(device) {
            return self.only(|opened| opened.layers.is_empty() && opened.number.unwrap_or(0) == number);
        }
        if device.starts_with("disk/") || device.is_empty() {
            return Found::NotFollowed;
        }
        self.only(|opened| opened.name.as_deref() == Some(device))
    }

    fn tagged(&self, tag: Tag, value: &str) -> Found<'_> {
        self.only(|opened| {
            let partition = opened.partition.as_ref();
            let (found, exact) = match tag {
                Tag::Uuid => (opened.uuid.as_deref(), false),
                Tag::Label => (opened.label.as_deref(), true),
                Tag::PartUuid => (partition.and_then(|partition| partition.part_uuid.as_deref()), false),
                Tag::PartLabel => (partition.and_then(|partition| partition.name.as_deref()), true),
            };
            found.is_some_and(|found| {
                if exact {
                    found == value
                } else {
                    found.eq_ignore_ascii_case(value)
                }
            })
        })
    }

    fn only(&self, is_it: impl Fn(&Opened) -> bool) -> Found<'_> {
        let mut found = self.list.iter().filter(|opened| is_it(opened));
        match (found.next(), found.next()) {
            (Some(one), None) => Found::One(one),
            (Some(_), Some(_)) => Found::Several,
            (None, _) => Found::None,
        }
    }
}

#[derive(Clone, Copy)]
enum Tag {
    Uuid,
    Label,
    PartUuid,
    PartLabel,
}

/// The files of a filesystem that is read.
fn open_tree(filesystem: Option<&str>, volume: &Volume) -> Option<Result<Arc<dyn FileTree>>> {
    match filesystem? {
        "ext2" | "ext3" | "ext4" => Some(ext::Ext::on(volume.clone()).map(|ext| Arc::new(ext) as Arc<dyn FileTree>)),
        "vfat" => Some(fat::Fat::on(volume.clone()).map(|fat| Arc::new(fat) as Arc<dyn FileTree>)),
        _ => None,
    }
}

/// The device mapper's name for a logical volume: `vg-lv` with every `-` inside doubled (lvm(8)).
fn mapper_name(name: &str) -> String {
    let parts: Vec<String> = name.split('/').map(|part| part.replace('-', "--")).collect();
    parts.join("-")
}

/// The partition that a kernel's name for a disk of its own means (`sda1`, `vdb2`, `nvme0n1p1`), 0 for the whole disk;
/// `None` is no such name.
fn device_number(device: &str) -> Option<u32> {
    for prefix in ["xvd", "sd", "vd", "hd"] {
        if let Some(rest) = device.strip_prefix(prefix) {
            let digits = rest.trim_start_matches(|letter: char| letter.is_ascii_lowercase());
            return match digits {
                _ if digits.len() == rest.len() => None,
                "" => Some(0),
                digits => digits.parse().ok(),
            };
        }
    }
    let rest = ["nvme0n1", "mmcblk0", "mmcblk1"]
        .iter()
        .find_map(|prefix| device.strip_prefix(prefix))?;
    if rest.is_empty() {
        return Some(0);
    }
    rest.strip_prefix('p')?.parse().ok()
}

/// udev writes what is unsafe in a link's name as `\x20`.
fn hex_unescaped(value: &str) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = after
            .strip_prefix(b"x")
            .and_then(|digits| digits.get(..2))
            .and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
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
