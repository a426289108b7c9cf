//! ext2, ext3 and ext4, read-only, without a journal's replay. References are to the Linux kernel's
//! Documentation/filesystems/ext4 unless they say otherwise.

mod directory;
mod inode;
mod map;
mod superblock;

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use lotse_disk::{
    Disk,
    bytes::{be32, le16, le32},
};

pub(crate) use self::superblock::Superblock;
use self::{directory::Directory, inode::Inode};
use crate::{
    Error, FileKind, Kind, Result, Stat,
    checksum::{crc16, crc32c},
    tree::Nodes,
    volume::Volume,
};

/// special_inodes.rst: the root directory.
const ROOT: u32 = 2;

/// Largest directory that is read, in bytes: about a million names. Linux itself has trouble long before.
const MAX_DIRECTORY: u64 = 64 * 1024 * 1024;

/// Groups whose descriptors are read to count the free blocks.
const MAX_GROUPS: u64 = 1 << 20;

/// Parsed directories kept, at most, and entries of one that is kept.
const CACHED_DIRECTORIES: usize = 128;
const CACHED_ENTRIES: usize = 32 * 1024;

/// An ext2, ext3 or ext4 filesystem as a [`FileTree`](crate::FileTree).
pub struct Ext {
    volume: Volume,
    superblock: Superblock,
    directories: Mutex<HashMap<u32, Arc<Directory>>>,
}

/// What a group's descriptor says.
struct Descriptor {
    /// First block of its inode table.
    inode_table: u64,
    free_clusters: u64,
}

/// The error for what contradicts the format, with the inode or block (or 0) where it does.
fn corrupt(what: &'static str, number: u64) -> Error {
    Error::new(Kind::Corrupt, "ext_corrupt")
        .with("what", what)
        .with("number", number)
}

impl fmt::Debug for Ext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ext")
            .field("kind", &self.superblock.kind())
            .finish_non_exhaustive()
    }
}

impl Ext {
    /// Opens the filesystem that begins at `offset` and has room for `len` bytes.
    ///
    /// # Errors
    /// `ext_corrupt`, `ext_feature_not_read` with the feature's name, `journal_dirty` when the journal holds changes
    /// that are not in the filesystem yet (what is read without them may be old); what the disk says when it cannot be
    /// read.
    pub fn open(disk: &Disk, offset: u64, len: u64) -> Result<Self> {
        Self::on(Volume::new(disk, offset, len))
    }

    /// The same on a volume, which may stand inside a layer.
    pub(crate) fn on(volume: Volume) -> Result<Self> {
        let mut bytes = vec![0; 1024];
        if !volume.read_at(&mut bytes, 1024)? {
            return Err(corrupt("superblock", 0));
        }
        let superblock = Superblock::parse(&bytes).ok_or_else(|| corrupt("superblock", 0))?;
        superblock.check(&bytes)?;
        let ext = Self {
            volume,
            superblock,
            directories: Mutex::default(),
        };
        if ext.superblock.needs_recovery() && !ext.journal_is_empty()? {
            return Err(Error::new(Kind::Incompatible, "journal_dirty"));
        }
        let root = ext.inode(ROOT)?;
        if root.kind() != FileKind::Directory {
            return Err(corrupt("root", u64::from(ROOT)));
        }
        Ok(ext)
    }

    /// `ext2`, `ext3` or `ext4`, by the features in use.
    pub fn kind(&self) -> &'static str {
        self.superblock.kind()
    }

    /// The UUID as blkid writes it; `None` if all of it is zero.
    pub fn uuid(&self) -> Option<String> {
        self.superblock.uuid()
    }

    /// The label; `None` where it has none.
    pub fn label(&self) -> Option<String> {
        self.superblock.label()
    }

    /// Was it unmounted cleanly when the image was made, without an error that waits for a check? Otherwise it was in
    /// use, or the machine stopped without notice.
    pub fn was_unmounted_cleanly(&self) -> bool {
        self.superblock.was_unmounted_cleanly()
    }

    /// Bytes of the whole filesystem, its own tables included. More than its partition holds when the image was cut off.
    pub fn total_bytes(&self) -> u64 {
        self.superblock.blocks.saturating_mul(self.superblock.block_size)
    }

    /// Bytes that no file uses, those reserved for root included: counted from the groups' descriptors as Linux does at
    /// a mount, because the superblock's own count is old in a filesystem that was in use.
    ///
    /// # Errors
    /// `ext_corrupt` when a descriptor is damaged or the counts are impossible, `file_too_large` for more than a million
    /// groups (128 TiB); what the disk says when it cannot be read.
    pub fn free_bytes(&self) -> Result<u64> {
        let groups = self.superblock.groups();
        if groups > MAX_GROUPS {
            let error = Error::new(Kind::Refused, "file_too_large").with("path", "group descriptors");
            return Err(error.with("size", groups).with("limit", MAX_GROUPS));
        }
        let mut clusters = 0_u64;
        for group in 0..u32::try_from(groups).unwrap_or(u32::MAX) {
            clusters += self.descriptor(group)?.free_clusters;
        }
        let bytes = clusters.saturating_mul(self.superblock.cluster_size());
        // The last cluster may be cut off by the end of the filesystem, which counts as a whole one.
        if bytes > self.total_bytes().saturating_add(self.superblock.cluster_size()) {
            return Err(corrupt("free_count", clusters));
        }
        Ok(bytes)
    }

    /// journal.rst, "Super Block": a journal that starts at block 0 holds nothing, even if the filesystem was not
    /// unmounted after it had been written out.
    fn journal_is_empty(&self) -> Result<bool> {
        const MAGIC: u32 = 0xc03b_3998;
        let number = self.superblock.journal;
        if number == 0 {
            return Ok(false);
        }
        let journal = self.inode(number)?;
        let head = self.file_content(&journal, 1024)?;
        Ok(be32(&head, 0) == MAGIC && be32(&head, 28) == 0)
    }

    /// Reads bytes of one block of this filesystem.
    fn read_block(&self, block: u64, within: u64, buf: &mut [u8]) -> Result<()> {
        let at = block
            .checked_mul(self.superblock.block_size)
            .and_then(|at| at.checked_add(within));
        let inside = block < self.superblock.blocks;
        match at {
            Some(at) if inside && self.volume.read_at(buf, at)? => Ok(()),
            _ => Err(corrupt("block", block)),
        }
    }

    /// A group's descriptor (group_descr.rst), its checksum proved.
    fn descriptor(&self, group: u32) -> Result<Descriptor> {
        let superblock = &self.superblock;
        let (block, within) = superblock.descriptor_place(group);
        let mut descriptor = vec![0; usize::from(superblock.descriptor_len)];
        self.read_block(block, within, &mut descriptor)?;
        let stored = le16(&descriptor, 30);
        let expected = if superblock.has_metadata_csum() {
            if let Some(field) = descriptor.get_mut(30..32) {
                field.fill(0);
            }
            let crc = crc32c(crc32c(superblock.seed, &group.to_le_bytes()), &descriptor);
            Some(crc & 0xffff)
        } else if superblock.has_gdt_csum() {
            let crc = crc16(crc16(0xffff, &superblock.uuid), &group.to_le_bytes());
            let crc = crc16(crc, descriptor.get(..30).unwrap_or_default());
            Some(u32::from(crc16(crc, descriptor.get(32..).unwrap_or_default())))
        } else {
            None
        };
        if expected.is_some_and(|expected| expected != u32::from(stored)) {
            return Err(corrupt("group_checksum", u64::from(group)));
        }
        let is_long = superblock.descriptor_len >= 64;
        let high = |value: u64| if is_long { value } else { 0 };
        Ok(Descriptor {
            inode_table: high(u64::from(le32(&descriptor, 40))) << 32 | u64::from(le32(&descriptor, 8)),
            free_clusters: high(u64::from(le16(&descriptor, 44))) << 16 | u64::from(le16(&descriptor, 12)),
        })
    }

    fn inode(&self, number: u32) -> Result<Inode> {
        let superblock = &self.superblock;
        let index = number.checked_sub(1).filter(|_| number <= superblock.inodes);
        let index = index.ok_or_else(|| corrupt("inode_number", u64::from(number)))?;
        let table = self.descriptor(index / superblock.inodes_per_group)?.inode_table;
        let at = u64::from(index % superblock.inodes_per_group) * u64::from(superblock.inode_len);
        let block = table
            .checked_add(at / superblock.block_size)
            .ok_or_else(|| corrupt("inode_table", table))?;
        let mut bytes = vec![0; usize::from(superblock.inode_len)];
        // An inode never crosses blocks: both sizes are powers of two.
        self.read_block(block, at % superblock.block_size, &mut bytes)?;
        Inode::parse(number, bytes, superblock)
    }

    /// The first bytes of a file, link or directory, at most `len`.
    fn file_content(&self, inode: &Inode, len: u64) -> Result<Vec<u8>> {
        let len = len.min(inode.size());
        if inode.is_encrypted() {
            return Err(Error::new(Kind::Incompatible, "file_encrypted"));
        }
        if inode.is_inline() {
            let mut content = inode.inline_content()?;
            content.truncate(usize::try_from(len).unwrap_or(usize::MAX));
            return Ok(content);
        }
        let block_size = self.superblock.block_size;
        // Grown run by run: nothing is allocated for a size that merely stands in an inode.
        let mut content = Vec::new();
        let mut block = 0;
        while let Some(left) = len.checked_sub(content.len() as u64).filter(|left| *left > 0) {
            let run = self.map(inode, block, left.div_ceil(block_size))?;
            let bytes = run.blocks.saturating_mul(block_size).min(left);
            let start = content.len();
            content.resize(start.saturating_add(usize::try_from(bytes).unwrap_or(usize::MAX)), 0);
            if let Some(first) = run.first {
                let last = first
                    .checked_add(run.blocks - 1)
                    .filter(|last| *last < self.superblock.blocks);
                if last.is_none() {
                    return Err(corrupt("block", first));
                }
                self.read_block(first, 0, content.get_mut(start..).unwrap_or_default())?;
            }
            block += run.blocks;
        }
        Ok(content)
    }

    fn directory(&self, inode: &Inode) -> Result<Arc<Directory>> {
        let number = inode.number();
        let lock = || self.directories.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(directory) = lock().get(&number) {
            return Ok(Arc::clone(directory));
        }
        if inode.size() > MAX_DIRECTORY {
            let error = Error::new(Kind::Refused, "file_too_large").with("path", format_args!("inode {number}"));
            return Err(error.with("size", inode.size()).with("limit", MAX_DIRECTORY));
        }
        let content = self.file_content(inode, inode.size())?;
        let directory = if inode.is_inline() {
            Directory::parse_inline(&content, number, &self.superblock)?
        } else {
            Directory::parse(&content, number, &self.superblock)?
        };
        let directory = Arc::new(directory);
        if directory.len() <= CACHED_ENTRIES {
            let mut directories = lock();
            if directories.len() >= CACHED_DIRECTORIES {
                directories.clear();
            }
            directories.insert(number, Arc::clone(&directory));
        }
        Ok(directory)
    }
}

impl Nodes for Ext {
    type Node = Arc<Inode>;

    fn root(&self) -> Result<Self::Node> {
        self.inode(ROOT).map(Arc::new)
    }

    fn lookup(&self, directory: &Self::Node, name: &str) -> Result<Option<Self::Node>> {
        match self.directory(directory)?.find(name) {
            None => Ok(None),
            Some(number) => {
                let inode = self.inode(number)?;
                // A mode of 0 is an inode that is not in use.
                if inode.mode() == 0 {
                    return Err(corrupt("entry", u64::from(number)));
                }
                Ok(Some(Arc::new(inode)))
            }
        }
    }

    fn stat_of(&self, node: &Self::Node) -> Stat {
        Stat {
            kind: node.kind(),
            size: node.size(),
            mode: node.mode() & 0o7777,
        }
    }

    fn content(&self, file: &Self::Node, len: usize) -> Result<Vec<u8>> {
        self.file_content(file, len as u64)
    }

    fn names(&self, directory: &Self::Node) -> Result<Vec<String>> {
        Ok(self.directory(directory)?.names().map(str::to_owned).collect())
    }

    fn target(&self, link: &Self::Node) -> Result<String> {
        let bytes = match link.fast_target() {
            Some(target) => target.to_vec(),
            // One byte more than any target may have: too long a one is told from one of the greatest length.
            None => self.file_content(link, 4097)?,
        };
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}
