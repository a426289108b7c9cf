//! `lotse handover`, `imported`: what a person needs to import an image in the panel, and what is done when they have.

use std::{fmt::Display, process::ExitCode};

use jiff::{Zoned, tz::TimeZone};
use lotse_api::{HandOver, UploadState};
use lotse_app::{App, Error, JobId, upload_id};

use crate::{
    FAILED,
    arguments::HandoverWish,
    check::print_json,
    connections::ready_for,
    staging,
    text::{Text, plain, print_error, print_line},
};

/// Shows one hand-over, or all.
pub(crate) async fn run(text: &Text, app: &App, wish: &HandoverWish) -> Result<ExitCode, Error> {
    staging::tidy(app).await;
    let ids = match &wish.id {
        Some(id) => vec![upload_id(id)?],
        None => staged(app)?,
    };
    if ids.is_empty() && !wish.json {
        anstream::eprintln!("{}", text.get("cli_handover_none"));
        return Ok(ExitCode::from(FAILED));
    }
    if wish.again {
        ready(text, app, &ids).await?;
    }
    let mut all = Vec::new();
    for (index, id) in ids.into_iter().enumerate() {
        let hand_over = if wish.again {
            app.uploads().publish_again(id).await?
        } else {
            app.uploads().hand_over(id).await?
        };
        if wish.mail {
            print_line(&app.hand_over_mail(id, text.language(), &Zoned::now()).await?);
        } else if wish.json {
            all.push(HandOver::from(hand_over));
        } else {
            if index > 0 {
                print_line("");
            }
            print(text, &hand_over);
        }
    }
    match all.as_slice() {
        [one] if wish.id.is_some() => print_json(one),
        _ if wish.json && !wish.mail => print_json(&all),
        _ => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// The hand-over of an upload that has just arrived.
pub(crate) async fn show(text: &Text, app: &App, id: JobId) -> Result<(), Error> {
    print(text, &app.uploads().hand_over(id).await?);
    Ok(())
}

/// Says that an image has been imported.
pub(crate) async fn imported(text: &Text, app: &App, id: &str) -> Result<ExitCode, Error> {
    let id = upload_id(id)?;
    ready(text, app, &[id]).await?;
    app.uploads().import_finished(id).await?;
    anstream::eprintln!("{}", text.get("cli_imported"));
    Ok(ExitCode::SUCCESS)
}

fn staged(app: &App) -> Result<Vec<JobId>, Error> {
    let uploads = app.uploads().list()?.into_iter();
    Ok(uploads
        .filter(|upload| UploadState::from(upload.state) == UploadState::Staged)
        .map(|upload| upload.id)
        .collect())
}

/// Asks for what the uploads' connections need.
async fn ready(text: &Text, app: &App, ids: &[JobId]) -> Result<(), Error> {
    let mut connections = Vec::new();
    for id in ids {
        connections.push(app.uploads().get(*id)?.connection);
    }
    ready_for(text, app, connections.iter().map(String::as_str)).await
}

/// Every field in the panel's order on standard output; what to do with it on standard error.
fn print(text: &Text, hand_over: &lotse_app::HandOver) {
    let details = &hand_over.details;
    let until = hand_over.public_until.map(|until| {
        let local = until.to_zoned(TimeZone::system());
        lotse_words::date(text.language(), &local)
    });
    let or = |value: &str, key: &str| {
        if value.is_empty() {
            text.get(key)
        } else {
            value.to_owned()
        }
    };
    let distribution = details.distribution.title().unwrap_or_default();
    for (label, value) in [
        ("cli_handover_url", hand_over.url.to_string()),
        ("mail_name", details.name.clone()),
        (
            "mail_distribution",
            or(distribution, "ui_handover_distribution_unknown"),
        ),
        ("mail_region", or(&details.region, "cli_handover_any_region")),
        ("mail_tags", details.tags.join(" ")),
        ("mail_notes", details.notes.replace('\n', " ")),
        (
            "cli_handover_until",
            or(until.as_deref().unwrap_or_default(), "cli_handover_private"),
        ),
    ] {
        print_line(&plain(&format!("{}: {value}", text.get(label))));
    }
    let id = &hand_over.upload.0;
    let panel = hand_over.panel.as_ref().map(ToString::to_string);
    if hand_over.published.is_none() {
        print_error(text, &Error::new("staging_private"));
        anstream::eprintln!("{}", text.with("cli_handover_again", [("id", id as &dyn Display)]));
        return;
    }
    let (key, panel) = match &panel {
        Some(panel) => ("cli_handover_next_panel", panel.as_str()),
        None => ("cli_handover_next", ""),
    };
    let params: [(&str, &dyn Display); 2] = [("panel", &panel), ("id", id)];
    anstream::eprintln!("{}", text.with(key, params));
}
