//! Partition tables, layers and the naming of filesystems: the bytes decide what stands on a disk, and checksums that
//! a fuzzer never hits are made right.

use std::sync::Arc;

use lotse_disk::{Disk, MemorySource};
use lotse_guest::{examine, filesystem};

use crate::Pieces;

/// The longest disk that is made: room for a table at both ends and something between.
const LONGEST: usize = 8 << 20;

fn disk(mut bytes: Vec<u8>) -> Option<Disk> {
    // What makes a file a raw disk.
    bytes.get_mut(510..512)?.copy_from_slice(&[0x55, 0xaa]);
    Disk::open(Arc::new(MemorySource::new(bytes))).ok()
}

/// Pieces of a disk with a table; each GPT header that is there gets the checksums that it should have.
pub fn use_table(bytes: &[u8]) {
    let Some(mut bytes) = Pieces::read(bytes).map(|pieces| pieces.bytes(LONGEST)) else { return };
    for at in [512, 4096, bytes.len().saturating_sub(512), bytes.len().saturating_sub(4096)] {
        // The entries first: the header has their checksum.
        _ = mend_entries(&mut bytes, at);
        _ = mend_header(&mut bytes, at);
    }
    if let Some(disk) = disk(bytes) {
        _ = examine(&disk);
    }
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let field = bytes.get(at..at.checked_add(4)?)?;
    usize::try_from(u32::from_le_bytes(field.try_into().ok()?)).ok()
}

fn mend_entries(bytes: &mut [u8], at: usize) -> Option<()> {
    let sector = if at == 4096 { 4096 } else { 512 };
    let from = number(bytes, at + 72)?.checked_mul(sector)?;
    let len = number(bytes, at + 80)?.checked_mul(number(bytes, at + 84)?)?;
    let sum = crc32(!0, bytes.get(from..from.checked_add(len)?)?);
    bytes.get_mut(at + 88..at + 92)?.copy_from_slice(&(!sum).to_le_bytes());
    Some(())
}

fn mend_header(bytes: &mut [u8], at: usize) -> Option<()> {
    let len = number(bytes, at + 12)?.min(512);
    bytes.get_mut(at + 16..at + 20)?.fill(0);
    let sum = crc32(!0, bytes.get(at..at + len)?);
    bytes.get_mut(at + 16..at + 20)?.copy_from_slice(&(!sum).to_le_bytes());
    Some(())
}

/// Metadata of a volume group, as text: on a disk that is one physical volume, its identifier 32 times `p`.
pub fn use_lvm(text: &[u8]) {
    const AREA: usize = 4096;
    // `INITIAL_CRC` of lvm2.
    const START: u32 = 0xf597_a6cf;
    let mut bytes = vec![0; 2 << 20];
    let text = &text[..text.len().min(500_000)];
    let mut put = |at: usize, what: &[u8]| bytes[at..at + what.len()].copy_from_slice(what);
    // `mda_header` with one text right behind it.
    put(AREA + 4, b" LVM2 x[5A%r0N*>");
    put(AREA + 20, &1_u32.to_le_bytes());
    put(AREA + 24, &(AREA as u64).to_le_bytes());
    put(AREA + 32, &(1_044_480_u64).to_le_bytes());
    put(AREA + 40, &512_u64.to_le_bytes());
    put(AREA + 48, &(text.len() as u64).to_le_bytes());
    put(AREA + 56, &crc32(START, text).to_le_bytes());
    put(AREA + 512, text);
    // `label_header` in the second sector and the `pv_header` behind it.
    put(512, b"LABELONE");
    put(520, &1_u64.to_le_bytes());
    put(532, &32_u32.to_le_bytes());
    put(536, b"LVM2 001");
    put(544, &[b'p'; 32]);
    put(576, &(2_u64 << 20).to_le_bytes());
    put(584, &(1_u64 << 20).to_le_bytes());
    put(616, &(AREA as u64).to_le_bytes());
    put(624, &1_044_480_u64.to_le_bytes());
    let sum = crc32(START, &bytes[AREA + 4..AREA + 512]).to_le_bytes();
    bytes[AREA..AREA + 4].copy_from_slice(&sum);
    let sum = crc32(START, &bytes[512 + 20..1024]).to_le_bytes();
    bytes[512 + 16..512 + 20].copy_from_slice(&sum);
    if let Some(disk) = disk(bytes) {
        _ = examine(&disk);
    }
}

/// Pieces of what stands in a partition, which begins after one sector.
pub fn use_filesystem(bytes: &[u8]) {
    let Some(pieces) = Pieces::read(bytes) else { return };
    let bytes = [vec![0; 512], pieces.bytes(LONGEST)].concat();
    if let Some(disk) = disk(bytes) {
        _ = filesystem::recognise(&disk, 512, disk.len());
    }
}

/// The polynomial of GPT and LVM2 without inversion.
fn crc32(start: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(start, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    })
}
