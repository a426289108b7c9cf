//! `lotse`: checks disk images and brings them into a cloud, on the command line. Adapts `lotse-app`, nothing more.

mod arguments;
mod check;
mod connections;
mod explain;
mod facts;
mod follow;
mod handover;
mod help;
mod images;
mod prompt;
mod report;
mod settings;
mod staging;
mod text;
mod uploads;

use std::{process::ExitCode, sync::Arc};

use arguments::{Arguments, Command};
use lotse_app::{App, Error, SystemEnvironment};
use text::{Text, print_error};

/// What the program was asked to do failed.
const FAILED: u8 = 1;

/// `EX_USAGE` of sysexits.h: the words of the call are off. Not clap's 2, which `check` uses for unreadable files.
const USAGE: u8 = 64;

/// 128 + SIGINT, as shells report it.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let text = text::for_call(std::env::args_os());
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "error,s3s=off".into()),
        )
        .with_writer(std::io::stderr)
        .init();
    match help::parse(&text) {
        Ok(Arguments {
            command: Command::Check(wish),
            ..
        }) => check::run(&text, &wish.asked()),
        Ok(Arguments {
            command: Command::Explain { code },
            ..
        }) => explain::run(&text, code.as_deref()),
        Ok(Arguments {
            command: Command::Facts { file },
            ..
        }) => facts::run(&text, &file),
        Ok(arguments) => run(&text, arguments.command),
        Err(code) => code,
    }
}

fn run(text: &Text, command: Command) -> ExitCode {
    let outcome = tokio::runtime::Runtime::new()
        .map_err(|cause| Error::new("no_runtime").with("cause", cause))
        .and_then(|runtime| {
            let outcome = runtime.block_on(dispatch(text, command));
            // Whatever still waits for a keychain that asks somebody shall not keep the call from ending.
            runtime.shutdown_background();
            outcome
        });
    match outcome {
        Ok(code) => code,
        Err(error) => {
            print_error(text, &error);
            ExitCode::from(FAILED)
        }
    }
}

async fn dispatch(text: &Text, command: Command) -> Result<ExitCode, Error> {
    let app = App::open(&lotse_app::data_folder()?, Arc::new(SystemEnvironment))?;
    match command {
        Command::Check(wish) => Ok(check::run(text, &wish.asked())),
        Command::Explain { code } => Ok(explain::run(text, code.as_deref())),
        Command::Facts { file } => Ok(facts::run(text, &file)),
        Command::Upload(wish) => uploads::upload(text, &app, wish).await,
        Command::Resume { id, all } => uploads::resume(text, &app, id.as_deref(), all).await,
        Command::Pause { id, .. } => uploads::pause(text, &app, id.as_deref()).await,
        Command::Move { id, before } => uploads::move_before(&app, &id, before.as_deref()),
        Command::Restart { id } => uploads::restart(text, &app, &id).await,
        Command::Relocate { id, file } => uploads::relocate(text, &app, &id, &file).await,
        Command::Settings(choice) => settings::run(text, &app, &choice),
        Command::Uploads { json } => {
            staging::tidy(&app).await;
            uploads::list(text, &app, json)
        }
        Command::Cancel { id, all } => uploads::cancel(text, &app, id.as_deref(), all).await,
        Command::Connection { command } => connections::run(text, &app, command).await,
        Command::Staging { command } => staging::run(text, &app, command).await,
        Command::Handover(wish) => handover::run(text, &app, &wish).await,
        Command::Imported { id } => handover::imported(text, &app, &id).await,
        Command::Images { connection, json } => images::list(text, &app, &connection, json).await,
    }
}
