//! `cargo xtask bench upload`: our engine, rclone and `aws s3 cp` send the same file to the same real S3 server on loopback, in turn.
//! The best time of each counts, and its highest peak of memory.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::programs::{self, Profile};
use crate::system::{Need, System};
use crate::workspace::{Workspace, json_string};
use crate::{Failure, Outcome, about, bench, child, debian, failure};

/// Rounds in which each client sends once.
const ROUNDS: usize = 2;

/// What radosgw's garbage collector takes until the memory of a removed object is free (tests/servers/ceph.rs has it run every 5 seconds).
const COLLECTED: Duration = Duration::from_secs(12);

/// What is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Size of the file.
    pub(crate) gib: u64,
    /// `radosgw` or `swift`.
    pub(crate) server: String,
    /// Our sender as a debug build, to try all this out.
    pub(crate) dev: bool,
}

/// Who sends, and with which settings.
#[derive(Clone, Copy)]
enum Client {
    Ours,
    /// Size of a part in MiB and parts at a time; `None`: its own defaults.
    Aws(Option<(u32, u32)>),
    Rclone(Option<(u32, u32)>),
}

/// 64 MiB at four a time was the best that both showed on loopback.
const CLIENTS: [Client; 5] = [
    Client::Ours,
    Client::Aws(None),
    Client::Aws(Some((64, 4))),
    Client::Rclone(None),
    Client::Rclone(Some((64, 4))),
];

impl Client {
    fn name(self) -> String {
        let with = |name: &str, settings: Option<(u32, u32)>| match settings {
            None => format!("{name}, its defaults"),
            Some((size, at_once)) => format!("{name}, {size} MiB x {at_once}"),
        };
        match self {
            Self::Ours => "lotse".to_owned(),
            Self::Aws(settings) => with("aws s3 cp", settings),
            Self::Rclone(settings) => with("rclone", settings),
        }
    }
}

/// What one run took.
#[derive(Clone, Copy)]
struct Taken {
    wall: f64,
    cpu: f64,
    peak_mib: f64,
}

/// The server, while this lives.
struct Server {
    child: Child,
    /// Address, keys and bucket, as JSON.
    access: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It ends when its standard input is closed, and takes everything with it.
        drop(self.child.stdin.take());
        _ = self.child.wait();
    }
}

/// Makes file and server, measures, and prints a table.
pub(crate) fn run(workspace: &Workspace, asked: &Asked) -> Outcome {
    provide(workspace)?;
    let profile = if asked.dev { Profile::Dev } else { Profile::Release };
    let mut build = workspace.cargo([
        "build",
        "--package",
        "lotse-tests",
        "--bin",
        "sender",
        "--bin",
        "s3-server",
    ]);
    if profile == Profile::Release {
        build.arg("--release");
    }
    child::run(&mut build)?;
    let folder = workspace.target("bench").join(format!("upload-{}", asked.gib));
    fs::create_dir_all(&folder).map_err(about(&folder))?;
    let file = folder.join("disk.raw");
    if !file.exists() {
        println!("  makes a file of {} GiB", asked.gib);
        bench::write_disk(&file, asked.gib * 1024)?;
    }
    let server = start(workspace, asked, profile)?;
    let sending = Sending {
        workspace,
        access: &server.access,
        sender: programs::program(workspace, "sender", profile),
        folder,
        file,
    };
    let mut best: [Option<Taken>; CLIENTS.len()] = [None; CLIENTS.len()];
    for _ in 0..ROUNDS {
        for (client, best) in CLIENTS.into_iter().zip(&mut best) {
            let taken = sending.measure(client)?;
            println!(
                "  {:<24} {:7.1} s, CPU {:6.1} s, {:6.0} MiB",
                client.name(),
                taken.wall,
                taken.cpu,
                taken.peak_mib
            );
            *best = Some(best.map_or(taken, |best| Taken {
                wall: best.wall.min(taken.wall),
                cpu: best.cpu.min(taken.cpu),
                peak_mib: best.peak_mib.max(taken.peak_mib),
            }));
            thread::sleep(COLLECTED);
        }
    }
    print(asked, &best);
    Ok(())
}

fn print(asked: &Asked, best: &[Option<Taken>]) {
    println!(
        "\n{} GiB to {} on loopback, best of {ROUNDS}\n\n{:<24} {:>8} {:>8} {:>8} {:>9} {:>12} {:>12}",
        asked.gib, asked.server, "", "wall s", "MB/s", "CPU s", "peak MiB", "wall, ours/", "CPU, ours/"
    );
    let Some(ours) = best.first().copied().flatten() else {
        return;
    };
    let bytes = f64::from(u32::try_from(asked.gib).unwrap_or(u32::MAX)) * f64::from(1 << 30);
    for (client, taken) in CLIENTS.iter().zip(best) {
        let Some(taken) = taken else { continue };
        println!(
            "{:<24} {:8.1} {:8.0} {:8.1} {:9.0} {:12.2} {:12.2}",
            client.name(),
            taken.wall,
            bytes / 1e6 / taken.wall,
            taken.cpu,
            taken.peak_mib,
            ours.wall / taken.wall,
            ours.cpu / taken.cpu
        );
    }
    println!("(aims: wall <= 1.0, CPU <= 0.7, at most 150 MiB)");
}

/// The servers are those of the tests; the other clients are only for this.
fn provide(workspace: &Workspace) -> Outcome {
    let system = System::detect();
    programs::provide(workspace, system, &[Need::Compiler, Need::Images, Need::Tests])?;
    let wanted: Vec<_> = [("rclone", "rclone"), ("aws", "awscli")]
        .into_iter()
        .filter(|(program, _)| !workspace.has(program))
        .map(|(_, package)| (package, "to compare with"))
        .collect();
    if wanted.is_empty() {
        Ok(())
    } else if system == System::Debian {
        debian::install(workspace, &wanted)
    } else {
        failure("rclone and the AWS CLI are wanted, to compare with. Please install them.")
    }
}

fn start(workspace: &Workspace, asked: &Asked, profile: Profile) -> Outcome<Server> {
    let program = programs::program(workspace, "s3-server", profile);
    // One object at a time, and one that is not collected yet.
    let memory = (asked.gib * 2 + 2).to_string();
    let mut child = workspace
        .command(&program)
        .args([asked.server.as_str(), "--memory-gib", &memory])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(about(&program))?;
    let mut access = String::new();
    if let Some(stdout) = child.stdout.take() {
        BufReader::new(stdout).read_line(&mut access).map_err(about(&program))?;
    }
    let server = Server {
        child,
        access: access.trim().to_owned(),
    };
    if server.access.is_empty() {
        return failure("the S3 server did not start");
    }
    Ok(server)
}

struct Sending<'a> {
    workspace: &'a Workspace,
    access: &'a str,
    sender: PathBuf,
    folder: PathBuf,
    file: PathBuf,
}

impl Sending<'_> {
    /// One upload, and away with it.
    fn measure(&self, client: Client) -> Outcome<Taken> {
        let report = self.folder.join("time");
        let mut command = self.workspace.command("time");
        command
            .args(["--quiet", "--format", "%e %U %S %M", "--output"])
            .arg(&report);
        match client {
            Client::Ours => command.arg(&self.sender).arg(self.order()?),
            Client::Aws(_) => command
                .args([
                    "aws",
                    "--endpoint-url",
                    &self.access("endpoint")?,
                    "s3",
                    "cp",
                    "--no-progress",
                ])
                .arg(&self.file)
                .arg(self.object()?),
            Client::Rclone(settings) => {
                command.args(["rclone", "copyto"]).arg(&self.file);
                command.arg(format!("bench:{}/object", self.access("bucket")?));
                if let Some((size, at_once)) = settings {
                    command.args(["--s3-chunk-size", &format!("{size}M"), "--s3-upload-concurrency"]);
                    command.arg(at_once.to_string());
                }
                &mut command
            }
        };
        self.prepare(&mut command, client)?;
        let said = child::output(&mut command)?;
        if matches!(client, Client::Ours) && !said.contains("\"code\":null") {
            return failure(format!("our sender came to {said}"));
        }
        let taken = taken(&report)?;
        let mut remove = self.workspace.command("aws");
        remove.args(["--endpoint-url", &self.access("endpoint")?, "s3", "rm"]);
        remove.arg(self.object()?);
        self.prepare(&mut remove, Client::Aws(None))?;
        child::output(&mut remove)?;
        Ok(taken)
    }

    fn access(&self, name: &str) -> Outcome<String> {
        json_string(self.access, name).ok_or_else(|| Failure(format!("the S3 server told no {name}")))
    }

    fn object(&self) -> Outcome<String> {
        Ok(format!("s3://{}/object", self.access("bucket")?))
    }

    /// A new journal, and what our sender is to do.
    fn order(&self) -> Outcome<PathBuf> {
        let (journal, path) = (self.folder.join("journal"), self.folder.join("order.json"));
        _ = fs::remove_dir_all(&journal);
        // A path is made of letters that need no escape: it is of our own making, but for the checkout's place.
        let order = format!(
            r#"{{"journal":"{}","file":"{}","access":{},"key":"object","part_size":null,"workers":null,"patience":null}}"#,
            journal.display(),
            self.file.display(),
            self.access,
        );
        fs::write(&path, order).map_err(about(&path))?;
        Ok(path)
    }

    /// Keys, settings, and no proxy on the way to this machine itself.
    fn prepare(&self, command: &mut Command, client: Client) -> Outcome {
        let (aws, rclone) = (self.folder.join("aws"), self.folder.join("rclone.conf"));
        let mut settings = "[default]\ns3 =\n  addressing_style = path\n".to_owned();
        if let Client::Aws(Some((size, at_once))) = client {
            _ = write!(
                settings,
                "  multipart_chunksize = {size}MB\n  multipart_threshold = {size}MB\n  max_concurrent_requests = {at_once}\n"
            );
        }
        fs::write(&aws, settings).map_err(about(&aws))?;
        let remote = format!(
            "[bench]\ntype = s3\nprovider = Other\nno_check_bucket = true\nforce_path_style = true\nendpoint = {}\nregion = {}\n\
             access_key_id = {}\nsecret_access_key = {}\n",
            self.access("endpoint")?,
            self.access("region")?,
            self.access("access_key")?,
            self.access("secret_key")?
        );
        fs::write(&rclone, remote).map_err(about(&rclone))?;
        command
            .env("AWS_ACCESS_KEY_ID", self.access("access_key")?)
            .env("AWS_SECRET_ACCESS_KEY", self.access("secret_key")?)
            .env("AWS_DEFAULT_REGION", self.access("region")?)
            .env("AWS_EC2_METADATA_DISABLED", "true")
            // Checksums behind the body are more than Swift (501) and radosgw (411) take.
            .env("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required")
            .env("AWS_RESPONSE_CHECKSUM_VALIDATION", "when_required")
            .env("AWS_CONFIG_FILE", &aws)
            .env("RCLONE_CONFIG", &rclone)
            // rclone 1.60 stops where it is set.
            .env_remove("AWS_CA_BUNDLE")
            .env("no_proxy", "127.0.0.1")
            .env("NO_PROXY", "127.0.0.1");
        Ok(())
    }
}

/// What GNU time wrote.
fn taken(report: &Path) -> Outcome<Taken> {
    let text = fs::read_to_string(report).map_err(about(report))?;
    let numbers: Vec<f64> = text
        .lines()
        .last()
        .unwrap_or_default()
        .split_whitespace()
        .filter_map(|number| number.parse().ok())
        .collect();
    match numbers[..] {
        [wall, user, system, kib] => Ok(Taken {
            wall,
            cpu: user + system,
            peak_mib: kib / 1024.0,
        }),
        _ => failure(format!("GNU time said: {text}")),
    }
}
