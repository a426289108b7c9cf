//! Whether UEFI can start the disk without entries in its NVRAM: a FAT filesystem with a loader at the one path that is
//! tried then (UEFI 2.10, 3.5.1.1).

use super::pe::{self, Program};
use crate::{
    Evidence, Fact, FileKind, FileTree, Result, Unknown,
    facts::{BootLoader, FirmwareStart, NoStart},
    files,
    volumes::Volumes,
};

/// The EFI system partition (UEFI 2.10, table 5.7, and 5.2.2 for an MBR).
const ESP: [&str; 2] = ["c12a7328-f81f-11d2-ba4b-00a0c93ec93b", "ef"];

/// The loader's name for each machine (UEFI 2.10, table 3.2), `uname -m`, and the end that others use in names.
const DEFAULT_NAMES: &[(&str, &str, &str)] = &[
    ("bootx64.efi", "x86_64", "x64"),
    ("bootaa64.efi", "aarch64", "aa64"),
    ("bootia32.efi", "i686", "ia32"),
    ("bootarm.efi", "arm", "arm"),
    ("bootriscv64.efi", "riscv64", "riscv64"),
    ("bootloongarch64.efi", "loongarch64", "loongarch64"),
];

/// Directories of vendors and programs in each that are looked at, at most.
const MAX_VENDORS: usize = 32;
const MAX_PROGRAMS: usize = 32;

/// A program, where it stands.
pub(super) struct Found {
    pub(super) path: String,
    pub(super) program: Program,
}

/// What was found on all FAT filesystems.
#[derive(Default)]
pub(super) struct Efi {
    /// At the path that is always tried.
    pub(super) default: Vec<Found>,
    /// Elsewhere.
    pub(super) vendor: Vec<Found>,
    /// Kernels with all they need in one file, in `/EFI/Linux`.
    pub(super) unified: Vec<Found>,
}

/// Looks for loaders; those that are recognised are added to `loaders`.
pub(super) fn read(volumes: &Volumes, loaders: &mut Vec<BootLoader>) -> (Fact<FirmwareStart>, Efi) {
    let mut efi = Efi::default();
    let mut is_there = false;
    let mut failure: Option<Unknown> = None;
    for opened in volumes.list() {
        let type_id = opened.partition.as_ref().map(|partition| partition.type_id.as_str());
        let is_esp = type_id.is_some_and(|type_id| ESP.contains(&type_id));
        match &opened.tree {
            Some(Ok(tree)) if opened.filesystem.as_deref() == Some("vfat") => {
                is_there |= is_esp;
                if let Err(error) = efi.look(tree.as_ref()) {
                    failure = failure.or(Some(files::unknown(&error)));
                }
            }
            Some(Err(error)) if is_esp || opened.filesystem.as_deref() == Some("vfat") => {
                failure = failure.or(Some(files::unknown(error)));
            }
            _ => {}
        }
    }
    let recognised = efi.vendor.iter().filter(|found| found.program.kind != "other");
    for found in efi.default.iter().chain(recognised).chain(&efi.unified) {
        loaders.push(BootLoader {
            kind: found.program.kind.to_owned(),
            version: found.program.version.clone(),
            evidence: vec![Evidence::path(&found.path)],
            configuration: None,
        });
    }
    let fact = match (efi.start(is_there), failure) {
        // Something that cannot be read might hold a loader.
        (start, Some(unknown)) if !start.possible => Fact::Unknown(unknown),
        (start, _) => Fact::Known(start),
    };
    (fact, efi)
}

impl Efi {
    fn look(&mut self, tree: &dyn FileTree) -> Result<()> {
        for vendor in tree.list("/EFI")?.unwrap_or_default().into_iter().take(MAX_VENDORS) {
            let folder = format!("/EFI/{vendor}");
            for name in tree.list(&folder)?.unwrap_or_default().into_iter().take(MAX_PROGRAMS) {
                let lower = name.to_ascii_lowercase();
                if lower.rsplit_once('.').is_none_or(|(_, end)| end != "efi") {
                    continue;
                }
                let path = format!("{folder}/{name}");
                let Some(program) = program(tree, &path)? else {
                    continue;
                };
                let is_default = vendor.eq_ignore_ascii_case("BOOT")
                    && DEFAULT_NAMES
                        .iter()
                        .any(|(name, machine, _)| *name == lower && program.machine == Some(*machine));
                let found = Found { path, program };
                if is_default {
                    self.default.push(found);
                } else if vendor.eq_ignore_ascii_case("Linux") {
                    self.unified.push(found);
                } else {
                    self.vendor.push(found);
                }
            }
        }
        Ok(())
    }

    fn start(&self, is_there: bool) -> FirmwareStart {
        let evidence = |found: &[Found]| found.iter().map(|found| Evidence::path(&found.path)).collect();
        let mut start = FirmwareStart {
            possible: false,
            because: None,
            loader: None,
            architectures: Vec::new(),
            evidence: evidence(&self.default),
        };
        if self.default.is_empty() {
            let (because, at) = match (self.vendor.as_slice(), self.unified.as_slice()) {
                ([], []) if is_there => (NoStart::NoEfiLoader, Vec::new()),
                ([], []) => (NoStart::NoEfiPartition, Vec::new()),
                ([], unified) => (NoStart::OnlyVendorPath, evidence(unified)),
                (vendor, _) => (NoStart::OnlyVendorPath, evidence(vendor)),
            };
            start.because = Some(because);
            start.evidence = at;
            return start;
        }
        for found in &self.default {
            match self.leads_to(found) {
                Some(loader) => {
                    start.possible = true;
                    start.loader = start.loader.or(Some(loader.to_owned()));
                    start.architectures.extend(found.program.machine.map(str::to_owned));
                }
                None => start.because = Some(NoStart::EfiSecondStageMissing),
            }
        }
        if start.possible {
            start.because = None;
        }
        start
    }

    /// What the default loader starts: shim starts GRUB beside it, or the program that makes entries of the vendors'
    /// lists (shim's README.fallback).
    fn leads_to(&self, found: &Found) -> Option<&'static str> {
        if found.program.kind != "shim" {
            return Some(found.program.kind);
        }
        let machine = found.program.machine;
        let end = DEFAULT_NAMES.iter().find(|(_, name, _)| Some(*name) == machine)?.2;
        let (folder, _) = found.path.rsplit_once('/')?;
        let beside = |name: &str| {
            let path = format!("{folder}/{name}{end}.efi");
            self.vendor.iter().find(|other| other.path.eq_ignore_ascii_case(&path))
        };
        if let Some(grub) = beside("grub") {
            return Some(grub.program.kind);
        }
        beside("fb")?;
        let is_elsewhere = |other: &&Found| {
            !other.path.to_ascii_lowercase().starts_with("/efi/boot/") && other.program.machine == machine
        };
        let grub = self
            .vendor
            .iter()
            .filter(is_elsewhere)
            .find(|other| other.program.kind == "grub");
        grub.map(|grub| grub.program.kind)
    }
}

fn program(tree: &dyn FileTree, path: &str) -> Result<Option<Program>> {
    if tree.stat(path)?.is_none_or(|stat| stat.kind != FileKind::File) {
        return Ok(None);
    }
    let head = tree.read_start(path, pe::HEAD)?.unwrap_or_default();
    let section = |at: u64, len: usize| tree.read_at(path, at, len).ok().flatten().unwrap_or_default();
    let mut program = pe::read(&head, &section);
    if let Some(program) = &mut program
        && program.kind == "other"
    {
        let name = path.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
        match name.as_str() {
            "bootmgfw.efi" | "bootmgr.efi" => program.kind = "windows",
            "loader.efi" => program.kind = "freebsd",
            _ => {}
        }
    }
    Ok(program)
}
