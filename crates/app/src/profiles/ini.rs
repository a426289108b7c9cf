//! The two kinds of INI file that `aws` and `rclone` write, each read as its own program reads it.

use std::path::Path;

use configparser::ini::Ini;

use crate::Error;

/// Whose file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Python's `configparser`: names of keys in any case, values that go on in indented lines.
    Aws,
    /// Go's `goconfig`: each line by itself.
    Rclone,
}

/// What stands below a name in brackets; below the same name elsewhere in the file, too.
#[derive(Debug, Default)]
pub(super) struct Section {
    pub(super) name: String,
    entries: Vec<(String, String)>,
}

impl Section {
    /// The value of a key, if it is not empty.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        let (_, value) = self.entries.iter().rfind(|(name, _)| name == key)?;
        Some(value.as_str()).filter(|value| !value.is_empty())
    }

    /// What stands in the lines below `key =`, each a key and a value by itself.
    pub(super) fn nested(&self, key: &str, inner: &str) -> Option<&str> {
        let value = self.get(key)?;
        if !value.starts_with(['\r', '\n']) {
            return None;
        }
        let (_, value) = value
            .lines()
            .filter_map(|line| line.split_once('='))
            .rfind(|(name, _)| name.trim() == inner)?;
        Some(value.trim()).filter(|value| !value.is_empty())
    }
}

/// The sections of the file at `path` with this text, in their order. What stands before the first belongs to none.
///
/// # Errors
/// Code `profile_unreadable`; what it tells of the file is the number of a line.
pub(super) fn sections(path: &Path, text: &str, dialect: Dialect) -> Result<Vec<Section>, Error> {
    let mut ini = Ini::new_cs();
    ini.set_default_section("");
    ini.set_comment_symbols(&['#', ';']);
    ini.set_inline_comment_symbols(Some(&[]));
    ini.set_multiline(dialect == Dialect::Aws);
    // What an editor of Windows puts before the text.
    let text = text.trim_start_matches('\u{feff}').to_owned();
    let sections = ini.read(text).map_err(|cause| {
        Error::new("profile_unreadable")
            .with("path", path.display())
            .with("cause", cause)
    })?;
    let section = |(name, entries): (String, _)| Section {
        name,
        entries: values(entries, dialect),
    };
    let named = sections.into_iter().filter(|(name, _)| !name.is_empty());
    Ok(named.map(section).collect())
}

fn values(entries: impl IntoIterator<Item = (String, Option<String>)>, dialect: Dialect) -> Vec<(String, String)> {
    let name = |key: String| match dialect {
        Dialect::Aws => key.to_lowercase(),
        Dialect::Rclone => key,
    };
    entries
        .into_iter()
        .filter_map(|(key, value)| Some((name(key), value?)))
        .collect()
}
