//! Shows an upload's progress on standard error: a bar on a terminal, otherwise a line for each tenth of the way.

use std::{fmt::Display, io::IsTerminal as _, time::Duration};

use indicatif::{ProgressBar, ProgressStyle};
use lotse_api::{TimeLeft, TimeUnit, Upload, UploadState};
use lotse_app::{App, Error, upload_id};

use crate::text::Text;

/// Follows the upload until it ends or waits for a person; `None` when the person breaks off by Ctrl+C before: it can be resumed.
pub(crate) async fn follow(text: &Text, app: &App, id: &str) -> Result<Option<Upload>, Error> {
    let id = upload_id(id)?;
    let mut view = View::new(text);
    let mut changes = app.uploads().changes();
    loop {
        changes.mark_unchanged();
        let upload = Upload::from(app.uploads().get(id)?);
        view.show(&upload);
        if matches!(
            upload.state,
            UploadState::Done
                | UploadState::Failed
                | UploadState::Cancelled
                | UploadState::Paused
                | UploadState::WaitingForSignIn
                | UploadState::Staged
        ) {
            view.end();
            return Ok(Some(upload));
        }
        let broken_off = tokio::select! {
            awake = changes.changed() => awake.is_err(),
            _ = tokio::signal::ctrl_c() => true,
        };
        if broken_off {
            view.end();
            return Ok(None);
        }
    }
}

enum View<'a> {
    Bar {
        text: &'a Text,
        bar: ProgressBar,
    },
    Lines {
        text: &'a Text,
        shown: Option<(UploadState, u64)>,
    },
}

impl<'a> View<'a> {
    fn new(text: &'a Text) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self::Lines { text, shown: None };
        }
        let bar = ProgressBar::new(0);
        // The template is fixed; should it ever not hold, indicatif's own look serves.
        if let Ok(style) = ProgressStyle::with_template("{prefix:16} [{bar:32}] {percent:>3} %  {msg}") {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        Self::Bar { text, bar }
    }

    fn show(&mut self, upload: &Upload) {
        match self {
            Self::Bar { text, bar } => {
                bar.set_length(upload.total);
                bar.set_position(upload.acknowledged);
                bar.set_prefix(phase(text, upload.state));
                bar.set_message(amount(text, upload));
            }
            Self::Lines { text, shown } => {
                let tenth = (upload.acknowledged.saturating_mul(10))
                    .checked_div(upload.total)
                    .unwrap_or(10);
                if *shown != Some((upload.state, tenth)) {
                    *shown = Some((upload.state, tenth));
                    let percent = upload
                        .acknowledged
                        .saturating_mul(100)
                        .checked_div(upload.total)
                        .unwrap_or(100);
                    eprintln!("{}: {percent} % ({})", phase(text, upload.state), amount(text, upload));
                }
            }
        }
    }

    fn end(&self) {
        if let Self::Bar { bar, .. } = self {
            bar.abandon();
        }
    }
}

fn amount(text: &Text, upload: &Upload) -> String {
    let (sent, total) = (text.bytes(upload.acknowledged), text.bytes(upload.total));
    let rate = upload
        .bytes_per_second
        .filter(|_| upload.state == UploadState::Uploading)
        .map(|rate| text.bytes(rate));
    let left = upload.time_left.map(|left| time_left(text, left));
    let (key, rate, left) = match (rate, left) {
        (Some(rate), Some(left)) => ("cli_amount_rate_left", rate, left),
        (Some(rate), None) => ("cli_amount_rate", rate, String::new()),
        (None, _) => ("cli_amount", String::new(), String::new()),
    };
    let params: [(&str, &dyn Display); 4] = [("sent", &sent), ("total", &total), ("rate", &rate), ("left", &left)];
    text.with(key, params)
}

/// `about 20 minutes`.
fn time_left(text: &Text, left: TimeLeft) -> String {
    let unit = match left.unit {
        TimeUnit::Minute => "left_minute",
        TimeUnit::Hour => "left_hour",
        TimeUnit::Day => "left_day",
    };
    // Some languages have other words for none and one.
    let exact = format!("{unit}_{}", left.count);
    text.find(&exact, [])
        .unwrap_or_else(|| text.with(unit, [("count", &left.count as &dyn Display)]))
}

/// The word for where an upload stands.
pub(crate) fn phase(text: &Text, state: UploadState) -> String {
    text.get(match state {
        UploadState::Queued => "cli_phase_queued",
        UploadState::Checking => "cli_phase_checking",
        UploadState::Uploading => "cli_phase_uploading",
        UploadState::Paused => "cli_phase_paused",
        UploadState::WaitingForNetwork => "cli_phase_waiting_for_network",
        UploadState::WaitingForSignIn => "cli_phase_waiting_for_sign_in",
        UploadState::Verifying => "cli_phase_verifying",
        UploadState::Importing => "cli_phase_importing",
        UploadState::Staged => "cli_phase_staged",
        UploadState::Done => "cli_phase_done",
        UploadState::Failed => "cli_phase_failed",
        UploadState::Cancelled => "cli_phase_cancelled",
        UploadState::Interrupted => "cli_phase_interrupted",
    })
}
