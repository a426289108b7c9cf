//! Sentences in German and English from `ui/messages`, and a report put into words. Prints nothing and knows no terminal.

mod catalogue;
mod plain;
mod text;
mod worded;

pub use catalogue::{Language, Text};
pub use plain::plain;
pub use text::{Tone, text, text_painted};
pub use worded::{WordedEvidence, WordedFinding, WordedRemedy, WordedReport};
