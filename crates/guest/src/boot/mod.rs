//! How the disk starts: what the firmware finds, what the boot loader starts, and whether that has the drivers for a VM.

mod bios;
mod bls;
mod devices;
mod drivers;
mod entry;
mod grub;
mod kernels;
mod menu;
mod menus;
mod pe;
mod place;
mod uefi;

use lotse_disk::Disk;

pub use self::entry::Parsed;
use self::{
    drivers::Image,
    kernels::Header,
    menu::{Choice, Configuration},
    place::{Base, Located, bases, locate},
    uefi::Efi,
};
use crate::{
    Evidence, Fact, Unknown,
    facts::{Boot, BootEntry, BootLoader, Drivers, Mount, PartitionTable},
    files::{Files, Read},
    initramfs::{self, Wanted},
    services,
    volumes::Volumes,
};

/// Images of an initramfs that one entry may name.
const MAX_IMAGES: usize = 8;

/// What the first sectors and the FAT filesystems say; the system's own files are not needed.
pub(crate) struct Firmware {
    boot: Boot,
    efi: Efi,
}

/// Reads what the firmware finds.
pub(crate) fn firmware(disk: &Disk, table: &PartitionTable, volumes: &Volumes) -> Firmware {
    let mut boot = Boot::unread(&Unknown::new("no_system"));
    boot.bios = bios::read(disk, table, &mut boot.loaders);
    let (uefi, efi) = uefi::read(volumes, &mut boot.loaders);
    boot.uefi = uefi;
    Firmware { boot, efi }
}

impl Firmware {
    /// Without a system whose files are read, for this reason.
    pub(crate) fn without_system(self, reason: &Unknown) -> Boot {
        Boot {
            bios: self.boot.bios,
            uefi: self.boot.uefi,
            loaders: self.boot.loaders,
            ..Boot::unread(reason)
        }
    }

    /// Reads the boot loader's configuration: which entry is started.
    pub(crate) fn entry<'a>(self, files: &'a Files<'a>, volumes: &'a Volumes) -> Started<'a> {
        let Self { mut boot, efi } = self;
        let bases = bases(Some(files), volumes);
        let result = configured(&mut boot, &efi, &bases);
        let (entry, kernel, images) = match result {
            Ok(Some((configuration, choice))) => {
                let (entry, kernel, images) = resolve(configuration.loader, &configuration, &choice, &bases, volumes);
                (Fact::Known(Some(entry)), kernel, images)
            }
            Ok(None) => (Fact::Known(unified(&efi)), None, Vec::new()),
            Err(unknown) => (Fact::Unknown(unknown), None, Vec::new()),
        };
        boot.entry = entry;
        Started {
            boot,
            files,
            volumes,
            kernel,
            images,
        }
    }
}

/// A boot whose entry is known; the rest is still to be read.
pub(crate) struct Started<'a> {
    boot: Boot,
    files: &'a Files<'a>,
    volumes: &'a Volumes,
    /// Path and header of the kernel that is started.
    kernel: Option<(String, Header)>,
    images: Vec<Image<'a>>,
}

impl Started<'_> {
    /// What is started when nobody presses a key.
    pub(crate) fn entry(&self) -> &Fact<Option<BootEntry>> {
        &self.boot.entry
    }

    /// Is this file (a path without its first slash) in the initramfs that is started? Unknown where it cannot be read,
    /// false without one.
    pub(crate) fn initramfs_has(&self, path: &str) -> Read<bool> {
        for image in &self.images {
            let (tree, image) = image.clone()?;
            let search = initramfs::search(&mut |at, len| tree.read_at(&image, at, len), &[Wanted::Path(path)]);
            match (search.found.first(), search.incomplete) {
                (Some(true), _) => return Ok(true),
                (_, Some(unknown)) => return Err(unknown),
                _ => {}
            }
        }
        match &self.boot.entry {
            Fact::Unknown(unknown) => Err(unknown.clone()),
            Fact::Known(_) => Ok(false),
        }
    }

    /// Also reads kernels, drivers and devices.
    pub(crate) fn finish(&self, mounts: &[Mount]) -> Boot {
        let default = self.kernel.as_ref().map(|(path, header)| (path.as_str(), header));
        let mut boot = self.boot.clone();
        boot.kernels = fact(kernels::read(self.files, default));
        boot.drivers = drivers_of(&boot, self.files, self.kernel.as_ref(), &self.images);
        let entry = match &boot.entry {
            Fact::Known(entry) => entry.as_ref(),
            Fact::Unknown(_) => None,
        };
        boot.devices = fact(devices::read(self.files, self.volumes, mounts, entry));
        boot.init = fact(services::init(self.files).map(|init| init.name().to_owned()));
        boot
    }
}

fn fact<T>(read: Read<T>) -> Fact<T> {
    match read {
        Ok(value) => Fact::Known(value),
        Err(unknown) => Fact::Unknown(unknown),
    }
}

/// The configuration that the boot loader reads, and the entry it starts: that of the BIOS's loader, for that is how a
/// VM starts if it can, else that of UEFI's, else the only one there is.
fn configured<'a>(boot: &mut Boot, efi: &Efi, bases: &[Base<'a>]) -> Read<Option<(Configuration<'a>, Choice)>> {
    let configurations = menu::configurations(bases)?;
    let of_firmware = |fact: &Fact<crate::facts::FirmwareStart>| match fact {
        Fact::Known(start) => start.loader.clone(),
        Fact::Unknown(_) => None,
    };
    let of_vendor = efi.vendor.iter().map(|found| found.program.kind.to_owned());
    let loaders: Vec<String> = [of_firmware(&boot.bios), of_firmware(&boot.uefi)]
        .into_iter()
        .flatten()
        .chain(of_vendor)
        .collect();
    let mut ordered: Vec<&Configuration<'a>> = configurations.iter().collect();
    ordered.sort_by_key(|configuration| {
        let is_it = |loader: &String| loader == configuration.loader;
        loaders.iter().position(is_it).unwrap_or(usize::MAX)
    });
    for configuration in &ordered {
        let evidence = Evidence::path(&configuration.path);
        let known = boot
            .loaders
            .iter_mut()
            .find(|loader| loader.kind == configuration.loader);
        match known {
            Some(loader) if loader.configuration.is_none() => {
                loader.configuration = Some(configuration.path.clone());
                loader.evidence.push(evidence);
            }
            Some(_) => {}
            None => boot.loaders.push(BootLoader {
                kind: configuration.loader.to_owned(),
                version: None,
                evidence: vec![evidence],
                configuration: Some(configuration.path.clone()),
            }),
        }
    }
    for configuration in ordered {
        // A few lines that lead to another file are no menu.
        if let Some(choice) = configuration.choice(bases)? {
            return Ok(Some((configuration.clone(), choice)));
        }
    }
    Ok(None)
}

/// An entry's files looked up.
fn resolve<'a>(
    loader: &str,
    configuration: &Configuration<'a>,
    choice: &Choice,
    bases: &[Base<'a>],
    volumes: &'a Volumes,
) -> (BootEntry, Option<(String, Header)>, Vec<Image<'a>>) {
    let parsed = &choice.parsed;
    let find = |path: &str| {
        locate(
            path,
            parsed.device.as_deref(),
            configuration.relative_to(),
            bases,
            volumes,
        )
    };
    let mut kernel = None;
    let mut kernel_path = parsed.kernel.clone();
    let kernel_there = match parsed.kernel.as_deref().map(find) {
        Some(Located::At(tree, path)) => {
            kernel = kernels::header(tree, &path).ok().map(|header| (path.clone(), header));
            kernel_path = Some(path);
            Fact::Known(true)
        }
        Some(Located::Missing) | None => Fact::Known(false),
        Some(Located::NotKnown(unknown)) => Fact::Unknown(unknown),
    };
    let mut initramfs = Vec::new();
    let mut images: Vec<Image<'a>> = Vec::new();
    let mut initramfs_there = Fact::Known(true);
    for path in parsed.initramfs.iter().take(MAX_IMAGES) {
        match find(path) {
            Located::At(tree, path) => {
                initramfs.push(path.clone());
                images.push(Ok((tree, path)));
            }
            Located::Missing => {
                initramfs.push(path.clone());
                initramfs_there = Fact::Known(false);
            }
            Located::NotKnown(unknown) => {
                initramfs.push(path.clone());
                images.push(Err(unknown.clone()));
                if initramfs_there == Fact::Known(true) {
                    initramfs_there = Fact::Unknown(unknown);
                }
            }
        }
    }
    let mut evidence = vec![
        Evidence::path(&choice.path)
            .line(parsed.line)
            .value(parsed.title.as_deref().unwrap_or_default()),
    ];
    if let Some(line) = parsed.options_line {
        evidence.push(Evidence::path(&choice.path).line(line).value(&parsed.options));
    }
    let entry = BootEntry {
        loader: loader.to_owned(),
        title: parsed.title.clone(),
        kernel: kernel_path,
        kernel_there,
        initramfs,
        initramfs_there,
        command_line: parsed.options.clone(),
        evidence,
    };
    (entry, kernel, images)
}

/// A kernel that the firmware, or systemd-boot without entries, starts by itself.
fn unified(efi: &Efi) -> Option<BootEntry> {
    let in_default = efi
        .default
        .iter()
        .filter(|found| found.program.kind == "unified_kernel");
    let found = in_default.chain(&efi.unified).next()?;
    Some(BootEntry {
        loader: found.program.kind.to_owned(),
        title: None,
        kernel: Some(found.path.clone()),
        kernel_there: Fact::Known(true),
        initramfs: Vec::new(),
        initramfs_there: Fact::Known(true),
        command_line: found.program.command_line.clone().unwrap_or_default(),
        evidence: vec![Evidence::path(&found.path)],
    })
}

fn drivers_of(
    boot: &Boot,
    files: &Files<'_>,
    kernel: Option<&(String, Header)>,
    images: &[Image<'_>],
) -> Fact<Option<Drivers>> {
    match &boot.entry {
        Fact::Unknown(unknown) => return Fact::Unknown(unknown.clone()),
        Fact::Known(Some(entry)) if entry.loader == "unified_kernel" => {
            // Kernel and initramfs stand in one file, into which nobody looks.
            return Fact::Unknown(
                Unknown::new("initramfs_inside").with("name", entry.kernel.clone().unwrap_or_default()),
            );
        }
        Fact::Known(_) => {}
    }
    let version = kernel.and_then(|(path, header)| header.version.clone().or_else(|| kernels::version_in_name(path)));
    if let Some(version) = version {
        return Fact::Known(Some(drivers::read(files, &version, images)));
    }
    match (&boot.kernels, &boot.entry) {
        (Fact::Known(kernels), Fact::Known(None)) if kernels.is_empty() => Fact::Known(None),
        (Fact::Known(kernels), Fact::Known(Some(_))) => {
            // One kernel's modules alone leave no doubt, even where its file's header says nothing.
            match kernels.as_slice() {
                [kernel] => match &kernel.version {
                    Some(version) => Fact::Known(Some(drivers::read(files, version, images))),
                    None => Fact::Unknown(Unknown::new("kernel_version_not_known")),
                },
                _ => Fact::Unknown(Unknown::new("kernel_version_not_known")),
            }
        }
        (Fact::Unknown(unknown), _) => Fact::Unknown(unknown.clone()),
        _ => Fact::Unknown(Unknown::new("boot_default_not_known")),
    }
}

/// What a configuration of a boot loader starts: `grub`, `syslinux`, `grub_legacy`, `lilo`, or `entry` for one of the
/// Boot Loader Specification. For tests; files that it refers to are not read.
pub fn parse(loader: &str, text: &str) -> Option<Parsed> {
    match loader {
        "grub" => grub::run(text, None).chosen(&[]),
        "syslinux" => menus::syslinux(text),
        "grub_legacy" => menus::grub_legacy(text),
        "lilo" => menus::lilo(text),
        _ => {
            let entry = bls::entry("entry", text, &grub::Variables::new());
            bls::chosen_by_systemd(text, vec![entry]).map(|entry| entry.parsed)
        }
    }
}

#[cfg(test)]
mod tests;
