//! `lotse check`: the report as text or as the JSON of `docs/report-json.md`; the exit status is part of that contract.

use std::{fmt::Write as _, path::Path, process::ExitCode};

use lotse_app::Error;
use lotse_requirements::{Report, Verdict};
use serde::Serialize;

use crate::{
    report,
    text::{Text, print_error, print_line},
};

/// The file could not be read as a disk image at all.
pub(crate) const NOT_READ: u8 = 2;

pub(crate) fn run(text: &Text, file: &Path, json: bool) -> ExitCode {
    let checked = lotse_app::check(file);
    match (&checked, json) {
        (Ok(checked), true) => print_json(&checked.report),
        (Ok(checked), false) => report::print(text, &checked.report),
        (Err(error), true) => print_json(&Unread {
            schema: 1,
            error: error.into(),
        }),
        (Err(error), false) => print_error(text, error),
    }
    ExitCode::from(checked.map_or(NOT_READ, |checked| status(&checked.report)))
}

/// 0 ready (also with warnings), 1 will not work, 3 unknown.
fn status(report: &Report) -> u8 {
    match report.verdict {
        Verdict::Ready | Verdict::ReadyWithWarnings => 0,
        Verdict::WillNotWork => 1,
        Verdict::Unknown => 3,
    }
}

/// What `--json` prints instead of a report.
#[derive(Serialize)]
struct Unread<'a> {
    schema: u32,
    error: UnreadError<'a>,
}

#[derive(Serialize)]
struct UnreadError<'a> {
    code: &'a str,
    params: &'a std::collections::BTreeMap<String, String>,
}

impl<'a> From<&'a Error> for UnreadError<'a> {
    fn from(error: &'a Error) -> Self {
        Self {
            code: &error.code,
            params: &error.params,
        }
    }
}

/// One JSON object on standard output, and nothing else there.
pub(crate) fn print_json(value: &impl Serialize) {
    match serde_json::to_string_pretty(value) {
        Ok(json) => print_line(&escaped(&json)),
        Err(error) => eprintln!("lotse: {error}"),
    }
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
        let json = serde_json::to_string("x\u{9b}31m").unwrap();
        let shown = escaped(&json);
        assert!(!shown.contains('\u{9b}'), "{shown:?}");
        assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), "x\u{9b}31m");
    }
}
