//! The two kinds of INI file that `aws` and `rclone` write, each read as its own program reads it. They are foreign input: what
//! makes no sense is passed over.

/// Whose file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Python's `configparser`: names of keys in any case, values that go on in indented lines.
    Aws,
    /// Go's `goconfig`: each line by itself.
    Rclone,
}

/// A section as it stands in the file; the same name may come again.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Section {
    pub(super) name: String,
    entries: Vec<(String, String)>,
}

impl Section {
    /// The value of a key, if it is not empty. Of several the last one counts.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        let (_, value) = self.entries.iter().rfind(|(name, _)| name == key)?;
        Some(value.as_str()).filter(|value| !value.is_empty())
    }

    /// What stands in the lines below `key =`, each a key and a value by itself.
    pub(super) fn nested(&self, key: &str, inner: &str) -> Option<&str> {
        let below = self.get(key)?.strip_prefix('\n')?;
        let (_, value) = below
            .lines()
            .filter_map(|line| line.split_once('='))
            .rfind(|(name, _)| name.trim() == inner)?;
        Some(value.trim()).filter(|value| !value.is_empty())
    }

    /// Takes over what another section of the same name says, which counts more.
    pub(super) fn update(&mut self, other: Section) {
        self.entries.extend(other.entries);
    }
}

/// The sections of a file in their order. What stands before the first belongs to none.
pub(super) fn sections(text: &str, dialect: Dialect) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    // How far the line is indented whose value may go on in the next one.
    let mut goes_on = None;
    for line in text.trim_start_matches('\u{feff}').lines() {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
            continue;
        }
        let indent = line.len() - line.trim_start().len();
        if dialect == Dialect::Aws
            && goes_on.is_some_and(|of_key| indent > of_key)
            && let Some((_, value)) = sections.last_mut().and_then(|section| section.entries.last_mut())
        {
            value.push('\n');
            value.push_str(trimmed);
            continue;
        }
        goes_on = None;
        if let Some(name) = header(trimmed, dialect) {
            sections.push(Section {
                name: name.to_owned(),
                entries: Vec::new(),
            });
        } else if let (Some((key, value)), Some(section)) = (trimmed.split_once(['=', ':']), sections.last_mut()) {
            let key = match dialect {
                Dialect::Aws => key.trim().to_lowercase(),
                Dialect::Rclone => key.trim().to_owned(),
            };
            section.entries.push((key, value.trim().to_owned()));
            goes_on = Some(indent);
        }
    }
    sections
}

fn header(line: &str, dialect: Dialect) -> Option<&str> {
    let inner = line.strip_prefix('[')?;
    match dialect {
        // What comes behind the last bracket is passed over.
        Dialect::Aws => inner.rsplit_once(']').map(|(name, _)| name),
        Dialect::Rclone => inner.strip_suffix(']').map(str::trim),
    }
    .filter(|name| !name.is_empty())
}
