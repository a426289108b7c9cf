//! Writes a streamOptimized VMDK in the order in which VMware does: Virtual Disk Format 5.0, "Stream-Optimized
//! Compressed Sparse Extents".

use std::io::Write;

use flate2::{Compression, write::ZlibEncoder};

/// What VMware writes: grains of 128 sectors, tables of 512 entries.
pub(crate) fn stream(disk: &[u8]) -> Vec<u8> {
    stream_of(disk, 128, 512)
}

/// The whole file: header, descriptor, grains, each table behind its grains, directory, footer, end of stream.
pub(crate) fn stream_of(disk: &[u8], grain_sectors: usize, entries: usize) -> Vec<u8> {
    let grain_size = grain_sectors * 512;
    let header = |directory| header(disk.len(), grain_sectors, entries, directory);
    let mut file = header(u64::MAX);
    file.extend(descriptor(disk.len()).into_bytes());
    // overHead: the first grain begins at sector 128.
    file.resize(128 * 512, 0);
    let mut directory = Vec::new();
    for (number, part) in disk.chunks(entries * grain_size).enumerate() {
        let mut table = Vec::new();
        for (index, grain) in part.chunks(grain_size).enumerate() {
            if grain.iter().all(|byte| *byte == 0) {
                table.extend([0; 4]);
                continue;
            }
            table.extend(sector(&file).to_le_bytes());
            let lba = ((number * entries + index) * grain_sectors) as u64;
            let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(grain).unwrap();
            let data = encoder.finish().unwrap();
            file.extend(lba.to_le_bytes());
            file.extend(u32::try_from(data.len()).unwrap().to_le_bytes());
            file.extend(data);
            pad(&mut file);
        }
        if table.iter().all(|byte| *byte == 0) {
            directory.extend([0; 4]);
            continue;
        }
        table.resize((4 * entries).next_multiple_of(512), 0);
        marker(&mut file, (table.len() / 512) as u64, 1);
        directory.extend(sector(&file).to_le_bytes());
        file.extend(table);
    }
    directory.resize(directory.len().next_multiple_of(512), 0);
    marker(&mut file, (directory.len() / 512) as u64, 2);
    let place = u64::from(sector(&file));
    file.extend(directory);
    marker(&mut file, 1, 3);
    file.extend(header(place));
    marker(&mut file, 0, 0);
    file
}

fn header(len: usize, grain_sectors: usize, entries: usize, directory: u64) -> Vec<u8> {
    let mut bytes = b"KDMV".to_vec();
    bytes.extend(3_u32.to_le_bytes());
    // Newline test, compressed grains, markers.
    bytes.extend(0x3_0001_u32.to_le_bytes());
    for value in [(len / 512) as u64, grain_sectors as u64, 1, 20] {
        bytes.extend(value.to_le_bytes());
    }
    bytes.extend(u32::try_from(entries).unwrap().to_le_bytes());
    for value in [0, directory, 128] {
        bytes.extend(value.to_le_bytes());
    }
    bytes.extend(b"\0\n \r\n\x01\0");
    bytes.resize(512, 0);
    bytes
}

fn descriptor(len: usize) -> String {
    format!(
        "# Disk DescriptorFile\nversion=1\nCID=7f0f5a5b\nparentCID=ffffffff\ncreateType=\"streamOptimized\"\n\n# Extent \
         description\nRDONLY {} SPARSE \"call-me-stream.vmdk\"\n\n#DDB\nddb.adapterType = \"lsilogic\"\n",
        len / 512
    )
}

/// A metadata marker: sectors that follow, a size of 0, its type.
fn marker(file: &mut Vec<u8>, sectors: u64, kind: u32) {
    file.extend(sectors.to_le_bytes());
    file.extend([0; 4]);
    file.extend(kind.to_le_bytes());
    pad(file);
}

fn pad(file: &mut Vec<u8>) {
    file.resize(file.len().next_multiple_of(512), 0);
}

fn sector(file: &[u8]) -> u32 {
    u32::try_from(file.len() / 512).unwrap()
}
