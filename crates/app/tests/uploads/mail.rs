//! The mail to centron about an image that stands ready.

use jiff::Zoned;
use lotse_app::Language;

use crate::{
    computer::{Outcome, SMALL},
    storage::Storage,
};

/// What a mail program shows of the link.
fn body(link: &str) -> Result<String, Box<dyn std::error::Error>> {
    let (_, body) = link.split_once("&body=").ok_or("no body")?;
    let pairs = format!("body={body}");
    let decoded = url::form_urlencoded::parse(pairs.as_bytes()).next().ok_or("no body")?;
    Ok(decoded.1.into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn it_has_the_link_and_what_the_check_found_while_the_file_is_there() -> Outcome {
    let storage = Storage::new().await?;
    let (app, now) = (&storage.app, Zoned::now());
    let staged = storage.staged("server.raw").await?;
    let url = app.uploads().hand_over(staged.id).await?.url;
    let mail = body(&app.hand_over_mail(staged.id, Language::German, &now).await?)?;
    for part in ["Büro Server", "Debian", "server.raw", "web", "Aus dem Keller"] {
        assert!(mail.contains(part), "{part}:\n{mail}");
    }
    assert!(mail.lines().any(|line| line == url.as_str()), "{mail}");
    assert!(mail.contains("Ergebnis der Prüfung"), "{mail}");

    // Another file under its name tells nothing of the one that was sent.
    let path = storage.computer.folder.path().join("server.raw");
    std::fs::File::options().write(true).open(&path)?.set_len(SMALL - 512)?;
    let mail = body(&app.hand_over_mail(staged.id, Language::German, &now).await?)?;
    assert!(mail.lines().any(|line| line == url.as_str()), "{mail}");
    assert!(!mail.contains("Ergebnis der Prüfung"), "{mail}");

    storage.clock.forward(8);
    app.tidy_staging().await?;
    let private = app.hand_over_mail(staged.id, Language::German, &now).await;
    assert_eq!(
        private.unwrap_err().code,
        "staging_private",
        "nobody could follow the link"
    );
    Ok(())
}
