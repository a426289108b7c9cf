//! ufw: rules for iptables-restore in its own files, put between chains that its start script makes
//! (`/lib/ufw/ufw-init-functions`).

use crate::{
    Evidence,
    facts::Filter,
    files::{Files, Read},
};

use super::{RULES_LIMIT, filter, iptables, model::Ruleset, shell_value, started};

const SETTINGS: &str = "/etc/ufw/ufw.conf";
const DEFAULTS: &str = "/etc/default/ufw";

/// The chains that the script hangs into `INPUT` and `OUTPUT`, in their order.
const PARTS: &[&str] = &["before-logging", "before", "after", "after-logging", "reject", "track"];

/// Its own name for the two directions and the kernel's.
const DIRECTIONS: &[(&str, &str, &str)] = &[
    ("input", "INPUT", "DEFAULT_INPUT_POLICY"),
    ("output", "OUTPUT", "DEFAULT_OUTPUT_POLICY"),
];

pub(super) fn read(files: &Files<'_>, ports: &[u16]) -> Read<Option<Filter>> {
    let settings = files.read_text(SETTINGS, RULES_LIMIT)?.unwrap_or_default();
    let Some((enabled, line)) = shell_value(&settings, "ENABLED") else {
        return Ok(None);
    };
    if !matches!(enabled.as_str(), "yes" | "YES") || files.first_file(&["/usr/sbin/ufw", "/sbin/ufw"])?.is_none() {
        return Ok(None);
    }
    let Some(start) = started(files, &["ufw.service"], &["ufw"])? else {
        return Ok(None);
    };
    let ruleset = ruleset(files)?;
    let mut evidence = start;
    let enabled = format!("ENABLED={enabled}");
    evidence.insert(0, Evidence::path(SETTINGS).line(line).value(&enabled));
    Ok(Some(filter(
        "ufw",
        evidence,
        ports.iter().map(|port| ruleset.reach(*port)),
    )))
}

/// The rules as they are when the start script has run.
fn ruleset(files: &Files<'_>) -> Read<Ruleset> {
    let defaults = files.read_text(DEFAULTS, RULES_LIMIT)?.unwrap_or_default();
    let policies: Vec<(&str, &str, String, Evidence)> = DIRECTIONS
        .iter()
        .map(|(direction, chain, key)| {
            // Without the setting, the script's printf has nothing to write and ufw does not start.
            let (policy, line) = shell_value(&defaults, key).unwrap_or_default();
            let evidence = Evidence::path(DEFAULTS).line(line).value(&format!("{key}={policy}"));
            (*direction, *chain, policy, evidence)
        })
        .collect();
    let mut ruleset = Ruleset::default();
    iptables::load(&mut ruleset, DEFAULTS, "*filter\n", true);
    let add = |ruleset: &mut Ruleset, evidence: &Evidence, lines: String| {
        for line in lines.lines() {
            iptables::line(ruleset, "filter", line, evidence);
        }
    };
    for (direction, chain, policy, at) in &policies {
        for part in PARTS {
            add(
                &mut ruleset,
                at,
                format!(":ufw-{part}-{direction} -\n-A {chain} -j ufw-{part}-{direction}"),
            );
        }
        let after_all = match policy.as_str() {
            "REJECT" => format!("-A ufw-reject-{direction} -j REJECT"),
            "ACCEPT" => format!("-A ufw-track-{direction} -p tcp -m conntrack --ctstate NEW -j ACCEPT"),
            _ => String::new(),
        };
        add(&mut ruleset, at, after_all);
        let skip = format!("ufw-skip-to-policy-{direction}");
        add(&mut ruleset, at, format!(":{skip} -\n-A {skip} -j {policy}"));
        for chain in ["user", "user-logging"] {
            add(&mut ruleset, at, format!(":ufw-{chain}-{direction} -"));
        }
    }
    let none = Evidence::path(DEFAULTS);
    for part in PARTS {
        add(&mut ruleset, &none, format!(":ufw-{part}-forward -"));
    }
    for chain in [
        "logging-deny",
        "logging-allow",
        "user-limit",
        "user-limit-accept",
        "user-forward",
        "user-logging-forward",
        "skip-to-policy-forward",
    ] {
        add(&mut ruleset, &none, format!(":ufw-{chain} -"));
    }
    for path in ["/etc/ufw/before.rules", "/etc/ufw/after.rules", user_rules(files)?] {
        match files.read_text(path, RULES_LIMIT)? {
            Some(text) => iptables::load(&mut ruleset, path, &text, true),
            None => ruleset.note_unclear(Evidence::path(path)),
        }
    }
    for (direction, chain, policy, at) in &policies {
        let kernel = if policy == "REJECT" { "DROP" } else { policy };
        add(
            &mut ruleset,
            at,
            format!("-A ufw-before-{direction} -j ufw-user-{direction}\n:{chain} {kernel}"),
        );
    }
    for path in ["/etc/ufw/before.init", "/etc/ufw/after.init"] {
        if files.stat(path)?.is_some_and(|stat| stat.mode & 0o111 != 0) {
            ruleset.note_unclear(Evidence::path(path));
        }
    }
    Ok(ruleset)
}

/// Before version 0.34 they stood in `/lib/ufw`.
fn user_rules(files: &Files<'_>) -> Read<&'static str> {
    const NEW: &str = "/etc/ufw/user.rules";
    Ok(files.first_file(&[NEW, "/lib/ufw/user.rules"])?.unwrap_or(NEW))
}
