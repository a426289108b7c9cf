//! `lotse explain`: a rule's page, or the list of all rules.

use std::{fmt::Display, process::ExitCode};

use lotse_requirements::RULES;
use lotse_words::{RulePage, close_codes, rule};

use crate::{
    USAGE,
    report::columns,
    text::{Text, print_line},
};

pub(crate) fn run(text: &Text, code: Option<&str>) -> ExitCode {
    match code {
        None => {
            list(text);
            ExitCode::SUCCESS
        }
        Some(code) => match rule(code) {
            Some(rule) => {
                print_line(&RulePage::new(text, rule).lines(text, columns()).join("\n"));
                ExitCode::SUCCESS
            }
            None => unknown(text, code),
        },
    }
}

fn list(text: &Text) {
    let width = RULES.iter().map(|rule| rule.code.len()).max().unwrap_or(0);
    for rule in RULES {
        let page = RulePage::new(text, rule);
        print_line(&format!("{:width$}  {}", page.code, page.title));
    }
}

fn unknown(text: &Text, code: &str) -> ExitCode {
    let close = close_codes(code);
    anstream::eprintln!(
        "lotse: {}",
        text.with("explain_unknown", [("code", &code as &dyn Display)])
    );
    if close.is_empty() {
        anstream::eprintln!("       {}", text.get("explain_unknown_next"));
    } else {
        let codes = close.join(", ");
        anstream::eprintln!(
            "       {}",
            text.with("explain_unknown_close", [("codes", &codes as &dyn Display)])
        );
    }
    ExitCode::from(USAGE)
}
