//! `lotse facts`: everything that is read off an image, as the JSON of `docs/facts.md`.

use std::{path::Path, process::ExitCode};

use crate::{
    check::{NOT_READ, print_json},
    text::{Text, print_error},
};

pub(crate) fn run(text: &Text, file: &Path) -> ExitCode {
    match lotse_app::facts(file) {
        Ok(facts) => {
            print_json(&facts);
            ExitCode::SUCCESS
        }
        Err(error) => {
            print_error(text, &error);
            ExitCode::from(NOT_READ)
        }
    }
}
