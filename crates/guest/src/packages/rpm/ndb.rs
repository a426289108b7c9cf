//! rpm's own database `Packages.db`, as SUSE uses it: slots that point to blobs, each with a checksum (rpm's
//! `lib/backend/ndb/rpmpkg.c`). All numbers are little-endian.

use super::{add, header};
use crate::{
    files::Read,
    packages::{DatabaseKind, MAX_PACKAGES, Package, corrupt, not_read, window::Window},
};

const MAGIC: &[u8; 4] = b"RpmP";
const SLOT_MAGIC: &[u8; 4] = b"Slot";
const BLOB_START: &[u8; 4] = b"BlbS";
const BLOB_END: &[u8; 4] = b"BlbE";

/// Bytes of a page of slots (`PAGE_SIZE`).
const PAGE: usize = 4096;

/// Bytes of a slot, and of the blocks in which blobs are counted (`SLOT_SIZE`, `BLK_SIZE`).
const BLOCK: usize = 16;

/// Slots that the database's header takes (`SLOT_START`).
const FIRST_SLOT: usize = 2;

/// Bytes before and behind a blob: magic, package, time, length; checksum, length, magic.
const HEAD: usize = 16;
const TAIL: usize = 12;

/// Largest blob that is read, in bytes: rpm's largest header (`HEADER_DATA_MAX`) is never reached.
const MAX_BLOB: usize = 64 << 20;

/// How much of a blob is summed up at once.
const PIECE: usize = 64 << 10;

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..)?.first_chunk::<4>()?;
    Some(u32::from_le_bytes(*bytes))
}

/// Where a package's blob is.
struct Slot {
    package: u32,
    first: u64,
    blocks: u64,
}

pub(super) fn read(file: &mut Window<'_>, packages: &mut Vec<Package>) -> Read<()> {
    let mut broken = None;
    for slot in slots(file)? {
        let header = match verified_len(file, &slot)? {
            Some(len) => {
                let at = slot.first * BLOCK as u64 + HEAD as u64;
                header::read(len, |len| file.read(at, len).map(<[u8]>::to_vec))?
            }
            None => None,
        };
        add(file.path(), header, packages, &mut broken)?;
    }
    broken.map_or(Ok(()), Err)
}

/// The slots in use. Reads them as rpm does: one that points nowhere makes the whole database corrupt.
fn slots(file: &mut Window<'_>) -> Read<Vec<Slot>> {
    let path = file.path();
    let head = file.read(0, FIRST_SLOT * BLOCK)?;
    if !head.starts_with(MAGIC) {
        return Err(corrupt(path));
    }
    if number(head, 4) != Some(0) {
        return Err(not_read(DatabaseKind::RpmNdb));
    }
    let pages = u64::from(number(head, 12).unwrap_or(0));
    let mut slots = Vec::new();
    for page in 0..pages {
        let bytes = file.read(page.saturating_mul(PAGE as u64), PAGE)?.to_vec();
        let skipped = if page == 0 { FIRST_SLOT } else { 0 };
        for entry in bytes.chunks_exact(BLOCK).skip(skipped) {
            if !entry.starts_with(SLOT_MAGIC) {
                return Err(corrupt(path));
            }
            let [package, first, blocks] = [4, 8, 12].map(|at| number(entry, at).unwrap_or(0));
            if first == 0 {
                continue;
            }
            let (first, blocks) = (u64::from(first), u64::from(blocks));
            let fits = package != 0
                && blocks != 0
                && first >= pages * (PAGE / BLOCK) as u64
                && first + blocks <= file.size() / BLOCK as u64;
            if !fits || slots.len() >= MAX_PACKAGES {
                return Err(corrupt(path));
            }
            slots.push(Slot { package, first, blocks });
        }
    }
    Ok(slots)
}

/// The length of a slot's blob, if head, tail and checksum (Adler-32 of all but the tail) say that it is whole.
fn verified_len(file: &mut Window<'_>, slot: &Slot) -> Read<Option<usize>> {
    let mut at = slot.first * BLOCK as u64;
    let Ok(bytes) = usize::try_from(slot.blocks * BLOCK as u64) else {
        return Ok(None);
    };
    if !(HEAD + TAIL..=MAX_BLOB).contains(&bytes) {
        return Ok(None);
    }
    let head = file.read(at, HEAD)?;
    let len = number(head, 12).and_then(|len| usize::try_from(len).ok()).unwrap_or(0);
    let sound = head.starts_with(BLOB_START)
        && number(head, 4) == Some(slot.package)
        && len <= MAX_BLOB
        && (HEAD + len + TAIL).div_ceil(BLOCK) * BLOCK == bytes;
    if !sound {
        return Ok(None);
    }
    let mut sum = simd_adler32::Adler32::new();
    let mut left = bytes - TAIL;
    while left > 0 {
        let piece = left.min(PIECE);
        sum.write(file.read(at, piece)?);
        at += piece as u64;
        left -= piece;
    }
    let tail = file.read(at, TAIL)?;
    let whole = number(tail, 0) == Some(sum.finish())
        && number(tail, 4).and_then(|len| usize::try_from(len).ok()) == Some(len)
        && tail.ends_with(BLOB_END);
    Ok(whole.then_some(len))
}
