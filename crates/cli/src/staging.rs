//! `lotse staging list`, `remove`: what of ours still stands in object storages.

use std::{fmt::Display, process::ExitCode, time::Duration};

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use lotse_api::StagingList;
use lotse_app::{App, Error, StagingKind, StagingObject};

use crate::{
    FAILED,
    arguments::{StagingCommand, StagingRemoval},
    check::print_json,
    connections::{ready, ready_for},
    prompt,
    text::{Text, plain, print_error, print_line},
};

/// A service that does not answer shall not keep anybody from a list.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) async fn run(text: &Text, app: &App, command: StagingCommand) -> Result<ExitCode, Error> {
    match command {
        StagingCommand::List { connection, json } => list(text, app, connection.as_deref(), json).await,
        StagingCommand::Remove(removal) => remove(text, app, &removal).await,
    }
}

/// Makes private what is over its time, as whoever runs does.
pub(crate) async fn tidy(app: &App) {
    // What is not reached now is tried again by whoever runs next.
    _ = tokio::time::timeout(PATIENCE, app.tidy_staging()).await;
}

async fn found(text: &Text, app: &App, connection: Option<&str>) -> Result<lotse_app::StagingList, Error> {
    match connection {
        Some(id) => ready(text, app, id).await?,
        None => {
            for known in app.connections().await? {
                // What stays closed is told with the list.
                _ = ready(text, app, &known.id).await;
            }
        }
    }
    tidy(app).await;
    let mut list = app.staging().await?;
    if let Some(id) = connection {
        list.objects.retain(|object| object.connection == id);
        list.unreachable.retain(|(unreachable, _)| unreachable == id);
    }
    Ok(list)
}

async fn list(text: &Text, app: &App, connection: Option<&str>, json: bool) -> Result<ExitCode, Error> {
    let list = found(text, app, connection).await?;
    let complete = list.unreachable.is_empty();
    if json {
        print_json(&StagingList::from(list));
    } else {
        for object in &list.objects {
            print_line(&line(text, object));
        }
        if list.objects.is_empty() && complete {
            anstream::eprintln!("{}", text.get("cli_staging_none"));
        }
        tell_unreachable(text, &list.unreachable);
    }
    Ok(if complete {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(FAILED)
    })
}

fn tell_unreachable(text: &Text, unreachable: &[(String, Error)]) {
    for (id, error) in unreachable {
        let params = [("connection", id as &dyn Display)];
        anstream::eprintln!("{}", text.with("cli_staging_unreachable", params));
        print_error(text, error);
    }
}

fn line(text: &Text, object: &StagingObject) -> String {
    let StagingObject {
        connection, key, kind, ..
    } = object;
    let local = |moment: Timestamp| lotse_words::date(text.language(), &moment.to_zoned(TimeZone::system()));
    let public = match (kind, object.public, object.public_until) {
        (StagingKind::OpenUpload { .. }, _, _) => text.get("cli_staging_parts"),
        (_, Some(true), Some(until)) => {
            text.with("cli_staging_public_until", [("until", &local(until) as &dyn Display)])
        }
        (_, Some(true), None) => text.get("cli_staging_public"),
        (_, Some(false), _) => text.get("cli_staging_private"),
        (_, None, _) => text.get("cli_staging_unknown"),
    };
    let whose = text.get(if object.upload.is_some() {
        "cli_staging_ours"
    } else {
        "cli_staging_others"
    });
    let size = object.size.map(|size| text.bytes(size)).unwrap_or_default();
    let since = local(object.since);
    plain(&format!("{connection}  {since}  {size:>8}  {whose}  {public}  {key}"))
}

/// Removes what is named, or what is over its time, after asking.
async fn remove(text: &Text, app: &App, removal: &StagingRemoval) -> Result<ExitCode, Error> {
    let list = found(text, app, removal.connection.as_deref()).await?;
    let now = Timestamp::now();
    let days = i64::from(app.uploads().settings().staging_days);
    let is_old = |object: &StagingObject| {
        // Whether another computer still needs its own, for how long it keeps them, nobody knows here.
        object.upload.is_some()
            && now.duration_since(object.since) >= SignedDuration::from_hours(24 * days)
            && object.public_until.is_none_or(|until| until <= now)
            && !is_needed(app, object)
    };
    let chosen: Vec<&StagingObject> = list
        .objects
        .iter()
        .filter(|object| {
            if removal.all_expired {
                is_old(object)
            } else {
                removal.keys.contains(&object.key)
            }
        })
        .collect();
    tell_unreachable(text, &list.unreachable);
    let missing = |key: &&String| !chosen.iter().any(|object| object.key == **key);
    if let Some(key) = removal.keys.iter().find(missing) {
        return Err(Error::new("staging_unknown").with("key", key));
    }
    if chosen.is_empty() {
        anstream::eprintln!("{}", text.get("cli_staging_none_expired"));
        return Ok(ExitCode::SUCCESS);
    }
    for object in &chosen {
        anstream::eprintln!("{}", line(text, object));
    }
    if !removal.yes && !prompt::confirmed(text, &text.get("cli_staging_remove_question"))? {
        anstream::eprintln!("{}", text.get("cli_staging_not_removed"));
        return Ok(ExitCode::from(FAILED));
    }
    ready_for(text, app, chosen.iter().map(|object| object.connection.as_str())).await?;
    let mut outcome = ExitCode::SUCCESS;
    for object in chosen {
        let upload_id = match &object.kind {
            StagingKind::Object => None,
            StagingKind::OpenUpload { upload_id } => Some(upload_id.as_str()),
        };
        match app.remove_staging(&object.connection, &object.key, upload_id).await {
            Ok(()) => print_line(&plain(&object.key)),
            // One that cannot be removed is no reason to leave the others.
            Err(error) => {
                print_error(text, &error);
                outcome = ExitCode::from(FAILED);
            }
        }
    }
    Ok(outcome)
}

/// Does an upload of this computer still go on with it?
fn is_needed(app: &App, object: &StagingObject) -> bool {
    let upload = object.upload.and_then(|id| app.uploads().get(id).ok());
    upload.is_some_and(|upload| {
        let state = lotse_api::UploadState::from(upload.state);
        !upload.state.is_final() && state != lotse_api::UploadState::Staged
    })
}
