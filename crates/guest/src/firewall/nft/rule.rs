//! One rule of nft(8): what it asks of a packet, word by word, and what it does then.

use crate::Evidence;

use super::{
    Sets, key_in,
    tokens::{Kind, Token},
};
use crate::firewall::{
    iptables::{flag, port, prefix, protocol, spanning, state},
    model::{Action, Condition, End, Match, Prefix, Rule, State, Truth},
};

/// Reads a rule. One with a map of verdicts becomes a rule for each of them; what is not understood becomes a rule that
/// says so.
pub(super) fn read(table: &str, tokens: &[Token], evidence: &Evidence, sets: &Sets) -> Vec<Rule> {
    let mut reader = Reader {
        table,
        rest: tokens,
        sets,
        conditions: Vec::new(),
        rules: Vec::new(),
        evidence,
    };
    if reader.rule().is_none() {
        reader.finish(Action::Unclear);
    }
    reader.rules
}

struct Reader<'a> {
    table: &'a str,
    rest: &'a [Token],
    sets: &'a Sets,
    conditions: Vec<Condition>,
    rules: Vec<Rule>,
    evidence: &'a Evidence,
}

/// What is asked of a packet, before it is known for which values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Port(End),
    Address(End),
    Protocol,
    /// Of the network layer: this is about IPv4.
    Family,
    State,
    In,
    Out,
    /// The type of an address.
    Type(End),
    /// Known not to suit: other protocols.
    Never,
    /// Not known here.
    Other,
}

/// What a field is compared with.
enum Values {
    These(Vec<Vec<Token>>),
    /// A set that is filled elsewhere.
    NotKnown,
}

/// How a field is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Equal,
    Different,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl<'a> Reader<'a> {
    /// Ends the rule, with what was asked so far.
    fn finish(&mut self, action: Action) {
        self.rules.push(Rule {
            conditions: self.conditions.clone(),
            action,
            evidence: self.evidence.clone(),
        });
    }

    fn next(&mut self) -> Option<&'a Token> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    fn peek(&self) -> &'a str {
        self.rest.first().map_or("", Token::text)
    }

    fn skip_if(&mut self, word: &str) -> bool {
        let is_it = self.peek() == word;
        if is_it {
            self.next();
        }
        is_it
    }

    fn skip_sign(&mut self, sign: char) -> bool {
        let is_it = self.rest.first().is_some_and(|token| token.is_sign(sign));
        if is_it {
            self.next();
        }
        is_it
    }

    fn ask(&mut self, asks: Match) {
        self.conditions.push(Condition::new(asks));
    }

    /// The whole rule; `None` when a word is not understood. One without a verdict lets the packet go on.
    fn rule(&mut self) -> Option<()> {
        while let Some(token) = self.next() {
            let action = match token.text() {
                "accept" => Action::Accept,
                "drop" | "reject" => Action::Drop,
                "return" => Action::Return,
                "continue" | "masquerade" | "snat" => Action::Continue,
                "jump" => Action::Jump(key_in(self.table, self.next()?.text())),
                "goto" => Action::Goto(key_in(self.table, self.next()?.text())),
                word => {
                    self.expression(word)?;
                    continue;
                }
            };
            self.finish(action);
            return Some(());
        }
        Some(())
    }

    /// What begins with a word and is no verdict.
    fn expression(&mut self, word: &str) -> Option<()> {
        match word {
            "counter" => self.counter(),
            "log" => self.log(),
            "limit" => self.limit()?,
            "comment" => drop(self.next()?),
            "add" | "update" | "set" | "delete" => self.change_of_set()?,
            "meta" => self.meta()?,
            "iif" | "iifname" => self.field(Field::In)?,
            "oif" | "oifname" => self.field(Field::Out)?,
            "pkttype" | "mark" | "skuid" | "skgid" | "iifgroup" | "oifgroup" | "cpu" => self.field(Field::Other)?,
            "tcp" => self.tcp()?,
            "th" => {
                let field = ports_of(self.next()?.text());
                self.field(field)?;
            }
            "udp" | "udplite" | "sctp" | "dccp" | "icmp" | "icmpv6" | "igmp" | "ip6" | "ah" | "esp" | "comp"
            | "arp" | "hbh" | "frag" | "dst" | "mh" | "vlan" | "gre" => {
                self.next()?;
                self.field(Field::Never)?;
            }
            "ip" => {
                let field = match self.next()?.text() {
                    "saddr" => Field::Address(End::Source),
                    "daddr" => Field::Address(End::Destination),
                    "protocol" => Field::Protocol,
                    _ => Field::Other,
                };
                self.field(field)?;
            }
            "ct" => self.connection()?,
            "fib" => self.route()?,
            "ether" => {
                self.next()?;
                self.field(Field::Other)?;
            }
            _ => return None,
        }
        Some(())
    }

    /// `counter [packets N bytes N]` or `counter name "x"`.
    fn counter(&mut self) {
        if self.skip_if("name") {
            self.next();
        } else if self.skip_if("packets") {
            self.next();
            self.skip_if("bytes");
            self.next();
        }
    }

    fn log(&mut self) {
        while matches!(
            self.peek(),
            "prefix" | "level" | "group" | "snaplen" | "queue-threshold" | "flags"
        ) {
            let is_flags = self.next().is_some_and(|token| token.text() == "flags");
            if is_flags && matches!(self.peek(), "tcp" | "ip") {
                self.next();
            }
            self.next();
            while self.skip_sign(',') {
                self.next();
            }
        }
    }

    /// `limit rate [over] N/second [burst N packets]`: what comes first is below every limit.
    fn limit(&mut self) -> Option<()> {
        if self.skip_if("name") {
            self.next()?;
            self.ask(Match::Fixed(Truth::Maybe));
            return Some(());
        }
        if !self.skip_if("rate") {
            return None;
        }
        let is_over = self.skip_if("over");
        self.skip_if("until");
        self.next()?;
        // `10 mbytes/second`
        if self.peek().contains("bytes/") {
            self.next();
        }
        if self.skip_if("burst") {
            self.next()?;
            if matches!(self.peek(), "packets" | "bytes" | "kbytes" | "mbytes") {
                self.next();
            }
        }
        if is_over {
            self.ask(Match::Fixed(Truth::No));
        }
        Some(())
    }

    /// `add @set { … }`: a limit for each address may stand inside.
    fn change_of_set(&mut self) -> Option<()> {
        if !self.peek().starts_with('@') {
            return None;
        }
        self.next();
        if !self.skip_sign('{') {
            return None;
        }
        let inside = self.list()?;
        if inside.iter().any(|token| token.text() == "over") {
            self.ask(Match::Fixed(Truth::No));
        }
        Some(())
    }

    fn meta(&mut self) -> Option<()> {
        let field = match self.next()?.text() {
            "l4proto" => Field::Protocol,
            "nfproto" | "protocol" => Field::Family,
            "iif" | "iifname" => Field::In,
            "oif" | "oifname" => Field::Out,
            _ => Field::Other,
        };
        if self.skip_if("set") {
            // A mark or a priority that is set, and nothing asked.
            self.next()?;
            return Some(());
        }
        self.field(field)
    }

    fn tcp(&mut self) -> Option<()> {
        let name = self.next()?.text();
        if name == "flags" {
            self.flags()
        } else {
            self.field(ports_of(name))
        }
    }

    fn connection(&mut self) -> Option<()> {
        let field = match self.next()?.text() {
            "state" => Field::State,
            "original" | "reply" => {
                self.next()?;
                Field::Other
            }
            "count" => {
                // As with limits, the first connection is not above any number.
                let is_over = self.skip_if("over");
                self.next()?;
                self.conditions.push(Condition {
                    asks: Match::Fixed(Truth::Yes),
                    negated: is_over,
                });
                return Some(());
            }
            "mark" | "label" | "helper" | "zone" if self.peek() == "set" => {
                self.next()?;
                self.next()?;
                return Some(());
            }
            _ => Field::Other,
        };
        self.field(field)
    }

    /// `fib daddr type local`, `fib saddr . iif oif missing`.
    fn route(&mut self) -> Option<()> {
        let mut ends = Vec::new();
        let asked = loop {
            let token = self.next()?;
            match token.text() {
                "saddr" => ends.push(End::Source),
                "daddr" => ends.push(End::Destination),
                word @ ("type" | "oif" | "oifname" | "check") => break word,
                _ => {}
            }
        };
        match (asked, ends.as_slice()) {
            ("type", [end]) => self.field(Field::Type(*end)),
            // The way back to who sent the packet is there: the VM has one network card.
            ("oif" | "oifname" | "check", _) if matches!(self.peek(), "missing" | "exists") => {
                let exists = self.next()?.text() == "exists";
                self.ask(Match::Fixed(if exists { Truth::Yes } else { Truth::No }));
                Some(())
            }
            _ => self.field(Field::Other),
        }
    }

    /// `tcp flags syn`, `tcp flags & (fin | syn) == syn`, `tcp flags syn / fin,syn`.
    fn flags(&mut self) -> Option<()> {
        if self.skip_sign('&') {
            let mask = self.flag_list()?;
            let negated = match self.comparison() {
                Comparison::Equal => false,
                Comparison::Different => true,
                _ => return None,
            };
            let asks = match self.flag_list() {
                Some(set) => Match::Flags { mask, set },
                None => return None,
            };
            self.conditions.push(Condition { asks, negated });
            return Some(());
        }
        let is_exact = self.rest.first().is_some_and(|token| token.is_sign('='));
        let negated = self.comparison() == Comparison::Different;
        let set = self.flag_list()?;
        let asks = if self.skip_sign('/') || self.skip_if("/") {
            Match::Flags {
                mask: self.flag_list()?,
                set,
            }
        } else if is_exact || negated {
            Match::Flags { mask: 0x3f, set }
        } else {
            // Any of them: none of them turned round.
            self.conditions.push(Condition {
                asks: Match::Flags { mask: set, set: 0 },
                negated: true,
            });
            return Some(());
        };
        self.conditions.push(Condition { asks, negated });
        Some(())
    }

    fn flag_list(&mut self) -> Option<u8> {
        let in_brackets = self.skip_sign('(');
        let in_braces = !in_brackets && self.skip_sign('{');
        let mut bits = match self.peek() {
            "0x0" | "0" => {
                self.next();
                0
            }
            _ => flag(self.next()?.text())?,
        };
        while self.skip_sign('|') || self.skip_sign(',') {
            bits |= flag(self.next()?.text())?;
        }
        if in_brackets && !self.skip_sign(')') || in_braces && !self.skip_sign('}') {
            return None;
        }
        Some(bits)
    }

    fn comparison(&mut self) -> Comparison {
        let word = match self.peek() {
            "eq" => Some(Comparison::Equal),
            "ne" => Some(Comparison::Different),
            "lt" => Some(Comparison::Less),
            "le" => Some(Comparison::LessOrEqual),
            "gt" => Some(Comparison::Greater),
            "ge" => Some(Comparison::GreaterOrEqual),
            _ => None,
        };
        if let Some(word) = word {
            self.next();
            return word;
        }
        if self.skip_sign('!') {
            self.skip_sign('=');
            return Comparison::Different;
        }
        let less = self.skip_sign('<');
        let greater = !less && self.skip_sign('>');
        let equal = self.skip_sign('=');
        self.skip_sign('=');
        match (less, greater, equal) {
            (true, _, true) => Comparison::LessOrEqual,
            (true, ..) => Comparison::Less,
            (_, true, true) => Comparison::GreaterOrEqual,
            (_, true, _) => Comparison::Greater,
            _ => Comparison::Equal,
        }
    }

    /// Tokens up to the brace that closes a list.
    fn list(&mut self) -> Option<&'a [Token]> {
        let mut depth: u32 = 1;
        for (index, token) in self.rest.iter().enumerate() {
            match token.kind {
                Kind::Sign('{') => depth += 1,
                Kind::Sign('}') => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                let inside = self.rest.get(..index)?;
                self.rest = self.rest.get(index + 1..)?;
                return Some(inside);
            }
        }
        None
    }

    /// A field's comparison with a value, a list, a set or a map of verdicts.
    fn field(&mut self, field: Field) -> Option<()> {
        if self.rest.first().is_some_and(|token| token.is_sign('.')) {
            return self.joined();
        }
        // A mask before the comparison, such as `ct mark and 0xff`.
        if matches!(self.peek(), "and" | "or" | "xor") || self.rest.first().is_some_and(|token| token.is_sign('&')) {
            self.next();
            self.next()?;
            self.comparison();
            self.value()?;
            self.ask(Match::Fixed(if field == Field::Never {
                Truth::No
            } else {
                Truth::Maybe
            }));
            return Some(());
        }
        if self.skip_if("vmap") {
            return self.verdicts(field);
        }
        let comparison = self.comparison();
        let values = self.value()?;
        let asks = match values {
            Values::These(values) => field.asks(comparison, &values),
            Values::NotKnown => Match::Fixed(if field == Field::Never { Truth::No } else { Truth::Maybe }),
        };
        self.conditions.push(Condition {
            asks,
            negated: comparison == Comparison::Different && field != Field::Never,
        });
        Some(())
    }

    /// `ip saddr . tcp dport @set`: several fields at once are not looked into.
    fn joined(&mut self) -> Option<()> {
        loop {
            let token = self.next()?;
            let is_value = if token.is_sign('{') {
                self.list()?;
                true
            } else {
                token.text().starts_with('@')
            };
            if token.text() == "vmap" {
                return None;
            }
            if is_value {
                self.ask(Match::Fixed(Truth::Maybe));
                return Some(());
            }
        }
    }

    /// The values of a comparison.
    fn value(&mut self) -> Option<Values> {
        if self.skip_sign('{') {
            return Some(Values::These(elements(self.list()?)));
        }
        let first = self.next()?;
        if let Some(name) = first.text().strip_prefix('@') {
            let set = self.sets.get(&key_in(self.table, name));
            return Some(set.map_or(Values::NotKnown, |set| Values::These(set.clone())));
        }
        if first.text().is_empty() && !matches!(first.kind, Kind::Text(_)) {
            return None;
        }
        let mut values = vec![vec![first.clone()]];
        while self.skip_sign(',') {
            values.push(vec![self.next()?.clone()]);
        }
        Some(Values::These(values))
    }

    /// `vmap { 22 : accept, 23 : drop }`: a rule for each, and what none of them names goes on.
    fn verdicts(&mut self, field: Field) -> Option<()> {
        if !self.skip_sign('{') {
            return None;
        }
        let before = self.conditions.clone();
        for element in elements(self.list()?) {
            let colon = element.iter().rposition(|token| token.is_sign(':'))?;
            let (value, verdict) = (element.get(..colon)?, element.get(colon + 1..)?);
            let words: Vec<&str> = verdict.iter().map(Token::text).collect();
            let action = match words.as_slice() {
                ["accept"] => Action::Accept,
                ["drop" | "reject"] => Action::Drop,
                ["return"] => Action::Return,
                ["continue"] => Action::Continue,
                ["jump", to] => Action::Jump(key_in(self.table, to)),
                ["goto", to] => Action::Goto(key_in(self.table, to)),
                _ => return None,
            };
            let is_rest = value.first().is_some_and(|token| token.text() == "*");
            if !is_rest {
                self.ask(field.asks(Comparison::Equal, &[value.to_vec()]));
            }
            self.finish(action);
            self.conditions.clone_from(&before);
        }
        // What follows a map of verdicts is for those that it does not name.
        Some(())
    }
}

/// The elements of a list, split at its commas.
fn elements(list: &[Token]) -> Vec<Vec<Token>> {
    let elements = list.split(|token| token.is_sign(','));
    elements
        .map(|element| {
            element
                .iter()
                .filter(|token| token.kind != Kind::End)
                .cloned()
                .collect()
        })
        .filter(|element: &Vec<Token>| !element.is_empty())
        .collect()
}

fn ports_of(name: &str) -> Field {
    match name {
        "dport" => Field::Port(End::Destination),
        "sport" => Field::Port(End::Source),
        _ => Field::Other,
    }
}

impl Field {
    /// What a comparison with any of these values asks; a difference is turned round by the caller.
    fn asks(self, comparison: Comparison, values: &[Vec<Token>]) -> Match {
        let words: Vec<&str> = values
            .iter()
            .filter_map(|value| value.first())
            .map(Token::text)
            .collect();
        let is_plain = matches!(comparison, Comparison::Equal | Comparison::Different);
        let asks = match self {
            Self::Never => Some(Match::Fixed(Truth::No)),
            Self::Port(end) => ports(comparison, &words).map(|ranges| Match::Port(end, ranges)),
            Self::Address(end) if is_plain => {
                let prefixes: Option<Vec<Prefix>> = words.iter().map(|word| range(word)).collect();
                prefixes.map(|prefixes| Match::Address(end, prefixes))
            }
            Self::Protocol if is_plain => Some(Match::Fixed(any(&words, |word| protocol(word) == Truth::Yes))),
            Self::Family if is_plain => Some(Match::Fixed(any(&words, |word| {
                matches!(word, "ipv4" | "ip" | "0x0800")
            }))),
            Self::State if is_plain => {
                let states: Option<Vec<State>> = words.iter().map(|word| state(word)).collect();
                states.map(Match::State)
            }
            Self::In => one_interface(&words).map(Match::InInterface),
            Self::Out => one_interface(&words).map(Match::OutInterface),
            Self::Type(end) if is_plain => match words.as_slice() {
                ["local"] => Some(Match::Local(end)),
                types
                    if types
                        .iter()
                        .all(|word| matches!(*word, "multicast" | "broadcast" | "anycast" | "blackhole")) =>
                {
                    Some(Match::Fixed(Truth::No))
                }
                _ => None,
            },
            _ => None,
        };
        asks.unwrap_or(Match::Fixed(Truth::Maybe))
    }
}

fn any(words: &[&str], suits: impl Fn(&str) -> bool) -> Truth {
    if words.iter().any(|word| suits(word)) {
        Truth::Yes
    } else {
        Truth::No
    }
}

/// One name, or several of which none or all would suit alike; only one is told apart.
fn one_interface(words: &[&str]) -> Option<String> {
    match words {
        [name] => Some((*name).to_owned()),
        _ => None,
    }
}

fn ports(comparison: Comparison, words: &[&str]) -> Option<Vec<(u16, u16)>> {
    let range = |word: &&str| -> Option<(u16, u16)> {
        match word.split_once('-') {
            Some((from, to)) if !from.is_empty() && from.bytes().all(|byte| byte.is_ascii_digit()) => {
                Some((from.parse().ok()?, to.parse().ok()?))
            }
            _ => port(word).map(|port| (port, port)),
        }
    };
    let ranges: Option<Vec<(u16, u16)>> = words.iter().map(range).collect();
    let (first, _) = ranges.as_ref()?.first().copied().unwrap_or_default();
    Some(match comparison {
        Comparison::Equal | Comparison::Different => return ranges,
        Comparison::Less => vec![(0, first.checked_sub(1)?)],
        Comparison::LessOrEqual => vec![(0, first)],
        Comparison::Greater => vec![(first.checked_add(1)?, u16::MAX)],
        Comparison::GreaterOrEqual => vec![(first, u16::MAX)],
    })
}

fn range(word: &str) -> Option<Prefix> {
    match word.split_once('-') {
        Some((from, to)) => Some(spanning(prefix(from)?, prefix(to)?)),
        None => prefix(word),
    }
}
