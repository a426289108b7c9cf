//! What mke2fs alone does not make: flags, attributes and sizes set by debugfs.

use std::{
    fs,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use lotse_guest::FileTree;

use crate::images::{noise, open, run, text};

/// An empty filesystem of 16 MiB after some commands of debugfs; `{}` in them stands for the folder.
fn image_of(folder: &Path, options: &[&str], commands: &str) -> PathBuf {
    let image = folder.join("image");
    fs::File::create(&image).unwrap().set_len(0).unwrap();
    fs::File::create(&image).unwrap().set_len(16 << 20).unwrap();
    run(
        "mke2fs",
        &[&["-q", "-F", "-b", "1024"], options, &[text(&image)]].concat(),
    );
    debugfs(folder, &image, commands);
    image
}

fn debugfs(folder: &Path, image: &Path, commands: &str) {
    let script = folder.join("commands");
    fs::write(&script, commands.replace("{}", text(folder))).unwrap();
    let output = Command::new("debugfs")
        .args(["-w", "-f", text(&script), text(image)])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

fn content(image: &Path, path: &str) -> Vec<u8> {
    open(image).unwrap().read(path, 1 << 20).unwrap().unwrap()
}

#[test]
fn upper_and_lower_case_are_the_same_where_a_directory_says_so() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "here\n").unwrap();
    let options = ["-t", "ext4", "-O", "casefold", "-E", "encoding=utf8"];
    let commands = "mkdir Folded\nsif Folded flags 0x40080000\nmkdir Plain\ncd /Folded\nwrite {}/file Straße.TXT\ncd /Plain\nwrite {}/file README\n";
    let ext = open(&image_of(folder.path(), &options, commands)).unwrap();
    for path in ["/Folded/Straße.TXT", "/Folded/straße.txt", "/Folded/STRASSE.txt"] {
        assert_eq!(ext.read(path, 100).unwrap().as_deref(), Some(&b"here\n"[..]), "{path}");
    }
    assert_eq!(
        ext.list("/Folded").unwrap().unwrap(),
        ["Straße.TXT"],
        "names are as they were given"
    );
    assert_eq!(ext.lstat("/folded").unwrap(), None, "the root is an ordinary directory");
    assert_eq!(ext.lstat("/Plain/readme").unwrap(), None);
}

#[test]
fn what_is_encrypted_or_compressed_hides_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "here\n").unwrap();
    let options = ["-t", "ext4", "-O", "encrypt,^metadata_csum"];
    let commands = "write {}/file plain\nwrite {}/file secret\nmkdir vault\nsif secret flags 0x80800\nsif vault flags 0x80800\nsymlink link /etc/x\nsif link flags 0x800\n";
    let image = image_of(folder.path(), &options, commands);
    let ext = open(&image).unwrap();
    assert_eq!(content(&image, "/plain"), b"here\n");
    for error in [
        ext.read("/secret", 100).unwrap_err(),
        ext.list("/vault").unwrap_err(),
        ext.stat("/vault/file").unwrap_err(),
        ext.read_link("/link").unwrap_err(),
    ] {
        assert_eq!(error.code(), "file_encrypted");
    }
    assert!(ext.stat("/secret").unwrap().is_some(), "type and size are no secret");
    // INCOMPAT_COMPRESSION, which only e2compr ever set; its files carry a flag.
    debugfs(
        folder.path(),
        &image,
        "write {}/file packed\nsif packed flags 0x80200\n",
    );
    let file = fs::OpenOptions::new().read(true).write(true).open(&image).unwrap();
    let mut features = [0];
    file.read_exact_at(&mut features, 1024 + 96).unwrap();
    assert_eq!(
        content(&image, "/packed"),
        b"here\n",
        "without the feature the flag means nothing"
    );
    file.write_all_at(&[features[0] | 1], 1024 + 96).unwrap();
    assert_eq!(
        open(&image).unwrap().read("/packed", 100).unwrap_err().code(),
        "file_compressed"
    );
    assert_eq!(content(&image, "/plain"), b"here\n");
}

#[test]
fn attributes_beside_content_and_links_do_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("short"), noise(150)).unwrap();
    fs::write(folder.path().join("big"), noise(9000)).unwrap();
    for options in [
        &["-t", "ext4", "-O", "inline_data,ea_inode", "-I", "512"][..],
        &["-t", "ext4", "-O", "ea_inode"],
        &["-t", "ext3", "-I", "128"],
        &["-t", "ext4", "-O", "bigalloc,ea_inode", "-C", "16384"],
    ] {
        let large = if options.concat().contains("ea_inode") {
            "ea_set -f {}/big f user.large\n"
        } else {
            ""
        };
        let commands = format!(
            "write {{}}/short f\nea_set f user.a one\nea_set f security.selinux system_u\n{large}ea_set f user.zz two\n\
             symlink l some/where\nea_set l security.selinux system_u:object_r:etc_t:s0\nea_set -f {{}}/short l user.long\n"
        );
        let image = image_of(folder.path(), options, &commands);
        assert!(content(&image, "/f") == noise(150), "{options:?}");
        let target = open(&image).unwrap().read_link("/l").unwrap();
        assert_eq!(target.as_deref(), Some("some/where"), "{options:?}");
    }
}

/// A directory of more than 16 MiB: holes cost nothing, and a name is still found.
#[test]
fn huge_directories_are_searched_but_not_listed() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "here\n").unwrap();
    let options = ["-t", "ext4", "-O", "^metadata_csum"];
    let commands = "mkdir d\ncd d\nwrite {}/file a\ncd /\nsif d size 20000000\n";
    let image = image_of(folder.path(), &options, commands);
    let ext = open(&image).unwrap();
    assert_eq!(ext.read("/d/a", 100).unwrap().as_deref(), Some(&b"here\n"[..]));
    assert_eq!(ext.lstat("/d/b").unwrap(), None);
    assert_eq!(ext.list("/d").unwrap_err().code(), "file_too_large");
    debugfs(folder.path(), &image, "sif d size 600000000\n");
    assert_eq!(
        open(&image).unwrap().lstat("/d/b").unwrap_err().code(),
        "file_too_large"
    );
}

/// Maps that lead back to themselves, and a directory that holds itself.
#[test]
fn circles_end() {
    let folder = tempfile::tempdir().unwrap();
    let started = Instant::now();
    let image = image_of(
        folder.path(),
        &["-t", "ext3"],
        "write /dev/null f\nsetb 9000\nsif f block[TIND] 9000\nsif f size 0x3ffffff000\nmkdir d\nln <13> d/self\n",
    );
    let write = |block: u64, bytes: &[u8]| {
        let file = fs::OpenOptions::new().write(true).open(&image).unwrap();
        file.write_all_at(bytes, block * 1024).unwrap();
    };
    write(9000, &9000_u32.to_le_bytes().repeat(256));
    let ext = open(&image).unwrap();
    assert_eq!(ext.read("/f", 1 << 20).unwrap_err().code(), "file_too_large");
    // Twelve direct blocks and two levels of blocks of numbers are holes; what follows is block 9000 again and again.
    let holes = (12 + 256 + 256 * 256) * 1024;
    let start = ext.read_at("/f", holes - 10, 20).unwrap().unwrap();
    assert_eq!(start[..10], [0; 10]);
    assert_eq!(start[10..14], 9000_u32.to_le_bytes());
    let path = format!("/d{}", "/self".repeat(500));
    assert!(
        ext.stat(&path).unwrap().is_some(),
        "as long as a path is, and no longer"
    );

    let islands = folder.path().join("islands");
    let file = fs::File::create(&islands).unwrap();
    for at in (0..200_000).step_by(2048) {
        file.write_all_at(b"island", at).unwrap();
    }
    let image = image_of(
        folder.path(),
        &["-t", "ext4", "-O", "^metadata_csum"],
        "write {}/islands f\n",
    );
    let mut bytes = fs::read(&image).unwrap();
    let node = (0..bytes.len())
        .step_by(1024)
        .find(|at| bytes[*at..*at + 2] == [0x0a, 0xf3])
        .unwrap();
    assert!(content(&image, "/f").starts_with(b"island"));
    // A leaf becomes an inner node that leads to itself.
    let itself = u32::try_from(node / 1024).unwrap();
    for depth in [1, 2, 5] {
        bytes[node + 6] = depth;
        for entry in 0..3 {
            bytes[node + 12 + entry * 12 + 4..][..4].copy_from_slice(&itself.to_le_bytes());
            bytes[node + 12 + entry * 12 + 8..][..4].fill(0);
        }
        fs::write(&image, &bytes).unwrap();
        let error = open(&image).unwrap().read("/f", 1 << 20).unwrap_err();
        assert_eq!(
            (error.code(), error.params()[0].1.as_str()),
            ("ext_corrupt", "extent_tree")
        );
    }
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}
