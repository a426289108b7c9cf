//! What a person does in the window and sees of it.

use std::{fs, path::Path, time::Duration};

use fantoccini::elements::Element;
use lotse_tests::{
    Result,
    e2e::{desktop::Desktop, window::Window},
    provided::{fixture, imagelotse},
};
use serde_json::json;

/// Beside the built programs: a picture of the display, for people to look at after a run.
pub(crate) async fn picture(desktop: &Desktop, window: &Window<'_>, name: &str) -> Result {
    let folder = fixture("debian-12.qcow2")?.with_file_name("../pictures");
    fs::create_dir_all(&folder)?;
    settled(window).await?;
    desktop.screenshot(&folder.join(name))
}

/// Waits until nothing fades or slides any more; what turns for ever does not count.
async fn settled(window: &Window<'_>) -> Result {
    let wait = "const done = arguments[arguments.length - 1];
                const ending = document.getAnimations().filter(a => a.effect?.getComputedTiming().endTime !== Infinity);
                Promise.allSettled(ending.map(a => a.finished)).then(() => requestAnimationFrame(() => done(null)));";
    window.page().execute_async(wait, vec![]).await?;
    Ok(())
}

pub(crate) async fn open(desktop: &Desktop) -> Result<Window<'_>> {
    Window::open(desktop, &imagelotse()?, "Imagelotse").await
}

pub(crate) fn by_id(id: &str) -> String {
    format!("[data-testid=\"{id}\"]")
}

pub(crate) async fn press(window: &Window<'_>, id: &str) -> Result<Element> {
    let mut tried = 0;
    loop {
        let element = window.element(&by_id(id)).await?;
        // Not where the header covers it.
        let middle = "arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})";
        let arguments = vec![serde_json::to_value(&element)?];
        window.page().execute(middle, arguments).await?;
        tried += 1;
        match element.click().await {
            Ok(()) => return Ok(element),
            // What came above it or moved it away just then goes again.
            Err(_) if tried < 50 => tokio::time::sleep(Duration::from_millis(200)).await,
            Err(error) => return Err(format!("{id} cannot be pressed: {error:?}").into()),
        }
    }
}

/// The systems in these images have no kernel: they are accepted, but would not start, so that they are sent only after an
/// express yes.
pub(crate) async fn send_anyway(window: &Window<'_>) -> Result {
    press(window, "upload-button").await?;
    press(window, "question-yes").await?;
    Ok(())
}

/// Puts a fixture under a name of the person's own into their home, without copying it.
pub(crate) fn own_file(desktop: &Desktop, image: &str, name: &str) -> Result<std::path::PathBuf> {
    let path = desktop.home().join(name);
    let original = fixture(image)?;
    if fs::hard_link(&original, &path).is_err() {
        fs::copy(&original, &path)?;
    }
    Ok(path)
}

/// No violation that axe-core finds on what the page shows now.
pub(crate) async fn assert_accessible(window: &Window<'_>, what: &str) -> Result {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ui/node_modules/axe-core/axe.min.js");
    let axe = fs::read_to_string(&source).map_err(|error| format!("{}: {error}", source.display()))?;
    window.page().execute(&axe, vec![]).await?;
    settled(window).await?;
    let run = "const done = arguments[arguments.length - 1];
               axe.run(document, {resultTypes: ['violations']}).then(
                 found => done(found.violations.map(v => v.id + ': ' + v.nodes.map(n => n.target.join(' ')).join(', '))),
                 error => done([String(error)]));";
    let found = window.page().execute_async(run, vec![]).await?;
    assert_eq!(found, json!([]), "axe-core has complaints about {what}");
    Ok(())
}

pub(crate) async fn wait_for(window: &Window<'_>, selector: &str, count: u64) -> Result {
    for _ in 0..300 {
        let found = window
            .page()
            .execute(
                "return document.querySelectorAll(arguments[0]).length",
                vec![json!(selector)],
            )
            .await?;
        if found.as_u64() == Some(count) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Err(format!("there were never {count} of `{selector}`").into())
}
