//! Starting other programs: what is run is shown, and a failure tells which program it was.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::thread;

use crate::{Failure, Outcome, failure};

/// Shows and runs a program that talks to the terminal itself.
pub(crate) fn run(command: &mut Command) -> Outcome {
    let line = show(command);
    let status = command.status().map_err(|error| not_started(&line, &error))?;
    if status.success() {
        Ok(())
    } else {
        failure(format!("`{line}` failed ({status})"))
    }
}

/// Runs a program without a word and returns what it prints.
pub(crate) fn output(command: &mut Command) -> Outcome<String> {
    let line = describe(command);
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| not_started(&line, &error))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        failure(format!(
            "`{line}` failed ({})\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim_end()
        ))
    }
}

/// Shows and runs a program whose output is passed on and also handed back, whether it succeeds or not.
pub(crate) fn observe(command: &mut Command) -> Outcome<(bool, String)> {
    let line = show(command);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| not_started(&line, &error))?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let mut seen = thread::scope(|scope| {
        let errors = scope.spawn(|| stderr.map(|pipe| pass_on(pipe, std::io::stderr())).unwrap_or_default());
        let mut seen = stdout.map(|pipe| pass_on(pipe, std::io::stdout())).unwrap_or_default();
        seen.push_str(&errors.join().unwrap_or_default());
        seen
    });
    seen.push('\n');
    let status = child.wait().map_err(|error| not_started(&line, &error))?;
    Ok((status.success(), seen))
}

/// Prints every line as it comes and keeps it. A line that cannot be printed is still kept: the program must not block.
fn pass_on(pipe: impl Read, mut to: impl Write) -> String {
    let mut reader = BufReader::new(pipe);
    let mut seen = String::new();
    let mut line = Vec::new();
    while matches!(reader.read_until(b'\n', &mut line), Ok(1..)) {
        _ = to.write_all(&line).and_then(|()| to.flush());
        seen.push_str(&String::from_utf8_lossy(&line));
        line.clear();
    }
    seen
}

fn show(command: &Command) -> String {
    let line = describe(command);
    println!("  $ {line}");
    line
}

/// The command as one would type it; a long argument (a script) is cut.
fn describe(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program())
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let mut line = program;
    for argument in command.get_args() {
        let argument = argument.to_string_lossy();
        let short: String = argument.lines().next().unwrap_or_default().chars().take(120).collect();
        line.push(' ');
        line.push_str(&short);
        if short.len() < argument.len() {
            line.push('…');
        }
    }
    line
}

fn not_started(line: &str, error: &std::io::Error) -> Failure {
    Failure(format!("`{line}` could not be started: {error}"))
}
