//! What happens to the file and to the journal between two runs and within one: changed, cut, moved, two at once, a full disk.

use std::{
    fs::{self, File},
    io::{Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use lotse_cloud::{S3, http_client};
use lotse_tests::{
    Result,
    faults::{Asked, Fault, Proxy, Rule, Script},
    random::Random,
    scratch::SmallDisk,
    sending::{Order, Outcome, Patience, send},
    servers::{Kind, Server, Settings},
    stored::sha256_of_file,
};
use lotse_transfer::{CancellationToken, JobState, Journal, Retry, start_anew};
use tempfile::TempDir;

use crate::object::{open_uploads, sha256_of_object};

/// The smallest part of the practice cloud, as of S3.
const PART: u64 = 5 << 20;
const FILE: u64 = 3 * PART + 4_321;
const KEY: &str = "sources/disk.raw";

struct Setting {
    server: Server,
    proxy: Proxy,
    folder: TempDir,
    file: PathBuf,
}

impl Setting {
    async fn new() -> Result<Setting> {
        let server = Server::start(Kind::Practice, Settings::default()).await?;
        let folder = TempDir::new()?;
        let file = folder.path().join("disk.raw");
        fs::write(&file, Random::new(1).bytes(usize::try_from(FILE)?))?;
        Ok(Setting {
            proxy: Proxy::start(&server.access.endpoint)?,
            server,
            folder,
            file,
        })
    }

    fn order(&self) -> Result<Order> {
        Ok(Order {
            journal: self.folder.path().join("journal"),
            file: self.file.clone(),
            access: self.server.access.by(self.proxy.url()?),
            key: KEY.to_owned(),
            part_size: Some(PART),
            // One part after the other, so that it is known which have arrived.
            workers: Some(1),
            patience: Some(Patience::default()),
        })
    }

    /// Sends until the second part is on its way, does something then, and lets the upload go on.
    async fn meanwhile(&self, order: &Order, event: impl FnOnce() -> Result) -> Result<Outcome> {
        self.proxy.play(vec![Rule::first(Asked::Part, Fault::Hold).after(1)]);
        let cancel = CancellationToken::new();
        let mut sending = std::pin::pin!(send(order, &cancel));
        tokio::select! {
            () = self.proxy.held() => {}
            early = &mut sending => return Err(format!("it ended before: {early:?}").into()),
        }
        event()?;
        self.proxy.release();
        sending.await
    }

    /// Sends one part and stops. Also tells where that part begins.
    async fn begun(&self) -> Result<(Order, u64)> {
        let order = self.order()?;
        self.proxy
            .play(vec![Rule::times(Asked::Part, u32::MAX, Fault::Hold).after(1)]);
        let cancel = CancellationToken::new();
        let arrived = async {
            self.proxy.held().await;
            loop {
                let journal = Journal::open(&order.journal)?;
                for job in journal.jobs()? {
                    if let Some(part) = journal.parts(job.id)?.first() {
                        return Result::Ok(u64::from(part.receipt.number - 1) * PART);
                    }
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let (offset, outcome) = {
            let mut sending = std::pin::pin!(send(&order, &cancel));
            let offset = tokio::select! {
                offset = arrived => offset?,
                early = &mut sending => return Err(format!("it ended before: {early:?}").into()),
            };
            cancel.cancel();
            (offset, sending.await?)
        };
        assert_eq!(outcome.code.as_deref(), Some("cancelled"), "{outcome:?}");
        assert!(outcome.acknowledged > 0, "{outcome:?}");
        self.proxy.play(Script::default());
        Ok((order, offset))
    }

    /// Goes on; what came of it.
    async fn go_on(&self, order: &Order) -> Result<Outcome> {
        send(order, &CancellationToken::new()).await
    }

    /// The upload is at its end and the object is what the file is now.
    async fn arrives(&self, order: &Order) -> Result {
        let outcome = self.go_on(order).await?;
        assert_eq!(
            (outcome.code.as_deref(), outcome.state),
            (None, Some(JobState::Done)),
            "{outcome:?}"
        );
        let stored = sha256_of_object(&self.server.access, KEY).await?;
        assert_eq!(stored, sha256_of_file(&order.file)?, "the object is the file");
        assert_eq!(
            open_uploads(&self.server.access, KEY).await?.len(),
            0,
            "nothing is left open"
        );
        Ok(())
    }
}

/// Writes other bytes at this place.
fn change(path: &Path, at: u64) -> Result {
    let mut file = File::options().write(true).open(path)?;
    file.seek(SeekFrom::Start(at))?;
    file.write_all(b"changed")?;
    file.sync_all()?;
    // A filesystem's clock may be coarse: the change must show in it.
    file.set_modified(SystemTime::now() + Duration::from_secs(5))?;
    Ok(())
}

fn told(outcome: &Outcome) -> (Option<&str>, bool) {
    (outcome.code.as_deref(), outcome.retryable)
}

const CHANGED: (Option<&str>, bool) = (Some("source_changed"), false);

#[tokio::test]
async fn a_changed_file_is_refused_and_can_be_begun_anew() -> Result {
    let setting = Setting::new().await?;
    let (order, _) = setting.begun().await?;
    change(&setting.file, PART + 5)?;
    let outcome = setting.go_on(&order).await?;
    assert_eq!(told(&outcome), CHANGED, "{outcome:?}");
    assert_eq!(setting.proxy.sent().part_bytes, 0, "nothing of it was sent");

    let journal = Journal::open(&order.journal)?;
    let job = journal.jobs()?.pop().ok_or("no job")?;
    let claim = journal.claim(job.id)?.ok_or("claimed")?;
    let target = S3::new(order.access.config(), http_client()?)?;
    let anew = start_anew(&journal, &target, &claim, &job, &job.key, "{}", &Retry::default()).await?;
    assert_eq!((anew.state, anew.acknowledged), (JobState::Queued, 0));
    drop(claim);
    setting.arrives(&order).await
}

#[tokio::test]
async fn a_change_that_size_and_time_do_not_show_is_found_where_it_was_sent() -> Result {
    let setting = Setting::new().await?;
    let (order, sent) = setting.begun().await?;
    let time = fs::metadata(&setting.file)?.modified()?;
    change(&setting.file, sent + 5)?;
    File::options().write(true).open(&setting.file)?.set_modified(time)?;
    let outcome = setting.go_on(&order).await?;
    assert_eq!(told(&outcome), CHANGED, "{outcome:?}");
    assert!(
        sha256_of_object(&setting.server.access, KEY).await.is_err(),
        "half of the one and half of the other must not become an object"
    );
    Ok(())
}

#[tokio::test]
async fn a_file_that_is_cut_or_grows_is_refused() -> Result {
    for size in [0, 1, 2 * PART, FILE + 1] {
        let setting = Setting::new().await?;
        let (order, _) = setting.begun().await?;
        File::options().write(true).open(&setting.file)?.set_len(size)?;
        let outcome = setting.go_on(&order).await?;
        assert_eq!(told(&outcome), CHANGED, "{size}: {outcome:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_file_that_changes_while_it_is_sent_never_arrives_as_a_mixture() -> Result {
    for (name, event) in [
        ("changed", (|path| change(path, 3 * PART)) as fn(&Path) -> Result),
        ("cut", |path| {
            Ok(File::options().write(true).open(path)?.set_len(PART)?)
        }),
        ("grown", |path| {
            Ok(File::options().append(true).open(path)?.write_all(b"more")?)
        }),
    ] {
        let setting = Setting::new().await?;
        let order = setting.order()?;
        let outcome = setting.meanwhile(&order, || event(&setting.file)).await?;
        assert_eq!(told(&outcome), CHANGED, "{name}: {outcome:?}");
        assert!(
            sha256_of_object(&setting.server.access, KEY).await.is_err(),
            "{name}: there is no object"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_file_that_was_moved_is_missed_and_found_again() -> Result {
    let setting = Setting::new().await?;
    let (mut order, _) = setting.begun().await?;
    let elsewhere = setting.folder.path().join("elsewhere.raw");
    fs::rename(&setting.file, &elsewhere)?;
    let outcome = setting.go_on(&order).await?;
    assert_eq!(told(&outcome), (Some("source_not_found"), true), "{outcome:?}");

    let journal = Journal::open(&order.journal)?;
    let job = journal.jobs()?.pop().ok_or("no job")?;
    let found = job.source.at(&elsewhere)?;
    journal.relocate(job.id, &found.path)?;
    order.file = elsewhere;
    setting.proxy.play(Script::default());
    setting.arrives(&order).await?;
    let again = setting.proxy.sent().part_bytes;
    assert!(again < FILE, "what had arrived was not sent again: {again}");
    Ok(())
}

#[tokio::test]
async fn the_same_file_in_a_new_place_of_the_disk_goes_on_and_another_one_does_not() -> Result {
    let setting = Setting::new().await?;
    let (order, _) = setting.begun().await?;
    let time = fs::metadata(&setting.file)?.modified()?;
    // Restored from a backup: same content and time, another file of the filesystem.
    let copy = setting.folder.path().join("copy.raw");
    fs::copy(&setting.file, &copy)?;
    File::options().write(true).open(&copy)?.set_modified(time)?;
    fs::rename(&copy, &setting.file)?;
    setting.arrives(&order).await?;

    let setting = Setting::new().await?;
    let (order, _) = setting.begun().await?;
    let time = fs::metadata(&setting.file)?.modified()?;
    fs::write(copy_of(&setting), Random::new(2).bytes(usize::try_from(FILE)?))?;
    File::options()
        .write(true)
        .open(copy_of(&setting))?
        .set_modified(time)?;
    fs::rename(copy_of(&setting), &setting.file)?;
    let outcome = setting.go_on(&order).await?;
    assert_eq!(told(&outcome), CHANGED, "{outcome:?}");
    Ok(())
}

fn copy_of(setting: &Setting) -> PathBuf {
    setting.folder.path().join("copy.raw")
}

#[tokio::test]
async fn only_one_works_on_an_upload_at_a_time() -> Result {
    let setting = Setting::new().await?;
    let order = setting.order()?;
    setting.proxy.play(vec![Rule::first(Asked::Part, Fault::Hold).after(1)]);
    // Another process, as a second instance of the program is.
    let path = setting.folder.path().join("order.json");
    fs::write(&path, serde_json::to_vec(&order)?)?;
    let start = || {
        tokio::process::Command::new(env!("CARGO_BIN_EXE_sender"))
            .arg(&path)
            .stdout(std::process::Stdio::piped())
            .kill_on_drop(true)
            .spawn()
    };
    let mut first = start()?;
    tokio::select! {
        () = setting.proxy.held() => {}
        status = first.wait() => return Err(format!("it ended before: {status:?}").into()),
    }
    let second: Outcome = serde_json::from_slice(&start()?.wait_with_output().await?.stdout)?;
    assert_eq!(told(&second), (Some("claimed"), true));
    let here = setting.go_on(&order).await?;
    assert_eq!(told(&here), (Some("claimed"), true));
    setting.proxy.release();
    let first: Outcome = serde_json::from_slice(&first.wait_with_output().await?.stdout)?;
    assert_eq!((first.code.as_deref(), first.state), (None, Some(JobState::Done)));
    assert_eq!(setting.proxy.sent().part_bytes, FILE, "nothing was sent twice");
    setting.arrives(&order).await
}

#[tokio::test]
async fn a_full_disk_stops_the_upload_and_harms_nothing() -> Result {
    let disk = match SmallDisk::new(640 << 10) {
        Ok(disk) => disk,
        Err(error) => {
            println!("NOT TESTED HERE, there is no small disk: {error}");
            return Ok(());
        }
    };
    let setting = Setting::new().await?;
    let order = Order {
        journal: disk.path().join("journal"),
        ..setting.order()?
    };
    let path = setting.folder.path().join("order.json");
    fs::write(&path, serde_json::to_vec(&order)?)?;
    let start = || -> Result<tokio::process::Child> {
        let mut command: tokio::process::Command = disk.command(env!("CARGO_BIN_EXE_sender")).into();
        Ok(command
            .arg(&path)
            .stdout(std::process::Stdio::piped())
            .kill_on_drop(true)
            .spawn()?)
    };
    let full = (Some("journal_disk_full"), true);
    disk.fill()?;
    let outcome = end(start()?).await?;
    assert_eq!(told(&outcome), full, "before the first entry: {outcome:?}");
    disk.free()?;

    setting
        .proxy
        .play(vec![Rule::times(Asked::Part, u32::MAX, Fault::Hold)]);
    let mut sender = start()?;
    tokio::select! {
        () = setting.proxy.held() => {}
        status = sender.wait() => return Err(format!("it ended before: {status:?}").into()),
    }
    disk.fill()?;
    setting.proxy.play(Script::default());
    let outcome = end(sender).await?;
    assert_eq!(told(&outcome), full, "in the middle: {outcome:?}");
    assert!(
        sha256_of_object(&setting.server.access, KEY).await.is_err(),
        "nothing is finished of which there is no record"
    );
    disk.free()?;
    let outcome = end(start()?).await?;
    assert_eq!(
        (outcome.code.as_deref(), outcome.state),
        (None, Some(JobState::Done)),
        "{outcome:?}"
    );
    let stored = sha256_of_object(&setting.server.access, KEY).await?;
    assert_eq!(stored, sha256_of_file(&order.file)?);
    Ok(())
}

async fn end(sender: tokio::process::Child) -> Result<Outcome> {
    Ok(serde_json::from_slice(&sender.wait_with_output().await?.stdout)?)
}
