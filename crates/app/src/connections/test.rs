//! "Test connection": what works and what does not, step by step, in the order in which one needs the other.

use std::collections::BTreeMap;

use crate::Error;

/// What is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TestStepKind {
    /// The service's name is known.
    Name,
    /// The service answers, over TLS with a certificate that this computer trusts.
    Reach,
    /// This computer's clock and the service's agree.
    Clock,
    /// The service knows the key, and the secret fits.
    SignIn,
    /// The bucket is there and may be used.
    Bucket,
    /// An object can be written.
    Write,
    /// It can be made readable for everybody who knows its address.
    PublicRead,
    /// It can be removed.
    Delete,
}

impl TestStepKind {
    /// In their order.
    pub const ALL: [Self; 8] = [
        Self::Name,
        Self::Reach,
        Self::Clock,
        Self::SignIn,
        Self::Bucket,
        Self::Write,
        Self::PublicRead,
        Self::Delete,
    ];
}

/// How it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TestOutcome {
    /// It works; parameters of the sentence that says so.
    Passed(BTreeMap<String, String>),
    /// It works, but something is to be known.
    Warned(Error),
    /// It does not work.
    Failed(Error),
    /// Not tried, since something before it does not work.
    Skipped,
}

/// One step of a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestStep {
    /// What was tried.
    pub kind: TestStepKind,
    /// How it went.
    pub outcome: TestOutcome,
}
