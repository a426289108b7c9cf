//! Errors of the services that are not a target.

use std::{collections::BTreeMap, fmt::Display};

/// A call that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code} {params:?}")]
pub struct CloudError {
    /// Stable code, one of [`crate::CODES`].
    pub code: &'static str,
    /// Parameters for the sentence: `status`, `service_message`, `request_id`, `reason`, ...
    pub params: BTreeMap<String, String>,
    /// True when the same call can succeed later.
    pub retryable: bool,
}

impl CloudError {
    pub(crate) fn new(code: &'static str) -> CloudError {
        CloudError {
            code,
            params: BTreeMap::new(),
            retryable: false,
        }
    }

    pub(crate) fn with(mut self, name: &str, value: &dyn Display) -> CloudError {
        self.params.insert(name.to_owned(), value.to_string());
        self
    }

    pub(crate) fn retryable(mut self) -> CloudError {
        self.retryable = true;
        self
    }
}
