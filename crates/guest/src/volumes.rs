//! Everything on the disk that holds a filesystem or could hold one, opened once, and found again by the names that
//! fstab and boot loaders use.

use std::sync::Arc;

use lotse_disk::Disk;

use crate::{
    Error, FileTree, Kind, Result, Unknown,
    cloud_init::Label,
    ext,
    facts::{self, Partition, PartitionTable, TableKind},
    fat, files, filesystem,
    layers::{Inside, lvm, mdraid},
    partition,
    volume::Volume,
};

/// Layers inside layers that are looked through: a RAID member, in it a physical volume, in it another.
const MAX_LAYERS: usize = 3;

/// RAID members and physical volumes that are looked into, at most.
const MAX_MEMBERS: usize = 32;

/// Filesystems that are opened, at most: a real disk has few, a hostile table can name one place often.
const MAX_TREES: usize = 32;

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
    /// Its bytes; none where a layer is not put together here.
    pub(crate) volume: Volume,
    /// Its length in bytes as table or layer says.
    pub(crate) len: u64,
    /// Why nothing can be said of what stands in it.
    pub(crate) closed: Option<Unknown>,
    /// A layer whose inside is in the list too.
    pub(crate) looked_through: bool,
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

    /// Says its name, its label or its type that it is the root?
    pub(crate) fn is_called_root(&self) -> bool {
        // Discoverable Partitions Specification: the root of x86-64 and of 64-bit ARM.
        const TYPES: [&str; 2] = [
            "4f68bce3-e8cd-4db1-96e7-fbcaf984b709",
            "b921b045-1df0-41c3-af44-4c6f280d3fae",
        ];
        let partition = self.partition.as_ref();
        let logical = self.name.as_deref().and_then(|name| name.rsplit('/').next());
        let names = [
            partition.and_then(|partition| partition.name.as_deref()),
            logical,
            self.label.as_deref(),
        ];
        let called = |name: &str| {
            ["root", "rootfs", "lv_root", "rootlv", "ubuntu-lv"].contains(&name.to_ascii_lowercase().as_str())
        };
        names.into_iter().flatten().any(called)
            || partition.is_some_and(|partition| TYPES.contains(&partition.type_id.as_str()))
    }

    /// A partition that stands on no disk.
    #[cfg(test)]
    pub(crate) fn in_memory(number: u32, filesystem: &str, len: u64, tree: Option<Result<Arc<dyn FileTree>>>) -> Self {
        Self {
            number: Some(number),
            partition: Some(Partition {
                number,
                len,
                ..Partition::default()
            }),
            layers: Vec::new(),
            name: None,
            volume: Volume::empty(),
            len,
            closed: None,
            looked_through: false,
            filesystem: Some(filesystem.to_owned()),
            label: None,
            uuid: None,
            tree,
        }
    }

    fn fact(&self) -> facts::Volume {
        let superblock = self.superblock();
        facts::Volume {
            partition: self.number,
            layers: self.layers.clone(),
            name: self.name.clone(),
            len: self.len,
            filesystem: self.filesystem.clone(),
            label: self.label.clone(),
            uuid: self.uuid.clone(),
            filesystem_len: superblock.as_ref().map(ext::Superblock::total_bytes),
            left: superblock.as_ref().map(ext::Superblock::left),
        }
    }

    /// What an ext filesystem says of itself, also where its files cannot be read.
    fn superblock(&self) -> Option<ext::Superblock> {
        let is_ext = matches!(self.filesystem.as_deref(), Some("ext2" | "ext3" | "ext4"));
        let bytes = is_ext.then(|| self.volume.read_up_to(1024, 1024).ok())??;
        ext::Superblock::parse(&bytes)
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

    /// Of volumes in memory.
    #[cfg(test)]
    pub(crate) fn of(list: Vec<Opened>) -> Self {
        Self { list }
    }

    /// Opens what stands in the partitions, and what stands inside layers.
    pub(crate) fn open(disk: &Disk, table: &PartitionTable) -> Self {
        let partitions = table.partitions.iter();
        let mut list: Vec<Opened> = partitions
            .filter(|partition| !partition::is_frame(table.kind, partition))
            .map(|partition| Opened {
                number: (table.kind != TableKind::None).then_some(partition.number),
                partition: Some(partition.clone()),
                layers: Vec::new(),
                name: None,
                volume: Volume::new(disk, partition.offset, partition.len),
                len: partition.len,
                closed: None,
                looked_through: false,
                filesystem: partition.filesystem.clone(),
                label: partition.label.clone(),
                uuid: partition.uuid.clone(),
                tree: None,
            })
            .collect();
        let mut from = 0;
        for _ in 0..MAX_LAYERS {
            let mut inside = look_through(&mut list, from, "mdraid", mdraid::arrays);
            inside.append(&mut look_through(&mut list, from, "lvm", lvm::logical_volumes));
            from = list.len();
            list.append(&mut inside);
        }
        let trees = list.iter_mut().filter(|opened| is_read(opened.filesystem.as_deref()));
        for (index, opened) in trees.enumerate() {
            opened.tree = if index < MAX_TREES {
                open_tree(opened.filesystem.as_deref(), &opened.volume)
            } else {
                Some(Err(Error::new(Kind::Refused, "too_much_to_read")))
            };
        }
        Self { list }
    }

    /// The filesystems that have a label, for programs that look for settings by it.
    pub(crate) fn labels(&self) -> Vec<Label> {
        let labelled = self.list.iter().filter_map(|opened| {
            let has = |name: &str| opened.files()?.stat(name).ok().map(|stat| stat.is_some());
            Some(Label {
                text: opened.label.clone()?,
                filesystem: opened.filesystem.clone()?,
                holds_seed: has("/user-data")
                    .zip(has("/meta-data"))
                    .map(|(user, meta)| user && meta),
            })
        });
        labelled.collect()
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

/// Looks into the layers of one kind from a place in the list on; what is found inside.
fn look_through(
    list: &mut [Opened],
    from: usize,
    kind: &str,
    read: impl Fn(&[&Volume]) -> Result<Vec<Inside>>,
) -> Vec<Opened> {
    let members: Vec<usize> = (from..list.len())
        .filter(|index| {
            let opened = list.get(*index);
            opened.is_some_and(|opened| opened.filesystem.as_deref() == Some(kind))
        })
        .take(MAX_MEMBERS)
        .collect();
    let volumes: Vec<&Volume> = members
        .iter()
        .filter_map(|index| list.get(*index))
        .map(|opened| &opened.volume)
        .collect();
    let found = read(&volumes);
    let mut opened = Vec::new();
    match found {
        Ok(found) => {
            for inside in found {
                let member = members.get(inside.member).and_then(|index| list.get(*index));
                opened.extend(member.map(|member| stands_inside(member, kind, inside)));
            }
        }
        Err(error) => {
            for index in &members {
                if let Some(member) = list.get_mut(*index) {
                    member.closed.get_or_insert(files::unknown(&error));
                }
            }
        }
    }
    // Where nothing was found, something may be there that is not understood.
    if !opened.is_empty() {
        for index in members {
            if let Some(member) = list.get_mut(index) {
                member.looked_through = true;
            }
        }
    }
    opened
}

fn stands_inside(member: &Opened, kind: &str, inside: Inside) -> Opened {
    let mut opened = Opened {
        number: member.number,
        partition: None,
        layers: member.layers.iter().cloned().chain([kind.to_owned()]).collect(),
        name: inside.name,
        volume: Volume::empty(),
        len: inside.len,
        closed: None,
        looked_through: false,
        filesystem: None,
        label: None,
        uuid: None,
        tree: None,
    };
    let Some(volume) = inside.volume else {
        opened.closed = Some(inside_layer(&opened.layers, member.number));
        return opened;
    };
    match filesystem::recognise_on(&volume) {
        Ok(Some(found)) => {
            opened.filesystem = Some(found.kind.to_owned());
            opened.label = found.label;
            opened.uuid = found.uuid;
        }
        Ok(None) => {}
        Err(error) => opened.closed = Some(files::unknown(&error)),
    }
    opened.volume = volume;
    opened
}

/// What stands inside a layer is not known.
pub(crate) fn inside_layer(layers: &[String], number: Option<u32>) -> Unknown {
    Unknown::new("root_inside_layer")
        .with("layers", layers.join(", "))
        .with("partition", number.map(|number| number.to_string()).unwrap_or_default())
}

/// Is there a reader for its files?
fn is_read(filesystem: Option<&str>) -> bool {
    matches!(filesystem, Some("ext2" | "ext3" | "ext4" | "vfat"))
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
