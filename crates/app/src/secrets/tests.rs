use tempfile::TempDir;

use super::*;

const PLACES: [SecretPlace; 3] = [SecretPlace::Keychain, SecretPlace::File, SecretPlace::Ask];

/// A keychain that is away, as over a remote login.
struct Away;

impl Keychain for Away {
    fn works(&self) -> Result<(), Error> {
        Err(Error::new("keychain_unavailable"))
    }

    fn has(&self, _: &str) -> Result<bool, Error> {
        self.works().map(|()| false)
    }

    fn read(&self, _: &str) -> Result<Option<Secret>, Error> {
        self.works().map(|()| None)
    }

    fn write(&self, _: &str, _: &Secret) -> Result<(), Error> {
        self.works()
    }

    fn remove(&self, _: &str) -> Result<(), Error> {
        self.works()
    }
}

fn process(folder: &TempDir, keychain: &Arc<MemoryKeychain>) -> Secrets {
    Secrets::new(folder.path(), Arc::clone(keychain) as _)
}

fn secret(text: &str) -> Secret {
    Secret::new(text)
}

fn code<T>(outcome: Result<T, Error>) -> String {
    outcome.err().map_or_else(|| "no error".to_owned(), |error| error.code)
}

#[tokio::test]
async fn a_secret_is_where_the_person_wants_it_and_nowhere_else() -> Result<(), Error> {
    let folder = tempfile::tempdir().unwrap();
    let keychain = Arc::default();
    let (secrets, other) = (process(&folder, &keychain), process(&folder, &keychain));
    for place in PLACES {
        assert_eq!(code(secrets.read("ccloud", place).await), "secret_needed", "{place:?}");
        assert_eq!(code(secrets.needs("ccloud", place).await), "secret_needed", "{place:?}");
    }
    secrets.unlock(&secret("vier Wörter ohne Sinn")).await?;
    for place in PLACES {
        secrets.write("ccloud", place, &secret("s3cr3t")).await?;
        assert_eq!(secrets.read("ccloud", place).await?, secret("s3cr3t"), "{place:?}");
        secrets.needs("ccloud", place).await?;
        let elsewhere = other.read("ccloud", place).await;
        match place {
            SecretPlace::Keychain => assert_eq!(elsewhere?, secret("s3cr3t")),
            SecretPlace::File => {
                assert_eq!(code(elsewhere), "passphrase_needed");
                assert_eq!(code(other.needs("ccloud", place).await), "passphrase_needed");
            }
            SecretPlace::Ask => assert_eq!(code(elsewhere), "secret_needed", "no other process knows it"),
        }
        secrets.remove("ccloud", place).await?;
        assert_eq!(code(secrets.read("ccloud", place).await), "secret_needed", "{place:?}");
    }
    Ok(())
}

/// Somebody without a keychain just now types the secret, and the upload goes on.
#[tokio::test]
async fn what_was_typed_stands_in_for_a_place_that_has_none_to_give() -> Result<(), Error> {
    let folder = tempfile::tempdir().unwrap();
    let secrets = Secrets::new(folder.path(), Arc::new(Away));
    assert_eq!(
        code(secrets.read("ccloud", SecretPlace::Keychain).await),
        "keychain_unavailable"
    );
    assert_eq!(
        code(secrets.needs("ccloud", SecretPlace::Keychain).await),
        "keychain_unavailable"
    );
    assert_eq!(
        secrets.places().await,
        SecretPlaces {
            keychain: Err(Error::new("keychain_unavailable")),
            file: FileState::None,
        }
    );
    secrets.remember("ccloud", secret("typed"));
    for place in PLACES {
        assert_eq!(secrets.read("ccloud", place).await?, secret("typed"), "{place:?}");
        secrets.needs("ccloud", place).await?;
    }
    Ok(())
}

/// Else an old secret would be used until the program ends, though a new one was given.
#[tokio::test]
async fn what_is_kept_counts_more_than_what_was_typed_before() -> Result<(), Error> {
    let folder = tempfile::tempdir().unwrap();
    let keychain = Arc::default();
    let (secrets, other) = (process(&folder, &keychain), process(&folder, &keychain));
    secrets.remember("ccloud", secret("old"));
    other.write("ccloud", SecretPlace::Keychain, &secret("new")).await?;
    assert_eq!(secrets.read("ccloud", SecretPlace::Keychain).await?, secret("new"));
    secrets.remove("ccloud", SecretPlace::Keychain).await?;
    assert_eq!(
        code(secrets.read("ccloud", SecretPlace::Keychain).await),
        "secret_needed",
        "nothing is left of a connection that was removed"
    );
    Ok(())
}
