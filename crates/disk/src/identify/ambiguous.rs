//! A file that two programs take for two different formats: what the check looks at would not be what a cloud starts.
//! The class of CVE-2022-47951, CVE-2024-32498 and CVE-2026-24708: a header written in front of something else.

use super::{has_boot_signature, is_filesystem, is_gpt, is_iso, vhd_trailer};
use crate::{
    Container, Error, Format, Kind, Result,
    bytes::{be32, has, le32},
};

/// The first and last bytes of a file, as [`identify`](crate::identify()) reads them.
pub(super) struct Ends<'a> {
    pub(super) head: &'a [u8],
    pub(super) tail: &'a [u8],
}

/// A format that some program would take the file for, from the one place at which that program looks.
struct Sign {
    name: &'static str,
    is_here: fn(&Ends) -> bool,
}

/// Every sign that is looked for. Those of one format may be several.
const SIGNS: &[Sign] = &[
    Sign {
        name: "qcow2",
        is_here: |ends| has(ends.head, 0, b"QFI\xfb") && be32(ends.head, 4) != 1,
    },
    Sign {
        name: "qcow",
        is_here: |ends| has(ends.head, 0, b"QFI\xfb") && be32(ends.head, 4) == 1,
    },
    Sign {
        name: "vhdx",
        is_here: |ends| has(ends.head, 0, b"vhdxfile"),
    },
    Sign {
        name: "vdi",
        is_here: |ends| le32(ends.head, 64) == 0xbeda_107f,
    },
    Sign {
        name: "vmdk",
        is_here: |ends| has(ends.head, 0, b"KDMV") || has(ends.head, 0, b"COWD") || is_vmdk_text(ends.head),
    },
    Sign {
        name: "vhd",
        is_here: |ends| has(ends.head, 0, b"conectix") || vhd_trailer(ends.tail).is_some(),
    },
    Sign {
        name: "qed",
        is_here: |ends| has(ends.head, 0, b"QED\0"),
    },
    Sign {
        name: "parallels",
        is_here: |ends| has(ends.head, 0, b"WithoutFreeSpace") || has(ends.head, 0, b"WithouFreSpacExt"),
    },
    Sign {
        name: "luks",
        is_here: |ends| has(ends.head, 0, b"LUKS\xba\xbe"),
    },
    // Two more that QEMU takes by their first bytes: block/bochs.c and block/cloop.c.
    Sign {
        name: "bochs",
        is_here: |ends| has(ends.head, 0, b"Bochs Virtual HD Image"),
    },
    Sign {
        name: "cloop",
        is_here: |ends| has(ends.head, 0, b"#!/bin/sh\n#V2.0 Format\nmodprobe cloop"),
    },
    Sign {
        name: "gzip",
        is_here: |ends| super::compression(ends.head) == Some(crate::Compression::Gzip),
    },
    Sign {
        name: "bzip2",
        is_here: |ends| super::compression(ends.head) == Some(crate::Compression::Bzip2),
    },
    Sign {
        name: "tar",
        is_here: |ends| has(ends.head, 257, b"ustar"),
    },
    Sign {
        name: "iso",
        is_here: |ends| is_iso(ends.head),
    },
    Sign {
        name: "dmg",
        is_here: |ends| super::is_dmg(ends.tail),
    },
    Sign {
        name: "raw",
        is_here: is_raw,
    },
];

/// Refuses a file that another program could take for another format, where that matters: one of the two is a format
/// that a cloud would start a VM from.
pub(super) fn refuse(ends: &Ends, container: &Container) -> Result<()> {
    let name = match (container.format, container.compression) {
        (Some(format), _) => format.name(),
        (None, Some(compression)) => compression.name(),
        (None, None) => return Ok(()),
    };
    let other = SIGNS
        .iter()
        .filter(|sign| sign.name != name && (is_started(name) || is_started(sign.name)))
        .find(|sign| (sign.is_here)(ends) && !belongs(container, name, sign.name, ends));
    match other {
        None => Ok(()),
        Some(sign) => Err(Error::new(Kind::Refused, "two_formats")
            .with("format", name)
            .with("other", sign.name)),
    }
}

/// What ccloud³ accepts, alone or compressed.
fn is_started(name: &str) -> bool {
    matches!(name, "raw" | "qcow2" | "vhdx" | "vdi" | "vmdk" | "gzip" | "bzip2")
}

/// Pairs that real tools make and that nobody can take for something else than they are.
fn belongs(container: &Container, name: &str, other: &str, ends: &Ends) -> bool {
    match (name, other) {
        // An installation medium that also starts from a USB stick (isohybrid); a trailer behind the disk's own bytes.
        ("iso" | "dmg", "raw") => true,
        // A fixed VHD has nothing but a trailer either. A dynamic one has a header in front, where a boot sector has no
        // business.
        ("vhd", "raw") => !has(ends.head, 0, b"conectix"),
        // An appliance is a tar archive.
        ("ova", "tar") => container.format == Some(Format::Ova),
        _ => false,
    }
}

/// Would a computer, or a program that was told nothing, take the file for a disk as it is?
fn is_raw(ends: &Ends) -> bool {
    is_gpt(ends.head)
        || is_filesystem(ends.head)
        || if has_noise(ends) {
            is_partitioned(ends.head)
        } else {
            // The headers of containers are zero there, and a computer's firmware asks for no more.
            has_boot_signature(ends.head)
        }
}

/// Is what stands in the first sector compressed or random, so that two bytes of it prove nothing?
fn has_noise(ends: &Ends) -> bool {
    super::compression(ends.head).is_some() || super::archive(ends.head).is_some() || has(ends.head, 0, b"LUKS\xba\xbe")
}

/// A boot sector whose four entries are all plausible, and at least one in use. What Linux asks for too
/// (block/partitions/msdos.c): a status of 0 or 0x80 in each.
fn is_partitioned(head: &[u8]) -> bool {
    let entry = |index: usize| {
        let at = 446 + 16 * index;
        let status = head.get(at).copied().unwrap_or(1);
        let is_used =
            head.get(at + 4).is_some_and(|kind| *kind != 0) && le32(head, at + 8) != 0 && le32(head, at + 12) != 0;
        (matches!(status, 0 | 0x80), is_used)
    };
    let entries = [entry(0), entry(1), entry(2), entry(3)];
    has_boot_signature(head)
        && entries.iter().all(|(is_plausible, _)| *is_plausible)
        && entries.iter().any(|(_, is_used)| *is_used)
}

/// A VMDK descriptor as VMware writes it, or whatever QEMU takes for one (`vmdk_probe` in block/vmdk.c): comments and
/// blank lines, then `version=` 1 to 3.
fn is_vmdk_text(head: &[u8]) -> bool {
    /// QEMU looks at so many bytes (`BLOCK_PROBE_BUF_SIZE`).
    const PROBED: usize = 512;
    if has(head, 0, b"# Disk DescriptorFile") {
        return true;
    }
    let mut lines = head
        .get(..head.len().min(PROBED))
        .unwrap_or_default()
        .split_inclusive(|byte| *byte == b'\n')
        .skip_while(|line| line.starts_with(b"#") || (line.starts_with(b" ") && line.trim_ascii().is_empty()));
    lines.next().is_some_and(|line| {
        let line = line
            .strip_suffix(b"\r\n")
            .or_else(|| line.strip_suffix(b"\n"))
            .unwrap_or_default();
        matches!(line, b"version=1" | b"version=2" | b"version=3")
    })
}
