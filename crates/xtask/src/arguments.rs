//! What is asked for on the command line.

use crate::checks::Selection;
use crate::fuzz::Fuzzing;
use crate::programs::Profile;
use crate::{Outcome, bench_upload, failure};

/// The tasks and their options.
pub(crate) const USAGE: &str = "\
cargo xtask run [--release]        set up this machine, build Imagelotse and open its window
                                   (without a display: the same journey with `lotse`, the command line program)
cargo xtask test [options]         set up this machine and run every check
    --list                         name the steps and stop
    --only STEP                    only this step and what it needs; may be repeated
    --skip STEP                    everything but this step; may be repeated
    --keep-going                   go on after a step that failed
cargo xtask fixtures [--again]     build the disk images that the tests read, into target/fixtures
                                   (--again: also when they are up to date)
cargo xtask bench disk [--gib N] [--only NAME]...
                                   read a disk of N GiB (3) in every container and compression, or those that NAME is a part
                                   of, beside qemu-img, gzip and others, and print the ratios; wants about six times N GiB of
                                   space in target/bench
cargo xtask bench check            time and memory of a whole report on the test images, beside virt-inspector
cargo xtask bench upload [--gib N] [--server radosgw|swift] [--dev]
                                   send a file of N GiB (4) to a real S3 server on loopback, beside rclone and `aws s3 cp`, and
                                   print the ratios (--dev: with our debug build, to try it out)
cargo xtask fuzz [options]         run the fuzz targets in tests/fuzz
    --seconds N                    for so long each (60)
    --only TARGET                  only this one; may be repeated
cargo xtask types                  write the window's TypeScript types anew from crates/api
cargo xtask docs                   write docs/requirements.md anew from the rules and their sentences";

/// One call of `cargo xtask`.
pub(crate) enum Task {
    Help,
    Run { profile: Profile },
    Test(Selection),
    Fixtures { again: bool },
    Bench { gib: u64, only: Vec<String> },
    BenchCheck,
    BenchUpload(bench_upload::Asked),
    Fuzz(Fuzzing),
    Types,
    Docs,
}

/// Reads the arguments after `cargo xtask`.
pub(crate) fn parse(arguments: impl IntoIterator<Item = String>) -> Outcome<Task> {
    let mut arguments = arguments.into_iter();
    let Some(name) = arguments.next() else {
        return Ok(Task::Help);
    };
    let mut task = match name.as_str() {
        "help" | "--help" | "-h" => return Ok(Task::Help),
        "run" => Task::Run { profile: Profile::Dev },
        "test" => Task::Test(Selection::default()),
        "fixtures" => Task::Fixtures { again: false },
        "fuzz" => Task::Fuzz(Fuzzing::default()),
        "bench" => match arguments.next().as_deref() {
            Some("disk") => Task::Bench {
                gib: 3,
                only: Vec::new(),
            },
            Some("check") => Task::BenchCheck,
            Some("upload") => Task::BenchUpload(bench_upload::Asked {
                gib: 4,
                server: "radosgw".to_owned(),
                dev: false,
            }),
            _ => return failure("`cargo xtask bench` wants to know what: `disk`, `check` or `upload`."),
        },
        "types" => Task::Types,
        "docs" => Task::Docs,
        other => return failure(format!("There is no task `{other}`.")),
    };
    while let Some(option) = arguments.next() {
        match (&mut task, option.as_str()) {
            (_, "--help" | "-h") => return Ok(Task::Help),
            (Task::Run { profile }, "--release") => *profile = Profile::Release,
            (Task::Fixtures { again }, "--again") => *again = true,
            (Task::BenchUpload(asked), "--dev") => asked.dev = true,
            (Task::BenchUpload(asked), "--server") => match arguments.next() {
                Some(server) if ["radosgw", "swift"].contains(&server.as_str()) => asked.server = server,
                _ => return failure("`--server` wants `radosgw` or `swift`."),
            },
            (Task::Bench { gib, .. } | Task::BenchUpload(bench_upload::Asked { gib, .. }), "--gib") => {
                match arguments.next().map(|number| number.parse()) {
                    Some(Ok(number @ 1..=64)) => *gib = number,
                    _ => return failure("`--gib` wants a number from 1 to 64."),
                }
            }
            (Task::Bench { only, .. }, "--only") => match arguments.next() {
                Some(part) => only.push(part),
                None => return failure("`--only` wants a part of a file's name."),
            },
            (Task::Fuzz(fuzzing), "--seconds") => match arguments.next().map(|number| number.parse()) {
                Some(Ok(number)) => fuzzing.seconds = Some(number),
                _ => return failure("`--seconds` wants a number."),
            },
            (Task::Fuzz(fuzzing), "--only") => match arguments.next() {
                Some(target) => fuzzing.only.push(target),
                None => return failure("`--only` wants the name of a target."),
            },
            (Task::Test(selection), "--list") => selection.list = true,
            (Task::Test(selection), "--keep-going") => selection.keep_going = true,
            (Task::Test(selection), "--only" | "--skip") => {
                let Some(step) = arguments.next() else {
                    return failure(format!("`{option}` wants the name of a step."));
                };
                if option == "--only" {
                    selection.only.push(step);
                } else {
                    selection.skip.push(step);
                }
            }
            _ => return failure(format!("`cargo xtask {name}` does not know `{option}`.")),
        }
    }
    Ok(task)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(line: &str) -> Outcome<Task> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn steps_can_be_chosen_and_left_out() {
        let Ok(Task::Test(selection)) = task("test --only clippy --only fmt --skip deny --keep-going") else {
            panic!("these are options of `test`")
        };
        assert_eq!(selection.only, ["clippy", "fmt"]);
        assert_eq!(selection.skip, ["deny"]);
        assert!(selection.keep_going && !selection.list);
    }

    #[test]
    fn a_mistyped_option_is_named_rather_than_ignored() {
        for line in [
            "tset",
            "run --debug",
            "test --only",
            "fixtures --list",
            "bench",
            "bench disk --gib 0",
            "bench upload --server azure",
        ] {
            assert!(task(line).is_err(), "`{line}` must not start anything");
        }
    }
}
