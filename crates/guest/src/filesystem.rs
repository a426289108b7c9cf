//! What stands in a partition, told from its superblock or label.

use lotse_disk::{
    Disk,
    bytes::{be32, has, le32, le64},
};

use crate::{Result, ext::Superblock, volume::Volume};

/// Bytes read from the beginning: up to the end of the superblocks of btrfs and UFS2 at 64 KiB.
const HEAD: usize = 72 * 1024;

/// A filesystem, or what takes its place in a partition: swap, a LUKS container, an LVM or RAID member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filesystem {
    /// `ext2`, `ext3`, `ext4`, `xfs`, `btrfs`, `vfat`, `exfat`, `ntfs`, `swap`, `luks`, `lvm`, `mdraid`, `f2fs`, `zfs`,
    /// `ufs`, `iso`.
    pub kind: &'static str,
    /// Label, if it has one.
    pub label: Option<String>,
    /// UUID or serial number as blkid writes it, if it has one.
    pub uuid: Option<String>,
}

impl Filesystem {
    fn new(kind: &'static str, label: Option<String>, uuid: Option<String>) -> Self {
        Self { kind, label, uuid }
    }
}

/// Recognises what begins at `offset` and is `len` bytes long (both in bytes; beyond the disk's end is cut off).
///
/// # Errors
/// When the disk cannot be read there.
pub fn recognise(disk: &Disk, offset: u64, len: u64) -> Result<Option<Filesystem>> {
    recognise_on(&Volume::new(disk, offset, len))
}

/// The same on a volume, which may stand inside a layer.
pub(crate) fn recognise_on(volume: &Volume) -> Result<Option<Filesystem>> {
    let head = volume.read_up_to(0, HEAD)?;
    // Members first: what they carry may begin at the same place.
    if let Some(member) = member(&head).or(mdraid(volume, &head)?) {
        return Ok(Some(member));
    }
    if let Some(found) = linux(&head)
        .or_else(|| dos(&head))
        .or_else(|| swap(&head))
        .or_else(|| other(&head))
    {
        return Ok(Some(found));
    }
    zfs(volume)
}

/// LUKS and LVM.
fn member(head: &[u8]) -> Option<Filesystem> {
    // LUKS1 On-Disk Format 2.1, LUKS2 On-Disk Format 2.1: UUID at 168; LUKS2's label at 24.
    if has(head, 0, b"LUKS\xba\xbe") {
        let label = if has(head, 6, &[0, 2]) {
            text(head, 24, 48)
        } else {
            None
        };
        return Some(Filesystem::new("luks", label, text(head, 168, 40)));
    }
    // LVM2 lib/format_text/layout.h: a label in one of the first four sectors.
    let label = (0..4)
        .map(|sector| sector * 512)
        .find(|at| has(head, *at, b"LABELONE") && has(head, at + 24, b"LVM2 001"));
    label.map(|at| Filesystem::new("lvm", None, text(head, at + 32, 32)))
}

/// Linux software RAID, Documentation/admin-guide/md.rst and include/uapi/linux/raid/md_p.h: superblock 1.1 at the
/// beginning, 1.2 at 4 KiB, 1.0 and 0.90 near the end.
fn mdraid(volume: &Volume, head: &[u8]) -> Result<Option<Filesystem>> {
    const MAGIC: u32 = 0xa92b_4efc;
    let version_1 = |block: &[u8], at: usize| {
        (le32(block, at) == MAGIC && le32(block, at + 4) == 1)
            .then(|| Filesystem::new("mdraid", text(block, at + 32, 32), uuid(block, at + 16)))
    };
    if let Some(found) = version_1(head, 0).or_else(|| version_1(head, 4096)) {
        return Ok(Some(found));
    }
    let len = volume.len();
    if len < 256 * 1024 {
        return Ok(None);
    }
    // 8 KiB before the end, down to 4 KiB.
    let end = volume.read_up_to((len - 8192) & !4095, 256)?;
    if let Some(found) = version_1(&end, 0) {
        return Ok(Some(found));
    }
    // 64 KiB before the end rounded down to 64 KiB.
    let end = volume.read_up_to((len & !0xffff) - 0x1_0000, 256)?;
    Ok((le32(&end, 0) == MAGIC && le32(&end, 4) == 0).then(|| Filesystem::new("mdraid", None, None)))
}

fn linux(head: &[u8]) -> Option<Filesystem> {
    // XFS Algorithms & Data Structures, "Superblocks".
    if has(head, 0, b"XFSB") {
        return Some(Filesystem::new("xfs", text(head, 108, 12), uuid(head, 32)));
    }
    // btrfs On-disk Format, "Superblock": at 64 KiB, magic at 64, fsid at 32, label at 299.
    if has(head, 0x1_0040, b"_BHRfS_M") {
        return Some(Filesystem::new(
            "btrfs",
            text(head, 0x1_0000 + 299, 256),
            uuid(head, 0x1_0020),
        ));
    }
    // Linux include/linux/f2fs_fs.h.
    if le32(head, 1024) == 0xf2f5_2010 {
        return Some(Filesystem::new(
            "f2fs",
            utf16(head, 1024 + 124, 512),
            uuid(head, 1024 + 108),
        ));
    }
    let superblock = Superblock::parse(head.get(1024..2048)?)?;
    Some(Filesystem::new(
        superblock.kind(),
        superblock.label(),
        superblock.uuid(),
    ))
}

fn dos(head: &[u8]) -> Option<Filesystem> {
    if has(head, 3, b"NTFS    ") {
        return Some(Filesystem::new("ntfs", None, Some(format!("{:016X}", le64(head, 72)))));
    }
    let serial = |at: usize| {
        let serial = le32(head, at);
        Some(format!("{:04X}-{:04X}", serial >> 16, serial & 0xffff))
    };
    // exFAT file system specification, 3.1.
    if has(head, 3, b"EXFAT   ") {
        return Some(Filesystem::new("exfat", None, serial(100)));
    }
    if !has(head, 510, &[0x55, 0xaa]) {
        return None;
    }
    // Microsoft FAT specification, 3.3 and 3.4: file system type, label and serial number.
    let label = |at| text(head, at, 11).filter(|label| label != "NO NAME");
    if has(head, 82, b"FAT32   ") {
        return Some(Filesystem::new("vfat", label(71), serial(67)));
    }
    if has(head, 54, b"FAT12   ") || has(head, 54, b"FAT16   ") || has(head, 54, b"FAT     ") {
        return Some(Filesystem::new("vfat", label(43), serial(39)));
    }
    None
}

/// Linux include/linux/swap.h: the magic ends the first page, whose size depends on the machine.
fn swap(head: &[u8]) -> Option<Filesystem> {
    let is_swap = |page: usize| has(head, page - 10, b"SWAPSPACE2") || has(head, page - 10, b"SWAP-SPACE");
    [4096, 8192, 16384, 65536]
        .into_iter()
        .any(is_swap)
        .then(|| Filesystem::new("swap", text(head, 1024 + 28, 16), uuid(head, 1024 + 12)))
}

fn other(head: &[u8]) -> Option<Filesystem> {
    // FreeBSD sys/ufs/ffs/fs.h: UFS2 at 64 KiB, UFS1 at 8 KiB; magic at 1372, volume name at 680.
    for (at, magic) in [(65_536, 0x1954_0119), (8192, 0x0001_1954)] {
        if le32(head, at + 1372) == magic || be32(head, at + 1372) == magic {
            return Some(Filesystem::new("ufs", text(head, at + 680, 32), None));
        }
    }
    // ECMA-119, 8.4: volume identifier.
    has(head, 0x8001, b"CD001").then(|| Filesystem::new("iso", text(head, 0x8028, 32), None))
}

/// ZFS On-Disk Specification, 1.3: 128 KiB of uberblocks after the first 128 KiB of a vdev label.
fn zfs(volume: &Volume) -> Result<Option<Filesystem>> {
    const RING: usize = 128 * 1024;
    const MAGIC: u64 = 0x00ba_b10c;
    let ring = volume.read_up_to(RING as u64, RING)?;
    let found = (0..RING)
        .step_by(1024)
        .any(|at| [le64(&ring, at), le64(&ring, at).swap_bytes()].contains(&MAGIC));
    Ok(found.then(|| Filesystem::new("zfs", None, None)))
}

/// Text up to the first NUL, trailing blanks cut off; `None` if nothing is left.
pub(crate) fn text(bytes: &[u8], at: usize, len: usize) -> Option<String> {
    let field = bytes.get(at..at.checked_add(len)?)?;
    let field = field.split(|byte| *byte == 0).next()?;
    let text = String::from_utf8_lossy(field).trim_end().to_owned();
    (!text.is_empty()).then_some(text)
}

/// UTF-16, little endian, up to the first NUL; `len` in bytes.
pub(crate) fn utf16(bytes: &[u8], at: usize, len: usize) -> Option<String> {
    let field = bytes.get(at..at.checked_add(len)?)?;
    let units = field
        .as_chunks::<2>()
        .0
        .iter()
        .map(|unit| u16::from_le_bytes(*unit))
        .take_while(|unit| *unit != 0);
    let text: String = char::decode_utf16(units)
        .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect();
    (!text.is_empty()).then_some(text)
}

/// Sixteen bytes in the order in which they are written; `None` if all are zero.
pub(crate) fn uuid(bytes: &[u8], at: usize) -> Option<String> {
    let field = bytes.get(at..at.checked_add(16)?)?;
    let hex = hex(field);
    let groups = [
        hex.get(..8)?,
        hex.get(8..12)?,
        hex.get(12..16)?,
        hex.get(16..20)?,
        hex.get(20..)?,
    ];
    field.iter().any(|byte| *byte != 0).then(|| groups.join("-"))
}

/// Two digits a byte.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}
