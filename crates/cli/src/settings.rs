//! `lotse settings`: what holds for all uploads, also for those that another process is working on.

use std::{fmt::Display, process::ExitCode};

use lotse_api::Settings;
use lotse_app::{App, Error, Hours};

use crate::{
    arguments::Choice,
    check::print_json,
    text::{Text, print_line},
};

/// The word that takes a limit or the hours away.
const NONE: &str = "none";

/// Chooses what is named, and shows what holds.
pub(crate) fn run(text: &Text, app: &App, choice: &Choice) -> Result<ExitCode, Error> {
    let before = app.uploads().settings();
    let mut settings = before.clone();
    if let Some(limit) = &choice.limit {
        settings.bytes_per_second = unless_none(limit, bytes_per_second)?;
    }
    if let Some(hours) = &choice.hours {
        settings.hours = unless_none(hours, Hours::parse)?;
    }
    settings.at_once = choice.at_once.unwrap_or(settings.at_once);
    settings.keep_awake = choice.keep_awake.unwrap_or(settings.keep_awake);
    settings.staging_days = choice.staging_days.unwrap_or(settings.staging_days);
    if settings != before {
        app.uploads().set_settings(&settings)?;
    }
    show(text, &settings.into(), choice.json);
    Ok(ExitCode::SUCCESS)
}

fn show(text: &Text, settings: &Settings, json: bool) {
    if json {
        return print_json(settings);
    }
    let limit = settings.bytes_per_second.map_or_else(
        || text.get("cli_settings_no_limit"),
        |limit| text.with("cli_settings_rate", [("rate", &text.bytes(limit) as &dyn Display)]),
    );
    let hours = settings.hours.as_ref().map_or_else(
        || text.get("cli_settings_always"),
        |hours| format!("{}–{}", hours.from, hours.until),
    );
    let awake = text.get(if settings.keep_awake { "cli_yes" } else { "cli_no" });
    for (key, value) in [
        ("cli_settings_limit", limit),
        ("cli_settings_hours", hours),
        ("cli_settings_at_once", settings.at_once.to_string()),
        ("cli_settings_keep_awake", awake),
        ("cli_settings_staging_days", settings.staging_days.to_string()),
    ] {
        print_line(&format!("{}: {value}", text.get(key)));
    }
}

fn unless_none<T>(word: &str, parse: impl FnOnce(&str) -> Result<T, Error>) -> Result<Option<T>, Error> {
    if word == NONE { Ok(None) } else { parse(word).map(Some) }
}

/// `500kB`, `2.5 MB/s`, `1000000`: bytes a second, in decimal units.
fn bytes_per_second(word: &str) -> Result<u64, Error> {
    let invalid = || Error::new("limit_invalid").with("text", word);
    let plain = word.trim().trim_end_matches("/s").trim_end();
    let digits = plain.trim_end_matches(|character: char| character.is_ascii_alphabetic());
    let scale: u64 = match plain.get(digits.len()..).unwrap_or_default() {
        "" | "B" => 1,
        "k" | "kB" | "KB" => 1000,
        "M" | "MB" => 1_000_000,
        "G" | "GB" => 1_000_000_000,
        _ => return Err(invalid()),
    };
    let (whole, fraction) = digits.trim().split_once(['.', ',']).unwrap_or((digits.trim(), ""));
    // Thousandths are as fine as anybody needs it.
    let thousandths = format!("{fraction:0<3}");
    let number = |text: &str| text.parse::<u64>().map_err(|_| invalid());
    let parsed = number(whole)?
        .checked_mul(scale)
        .zip(number(thousandths.get(..3).ok_or_else(invalid)?)?.checked_mul(scale));
    let (whole, fraction) = parsed.ok_or_else(invalid)?;
    whole.checked_add(fraction / 1000).ok_or_else(invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_read_as_people_write_it() {
        for (word, expected) in [
            ("500kB", 500_000),
            ("2.5 MB/s", 2_500_000),
            ("2,5MB", 2_500_000),
            ("1000000", 1_000_000),
            ("1G", 1_000_000_000),
            ("1.0005MB", 1_000_000),
        ] {
            assert_eq!(bytes_per_second(word).unwrap(), expected, "{word}");
        }
        for word in [
            "",
            "fast",
            "-1",
            "1 MiB",
            "1.x MB",
            "99999999999999999999",
            "18446744073709551615G",
            "1.ä5MB",
        ] {
            assert_eq!(bytes_per_second(word).unwrap_err().code, "limit_invalid", "{word}");
        }
    }
}
