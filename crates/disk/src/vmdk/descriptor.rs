//! The descriptor: a text that says how the disk is made up, in a file of its own or inside the disk's.

use crate::bytes::has;

/// "The Descriptor File": its embedded form has 20 sectors at most.
pub(super) const MAX_LEN: u64 = 20 * 512;

/// Characters of a file's name that are told on.
const MAX_NAME: usize = 200;

/// What the descriptor says that decides whether the disk can be read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Descriptor {
    pub(super) create_type: Option<String>,
    /// The file that this one holds only the changes to; `?` where it has no name.
    pub(super) parent: Option<String>,
    pub(super) extents: Vec<Extent>,
}

/// One line of the "extent description".
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Extent {
    /// `FLAT`, `SPARSE`, `ZERO`, `VMFS`, ...
    pub(super) kind: String,
    pub(super) file: Option<String>,
}

impl Descriptor {
    pub(super) fn parse(bytes: &[u8]) -> Self {
        let text = text(bytes);
        let mut descriptor = Self::default();
        for line in text.lines().map(str::trim) {
            if line.starts_with('#') {
                continue;
            }
            if let Some(extent) = extent(line) {
                descriptor.extents.push(extent);
            } else if let Some((key, value)) = line.split_once('=') {
                let value = value.trim().trim_matches('"');
                match key.trim() {
                    "createType" => descriptor.create_type = word(value),
                    // "ffffffff" is CID_NOPARENT.
                    "parentCID" if !value.eq_ignore_ascii_case("ffffffff") => {
                        descriptor.parent.get_or_insert_with(|| "?".to_owned());
                    }
                    _ => {}
                }
            }
        }
        // QEMU opens the file named after this word wherever it finds it, even in a comment.
        if let Some((_, rest)) = text.split_once("parentFileNameHint") {
            let value = rest.trim_start_matches([' ', '=', '"']);
            let name = value.split(['"', '\r', '\n']).next().unwrap_or_default();
            descriptor.parent = Some(printable(name));
        }
        descriptor
    }
}

/// Is this a descriptor in a file of its own? After comments and empty lines, its first words are `version=`.
pub(super) fn is_descriptor(head: &[u8]) -> bool {
    // A VMDK that calls itself one, or any that QEMU would take for one.
    if has(head, 0, b"# Disk DescriptorFile") {
        return true;
    }
    let text = text(head);
    let first = text
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty() && !line.starts_with('#'));
    first.is_some_and(|line| line.starts_with("version=")) && Descriptor::parse(head).create_type.is_some()
}

/// As much as can be a descriptor: 20 sectors, or up to the zero byte that ends it.
fn text(bytes: &[u8]) -> String {
    let len = bytes.len().min(usize::try_from(MAX_LEN).unwrap_or(usize::MAX));
    let bytes = bytes.get(..len).unwrap_or_default();
    String::from_utf8_lossy(bytes.split(|byte| *byte == 0).next().unwrap_or_default()).into_owned()
}

fn word(value: &str) -> Option<String> {
    let is_word = !value.is_empty() && value.len() <= 40 && value.chars().all(|c| c.is_ascii_alphanumeric());
    is_word.then(|| value.to_owned())
}

/// `RW 4192256 SPARSE "disk-s001.vmdk"`, perhaps with an offset behind: access, sectors, kind, file.
fn extent(line: &str) -> Option<Extent> {
    let mut quoted = line.splitn(3, '"');
    let mut words = quoted.next()?.split_ascii_whitespace();
    if !matches!(words.next()?, "RW" | "RDONLY" | "NOACCESS") {
        return None;
    }
    words.next()?.parse::<u64>().ok()?;
    Some(Extent {
        kind: word(words.next()?)?,
        file: quoted.next().map(printable),
    })
}

/// A name that is safe to show: short, and without characters that a terminal obeys or that turn the text around.
fn printable(name: &str) -> String {
    let turns = |c| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let shown = name.chars().filter(|c| !c.is_control() && !turns(*c));
    let name: String = shown.take(MAX_NAME).collect();
    if name.is_empty() { "?".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A descriptor as VMware's tools write it, with these lines instead of the usual ones.
    fn parse(lines: &str) -> Descriptor {
        Descriptor::parse(
            format!("# Disk DescriptorFile\r\nversion=1\r\n{lines}\r\n\0RW 1 FLAT \"behind\" 0\n").as_bytes(),
        )
    }

    #[test]
    fn what_vmware_writes() {
        let descriptor = parse(
            "encoding=\"windows-1252\"\nCID=fffffffe\nparentCID=ffffffff\ncreateType=\"twoGbMaxExtentFlat\"\n\n# Extent \
             description\nRW 4192256 FLAT \"My disk-f001.vmdk\" 0\nRDONLY 63 ZERO\nRW 1 SPARSE \"b.vmdk\"",
        );
        assert_eq!(descriptor.create_type.as_deref(), Some("twoGbMaxExtentFlat"));
        assert_eq!(descriptor.parent, None);
        let extents: Vec<_> = descriptor
            .extents
            .iter()
            .map(|extent| (extent.kind.as_str(), extent.file.as_deref()))
            .collect();
        assert_eq!(
            extents,
            [
                ("FLAT", Some("My disk-f001.vmdk")),
                ("ZERO", None),
                ("SPARSE", Some("b.vmdk"))
            ]
        );
    }

    #[test]
    fn a_parent_is_found_however_it_is_written() {
        for (lines, parent) in [
            ("parentCID=ab276841", "?"),
            ("parentCID = AB276841\nparentFileNameHint=\"base.vmdk\"", "base.vmdk"),
            ("parentFileNameHint=\"../a b.vmdk\"\nparentCID=ffffffff", "../a b.vmdk"),
            ("# parentFileNameHint=\"/etc/passwd\"", "/etc/passwd"),
            ("parentFileNameHint=\"\u{1b}[2J\u{202e}evil\"", "[2Jevil"),
            ("parentFileNameHint", "?"),
        ] {
            assert_eq!(parse(lines).parent.as_deref(), Some(parent), "{lines}");
        }
        assert_eq!(parse("parentCID=FFFFFFFF").parent, None);
    }

    #[test]
    fn a_descriptor_is_known_by_its_first_words() {
        assert!(is_descriptor(b"# Disk DescriptorFile\n"));
        assert!(is_descriptor(
            b"\n# made by hand\n version=1\r\ncreateType=\"vmfs\"\r\n"
        ));
        assert!(!is_descriptor(b"# a letter\nversion=1\n"));
        assert!(!is_descriptor(b"createType=\"vmfs\"\nversion=1\n"));
    }
}
