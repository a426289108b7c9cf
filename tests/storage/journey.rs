//! The whole way of an image on the command line: connection, upload killed half way, hand-over, import by a stranger, tidying up. All of it with
//! the loudest log, and then everything that was written is searched for the secret.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::Stdio,
};

use lotse_tests::{
    Result,
    home::Home,
    leaks::Leaks,
    servers::{Access, Kind, Server, Settings},
    stored::sha256_of_file,
    strangers,
};
use serde_json::Value;
use url::Url;

use crate::person::{self, Inventory, add, customer, own_file, word};

const FILE_NAME: &str = "Büro & Größe 12.qcow2";

#[tokio::test]
async fn an_image_goes_all_the_way_and_the_secret_is_written_nowhere() -> Result {
    let server = Server::start(Kind::Radosgw, Settings::default()).await?;
    let access = customer(&server, "reise").await?;
    let mut home = Home::with_keychain()?;
    home.set("RUST_LOG", "trace");
    // What else the customer keeps in this bucket; nothing of it is ours.
    let theirs = Inventory::put(&server, &access).await?;

    let id = add(
        &home,
        &access,
        &["--secret-in", "keychain", "--panel", "https://panel.example/images"],
        &access.secret_key,
    )?
    .well()?;
    let id = id.out.trim();
    let image = own_file(&home, "debian-12-compressed.qcow2", FILE_NAME)?;
    let upload = killed_and_resumed(&home, id, word(&image)?)?;
    let address = handed_over(&home, &upload, &access)?;
    fetched(&address, &image)?;
    let staging = home.run(&["staging", "list", "--json"])?.well()?.json()?;
    assert_eq!(staging["objects"].as_array().map(Vec::len), Some(1), "{staging}");
    assert_eq!(staging["objects"][0]["upload"], upload.as_str(), "{staging}");
    assert_eq!(staging["objects"][0]["public"], true, "{staging}");

    for form in ["html", "text", "json", "mail"] {
        let report = home.path().join(form);
        home.run(&["check", "--as", form, "-o", word(&report)?, word(&image)?])?;
    }
    home.run(&["connection", "test", id])?.well()?;
    home.run(&["imported", &upload])?.well()?;
    let answer = strangers::head(&address)?;
    assert!([403, 404].contains(&answer.status), "gone for strangers: {answer:?}");
    assert_eq!(state(&home)?, "done");
    theirs.assert_alone(&server)?;
    let staging = home.run(&["staging", "list", "--json"])?.well()?.json()?;
    assert_eq!(staging["objects"].as_array().map(Vec::len), Some(0), "{staging}");

    fs::remove_file(&image)?;
    let (found, files, bytes) = Leaks::of(&access.secret_key).below(home.path())?;
    println!("{files} files with {bytes} bytes were searched for the secret");
    assert!(
        files > 10 && bytes > 100_000,
        "there was something to search: {files} files, {bytes} bytes"
    );
    assert_eq!(found, [""; 0], "THE SECRET WAS WRITTEN");
    Ok(())
}

/// Its id.
fn killed_and_resumed(home: &Home, connection: &str, image: &str) -> Result<String> {
    let words = [
        "upload",
        "--anyway",
        "--connection",
        connection,
        "--name",
        "Büro",
        "--region",
        "Frankfurt",
        "--tag",
        "web",
        "--notes",
        "Aus dem Keller",
        image,
    ];
    let mut sending = home.command(&words)?;
    let mut sending = sending.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    let progress = BufReader::new(sending.stderr.take().ok_or("no standard error")?);
    let (mut killed_at, mut said) = (None, String::new());
    for line in progress.lines() {
        let line = line?;
        let percent = person::percent(&line);
        said.push_str(&line);
        said.push('\n');
        if percent.is_some_and(|percent| (20..95).contains(&percent)) {
            // SIGKILL: nothing in the program gets to tidy up.
            sending.kill()?;
            killed_at = percent;
            break;
        }
    }
    sending.wait()?;
    fs::write(home.path().join("said-until-killed"), &said)?;
    assert!(killed_at.is_some(), "the upload must be caught half way: {said}");
    let uploads = home.run(&["uploads", "--json"])?.well()?.json()?;
    assert_eq!(uploads[0]["state"], "interrupted", "{uploads}");
    assert!(uploads[0]["acknowledged"].as_u64() > Some(0), "{uploads}");
    home.run(&["resume"])?.well()?;
    assert_eq!(state(home)?, "staged");
    Ok(uploads[0]["id"].as_str().ok_or("no id")?.to_owned())
}

fn state(home: &Home) -> Result<String> {
    let uploads = home.run(&["uploads", "--json"])?.well()?.json()?;
    Ok(uploads[0]["state"].as_str().unwrap_or_default().to_owned())
}

/// What a person reads off to the panel.
fn handed_over(home: &Home, upload: &str, access: &Access) -> Result<Url> {
    let told: Value = home.run(&["handover", upload, "--json"])?.well()?.json()?;
    let address: Url = told["url"].as_str().ok_or("no address")?.parse()?;
    assert!(address.as_str().starts_with(access.endpoint.as_str()), "{address}");
    assert!(
        address.path().ends_with("12.qcow2") && address.query().is_none(),
        "as the panel wants it: {address}"
    );
    assert_eq!(told["file_name"], FILE_NAME);
    assert_eq!(told["details"]["name"], "Büro");
    assert_eq!(told["details"]["region"], "Frankfurt");
    assert_eq!(told["details"]["tags"], serde_json::json!(["web"]));
    assert_eq!(told["details"]["notes"], "Aus dem Keller");
    assert_eq!(told["panel"], "https://panel.example/images");
    assert!(
        told["published"].is_string() && told["public_until"].is_string(),
        "{told}"
    );

    let page = home.run(&["handover", upload])?.well()?;
    for shown in [
        address.as_str(),
        "Büro",
        "Frankfurt",
        "web",
        "Aus dem Keller",
        "panel.example",
    ] {
        let all = format!("{}{}", page.out, page.err);
        assert!(all.contains(shown), "{shown}: {all}");
    }
    let mail = home.run(&["handover", upload, "--mail"])?.well()?;
    assert!(mail.out.starts_with("mailto:technik@centron.de?"), "{}", mail.out);
    Ok(address)
}

/// As ccloud³ fetches it: the head first, then everything.
fn fetched(address: &Url, image: &std::path::Path) -> Result {
    let size = fs::metadata(image)?.len();
    let head = strangers::head(address)?;
    assert_eq!((head.status, head.length), (200, Some(size)), "{head:?}");
    assert_eq!(
        head.content_type.as_deref(),
        Some("application/octet-stream"),
        "{head:?}"
    );
    let some = strangers::range(address, 1000, 1999)?;
    assert_eq!((some.status, some.length), (206, Some(1000)), "{some:?}");
    assert_eq!(some.range, Some(format!("bytes 1000-1999/{size}")));
    assert_eq!(
        strangers::sha256(address)?,
        sha256_of_file(image)?,
        "what ccloud³ fetches is the file"
    );
    Ok(())
}
