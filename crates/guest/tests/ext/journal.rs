//! Filesystems that were not unmounted. The truth is what Linux shows after a mount of the same image, and what e2fsck
//! makes of the journal.

use std::{
    collections::BTreeMap,
    fmt::Write,
    fs,
    io::Read,
    process::Command,
    sync::{Arc, OnceLock},
};

use lotse_disk::{Disk, MemorySource};
use lotse_guest::{FileKind, FileTree, ext::Ext};
use sha2::{Digest, Sha256};

use crate::{
    images::{open, run, text, tree_listing},
    opinions::assert_same_opinions,
};

/// An image of `dirty.py`: name, bytes, and what Linux shows.
pub(crate) struct Dirty {
    pub(crate) name: String,
    pub(crate) image: Vec<u8>,
    listing: String,
}

/// The images of `dirty.py`, unpacked as it describes.
pub(crate) fn dirty_images() -> &'static [Dirty] {
    static IMAGES: OnceLock<Vec<Dirty>> = OnceLock::new();
    IMAGES.get_or_init(|| {
        let packed = include_bytes!("dirty.bin.zst");
        let mut bytes = Vec::new();
        ruzstd::decoding::StreamingDecoder::new(&packed[..])
            .unwrap()
            .read_to_end(&mut bytes)
            .unwrap();
        let mut rest = bytes.as_slice();
        let mut take = |len: usize| {
            let (taken, after) = rest.split_at(len.min(rest.len()));
            rest = after;
            taken.to_vec()
        };
        let number = |bytes: Vec<u8>| u32::from_le_bytes(bytes.try_into().unwrap()) as usize;
        let mut images = Vec::new();
        while let [len] = take(1)[..] {
            let name = String::from_utf8(take(usize::from(len))).unwrap();
            let mut image = vec![0; number(take(4)) * 1024];
            let listing = number(take(4));
            let listing = String::from_utf8(take(listing)).unwrap();
            for _ in 0..number(take(4)) {
                let at = number(take(4)) * 1024;
                image[at..at + 1024].copy_from_slice(&take(1024));
            }
            images.push(Dirty { name, image, listing });
        }
        images
    })
}

fn disk(image: &[u8]) -> Disk {
    Disk::open(Arc::new(MemorySource::new(image.to_vec()))).unwrap()
}

/// The listing of `dirty.py`.
fn listing(tree: &dyn FileTree) -> String {
    let mut lines = BTreeMap::new();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        for name in tree.list(&folder).unwrap().unwrap() {
            let path = format!("{folder}/{name}");
            let stat = tree.lstat(&path).unwrap().unwrap();
            let mut line = String::new();
            match stat.kind {
                FileKind::Directory => {
                    write!(line, "d {:04o} - -", stat.mode).unwrap();
                    folders.push(path.clone());
                }
                FileKind::Symlink => {
                    let target = tree.read_link(&path).unwrap().unwrap();
                    write!(line, "l {:04o} {} {target}", stat.mode, stat.size).unwrap();
                }
                _ => {
                    let content = tree.read(&path, 10_000_000).unwrap().unwrap();
                    assert_eq!(content.len() as u64, stat.size, "{path}");
                    write!(line, "f {:04o} {} ", stat.mode, stat.size).unwrap();
                    for byte in Sha256::digest(&content) {
                        write!(line, "{byte:02x}").unwrap();
                    }
                }
            }
            lines.insert(path, line);
        }
    }
    let lines = lines.iter().map(|(path, line)| [path, " ", line, "\n"].concat());
    lines.collect()
}

fn assert_listing(image: &Dirty, found: &str, what: &str) {
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let (found, expected) = (sorted(found), sorted(&image.listing));
    let missing: Vec<_> = expected.iter().filter(|line| !found.contains(line)).collect();
    let wrong: Vec<_> = found.iter().filter(|line| !expected.contains(line)).collect();
    assert!(
        missing.is_empty() && wrong.is_empty(),
        "{} {what}: expected {missing:#?}, found {wrong:#?}",
        image.name
    );
}

#[test]
fn a_dirty_journal_reads_as_linux_shows_it() {
    for image in dirty_images() {
        let disk = disk(&image.image);
        let ext = Ext::open(&disk, 0, disk.len()).unwrap_or_else(|error| panic!("{}: {error}", image.name));
        assert_listing(image, &listing(&ext), "as it is");
        assert!(!ext.was_unmounted_cleanly(), "{}", image.name);
    }
    assert_eq!(dirty_images().len(), 17);
}

/// A second truth: e2fsck writes the journal's blocks to their places, and nothing is left to replay.
#[test]
fn a_dirty_journal_reads_as_e2fsck_makes_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image");
    for image in dirty_images() {
        fs::write(&path, &image.image).unwrap();
        // Status 1: "errors corrected".
        let output = Command::new("e2fsck")
            .args(["-y", "-E", "journal_only", text(&path)])
            .output()
            .unwrap();
        assert!(
            matches!(output.status.code(), Some(0 | 1)),
            "{}: {output:?}",
            image.name
        );
        let ext = open(&path).unwrap_or_else(|error| panic!("{}: {error}", image.name));
        assert_listing(image, &listing(&ext), "after e2fsck");
        assert_same_opinions(&tree_listing(&ext), &path, &image.name);
    }
}

/// debugfs writes transactions of its own: with each kind of checksum, by extents and by indirect blocks.
#[test]
fn what_debugfs_writes_to_the_journal_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let image = file("image");
    // Begins like one of the journal's own blocks, so that it has to be escaped.
    let mut new = vec![b'n'; 3072];
    new[..4].copy_from_slice(&0xc03b_3998_u32.to_be_bytes());
    fs::write(file("new"), &new).unwrap();
    fs::write(file("old"), vec![b'o'; 3072]).unwrap();
    fs::write(file("newest"), vec![b'm'; 1024]).unwrap();
    let debugfs = |commands: &str| {
        fs::write(file("commands"), commands).unwrap();
        let output = Command::new("debugfs")
            .args(["-w", "-f", text(&file("commands")), text(&image)])
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let read = || open(&image).unwrap().read("/f", 10_000).unwrap().unwrap();
    for (kind, checksum) in [
        ("ext3", ""),
        ("ext4", ""),
        ("ext4", "-c"),
        ("ext4", "-c -v 2"),
        ("ext4", "-c -v 3"),
    ] {
        for transactions in 1..=3 {
            // debugfs 1.47 forgets the checksum of a block of revocations, which e2fsck takes for damage as well.
            if transactions > 1 && !checksum.is_empty() {
                continue;
            }
            let what = format!("{kind} {checksum}, {transactions}");
            fs::File::create(&image).unwrap().set_len(16 << 20).unwrap();
            let options = ["-q", "-F", "-t", kind, "-b", "1024", "-J", "size=1"];
            run(
                "mke2fs",
                &[&options[..], &["-O", "^metadata_csum", text(&image)]].concat(),
            );
            let output = debugfs(&format!(
                "write {} f\nbmap f 0\nbmap f 1\nbmap f 2\n",
                text(&file("old"))
            ));
            let blocks: Vec<&str> = output.lines().filter(|line| line.parse::<u32>().is_ok()).collect();
            let writes = [
                format!("jw -b {} {}\n", blocks.join(","), text(&file("new"))),
                // Takes the first block back: what stands in its place counts.
                format!("jw -r {}\n", blocks[0]),
                // And writes it again.
                format!("jw -b {} {}\n", blocks[0], text(&file("newest"))),
            ];
            debugfs(&format!("jo {checksum}\n{}jc\n", writes[..transactions].concat()));
            let mut expected = new.clone();
            match transactions {
                2 => expected[..1024].fill(b'o'),
                3 => expected[..1024].fill(b'm'),
                _ => {}
            }
            assert!(read() == expected, "{what}");
            // debugfs' own replay comes to the same.
            debugfs("jr\n");
            assert!(read() == expected, "{what}: written to its place");
            assert!(
                open(&image).unwrap().was_unmounted_cleanly(),
                "{what}: nothing is left to replay"
            );
        }
    }
}

/// Places of the log's commit blocks (journal.rst, "Commit Block") by transaction.
fn commits(image: &[u8]) -> BTreeMap<u32, usize> {
    let word = |at: usize| u32::from_be_bytes(image[at..at + 4].try_into().unwrap());
    (0..image.len())
        .step_by(1024)
        .filter(|at| word(*at) == 0xc03b_3998 && word(at + 4) == 2)
        .map(|at| (word(at + 8), at))
        .collect()
}

/// The last transaction is only half written: all before it counts. e2fsck is the truth.
#[test]
fn a_torn_transaction_and_all_after_it_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image");
    for image in dirty_images() {
        if image.name.starts_with("fast") {
            // Whatever fast commits follow belong to the last transaction as well.
            continue;
        }
        let commits = commits(&image.image);
        let last = *commits.keys().next_back().unwrap();
        for back in [0, 1, 3] {
            let Some(at) = commits.get(&(last - back)) else {
                continue;
            };
            let mut torn = image.image.clone();
            torn[*at..at + 1024].fill(0);
            fs::write(&path, &torn).unwrap();
            let output = Command::new("e2fsck")
                .args(["-y", "-E", "journal_only", text(&path)])
                .output()
                .unwrap();
            assert!(
                matches!(output.status.code(), Some(0 | 1)),
                "{}: {output:?}",
                image.name
            );
            let disk = disk(&torn);
            let ours = Ext::open(&disk, 0, disk.len()).unwrap();
            assert!(
                listing(&ours) == listing(&open(&path).unwrap()),
                "{}, torn {back} before the last",
                image.name
            );
        }
    }
}
