//! What kind of container a file is, from its first and last bytes. Cheap: two small reads, and of a VHDX file the tables
//! that say how large its disk is.

mod ambiguous;

use self::ambiguous::Ends;
use crate::{
    Compression, Container, Error, Format, Kind, Result, Source,
    bytes::{be32, be64, has, le32, le64},
    compressed, vdi, vhdx, vmdk,
};

/// Bytes read from the beginning: enough for the superblocks of btrfs (64 KiB + 4 KiB) and UFS2 (64 KiB + 8 KiB).
const HEAD: u64 = 72 * 1024;

/// VHD and DMG end in a trailer of one sector.
const TRAILER: u64 = 512;

/// Tells from its bytes alone what a file is. Of a compressed file, only the beginning is unpacked.
///
/// # Errors
/// `not_a_disk_image` ([`Kind::Corrupt`]) when nothing is recognised, `two_formats` ([`Kind::Refused`]) when another
/// program could take the file for another format, and what the source says when it cannot be read.
pub fn identify(source: &dyn Source) -> Result<Container> {
    let head = read(source, 0, HEAD)?;
    let tail = read(source, source.len().saturating_sub(TRAILER), TRAILER)?;
    let ends = Ends {
        head: &head,
        tail: &tail,
    };
    if let Some(compression) = compression(&head) {
        ambiguous::refuse(&ends, &hidden(compression))?;
        return inside(source, compression);
    }
    let container = first_match(&head, &tail, source.len());
    let mut container = container.ok_or_else(|| Error::new(Kind::Corrupt, "not_a_disk_image"))?;
    ambiguous::refuse(&ends, &container)?;
    if container.format == Some(Format::Vhdx)
        && let Some((variant, virtual_size)) = vhdx::describe(source)?
    {
        container.variant = Some(variant.to_owned());
        container.virtual_size = Some(virtual_size);
    }
    Ok(container)
}

/// A compressed file whose content is not known.
fn hidden(compression: Compression) -> Container {
    Container {
        format: None,
        variant: None,
        virtual_size: None,
        compression: Some(compression),
    }
}

/// What the beginning of a compressed file's content shows. What it does not show, for example how large a raw disk is
/// or a trailer, only unpacking tells; `format` is `None` where nothing is recognised so far.
fn inside(source: &dyn Source, compression: Compression) -> Result<Container> {
    let hidden = hidden(compression);
    if !compression.is_accepted() {
        return Ok(hidden);
    }
    let head = match compressed::head(source, compression, usize::try_from(HEAD).unwrap_or(0)) {
        Ok(head) => head,
        Err(error) if error.kind() == Kind::Io => return Err(error),
        // Opening it says what is damaged.
        Err(_) => return Ok(hidden),
    };
    // A file can be made that unpacks to itself: only one layer is ever looked through.
    if self::compression(&head).is_some() {
        return Ok(hidden);
    }
    let Some(found) = first_match(&head, &[], head.len() as u64) else {
        return Ok(hidden);
    };
    ambiguous::refuse(&Ends { head: &head, tail: &[] }, &found)?;
    let is_known = !matches!(found.format, Some(Format::Raw | Format::Iso));
    Ok(Container {
        virtual_size: found.virtual_size.filter(|_| is_known),
        compression: Some(compression),
        ..found
    })
}

/// The format whose mark is the surest; whether another one fits besides is [`ambiguous`]'s question.
fn first_match(head: &[u8], tail: &[u8], len: u64) -> Option<Container> {
    container(head)
        .or_else(|| archive(head))
        .or_else(|| trailer(tail))
        .or_else(|| {
            let format = if is_iso(head) {
                Format::Iso
            } else if has_boot_signature(head) || is_gpt(head) || is_filesystem(head) {
                Format::Raw
            } else {
                return None;
            };
            Some(found(format, None, Some(len)))
        })
}

/// The format's name as in `report-json.md`.
pub(crate) fn name(format: Option<Format>) -> &'static str {
    format.map_or("unknown", Format::name)
}

fn read(source: &dyn Source, offset: u64, len: u64) -> Result<Vec<u8>> {
    let len = source.len().saturating_sub(offset).min(len);
    let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
    source.read_at(&mut bytes, offset)?;
    Ok(bytes)
}

fn found(format: Format, variant: Option<&str>, virtual_size: Option<u64>) -> Container {
    Container {
        format: Some(format),
        variant: variant.map(str::to_owned),
        virtual_size,
        compression: None,
    }
}

/// Which compression begins with these bytes; 16 are enough.
pub(crate) fn compression(head: &[u8]) -> Option<Compression> {
    // RFC 1952, 2.3: ID1, ID2, and deflate as the only method.
    if has(head, 0, &[0x1f, 0x8b, 8]) {
        return Some(Compression::Gzip);
    }
    // `BZh`, the block size, then the magic of a block (pi) or of the stream's end (its root).
    if has(head, 0, b"BZh")
        && matches!(head.get(3), Some(b'1'..=b'9'))
        && (has(head, 4, &[0x31, 0x41, 0x59, 0x26, 0x53, 0x59]) || has(head, 4, &[0x17, 0x72, 0x45, 0x38, 0x50, 0x90]))
    {
        return Some(Compression::Bzip2);
    }
    // The .xz File Format, 2.1.1.1.
    if has(head, 0, &[0xfd, b'7', b'z', b'X', b'Z', 0]) {
        return Some(Compression::Xz);
    }
    // RFC 8878, 3.1.1.
    if has(head, 0, &[0x28, 0xb5, 0x2f, 0xfd]) {
        return Some(Compression::Zstd);
    }
    None
}

/// Containers with a header at the very beginning.
fn container(head: &[u8]) -> Option<Container> {
    // QEMU docs/interop/qcow2.rst, "Header"; version 1 is qcow and has its size at the same place.
    if has(head, 0, b"QFI\xfb") {
        let size = Some(be64(head, 24));
        return Some(match be32(head, 4) {
            1 => found(Format::Qcow, None, size),
            version @ (2 | 3) => found(Format::Qcow2, Some(&format!("v{version}")), size),
            version => found(Format::Qcow2, Some(&format!("v{version}")), None),
        });
    }
    // [MS-VHDX] 2.2.1.
    if has(head, 0, b"vhdxfile") {
        return Some(found(Format::Vhdx, None, None));
    }
    if let Some((variant, size)) = vdi::describe(head) {
        return Some(found(Format::Vdi, variant, size));
    }
    if let Some((variant, size)) = vmdk::describe(head) {
        return Some(found(Format::Vmdk, variant.as_deref(), size));
    }
    // Virtual Hard Disk Image Format Specification: a copy of the footer at the beginning of all but fixed disks.
    if has(head, 0, b"conectix") {
        return Some(vhd(head));
    }
    // QEMU docs/interop/qed_spec.rst.
    if has(head, 0, b"QED\0") {
        return Some(found(Format::Qed, None, Some(le64(head, 48))));
    }
    // QEMU docs/interop/parallels.rst.
    if has(head, 0, b"WithoutFreeSpace") || has(head, 0, b"WithouFreSpacExt") {
        return Some(found(Format::Parallels, None, None));
    }
    // LUKS1 On-Disk Format, 2.1; the second magic of LUKS2 is for its backup header only.
    if has(head, 0, b"LUKS\xba\xbe") {
        return Some(found(Format::Luks, None, None));
    }
    None
}

/// A VHD footer: current size at 48, type at 60, both big endian.
fn vhd(footer: &[u8]) -> Container {
    let variant = match be32(footer, 60) {
        2 => Some("fixed"),
        3 => Some("dynamic"),
        4 => Some("differencing"),
        _ => None,
    };
    found(Format::Vhd, variant, Some(be64(footer, 48)))
}

fn archive(head: &[u8]) -> Option<Container> {
    // APPNOTE.TXT 4.3.7 and 4.3.16: a local file header, or the end of an empty archive.
    if has(head, 0, b"PK\x03\x04") || has(head, 0, b"PK\x05\x06") {
        return Some(found(Format::Zip, None, None));
    }
    if has(head, 0, b"7z\xbc\xaf\x27\x1c") {
        return Some(found(Format::SevenZip, None, None));
    }
    // POSIX.1-2017 pax, "ustar Interchange Format": the field magic.
    if has(head, 257, b"ustar") {
        let format = if is_appliance(head) { Format::Ova } else { Format::Tar };
        return Some(found(format, None, None));
    }
    None
}

/// DMTF DSP0243 (OVF 2.1), 6.2 "Distribution as a single file": the descriptor, `….ovf`, is the archive's first file.
/// Some programs put a record with long attributes before it.
fn is_appliance(tar: &[u8]) -> bool {
    let mut at = 0_usize;
    for _ in 0..4 {
        let Some(header) = tar.get(at..).filter(|rest| rest.len() >= 512) else {
            return false;
        };
        // POSIX.1-2017 ustar: name at 0, size in octal at 124, type at 156; pax types x and g, GNU's type L.
        let name = header.get(..100).unwrap_or_default();
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        if !matches!(header.get(156), Some(b'x' | b'g' | b'L')) {
            return name.to_ascii_lowercase().ends_with(b".ovf");
        }
        let digits = header.get(124..136).unwrap_or_default();
        let size = digits
            .iter()
            .filter(|digit| matches!(digit, b'0'..=b'7'))
            .fold(0_usize, |size, digit| {
                size.saturating_mul(8).saturating_add(usize::from(digit - b'0'))
            });
        at = at
            .saturating_add(512)
            .saturating_add(size.div_ceil(512).saturating_mul(512));
    }
    false
}

fn trailer(tail: &[u8]) -> Option<Container> {
    if let Some(footer) = vhd_trailer(tail) {
        return Some(vhd(footer));
    }
    is_dmg(tail).then(|| found(Format::Dmg, None, None))
}

/// The footer of a VHD. Virtual PC before 2004 wrote one of 511 bytes.
fn vhd_trailer(tail: &[u8]) -> Option<&[u8]> {
    let start = (0..=1).find(|start| has(tail, *start, b"conectix"))?;
    tail.get(start..)
}

/// Apple's UDIF trailer: magic, version 4, its own length.
fn is_dmg(tail: &[u8]) -> bool {
    has(tail, 0, b"koly") && be32(tail, 4) == 4 && be32(tail, 8) == 512
}

/// ECMA-119, 8.1.2: standard identifier of the first volume descriptor in sector 16. An ISO file with a partition table
/// besides (isohybrid) stays an installation medium.
fn is_iso(head: &[u8]) -> bool {
    has(head, 0x8001, b"CD001")
}

/// The last two bytes of a sector that a BIOS starts from.
fn has_boot_signature(head: &[u8]) -> bool {
    has(head, 510, &[0x55, 0xaa])
}

/// UEFI 2.10, 5.3.2: the header's signature at the second sector, of 512 or 4096 bytes.
fn is_gpt(head: &[u8]) -> bool {
    has(head, 512, b"EFI PART") || has(head, 4096, b"EFI PART")
}

/// Filesystems and other things that may begin at a disk's first sector without any partition table.
fn is_filesystem(head: &[u8]) -> bool {
    // ext2/3/4, XFS, btrfs, f2fs, UFS2 and UFS1, LVM, mdraid 1.2, swap.
    is_ext(head)
        || has(head, 0, b"XFSB")
        || has(head, 0x1_0040, b"_BHRfS_M")
        || has(head, 1024, &[0x10, 0x20, 0xf5, 0xf2])
        || has(head, 65_536 + 1372, &[0x19, 0x01, 0x54, 0x19])
        || has(head, 8192 + 1372, &[0x54, 0x19, 0x01, 0x00])
        || has(head, 512, b"LABELONE")
        || has(head, 4096, &[0xfc, 0x4e, 0x2b, 0xa9])
        || has(head, 4086, b"SWAPSPACE2")
}

/// ext2/3/4: the superblock at 1024 has `s_magic` at 56, `s_log_block_size` (blocks of 1 to 64 KiB) at 24 and
/// `s_rev_level` (0 or 1) at 76. Two bytes alone are in too many files by chance.
fn is_ext(head: &[u8]) -> bool {
    has(head, 1024 + 56, &[0x53, 0xef]) && le32(head, 1024 + 24) <= 6 && le32(head, 1024 + 76) <= 1
}
