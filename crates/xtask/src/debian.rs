//! Debian's and Ubuntu's packages: finds out which are missing, says what for, and installs them in one go.

use std::collections::BTreeSet;
use std::fs;
use std::io::IsTerminal;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use crate::system::Need;
use crate::workspace::Workspace;
use crate::{Outcome, child, failure};

/// Package, what it is needed for, why.
const PACKAGES: &[(&str, Need, &str)] = &[
    ("build-essential", Need::Compiler, "C compiler for SQLite"),
    ("pkg-config", Need::Compiler, "finds the C libraries"),
    ("libwebkit2gtk-4.1-dev", Need::Window, "shows the window's page"),
    ("libgtk-3-dev", Need::Window, "window and file dialog"),
    ("librsvg2-dev", Need::Window, "icons"),
    ("mmdebstrap", Need::Images, "builds a Debian system"),
    (
        "debian-archive-keyring",
        Need::Images,
        "proves that its packages are Debian's",
    ),
    ("uidmap", Need::Images, "lets a normal user build it"),
    ("fdisk", Need::Images, "sfdisk: partition tables"),
    ("e2fsprogs", Need::Images, "mke2fs, debugfs: ext4"),
    ("dosfstools", Need::Images, "mkfs.vfat: the EFI partition"),
    ("mtools", Need::Images, "mcopy: files on the EFI partition"),
    ("qemu-utils", Need::Images, "qemu-img: qcow2 and the other containers"),
    ("mount", Need::Images, "gives the recipes a system of their own"),
    ("python3", Need::Images, "writes down what is expected of an image"),
    ("time", Need::Images, "the memory that a program takes"),
    ("xorriso", Need::Tests, "ISO files, which are told apart"),
    ("cryptsetup-bin", Need::Tests, "LUKS containers, the same"),
    ("p7zip-full", Need::Tests, "7z archives, the same"),
    ("xz-utils", Need::Tests, "xz files, the same"),
    ("zstd", Need::Tests, "zstd files, the same"),
    ("shellcheck", Need::Tests, "reads the scripts that are saved"),
    ("cpio", Need::Tests, "initramfs images"),
    ("lz4", Need::Tests, "compressed ones"),
    ("grub-common", Need::Tests, "grub-mkimage: real boot loaders"),
    ("grub-pc-bin", Need::Tests, "the same, for a BIOS"),
    ("grub-efi-amd64-bin", Need::Tests, "the same, for UEFI"),
    ("shim-unsigned", Need::Tests, "the same"),
    ("systemd-boot-efi", Need::Tests, "the same"),
    ("syslinux", Need::Tests, "the same"),
    ("syslinux-common", Need::Tests, "the same"),
    ("binutils", Need::Tests, "objcopy: unified kernels"),
    ("openssh-client", Need::Tests, "ssh-keygen: private keys of every kind"),
    ("genisoimage", Need::Tests, "ISO files of another hand"),
    ("pigz", Need::Tests, "gzip files of another hand"),
    ("tabix", Need::Tests, "bgzip: gzip files of many members"),
    ("pbzip2", Need::Tests, "bzip2 files of many streams"),
    ("lbzip2", Need::Tests, "bzip2 files of another hand"),
    ("python3-gi", Need::Tests, "offers the files that are dropped"),
    ("gir1.2-gtk-3.0", Need::Tests, "the same"),
    ("swift-proxy", Need::Tests, "Swift: a real S3 server"),
    ("swift-account", Need::Tests, "the same"),
    ("swift-container", Need::Tests, "the same"),
    ("swift-object", Need::Tests, "the same"),
    ("memcached", Need::Tests, "the same"),
    ("radosgw", Need::Tests, "Ceph: the S3 server that centron runs"),
    ("ceph-mon", Need::Tests, "the same"),
    ("ceph-osd", Need::Tests, "the same"),
    ("ceph-common", Need::Tests, "the same"),
    ("faketime", Need::Tests, "gives it another time than ours"),
    ("xvfb", Need::Tests, "a display without a screen"),
    ("xauth", Need::Tests, "access to it"),
    ("x11-utils", Need::Tests, "xwininfo: where the window is"),
    ("xdotool", Need::Tests, "mouse and keyboard"),
    ("openbox", Need::Tests, "window manager, for dialogs"),
    ("dbus", Need::Tests, "session bus"),
    ("dbus-x11", Need::Tests, "session bus"),
    ("dbus-bin", Need::Tests, "dbus-send: is the keychain open?"),
    ("gnome-keyring", Need::Tests, "a real keychain"),
    ("curl", Need::Tests, "fetches what was made public, as strangers do"),
    ("at-spi2-core", Need::Tests, "accessibility bus that GTK asks for"),
    ("webkit2gtk-driver", Need::Tests, "drives the page"),
    ("locales", Need::Tests, "German and English for the window's language"),
    (
        "gir1.2-webkit2-4.1",
        Need::Tests,
        "a web view on which the driver is tested",
    ),
    ("fonts-dejavu-core", Need::Tests, "letters"),
    ("adwaita-icon-theme", Need::Tests, "icons of the file dialog"),
];

/// Runs `apt-get` with these arguments while no package may start a service (policy-rc.d, Debian Policy 9.3.3.1): the tests start the servers
/// that they want themselves, and somebody's own machine shall not get any by this.
const WITHOUT_SERVICES: &str = "\
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
    trap 'rm -f $policy' EXIT
    printf '#!/bin/sh\\nexit 101\\n' >$policy
    chmod 755 $policy
fi
apt-get \"$@\"";

/// Package lists older than this are fetched anew before something is installed.
const LISTS_KEEP: Duration = Duration::from_hours(24);

/// Installs what is missing for these needs.
pub(crate) fn provide(workspace: &Workspace, needs: &[Need]) -> Outcome {
    let wanted: Vec<_> = PACKAGES
        .iter()
        .filter(|(_, need, _)| needs.contains(need))
        .map(|(name, _, why)| (*name, *why))
        .collect();
    install(workspace, &wanted)
}

/// Installs those of these packages (name, why) that are missing.
pub(crate) fn install(workspace: &Workspace, wanted: &[(&str, &str)]) -> Outcome {
    let missing = missing(workspace, wanted)?;
    if missing.is_empty() {
        return Ok(());
    }
    println!("Debian packages that are missing:");
    for (name, why) in &missing {
        println!("  {name:<24} {why}");
    }
    let names: Vec<_> = missing.iter().map(|(name, _)| *name).collect();
    let Some(prefix) = administrator(workspace) else {
        return failure(format!(
            "this needs the rights of an administrator. Please install the packages, then call this again:\n  apt-get install {}",
            names.join(" ")
        ));
    };
    let apt_get = |arguments: &[&str]| {
        let mut line = prefix.clone();
        line.extend(
            [
                "env",
                "DEBIAN_FRONTEND=noninteractive",
                "sh",
                "-c",
                WITHOUT_SERVICES,
                "apt-get",
                "-o",
                "DPkg::Lock::Timeout=600",
            ]
            .map(str::to_owned),
        );
        line.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        let (program, rest) = line
            .split_first()
            .map_or(("apt-get", &[][..]), |(program, rest)| (program.as_str(), rest));
        let mut command = workspace.command(program);
        command.args(rest);
        // dpkg tells three things about every package; only someone who waits at a terminal wants to see that. What goes wrong is on stderr.
        if !std::io::stdout().is_terminal() {
            command.stdout(Stdio::null());
        }
        command
    };
    let mut install = vec![
        "install",
        "--yes",
        "--no-install-recommends",
        "-qq",
        "-o",
        "Dpkg::Use-Pty=0",
    ];
    install.extend(&names);
    let update = || child::run(&mut apt_get(&["update", "-qq"]));
    let fresh = lists_are_fresh();
    if !fresh {
        update()?;
    }
    match child::run(&mut apt_get(&install)) {
        // A package may have been replaced in the archive since the lists were fetched.
        Err(_) if fresh => {
            update()?;
            child::run(&mut apt_get(&install))
        }
        outcome => outcome,
    }
}

fn missing<'a>(workspace: &Workspace, wanted: &[(&'a str, &'a str)]) -> Outcome<Vec<(&'a str, &'a str)>> {
    let mut command = workspace.command("dpkg-query");
    command
        .args(["--show", "--showformat=${db:Status-Abbrev} ${Package}\n"])
        .args(wanted.iter().map(|(name, _)| name));
    // It fails as soon as one package is unknown, but names the others all the same.
    let Ok(output) = command.stdin(Stdio::null()).output() else {
        return failure("dpkg-query is missing, though this calls itself a Debian system");
    };
    let listed = String::from_utf8_lossy(&output.stdout).into_owned();
    let installed: BTreeSet<_> = listed
        .lines()
        .filter(|line| line.starts_with("ii"))
        .filter_map(|line| line.split_whitespace().last())
        .collect();
    Ok(wanted
        .iter()
        .copied()
        .filter(|(name, _)| !installed.contains(name))
        .collect())
}

/// What to put before a command so that it runs as root; `None` when that cannot be had.
fn administrator(workspace: &Workspace) -> Option<Vec<String>> {
    let id = child::output(Command::new("id").arg("-u")).unwrap_or_default();
    if id.trim() == "0" {
        return Some(Vec::new());
    }
    if !workspace.has("sudo") {
        return None;
    }
    // Without a terminal nobody can type a password.
    let ask = if std::io::stdin().is_terminal() {
        vec!["sudo"]
    } else {
        vec!["sudo", "-n"]
    };
    Some(ask.into_iter().map(str::to_owned).collect())
}

fn lists_are_fresh() -> bool {
    let folder = "/var/lib/apt/lists";
    let any = fs::read_dir(folder).is_ok_and(|mut entries| {
        entries.any(|entry| entry.is_ok_and(|entry| entry.file_name().to_string_lossy().contains("_Packages")))
    });
    let changed = [folder, "/var/lib/apt/lists/partial"]
        .iter()
        .filter_map(|path| fs::metadata(path).ok()?.modified().ok())
        .max();
    any && changed.is_some_and(|time| SystemTime::now().duration_since(time).is_ok_and(|age| age < LISTS_KEEP))
}
