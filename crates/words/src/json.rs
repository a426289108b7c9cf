//! The report as the JSON of `docs/report-json.md`.

use std::fmt::Write as _;

use serde::Serialize;

/// A value as indented JSON without a line feed at its end; a report becomes the JSON of `docs/report-json.md`.
///
/// # Errors
/// When the value cannot be JSON; a report always can.
pub fn json(value: &impl Serialize) -> serde_json::Result<String> {
    serde_json::to_string_pretty(value).map(|json| escaped(&json))
}

/// JSON lets the control characters from U+007F to U+009F stand as they are, but some terminals obey them. They can only
/// stand inside strings here.
fn escaped(json: &str) -> String {
    json.chars()
        .fold(String::with_capacity(json.len()), |mut text, character| {
            if matches!(character, '\u{7f}'..='\u{9f}') {
                // Writing into a String cannot fail.
                _ = write!(text, "\\u{:04x}", u32::from(character));
            } else {
                text.push(character);
            }
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_with_a_name_that_steers_terminals_is_harmless_and_still_says_the_same() {
        let shown = json(&"x\u{9b}31m").unwrap();
        assert!(!shown.contains('\u{9b}'), "{shown:?}");
        assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), "x\u{9b}31m");
    }
}
