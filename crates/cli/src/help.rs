//! Reads the call; help and complaints come from the message catalogue, since clap speaks English only.

use std::{fmt::Display, process::ExitCode};

use clap::{
    CommandFactory as _, FromArgMatches as _,
    error::{ContextKind, ErrorKind},
};

use crate::{USAGE, arguments::Arguments, text::Text};

/// The call, or the status to end with: after help, the version or a complaint.
pub(crate) fn parse(text: &Text) -> Result<Arguments, ExitCode> {
    let command = in_language(Arguments::command(), text, "cli_help");
    command
        .try_get_matches()
        .and_then(|matches| Arguments::from_arg_matches(&matches))
        .map_err(|error| {
            if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
                anstream::print!("{}", error.render().ansi());
                return ExitCode::SUCCESS;
            }
            if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
                anstream::eprint!("{}", error.render().ansi());
                return ExitCode::from(USAGE);
            }
            anstream::eprintln!("lotse: {}", complaint(text, &error));
            anstream::eprintln!("       {}", text.get("cli_usage_next"));
            ExitCode::from(USAGE)
        })
}

/// Puts the catalogue's sentences into a command and all below it: `cli_help_check_json` for `check --json`.
fn in_language(command: clap::Command, text: &Text, key: &str) -> clap::Command {
    let subcommands: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    let arguments: Vec<String> = command
        .get_arguments()
        .map(|argument| argument.get_id().to_string())
        .collect();
    let usage = usage(&command, text, key);
    let mut command = command
        .about(text.get(key))
        .help_template(format!(
            "{{about}}\n\n{}: {{usage}}\n\n{{all-args}}",
            text.get("cli_help_heading_usage")
        ))
        .override_usage(usage)
        .subcommand_help_heading(text.get("cli_help_heading_commands"))
        .subcommand_value_name(text.get("cli_help_value_command"))
        .disable_help_flag(true)
        .arg(
            clap::Arg::new("help")
                .short('h')
                .long("help")
                .action(clap::ArgAction::Help)
                .help(text.get("cli_help_help"))
                .help_heading(text.get("cli_help_heading_options")),
        );
    if command.get_version().is_some() {
        command = command.disable_version_flag(true).arg(
            clap::Arg::new("version")
                .short('V')
                .long("version")
                .action(clap::ArgAction::Version)
                .help(text.get("cli_help_version"))
                .help_heading(text.get("cli_help_heading_options")),
        );
    }
    for id in arguments {
        let sentence = if id == "lang" {
            text.get("cli_help_lang")
        } else {
            text.get(&format!("{key}_{id}"))
        };
        command = command.mut_arg(&id, |argument| {
            let heading = if argument.is_positional() {
                "cli_help_heading_arguments"
            } else {
                "cli_help_heading_options"
            };
            let argument = argument.help(sentence).help_heading(text.get(heading));
            if !argument.get_action().takes_values() {
                return argument;
            }
            // Defaults and possible values are said in the sentence, not by clap in English.
            let value = text.get(&format!("cli_help_value_{id}"));
            argument
                .value_name(value)
                .hide_default_value(true)
                .hide_possible_values(true)
        });
    }
    for name in subcommands {
        command = command.mut_subcommand(&name, |sub| in_language(sub, text, &format!("{key}_{name}")));
    }
    command
}

/// `lotse upload [OPTIONS] <FILE>` in the language's own words.
fn usage(command: &clap::Command, text: &Text, key: &str) -> String {
    let name = key.replace("cli_help", "lotse").replace('_', " ");
    let values = command.get_positionals().map(|argument| {
        let value = text.get(&format!("cli_help_value_{}", argument.get_id()));
        if argument.is_required_set() {
            format!("<{value}>")
        } else {
            format!("[{value}]")
        }
    });
    let below = command
        .has_subcommands()
        .then(|| format!("<{}>", text.get("cli_help_value_command")));
    let options = format!("[{}]", text.get("cli_help_value_options"));
    [name, options]
        .into_iter()
        .chain(values)
        .chain(below)
        .collect::<Vec<_>>()
        .join(" ")
}

/// What is wrong with the call.
fn complaint(text: &Text, error: &clap::Error) -> String {
    let said = |kind| error.get(kind).map(ToString::to_string).unwrap_or_default();
    let argument = said(ContextKind::InvalidArg);
    let value = said(ContextKind::InvalidValue);
    let valid = said(ContextKind::ValidValue);
    let subcommand = said(ContextKind::InvalidSubcommand);
    let (key, params): (&str, Vec<(&str, &dyn Display)>) = match error.kind() {
        ErrorKind::UnknownArgument => ("cli_usage_unknown_argument", vec![("argument", &argument)]),
        ErrorKind::InvalidSubcommand => ("cli_usage_unknown_command", vec![("command", &subcommand)]),
        ErrorKind::MissingRequiredArgument => ("cli_usage_missing_argument", vec![("argument", &argument)]),
        ErrorKind::InvalidValue if value.is_empty() => ("cli_usage_missing_value", vec![("argument", &argument)]),
        ErrorKind::InvalidValue => (
            "cli_usage_invalid_value",
            vec![("argument", &argument), ("value", &value), ("valid", &valid)],
        ),
        ErrorKind::ArgumentConflict => ("cli_usage_conflict", vec![("argument", &argument)]),
        _ => ("cli_usage_other", vec![]),
    };
    text.with(key, params)
}

#[cfg(test)]
mod tests {
    use super::*;
    use lotse_words::Language;

    #[test]
    fn no_word_of_the_help_is_left_without_a_sentence() {
        for language in Language::ALL {
            let text = Text::new(language);
            let mut command = in_language(Arguments::command(), &text, "cli_help");
            command.build();
            let mut pages = vec![command.render_long_help().to_string()];
            pages.extend(
                command
                    .get_subcommands_mut()
                    .map(|sub| sub.render_long_help().to_string()),
            );
            let below = command
                .get_subcommands_mut()
                .flat_map(clap::Command::get_subcommands_mut);
            pages.extend(below.map(|sub| sub.render_long_help().to_string()));
            for page in pages {
                assert!(
                    !page.contains("cli_"),
                    "a key without a sentence in {language:?}:\n{page}"
                );
                let english = ["OPTIONS", "Options", "possible values", "FILE", "Print"];
                let stray = english
                    .iter()
                    .find(|word| language == Language::German && page.contains(**word));
                assert_eq!(stray, None, "English in the German help:\n{page}");
            }
        }
    }
}
