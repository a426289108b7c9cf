//! SQLite's write-ahead log: pages that belong to a database but were not yet written to its file
//! (<https://sqlite.org/fileformat2.html>, 4; <https://sqlite.org/walformat.html>).

use super::{
    super::window::{IN_ORDER, Window},
    image::Changes,
};
use crate::files::{Files, Read};

/// Bytes of the log's header and of that before each page (4.1).
const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;

/// The last bit says in which byte order the checksums count.
const MAGIC: u32 = 0x377f_0682;

/// The only version there is.
const VERSION: u32 = 3_007_000;

/// Most pages that one log may hold; a log is written back after 1,000.
const MAX_FRAMES: u64 = 1 << 18;

/// 4.2: two sums over pairs of words.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Checksum {
    big_endian: bool,
    sums: [u32; 2],
}

impl Checksum {
    fn add(mut self, bytes: &[u8]) -> Self {
        let (pairs, _) = bytes.as_chunks::<8>();
        for [a, b, c, d, e, f, g, h] in pairs {
            let (first, second) = ([*a, *b, *c, *d], [*e, *f, *g, *h]);
            let [first, second] = if self.big_endian {
                [u32::from_be_bytes(first), u32::from_be_bytes(second)]
            } else {
                [u32::from_le_bytes(first), u32::from_le_bytes(second)]
            };
            let [left, right] = self.sums;
            let left = left.wrapping_add(first).wrapping_add(right);
            self.sums = [left, right.wrapping_add(second).wrapping_add(left)];
        }
        self
    }
}

/// A number of the log, big-endian whatever the checksums are.
fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..)?.first_chunk::<4>()?;
    Some(u32::from_be_bytes(*bytes))
}

/// What the log changes, up to the last transaction that ended (4.3). `None`: there is no log, or nothing in it counts.
pub(super) fn read(files: &Files<'_>, path: &str, page_size: usize) -> Read<Option<Changes>> {
    let Some(mut file) = Window::open(files, path, IN_ORDER)? else {
        return Ok(None);
    };
    if file.size() < HEADER as u64 {
        return Ok(None);
    }
    let header = file.read(0, HEADER)?.to_vec();
    let Some((mut sum, salts)) = begin(&header, page_size) else {
        return Ok(None);
    };
    let frame_size = FRAME_HEADER + page_size;
    let frames = (file.size() - HEADER as u64) / frame_size as u64;
    let mut committed = Changes::default();
    // Pages of a transaction whose end was not yet seen.
    let mut open: Vec<(u32, u64)> = Vec::new();
    for index in 0..frames.min(MAX_FRAMES) {
        let at = HEADER as u64 + index * frame_size as u64;
        let frame = file.read(at, frame_size)?;
        let Some((page, count, next)) = check(frame, salts, sum) else {
            break;
        };
        sum = next;
        open.push((page, at + FRAME_HEADER as u64));
        if count != 0 {
            committed.pages.extend(open.drain(..));
            committed.count = count;
        }
    }
    Ok((committed.count != 0).then_some(committed))
}

/// The checksum to go on from and the salts that each frame must repeat.
fn begin(header: &[u8], page_size: usize) -> Option<(Checksum, [u32; 2])> {
    let magic = number(header, 0)?;
    let sum = Checksum {
        big_endian: magic & 1 == 1,
        sums: [0; 2],
    };
    let sum = sum.add(header.get(..24)?);
    let sound = magic & !1 == MAGIC
        && number(header, 4)? == VERSION
        && usize::try_from(number(header, 8)?) == Ok(page_size)
        && [number(header, 24)?, number(header, 28)?] == sum.sums;
    sound.then_some((sum, [number(header, 16)?, number(header, 20)?]))
}

/// Page, size of the database after a transaction's end (else 0) and the checksum so far. `None`: the frame is left from
/// before the log began anew, or was not written completely.
fn check(frame: &[u8], salts: [u32; 2], sum: Checksum) -> Option<(u32, u32, Checksum)> {
    let page = number(frame, 0).filter(|page| *page != 0)?;
    let count = number(frame, 4)?;
    let sum = sum.add(frame.get(..8)?).add(frame.get(FRAME_HEADER..)?);
    let sound =
        [number(frame, 8)?, number(frame, 12)?] == salts && [number(frame, 16)?, number(frame, 20)?] == sum.sums;
    sound.then_some((page, count, sum))
}
