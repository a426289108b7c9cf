//! Layouts of other distributions, in memory.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::{
    FileTree, MemoryTree,
    facts::{DriverPlace, Kernel},
    mounts,
    volumes::Opened,
};

fn opened(number: u32, filesystem: &str, uuid: &str, tree: &MemoryTree) -> Opened {
    let tree: Arc<dyn FileTree> = Arc::new(tree.clone());
    Opened {
        uuid: Some(uuid.to_owned()),
        ..Opened::in_memory(number, filesystem, 1 << 30, Some(Ok(tree)))
    }
}

/// Everything but the firmware, of a root and other volumes.
fn boot(root: &MemoryTree, others: Vec<Opened>) -> Boot {
    let volumes = Volumes::of(others);
    let planned = mounts::read(&Files::joined(root, "", &[]), &volumes).unwrap();
    let files = Files::joined(root, "", &planned);
    let firmware = Firmware {
        boot: Boot::unread(&Unknown::new("no_system")),
        efi: Efi::default(),
    };
    firmware.entry(&files, &volumes).finish(&[])
}

fn entry(boot: &Boot) -> BootEntry {
    match &boot.entry {
        Fact::Known(Some(entry)) => entry.clone(),
        other => panic!("{other:?}"),
    }
}

fn drivers(boot: &Boot) -> Drivers {
    match &boot.drivers {
        Fact::Known(Some(drivers)) => drivers.clone(),
        other => panic!("{other:?}"),
    }
}

fn default(boot: &Boot) -> Kernel {
    match &boot.kernels {
        Fact::Known(kernels) => kernels.iter().find(|kernel| kernel.default).unwrap().clone(),
        Fact::Unknown(unknown) => panic!("{unknown:?}"),
    }
}

/// RHEL 9 on a disk with /boot of its own: GRUB's menu is made of entry files, paths begin at /boot, and the command line
/// stands in the entry.
#[test]
fn rhel_9_with_a_boot_partition() {
    let old = "5.14.0-70.el9.x86_64";
    let new = "5.14.0-162.el9.x86_64";
    let entry_of = |version: &str| {
        format!(
            "title Rocky Linux ({version}) 9\nversion {version}\nlinux /vmlinuz-{version}\n\
             initrd /initramfs-{version}.img $tuned_initrd\n\
             options root=UUID=r ro console=ttyS0 $tuned_params\ngrub_users $grub_users\n"
        )
    };
    let kernels = MemoryTree::new()
        .file(
            "/grub2/grub.cfg",
            "load_env\nset default=\"${saved_entry}\"\nsearch --no-floppy --set=root --fs-uuid b\ninsmod blscfg\nblscfg\n",
        )
        .file("/grub2/grubenv", format!("# GRUB Environment Block\nsaved_entry=m-{old}\n"))
        .file(&format!("/loader/entries/m-{old}.conf"), entry_of(old))
        .file(&format!("/loader/entries/m-{new}.conf"), entry_of(new))
        .file(&format!("/vmlinuz-{old}"), "")
        .file(&format!("/vmlinuz-{new}"), "")
        .file(&format!("/initramfs-{old}.img"), "")
        .file(&format!("/initramfs-{new}.img"), "");
    let root = MemoryTree::new()
        .file(
            "/etc/fstab",
            "UUID=r / ext4 defaults 0 0\nUUID=b /boot ext4 defaults 0 0\n",
        )
        .dir("/boot")
        .file(
            &format!("/lib/modules/{old}/modules.builtin"),
            "kernel/drivers/virtio/virtio_pci.ko\nkernel/drivers/block/virtio_blk.ko\n",
        )
        .file(&format!("/lib/modules/{old}/kernel/drivers/net/virtio_net.ko.xz"), "")
        .dir(&format!("/lib/modules/{new}"));
    let boot = boot(
        &root,
        vec![opened(1, "ext4", "b", &kernels), opened(2, "ext4", "r", &root)],
    );
    let entry = entry(&boot);
    assert_eq!(
        entry.kernel,
        Some(format!("/boot/vmlinuz-{old}")),
        "the saved one, not the newest"
    );
    assert_eq!(entry.kernel_there, Fact::Known(true));
    assert_eq!(entry.initramfs, [format!("/boot/initramfs-{old}.img")]);
    assert_eq!(entry.command_line, "root=UUID=r ro console=ttyS0");
    assert_eq!(
        entry.evidence[1].path.as_deref(),
        Some(format!("/boot/loader/entries/m-{old}.conf").as_str())
    );
    assert_eq!(default(&boot).version.as_deref(), Some(old));
    let Fact::Known(kernels) = &boot.kernels else { panic!() };
    let versions: Vec<_> = kernels.iter().map(|kernel| kernel.version.clone().unwrap()).collect();
    assert_eq!(versions, [new, old], "the newest first");
    let drivers = drivers(&boot);
    assert_eq!(drivers.virtio_blk, Fact::Known(DriverPlace::BuiltIn));
    assert_eq!(drivers.virtio_net, Fact::Known(DriverPlace::Root));
    assert_eq!(drivers.virtio_scsi, Fact::Known(DriverPlace::Missing));
}

/// Alpine's image for a BIOS: EXTLINUX, a kernel whose name has no version, drivers by the configuration.
#[test]
fn alpine_with_extlinux() {
    let root = MemoryTree::new()
        .file("/etc/fstab", "UUID=r / ext4 rw 0 0\n")
        .file(
            "/boot/extlinux.conf",
            "DEFAULT virt\nLABEL virt\n  LINUX vmlinuz-virt\n  INITRD initramfs-virt\n  APPEND root=UUID=r modules=ext4\n",
        )
        .file("/boot/vmlinuz-virt", "")
        .file("/boot/initramfs-virt", "")
        .file("/boot/config-6.6.1-0-virt", "CONFIG_VIRTIO_BLK=y\nCONFIG_VIRTIO_PCI=y\n# CONFIG_SCSI_VIRTIO is not set\n")
        .dir("/lib/modules/6.6.1-0-virt");
    let boot = boot(&root, vec![opened(1, "ext4", "r", &root)]);
    let entry = entry(&boot);
    assert_eq!(
        (entry.loader.as_str(), entry.kernel.as_deref()),
        ("syslinux", Some("/boot/vmlinuz-virt"))
    );
    assert_eq!(entry.kernel_there, Fact::Known(true));
    assert_eq!(entry.initramfs, ["/boot/initramfs-virt"]);
    assert!(
        matches!(&boot.drivers, Fact::Unknown(unknown) if unknown.code == "kernel_version_not_known"),
        "neither name nor header tells the version: {:?}",
        boot.drivers
    );
}

#[test]
fn what_stands_on_a_disk_that_is_not_here_is_not_said_to_be_missing() {
    let root = MemoryTree::new()
        .file("/etc/fstab", "UUID=r / ext4 rw 0 0\nUUID=gone /boot ext4 rw 0 0\n")
        .dir("/boot");
    let boot = boot(&root, vec![opened(1, "ext4", "r", &root)]);
    for unknown in [
        matches!(&boot.entry, Fact::Unknown(unknown) if unknown.code == "file_on_other_filesystem"),
        matches!(boot.kernels, Fact::Unknown(_)),
        matches!(boot.drivers, Fact::Unknown(_)),
    ] {
        assert!(unknown, "{boot:?}");
    }
}

#[test]
fn a_system_without_a_boot_loader_has_no_entry() {
    let root = MemoryTree::new().file("/etc/fstab", "").dir("/boot");
    let boot = boot(&root, vec![opened(1, "ext4", "r", &root)]);
    assert_eq!(boot.entry, Fact::Known(None));
    assert_eq!(boot.kernels, Fact::Known(Vec::new()));
    assert_eq!(boot.drivers, Fact::Known(None), "a container's files need none");
}

/// A driver that is only in there would be said to be missing otherwise.
#[test]
fn an_initramfs_inside_the_kernel_may_have_any_driver() {
    let root = MemoryTree::new()
        .file(
            "/boot/grub/grub.cfg",
            "menuentry a { linux /boot/vmlinuz-6.6.1 root=/dev/vda1 }\n",
        )
        .file("/boot/vmlinuz-6.6.1", "")
        .file(
            "/boot/config-6.6.1",
            "CONFIG_VIRTIO_PCI=y\nCONFIG_INITRAMFS_SOURCE=\"bootengine.cpio\"\n",
        );
    let drivers = drivers(&boot(&root, Vec::new()));
    assert_eq!(drivers.virtio_pci, Fact::Known(DriverPlace::BuiltIn));
    assert!(
        matches!(&drivers.virtio_blk, Fact::Unknown(unknown) if unknown.code == "initramfs_inside"),
        "{:?}",
        drivers.virtio_blk
    );
}

/// Without what tells of the kernel itself, only what was seen is certain.
#[test]
fn drivers_are_not_missing_while_the_kernel_is_not_known() {
    let root = MemoryTree::new()
        .file(
            "/boot/grub/grub.cfg",
            "menuentry a { linux /boot/vmlinuz-6.1.0 root=/dev/vda1 }\n",
        )
        .file("/boot/vmlinuz-6.1.0", "");
    let boot = boot(&root, Vec::new());
    let drivers = drivers(&boot);
    for place in [drivers.virtio_blk, drivers.virtio_net] {
        assert!(matches!(place, Fact::Unknown(unknown) if unknown.code == "kernel_configuration_not_found"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// No order of the words of any configuration makes a panic or an endless run.
    #[test]
    fn any_words_are_read(words in prop::collection::vec(prop::sample::select(vec![
        "menuentry", "submenu", "'a b'", "\"$x\"", "${y}", "{", "}", "if", "[", "]", "-z", "=", ";", "then", "else", "elif",
        "fi", "\n", "set", "default=1", "x=$x$x", "linux", "/k", "initrd", "function", "for", "done", "blscfg", "load_env",
        "search", "--fs-uuid", "label", "LABEL", "append", "title", "kernel", "image=/a", "default", "1>2", "menu", "\\", "#",
        "options", "$kernelopts", "!", "é",
    ]), 0..200)) {
        let text = words.join(" ");
        for loader in ["grub", "syslinux", "grub_legacy", "lilo", "entry"] {
            _ = parse(loader, &text);
        }
    }
}
