//! A person's keychain: GNOME's keyring daemon on a session bus, unlocked, with its files in the given home.

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use crate::{
    Result,
    process::{self, Process},
};

/// What unlocks it. Not empty: then the daemon would not encrypt.
pub const PASSWORD: &str = "Anmeldung am Rechner 7";

const STARTS_WITHIN: Duration = Duration::from_secs(20);

/// A keyring daemon. Ends with this.
#[derive(Debug)]
pub struct Keyring {
    _process: Process,
}

impl Keyring {
    /// Starts it in the session to which `command` leads (home and session bus), and waits until it is unlocked.
    ///
    /// # Errors
    /// When the daemon is missing or does not answer.
    pub fn start(command: impl Fn(&str) -> Command) -> Result<Keyring> {
        let mut daemon = command("sh");
        let script = "printf %s \"$1\" | exec gnome-keyring-daemon --foreground --unlock --components=secrets";
        daemon.args(["-c", script, "sh", PASSWORD]);
        let daemon = Process::start(&daemon)?;
        let ask = |destination: &str, words: &[&str]| {
            let mut ask = command("dbus-send");
            ask.args(["--session", "--print-reply=literal", &format!("--dest={destination}")]);
            process::output(ask.args(words))
        };
        // A question to a daemon that is not there yet would make the bus start one of its own, which stays locked.
        let is_there = || {
            ask(
                "org.freedesktop.DBus",
                &[
                    "/org/freedesktop/DBus",
                    "org.freedesktop.DBus.NameHasOwner",
                    "string:org.freedesktop.secrets",
                ],
            )
        };
        until(is_there, "true")?;
        // Unlocked is what it says of the collection that new secrets go to.
        let is_locked = || {
            ask(
                "org.freedesktop.secrets",
                &[
                    "/org/freedesktop/secrets/aliases/default",
                    "org.freedesktop.DBus.Properties.Get",
                    "string:org.freedesktop.Secret.Collection",
                    "string:Locked",
                ],
            )
        };
        until(is_locked, "false")?;
        Ok(Keyring { _process: daemon })
    }
}

/// Asks until the answer says so.
fn until(ask: impl Fn() -> Result<String>, wanted: &str) -> Result {
    let limit = Instant::now() + STARTS_WITHIN;
    loop {
        match ask() {
            Ok(answer) if answer.contains(wanted) => return Ok(()),
            answer if Instant::now() > limit => return Err(format!("the keyring does not start: {answer:?}").into()),
            _ => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}

/// A session bus on its own, with its address. Ends with its process.
pub(crate) fn session_bus(command: &mut Command) -> Result<(Process, String)> {
    let bus = Process::start(command.args(["--session", "--nofork", "--nopidfile", "--print-address=1"]))?;
    let address = bus.line(STARTS_WITHIN)?.trim().to_owned();
    Ok((bus, address))
}

/// Where the daemon keeps what it is given, below `XDG_DATA_HOME`.
pub fn folder(data_home: &Path) -> std::path::PathBuf {
    data_home.join("keyrings")
}
