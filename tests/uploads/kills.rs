//! The sender killed (SIGKILL) again and again, at moments of chance: each upload is resumed to an object equal to the file, and nearly
//! nothing is sent twice.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use lotse_tests::{
    Result,
    faults::{Proxy, Script},
    random::Random,
    sending::{Order, Outcome, Patience},
    servers::{Kind, Server, Settings},
    stored::sha256_of_file,
};
use lotse_transfer::JobState;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::object::{open_uploads, remove, sha256_of_object};

/// Small parts, which the server is told to take, so that many kills find many parts.
const PART: u64 = 64 << 10;
const FILE: u64 = 20 * PART + 4_321;
const WORKERS: u32 = 4;

/// Runs for every change; `LOTSE_KILLS` asks for another number (`.ci/long`: 200).
const RUNS: u64 = 40;

/// Kills in one run, at most.
const KILLS: u64 = 4;

/// A sender that is not killed and not at its end by then hangs.
const LIMIT: Duration = Duration::from_mins(2);

fn number_from(variable: &str, otherwise: u64) -> Result<u64> {
    match std::env::var(variable) {
        Ok(number) => Ok(number.parse()?),
        Err(_) => Ok(otherwise),
    }
}

struct Killing<'a> {
    server: &'a Server,
    proxy: Proxy,
    folder: TempDir,
    file: PathBuf,
    sha256: String,
    /// How long an upload takes that nobody disturbs.
    whole: Duration,
}

/// What happened in one run.
struct Run {
    kills: u64,
    bytes: u64,
}

impl Killing<'_> {
    fn order(&self, key: &str) -> Result<Order> {
        Ok(Order {
            journal: self.folder.path().join("journal"),
            file: self.file.clone(),
            access: self.server.access.by(self.proxy.url()?),
            key: key.to_owned(),
            part_size: Some(PART),
            workers: Some(WORKERS),
            patience: Some(Patience::default()),
        })
    }

    fn start(&self, order: &Order) -> Result<Child> {
        let path = self.folder.path().join("order.json");
        fs::write(&path, serde_json::to_vec(order)?)?;
        Ok(sender(&path)?)
    }

    /// Kills it at a moment of chance. False if it was at its end before.
    async fn kill(&self, order: &Order, random: &mut Random) -> Result<bool> {
        if random.below(2) == 0 {
            // At any time from its start on.
            let after = Duration::from_micros(random.below(u64::try_from(self.whole.as_micros())?));
            self.proxy.go_on(Script::default());
            let mut child = self.start(order)?;
            tokio::time::sleep(after).await;
            return killed(&mut child).await;
        }
        // While a certain request is under way: before the server hears of it, or between its work and its answer.
        let moment = 1 + random.below(2 * FILE.div_ceil(PART) + 6);
        self.proxy.go_on(Script::default().hold_at(moment));
        let mut child = self.start(order)?;
        tokio::select! {
            () = self.proxy.held() => killed(&mut child).await,
            // A resumed upload has fewer requests.
            status = child.wait() => {
                status?;
                Ok(false)
            }
            () = tokio::time::sleep(LIMIT) => Err("the sender hangs".into()),
        }
    }

    async fn run(&self, seed: u64) -> Result<Run> {
        let mut random = Random::new(seed);
        let key = format!("kills/{seed}.raw");
        let order = self.order(&key)?;
        self.proxy.play(Script::default());
        let mut run = Run { kills: 0, bytes: 0 };
        for _ in 0..=random.below(KILLS) {
            if !self.kill(&order, &mut random).await? {
                break;
            }
            run.kills += 1;
        }
        self.proxy.go_on(Script::default());
        let outcome = to_its_end(self.start(&order)?).await?;
        run.bytes = self.proxy.sent().part_bytes;

        if outcome.code.is_some() || outcome.state != Some(JobState::Done) {
            return Err(format!("came to {outcome:?}, {:?}", self.proxy.sent()).into());
        }
        if sha256_of_object(&self.server.access, &key).await? != self.sha256 {
            return Err("THE OBJECT IS NOT THE FILE".into());
        }
        let most = FILE + run.kills * u64::from(WORKERS) * PART;
        if run.bytes > most {
            return Err(format!(
                "{} bytes were sent after {} kills, {most} at most: {:?}",
                run.bytes,
                run.kills,
                self.proxy.sent()
            )
            .into());
        }
        let open = open_uploads(&self.server.access, &key).await?.len();
        if open > 0 {
            return Err(format!("{open} uploads were left open after {} kills", run.kills).into());
        }
        remove(&self.server.access, &key).await?;
        Ok(run)
    }
}

fn sender(order: &Path) -> std::io::Result<Child> {
    Command::new(env!("CARGO_BIN_EXE_sender"))
        .arg(order)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
}

/// True if it was this that ended it.
async fn killed(child: &mut Child) -> Result<bool> {
    if child.try_wait()?.is_some() {
        return Ok(false);
    }
    child.kill().await?;
    Ok(true)
}

async fn to_its_end(child: Child) -> Result<Outcome> {
    let output = tokio::time::timeout(LIMIT, child.wait_with_output())
        .await
        .map_err(|_| "the sender hangs")??;
    Ok(serde_json::from_slice(&output.stdout)?)
}

#[tokio::test]
async fn a_sender_that_is_killed_goes_on_where_it_stood() -> Result {
    let runs = number_from("LOTSE_KILLS", RUNS)?;
    let seed = number_from("LOTSE_SEED", u64::from(std::process::id()) * 1000)?;
    println!("{runs} runs from seed {seed} on (LOTSE_SEED={seed} LOTSE_KILLS={runs} repeats them)");
    let settings = Settings {
        min_part: 1,
        ..Settings::default()
    };
    let server = Server::start(Kind::Radosgw, settings).await?;
    let folder = TempDir::new()?;
    let file = folder.path().join("disk.raw");
    fs::write(&file, Random::new(seed).bytes(usize::try_from(FILE)?))?;
    let mut killing = Killing {
        proxy: Proxy::start(&server.access.endpoint)?,
        server: &server,
        sha256: sha256_of_file(&file)?,
        folder,
        file,
        whole: Duration::ZERO,
    };
    // The first upload of all makes the server set up what it keeps; the second tells what is usual.
    for key in ["kills/first.raw", "kills/undisturbed.raw"] {
        let began = Instant::now();
        let order = killing.order(key)?;
        let outcome = to_its_end(killing.start(&order)?).await?;
        assert_eq!((outcome.code, outcome.state), (None, Some(JobState::Done)));
        killing.whole = began.elapsed();
    }
    let began = Instant::now();

    let (mut kills, mut bytes, mut failed) = (0, 0, Vec::new());
    for seed in seed..seed + runs {
        match killing.run(seed).await {
            Ok(run) => {
                kills += run.kills;
                bytes += run.bytes;
            }
            Err(error) => failed.push(format!("LOTSE_SEED={seed} LOTSE_KILLS=1: {error}")),
        }
    }
    println!(
        "{runs} uploads, {kills} kills, {bytes} bytes sent for {} bytes of files; undisturbed {:?}; {:.0} s in all",
        runs * FILE,
        killing.whole,
        began.elapsed().as_secs_f64()
    );
    assert!(failed.is_empty(), "{} of {runs}:\n{}", failed.len(), failed.join("\n"));
    Ok(())
}
