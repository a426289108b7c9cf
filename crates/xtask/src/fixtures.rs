//! `cargo xtask fixtures`: real disk images, built by Debian's own tools as root or as a normal user, and kept until their recipe changes.

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::programs;
use crate::system::{Need, System};
use crate::workspace::Workspace;
use crate::{Failure, Outcome, about, child, failure};

/// What the recipe consists of besides this file; a change to one of them builds the images anew.
const RECIPE: [&str; 4] = [
    "crates/xtask/src/fixtures.rs",
    "tests/corpus/debian-12/filesystem.sh",
    "tests/corpus/debian-12/inspect.py",
    "tests/corpus/debian-12/99-ccloud.cfg",
];

/// Every time stamp inside the images: 2026-11-01, so that the same packages give the same bytes.
const EPOCH: &str = "1793491200";
/// What makes it a cloud image: configured at its first start, reached by SSH. A kernel and a boot loader are not needed to be read, only to
/// start, and would take three times the space.
const PACKAGES: &str = "systemd-sysv,cloud-init,openssh-server";

const MIB: u64 = 1 << 20;
const SECTOR: u64 = 512;
const DISK: u64 = 1536 * MIB;
/// The order on the disk is that of Debian's own cloud images: 14 (BIOS boot), 15 (EFI), then 1 (root) up to the end.
const EFI_START: u64 = 4 * MIB;
const EFI_SIZE: u64 = 16 * MIB;
const ROOT_START: u64 = 20 * MIB;
/// Leaves the last MiB to the backup of the partition table.
const ROOT_SIZE: u64 = DISK - ROOT_START - MIB;
const DISK_UUID: &str = "6d0a7b52-3a55-4a4d-8c61-0f4f5d9b1e01";
const ROOT_UUID: &str = "6d0a7b52-3a55-4a4d-8c61-0f4f5d9b1e02";

/// Builds the images, from the beginning if `again`.
pub(crate) fn run(workspace: Workspace, again: bool) -> Outcome {
    programs::provide(&workspace, System::detect(), &[Need::Images])?;
    if again {
        _ = fs::remove_file(stamp(&workspace));
    }
    let folder = provide(&workspace)?;
    println!("{}", folder.display());
    drop(workspace);
    Ok(())
}

/// Where the images are.
pub(crate) fn folder(workspace: &Workspace) -> PathBuf {
    workspace.target("fixtures")
}

fn stamp(workspace: &Workspace) -> PathBuf {
    folder(workspace).join("recipe")
}

/// The folder with the images, built if they are not there yet.
pub(crate) fn provide(workspace: &Workspace) -> Outcome<PathBuf> {
    let folder = folder(workspace);
    let mut recipe = String::new();
    for part in RECIPE {
        let part = workspace.path(part);
        recipe.push_str(&fs::read_to_string(&part).map_err(about(&part))?);
    }
    if fs::read_to_string(stamp(workspace)).is_ok_and(|built| built == recipe) {
        println!("The test images are up to date.");
        return Ok(folder);
    }
    let start = Instant::now();
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(about(&folder))?;
    }
    fs::create_dir_all(&folder).map_err(about(&folder))?;
    println!("Building the test images (a Debian 12 with cloud-init and sshd); this takes about a minute.");
    let debian = Build {
        workspace,
        folder: &folder,
    };
    debian.filesystem()?;
    debian.disk()?;
    debian.containers()?;
    debian.variants()?;
    let stamp = stamp(workspace);
    fs::write(&stamp, recipe).map_err(about(&stamp))?;
    println!("Built in {:.0} s.", start.elapsed().as_secs_f64());
    Ok(folder)
}

struct Build<'a> {
    workspace: &'a Workspace,
    folder: &'a Path,
}

impl Build<'_> {
    fn at(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn tool(&self, program: &str) -> Command {
        let mut command = self.workspace.command(program);
        command
            .stdin(Stdio::null())
            .env("SOURCE_DATE_EPOCH", EPOCH)
            .env("E2FSPROGS_FAKE_TIME", EPOCH);
        command
    }

    /// The root filesystem, made while mmdebstrap still is, or seems to be, root: only then are the owners right.
    fn filesystem(&self) -> Outcome {
        let script = self.workspace.path("tests/corpus/debian-12/filesystem.sh");
        let script = fs::read_to_string(&script).map_err(about(&script))?;
        let mut mmdebstrap = self.tool("mmdebstrap");
        mmdebstrap.args(["--mode=auto", "--variant=minbase", "--format=null", "--quiet"]);
        mmdebstrap.arg(format!("--include={PACKAGES}"));
        for left_out in ["/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/man/*"] {
            mmdebstrap.arg(format!("--dpkgopt=path-exclude={left_out}"));
        }
        for sent in ["inspect.py", "99-ccloud.cfg"] {
            let from = self.workspace.path("tests/corpus/debian-12").join(sent);
            mmdebstrap.arg(format!("--customize-hook=upload {} /tmp/{sent}", quoted(&from)?));
        }
        mmdebstrap.arg(format!("--customize-hook={script}"));
        for (fetched, name) in [
            ("root.ext4", "root.ext4"),
            ("expected.json", "debian-12.expected.json"),
            ("files.jsonl", "debian-12.files.jsonl"),
            ("configdrive-first.json", "configdrive-first.expected.json"),
        ] {
            mmdebstrap.arg(format!(
                "--customize-hook=download /tmp/fixture/{fetched} {}",
                quoted(&self.at(name))?
            ));
        }
        mmdebstrap
            .env("ROOT_MIB", (ROOT_SIZE / MIB).to_string())
            .env("ROOT_UUID", ROOT_UUID);
        child::run(mmdebstrap.args(["bookworm", "-"]))
    }

    /// The whole disk: partition table, an empty EFI partition, the root filesystem.
    fn disk(&self) -> Outcome {
        let disk = self.at("debian-12.raw");
        let file = File::create(&disk).map_err(about(&disk))?;
        file.set_len(DISK).map_err(about(&disk))?;
        let table = format!(
            "label: gpt\nlabel-id: {DISK_UUID}\nsector-size: {SECTOR}\n\
             1: start={}, size={}, type=4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709, uuid={ROOT_UUID}\n\
             14: start=2048, size=6144, type=21686148-6449-6E6F-744E-656564454649, uuid=6d0a7b52-3a55-4a4d-8c61-0f4f5d9b1e03\n\
             15: start={}, size={}, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B, uuid=6d0a7b52-3a55-4a4d-8c61-0f4f5d9b1e04\n",
            ROOT_START / SECTOR,
            ROOT_SIZE / SECTOR,
            EFI_START / SECTOR,
            EFI_SIZE / SECTOR,
        );
        let mut sfdisk = self.tool("sfdisk");
        let mut sfdisk = sfdisk
            .args(["--quiet", "--no-reread"])
            .arg(&disk)
            .stdin(Stdio::piped())
            .spawn()
            .map_err(about(&disk))?;
        if let Some(mut input) = sfdisk.stdin.take() {
            input.write_all(table.as_bytes()).map_err(about(&disk))?;
        }
        if !sfdisk.wait().is_ok_and(|status| status.success()) {
            return failure("sfdisk could not write the partition table");
        }

        let efi = self.at("efi.vfat");
        File::create(&efi)
            .and_then(|file| file.set_len(EFI_SIZE))
            .map_err(about(&efi))?;
        child::run(self.tool("mkfs.vfat").args(["--invariant", "-n", "EFI"]).arg(&efi))?;
        for (part, start) in [("efi.vfat", EFI_START), ("root.ext4", ROOT_START)] {
            let part = self.at(part);
            place(&part, &disk, start)?;
            fs::remove_file(&part).map_err(about(&part))?;
        }
        Ok(())
    }

    fn containers(&self) -> Outcome {
        self.convert("debian-12.raw", &["-O", "qcow2"], "debian-12.qcow2")?;
        self.convert("debian-12.raw", &["-c", "-O", "qcow2"], "debian-12-compressed.qcow2")
    }

    fn convert(&self, from: &str, options: &[&str], to: &str) -> Outcome {
        child::run(
            self.tool("qemu-img")
                .args(["convert", "-f", "raw"])
                .args(options)
                .arg(self.at(from))
                .arg(self.at(to)),
        )
    }

    /// Copies with one thing changed, and files that are no images.
    fn variants(&self) -> Outcome {
        self.changed(
            "no-sshd",
            "rm /etc/systemd/system/multi-user.target.wants/ssh.service\nrm /etc/systemd/system/sshd.service\n",
        )?;
        let drop_in = self.workspace.path("tests/corpus/debian-12");
        let drop_in = drop_in
            .to_str()
            .ok_or_else(|| Failure("the checkout's path is not UTF-8".to_owned()))?;
        self.changed(
            "configdrive-first",
            &format!("lcd \"{drop_in}\"\ncd /etc/cloud/cloud.cfg.d\nwrite 99-ccloud.cfg 99-ccloud.cfg\n"),
        )?;
        for (name, content) in [
            ("empty.img", ""),
            ("notes.img", "This is a text file whose name promises a disk image.\n"),
        ] {
            let path = self.at(name);
            fs::write(&path, content).map_err(about(&path))?;
        }
        Ok(())
    }

    /// The Debian image after these debugfs commands, as qcow2.
    fn changed(&self, name: &str, commands: &str) -> Outcome {
        let raw = self.at("variant.raw");
        let script = self.at("variant.debugfs");
        child::run(
            self.tool("qemu-img")
                .args(["convert", "-f", "raw", "-O", "raw"])
                .arg(self.at("debian-12.raw"))
                .arg(&raw),
        )?;
        fs::write(&script, commands).map_err(about(&script))?;
        // libext2fs takes the filesystem's place from the name; debugfs ends with 0 whatever its commands did, but says what went wrong.
        let device = format!("{}?offset={ROOT_START}", raw.display());
        let mut debugfs = self.tool("debugfs");
        let output = debugfs
            .arg("-w")
            .arg("-f")
            .arg(&script)
            .arg(device)
            .output()
            .map_err(about(&raw))?;
        let complaints: Vec<_> = String::from_utf8_lossy(&output.stderr)
            .lines()
            .skip(1)
            .map(str::to_owned)
            .collect();
        if !output.status.success() || !complaints.is_empty() {
            return failure(format!(
                "debugfs could not make the image `{name}`: {}",
                complaints.join("; ")
            ));
        }
        self.convert("variant.raw", &["-O", "qcow2"], &format!("{name}.qcow2"))?;
        for path in [raw, script] {
            fs::remove_file(&path).map_err(about(&path))?;
        }
        Ok(())
    }
}

/// Writes `part` into `disk` from `start` on, leaving holes where there are only zeros.
fn place(part: &Path, disk: &Path, start: u64) -> Outcome {
    let mut from = File::open(part).map_err(about(part))?;
    let mut to = File::options().write(true).open(disk).map_err(about(disk))?;
    let mut position = start;
    let mut block = Vec::new();
    loop {
        block.clear();
        let mut limited = std::io::Read::take(&mut from, 64 * 1024);
        let length = std::io::Read::read_to_end(&mut limited, &mut block).map_err(about(part))?;
        if length == 0 {
            return Ok(());
        }
        if block.iter().any(|byte| *byte != 0) {
            to.seek(SeekFrom::Start(position))
                .and_then(|_| to.write_all(&block))
                .map_err(about(disk))?;
        }
        position = position.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
    }
}

/// A path for mmdebstrap's own hooks, which are split as a shell would.
fn quoted(path: &Path) -> Outcome<String> {
    match path.to_str() {
        Some(path) if !path.contains('\'') => Ok(format!("'{path}'")),
        _ => failure(format!("{}: mmdebstrap cannot work with such a path", path.display())),
    }
}
