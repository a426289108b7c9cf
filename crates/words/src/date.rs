//! Moments as the language writes them.

use jiff::Zoned;

use crate::Language;

/// Date and time, with the zone they are in.
pub fn date(language: Language, moment: &Zoned) -> String {
    let format = match language {
        Language::German => "%d.%m.%Y, %H:%M Uhr (UTC%:z)",
        Language::English => "%Y-%m-%d, %H:%M (UTC%:z)",
    };
    moment.strftime(format).to_string()
}
