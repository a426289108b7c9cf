//! The checksums of GPT, LVM2, ext4 and its journal.

use std::sync::LazyLock;

/// CRC-32 of UEFI (and zlib): reflected polynomial 0xEDB88320, start and end inverted.
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    !crc32_raw(!0, bytes)
}

/// The same polynomial without inversion at either end, as LVM2 counts it.
pub(crate) fn crc32_raw(start: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(start, |crc, byte| {
        let index = (crc ^ u32::from(*byte)) & 0xff;
        let step = usize::try_from(index).ok().and_then(|index| CRC32.get(index));
        (crc >> 8) ^ step.copied().unwrap_or(0)
    })
}

/// What each byte does to a CRC-32.
static CRC32: LazyLock<[u32; 256]> =
    LazyLock::new(|| std::array::from_fn(|byte| shifted(u32::try_from(byte).unwrap_or(0), 0xedb8_8320)));

/// CRC-32 as Linux's `crc32_be()` counts it on: polynomial 0x04C11DB7, highest bit first, no inversion at either end.
pub(crate) fn crc32_be(start: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(start, |crc, byte| {
        let index = crc >> 24 ^ u32::from(*byte);
        let step = usize::try_from(index).ok().and_then(|index| CRC32_BE.get(index));
        crc << 8 ^ step.copied().unwrap_or(0)
    })
}

/// What each byte does to such a one: the mirror image of the other's step.
static CRC32_BE: LazyLock<[u32; 256]> = LazyLock::new(|| {
    std::array::from_fn(|byte| {
        let byte = u32::try_from(byte).unwrap_or(0);
        shifted(byte.reverse_bits() >> 24, 0xedb8_8320).reverse_bits()
    })
});

/// CRC-16 as in Linux `lib/crc16.c`: reflected polynomial 0xA001, no inversion.
pub(crate) fn crc16(start: u16, bytes: &[u8]) -> u16 {
    bytes.iter().fold(start, |crc, byte| {
        let crc = shifted(u32::from(crc ^ u16::from(*byte)), 0xa001);
        u16::try_from(crc & 0xffff).unwrap_or(0)
    })
}

/// CRC-32C as Linux's `crc32c()` counts it on, without inversion at either end.
pub(crate) fn crc32c(start: u32, bytes: &[u8]) -> u32 {
    !crc32c::crc32c_append(!start, bytes)
}

/// Eight steps of a reflected CRC.
fn shifted(crc: u32, polynomial: u32) -> u32 {
    (0..8).fold(crc, |crc, _| {
        if crc & 1 == 0 {
            crc >> 1
        } else {
            (crc >> 1) ^ polynomial
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check values of the catalogue of parametrised CRC algorithms (CRC-32/ISO-HDLC, CRC-32/BZIP2, CRC-16/ARC,
    /// CRC-32/ISCSI).
    #[test]
    fn known_values() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(!crc32_be(!0, b"123456789"), 0xfc89_1918);
        assert_eq!(crc16(0, b"123456789"), 0xbb3d);
        assert_eq!(!crc32c(!0, b"123456789"), 0xe306_9283);
    }
}
