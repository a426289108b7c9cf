//! Shell patterns as fnmatch(3) and ssh_config(5) know them: `*`, `?` and, for the shell's, `[…]`.

/// Does a shell's pattern match the whole text? A backslash takes the next character as it stands, and so does a `[`
/// that nothing closes.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    match_parts(&parts(pattern), text)
}

/// Does one of OpenSSH's patterns match the whole text? They know `*` and `?` only (ssh_config(5), "PATTERNS").
pub(crate) fn matches_simple(pattern: &str, text: &str) -> bool {
    let parts: Vec<Part> = pattern
        .chars()
        .map(|character| match character {
            '*' => Part::Any,
            '?' => Part::One,
            other => Part::Is(other),
        })
        .collect();
    match_parts(&parts, text)
}

enum Part {
    Any,
    One,
    Is(char),
    /// Ranges of characters, and whether the others are meant.
    Of(Vec<(char, char)>, bool),
}

fn parts(pattern: &str) -> Vec<Part> {
    let characters: Vec<char> = pattern.chars().collect();
    let mut found = Vec::new();
    let mut rest = characters.as_slice();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        found.push(match first {
            '*' => Part::Any,
            '?' => Part::One,
            '\\' => match rest.split_first() {
                Some((next, after)) => {
                    rest = after;
                    Part::Is(*next)
                }
                None => Part::Is('\\'),
            },
            '[' => match set(rest) {
                Some((part, after)) => {
                    rest = after;
                    part
                }
                None => Part::Is('['),
            },
            other => Part::Is(*other),
        });
    }
    found
}

/// What follows a `[`, and what is left behind its `]`.
fn set(text: &[char]) -> Option<(Part, &[char])> {
    let (inverted, mut rest) = match text.split_first() {
        Some(('!' | '^', after)) => (true, after),
        _ => (false, text),
    };
    let mut ranges = Vec::new();
    loop {
        let (first, after) = rest.split_first()?;
        // A `]` that stands first is one of the characters.
        if *first == ']' && !ranges.is_empty() {
            return Some((Part::Of(ranges, inverted), after));
        }
        match after {
            ['-', last, after @ ..] if *last != ']' => {
                ranges.push((*first, *last));
                rest = after;
            }
            _ => {
                ranges.push((*first, *first));
                rest = after;
            }
        }
    }
}

/// Goes back to the last `*` only, so that the time is bounded by pattern times text.
fn match_parts(parts: &[Part], text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut in_text) = (0, 0);
    // Behind the last `*`, and how far the text had come when it took nothing more.
    let mut star: Option<(usize, usize)> = None;
    while let Some(character) = text.get(in_text) {
        let fits = match parts.get(at) {
            Some(Part::Any) => {
                star = Some((at + 1, in_text));
                at += 1;
                continue;
            }
            Some(Part::One) => true,
            Some(Part::Is(wanted)) => wanted == character,
            Some(Part::Of(ranges, inverted)) => {
                ranges.iter().any(|(first, last)| (first..=last).contains(&character)) != *inverted
            }
            None => false,
        };
        if fits {
            at += 1;
            in_text += 1;
        } else if let Some((behind, taken)) = star {
            star = Some((behind, taken + 1));
            at = behind;
            in_text = taken + 1;
        } else {
            return false;
        }
    }
    parts
        .get(at..)
        .unwrap_or_default()
        .iter()
        .all(|part| matches!(part, Part::Any))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn patterns_match_as_the_shell_does() {
        for (pattern, text) in [
            ("*", ""),
            ("*.conf", "50-cloud-init.conf"),
            ("ssh?.s*e", "sshd.service"),
            ("[0-9]*-[!a-c]", "10-d"),
            ("[]x]", "]"),
            ("a[b", "a[b"),
            ("a\\*", "a*"),
            ("*a*b*c", "xxaxxbxxcxc"),
            ("getty@.service", "getty@.service"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("?", ""),
            ("*.conf", "x.conf~"),
            ("[a-c]", "d"),
            ("a\\*", "ab"),
            ("", "a"),
            ("a*b", "a"),
        ] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
        assert!(
            matches_simple("[a]*", "[a]b") && !matches_simple("[a]", "a"),
            "OpenSSH has no sets"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_pattern_ends_and_literal_text_matches_itself(pattern in "[a-c*?\\[\\]!\\\\-]{0,40}", text in "[a-c]{0,200}") {
            _ = (matches(&pattern, &text), matches_simple(&pattern, &text));
            prop_assert!(matches(&text, &text) && matches_simple(&text, &text));
            let around = format!("*{text}*");
            prop_assert!(matches(&around, &text));
        }
    }
}
