//! What kind of container a file is, from its first and last bytes. Cheap: two small reads, no table is followed.

use crate::{
    Compression, Container, Error, Format, Kind, Result, Source,
    bytes::{be32, be64, has, le16, le32, le64},
    vhdx,
};

/// Bytes read from the beginning: enough for the superblocks of btrfs (64 KiB + 4 KiB) and UFS2 (64 KiB + 8 KiB).
const HEAD: u64 = 72 * 1024;

/// VHD and DMG end in a trailer of one sector.
const TRAILER: u64 = 512;

/// VMDK descriptors are text of at most 20 sectors (VMware Virtual Disk Format 5.0, "The Descriptor File").
const VMDK_DESCRIPTOR: usize = 20 * 512;

/// Tells from its bytes alone what a file is. Compressed files are not unpacked: their `format` is `None`.
///
/// # Errors
/// `not_a_disk_image` ([`Kind::Corrupt`]) when nothing is recognised, `two_formats` ([`Kind::Refused`]) when the file
/// is a container and a partitioned raw disk at once, and what the source says when it cannot be read.
pub fn identify(source: &dyn Source) -> Result<Container> {
    let head = read(source, 0, HEAD)?;
    let tail = read(source, source.len().saturating_sub(TRAILER), TRAILER)?;
    if let Some(compression) = compression(&head) {
        return Ok(Container {
            format: None,
            variant: None,
            virtual_size: None,
            compression: Some(compression),
        });
    }
    if let Some(mut container) = container(&head) {
        if is_partitioned(&head) {
            // A cloud that takes such a file for raw would start what a guest has written into it (CVE-2024-32498).
            return Err(Error::new(Kind::Refused, "two_formats")
                .with("format", name(container.format))
                .with("other", name(Some(Format::Raw))));
        }
        if container.format == Some(Format::Vhdx)
            && let Some((variant, virtual_size)) = vhdx::describe(source)
        {
            container.variant = Some(variant.to_owned());
            container.virtual_size = Some(virtual_size);
        }
        return Ok(container);
    }
    if let Some(container) = archive(&head) {
        return Ok(container);
    }
    if let Some(container) = trailer(&tail) {
        return Ok(container);
    }
    // ECMA-119, 8.1.2: standard identifier of the first volume descriptor in sector 16. An ISO file with a partition
    // table besides (isohybrid) stays an installation medium.
    if has(&head, 0x8001, b"CD001") {
        return Ok(found(Format::Iso, None, Some(source.len())));
    }
    if has(&head, 510, &[0x55, 0xaa]) || is_gpt(&head) || is_filesystem(&head) {
        return Ok(found(Format::Raw, None, Some(source.len())));
    }
    Err(Error::new(Kind::Corrupt, "not_a_disk_image"))
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

fn compression(head: &[u8]) -> Option<Compression> {
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
    // VirtualBox VDICore.h: VDI_IMAGE_SIGNATURE after 64 bytes of text; type and size of header version 1.
    if le32(head, 64) == 0xbeda_107f {
        let variant = match le32(head, 76) {
            1 => Some("dynamic"),
            2 => Some("static"),
            3 => Some("undo"),
            4 => Some("differencing"),
            _ => None,
        };
        return Some(found(
            Format::Vdi,
            variant,
            (le32(head, 68) >> 16 == 1).then(|| le64(head, 368)),
        ));
    }
    if let Some(container) = vmdk(head) {
        return Some(container);
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

/// VMware Virtual Disk Format 5.0: hosted sparse extents, ESX sparse extents, descriptors of their own.
fn vmdk(head: &[u8]) -> Option<Container> {
    if has(head, 0, b"KDMV") {
        // SparseExtentHeader: flags at 8, capacity in sectors at 12, descriptor's place and size in sectors at 28 and 36.
        let start = le64(head, 28)
            .checked_mul(512)
            .and_then(|start| usize::try_from(start).ok());
        let create_type = start.and_then(|start| head.get(start..)).and_then(create_type);
        // Bit 16: grains are compressed, by method 1 (deflate).
        let compressed = le32(head, 8) & 0x1_0000 != 0 && le16(head, 77) == 1;
        let variant = create_type.unwrap_or_else(|| {
            if compressed {
                "streamOptimized"
            } else {
                "monolithicSparse"
            }
            .to_owned()
        });
        return Some(found(Format::Vmdk, Some(&variant), le64(head, 12).checked_mul(512)));
    }
    if has(head, 0, b"COWD") {
        return Some(found(
            Format::Vmdk,
            Some("vmfsSparse"),
            Some(u64::from(le32(head, 12)).saturating_mul(512)),
        ));
    }
    if has(head, 0, b"# Disk DescriptorFile") {
        return Some(found(Format::Vmdk, create_type(head).as_deref(), None));
    }
    None
}

/// The value of `createType="…"`, if it is a word.
fn create_type(descriptor: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(descriptor.get(..descriptor.len().min(VMDK_DESCRIPTOR))?).into_owned();
    let value = text.lines().find_map(|line| line.trim().strip_prefix("createType"))?;
    let word = value.trim_start().strip_prefix('=')?.trim().trim_matches('"');
    (!word.is_empty() && word.len() <= 40 && word.chars().all(|c| c.is_ascii_alphanumeric())).then(|| word.to_owned())
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
        return Some(found(Format::Tar, None, None));
    }
    None
}

fn trailer(tail: &[u8]) -> Option<Container> {
    // Virtual PC before 2004 wrote a footer of 511 bytes.
    for start in [0, 1] {
        if has(tail, start, b"conectix") {
            return tail.get(start..).map(vhd);
        }
    }
    // Apple's UDIF trailer: magic, version 4, its own length.
    if has(tail, 0, b"koly") && be32(tail, 4) == 4 && be32(tail, 8) == 512 {
        return Some(found(Format::Dmg, None, None));
    }
    None
}

/// Does a boot sector with at least one plausible partition, or a GPT header, stand where a raw disk has it? Inside the
/// header of a container, these places hold no guest data.
fn is_partitioned(head: &[u8]) -> bool {
    let entry = |index: usize| {
        let at = 446 + 16 * index;
        matches!(head.get(at), Some(0 | 0x80))
            && head.get(at + 4).is_some_and(|kind| *kind != 0)
            && le32(head, at + 8) != 0
            && le32(head, at + 12) != 0
    };
    has(head, 512, b"EFI PART") || (has(head, 510, &[0x55, 0xaa]) && (0..4).any(entry))
}

/// UEFI 2.10, 5.3.2: the header's signature at the second sector, of 512 or 4096 bytes.
fn is_gpt(head: &[u8]) -> bool {
    has(head, 512, b"EFI PART") || has(head, 4096, b"EFI PART")
}

/// Filesystems and other things that may begin at a disk's first sector without any partition table.
fn is_filesystem(head: &[u8]) -> bool {
    // ext2/3/4 (s_magic at 56 of the superblock), XFS, btrfs, f2fs, UFS2 and UFS1, LVM, mdraid 1.2, swap.
    has(head, 1024 + 56, &[0x53, 0xef])
        || has(head, 0, b"XFSB")
        || has(head, 0x1_0040, b"_BHRfS_M")
        || has(head, 1024, &[0x10, 0x20, 0xf5, 0xf2])
        || has(head, 65_536 + 1372, &[0x19, 0x01, 0x54, 0x19])
        || has(head, 8192 + 1372, &[0x54, 0x19, 0x01, 0x00])
        || has(head, 512, b"LABELONE")
        || has(head, 4096, &[0xfc, 0x4e, 0x2b, 0xa9])
        || has(head, 4086, b"SWAPSPACE2")
}
