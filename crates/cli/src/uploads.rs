//! `lotse upload`, `resume`, `pause`, `move`, `restart`, `relocate`, `uploads`, `cancel`.

use std::{collections::BTreeSet, fmt::Display, path::Path, process::ExitCode};

use lotse_api::{Upload, UploadState};
use lotse_app::{App, Error, ImageDetails, UploadRequest, upload_id};
use lotse_requirements::Verdict;

use crate::{
    FAILED, INTERRUPTED,
    arguments::Wish,
    check::print_json,
    connections::{chosen, ready},
    follow::{follow, phase},
    handover,
    text::{Text, plain, print_error, print_line},
};

/// Checks the file, sends it and prints the image's id on standard output.
pub(crate) async fn upload(text: &Text, app: &App, wish: Wish) -> Result<ExitCode, Error> {
    let checked = lotse_app::check(&wish.file)?;
    let verdict = checked.report.verdict;
    if verdict == Verdict::WillNotWork && !wish.anyway {
        anstream::eprintln!("lotse: {}", text.get("verdict_will_not_work"));
        let name = wish.file.display();
        anstream::eprintln!(
            "       {}",
            text.with("cli_upload_refused_next", [("file", &name as &dyn Display)])
        );
        return Ok(ExitCode::from(FAILED));
    }
    let connection = chosen(app, wish.connection).await?;
    ready(text, app, &connection).await?;
    let region = match wish.region {
        Some(region) => region,
        None => first_region(app, &connection).await?,
    };
    let request = UploadRequest {
        path: wish.file,
        connection,
        details: ImageDetails {
            name: wish.name.unwrap_or(checked.suggestion.name),
            distribution: wish
                .distribution
                .map_or(checked.suggestion.distribution, |argument| argument.0),
            region,
            tags: wish.tags,
            notes: wish.notes,
        },
    };
    let upload = Upload::from(app.uploads().start(&request).await?);
    see_through(text, app, &upload.id).await
}

/// The connection's first region; none is named where the person has noted none: it is chosen in the panel then.
async fn first_region(app: &App, connection: &str) -> Result<String, Error> {
    let found = app
        .connections()
        .await?
        .into_iter()
        .find(|found| found.id == connection)
        .ok_or_else(|| Error::new("connection_unknown").with("connection", connection))?;
    Ok(found.regions.into_iter().next().unwrap_or_default())
}

/// Asks for what the connections of uploads need; `wanted` says which. What stays missing, or a connection that is gone, is told by what
/// the upload does next: others are not kept from going on.
async fn ask_for(text: &Text, app: &App, wanted: impl Fn(&lotse_app::Upload) -> bool) -> Result<(), Error> {
    let mut asked = BTreeSet::new();
    for upload in app.uploads().list()? {
        if !upload.state.is_final() && wanted(&upload) && asked.insert(upload.connection.clone()) {
            _ = ready(text, app, &upload.connection).await;
        }
    }
    Ok(())
}

/// Goes on with one upload, with all that were interrupted, or also with those that were paused.
pub(crate) async fn resume(text: &Text, app: &App, id: Option<&str>, all: bool) -> Result<ExitCode, Error> {
    let id = id.map(upload_id).transpose()?;
    ask_for(text, app, |upload| match id {
        Some(id) => upload.id == id,
        None => waits_to_go_on(upload, all),
    })
    .await?;
    let resumed = if let Some(id) = id {
        vec![app.uploads().resume(id).await?]
    } else if all {
        app.uploads().resume_all().await?
    } else {
        app.uploads().resume_interrupted().await?
    };
    if resumed.is_empty() {
        anstream::eprintln!("{}", text.get("cli_nothing_to_resume"));
    }
    let mut outcome = ExitCode::SUCCESS;
    for upload in resumed.into_iter().map(Upload::from) {
        let (name, sent) = (&upload.details.name, text.bytes(upload.acknowledged));
        let total = text.bytes(upload.total);
        let params: [(&str, &dyn Display); 3] = [("name", name), ("sent", &sent), ("total", &total)];
        anstream::eprintln!("{}", text.with("cli_resuming", params));
        // One that fails is no reason to break off the others, which are under way already.
        match see_through(text, app, &upload.id).await? {
            code if code == ExitCode::from(INTERRUPTED) => return Ok(code),
            code if code != ExitCode::SUCCESS => outcome = code,
            _ => {}
        }
    }
    Ok(outcome)
}

fn waits_to_go_on(upload: &lotse_app::Upload, paused_too: bool) -> bool {
    let state = Upload::from(upload.clone()).state;
    matches!(state, UploadState::Interrupted | UploadState::WaitingForSignIn)
        || (paused_too && state == UploadState::Paused)
}

async fn see_through(text: &Text, app: &App, id: &str) -> Result<ExitCode, Error> {
    match follow(text, app, id).await? {
        None => {
            anstream::eprintln!("{}", text.with("cli_interrupted", [("id", &id as &dyn Display)]));
            Ok(ExitCode::from(INTERRUPTED))
        }
        Some(Upload {
            state: UploadState::Done,
            image_id: Some(image),
            ..
        }) => {
            print_line(&image);
            Ok(ExitCode::SUCCESS)
        }
        Some(Upload {
            state: UploadState::Staged,
            id,
            ..
        }) => {
            handover::show(text, app, upload_id(&id)?).await?;
            Ok(ExitCode::SUCCESS)
        }
        Some(upload) => {
            if let Some(error) = upload.error {
                let error = Error {
                    code: error.code,
                    params: error.params,
                    retryable: error.retryable,
                };
                print_error(text, &error);
            }
            Ok(ExitCode::from(FAILED))
        }
    }
}

/// Stops one upload, or all, until they are resumed.
pub(crate) async fn pause(text: &Text, app: &App, id: Option<&str>) -> Result<ExitCode, Error> {
    let paused = match id {
        Some(id) => {
            app.uploads().pause(upload_id(id)?).await?;
            1
        }
        None => app.uploads().pause_all().await?,
    };
    let key = if paused == 0 {
        "cli_nothing_to_pause"
    } else {
        "cli_paused"
    };
    anstream::eprintln!("{}", text.get(key));
    Ok(ExitCode::SUCCESS)
}

/// Puts an upload before another one in the queue, or to its end.
pub(crate) fn move_before(app: &App, id: &str, before: Option<&str>) -> Result<ExitCode, Error> {
    let before = before.map(upload_id).transpose()?;
    app.uploads().move_before(upload_id(id)?, before)?;
    Ok(ExitCode::SUCCESS)
}

/// Sends a file that was changed from its beginning.
pub(crate) async fn restart(text: &Text, app: &App, id: &str) -> Result<ExitCode, Error> {
    let id = upload_id(id)?;
    ask_for(text, app, |upload| upload.id == id).await?;
    let upload = Upload::from(app.uploads().start_anew(id).await?);
    see_through(text, app, &upload.id).await
}

/// Goes on with an upload whose file has another path now.
pub(crate) async fn relocate(text: &Text, app: &App, id: &str, file: &Path) -> Result<ExitCode, Error> {
    let id = upload_id(id)?;
    ask_for(text, app, |upload| upload.id == id).await?;
    let upload = Upload::from(app.uploads().relocate(id, file).await?);
    see_through(text, app, &upload.id).await
}

/// Lists the uploads that the journal knows.
pub(crate) fn list(text: &Text, app: &App, json: bool) -> Result<ExitCode, Error> {
    let uploads: Vec<Upload> = app.uploads().list()?.into_iter().map(Upload::from).collect();
    if json {
        print_json(&uploads);
    } else if uploads.is_empty() {
        anstream::eprintln!("{}", text.get("cli_no_uploads"));
    }
    for upload in uploads.iter().filter(|_| !json) {
        let sent = format!("{} / {}", text.bytes(upload.acknowledged), text.bytes(upload.total));
        let phase = match &upload.starts_at {
            Some(at) => text.with("cli_starts_at", [("time", &local_time(at) as &dyn Display)]),
            None => phase(text, upload.state),
        };
        let (id, name) = (&upload.id, &upload.details.name);
        print_line(&plain(&format!("{id}  {phase:18}  {sent:20}  {name}")));
    }
    Ok(ExitCode::SUCCESS)
}

/// The time of day by the computer's clock.
fn local_time(moment: &str) -> String {
    moment.parse::<jiff::Timestamp>().map_or_else(
        |_| moment.to_owned(),
        |moment| {
            let local = moment.to_zoned(jiff::tz::TimeZone::system());
            local.strftime("%H:%M").to_string()
        },
    )
}

/// Takes one upload back, or all.
pub(crate) async fn cancel(text: &Text, app: &App, id: Option<&str>, all: bool) -> Result<ExitCode, Error> {
    let id = id.map(upload_id).transpose()?;
    // What stands ready stays where all are taken back.
    let is_staged = |upload: &lotse_app::Upload| UploadState::from(upload.state) == UploadState::Staged;
    ask_for(text, app, |upload| match id {
        Some(id) => upload.id == id,
        None => all && !is_staged(upload),
    })
    .await?;
    let cancelled = match id {
        Some(id) if !all => {
            app.uploads().cancel(id).await?;
            1
        }
        _ => app.uploads().cancel_all().await?,
    };
    let key = if cancelled == 0 {
        "cli_nothing_to_cancel"
    } else {
        "cli_cancelled"
    };
    anstream::eprintln!("{}", text.get(key));
    Ok(ExitCode::SUCCESS)
}
