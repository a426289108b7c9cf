//! Settings of the network and rules of firewalls, each as the file that holds them on a small system.

use lotse_guest::{MemoryTree, firewall, network};

/// Settings of the network, by the file that holds them.
const SETTINGS: &[&str] = &[
    "/etc/network/interfaces",
    "/etc/netplan/01.yaml",
    "/etc/NetworkManager/system-connections/a.nmconnection",
    "/etc/systemd/network/a.network",
    "/etc/systemd/network/a.link",
    "/etc/sysconfig/network-scripts/ifcfg-a",
    "/etc/sysconfig/network/ifcfg-a",
    "/etc/dhcpcd.conf",
    "/etc/rc.conf",
    "/etc/udev/rules.d/70-persistent-net.rules",
    "/etc/resolv.conf",
];

/// Programs without which nobody reads the settings.
const PROGRAMS: &[&str] = &[
    "/sbin/ifup",
    "/usr/sbin/NetworkManager",
    "/usr/lib/systemd/systemd-networkd",
    "/etc/rc.d/init.d/network",
    "/usr/sbin/wickedd",
    "/sbin/dhcpcd",
    "/usr/lib/systemd/system-generators/netplan",
    "/etc/defaults/rc.conf",
    "/usr/sbin/nft",
    "/usr/sbin/ufw",
    "/usr/sbin/firewalld",
];

/// An Alpine that starts one service, with all programs there are.
fn system(service: &str) -> MemoryTree {
    let mut tree = MemoryTree::new()
        .symlink("/sbin/init", "openrc-init")
        .program("/sbin/openrc-init", "")
        .program(&format!("/etc/init.d/{service}"), "#!/sbin/openrc-run\n")
        .symlink(&format!("/etc/runlevels/default/{service}"), &format!("/etc/init.d/{service}"));
    for program in PROGRAMS {
        tree = tree.program(program, "");
    }
    tree
}

/// One file of settings; the first byte tells which.
pub fn use_settings(bytes: &[u8]) {
    let Some((which, text)) = bytes.split_first() else { return };
    let path = SETTINGS[usize::from(*which) % SETTINGS.len()];
    _ = network::of_tree(&system("networking").file_with_mode(path, text, 0o600));
}

/// Rules of a firewall that is started with `service`.
pub fn use_rules(service: &str, path: &str, bytes: &[u8]) {
    _ = firewall::of_tree(&system(service).file(path, bytes), &[22]);
}

/// The rules of ufw's own file; the others are as its package brings them, without comments.
pub fn use_ufw(bytes: &[u8]) {
    let before = "*filter\n:ufw-before-input - [0:0]\n:ufw-before-output - [0:0]\n-A ufw-before-input -i lo -j ACCEPT\nCOMMIT\n";
    let tree = system("ufw")
        .file("/etc/ufw/ufw.conf", "ENABLED=yes\n")
        .file("/etc/default/ufw", "DEFAULT_INPUT_POLICY=\"DROP\"\nDEFAULT_OUTPUT_POLICY=\"ACCEPT\"\n")
        .file("/etc/ufw/before.rules", before)
        .file("/etc/ufw/after.rules", "*filter\nCOMMIT\n");
    _ = firewall::of_tree(&tree.file("/etc/ufw/user.rules", bytes), &[22]);
}
