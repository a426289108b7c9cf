//! Systems inside LVM and RAID, on disks made by the real tools (`layers/make.py`).
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot make its image has failed"
)]

use std::{path::Path, sync::Arc};

use lotse_disk::{Disk, FileSource, MemorySource};
use lotse_guest::{
    Fact, Facts, examine,
    facts::{MountState, Root},
};
use proptest::prelude::*;

fn fixture(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/layers").join(name)
}

fn examined(name: &str) -> Facts {
    examine(&Disk::open(Arc::new(FileSource::open(&fixture(name)).unwrap())).unwrap())
}

fn known<T>(fact: Fact<T>) -> T {
    match fact {
        Fact::Known(value) => value,
        Fact::Unknown(unknown) => panic!("{unknown:?}"),
    }
}

/// Names, lengths in MiB, filesystems and labels as `lvs`, `mke2fs -L` and `mkswap -L` have them.
#[test]
fn a_root_inside_lvm_is_found_and_what_it_mounts() {
    let facts = examined("lvm.raw.gz");
    let volumes = known(facts.volumes);
    let told: Vec<_> = volumes
        .iter()
        .map(|volume| {
            (
                volume.partition,
                volume.layers.join(" "),
                volume.name.as_deref(),
                volume.len >> 20,
                volume.filesystem.as_deref(),
                volume.label.as_deref(),
            )
        })
        .collect();
    let inside = |name, len, filesystem, label| {
        (
            Some(2),
            "lvm".to_owned(),
            Some(name),
            len,
            Some(filesystem),
            Some(label),
        )
    };
    let bare = |number, len, filesystem, label| (Some(number), String::new(), None, len, Some(filesystem), label);
    assert_eq!(
        told,
        [
            bare(1, 4, "ext4", Some("start")),
            bare(2, 12, "lvm", None),
            bare(3, 12, "lvm", None),
            inside("vg-one/root", 10, "ext4", "wurzel"),
            inside("vg-one/swap_1", 1, "swap", "tausch"),
            inside("vg-one/data", 4, "ext4", "daten"),
        ]
    );
    let Root {
        filesystem,
        partition,
        layers,
        read,
        ..
    } = known(facts.root).unwrap();
    assert_eq!((filesystem.as_str(), partition, read), ("ext4", Some(2), true));
    assert_eq!(layers, ["lvm"]);
    assert_eq!(
        known(facts.systems)[0].name.as_deref(),
        Some("Debian GNU/Linux 12 (bookworm)")
    );
    let mounts = known(facts.mounts);
    let told: Vec<_> = mounts
        .iter()
        .map(|mount| (mount.point.as_str(), mount.state, mount.partition, mount.evidence.line))
        .collect();
    assert_eq!(
        told,
        [
            ("/", MountState::Read, Some(2), Some(1)),
            ("/boot", MountState::Read, Some(1), Some(2)),
            ("/data", MountState::Read, Some(2), Some(3)),
            ("none", MountState::NotRead, Some(2), Some(4)),
        ]
    );
}

#[test]
fn a_member_of_a_mirror_is_read_whatever_the_superblock() {
    for version in ["0.90", "1.0", "1.1", "1.2"] {
        let facts = examined(&format!("raid-{version}.raw.gz"));
        let root = known(facts.root).unwrap();
        assert_eq!((root.filesystem.as_str(), root.read), ("ext4", true), "{version}");
        assert_eq!(root.layers, ["mdraid"], "{version}");
        let volumes = known(facts.volumes);
        let name = (version != "0.90").then_some("root");
        assert_eq!(volumes[1].name.as_deref(), name, "{version}");
        assert_eq!(volumes[1].label.as_deref(), Some(format!("raid-{version}").as_str()));
    }
}

fn bytes(name: &str) -> Vec<u8> {
    let disk = Disk::open(Arc::new(FileSource::open(&fixture(name)).unwrap())).unwrap();
    let mut bytes = vec![0; usize::try_from(disk.len()).unwrap()];
    disk.read_at(&mut bytes, 0).unwrap();
    bytes
}

/// Nothing is put together out of a volume group of which a part is missing.
#[test]
fn without_its_second_disk_a_volume_is_not_guessed_at() {
    let mut bytes = bytes("lvm.raw.gz");
    // The second physical volume's label.
    bytes[(20 << 20) + 512..(20 << 20) + 520].fill(0);
    let facts = examine(&Disk::open(Arc::new(MemorySource::new(bytes))).unwrap());
    let volumes = known(facts.volumes);
    let swap = volumes
        .iter()
        .find(|volume| volume.name.as_deref() == Some("vg-one/swap_1"))
        .unwrap();
    assert_eq!(swap.filesystem.as_deref(), Some("swap"), "stands on the first alone");
    let root = volumes
        .iter()
        .find(|volume| volume.name.as_deref() == Some("vg-one/root"))
        .unwrap();
    assert_eq!(root.filesystem, None);
    assert!(
        matches!(&facts.root, Fact::Unknown(unknown) if unknown.code == "root_inside_layer"),
        "{:?}",
        facts.root
    );
}

/// The newest metadata is damaged in every copy: the group is there, but nothing is known of it.
#[test]
fn damaged_metadata_is_not_believed() {
    let mut bytes = bytes("lvm.raw.gz");
    for start in [6_usize << 20, 20 << 20] {
        let header = start + 4096;
        let offset = usize::try_from(u64::from_le_bytes(bytes[header + 40..header + 48].try_into().unwrap())).unwrap();
        bytes[header + offset + 20] ^= 1;
    }
    let facts = examine(&Disk::open(Arc::new(MemorySource::new(bytes))).unwrap());
    let Fact::Unknown(unknown) = facts.root else {
        panic!("{:?}", facts.root)
    };
    assert_eq!(
        (unknown.code.as_str(), unknown.params["layers"].as_str()),
        ("root_inside_layer", "lvm")
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    /// Labels, metadata and superblocks are hostile: nothing panics, and it ends.
    #[test]
    fn damaged_layers_never_panic(changes in proptest::collection::vec((0..2_usize, 0..64 * 1024_usize, any::<u8>()), 1..32)) {
        static DISK: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
        let mut bytes = DISK.get_or_init(|| bytes("lvm.raw.gz")).clone();
        for (which, at, value) in changes {
            bytes[[6 << 20, 20 << 20][which] + at] = value;
        }
        let started = std::time::Instant::now();
        let _ = examine(&Disk::open(Arc::new(MemorySource::new(bytes))).unwrap());
        prop_assert!(started.elapsed() < std::time::Duration::from_secs(5), "took {:?}", started.elapsed());
    }
}
