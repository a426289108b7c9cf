//! What is in an initramfs: any number of cpio archives one after another, each as it is or compressed, read only as far
//! as needed (Linux Documentation/driver-api/early-userspace/buffer-format.rst, init/initramfs.c).

mod compression;
mod cpio;
mod stream;

use std::io::{self, BufRead, BufReader};

use self::{
    compression::Compression,
    stream::{Limited, Source},
};
use crate::{Unknown, files::Read};

/// Bytes of an initramfs that are read and unpacked, at most. Debian's with every driver unpacks to 250 MiB.
const MAX_LEN: u64 = 1 << 30;

/// Bytes taken out of a decoder at once.
const BUFFER: usize = 128 << 10;

/// Something looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted<'a> {
    /// A kernel module by its name with `_`: `virtio_blk` is `…/virtio_blk.ko.xz`, too.
    Module(&'a str),
    /// A file by its path without the first slash.
    Path(&'a str),
}

/// What came of a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    /// For each thing wanted, whether it was seen.
    pub found: Vec<bool>,
    /// How the archives met are compressed, in their order: `none`, `gzip`, `xz`, `zstd`, `lz4`, `bzip2`, `lzma`.
    pub compressions: Vec<&'static str>,
    /// Why what was not seen may still be there; `None` when everything was looked at.
    pub incomplete: Option<Unknown>,
}

/// Looks for files in an initramfs whose bytes `fetch` gives (offset, length; fewer bytes at the end). Ends as soon as
/// all of them were seen.
pub fn search(fetch: &mut dyn FnMut(u64, usize) -> Read<Vec<u8>>, wanted: &[Wanted<'_>]) -> Search {
    let mut search = Searching {
        wanted,
        found: vec![false; wanted.len()],
        compressions: Vec::new(),
        inner: None,
    };
    let mut source = Source::new(fetch);
    let result = search.segments(&mut source);
    let incomplete = match result {
        _ if search.is_done() => None,
        Ok(()) => search
            .inner
            .map(|name| Unknown::new("initramfs_inside").with("name", name)),
        // What the disk says stands behind what the decoder makes of it.
        Err(error) => Some(source.failure().unwrap_or_else(|| reason(&error))),
    };
    Search {
        found: search.found,
        compressions: search.compressions,
        incomplete,
    }
}

/// An error of the readers as the reason why something is not known.
fn reason(error: &io::Error) -> Unknown {
    let known = error.get_ref().and_then(|inner| inner.downcast_ref::<Refused>());
    match known {
        Some(Refused::Compression(name)) => Unknown::new("initramfs_compression").with("compression", name),
        Some(Refused::TooLarge) => Unknown::new("initramfs_too_large").with("limit", MAX_LEN),
        None => Unknown::new("initramfs_corrupt"),
    }
}

/// What is not read although nothing may be wrong with it.
#[derive(Debug)]
enum Refused {
    /// By a method that is not unpacked.
    Compression(&'static str),
    /// More than [`MAX_LEN`] bytes.
    TooLarge,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for Refused {}

fn corrupt() -> io::Error {
    io::Error::from(io::ErrorKind::InvalidData)
}

struct Searching<'a> {
    wanted: &'a [Wanted<'a>],
    found: Vec<bool>,
    compressions: Vec<&'static str>,
    /// A filesystem's image in an archive, into which nobody looks: dracut puts modules there if told to.
    inner: Option<&'static str>,
}

impl Searching<'_> {
    fn is_done(&self) -> bool {
        self.found.iter().all(|found| *found)
    }

    /// All archives, until everything was seen.
    fn segments(&mut self, source: &mut Source<'_>) -> io::Result<()> {
        let mut left = MAX_LEN;
        while !self.is_done() && skip_zeros(source)? {
            let compression = Compression::of(source.peek(compression::MAGIC)?).ok_or_else(corrupt)?;
            self.compressions.push(compression.name());
            if compression == Compression::None {
                if !cpio::read(source, &mut |name| self.see(name))? {
                    return Ok(());
                }
                continue;
            }
            let mut decoder = BufReader::with_capacity(BUFFER, Limited::new(compression.decoder(source)?, &mut left));
            while skip_zeros(&mut decoder)? {
                if !cpio::read(&mut decoder, &mut |name| self.see(name))? {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Takes note of a file; false when nothing more is wanted.
    fn see(&mut self, name: &str) -> bool {
        let name = name.trim_start_matches("./").trim_start_matches('/');
        let module = module_name(name);
        for (wanted, found) in self.wanted.iter().zip(&mut self.found) {
            *found |= match wanted {
                Wanted::Module(wanted) => module.as_deref() == Some(*wanted),
                Wanted::Path(wanted) => *wanted == name,
            };
        }
        let inner = [
            "squash-root.img",
            "squash/root.img",
            "squashfs-root.img",
            "erofs-root.img",
        ];
        self.inner = self.inner.or_else(|| inner.into_iter().find(|inner| *inner == name));
        !self.is_done()
    }
}

/// A module's name as the kernel writes it, if a path is that of a module (kmod(8): `.ko`, perhaps compressed; `-` and
/// `_` are the same).
pub(crate) fn module_name(path: &str) -> Option<String> {
    let file = path.rsplit('/').next()?;
    let file = [".gz", ".xz", ".zst"]
        .into_iter()
        .find_map(|end| file.strip_suffix(end))
        .unwrap_or(file);
    Some(file.strip_suffix(".ko")?.replace('-', "_"))
}

/// Goes to the next byte that is not zero; false at the end.
fn skip_zeros(stream: &mut dyn BufRead) -> io::Result<bool> {
    loop {
        let bytes = stream.fill_buf()?;
        if bytes.is_empty() {
            return Ok(false);
        }
        if let Some(zeros) = bytes.iter().position(|byte| *byte != 0) {
            stream.consume(zeros);
            return Ok(true);
        }
        let len = bytes.len();
        stream.consume(len);
    }
}
