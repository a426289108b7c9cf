//! Where the secret key is: in a real keychain, in an encrypted file, or with the person alone; and nowhere else.

use lotse_tests::{
    Result,
    home::{Home, Said},
    process,
    servers::{Access, Kind, Server, Settings},
};

use crate::person::{add, add_as, customer, steps};

const PASSPHRASE: &str = "Vier Wörter, die keiner kennt";

#[tokio::test]
async fn a_secret_is_where_the_person_wanted_it_and_another_process_finds_it_there() -> Result {
    let server = Server::start(Kind::Radosgw, Settings::default()).await?;
    let access = customer(&server, "schluessel").await?;
    in_the_keychain(&access)?;
    in_a_file(&access)?;
    with_the_person(&access)
}

fn in_the_keychain(access: &Access) -> Result {
    let mut home = Home::with_keychain()?;
    let before = kept(&home)?;
    let id = added(add(&home, access, &["--secret-in", "keychain"], &access.secret_key)?)?;
    assert_eq!(kept(&home)?, before + 1, "the keychain has it");
    passes(&home, &id, "another process reads it there")?;

    lock(&home)?;
    // Nobody is there who could answer a prompt.
    let refused = home.run(&["connection", "test", &id])?;
    assert_eq!(refused.status, Some(1), "{refused:?}");
    assert!(
        format!("{}{}", refused.out, refused.err).contains("keychain"),
        "it tells of the keychain: {refused:?}"
    );
    // As after the next sign-in at the computer.
    home.start_keychain()?;

    home.run(&["connection", "remove", &id])?.well()?;
    assert_eq!(kept(&home)?, before, "nothing stays in the keychain");
    only_practice(&home)
}

fn in_a_file(access: &Access) -> Result {
    let mut home = Home::new()?;
    let refused = add(&home, access, &["--secret-in", "keychain"], &access.secret_key)?;
    assert_eq!((refused.status, refused.out.as_str()), (Some(1), ""), "{refused:?}");
    assert!(
        refused.err.contains("keychain"),
        "that there is none is told: {refused:?}"
    );
    only_practice(&home)?;

    let typed = format!("{PASSPHRASE}\n{}\n", access.secret_key);
    let id = added(add(&home, access, &["--secret-in", "file"], &typed)?)?;
    fails(&home, &id, "passphrase", "nobody types one")?;
    home.set("LOTSE_PASSPHRASE", "Vier Wörter, die jeder kennt");
    fails(&home, &id, "passphrase", "a wrong one")?;
    home.set("LOTSE_PASSPHRASE", PASSPHRASE);
    passes(&home, &id, "another process opens the file")?;

    // Under the same passphrase, which is not asked for twice when it is given.
    let second = added(add_as(
        "zweite",
        &home,
        access,
        &["--secret-in", "file"],
        &access.secret_key,
    )?)?;
    assert_ne!(second, id);
    home.run(&["connection", "remove", &id])?.well()?;
    passes(&home, &second, "the other's secret stays")?;
    home.run(&["connection", "remove", &second])?.well()?;
    only_practice(&home)
}

fn with_the_person(access: &Access) -> Result {
    let mut home = Home::new()?;
    let id = added(add(&home, access, &["--secret-in", "ask"], &access.secret_key)?)?;
    fails(&home, &id, "secret", "it was not kept")?;
    home.set("LOTSE_SECRET_KEY", "not the right one at all");
    fails(&home, &id, "signature", "not the service's")?;
    home.set("LOTSE_SECRET_KEY", &access.secret_key);
    passes(&home, &id, "the person has it")
}

fn added(said: Said) -> Result<String> {
    let said = said.well()?;
    let id = said.out.trim();
    assert!(
        !id.is_empty() && !id.contains(char::is_whitespace),
        "the id and nothing else: {said:?}"
    );
    Ok(id.to_owned())
}

fn passes(home: &Home, id: &str, why: &str) -> Result {
    let told = home.run(&["connection", "test", id, "--json"])?.json()?;
    let steps = steps(&told)?;
    assert!(
        steps.iter().all(|(_, result, _)| result == "passed"),
        "{why}: {steps:?}"
    );
    Ok(())
}

/// That a call ends soon, with a sentence that has this word, though nobody is there to answer a question.
fn fails(home: &Home, id: &str, word: &str, why: &str) -> Result {
    let said = home.run(&["connection", "test", id])?;
    assert_eq!(said.status, Some(1), "{why}: {said:?}");
    let sentences = format!("{}{}", said.out, said.err);
    assert!(sentences.contains(word), "{why}: {said:?}");
    assert!(!sentences.contains("error_"), "a sentence, not a code: {said:?}");
    Ok(())
}

fn only_practice(home: &Home) -> Result {
    let list = home.run(&["connection", "list", "--json"])?.well()?.json()?;
    let ids: Vec<_> = list
        .as_array()
        .into_iter()
        .flatten()
        .map(|found| &found["id"])
        .collect();
    assert_eq!(ids, ["practice"], "{list}");
    Ok(())
}

/// Items in the collection in which the daemon keeps what it is given.
fn kept(home: &Home) -> Result<usize> {
    let items = secrets(
        home,
        "/org/freedesktop/secrets/aliases/default",
        &[
            "org.freedesktop.DBus.Properties.Get",
            "string:org.freedesktop.Secret.Collection",
            "string:Items",
        ],
    )?;
    Ok(items.matches("/org/freedesktop/secrets/collection/").count())
}

fn lock(home: &Home) -> Result {
    secrets(
        home,
        "/org/freedesktop/secrets",
        &[
            "org.freedesktop.Secret.Service.Lock",
            "array:objpath:/org/freedesktop/secrets/collection/login",
        ],
    )
    .map(drop)
}

/// Asks the daemon itself, not by our own means.
fn secrets(home: &Home, object: &str, call: &[&str]) -> Result<String> {
    let mut ask = home.program("dbus-send");
    ask.args([
        "--session",
        "--print-reply=literal",
        "--dest=org.freedesktop.secrets",
        object,
    ]);
    process::output(ask.args(call))
}
