//! What can go wrong between a container file and a virtual disk, as codes and parameters.

use std::{fmt, io};

/// Shorthand for this crate's results.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What sort of failure an [`Error`] is: who can do something about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// The operating system could not read the file. Often passes by itself or with other permissions.
    Io,
    /// The bytes contradict the format's specification.
    Corrupt,
    /// Valid, but a feature or format that Imagelotse does not read (yet).
    Incompatible,
    /// Valid, but not safe to read: it refers to other files, or is two formats at once.
    Refused,
}

/// An error with a stable code; sentences are made from code and parameters elsewhere.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    code: &'static str,
    params: Vec<(&'static str, String)>,
    source: Option<io::Error>,
}

impl Error {
    /// Every code that this crate makes. Each has the texts `error_<code>` and `error_<code>_next` in `ui/messages`.
    pub const CODES: &'static [&'static str] = &[
        "bzip2_corrupt",
        "bzip2_crc",
        "bzip2_trailing",
        "bzip2_truncated",
        "compressed_twice",
        "container_truncated",
        "file_empty",
        "file_is_directory",
        "file_not_found",
        "file_not_regular",
        "file_permission_denied",
        "file_read_failed",
        "file_unreadable",
        "format_not_accepted",
        "format_not_read_yet",
        "gzip_corrupt",
        "gzip_crc",
        "gzip_trailing",
        "gzip_truncated",
        "not_a_disk_image",
        "qcow2_backing_file",
        "qcow2_compression",
        "qcow2_corrupt",
        "qcow2_data_file",
        "qcow2_encrypted",
        "qcow2_features",
        "qcow2_marked_corrupt",
        "read_past_end",
        "source_too_short",
        "two_formats",
        "unpacked_too_large",
        "vdi_corrupt",
        "vdi_features",
        "vdi_parent",
        "vhdx_corrupt",
        "vhdx_features",
        "vhdx_parent",
        "virtual_size_too_large",
        "vmdk_corrupt",
        "vmdk_features",
        "vmdk_foreign_extent",
        "vmdk_parent",
        "vmdk_part",
    ];

    /// An error of the given kind with a stable code (`snake_case`).
    pub fn new(kind: Kind, code: &'static str) -> Self {
        Self {
            kind,
            code,
            params: Vec::new(),
            source: None,
        }
    }

    /// Adds a named parameter for the sentence made from the code: an offset, a feature's name, a number.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        self.params.push((name, value.to_string()));
        self
    }

    /// Adds the operating system's error, as the parameter `cause` too.
    #[must_use]
    pub fn caused_by(mut self, source: io::Error) -> Self {
        self.params.push(("cause", source.to_string()));
        self.source = Some(source);
        self
    }

    /// What sort of failure this is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The stable code, one of [`Error::CODES`].
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// Named parameters in the order in which they were added.
    pub fn params(&self) -> &[(&'static str, String)] {
        &self.params
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code)?;
        for (name, value) in &self.params {
            write!(f, " {name}={value}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;
    use crate::Note;

    /// A code that is not listed would reach a person without a sentence.
    #[test]
    fn every_code_in_the_source_is_listed_and_every_listed_code_is_made() {
        let mut made = BTreeSet::new();
        let mut notes = BTreeSet::new();
        let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let text = fs::read_to_string(path).unwrap();
                let code = |piece: &str| piece.split('"').next().map(str::to_owned);
                notes.extend(text.split("Note::new(\"").skip(1).filter_map(code));
                // A code is always named right after its kind.
                for piece in text.split("Error::new(Kind::").skip(1) {
                    let Some((_, rest)) = piece.split_once(", \"") else {
                        continue;
                    };
                    let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
                    if let Some((code, _)) = rest.split_once('"')
                        && code.chars().all(is_part)
                    {
                        made.insert(code.to_owned());
                    }
                }
            }
        }
        let listed: BTreeSet<String> = Error::CODES.iter().map(|code| (*code).to_owned()).collect();
        assert_eq!(made, listed, "codes made in the source (left) and codes listed (right)");
        let listed: BTreeSet<String> = Note::CODES.iter().map(|code| (*code).to_owned()).collect();
        // This test has the pattern that it looks for.
        notes.retain(|code| code.starts_with(|c: char| c.is_ascii_lowercase()));
        assert_eq!(
            notes, listed,
            "notes made in the source (left) and notes listed (right)"
        );
    }

    #[test]
    fn every_code_has_its_texts_in_both_languages() {
        for language in ["de", "en"] {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../ui/messages/{language}.json"));
            let texts: serde_json::Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
            for code in Error::CODES {
                assert!(texts[format!("error_{code}")].is_string(), "{language}: error_{code}");
                assert!(
                    texts[format!("error_{code}_next")].is_string(),
                    "{language}: error_{code}_next"
                );
            }
            for code in Note::CODES {
                assert!(texts[format!("note_{code}")].is_string(), "{language}: note_{code}");
            }
        }
    }

    #[test]
    fn the_list_of_codes_is_sorted() {
        assert!(Error::CODES.is_sorted());
        assert!(Note::CODES.is_sorted());
    }
}
