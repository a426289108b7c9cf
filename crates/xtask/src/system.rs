//! Which operating system this is, and what a person has to install where we cannot do it for them.

use std::fs;

/// What a task needs of the machine.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// Compiling a Rust program that contains C (SQLite).
    Compiler,
    /// Building and showing the window.
    Window,
    /// Making disk images.
    Images,
    /// What only tests want: driving the window, files of formats that are not ours.
    Tests,
}

/// Operating systems, by how one installs things there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum System {
    /// Debian, Ubuntu and their kin: packages are installed by us.
    Debian,
    Fedora,
    Arch,
    Suse,
    OtherLinux,
    MacOs,
    Windows,
}

impl System {
    /// The system this runs on.
    pub(crate) fn detect() -> Self {
        if cfg!(target_os = "macos") {
            Self::MacOs
        } else if cfg!(windows) {
            Self::Windows
        } else {
            Self::from_os_release(&fs::read_to_string("/etc/os-release").unwrap_or_default())
        }
    }

    fn from_os_release(os_release: &str) -> Self {
        let value = |name: &str| {
            os_release
                .lines()
                .find_map(|line| line.strip_prefix(name))
                .unwrap_or_default()
                .replace('"', "")
        };
        let ids = format!("{} {}", value("ID="), value("ID_LIKE="));
        ids.split_whitespace()
            .find_map(|id| match id {
                "debian" | "ubuntu" => Some(Self::Debian),
                "fedora" | "rhel" | "centos" => Some(Self::Fedora),
                "arch" => Some(Self::Arch),
                "suse" | "opensuse" | "opensuse-tumbleweed" | "opensuse-leap" => Some(Self::Suse),
                _ => None,
            })
            .unwrap_or(Self::OtherLinux)
    }

    /// Is a window possible here and now?
    pub(crate) fn has_display(self) -> bool {
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        matches!(self, Self::MacOs | Self::Windows) || set("DISPLAY") || set("WAYLAND_DISPLAY")
    }

    /// What to type to install `need`; `None` where there is nothing to install.
    pub(crate) fn advice(self, need: Need) -> Option<String> {
        let (command, packages) = match (self, need) {
            (Self::Debian, _) | (Self::MacOs, Need::Window) => return None,
            (Self::Fedora, Need::Compiler) => ("sudo dnf install", "gcc make pkgconf-pkg-config"),
            (Self::Fedora, Need::Window) => ("sudo dnf install", "webkit2gtk4.1-devel gtk3-devel librsvg2-devel"),
            (Self::Fedora, Need::Images) => (
                "sudo dnf install",
                "mmdebstrap debian-keyring dpkg util-linux e2fsprogs dosfstools mtools qemu-img python3 shadow-utils time",
            ),
            (Self::Fedora, Need::Tests) => (
                "sudo dnf install",
                "xorg-x11-server-Xvfb xwininfo dbus-daemon dbus-tools gnome-keyring curl at-spi2-core webkit2gtk-driver xdotool openbox dejavu-sans-fonts python3-gobject ceph-mon ceph-osd ceph-common ceph-radosgw libfaketime memcached openstack-swift-proxy openstack-swift-object openstack-swift-account openstack-swift-container",
            ),
            (Self::Arch, Need::Compiler) => ("sudo pacman -S --needed", "base-devel"),
            (Self::Arch, Need::Window) => ("sudo pacman -S --needed", "webkit2gtk-4.1 gtk3 librsvg"),
            (Self::Arch, Need::Images) => (
                "sudo pacman -S --needed",
                "mmdebstrap debian-archive-keyring util-linux e2fsprogs dosfstools mtools qemu-img python shadow time",
            ),
            (Self::Arch, Need::Tests) => (
                "sudo pacman -S --needed",
                "xorg-server-xvfb xorg-xwininfo dbus gnome-keyring curl at-spi2-core webkit2gtk-4.1 xdotool openbox ttf-dejavu python-gobject libfaketime memcached (and from the AUR: ceph, python-swift)",
            ),
            (Self::Suse, Need::Compiler) => ("sudo zypper install", "gcc make pkgconf-pkg-config"),
            (Self::Suse, Need::Window) => ("sudo zypper install", "webkit2gtk3-devel gtk3-devel librsvg-devel"),
            (Self::Suse, Need::Images) => (
                "sudo zypper install",
                "mmdebstrap debian-keyring dpkg util-linux e2fsprogs dosfstools mtools qemu-tools python3 shadow time",
            ),
            (Self::Suse, Need::Tests) => (
                "sudo zypper install",
                "xorg-x11-server-Xvfb xwininfo dbus-1 dbus-1-tools gnome-keyring curl at-spi2-core webkit2gtk-driver xdotool openbox dejavu-fonts python3-gobject-Gdk ceph-mon ceph-osd ceph-radosgw libfaketime memcached openstack-swift-proxy openstack-swift-object openstack-swift-account openstack-swift-container",
            ),
            (Self::OtherLinux, Need::Compiler) => return Some("a C compiler and pkg-config".to_owned()),
            (Self::OtherLinux, Need::Window) => return Some("WebKitGTK 4.1 and GTK 3 with their headers".to_owned()),
            (Self::OtherLinux, Need::Images) => {
                return Some("mmdebstrap, the Debian archive keyring, sfdisk, mke2fs, mkfs.vfat, mcopy, qemu-img, Python 3, GNU time".to_owned());
            }
            (Self::OtherLinux, Need::Tests) => {
                return Some(
                    "Xvfb, xwininfo, dbus-daemon, dbus-send, gnome-keyring, curl, at-spi2-core, WebKitWebDriver, xdotool, openbox, Python 3 with gi, Swift, Ceph with radosgw, faketime"
                        .to_owned(),
                );
            }
            (Self::MacOs, Need::Compiler) => {
                return Some("Apple's command line tools: xcode-select --install".to_owned());
            }
            (Self::Windows, Need::Compiler) => {
                return Some("the Visual Studio Build Tools with \"Desktop development with C++\"".to_owned());
            }
            (Self::Windows, Need::Window) => {
                return Some("the WebView2 runtime (part of Windows 10 and 11; otherwise from Microsoft)".to_owned());
            }
            (Self::MacOs | Self::Windows, Need::Images | Need::Tests) => {
                return Some("a Debian machine: the test images and the window tests are made for Linux".to_owned());
            }
        };
        Some(format!("{command} {packages}"))
    }

    /// How one gets Node.js here.
    pub(crate) fn node_advice(self) -> &'static str {
        match self {
            Self::Fedora => "sudo dnf install nodejs npm",
            Self::Arch => "sudo pacman -S --needed nodejs npm",
            Self::Suse => "sudo zypper install nodejs22 npm22",
            Self::MacOs => "brew install node, or the installer from nodejs.org",
            Self::Windows => "winget install OpenJS.NodeJS.LTS, or the installer from nodejs.org",
            Self::Debian | Self::OtherLinux => "Node.js 22 with npm",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_is_known_by_itself_or_by_its_kin() {
        let cases = [
            (
                "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\n",
                System::Debian,
            ),
            ("ID=ubuntu\nID_LIKE=debian\n", System::Debian),
            ("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n", System::Debian),
            ("ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n", System::Fedora),
            ("ID=manjaro\nID_LIKE=arch\n", System::Arch),
            ("ID=\"opensuse-tumbleweed\"\nID_LIKE=\"opensuse suse\"\n", System::Suse),
            ("ID=void\n", System::OtherLinux),
            ("", System::OtherLinux),
        ];
        for (os_release, system) in cases {
            assert_eq!(System::from_os_release(os_release), system, "{os_release}");
        }
    }
}
