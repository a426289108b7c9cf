//! Which packet filters start at boot, and from which files each loads its rules.

use crate::{
    Evidence, FileKind, Unknown,
    facts::Filter,
    files::{Files, Read},
    glob,
    services::UNIT_LIMIT,
};

use super::{
    RULES_LIMIT, filter, firewalld, iptables, model::Ruleset, nft, not_looked_into, shell_value, started, ufw,
};

/// Where nftables' service loads its rules, if its unit does not tell: Debian and Arch, Red Hat, Alpine, Gentoo.
const NFT_FILES: &[&str] = &[
    "/etc/nftables.conf",
    "/etc/sysconfig/nftables.conf",
    "/etc/nftables.nft",
    "/var/lib/nftables/rules-save",
];

/// Its unit, in the order in which systemd looks for it.
const NFT_UNITS: &[&str] = &[
    "/etc/systemd/system/nftables.service",
    "/usr/local/lib/systemd/system/nftables.service",
    "/usr/lib/systemd/system/nftables.service",
    "/lib/systemd/system/nftables.service",
];

/// Services that load rules of `iptables-save`, and from where: Debian's netfilter-persistent (before it
/// iptables-persistent), Red Hat's iptables-services, Arch, Alpine, Gentoo.
const IPTABLES: &[(&[&str], &[&str], &[&str])] = &[
    (
        &["netfilter-persistent.service", "iptables-persistent.service"],
        &["netfilter-persistent", "iptables-persistent"],
        &["/etc/iptables/rules.v4", "/etc/iptables/rules"],
    ),
    (
        &["iptables.service"],
        &["iptables"],
        &[
            "/etc/sysconfig/iptables",
            "/etc/iptables/iptables.rules",
            "/etc/iptables/rules-save",
            "/var/lib/iptables/rules-save",
        ],
    ),
];

/// Firewalls of their own making that are not looked into: kind, service, the folder or file without which it does nothing.
const OTHERS: &[(&str, &str, &str)] = &[
    ("shorewall", "shorewall", "/etc/shorewall/shorewall.conf"),
    ("ferm", "ferm", "/etc/ferm/ferm.conf"),
    ("firehol", "firehol", "/etc/firehol/firehol.conf"),
    ("suse_firewall", "SuSEfirewall2", "/etc/sysconfig/SuSEfirewall2"),
    ("csf", "csf", "/etc/csf/csf.conf"),
    ("apf", "apf", "/etc/apf/conf.apf"),
    ("awall", "awall", "/etc/awall"),
    ("foomuuri", "foomuuri", "/etc/foomuuri"),
    (
        "arno_iptables_firewall",
        "arno-iptables-firewall",
        "/etc/arno-iptables-firewall",
    ),
];

/// Scripts that run at boot or with the network and may load rules.
const SCRIPTS: &[&str] = &["/etc/rc.local", "/etc/rc.d/rc.local"];
/// Folders of such scripts.
const SCRIPT_FOLDERS: &[&str] = &[
    "/etc/network/if-pre-up.d",
    "/etc/network/if-up.d",
    "/etc/NetworkManager/dispatcher.d",
    "/etc/networkd-dispatcher/routable.d",
    "/etc/local.d",
];

/// Packet filters of Linux that start at boot.
pub(super) fn packet_filters(files: &Files<'_>, ports: &[u16]) -> Read<Vec<Filter>> {
    let mut all = Vec::new();
    all.extend(or_unknown("nftables", nftables(files, ports)));
    for (units, scripts, paths) in IPTABLES {
        all.extend(or_unknown("iptables", saved_rules(files, ports, units, scripts, paths)));
    }
    all.extend(or_unknown("ufw", ufw::read(files, ports)));
    all.extend(or_unknown("firewalld", firewalld::read(files, ports)));
    for (kind, service, needed) in OTHERS {
        if files.exists(needed)? {
            let found = started(files, &[&format!("{service}.service")], &[service]);
            all.extend(or_unknown(kind, found.map(|by| by.map(|by| not_looked_into(kind, by)))));
        }
    }
    if let Some(evidence) = script(files)? {
        all.push(not_looked_into("script", vec![evidence]));
    }
    Ok(all)
}

/// A firewall that could not be read is one whose answer is not known; it hides no other.
fn or_unknown(kind: &str, read: Read<Option<Filter>>) -> Option<Filter> {
    read.unwrap_or_else(|unknown| {
        Some(Filter {
            kind: kind.to_owned(),
            ssh: crate::Fact::Unknown(unknown),
            evidence: Vec::new(),
        })
    })
}

fn nftables(files: &Files<'_>, ports: &[u16]) -> Read<Option<Filter>> {
    let program = ["/usr/sbin/nft", "/sbin/nft", "/usr/bin/nft"];
    if files.first_file(&program)?.is_none() {
        return Ok(None);
    }
    let Some(start) = started(files, &["nftables.service"], &["nftables"])? else {
        return Ok(None);
    };
    let mut ruleset = Ruleset::default();
    let mut evidence = start;
    if let Some(path) = nft_file(files)? {
        let text = files.read_text(&path, RULES_LIMIT)?.unwrap_or_default();
        evidence.push(Evidence::path(&path));
        let mut failed = None;
        nft::load(&mut ruleset, &path, &text, &mut |pattern| {
            included(files, pattern).unwrap_or_else(|unknown| {
                failed.get_or_insert(unknown);
                None
            })
        });
        if let Some(unknown) = failed {
            return Err(unknown);
        }
    }
    Ok(Some(filter(
        "nftables",
        evidence,
        ports.iter().map(|port| ruleset.reach(*port)),
    )))
}

/// The file that the unit or the init script names, or the usual one.
fn nft_file(files: &Files<'_>) -> Read<Option<String>> {
    if let Some(unit) = files.first_file(NFT_UNITS)? {
        let text = files.read_text(unit, UNIT_LIMIT)?.unwrap_or_default();
        let commands = text.lines().filter_map(|line| line.trim().strip_prefix("ExecStart="));
        let mut named = commands.filter_map(|command| {
            let mut words = command.split_ascii_whitespace();
            words.by_ref().find(|word| matches!(*word, "-f" | "--file"))?;
            words.next().filter(|path| path.starts_with('/')).map(str::to_owned)
        });
        if let Some(path) = named.next_back() {
            return Ok(Some(path));
        }
    }
    if let Some(text) = files.read_text("/etc/conf.d/nftables", RULES_LIMIT)?
        && let Some((path, _)) = shell_value(&text, "rules_file")
    {
        return Ok(Some(path));
    }
    Ok(files.first_file(NFT_FILES)?.map(str::to_owned))
}

/// Files that an `include` names: one, or those that suit a pattern in its last part. nft(8): a pattern that suits
/// nothing is no error, a missing file is one.
fn included(files: &Files<'_>, pattern: &str) -> Read<Option<Vec<(String, String)>>> {
    let path = if pattern.starts_with('/') {
        pattern.to_owned()
    } else {
        format!("/etc/{pattern}")
    };
    let (folder, last) = path.rsplit_once('/').unwrap_or(("", &path));
    if folder.contains(['*', '?', '[']) {
        return Ok(None);
    }
    let paths = if last.contains(['*', '?', '[']) {
        let names = files.list(folder)?.into_iter();
        let suiting =
            names.filter(|name| glob::matches(last, name) && (!name.starts_with('.') || last.starts_with('.')));
        suiting.map(|name| format!("{folder}/{name}")).collect()
    } else {
        vec![path]
    };
    let mut all = Vec::new();
    for path in paths {
        let Some(text) = files.read_text(&path, RULES_LIMIT)? else {
            return Ok(None);
        };
        all.push((path, text));
    }
    Ok(Some(all))
}

fn saved_rules(
    files: &Files<'_>,
    ports: &[u16],
    units: &[&str],
    scripts: &[&str],
    paths: &[&str],
) -> Read<Option<Filter>> {
    let Some(path) = files.first_file(paths)? else {
        return Ok(None);
    };
    // netfilter-persistent does its work by plug-ins: without that of iptables nothing is loaded.
    let plugins = "/usr/share/netfilter-persistent/plugins.d";
    if units.first() == Some(&"netfilter-persistent.service")
        && files.exists(plugins)?
        && !files.list(plugins)?.iter().any(|name| name.contains("ip4tables"))
    {
        return Ok(None);
    }
    let Some(start) = started(files, units, scripts)? else {
        return Ok(None);
    };
    let text = files.read_text(path, RULES_LIMIT)?.unwrap_or_default();
    let mut ruleset = Ruleset::default();
    iptables::load(&mut ruleset, path, &text, false);
    let mut evidence = start;
    evidence.push(Evidence::path(path));
    Ok(Some(filter(
        "iptables",
        evidence,
        ports.iter().map(|port| ruleset.reach(*port)),
    )))
}

/// The first script of the administrator's that loads rules.
fn script(files: &Files<'_>) -> Read<Option<Evidence>> {
    let mut paths: Vec<String> = SCRIPTS.iter().map(|path| (*path).to_owned()).collect();
    for folder in SCRIPT_FOLDERS {
        paths.extend(
            files
                .list(folder)?
                .iter()
                .take(100)
                .map(|name| format!("{folder}/{name}")),
        );
    }
    for path in paths {
        let runs = files
            .stat(&path)?
            .is_some_and(|stat| stat.kind == FileKind::File && stat.mode & 0o111 != 0);
        if runs && let Some(evidence) = line_with_rules(files, &path)? {
            return Ok(Some(evidence));
        }
    }
    line_with_rules(files, "/etc/network/interfaces")
}

fn line_with_rules(files: &Files<'_>, path: &str) -> Read<Option<Evidence>> {
    let text = match files.read_text(path, UNIT_LIMIT) {
        Ok(text) => text.unwrap_or_default(),
        Err(Unknown { code, .. }) if code == "file_too_large" => return Ok(None),
        Err(unknown) => return Err(unknown),
    };
    let loads = |line: &str| {
        let mut words = line.split(|c: char| c.is_whitespace() || matches!(c, '/' | '<' | '`' | '(' | ';' | '|' | '&'));
        words.any(|word| {
            matches!(
                word,
                "iptables" | "iptables-restore" | "nft" | "ipset" | "iptables-apply"
            )
        })
    };
    let mut lines = (1..).zip(text.lines().map(str::trim));
    let found = lines.find(|(_, line)| !line.starts_with('#') && loads(line));
    Ok(found.map(|(number, line)| Evidence::path(path).line(number).value(line)))
}
