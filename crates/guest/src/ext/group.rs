//! The descriptors of the block groups (group_descr.rst), their checksums proved.

use lotse_disk::bytes::{le16, le32};

use super::{Ext, corrupt};
use crate::{
    Result,
    checksum::{crc16, crc32c},
};

/// What a group's descriptor says.
pub(super) struct Descriptor {
    /// First block of its inode table.
    pub(super) inode_table: u64,
    /// Blocks that nobody uses; with bigalloc clusters.
    pub(super) free_clusters: u64,
}

impl Ext {
    pub(super) fn descriptor(&self, group: u32) -> Result<Descriptor> {
        let superblock = &self.superblock;
        let (block, within) = superblock.descriptor_place(group);
        let block = self.blocks.block(block)?;
        let within = usize::try_from(within).unwrap_or(usize::MAX);
        let descriptor = block
            .get(within..)
            .and_then(|rest| rest.get(..usize::from(superblock.descriptor_len)))
            .ok_or_else(|| corrupt("group", u64::from(group)))?;
        // The checksum counts as zero for CRC-32C, and is left out of CRC-16.
        let (before, after) = descriptor.split_at(30);
        let after = after.get(2..).unwrap_or_default();
        let expected = if superblock.has_metadata_csum() {
            let sum = crc32c(crc32c(superblock.seed, &group.to_le_bytes()), before);
            Some(crc32c(crc32c(sum, &[0; 2]), after) & 0xffff)
        } else if superblock.has_gdt_csum() {
            let sum = crc16(crc16(0xffff, &superblock.uuid), &group.to_le_bytes());
            Some(u32::from(crc16(crc16(sum, before), after)))
        } else {
            None
        };
        if expected.is_some_and(|expected| expected != u32::from(le16(descriptor, 30))) {
            return Err(corrupt("group_checksum", u64::from(group)));
        }
        let is_long = superblock.descriptor_len >= 64;
        let high = |value: u64| if is_long { value } else { 0 };
        Ok(Descriptor {
            inode_table: high(u64::from(le32(descriptor, 40))) << 32 | u64::from(le32(descriptor, 8)),
            free_clusters: high(u64::from(le16(descriptor, 44))) << 16 | u64::from(le16(descriptor, 12)),
        })
    }
}
