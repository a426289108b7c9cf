//! What stands in a partition, told from its superblock or label. Checked against what `blkid -p` says of what the real
//! tools have made.

mod dos;
mod linux;
mod member;
mod other;

use lotse_disk::Disk;

use crate::{Result, volume::Volume};

/// Bytes read from the beginning: up to the end of the superblocks of btrfs, ReiserFS and UFS2 at 64 KiB.
const HEAD: usize = 72 * 1024;

/// A filesystem, or what takes its place in a partition: swap, a LUKS container, an LVM or RAID member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filesystem {
    /// `ext2`, `ext3`, `ext4`, `jbd` (an ext journal of its own), `xfs`, `btrfs`, `bcachefs`, `f2fs`, `nilfs2`,
    /// `reiserfs`, `jfs`, `zfs`, `ufs`, `squashfs`, `erofs`, `vfat`, `exfat`, `ntfs`, `refs`, `iso`, `udf`, `hfsplus`,
    /// `apfs`, `swap`, and the layers `luks`, `bitlocker`, `lvm`, `mdraid`, `bcache`.
    pub kind: &'static str,
    /// Label as blkid says it, if it has one.
    pub label: Option<String>,
    /// UUID or serial number as blkid says it, if it has one.
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
    if let Some(found) = member::find(volume, &head)?.or_else(|| linux::find(&head)) {
        return Ok(Some(found));
    }
    if let Some(found) = dos::find(volume, &head)? {
        return Ok(Some(found));
    }
    if let Some(found) = linux::swap(&head).or_else(|| other::find(&head)) {
        return Ok(Some(found));
    }
    other::zfs(volume)
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
