//! Whether a BIOS can start the disk: the program in the first sector, and what it leads to.

use lotse_disk::{
    Disk,
    bytes::{has, le32, le64},
};

use crate::{
    Evidence, Fact, Result, Unknown,
    facts::{BootLoader, FirmwareStart, NoStart, Partition, PartitionTable, TableKind},
    files,
    volume::Volume,
};

/// Bytes of the first sector that hold a program; disk signature and partition table follow (UEFI 2.10, 5.2.1).
const CODE: usize = 440;

/// FreeBSD's partition for gptboot (FreeBSD sys/sys/disk/gpt.h).
const FREEBSD_BOOT: &str = "83bd6b9d-7f41-11dc-be0b-001560b84f0f";

/// A program in a boot sector, told by the texts in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Code {
    /// Nothing but zeros.
    None,
    /// Prints that there is nothing to start (mkfs.vfat, mkntfs).
    Message,
    /// Starts the partition that is marked.
    Chain,
    /// FreeBSD's pmbr, which starts the partition of type freebsd-boot.
    FreeBsdGpt,
    Grub,
    GrubLegacy,
    Syslinux,
    Lilo,
    FreeBsd,
    Windows,
    Unknown,
}

impl Code {
    fn of(sector: &[u8]) -> Self {
        let code = sector.get(..CODE).unwrap_or(sector);
        let says = |text: &[u8]| code_contains(sector, text);
        // A FAT's boot sector has its numbers before the program, an empty one nothing at all.
        if code.iter().all(|byte| *byte == 0) {
            return Self::None;
        }
        // grub-core/boot/i386/pc/boot.S and GRUB Legacy's stage1.S have the same texts; the latter has its version where
        // the former leaves room for a FAT's numbers.
        if says(b"GRUB ") && says(b"Geom\0Hard Disk\0Read\0 Error") {
            return if has(sector, 0x3e, &[3, 2]) {
                Self::GrubLegacy
            } else {
                Self::Grub
            };
        }
        // What comes first tells more than what comes later.
        let texts: &[(&[u8], Self)] = &[
            (b"EXTLINUX", Self::Syslinux),
            (b"SYSLINUX", Self::Syslinux),
            (b"isolinux.bin", Self::Syslinux),
            (b"LILO", Self::Lilo),
            (b"Missing boot loader", Self::FreeBsdGpt),
            (b"Boot loader too large", Self::FreeBsdGpt),
            (b"BOOTMGR", Self::Windows),
            (b"NTLDR", Self::Windows),
            (b"/boot/loader", Self::FreeBsd),
            (b"BTX", Self::FreeBsd),
            (b"not a bootable disk", Self::Message),
            // SYSLINUX's mbr.bin and gptmbr.bin, Windows, FreeBSD's boot0 and mbr, Debian's mbr.
            (b"Missing operating system", Self::Chain),
            (b"Missing OS", Self::Chain),
            (b"Multiple active partitions", Self::Chain),
            (b"Error loading operating system", Self::Chain),
            (b"Invalid partition table", Self::Chain),
            (b"Default: ", Self::Chain),
            (b"No bootable partition", Self::Chain),
        ];
        if let Some((_, code)) = texts.iter().find(|(text, _)| says(text)) {
            return *code;
        }
        // libparted/labels/dos.c writes a program without any text.
        if has(sector, 0, b"\xfa\xb8\x00\x10\x8e\xd0\xbc\x00\xb0") {
            return Self::Chain;
        }
        Self::Unknown
    }

    /// As in [`BootLoader::kind`].
    fn name(self) -> Option<&'static str> {
        match self {
            Self::Grub => Some("grub"),
            Self::GrubLegacy => Some("grub_legacy"),
            Self::Syslinux => Some("syslinux"),
            Self::Lilo => Some("lilo"),
            Self::FreeBsd | Self::FreeBsdGpt => Some("freebsd"),
            Self::Windows => Some("windows"),
            Self::Chain => Some("chain"),
            Self::None | Self::Message | Self::Unknown => None,
        }
    }
}

fn code_contains(sector: &[u8], text: &[u8]) -> bool {
    sector.windows(text.len()).any(|window| window == text)
}

/// Judges the first sector; boot loaders met on the way are added to `loaders`.
pub(super) fn read(disk: &Disk, table: &PartitionTable, loaders: &mut Vec<BootLoader>) -> Fact<FirmwareStart> {
    let mut bios = Bios { disk, table, loaders };
    match bios.start() {
        Ok(fact) => fact,
        Err(error) => Fact::Unknown(files::unknown(&error)),
    }
}

struct Bios<'a> {
    disk: &'a Disk,
    table: &'a PartitionTable,
    loaders: &'a mut Vec<BootLoader>,
}

impl Bios<'_> {
    fn start(&mut self) -> Result<Fact<FirmwareStart>> {
        let sector = self.sector(0)?;
        let code = Code::of(&sector);
        if self.table.kind == TableKind::None && code == Code::Message {
            return Ok(no(NoStart::PartitionNotBootable, None, vec![place(0)]));
        }
        self.follow(code, &sector, 0, 0)
    }

    fn sector(&self, at: u64) -> Result<Vec<u8>> {
        Volume::new(self.disk, at, 512).read_up_to(0, 512)
    }

    /// Where code in a boot sector leads; `depth` counts the sectors on the way.
    fn follow(&mut self, code: Code, sector: &[u8], at: u64, depth: u32) -> Result<Fact<FirmwareStart>> {
        let evidence = vec![place(at)];
        if let Some(kind) = code.name() {
            self.loaders.push(BootLoader {
                kind: kind.to_owned(),
                version: None,
                evidence: evidence.clone(),
                configuration: None,
            });
        }
        Ok(match code {
            Code::None if depth == 0 => no(NoStart::NoBootCode, None, evidence),
            Code::None | Code::Message if depth > 0 => no(NoStart::PartitionNotBootable, Some("chain"), evidence),
            Code::None | Code::Message => no(NoStart::NoBootCode, None, evidence),
            Code::Unknown => Fact::Unknown(Unknown::new("boot_code_not_recognised")),
            Code::Grub | Code::GrubLegacy => self.second_stage(code, sector, evidence)?,
            Code::Syslinux | Code::Lilo | Code::FreeBsd | Code::Windows => yes(code, evidence),
            Code::FreeBsdGpt => {
                let partitions = &self.table.partitions;
                match partitions.iter().find(|partition| partition.type_id == FREEBSD_BOOT) {
                    Some(partition) if self.is_empty(partition)? => {
                        no(NoStart::PartitionNotBootable, code.name(), evidence)
                    }
                    Some(_) => yes(code, evidence),
                    None => no(NoStart::NoActivePartition, code.name(), evidence),
                }
            }
            Code::Chain if depth > 0 => Fact::Unknown(Unknown::new("boot_code_not_recognised")),
            Code::Chain => {
                let marked = self.table.partitions.iter().find(|partition| partition.bootable);
                match marked.map(|partition| partition.offset) {
                    Some(offset) => {
                        let sector = self.sector(offset)?;
                        self.follow(Code::of(&sector), &sector, offset, depth + 1)?
                    }
                    None => no(NoStart::NoActivePartition, code.name(), evidence),
                }
            }
        })
    }

    fn is_empty(&self, partition: &Partition) -> Result<bool> {
        Ok(self.sector(partition.offset)?.iter().all(|byte| *byte == 0))
    }

    /// GRUB's first sector names the sector in which the rest begins (boot.S: `kernel_sector`; stage1.S:
    /// `stage2_sector`); there must be GRUB's own loader, which also has texts to tell it by.
    fn second_stage(&mut self, code: Code, sector: &[u8], mut evidence: Vec<Evidence>) -> Result<Fact<FirmwareStart>> {
        let number = if code == Code::Grub {
            le64(sector, 0x5c)
        } else {
            u64::from(le32(sector, 0x44))
        };
        let at = number.checked_mul(u64::from(self.table.sector_size));
        let there = match at {
            Some(at) if number > 0 && at < self.disk.len() => code_contains(&self.sector(at)?, b"Geom"),
            // stage1 alone, with all of stage2 found by its place on a floppy disk.
            _ => false,
        };
        if let Some(at) = at {
            evidence.push(place(at));
        }
        Ok(if there {
            yes(code, evidence)
        } else {
            no(NoStart::SecondStageMissing, code.name(), evidence)
        })
    }
}

/// A byte of the disk as evidence.
fn place(at: u64) -> Evidence {
    Evidence::default().value(&format!("@{at}"))
}

fn yes(code: Code, evidence: Vec<Evidence>) -> Fact<FirmwareStart> {
    Fact::Known(FirmwareStart {
        possible: true,
        because: None,
        loader: code.name().map(str::to_owned),
        architectures: Vec::new(),
        evidence,
    })
}

fn no(because: NoStart, loader: Option<&str>, evidence: Vec<Evidence>) -> Fact<FirmwareStart> {
    Fact::Known(FirmwareStart {
        possible: false,
        because: Some(because),
        loader: loader.map(str::to_owned),
        architectures: Vec::new(),
        evidence,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_alone_is_no_program() {
        let mut sector = vec![0; 512];
        sector[440..444].copy_from_slice(&[1, 2, 3, 4]);
        sector[510..].copy_from_slice(&[0x55, 0xaa]);
        assert_eq!(Code::of(&sector), Code::None);
        sector[..4].copy_from_slice(b"\xeb\x63\x90\x10");
        assert_eq!(Code::of(&sector), Code::Unknown);
        assert_eq!(Code::of(b""), Code::None);
    }
}
