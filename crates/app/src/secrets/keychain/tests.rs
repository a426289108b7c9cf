use std::io;

use super::*;

const SOON: Duration = Duration::from_millis(50);

fn platform(text: &str) -> StoreError {
    StoreError::PlatformFailure(Box::new(io::Error::other(text.to_owned())))
}

fn ask(
    connect: fn() -> Result<(), StoreError>,
    question: fn() -> Result<(), StoreError>,
    patience: &Patience,
) -> Error {
    patience.ask(connect, move |()| question()).unwrap_err().into()
}

const IMPATIENT: Patience = Patience {
    first_answer: SOON,
    person: SOON,
};

fn never() -> Result<(), StoreError> {
    loop {
        thread::park();
    }
}

#[test]
fn a_computer_without_a_keychain_is_told_with_the_system_s_own_words() {
    let error = ask(|| Err(platform("no bus")), never, &PATIENCE);
    assert_eq!(error.code, "keychain_unavailable");
    assert_eq!(error.params["cause"], "no bus");
}

/// A bus that takes the connection and says nothing must not keep the window from opening.
#[test]
fn a_bus_that_never_answers_counts_as_none() {
    assert_eq!(ask(never, never, &IMPATIENT).code, "keychain_unavailable");
}

#[test]
fn a_silent_bus_is_not_asked_again_for_every_connection_of_a_list() {
    let keychain = SystemKeychain {
        silent: Mutex::new(Some(Instant::now())),
    };
    let answer: Result<(), Error> = keychain.ask(|| -> Result<(), _> { panic!("asked again") }, |()| Ok(()));
    assert_eq!(answer.unwrap_err().code, "keychain_unavailable");
}

/// Nobody sits before the screen on which the system asks for the keychain's password.
#[test]
fn a_question_that_nobody_answers_ends_as_locked() {
    let patience = Patience {
        first_answer: PATIENCE.first_answer,
        person: SOON,
    };
    assert_eq!(ask(|| Ok(()), never, &patience).code, "keychain_locked");
}

/// A panic inside a store's library is a failure of the keychain, not of the program.
#[test]
fn a_store_that_breaks_down_is_told_as_failed() {
    let broken = || panic!("Mutex failure in credential store");
    assert_eq!(ask(|| Ok(()), broken, &PATIENCE).code, "keychain_failed");
    assert_eq!(ask(broken, || Ok(()), &PATIENCE).code, "keychain_failed");
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
        let told = format!("{:?}", native::told(&error));
        assert!(told.contains("keychain_failed"), "{told}");
        for hidden in ["s3cr3t", "115, 51"] {
            assert!(!told.contains(hidden), "{told}");
        }
    }
}
