//! `cargo xtask bench check`: how long a whole report on the corpus's Debians takes and how much memory, beside
//! virt-inspector where that is installed. The best time of several runs counts, and the highest peak.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::programs::{self, Profile};
use crate::workspace::Workspace;
use crate::{Failure, Outcome, about, failure, fixtures};

/// Runs of `lotse` on each image.
const RUNS: usize = 7;

/// Whole systems of 1.5 GB: stock, packed, of every age, and with kernel, initramfs and boot loader.
const IMAGES: [&str; 6] = [
    "debian-12.raw",
    "debian-12.qcow2",
    "debian-12-compressed.qcow2",
    "debian-11.qcow2",
    "debian-13.qcow2",
    "debian-12-kernel.qcow2",
];

/// What one run of a program took.
#[derive(Clone, Copy)]
struct Taken {
    seconds: f64,
    peak_mib: f64,
}

/// Builds images and program if need be, measures, and prints a table.
pub(crate) fn run(workspace: &Workspace) -> Outcome {
    let folder = fixtures::provide(workspace)?;
    let lotse = programs::build_cli(workspace, Profile::Release)?;
    println!("\nimage                        lotse s  peak MiB  virt-inspector s  peak MiB  its time / ours");
    for name in IMAGES {
        let image = folder.join(name);
        let mut ours = taken(workspace, &lotse, &["check", "--json"], &image)?;
        for _ in 1..RUNS {
            let again = taken(workspace, &lotse, &["check", "--json"], &image)?;
            ours.seconds = ours.seconds.min(again.seconds);
            ours.peak_mib = ours.peak_mib.max(again.peak_mib);
        }
        let theirs = if workspace.has("virt-inspector") {
            match taken(workspace, Path::new("virt-inspector"), &["-a"], &image) {
                Ok(theirs) => format!(
                    "{:16.2}  {:8.1}  {:15.0}",
                    theirs.seconds,
                    theirs.peak_mib,
                    theirs.seconds / ours.seconds
                ),
                Err(Failure(sentence)) => format!("failed: {sentence}"),
            }
        } else {
            "not installed".to_owned()
        };
        println!("{name:27} {:8.3}  {:8.1}  {theirs}", ours.seconds, ours.peak_mib);
    }
    println!("(aims: under 0.1 s and under 60 MiB)");
    Ok(())
}

/// Time and memory of one call, as GNU time tells them.
fn taken(workspace: &Workspace, program: &Path, words: &[&str], image: &Path) -> Outcome<Taken> {
    let report = workspace.target("bench-check");
    let started = std::time::Instant::now();
    let status = command(workspace, program, words, image, &report)
        .status()
        .map_err(|error| Failure(format!("GNU time could not be started: {error}")))?;
    let seconds = started.elapsed().as_secs_f64();
    let text = fs::read_to_string(&report).map_err(about(&report))?;
    fs::remove_file(&report).map_err(about(&report))?;
    // The exit status of `lotse check` is its verdict; 2 and above 100 are failures.
    if !matches!(status.code(), Some(0 | 1 | 3)) {
        return failure(format!("{} ended with {status}", program.display()));
    }
    let kib: f64 = text
        .lines()
        .last()
        .and_then(|line| line.trim().parse().ok())
        .ok_or_else(|| Failure(format!("GNU time said: {text}")))?;
    Ok(Taken {
        seconds,
        peak_mib: kib / 1024.0,
    })
}

fn command(workspace: &Workspace, program: &Path, words: &[&str], image: &Path, report: &Path) -> Command {
    // Not a shell's own `time`, which tells nothing of memory.
    let mut command = workspace.command("time");
    command
        .args(["--quiet", "--format", "%M", "--output"])
        .arg(report)
        .arg(program)
        .args(words)
        .arg(image)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}
