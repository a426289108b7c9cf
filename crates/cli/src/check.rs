//! `lotse check`: the report on the terminal or in one of its other forms; the exit status is part of the contract of
//! `docs/report-json.md`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use jiff::Zoned;
use lotse_app::{Checked, Error, ExportFormat, ImageDetails};
use lotse_requirements::{Report, Verdict};
use serde::Serialize;

use crate::{
    report,
    text::{Text, print_error, print_line},
};

/// The file could not be read as a disk image at all.
pub(crate) const NOT_READ: u8 = 2;

/// `EX_CANTCREAT` of sysexits.h: the report is there, but the file for it could not be written.
const NOT_WRITTEN: u8 = 73;

/// What is asked for.
pub(crate) struct Asked {
    /// The image.
    pub(crate) file: PathBuf,
    /// The report's form; none is the one for people at a terminal.
    pub(crate) form: Option<ExportFormat>,
    /// Where to write it; none is standard output.
    pub(crate) output: Option<PathBuf>,
}

pub(crate) fn run(text: &Text, asked: &Asked) -> ExitCode {
    match lotse_app::check(&asked.file) {
        Ok(checked) => tell(text, asked, &checked),
        Err(error) => {
            if asked.form == Some(ExportFormat::Json) {
                print_json(&Unread {
                    schema: 1,
                    error: (&error).into(),
                });
            } else {
                print_error(text, &error);
            }
            ExitCode::from(NOT_READ)
        }
    }
}

fn tell(text: &Text, asked: &Asked, checked: &Checked) -> ExitCode {
    let report = &checked.report;
    let outcome = ExitCode::from(status(report));
    let form = match (asked.form, &asked.output) {
        (Some(form), _) => form,
        (None, Some(_)) => ExportFormat::Text,
        (None, None) => {
            report::print(text, report);
            return outcome;
        }
    };
    let image = ImageDetails {
        name: checked.suggestion.name.clone(),
        distribution: checked.suggestion.distribution,
        region: String::new(),
        tags: Vec::new(),
        notes: String::new(),
    };
    match lotse_app::export(report, form, text.language(), Some(&image), &Zoned::now()) {
        Err(error) => print_error(text, &error),
        Ok(content) => match &asked.output {
            None => print_line(content.trim_end_matches('\n')),
            Some(output) => {
                if let Err(error) = write(&asked.file, output, &content) {
                    print_error(text, &error);
                    return ExitCode::from(NOT_WRITTEN);
                }
            }
        },
    }
    outcome
}

/// Writes the file, but never over the image that it tells about.
fn write(image: &Path, output: &Path, content: &str) -> Result<(), Error> {
    let told =
        |code, cause: &dyn std::fmt::Display| Error::new(code).with("path", output.display()).with("cause", cause);
    let same = fs::canonicalize(image)
        .and_then(|image| Ok(image == fs::canonicalize(output)?))
        .unwrap_or(false);
    if same {
        return Err(told("export_over_image", &""));
    }
    let content = if content.ends_with('\n') {
        content.to_owned()
    } else {
        format!("{content}\n")
    };
    fs::write(output, content).map_err(|cause| told("export_not_written", &cause))
}

/// 0 ready (also with warnings), 1 will not work, 3 unknown.
fn status(report: &Report) -> u8 {
    match report.verdict {
        Verdict::Ready | Verdict::ReadyWithWarnings => 0,
        Verdict::WillNotWork => 1,
        Verdict::Unknown => 3,
    }
}

/// What is printed as JSON instead of a report.
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
    match lotse_words::json(value) {
        Ok(json) => print_line(&json),
        Err(error) => eprintln!("lotse: {error}"),
    }
}
