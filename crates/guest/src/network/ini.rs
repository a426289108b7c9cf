//! Files of sections, keys and values as systemd and NetworkManager write them (systemd.syntax(7), GLib's key files).

/// Most entries of one file; the rest is left out.
const MAX_ENTRIES: usize = 10_000;

/// `key=value` in a section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry<'t> {
    pub(super) section: &'t str,
    pub(super) key: &'t str,
    pub(super) value: &'t str,
    /// Line, counted from 1.
    pub(super) line: u32,
}

/// Reads all entries in their order. Comments begin with `#` or `;`.
pub(super) fn read(text: &str) -> Vec<Entry<'_>> {
    let mut section = "";
    let mut entries = Vec::new();
    for (number, line) in (1..).zip(text.lines().map(str::trim)) {
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = line.strip_prefix('[') {
            section = name.strip_suffix(']').unwrap_or(name);
        } else if let Some((key, value)) = line.split_once('=')
            && entries.len() < MAX_ENTRIES
        {
            entries.push(Entry {
                section,
                key: key.trim(),
                value: value.trim(),
                line: number,
            });
        }
    }
    entries
}
