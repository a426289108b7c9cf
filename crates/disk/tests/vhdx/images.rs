//! VHDX files made by the real qemu-img, and changed by hand where no tool makes what a test needs.

use std::{fs, path::Path, sync::Arc};

use crc32c::crc32c;
use lotse_disk::{Disk, MemorySource};

use crate::common::{run, text};

pub(crate) const MIB: usize = 1 << 20;
pub(crate) const SECTOR: usize = 4096;

/// Places and lengths in the header section ([MS-VHDX] 2.2).
pub(crate) const HEADERS: [usize; 2] = [64 * 1024, 128 * 1024];
pub(crate) const REGION_TABLES: [usize; 2] = [192 * 1024, 256 * 1024];
pub(crate) const HEADER_LEN: usize = 4096;
pub(crate) const REGION_TABLE_LEN: usize = 64 * 1024;

/// First groups of the GUIDs ([MS-VHDX] 2.2.3.2, 2.6.2), enough to tell them apart.
const BAT: u32 = 0x2DC2_7766;
const METADATA: u32 = 0x8B7C_A206;
pub(crate) const FILE_PARAMETERS: u32 = 0xCAA1_6737;
pub(crate) const VIRTUAL_DISK_SIZE: u32 = 0x2FA5_4224;
pub(crate) const VIRTUAL_DISK_ID: u32 = 0xBECA_12AB;
pub(crate) const LOGICAL_SECTOR_SIZE: u32 = 0x8141_BF1D;

/// An empty disk of this size.
pub(crate) fn create(path: &Path, options: &str, size: &str) {
    run(
        "qemu-img",
        &["create", "-q", "-f", "vhdx", "-o", options, text(path), size],
    );
}

/// Writes as a VM would, with qemu-io's commands.
pub(crate) fn write(path: &Path, commands: &[&str]) {
    let mut arguments = vec!["-f", "vhdx"];
    arguments.extend(commands.iter().flat_map(|command| ["-c", command]));
    arguments.push(text(path));
    run("qemu-io", &arguments);
}

pub(crate) fn convert(raw: &Path, to: &Path, options: &str) {
    let arguments = ["convert", "-f", "raw", "-O", "vhdx", "-o", options, text(raw), text(to)];
    run("qemu-img", &arguments);
}

pub(crate) fn open_bytes(bytes: Vec<u8>) -> lotse_disk::Result<Disk> {
    Disk::open(Arc::new(MemorySource::new(bytes)))
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

pub(crate) fn place(number: u64) -> usize {
    usize::try_from(number).unwrap()
}

pub(crate) fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    bytes[at..at + value.len()].copy_from_slice(value);
}

/// Makes the checksum at 4 of a structure right again.
pub(crate) fn seal(structure: &mut [u8]) {
    structure[4..8].fill(0);
    let crc = crc32c(structure);
    put(structure, 4, &crc.to_le_bytes());
}

/// Changes both headers.
pub(crate) fn change_headers(bytes: &mut [u8], at: usize, value: &[u8]) {
    for start in HEADERS {
        put(bytes, start + at, value);
        seal(&mut bytes[start..start + HEADER_LEN]);
    }
}

/// Changes both region tables.
pub(crate) fn change_regions(bytes: &mut [u8], at: usize, value: &[u8]) {
    for start in REGION_TABLES {
        put(bytes, start + at, value);
        seal(&mut bytes[start..start + REGION_TABLE_LEN]);
    }
}

fn region(bytes: &[u8], guid: u32) -> usize {
    let [table, _] = REGION_TABLES;
    let mut entries = (0..2).map(|index| table + 16 + 32 * index);
    let entry = entries.find(|at| u32_at(bytes, *at) == guid).unwrap();
    place(u64_at(bytes, entry + 16))
}

/// Where the BAT begins.
pub(crate) fn bat(bytes: &[u8]) -> usize {
    region(bytes, BAT)
}

/// Where the metadata region begins.
pub(crate) fn metadata(bytes: &[u8]) -> usize {
    region(bytes, METADATA)
}

/// The entry of an item in the metadata table.
pub(crate) fn item_entry(bytes: &[u8], guid: u32) -> usize {
    let table = metadata(bytes);
    let mut entries = (1..=16).map(|index| table + 32 * index);
    entries.find(|at| u32_at(bytes, *at) == guid).unwrap()
}

/// Where a metadata item stands.
pub(crate) fn item(bytes: &[u8], guid: u32) -> usize {
    metadata(bytes) + place(u64::from(u32_at(bytes, item_entry(bytes, guid) + 16)))
}

/// One entry of the log ([MS-VHDX] 2.3.1), written by the specification.
pub(crate) struct LogEntry {
    pub(crate) sequence: u64,
    /// Sector of the log.
    pub(crate) tail: usize,
    pub(crate) flushed: usize,
    pub(crate) last: usize,
    pub(crate) writes: Vec<Write>,
}

pub(crate) enum Write {
    /// Offset in the file, length.
    Zero(usize, usize),
    /// Offset in the file.
    Data(usize, Box<[u8; SECTOR]>),
}

impl LogEntry {
    pub(crate) fn encode(&self, guid: [u8; 16]) -> Vec<u8> {
        let mut descriptors: Vec<u8> = Vec::new();
        let mut sectors: Vec<u8> = Vec::new();
        for write in &self.writes {
            match write {
                Write::Zero(at, len) => {
                    descriptors.extend(b"zero\0\0\0\0");
                    descriptors.extend((*len as u64).to_le_bytes());
                    descriptors.extend((*at as u64).to_le_bytes());
                }
                Write::Data(at, data) => {
                    descriptors.extend(b"desc");
                    descriptors.extend(&data[SECTOR - 4..]);
                    descriptors.extend(&data[..8]);
                    descriptors.extend((*at as u64).to_le_bytes());
                    let sequence = self.sequence.to_le_bytes();
                    sectors.extend(b"data");
                    sectors.extend(&sequence[4..]);
                    sectors.extend(&data[8..SECTOR - 4]);
                    sectors.extend(&sequence[..4]);
                }
            }
            descriptors.extend(self.sequence.to_le_bytes());
        }
        let head_len = (64 + descriptors.len()).next_multiple_of(SECTOR);
        let u32_of = |number: usize| u32::try_from(number).unwrap().to_le_bytes();
        let mut entry = b"loge\0\0\0\0".to_vec();
        entry.extend(u32_of(head_len + sectors.len()));
        entry.extend(u32_of(self.tail * SECTOR));
        entry.extend(self.sequence.to_le_bytes());
        entry.extend(u32_of(self.writes.len()));
        entry.extend([0; 4]);
        entry.extend(guid);
        entry.extend((self.flushed as u64).to_le_bytes());
        entry.extend((self.last as u64).to_le_bytes());
        entry.extend(descriptors);
        entry.resize(head_len, 0);
        entry.extend(sectors);
        seal(&mut entry);
        entry
    }
}

/// Puts an encoded entry into the log's ring, from this sector on, and gives the sector after it.
pub(crate) fn put_log(bytes: &mut [u8], sector: usize, entry: &[u8]) -> usize {
    let [header, _] = HEADERS;
    let (len, start) = (
        place(u64::from(u32_at(bytes, header + 68))),
        place(u64_at(bytes, header + 72)),
    );
    let ring = len / SECTOR;
    for (number, data) in (sector..).zip(entry.chunks(SECTOR)) {
        put(bytes, start + number % ring * SECTOR, data);
    }
    (sector + entry.len() / SECTOR) % ring
}

/// Says in both headers that the log is to be replayed.
pub(crate) fn open_log(bytes: &mut [u8], guid: [u8; 16]) {
    change_headers(bytes, 48, &guid);
}

/// A copy of the file that QEMU has repaired, as a raw disk.
pub(crate) fn repaired(folder: &Path, bytes: &[u8]) -> Vec<u8> {
    let (copy, plain) = (folder.join("copy.vhdx"), folder.join("copy.raw"));
    fs::write(&copy, bytes).unwrap();
    run("qemu-img", &["check", "-q", "-r", "all", "-f", "vhdx", text(&copy)]);
    let arguments = ["convert", "-f", "vhdx", "-O", "raw", text(&copy), text(&plain)];
    run("qemu-img", &arguments);
    fs::read(&plain).unwrap()
}
