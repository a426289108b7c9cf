//! Does a firewall in the image keep SSH out?

use lotse_guest::{
    Fact, Facts,
    facts::{Filter, Reach},
};

use super::{plain_path, server};
use crate::rules::{Rule, advice};
use crate::{Finding, FindingKind, Status, Subject};

pub(in crate::rules) const RULE: Rule = Rule {
    code: "firewall",
    kind: FindingKind::Advice,
    sources: &[
        "iptables(8)",
        "nft(8)",
        "ufw(8)",
        "firewalld(1)",
        "hosts_access(5)",
        "pf.conf(5)",
        "ipfw(8)",
    ],
    reasons: &[
        "firewall_lets_in",
        "firewall_nobody",
        "firewall_some_addresses",
        "firewall_not_certain",
    ],
    remedies: &["open_firewall", "look_at_firewall"],
    judge,
};

fn judge(subject: &Subject) -> Option<Finding> {
    let (facts, _) = advice::unix(subject)?;
    // Without a server nothing waits behind a firewall, and the requirements tell that.
    server(facts)?;
    let firewall = match &facts.firewall {
        Fact::Known(firewall) => firewall,
        Fact::Unknown(unknown) => return Some(Finding::advice_unknown(RULE.code, unknown)),
    };
    let port = port(facts);
    let told = |finding: Finding, filters: &[&Filter]| {
        let names: Vec<&str> = filters.iter().map(|filter| filter.kind.as_str()).collect();
        let finding = finding.param("kind", names.join(", ")).param("port", port);
        filters
            .iter()
            .fold(finding, |finding, filter| finding.evidence(&filter.evidence))
    };
    let filters_with = |reach: Reach| -> Vec<&Filter> {
        let all = firewall.filters.iter();
        all.filter(|filter| filter.ssh == Fact::Known(reach)).collect()
    };
    let (status, reason, reach) = match &firewall.ssh {
        Fact::Known(Reach::Everybody) if firewall.filters.is_empty() => return None,
        Fact::Known(Reach::Everybody) => (Status::Pass, "firewall_lets_in", Reach::Everybody),
        Fact::Known(Reach::SomeAddresses) => (Status::Warning, "firewall_some_addresses", Reach::SomeAddresses),
        Fact::Known(Reach::Nobody) => (Status::Fail, "firewall_nobody", Reach::Nobody),
        Fact::Unknown(_) => {
            let all: Vec<&Filter> = firewall.filters.iter().collect();
            let finding = Finding::advice(RULE.code, Status::Unknown, "firewall_not_certain");
            return Some(told(finding, &all).remedy("look_at_firewall", Vec::new()));
        }
    };
    let filters = filters_with(reach);
    let finding = told(Finding::advice(RULE.code, status, reason), &filters);
    if status == Status::Pass {
        return Some(finding);
    }
    let commands = filters.iter().filter_map(|filter| opening(filter, port)).collect();
    Some(finding.remedy("open_firewall", commands))
}

/// The first port on which the server listens; the usual one where that is not known.
fn port(facts: &Facts) -> u16 {
    let known = server(facts).and_then(|sshd| match &sshd.ports {
        Fact::Known(ports) => ports.value.first().copied(),
        Fact::Unknown(_) => None,
    });
    known.unwrap_or(22)
}

/// The command that lets everybody in to a port, as each firewall keeps its rules; it holds from the next start on.
fn opening(filter: &Filter, port: u16) -> Option<String> {
    // The rule that decides stands last, behind what starts the firewall.
    let rules = filter.evidence.last().and_then(plain_path).filter(|path| {
        let folders = ["/etc/nftables", "/etc/sysconfig/", "/etc/iptables"];
        folders.iter().any(|folder| path.starts_with(folder))
    });
    Some(match filter.kind.as_str() {
        "ufw" => format!("ufw prepend allow {port}/tcp"),
        // Writes the settings whether the daemon runs or not.
        "firewalld" if port == 22 => "firewall-offline-cmd --add-service=ssh".to_owned(),
        "firewalld" => format!("firewall-offline-cmd --add-port={port}/tcp"),
        "nftables" => {
            let path = rules?;
            // Behind the head of every chain that sees what comes in, on the same line.
            format!(
                r"grep -q '; tcp dport {port} accept;' {path} || sed -i 's|hook input[^;]*;\([[:space:]]*policy[^;]*;\)\{{0,1\}}|& tcp dport {port} accept;|' {path}"
            )
        }
        "iptables" => {
            let path = rules?;
            let rule = format!("-A INPUT -p tcp --dport {port} -j ACCEPT");
            format!("grep -qx -e '{rule}' {path} || sed -i '/^:INPUT /a {rule}' {path}")
        }
        // The first rule that fits decides, and those of hosts.allow come first (hosts_access(5)).
        "tcp_wrappers"
            if filter
                .evidence
                .iter()
                .any(|place| place.path.as_deref() == Some("/etc/hosts.allow")) =>
        {
            "grep -qx 'sshd: ALL' /etc/hosts.allow || sed -i '1i sshd: ALL' /etc/hosts.allow".to_owned()
        }
        "tcp_wrappers" => "grep -qsx 'sshd: ALL' /etc/hosts.allow || echo 'sshd: ALL' >> /etc/hosts.allow".to_owned(),
        "ipfw" => format!("sysrc firewall_type=workstation firewall_myservices={port}/tcp firewall_allowservices=any"),
        _ => return None,
    })
}
