//! Named steps, one after the other, each with its time; at the end what came of each and how many tests ran.

use std::time::{Duration, Instant};

use crate::{Failure, Outcome, failure};

/// Tests that a step ran.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub(crate) struct Tests {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

/// How a step ended when it did not fail.
pub(crate) enum Done {
    /// A check without tests.
    Checked,
    /// The step ran these tests; any failed one makes it a failure.
    Tested(Tests),
    /// Not all of it could be done here, for this reason.
    Partly(String),
    /// It cannot be done here at all, for this reason.
    LeftOut(String),
}

/// One step of a task.
pub(crate) struct Step<C> {
    /// What one types after `--only`.
    pub(crate) name: &'static str,
    /// What it proves, in a few words.
    pub(crate) what: &'static str,
    /// Steps that must have run before, by name.
    pub(crate) needs: &'static [&'static str],
    /// Does it.
    pub(crate) run: fn(&C) -> Outcome<Done>,
}

/// Which steps to run, and how.
#[derive(Default)]
pub(crate) struct Selection {
    pub(crate) list: bool,
    pub(crate) keep_going: bool,
    pub(crate) only: Vec<String>,
    pub(crate) skip: Vec<String>,
}

impl Selection {
    /// The chosen ones of these steps, in their order, with what they need.
    pub(crate) fn of<'a, C>(&self, steps: &'a [Step<C>]) -> Outcome<Vec<&'a Step<C>>> {
        for name in self.only.iter().chain(&self.skip) {
            if !steps.iter().any(|step| step.name == name) {
                return failure(format!(
                    "There is no step `{name}`; `cargo xtask test --list` names them."
                ));
            }
        }
        let mut chosen: Vec<&str> = self.only.iter().map(String::as_str).collect();
        // A step needs only earlier ones, so that one walk from the end finds all.
        for step in steps.iter().rev() {
            if chosen.contains(&step.name) {
                chosen.extend(step.needs);
            }
        }
        let wanted = |step: &&Step<C>| {
            (self.only.is_empty() || chosen.contains(&step.name)) && !self.skip.iter().any(|name| name == step.name)
        };
        Ok(steps.iter().filter(wanted).collect())
    }
}

struct Ended {
    name: &'static str,
    time: Duration,
    outcome: Outcome<Done>,
}

/// Runs the steps and prints the summary; fails when one of them failed.
pub(crate) fn run<C>(context: &C, steps: &[&Step<C>], keep_going: bool) -> Outcome {
    let mut ended: Vec<Ended> = Vec::new();
    for (number, step) in (1..).zip(steps) {
        println!("\n=== {number}/{} {}: {}", steps.len(), step.name, step.what);
        let start = Instant::now();
        let broken = ended
            .iter()
            .find(|earlier| earlier.outcome.is_err() && step.needs.contains(&earlier.name));
        let outcome = match broken {
            Some(needed) => failure(format!("not begun, since it needs `{}`", needed.name)),
            None => (step.run)(context).and_then(|done| match done {
                Done::Tested(tests) if tests.failed > 0 => failure(format!("{} of its tests failed", tests.failed)),
                done => Ok(done),
            }),
        };
        let time = start.elapsed();
        println!("--- {}: {} ({:.1} s)", step.name, word(&outcome), time.as_secs_f64());
        if let Err(Failure(sentence)) = &outcome {
            println!("{sentence}");
        }
        let failed = outcome.is_err();
        ended.push(Ended {
            name: step.name,
            time,
            outcome,
        });
        if failed && !keep_going {
            break;
        }
    }
    summarize(&ended, steps.len())
}

fn word(outcome: &Outcome<Done>) -> String {
    match outcome {
        Ok(Done::Checked) => "ok".to_owned(),
        Ok(Done::Tested(tests)) => format!("ok, {} tests passed", tests.passed),
        Ok(Done::Partly(reason)) => format!("ok, but NOT COMPLETE: {reason}"),
        Ok(Done::LeftOut(reason)) => format!("LEFT OUT: {reason}"),
        Err(_) => "FAILED".to_owned(),
    }
}

fn summarize(ended: &[Ended], planned: usize) -> Outcome {
    println!("\n=== Summary");
    for step in ended {
        println!(
            "{:>8.1} s  {:<14} {}",
            step.time.as_secs_f64(),
            step.name,
            word(&step.outcome)
        );
    }
    let total: Duration = ended.iter().map(|step| step.time).sum();
    let failures: Vec<_> = ended
        .iter()
        .filter(|step| step.outcome.is_err())
        .map(|step| step.name)
        .collect();
    let passed: u64 = ended
        .iter()
        .map(|step| match &step.outcome {
            Ok(Done::Tested(tests)) => tests.passed,
            _ => 0,
        })
        .sum();
    println!("{:>8.1} s  in all", total.as_secs_f64());
    if ended.len() < planned {
        println!("{} steps were not begun.", planned.saturating_sub(ended.len()));
    }
    println!(
        "{} steps, {} of them failed; tests that ran in the steps that succeeded: {passed}.",
        ended.len(),
        failures.len()
    );
    println!("{passed} passed, {} failed", failures.len());
    match failures.first() {
        None => Ok(()),
        Some(first) => failure(format!(
            "failed: {}. Again, only this: cargo xtask test --only {first}",
            failures.join(", ")
        )),
    }
}

/// Counts the tests in the closing lines of nextest, cargo test and Vitest. What nextest calls skipped was merely not asked for.
pub(crate) fn count(output: &str) -> Tests {
    let mut tests = Tests::default();
    for line in output.lines().map(plain) {
        let line = line.trim();
        if line.starts_with("test result:")
            || line.contains(" tests run:")
            || line.contains(" test run:")
            || line.starts_with("Tests ")
        {
            tests.passed = tests.passed.saturating_add(number_before(line, "passed"));
            tests.failed = tests.failed.saturating_add(number_before(line, "failed"));
        }
    }
    tests
}

/// A line without its colours (ECMA-48 control sequences).
fn plain(line: &str) -> String {
    let mut plain = String::new();
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        if character == '\u{1b}' {
            characters.by_ref().find(char::is_ascii_alphabetic);
        } else {
            plain.push(character);
        }
    }
    plain
}

fn number_before(line: &str, word: &str) -> u64 {
    let words: Vec<_> = line
        .split([' ', ',', ';', '|', '(', ')'])
        .filter(|word| !word.is_empty())
        .collect();
    words
        .windows(2)
        .find_map(|pair| if pair[1] == word { pair[0].parse().ok() } else { None })
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn step(name: &'static str, needs: &'static [&'static str]) -> Step<String> {
        Step {
            name,
            what: "",
            needs,
            run: |name| failure(name.as_str()),
        }
    }

    const STEPS: [Step<String>; 4] = [
        step("fmt", &[]),
        step("page", &[]),
        step("build", &["page"]),
        step("programs", &["build"]),
    ];

    fn names(selection: &Selection) -> Outcome<Vec<&'static str>> {
        Ok(selection.of(&STEPS)?.iter().map(|step| step.name).collect())
    }

    #[test]
    fn a_single_step_brings_along_what_it_needs() {
        let selection = Selection {
            only: vec!["programs".to_owned()],
            ..Selection::default()
        };
        assert_eq!(names(&selection).unwrap(), ["page", "build", "programs"]);
    }

    #[test]
    fn a_step_can_be_left_out_even_if_another_needs_it() {
        let selection = Selection {
            skip: vec!["page".to_owned()],
            ..Selection::default()
        };
        assert_eq!(names(&selection).unwrap(), ["fmt", "build", "programs"]);
    }

    #[test]
    fn a_mistyped_step_is_an_error_and_not_an_empty_green_run() {
        let selection = Selection {
            only: vec!["programms".to_owned()],
            ..Selection::default()
        };
        assert!(names(&selection).is_err());
    }

    #[test]
    fn every_test_runner_is_counted() {
        let output = "\
     Summary [   0.522s] 43 tests run: 42 passed (1 slow), 1 failed, 7 skipped
     Summary [   0.002s] 1 test run: 1 passed, 0 skipped
test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.50s
\u{1b}[2m      Tests \u{1b}[22m \u{1b}[1m\u{1b}[32m12 passed\u{1b}[39m\u{1b}[22m\u{1b}[90m (12)\u{1b}[39m
      Tests  1 failed | 4 passed (5)
 Test Files  9 passed (9)
";
        assert_eq!(
            count(output),
            Tests {
                passed: 42 + 1 + 3 + 12 + 4,
                failed: 2
            }
        );
    }
}
