//! Other programs that a test starts: each in a process group of its own, ended with everything it has started in turn.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::Result;

/// A running program that ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    child: Child,
    lines: mpsc::Receiver<String>,
    /// How long it has got to end by itself before it is killed; `None`: it is not even asked.
    farewell: Option<Duration>,
}

impl Process {
    /// Starts it. Should this test be killed, the kernel ends the program too (`setpriv --pdeathsig`): as soon as the thread is gone that
    /// called this.
    pub(crate) fn start(command: &Command) -> Result<Self> {
        let (sender, lines) = mpsc::channel();
        let (name, mut child) = spawn(command, |wrapped| wrapped.stdout(Stdio::piped()))?;
        if let Some(stdout) = child.stdout.take() {
            thread::spawn(move || read_lines(stdout, &sender));
        }
        Ok(Self {
            name,
            child,
            lines,
            farewell: Some(Duration::from_secs(2)),
        })
    }

    /// Starts a server whose data nobody wants any more once it is dropped: it is not asked to end. What it says goes to the file `log`.
    pub(crate) fn start_server(command: &Command, log: &Path) -> Result<Self> {
        let (out, errors) = {
            let log = File::create(log)?;
            (log.try_clone()?, log)
        };
        let (name, child) = spawn(command, |wrapped| wrapped.stdout(out).stderr(errors))?;
        let (_, lines) = mpsc::channel();
        Ok(Self {
            name,
            child,
            lines,
            farewell: None,
        })
    }

    /// Its number, by which the system knows it.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// An error as soon as it has ended by itself.
    pub(crate) fn still_runs(&mut self) -> Result {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => Err(format!("`{}` ended with {status}", self.name).into()),
        }
    }

    /// The next line that it prints.
    pub(crate) fn line(&self, within: Duration) -> Result<String> {
        self.lines
            .recv_timeout(within)
            .map_err(|_| format!("`{}` said nothing within {within:?}", self.name).into())
    }

    fn signal(&self, signal: &str) {
        // A signal to a whole group is beyond the standard library, but every shell can send one.
        _ = Command::new("sh")
            .args([
                "-c",
                "kill -s \"$1\" -- \"-$2\"",
                "sh",
                signal,
                &self.child.id().to_string(),
            ])
            .stderr(Stdio::null())
            .status();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(farewell) = self.farewell {
            self.signal("TERM");
            let limit = Instant::now() + farewell;
            while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < limit {
                thread::sleep(Duration::from_millis(20));
            }
        }
        // The rest of the group, which may outlive its first process.
        self.signal("KILL");
        _ = self.child.wait();
    }
}

/// Starts the program in a process group of its own, under `setpriv`.
fn spawn(command: &Command, streams: impl FnOnce(&mut Command) -> &mut Command) -> Result<(String, Child)> {
    let name = command.get_program().to_string_lossy().into_owned();
    let mut wrapped = Command::new("setpriv");
    wrapped
        .args(["--pdeathsig", "KILL", "--"])
        .arg(command.get_program())
        .args(command.get_args());
    for (variable, value) in command.get_envs() {
        match value {
            Some(value) => wrapped.env(variable, value),
            None => wrapped.env_remove(variable),
        };
    }
    wrapped.process_group(0).stdin(Stdio::null());
    let child = streams(&mut wrapped)
        .spawn()
        .map_err(|error| format!("`{name}` could not be started ({error}). `cargo xtask test` installs it."))?;
    Ok((name, child))
}

fn read_lines(stdout: ChildStdout, sender: &mpsc::Sender<String>) {
    for line in BufReader::new(stdout).lines().map_while(std::result::Result::ok) {
        // Nobody may be listening any more; reading goes on so that the program does not block.
        _ = sender.send(line);
    }
}

/// Runs a program to its end and returns what it prints.
///
/// # Errors
/// When it cannot be started or fails; then with what it complained of.
pub fn output(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("`{name}` could not be started: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(format!(
            "`{name}` failed ({}): {}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        )
        .into())
    }
}
