//! A person's computer as far as `lotse` sees it: home, data, settings, language, and a keychain or none.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    Result,
    keyring::{Keyring, session_bus},
    process::Process,
    provided::lotse,
};

/// A computer of a test's own. Everything on it ends and goes when this is dropped.
#[derive(Debug)]
pub struct Home {
    // The keyring ends before its bus, and both before their folder goes.
    keyring: Option<Keyring>,
    bus: Option<(Process, String)>,
    variables: Vec<(String, String)>,
    folder: TempDir,
}

impl Home {
    /// One without a session bus, such as a server has none.
    ///
    /// # Errors
    /// When its folders cannot be made.
    pub fn new() -> Result<Home> {
        let folder = tempfile::Builder::new().prefix("lotse-home-").tempdir()?;
        for name in ["data", "config", "cache", "run"] {
            fs::create_dir(folder.path().join(name))?;
        }
        Ok(Home {
            keyring: None,
            bus: None,
            variables: Vec::new(),
            folder,
        })
    }

    /// One where somebody is signed in, without a keychain.
    ///
    /// # Errors
    /// When the session bus does not start.
    pub fn with_session() -> Result<Home> {
        let mut home = Home::new()?;
        home.bus = Some(session_bus(&mut home.program("dbus-daemon"))?);
        Ok(home)
    }

    /// One where somebody is signed in and the keychain is unlocked.
    ///
    /// # Errors
    /// When session bus or keyring do not start.
    pub fn with_keychain() -> Result<Home> {
        let mut home = Home::with_session()?;
        home.start_keychain()?;
        Ok(home)
    }

    /// Starts the keychain's daemon, unlocked; one that runs is ended first.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start_keychain(&mut self) -> Result {
        self.keyring = None;
        self.keyring = Some(Keyring::start(|program| self.program(program))?);
        Ok(())
    }

    /// Sets a variable for every program that is started from now on.
    pub fn set(&mut self, variable: &str, value: &str) {
        self.variables.retain(|(known, _)| known != variable);
        self.variables.push((variable.to_owned(), value.to_owned()));
    }

    /// The home folder; `HOME` of its programs.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Where programs keep their data (`XDG_DATA_HOME`).
    pub fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    /// A program of this computer.
    pub fn program(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env("HOME", self.path());
        for (variable, folder) in [
            ("XDG_DATA_HOME", "data"),
            ("XDG_CONFIG_HOME", "config"),
            ("XDG_CACHE_HOME", "cache"),
            ("XDG_RUNTIME_DIR", "run"),
        ] {
            command.env(variable, self.path().join(folder));
        }
        // What this machine happens to have set is not the person's.
        let meant_for_others = |name: &str| {
            name.starts_with("AWS_")
                || name.starts_with("RCLONE_")
                || name.starts_with("SSL_CERT_")
                || name.to_ascii_lowercase().ends_with("_proxy")
        };
        for (variable, _) in std::env::vars_os() {
            if variable.to_str().is_some_and(meant_for_others) {
                command.env_remove(variable);
            }
        }
        command.env("LANG", "en_US.UTF-8");
        for inherited in [
            "LC_ALL",
            "LC_MESSAGES",
            "DISPLAY",
            "WAYLAND_DISPLAY",
            "DBUS_SESSION_BUS_ADDRESS",
            "RUST_LOG",
        ] {
            command.env_remove(inherited);
        }
        if let Some((_, address)) = &self.bus {
            command.env("DBUS_SESSION_BUS_ADDRESS", address);
        }
        command.envs(self.variables.iter().map(|(variable, value)| (variable, value)));
        command
    }

    /// `lotse` on this computer.
    ///
    /// # Errors
    /// When there is no such program.
    pub fn command(&self, words: &[&str]) -> Result<Command> {
        let mut command = self.program(lotse()?);
        command.args(words);
        Ok(command)
    }

    /// What `lotse` answers to these words; nobody types anything.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn run(&self, words: &[&str]) -> Result<Said> {
        self.typed(words, "")
    }

    /// What `lotse` answers to these words while this comes by its standard input. It is kept in the home's `said.log`, too.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn typed(&self, words: &[&str], input: &str) -> Result<Said> {
        let mut command = self.command(words)?;
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            // It need not read it.
            _ = stdin.write_all(input.as_bytes());
        }
        let said = Said::of(&child.wait_with_output()?);
        let mut log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.path().join("said.log"))?;
        writeln!(log, "{words:?}\n{}{}", said.out, said.err)?;
        Ok(said)
    }
}

/// What a program said to its end.
#[derive(Debug, Clone)]
pub struct Said {
    /// Exit status; `None` after a signal.
    pub status: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Said {
    /// Of an ended program.
    pub fn of(output: &Output) -> Said {
        Said {
            status: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Itself, if it went well.
    ///
    /// # Errors
    /// With all that it said, if not.
    pub fn well(self) -> Result<Said> {
        match self.status {
            Some(0) => Ok(self),
            _ => Err(format!("{self:?}").into()),
        }
    }

    /// Its standard output, which has to be JSON and nothing else.
    ///
    /// # Errors
    /// When it is not.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.out).map_err(|error| format!("{error}: {self:?}").into())
    }
}
