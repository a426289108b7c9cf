use std::io;

use super::*;

const SOON: Duration = Duration::from_millis(50);

fn platform(text: &str) -> StoreError {
    StoreError::PlatformFailure(Box::new(io::Error::other(text.to_owned())))
}

fn read(connect: fn() -> Result<Store, StoreError>, first_answer: Duration, person: Duration) -> Error {
    let store = NativeStore {
        connect,
        first_answer,
        person,
    };
    store.read("ccloud").unwrap_err()
}

#[test]
fn a_computer_without_a_keychain_is_told_with_the_system_s_own_words() {
    let error = read(|| Err(platform("no bus")), FIRST_ANSWER, PERSON);
    assert_eq!(error.code, "keychain_unavailable");
    assert_eq!(error.params["cause"], "no bus");
}

/// A bus that takes the connection and says nothing must not keep the window from opening.
#[test]
fn a_bus_that_never_answers_counts_as_none() {
    let never = || loop {
        thread::park();
    };
    assert_eq!(read(never, SOON, PERSON).code, "keychain_unavailable");
}

/// Nobody sits before the screen on which the system asks for the keychain's password.
#[test]
fn a_question_that_nobody_answers_ends_as_locked() {
    let store = NativeStore {
        connect: || Ok(keyring_core::mock::Store::new()? as Store),
        first_answer: FIRST_ANSWER,
        person: SOON,
    };
    let outcome: Result<(), Error> = store.ask(|_| {
        loop {
            thread::park();
        }
    });
    assert_eq!(outcome.unwrap_err().code, "keychain_locked");
}

/// A panic inside a store's library is a failure of the keychain, not of the program.
#[test]
fn a_store_that_breaks_down_is_told_as_failed() {
    let store = NativeStore {
        connect: || Ok(keyring_core::mock::Store::new()? as Store),
        first_answer: FIRST_ANSWER,
        person: PERSON,
    };
    let outcome: Result<(), Error> = store.ask(|_| panic!("Mutex failure in credential store"));
    assert_eq!(outcome.unwrap_err().code, "keychain_failed");
}

/// The library hands back what it found as part of some errors.
#[test]
fn no_error_tells_a_secret() {
    let kept = b"s3cr3t\xff".to_vec();
    for error in [
        StoreError::BadEncoding(kept.clone()),
        StoreError::BadDataFormat(kept, Box::new(io::Error::other("odd"))),
        StoreError::Ambiguous(Vec::new()),
        StoreError::TooLong("password".to_owned(), 2560),
    ] {
        let told = format!("{:?}", failure(&error));
        assert!(told.contains("keychain_failed"), "{told}");
        for hidden in ["s3cr3t", "115, 51"] {
            assert!(!told.contains(hidden), "{told}");
        }
    }
}
