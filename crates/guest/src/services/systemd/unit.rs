//! Unit files: their entries with lines (systemd.syntax(7)), and the names of units and instances (systemd.unit(5)).

use crate::Evidence;

/// One `key=value` of a unit file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Name of the section without its brackets.
    pub(crate) section: String,
    /// As it stands there: keys are told apart by case.
    pub(crate) key: String,
    /// Continued lines are joined by a space.
    pub(crate) value: String,
    /// File and line of the key.
    pub(crate) place: Evidence,
}

/// Reads a unit file or a drop-in. A backslash continues a line, and comments may stand between.
pub(crate) fn entries(path: &str, text: &str) -> Vec<Entry> {
    let mut found = Vec::new();
    let mut section = String::new();
    let mut continued: Option<(u32, String)> = None;
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.starts_with(['#', ';']) {
            continue;
        }
        let (start, whole) = match continued.take() {
            Some((start, before)) => (start, format!("{before} {line}")),
            None => (number, line.to_owned()),
        };
        if let Some(before) = whole.strip_suffix('\\') {
            continued = Some((start, before.trim_end().to_owned()));
        } else {
            add(&mut found, &mut section, path, start, &whole);
        }
    }
    if let Some((start, whole)) = continued {
        add(&mut found, &mut section, path, start, &whole);
    }
    found
}

fn add(found: &mut Vec<Entry>, section: &mut String, path: &str, line: u32, whole: &str) {
    if let Some(name) = whole.strip_prefix('[') {
        name.strip_suffix(']').unwrap_or(name).clone_into(section);
        return;
    }
    let Some((key, value)) = whole.split_once('=') else {
        return;
    };
    let (key, value) = (key.trim(), value.trim());
    found.push(Entry {
        section: section.clone(),
        key: key.to_owned(),
        value: value.to_owned(),
        place: Evidence::path(path).line(line).value(&format!("{key}={value}")),
    });
}

/// The template of an instance, `sshd@.service` of `sshd@tty1.service`.
pub(crate) fn template(name: &str) -> Option<String> {
    let (prefix, rest) = name.split_once('@')?;
    let (instance, suffix) = rest.rsplit_once('.')?;
    (!instance.is_empty()).then(|| format!("{prefix}@.{suffix}"))
}

/// Is it the name of a template, which cannot run itself?
pub(crate) fn is_template(name: &str) -> bool {
    name.split_once('@').is_some_and(|(_, rest)| rest.starts_with('.'))
}

/// Is it a name that a unit may have? The suffix is one of systemd's (systemd.unit(5)).
pub(crate) fn is_unit(name: &str) -> bool {
    const SUFFIXES: &[&str] = &[
        "service",
        "socket",
        "target",
        "timer",
        "path",
        "mount",
        "automount",
        "swap",
        "slice",
        "device",
        "scope",
    ];
    name.rsplit_once('.')
        .is_some_and(|(prefix, suffix)| !prefix.is_empty() && SUFFIXES.contains(&suffix))
}

/// What stands behind a name's last dot, its type.
pub(super) fn suffix(name: &str) -> &str {
    name.rsplit_once('.').map_or("", |(_, suffix)| suffix)
}

/// Replaces the specifiers of a unit's own name (systemd.unit(5), "Specifiers"); `None` with any other one.
pub(crate) fn expand(text: &str, unit: &str) -> Option<String> {
    if !text.contains('%') {
        return Some(text.to_owned());
    }
    let whole = unit.rsplit_once('.').map_or(unit, |(whole, _)| whole);
    let (prefix, instance) = whole.split_once('@').unwrap_or((whole, ""));
    let mut expanded = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character != '%' {
            expanded.push(character);
            continue;
        }
        expanded.push_str(match characters.next()? {
            'i' | 'I' => instance,
            'p' | 'P' => prefix,
            'j' | 'J' => prefix.rsplit('-').next().unwrap_or(prefix),
            'n' => unit,
            'N' => whole,
            '%' => "%",
            _ => return None,
        });
    }
    Some(expanded)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_are_continued_over_comments() {
        let text = "# Wants=a.service\n[Unit]\nWants=b.service \\\n# comment\n; other\n  c.service\nAfter = d.service\n[Install]\nWantedBy=x.target";
        let found = entries("/u", text);
        let plain: Vec<_> = found
            .iter()
            .map(|entry| {
                (
                    entry.section.as_str(),
                    entry.key.as_str(),
                    entry.value.as_str(),
                    entry.place.line,
                )
            })
            .collect();
        assert_eq!(
            plain,
            [
                ("Unit", "Wants", "b.service c.service", Some(3)),
                ("Unit", "After", "d.service", Some(7)),
                ("Install", "WantedBy", "x.target", Some(9)),
            ]
        );
    }

    #[test]
    fn instances_have_a_template_and_fill_in_its_specifiers() {
        assert_eq!(template("sshd@a.b.service").as_deref(), Some("sshd@.service"));
        assert_eq!(template("sshd.service"), None);
        assert!(is_template("sshd@.service") && template("sshd@.service").is_none());
        assert_eq!(
            expand("k@%i.service", "sshd-keygen@rsa.service").as_deref(),
            Some("k@rsa.service")
        );
        assert_eq!(expand("%p-%j%%", "a-b@c.service").as_deref(), Some("a-b-b%"));
        assert_eq!(expand("%H", "a.service"), None, "the host's name is not known here");
        assert!(is_unit("a.service") && !is_unit(".service") && !is_unit("a.wants") && !is_unit("a"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_text_is_read(text in "([a-z=\\[\\]\\\\#;% \n@.]|Unit|Wants=){0,60}") {
            for entry in entries("/u", &text) {
                prop_assert!(entry.place.line.unwrap() as usize <= text.lines().count());
                prop_assert!(!entry.key.contains('\n') && !entry.value.contains('\n'));
            }
            _ = (template(&text), expand(&text, &text), is_unit(&text));
        }
    }
}
