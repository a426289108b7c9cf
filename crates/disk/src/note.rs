//! What is worth telling about a container that is read all the same, as codes and parameters.

use std::fmt;

/// Something that a person may want to know and that does no harm to what is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    code: &'static str,
    params: Vec<(&'static str, String)>,
}

impl Note {
    /// Every code that this crate makes. Each has the text `note_<code>` in `ui/messages`.
    pub const CODES: &'static [&'static str] = &["qcow2_dirty", "qcow2_snapshots", "vhdx_log_replayed"];

    /// A note with a stable code (`snake_case`), one of [`Note::CODES`].
    pub(crate) fn new(code: &'static str) -> Self {
        Self {
            code,
            params: Vec::new(),
        }
    }

    /// Adds a named parameter for the sentence made from the code.
    #[must_use]
    pub(crate) fn with(mut self, name: &'static str, value: &dyn fmt::Display) -> Self {
        self.params.push((name, value.to_string()));
        self
    }

    /// The stable code, one of [`Note::CODES`].
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// Named parameters in the order in which they were added.
    pub fn params(&self) -> &[(&'static str, String)] {
        &self.params
    }
}
