//! `cargo xtask`: set-up, run, test, fixtures. It has no dependencies, so that it is there in seconds on a machine with nothing but Rust.

mod arguments;
mod bench;
mod bench_check;
mod bench_upload;
mod checks;
mod child;
mod debian;
mod desktop;
mod fixtures;
mod fuzz;
mod journey;
mod node;
mod programs;
mod steps;
mod system;
mod workspace;

use std::fmt;
use std::process::ExitCode;

use arguments::Task;
use workspace::Workspace;

/// Why a task could not be done: a sentence for the person at the terminal.
#[derive(Debug)]
struct Failure(String);

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What a task comes to.
type Outcome<T = ()> = Result<T, Failure>;

/// A failure with this sentence.
fn failure<T>(sentence: impl Into<String>) -> Outcome<T> {
    Err(Failure(sentence.into()))
}

/// Says which file an error of the system is about.
fn about(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Failure + '_ {
    move |error| Failure(format!("{}: {error}", path.display()))
}

fn main() -> ExitCode {
    let task = match arguments::parse(std::env::args().skip(1)) {
        Ok(task) => task,
        Err(Failure(sentence)) => {
            eprintln!("{sentence}\n\n{}", arguments::USAGE);
            return ExitCode::from(2);
        }
    };
    let outcome = Workspace::find().and_then(|workspace| match task {
        Task::Help => {
            println!("{}", arguments::USAGE);
            Ok(())
        }
        Task::Run { profile } => desktop::run(workspace, profile),
        Task::Test(selection) => checks::run(workspace, &selection),
        Task::Fixtures { again } => fixtures::run(workspace, again),
        Task::Fuzz(fuzzing) => fuzz::run(&workspace, &fuzzing),
        Task::BenchCheck => bench_check::run(&workspace),
        Task::BenchUpload(asked) => bench_upload::run(&workspace, &asked),
        Task::Bench { gib, only } => bench::run(&workspace, gib, &only),
        Task::Types => checks::write_types(&workspace),
        Task::Docs => checks::write_docs(&workspace),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure(sentence)) => {
            eprintln!("\ncargo xtask: {sentence}");
            ExitCode::FAILURE
        }
    }
}
