//! One error for everything a person does: the code and parameters of whichever room it came from.

use std::{collections::BTreeMap, fmt};

/// An error with a stable code; its sentences are `error_<code>` and `error_<code>_next` in the message catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// Stable code (`snake_case`).
    pub code: String,
    /// Parameters of the sentences.
    pub params: BTreeMap<String, String>,
    /// Can the same thing be tried again with hope?
    pub retryable: bool,
}

impl Error {
    /// The codes that this crate adds to those of the rooms below it.
    pub const CODES: &[&str] = &[
        "at_once_out_of_range",
        "cancel_incomplete",
        "check_aborted",
        "connection_access_key_empty",
        "connection_access_key_invalid",
        "connection_bucket_empty",
        "connection_bucket_invalid",
        "connection_clock_differs",
        "connection_endpoint_bucket",
        "connection_endpoint_empty",
        "connection_endpoint_path",
        "connection_endpoint_user",
        "connection_image_region_too_long",
        "connection_in_use",
        "connection_is_practice",
        "connection_left_behind",
        "connection_may_not_list",
        "connection_name_empty",
        "connection_name_taken",
        "connection_name_too_long",
        "connection_needed",
        "connection_no_policy",
        "connection_not_encrypted",
        "connection_panel_invalid",
        "connection_region_invalid",
        "connection_region_wrong",
        "connection_secret_empty",
        "connection_secret_invalid",
        "connection_still_public",
        "connection_unknown",
        "connection_unreadable",
        "connection_without_images",
        "connections_unreadable",
        "details_name_character",
        "details_name_empty",
        "details_name_too_long",
        "details_notes_character",
        "details_notes_too_long",
        "details_tag_invalid",
        "details_too_many_tags",
        "file_name_not_unicode",
        "file_not_saved",
        "hours_empty",
        "hours_invalid",
        "image_mismatch",
        "image_not_overwritten",
        "input_not_read",
        "keychain_failed",
        "keychain_locked",
        "keychain_unavailable",
        "limit_invalid",
        "limit_too_slow",
        "mail_not_opened",
        "no_home_folder",
        "no_randomness",
        "nothing_to_script",
        "panel_not_opened",
        "panel_unknown",
        "passphrase_needed",
        "passphrase_too_short",
        "passphrase_wrong",
        "passphrases_differ",
        "profile_encrypted",
        "profile_needs_sign_in",
        "profile_no_secret",
        "profile_temporary",
        "profile_unknown",
        "profile_unreadable",
        "region_unknown",
        "report_unreadable",
        "secret_needed",
        "secrets_file_damaged",
        "secrets_file_newer",
        "secrets_file_not_written",
        "secrets_file_unreadable",
        "settings_not_written",
        "staging_days_out_of_range",
        "staging_foreign",
        "staging_gone",
        "staging_in_use",
        "staging_private",
        "staging_still_public",
        "staging_unknown",
        "task_aborted",
        "upload_busy_elsewhere",
        "upload_details_unreadable",
        "upload_final",
        "upload_not_final",
        "upload_not_pausable",
        "upload_not_staged",
        "upload_staged",
        "upload_unknown",
    ];

    /// An error that repeating does not help.
    pub fn new(code: &str) -> Self {
        Self {
            code: code.to_owned(),
            params: BTreeMap::new(),
            retryable: false,
        }
    }

    /// Adds a named parameter.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.params.insert(name.to_owned(), value.to_string());
        self
    }

    /// Marks an error that may pass by itself.
    #[must_use]
    pub fn retryable(mut self) -> Self {
        self.retryable = true;
        self
    }

    fn from_parts<'a>(code: &str, params: impl IntoIterator<Item = (&'a str, &'a str)>, retryable: bool) -> Self {
        let params = params
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Self {
            code: code.to_owned(),
            params,
            retryable,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.code)?;
        self.params
            .iter()
            .try_for_each(|(name, value)| write!(f, " {name}={value}"))
    }
}

impl std::error::Error for Error {}

impl From<lotse_disk::Error> for Error {
    fn from(error: lotse_disk::Error) -> Self {
        let params = error.params().iter().map(|(name, value)| (*name, value.as_str()));
        Self::from_parts(error.code(), params, error.kind() == lotse_disk::Kind::Io)
    }
}

impl From<lotse_practice_cloud::PracticeError> for Error {
    fn from(error: lotse_practice_cloud::PracticeError) -> Self {
        let params = error.params().iter().map(|(name, value)| (*name, value.as_str()));
        Self::from_parts(error.code(), params, error.retryable())
    }
}

impl From<lotse_cloud::CloudError> for Error {
    fn from(error: lotse_cloud::CloudError) -> Self {
        Self {
            code: error.code.to_owned(),
            params: error.params,
            retryable: error.retryable,
        }
    }
}

impl From<lotse_transfer::TargetError> for Error {
    fn from(error: lotse_transfer::TargetError) -> Self {
        let retryable = error.retryable();
        Self {
            code: error.code.to_owned(),
            params: error.params,
            retryable,
        }
    }
}

impl From<lotse_transfer::JournalError> for Error {
    fn from(error: lotse_transfer::JournalError) -> Self {
        Self {
            code: error.code.to_owned(),
            params: error.params,
            retryable: error.retryable,
        }
    }
}

impl From<lotse_transfer::SendError> for Error {
    fn from(error: lotse_transfer::SendError) -> Self {
        Self {
            code: error.code.to_owned(),
            params: error.params,
            retryable: error.retryable,
        }
    }
}

impl From<lotse_transfer::SourceError> for Error {
    fn from(error: lotse_transfer::SourceError) -> Self {
        Self {
            code: error.code.to_owned(),
            params: error.params,
            retryable: false,
        }
    }
}

impl From<lotse_transfer::PlanError> for Error {
    fn from(error: lotse_transfer::PlanError) -> Self {
        Self {
            code: error.code.to_owned(),
            params: error.params,
            retryable: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    fn catalogue(json: &str) -> BTreeMap<String, String> {
        serde_json::from_str(json).unwrap()
    }

    fn placeholders(sentence: &str) -> BTreeSet<&str> {
        sentence
            .split('{')
            .skip(1)
            .filter_map(|rest| rest.split('}').next())
            .collect()
    }

    /// A code without a sentence would reach a person as a code.
    #[test]
    fn every_error_of_every_room_says_what_happened_and_what_to_do_in_both_languages() {
        let german = catalogue(include_str!("../../../ui/messages/de.json"));
        let english = catalogue(include_str!("../../../ui/messages/en.json"));
        let rooms = [
            lotse_disk::Error::CODES,
            lotse_transfer::CODES,
            lotse_cloud::CODES,
            lotse_practice_cloud::PracticeError::CODES,
            Error::CODES,
        ];
        for code in rooms.into_iter().flatten() {
            for key in [format!("error_{code}"), format!("error_{code}_next")] {
                let (Some(german), Some(english)) = (german.get(&key), english.get(&key)) else {
                    panic!("{key} is missing in a language");
                };
                assert_eq!(
                    placeholders(german),
                    placeholders(english),
                    "{key} tells the same in both languages"
                );
            }
        }
    }
}
