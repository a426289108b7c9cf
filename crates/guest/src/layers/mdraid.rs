//! Linux software RAID (`include/uapi/linux/raid/md_p.h`): a member of a mirror is read as the whole.

use lotse_disk::bytes::{le16, le32, le64};

use super::Inside;
use crate::{
    Result,
    filesystem::{text, uuid},
    volume::Volume,
};

/// `MD_SB_MAGIC`.
const MAGIC: u32 = 0xa92b_4efc;

/// Sectors are 512 bytes, whatever the disk's are.
const SECTOR: u64 = 512;

/// `LEVEL_LINEAR` (-1), 0 and 1: with one member all of them are that member.
const LINEAR: u32 = u32::MAX;

/// A superblock, as far as it is needed.
pub(crate) struct Superblock {
    /// The array's UUID as blkid writes it.
    pub(crate) uuid: Option<String>,
    /// The array's name, which version 0.90 has not.
    pub(crate) name: Option<String>,
    level: u32,
    disks: u32,
    /// First byte of the data and its length.
    data: (u64, u64),
    /// False for a spare or a member that has failed.
    active: bool,
    events: u64,
}

/// Looks in the four places: 1.1 at the beginning, 1.2 at 4 KiB, 1.0 and 0.90 near the end.
pub(crate) fn superblock(volume: &Volume) -> Result<Option<Superblock>> {
    let len = volume.len();
    if len < 128 * 1024 {
        return Ok(None);
    }
    // 1.0: 8 KiB before the end, down to 4 KiB.
    for at in [0, 4096, (len - 8192) & !4095] {
        // 256 bytes and a role of two bytes for each of up to 1920 devices.
        let block = volume.read_up_to(at, 4096)?;
        if let Some(superblock) = version_1(&block, at) {
            return Ok(Some(superblock));
        }
    }
    // 0.90: 64 KiB before the end rounded down to 64 KiB.
    let at = (len & !0xffff) - 0x1_0000;
    Ok(version_0(&volume.read_up_to(at, 4096)?))
}

/// `struct mdp_superblock_1`.
fn version_1(block: &[u8], at: u64) -> Option<Superblock> {
    let is_here = le64(block, 144).checked_mul(SECTOR) == Some(at);
    if le32(block, 0) != MAGIC || le32(block, 4) != 1 || !is_here || !checksum_is_right(block) {
        return None;
    }
    let number = usize::try_from(le32(block, 160)).unwrap_or(usize::MAX);
    // A role of 0xfffd and more is journal, failed, or spare.
    let role = number
        .checked_mul(2)
        .and_then(|at| at.checked_add(256))
        .map(|at| le16(block, at));
    Some(Superblock {
        uuid: uuid(block, 16),
        name: text(block, 32, 32),
        level: le32(block, 72),
        disks: le32(block, 92),
        data: (
            le64(block, 128).checked_mul(SECTOR)?,
            le64(block, 80).checked_mul(SECTOR)?,
        ),
        active: role.is_some_and(|role| role < 0xfffd),
        events: le64(block, 200),
    })
}

/// `calc_sb_1_csum` in Linux `drivers/md/md.c`: 32-bit words added up, the field itself as 0, the carry added.
fn checksum_is_right(block: &[u8]) -> bool {
    let devices = usize::try_from(le32(block, 220)).unwrap_or(usize::MAX);
    let Some(bytes) = devices
        .checked_mul(2)
        .and_then(|len| block.get(..len.checked_add(256)?))
    else {
        return false;
    };
    let mut sum: u64 = bytes
        .chunks(4)
        .enumerate()
        .map(|(index, word)| match word {
            _ if index == 216 / 4 => 0,
            [a, b, c, d] => u64::from(u32::from_le_bytes([*a, *b, *c, *d])),
            [a, b, ..] => u64::from(u16::from_le_bytes([*a, *b])),
            _ => 0,
        })
        .sum();
    sum = (sum & 0xffff_ffff) + (sum >> 32);
    sum & 0xffff_ffff == u64::from(le32(block, 216))
}

/// `mdp_super_t`.
fn version_0(block: &[u8]) -> Option<Superblock> {
    if le32(block, 0) != MAGIC || le32(block, 4) != 0 {
        return None;
    }
    let mut id = [0; 16];
    id.get_mut(..4)?.copy_from_slice(block.get(20..24)?);
    id.get_mut(4..)?.copy_from_slice(block.get(52..64)?);
    // `this_disk` at 3968: number, major, minor, raid_disk, state; bit 0 faulty, bit 1 active.
    let state = le32(block, 3968 + 16);
    Some(Superblock {
        uuid: uuid(&id, 0),
        name: None,
        level: le32(block, 28),
        disks: le32(block, 40),
        data: (0, u64::from(le32(block, 32)) * 1024),
        active: state & 0b11 == 0b10,
        // `events_lo`, `events_hi`.
        events: u64::from(le32(block, 36 * 4)) << 32 | u64::from(le32(block, 37 * 4)),
    })
}

/// The arrays that these members belong to, each once.
pub(crate) fn arrays(members: &[&Volume]) -> Result<Vec<Inside>> {
    let mut found: Vec<(Superblock, Inside)> = Vec::new();
    for (member, volume) in members.iter().enumerate() {
        let Some(superblock) = superblock(volume)? else {
            continue;
        };
        let readable = superblock.active
            && (superblock.level == 1 || superblock.disks == 1 && matches!(superblock.level, 0 | LINEAR));
        let (offset, len) = superblock.data;
        let inside = Inside {
            name: superblock.name.as_deref().map(|name| {
                // `host:name`; the device is named without the host.
                name.rsplit(':').next().unwrap_or(name).to_owned()
            }),
            len,
            volume: volume.slice(offset, len).filter(|_| readable),
            member,
        };
        let same = found
            .iter_mut()
            .find(|(other, _)| other.uuid.is_some() && other.uuid == superblock.uuid);
        match same {
            // Of a mirror's members the one that was written last.
            Some(other) => {
                let rank = |superblock: &Superblock, inside: &Inside| (inside.volume.is_some(), superblock.events);
                if rank(&superblock, &inside) > rank(&other.0, &other.1) {
                    *other = (superblock, inside);
                }
            }
            None => found.push((superblock, inside)),
        }
    }
    Ok(found.into_iter().map(|(_, inside)| inside).collect())
}
