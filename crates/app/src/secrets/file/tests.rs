use std::{fs, thread};

use tempfile::TempDir;

use super::*;

const PASSPHRASE: &str = "vier Wörter ohne Sinn";

fn process(folder: &TempDir) -> SecretsFile {
    SecretsFile::with_work(folder.path(), WorkFactor::LEAST)
}

fn secret(text: &str) -> Secret {
    Secret::new(text)
}

fn code<T>(outcome: Result<T, Error>) -> String {
    outcome.err().map_or_else(|| "no error".to_owned(), |error| error.code)
}

#[test]
fn what_one_process_keeps_another_reads_once_it_has_the_passphrase() -> Result<(), Error> {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (process(&folder), process(&folder));
    assert_eq!(one.state(), FileState::None);
    assert_eq!(code(one.write("ccloud", &secret("s3cr3t"))), "passphrase_needed");
    one.unlock(&secret(PASSPHRASE))?;
    one.write("ccloud", &secret("s3cr3t"))?;
    assert_eq!(one.read("ccloud")?, Some(secret("s3cr3t")));

    assert_eq!(other.state(), FileState::Locked);
    assert!(
        other.has("ccloud")? && !other.has("else")?,
        "told without the passphrase"
    );
    assert_eq!(code(other.read("ccloud")), "passphrase_needed");
    assert_eq!(code(other.unlock(&secret("vier Wörter mit Sinn"))), "passphrase_wrong");
    assert_eq!(code(other.read("ccloud")), "passphrase_needed");
    other.unlock(&secret(PASSPHRASE))?;
    assert_eq!(other.state(), FileState::Unlocked);
    assert_eq!(other.read("ccloud")?, Some(secret("s3cr3t")));

    // Both go on, and neither loses what the other wrote.
    other.write("zweite", &secret("a"))?;
    one.write("dritte", &secret("b"))?;
    one.write("ccloud", &secret("neu"))?;
    assert_eq!(other.read("dritte")?, Some(secret("b")));
    assert_eq!(one.read("zweite")?, Some(secret("a")));
    assert_eq!(other.read("ccloud")?, Some(secret("neu")));
    Ok(())
}

#[test]
fn nothing_of_a_secret_or_the_passphrase_stands_in_the_file_and_only_its_owner_may_read_it() -> Result<(), Error> {
    let folder = tempfile::tempdir().unwrap();
    let file = process(&folder);
    file.unlock(&secret(PASSPHRASE))?;
    file.write("ccloud", &secret("s3cr3t"))?;
    let text = fs::read_to_string(&file.path).unwrap();
    for hidden in ["s3cr3t", PASSPHRASE, "czNjcjN0"] {
        assert!(!text.contains(hidden), "{hidden} in {text}");
    }
    let again = text.clone();
    file.write("ccloud", &secret("s3cr3t"))?;
    assert_ne!(
        fs::read_to_string(&file.path).unwrap(),
        again,
        "the same secret looks different each time"
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(file.path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    let names: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(
        names.len(),
        2,
        "nothing is left beside the file and its lock: {names:?}"
    );
    Ok(())
}

/// A short one would make the file look safe when it is not.
#[test]
fn a_new_file_wants_a_passphrase_that_is_long_enough() {
    let folder = tempfile::tempdir().unwrap();
    let file = process(&folder);
    let error = file.unlock(&secret("kürzest")).unwrap_err();
    assert_eq!(
        (error.code.as_str(), error.params["least"].as_str()),
        ("passphrase_too_short", "8")
    );
    assert_eq!(file.state(), FileState::None);
    file.unlock(&secret("kürzeste")).unwrap();
}

/// Removing a connection must not need a passphrase that nobody remembers; and without secrets there is nothing to protect.
#[test]
fn a_secret_is_removed_without_the_passphrase_and_the_last_one_takes_the_file_with_it() -> Result<(), Error> {
    let folder = tempfile::tempdir().unwrap();
    let file = process(&folder);
    file.remove("ccloud")?;
    file.unlock(&secret(PASSPHRASE))?;
    file.write("ccloud", &secret("s3cr3t"))?;
    file.write("zweite", &secret("a"))?;

    let forgetful = process(&folder);
    forgetful.remove("ccloud")?;
    forgetful.remove("ccloud")?;
    assert_eq!(file.read("ccloud")?, None);
    assert_eq!(file.read("zweite")?, Some(secret("a")));
    forgetful.remove("zweite")?;
    assert_eq!(forgetful.state(), FileState::None);

    forgetful.unlock(&secret("eine andere Passphrase"))?;
    forgetful.write("ccloud", &secret("neu"))?;
    assert_eq!(code(file.read("ccloud")), "passphrase_needed", "it is another file now");
    assert_eq!(code(file.write("ccloud", &secret("x"))), "passphrase_needed");
    Ok(())
}

#[test]
fn a_damaged_file_is_told_from_a_wrong_passphrase_and_left_as_it_is() -> Result<(), Error> {
    let folder = tempfile::tempdir().unwrap();
    let file = process(&folder);
    file.unlock(&secret(PASSPHRASE))?;
    file.write("ccloud", &secret("s3cr3t"))?;
    let whole = fs::read(&file.path).unwrap();
    let mut damages: Vec<Vec<u8>> = vec![
        Vec::new(),
        b"{}".to_vec(),
        vec![b' '; 2 << 20],
        whole[..whole.len() / 2].to_vec(),
    ];
    // A bit anywhere: in the salt, a seal, a name, the checksum. Spaces between the values carry no meaning.
    damages.extend(
        (0..whole.len())
            .step_by(7)
            .filter(|at| !whole[*at].is_ascii_whitespace())
            .map(|at| {
                let mut broken = whole.clone();
                broken[at] ^= 1;
                broken
            }),
    );
    for broken in damages {
        fs::write(&file.path, &broken).unwrap();
        let shown = String::from_utf8_lossy(&broken);
        let told = [
            code(process(&folder).unlock(&secret(PASSPHRASE))),
            code(file.read("ccloud")),
            code(file.write("ccloud", &secret("neu"))),
            code(file.remove("ccloud")),
        ];
        assert!(
            told.iter().all(|code| code == "secrets_file_damaged"),
            "{told:?} of {shown}"
        );
        assert_eq!(fs::read(&file.path).unwrap(), broken);
    }
    fs::write(&file.path, &whole).unwrap();
    assert_eq!(
        file.read("ccloud")?,
        Some(secret("s3cr3t")),
        "it is read anew each time"
    );
    Ok(())
}

#[test]
fn a_file_of_a_newer_program_is_not_called_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let file = process(&folder);
    fs::write(
        &file.path,
        r#"{"content": {"format": 2, "of_tomorrow": true}, "blake3": ""}"#,
    )
    .unwrap();
    assert_eq!(code(file.unlock(&secret(PASSPHRASE))), "secrets_file_newer");
}

/// Whoever may write the file must not be able to keep the computer busy for hours, or to give one account another's secret.
#[test]
fn a_file_made_by_somebody_else_is_not_obeyed() -> Result<(), Error> {
    let folder = tempfile::tempdir().unwrap();
    let file = process(&folder);
    file.unlock(&secret(PASSPHRASE))?;
    file.write("one", &secret("of one"))?;
    file.write("two", &secret("of two"))?;
    let forged = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut json = serde_json::from_slice(&fs::read(&file.path).unwrap()).unwrap();
        change(&mut json);
        json
    };
    // The checksum is no secret: a forger makes it right.
    let with_right_sum = |mut json: serde_json::Value| {
        let content: Content = serde_json::from_value(json["content"].clone()).unwrap();
        json["sha256"] = content.sha256().unwrap().into();
        json.to_string()
    };
    let costly = forged(&|json| json["content"]["argon2id"]["passes"] = u32::MAX.into());
    let swapped = forged(&|json| json["content"]["secrets"]["one"] = json["content"]["secrets"]["two"].clone());
    fs::write(&file.path, with_right_sum(costly)).unwrap();
    assert_eq!(
        code(process(&folder).unlock(&secret(PASSPHRASE))),
        "secrets_file_damaged"
    );
    fs::write(&file.path, with_right_sum(swapped)).unwrap();
    assert_eq!(code(file.read("one")), "secrets_file_damaged");
    assert_eq!(file.read("two")?, Some(secret("of two")));
    Ok(())
}

#[test]
fn a_place_that_cannot_be_written_is_told_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    let file = SecretsFile::with_work(&folder.path().join("file"), WorkFactor::LEAST);
    let error = file.unlock(&secret(PASSPHRASE)).unwrap_err();
    assert!(error.code.starts_with("secrets_file_"), "{error}");
    assert!(error.params["path"].ends_with("secrets.sealed"));
}

/// As the window and a `lotse` beside it do.
#[test]
fn many_that_write_at_the_same_time_lose_nothing() -> Result<(), Error> {
    let folder = tempfile::tempdir().unwrap();
    process(&folder).unlock(&secret(PASSPHRASE))?;
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let file = process(&folder);
            thread::spawn(move || -> Result<(), Error> {
                file.unlock(&secret(PASSPHRASE))?;
                (0..10).try_for_each(|number| file.write(&format!("{writer}-{number}"), &secret("s")))
            })
        })
        .collect();
    for writer in writers {
        writer.join().unwrap()?;
    }
    let file = process(&folder);
    file.unlock(&secret(PASSPHRASE))?;
    for account in (0..4).flat_map(|writer| (0..10).map(move |number| format!("{writer}-{number}"))) {
        assert_eq!(file.read(&account)?, Some(secret("s")), "{account}");
    }
    Ok(())
}

/// The key of the recommended cost, which files of people have.
#[test]
fn the_recommended_work_factor_makes_a_file_that_opens() -> Result<(), Error> {
    let folder = tempfile::tempdir().unwrap();
    SecretsFile::new(folder.path()).unlock(&secret(PASSPHRASE))?;
    let text = fs::read_to_string(folder.path().join("secrets.sealed")).unwrap();
    assert!(text.contains(r#""memory_kib": 65536"#), "RFC 9106, section 4: {text}");
    process(&folder).unlock(&secret(PASSPHRASE))
}
