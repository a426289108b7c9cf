//! Exact commands for what a system needs to start: kernel, initramfs, boot loader and the devices that they name.

use lotse_guest::Fact;

use super::{Distribution, Init, Packages, distribution, install};
use crate::Subject;

/// Words of a shell that stand for the whole disk on which `/` is, through partitions, LVM and RAID.
const DISK: &str = r#""$(lsblk --inverse --list --paths --noheadings --output NAME,TYPE "$(findmnt --noheadings --output SOURCE /)" | awk '$2 == "disk" { print $1; exit }')""#;

/// Has GRUB's menu name the root by its UUID, as it does of itself. The first file is missing on many cloud images.
const NO_UUID: &str = "grep -rls '^GRUB_DISABLE_LINUX_UUID=' /etc/default/grub /etc/default/grub.d | xargs -r sed -i \
                       's/^GRUB_DISABLE_LINUX_UUID=/#&/'";

/// The package of a kernel that runs in any VM; `None` where no name would be exact.
fn kernel_package(subject: &Subject) -> Option<&'static str> {
    let Fact::Known(Some(system)) = &subject.facts.as_ref().ok()?.system else {
        return None;
    };
    if system.architecture.as_deref() != Some("x86_64") || system.bits == Some(32) {
        return None;
    }
    let of_id = |id: &String| match id.as_str() {
        "ubuntu" => Some("linux-image-virtual"),
        "debian" | "devuan" | "kali" => Some("linux-image-amd64"),
        "rhel" | "centos" | "scientific" | "ol" | "almalinux" | "rocky" | "fedora" | "amzn" => Some("kernel"),
        "alpine" => Some("linux-virt"),
        "arch" | "endeavouros" => Some("linux"),
        "sles" | "sled" | "suse" | "opensuse" | "opensuse-leap" | "opensuse-tumbleweed" => Some("kernel-default"),
        _ => None,
    };
    system.distribution.iter().chain(&system.like).find_map(of_id)
}

/// Brings a kernel with its modules and initramfs, and the entry in the boot menu where a boot loader is installed.
pub(crate) fn install_kernel(subject: &Subject) -> Vec<String> {
    match (distribution(subject), kernel_package(subject)) {
        (Some(distribution), Some(package)) => install(distribution.packages, package),
        _ => Vec::new(),
    }
}

/// Writes the initramfs of every kernel anew.
pub(crate) fn renew_initramfs(subject: &Subject) -> Vec<String> {
    distribution(subject).map(initramfs).unwrap_or_default()
}

fn initramfs(distribution: Distribution) -> Vec<String> {
    vec![match distribution.packages {
        // `-u` leaves out a kernel whose initramfs is not there.
        Packages::Apt => "update-initramfs -c -k all".to_owned(),
        Packages::Dnf | Packages::Yum | Packages::Zypper => "dracut --regenerate-all --force".to_owned(),
        Packages::Pacman => "mkinitcpio --allpresets".to_owned(),
        Packages::Apk => r#"for modules in /lib/modules/*; do mkinitfs "${modules##*/}"; done"#.to_owned(),
    }]
}

/// Has the drivers of a VM's disk and network put into the initramfs, and writes that anew.
pub(crate) fn add_virtio_drivers(subject: &Subject) -> Vec<String> {
    let Some(distribution) = distribution(subject) else {
        return Vec::new();
    };
    let setting = match distribution.packages {
        Packages::Apt => {
            "for driver in virtio_pci virtio_blk virtio_scsi virtio_net; do grep -qx $driver /etc/initramfs-tools/modules \
             || echo $driver >> /etc/initramfs-tools/modules; done"
        }
        Packages::Dnf | Packages::Yum | Packages::Zypper => {
            r#"echo 'add_drivers+=" virtio_pci virtio_blk virtio_scsi virtio_net "' > /etc/dracut.conf.d/virtio.conf"#
        }
        Packages::Pacman => {
            "grep -q '^MODULES=.*virtio_scsi' /etc/mkinitcpio.conf || sed -i 's/^MODULES=(/&virtio_pci virtio_blk virtio_scsi \
             virtio_net /' /etc/mkinitcpio.conf"
        }
        Packages::Apk => {
            r#"for feature in virtio scsi; do grep -qw "^features=.*$feature" /etc/mkinitfs/mkinitfs.conf || sed -i "s/^features=\"/&$feature /" /etc/mkinitfs/mkinitfs.conf; done"#
        }
    };
    let mut commands = vec![setting.to_owned()];
    commands.extend(initramfs(distribution));
    commands
}

/// Writes GRUB's menu anew.
pub(crate) fn renew_boot_menu(subject: &Subject) -> Vec<String> {
    distribution(subject).and_then(menu).into_iter().collect()
}

fn menu(distribution: Distribution) -> Option<String> {
    let command = match distribution.packages {
        Packages::Apt => "update-grub",
        Packages::Apk | Packages::Pacman => "grub-mkconfig -o /boot/grub/grub.cfg",
        // EL 6 has GRUB Legacy, whose menu is written by hand.
        _ if distribution.init == Init::Chkconfig => return None,
        Packages::Dnf | Packages::Yum | Packages::Zypper => "grub2-mkconfig -o /boot/grub2/grub.cfg",
    };
    Some(command.to_owned())
}

/// Installs GRUB for a machine with a BIOS, on a disk that has room for it, with its menu.
pub(crate) fn install_boot_loader(subject: &Subject) -> Vec<String> {
    let Some((distribution, menu)) = distribution(subject).and_then(|known| Some((known, menu(known)?))) else {
        return Vec::new();
    };
    // `grub-pc` itself would ask for the disk, and pushes `grub-efi-amd64` out.
    let (package, program) = match distribution.packages {
        Packages::Apt => ("grub-pc-bin grub2-common", "grub-install"),
        Packages::Dnf | Packages::Yum => ("grub2-pc grub2-tools", "grub2-install"),
        Packages::Zypper => ("grub2-i386-pc", "grub2-install"),
        Packages::Apk => ("grub grub-bios", "grub-install"),
        Packages::Pacman => ("grub", "grub-install"),
    };
    let mut commands = install(distribution.packages, package);
    commands.push(format!("{program} --target=i386-pc {DISK}"));
    commands.push(menu);
    commands
}

/// Puts UEFI's boot loader at the path that a machine tries which knows nothing of the disk.
pub(crate) fn add_fallback_loader(subject: &Subject) -> Vec<String> {
    let command = match distribution(subject).map(|distribution| distribution.packages) {
        Some(Packages::Apt) => "grub-install --target=x86_64-efi --force-extra-removable --no-nvram",
        Some(Packages::Dnf) => "dnf reinstall --assumeyes shim-x64 grub2-efi-x64",
        Some(Packages::Yum) => "yum reinstall --assumeyes shim-x64 grub2-efi-x64",
        _ => return Vec::new(),
    };
    vec![command.to_owned()]
}

/// Names the root filesystem by its UUID in the menu of a boot loader.
pub(crate) fn name_root_by_uuid(subject: &Subject, loader: &str) -> Vec<String> {
    let Some(distribution) = distribution(subject).filter(|_| loader == "grub") else {
        return Vec::new();
    };
    match (distribution.packages, menu(distribution)) {
        // Their entries stand in files of their own, which no menu writes anew.
        (Packages::Dnf | Packages::Yum, Some(_)) => {
            vec![r#"grubby --update-kernel=ALL --args="root=UUID=$(findmnt --noheadings --output UUID /)""#.to_owned()]
        }
        (_, Some(menu)) => vec![NO_UUID.to_owned(), menu],
        (_, None) => Vec::new(),
    }
}

/// Has the start go on without what fstab names by these words.
pub(crate) fn make_mounts_optional(sources: &[&str]) -> Vec<String> {
    sources.iter().filter_map(|source| optional(source)).collect()
}

fn optional(source: &str) -> Option<String> {
    // Only words in which nothing has a meaning for the shell or sed; a dot is taken for itself.
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"=/:_.+-".contains(&byte);
    if source.is_empty() || !source.bytes().all(plain) {
        return None;
    }
    let word = source.replace('.', "[.]").replace('+', "[+]");
    Some(format!(
        r"sed -i -E '\@^[[:space:]]*{word}[[:space:]]@{{/nofail/!s/^([[:space:]]*([^[:space:]]+[[:space:]]+){{3}})([^[:space:]]+)/\1\3,nofail/}}' /etc/fstab"
    ))
}

/// Names in fstab by its UUID what has a name of the old machine there.
pub(crate) fn name_mounts_by_uuid() -> Vec<String> {
    vec![
        r#"for device in $(awk '$1 ~ "^/dev/((sd|hd|vd|xvd|nvme|mmcblk)[a-z0-9]+|disk/by-(id|path)/.+)$" { print $1 }' /etc/fstab); do if uuid="$(blkid -s UUID -o value "$device")"; then sed -i "s@^${device}[[:space:]]@UUID=$uuid @" /etc/fstab; fi; done"#
            .to_owned(),
    ]
}
