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
    /// An error of the given kind with a stable code (`snake_case`).
    pub fn new(kind: Kind, code: &'static str) -> Self {
        Self { kind, code, params: Vec::new(), source: None }
    }

    /// Adds a named parameter for the sentence made from the code: an offset, a feature's name, a number.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        self.params.push((name, value.to_string()));
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
