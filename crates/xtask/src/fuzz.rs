//! `cargo xtask fuzz`: the fuzz targets in tests/fuzz, each for some time, with real images to begin with.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::system::{Need, System};
use crate::workspace::Workspace;
use crate::{Outcome, about, child, failure, programs};

const CARGO_FUZZ_VERSION: &str = "0.13.2";

/// As in tests/fuzz/README.md: longer inputs, slower runs and more memory are findings or of no use.
const LIMITS: [&str; 3] = ["-max_len=100000", "-timeout=3", "-rss_limit_mb=700"];

/// What is asked for.
#[derive(Default)]
pub(crate) struct Fuzzing {
    /// For each target; 60 if not given.
    pub(crate) seconds: Option<u32>,
    /// All if empty.
    pub(crate) only: Vec<String>,
}

/// Builds all targets and runs those that are asked for, one after another, to the first finding of each.
pub(crate) fn run(workspace: &Workspace, fuzzing: &Fuzzing) -> Outcome {
    programs::provide(workspace, System::detect(), &[Need::Compiler, Need::Images])?;
    let program = provide(workspace)?;
    child::run(workspace.command("python3").arg("tests/fuzz/seeds.py"))?;
    let fuzz = |arguments: &[&str]| -> Command {
        let mut command = workspace.command(&program);
        command
            .arg("fuzz")
            .args(arguments)
            .current_dir(workspace.path("tests/fuzz"))
            .env("CARGO_TARGET_DIR", workspace.target("fuzz"))
            // The address sanitizer is behind a gate that this opens on a stable compiler too.
            .env("RUSTC_BOOTSTRAP", "1")
            // What SQLite has given back would be kept from use up to 256 MiB, and be taken for a leak by the limit.
            .env("ASAN_OPTIONS", "quarantine_size_mb=16");
        command
    };
    let targets = child::output(&mut fuzz(&["list", "--fuzz-dir", "."]))?;
    let targets: Vec<&str> = targets
        .lines()
        .map(str::trim)
        .filter(|target| fuzzing.only.is_empty() || fuzzing.only.iter().any(|only| only == target))
        .collect();
    if targets.is_empty() {
        return failure("there is no such fuzz target; their files are in tests/fuzz/targets");
    }
    child::run(&mut fuzz(&["build", "--fuzz-dir", "."]))?;
    let time = format!("-max_total_time={}", fuzzing.seconds.unwrap_or(60));
    let mut found = Vec::new();
    for target in targets {
        let corpus = workspace.path("tests/fuzz/corpus").join(target);
        fs::create_dir_all(&corpus).map_err(about(&corpus))?;
        let mut command = fuzz(&["run", "--fuzz-dir", ".", target, "--", &time]);
        command.args(LIMITS);
        if child::run(&mut command).is_err() {
            found.push(target);
        }
    }
    if found.is_empty() {
        return Ok(());
    }
    failure(format!(
        "found something in {}; the inputs are in tests/fuzz/artifacts",
        found.join(", ")
    ))
}

/// cargo-fuzz in the target folder.
fn provide(workspace: &Workspace) -> Outcome<PathBuf> {
    let tools = workspace.target("tools");
    let program = tools
        .join("bin")
        .join(format!("cargo-fuzz{}", std::env::consts::EXE_SUFFIX));
    let installed = child::output(workspace.command(&program).args(["fuzz", "--version"])).unwrap_or_default();
    if !installed.trim().ends_with(CARGO_FUZZ_VERSION) {
        let mut install = workspace.cargo([
            "install",
            "cargo-fuzz",
            "--locked",
            "--debug",
            "--version",
            CARGO_FUZZ_VERSION,
        ]);
        install
            .arg("--root")
            .arg(&tools)
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            .env_remove("CARGO_TARGET_DIR");
        child::run(&mut install)?;
    }
    Ok(program)
}
