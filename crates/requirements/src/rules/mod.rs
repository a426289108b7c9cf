//! The rules in the order of the report. Each module judges one requirement and lists the reasons and remedies that
//! it can give, so that a test can prove every one of them has its text in both languages.

mod cloud_agent;
mod compression;
mod container_format;
mod container_intact;
mod container_safe;
mod datasource_order;
mod partition_table;
mod root_filesystem;
mod sshd_enabled;
mod sshd_installed;
mod unix_like_os;
mod virtual_size;

use crate::{Finding, FindingKind, Subject};

/// One requirement of ccloud³ and everything it can answer.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Stable code; `finding_<code>_title` is its name.
    pub code: &'static str,
    /// Does it decide the verdict?
    pub kind: FindingKind,
    /// Every reason that it gives besides [`SHARED_REASONS`]; `reason_<reason>` is its sentence.
    pub reasons: &'static [&'static str],
    /// Every remedy that it gives; `remedy_<code>` is its sentence.
    pub remedies: &'static [&'static str],
    /// Judges a subject.
    pub(crate) judge: fn(&Subject) -> Finding,
}

/// Reasons of the status `unknown` that every rule may give. Both carry the parameter `cause`:
/// `not_read` names an error code (message `error_<cause>`), `fact_unknown` a guest code (message `unknown_<cause>`).
pub const SHARED_REASONS: &[&str] = &["not_read", "fact_unknown"];

/// All rules in the order of the report.
pub const RULES: &[Rule] = &[
    container_format::RULE,
    compression::RULE,
    virtual_size::RULE,
    partition_table::RULE,
    unix_like_os::RULE,
    root_filesystem::RULE,
    cloud_agent::RULE,
    datasource_order::RULE,
    sshd_installed::RULE,
    sshd_enabled::RULE,
    container_intact::RULE,
    container_safe::RULE,
];
