//! The qcow2 header and what makes a file unsafe or impossible to read, decided before any table is followed.

use super::{Method, corrupt};
use crate::{
    Error, Kind, Result, Source,
    bytes::{be32, be64},
};

/// Version 2 has a header of 72 bytes ("Header").
const LEN_V2: u64 = 72;

/// Version 3 has at least 104 bytes; the compression type follows at 104.
const LEN_V3: u32 = 104;

/// QEMU's limit for the L1 table: 32 MiB of 8-byte entries ("Header", note on size).
const MAX_L1_ENTRIES: u64 = 32 * 1024 * 1024 / 8;

/// No cloud takes anything near it: 64 TiB. Keeps arithmetic and the time for a walk over all tables in bounds.
const MAX_VIRTUAL_SIZE: u64 = 64 << 40;

/// "Must not be longer than 1023 bytes."
const MAX_BACKING_NAME: u32 = 1023;

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
        let method = match version {
            2 => Method::Deflate,
            3 => features(&bytes)?,
            _ => {
                let error = Error::new(Kind::Incompatible, "qcow2_features");
                return Err(error.with("feature", format_args!("version {version}")));
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
        // QEMU reads clusters of 512 bytes to 2 MiB only.
        if !(9..=21).contains(&cluster_bits) {
            return Err(corrupt("cluster_bits", 20));
        }
        let virtual_size = be64(&bytes, 24);
        if virtual_size > MAX_VIRTUAL_SIZE {
            let error = Error::new(Kind::Refused, "virtual_size_too_large");
            return Err(error.with("size", virtual_size).with("limit", MAX_VIRTUAL_SIZE));
        }
        let mut header = Self {
            version,
            cluster_bits,
            virtual_size,
            l1_offset: be64(&bytes, 40),
            l1_needed: 0,
            method,
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

    /// An L2 table is one cluster of 8-byte entries: so many bits of a cluster's number are the index in it.
    pub(super) fn l2_bits(&self) -> u32 {
        self.cluster_bits - 3
    }
}

/// Version 3's feature bits; the way in which clusters are compressed.
fn features(bytes: &[u8]) -> Result<Method> {
    let incompatible = be64(bytes, 72);
    if incompatible & DATA_FILE != 0 {
        return Err(Error::new(Kind::Refused, "qcow2_data_file"));
    }
    if incompatible & EXTENDED_L2 != 0 {
        return Err(Error::new(Kind::Incompatible, "qcow2_features").with("feature", "extended_l2"));
    }
    // A dirty file has wrong reference counts, which only matter to a writer.
    let unknown = incompatible & !(DIRTY | CORRUPT | DATA_FILE | COMPRESSION_TYPE | EXTENDED_L2);
    if unknown != 0 {
        let error = Error::new(Kind::Incompatible, "qcow2_features");
        return Err(error.with("feature", format_args!("bit {}", unknown.trailing_zeros())));
    }
    if incompatible & CORRUPT != 0 {
        return Err(corrupt("marked_corrupt", 72));
    }
    let length = be32(bytes, 100);
    if length < LEN_V3 || !length.is_multiple_of(8) {
        return Err(corrupt("header_length", 100));
    }
    if incompatible & COMPRESSION_TYPE == 0 {
        return Ok(Method::Deflate);
    }
    // "The field must be present and non-zero"; 1 is zstd.
    match bytes.get(104) {
        Some(1) if length > LEN_V3 => Ok(Method::Zstd),
        Some(0) | None => Err(corrupt("compression_type", 104)),
        Some(other) => Err(Error::new(Kind::Incompatible, "qcow2_compression").with("type", other)),
    }
}

/// The error for an image on top of another; names the other so that its owner knows which file to merge.
fn backing_file(source: &dyn Source, offset: u64, len: u32) -> Error {
    let mut name = vec![0; usize::try_from(len.min(MAX_BACKING_NAME)).unwrap_or(0)];
    let name: String = match source.read_at(&mut name, offset) {
        Ok(()) => String::from_utf8_lossy(&name)
            .chars()
            .filter(|c| !c.is_control())
            .take(200)
            .collect(),
        Err(_) => String::new(),
    };
    let name = if name.is_empty() { "?".to_owned() } else { name };
    Error::new(Kind::Refused, "qcow2_backing_file").with("file", name)
}
