//! The desktop shell: opens the engine and one window, and passes commands and events between them.

// A release build on Windows is a program of the desktop, not of a console.
#![cfg_attr(not(debug_assertions), windows_subsystem = "windows")]

mod commands;
mod dropping;
mod events;
mod opening;

use std::{process::ExitCode, sync::Arc};

use lotse_app::{App, SystemEnvironment};
use tauri::Manager as _;

fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "warn,s3s=off".into()),
        )
        .with_writer(std::io::stderr)
        .init();
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "Imagelotse could not start");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    tauri::Builder::default()
        // First of all plugins: a second start must end before it opens anything.
        .plugin(tauri_plugin_single_instance::init(|app, _arguments, _folder| {
            show_window(app);
        }))
        .plugin(tauri_plugin_window_state::Builder::default().build())
        .setup(|tauri| {
            let engine = App::open(&lotse_app::data_folder()?, Arc::new(SystemEnvironment))?;
            events::forward_uploads(tauri.handle().clone(), engine.clone());
            tauri.manage(engine);
            Ok(())
        })
        .on_window_event(dropping::on_window_event)
        .invoke_handler(tauri::generate_handler![
            commands::check::check_file,
            commands::check::choose_files,
            commands::report::save_report,
            commands::report::mail_report,
            commands::connections::connections,
            commands::connections::save_connection,
            commands::connections::remove_connection,
            commands::connections::sign_in,
            commands::connections::test_connection,
            commands::connections::buckets,
            commands::connections::create_bucket,
            commands::connections::profiles,
            commands::connections::secret_places,
            commands::connections::unlock,
            commands::images::images,
            commands::staging::hand_over,
            commands::staging::import_finished,
            commands::staging::publish_again,
            commands::staging::mail_hand_over,
            commands::staging::open_panel,
            commands::staging::staging,
            commands::staging::remove_staging,
            commands::uploads::start_upload,
            commands::uploads::uploads,
            commands::uploads::cancel_upload,
            commands::uploads::cancel_all_uploads,
            commands::uploads::resume_upload,
            commands::uploads::resume_all_uploads,
            commands::uploads::pause_upload,
            commands::uploads::pause_all_uploads,
            commands::uploads::move_upload,
            commands::uploads::restart_upload,
            commands::uploads::relocate_upload,
            commands::uploads::settings,
            commands::uploads::save_settings,
            commands::uploads::forget_upload,
        ])
        .run(tauri::generate_context!())?;
    Ok(())
}

/// Brings the window to the front when the program is started once more.
fn show_window(app: &tauri::AppHandle) {
    if let Some(window) = app.get_webview_window("main") {
        for shown in [window.unminimize(), window.show(), window.set_focus()] {
            if let Err(error) = shown {
                tracing::warn!(%error, "the window could not be brought to the front");
            }
        }
    }
}
