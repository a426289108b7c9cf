//! What starts services and the SSH server, and its configuration, each in the files that hold them on a small system.

use lotse_guest::{Fact, MemoryTree, sshd, system};

/// A system with systemd, whose own files the input may replace.
const UNITS: &[&str] = &[
    "/usr/lib/systemd/system/ssh.service",
    "/etc/systemd/system/ssh.service.d/a.conf",
    "/usr/lib/systemd/system/default.target",
    "/usr/lib/systemd/system/ssh.socket",
    "/usr/lib/systemd/system-preset/90.preset",
    "/etc/default/ssh",
];

/// Configurations of the server; the first includes the others.
const CONFIGS: &[&str] = &[
    "/etc/ssh/sshd_config",
    "/etc/ssh/sshd_config.d/a.conf",
    "/etc/ssh/sshd_config.d/b.conf",
    "/etc/ssh/extra",
];

/// Files of the other inits and of releases.
const SCRIPTS: &[&str] = &[
    "/etc/inittab",
    "/etc/rc.conf",
    "/etc/init/ssh.conf",
    "/etc/init/ssh.override",
    "/etc/init.d/rcS",
    "/etc/os-release",
    "/etc/lsb-release",
    "/etc/redhat-release",
    "/etc/SuSE-release",
    "/bin/freebsd-version",
    "/sbin/init",
];

/// The pieces of an input between zero bytes, each in its file.
fn with(tree: MemoryTree, paths: &[&str], bytes: &[u8]) -> MemoryTree {
    let pieces = paths.iter().zip(bytes.split(|byte| *byte == 0));
    pieces.fold(tree, |tree, (path, piece)| tree.program(path, piece))
}

fn systemd() -> MemoryTree {
    MemoryTree::new()
        .symlink("/sbin/init", "/usr/lib/systemd/systemd")
        .program("/usr/sbin/sshd", "\x7fELF")
        .file("/usr/lib/systemd/system/ssh.service", "[Service]\nExecStart=/usr/sbin/sshd -D\n")
        .symlink("/etc/systemd/system/default.target.wants/ssh.service", "/usr/lib/systemd/system/ssh.service")
        .file("/usr/lib/systemd/system/default.target", "[Unit]\n")
}

fn use_tree(tree: &MemoryTree) {
    let sshd = sshd::of_tree(tree);
    if let Fact::Known(Some(config)) = &sshd.config {
        for user in ["root", "debian", ""] {
            _ = config.for_user(user, None);
            _ = config.for_user(user, Some(&["wheel", "root"]));
        }
    }
    _ = system::of_tree(tree);
}

/// Units, drop-ins, presets and the server's settings, separated by zero bytes.
pub fn use_units(bytes: &[u8]) {
    use_tree(&with(systemd(), UNITS, bytes));
}

/// The server's configuration and what it includes, separated by zero bytes.
pub fn use_sshd_config(bytes: &[u8]) {
    use_tree(&with(systemd(), CONFIGS, bytes));
}

/// Files of the other inits and release files, separated by zero bytes; the first byte tells which init.
pub fn use_scripts(bytes: &[u8]) {
    let Some((which, bytes)) = bytes.split_first() else { return };
    let tree = MemoryTree::new()
        .program("/usr/sbin/sshd", "\x7fELF")
        .program("/etc/init.d/ssh", "#!/bin/sh\n")
        .program("/etc/rc.d/sshd", "#!/bin/sh\n");
    let tree = match which % 4 {
        0 => tree.symlink("/sbin/init", "/bin/busybox"),
        1 => tree.program("/sbin/init", "").program("/sbin/initctl", "").file("/etc/init/rcS.conf", ""),
        2 => tree.program("/sbin/init", "").file("/etc/rc.subr", ""),
        _ => tree.program("/sbin/init", "").symlink("/etc/rc3.d/S20ssh", "../init.d/ssh"),
    };
    use_tree(&with(tree, SCRIPTS, bytes));
}
