//! In which of the ways that services differ in one is used.

use serde::{Deserialize, Serialize};

/// Where the bucket stands in an object's address.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Addressing {
    /// `https://service/bucket/key`: what every service knows.
    #[default]
    Path,
    /// `https://bucket.service/key`: what some of the newer ones insist on.
    VirtualHost,
}

/// How a single object is made readable for everybody.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PublicBy {
    /// By its own access control list (`x-amz-acl: public-read`).
    #[default]
    Acl,
    /// By a statement in the bucket's policy, where access control lists are switched off.
    BucketPolicy,
}
