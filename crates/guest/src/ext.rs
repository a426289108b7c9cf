//! ext2, ext3 and ext4, read-only; a journal that holds changes is replayed in memory. References are to the Linux
//! kernel's Documentation/filesystems/ext4 unless they say otherwise.

mod blocks;
mod cache;
mod directory;
mod fast_commit;
mod group;
mod inode;
mod journal;
mod map;
mod replay;
mod superblock;

use std::{fmt, sync::Arc};

use lotse_disk::Disk;

pub(crate) use self::superblock::Superblock;
use self::{
    blocks::Blocks, cache::Cache, directory::Directory, fast_commit::FastCommits, inode::Inode, journal::Journal,
};
use crate::{Error, FileKind, Kind, Result, Room, Stat, tree::Nodes, volume::Volume};

/// special_inodes.rst: the root directory.
const ROOT: u32 = 2;

/// super.rst: length of the superblock, and its place in bytes.
const SUPERBLOCK_LEN: usize = 1024;

/// Groups whose descriptors are read to count the free blocks.
const MAX_GROUPS: u64 = 1 << 20;

/// Largest directory that is listed and kept, in bytes: some 300,000 names. In larger ones a name is looked for without
/// keeping the others, up to the second limit.
const MAX_LISTED: u64 = 16 << 20;
const MAX_SEARCHED: u64 = 512 << 20;

/// Memory for inodes and directories that were read, in bytes.
const CACHED_INODES: usize = 2 << 20;
const CACHED_DIRECTORIES: usize = 6 << 20;

/// Longest target of a link that is read, in bytes: one more than any may have (Linux: `PATH_MAX`), so that too long a
/// one is told from one of the greatest length.
const MAX_TARGET: usize = 4097;

/// An ext2, ext3 or ext4 filesystem as a [`FileTree`](crate::FileTree).
///
/// A journal that was not replayed yet is taken into account, so files are read as a mount would show them. What a mount
/// does beyond that, with files that were removed or cut short while they were in use (the list of orphans), changes no
/// name, no size and no byte of a file that can be reached.
pub struct Ext {
    superblock: Superblock,
    blocks: Blocks,
    fast_commits: FastCommits,
    was_unmounted_cleanly: bool,
    inodes: Cache<u32, Arc<Inode>>,
    directories: Cache<u32, Arc<Directory>>,
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
    /// that cannot be taken into account (it is on another device, or longer than any that mke2fs makes; what is read
    /// without them may be old); what the disk says when it cannot be read.
    pub fn open(disk: &Disk, offset: u64, len: u64) -> Result<Self> {
        Self::on(Volume::new(disk, offset, len))
    }

    /// The same on a volume, which may stand inside a layer.
    pub(crate) fn on(volume: Volume) -> Result<Self> {
        let mut bytes = vec![0; SUPERBLOCK_LEN];
        if !volume.read_at(&mut bytes, SUPERBLOCK_LEN as u64)? {
            return Err(corrupt("superblock", 0));
        }
        let superblock = Superblock::read(&bytes)?;
        let blocks = Blocks::new(volume, superblock.block_size, superblock.blocks);
        let mut ext = Self::new(superblock, blocks);
        if ext.superblock.needs_recovery() {
            ext = ext.replayed()?;
        }
        let root = ext.inode(ROOT)?;
        if root.kind() != FileKind::Directory {
            return Err(corrupt("root", u64::from(ROOT)));
        }
        Ok(ext)
    }

    fn new(superblock: Superblock, blocks: Blocks) -> Self {
        Self {
            was_unmounted_cleanly: superblock.was_unmounted_cleanly(),
            superblock,
            blocks,
            fast_commits: FastCommits::default(),
            inodes: Cache::new(CACHED_INODES),
            directories: Cache::new(CACHED_DIRECTORIES),
        }
    }

    /// The same filesystem with what its journal holds.
    fn replayed(self) -> Result<Self> {
        let Some(journal) = Journal::open(&self)? else {
            return Ok(self);
        };
        let (replay, fast, sequence) = journal.replay()?;
        let blocks = self.blocks.replayed(replay);
        let mut bytes = vec![0; SUPERBLOCK_LEN];
        let (block, within) = self.superblock.place();
        blocks.read(block, within, &mut bytes)?;
        let superblock = Superblock::read(&bytes)?;
        if superblock.block_size != self.superblock.block_size {
            return Err(corrupt("superblock", block));
        }
        // It may have grown while it was in use.
        let blocks = blocks.counted(superblock.blocks);
        let mut ext = Self::new(superblock, blocks);
        ext.fast_commits = FastCommits::read(&fast, sequence, &ext)?;
        ext.was_unmounted_cleanly = false;
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
        self.was_unmounted_cleanly
    }

    /// Bytes of the whole filesystem, its own tables included. More than its partition holds when the image was cut off.
    pub fn total_bytes(&self) -> u64 {
        self.superblock.total_bytes()
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

    /// An inode as it stands on the disk.
    fn inode_bytes(&self, number: u32) -> Result<Vec<u8>> {
        let superblock = &self.superblock;
        let index = number.checked_sub(1).filter(|_| number <= superblock.inodes);
        let index = index.ok_or_else(|| corrupt("inode_number", u64::from(number)))?;
        let table = self.descriptor(index / superblock.inodes_per_group)?.inode_table;
        let at = u64::from(index % superblock.inodes_per_group) * u64::from(superblock.inode_len);
        let block = table
            .checked_add(at / superblock.block_size)
            .ok_or_else(|| corrupt("inode_table", table))?;
        let block = self.blocks.block(block)?;
        // An inode never crosses blocks: both sizes are powers of two.
        let at = usize::try_from(at % superblock.block_size).unwrap_or(usize::MAX);
        let bytes = block
            .get(at..)
            .and_then(|rest| rest.get(..usize::from(superblock.inode_len)));
        bytes.map(<[u8]>::to_vec).ok_or_else(|| corrupt("inode_table", table))
    }

    fn inode(&self, number: u32) -> Result<Inode> {
        match self.fast_commits.inode(number) {
            // Its own checksum is old; the fast commit had one over all.
            Some(bytes) => Inode::parse(number, bytes, &self.superblock, true),
            None => Inode::parse(number, &self.inode_bytes(number)?, &self.superblock, false),
        }
    }

    /// Tells what cannot be read of a file, link or directory whatever its blocks are.
    fn check_readable(&self, inode: &Inode) -> Result<()> {
        if inode.is_encrypted() {
            return Err(Error::new(Kind::Incompatible, "file_encrypted"));
        }
        if self.superblock.has_compression() && inode.is_compressed() {
            return Err(Error::new(Kind::Incompatible, "file_compressed"));
        }
        Ok(())
    }

    /// Bytes of a file or link, at most `len` from `offset` on.
    fn file_content(&self, inode: &Inode, offset: u64, len: usize) -> Result<Vec<u8>> {
        self.check_readable(inode)?;
        let left = usize::try_from(inode.size().saturating_sub(offset)).unwrap_or(usize::MAX);
        let len = len.min(left);
        if inode.is_inline() {
            let mut content = inode.inline_content()?;
            let offset = usize::try_from(offset).unwrap_or(usize::MAX).min(content.len());
            content.drain(..offset);
            content.truncate(len);
            return Ok(content);
        }
        let block_size = self.superblock.block_size;
        // Grown run by run: nothing is allocated for a size that merely stands in an inode.
        let mut content = Vec::new();
        while let Some(left) = len.checked_sub(content.len()).filter(|left| *left > 0) {
            let at = offset + content.len() as u64;
            let within = at % block_size;
            let run = self.map(inode, at / block_size, (within + left as u64).div_ceil(block_size))?;
            let bytes = run.blocks.saturating_mul(block_size) - within;
            let bytes = usize::try_from(bytes).unwrap_or(usize::MAX).min(left);
            let start = content.len();
            match run.first {
                Some(first) if !self.blocks.has_run(first, run.blocks) => return Err(corrupt("block", first)),
                Some(first) => {
                    content.resize(start.saturating_add(bytes), 0);
                    self.blocks
                        .read(first, within, content.get_mut(start..).unwrap_or_default())?;
                }
                None => content.resize(start.saturating_add(bytes), 0),
            }
        }
        Ok(content)
    }

    /// A directory that is small enough to be kept as a whole; `None` for a larger one.
    fn directory(&self, inode: &Inode) -> Option<Arc<Directory>> {
        if let Some(directory) = self.directories.get(inode.number()) {
            return Some(directory);
        }
        if inode.size() > MAX_LISTED {
            return None;
        }
        let directory = Arc::new(Directory::read(self, inode));
        self.directories
            .put(inode.number(), Arc::clone(&directory), directory.weight());
        Some(directory)
    }
}

/// The directory is too large for what is asked.
fn too_large(directory: &Inode, limit: u64) -> Error {
    let error = Error::new(Kind::Refused, "file_too_large");
    let error = error.with("path", format_args!("inode {}", directory.number()));
    error.with("size", directory.size()).with("limit", limit)
}

impl Nodes for Ext {
    type Node = Arc<Inode>;

    fn root(&self) -> Result<Self::Node> {
        if let Some(root) = self.inodes.get(ROOT) {
            return Ok(root);
        }
        let root = Arc::new(self.inode(ROOT)?);
        self.inodes.put(ROOT, Arc::clone(&root), root.weight());
        Ok(root)
    }

    fn room(&self) -> Result<Option<Room>> {
        Ok(Some(Room {
            total: self.total_bytes(),
            free: self.free_bytes()?,
        }))
    }

    fn lookup(&self, directory: &Self::Node, name: &str) -> Result<Option<Self::Node>> {
        let number = match self.directory(directory) {
            Some(directory) => directory.find(name)?,
            None if directory.size() > MAX_SEARCHED => return Err(too_large(directory, MAX_SEARCHED)),
            None => Directory::search(self, directory, name)?,
        };
        let Some(number) = number else {
            return Ok(None);
        };
        if let Some(inode) = self.inodes.get(number) {
            return Ok(Some(inode));
        }
        // The first inodes are the filesystem's own and stand in no directory.
        if number < self.superblock.first_inode && number != ROOT {
            return Err(corrupt("entry", u64::from(number)));
        }
        let inode = Arc::new(self.inode(number)?);
        if !inode.is_in_use() {
            return Err(corrupt("entry", u64::from(number)));
        }
        self.inodes.put(number, Arc::clone(&inode), inode.weight());
        Ok(Some(inode))
    }

    fn stat_of(&self, node: &Self::Node) -> Stat {
        Stat {
            kind: node.kind(),
            size: node.size(),
            mode: node.mode() & 0o7777,
        }
    }

    fn content(&self, file: &Self::Node, len: usize) -> Result<Vec<u8>> {
        self.file_content(file, 0, len)
    }

    fn content_at(&self, file: &Self::Node, offset: u64, len: usize) -> Result<Vec<u8>> {
        self.file_content(file, offset, len)
    }

    fn names(&self, directory: &Self::Node) -> Result<Vec<String>> {
        match self.directory(directory) {
            Some(directory) => directory.names(),
            None => Err(too_large(directory, MAX_LISTED)),
        }
    }

    fn target(&self, link: &Self::Node) -> Result<String> {
        let mut bytes = match link.fast_target() {
            Some(target) => target.to_vec(),
            None => self.file_content(link, 0, MAX_TARGET)?,
        };
        // For Linux it ends there, whatever size it claims.
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        bytes.truncate(end);
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}
