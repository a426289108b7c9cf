//! Whether the kernel that is started has the drivers for a VM's devices, and where.

use super::{kernels::MODULES, place::Tree};
use crate::{
    Evidence, Fact, Unknown,
    facts::{DriverPlace, Drivers},
    files::{Files, Read},
    initramfs::{self, Wanted},
};

/// Largest list of what is built in, in bytes; real ones have 10 to 30 KiB.
const LIST_LIMIT: usize = 1 << 20;

/// A driver.
struct Driver {
    module: &'static str,
    option: &'static str,
    path: &'static str,
}

const DRIVERS: [Driver; 4] = [
    Driver {
        module: "virtio_pci",
        option: "CONFIG_VIRTIO_PCI",
        path: "kernel/drivers/virtio/virtio_pci.ko",
    },
    Driver {
        module: "virtio_blk",
        option: "CONFIG_VIRTIO_BLK",
        path: "kernel/drivers/block/virtio_blk.ko",
    },
    Driver {
        module: "virtio_scsi",
        option: "CONFIG_SCSI_VIRTIO",
        path: "kernel/drivers/scsi/virtio_scsi.ko",
    },
    Driver {
        module: "virtio_net",
        option: "CONFIG_VIRTIO_NET",
        path: "kernel/drivers/net/virtio_net.ko",
    },
];

/// The index of the one that may come after the root filesystem is there.
const NETWORK: usize = 3;

/// An initramfs, or why it cannot be read.
pub(super) type Image<'a> = Read<(Tree<'a>, String)>;

/// Looks for the drivers of the kernel with a version; `images` are its initramfs images.
pub(super) fn read(files: &Files<'_>, version: &str, images: &[Image<'_>]) -> Drivers {
    let mut drivers = Drivers {
        kernel: version.to_owned(),
        virtio_pci: Fact::Known(DriverPlace::Missing),
        virtio_blk: Fact::Known(DriverPlace::Missing),
        virtio_scsi: Fact::Known(DriverPlace::Missing),
        virtio_net: Fact::Known(DriverPlace::Missing),
        compressions: Vec::new(),
        evidence: Vec::new(),
    };
    let built_in = BuiltIn::read(files, version);
    let mut places = DRIVERS.map(|driver| match &built_in {
        Ok(Some(list)) if list.has(&driver) => Some(Fact::Known(DriverPlace::BuiltIn)),
        Ok(_) => None,
        Err(unknown) => Some(Fact::Unknown(unknown.clone())),
    });
    if let Ok(Some(list)) = &built_in {
        drivers.evidence.push(Evidence::path(&list.path));
    }
    // What cannot be told of the kernel itself may still be seen in the initramfs.
    let not_known = built_in.err();
    if not_known.is_some() {
        places = DRIVERS.map(|_| None);
    }
    let in_root: [Read<bool>; 4] = DRIVERS.map(|driver| in_root(files, version, &driver));
    if places[NETWORK].is_none() && in_root[NETWORK] == Ok(true) {
        places[NETWORK] = Some(Fact::Known(DriverPlace::Root));
    }
    let mut incomplete = bundled(files, version);
    for image in images {
        let missing: Vec<usize> = (0..DRIVERS.len()).filter(|index| places[*index].is_none()).collect();
        if missing.is_empty() {
            break;
        }
        let (tree, path) = match image {
            Ok(image) => image,
            Err(unknown) => {
                incomplete = incomplete.or(Some(unknown.clone()));
                continue;
            }
        };
        let wanted: Vec<Wanted<'_>> = missing
            .iter()
            .map(|index| Wanted::Module(DRIVERS[*index].module))
            .collect();
        let search = initramfs::search(&mut |at, len| tree.read_at(path, at, len), &wanted);
        for (index, _) in missing.iter().zip(&search.found).filter(|(_, found)| **found) {
            places[*index] = Some(Fact::Known(DriverPlace::Initramfs));
        }
        drivers
            .compressions
            .extend(search.compressions.into_iter().map(str::to_owned));
        drivers.evidence.push(Evidence::path(path));
        incomplete = incomplete.or(search.incomplete);
    }
    let [pci, blk, scsi, net] = std::array::from_fn(|index| {
        let rest = || match (incomplete.as_ref().or(not_known.as_ref()), &in_root[index]) {
            (Some(unknown), _) | (None, Err(unknown)) => Fact::Unknown(unknown.clone()),
            (None, Ok(true)) => Fact::Known(DriverPlace::Root),
            (None, Ok(false)) => Fact::Known(DriverPlace::Missing),
        };
        places[index].clone().unwrap_or_else(rest)
    });
    (drivers.virtio_pci, drivers.virtio_blk) = (pci, blk);
    (drivers.virtio_scsi, drivers.virtio_net) = (scsi, net);
    drivers
}

/// An initramfs that the kernel itself contains (Kconfig: `CONFIG_INITRAMFS_SOURCE`), as Flatcar's does, is not looked
/// into.
fn bundled(files: &Files<'_>, version: &str) -> Option<Unknown> {
    configurations(version).iter().find_map(|path| {
        let text = files.read_text(path, LIST_LIMIT).ok()??;
        let mut values = text
            .lines()
            .filter_map(|line| line.strip_prefix("CONFIG_INITRAMFS_SOURCE="));
        let is_bundled = values.any(|value| !value.trim().trim_matches('"').is_empty());
        is_bundled.then(|| Unknown::new("initramfs_inside").with("name", format_args!("vmlinuz-{version}")))
    })
}

/// Where the configuration of a kernel may stand.
fn configurations(version: &str) -> [String; 3] {
    [
        format!("/boot/config-{version}"),
        format!("/usr/lib/modules/{version}/config"),
        format!("/lib/modules/{version}/config"),
    ]
}

/// The root's own modules.
fn in_root(files: &Files<'_>, version: &str, driver: &Driver) -> Read<bool> {
    for folder in MODULES {
        for end in ["", ".xz", ".zst", ".gz"] {
            if files.exists(&format!("{folder}/{version}/{}{end}", driver.path))? {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// What a kernel has in itself.
struct BuiltIn {
    path: String,
    text: String,
    is_configuration: bool,
}

impl BuiltIn {
    /// modules.builtin beside the modules (kbuild.rst), else the configuration. Unknown without either: then nothing
    /// tells what the kernel has.
    fn read(files: &Files<'_>, version: &str) -> Read<Option<Self>> {
        let lists = MODULES.map(|folder| (format!("{folder}/{version}/modules.builtin"), false));
        let configurations = configurations(version).map(|path| (path, true));
        for (path, is_configuration) in lists.into_iter().chain(configurations) {
            if let Some(text) = files.read_text(&path, LIST_LIMIT)? {
                return Ok(Some(Self {
                    path,
                    text,
                    is_configuration,
                }));
            }
        }
        Err(Unknown::new("kernel_configuration_not_found").with("version", version))
    }

    fn has(&self, driver: &Driver) -> bool {
        let mut lines = self.text.lines().map(str::trim);
        if self.is_configuration {
            lines.any(|line| line.strip_prefix(driver.option) == Some("=y"))
        } else {
            lines.any(|line| initramfs::module_name(line).as_deref() == Some(driver.module))
        }
    }
}
