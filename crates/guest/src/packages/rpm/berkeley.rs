//! rpm's `Packages` up to EL 8: a hash table of Berkeley DB, of either byte order (`dbinc/db_page.h`; read as rpm's
//! `lib/backend/bdb_ro.cc` does it, bucket by bucket).

use super::{add, header};
use crate::{
    files::Read,
    packages::{DatabaseKind, MAX_PACKAGES, Package, corrupt, not_read, window::Window},
};

/// `DB_HASHMAGIC` and `DB_BTREEMAGIC`.
const HASH_MAGIC: u32 = 0x0006_1561;
const BTREE_MAGIC: u32 = 0x0005_3162;

/// Bytes of the metadata page that are read; the smallest page has as many.
const META: usize = 512;

/// Bytes before the items of a page (`SIZEOF_PAGE`) without checksum and encryption.
const PAGE_HEAD: usize = 26;

/// Types of pages: `P_HASH_UNSORTED`, `P_OVERFLOW`, `P_HASHMETA`, `P_HASH`.
const HASH_UNSORTED: u8 = 2;
const OVERFLOW: u8 = 7;
const HASH_META: u8 = 8;
const HASH: u8 = 13;

/// Types of items: `H_KEYDATA`, `H_OFFPAGE`.
const KEY_DATA: u8 = 1;
const OFF_PAGE: u8 = 3;

/// Bytes of an item that stands on pages of its own (`HOFFPAGE_SIZE`): type, first page at 4, length at 8.
const OFF_PAGE_ITEM: usize = 12;

/// Most bytes of one header (rpm: `HEADER_DATA_MAX` and the index).
const MAX_ITEM: usize = 64 << 20;

/// The metadata page of a hash table.
struct Table {
    big_endian: bool,
    page_size: usize,
    last_page: u32,
    last_bucket: u32,
    /// `spares[i]`: what to add to a bucket's number for its page, for buckets of `i` bits.
    spares: Vec<u32>,
}

/// A page, proved to be the one that was asked for.
struct Page<'t> {
    table: &'t Table,
    bytes: Vec<u8>,
}

/// Where the bytes of a key or value are.
enum Item<'p> {
    Here(&'p [u8]),
    OnPages { first: u32, len: usize },
}

pub(super) fn read(file: &mut Window<'_>, packages: &mut Vec<Package>) -> Read<()> {
    let path = file.path();
    let table = Table::read(file)?;
    let mut broken = None;
    // No page is looked at twice, whatever the links say.
    let mut pages_left = table.last_page;
    for bucket in 0..=table.last_bucket {
        let mut number = table.page_of(bucket).ok_or_else(|| corrupt(path))?;
        while number != 0 {
            pages_left = pages_left.checked_sub(1).ok_or_else(|| corrupt(path))?;
            let page = table.page(file, number)?;
            if ![HASH, HASH_UNSORTED, HASH_META].contains(&page.kind()) {
                return Err(corrupt(path));
            }
            for index in (0..page.items()).step_by(2) {
                let (Some(key), Some(value)) = (page.item(index), page.item(index + 1)) else {
                    return Err(corrupt(path));
                };
                // The record with key 0 counts the packages; all others hold a header.
                if matches!(key, Item::Here(key) if key == [0; 4]) {
                    continue;
                }
                let header = read_header(file, &table, &value)?;
                add(path, header, packages, &mut broken)?;
            }
            number = page.next();
        }
        if packages.len() > MAX_PACKAGES {
            return Err(corrupt(path));
        }
    }
    broken.map_or(Ok(()), Err)
}

fn read_header(file: &mut Window<'_>, table: &Table, value: &Item<'_>) -> Read<Option<header::Header>> {
    match value {
        Item::Here(bytes) => header::read(bytes.len(), |len| Ok(bytes.get(..len).unwrap_or(bytes).to_vec())),
        Item::OnPages { first, len } => {
            let mut chain = Chain {
                next: *first,
                bytes: Vec::new(),
            };
            if *len > MAX_ITEM {
                return Ok(None);
            }
            header::read(*len, |wanted| chain.start(file, table, wanted))
        }
    }
}

impl Table {
    fn read(file: &mut Window<'_>) -> Read<Self> {
        let path = file.path();
        let meta = file.read(0, META)?;
        let number = |at: usize, big_endian: bool| word32(meta, at, big_endian).unwrap_or(0);
        let big_endian = match (number(12, false), number(12, true)) {
            (HASH_MAGIC, _) => false,
            (_, HASH_MAGIC) => true,
            (BTREE_MAGIC, _) | (_, BTREE_MAGIC) => return Err(not_read(DatabaseKind::RpmBerkeley)),
            _ => return Err(corrupt(path)),
        };
        let number = |at: usize| number(at, big_endian);
        // Hash versions 8 to 10: Berkeley DB 4 to 6. Byte 24 names an encryption, bit 0 of byte 26 says checksums:
        // rpm uses neither, and the latter makes the heads of pages longer.
        let plain = meta.get(24) == Some(&0) && meta.get(26).is_some_and(|flags| flags & 1 == 0);
        if !(8..=10).contains(&number(16)) || !plain {
            return Err(not_read(DatabaseKind::RpmBerkeley));
        }
        let page_size = number(20);
        // Berkeley DB: powers of two from 512 to 64 KiB.
        if !page_size.is_power_of_two() || !(512..=65_536).contains(&page_size) {
            return Err(corrupt(path));
        }
        let table = Self {
            big_endian,
            page_size: usize::try_from(page_size).unwrap_or(META),
            last_page: number(32),
            last_bucket: number(72),
            spares: (0..32).map(|index| number(96 + 4 * index)).collect(),
        };
        let pages = file.size() / u64::from(page_size);
        // Each bucket has a page of its own.
        if u64::from(table.last_page) >= pages || table.last_bucket >= table.last_page {
            return Err(corrupt(path));
        }
        Ok(table)
    }

    /// The first page of a bucket: buckets are made in groups that double, each group's pages in one piece.
    fn page_of(&self, bucket: u32) -> Option<u32> {
        let bits = u32::BITS - bucket.leading_zeros();
        let spare = self.spares.get(usize::try_from(bits).ok()?)?;
        bucket.checked_add(*spare)
    }

    fn page(&self, file: &mut Window<'_>, number: u32) -> Read<Page<'_>> {
        if number == 0 || number > self.last_page {
            return Err(corrupt(file.path()));
        }
        let at = u64::from(number) * self.page_size as u64;
        let bytes = file.read(at, self.page_size)?.to_vec();
        let page = Page { table: self, bytes };
        if page.number32(8) != number {
            return Err(corrupt(file.path()));
        }
        Ok(page)
    }
}

impl Page<'_> {
    fn number32(&self, at: usize) -> u32 {
        word32(&self.bytes, at, self.table.big_endian).unwrap_or(0)
    }

    fn number16(&self, at: usize) -> Option<usize> {
        let bytes = *self.bytes.get(at..)?.first_chunk::<2>()?;
        Some(usize::from(if self.table.big_endian {
            u16::from_be_bytes(bytes)
        } else {
            u16::from_le_bytes(bytes)
        }))
    }

    fn next(&self) -> u32 {
        self.number32(16)
    }

    fn kind(&self) -> u8 {
        self.bytes.get(25).copied().unwrap_or(0)
    }

    /// Keys and values on this page, in turn.
    fn items(&self) -> usize {
        self.number16(20).unwrap_or(0)
    }

    /// An item of a hash page: they grow from the page's end, so that each ends where the one before it begins.
    fn item(&self, index: usize) -> Option<Item<'_>> {
        let offset = |index: usize| self.number16(PAGE_HEAD.checked_add(index.checked_mul(2)?)?);
        let start = offset(index)?;
        let end = match index.checked_sub(1) {
            None => self.bytes.len(),
            Some(before) => offset(before)?,
        };
        let item = self.bytes.get(start..end)?;
        match *item.first()? {
            KEY_DATA => Some(Item::Here(item.get(1..)?)),
            OFF_PAGE if item.len() == OFF_PAGE_ITEM => Some(Item::OnPages {
                first: word32(item, 4, self.table.big_endian)?,
                len: usize::try_from(word32(item, 8, self.table.big_endian)?).ok()?,
            }),
            _ => None,
        }
    }
}

/// Overflow pages, linked one behind the other.
struct Chain {
    next: u32,
    bytes: Vec<u8>,
}

impl Chain {
    /// The first `len` bytes. A chain that leads in a circle ends as well: each page adds something.
    fn start(&mut self, file: &mut Window<'_>, table: &Table, len: usize) -> Read<Vec<u8>> {
        while self.bytes.len() < len {
            let page = table.page(file, self.next)?;
            let filled = page.number16(22).filter(|filled| *filled > 0);
            let content = filled.and_then(|filled| page.bytes.get(PAGE_HEAD..PAGE_HEAD + filled));
            match content {
                Some(content) if page.kind() == OVERFLOW => self.bytes.extend_from_slice(content),
                _ => return Err(corrupt(file.path())),
            }
            self.next = page.next();
        }
        Ok(self.bytes.get(..len).unwrap_or_default().to_vec())
    }
}

fn word32(bytes: &[u8], at: usize, big_endian: bool) -> Option<u32> {
    let bytes = *bytes.get(at..)?.first_chunk::<4>()?;
    Some(if big_endian {
        u32::from_be_bytes(bytes)
    } else {
        u32::from_le_bytes(bytes)
    })
}
