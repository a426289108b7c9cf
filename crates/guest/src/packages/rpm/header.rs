//! The header of an rpm package as a database keeps it: an index of tags, then their values (rpm's
//! `docs/manual/format_header.md`; tags in `include/rpm/rpmtag.h`).

use crate::{
    files::Read,
    packages::{word, word_of},
};

/// Most tags of a header (rpm: `HEADER_TAGS_MAX`).
const MAX_TAGS: usize = 0xffff;

/// Most bytes of values in a header (rpm: `HEADER_DATA_MAX`).
const MAX_DATA: usize = 0x0fff_ffff;

/// Bytes before the index: the number of tags and the bytes of values, big-endian as all numbers of a header.
const INTRO: usize = 8;

/// Bytes of one tag in the index: tag, type, offset, count.
const ENTRY: usize = 16;

/// What is read first. An index has some 80 tags; the values that are asked for come soon after it.
const FIRST: usize = 4096;

/// Most bytes that are read of a header: a full index and values not too far behind it. Only `Arch` can stand so far
/// back, behind a description in every language.
const MOST: usize = INTRO + MAX_TAGS * ENTRY + (1 << 20);

/// Longest value that is taken, in bytes with the zero at its end.
const MAX_VALUE: usize = 256;

const NAME: u32 = 1000;
const VERSION: u32 = 1001;
const RELEASE: u32 = 1002;
const EPOCH: u32 = 1003;
const ARCH: u32 = 1022;

/// `RPM_INT32_TYPE` and `RPM_STRING_TYPE`.
const INT32: u32 = 4;
const STRING: u32 = 6;

/// What is asked of a header.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) name: String,
    pub(super) epoch: Option<u32>,
    pub(super) version: String,
    pub(super) release: String,
    pub(super) architecture: Option<String>,
}

/// Reads a header of `total` bytes; `start` gives its first bytes, as many as it is asked for. `None`: it is corrupt.
pub(super) fn read(total: usize, mut start: impl FnMut(usize) -> Read<Vec<u8>>) -> Read<Option<Header>> {
    let mut bytes = start(total.min(FIRST))?;
    let Some(data_at) = data_offset(&bytes, total) else {
        return Ok(None);
    };
    if bytes.len() < data_at {
        bytes = start(data_at)?;
    }
    let needed = needed(&bytes, data_at).min(total).min(MOST);
    if bytes.len() < needed {
        bytes = start(needed)?;
    }
    Ok(parse(&bytes, data_at))
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..)?.first_chunk::<4>()?;
    Some(u32::from_be_bytes(*bytes))
}

fn size(bytes: &[u8], at: usize) -> Option<usize> {
    usize::try_from(number(bytes, at)?).ok()
}

/// Where the values begin, if index and values fit into the header.
fn data_offset(bytes: &[u8], total: usize) -> Option<usize> {
    let tags = size(bytes, 0).filter(|tags| (1..=MAX_TAGS).contains(tags))?;
    let data = size(bytes, 4).filter(|data| (1..=MAX_DATA).contains(data))?;
    let data_at = INTRO + tags * ENTRY;
    (data_at + data <= total).then_some(data_at)
}

/// Type and place of a tag's value.
fn find(bytes: &[u8], data_at: usize, tag: u32) -> Option<(u32, usize)> {
    let index = bytes.get(INTRO..data_at)?;
    let entry = index.chunks_exact(ENTRY).find(|entry| number(entry, 0) == Some(tag))?;
    Some((number(entry, 4)?, data_at.checked_add(size(entry, 8)?)?))
}

/// How many bytes hold all that is asked for.
fn needed(bytes: &[u8], data_at: usize) -> usize {
    [NAME, VERSION, RELEASE, EPOCH, ARCH]
        .into_iter()
        .filter_map(|tag| find(bytes, data_at, tag))
        .map(|(_, at)| at.saturating_add(MAX_VALUE))
        .max()
        .unwrap_or(data_at)
}

fn text(bytes: &[u8], data_at: usize, tag: u32) -> Option<String> {
    let (kind, at) = find(bytes, data_at, tag).filter(|(kind, _)| *kind == STRING)?;
    debug_assert_eq!(kind, STRING);
    let value = bytes.get(at..)?;
    let end = value.iter().take(MAX_VALUE).position(|byte| *byte == 0)?;
    word_of(value.get(..end)?)
}

fn parse(bytes: &[u8], data_at: usize) -> Option<Header> {
    let epoch = match find(bytes, data_at, EPOCH) {
        Some((INT32, at)) => Some(number(bytes, at)?),
        Some(_) => return None,
        None => None,
    };
    let version = text(bytes, data_at, VERSION)?;
    let release = text(bytes, data_at, RELEASE)?;
    // Both together are a word as well.
    word(&format!("{version}-{release}"))?;
    Some(Header {
        name: text(bytes, data_at, NAME)?,
        epoch,
        version,
        release,
        architecture: text(bytes, data_at, ARCH),
    })
}
