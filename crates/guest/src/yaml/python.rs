//! Texts that a parser of YAML 1.2 takes and PyYAML does not.

use std::ops::Range;

/// Does PyYAML refuse the text, whatever stands in it otherwise: by its characters (`Reader.NON_PRINTABLE`), or because a
/// document ends before it begins?
pub(super) fn rejects(text: &str) -> bool {
    let mut lines = text
        .lines()
        .filter(|line| !line.trim_start().is_empty() && !line.trim_start().starts_with('#'));
    if lines.next().is_some_and(|line| line.trim_end() == "...") {
        return true;
    }
    text.chars().any(|c| {
        !matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
    })
}

/// Behind quotes and brackets PyYAML takes a comment without a space before it, which YAML 1.2 does not: the text with
/// that space, `None` where there is nothing to be changed.
pub(super) fn with_comments_apart(text: &str) -> Option<String> {
    const ENDS: &[char] = &[']', '}', '\'', '"'];
    let mut apart = String::with_capacity(text.len());
    let mut changed = false;
    let mut before = ' ';
    for c in text.chars() {
        if c == '#' && ENDS.contains(&before) {
            apart.push(' ');
            changed = true;
        }
        apart.push(c);
        before = c;
    }
    changed.then_some(apart)
}

/// PyYAML takes a tab in quotes, in blocks and in comments only; everywhere else it is an error.
pub(super) struct Tabs<'a> {
    text: &'a str,
    /// Where quotes and blocks stand, in their order.
    allowed: Vec<Range<usize>>,
    /// There is a tab at all.
    any: bool,
}

impl<'a> Tabs<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            text,
            allowed: Vec::new(),
            any: text.contains('\t'),
        }
    }

    /// A quoted or block scalar stands from one byte to before another.
    pub(super) fn allow(&mut self, start: Option<usize>, end: Option<usize>) {
        if let (true, Some(start), Some(end)) = (self.any, start, end) {
            self.allowed.push(start..end);
        }
    }

    /// The line, counted from 1, of the first tab in another place.
    pub(super) fn left(&self) -> Option<u32> {
        if !self.any {
            return None;
        }
        let mut allowed = self.allowed.iter().peekable();
        let mut in_comment = false;
        let mut before = '\n';
        let mut line = 1_u32;
        for (at, c) in self.text.char_indices() {
            while allowed.next_if(|range| range.end <= at).is_some() {}
            let inside = allowed.peek().is_some_and(|range| range.contains(&at));
            match c {
                '\n' => {
                    in_comment = false;
                    line = line.saturating_add(1);
                }
                '\r' => in_comment = false,
                '#' if !inside && matches!(before, ' ' | '\t' | '\n' | '\r') => in_comment = true,
                '\t' if !inside && !in_comment => return Some(line),
                _ => {}
            }
            before = c;
        }
        None
    }
}
