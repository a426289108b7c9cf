//! Does sshd start with its configuration, and does it listen where a VM of ccloud³ is reached?

use std::net::IpAddr;

use lotse_guest::{
    Evidence, Fact,
    facts::{ConfigProblem, Sshd, SshdConfig},
};

use super::{line, server};
use crate::rules::{CCLOUD, Rule, advice};
use crate::{Certainty, Finding, FindingKind, Status, Subject, remedies};

pub(in crate::rules) const RULE: Rule = Rule {
    code: "sshd_configuration",
    kind: FindingKind::Advice,
    sources: &["OpenSSH: sshd_config(5)", CCLOUD],
    reasons: &[
        "sshd_configuration_valid",
        "sshd_configuration_missing",
        "sshd_configuration_not_valid",
        "sshd_configuration_match_not_valid",
        "sshd_configuration_contradicts",
        "sshd_configuration_keyword_not_known",
        "sshd_configuration_only_ipv6",
        "sshd_configuration_only_local",
        "sshd_configuration_old_address",
    ],
    remedies: &[
        "restore_sshd_configuration",
        "mend_sshd_configuration",
        "listen_everywhere",
    ],
    judge,
};

fn judge(subject: &Subject) -> Option<Finding> {
    let (facts, _) = advice::unix(subject)?;
    let sshd = server(facts)?;
    let config = match &sshd.config {
        Fact::Known(config) => config.as_ref()?,
        Fact::Unknown(unknown) => return Some(Finding::advice_unknown(RULE.code, unknown)),
    };
    let finding = broken(subject, config)
        .or_else(|| listening(sshd, config))
        .unwrap_or_else(|| Finding::advice(RULE.code, Status::Pass, "sshd_configuration_valid"));
    Some(finding)
}

/// Lines with which the server does not start.
fn broken(subject: &Subject, config: &SshdConfig) -> Option<Finding> {
    let mut finding: Option<Finding> = None;
    // What is certain comes before what only a server as new as ours takes for wrong.
    let (newer, certain): (Vec<&ConfigProblem>, Vec<&ConfigProblem>) = config
        .problems
        .iter()
        .partition(|problem| problem.code == "keyword_not_known");
    for problem in certain.iter().chain(&newer) {
        let reason = match problem.code.as_str() {
            "config_missing" => "sshd_configuration_missing",
            "match_not_valid" => "sshd_configuration_match_not_valid",
            "command_without_user" | "methods_switched_off" => "sshd_configuration_contradicts",
            "keyword_not_known" => "sshd_configuration_keyword_not_known",
            _ => "sshd_configuration_not_valid",
        };
        let status = if certain.is_empty() {
            Status::Warning
        } else {
            Status::Fail
        };
        let told = finding
            .take()
            .unwrap_or_else(|| Finding::advice(RULE.code, status, reason));
        let is_new = told.reason != reason && !told.details.iter().any(|detail| detail == reason);
        let told = if is_new { told.detail(reason) } else { told };
        finding = Some(told.evidence(std::slice::from_ref(&problem.evidence)));
    }
    let finding = finding?;
    if config.problems.iter().any(|problem| problem.code == "config_missing") {
        return Some(finding.remedy(
            "restore_sshd_configuration",
            remedies::restore_sshd_configuration(subject),
        ));
    }
    // Lines of a block without its head would hold for everybody, so that a wrong `Match` is left to a person.
    let lines = config
        .problems
        .iter()
        .filter(|problem| problem.code != "match_not_valid");
    let mut commands: Vec<String> = lines
        .filter_map(|problem| line::comment_out(&problem.evidence))
        .collect();
    commands.dedup();
    let finding = finding.remedy("mend_sshd_configuration", commands);
    Some(if certain.is_empty() {
        finding.certainty(Certainty::Possible)
    } else {
        finding
    })
}

/// A VM of ccloud³ gets an IPv4 address by DHCP: who listens on an address of the old machine answers nobody.
fn listening(sshd: &Sshd, config: &SshdConfig) -> Option<Finding> {
    // Of a socket, systemd opens the address; what it listens on is not among the facts.
    if sshd.started_by.as_deref().is_some_and(|by| by.ends_with(".socket")) {
        return None;
    }
    let hosts: Vec<Host> = config
        .listen_addresses
        .value
        .iter()
        .map(|address| Host::of(address))
        .collect();
    if hosts.contains(&Host::Everywhere) {
        return None;
    }
    let evidence: Vec<Evidence> = if config.listen_addresses.is_default() {
        config.address_family.evidence.clone()
    } else {
        config.listen_addresses.evidence.clone()
    };
    let fixed = hosts.iter().any(|host| matches!(host, Host::Fixed | Host::Name));
    let by_name = hosts.contains(&Host::Name);
    let reason = if fixed {
        "sshd_configuration_old_address"
    } else if hosts.contains(&Host::Ipv6) {
        "sshd_configuration_only_ipv6"
    } else {
        "sshd_configuration_only_local"
    };
    let status = if by_name { Status::Warning } else { Status::Fail };
    let certainty = match (fixed, by_name) {
        (_, true) => Certainty::Possible,
        // The new machine could have been given the old one's address.
        (true, _) => Certainty::Likely,
        _ => Certainty::Certain,
    };
    let commands = evidence.iter().filter_map(line::comment_out).collect();
    let addresses = config.listen_addresses.value.join(", ");
    Some(
        Finding::advice(RULE.code, status, reason)
            .certainty(certainty)
            .evidence(&evidence)
            .param("addresses", addresses)
            .remedy("listen_everywhere", commands),
    )
}

/// Where a server listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Host {
    /// On every IPv4 address.
    Everywhere,
    /// On IPv6 only, whichever address.
    Ipv6,
    /// On the machine itself only.
    Local,
    /// On one IPv4 address.
    Fixed,
    /// On whatever a name stands for.
    Name,
}

impl Host {
    /// Of `address:port`, as the facts have it.
    fn of(address: &str) -> Self {
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
        match host.trim_matches(['[', ']']).parse() {
            Ok(IpAddr::V4(address)) if address.is_unspecified() => Self::Everywhere,
            Ok(address) if address.is_loopback() => Self::Local,
            Ok(IpAddr::V4(_)) => Self::Fixed,
            Ok(IpAddr::V6(_)) => Self::Ipv6,
            // sshd_config(5): `*` is no address, but getaddrinfo(3) takes it for none at all.
            Err(_) if host == "localhost" => Self::Local,
            Err(_) => Self::Name,
        }
    }
}
