//! SQLite's rollback journal: the old pages of a transaction that never ended, to be put back
//! (<https://sqlite.org/fileformat2.html>, 3).

use super::{
    super::{
        corrupt,
        window::{IN_ORDER, Window},
    },
    image::Changes,
};
use crate::files::{Files, Read};

/// Bytes of the header that are used; it is padded to a sector.
const HEADER: usize = 28;

const MAGIC: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];

/// Most pages that one journal may hold.
const MAX_PAGES: u64 = 1 << 18;

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..)?.first_chunk::<4>()?;
    Some(u32::from_be_bytes(*bytes))
}

/// What is to be put back. `None`: there is no journal, or it was ended by truncating it or overwriting its header.
pub(super) fn read(files: &Files<'_>, path: &str, page_size: usize) -> Read<Option<Changes>> {
    let Some(mut file) = Window::open(files, path, IN_ORDER)? else {
        return Ok(None);
    };
    if file.size() < HEADER as u64 || !file.read(0, HEADER)?.starts_with(&MAGIC) {
        return Ok(None);
    }
    // A transaction over several databases names a journal of its own at the end; whether that still exists decides.
    if file.size() >= 8 && file.read(file.size() - 8, 8)?.starts_with(&MAGIC) {
        return Err(corrupt(path));
    }
    let mut changes = Changes::default();
    let (mut at, mut seen) = (0, 0);
    while at + HEADER as u64 <= file.size() {
        let header = file.read(at, HEADER)?.to_vec();
        let fields = [8, 12, 16, 20, 24].map(|at| number(&header, at).unwrap_or(0));
        let [records, nonce, count, sector, size] = fields;
        let sound =
            header.starts_with(&MAGIC) && usize::try_from(size) == Ok(page_size) && (32..=65_536).contains(&sector);
        if !sound {
            break;
        }
        if at == 0 {
            changes.count = count;
        }
        at += u64::from(sector);
        let record_size = page_size as u64 + 8;
        let fitting = file.size().saturating_sub(at) / record_size;
        // 3: -1 says that there are as many as the file holds.
        let records = if records == u32::MAX {
            fitting
        } else {
            u64::from(records).min(fitting)
        };
        for _ in 0..records {
            let record = file.read(at, page_size + 8)?;
            let page = number(record, 0).unwrap_or(0);
            let content = record.get(4..4 + page_size).unwrap_or_default();
            seen += 1;
            if page == 0 || number(record, 4 + page_size) != Some(checksum(nonce, content)) || seen > MAX_PAGES {
                return Ok(Some(changes));
            }
            // The first copy of a page is the oldest.
            changes.pages.entry(page).or_insert(at + 4);
            at += record_size;
        }
        at = at.next_multiple_of(u64::from(sector));
    }
    Ok(Some(changes).filter(|changes| changes.count != 0))
}

/// 3: the nonce and every 200th byte, from the page's end.
fn checksum(nonce: u32, page: &[u8]) -> u32 {
    let mut sum = nonce;
    let mut at = page.len().saturating_sub(200);
    while at > 0 {
        sum = sum.wrapping_add(page.get(at).copied().map_or(0, u32::from));
        at = at.saturating_sub(200);
    }
    sum
}
