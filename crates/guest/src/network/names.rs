//! The machine's own name, its DNS servers, and names of interfaces that are tied to one network card.

use crate::{
    Evidence, FileKind,
    facts::FixedName,
    files::{Files, Read},
};

use super::{CONFIG_LIMIT, MAX_FILES, networkd, not_read};

/// Where udev's rules stand; a file in the first folder hides one of the same name in the others (udev(7)).
const RULES: &str = "/etc/udev/rules.d";

/// Files by which somebody keeps systemd or udev from naming cards: a link to /dev/null or an empty file.
const SWITCHES: &[&str] = &[
    "/etc/systemd/network/99-default.link",
    "/etc/udev/rules.d/80-net-setup-link.rules",
    "/etc/udev/rules.d/80-net-name-slot.rules",
];

/// hostname(5), before it Red Hat's `network`, Gentoo's and FreeBSD's settings.
pub(super) fn hostname(files: &Files<'_>) -> Read<Option<Evidence>> {
    for path in ["/etc/hostname", "/etc/HOSTNAME"] {
        let text = files.read_text(path, CONFIG_LIMIT)?.unwrap_or_default();
        let mut lines = (1..).zip(text.lines().map(str::trim));
        if let Some((number, name)) = lines.find(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
            return Ok(Some(Evidence::path(path).line(number).value(name)));
        }
    }
    for (path, key) in [
        ("/etc/sysconfig/network", "HOSTNAME="),
        ("/etc/conf.d/hostname", "hostname="),
        ("/etc/rc.conf", "hostname="),
    ] {
        let text = files.read_text(path, CONFIG_LIMIT)?.unwrap_or_default();
        let lines = (1..).zip(text.lines().map(str::trim));
        let names = lines.filter_map(|(number, line)| {
            let name = line.strip_prefix(key)?.trim_matches(|c| c == '"' || c == '\'');
            (!name.is_empty()).then(|| Evidence::path(path).line(number).value(name))
        });
        if let Some(found) = names.last() {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// `nameserver` lines of a `/etc/resolv.conf` that is a file of its own; a link leads to what a program writes.
pub(super) fn name_servers(files: &Files<'_>) -> Read<Vec<Evidence>> {
    const PATH: &str = "/etc/resolv.conf";
    let is_file = files.lstat(PATH)?.is_some_and(|stat| stat.kind == FileKind::File);
    if !is_file {
        return Ok(Vec::new());
    }
    let text = files.read_text(PATH, CONFIG_LIMIT)?.unwrap_or_default();
    let lines = (1..).zip(text.lines());
    let servers = lines.filter_map(|(number, line)| {
        let mut words = line.split_whitespace();
        let is_server = words.next() == Some("nameserver");
        words
            .next()
            .filter(|_| is_server)
            .map(|server| Evidence::path(PATH).line(number).value(server))
    });
    Ok(servers.take(MAX_FILES).collect())
}

/// Names that udev's rules and systemd's `.link` files give to one card.
pub(super) fn fixed(files: &Files<'_>) -> Read<Vec<FixedName>> {
    let mut all = Vec::new();
    let names = files.list(RULES)?;
    if names.len() > MAX_FILES {
        return Err(not_read(RULES));
    }
    for name in names {
        let path = format!("{RULES}/{name}");
        if name.strip_suffix(".rules").is_some() && files.stat(&path)?.is_some_and(|stat| stat.kind == FileKind::File) {
            let text = files.read_text(&path, CONFIG_LIMIT)?.unwrap_or_default();
            all.extend(rules(&text, &path));
        }
    }
    all.extend(networkd::fixed_names(files)?);
    Ok(all)
}

/// Rules for network interfaces that give a name: `SUBSYSTEM=="net", ATTR{address}=="52:54:…", NAME="eth0"`.
fn rules(text: &str, path: &str) -> Vec<FixedName> {
    let mut all = Vec::new();
    let mut begun: Option<(u32, String)> = None;
    for (number, line) in (1..).zip(text.lines().map(str::trim)) {
        let (first, mut rule) = begun.take().unwrap_or((number, String::new()));
        if let Some(part) = line.strip_suffix('\\') {
            rule.push_str(part);
            begun = Some((first, rule));
            continue;
        }
        rule.push_str(line);
        if rule.starts_with('#') {
            continue;
        }
        let value = |key: &str| rule.split_once(key).and_then(|(_, rest)| rest.split('"').next());
        let is_network =
            value("SUBSYSTEM==\"").or(value("SUBSYSTEMS==\"")) == Some("net") || rule.contains("ATTR{type}==\"1\"");
        // `NAME==` asks and `NAME=` gives; `KERNEL==`, which ends alike, asks as well.
        let name = value(" NAME=\"").or(value(",NAME=\"")).or(value(" NAME:=\""));
        if let (true, Some(name)) = (is_network, name)
            && !name.is_empty()
            // What udev makes of other properties is no name of one card.
            && !name.contains(['$', '%'])
        {
            let mac = value("ATTR{address}==\"")
                .or(value("SYSFS{address}==\""))
                .or(value("ATTRS{address}==\""));
            all.push(FixedName {
                name: name.to_owned(),
                mac: mac.filter(|mac| mac.contains(':')).map(str::to_owned),
                evidence: Evidence::path(path).line(first).value(&rule),
            });
        }
    }
    all
}

/// Where predictable names are switched off.
pub(super) fn kernel_names(files: &Files<'_>) -> Read<Option<Evidence>> {
    for path in SWITCHES {
        let Some(stat) = files.lstat(path)? else { continue };
        let target = files.read_link(path)?;
        if target.as_deref() == Some("/dev/null") || (stat.kind == FileKind::File && stat.size == 0) {
            let evidence = Evidence::path(*path);
            return Ok(Some(match target {
                Some(target) => evidence.value(&target),
                None => evidence,
            }));
        }
    }
    Ok(None)
}
