//! What can go wrong between a virtual disk and the facts about it, as codes and parameters.

use std::{collections::BTreeMap, fmt};

pub use lotse_disk::Kind;

use crate::facts::Unknown;

/// Shorthand for this crate's results.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error with a stable code; sentences are made from code and parameters elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    kind: Kind,
    code: &'static str,
    params: Vec<(&'static str, String)>,
}

impl Error {
    /// Every code that this crate itself makes; [`lotse_disk::Error::CODES`] pass through as they are.
    pub const CODES: &'static [&'static str] = &[
        "ext_corrupt",
        "ext_feature_not_read",
        "fat_corrupt",
        "file_compressed",
        "file_encrypted",
        "file_too_large",
        "filesystem_not_read",
        "journal_dirty",
        "partition_table_corrupt",
        "too_much_to_read",
    ];

    /// An error of the given kind with a stable code (`snake_case`).
    pub fn new(kind: Kind, code: &'static str) -> Self {
        Self {
            kind,
            code,
            params: Vec::new(),
        }
    }

    /// Adds a named parameter for the sentence made from the code.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        self.params.push((name, value.to_string()));
        self
    }

    /// What sort of failure this is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The stable code, one of [`Error::CODES`] or of [`lotse_disk::Error::CODES`].
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

impl std::error::Error for Error {}

impl From<lotse_disk::Error> for Error {
    fn from(error: lotse_disk::Error) -> Self {
        Self {
            kind: error.kind(),
            code: error.code(),
            params: error.params().to_vec(),
        }
    }
}

/// A fact that could not be read because of an error is unknown for the error's reason.
impl From<&Error> for Unknown {
    fn from(error: &Error) -> Self {
        let params: BTreeMap<_, _> = error
            .params
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect();
        Self {
            code: error.code.to_owned(),
            params,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    /// A code of this crate ends as the reason of an unknown fact and needs its sentence there; a code that is made
    /// but not listed would have none.
    #[test]
    fn codes_are_listed_and_have_texts() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        for code in Error::CODES {
            assert!(Unknown::CODES.contains(code), "{code}");
            for language in ["de", "en"] {
                let texts = fs::read_to_string(folder.join(format!("../../ui/messages/{language}.json"))).unwrap();
                assert!(
                    texts.contains(&format!("\"unknown_{code}\":")),
                    "{language}: unknown_{code}"
                );
            }
        }
        let mut folders = vec![folder.join("src")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let text = fs::read_to_string(&path).unwrap();
                // In two pieces, so that this line itself is not found.
                for piece in text.split(concat!("Error::new", "(Kind::")).skip(1) {
                    let code = piece.split('"').nth(1).unwrap_or_default();
                    assert!(Error::CODES.contains(&code), "{code} in {}", path.display());
                }
            }
        }
    }
}
