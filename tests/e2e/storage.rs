//! A customer's way by object storage, in the window: set the connection up, send, hand over, tell that the import has finished.

use lotse_tests::{
    Result,
    e2e::{desktop::Desktop, window::Window},
    keyring::Keyring,
    leaks::Leaks,
    servers::{Access, Kind, Server, Settings},
    stored::sha256_of_file,
    strangers,
};
use url::Url;

use crate::person::{assert_accessible, by_id, open, own_file, picture, press, send_anyway, wait_for};

/// What a test of a connection tries, in order.
const STEPS: [&str; 8] = [
    "name",
    "reach",
    "clock",
    "sign_in",
    "bucket",
    "write",
    "public_read",
    "delete",
];

/// What the window calls itself and says, by language.
struct Speech {
    locale: &'static str,
    language: &'static str,
}

const GERMAN: Speech = Speech {
    locale: "de_DE.UTF-8",
    language: "de",
};
const ENGLISH: Speech = Speech {
    locale: "en_US.UTF-8",
    language: "en",
};

#[tokio::test]
async fn a_customer_sends_by_object_storage_and_hands_over() -> Result {
    let server = Server::start(Kind::Radosgw, Settings::default()).await?;
    journey(&server, &GERMAN, true).await?;
    journey(&server, &ENGLISH, false).await
}

async fn journey(server: &Server, speech: &Speech, creates_bucket: bool) -> Result {
    let access = Access {
        bucket: format!("meine-images-{}", speech.language),
        secret_key: "pRf/9+Geheim=Kpx3/wJalrXUtnFEMI".to_owned(),
        access_key: format!("CENTRON{}", speech.language.to_uppercase()),
        ..server.access.clone()
    };
    let keys = [
        format!("--access-key={}", access.access_key),
        format!("--secret-key={}", access.secret_key),
    ];
    let uid = format!("--uid={}", speech.language);
    server.admin(&["user", "create", &uid, "--display-name=Petra", &keys[0], &keys[1]])?;
    if !creates_bucket {
        access.make_bucket().await?;
    }

    let desktop = Desktop::start_in(speech.locale)?;
    let _keyring = Keyring::start(|program| desktop.command(program))?;
    let image = own_file(&desktop, "debian-12-compressed.qcow2", "Büro & Größe.qcow2")?;
    let drafted = desktop.take_mail()?;
    let window = open(&desktop).await?;
    let shot = |name: &str| format!("{name}-{}.png", speech.language);

    set_up(&desktop, &window, &access, creates_bucket, &shot).await?;
    let sent = send(&window, &image).await;
    if sent.is_err() {
        picture(&desktop, &window, "send-failed.png").await?;
    }
    sent?;
    let address = hand_over(&desktop, &window, &access, &shot).await?;
    assert_eq!(strangers::head(&address)?.status, 200);
    assert_eq!(strangers::sha256(&address)?, sha256_of_file(&image)?);
    press(&window, "mail-handover").await?;
    let link = drafted.link()?;
    assert!(
        link.starts_with("mailto:technik@centron.de?") && link.contains("imagelotse%2F"),
        "{link}"
    );

    press(&window, "handover-close").await?;
    press(&window, "nav-images").await?;
    window
        .element("[data-testid=\"staging-row\"][data-owner=\"staged\"][data-access=\"public\"]")
        .await?;
    assert_accessible(&window, "the staging list").await?;
    picture(&desktop, &window, &shot("staging")).await?;
    press(&window, "staging-hand-over").await?;
    press(&window, "import-finished").await?;
    press(&window, "question-yes").await?;
    finished(&window, &address).await?;
    window.close().await?;

    let (found, files, _) = Leaks::of(&access.secret_key).below(&desktop.data_home())?;
    assert!(files > 3, "there was something to search");
    assert_eq!(found, [""; 0], "THE SECRET WAS WRITTEN");
    Ok(())
}

async fn type_into(window: &Window<'_>, id: &str, text: &str) -> Result {
    let field = window.element(&by_id(id)).await?;
    field.clear().await?;
    field.send_keys(text).await?;
    Ok(())
}

async fn set_up(
    desktop: &Desktop,
    window: &Window<'_>,
    access: &Access,
    creates_bucket: bool,
    shot: &impl Fn(&str) -> String,
) -> Result {
    press(window, "nav-connections").await?;
    press(window, "add-connection").await?;
    type_into(window, "connection-name", "ccloud³").await?;
    type_into(window, "connection-endpoint", access.endpoint.as_str()).await?;
    type_into(window, "connection-access-key", &access.access_key).await?;
    type_into(window, "connection-secret", &access.secret_key).await?;
    if creates_bucket {
        press(window, "new-bucket").await?;
        type_into(window, "new-bucket-name", &access.bucket).await?;
        press(window, "create-bucket").await?;
        // Filled in, and the focus is there: what is typed sooner would land in it.
        let filled =
            "document.activeElement.dataset.testid === 'connection-bucket' ? document.activeElement.value : ''";
        window.page_says(filled, &access.bucket).await?;
    } else {
        press(window, "load-buckets").await?;
        let option = format!("{} option[value=\"{}\"]", by_id("connection-buckets"), access.bucket);
        window.element(&option).await?;
        let found = window.element(&by_id("connection-buckets")).await?;
        found.select_by_value(&access.bucket).await?;
    }
    type_into(window, "connection-panel", "https://panel.example/images").await?;
    assert_accessible(window, "a new connection").await?;
    picture(desktop, window, &shot("connection")).await?;

    press(window, "test-connection").await?;
    for step in STEPS {
        window
            .element(&format!("{}[data-result=\"passed\"]", by_id(&format!("trial-{step}"))))
            .await?;
    }
    assert_accessible(window, "a connection that works").await?;
    let all = "document.querySelector('[data-testid=\"trial-steps\"]').scrollIntoView({block: 'center', behavior: 'instant'})";
    window.page().execute(all, vec![]).await?;
    picture(desktop, window, &shot("connection-test")).await?;
    press(window, "save-connection").await?;
    window
        .text_with("[data-testid=\"connection\"][data-kind=\"object_storage\"]", "ccloud³")
        .await?;
    picture(desktop, window, &shot("connections")).await
}

async fn send(window: &Window<'_>, image: &std::path::Path) -> Result {
    press(window, "nav-check").await?;
    window.drop_files(&[image], &by_id("drop-zone")).await?;
    window.element(&by_id("verdict")).await?;
    // A new connection is the one in use.
    window.text_with(&by_id("connection-label"), "ccloud³").await?;
    send_anyway(window).await?;
    // The page comes by itself to whoever has waited for it.
    window
        .element(&format!("{}[data-state=\"staged\"]", by_id("handover")))
        .await?;
    Ok(())
}

async fn hand_over(
    desktop: &Desktop,
    window: &Window<'_>,
    access: &Access,
    shot: &impl Fn(&str) -> String,
) -> Result<Url> {
    let shown = window.text_with(&by_id("handover-url"), "http").await?;
    assert_accessible(window, "the hand-over").await?;
    picture(desktop, window, &shot("handover")).await?;
    press(window, "copy-url").await?;
    window
        .element("[data-testid=\"copy-url\"][data-outcome=\"copied\"]")
        .await?;
    let copied = desktop.clipboard()?.unwrap_or_default();
    assert!(
        shown.contains(&copied),
        "what was copied is what is shown: {copied:?} of {shown:?}"
    );
    let address: Url = copied.parse()?;
    assert!(
        copied.starts_with(access.endpoint.as_str()) && address.path().ends_with("e.qcow2"),
        "{address}"
    );
    for (field, value) in [("name", "Büro & Größe"), ("distribution", "Debian")] {
        press(window, &format!("copy-{field}")).await?;
        window
            .element(&format!("{}[data-outcome=\"copied\"]", by_id(&format!("copy-{field}"))))
            .await?;
        assert_eq!(desktop.clipboard()?.as_deref(), Some(value));
    }
    Ok(address)
}

async fn finished(window: &Window<'_>, address: &Url) -> Result {
    window
        .element(&format!("{}[data-state=\"done\"]", by_id("handover")))
        .await?;
    press(window, "handover-leave").await?;
    let status = strangers::head(address)?.status;
    assert!([403, 404].contains(&status), "gone for strangers: {status}");
    press(window, "nav-images").await?;
    window.element(&by_id("staging-empty")).await?;
    wait_for(window, &by_id("staging-row"), 0).await
}
