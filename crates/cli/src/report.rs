//! The report on a terminal: the words of `lotse-words` in colours.

use std::io::Write as _;

use anstyle::{AnsiColor, Style};
use lotse_requirements::{Report, Status};
use lotse_words::{Text, Tone, WIDTH, text_painted};

/// Prints the report on standard output.
pub(crate) fn print(text: &Text, report: &Report) {
    let painted = text_painted(report, text, columns(), |tone, words| {
        let style = look(tone);
        format!("{style}{words}{style:#}")
    });
    // Whoever reads may stop reading: no reason to complain.
    _ = write!(anstream::stdout().lock(), "{painted}");
}

/// Columns of the terminal, but never so many that lines become hard to read.
pub(crate) fn columns() -> usize {
    terminal_size::terminal_size().map_or(WIDTH, |(width, _)| usize::from(width.0).clamp(40, WIDTH))
}

fn look(tone: Tone) -> Style {
    let colour = match tone.status {
        Status::Pass => AnsiColor::Green,
        Status::Warning => AnsiColor::Yellow,
        Status::Fail => AnsiColor::Red,
        Status::Unknown => AnsiColor::Cyan,
    };
    let style = colour.on_default();
    if tone.strong { style.bold() } else { style }
}
