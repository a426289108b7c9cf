//! Sentences in German and English from `ui/messages`, and a report put into words. Prints nothing and knows no terminal.

mod catalogue;
mod date;
mod docs;
mod explain;
mod html;
mod json;
mod mail;
mod plain;
#[cfg(test)]
mod sample;
mod script;
mod text;
mod worded;
mod wrap;

pub use catalogue::{Language, Text};
pub use date::date;
pub use docs::requirements_page;
pub use explain::{RulePage, close_codes, rule};
pub use html::html;
pub use json::json;
pub use mail::{ADDRESS, ImageWords, LONGEST_LINK, LinkWords, Mail, link_mail, mail};
pub use plain::plain;
pub use script::script;
pub use text::{Tone, WIDTH, text, text_painted};
pub use worded::{WordedEvidence, WordedFinding, WordedRemedy, WordedReport, WordedSection};

/// The program's version, which everything that leaves it names.
const VERSION: &str = env!("CARGO_PKG_VERSION");
