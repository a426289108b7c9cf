//! TCP wrappers (hosts_access(5)): `hosts.allow` and `hosts.deny`, where the SSH server is built with libwrap at all.

use crate::{
    Evidence, Fact,
    facts::{Filter, Reach},
    files::{Files, Read},
};

use super::{RULES_LIMIT, not_certain};

pub(super) const KIND: &str = "tcp_wrappers";

/// Programs that ask libwrap: since OpenSSH 9.8 a second one handles the session.
const PROGRAMS: &[&str] = &[
    "/usr/sbin/sshd",
    "/usr/lib/openssh/sshd-session",
    "/usr/libexec/openssh/sshd-session",
];

/// Bytes of a program in which the name of the library is looked for; its dynamic section stands near the beginning.
const SEARCHED: usize = 1 << 20;

/// A rule of either file that concerns the SSH server.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Access {
    /// Does it speak of every client?
    clients: Clients,
    /// As its file says, or its option.
    allows: bool,
    evidence: Evidence,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Clients {
    All,
    Some,
    NotKnown,
}

pub(super) fn read(files: &Files<'_>) -> Read<Option<Filter>> {
    let mut rules = Vec::new();
    for (path, allows) in [("/etc/hosts.allow", true), ("/etc/hosts.deny", false)] {
        let text = files.read_text(path, RULES_LIMIT)?.unwrap_or_default();
        rules.extend(parse(&text, path, allows));
    }
    // Only what denies takes something away.
    if rules.iter().all(|rule| rule.allows) || !is_asked(files)? {
        return Ok(None);
    }
    let (ssh, evidence) = judge(&rules);
    Ok(Some(Filter {
        kind: KIND.to_owned(),
        ssh,
        evidence: evidence.into_iter().collect(),
    }))
}

/// The first rule that suits decides; without one everybody is let in.
fn judge(rules: &[Access]) -> (Fact<Reach>, Option<Evidence>) {
    let mut some = false;
    for rule in rules {
        let evidence = Some(rule.evidence.clone());
        match rule.clients {
            Clients::NotKnown => return (Fact::Unknown(not_certain(KIND)), evidence),
            Clients::Some => some |= rule.allows,
            Clients::All if rule.allows => return (Fact::Known(Reach::Everybody), evidence),
            Clients::All if some => return (Fact::Known(Reach::SomeAddresses), evidence),
            Clients::All => return (Fact::Known(Reach::Nobody), evidence),
        }
    }
    (Fact::Known(Reach::Everybody), None)
}

/// `daemons : clients [: options]`; a backslash continues a line.
fn parse(text: &str, path: &str, allows: bool) -> Vec<Access> {
    let mut all = Vec::new();
    let mut begun: Option<(u32, String)> = None;
    for (number, line) in (1..).zip(text.lines()) {
        let (first, mut whole) = begun.take().unwrap_or((number, String::new()));
        if let Some(part) = line.strip_suffix('\\') {
            whole.push_str(part);
            begun = Some((first, whole));
            continue;
        }
        whole.push_str(line);
        let rule = whole.trim();
        if !rule.is_empty() && !rule.starts_with('#') {
            all.extend(access(rule, allows, &Evidence::path(path).line(first).value(rule)));
        }
    }
    all
}

fn access(rule: &str, allows: bool, evidence: &Evidence) -> Option<Access> {
    let (daemons, rest) = rule.split_once(':')?;
    let words = |list: &str| -> Vec<String> {
        let words = list.split(|c: char| c.is_whitespace() || c == ',');
        words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
    };
    let daemons = words(daemons);
    let is_meant = |word: &String| {
        let name = word.split('@').next().unwrap_or_default();
        name.eq_ignore_ascii_case("ALL") || name == "sshd"
    };
    if !daemons.iter().any(is_meant) {
        return None;
    }
    // A colon inside brackets belongs to an IPv6 address.
    let mut depth = 0;
    let fields: Vec<&str> = rest
        .split(|c: char| {
            match c {
                '[' => depth += 1,
                ']' => depth -= 1,
                _ => {}
            }
            c == ':' && depth == 0
        })
        .collect();
    let clients = words(fields.first().copied().unwrap_or_default());
    let options: Vec<String> = fields
        .iter()
        .skip(1)
        .map(|option| option.trim().to_ascii_lowercase())
        .collect();
    let is = |word: &str| clients.iter().any(|client| client.eq_ignore_ascii_case(word));
    let is_complex = is("EXCEPT")
        || daemons
            .iter()
            .any(|word| word.eq_ignore_ascii_case("EXCEPT") || word.contains('@'))
        || clients.iter().any(|client| client.starts_with('/'))
        || options.iter().any(|option| option.starts_with("twist"));
    let clients = if is_complex || is("PARANOID") || is("UNKNOWN") || is("KNOWN") {
        Clients::NotKnown
    } else if is("ALL")
        || clients
            .iter()
            .any(|client| client == "0.0.0.0/0" || client == "0.0.0.0/0.0.0.0")
    {
        Clients::All
    } else {
        Clients::Some
    };
    let allows = match options.last().map(String::as_str) {
        Some("allow") => true,
        Some("deny") => false,
        _ => allows,
    };
    Some(Access {
        clients,
        allows,
        evidence: evidence.clone(),
    })
}

/// Is the server built with libwrap? Debian's is, Red Hat's was up to 7.
fn is_asked(files: &Files<'_>) -> Read<bool> {
    for program in PROGRAMS {
        let start = files.read_start(program, SEARCHED)?.unwrap_or_default();
        if start.windows(10).any(|bytes| bytes == b"libwrap.so") {
            return Ok(true);
        }
    }
    Ok(false)
}
