//! The qcow2 header and what makes a file unsafe or impossible to read, decided before any table is followed.

use super::{Method, corrupt};
use crate::{
    Error, Kind, Note, Result, Source,
    bytes::{be32, be64},
    disk::check_virtual_size,
};

/// Version 2 has a header of 72 bytes ("Header").
const LEN_V2: u64 = 72;

/// Version 3 has at least 104 bytes; the compression type follows at 104.
const LEN_V3: u32 = 104;

/// QEMU's limit for the L1 table: 32 MiB of 8-byte entries ("Header", note on size).
const MAX_L1_ENTRIES: u64 = 32 * 1024 * 1024 / 8;

/// "Must not be longer than 1023 bytes."
const MAX_BACKING_NAME: u32 = 1023;

/// "Feature name table", a header extension of entries of 48 bytes.
const FEATURE_NAMES: u32 = 0x6803_f857;
const FEATURE: usize = 48;

/// Header extensions are looked for in so many bytes: QEMU's own take less than 1 KiB.
const MAX_EXTENSIONS: u64 = 64 * 1024;

/// Bits of `incompatible_features`.
const DIRTY: u64 = 1;
const CORRUPT: u64 = 1 << 1;
const DATA_FILE: u64 = 1 << 2;
const COMPRESSION_TYPE: u64 = 1 << 3;
const EXTENDED_L2: u64 = 1 << 4;

/// What the reader needs of the header, checked.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) version: u32,
    /// 9 to 21.
    pub(super) cluster_bits: u32,
    /// Bytes, at most 64 TiB.
    pub(super) virtual_size: u64,
    pub(super) l1_offset: u64,
    /// Entries that the virtual size needs; the table has at least as many. At most 4 Mi.
    pub(super) l1_needed: u64,
    pub(super) method: Method,
    /// L2 entries of 128 bits: each cluster has 32 subclusters ("Extended L2 Entries").
    pub(super) extended_l2: bool,
    /// Not closed properly: reference counts may be wrong, which only matters to a writer.
    dirty: bool,
    /// `nb_snapshots`, as the header says.
    snapshots: u32,
}

impl Header {
    pub(super) fn read(source: &dyn Source) -> Result<Self> {
        if source.len() < LEN_V2 {
            let missing = LEN_V2 - source.len();
            return Err(Error::new(Kind::Corrupt, "container_truncated").with("missing", missing));
        }
        // The longest header that matters: with the compression type and its padding.
        let mut bytes = vec![0; usize::try_from(source.len().min(112)).unwrap_or(0)];
        source.read_at(&mut bytes, 0)?;
        let version = be32(&bytes, 4);
        let (incompatible, method) = match version {
            2 => (0, Method::Deflate),
            3 => features(source, &bytes)?,
            _ => {
                let error = Error::new(Kind::Incompatible, "qcow2_features");
                return Err(error.with("features", format_args!("version {version}")));
            }
        };
        if be64(&bytes, 8) != 0 {
            return Err(backing_file(source, be64(&bytes, 8), be32(&bytes, 16)));
        }
        // "crypt_method": 1 is AES, 2 LUKS.
        if be32(&bytes, 32) != 0 {
            return Err(Error::new(Kind::Refused, "qcow2_encrypted"));
        }
        let cluster_bits = be32(&bytes, 20);
        let extended_l2 = incompatible & EXTENDED_L2 != 0;
        // QEMU reads clusters of 512 bytes to 2 MiB only; "subclusters [...] must be at least 512 bytes".
        let smallest = if extended_l2 { 14 } else { 9 };
        if !(smallest..=21).contains(&cluster_bits) {
            return Err(corrupt("cluster_bits", 20));
        }
        if version >= 3 && u64::from(be32(&bytes, 100)) > 1 << cluster_bits {
            return Err(corrupt("header_length", 100));
        }
        let virtual_size = be64(&bytes, 24);
        check_virtual_size(virtual_size)?;
        let mut header = Self {
            version,
            cluster_bits,
            virtual_size,
            l1_offset: be64(&bytes, 40),
            l1_needed: 0,
            method,
            extended_l2,
            dirty: incompatible & DIRTY != 0,
            snapshots: be32(&bytes, 60),
        };
        header.l1_needed = virtual_size.div_ceil(header.cluster_size() << header.l2_bits());
        if header.l1_needed > u64::from(be32(&bytes, 36)) || header.l1_needed > MAX_L1_ENTRIES {
            return Err(corrupt("l1_size", 36));
        }
        Ok(header)
    }

    /// Bytes, a power of two.
    pub(super) fn cluster_size(&self) -> u64 {
        1 << self.cluster_bits
    }

    /// Bytes of an L2 entry.
    pub(super) fn l2_entry_size(&self) -> u64 {
        if self.extended_l2 { 16 } else { 8 }
    }

    /// An L2 table is one cluster of entries: so many bits of a cluster's number are the index in it.
    pub(super) fn l2_bits(&self) -> u32 {
        self.cluster_bits - self.l2_entry_size().trailing_zeros()
    }

    /// What is mapped as one: a cluster, or a subcluster, of which a cluster has 32. The binary logarithm of its bytes.
    pub(super) fn unit_bits(&self) -> u32 {
        self.cluster_bits - if self.extended_l2 { 5 } else { 0 }
    }

    pub(super) fn notes(&self) -> Vec<Note> {
        let mut notes = Vec::new();
        if self.dirty {
            notes.push(Note::new("qcow2_dirty"));
        }
        if self.snapshots > 0 {
            notes.push(Note::new("qcow2_snapshots").with("count", &self.snapshots));
        }
        notes
    }
}

/// Version 3's incompatible feature bits, all known; the way in which clusters are compressed.
fn features(source: &dyn Source, bytes: &[u8]) -> Result<(u64, Method)> {
    if bytes.len() < LEN_V3 as usize {
        let missing = LEN_V3 as usize - bytes.len();
        return Err(Error::new(Kind::Corrupt, "container_truncated").with("missing", missing));
    }
    let incompatible = be64(bytes, 72);
    if incompatible & DATA_FILE != 0 {
        return Err(Error::new(Kind::Refused, "qcow2_data_file"));
    }
    let length = be32(bytes, 100);
    let unknown = incompatible & !(DIRTY | CORRUPT | DATA_FILE | COMPRESSION_TYPE | EXTENDED_L2);
    if unknown != 0 {
        let error = Error::new(Kind::Incompatible, "qcow2_features");
        return Err(error.with("features", feature_names(source, u64::from(length), unknown)));
    }
    // "Any data structure may be corrupt": nothing read from it could be vouched for.
    if incompatible & CORRUPT != 0 {
        return Err(Error::new(Kind::Corrupt, "qcow2_marked_corrupt"));
    }
    if length < LEN_V3 || !length.is_multiple_of(8) {
        return Err(corrupt("header_length", 100));
    }
    if incompatible & COMPRESSION_TYPE == 0 {
        return Ok((incompatible, Method::Deflate));
    }
    // "The field must be present and non-zero"; 1 is zstd.
    match bytes.get(104) {
        Some(1) if length > LEN_V3 => Ok((incompatible, Method::Zstd)),
        Some(0) | None => Err(corrupt("compression_type", 104)),
        Some(other) => Err(Error::new(Kind::Incompatible, "qcow2_compression").with("type", other)),
    }
}

/// What the file itself calls the incompatible features that are not known here ("Feature name table"), else their
/// bits' numbers.
fn feature_names(source: &dyn Source, header_length: u64, unknown: u64) -> String {
    let table = feature_table(source, header_length);
    let name = |bit: u8| -> String {
        let named = table
            .as_chunks::<FEATURE>()
            .0
            .iter()
            // Type 0: incompatible; then the bit's number and the name, "padded with zeros".
            .find(|entry| entry[0] == 0 && entry[1] == bit)
            .map(|entry| printable(entry[2..].split(|byte| *byte == 0).next().unwrap_or_default()));
        named
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| format!("bit {bit}"))
    };
    let names: Vec<String> = (0..64).filter(|bit| unknown >> bit & 1 != 0).map(name).collect();
    names.join(", ")
}

/// The data of the header extension with the feature names; empty where there is none.
fn feature_table(source: &dyn Source, header_length: u64) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(source.len().min(MAX_EXTENSIONS)).unwrap_or(0)];
    if source.read_at(&mut bytes, 0).is_err() {
        return Vec::new();
    }
    let mut at = usize::try_from(header_length).unwrap_or(usize::MAX);
    // "Header extensions": type, length, data padded to a multiple of 8; type 0 ends them.
    while let Some(rest) = bytes.get(at..).filter(|rest| rest.len() >= 8) {
        let (kind, len) = (be32(rest, 0), usize::try_from(be32(rest, 4)).unwrap_or(usize::MAX));
        match kind {
            0 => break,
            FEATURE_NAMES => return rest.get(8..len.saturating_add(8)).unwrap_or_default().to_vec(),
            _ => at = at.saturating_add(8).saturating_add(len.div_ceil(8).saturating_mul(8)),
        }
    }
    Vec::new()
}

/// Text out of a file as it may be shown to a person.
fn printable(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes)
        .chars()
        .filter(|c| !c.is_control())
        .take(200)
        .collect()
}

/// The error for an image on top of another; names the other so that its owner knows which file to merge.
fn backing_file(source: &dyn Source, offset: u64, len: u32) -> Error {
    let mut name = vec![0; usize::try_from(len.min(MAX_BACKING_NAME)).unwrap_or(0)];
    let name = match source.read_at(&mut name, offset) {
        Ok(()) => printable(&name),
        Err(_) => String::new(),
    };
    let name = if name.is_empty() { "?".to_owned() } else { name };
    Error::new(Kind::Refused, "qcow2_backing_file").with("file", name)
}
