//! The commands of a report's remedies as a shell script, to be run as root inside the system that the image was made of.

use lotse_requirements::{Finding, Remedy, RemedyPlace, Report, Status};

use crate::{Language, Text, VERSION, WordedFinding, plain::plain_report};

/// Fetches Debian's package lists anew.
const REFRESH: &str = "apt-get update";

/// One remedy's commands and the names of the findings that they mend.
struct Step<'a> {
    titles: Vec<String>,
    remedy: &'a Remedy,
}

/// The script in POSIX sh; `None` where no remedy has commands for inside the system.
///
/// It stops at the first command that fails and says at which step, and refuses to run on another distribution than the
/// image's. Commands stand in it as the rules give them: those are complete in themselves and quote what is not theirs.
pub fn script(report: &Report, language: Language) -> Option<String> {
    let text = &Text::new(language);
    let report = &plain_report(report);
    let problems: Vec<(&Finding, &Remedy)> = report
        .findings
        .iter()
        .filter(|finding| finding.status != Status::Pass)
        .filter_map(|finding| Some((finding, finding.remedy.as_ref()?)))
        .collect();
    let (inside, by_hand): (Vec<_>, Vec<_>) = problems
        .into_iter()
        .partition(|(_, remedy)| remedy.place == RemedyPlace::System && !remedy.commands.is_empty());
    let (to_decide, inside): (Vec<_>, Vec<_>) = inside.into_iter().partition(|(_, remedy)| remedy.destructive);
    if inside.is_empty() && to_decide.is_empty() {
        return None;
    }
    // In the rules' order, not by urgency: what is installed comes before what makes the system forget who it was.
    let steps = steps(text, &inside);
    let mut lines = head(text, report);
    for (index, step) in steps.iter().enumerate() {
        let name = format!("{}/{}: {}", index + 1, steps.len(), step.titles.join("; "));
        lines.extend([
            String::new(),
            format!("# {name}"),
            format!("step={}", word(&name)),
            say(r#""$step""#),
        ]);
        let commands = step.remedy.commands.iter();
        // One look at the package lists is enough for all steps.
        let once = commands.filter(|command| *command != REFRESH || !lines.contains(command));
        let once: Vec<String> = once.cloned().collect();
        lines.extend(once);
    }
    lines.extend([String::new(), "step=".to_owned(), say(&word(&text.get("script_done")))]);
    if !to_decide.is_empty() {
        lines.extend([String::new(), format!("# {}", text.get("script_decide"))]);
        for step in self::steps(text, &to_decide) {
            lines.push(format!("# {}", step.titles.join("; ")));
            lines.extend(step.remedy.commands.iter().map(|command| format!("#     {command}")));
        }
        lines.extend(list(text, "script_decide", &to_decide));
    }
    if !by_hand.is_empty() {
        lines.push(String::new());
        lines.extend(list(text, "script_by_hand", &by_hand));
    }
    lines.push(String::new());
    lines.push(say(&word(&text.get("script_next"))));
    Some(lines.join("\n") + "\n")
}

/// Prints what is left to the person, each with what to do.
fn list(text: &Text, heading: &str, problems: &[(&Finding, &Remedy)]) -> Vec<String> {
    let mut lines = vec![say(&word(&text.get(heading)))];
    lines.extend(problems.iter().map(|(finding, _)| {
        let worded = WordedFinding::of_plain(text, finding);
        let what = worded.remedy.map(|remedy| remedy.sentence).unwrap_or_default();
        say(&word(&format!("- {}: {what}", worded.title)))
    }));
    lines
}

/// Findings that are mended by the same commands (no SSH server: not installed, not started) are one step.
fn steps<'a>(text: &Text, problems: &[(&'a Finding, &'a Remedy)]) -> Vec<Step<'a>> {
    let mut steps: Vec<Step> = Vec::new();
    for (finding, remedy) in problems {
        let title = WordedFinding::of_plain(text, finding).title;
        match steps.iter_mut().find(|step| step.remedy == *remedy) {
            Some(step) => step.titles.push(title),
            None => steps.push(Step {
                titles: vec![title],
                remedy,
            }),
        }
    }
    steps
}

/// What comes before the first step: what this is, and the conditions under which it goes on.
fn head(text: &Text, report: &Report) -> Vec<String> {
    let about = text.with(
        "script_about",
        [
            ("name", &report.source.name as &dyn std::fmt::Display),
            ("version", &VERSION),
        ],
    );
    let mut lines = vec![
        "#!/bin/sh".to_owned(),
        format!("# {about}"),
        format!("# {}", text.get("script_where")),
        "set -eu".to_owned(),
        // A root shell got by `su` may lack the folders of the administrator's programs.
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned(),
        // Debian's packages would ask questions otherwise.
        "DEBIAN_FRONTEND=noninteractive".to_owned(),
        "export PATH DEBIAN_FRONTEND".to_owned(),
        "umask 022".to_owned(),
        "cd /".to_owned(),
        String::new(),
        r#"if [ "$(id -u)" -ne 0 ]; then"#.to_owned(),
        format!("    {} >&2", say(&word(&text.get("script_not_root")))),
        "    exit 1".to_owned(),
        "fi".to_owned(),
    ];
    if let Some(distribution) = report.os.as_ref().and_then(|os| os.distribution.as_deref()) {
        let other = text.with(
            "script_other_system",
            [("distribution", &distribution as &dyn std::fmt::Display)],
        );
        lines.extend([
            // os-release(5) is a file of shell assignments; a shell of its own keeps them apart from ours. Old systems have none.
            r#"found=$(. /etc/os-release 2>/dev/null && printf '%s' "${ID:-}") || found="#.to_owned(),
            format!(r#"if [ -n "$found" ] && [ "$found" != {} ]; then"#, word(distribution)),
            format!("    {} >&2", say(&word(&other))),
            "    exit 1".to_owned(),
            "fi".to_owned(),
        ]);
    }
    lines.extend([
        String::new(),
        "step=".to_owned(),
        format!("stopped={}", word(&text.get("script_stopped"))),
        r#"trap 'if [ -n "$step" ]; then printf "%s\n" "$stopped $step" >&2; fi' EXIT"#.to_owned(),
    ]);
    lines
}

/// A command that prints a shell's word.
fn say(word: &str) -> String {
    format!(r"printf '%s\n' {word}")
}

/// The text as one word of a shell.
fn word(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn what_two_findings_ask_for_is_done_once_and_in_the_rules_order() {
        let script = script(&sample::nothing_installed(), Language::English).unwrap();
        assert_eq!(
            script.matches("apt-get install --yes openssh-server").count(),
            1,
            "{script}"
        );
        assert_eq!(script.matches(REFRESH).count(), 1, "{script}");
        let agent = script.find("apt-get install --yes cloud-init").unwrap();
        let sshd = script.find("apt-get install --yes openssh-server").unwrap();
        assert!(agent < sshd, "{script}");
    }

    #[test]
    fn nothing_of_the_image_is_ever_a_command() {
        let evil = "x'; touch /tmp/evil #\n\r`id`$(id)\u{2028}";
        let mut report = sample::nothing_installed();
        report.source.name = evil.to_owned();
        if let Some(os) = &mut report.os {
            os.distribution = Some(evil.to_owned());
        }
        for finding in &mut report.findings {
            for value in finding.params.values_mut() {
                *value = evil.to_owned();
            }
        }
        for language in Language::ALL {
            let script = script(&report, language).unwrap();
            let harmless = |line: &str| {
                let quoted = line.replace(r"'\''", "");
                line.starts_with('#')
                    || quoted
                        .split('\'')
                        .step_by(2)
                        .all(|bare| !bare.contains("evil") && !bare.contains('`'))
            };
            assert!(script.lines().all(harmless), "{script}");
        }
    }

    #[test]
    fn there_is_no_script_without_commands_for_inside_the_system() {
        let mut report = sample::nothing_installed();
        for finding in &mut report.findings {
            if let Some(remedy) = &mut finding.remedy {
                remedy.place = RemedyPlace::File;
            }
        }
        assert_eq!(script(&report, Language::German), None);
    }
}
