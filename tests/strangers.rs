//! Who fetches by an address alone, without keys: ccloud³'s import as far as it is known, by the real curl.

use std::process::Command;

use url::Url;

use crate::{Result, process};

/// An answer's head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Status, such as 200.
    pub status: u16,
    /// Bytes that follow, as it says.
    pub length: Option<u64>,
    /// `Content-Range`.
    pub range: Option<String>,
    /// `Content-Type`.
    pub content_type: Option<String>,
}

/// Asks for the head only, as ccloud³'s import begins.
///
/// # Errors
/// When nobody answers.
pub fn head(url: &Url) -> Result<Answer> {
    asked(curl(url).arg("--head"))
}

/// Asks for some of the bytes, first and last.
///
/// # Errors
/// When nobody answers.
pub fn range(url: &Url, first: u64, last: u64) -> Result<Answer> {
    asked(curl(url).args([
        "--dump-header",
        "-",
        "--output",
        "/dev/null",
        "--range",
        &format!("{first}-{last}"),
    ]))
}

/// SHA-256 of all bytes.
///
/// # Errors
/// When the answer is no success.
pub fn sha256(url: &Url) -> Result<String> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("fetched");
    process::output(curl(url).arg("--fail").arg("--output").arg(&file))?;
    crate::stored::sha256_of_file(&file)
}

fn curl(url: &Url) -> Command {
    let mut command = Command::new("curl");
    // First, or it is not heeded: nobody's settings.
    command.arg("--disable");
    command.args(["--silent", "--show-error", "--max-time", "120", "--noproxy", "*"]);
    command.arg(url.as_str());
    command
}

fn asked(curl: &mut Command) -> Result<Answer> {
    let told = process::output(curl)?;
    let mut lines = told.lines();
    let status = lines
        .next()
        .and_then(|line| line.split(' ').nth(1))
        .ok_or("no answer")?;
    let field = |name: &str| {
        let fields = told.lines().filter_map(|line| line.split_once(": "));
        fields
            .filter(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim().to_owned())
            .next()
    };
    Ok(Answer {
        status: status.parse()?,
        length: field("content-length").and_then(|length| length.parse().ok()),
        range: field("content-range"),
        content_type: field("content-type"),
    })
}
