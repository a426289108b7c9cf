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
        // Unlocked is what it says of the collection that new secrets go to.
        let limit = Instant::now() + STARTS_WITHIN;
        loop {
            let mut ask = command("dbus-send");
            ask.args([
                "--session",
                "--print-reply=literal",
                "--dest=org.freedesktop.secrets",
                "/org/freedesktop/secrets/aliases/default",
                "org.freedesktop.DBus.Properties.Get",
                "string:org.freedesktop.Secret.Collection",
                "string:Locked",
            ]);
            match process::output(&mut ask) {
                Ok(answer) if answer.contains("false") => return Ok(Keyring { _process: daemon }),
                answer if Instant::now() > limit => {
                    return Err(format!("the keyring is not unlocked: {answer:?}").into());
                }
                _ => std::thread::sleep(Duration::from_millis(50)),
            }
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
