//! Words from an image, a file's name or a service, made harmless.

use lotse_requirements::Report;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

/// Text from outside, made harmless for a terminal: without control characters it can neither move the cursor nor change
/// what was printed before, without marks of direction it cannot turn a line round.
pub fn plain(text: &str) -> String {
    let harmful = |character: char| {
        character.is_control()
            || matches!(character, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars()
        .map(|character| if harmful(character) { '\u{fffd}' } else { character })
        .collect()
}

/// The report with every string made [`plain`], wherever in it the image's own words stand.
pub(crate) fn plain_report(report: &Report) -> Report {
    plain_values(report)
}

/// The same with a part of a report.
pub(crate) fn plain_values<T: Clone + Serialize + DeserializeOwned>(report: &T) -> T {
    fn walk(value: &mut Value) {
        match value {
            Value::String(text) => *text = plain(text),
            Value::Array(values) => values.iter_mut().for_each(walk),
            Value::Object(fields) => fields.values_mut().for_each(walk),
            _ => {}
        }
    }
    let Ok(mut value) = serde_json::to_value(report) else {
        return report.clone();
    };
    walk(&mut value);
    serde_json::from_value(value).unwrap_or_else(|_| report.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_can_steer_a_terminal_or_turn_a_line_round() {
        assert_eq!(plain("\u{1b}[2Jready\r"), "\u{fffd}[2Jready\u{fffd}");
        assert_eq!(plain("gpj.\u{202e}exe"), "gpj.\u{fffd}exe");
        assert_eq!(plain("Größe 😀"), "Größe 😀", "what does no harm stays as it is");
    }
}
