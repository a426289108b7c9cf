//! A report in a form that can be kept or handed on.

use jiff::Zoned;
use lotse_requirements::Report;
use lotse_words::{ImageWords, Language};

use crate::{Error, ImageDetails};

/// The forms of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportFormat {
    /// As `lotse check` prints it, without colours.
    Text,
    /// `docs/report-json.md`.
    Json,
    /// One page with both languages, printable.
    Html,
    /// The commands of its remedies, for `sh` inside the system.
    Script,
    /// A `mailto:` link to centron.
    Mail,
}

impl ExportFormat {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Text, Self::Json, Self::Html, Self::Script, Self::Mail];

    /// The word used on the command line and to the window.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Html => "html",
            Self::Script => "script",
            Self::Mail => "mail",
        }
    }
}

/// The report in this form and language. `image` is what was said about it, for the mail; `now` is told in the page.
///
/// # Errors
/// Code `nothing_to_script` when no remedy has commands for inside the system.
pub fn export(
    report: &Report,
    format: ExportFormat,
    language: Language,
    image: Option<&ImageDetails>,
    now: &Zoned,
) -> Result<String, Error> {
    match format {
        ExportFormat::Text => Ok(lotse_words::text(report, language)),
        ExportFormat::Json => lotse_words::json(report)
            .map(|json| json + "\n")
            .map_err(|cause| Error::new("report_unreadable").with("cause", cause)),
        ExportFormat::Html => Ok(lotse_words::html(report, language, now)),
        ExportFormat::Script => lotse_words::script(report, language).ok_or_else(|| Error::new("nothing_to_script")),
        ExportFormat::Mail => Ok(lotse_words::mail(report, image.map(worded), language).link()),
    }
}

/// The details as words.
pub(crate) fn worded(image: &ImageDetails) -> ImageWords<'_> {
    ImageWords {
        name: &image.name,
        distribution: image.distribution.title().unwrap_or_default(),
        region: &image.region,
        tags: &image.tags,
        notes: &image.notes,
    }
}
