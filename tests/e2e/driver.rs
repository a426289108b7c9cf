use std::path::Path;

use lotse_tests::Result;
use lotse_tests::e2e::desktop::Desktop;
use lotse_tests::e2e::window::Window;
use serde_json::json;

/// A program with nothing but a web view, which shows what is dropped on it and opens GTK's file dialog.
fn sample() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/sample_window.py")
}

#[tokio::test]
async fn files_with_spaces_and_umlauts_arrive_by_a_real_drop() -> Result {
    let desktop = Desktop::start()?;
    let first = desktop.home().join("Größe 1 – Abbild.qcow2");
    let second = desktop.home().join("second image.raw");
    for path in [&first, &second] {
        std::fs::write(path, "x")?;
    }
    let window = Window::open(&desktop, &sample(), "Sample window").await?;
    window.drop_files(&[&first, &second], "#target").await?;
    let shown = window.text_with("#dropped", "second image.raw").await?;
    assert!(
        shown.contains("Größe 1 – Abbild.qcow2"),
        "both names must arrive whole, shown was: {shown}"
    );
    window.close().await
}

#[tokio::test]
async fn the_native_file_dialog_is_answered_and_the_display_photographed() -> Result {
    let desktop = Desktop::start()?;
    let file = desktop.home().join("Abbild für später.raw");
    std::fs::write(&file, "x")?;
    let window = Window::open(&desktop, &sample(), "Sample window").await?;
    window.element("#choose").await?.click().await?;
    desktop.answer_file_dialog("Choose a file", &file)?;
    window.text_with("#chosen", "Abbild für später.raw").await?;

    let picture = desktop.home().join("display.png");
    desktop.screenshot(&picture)?;
    assert!(
        std::fs::read(&picture)?.starts_with(b"\x89PNG"),
        "the picture must be a PNG file"
    );
    let url = window.page().execute("return location.href", vec![]).await?;
    assert_ne!(
        url,
        json!("about:blank"),
        "the driver must be attached to the page that the window shows"
    );
    window.close().await
}

#[tokio::test]
async fn a_window_is_told_the_desktop_s_language() -> Result {
    for (locale, language) in [("de_DE.UTF-8", "de"), ("en_US.UTF-8", "en")] {
        let desktop = Desktop::start_in(locale)?;
        let window = Window::open(&desktop, &sample(), "Sample window").await?;
        let told = window.page().execute("return navigator.language", vec![]).await?;
        assert!(
            told.as_str().is_some_and(|told| told.starts_with(language)),
            "{locale} must give {language}, not {told}"
        );
        window.close().await?;
    }
    Ok(())
}
