//! bgzip (SAM/BAM format specification, 4.1 "The BGZF compression format"): gzip whose members, of at most 64 KiB, say how
//! long they are. That alone tells where others begin, so that several threads can decode one file.

use crate::{
    Result, Source,
    bytes::{has, le16, le32},
};

/// A member's header: 12 bytes of gzip with the flag FEXTRA alone, then one extra field of 6 bytes, "BC".
const HEADER: usize = 18;

/// RFC 1952, 2.3.1: CRC-32 and ISIZE.
const TRAILER: u64 = 8;

/// Where a member begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Start {
    /// In the file, in bytes.
    pub(super) at: u64,
    /// In the output, if all members before it are as long as they say.
    pub(super) out: u64,
}

/// Members at least `spacing` bytes of output apart, the first one first, and behind the last member the end of both; `None`
/// if the file is anything but whole bgzip members from beginning to end. Nothing that is told here has been checked.
pub(super) fn starts(source: &dyn Source, spacing: u64) -> Result<Option<Vec<Start>>> {
    let mut starts = Vec::new();
    let mut next = Start { at: 0, out: 0 };
    while next.at < source.len() {
        if starts.last().is_none_or(|last: &Start| next.out - last.out >= spacing) {
            starts.push(next);
        }
        let mut header = [0; HEADER];
        if source.len() - next.at < HEADER as u64 {
            return Ok(None);
        }
        source.read_at(&mut header, next.at)?;
        let is_member = has(&header, 0, &[0x1f, 0x8b, 8, 4]) && has(&header, 10, &[6, 0, b'B', b'C', 2, 0]);
        let len = u64::from(le16(&header, 16)) + 1;
        let end = next.at.saturating_add(len);
        if !is_member || len < HEADER as u64 + TRAILER || end > source.len() {
            return Ok(None);
        }
        let mut size = [0; 4];
        source.read_at(&mut size, end - 4)?;
        next = Start {
            at: end,
            out: next.out.saturating_add(u64::from(le32(&size, 0))),
        };
    }
    starts.push(next);
    Ok(Some(starts))
}
