//! The message catalogue: one sentence a key and language, filled with parameters. The window reads the same files.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
};

use crate::plain;

const GERMAN: &str = include_str!("../../../ui/messages/de.json");
const ENGLISH: &str = include_str!("../../../ui/messages/en.json");

/// A language that the program speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// Deutsch.
    German,
    /// English.
    English,
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::German, Self::English];

    /// `de`, `en` (ISO 639-1).
    pub fn code(self) -> &'static str {
        match self {
            Self::German => "de",
            Self::English => "en",
        }
    }

    /// The language of a locale as systems write it (`de_AT.UTF-8`, `de-DE`, `C`); English for all that are not German.
    pub fn of_locale(locale: &str) -> Self {
        let language = locale.split(['_', '-', '.', '@']).next().unwrap_or_default();
        if language.eq_ignore_ascii_case("de") {
            Self::German
        } else {
            Self::English
        }
    }
}

/// The sentences of one language.
pub struct Text {
    language: Language,
    sentences: HashMap<String, String>,
}

impl Text {
    /// The catalogue of a language.
    pub fn new(language: Language) -> Self {
        let source = match language {
            Language::German => GERMAN,
            Language::English => ENGLISH,
        };
        // A test proves that both files can be read; without sentences the keys themselves would show.
        Self {
            language,
            sentences: serde_json::from_str(source).unwrap_or_default(),
        }
    }

    /// The language.
    pub fn language(&self) -> Language {
        self.language
    }

    /// The sentence of a key, if there is one.
    pub fn find<'a>(
        &self,
        key: &str,
        params: impl IntoIterator<Item = (&'a str, &'a dyn fmt::Display)>,
    ) -> Option<String> {
        let params: Vec<(&str, String)> = params
            .into_iter()
            .map(|(name, value)| (name, plain(&value.to_string())))
            .collect();
        Some(fill(self.sentences.get(key)?, &params))
    }

    /// The sentence of a key with its parameters put in; the key where there is no sentence.
    pub fn with<'a>(&self, key: &str, params: impl IntoIterator<Item = (&'a str, &'a dyn fmt::Display)>) -> String {
        self.find(key, params).unwrap_or_else(|| key.to_owned())
    }

    /// A sentence without parameters.
    pub fn get(&self, key: &str) -> String {
        self.with(key, [])
    }

    /// A sentence of the report or of an error, whose parameters are strings. Numbers of units (`gb`, `limit_gib`) are
    /// written as the language does.
    pub fn filled(&self, key: &str, params: &BTreeMap<String, String>) -> Option<String> {
        let params: Vec<(&str, String)> = params
            .iter()
            .map(|(name, value)| (name.as_str(), plain(&self.shown(name, value))))
            .collect();
        Some(fill(self.sentences.get(key)?, &params))
    }

    fn shown(&self, name: &str, value: &str) -> String {
        let unit = name.rsplit('_').next().unwrap_or(name);
        if matches!(unit, "gb" | "gib") && value.parse::<f64>().is_ok() {
            value.replace('.', &self.decimal_point().to_string())
        } else {
            value.to_owned()
        }
    }

    /// A number of bytes in decimal units, three digits: `1.50 GB`.
    pub fn bytes(&self, bytes: u64) -> String {
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
            Language::German => ',',
            Language::English => '.',
        }
    }
}

/// The sentence with `{name}` replaced by its value, each placeholder once: braces in a value stay what they are.
fn fill(sentence: &str, params: &[(&str, String)]) -> String {
    let mut filled = String::with_capacity(sentence.len());
    let mut rest = sentence;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let value = after.split_once('}').and_then(|(name, behind)| {
            let (_, value) = params.iter().find(|(param, _)| *param == name)?;
            Some((value, behind))
        });
        if let Some((value, behind)) = value {
            filled.push_str(value);
            rest = behind;
        } else {
            filled.push('{');
            rest = after;
        }
    }
    filled + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_people_of_each_language_write_them() {
        let (german, english) = (Text::new(Language::German), Text::new(Language::English));
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
    fn a_value_that_looks_like_a_placeholder_stays_what_it_is() {
        let params = [("path", "{line}".to_owned()), ("line", "7".to_owned())];
        assert_eq!(fill("{path}, line {line}, {other}", &params), "{line}, line 7, {other}");
    }

    #[test]
    fn the_language_is_read_off_a_locale() {
        for german in ["de", "de_AT.UTF-8", "de-CH", "DE"] {
            assert_eq!(Language::of_locale(german), Language::German, "{german}");
        }
        for other in ["en_GB", "C", "", "den", "nds_DE"] {
            assert_eq!(Language::of_locale(other), Language::English, "{other}");
        }
    }

    #[test]
    fn every_sentence_that_this_room_uses_is_there() {
        let english = Text::new(Language::English);
        let families = [
            "report_", "outlook_", "kind_", "script_", "html_", "mail_", "explain_", "docs_",
        ];
        let used: Vec<&str> = [
            include_str!("docs.rs"),
            include_str!("explain.rs"),
            include_str!("html/mod.rs"),
            include_str!("mail.rs"),
            include_str!("script.rs"),
            include_str!("text.rs"),
            include_str!("worded.rs"),
        ]
        .iter()
        .flat_map(|source| source.split('"'))
        .filter(|word| {
            families
                .iter()
                .any(|family| word.strip_prefix(family).is_some_and(|rest| !rest.is_empty()))
        })
        .filter(|word| !word.contains('{'))
        .collect();
        assert!(used.len() > 50, "the search for keys must find the keys");
        for key in used {
            assert!(english.find(key, []).is_some(), "{key} has no sentence");
        }
    }

    #[test]
    fn both_catalogues_can_be_read_and_have_the_same_keys() {
        let [german, english] = Language::ALL.map(|language| {
            let mut keys: Vec<String> = Text::new(language).sentences.into_keys().collect();
            keys.sort();
            keys
        });
        assert!(german.len() > 100, "the German catalogue can be read");
        assert_eq!(german, english, "each sentence stands in both");
    }
}
