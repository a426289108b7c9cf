//! Which root is chosen, on systems in memory.

use std::sync::Arc;

use super::*;
use crate::{Error, Kind, MemoryTree, facts::MountState};

fn candidate(number: u32, filesystem: &str, len: u64) -> Opened {
    Opened::in_memory(number, filesystem, len, None)
}

fn with_tree(number: u32, tree: MemoryTree) -> Opened {
    Opened::in_memory(number, "ext4", 1 << 30, Some(Ok(Arc::new(tree))))
}

fn system() -> MemoryTree {
    MemoryTree::new()
        .symlink("/etc/os-release", "../usr/lib/os-release")
        .symlink("/sbin/init", "/lib/systemd/systemd")
}

fn boot() -> MemoryTree {
    MemoryTree::new().file("/vmlinuz", "").dir("/grub")
}

fn chosen<const N: usize>(candidates: [Opened; N]) -> Fact<Option<Root>> {
    choose(&Volumes::of(candidates.into())).root
}

#[test]
fn the_filesystem_with_a_system_is_the_root() {
    let root = chosen([
        with_tree(1, boot()),
        candidate(14, "vfat", 1 << 20),
        with_tree(3, system()),
    ]);
    let Fact::Known(Some(root)) = root else {
        panic!("{root:?}")
    };
    assert_eq!(
        (root.partition, root.filesystem.as_str(), root.read),
        (Some(3), "ext4", true)
    );
}

#[test]
fn a_system_that_can_start_is_preferred_and_two_of_them_are_not_guessed_at() {
    let rescue = system().without("/sbin/init");
    let root = chosen([with_tree(1, rescue), with_tree(2, system())]);
    assert!(matches!(root, Fact::Known(Some(Root { partition: Some(2), .. }))));
    let Fact::Unknown(unknown) = chosen([with_tree(1, system()), with_tree(2, system())]) else {
        panic!()
    };
    assert_eq!(
        (unknown.code.as_str(), unknown.params["partitions"].as_str()),
        ("several_systems", "1, 2")
    );
}

#[test]
fn a_filesystem_that_is_not_read_is_named_as_the_root_only_without_doubt() {
    let volumes = Volumes::of(vec![
        candidate(1, "vfat", 1 << 20),
        candidate(2, "xfs", 1 << 30),
        candidate(3, "xfs", 8 << 30),
    ]);
    let choice = choose(&volumes);
    assert!(matches!(
        &choice.root,
        Fact::Known(Some(Root {
            partition: Some(3),
            read: false,
            ..
        }))
    ));
    assert_eq!(choice.system.err().unwrap().params["filesystem"], "xfs");
    let Fact::Unknown(unknown) = chosen([candidate(1, "xfs", 1 << 30), candidate(2, "lvm", 8 << 30)]) else {
        panic!()
    };
    assert_eq!(
        (unknown.code.as_str(), unknown.params["filesystem"].as_str()),
        ("filesystem_not_read", "lvm, xfs")
    );
    assert!(
        matches!(
            chosen([candidate(1, "xfs", 9 << 30), with_tree(2, system())]),
            Fact::Known(Some(Root { read: true, .. }))
        ),
        "a data disk beside the root does not matter"
    );
}

#[test]
fn a_damaged_filesystem_is_unknown_and_not_missing() {
    let error = Error::new(Kind::Incompatible, "journal_dirty");
    let dirty = Opened::in_memory(1, "ext4", 1 << 30, Some(Err(error)));
    let volumes = Volumes::of(vec![dirty]);
    let choice = choose(&volumes);
    assert!(matches!(&choice.root, Fact::Known(Some(Root { read: false, .. }))));
    assert_eq!(choice.system.err().unwrap().code, "journal_dirty");
}

fn blank(number: u32, len: u64) -> Opened {
    Opened {
        filesystem: None,
        ..candidate(number, "", len)
    }
}

#[test]
fn a_data_partition_is_not_the_root_while_another_was_not_recognised() {
    for data in ["xfs", "ntfs", "lvm"] {
        let volumes = Volumes::of(vec![candidate(1, data, 1 << 30), blank(2, 8 << 30)]);
        let choice = choose(&volumes);
        let Fact::Unknown(unknown) = &choice.root else {
            panic!("{data}: {:?}", choice.root)
        };
        assert_eq!(
            (unknown.code.as_str(), unknown.params["partition"].as_str()),
            ("filesystem_not_recognised", "2")
        );
        assert_eq!(choice.system.err().as_ref(), Some(unknown));
    }
    let boot_loader = chosen([blank(1, 16 << 20), candidate(2, "xfs", 8 << 30)]);
    assert!(
        matches!(&boot_loader, Fact::Known(Some(root)) if root.filesystem == "xfs"),
        "no system fits into so small a gap: {boot_loader:?}"
    );
}

#[test]
fn what_stands_inside_a_layer_is_not_known() {
    for layer in ["lvm", "luks", "mdraid"] {
        let volumes = Volumes::of(vec![candidate(1, "vfat", 1 << 20), candidate(2, layer, 8 << 30)]);
        let choice = choose(&volumes);
        let Fact::Unknown(unknown) = &choice.root else {
            panic!("{layer} is no filesystem: {:?}", choice.root)
        };
        assert_eq!(
            (unknown.code.as_str(), unknown.params["layers"].as_str()),
            ("root_inside_layer", layer)
        );
        assert_eq!(choice.system.err().as_ref(), Some(unknown));
    }
}

#[test]
fn nothing_is_only_said_when_everything_was_judged() {
    assert_eq!(
        chosen([with_tree(1, boot()), candidate(2, "swap", 1 << 30)]),
        Fact::Known(None)
    );
    assert!(
        matches!(chosen([blank(1, 1 << 30)]), Fact::Unknown(unknown) if unknown.code == "filesystem_not_recognised")
    );
}

fn named(number: u32, name: &str, tree: MemoryTree) -> Opened {
    let mut opened = with_tree(number, tree);
    opened.uuid = Some(format!("uuid-{number}"));
    opened.label = Some(name.to_owned());
    opened
}

fn release(name: &str) -> MemoryTree {
    system()
        .without("/etc/os-release")
        .file("/etc/os-release", format!("ID=x\nPRETTY_NAME=\"{name}\"\n"))
}

#[test]
fn of_two_systems_the_one_that_every_boot_entry_names_is_chosen_and_both_are_told() {
    let grub = |root: &str| {
        format!(
            "menuentry 'a' {{\n  linux /vmlinuz root={root} ro\n}}\nmenuentry 'b' {{\n  linux /old root={root}\n}}\n"
        )
    };
    let boot = || boot().file("/grub/grub.cfg", grub("UUID=uuid-3"));
    let volumes = Volumes::of(vec![
        named(1, "boot", boot()),
        named(2, "old", release("Old 1")),
        named(3, "new", release("New 2")),
    ]);
    let choice = choose(&volumes);
    assert!(
        matches!(&choice.root, Fact::Known(Some(Root { partition: Some(3), .. }))),
        "{:?}",
        choice.root
    );
    let Fact::Known(systems) = choice.systems else { panic!() };
    let told: Vec<(Option<u32>, Option<&str>, bool)> = systems
        .iter()
        .map(|system| (system.partition, system.name.as_deref(), system.chosen))
        .collect();
    assert_eq!(told, [(Some(2), Some("Old 1"), false), (Some(3), Some("New 2"), true)]);
    assert_eq!(
        systems[1].evidence[1].path.as_deref(),
        Some("/grub/grub.cfg"),
        "the entry that decided"
    );

    // Each with a GRUB of its own that starts itself: which one the firmware starts is not known.
    let volumes = Volumes::of(vec![
        named(
            2,
            "old",
            release("Old 1").file("/boot/grub/grub.cfg", grub("UUID=uuid-2")),
        ),
        named(
            3,
            "new",
            release("New 2").file("/boot/grub/grub.cfg", grub("UUID=uuid-3")),
        ),
    ]);
    let choice = choose(&volumes);
    assert!(matches!(&choice.root, Fact::Unknown(unknown) if unknown.code == "several_systems"));
    assert!(
        matches!(&choice.systems, Fact::Known(systems) if systems.len() == 2 && systems.iter().all(|system| !system.chosen))
    );

    // The EFI partition says which of the two.
    let mut esp = named(
        1,
        "EFI",
        MemoryTree::new().file(
            "/EFI/debian/grub.cfg",
            "search.fs_uuid uuid-2 root hd0,gpt2\nset prefix=($root)'/boot/grub'\nconfigfile $prefix/grub.cfg\n",
        ),
    );
    esp.filesystem = Some("vfat".to_owned());
    let volumes = Volumes::of(vec![
        esp,
        named(
            2,
            "old",
            release("Old 1").file("/boot/grub/grub.cfg", grub("UUID=uuid-2")),
        ),
        named(
            3,
            "new",
            release("New 2").file("/boot/grub/grub.cfg", grub("UUID=uuid-3")),
        ),
    ]);
    assert!(matches!(
        choose(&volumes).root,
        Fact::Known(Some(Root { partition: Some(2), .. }))
    ));
}

/// As Fedora CoreOS lays it out: two versions, the newer one is started, `/boot` is a filesystem of its own.
#[test]
fn the_deployment_that_is_started_is_the_root() {
    let version = |tree: MemoryTree, name: &str| {
        let base = format!("/ostree/deploy/fedora-coreos/deploy/{name}.0");
        tree.file(
            &format!("{base}/usr/lib/os-release"),
            format!("ID=fedora\nPRETTY_NAME=\"{name}\"\n"),
        )
        .symlink(&format!("{base}/etc/os-release"), "../usr/lib/os-release")
        .symlink(&format!("{base}/sbin"), "usr/sbin")
        .file(&format!("{base}/usr/sbin/init"), "")
        .file(&format!("{base}.origin"), "")
        .dir(&format!("{base}/boot"))
        .symlink(&format!("{base}/ostree"), "sysroot/ostree")
    };
    let root = version(version(MemoryTree::new(), "new"), "old")
        .symlink("/ostree/boot.1", "boot.1.1")
        .symlink(
            "/ostree/boot.1.1/fedora-coreos/abc/0",
            "../../../deploy/fedora-coreos/deploy/new.0",
        )
        .symlink(
            "/ostree/boot.1.1/fedora-coreos/abc/1",
            "../../../deploy/fedora-coreos/deploy/old.0",
        )
        .file("/ostree/deploy/fedora-coreos/var/lib/state", "s");
    let entry = |version: u32, number: u32| {
        format!(
            "title x\nversion {version}\noptions root=UUID=uuid-4 rw ostree=/ostree/boot.1/fedora-coreos/abc/{number}\n"
        )
    };
    let boot = boot()
        .file("/loader/entries/ostree-1-fedora-coreos.conf", entry(1, 1))
        .file("/loader/entries/ostree-2-fedora-coreos.conf", entry(2, 0));
    let volumes = Volumes::of(vec![named(3, "boot", boot), named(4, "root", root)]);
    let choice = choose(&volumes);
    let Fact::Known(Some(root)) = &choice.root else {
        panic!("{:?}", choice.root)
    };
    assert_eq!(
        root.directory.as_deref(),
        Some("/ostree/deploy/fedora-coreos/deploy/new.0")
    );
    let files = choice.system.as_ref().ok().map(|system| &system.files).unwrap();
    let text = |path: &str| files.read_text(path, 1000).unwrap();
    assert!(text("/etc/os-release").unwrap().contains("new"));
    assert_eq!(text("/var/lib/state").unwrap(), "s", "one /var for all versions");
    assert!(
        text("/boot/loader/entries/ostree-2-fedora-coreos.conf").is_some(),
        "/boot is joined by its label"
    );
    assert!(
        files.exists("/ostree/deploy/fedora-coreos/deploy/old.0").unwrap(),
        "through /sysroot"
    );
}

/// Flatcar's root is empty until its first boot, and its `/usr` a btrfs, which is not read.
#[test]
fn the_root_of_a_container_linux_is_recognised_although_it_is_nearly_empty() {
    let typed = |mut opened: Opened, kind: &str, name: &str| {
        let partition = opened.partition.as_mut().unwrap();
        partition.type_id = kind.to_owned();
        partition.name = Some(name.to_owned());
        opened
    };
    let usr = "5dfbf5f4-2848-4bac-aa5e-0d9a20b745a6";
    let root = || {
        typed(
            with_tree(9, MemoryTree::new().dir("/lost+found")),
            "3884dd41-8582-4404-b9a8-e9b84f2df50e",
            "ROOT",
        )
    };
    let volumes = Volumes::of(vec![
        typed(candidate(3, "btrfs", 1 << 30), usr, "USR-A"),
        typed(blank(4, 1 << 30), usr, "USR-B"),
        root(),
    ]);
    let choice = choose(&volumes);
    assert!(
        matches!(
            &choice.root,
            Fact::Known(Some(Root {
                partition: Some(9),
                read: true,
                ..
            }))
        ),
        "{:?}",
        choice.root
    );
    let system = choice.system.as_ref().ok().unwrap();
    for path in ["/usr/lib/os-release", "/etc/os-release", "/etc/ssh/sshd_config"] {
        assert_eq!(
            system.files.exists(path).unwrap_err().code,
            "file_on_other_filesystem",
            "{path}"
        );
    }
    // One that can be read.
    let tree = MemoryTree::new()
        .file("/lib/os-release", "ID=flatcar\n")
        .symlink("/share/flatcar/etc/os-release", "../usr/lib/os-release");
    let volumes = Volumes::of(vec![typed(with_tree(3, tree), usr, "USR-A"), root()]);
    let choice = choose(&volumes);
    let system = choice.system.as_ref().ok().unwrap();
    assert_eq!(
        system.files.read_text("/etc/os-release", 100).unwrap().as_deref(),
        Some("ID=flatcar\n")
    );
}

/// CirrOS has a kernel and an initramfs on its disk, and copies the latter there when it starts.
#[test]
fn a_system_that_is_still_in_its_initramfs_is_not_said_to_be_none() {
    let volumes = Volumes::of(vec![named(
        1,
        "cirros-rootfs",
        MemoryTree::new()
            .file("/boot/vmlinuz", "")
            .symlink("/initrd.img", "boot/initrd.img"),
    )]);
    let choice = choose(&volumes);
    assert!(matches!(
        &choice.root,
        Fact::Known(Some(Root { partition: Some(1), .. }))
    ));
    assert_eq!(choice.system.err().unwrap().code, "system_unpacked_at_boot");
}

#[test]
fn filesystems_of_their_own_are_joined_and_links_lead_across() {
    let root = system()
        .file(
            "/etc/fstab",
            "UUID=uuid-1 / ext4 defaults 0 1\nLABEL=my\\040usr /usr ext4 ro 0 2\n/dev/vda3 /var ext4 defaults\n/dev/mapper/vg-home /home xfs defaults\nUUID=gone /data ext4 nofail\n/var/lib/srv /srv none bind\nUUID=uuid-5 /backup ext4 noauto\ntmpfs /tmp tmpfs\n",
        )
        .without("/sbin")
        .symlink("/sbin", "usr/sbin")
        .symlink("/etc/localtime", "/usr/share/zone")
        .file("/home/hidden", "below the mount")
        .file("/tmp/left", "over");
    let usr = MemoryTree::new()
        .file("/sbin/init", "")
        .file("/share/zone", "UTC")
        .symlink("/tmp", "../var/tmp")
        .file("/lib/os-release", "ID=debian\n");
    let var = MemoryTree::new()
        .file("/lib/srv/page", "p")
        .file("/tmp/x", "x")
        .file("/log/y", "y");
    let mut home = candidate(4, "xfs", 1 << 30);
    home.partition = None;
    home.layers = vec!["lvm".to_owned()];
    home.name = Some("vg/home".to_owned());
    let volumes = Volumes::of(vec![
        named(1, "root", root),
        named(2, "my usr", usr),
        named(3, "var", var),
        home,
        named(5, "backup", MemoryTree::new().file("/b", "")),
    ]);
    let choice = choose(&volumes);
    let system = choice.system.as_ref().ok().unwrap();
    let text = |path: &str| system.files.read_text(path, 100);
    assert_eq!(
        text("/etc/os-release").unwrap().unwrap(),
        "ID=debian\n",
        "a link into /usr"
    );
    assert_eq!(text("/etc/localtime").unwrap().unwrap(), "UTC");
    assert_eq!(
        text("/usr/tmp/x").unwrap().unwrap(),
        "x",
        "a link out of /usr into /var"
    );
    assert_eq!(
        text("/srv/page").unwrap().unwrap(),
        "p",
        "a bind mount of what is itself mounted"
    );
    assert_eq!(
        text("/var/../etc/localtime").unwrap().unwrap(),
        "UTC",
        "up out of a mount"
    );
    assert_eq!(text("/usr/share/nothing").unwrap(), None, "certain: /usr is read");
    assert_eq!(
        text("/home/hidden").unwrap_err().code,
        "file_on_other_filesystem",
        "hidden by what is mounted"
    );
    assert_eq!(text("/data/x").unwrap_err().params["mount"], "/data");
    assert_eq!(text("/tmp/left").unwrap().unwrap(), "over");
    assert_eq!(text("/backup/b").unwrap(), None, "not mounted at boot");
    assert_eq!(system.files.list("/var").unwrap(), ["lib", "log", "tmp"]);
    let states: Vec<MountState> = system.planned.iter().map(|planned| planned.mount.state).collect();
    assert_eq!(
        states,
        [
            MountState::Read,
            MountState::Read,
            MountState::Read,
            MountState::NotRead,
            MountState::NotOnDisk,
            MountState::Read,
            MountState::NotAtBoot,
            MountState::Virtual
        ]
    );
    assert_eq!(system.planned[3].mount.layers, ["lvm"]);
    assert_eq!(system.planned[1].mount.point, "/usr");
}
