//! The language of a call, and its sentences on standard output and standard error.

use std::{ffi::OsString, fmt::Display, io::Write as _};

use clap::ValueEnum as _;
use lotse_app::Error;
pub(crate) use lotse_words::{Text, plain};

use crate::arguments::LanguageArgument;

/// The sentences of the language that the call names by `--lang`, otherwise of the system's. Help and complaints about the
/// call need it before the call has been understood, so this looks at the bare words.
pub(crate) fn for_call(words: impl IntoIterator<Item = OsString>) -> Text {
    let words: Vec<String> = words
        .into_iter()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let named = words
        .iter()
        .enumerate()
        .find_map(|(index, word)| match word.strip_prefix("--lang") {
            Some("") => words.get(index + 1).map(String::as_str),
            Some(rest) => rest.strip_prefix('='),
            None => None,
        });
    let language = named
        .and_then(|name| LanguageArgument::from_str(name, true).ok())
        .map_or_else(
            || lotse_words::Language::of_locale(&sys_locale::get_locale().unwrap_or_default()),
            |argument| argument.0,
        );
    Text::new(language)
}

/// What happened and what to do next, on standard error.
pub(crate) fn print_error(text: &Text, error: &Error) {
    let what = text
        .filled(&format!("error_{}", error.code), &error.params)
        .unwrap_or_else(|| text.with("cli_error_without_text", [("code", &error.code as &dyn Display)]));
    anstream::eprintln!("lotse: {what}");
    if let Some(next) = next_step(text, error) {
        anstream::eprintln!("       {next}");
    }
}

/// What to do about an error: in words of this program where it is not done as in the window.
pub(crate) fn next_step(text: &Text, error: &Error) -> Option<String> {
    text.filled(&format!("cli_error_{}_next", error.code), &error.params)
        .or_else(|| text.filled(&format!("error_{}_next", error.code), &error.params))
}

/// A line on standard output. Whoever reads may stop reading (`lotse images | head`): no reason to complain.
pub(crate) fn print_line(line: &str) {
    _ = writeln!(std::io::stdout().lock(), "{line}");
}

#[cfg(test)]
mod tests {
    use lotse_words::Language;

    use super::*;

    fn call(words: &[&str]) -> Language {
        for_call(words.iter().map(OsString::from)).language()
    }

    #[test]
    fn the_language_can_be_named_anywhere_in_the_call() {
        assert_eq!(call(&["lotse", "check", "--lang", "de", "x"]), Language::German);
        assert_eq!(call(&["lotse", "--lang=en", "check", "x"]), Language::English);
    }

    #[test]
    fn nothing_from_outside_can_steer_the_terminal() {
        let english = Text::new(Language::English);
        let evil: &dyn Display = &"\u{1b}[2Jready\r";
        let shown = english.with("cli_resuming", [("name", evil), ("sent", &1), ("total", &2)]);
        assert!(!shown.contains('\u{1b}') && !shown.contains('\r'), "{shown:?}");
    }

    #[test]
    fn every_sentence_of_the_program_is_in_the_catalogue() {
        let english = Text::new(Language::English);
        let used: Vec<&str> = [
            include_str!("check.rs"),
            include_str!("explain.rs"),
            include_str!("follow.rs"),
            include_str!("handover.rs"),
            include_str!("help.rs"),
            include_str!("images.rs"),
            include_str!("settings.rs"),
            include_str!("staging.rs"),
            include_str!("text.rs"),
            include_str!("uploads.rs"),
        ]
        .iter()
        .flat_map(|source| {
            source.split('"').filter(|word| {
                ["cli_", "explain_"]
                    .iter()
                    .any(|family| word.len() > family.len() && word.starts_with(family))
                    && !word.contains('{')
            })
        })
        .collect();
        assert!(used.len() > 20, "the search for keys must find the keys");
        for key in used {
            assert!(english.find(key, []).is_some(), "{key} has no sentence");
        }
    }
}
