//! The command line program, whole: what a person at a terminal and a script rely on.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Output, Stdio},
};

use lotse_tests::{
    Result,
    provided::{fixture, lotse},
    stored::{sha256_of_file, sha256_of_image},
};
use serde_json::Value;
use tempfile::TempDir;

/// `lotse` with a home of its own and no language but the one that a test names.
struct Home {
    folder: TempDir,
}

impl Home {
    fn new() -> Result<Self> {
        Ok(Self {
            folder: TempDir::new()?,
        })
    }

    fn data(&self) -> &Path {
        self.folder.path()
    }

    fn command(&self, words: &[&str]) -> Result<Command> {
        let mut command = Command::new(lotse()?);
        command
            .args(words)
            .env("XDG_DATA_HOME", self.data())
            .env("LANG", "en_US.UTF-8")
            .env_remove("LC_ALL");
        Ok(command)
    }

    fn run(&self, words: &[&str]) -> Result<Output> {
        Ok(self.command(words)?.output()?)
    }

    /// The call's JSON, which must be all that stands on standard output.
    fn json(&self, words: &[&str]) -> Result<Value> {
        Ok(serde_json::from_slice(&self.run(words)?.stdout)?)
    }
}

fn path_of(name: &str) -> Result<String> {
    Ok(fixture(name)?.to_str().ok_or("the path is not UTF-8")?.to_owned())
}

fn said(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

fn status_of<'a>(report: &'a Value, code: &str) -> &'a str {
    let findings = report["findings"].as_array().map(Vec::as_slice).unwrap_or_default();
    findings
        .iter()
        .find(|finding| finding["code"] == code)
        .and_then(|finding| finding["status"].as_str())
        .unwrap_or("none")
}

#[test]
fn a_stock_debian_is_judged_with_a_warning_and_its_exact_place() -> Result {
    let home = Home::new()?;
    for (image, format, variant) in [
        ("debian-12.raw", "raw", Value::Null),
        ("debian-12.qcow2", "qcow2", "v3".into()),
        ("debian-12-compressed.qcow2", "qcow2", "v3".into()),
    ] {
        let output = home.run(&["check", "--json", &path_of(image)?])?;
        assert_eq!(
            output.status.code(),
            Some(0),
            "{image}: a warning must not fail a script"
        );
        let report: Value = serde_json::from_slice(&output.stdout)?;
        let expected: Value = serde_json::from_slice(&fs::read(fixture("debian-12.expected.json")?)?)?;
        assert_eq!(report["schema"], 1);
        assert_eq!(report["verdict"], "ready_with_warnings");
        assert_eq!(report["source"]["name"], image);
        assert_eq!(report["container"]["format"], format);
        assert_eq!(report["container"]["variant"], variant);
        assert_eq!(report["container"]["virtual_size"], 1536 * 1024 * 1024);
        assert_eq!(report["disk"]["table"], "gpt");
        assert_eq!(report["root"]["filesystem"], "ext4");
        assert_eq!(report["root"]["partition"], 1);
        // What Debian's own tools said inside the system while the image was built.
        for fact in ["distribution", "version", "architecture", "family"] {
            assert!(!expected["system"][fact].is_null(), "the tools tell the {fact}");
            assert_eq!(report["os"][fact], expected["system"][fact], "{image}: {fact}");
        }
        assert_eq!(report["agent"], expected["agent"], "{image}");
        assert_eq!(report["datasources"]["list"], expected["datasources"], "{image}");
        for fact in ["installed", "enabled"] {
            assert_eq!(report["sshd"][fact], expected["sshd"][fact], "{image}: {fact}");
        }
        assert_eq!(
            status_of(&report, "datasource_order"),
            "warning",
            "Debian's built-in list has NoCloud first"
        );
        let place = &report["datasources"]["from"][0];
        assert!(
            place["path"]
                .as_str()
                .is_some_and(|path| path.ends_with("/cloudinit/settings.py")),
            "{place}"
        );
        assert!(place["line"].as_u64().is_some_and(|line| line > 1), "{place}");
    }
    Ok(())
}

#[test]
fn what_is_mended_becomes_ready_and_what_is_broken_is_told() -> Result {
    let home = Home::new()?;
    let output = home.run(&["check", "--json", &path_of("configdrive-first.qcow2")?])?;
    let report: Value = serde_json::from_slice(&output.stdout)?;
    assert_eq!(
        (output.status.code(), &report["verdict"]),
        (Some(0), &Value::from("ready")),
        "the remedy that the report itself proposes"
    );
    assert_eq!(
        report["datasources"]["from"][0]["path"],
        "/etc/cloud/cloud.cfg.d/99-ccloud.cfg"
    );

    let output = home.run(&["check", "--json", &path_of("no-sshd.qcow2")?])?;
    let report: Value = serde_json::from_slice(&output.stdout)?;
    assert_eq!(
        (output.status.code(), &report["verdict"]),
        (Some(1), &Value::from("will_not_work"))
    );
    assert_eq!(status_of(&report, "sshd_installed"), "pass");
    assert_eq!(
        status_of(&report, "sshd_enabled"),
        "fail",
        "nobody could log in to such a VM"
    );
    Ok(())
}

#[test]
fn the_report_speaks_german_and_english_with_the_same_places() -> Result {
    let home = Home::new()?;
    let image = path_of("no-sshd.qcow2")?;
    let (german, _) = said(&home.run(&["check", "--lang", "de", &image])?);
    let (english, _) = said(&home.run(&["check", "--lang", "en", &image])?);
    assert!(
        german.contains("Wird nicht funktionieren") || german.contains("wird nicht funktionieren"),
        "{german}"
    );
    assert!(english.to_lowercase().contains("will not work"), "{english}");
    for report in [&german, &english] {
        assert!(
            report.contains("systemctl enable ssh"),
            "the remedy can be copied:\n{report}"
        );
        assert!(
            report.contains("settings.py:"),
            "the place of the datasource list:\n{report}"
        );
        // Commands may have braces of their own.
        let mut sentences = report.lines().filter(|line| !line.starts_with("        "));
        let raw = ["cli_", "report_", "reason_", "{"];
        let unsaid = sentences.find(|line| raw.iter().any(|raw| line.contains(raw)));
        assert_eq!(unsaid, None, "a sentence is missing:\n{report}");
    }
    let (by_locale, _) = said(&home.command(&["check", &image])?.env("LANG", "de_DE.UTF-8").output()?);
    assert_eq!(by_locale, german, "the system's language is taken when none is named");
    Ok(())
}

#[test]
fn a_report_can_be_kept_in_every_form_and_the_exit_status_stays() -> Result {
    let home = Home::new()?;
    let image = path_of("no-sshd.qcow2")?;
    for (form, beginning, content) in [
        ("text", "no-sshd.qcow2: ", "systemctl enable ssh.service"),
        ("json", "{", "\"verdict\": \"will_not_work\""),
        ("html", "<!DOCTYPE html>", "systemctl enable ssh.service"),
        ("script", "#!/bin/sh\n", "\nsystemctl enable ssh.service\n"),
        ("mail", "mailto:technik@centron.de?subject=", "no-sshd.qcow2"),
    ] {
        let printed = home.run(&["check", "--as", form, &image])?;
        assert_eq!(printed.status.code(), Some(1), "{form}: will not work");
        let (printed, complaint) = said(&printed);
        assert_eq!(complaint, "", "{form}");
        assert!(
            printed.starts_with(beginning) && printed.contains(content),
            "{form}:\n{printed}"
        );
        assert!(!printed.contains('\u{1b}'), "{form}: no colours");

        let file = home.data().join(form);
        let file = file.to_str().ok_or("not UTF-8")?;
        let written = home.run(&["check", "--as", form, "-o", file, &image])?;
        assert_eq!(written.status.code(), Some(1), "{form}");
        assert_eq!(
            said(&written),
            (String::new(), String::new()),
            "{form}: all is in the file"
        );
        let kept = fs::read_to_string(file)?;
        // The page tells the minute in which it was made.
        assert!(form == "html" || kept == printed, "{form}: the same as was printed");
    }
    let old = home.json(&["check", "--json", &image])?;
    assert_eq!(
        old,
        home.json(&["check", "--as", "json", &image])?,
        "the older word stays"
    );
    Ok(())
}

#[test]
fn a_report_is_never_written_over_its_image_and_a_failed_write_is_told() -> Result {
    let home = Home::new()?;
    let image = home.data().join("image.raw");
    fs::copy(fixture("debian-no-table.raw")?, &image)?;
    let before = fs::metadata(&image)?.len();
    let path = image.to_str().ok_or("not UTF-8")?;
    let output = home.run(&["check", "-o", path, path])?;
    assert_eq!(output.status.code(), Some(73), "EX_CANTCREAT");
    assert_eq!(fs::metadata(&image)?.len(), before, "the image is untouched");
    let nowhere = format!("{path}.d/report.html");
    let output = home.run(&["check", "--lang", "en", "--as", "html", "-o", &nowhere, path])?;
    let (printed, complaint) = said(&output);
    assert_eq!((output.status.code(), printed.as_str()), (Some(73), ""));
    assert!(complaint.contains("could not be written"), "{complaint}");
    Ok(())
}

#[test]
fn a_script_where_nothing_can_be_mended_by_one_is_told() -> Result {
    let home = Home::new()?;
    let output = home.run(&["check", "--lang", "en", "--as", "script", &path_of("windows.raw")?])?;
    let (printed, complaint) = said(&output);
    assert_eq!((output.status.code(), printed.as_str()), (Some(1), ""));
    assert!(
        complaint.contains("nothing in this image that a script could mend"),
        "{complaint}"
    );
    Ok(())
}

#[test]
fn a_rule_is_explained_by_its_code_by_an_answer_and_after_a_typing_mistake() -> Result {
    let home = Home::new()?;
    let page = home.run(&["explain", "--lang", "en", "datasource_order"])?;
    assert_eq!(page.status.code(), Some(0));
    let (page, _) = said(&page);
    for part in [
        "Required by ccloud³",
        "datasource_order_nocloud_first",
        "put_config_drive_first",
        "Source",
    ] {
        assert!(page.contains(part), "{part}:\n{page}");
    }
    let (by_answer, _) = said(&home.run(&["explain", "--lang", "en", "datasource_order_not_asked"])?);
    assert_eq!(by_answer, page);
    let (german, _) = said(&home.run(&["explain", "--lang", "de", "datasource_order"])?);
    assert!(german.contains("ccloud³ verlangt") && german != page, "{german}");

    let mistyped = home.run(&["explain", "--lang", "en", "datasuorce_order\u{1b}[2J"])?;
    let (printed, complaint) = said(&mistyped);
    assert_eq!((mistyped.status.code(), printed.as_str()), (Some(64), ""));
    assert!(complaint.contains("Did you mean: datasource_order"), "{complaint}");
    assert!(
        !complaint.contains('\u{1b}'),
        "what was typed cannot steer the terminal"
    );

    let (list, _) = said(&home.run(&["explain", "--lang", "en"])?);
    assert!(list.lines().count() > 20 && list.contains("sshd_enabled "), "{list}");
    Ok(())
}

#[test]
fn each_file_that_is_no_image_gets_its_own_clear_answer() -> Result {
    let home = Home::new()?;
    let folder = home.data().to_str().ok_or("not UTF-8")?.to_owned();
    let gone = format!("{folder}/gone.qcow2");
    let mut seen = Vec::new();
    for (file, code) in [
        (path_of("notes.img")?, "not_a_disk_image"),
        (path_of("empty.img")?, "file_empty"),
        (folder, "file_is_directory"),
        (gone, "file_not_found"),
    ] {
        let output = home.run(&["check", "--json", &file])?;
        let answer: Value = serde_json::from_slice(&output.stdout)?;
        assert_eq!(output.status.code(), Some(2), "{file}");
        assert_eq!(answer["schema"], 1);
        assert_eq!(answer["error"]["code"], code, "{file}");
        for language in ["de", "en"] {
            let (report, complaint) = said(&home.run(&["check", "--lang", language, &file])?);
            assert_eq!(report, "", "{file}: there is no report");
            assert_eq!(
                complaint.lines().count(),
                2,
                "what happened and what to do next: {complaint}"
            );
            assert!(!complaint.contains(code), "a sentence, not a code: {complaint}");
            seen.push(complaint);
        }
    }
    seen.dedup();
    assert_eq!(seen.len(), 8, "no two of them say the same");
    Ok(())
}

#[cfg(unix)]
#[test]
fn a_file_that_may_not_be_read_is_told_as_such() -> Result {
    use std::os::unix::{fs::PermissionsExt as _, process::CommandExt as _};

    let home = Home::new()?;
    fs::set_permissions(home.data(), fs::Permissions::from_mode(0o755))?;
    let secret = home.data().join("secret.raw");
    fs::write(&secret, b"x")?;
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o000))?;
    // Root may read everything: the program, copied to where everybody reaches it, runs as nobody then.
    let program = home.data().join("lotse");
    fs::copy(lotse()?, &program)?;
    let mut command = Command::new(&program);
    command
        .args(["check", "--json"])
        .arg(&secret)
        .env("XDG_DATA_HOME", home.data());
    if fs::read(&secret).is_ok() {
        command.uid(65534).gid(65534);
    }
    let output = command.output()?;
    let answer: Value = serde_json::from_slice(&output.stdout)?;
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(answer["error"]["code"], "file_permission_denied");
    Ok(())
}

#[tokio::test]
async fn an_upload_killed_half_way_is_resumed_and_arrives_whole() -> Result {
    let home = Home::new()?;
    let image = fixture("debian-12.qcow2")?;
    let file = path_of("debian-12.qcow2")?;
    let mut upload = home
        .command(&[
            "upload",
            &file,
            "--connection",
            "practice",
            "--name",
            "Büro Server",
            "--distribution",
            "debian",
        ])?
        .args([
            "--region",
            "practice-south",
            "--tag",
            "web",
            "--tag",
            "tier:1",
            "--notes",
            "Aus dem Keller",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let progress = BufReader::new(upload.stderr.take().ok_or("no standard error")?);
    let mut killed_at = None;
    for line in progress.lines() {
        let line = line?;
        let percent = line
            .split(" %")
            .next()
            .and_then(|start| start.rsplit(' ').next()?.parse::<u32>().ok());
        if percent.is_some_and(|percent| (20..95).contains(&percent)) {
            // SIGKILL: nothing in the program gets to tidy up.
            upload.kill()?;
            killed_at = percent;
            break;
        }
    }
    assert!(killed_at.is_some(), "the upload must be caught half way");
    upload.wait()?;

    let waiting = home.json(&["uploads", "--json"])?;
    assert_eq!(waiting[0]["state"], "interrupted", "{waiting}");
    let before = waiting[0]["acknowledged"].as_u64().unwrap_or_default();
    assert!(before > 0, "what had been acknowledged before the kill still counts");

    let resumed = home.run(&["resume"])?;
    let (id, progress) = said(&resumed);
    assert_eq!(resumed.status.code(), Some(0), "{progress}");
    let images = home.json(&["images", "--json"])?;
    let found = &images["images"][0];
    assert_eq!(
        found["id"],
        id.trim(),
        "standard output is the image's id and nothing else"
    );
    assert_eq!(
        images["images"].as_array().map(Vec::len),
        Some(1),
        "the interrupted try left nothing else: {images}"
    );
    assert_eq!(found["name"], "Büro Server");
    assert_eq!(found["region"], "practice-south");
    assert_eq!(found["distribution"], "debian");
    assert_eq!(
        found["tags"],
        serde_json::json!(["tier:1", "web"]),
        "Glance keeps tags without an order"
    );
    assert_eq!(found["notes"], "Aus dem Keller");
    assert_eq!(found["status"], "active");
    assert_eq!(images["total_size"].as_u64(), Some(fs::metadata(&image)?.len()));

    let arrived = sha256_of_image(home.data(), "practice-south", id.trim()).await?;
    assert_eq!(
        arrived,
        sha256_of_file(&image)?,
        "the bytes that arrived are the file's"
    );
    let (_, nothing) = said(&home.run(&["resume"])?);
    assert!(nothing.contains("No upload is interrupted"), "{nothing}");
    Ok(())
}

#[test]
fn an_image_that_will_not_work_is_not_sent_by_accident() -> Result {
    let home = Home::new()?;
    let file = path_of("no-sshd.qcow2")?;
    let refused = home.run(&["upload", &file])?;
    assert_eq!(refused.status.code(), Some(1));
    assert!(said(&refused).1.contains("--anyway"), "the way on is named");
    assert_eq!(
        home.json(&["uploads", "--json"])?,
        serde_json::json!([]),
        "nothing was begun"
    );
    Ok(())
}

#[test]
fn a_call_that_is_not_understood_is_answered_in_the_callers_language() -> Result {
    let home = Home::new()?;
    let output = home.run(&["--lang", "de", "prüfe", "x"])?;
    assert_eq!(output.status.code(), Some(64));
    assert!(
        said(&output).1.contains("Den Befehl „prüfe“ gibt es nicht"),
        "{:?}",
        said(&output)
    );
    let output = home.run(&["--lang", "de", "--help"])?;
    assert_eq!(output.status.code(), Some(0));
    assert!(said(&output).0.contains("Prüft ein Image"), "{:?}", said(&output));
    Ok(())
}

#[test]
fn the_facts_of_an_image_are_json_and_nothing_else_is_an_image() -> Result {
    let home = Home::new()?;
    let facts = home.json(&["facts", &path_of("debian-12.qcow2")?])?;
    let facts: lotse_guest::Facts = serde_json::from_value(facts)?;
    assert!(
        matches!(facts.system, lotse_guest::Fact::Known(Some(_))),
        "what is printed is what the readers found"
    );
    let unread = home.run(&["facts", &path_of("notes.img")?])?;
    assert_eq!(unread.status.code(), Some(2), "as `lotse check` says it");
    let (out, error) = said(&unread);
    assert!(out.is_empty() && !error.is_empty(), "the reason is no JSON: {out}");
    Ok(())
}
