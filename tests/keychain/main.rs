//! The system's keychain as a process of the programs meets it: GNOME's daemon on a session bus, unlocked, locked, restarted, or not
//! there at all.

#![cfg(target_os = "linux")]

use std::{
    fs,
    io::{BufRead, BufReader, Lines, Write},
    os::unix::net::UnixListener,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use lotse_tests::{Result, home::Home};

/// A process that uses the keychain of this computer. Ends with this.
struct User {
    process: Child,
    asks: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl User {
    fn of(home: &Home) -> Result<User> {
        let mut command: Command = home.program(env!("CARGO_BIN_EXE_keychain-user"));
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let asks = process.stdin.take().ok_or("no way to ask it")?;
        let answers = process.stdout.take().ok_or("no way to hear it")?;
        Ok(User {
            process,
            asks,
            answers: BufReader::new(answers).lines(),
        })
    }

    fn ask(&mut self, line: &str) -> Result<String> {
        writeln!(self.asks, "{line}")?;
        Ok(self.answers.next().ok_or("it has ended")??)
    }

    /// How many threads it has.
    fn threads(&self) -> Result<usize> {
        Ok(fs::read_dir(format!("/proc/{}/task", self.process.id()))?.count())
    }
}

impl Drop for User {
    fn drop(&mut self) {
        // It may have ended by itself.
        _ = self.process.kill();
        _ = self.process.wait();
    }
}

/// What the daemon answers to a call of the service of secrets.
fn service(home: &Home, path: &str, words: &[&str]) -> Result<String> {
    let mut command = home.program("dbus-send");
    command.args(["--session", "--print-reply=literal", "--dest=org.freedesktop.secrets"]);
    let output = command
        .arg(format!("/org/freedesktop/secrets{path}"))
        .args(words)
        .output()?;
    Ok(String::from_utf8(output.stdout)?)
}

fn lock(home: &Home) -> Result {
    let locked = service(
        home,
        "",
        &[
            "org.freedesktop.Secret.Service.Lock",
            "array:objpath:/org/freedesktop/secrets/collection/login",
        ],
    )?;
    assert!(locked.contains("collection/login"), "the test's own step: {locked}");
    Ok(())
}

#[test]
fn what_one_process_keeps_another_reads() -> Result {
    let home = Home::with_keychain()?;
    let mut one = User::of(&home)?;
    assert_eq!(one.ask("works")?, "done");
    assert_eq!(one.ask("has ccloud")?, "false");
    assert_eq!(one.ask("read ccloud")?, "nothing");
    assert_eq!(one.ask("remove ccloud")?, "done", "nothing to remove is fine");
    assert_eq!(one.ask("write ccloud wJalr/XUtn+Fäß=")?, "done");
    assert_eq!(one.ask("write second other")?, "done");

    let mut other = User::of(&home)?;
    assert_eq!(other.ask("has ccloud")?, "true");
    assert_eq!(other.ask("read ccloud")?, "wJalr/XUtn+Fäß=");
    assert_eq!(other.ask("write ccloud new")?, "done");
    assert_eq!(one.ask("read ccloud")?, "new");
    assert_eq!(one.ask("remove ccloud")?, "done");
    assert_eq!(other.ask("has ccloud")?, "false");
    assert_eq!(other.ask("read second")?, "other", "that of another connection stays");
    Ok(())
}

/// A person who looks through the keychain knows what it is.
#[test]
fn an_entry_says_whose_it_is() -> Result {
    let home = Home::with_keychain()?;
    User::of(&home)?.ask("write ccloud s3cr3t")?;
    let of_item = |property: &str| {
        service(
            &home,
            "/collection/login/1",
            &[
                "org.freedesktop.DBus.Properties.Get",
                "string:org.freedesktop.Secret.Item",
                &format!("string:{property}"),
            ],
        )
    };
    assert!(
        of_item("Label")?.contains("Imagelotse: ccloud"),
        "{}",
        of_item("Label")?
    );
    let attributes = of_item("Attributes")?;
    assert!(
        attributes.contains("imagelotse") && attributes.contains("ccloud"),
        "{attributes}"
    );
    Ok(())
}

#[test]
fn a_computer_without_a_bus_has_no_keychain() -> Result {
    let mut user = User::of(&Home::new()?)?;
    for question in [
        "works",
        "has ccloud",
        "read ccloud",
        "write ccloud s3cr3t",
        "remove ccloud",
    ] {
        let answer = user.ask(question)?;
        assert!(
            answer.starts_with("keychain_unavailable cause="),
            "{question}: {answer}"
        );
    }
    Ok(())
}

/// GNOME's daemon as the bus starts it when nobody's sign-in has: it runs, and has no keyring to keep anything in.
#[test]
fn a_daemon_without_a_keyring_is_no_keychain() -> Result {
    let home = Home::with_session()?;
    let mut user = User::of(&home)?;
    for question in ["works", "write ccloud s3cr3t"] {
        assert_eq!(
            user.ask(question)?,
            "keychain_unavailable cause=no default keyring",
            "{question}"
        );
    }
    assert_eq!(user.ask("read ccloud")?, "nothing");
    Ok(())
}

/// Nobody is there to type its password: the prompt of this session has no screen.
#[test]
fn a_locked_keychain_is_told_and_looking_does_not_ask_for_its_password() -> Result {
    let home = Home::with_keychain()?;
    let mut user = User::of(&home)?;
    user.ask("write ccloud s3cr3t")?;
    lock(&home)?;
    for question in ["read ccloud", "write ccloud other", "write new s3cr3t", "remove ccloud"] {
        assert_eq!(user.ask(question)?, "keychain_locked", "{question}");
    }
    assert_eq!(user.ask("works")?, "done");
    assert_eq!(user.ask("has ccloud")?, "true");
    Ok(())
}

/// As after an update of the system, while the window stays open.
#[test]
fn a_daemon_that_was_restarted_is_found_again() -> Result {
    let mut home = Home::with_keychain()?;
    let mut user = User::of(&home)?;
    user.ask("write ccloud s3cr3t")?;
    home.start_keychain()?;
    assert_eq!(user.ask("read ccloud")?, "s3cr3t");
    Ok(())
}

/// A session whose bus hangs: the window opens all the same, only later.
#[test]
fn a_bus_that_takes_the_call_and_says_nothing_is_not_waited_for_for_ever() -> Result {
    let mut home = Home::new()?;
    let socket = home.path().join("silent");
    let _silent = UnixListener::bind(&socket)?;
    home.set("DBUS_SESSION_BUS_ADDRESS", &format!("unix:path={}", socket.display()));
    let answer = User::of(&home)?.ask("works")?;
    assert!(answer.starts_with("keychain_unavailable cause="), "{answer}");
    Ok(())
}

/// Each call has a connection and a thread of its own; a window that is open for weeks must not pile them up.
#[test]
fn what_a_call_needs_goes_with_it() -> Result {
    let home = Home::with_keychain()?;
    let mut user = User::of(&home)?;
    user.ask("write ccloud s3cr3t")?;
    for _ in 0..5 {
        user.ask("read ccloud")?;
    }
    let before = user.threads()?;
    for _ in 0..40 {
        assert_eq!(user.ask("read ccloud")?, "s3cr3t");
    }
    let after = user.threads()?;
    assert!(after < before + 20, "{before} threads before, {after} after");
    Ok(())
}
