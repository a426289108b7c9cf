//! The rules in the order of the report. Each module judges one question and lists the reasons and remedies that it can
//! give, so that a test can prove every one of them has its text in both languages.

mod advice;
mod requirements;

use crate::{Finding, FindingKind, Subject};

/// Where ccloud³ publishes what it asks of an image.
const CCLOUD: &str = "ccloud³: Custom Images";

/// One question and everything that can be answered.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Stable code; `finding_<code>_title` is its name and `finding_<code>_why` says why it matters.
    pub code: &'static str,
    /// Does it decide the verdict?
    pub kind: FindingKind,
    /// Where it comes from: names of documents and manual pages, the same in every language.
    pub sources: &'static [&'static str],
    /// Every reason that it gives besides [`SHARED_REASONS`]; `reason_<reason>` is its sentence.
    pub reasons: &'static [&'static str],
    /// Every remedy that it gives; `remedy_<code>` is its sentence.
    pub remedies: &'static [&'static str],
    /// Judges a subject. A requirement always answers; an advice is silent (`None`) where its question does not arise.
    pub(crate) judge: fn(&Subject) -> Option<Finding>,
}

/// Reasons of the status `unknown` that every rule may give. Both carry the parameter `cause`:
/// `not_read` names an error code (message `error_<cause>`), `fact_unknown` a guest code (message `unknown_<cause>`).
pub const SHARED_REASONS: &[&str] = &["not_read", "fact_unknown"];

/// All rules in the order of the report: first what ccloud³ asks for, then the advice, what bites most before what bites less.
pub const RULES: &[Rule] = &[
    requirements::container_format::RULE,
    requirements::compression::RULE,
    requirements::virtual_size::RULE,
    requirements::partition_table::RULE,
    requirements::unix_like_os::RULE,
    requirements::root_filesystem::RULE,
    requirements::cloud_agent::RULE,
    requirements::datasource_order::RULE,
    requirements::sshd_installed::RULE,
    requirements::sshd_enabled::RULE,
    requirements::container_intact::RULE,
    requirements::container_safe::RULE,
    // Does it start?
    advice::kernel::RULE,
    advice::boot_loader::RULE,
    advice::root_device::RULE,
    advice::virtio_drivers::RULE,
    advice::mounts::RULE,
    advice::architecture::RULE,
    advice::disk_layout::RULE,
    advice::several_systems::RULE,
    // Is it reachable, and does it let its owner in?
    advice::access::ssh_key_login::RULE,
    advice::access::firewall::RULE,
    advice::access::sshd_configuration::RULE,
    advice::network_address::RULE,
    advice::network_card::RULE,
    advice::access::login_account::RULE,
    advice::access::login_name::RULE,
    advice::access::ssh_port::RULE,
    advice::access::host_keys::RULE,
    // Does it become a machine of its own?
    advice::ignition_platform::RULE,
    advice::cloud_init_instance::RULE,
    advice::cloud_init_seed::RULE,
    advice::cloud_init_skipped_files::RULE,
    advice::cloud_init_hostname::RULE,
    advice::cloud_init_password_login::RULE,
    advice::other_agents::RULE,
    advice::machine_id::RULE,
    // What would be given away?
    advice::private_keys::RULE,
    advice::credentials::RULE,
    advice::authorized_keys::RULE,
    advice::histories::RULE,
    // What is missing later?
    advice::room_to_grow::RULE,
    advice::free_space::RULE,
    advice::swap::RULE,
];
