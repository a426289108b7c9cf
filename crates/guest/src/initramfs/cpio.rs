//! One archive in cpio's "new ASCII" format, the only one that Linux takes (buffer-format.rst).

use std::io;

use super::{corrupt, stream::Stream};

/// Length of a header in bytes: a magic of six and thirteen numbers of eight hexadecimal digits.
const HEADER: usize = 6 + 13 * 8;

/// Longest name with its NUL, in bytes (Linux: `PATH_MAX`, init/initramfs.c).
const MAX_NAME: usize = 4096;

/// The name that ends an archive.
const TRAILER: &str = "TRAILER!!!";

/// Is this the beginning of an archive?
pub(super) fn is_archive(magic: &[u8]) -> bool {
    magic.starts_with(b"070701") || magic.starts_with(b"070702")
}

/// Shows every name to `see` until that says false, the trailer is met or the stream ends. True if another archive may
/// follow.
pub(super) fn read(stream: &mut dyn Stream, see: &mut dyn FnMut(&str) -> bool) -> io::Result<bool> {
    let mut header = [0; HEADER];
    loop {
        // An archive without a trailer ends with its last file.
        if stream.fill_buf()?.is_empty() {
            return Ok(true);
        }
        stream.read_exact(&mut header)?;
        if !is_archive(&header) {
            return Err(corrupt());
        }
        let file_len = u64::from(number(&header, 6)?);
        let name_len = usize::try_from(number(&header, 11)?).map_err(|_| corrupt())?;
        if !(1..=MAX_NAME).contains(&name_len) {
            return Err(corrupt());
        }
        let mut name = vec![0; name_len + padding(HEADER + name_len)];
        stream.read_exact(&mut name)?;
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        let name = String::from_utf8_lossy(name);
        if name == TRAILER {
            return Ok(true);
        }
        if !see(&name) {
            return Ok(false);
        }
        stream.skip(file_len + (4 - file_len % 4) % 4)?;
    }
}

/// Everything begins at a multiple of four.
fn padding(len: usize) -> usize {
    (4 - len % 4) % 4
}

/// The header's number at an index.
fn number(header: &[u8], index: usize) -> io::Result<u32> {
    let at = 6 + index * 8;
    let digits = header.get(at..at + 8).unwrap_or_default();
    let digits = std::str::from_utf8(digits).map_err(|_| corrupt())?;
    u32::from_str_radix(digits, 16).map_err(|_| corrupt())
}
