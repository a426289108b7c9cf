//! The program's sentences, from the same catalogue as the window's: `ui/messages`.

use std::{
    collections::{BTreeMap, HashMap},
    ffi::OsString,
    fmt,
    io::Write as _,
};

use clap::ValueEnum as _;
use lotse_app::Error;

use crate::arguments::Language;

const GERMAN: &str = include_str!("../../../ui/messages/de.json");
const ENGLISH: &str = include_str!("../../../ui/messages/en.json");

/// The sentences of one language.
pub(crate) struct Text {
    language: Language,
    sentences: HashMap<String, String>,
}

impl Text {
    pub(crate) fn new(language: Language) -> Self {
        let source = match language {
            Language::De => GERMAN,
            Language::En => ENGLISH,
        };
        // A test proves that both files can be read; without sentences the keys themselves would show.
        Self {
            language,
            sentences: serde_json::from_str(source).unwrap_or_default(),
        }
    }

    /// The language that the call names by `--lang`, otherwise the system's. Help and complaints about the call need it
    /// before the call has been understood, so this looks at the bare words.
    pub(crate) fn for_call(words: impl IntoIterator<Item = OsString>) -> Self {
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
            .and_then(|name| Language::from_str(name, true).ok())
            .unwrap_or_else(|| {
                let german = sys_locale::get_locale().is_some_and(|locale| locale.to_lowercase().starts_with("de"));
                if german { Language::De } else { Language::En }
            });
        Self::new(language)
    }

    /// The sentence of a key, if there is one.
    pub(crate) fn find<'a>(
        &self,
        key: &str,
        params: impl IntoIterator<Item = (&'a str, &'a dyn fmt::Display)>,
    ) -> Option<String> {
        let sentence = self.sentences.get(key)?;
        Some(params.into_iter().fold(sentence.clone(), |sentence, (name, value)| {
            sentence.replace(&format!("{{{name}}}"), &plain(&value.to_string()))
        }))
    }

    /// The sentence of a key with its parameters put in.
    pub(crate) fn with<'a>(
        &self,
        key: &str,
        params: impl IntoIterator<Item = (&'a str, &'a dyn fmt::Display)>,
    ) -> String {
        self.find(key, params).unwrap_or_else(|| key.to_owned())
    }

    /// A sentence without parameters.
    pub(crate) fn get(&self, key: &str) -> String {
        self.with(key, [])
    }

    /// A sentence of the report or of an error, whose parameters are strings. Numbers of units (`gb`, `limit_gib`) are
    /// written as the language does.
    pub(crate) fn filled(&self, key: &str, params: &BTreeMap<String, String>) -> Option<String> {
        let shown: Vec<(&str, String)> = params
            .iter()
            .map(|(name, value)| (name.as_str(), self.shown(name, value)))
            .collect();
        self.find(
            key,
            shown.iter().map(|(name, value)| (*name, value as &dyn fmt::Display)),
        )
    }

    fn shown(&self, name: &str, value: &str) -> String {
        let unit = name.rsplit('_').next().unwrap_or(name);
        if matches!(unit, "gb" | "gib") && value.parse::<f64>().is_ok() {
            value.replace('.', &self.decimal_point().to_string())
        } else {
            value.to_owned()
        }
    }

    /// What happened and what to do next, on standard error.
    pub(crate) fn print_error(&self, error: &Error) {
        let what = self
            .filled(&format!("error_{}", error.code), &error.params)
            .unwrap_or_else(|| self.with("cli_error_without_text", [("code", &error.code as &dyn fmt::Display)]));
        anstream::eprintln!("lotse: {what}");
        if let Some(next) = self.filled(&format!("error_{}_next", error.code), &error.params) {
            anstream::eprintln!("       {next}");
        }
    }

    /// A number of bytes in decimal units, three digits: `1.50 GB`.
    pub(crate) fn bytes(&self, bytes: u64) -> String {
        const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
        let mut scale = 1_u64;
        let mut unit = 0;
        while bytes / scale >= 1000 && unit + 1 < UNITS.len() {
            scale *= 1000;
            unit += 1;
        }
        let whole = bytes / scale;
        // Hundredths are cut, not rounded: 99.999 GB must not read as the 100 GB that are the limit.
        let hundredths = bytes % scale * 100 / scale;
        let point = self.decimal_point();
        let name = UNITS.get(unit).copied().unwrap_or("B");
        match whole {
            _ if unit == 0 => format!("{whole} {name}"),
            0..10 => format!("{whole}{point}{hundredths:02} {name}"),
            10..100 => format!("{whole}{point}{} {name}", hundredths / 10),
            _ => format!("{whole} {name}"),
        }
    }

    fn decimal_point(&self) -> char {
        match self.language {
            Language::De => ',',
            Language::En => '.',
        }
    }
}

/// Text from an image, a file's name or a service, made harmless for a terminal: without control characters it can neither
/// move the cursor nor change what was printed before, without marks of direction it cannot turn a line round.
pub(crate) fn plain(text: &str) -> String {
    let harmful = |character: char| {
        character.is_control() || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars()
        .map(|character| if harmful(character) { '\u{fffd}' } else { character })
        .collect()
}

/// A line on standard output. Whoever reads may stop reading (`lotse images | head`): no reason to complain.
pub(crate) fn print_line(line: &str) {
    _ = writeln!(std::io::stdout().lock(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(words: &[&str]) -> Language {
        Text::for_call(words.iter().map(OsString::from)).language
    }

    #[test]
    fn the_language_can_be_named_anywhere_in_the_call() {
        assert_eq!(call(&["lotse", "check", "--lang", "de", "x"]), Language::De);
        assert_eq!(call(&["lotse", "--lang=en", "check", "x"]), Language::En);
    }

    #[test]
    fn nothing_from_outside_can_steer_the_terminal() {
        let english = Text::new(Language::En);
        let evil: &dyn fmt::Display = &"\u{1b}[2Jready\r";
        let shown = english.with("cli_resuming", [("name", evil), ("sent", &1), ("total", &2)]);
        assert!(!shown.contains('\u{1b}') && !shown.contains('\r'), "{shown:?}");
    }

    #[test]
    fn sizes_read_as_people_of_each_language_write_them() {
        let (german, english) = (Text::new(Language::De), Text::new(Language::En));
        assert_eq!(english.bytes(999), "999 B");
        assert_eq!(english.bytes(1_504_706_560), "1.50 GB");
        assert_eq!(german.bytes(1_504_706_560), "1,50 GB");
        assert_eq!(
            german.bytes(99_999_999_999),
            "99,9 GB",
            "must not read as the limit itself"
        );
        assert_eq!(english.bytes(u64::MAX), "18446744 TB");
    }

    #[test]
    fn every_sentence_of_the_program_exists_in_both_languages() {
        let (german, english) = (Text::new(Language::De), Text::new(Language::En));
        assert!(!english.sentences.is_empty(), "the catalogue can be read");
        let used: Vec<&str> = [
            include_str!("check.rs"),
            include_str!("follow.rs"),
            include_str!("help.rs"),
            include_str!("images.rs"),
            include_str!("report.rs"),
            include_str!("uploads.rs"),
        ]
        .iter()
        .flat_map(|source| {
            source
                .split('"')
                .filter(|word| word.len() > 4 && word.starts_with("cli_") && !word.contains('{'))
        })
        .collect();
        assert!(used.len() > 20, "the search for keys must find the keys");
        for key in used {
            assert!(german.sentences.contains_key(key), "German lacks {key}");
            assert!(english.sentences.contains_key(key), "English lacks {key}");
        }
    }
}
