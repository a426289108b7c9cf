//! Checks tauri.conf.json and the capabilities, and makes the permissions of the window's commands.

fn main() {
    let commands = &[
        "check_file",
        "choose_files",
        "save_report",
        "mail_report",
        "connections",
        "save_connection",
        "remove_connection",
        "sign_in",
        "test_connection",
        "buckets",
        "create_bucket",
        "profiles",
        "secret_places",
        "unlock",
        "start_upload",
        "uploads",
        "cancel_upload",
        "cancel_all_uploads",
        "resume_upload",
        "resume_all_uploads",
        "pause_upload",
        "pause_all_uploads",
        "move_upload",
        "restart_upload",
        "relocate_upload",
        "settings",
        "save_settings",
        "forget_upload",
        "images",
        "hand_over",
        "import_finished",
        "publish_again",
        "mail_hand_over",
        "open_panel",
        "staging",
        "remove_staging",
    ];
    let attributes = tauri_build::Attributes::new().app_manifest(tauri_build::AppManifest::new().commands(commands));
    if let Err(error) = tauri_build::try_build(attributes) {
        println!("cargo::error={error:#}");
    }
}
