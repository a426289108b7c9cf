//! `cargo xtask test`: every check of the project, in an order in which mistakes show early.

use std::process::Command;

use crate::programs::{self, EVERYTHING, Profile};
pub(crate) use crate::steps::Selection;
use crate::steps::{self, Done, Step, Tests};
use crate::system::{Need, System};
use crate::workspace::Workspace;
use crate::{Outcome, child, failure, fixtures, node};

const CARGO_DENY_VERSION: &str = "0.20.2";
/// Said by the steps that no other system than Linux can do.
const ONLY_ON_LINUX: &str = "the test images and the window tests are made for Linux";

/// All steps. A step needs earlier ones only.
const STEPS: &[Step<Workspace>] = &[
    Step {
        name: "fmt",
        what: "the sources are formatted (rustfmt)",
        needs: &[],
        run: rustfmt,
    },
    Step {
        name: "deny",
        what: "licences, banned and doubtful dependencies (cargo-deny)",
        needs: &[],
        run: deny,
    },
    Step {
        name: "ui-install",
        what: "the window's packages, as the lock file has them (npm)",
        needs: &[],
        run: page_packages,
    },
    Step {
        name: "ui-format",
        what: "the window's sources are formatted (Prettier)",
        needs: &["ui-install"],
        run: |w| npm(w, "format:check"),
    },
    Step {
        name: "ui-check",
        what: "the window's types and markup (svelte-check)",
        needs: &["ui-install"],
        run: |w| npm(w, "check"),
    },
    Step {
        name: "ui-test",
        what: "the window's own tests (Vitest)",
        needs: &["ui-install"],
        run: page_tests,
    },
    Step {
        name: "ui-build",
        what: "the window's page, packed (Vite)",
        needs: &["ui-install"],
        run: |w| npm(w, "build"),
    },
    Step {
        name: "clippy",
        what: "lints, none tolerated",
        needs: &["ui-build"],
        run: clippy,
    },
    Step {
        name: "docs",
        what: "the documentation, without warnings (rustdoc)",
        needs: &["ui-build"],
        run: documentation,
    },
    Step {
        name: "build",
        what: "all programs and tests",
        needs: &["ui-build"],
        run: build,
    },
    Step {
        name: "tests",
        what: "every room's own tests",
        needs: &["build"],
        run: room_tests,
    },
    Step {
        name: "doc-tests",
        what: "the examples in the documentation",
        needs: &["build"],
        run: doc_tests,
    },
    Step {
        name: "fixtures",
        what: "real disk images, built by Debian's tools",
        needs: &[],
        run: images,
    },
    Step {
        name: "uploads",
        what: "real S3 servers: one suite for all, every fault of a network, kill -9",
        needs: &["build"],
        run: upload_tests,
    },
    Step {
        name: "programs",
        what: "the whole programs: real images, command line, real window",
        needs: &["build", "fixtures"],
        run: program_tests,
    },
];

/// Sets up the machine and runs the chosen steps.
pub(crate) fn run(mut workspace: Workspace, selection: &Selection) -> Outcome {
    let steps = selection.of(STEPS)?;
    if selection.list {
        for step in steps {
            println!("{:<12} {}", step.name, step.what);
        }
        return Ok(());
    }
    let system = System::detect();
    let needs: &[Need] = if cfg!(target_os = "linux") {
        &[Need::Compiler, Need::Window, Need::Images, Need::Tests]
    } else {
        &[Need::Compiler, Need::Window]
    };
    programs::provide(&workspace, system, needs)?;
    node::provide(&mut workspace, system)?;
    steps::run(&workspace, &steps, selection.keep_going)
}

/// Writes the TypeScript types anew: the test that compares them does so when it is told to.
pub(crate) fn write_types(workspace: &Workspace) -> Outcome {
    child::run(
        workspace
            .command("cargo")
            .args(["test", "--package", "lotse-api", "--test", "bindings"])
            .env("UPDATE_TYPES", "1"),
    )
}

/// Writes the table of the rules anew, in the same way.
pub(crate) fn write_docs(workspace: &Workspace) -> Outcome {
    child::run(
        workspace
            .command("cargo")
            .args(["test", "--package", "lotse-words", "--test", "docs"])
            .env("UPDATE_DOCS", "1"),
    )
}

fn checked(command: &mut Command) -> Outcome<Done> {
    child::run(command).map(|()| Done::Checked)
}

/// Runs a test runner; one that fails without a failed test (it did not compile, it crashed) fails the step.
fn tested(command: &mut Command) -> Outcome<Tests> {
    let (success, output) = child::observe(command)?;
    let tests = steps::count(&output);
    if success || tests.failed > 0 {
        Ok(tests)
    } else {
        failure("the test runner itself failed")
    }
}

/// As [`tested`], where none at all means that something is wrong with the call.
fn tested_some(command: &mut Command) -> Outcome<Done> {
    let tests = tested(command)?;
    if tests == Tests::default() {
        failure("not a single test ran")
    } else {
        Ok(Done::Tested(tests))
    }
}

fn npm(workspace: &Workspace, script: &str) -> Outcome<Done> {
    checked(&mut workspace.npm(["run", script]))
}

fn page_packages(workspace: &Workspace) -> Outcome<Done> {
    node::install_packages(workspace).map(|()| Done::Checked)
}

fn page_tests(workspace: &Workspace) -> Outcome<Done> {
    tested_some(&mut workspace.npm(["test"]))
}

fn rustfmt(workspace: &Workspace) -> Outcome<Done> {
    checked(&mut workspace.cargo(["fmt", "--all", "--check"]))
}

fn clippy(workspace: &Workspace) -> Outcome<Done> {
    checked(
        workspace
            .cargo(["clippy", "--locked", "--all-targets"])
            .args(EVERYTHING)
            .args(["--", "--deny", "warnings"]),
    )
}

fn documentation(workspace: &Workspace) -> Outcome<Done> {
    let mut command = workspace.cargo(["doc", "--locked", "--no-deps", "--document-private-items"]);
    checked(command.args(EVERYTHING).env("RUSTDOCFLAGS", "--deny warnings"))
}

fn build(workspace: &Workspace) -> Outcome<Done> {
    checked(workspace.cargo(["build", "--locked", "--all-targets"]).args(EVERYTHING))
}

fn images(workspace: &Workspace) -> Outcome<Done> {
    if !cfg!(target_os = "linux") {
        return Ok(Done::LeftOut(ONLY_ON_LINUX.to_owned()));
    }
    fixtures::provide(workspace).map(|_| Done::Checked)
}

/// Everything but the member `tests`, in the same selection of features as the build.
fn room_tests(workspace: &Workspace) -> Outcome<Done> {
    if has_nextest(workspace) {
        let mut command = workspace.cargo(["nextest", "run", "--locked", "--no-fail-fast"]);
        return tested_some(
            command
                .args(EVERYTHING)
                .args(["--filterset", "not package(lotse-tests)"]),
        );
    }
    let mut command = workspace.cargo(["test", "--locked", "--no-fail-fast", "--all-targets"]);
    tested_some(command.args(EVERYTHING).args(["--exclude", "lotse-tests"]))
}

fn doc_tests(workspace: &Workspace) -> Outcome<Done> {
    tested(
        workspace
            .cargo(["test", "--locked", "--no-fail-fast", "--doc"])
            .args(EVERYTHING),
    )
    .map(Done::Tested)
}

/// The test programs of the member `tests` that want real servers and the engine alone.
const UPLOADS: [&str; 3] = ["keychain", "s3", "uploads"];

/// And those that want the whole programs.
const PROGRAMS: [&str; 4] = ["corpus", "cli", "storage", "window"];

fn upload_tests(workspace: &Workspace) -> Outcome<Done> {
    if !cfg!(target_os = "linux") {
        return Ok(Done::LeftOut("the S3 servers are Debian's".to_owned()));
    }
    tested_some(&mut whole_program_tests(workspace, &UPLOADS))
}

fn program_tests(workspace: &Workspace) -> Outcome<Done> {
    if !cfg!(target_os = "linux") {
        return Ok(Done::LeftOut(ONLY_ON_LINUX.to_owned()));
    }
    let mut command = whole_program_tests(workspace, &PROGRAMS);
    command.env("LOTSE_BIN", programs::program(workspace, "lotse", Profile::Dev));
    command.env(
        "IMAGELOTSE_BIN",
        programs::program(workspace, "imagelotse", Profile::Dev),
    );
    command.env("LOTSE_FIXTURES", fixtures::folder(workspace));
    tested_some(&mut command)
}

/// These test programs of the member `tests`, in the same selection of features as the build.
fn whole_program_tests(workspace: &Workspace, names: &[&str]) -> Command {
    let tests = names.iter().flat_map(|name| ["--test", *name]);
    if has_nextest(workspace) {
        let mut command = workspace.cargo(["nextest", "run", "--locked", "--no-fail-fast"]);
        let binaries: Vec<_> = names.iter().map(|name| format!("binary({name})")).collect();
        let filter = format!("package(lotse-tests) and ({})", binaries.join(" or "));
        command.args(EVERYTHING).args(["--filterset", &filter]);
        command
    } else {
        // One at a time: every window needs the processor for itself.
        let mut command = workspace.cargo(["test", "--locked", "--no-fail-fast", "--package", "lotse-tests"]);
        command.args(tests).args(["--", "--test-threads=1"]);
        command
    }
}

fn has_nextest(workspace: &Workspace) -> bool {
    child::output(&mut workspace.cargo(["nextest", "--version"])).is_ok()
}

fn deny(workspace: &Workspace) -> Outcome<Done> {
    let tools = workspace.target("tools");
    let program = tools
        .join("bin")
        .join(format!("cargo-deny{}", std::env::consts::EXE_SUFFIX));
    let installed = child::output(workspace.command(&program).arg("--version")).unwrap_or_default();
    if !installed.trim().ends_with(CARGO_DENY_VERSION) {
        let mut install = workspace.cargo([
            "install",
            "cargo-deny",
            "--locked",
            "--debug",
            "--version",
            CARGO_DENY_VERSION,
        ]);
        // Without debug information, and without this workspace's target folder, into which it would not fit.
        install
            .arg("--root")
            .arg(&tools)
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            .env_remove("CARGO_TARGET_DIR");
        child::run(&mut install)?;
    }
    child::run(
        workspace
            .command(&program)
            .args(["--all-features", "check", "licenses", "bans", "sources"]),
    )?;
    if child::output(workspace.command(&program).args(["fetch", "db"])).is_err() {
        let reason = "known vulnerabilities were not looked up, the advisory database cannot be fetched from here";
        return Ok(Done::Partly(reason.to_owned()));
    }
    checked(
        workspace
            .command(&program)
            .args(["--all-features", "check", "--disable-fetch", "advisories"]),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A test program that no step runs would be green for ever.
    #[test]
    fn every_whole_program_test_belongs_to_a_step() {
        let manifest = include_str!("../../../tests/Cargo.toml");
        let (_, sections) = manifest.split_once("[[test]]").unwrap();
        let (sections, _) = sections.split_once("[dependencies]").unwrap();
        let names = sections
            .lines()
            .filter_map(|line| line.strip_prefix("name = \""))
            .map(|name| name.trim_end_matches('"'));
        for name in names {
            assert!(PROGRAMS.contains(&name) || UPLOADS.contains(&name), "{name}");
        }
    }
}
