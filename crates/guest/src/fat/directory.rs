//! Directory entries: short names, and the long ones that stand in several entries before them.

use lotse_disk::bytes::{le16, le32};

/// Length of an entry in bytes.
const ENTRY: usize = 32;

/// Entries that one long name has at most: 255 units of UTF-16, 13 in each.
const MAX_PARTS: u8 = 20;

const READ_ONLY: u8 = 0x01;
const VOLUME_LABEL: u8 = 0x08;
const DIRECTORY: u8 = 0x10;
const LONG_NAME: u8 = 0x0f;

/// One file or directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// The long name where there is one.
    pub(super) name: String,
    short: String,
    pub(super) is_directory: bool,
    pub(super) read_only: bool,
    pub(super) cluster: u32,
    /// Bytes.
    pub(super) size: u32,
}

impl Entry {
    /// "Names are not case sensitive", and either name opens the file.
    pub(super) fn is_called(&self, name: &str) -> bool {
        same(&self.name, name) || same(&self.short, name)
    }
}

fn same(one: &str, other: &str) -> bool {
    let lower = |text: &str| text.chars().flat_map(char::to_lowercase).collect::<String>();
    one.eq_ignore_ascii_case(other) || (!(one.is_ascii() && other.is_ascii()) && lower(one) == lower(other))
}

/// Files and directories without `.`, `..`, the volume's label and what was deleted.
pub(super) fn parse(bytes: &[u8]) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut long = LongName::default();
    for raw in bytes.as_chunks::<ENTRY>().0 {
        match raw[0] {
            // Neither this nor any later entry is used.
            0 => break,
            0xe5 => long = LongName::default(),
            _ if raw[11] & 0x3f == LONG_NAME => long.take(raw),
            _ if raw[11] & VOLUME_LABEL != 0 => long = LongName::default(),
            _ => {
                let long_name = std::mem::take(&mut long).finish(checksum(raw));
                let short = short_name(raw);
                // "." and "..", which no path looks up.
                if raw[0] != b'.' {
                    entries.push(Entry {
                        name: long_name.unwrap_or_else(|| short.clone()),
                        short,
                        is_directory: raw[11] & DIRECTORY != 0,
                        read_only: raw[11] & READ_ONLY != 0,
                        cluster: u32::from(le16(raw, 20)) << 16 | u32::from(le16(raw, 26)),
                        size: le32(raw, 28),
                    });
                }
            }
        }
    }
    entries
}

/// The parts of a long name met so far, the last one first.
#[derive(Debug, Default)]
struct LongName {
    units: Vec<u16>,
    /// The part that must come next; 0 when the name is whole.
    next: u8,
    checksum: u8,
}

impl LongName {
    fn take(&mut self, raw: &[u8; ENTRY]) {
        let (number, sum) = (raw[0] & 0x3f, raw[13]);
        if raw[0] & 0x40 != 0 && (1..=MAX_PARTS).contains(&number) {
            *self = Self {
                units: Vec::new(),
                next: number,
                checksum: sum,
            };
        }
        // A part out of order belongs to a name that something else has broken.
        if self.next == 0 || number != self.next || sum != self.checksum {
            *self = Self::default();
            return;
        }
        self.next -= 1;
        let part = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30].map(|at| le16(raw, at));
        self.units.splice(0..0, part);
    }

    /// The name, if it is whole and belongs to the short one with this checksum.
    fn finish(self, checksum: u8) -> Option<String> {
        if self.next != 0 || self.checksum != checksum || self.units.is_empty() {
            return None;
        }
        let units = self.units.into_iter().take_while(|unit| *unit != 0);
        let name: String = char::decode_utf16(units)
            .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
            .collect();
        (!name.is_empty()).then_some(name)
    }
}

/// "ChkSum": over the eleven bytes of the short name.
fn checksum(raw: &[u8; ENTRY]) -> u8 {
    raw.iter()
        .take(11)
        .fold(0_u8, |sum, byte| sum.rotate_right(1).wrapping_add(*byte))
}

/// Code page 437 from 128 on, which Linux takes unless told otherwise. Its letters are also those of most others.
const CODE_PAGE: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐\
                         └┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}";

fn beyond_ascii(byte: u8) -> char {
    let at = byte.checked_sub(128).map(usize::from);
    at.and_then(|at| CODE_PAGE.chars().nth(at))
        .unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// `NAME.EXT`, in lower case where Windows NT says so in byte 12 (Linux fs/fat/fat.h: `CASE_LOWER_BASE`,
/// `CASE_LOWER_EXT`).
fn short_name(raw: &[u8; ENTRY]) -> String {
    let part = |from: usize, to: usize, lower: bool| -> String {
        let bytes = raw.get(from..to).unwrap_or_default();
        let text: String = bytes
            .iter()
            .zip(from..)
            .map(|(byte, at)| match byte {
                // Stands for the byte that would mark a deleted entry.
                0x05 if at == 0 => beyond_ascii(0xe5),
                0x20..0x7f => char::from(*byte),
                _ => beyond_ascii(*byte),
            })
            .flat_map(|c| {
                if lower {
                    c.to_lowercase().collect::<Vec<_>>()
                } else {
                    vec![c]
                }
            })
            .collect();
        text.trim_end_matches(' ').to_owned()
    };
    let (base, extension) = (part(0, 8, raw[12] & 0x08 != 0), part(8, 11, raw[12] & 0x10 != 0));
    if extension.is_empty() {
        base
    } else {
        format!("{base}.{extension}")
    }
}
