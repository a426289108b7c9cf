//! What property tests do with a damaged image.
#![expect(clippy::unwrap_used, reason = "a length that was cut to 100,000 fits")]

use std::sync::Arc;

use lotse_disk::{Disk, MemorySource};

/// Does everything that a program may do with a disk, as far as it goes.
pub(crate) fn use_disk(bytes: Vec<u8>) {
    let Ok(disk) = Disk::open(Arc::new(MemorySource::new(bytes))) else {
        return;
    };
    let _ = disk.missing_bytes();
    // A damaged size can make the disk terabytes long: the first thousand extents show what the walk does.
    for extent in disk.extents().take(1000).flatten() {
        let mut buf = vec![0; usize::try_from(extent.len.min(100_000)).unwrap()];
        let _ = disk.read_at(&mut buf, extent.offset);
    }
    let mut buf = [0; 5000];
    for step in 0..64 {
        let _ = disk.read_at(&mut buf, (disk.len() / 64 * step).saturating_sub(100));
    }
}
