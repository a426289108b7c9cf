//! Rules as `iptables-save` writes and `iptables-restore` reads them.

use crate::Evidence;

use super::model::{Action, Base, Chain, Condition, End, Hook, Match, Prefix, Rule, Ruleset, State, Truth};

/// Most rules of one file; beyond it the answer is not known.
const MAX_RULES: usize = 20_000;

/// Chains that the kernel asks, by table.
const BASE_CHAINS: &[(&str, &str, Hook)] = &[
    ("filter", "INPUT", Hook::In),
    ("filter", "OUTPUT", Hook::Out),
    ("filter", "FORWARD", Hook::Elsewhere),
    ("mangle", "PREROUTING", Hook::In),
    ("mangle", "INPUT", Hook::In),
    ("mangle", "OUTPUT", Hook::Out),
    ("mangle", "FORWARD", Hook::Elsewhere),
    ("mangle", "POSTROUTING", Hook::Out),
    ("nat", "PREROUTING", Hook::InNew),
    ("nat", "INPUT", Hook::InNew),
    ("nat", "OUTPUT", Hook::Elsewhere),
    ("nat", "POSTROUTING", Hook::Elsewhere),
    ("raw", "PREROUTING", Hook::In),
    ("raw", "OUTPUT", Hook::Out),
    ("security", "INPUT", Hook::In),
    ("security", "OUTPUT", Hook::Out),
    ("security", "FORWARD", Hook::Elsewhere),
];

/// Targets that change or note something and let the packet go on (iptables-extensions(8)).
const GOING_ON: &[&str] = &[
    "AUDIT",
    "CHECKSUM",
    "CLASSIFY",
    "CLUSTERIP",
    "CONNMARK",
    "CONNSECMARK",
    "DSCP",
    "ECN",
    "HL",
    "IDLETIMER",
    "LED",
    "LOG",
    "MARK",
    "MASQUERADE",
    "NFLOG",
    "RATEEST",
    "SECMARK",
    "SET",
    "SNAT",
    "TCPMSS",
    "TCPOPTSTRIP",
    "TEE",
    "TOS",
    "TRACE",
    "TTL",
    "ULOG",
];

/// Adds a file's rules to a ruleset. With `keeps`, what is there stays (`iptables-restore --noflush`).
pub(super) fn load(ruleset: &mut Ruleset, path: &str, text: &str, keeps: bool) {
    let mut table = String::new();
    let mut rules: usize = ruleset.chains.values().map(|chain| chain.rules.len()).sum();
    for (number, line) in (1..).zip(text.lines().map(str::trim)) {
        let evidence = || Evidence::path(path).line(number).value(line);
        if line.is_empty() || line.starts_with('#') || line == "COMMIT" {
            continue;
        }
        if let Some(name) = line.strip_prefix('*') {
            name.trim().clone_into(&mut table);
            if !keeps {
                let prefix = key(&table, "");
                ruleset.chains.retain(|name, _| !name.starts_with(&prefix));
            }
            for (_, chain, _) in BASE_CHAINS.iter().filter(|(of, _, _)| *of == table) {
                base(ruleset, &table, chain, Evidence::path(path).line(number).value(line));
            }
            continue;
        }
        rules += usize::from(!line.starts_with(':'));
        if rules > MAX_RULES {
            ruleset.note_unclear(evidence());
            return;
        }
        self::line(ruleset, &table, line, &evidence());
    }
}

/// One line of a table.
pub(super) fn line(ruleset: &mut Ruleset, table: &str, line: &str, evidence: &Evidence) {
    let understood = match line.strip_prefix(':') {
        Some(declared) => declare(ruleset, table, declared, evidence.clone()),
        None => statement(ruleset, table, line, evidence).is_some(),
    };
    if !understood {
        ruleset.note_unclear(evidence.clone());
    }
}

/// The key of a chain in a [`Ruleset`].
fn key(table: &str, chain: &str) -> String {
    format!("ip {table} {chain}")
}

/// Makes sure that a base chain is there, with the kernel's own policy.
fn base(ruleset: &mut Ruleset, table: &str, chain: &str, evidence: Evidence) {
    let hook = BASE_CHAINS.iter().find(|(of, name, _)| (*of, *name) == (table, chain));
    let entry = ruleset.chains.entry(key(table, chain)).or_default();
    if let (Some((_, _, hook)), None) = (hook, &entry.base) {
        entry.base = Some(Base {
            hook: *hook,
            accepts: true,
            evidence,
        });
    }
}

/// `CHAIN POLICY [packets:bytes]`: a policy for a base chain, `-` for one's own.
fn declare(ruleset: &mut Ruleset, table: &str, declared: &str, evidence: Evidence) -> bool {
    let mut words = declared.split_ascii_whitespace();
    let (Some(chain), Some(policy)) = (words.next(), words.next()) else {
        return false;
    };
    match policy {
        // One's own chain is emptied when it is declared again.
        "-" => {
            ruleset.chains.insert(key(table, chain), Chain::default());
            true
        }
        _ => set_policy(ruleset, table, chain, policy, evidence),
    }
}

fn set_policy(ruleset: &mut Ruleset, table: &str, chain: &str, policy: &str, evidence: Evidence) -> bool {
    base(ruleset, table, chain, evidence.clone());
    let Some(Base {
        accepts, evidence: at, ..
    }) = ruleset
        .chains
        .get_mut(&key(table, chain))
        .and_then(|chain| chain.base.as_mut())
    else {
        return false;
    };
    match policy {
        "ACCEPT" => *accepts = true,
        "DROP" => *accepts = false,
        _ => return false,
    }
    *at = evidence;
    true
}

/// One line of an option and what belongs to it; `None` when it is not understood.
fn statement(ruleset: &mut Ruleset, table: &str, line: &str, evidence: &Evidence) -> Option<()> {
    let words = words(line)?;
    let mut words = words.iter().map(String::as_str);
    let mut option = words.next()?;
    if option.starts_with('[') {
        option = words.next()?;
    }
    let chain = words.next();
    match option {
        "-A" | "--append" | "-I" | "--insert" => {
            let rest: Vec<&str> = words.collect();
            let is_insert = matches!(option, "-I" | "--insert");
            let position = rest
                .first()
                .and_then(|word| word.parse::<usize>().ok())
                .filter(|_| is_insert);
            let rest = if position.is_some() { rest.get(1..)? } else { &rest };
            let rule = rule(ruleset, table, rest, evidence)?;
            let rules = &mut ruleset.chains.get_mut(&key(table, chain?))?.rules;
            let at = match position {
                Some(position) => position.checked_sub(1)?,
                None if is_insert => 0,
                None => rules.len(),
            };
            (at <= rules.len()).then(|| rules.insert(at, rule))
        }
        "-P" | "--policy" => set_policy(ruleset, table, chain?, words.next()?, evidence.clone()).then_some(()),
        "-N" | "--new-chain" => {
            ruleset.chains.entry(key(table, chain?)).or_default();
            Some(())
        }
        "-F" | "--flush" => {
            let prefix = key(table, "");
            for (name, entry) in &mut ruleset.chains {
                let is_meant = chain.map_or_else(|| name.starts_with(&prefix), |chain| *name == key(table, chain));
                if is_meant {
                    entry.rules.clear();
                }
            }
            Some(())
        }
        // A chain that still is used cannot be deleted, so that it does not matter.
        "-X" | "--delete-chain" | "-Z" | "--zero" => Some(()),
        _ => None,
    }
}

/// Words of a line; quotes hold several together. `None` when a quote is not closed.
fn words(line: &str) -> Option<Vec<String>> {
    let mut all = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match (character, quote) {
            ('\\', Some(_)) => word.get_or_insert_default().push(characters.next()?),
            (_, Some(closing)) if character == closing => quote = None,
            ('"' | '\'', None) => {
                word.get_or_insert_default();
                quote = Some(character);
            }
            (' ' | '\t', None) => all.extend(word.take()),
            _ => word.get_or_insert_default().push(character),
        }
    }
    all.extend(word);
    quote.is_none().then_some(all)
}

fn rule(ruleset: &Ruleset, table: &str, words: &[&str], evidence: &Evidence) -> Option<Rule> {
    let mut conditions = Vec::new();
    let mut action = Action::Continue;
    let mut has_target = false;
    let mut rest = words;
    while let Some((first, mut tail)) = rest.split_first() {
        let mut negated = *first == "!";
        let mut option = *first;
        if negated {
            (option, tail) = tail.split_first().map(|(option, tail)| (*option, tail))?;
        }
        let count = tail.iter().take_while(|word| !is_option(word)).count();
        let mut values: Vec<&str> = tail.get(..count)?.to_vec();
        rest = tail.get(count..)?;
        // The old way: `-s ! 10.0.0.0/8`.
        if values.is_empty()
            && let [mark, value, after @ ..] = rest
            && *mark == "!"
            && !is_option(value)
            && takes_value(option)
        {
            negated = true;
            values = vec![value];
            rest = after;
        }
        match option {
            "-j" | "--jump" | "-g" | "--goto" => {
                action = target(
                    ruleset,
                    table,
                    values.first()?,
                    matches!(option, "-g" | "--goto"),
                    words,
                );
                has_target = true;
            }
            // What follows the target belongs to it.
            _ if has_target => {}
            _ => {
                if let Some(asks) = condition(option, &values) {
                    conditions.push(Condition { asks, negated });
                }
            }
        }
    }
    Some(Rule {
        conditions,
        action,
        evidence: evidence.clone(),
    })
}

fn is_option(word: &str) -> bool {
    word == "!" || (word.starts_with('-') && word.len() > 1)
}

fn takes_value(option: &str) -> bool {
    matches!(
        option,
        "-s" | "-d" | "-i" | "-o" | "-p" | "--dport" | "--sport" | "--state" | "--source" | "--destination"
    )
}

fn target(ruleset: &Ruleset, table: &str, name: &str, is_goto: bool, words: &[&str]) -> Action {
    match name {
        "ACCEPT" => Action::Accept,
        "DROP" | "REJECT" => Action::Drop,
        "RETURN" => Action::Return,
        "CT" if !words.contains(&"--notrack") => Action::Continue,
        _ if GOING_ON.contains(&name) => Action::Continue,
        _ if ruleset.chains.contains_key(&key(table, name)) => {
            if is_goto {
                Action::Goto(key(table, name))
            } else {
                Action::Jump(key(table, name))
            }
        }
        _ => Action::Unclear,
    }
}

/// What an option asks; `None` for one that asks nothing of the packet.
fn condition(option: &str, values: &[&str]) -> Option<Match> {
    let value = values.first().copied().unwrap_or_default();
    let fixed = |truth| Some(Match::Fixed(truth));
    let or_maybe = |asks: Option<Match>| Some(asks.unwrap_or(Match::Fixed(Truth::Maybe)));
    match option {
        "-m" | "--match" | "--comment" | "-4" | "--ipv4" | "-c" | "--set-counters" | "-w" | "--wait"
        // The list of the module recent is empty at first.
        | "--set" | "--name" | "--rsource" | "--rdest" | "--seconds" | "--hitcount" | "--rttl" | "--mask" | "--reap"
        // What may happen once may happen at first: limits speak of how often (iptables-extensions(8)).
        | "--limit"
        | "--limit-burst"
        | "--hashlimit-upto"
        | "--hashlimit-burst"
        | "--hashlimit-mode"
        | "--hashlimit-name"
        | "--hashlimit-htable-size"
        | "--hashlimit-htable-max"
        | "--hashlimit-htable-expire"
        | "--hashlimit-htable-gcinterval"
        | "--hashlimit-srcmask"
        | "--hashlimit-dstmask"
        | "--hashlimit"
        | "--connlimit-upto"
        | "--connlimit-mask"
        | "--connlimit-saddr"
        | "--connlimit-daddr" => None,
        "--hashlimit-above" | "--connlimit-above" | "--icmp-type" | "--icmpv6-type" | "--update" | "--rcheck" | "--remove" | "--ipv6" | "-6" | "-f" | "--fragment" => fixed(Truth::No),
        "-p" | "--protocol" | "--proto" => fixed(protocol(value)),
        "-s" | "--source" | "--src" => or_maybe(addresses(End::Source, value)),
        "-d" | "--destination" | "--dst" => or_maybe(addresses(End::Destination, value)),
        "--src-range" | "--dst-range" => {
            let end = if option == "--src-range" {
                End::Source
            } else {
                End::Destination
            };
            or_maybe(address_range(end, value))
        }
        "-i" | "--in-interface" => Some(Match::InInterface(value.to_owned())),
        "-o" | "--out-interface" => Some(Match::OutInterface(value.to_owned())),
        "--dport" | "--destination-port" | "--dports" | "--destination-ports" => {
            or_maybe(ports(End::Destination, value))
        }
        "--sport" | "--source-port" | "--sports" | "--source-ports" => or_maybe(ports(End::Source, value)),
        "--syn" => Some(Match::Flags { mask: 0x17, set: 0x02 }),
        "--tcp-flags" => or_maybe(flags(value, values.get(1).copied().unwrap_or_default())),
        "--state" | "--ctstate" => or_maybe(states(value)),
        "--dst-type" => Some(address_type(End::Destination, value)),
        "--src-type" => Some(address_type(End::Source, value)),
        _ => fixed(Truth::Maybe),
    }
}

pub(super) fn protocol(name: &str) -> Truth {
    match name.to_ascii_lowercase().as_str() {
        "tcp" | "6" | "all" | "0" => Truth::Yes,
        _ => Truth::No,
    }
}

fn addresses(end: End, value: &str) -> Option<Match> {
    let prefixes: Option<Vec<Prefix>> = value.split(',').map(prefix).collect();
    Some(Match::Address(end, prefixes?))
}

/// `10.0.0.0/8`, `10.0.0.0/255.0.0.0` or an address.
pub(super) fn prefix(text: &str) -> Option<Prefix> {
    let (address, len) = match text.split_once('/') {
        None => (text, 32),
        Some((address, len)) => (
            address,
            if let Ok(len) = len.parse::<u8>() {
                len
            } else {
                let mask = u32::from(len.parse::<std::net::Ipv4Addr>().ok()?);
                let ones = mask.leading_ones();
                // A mask with holes is no prefix.
                (mask.count_ones() == ones).then(|| u8::try_from(ones).ok())??
            },
        ),
    };
    // nftables and iptables take `10.0.0.0/8`, and older ones `10/8`.
    let mut parts: Vec<&str> = address.split('.').collect();
    parts.resize(parts.len().max(4), "0");
    let address = parts.join(".").parse::<std::net::Ipv4Addr>().ok()?.octets();
    (len <= 32).then_some(Prefix { address, len })
}

/// Two addresses as the prefix that holds both: wide enough to judge by.
fn address_range(end: End, value: &str) -> Option<Match> {
    let (from, to) = value.split_once('-')?;
    let (from, to) = (prefix(from.trim())?, prefix(to.trim())?);
    Some(Match::Address(end, vec![spanning(from, to)]))
}

pub(super) fn spanning(from: Prefix, to: Prefix) -> Prefix {
    let differing = u32::from_be_bytes(from.address) ^ u32::from_be_bytes(to.address);
    let covers_all = from.address == [0; 4] && to.address == [255; 4];
    // Half of everything is not everything: only both ends tell that.
    let len = u8::try_from(differing.leading_zeros())
        .unwrap_or(0)
        .max(u8::from(!covers_all));
    Prefix {
        address: from.address,
        len,
    }
}

/// `22`, `ssh`, `20:25`, `:1023`, several with commas.
fn ports(end: End, value: &str) -> Option<Match> {
    let range = |text: &str| match text.split_once(':') {
        None => port(text).map(|port| (port, port)),
        Some((from, to)) => Some((
            if from.is_empty() { 0 } else { port(from)? },
            if to.is_empty() { u16::MAX } else { port(to)? },
        )),
    };
    let ranges: Option<Vec<(u16, u16)>> = value.split(',').map(range).collect();
    Some(Match::Port(end, ranges?))
}

/// A number, or one of the names of `/etc/services` that firewalls use; `None` for any other.
pub(super) fn port(text: &str) -> Option<u16> {
    Some(match text {
        "ftp-data" => 20,
        "ftp" => 21,
        "ssh" => 22,
        "telnet" => 23,
        "smtp" => 25,
        "domain" => 53,
        "bootps" => 67,
        "bootpc" => 68,
        "http" => 80,
        "pop3" => 110,
        "ntp" => 123,
        "imap2" | "imap" => 143,
        "snmp" => 161,
        "ldap" => 389,
        "https" => 443,
        "microsoft-ds" => 445,
        "submission" => 587,
        "ldaps" => 636,
        "imaps" => 993,
        "pop3s" => 995,
        "nfs" => 2049,
        "mysql" => 3306,
        "mdns" => 5353,
        "postgresql" => 5432,
        "http-alt" => 8080,
        _ => return text.parse().ok(),
    })
}

fn flags(mask: &str, set: &str) -> Option<Match> {
    let bits = |list: &str| -> Option<u8> { list.split(',').try_fold(0, |bits, name| Some(bits | flag(name)?)) };
    Some(Match::Flags {
        mask: bits(mask)?,
        set: bits(set)?,
    })
}

pub(super) fn flag(name: &str) -> Option<u8> {
    Some(match name.to_ascii_lowercase().as_str() {
        "fin" => 0x01,
        "syn" => 0x02,
        "rst" => 0x04,
        "psh" => 0x08,
        "ack" => 0x10,
        "urg" => 0x20,
        "all" => 0x3f,
        "none" => 0,
        _ => return None,
    })
}

fn states(value: &str) -> Option<Match> {
    let states: Option<Vec<State>> = value.split(',').map(state).collect();
    Some(Match::State(states?))
}

pub(super) fn state(name: &str) -> Option<State> {
    Some(match name.to_ascii_lowercase().as_str() {
        "new" => State::New,
        "established" => State::Established,
        "related" | "invalid" | "untracked" => State::Other,
        _ => return None,
    })
}

fn address_type(end: End, value: &str) -> Match {
    match value.to_ascii_uppercase().as_str() {
        "LOCAL" => Match::Local(end),
        "MULTICAST" | "BROADCAST" | "ANYCAST" | "BLACKHOLE" | "UNREACHABLE" | "PROHIBIT" | "UNSPEC" => {
            Match::Fixed(Truth::No)
        }
        _ => Match::Fixed(Truth::Maybe),
    }
}
