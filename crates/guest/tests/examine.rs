//! A small disk made by real tools (sfdisk, mke2fs, qemu-img) with Debian's stock files, examined as a whole.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot make its image has failed"
)]

use std::{
    fs,
    io::Write,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
};

use lotse_disk::{Disk, FileSource};
use lotse_guest::{
    Evidence, Fact, Facts, examine,
    facts::{Agent, Datasources, MountState, Root, System, TableKind},
};

/// Where the only partition begins, in bytes.
const OFFSET: usize = 1 << 20;

/// A program, also from the folders that are not on a normal user's path.
fn tool(name: &str) -> Command {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new(name);
    command.env("PATH", format!("{path}:/usr/sbin:/sbin"));
    command
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn put(root: &Path, path: &str, content: impl AsRef<[u8]>) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

fn link(root: &Path, path: &str, target: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    symlink(target, path).unwrap();
}

/// What the checks read of a Debian 12 with cloud-init and openssh-server.
fn debian(folder: &Path) -> PathBuf {
    let root = folder.join("root");
    put(
        &root,
        "usr/lib/os-release",
        "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_ID=\"12\"\nID=debian\n",
    );
    link(&root, "etc/os-release", "../usr/lib/os-release");
    link(&root, "sbin", "usr/sbin");
    link(&root, "lib", "usr/lib");
    link(&root, "usr/sbin/init", "/lib/systemd/systemd");
    // ELF, 64 bits, little endian, e_machine 62 at byte 18.
    put(
        &root,
        "usr/lib/systemd/systemd",
        b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\x3e\0",
    );
    put(&root, "etc/machine-id", "");
    put(&root, "etc/fstab", "LABEL=root / ext4 defaults 0 1\n");
    put(
        &root,
        "var/lib/dpkg/status",
        "Package: cloud-init\nStatus: install ok installed\nVersion: 22.4.2-1+deb12u4\n\n\
         Package: openssh-server\nStatus: install ok installed\nVersion: 1:9.2p1-2+deb12u10\n",
    );
    put(&root, "usr/bin/cloud-init", "#!/usr/bin/python3\n");
    for (unit, text) in [
        ("default.target", "[Unit]\nRequires=multi-user.target\n"),
        ("multi-user.target", "[Unit]\n"),
        ("cloud-init.target", "[Unit]\n"),
        ("cloud-init.service", "[Unit]\n"),
    ] {
        put(&root, &format!("usr/lib/systemd/system/{unit}"), text);
    }
    put(
        &root,
        "usr/lib/systemd/system-generators/cloud-init-generator",
        "#!/bin/sh\n",
    );
    link(
        &root,
        "etc/systemd/system/cloud-init.target.wants/cloud-init.service",
        "/lib/systemd/system/cloud-init.service",
    );
    put(&root, "etc/cloud/cloud.cfg", include_str!("stock/debian-12-cloud.cfg"));
    put(
        &root,
        "etc/cloud/cloud.cfg.d/05_logging.cfg",
        include_str!("stock/debian-12-05_logging.cfg"),
    );
    put(
        &root,
        "usr/lib/python3/dist-packages/cloudinit/settings.py",
        include_str!("stock/debian-12-settings.py"),
    );
    put(&root, "usr/sbin/sshd", "\x7fELF");
    put(
        &root,
        "usr/lib/systemd/system/ssh.service",
        "[Unit]\nConditionPathExists=!/etc/ssh/sshd_not_to_be_run\n",
    );
    link(
        &root,
        "etc/systemd/system/multi-user.target.wants/ssh.service",
        "/lib/systemd/system/ssh.service",
    );
    root
}

fn partition(image: &Path, script: &str) {
    let mut sfdisk = tool("sfdisk")
        .args(["--quiet", "--no-reread", "--no-tell-kernel"])
        .arg(image)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    sfdisk.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    assert!(sfdisk.wait().unwrap().success());
}

/// A GPT disk of 34 MiB whose one partition holds the folder on the given filesystem.
fn disk_image(folder: &Path, filesystem: &str, root: &Path) -> PathBuf {
    let image = folder.join(format!("{filesystem}.img"));
    fs::File::create(&image).unwrap().set_len(34 << 20).unwrap();
    partition(&image, "label: gpt\nstart=2048, size=65536, type=linux\n");
    run(tool("mke2fs")
        .args([
            "-q",
            "-F",
            "-t",
            filesystem,
            "-L",
            "root",
            "-E",
            &format!("offset={OFFSET}"),
            "-d",
        ])
        .args([root, &image])
        .arg("32M"));
    image
}

fn examined(image: &Path) -> Facts {
    examine(&Disk::open(Arc::new(FileSource::open(image).unwrap())).unwrap())
}

fn known<T>(fact: Fact<T>) -> T {
    match fact {
        Fact::Known(value) => value,
        Fact::Unknown(unknown) => panic!("{unknown:?}"),
    }
}

#[test]
fn a_debian_is_examined_on_ext3_and_ext4_in_raw_and_qcow2() {
    let folder = tempfile::tempdir().unwrap();
    let root = debian(folder.path());
    for filesystem in ["ext3", "ext4"] {
        let raw = disk_image(folder.path(), filesystem, &root);
        let qcow2 = raw.with_extension("qcow2");
        run(tool("qemu-img")
            .args(["convert", "-f", "raw", "-O", "qcow2"])
            .args([&raw, &qcow2]));
        let facts = examined(&raw);
        assert_eq!(facts, examined(&qcow2), "the container makes no difference");
        assert_debian(facts, filesystem);
    }
}

fn assert_debian(facts: Facts, filesystem: &str) {
    assert_eq!(known(facts.table).kind, TableKind::Gpt);
    let expected = Root {
        filesystem: filesystem.to_owned(),
        partition: Some(1),
        read: true,
        ..Root::default()
    };
    let mut root = known(facts.root).unwrap();
    assert!(
        root.uuid.take().is_some_and(|uuid| uuid.len() == 36),
        "mke2fs gives every filesystem one"
    );
    assert_eq!(root, expected);
    let systems = known(facts.systems);
    assert_eq!(systems.len(), 1);
    assert_eq!(systems[0].name.as_deref(), Some("Debian GNU/Linux 12 (bookworm)"));
    let mounts = known(facts.mounts);
    assert_eq!(
        (mounts[0].point.as_str(), mounts[0].state, mounts[0].partition),
        ("/", MountState::Read, Some(1))
    );
    let System {
        family,
        distribution,
        version,
        architecture,
        ..
    } = known(facts.system).unwrap();
    assert_eq!(family, "linux");
    let told = [distribution, version, architecture].map(Option::unwrap);
    assert_eq!(told, ["debian", "12", "x86_64"]);
    let Agent {
        kind,
        version,
        recent_enough,
        enabled,
        ..
    } = known(facts.agent).unwrap();
    assert_eq!(
        (kind.as_str(), known(version).as_str()),
        ("cloud-init", "22.4.2-1+deb12u4")
    );
    assert!(known(recent_enough) && known(enabled));
    let Datasources {
        list, from, built_in, ..
    } = known(facts.datasources).unwrap();
    assert!(built_in, "Debian names no list");
    assert_eq!(list[..2], ["NoCloud", "ConfigDrive"]);
    let Evidence { path, line, .. } = &from[0];
    assert_eq!(
        path.as_deref(),
        Some("/usr/lib/python3/dist-packages/cloudinit/settings.py")
    );
    assert_eq!(*line, Some(23));
    let sshd = known(facts.sshd);
    assert!(known(sshd.installed) && known(sshd.enabled));
}

#[test]
fn a_disk_without_a_system_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("data");
    put(&root, "photos/1.jpg", "");
    let facts = examined(&disk_image(folder.path(), "ext4", &root));
    assert_eq!(facts.root, Fact::Known(None));
    assert_eq!(facts.system, Fact::Known(None));
    assert!(matches!(facts.sshd, Fact::Unknown(unknown) if unknown.code == "no_system"));
}

#[test]
fn the_frame_of_logical_partitions_is_not_taken_for_an_unrecognised_root() {
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("logical.img");
    fs::File::create(&image).unwrap().set_len(300 << 20).unwrap();
    let table = "label: dos\np1: start=2048, size=100MiB, type=83\np2: size=150MiB, type=5\np5: size=32MiB, type=83\n";
    partition(&image, table);
    let mut bytes = fs::read(&image).unwrap();
    bytes[OFFSET..OFFSET + 4].copy_from_slice(b"XFSB");
    fs::write(&image, &bytes).unwrap();
    let root = known(examined(&image).root).unwrap();
    assert_eq!((root.filesystem.as_str(), root.partition), ("xfs", Some(1)));

    // The same with room for a system in the logical partition.
    partition(&image, &table.replace("size=32MiB", "size=128MiB"));
    let facts = examined(&image);
    assert!(matches!(facts.root, Fact::Unknown(unknown) if unknown.code == "filesystem_not_recognised"));
}

#[test]
fn a_wiped_filesystem_is_unknown_and_never_a_pass() {
    let folder = tempfile::tempdir().unwrap();
    let image = disk_image(folder.path(), "ext4", &debian(folder.path()));
    // Block group descriptors and inode tables follow the superblock; without them nothing can be read.
    let bytes = fs::read(&image).unwrap();
    let mut damaged = bytes.clone();
    damaged[OFFSET + 4096..OFFSET + (8 << 20)].fill(0xa5);
    fs::write(&image, damaged).unwrap();
    let facts = examined(&image);
    assert!(
        !matches!(&facts.root, Fact::Known(Some(root)) if root.read),
        "{:?}",
        facts.root
    );
    assert!(matches!(facts.system, Fact::Unknown(_)));
    assert!(matches!(facts.agent, Fact::Unknown(_)));
    assert!(matches!(facts.datasources, Fact::Unknown(_)));
    assert!(matches!(facts.sshd, Fact::Unknown(_)));
}
