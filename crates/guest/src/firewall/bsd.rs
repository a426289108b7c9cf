//! FreeBSD's packet filters, as `/etc/rc.conf` starts them: pf(4), ipfw(4) and ipf(4). Only what their simplest
//! settings say is told.

use crate::{
    Evidence, Fact,
    facts::{Filter, Reach},
    files::{Files, Read},
};

use super::{RULES_LIMIT, not_certain, not_looked_into, shell_value};

/// rc.conf(5) and what overrules it.
const SETTINGS: &[&str] = &["/etc/rc.conf", "/etc/rc.conf.local"];

pub(super) fn read(files: &Files<'_>, _ports: &[u16]) -> Read<Vec<Filter>> {
    let mut all = Vec::new();
    if let Some(evidence) = switched_on(files, "pf_enable")? {
        let (path, _) = setting(files, "pf_rules")?.unwrap_or_else(|| ("/etc/pf.conf".to_owned(), Evidence::default()));
        let text = files.read_text(&path, RULES_LIMIT)?.unwrap_or_default();
        all.push(packet_filter(&text, &path, evidence));
    }
    if let Some(evidence) = switched_on(files, "firewall_enable")? {
        all.push(ipfw(files, evidence)?);
    }
    if let Some(evidence) = switched_on(files, "ipfilter_enable")? {
        all.push(not_looked_into("ipfilter", vec![evidence]));
    }
    Ok(all)
}

/// pf(4) lets through what no rule blocks.
fn packet_filter(text: &str, path: &str, started: Evidence) -> Filter {
    let keywords = [
        "block",
        "anchor",
        "include",
        "load",
        "rdr",
        "rdr-anchor",
        "antispoof",
        "set",
    ];
    let mut lines = (1..).zip(text.lines().map(str::trim));
    let doubt = lines.find(|(_, line)| {
        let word = line.split_ascii_whitespace().next().unwrap_or_default();
        keywords.contains(&word) && !line.starts_with("set skip")
    });
    let (ssh, rule) = match doubt {
        None => (Fact::Known(Reach::Everybody), Evidence::path(path)),
        Some((number, line)) => {
            let evidence = Evidence::path(path).line(number).value(line);
            (Fact::Unknown(not_certain("pf")), evidence)
        }
    };
    Filter {
        kind: "pf".to_owned(),
        ssh,
        evidence: vec![started, rule],
    }
}

/// The types of `/etc/rc.firewall`. Without one only the kernel's last rule is there, which denies everything unless it
/// was built or told otherwise.
fn ipfw(files: &Files<'_>, started: Evidence) -> Read<Filter> {
    let (kind, at) = setting(files, "firewall_type")?.unwrap_or_default();
    let loader = files.read_text("/boot/loader.conf", RULES_LIMIT)?.unwrap_or_default();
    let has_script = setting(files, "firewall_script")?.is_some_and(|(path, _)| path != "/etc/rc.firewall");
    let accepts = shell_value(&loader, "net.inet.ip.fw.default_to_accept").is_some_and(|(value, _)| value == "1");
    let ssh = match kind.to_ascii_lowercase().as_str() {
        _ if has_script => None,
        "open" => Some(Reach::Everybody),
        "closed" if !accepts => Some(Reach::Nobody),
        _ => None,
    };
    let mut evidence = vec![started, at];
    evidence.retain(|evidence| *evidence != Evidence::default());
    Ok(Filter {
        kind: "ipfw".to_owned(),
        ssh: ssh.map_or_else(|| Fact::Unknown(not_certain("ipfw")), Fact::Known),
        evidence,
    })
}

/// A setting of rc.conf, the last file winning.
fn setting(files: &Files<'_>, key: &str) -> Read<Option<(String, Evidence)>> {
    let mut last = None;
    for path in SETTINGS {
        let text = files.read_text(path, RULES_LIMIT)?.unwrap_or_default();
        if let Some((value, line)) = shell_value(&text, key) {
            let evidence = Evidence::path(*path).line(line).value(&format!("{key}={value}"));
            last = Some((value, evidence));
        }
    }
    Ok(last)
}

/// rc.subr(8): `yes`, `true`, `on` and `1`, in any case.
fn switched_on(files: &Files<'_>, key: &str) -> Read<Option<Evidence>> {
    Ok(setting(files, key)?.and_then(|(value, evidence)| {
        matches!(value.to_ascii_lowercase().as_str(), "yes" | "true" | "on" | "1").then_some(evidence)
    }))
}
