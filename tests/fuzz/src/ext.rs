//! Reads a filesystem as a whole, within bounds: a damaged one can name any number of files of any size.

use std::sync::Arc;

use lotse_disk::Disk;
use lotse_guest::{FileKind, FileTree, ext::Ext};

use crate::Pieces;

/// Paths that one input may cost, and bytes read of each.
const MOST_PATHS: usize = 300;
const MOST_BYTES: usize = 100_000;

/// Longest path that is followed: a directory may lead back to itself.
const LONGEST_PATH: usize = 300;

/// Opens the pieces as a filesystem without a partition table and reads all of it.
pub fn walk(bytes: &[u8]) {
    let Some(pieces) = Pieces::read(bytes) else { return };
    let Ok(disk) = Disk::open(Arc::new(pieces)) else { return };
    let Ok(ext) = Ext::open(&disk, 0, disk.len()) else { return };
    _ = (ext.uuid(), ext.label(), ext.kind(), ext.was_unmounted_cleanly(), ext.total_bytes());
    _ = ext.free_bytes();
    let mut folders = vec![String::new()];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        for name in ext.list(&folder).ok().flatten().unwrap_or_default() {
            seen += 1;
            let path = format!("{folder}/{name}");
            if seen > MOST_PATHS || path.len() > LONGEST_PATH {
                return;
            }
            _ = ext.stat(&path);
            _ = ext.read_link(&path);
            match ext.lstat(&path) {
                Ok(Some(stat)) if stat.kind == FileKind::Directory => folders.push(path),
                Ok(Some(stat)) => {
                    let start = ext.read_start(&path, MOST_BYTES);
                    let end = stat.size.saturating_sub(5000);
                    let rest = ext.read_at(&path, end, 5000);
                    if let (Ok(Some(start)), Ok(Some(rest)), FileKind::File) = (start, rest, stat.kind) {
                        assert_eq!(start.len() as u64, stat.size.min(MOST_BYTES as u64), "{path}");
                        assert_eq!(rest.len() as u64, stat.size.min(5000), "{path}");
                        if stat.size <= MOST_BYTES as u64 {
                            assert!(start.ends_with(&rest), "{path}: the same bytes either way");
                        }
                    }
                }
                _ => {}
            }
        }
    }
}
