//! Where compressed clusters stand.

/// Compressed clusters are counted in sectors of 512 bytes ("Compressed Clusters Descriptor").
pub(super) const SECTOR: u64 = 512;

/// Offset in the file and stored bytes (to the end of the last sector) of an L2 entry for a compressed cluster.
pub(super) fn descriptor(entry: u64, cluster_bits: u32) -> (u64, u64) {
    // `cluster_bits` is 9 to 21, so this is 49 to 61.
    let offset_bits = 62 - (cluster_bits - 8);
    let descriptor = entry & ((1 << 62) - 1);
    let offset = descriptor & ((1 << offset_bits) - 1);
    let sectors = (descriptor >> offset_bits) + 1;
    (offset, sectors * SECTOR - offset % SECTOR)
}
