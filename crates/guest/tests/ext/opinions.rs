//! Second opinions on the same image: debugfs, and the crate ext4-view where it reads the feature set.

use std::{fs, path::Path};

use ext4_view::{Ext4, Ext4Error, FileType};
use lotse_guest::FileKind;

use crate::images::{Listing, assert_same, host_listing, run, text};

/// Compares a listing of ours with what both say; false where ext4-view does not read such a filesystem.
pub(crate) fn assert_same_opinions(ours: &Listing, image: &Path, what: &str) -> bool {
    let mut theirs = by_debugfs(image);
    for (path, entry) in &mut theirs {
        // debugfs 1.47 takes all sixty bytes of a shorter file that stands in its inode.
        if let Some(mine) = ours.get(path)
            && entry.1 == Some(60)
            && mine.1 < entry.1
        {
            assert!(
                entry.3.iter().skip(mine.3.len()).all(|byte| *byte == 0),
                "{what}: {path}"
            );
            entry.3.truncate(mine.3.len());
            entry.1 = mine.1;
        }
    }
    assert_same(ours, &theirs, &format!("{what}, debugfs"));
    by_ext4_view(image, what).is_some_and(|mut theirs| {
        if let Some(sparse) = ours.get("/sparse") {
            theirs.entry("/sparse".to_owned()).or_insert_with(|| sparse.clone());
        }
        assert_same(ours, &theirs, &format!("{what}, ext4-view"));
        true
    })
}

/// What `rdump` takes out of the image.
fn by_debugfs(image: &Path) -> Listing {
    let folder = tempfile::tempdir().unwrap();
    let command = format!("rdump / {}", text(folder.path()));
    run("debugfs", &["-R", &command, text(image)]);
    let _ = fs::remove_dir(folder.path().join("lost+found"));
    host_listing(folder.path())
}

fn by_ext4_view(image: &Path, what: &str) -> Option<Listing> {
    let ext4 = match Ext4::load_from_path(image) {
        Ok(ext4) => ext4,
        Err(Ext4Error::Incompatible(_)) => return None,
        Err(error) => panic!("{what}: {error}"),
    };
    // It does not read inodes of 128 bytes with checksums.
    ext4.read_dir("/").ok()?;
    let mut listing = Listing::new();
    let mut folders = vec!["/".to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in ext4.read_dir(folder.as_str()).unwrap() {
            let entry = entry.unwrap();
            let path = entry.path().to_str().unwrap().to_owned();
            let name = entry.file_name().as_str().unwrap().to_owned();
            if matches!(name.as_str(), "." | "..") || path == "/lost+found" {
                continue;
            }
            let metadata = ext4.symlink_metadata(path.as_str()).unwrap();
            let mode = metadata.mode() & 0o7777;
            let entry = match metadata.file_type() {
                FileType::Directory => {
                    folders.push(path.clone());
                    (FileKind::Directory, None, mode, Vec::new())
                }
                FileType::Symlink => {
                    let target = ext4.read_link(path.as_str()).unwrap();
                    let target = target.to_str().unwrap().as_bytes().to_vec();
                    (FileKind::Symlink, Some(metadata.len()), mode, target)
                }
                _ => {
                    let content = match ext4.read(path.as_str()) {
                        Ok(content) => content,
                        // ext4-view 1.0.0 takes a hole in a file without extents for block 0.
                        Err(Ext4Error::Corrupt(_)) if path == "/sparse" => continue,
                        Err(error) => panic!("{what}: {path}: {error}"),
                    };
                    (FileKind::File, Some(metadata.len()), mode, content)
                }
            };
            listing.insert(path, entry);
        }
    }
    Some(listing)
}
