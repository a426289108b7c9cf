//! What must not stand in a call: secrets, asked for on a terminal without showing them, or handed over by a script.

use std::io::{IsTerminal as _, stdin};

use lotse_app::{Error, Secret};

use crate::text::Text;

/// The environment's variable that a script may hand the secret key over in.
const SECRET_KEY: &str = "LOTSE_SECRET_KEY";

/// The same for the passphrase of the encrypted file.
const PASSPHRASE: &str = "LOTSE_PASSPHRASE";

/// Who is asked besides the environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ask {
    /// A person at the terminal only: standard input is not for us.
    Terminal,
    /// A person, or the next line of standard input.
    Input,
}

/// The secret key; `None` where nobody can be asked.
pub(crate) fn secret_key(text: &Text, connection: &str, ask: Ask) -> Result<Option<Secret>, Error> {
    let question = text.with(
        "cli_ask_secret",
        [("connection", &connection as &dyn std::fmt::Display)],
    );
    asked(SECRET_KEY, &question, ask)
}

/// The passphrase of the encrypted file that is there; `None` where nobody can be asked.
pub(crate) fn passphrase(text: &Text, ask: Ask) -> Result<Option<Secret>, Error> {
    asked(PASSPHRASE, &text.get("cli_ask_passphrase"), ask)
}

/// A passphrase for a file that is to be made: typed twice, since nobody sees what was typed.
pub(crate) fn new_passphrase(text: &Text, ask: Ask) -> Result<Option<Secret>, Error> {
    let passphrase = asked(PASSPHRASE, &text.get("cli_ask_new_passphrase"), ask)?;
    if let (Some(passphrase), true) = (&passphrase, is_typed(PASSPHRASE)) {
        let again = asked(PASSPHRASE, &text.get("cli_ask_passphrase_again"), Ask::Terminal)?;
        if again.as_ref() != Some(passphrase) {
            return Err(Error::new("passphrases_differ"));
        }
    }
    Ok(passphrase)
}

/// Is there anybody to ask for the passphrase, or a variable with it?
pub(crate) fn can_ask_for_passphrase() -> bool {
    std::env::var_os(PASSPHRASE).is_some() || stdin().is_terminal()
}

/// Asks a person at the terminal; nobody there is a no.
pub(crate) fn confirmed(text: &Text, question: &str) -> Result<bool, Error> {
    if !stdin().is_terminal() {
        return Ok(false);
    }
    anstream::eprint!("{question} ");
    let mut line = String::new();
    stdin()
        .read_line(&mut line)
        .map_err(|cause| Error::new("input_not_read").with("cause", cause))?;
    // The first letter will do, as everywhere.
    let typed = line.trim().to_lowercase();
    let yes = text.get("cli_yes");
    Ok(!typed.is_empty() && (yes.starts_with(&typed) || "yes".starts_with(&typed)))
}

/// Can a person who made a mistake try again?
pub(crate) fn is_asked_again(error: &Error) -> bool {
    error.code == "passphrase_wrong" && is_typed(PASSPHRASE)
}

fn is_typed(variable: &str) -> bool {
    std::env::var_os(variable).is_none() && stdin().is_terminal()
}

fn asked(variable: &str, question: &str, ask: Ask) -> Result<Option<Secret>, Error> {
    let not_read = |cause: std::io::Error| Error::new("input_not_read").with("cause", cause);
    if let Some(handed) = std::env::var_os(variable) {
        // What is no Unicode cannot be signed with either.
        return Ok(handed.into_string().ok().map(Secret::new));
    }
    if stdin().is_terminal() {
        return rpassword::prompt_password(question)
            .map(|typed| Some(Secret::new(typed)))
            .map_err(not_read);
    }
    if ask == Ask::Terminal {
        return Ok(None);
    }
    let mut line = String::new();
    let read = stdin().read_line(&mut line).map_err(not_read)?;
    Ok((read > 0).then(|| Secret::new(line.trim_end_matches(['\r', '\n']))))
}
