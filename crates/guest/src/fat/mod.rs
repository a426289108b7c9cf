//! FAT12, FAT16 and FAT32 with long names, read-only: EFI system partitions, and /boot where it stands on one.
//! References are to Microsoft's "FAT: General Overview of On-Disk Format", 1.03, unless they say otherwise.

mod directory;

use std::{fmt, sync::Arc};

use lotse_disk::{
    Disk,
    bytes::{has, le16, le32},
};

use self::directory::Entry;
use crate::{Error, FileKind, Kind, Result, Stat, tree::Nodes, volume::Volume};

/// "The number of root entries": a directory has at most 65,536 entries of 32 bytes.
const MAX_DIRECTORY: u64 = 65_536 * 32;

/// Bytes of the table read at once.
const WINDOW: usize = 4096;

/// How long an entry of the table is, in bits; FAT32 uses 28 of 32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Width {
    Fat12,
    Fat16,
    Fat32,
}

impl Width {
    /// The first number that ends a chain.
    fn end(self) -> u32 {
        match self {
            Self::Fat12 => 0xff8,
            Self::Fat16 => 0xfff8,
            Self::Fat32 => 0x0fff_fff8,
        }
    }
}

/// A FAT filesystem as a [`FileTree`](crate::FileTree). Names are compared without regard to case, long and short ones.
pub struct Fat {
    volume: Volume,
    width: Width,
    /// Bytes.
    cluster_len: u64,
    /// Clusters, numbered from 2.
    clusters: u32,
    /// Bytes from the beginning.
    table: u64,
    data: u64,
    root: Place,
}

/// Where a file or directory stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The root directory of FAT12 and FAT16: offset and length in bytes.
    Fixed(u64, u64),
    /// The first cluster; 0 is an empty file.
    Chain(u32),
}

/// A file or directory.
#[derive(Debug, Clone)]
pub struct FatNode {
    kind: FileKind,
    place: Place,
    /// Bytes; 0 for a directory.
    size: u32,
    read_only: bool,
}

fn corrupt(what: &'static str, number: u64) -> Error {
    Error::new(Kind::Corrupt, "fat_corrupt")
        .with("what", what)
        .with("number", number)
}

impl fmt::Debug for Fat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fat")
            .field("width", &self.width)
            .finish_non_exhaustive()
    }
}

impl Fat {
    /// Opens the filesystem that begins at `offset` and has room for `len` bytes.
    ///
    /// # Errors
    /// `fat_corrupt`; what the disk says when it cannot be read.
    pub fn open(disk: &Disk, offset: u64, len: u64) -> Result<Self> {
        Self::on(Volume::new(disk, offset, len))
    }

    /// The same on a volume, which may stand inside a layer.
    pub(crate) fn on(volume: Volume) -> Result<Self> {
        let boot = volume.read_up_to(0, 512)?;
        let broken = || corrupt("boot_sector", 0);
        let sector = u64::from(le16(&boot, 11));
        let per_cluster = u64::from(boot.get(13).copied().unwrap_or(0));
        let reserved = u64::from(le16(&boot, 14));
        let tables = u64::from(boot.get(16).copied().unwrap_or(0));
        let root_entries = u64::from(le16(&boot, 17));
        // "BPB Structure": the sizes that are allowed, and the field of 16 bits before that of 32.
        let sizes = [512, 1024, 2048, 4096].contains(&sector) && per_cluster.is_power_of_two();
        if !sizes || reserved == 0 || tables == 0 || !has(&boot, 510, &[0x55, 0xaa]) {
            return Err(broken());
        }
        let either = |short: u16, long: u32| if short == 0 { u64::from(long) } else { u64::from(short) };
        let sectors = either(le16(&boot, 19), le32(&boot, 32));
        let table_sectors = either(le16(&boot, 22), le32(&boot, 36));
        let root_sectors = (root_entries * 32).div_ceil(sector);
        // At most 255 tables of 2^32 sectors of 4096 bytes: 53 bits.
        let data = reserved + tables * table_sectors + root_sectors;
        let clusters = sectors.checked_sub(data).ok_or_else(broken)? / per_cluster;
        // As Linux (fs/fat/inode.c) and UEFI's own driver tell them apart: mkfs.vfat -F 32 makes FAT32 of fewer clusters
        // than the overview allows.
        let width = match clusters {
            _ if le16(&boot, 22) == 0 => Width::Fat32,
            0..4085 => Width::Fat12,
            _ => Width::Fat16,
        };
        // As many as the table has room for.
        let table_bytes = table_sectors * sector;
        let capacity = match width {
            Width::Fat12 => table_bytes * 2 / 3,
            Width::Fat16 => table_bytes / 2,
            Width::Fat32 => table_bytes / 4,
        };
        let clusters = clusters.min(capacity.saturating_sub(2)).min(0x0fff_fff5);
        let root = if width == Width::Fat32 {
            Place::Chain(le32(&boot, 44))
        } else {
            Place::Fixed((reserved + tables * table_sectors) * sector, root_entries * 32)
        };
        Ok(Self {
            volume,
            width,
            cluster_len: per_cluster * sector,
            clusters: u32::try_from(clusters).map_err(|_| broken())?,
            table: reserved * sector,
            data: data * sector,
            root,
        })
    }

    /// Is this a cluster of the data?
    fn is_cluster(&self, cluster: u32) -> bool {
        cluster >= 2 && cluster - 2 < self.clusters
    }

    /// Reads `len` bytes at most of what begins in a cluster, from `from` on; fewer only where the chain ends. A chain
    /// that comes back to itself is longer than the whole data and an error.
    fn chain(&self, first: u32, from: u64, len: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut window = Window::default();
        let mut cluster = first;
        let mut position: u64 = 0;
        let mut steps = 0;
        while (bytes.len() as u64) < len {
            if !self.is_cluster(cluster) || steps >= self.clusters {
                return Err(corrupt("cluster", u64::from(cluster)));
            }
            // As many clusters as follow each other are read at once.
            let run_start = cluster;
            let mut run: u64 = 1;
            let end = loop {
                steps += 1;
                let next = self.next(&mut window, cluster)?;
                let wanted = from.saturating_add(len) > position.saturating_add(run * self.cluster_len);
                if next != cluster + 1 || !wanted || !self.is_cluster(next) || steps >= self.clusters {
                    break next;
                }
                cluster = next;
                run += 1;
            };
            let run_len = run * self.cluster_len;
            let skip = from.saturating_sub(position).min(run_len);
            let take = (run_len - skip).min(len - bytes.len() as u64);
            if take > 0 {
                let at = self.data + u64::from(run_start - 2) * self.cluster_len + skip;
                let start = bytes.len();
                // The volume's length bounds what is allocated.
                if at.checked_add(take).is_none_or(|end| end > self.volume.len()) {
                    return Err(corrupt("cluster", u64::from(run_start)));
                }
                bytes.resize(start.saturating_add(usize::try_from(take).unwrap_or(usize::MAX)), 0);
                self.volume.read_at(bytes.get_mut(start..).unwrap_or_default(), at)?;
            }
            position += run_len;
            if end >= self.width.end() {
                break;
            }
            cluster = end;
        }
        Ok(bytes)
    }

    /// What follows a cluster in its chain.
    fn next(&self, window: &mut Window, cluster: u32) -> Result<u32> {
        let number = u64::from(cluster);
        Ok(match self.width {
            Width::Fat12 => {
                let pair = u16::from_le_bytes(self.table_bytes(window, number + number / 2)?);
                u32::from(if cluster.is_multiple_of(2) {
                    pair & 0xfff
                } else {
                    pair >> 4
                })
            }
            Width::Fat16 => u32::from(u16::from_le_bytes(self.table_bytes(window, number * 2)?)),
            Width::Fat32 => u32::from_le_bytes(self.table_bytes(window, number * 4)?) & 0x0fff_ffff,
        })
    }

    fn table_bytes<const N: usize>(&self, window: &mut Window, at: u64) -> Result<[u8; N]> {
        if window.bytes.is_empty() || at < window.at || at + N as u64 > window.at + window.bytes.len() as u64 {
            // Two bytes more: an entry of 12 bits may reach over the edge.
            window.at = at - at % WINDOW as u64;
            window.bytes = self
                .volume
                .read_up_to(self.table.saturating_add(window.at), WINDOW + 2)?;
        }
        let within = usize::try_from(at - window.at).unwrap_or(usize::MAX);
        let found = within
            .checked_add(N)
            .and_then(|end| window.bytes.get(within..end))
            .and_then(|bytes| bytes.try_into().ok());
        found.ok_or_else(|| corrupt("table", at))
    }

    fn entries(&self, directory: &FatNode) -> Result<Vec<Entry>> {
        let bytes = match directory.place {
            Place::Fixed(at, len) => self.volume.read_up_to(at, usize::try_from(len).unwrap_or(usize::MAX))?,
            Place::Chain(first) => self.chain(first, 0, MAX_DIRECTORY)?,
        };
        Ok(directory::parse(&bytes))
    }

    fn node(&self, entry: &Entry) -> FatNode {
        FatNode {
            kind: if entry.is_directory {
                FileKind::Directory
            } else {
                FileKind::File
            },
            // ".." of a directory in the root says 0; no path asks for it, for paths are resolved without it.
            place: match entry.cluster {
                0 if entry.is_directory => self.root,
                _ if self.width == Width::Fat32 => Place::Chain(entry.cluster),
                _ => Place::Chain(entry.cluster & 0xffff),
            },
            size: if entry.is_directory { 0 } else { entry.size },
            read_only: entry.read_only,
        }
    }

    fn read(&self, file: &FatNode, from: u64, len: usize) -> Result<Vec<u8>> {
        let size = u64::from(file.size);
        let wanted = size.saturating_sub(from).min(len as u64);
        let Place::Chain(first) = file.place else {
            return Ok(Vec::new());
        };
        if wanted == 0 {
            return Ok(Vec::new());
        }
        let bytes = self.chain(first, from, wanted)?;
        if (bytes.len() as u64) < wanted {
            return Err(corrupt("chain_too_short", u64::from(first)));
        }
        Ok(bytes)
    }
}

/// A piece of the table.
#[derive(Debug, Default)]
struct Window {
    at: u64,
    bytes: Vec<u8>,
}

impl Nodes for Fat {
    type Node = Arc<FatNode>;

    fn root(&self) -> Result<Self::Node> {
        Ok(Arc::new(FatNode {
            kind: FileKind::Directory,
            place: self.root,
            size: 0,
            read_only: false,
        }))
    }

    fn lookup(&self, directory: &Self::Node, name: &str) -> Result<Option<Self::Node>> {
        let entries = self.entries(directory)?;
        Ok(entries
            .iter()
            .find(|entry| entry.is_called(name))
            .map(|entry| Arc::new(self.node(entry))))
    }

    fn stat_of(&self, node: &Self::Node) -> Stat {
        Stat {
            kind: node.kind,
            size: u64::from(node.size),
            // As Linux shows a filesystem that knows no permissions.
            mode: if node.read_only { 0o555 } else { 0o755 },
        }
    }

    fn content(&self, file: &Self::Node, len: usize) -> Result<Vec<u8>> {
        self.read(file, 0, len)
    }

    fn content_at(&self, file: &Self::Node, offset: u64, len: usize) -> Result<Vec<u8>> {
        self.read(file, offset, len)
    }

    fn names(&self, directory: &Self::Node) -> Result<Vec<String>> {
        Ok(self.entries(directory)?.into_iter().map(|entry| entry.name).collect())
    }

    fn target(&self, _link: &Self::Node) -> Result<String> {
        // There are no links.
        Ok(String::new())
    }
}
