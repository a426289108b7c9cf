//! LVM2 (`lib/format_text/layout.h`, `lib/label/label.h` in lvm2): physical volumes, the volume group's metadata text,
//! and logical volumes that are put together from stretches, stripes and mirrors.

mod text;

use std::collections::HashMap;

use lotse_disk::bytes::{has, le32, le64};

use self::text::Section;
use super::Inside;
use crate::{Result, checksum::crc32_raw, volume::Volume};

/// Sectors are 512 bytes, whatever the disk's are.
const SECTOR: u64 = 512;

/// `MDA_HEADER_SIZE`: the text's ring begins after it.
const AREA_HEADER: u64 = 512;

/// Longest metadata text that is read, in bytes: `vgcreate` gives the whole ring of texts 1 MiB.
const MAX_TEXT: u64 = 1 << 20;

/// Metadata areas of one physical volume, at most (lvm2 writes two).
const MAX_AREAS: usize = 2;

/// Logical volumes of all groups, at most.
const MAX_VOLUMES: usize = 256;

/// Stretches of all logical volumes, at most.
const MAX_STRETCHES: u64 = 65_536;

/// Logical volumes inside logical volumes (a mirror's images), at most.
const MAX_DEPTH: u32 = 4;

/// `INITIAL_CRC` in lvm2's `lib/misc/crc.h`.
const INITIAL_CRC: u32 = 0xf597_a6cf;

/// A physical volume's label and header.
struct Label {
    /// 32 characters without dashes.
    id: String,
    /// Metadata areas: first byte and length.
    areas: Vec<(u64, u64)>,
}

/// `label_header` in one of the first four sectors, and the `pv_header` that it leads to.
fn label(volume: &Volume) -> Result<Option<Label>> {
    let head = volume.read_up_to(0, 2048)?;
    let sectors = head.chunks_exact(512);
    Ok(sectors
        .zip(0..)
        .find_map(|(sector, number)| parse_label(sector, number)))
}

fn parse_label(sector: &[u8], number: u64) -> Option<Label> {
    let right = has(sector, 0, b"LABELONE")
        && has(sector, 24, b"LVM2 001")
        && le64(sector, 8) == number
        && crc32_raw(INITIAL_CRC, sector.get(20..)?) == le32(sector, 16);
    if !right {
        return None;
    }
    let header = sector.get(usize::try_from(le32(sector, 20)).ok()?..)?;
    let id = std::str::from_utf8(header.get(..32)?).ok()?.to_owned();
    // Two lists of offset and length, each ended by zeros: data areas, then metadata areas.
    let mut lists = header
        .get(40..)?
        .as_chunks::<16>()
        .0
        .iter()
        .map(|pair| (le64(pair, 0), le64(pair, 8)));
    lists.by_ref().take_while(|(offset, _)| *offset != 0).for_each(drop);
    let areas = lists.take_while(|(offset, _)| *offset != 0).take(MAX_AREAS).collect();
    Some(Label { id, areas })
}

/// The text of a metadata area with `mda_header`, checksums proved.
fn metadata(volume: &Volume, (start, len): (u64, u64)) -> Result<Option<Vec<u8>>> {
    let header = volume.read_up_to(start, 512)?;
    let right = has(&header, 4, b" LVM2 x[5A%r0N*>")
        && le32(&header, 20) == 1
        && le64(&header, 24) == start
        && header.get(4..512).map(|bytes| crc32_raw(INITIAL_CRC, bytes)) == Some(le32(&header, 0));
    // `raw_locn`: offset, length, checksum, flags; bit 0: to be ignored.
    let (offset, size, checksum) = (le64(&header, 40), le64(&header, 48), le32(&header, 56));
    let ignored = le32(&header, 60) & 1 == 1;
    let inside = (AREA_HEADER..len).contains(&offset) && size <= MAX_TEXT && size <= len.saturating_sub(AREA_HEADER);
    if !right || ignored || size == 0 || !inside {
        return Ok(None);
    }
    // A ring: what does not fit before the area's end goes on after its header.
    let before = size.min(len - offset);
    let (Ok(before), Ok(after)) = (usize::try_from(before), usize::try_from(size - before)) else {
        return Ok(None);
    };
    let mut text = vec![0; before];
    let mut rest = vec![0; after];
    let (Some(first), Some(second)) = (start.checked_add(offset), start.checked_add(AREA_HEADER)) else {
        return Ok(None);
    };
    if !volume.read_at(&mut text, first)? || !volume.read_at(&mut rest, second)? {
        return Ok(None);
    }
    text.append(&mut rest);
    Ok((crc32_raw(INITIAL_CRC, &text) == checksum).then_some(text))
}

/// A volume group as its newest metadata tells.
struct Group<'a> {
    name: &'a str,
    /// Bytes of an extent.
    extent: u64,
    /// By name, the hidden ones too.
    logical: HashMap<&'a str, &'a Section>,
    /// In the order in which they are written.
    names: Vec<&'a str>,
    /// By the name that the metadata gives it: first byte of the extents, and the member, if it is on this disk.
    physical: HashMap<&'a str, (u64, Option<usize>)>,
}

/// The logical volumes that a user sees on these physical volumes.
pub(crate) fn logical_volumes(members: &[&Volume]) -> Result<Vec<Inside>> {
    let mut places = HashMap::new();
    // By the group's identifier: the metadata with the highest number.
    let mut groups: Vec<(String, u64, Section)> = Vec::new();
    for (member, volume) in members.iter().enumerate() {
        let Some(label) = label(volume)? else { continue };
        places.entry(label.id).or_insert(member);
        for area in label.areas {
            let Some(text) = metadata(volume, area)? else { continue };
            let Some(section) = text::parse(&text) else { continue };
            let newest = section
                .sections()
                .find_map(|(_, group)| Some((group.text("id")?.to_owned(), group.number("seqno")?)));
            let Some((id, number)) = newest else { continue };
            match groups.iter_mut().find(|(known, ..)| *known == id) {
                Some(known) if known.1 < number => *known = (id, number, section),
                Some(_) => {}
                None => groups.push((id, number, section)),
            }
        }
    }
    let mut found = Vec::new();
    let mut budget = MAX_STRETCHES;
    for (_, _, section) in &groups {
        let Some(group) = Group::read(section, &places) else {
            continue;
        };
        for (name, logical) in group
            .names
            .iter()
            .filter_map(|name| Some((*name, *group.logical.get(name)?)))
        {
            if found.len() >= MAX_VOLUMES {
                break;
            }
            if logical.list("status").any(|status| status == "VISIBLE") {
                found.extend(group.inside(name, logical, members, &mut budget));
            }
        }
    }
    Ok(found)
}

impl<'a> Group<'a> {
    fn read(section: &'a Section, places: &HashMap<String, usize>) -> Option<Self> {
        let (name, group) = section.sections().find(|(_, group)| group.text("id").is_some())?;
        let physical = group
            .section("physical_volumes")?
            .sections()
            .filter_map(|(name, physical)| {
                let id = physical.text("id")?.replace('-', "");
                let start = physical.number("pe_start")?.checked_mul(SECTOR)?;
                Some((name, (start, places.get(&id).copied())))
            });
        let logical = || group.section("logical_volumes").into_iter().flat_map(Section::sections);
        Some(Self {
            name,
            extent: group.number("extent_size")?.checked_mul(SECTOR)?,
            physical: physical.collect(),
            names: logical().map(|(name, _)| name).collect(),
            logical: logical().collect(),
        })
    }

    fn inside(&self, name: &str, logical: &Section, members: &[&Volume], budget: &mut u64) -> Option<Inside> {
        let mut first = None;
        let volume = self.volume(logical, members, budget, &mut first, 0);
        Some(Inside {
            name: Some(format!("{}/{name}", self.name)),
            len: extents(logical)?.checked_mul(self.extent)?,
            volume,
            member: first.unwrap_or(0),
        })
    }

    /// Puts a logical volume's segments together; `None` when a part is missing or of a kind that is not read.
    fn volume(
        &self,
        logical: &Section,
        members: &[&Volume],
        budget: &mut u64,
        first: &mut Option<usize>,
        depth: u32,
    ) -> Option<Volume> {
        let mut parts = Vec::new();
        let mut next = 0;
        for (_, segment) in logical.sections().filter(|(name, _)| name.starts_with("segment")) {
            // Segments stand in order and without gaps.
            let (start, count) = (segment.number("start_extent")?, segment.number("extent_count")?);
            if start != next || count == 0 {
                return None;
            }
            next = start.checked_add(count)?;
            parts.push(self.segment(segment, count, members, budget, first, depth)?);
        }
        (!parts.is_empty()).then(|| Volume::joined(&parts))
    }

    fn segment(
        &self,
        segment: &Section,
        count: u64,
        members: &[&Volume],
        budget: &mut u64,
        first: &mut Option<usize>,
        depth: u32,
    ) -> Option<Volume> {
        let len = count.checked_mul(self.extent)?;
        let mut part = |name: &str, extent: u64, len: u64| -> Option<Volume> {
            *budget = budget.checked_sub(1)?;
            let at = extent.checked_mul(self.extent)?;
            if let Some((start, member)) = self.physical.get(name) {
                let member = (*member)?;
                first.get_or_insert(member);
                return members.get(member)?.slice(start.checked_add(at)?, len);
            }
            let inner = self.logical.get(name).filter(|_| depth < MAX_DEPTH)?;
            self.volume(inner, members, budget, first, depth + 1)?.slice(at, len)
        };
        match segment.text("type")? {
            "striped" => {
                // A list of name, extent, name, extent …
                let stripes: Vec<(&str, u64)> = segment.pairs("stripes").collect();
                if segment.number("stripe_count")? != stripes.len() as u64 {
                    return None;
                }
                match stripes.as_slice() {
                    [(name, extent)] => part(name, *extent, len),
                    several => {
                        let each = len.checked_div(several.len() as u64)?;
                        let parts: Option<Vec<Volume>> =
                            several.iter().map(|(name, extent)| part(name, *extent, each)).collect();
                        let chunk = segment.number("stripe_size")?.checked_mul(SECTOR)?;
                        Volume::striped(parts?, chunk)
                    }
                }
            }
            // Pairs of a metadata and a data volume; each data volume is the whole.
            "raid1" => {
                let mut images = segment.list("raids").filter(|name| name.contains("_rimage_"));
                images.find_map(|name| part(name, 0, len))
            }
            "mirror" => segment
                .pairs("mirrors")
                .find_map(|(name, extent)| part(name, extent, len)),
            _ => None,
        }
    }
}

/// How many extents the segments say there are.
fn extents(logical: &Section) -> Option<u64> {
    let counts = logical
        .sections()
        .filter_map(|(_, segment)| segment.number("extent_count"));
    counts.take(4096).try_fold(0, u64::checked_add)
}

#[cfg(test)]
mod tests;
