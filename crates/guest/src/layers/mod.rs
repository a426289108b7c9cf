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

#[cfg(test)]
mod tests {
    use std::{path::Path, sync::Arc};

    use lotse_disk::{Disk, FileSource};

    use crate::{partition, volumes::Volumes};

    /// `tests/layers/make.py` fills each block of 4 KiB with its number: any stretch or stripe in the wrong place shows.
    #[test]
    fn every_block_of_a_logical_volume_stands_where_lvm_put_it() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/layers/lvm.raw.gz");
        let disk = Disk::open(Arc::new(FileSource::open(&path).unwrap())).unwrap();
        let volumes = Volumes::open(&disk, &partition::read(&disk).unwrap());
        for (name, file, blocks, factor) in [
            ("vg-one/root", "/large", 2000_u32, 1),
            ("vg-one/data", "/striped", 800, 7),
        ] {
            let opened = volumes
                .list()
                .iter()
                .find(|opened| opened.name.as_deref() == Some(name))
                .unwrap();
            let content = opened.files().unwrap().read(file, 16 << 20).unwrap().unwrap();
            let expected: Vec<u8> = (0..blocks)
                .flat_map(|block| (block * factor).to_le_bytes().repeat(1024))
                .collect();
            assert!(content == expected, "{name}");
        }
    }
}
