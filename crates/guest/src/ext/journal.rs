//! The journal (journal.rst; Linux fs/jbd2): which of its transactions are whole, and which blocks they wrote. Nothing
//! is written anywhere; what a mount would write is found by [`Replay`].

use std::sync::Arc;

use lotse_disk::bytes::{be32, be64, le16};

use super::{
    Ext, Inode, corrupt,
    map::Run,
    replay::{Entry, MAGIC, Replay, TagChecksum},
};
use crate::{
    Error, Kind, Result,
    checksum::{crc32_be, crc32c},
};

/// `h_blocktype`.
const DESCRIPTOR: u32 = 1;
const COMMIT: u32 = 2;
const SUPERBLOCK_V1: u32 = 3;
const SUPERBLOCK_V2: u32 = 4;
const REVOKE: u32 = 5;

/// `s_feature_compat`, `s_feature_incompat`.
const COMPAT_CHECKSUM: u32 = 0x1;
const INCOMPAT_64BIT: u32 = 0x2;
const INCOMPAT_ASYNC_COMMIT: u32 = 0x4;
const INCOMPAT_CSUM_V2: u32 = 0x8;
const INCOMPAT_CSUM_V3: u32 = 0x10;
const INCOMPAT_FAST_COMMIT: u32 = 0x20;
const INCOMPAT_KNOWN: u32 = 0x3f;

/// `t_flags`.
const TAG_ESCAPED: u16 = 0x1;
const TAG_SAME_UUID: u16 = 0x2;
const TAG_LAST: u16 = 0x8;

/// Length of the header that each of the journal's own blocks has, in bytes.
const HEADER: usize = 12;

/// Linux include/linux/jbd2.h: `JBD2_MIN_JOURNAL_BLOCKS`, `JBD2_DEFAULT_FAST_COMMIT_BLOCKS`.
const MIN_BLOCKS: u32 = 1024;
const FAST_COMMIT_BLOCKS: u32 = 256;

/// Blocks of a log that are looked at, and records of revoked blocks: mke2fs makes journals of at most 262,144 blocks
/// unless it is told otherwise.
const MAX_LOG: u32 = 1 << 19;
const MAX_REVOKED: u64 = 1 << 22;

/// Bytes of fast commits that are looked at, sixteen times what mke2fs makes room for.
const MAX_FAST: usize = 16 << 20;

/// What the journal's superblock says.
struct Head {
    /// First block of the log, and the block after its last.
    first: u32,
    last: u32,
    /// Where the log begins now, and the transaction that stands there.
    start: u32,
    sequence: u32,
    compat: u32,
    incompat: u32,
    /// Start of every checksum.
    seed: u32,
    /// The fast commits' blocks: from here up to the journal's end.
    fast: Option<(u32, u32)>,
}

/// A journal that holds something.
pub(super) struct Journal<'a> {
    ext: &'a Ext,
    inode: Inode,
    head: Head,
    /// Where some blocks of the journal are: the last answer.
    known: Option<(u32, Run)>,
}

/// What a walk through the log found.
struct Log {
    entries: Vec<Entry>,
    /// Blocks of the journal with records of revoked blocks, and their transactions.
    revokes: Vec<(u32, u32)>,
    /// The transaction after the last whole one.
    end: u32,
}

/// The journal cannot be used.
fn broken(number: u64) -> Error {
    corrupt("journal", number)
}

impl<'a> Journal<'a> {
    /// `None` when it is empty: the filesystem was not unmounted, but all had been written to its place.
    pub(super) fn open(ext: &'a Ext) -> Result<Option<Self>> {
        let number = ext.superblock.journal;
        if number == 0 {
            // On another device, which is not here.
            return Err(Error::new(Kind::Incompatible, "journal_dirty"));
        }
        let inode = ext.inode(number)?;
        let blocks = u32::try_from(inode.size() / ext.superblock.block_size).unwrap_or(u32::MAX);
        let head = Head::parse(&ext.file_content(&inode, 0, 1024)?, blocks, ext.superblock.block_size)?;
        if head.start == 0 {
            return Ok(None);
        }
        Ok(Some(Self {
            ext,
            inode,
            head,
            known: None,
        }))
    }

    /// Reads the log: first which blocks its whole transactions wrote, then which of them were revoked. Returns the
    /// content of the fast commits' blocks as well, and the transaction to which they must belong.
    pub(super) fn replay(mut self) -> Result<(Replay, Vec<u8>, u32)> {
        let log = self.walk()?;
        let checksum = self.head.tag_checksum().map(|kind| (kind, self.head.seed));
        let mut replay = Replay::new(log.entries, checksum);
        let mut records = 0;
        for (block, sequence) in log.revokes {
            let bytes = self.block(block)?;
            records += self.revoked(&bytes, sequence, &mut replay)?;
            if records > MAX_REVOKED {
                return Err(Error::new(Kind::Incompatible, "journal_dirty"));
            }
        }
        replay.settle();
        let mut fast = Vec::new();
        if let Some((first, end)) = self.head.fast {
            for block in first..end {
                let bytes = self.block(block)?;
                // Filled from the first on; an old one there is told by its transaction.
                if fast.len() >= MAX_FAST || bytes.iter().all(|byte| *byte == 0) {
                    break;
                }
                fast.extend_from_slice(&bytes);
            }
        }
        Ok((replay, fast, log.end))
    }

    /// The disk's block of the journal's block.
    fn place(&mut self, block: u32) -> Result<u64> {
        if let Some((start, run)) = self.known
            && let Some(into) = block.checked_sub(start).map(u64::from)
            && into < run.blocks
            && let Some(first) = run.first
        {
            return Ok(first + into);
        }
        let run = self.ext.map(&self.inode, u64::from(block), u64::from(MAX_LOG))?;
        self.known = Some((block, run));
        // Linux allocates all of a journal at once: there are no holes in it.
        run.first.ok_or_else(|| broken(u64::from(block)))
    }

    fn block(&mut self, block: u32) -> Result<Arc<[u8]>> {
        let place = self.place(block)?;
        self.ext.blocks.block(place)
    }

    /// Finds the transactions that are whole. The rules where the log ends, and which damage is a torn last transaction
    /// and which is none, are those of Linux fs/jbd2/recovery.c.
    fn walk(&mut self) -> Result<Log> {
        let mut log = Log {
            entries: Vec::new(),
            revokes: Vec::new(),
            end: self.head.sequence,
        };
        // Of the last whole transaction.
        let (mut entries, mut revokes) = (0, 0);
        let mut at = self.head.start;
        let mut sequence = self.head.sequence;
        let mut last_commit = 0;
        let mut damaged = false;
        // Set when a transaction that may have been torn is followed by others (asynchronous commits).
        let mut torn = None;
        let mut sum = !0;
        let mut left = self.head.last - self.head.first;
        if left > MAX_LOG {
            return Err(Error::new(Kind::Incompatible, "journal_dirty"));
        }
        while left > 0 {
            left -= 1;
            let block = self.block(at)?;
            let this = at;
            at = self.head.next(at);
            if be32(&block, 0) != MAGIC || be32(&block, 8) != sequence {
                break;
            }
            match be32(&block, 4) {
                DESCRIPTOR => {
                    damaged |= !self.head.is_right(&block);
                    if torn.is_none() {
                        sum = self.head.summed(sum, &block);
                    }
                    let tags = self.head.tags(&block);
                    left = left.saturating_sub(u32::try_from(tags.len()).unwrap_or(u32::MAX));
                    for tag in tags {
                        if torn.is_none() && !damaged {
                            let place = self.place(at)?;
                            if self.head.compat & COMPAT_CHECKSUM != 0 {
                                sum = crc32_be(sum, &self.ext.blocks.block(place)?);
                            }
                            log.entries.push(tag.entry(place, sequence));
                        }
                        at = self.head.next(at);
                    }
                }
                REVOKE => {
                    damaged |= !self.head.is_right(&block);
                    log.revokes.push((this, sequence));
                }
                COMMIT => {
                    let time = be64(&block, 48);
                    if damaged {
                        // Of the same journal, or left over from an older one?
                        if time >= last_commit {
                            return Err(broken(u64::from(this)));
                        }
                        break;
                    }
                    if torn.is_some() && self.head.compat & COMPAT_CHECKSUM != 0 {
                        // A later one was written in full: that was no interruption.
                        return Err(broken(u64::from(this)));
                    }
                    if !self.head.is_right_commit(&block, sum) {
                        if time < last_commit {
                            break;
                        }
                        if self.head.incompat & INCOMPAT_ASYNC_COMMIT == 0 {
                            return Err(broken(u64::from(this)));
                        }
                        torn = Some(sequence);
                    }
                    if torn.is_none() {
                        (entries, revokes) = (log.entries.len(), log.revokes.len());
                        log.end = sequence.wrapping_add(1);
                    }
                    sum = !0;
                    last_commit = time;
                    sequence = sequence.wrapping_add(1);
                }
                _ => break,
            }
        }
        log.entries.truncate(entries);
        log.revokes.truncate(revokes);
        Ok(log)
    }

    /// Hands on the records of one block; returns how many there are.
    fn revoked(&self, block: &[u8], sequence: u32, replay: &mut Replay) -> Result<u64> {
        let end = usize::try_from(be32(block, 12)).unwrap_or(usize::MAX);
        let records = self
            .head
            .covered(block)
            .get(16..end.max(16))
            .ok_or_else(|| broken(u64::from(sequence)))?;
        let is_64bit = self.head.incompat & INCOMPAT_64BIT != 0;
        let records = records.chunks_exact(if is_64bit { 8 } else { 4 });
        let count = records.len() as u64;
        for record in records {
            let block = if is_64bit {
                be64(record, 0)
            } else {
                u64::from(be32(record, 0))
            };
            replay.revoke(block, sequence);
        }
        Ok(count)
    }
}

impl Head {
    /// `blocks` is how many the journal's file has.
    fn parse(bytes: &[u8], blocks: u32, block_size: u64) -> Result<Self> {
        let kind = be32(bytes, 4);
        let is_v2 = kind == SUPERBLOCK_V2;
        if be32(bytes, 0) != MAGIC || !(is_v2 || kind == SUPERBLOCK_V1) {
            return Err(broken(0));
        }
        let since_v2 = |at| if is_v2 { be32(bytes, at) } else { 0 };
        let (compat, incompat) = (since_v2(36), since_v2(40));
        if incompat & !INCOMPAT_KNOWN != 0 || incompat & INCOMPAT_CSUM_V2 != 0 && incompat & INCOMPAT_CSUM_V3 != 0 {
            let error = Error::new(Kind::Incompatible, "ext_feature_not_read");
            return Err(error.with("feature", format_args!("journal 0x{incompat:x}")));
        }
        let seed = crc32c(!0, bytes.get(48..64).unwrap_or_default());
        if incompat & (INCOMPAT_CSUM_V2 | INCOMPAT_CSUM_V3) != 0 {
            let mut copy = bytes.to_vec();
            if let Some(field) = copy.get_mut(252..256) {
                field.fill(0);
            }
            if crc32c(!0, &copy) != be32(bytes, 252) {
                return Err(corrupt("journal_checksum", 0));
            }
        }
        let (len, first, start) = (be32(bytes, 16), be32(bytes, 20), be32(bytes, 28));
        // A journal without a log has nothing that could be cut off.
        if u64::from(be32(bytes, 12)) != block_size || len > blocks || first == 0 || first >= len {
            return Err(broken(0));
        }
        let mut last = len;
        let mut fast = None;
        if incompat & INCOMPAT_FAST_COMMIT != 0 {
            let wanted = match be32(bytes, 84) {
                0 => FAST_COMMIT_BLOCKS,
                number => number,
            };
            if let Some(log) = len.checked_sub(wanted).filter(|log| *log >= MIN_BLOCKS && *log > first) {
                // Linux fs/jbd2/journal.c: the block between the two is left out.
                (last, fast) = (log, Some((log + 1, len)));
            }
        }
        if start != 0 && (start < first || start >= last) {
            return Err(broken(0));
        }
        Ok(Self {
            first,
            last,
            start,
            sequence: be32(bytes, 24),
            compat,
            incompat,
            seed,
            fast,
        })
    }

    fn tag_checksum(&self) -> Option<TagChecksum> {
        if self.incompat & INCOMPAT_CSUM_V3 != 0 {
            Some(TagChecksum::V3)
        } else if self.incompat & INCOMPAT_CSUM_V2 != 0 {
            Some(TagChecksum::V2)
        } else {
            None
        }
    }

    /// The next block of the log, which is a ring.
    fn next(&self, at: u32) -> u32 {
        if at + 1 < self.last { at + 1 } else { self.first }
    }

    /// All of a descriptor's or a revoke block but its checksum.
    fn covered<'b>(&self, block: &'b [u8]) -> &'b [u8] {
        let tail = if self.tag_checksum().is_some() { 4 } else { 0 };
        block.get(..block.len().saturating_sub(tail)).unwrap_or_default()
    }

    /// Proves a descriptor's or a revoke block (`jbd2_journal_block_tail`).
    fn is_right(&self, block: &[u8]) -> bool {
        if self.tag_checksum().is_none() {
            return true;
        }
        let covered = self.covered(block);
        crc32c(crc32c(self.seed, covered), &[0; 4]) == be32(block, covered.len())
    }

    /// Proves a commit block: by its own checksum, or by the whole transaction's where the journal has one.
    fn is_right_commit(&self, block: &[u8], sum: u32) -> bool {
        let (kind, len, stored) = (block.get(12), block.get(13), be32(block, 16));
        if self.compat & COMPAT_CHECKSUM != 0 {
            // `JBD2_CRC32_CHKSUM`, 4 bytes; all zero where the transaction was written without.
            return (kind, len, stored) == (Some(&1), Some(&4), sum) || (kind, len, stored) == (Some(&0), Some(&0), 0);
        }
        if self.tag_checksum().is_none() {
            return true;
        }
        let (before, after) = block.split_at(block.len().min(16));
        let after = after.get(4..).unwrap_or_default();
        crc32c(crc32c(crc32c(self.seed, before), &[0; 4]), after) == stored
    }

    fn summed(&self, sum: u32, block: &[u8]) -> u32 {
        if self.compat & COMPAT_CHECKSUM != 0 {
            crc32_be(sum, block)
        } else {
            sum
        }
    }

    /// What a descriptor block says about the blocks that follow it (`journal_block_tag_t`, `journal_block_tag3_t`).
    fn tags(&self, block: &[u8]) -> Vec<Tag> {
        let is_64bit = self.incompat & INCOMPAT_64BIT != 0;
        let checksum = self.tag_checksum();
        let len = match checksum {
            Some(TagChecksum::V3) => 16,
            // Two bytes longer than its fields (Linux fs/jbd2/journal.c, journal_tag_bytes).
            Some(TagChecksum::V2) => 10 + if is_64bit { 4 } else { 0 },
            None => 8 + if is_64bit { 4 } else { 0 },
        };
        let mut rest = self.covered(block).get(HEADER..).unwrap_or_default();
        let mut tags = Vec::new();
        while let Some((tag, after)) = rest.split_at_checked(len) {
            let high = if is_64bit { be32(tag, 8) } else { 0 };
            let flags = le16(tag, 6).swap_bytes();
            tags.push(Tag {
                block: u64::from(high) << 32 | u64::from(be32(tag, 0)),
                is_escaped: flags & TAG_ESCAPED != 0,
                checksum: if checksum == Some(TagChecksum::V3) {
                    be32(tag, 12)
                } else {
                    u32::from(le16(tag, 4).swap_bytes())
                },
            });
            if flags & TAG_LAST != 0 {
                break;
            }
            let uuid = if flags & TAG_SAME_UUID == 0 { 16 } else { 0 };
            rest = after.get(uuid..).unwrap_or_default();
        }
        tags
    }
}

struct Tag {
    block: u64,
    is_escaped: bool,
    checksum: u32,
}

impl Tag {
    fn entry(&self, place: u64, sequence: u32) -> Entry {
        Entry::new(self.block, place, self.is_escaped, sequence, self.checksum)
    }
}
