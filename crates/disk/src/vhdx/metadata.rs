//! The metadata region of a VHDX file: sizes, kind, and what of it a reader must know.

use super::{
    corrupt, features,
    header::{Guid, MAX_ENTRIES, Regions},
    read,
};
use crate::{
    Error, Kind, Result, Source,
    bytes::{has, le16, le32, le64},
};

/// Length of the metadata table, where items may begin (2.6.1, 2.6.1.2).
const TABLE: u32 = 64 * 1024;

/// Longest metadata item (2.6.1.2).
const MAX_ITEM: u32 = 1 << 20;

/// Known metadata items (2.6.2).
const FILE_PARAMETERS: Guid = Guid::new(0xCAA16737_FA36_4D43_B3B6_33F0AA44E76B);
const VIRTUAL_DISK_SIZE: Guid = Guid::new(0x2FA54224_CD1B_4876_B211_5DBED83BF4B8);
const VIRTUAL_DISK_ID: Guid = Guid::new(0xBECA12AB_B2E6_4523_93EF_C309E000C746);
const LOGICAL_SECTOR_SIZE: Guid = Guid::new(0x8141BF1D_A96F_4709_BA47_F233A8FAAB5F);
const PHYSICAL_SECTOR_SIZE: Guid = Guid::new(0xCDA348C7_445D_4471_9CC9_E9885251C556);
const PARENT_LOCATOR: Guid = Guid::new(0xA8D35F2D_B30B_454D_ABF7_D3D84834AB0C);

/// Bits of an entry (2.6.1.2) and of the file parameters (2.6.2.1).
const IS_USER: u32 = 1;
const IS_REQUIRED: u32 = 1 << 2;
const LEAVE_BLOCK_ALLOCATED: u32 = 1;
const HAS_PARENT: u32 = 1 << 1;

/// Block sizes (2.6.2.1).
const MIN_BLOCK: u32 = 1 << 20;
const MAX_BLOCK: u32 = 256 << 20;

/// "MUST be at most 64 TB" (2.6.2.2), which are TiB.
pub(super) const MAX_VIRTUAL_SIZE: u64 = 64 << 40;

/// Where a differencing disk's parent is told, best first (2.6.2.6.3).
const PARENT_PATHS: [&str; 3] = ["absolute_win32_path", "relative_path", "volume_path"];

/// The format's kinds of disks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Variant {
    Fixed,
    Dynamic,
    /// On top of another file; its path, or `?`.
    Differencing(String),
}

impl Variant {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Fixed => "fixed",
            Self::Dynamic => "dynamic",
            Self::Differencing(_) => "differencing",
        }
    }
}

/// What the reader needs of the metadata, checked.
#[derive(Debug)]
pub(super) struct Metadata {
    /// Bytes, a power of two, 1 to 256 MiB.
    pub(super) block_size: u64,
    /// Bytes, at most 64 TiB.
    pub(super) virtual_size: u64,
    /// 512 or 4096.
    pub(super) sector_size: u64,
    pub(super) variant: Variant,
}

/// Places of the known items that tell something, in the file.
#[derive(Default)]
struct Items {
    parameters: Option<Item>,
    virtual_size: Option<Item>,
    sector_size: Option<Item>,
    parent: Option<Item>,
}

#[derive(Clone, Copy)]
struct Item {
    at: u64,
    /// At most 1 MiB.
    len: u32,
}

impl Item {
    /// The first `N` bytes of an item that has to have so many.
    fn fixed<const N: usize>(item: Option<Self>, source: &dyn Source, table: u64) -> Result<(u64, [u8; N])> {
        let item = item.ok_or_else(|| corrupt("metadata_table", table))?;
        let bytes = read(source, "metadata_item", item.at, N)?;
        let found = bytes.first_chunk().filter(|_| item.len as usize >= N);
        Ok((item.at, *found.ok_or_else(|| corrupt("metadata_item", item.at))?))
    }
}

impl Metadata {
    pub(super) fn read(source: &dyn Source, regions: &Regions) -> Result<Self> {
        let at = regions.metadata.start;
        let items = Items::read(source, regions)?;
        let (parameters_at, parameters) = Item::fixed::<8>(items.parameters, source, at)?;
        let (block_size, flags) = (le32(&parameters, 0), le32(&parameters, 4));
        if !block_size.is_power_of_two() || !(MIN_BLOCK..=MAX_BLOCK).contains(&block_size) {
            return Err(corrupt("block_size", parameters_at));
        }
        let (sector_at, sector) = Item::fixed::<4>(items.sector_size, source, at)?;
        let sector_size = u64::from(le32(&sector, 0));
        if !matches!(sector_size, 512 | 4096) {
            return Err(corrupt("logical_sector_size", sector_at));
        }
        let (size_at, size) = Item::fixed::<8>(items.virtual_size, source, at)?;
        let virtual_size = le64(&size, 0);
        if virtual_size > MAX_VIRTUAL_SIZE {
            let error = Error::new(Kind::Refused, "virtual_size_too_large");
            return Err(error.with("size", virtual_size).with("limit", MAX_VIRTUAL_SIZE));
        }
        if !virtual_size.is_multiple_of(sector_size) {
            return Err(corrupt("virtual_disk_size", size_at));
        }
        let variant = if flags & HAS_PARENT != 0 || items.parent.is_some() {
            Variant::Differencing(parent(source, items.parent))
        } else if flags & LEAVE_BLOCK_ALLOCATED != 0 {
            Variant::Fixed
        } else {
            Variant::Dynamic
        };
        Ok(Self {
            block_size: u64::from(block_size),
            virtual_size,
            sector_size,
            variant,
        })
    }
}

impl Items {
    fn read(source: &dyn Source, regions: &Regions) -> Result<Self> {
        let region = &regions.metadata;
        let table = read(source, "metadata_table", region.start, TABLE as usize)?;
        let entries = usize::from(le16(&table, 10));
        if !has(&table, 0, b"metadata") || entries > MAX_ENTRIES {
            return Err(corrupt("metadata_table", region.start));
        }
        let mut items = Self::default();
        // Header and entries have 32 bytes each (2.6.1).
        for entry in table.chunks_exact(32).skip(1).take(entries) {
            let (guid, offset, len, flags) = (Guid::at(entry, 0), le32(entry, 16), le32(entry, 20), le32(entry, 24));
            let at = region.start.saturating_add(u64::from(offset));
            let known = match guid {
                _ if flags & IS_USER != 0 => None,
                FILE_PARAMETERS => Some(&mut items.parameters),
                VIRTUAL_DISK_SIZE => Some(&mut items.virtual_size),
                LOGICAL_SECTOR_SIZE => Some(&mut items.sector_size),
                PARENT_LOCATOR => Some(&mut items.parent),
                // Known, and of no use here: what a disk is called, and how a real one would be written to.
                VIRTUAL_DISK_ID | PHYSICAL_SECTOR_SIZE => continue,
                _ => None,
            };
            let Some(known) = known else {
                if flags & IS_REQUIRED != 0 {
                    return Err(features(format_args!("metadata {guid}")));
                }
                continue;
            };
            let is_inside = offset >= TABLE && at.saturating_add(u64::from(len)) <= region.end;
            if known.is_some() || len > MAX_ITEM || !is_inside {
                return Err(corrupt("metadata_table", region.start));
            }
            *known = Some(Item { at, len });
        }
        Ok(items)
    }
}

/// The parent's path, so that the owner knows which file to merge; `?` where the locator does not tell.
fn parent(source: &dyn Source, locator: Option<Item>) -> String {
    let bytes = locator.and_then(|item| read(source, "parent_locator", item.at, item.len as usize).ok());
    let bytes = bytes.unwrap_or_default();
    let text = |at: u32, len: u16| {
        let start = usize::try_from(at).ok()?;
        let units = bytes.get(start..start.checked_add(usize::from(len))?)?;
        let units = units.as_chunks::<2>().0.iter().map(|unit| u16::from_le_bytes(*unit));
        let text: String = char::decode_utf16(units).map(|c| c.unwrap_or('?')).collect();
        Some(text)
    };
    // 20 bytes of header with the count at 18; entries of 12 bytes (2.6.2.6.1, 2.6.2.6.2).
    let count = usize::from(le16(&bytes, 18));
    let entries = || bytes.get(20..).unwrap_or_default().chunks_exact(12).take(count);
    let path = |key: &str| {
        let entry = entries().find(|entry| text(le32(entry, 0), le16(entry, 8)).as_deref() == Some(key))?;
        let path: String = text(le32(entry, 4), le16(entry, 10))?
            .chars()
            .filter(|c| !c.is_control())
            .take(200)
            .collect();
        (!path.is_empty()).then_some(path)
    };
    PARENT_PATHS
        .iter()
        .find_map(|key| path(key))
        .unwrap_or_else(|| "?".to_owned())
}
