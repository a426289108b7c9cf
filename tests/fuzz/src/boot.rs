//! What starts a system: FAT, initramfs images, boot loaders' configurations.

use std::sync::Arc;

use lotse_disk::{Disk, MemorySource};
use lotse_guest::{
    FileKind, FileTree, boot,
    fat::Fat,
    initramfs::{Wanted, search},
};

/// Files of one filesystem that are read, at most: directories may run in circles.
const MOST_FILES: usize = 100;

/// Opens the bytes as FAT and reads what is in it.
pub fn use_fat(bytes: &[u8]) {
    // The signature in front makes a disk of anything.
    let mut whole = vec![0; 512];
    whole[510..].copy_from_slice(&[0x55, 0xaa]);
    whole.extend(bytes);
    let Ok(disk) = Disk::open(Arc::new(MemorySource::new(whole))) else { return };
    let Ok(fat) = Fat::open(&disk, 512, bytes.len() as u64) else { return };
    let mut folders = vec![String::new()];
    let mut left = MOST_FILES;
    while let Some(folder) = folders.pop() {
        for name in fat.list(&folder).ok().flatten().unwrap_or_default() {
            left -= 1;
            if left == 0 {
                return;
            }
            let path = format!("{folder}/{name}");
            match fat.stat(&path) {
                Ok(Some(stat)) if stat.kind == FileKind::Directory => folders.push(path),
                Ok(Some(stat)) => {
                    let content = fat.read(&path, 1 << 20).ok().flatten();
                    assert!(content.is_none_or(|content| content.len() as u64 == stat.size), "{path}");
                    _ = fat.read_at(&path, 1000, 1000);
                }
                _ => {}
            }
        }
    }
}

/// Looks for what is there and what is not.
pub fn use_initramfs(bytes: &[u8]) {
    let mut fetch = |offset: u64, len: usize| {
        let rest = usize::try_from(offset).ok().and_then(|offset| bytes.get(offset..)).unwrap_or_default();
        Ok(rest[..len.min(rest.len())].to_vec())
    };
    let found = search(&mut fetch, &[Wanted::Module("virtio_blk"), Wanted::Path("nothing/of/this/name")]);
    assert!(found.found.len() == 2);
}

/// Reads a configuration of the loader that the first byte names.
pub fn use_configuration(bytes: &[u8]) {
    let Some((which, text)) = bytes.split_first() else { return };
    let loaders = ["grub", "syslinux", "grub_legacy", "lilo", "entry"];
    let parsed = boot::parse(loaders[usize::from(*which) % loaders.len()], &String::from_utf8_lossy(text));
    let lines = text.iter().filter(|byte| **byte == b'\n').count() + 1;
    assert!(parsed.is_none_or(|parsed| parsed.line as usize <= lines), "a line past the end");
}
