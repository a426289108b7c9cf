//! A person's way through the window: drop, report, details, upload, images; cancelling; bad files; both languages. What they
//! see is asked of the page, what arrived is asked of the cloud.

use std::{fs, path::Path};

use fantoccini::elements::Element;
use lotse_tests::{
    Result,
    e2e::{desktop::Desktop, window::Window},
    provided::lotse,
    stored::{sha256_of_file, sha256_of_image},
};
use serde_json::{Value, json};

use crate::person::{assert_accessible, by_id, open, own_file, picture, press, send_anyway, wait_for};

#[tokio::test]
async fn a_dropped_image_is_checked_sent_and_arrives() -> Result {
    let desktop = Desktop::start()?;
    let image = own_file(&desktop, "debian-12.qcow2", "Büro Server.qcow2")?;
    let text = own_file(&desktop, "notes.img", "Notizen.img")?;
    let window = open(&desktop).await?;
    window.text_with(&by_id("connection-label"), "ractice").await?;
    assert_accessible(&window, "the start").await?;
    picture(&desktop, &window, "start-en.png").await?;

    window.drop_files(&[&text, &image], &by_id("drop-zone")).await?;
    window.text_with("main", "Büro Server.qcow2").await?;
    window.text_with(&by_id("error-notice"), "disk image").await?;
    window.element(&by_id("verdict")).await?;
    assert_accessible(&window, "two checked files").await?;
    picture(&desktop, &window, "dropped-en.png").await?;

    // The file that is no image is taken away from sight by checking the good one alone.
    window.page().refresh().await?;
    window.drop_files(&[&image], &by_id("drop-zone")).await?;
    window.element(&by_id("verdict")).await?;
    picture(&desktop, &window, "report-en.png").await?;
    // Where there is much to tell, what only may matter is folded.
    let fold = "[data-testid=\"finding-datasource_order\"] button[aria-expanded=\"false\"]";
    if let Ok(title) = window.page().find(fantoccini::Locator::Css(fold)).await {
        title.click().await?;
    }
    let place = window
        .text_with(&by_id("finding-datasource_order"), "settings.py:")
        .await?;
    assert!(place.contains("NoCloud"), "what stands there is shown: {place}");
    assert_accessible(&window, "the report").await?;

    let name = window.element(&by_id("details-name")).await?;
    assert_eq!(
        name.prop("value").await?.as_deref(),
        Some("Büro Server"),
        "preset from the file"
    );
    let distribution = window.element(&by_id("details-distribution")).await?;
    assert_eq!(
        distribution.prop("value").await?.as_deref(),
        Some("debian"),
        "preset from what was found"
    );
    let region = window.element(&by_id("details-region")).await?;
    region.select_by_value("practice-south").await?;
    let tags = tags_input(&window).await?;
    tags.send_keys("web\u{e007}").await?;
    window
        .element(&by_id("details-notes"))
        .await?
        .send_keys("Aus dem Keller")
        .await?;
    send_anyway(&window).await?;

    press(&window, "transfers-button").await?;
    window.element(&by_id("upload-row")).await?;
    window
        .element("[data-testid=\"upload-row\"][data-state=\"done\"]")
        .await?;
    assert_accessible(&window, "the list of uploads").await?;
    picture(&desktop, &window, "uploads-done-en.png").await?;
    press(&window, "close-transfers").await?;

    press(&window, "nav-images").await?;
    let row = window.text_with(&by_id("image-row"), "Büro Server").await?;
    for shown in ["practice-south", "web", "Aus dem Keller"] {
        assert!(row.contains(shown), "the image's row shows {shown}: {row}");
    }
    assert_accessible(&window, "the images").await?;
    picture(&desktop, &window, "images-en.png").await?;

    let id = image_id(&window).await?;
    let arrived = sha256_of_image(&desktop.data_home(), "practice-south", &id).await?;
    assert_eq!(
        arrived,
        sha256_of_file(&image)?,
        "the bytes that arrived are the file's"
    );
    window.close().await
}

/// The field itself, or the one inside the field's frame.
async fn tags_input(window: &Window<'_>) -> Result<Element> {
    window
        .element("input[data-testid=\"details-tags\"], [data-testid=\"details-tags\"] input")
        .await
}

/// As the program tells its page.
async fn image_id(window: &Window<'_>) -> Result<String> {
    let ask = "const done = arguments[arguments.length - 1];
               window.__TAURI_INTERNALS__.invoke('images', {connection: 'practice'}).then(done, done);";
    let told = window.page().execute_async(ask, vec![]).await?;
    let id = told["images"][0]["id"].as_str();
    id.map(str::to_owned).ok_or_else(|| format!("no image: {told}").into())
}

#[tokio::test]
async fn uploads_are_cancelled_one_by_one_and_all_at_once_and_leave_nothing() -> Result {
    let desktop = Desktop::start()?;
    let images = [
        own_file(&desktop, "debian-12.raw", "eins.raw")?,
        own_file(&desktop, "debian-12.raw", "zwei.raw")?,
        own_file(&desktop, "debian-12.raw", "drei.raw")?,
    ];
    let window = open(&desktop).await?;
    for image in &images {
        window.drop_files(&[image], "body").await?;
        let name = image.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        window.text_with("main", name).await?;
        window
            .element(&format!("{}:not([disabled])", by_id("upload-button")))
            .await?;
        send_anyway(&window).await?;
    }
    press(&window, "transfers-button").await?;
    wait_for(&window, "[data-testid=\"upload-row\"]", 3).await?;
    press(&window, "pause-all").await?;
    wait_for(&window, "[data-testid=\"upload-row\"][data-state=\"paused\"]", 3).await?;
    press(&window, "open-upload-settings").await?;
    press(&window, "settings-limit").await?;
    press(&window, "settings-hours").await?;
    window.element(&by_id("settings-until")).await?;
    assert_accessible(&window, "paused uploads and their settings").await?;
    picture(&desktop, &window, "uploads-settings-en.png").await?;
    // Always, or the night would decide whether this test ends; slow enough to be seen.
    press(&window, "settings-hours").await?;
    press(&window, "open-upload-settings").await?;
    press(&window, "resume-all").await?;
    wait_for(&window, "[data-testid=\"upload-row\"][data-state=\"paused\"]", 0).await?;
    assert_accessible(&window, "uploads under way").await?;
    picture(&desktop, &window, "uploads-en.png").await?;
    press(&window, "cancel-upload").await?;
    press(&window, "question-yes").await?;
    wait_for(&window, "[data-testid=\"upload-row\"][data-state=\"cancelled\"]", 1).await?;
    press(&window, "cancel-all").await?;
    press(&window, "question-yes").await?;
    wait_for(&window, "[data-testid=\"upload-row\"][data-state=\"cancelled\"]", 3).await?;
    window.close().await?;

    let kept = desktop.data_home().join("imagelotse/practice-cloud");
    let left: u64 = files_below(&kept)?
        .iter()
        .filter_map(|path| fs::metadata(path).ok())
        .map(|found| found.len())
        .sum();
    assert!(
        left < 16 << 20,
        "what had been sent is removed from the cloud, {left} bytes are left"
    );
    Ok(())
}

fn files_below(folder: &Path) -> Result<Vec<std::path::PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            files.extend(files_below(&entry.path())?);
        } else {
            files.push(entry.path());
        }
    }
    Ok(files)
}

#[tokio::test]
async fn the_dialog_opens_a_broken_image_and_the_window_speaks_german() -> Result {
    let desktop = Desktop::start_in("de_DE.UTF-8")?;
    let image = own_file(&desktop, "no-sshd.qcow2", "ohne sshd.qcow2")?;
    let window = open(&desktop).await?;
    press(&window, "choose-file").await?;
    desktop.answer_file_dialog("Images auswählen", &image)?;
    window.text_with(&by_id("verdict"), "nicht funktionieren").await?;
    let finding = window
        .text_with(&by_id("finding-sshd_enabled"), "systemctl enable ssh")
        .await?;
    assert!(finding.contains("ccloud³ verlangt"), "who asks for it: {finding}");
    assert_accessible(&window, "a report with problems, German").await?;
    picture(&desktop, &window, "findings-de.png").await?;

    let dark = "document.documentElement.dataset.theme ?? ''";
    window
        .element("label:has([data-testid=\"theme-dark\"])")
        .await?
        .click()
        .await?;
    assert_accessible(&window, "the dark window").await?;
    picture(&desktop, &window, "findings-dark-de.png").await?;
    let theme: Value = window.page().execute(&format!("return {dark}"), vec![]).await?;
    assert_eq!(theme, json!("dark"), "the switch holds");
    window.close().await
}

/// As the program itself makes it of the same file.
fn exported(image: &Path, form: &str) -> Result<String> {
    let lotse = std::process::Command::new(lotse()?)
        .args(["--lang", "de", "check", "--as", form])
        .arg(image)
        .output()?;
    Ok(String::from_utf8(lotse.stdout)?)
}

#[tokio::test]
async fn a_report_leaves_as_script_page_mail_and_copied_command() -> Result {
    let desktop = Desktop::start_in("de_DE.UTF-8")?;
    let image = own_file(&desktop, "no-sshd.qcow2", "ohne sshd.qcow2")?;
    let drafted = desktop.take_mail()?;
    let window = open(&desktop).await?;
    window.drop_files(&[&image], &by_id("drop-zone")).await?;
    window.element(&by_id("report-actions")).await?;

    press(&window, "save-script").await?;
    let script = desktop.home().join("Reparatur für später.sh");
    desktop.answer_save_dialog("Reparatur-Skript speichern", &script)?;
    window
        .text_with(&by_id("report-done"), "Reparatur für später.sh")
        .await?;
    assert_eq!(
        fs::read_to_string(&script)?,
        exported(&image, "script")?,
        "the window's script is the command line's"
    );

    press(&window, "save-report").await?;
    picture(&desktop, &window, "save-report-de.png").await?;
    press(&window, "save-html").await?;
    let page = desktop.home().join("Bericht.html");
    desktop.answer_save_dialog("Bericht speichern", &page)?;
    window.text_with(&by_id("report-done"), "Bericht.html").await?;
    let html = fs::read_to_string(&page)?;
    for shown in ["<!doctype html>", "ohne sshd.qcow2", "systemctl enable ssh"] {
        assert!(
            html.to_lowercase().contains(&shown.to_lowercase()),
            "the page shows {shown}"
        );
    }

    press(&window, "mail-report").await?;
    window.text_with(&by_id("report-done"), "E-Mail-Programm").await?;
    let link = drafted.link()?;
    assert!(link.starts_with("mailto:technik@centron.de?"), "{link}");
    assert!(link.contains("ohne%20sshd"), "the image is named: {link}");

    let copy = "[data-testid=\"finding-sshd_enabled\"] .commands button";
    window.element(copy).await?.click().await?;
    window.text_with(copy, "Kopiert").await?;
    assert_accessible(&window, "a report that was handed on").await?;
    window.close().await
}

#[tokio::test]
async fn files_that_cannot_be_read_get_an_answer_each() -> Result {
    let desktop = Desktop::start()?;
    let empty = own_file(&desktop, "empty.img", "leer.img")?;
    let folder = desktop.home().join("Ordner.raw");
    fs::create_dir(&folder)?;
    let window = open(&desktop).await?;
    window.drop_files(&[&empty, &folder], &by_id("drop-zone")).await?;
    wait_for(&window, &by_id("error-notice"), 2).await?;
    let said = window
        .page()
        .execute(
            "return [...document.querySelectorAll('[data-testid=\"error-notice\"]')].map(notice => notice.innerText)",
            vec![],
        )
        .await?;
    assert_ne!(said[0], said[1], "each its own words: {said}");
    assert!(!said.to_string().contains("error_"), "sentences, not codes: {said}");
    picture(&desktop, &window, "errors-en.png").await?;
    window.close().await
}
