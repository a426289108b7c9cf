//! What lies between a partition and a filesystem and is looked through: LVM and RAID members. LUKS stays closed.

pub(crate) mod lvm;
pub(crate) mod mdraid;

use crate::volume::Volume;

/// What a layer holds.
pub(crate) struct Inside {
    /// `vg/lv`, or the array's name.
    pub(crate) name: Option<String>,
    /// Length in bytes as the layer says.
    pub(crate) len: u64,
    /// Its bytes; `None` where they are not put together here.
    pub(crate) volume: Option<Volume>,
    /// The place of its first part's member among those that were handed over.
    pub(crate) member: usize,
}
