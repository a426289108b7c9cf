//! How an archive is compressed, told from its first bytes, and the decoders.

use std::io::{self, BufRead, Read};

use ruzstd::decoding::StreamingDecoder;

use super::{Refused, corrupt, cpio, stream::Source};

/// Bytes that tell a method.
pub(super) const MAGIC: usize = 16;

/// Largest dictionary or window accepted: what Linux's own decoders take is 128 MiB for zstd (`zstd --long`), and no
/// distribution's tool asks for more than 64 MiB.
const MAX_WINDOW: u64 = 64 << 20;

/// The methods that Linux knows (lib/decompress.c).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    Gzip,
    Bzip2,
    Lzma,
    Xz,
    Lzo,
    Lz4,
    /// What `lz4 -l` writes and Linux itself reads.
    Lz4Legacy,
    Zstd,
}

impl Compression {
    pub(super) fn of(magic: &[u8]) -> Option<Self> {
        const METHODS: &[(&[u8], Compression)] = &[
            (b"\x1f\x8b", Compression::Gzip),
            (b"\x1f\x9e", Compression::Gzip),
            (b"BZh", Compression::Bzip2),
            (b"\x5d\x00\x00", Compression::Lzma),
            (b"\xfd7zXZ\x00", Compression::Xz),
            (b"\x89LZO\x00", Compression::Lzo),
            (b"\x04\x22\x4d\x18", Compression::Lz4),
            (b"\x02\x21\x4c\x18", Compression::Lz4Legacy),
            (b"\x28\xb5\x2f\xfd", Compression::Zstd),
        ];
        if cpio::is_archive(magic) {
            return Some(Self::None);
        }
        METHODS
            .iter()
            .find(|(start, _)| magic.starts_with(start))
            .map(|(_, method)| *method)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Bzip2 => "bzip2",
            Self::Lzma => "lzma",
            Self::Xz => "xz",
            Self::Lzo => "lzo",
            Self::Lz4 | Self::Lz4Legacy => "lz4",
            Self::Zstd => "zstd",
        }
    }

    /// A decoder that takes no more from the source than what is compressed in one go.
    pub(super) fn decoder<'a>(self, source: &'a mut Source<'_>) -> io::Result<Box<dyn Read + 'a>> {
        let limit = u32::try_from(MAX_WINDOW >> 10).unwrap_or(u32::MAX);
        Ok(match self {
            Self::None => Box::new(source),
            Self::Gzip => Box::new(flate2::bufread::GzDecoder::new(source)),
            Self::Bzip2 => Box::new(bzip2::bufread::BzDecoder::new(source)),
            Self::Lzma => Box::new(lzma_rust2::LzmaReader::new_mem_limit(source, limit, None)?),
            Self::Xz => Box::new(lzma_rust2::XzReader::new_mem_limit(source, false, limit)),
            Self::Lzo => return Err(io::Error::other(Refused::Compression("lzo"))),
            Self::Lz4 => Box::new(lz4_flex::frame::FrameDecoder::new(source)),
            Self::Lz4Legacy => Box::new(Lz4Legacy::new(source)?),
            Self::Zstd => {
                let decoder = StreamingDecoder::new_with_max_window_size(source, MAX_WINDOW);
                Box::new(decoder.map_err(|_| corrupt())?)
            }
        })
    }
}

/// LZ4's legacy frame: blocks of 8 MiB with their stored length before each (lz4_Frame_format.md, "Legacy frame").
struct Lz4Legacy<'a, 'b> {
    source: &'a mut Source<'b>,
    stored: Vec<u8>,
    block: Vec<u8>,
    used: usize,
}

impl<'a, 'b> Lz4Legacy<'a, 'b> {
    const MAGIC: u32 = 0x184c_2102;
    const BLOCK: usize = 8 << 20;
    /// `LZ4_COMPRESSBOUND` of a block.
    const MAX_STORED: usize = Self::BLOCK + Self::BLOCK / 255 + 16;

    fn new(source: &'a mut Source<'b>) -> io::Result<Self> {
        source.read_exact(&mut [0; 4])?;
        Ok(Self {
            source,
            stored: Vec::new(),
            block: Vec::new(),
            used: 0,
        })
    }

    /// Decodes the next block; false at the end, which is the file's, or what cannot be a block's length.
    fn next(&mut self) -> io::Result<bool> {
        let Some(len) = self.source.peek(4)?.first_chunk::<4>() else {
            return Ok(false);
        };
        let len = u32::from_le_bytes(*len);
        let stored = usize::try_from(len).unwrap_or(usize::MAX);
        if len == Self::MAGIC {
            self.source.consume(4);
            self.used = 0;
            self.block.clear();
            return Ok(true);
        }
        if stored == 0 || stored > Self::MAX_STORED {
            return Ok(false);
        }
        self.source.consume(4);
        self.stored.clear();
        self.source
            .by_ref()
            .take(u64::from(len))
            .read_to_end(&mut self.stored)?;
        self.block.resize(Self::BLOCK, 0);
        let decoded = lz4_flex::block::decompress_into(&self.stored, &mut self.block).map_err(|_| corrupt())?;
        self.block.truncate(decoded);
        self.used = 0;
        Ok(true)
    }
}

impl Read for Lz4Legacy<'_, '_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.used >= self.block.len() {
            if !self.next()? {
                return Ok(0);
            }
        }
        let mut rest = self.block.get(self.used..).unwrap_or_default();
        let len = rest.read(buf)?;
        self.used += len;
        Ok(len)
    }
}
