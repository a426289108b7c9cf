//! The few habits of a POSIX shell (dash) that decide what ds-identify reads: `read` without `-r`, trimming, fields.

/// The lines that `while read line` passes on: blanks at both ends taken away, a backslash taken away and joining lines,
/// and what stands behind the last newline never seen.
pub(super) fn read_lines(text: &str) -> Vec<(u32, String)> {
    let mut lines = Vec::new();
    let mut number = 1_u32;
    let mut began = 1;
    let mut line = String::new();
    // Blanks that a backslash protects are no blanks at an end.
    let mut protected = 0;
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        match c {
            '\\' => match characters.next() {
                Some('\n') => number = number.saturating_add(1),
                Some(next) => {
                    line.push(next);
                    protected = line.len();
                }
                None => {}
            },
            '\n' => {
                let kept = line
                    .get(protected..)
                    .unwrap_or_default()
                    .trim_end_matches([' ', '\t'])
                    .len();
                line.truncate(protected + kept);
                lines.push((began, std::mem::take(&mut line)));
                protected = 0;
                number = number.saturating_add(1);
                began = number;
            }
            ' ' | '\t' if line.is_empty() => {}
            // dash leaves them out.
            '\0' => {}
            c => line.push(c),
        }
    }
    lines
}

/// `${value%%#*}`: without a comment.
pub(super) fn without_comment(line: &str) -> &str {
    line.split('#').next().unwrap_or_default()
}

/// `trim`: without any white space at both ends.
pub(super) fn trim(value: &str) -> &str {
    value.trim_matches([' ', '\t', '\n', '\r', '\x0b', '\x0c'])
}

/// `unquote`: without one pair of quotes around it.
pub(super) fn unquote(value: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some(inner) = value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) {
            return inner;
        }
    }
    value
}

/// `parse_yaml_array`, and the words of its result: names between commas, with or without brackets around them all.
pub(super) fn yaml_array(value: &str) -> Vec<String> {
    let value = value.strip_prefix('[').unwrap_or(value);
    let value = value.strip_suffix(']').unwrap_or(value);
    let names = value.split(',').map(|token| unquote(trim(token)));
    // The result is a text that is split at white space again.
    names.flat_map(str::split_ascii_whitespace).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_dash_reads_them() {
        let lines = |text: &str| read_lines(text).into_iter().map(|(_, line)| line).collect::<Vec<_>>();
        assert_eq!(
            lines("  a b \t\n\n\tc"),
            ["a b", ""],
            "the last line has no end and is not read"
        );
        assert_eq!(
            read_lines("a\\\nb\\x\nc\n"),
            [(1, "abx".to_owned()), (3, "c".to_owned())]
        );
        assert_eq!(lines("\\ a\\ \n"), [" a "], "a backslash protects a blank");
    }

    #[test]
    fn arrays_are_read_with_their_oddities() {
        assert_eq!(
            yaml_array("[ NoCloud, 'ConfigDrive', \"None\" ]"),
            ["NoCloud", "ConfigDrive", "None"]
        );
        assert_eq!(yaml_array("A, B,"), ["A", "B"]);
        assert_eq!(yaml_array(" [A, B] "), ["[A", "B]"], "a blank before the bracket");
        assert!(yaml_array("[]").is_empty());
    }
}
