//! `lotse` killed (SIGKILL) again and again on the way to a staged object, above all around the moment at which it becomes public: nothing is ever
//! public that the journal does not know, and each upload ends staged, public and equal to the file.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use lotse_tests::{
    Result,
    faults::{Proxy, Script},
    home::{Home, Said},
    random::Random,
    servers::{Access, Kind, Server, Settings},
    stored::sha256_of_file,
    strangers,
};
use serde_json::Value;
use tokio::process::{Child, Command};
use url::Url;

use crate::person::{Inventory, add, customer, keys_of, word};

/// Two parts of S3's smallest size and a rest.
const FILE: usize = (10 << 20) + 4_321;

/// Runs for every change; `LOTSE_KILLS` asks for another number (`.ci/long`: 200).
const RUNS: u64 = 40;

/// Kills in one run, at most.
const KILLS: u64 = 3;

/// Moments of an upload that nobody disturbs: two for each request (`Script::hold_at`).
const MOMENTS: u64 = 18;

/// A program that is not killed and not at its end by then hangs.
const LIMIT: Duration = Duration::from_mins(2);

fn number_from(variable: &str, otherwise: u64) -> Result<u64> {
    match std::env::var(variable) {
        Ok(number) => Ok(number.parse()?),
        Err(_) => Ok(otherwise),
    }
}

/// A disk with a partition table (MBR) and bytes of chance in its one partition: accepted as an image, if only with an express yes.
fn disk(random: &mut Random) -> Result<Vec<u8>> {
    let mut disk = random.bytes(FILE / 512 * 512);
    let sectors = u32::try_from(disk.len() / 512)? - 1;
    let table = disk.get_mut(..512).ok_or("too small")?;
    table.fill(0);
    // UEFI specification 2.10, table 5.2: the first entry stands at 446, the signature at 510.
    table[446 + 4] = 0x83;
    table[446 + 8..446 + 12].copy_from_slice(&1u32.to_le_bytes());
    table[446 + 12..446 + 16].copy_from_slice(&sectors.to_le_bytes());
    table[510..].copy_from_slice(&[0x55, 0xAA]);
    Ok(disk)
}

struct Killing {
    home: Home,
    /// The connection's id.
    connection: String,
    /// Directly to the server, not by the proxy.
    access: Access,
    proxy: Proxy,
    file: PathBuf,
    sha256: String,
}

impl Killing {
    fn start(&self, words: &[&str]) -> Result<Child> {
        let mut command = Command::from(self.home.command(words)?);
        command.stdin(std::process::Stdio::null());
        command
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        Ok(command.kill_on_drop(true).spawn()?)
    }

    /// Kills what is started with these words while a request is under way: before the server hears of it, or between its work and its answer.
    /// False if it came to its end before.
    async fn kill(&self, words: &[&str], moment: u64) -> Result<bool> {
        self.proxy.go_on(Script::default().hold_at(moment));
        let mut child = self.start(words)?;
        let killed = tokio::select! {
            () = self.proxy.held() => {
                child.kill().await?;
                true
            }
            status = child.wait() => {
                status?;
                false
            }
            () = tokio::time::sleep(LIMIT) => return Err(format!("`lotse {words:?}` hangs").into()),
        };
        self.proxy.go_on(Script::default());
        Ok(killed)
    }

    async fn to_its_end(&self, words: &[&str]) -> Result<Said> {
        let child = self.start(words)?;
        let output = tokio::time::timeout(LIMIT, child.wait_with_output()).await;
        Ok(Said::of(&output.map_err(|_| format!("`lotse {words:?}` hangs"))??))
    }

    /// The last upload as the journal has it; null if there is none.
    async fn last(&self, before: usize) -> Result<Value> {
        let uploads = self.to_its_end(&["uploads", "--json"]).await?.well()?.json()?;
        let uploads = uploads.as_array().ok_or("no list")?;
        let new: Vec<_> = uploads.iter().filter(|upload| !is_final(upload)).collect();
        assert!(new.len() <= 1, "one upload at a time, {before} before: {new:?}");
        Ok(new.first().map_or(Value::Null, |&upload| upload.clone()))
    }

    /// Where strangers find this key.
    fn address(&self, key: &str) -> Result<Url> {
        let mut url = self.access.endpoint.clone();
        let mut path = url.path_segments_mut().map_err(|()| "no path")?;
        path.pop_if_empty().push(&self.access.bucket).extend(key.split('/'));
        drop(path);
        Ok(url)
    }

    /// Everything public that no upload of the journal stands for.
    async fn unknown_and_public(&self) -> Result<Vec<String>> {
        let mut public = BTreeSet::new();
        for key in keys_of(&self.access).await? {
            if strangers::head(&self.address(&key)?)?.status == 200 {
                public.insert(key);
            }
        }
        let staging = self.to_its_end(&["staging", "list", "--json"]).await?.well()?.json()?;
        let known = staging["objects"].as_array().ok_or("no list")?;
        for object in known.iter().filter(|object| object["upload"].is_string()) {
            public.remove(object["key"].as_str().unwrap_or_default());
        }
        Ok(public.into_iter().collect())
    }

    async fn run(&self, seed: u64) -> Result<u64> {
        let mut random = Random::new(seed);
        let file = word(&self.file)?;
        let upload = ["upload", "--anyway", "--connection", &self.connection, file];
        let mut kills = 0;
        self.proxy.play(Script::default());
        for _ in 0..=random.below(KILLS) {
            let known = self.last(kills).await?;
            if known["state"] == "staged" {
                break;
            }
            let words: &[&str] = if known.is_null() { &upload } else { &["resume"] };
            kills += usize::from(self.kill(words, 1 + random.below(MOMENTS)).await?);
            let unknown = self.unknown_and_public().await?;
            if !unknown.is_empty() {
                return Err(format!("PUBLIC AND NOT KNOWN after {kills} kills: {unknown:?}").into());
            }
        }
        let known = self.last(kills).await?;
        if known["state"] != "staged" {
            let words: &[&str] = if known.is_null() { &upload } else { &["resume"] };
            self.to_its_end(words).await?.well()?;
        }
        self.arrived(&mut random).await?;
        Ok(u64::try_from(kills)?)
    }

    /// Staged, public, the file's; then taken away again, whichever way.
    async fn arrived(&self, random: &mut Random) -> Result {
        let staged = self.last(0).await?;
        let id = staged["id"].as_str().unwrap_or_default();
        if staged["state"] != "staged" || !staged["published"].is_string() {
            return Err(format!("came to {staged}").into());
        }
        let told = self.to_its_end(&["handover", id, "--json"]).await?.well()?.json()?;
        let by_proxy: Url = told["url"].as_str().ok_or("no address")?.parse()?;
        let mut direct = self.access.endpoint.clone();
        direct.set_path(by_proxy.path());
        let size = fs::metadata(&self.file)?.len();
        let head = strangers::head(&direct)?;
        if (head.status, head.length) != (200, Some(size)) || strangers::sha256(&direct)? != self.sha256 {
            return Err(format!("THE OBJECT IS NOT THE FILE: {head:?}").into());
        }
        let end = if random.below(2) == 0 { "imported" } else { "cancel" };
        self.to_its_end(&[end, id]).await?.well()?;
        match strangers::head(&direct)?.status {
            403 | 404 => Ok(()),
            status => Err(format!("after `{end}` strangers still get {status}").into()),
        }
    }
}

fn is_final(upload: &Value) -> bool {
    ["done", "cancelled"].contains(&upload["state"].as_str().unwrap_or_default())
}

#[tokio::test]
async fn lotse_killed_on_its_way_leaves_nothing_public_that_nobody_knows() -> Result {
    let runs = number_from("LOTSE_KILLS", RUNS)?;
    let seed = number_from("LOTSE_SEED", u64::from(std::process::id()) * 1000)?;
    println!("{runs} runs from seed {seed} on (LOTSE_SEED={seed} LOTSE_KILLS={runs} repeats them)");
    let server = Server::start(Kind::Radosgw, Settings::default()).await?;
    let access = customer(&server, "kill").await?;
    let theirs = Inventory::put(&server, &access).await?;
    let mut home = Home::new()?;
    home.set("LOTSE_SECRET_KEY", &access.secret_key);
    let proxy = Proxy::start(&access.endpoint)?;
    let file = home.path().join("Größe.raw");
    fs::write(&file, disk(&mut Random::new(seed))?)?;
    let more = ["--secret-in", "ask", "--no-test"];
    let id = add(&home, &access.by(proxy.url()?), &more, "")?.well()?;
    let killing = Killing {
        connection: id.out.trim().to_owned(),
        sha256: sha256_of_file(Path::new(&file))?,
        access,
        proxy,
        file,
        home,
    };
    let began = Instant::now();
    let (mut kills, mut failed) = (0, Vec::new());
    for seed in seed..seed + runs {
        match killing.run(seed).await {
            Ok(run) => kills += run,
            Err(error) => {
                failed.push(format!("LOTSE_SEED={seed} LOTSE_KILLS=1: {error}"));
                break;
            }
        }
    }
    println!(
        "{runs} uploads, {kills} kills, {:.0} s in all",
        began.elapsed().as_secs_f64()
    );
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    theirs.assert_alone(&server)
}
