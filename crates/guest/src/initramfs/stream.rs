//! The bytes of an initramfs as a stream: out of a file piece by piece, or out of a decoder up to a limit.

use std::io::{self, BufRead, BufReader, Read};

use super::Refused;
use crate::{Unknown, files};

/// Bytes of the file read at once.
const CHUNK: usize = 512 << 10;

/// A stream in which one can go on without reading.
pub(super) trait Stream: BufRead {
    /// Goes on by `len` bytes.
    fn skip(&mut self, mut len: u64) -> io::Result<()> {
        while len > 0 {
            let there = self.fill_buf()?.len();
            if there == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let step = there.min(usize::try_from(len).unwrap_or(usize::MAX));
            self.consume(step);
            len -= step as u64;
        }
        Ok(())
    }
}

impl<R: Read> Stream for BufReader<R> {}

/// A file's bytes.
pub(super) struct Source<'a> {
    fetch: &'a mut dyn FnMut(u64, usize) -> files::Read<Vec<u8>>,
    /// Where the piece after `piece` begins.
    next: u64,
    piece: Vec<u8>,
    used: usize,
    failure: Option<Unknown>,
}

impl<'a> Source<'a> {
    pub(super) fn new(fetch: &'a mut dyn FnMut(u64, usize) -> files::Read<Vec<u8>>) -> Self {
        Self {
            fetch,
            next: 0,
            piece: Vec::new(),
            used: 0,
            failure: None,
        }
    }

    /// Why the file could not be read.
    pub(super) fn failure(&mut self) -> Option<Unknown> {
        self.failure.take()
    }

    /// At most `len` bytes from here, without going on; fewer only at the end.
    pub(super) fn peek(&mut self, len: usize) -> io::Result<&[u8]> {
        if self.piece.len() - self.used < len {
            let mut rest = self.piece.split_off(self.used);
            let more = self.fetch_next()?;
            rest.extend(more);
            self.piece = rest;
            self.used = 0;
        }
        let there = self.piece.get(self.used..).unwrap_or_default();
        Ok(there.get(..len).unwrap_or(there))
    }

    fn fetch_next(&mut self) -> io::Result<Vec<u8>> {
        if self.next >= super::MAX_LEN {
            return Err(io::Error::other(Refused::TooLarge));
        }
        let bytes = (self.fetch)(self.next, CHUNK).map_err(|unknown| {
            self.failure = Some(unknown);
            io::Error::from(io::ErrorKind::Other)
        })?;
        self.next += bytes.len() as u64;
        Ok(bytes)
    }
}

impl Read for Source<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut there = self.fill_buf()?;
        let len = there.read(buf)?;
        self.consume(len);
        Ok(len)
    }
}

impl BufRead for Source<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.used >= self.piece.len() {
            self.piece = self.fetch_next()?;
            self.used = 0;
        }
        Ok(self.piece.get(self.used..).unwrap_or_default())
    }

    fn consume(&mut self, len: usize) {
        self.used = self.used.saturating_add(len).min(self.piece.len());
    }
}

impl Stream for Source<'_> {
    fn skip(&mut self, len: u64) -> io::Result<()> {
        let there = (self.piece.len() - self.used) as u64;
        if len <= there {
            self.consume(usize::try_from(len).unwrap_or(usize::MAX));
        } else {
            // To the last byte that is skipped, which must be there.
            self.next = self.next.saturating_add(len - there - 1);
            self.piece = self.fetch_next()?;
            self.used = 1;
            if self.piece.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(())
    }
}

/// A decoder whose output ends with an error after so many bytes.
pub(super) struct Limited<'a> {
    decoder: Box<dyn Read + 'a>,
    left: &'a mut u64,
}

impl<'a> Limited<'a> {
    pub(super) fn new(decoder: Box<dyn Read + 'a>, left: &'a mut u64) -> Self {
        Self { decoder, left }
    }
}

impl Read for Limited<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let len = self.decoder.read(buf)?;
        *self.left = self
            .left
            .checked_sub(len as u64)
            .ok_or_else(|| io::Error::other(Refused::TooLarge))?;
        Ok(len)
    }
}
