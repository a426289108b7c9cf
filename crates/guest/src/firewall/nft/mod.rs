//! Rules in nft(8)'s own language: tables, chains, sets, definitions and included files.

mod rule;
mod tokens;

use std::collections::BTreeMap;

use crate::Evidence;

use self::tokens::{Kind, Token};
use super::model::{Action, Base, Condition, Hook, Rule, Ruleset, Truth};

/// Most tokens of all files together; beyond it the answer is not known.
const MAX_TOKENS: usize = 200_000;

/// Most files that one configuration includes (nft itself stops at a depth of 16).
const MAX_FILES: usize = 100;

/// A named set's elements, as they stand in the file: what is in it when the system has started.
type Sets = BTreeMap<String, Vec<Vec<Token>>>;

/// Files that an `include` names, each with its text, in the order in which they are read; `None` when that is not known.
pub(super) type Include<'a> = dyn FnMut(&str) -> Option<Vec<(String, String)>> + 'a;

/// Reads a file and all that it includes.
pub(super) fn load(ruleset: &mut Ruleset, path: &str, text: &str, include: &mut Include<'_>) {
    let mut reader = Reader {
        ruleset,
        include,
        files: Vec::new(),
        stack: Vec::new(),
        tokens: 0,
        definitions: BTreeMap::new(),
        sets: Sets::new(),
        is_cut: false,
    };
    reader.push(path.to_owned(), text);
    if reader.read().is_none() {
        reader.ruleset.note_unclear(Evidence::path(path));
    }
}

struct Reader<'a, 'i> {
    ruleset: &'a mut Ruleset,
    include: &'a mut Include<'i>,
    /// Paths, as tokens count them.
    files: Vec<String>,
    /// Files that are being read, each with the tokens that are left, the next one last.
    stack: Vec<Vec<Token>>,
    /// Tokens seen so far.
    tokens: usize,
    definitions: BTreeMap<String, Vec<Token>>,
    sets: Sets,
    /// A list was still open at the end.
    is_cut: bool,
}

/// What comes next.
enum Next {
    /// A statement up to its end, and whether a block follows it.
    Statement(Vec<Token>, bool),
    /// The end of a block.
    BlockEnd,
}

impl Reader<'_, '_> {
    fn push(&mut self, path: String, text: &str) {
        let mut tokens = tokens::read(text, self.files.len());
        self.files.push(path);
        tokens.reverse();
        self.stack.push(tokens);
    }

    fn next(&mut self) -> Option<Token> {
        while let Some(top) = self.stack.last_mut() {
            if let Some(token) = top.pop() {
                self.tokens += 1;
                return (self.tokens <= MAX_TOKENS).then_some(token);
            }
            self.stack.pop();
        }
        None
    }

    fn evidence(&self, tokens: &[Token]) -> Evidence {
        let Some(first) = tokens.first() else {
            return Evidence::default();
        };
        let words = tokens.iter().map(|token| match &token.kind {
            Kind::Word(word) => word.clone(),
            Kind::Text(text) => format!("\"{text}\""),
            Kind::Sign(sign) => sign.to_string(),
            Kind::End => String::new(),
        });
        let text: Vec<String> = words.filter(|word| !word.is_empty()).take(100).collect();
        let path = self.files.get(first.file).map_or("", String::as_str);
        Evidence::path(path).line(first.line).value(&text.join(" "))
    }

    /// The next statement: tokens up to an end or a block's beginning; `None` where a file ends.
    ///
    /// A brace opens a block after `table`, `chain`, `set` and the like, and a list of values everywhere else.
    fn statement(&mut self) -> Option<Next> {
        let mut tokens: Vec<Token> = Vec::new();
        let mut depth: u32 = 0;
        loop {
            let Some(token) = self.next() else {
                // The end of the file ends a statement, but no list.
                self.is_cut |= depth > 0;
                let is_whole = depth == 0 && !tokens.is_empty() && self.tokens <= MAX_TOKENS;
                return is_whole.then_some(Next::Statement(tokens, false));
            };
            match &token.kind {
                Kind::End if depth > 0 => {}
                Kind::End if tokens.is_empty() => {}
                Kind::End => return Some(Next::Statement(tokens, false)),
                Kind::Sign('{') if depth == 0 && opens_block(&tokens) => {
                    return Some(Next::Statement(tokens, true));
                }
                Kind::Sign('}') if depth == 0 => {
                    if tokens.is_empty() {
                        return Some(Next::BlockEnd);
                    }
                    // `{ type filter hook input priority 0; policy drop }`: the brace is seen again.
                    if let Some(top) = self.stack.last_mut() {
                        top.push(token);
                    }
                    return Some(Next::Statement(tokens, false));
                }
                Kind::Sign(sign) => {
                    match sign {
                        '{' => depth += 1,
                        '}' => depth -= 1,
                        _ => {}
                    }
                    tokens.push(token);
                }
                Kind::Word(word) if word.starts_with('$') => {
                    let name = word.trim_start_matches('$');
                    let meant = self.definitions.get(name)?.clone();
                    self.tokens += meant.len();
                    // What is said of it is said of where it is used.
                    tokens.extend(meant.into_iter().map(|one| Token {
                        kind: one.kind,
                        ..token.clone()
                    }));
                }
                Kind::Word(_) | Kind::Text(_) => tokens.push(token),
            }
            if self.tokens > MAX_TOKENS {
                return None;
            }
        }
    }

    /// The whole configuration; `None` when it ends early or grows too large.
    fn read(&mut self) -> Option<()> {
        loop {
            let Some(statement) = self.statement() else {
                let is_end = !self.is_cut && self.stack.is_empty() && self.tokens <= MAX_TOKENS;
                return is_end.then_some(());
            };
            let Next::Statement(tokens, block) = statement else {
                return None;
            };
            if self.shared(&tokens)? {
                continue;
            }
            let words: Vec<&str> = tokens.iter().map(Token::text).collect();
            match words.as_slice() {
                ["table" | "add" | "create", rest @ ..] if block && rest.last().is_some() => {
                    let rest = rest.strip_prefix(&["table"]).unwrap_or(rest);
                    match rest {
                        ["chain", rest @ ..] => {
                            let (table, chain) = named(rest)?;
                            self.chain(&table, &format!("{table} {chain}"))?;
                        }
                        ["set" | "map", rest @ ..] => {
                            let (table, set) = named(rest)?;
                            self.set(key_in(&table, set))?;
                        }
                        [_] | [_, _] => self.table(&table_key(rest)?)?,
                        _ => self.skip_block()?,
                    }
                }
                ["flush", "ruleset", ..] => {
                    self.ruleset.chains.clear();
                    self.sets.clear();
                }
                ["flush", "table", rest @ ..] => self.flush(&table_key(rest)?, true),
                ["delete" | "destroy", "table", rest @ ..] => self.flush(&table_key(rest)?, false),
                ["flush", "chain", rest @ ..] => {
                    let (table, name) = named(rest)?;
                    if let Some(chain) = self.ruleset.chains.get_mut(&format!("{table} {name}")) {
                        chain.rules.clear();
                    }
                }
                // Without a block, a table or a set comes into being with nothing in it.
                ["table", ..] | ["add" | "create", "table", ..] => {}
                ["add" | "create", "chain", rest @ ..] => {
                    let (table, name) = named(rest)?;
                    self.ruleset.chains.entry(format!("{table} {name}")).or_default();
                }
                ["add" | "insert", "rule", rest @ ..] => {
                    self.add_rule(rest, &tokens, words.first() == Some(&"insert"))?;
                }
                ["add" | "create", "element", rest @ ..] => {
                    let count = 2 + usize::from(is_family(rest.first()?));
                    let (table, name) = named(rest.get(..count)?)?;
                    let inside = tokens
                        .get(count + 3..tokens.len().saturating_sub(1))
                        .unwrap_or_default();
                    let elements = inside.split(|token| token.is_sign(',')).map(<[Token]>::to_vec);
                    self.sets.entry(key_in(&table, name)).or_default().extend(elements);
                }
                ["rule", rest @ ..] => self.add_rule(rest, &tokens, false)?,
                _ => {
                    let evidence = self.evidence(&tokens);
                    self.ruleset.note_unclear(evidence);
                    if block {
                        self.skip_block()?;
                    }
                }
            }
        }
    }

    /// What may stand everywhere: definitions and included files. True when it was one of them.
    fn shared(&mut self, tokens: &[Token]) -> Option<bool> {
        let words: Vec<&str> = tokens.iter().map(Token::text).collect();
        match words.as_slice() {
            ["define" | "redefine", name, _, ..] => {
                let value = tokens.get(3..)?.to_vec();
                self.definitions.insert((*name).to_owned(), value);
                Some(true)
            }
            ["undefine", ..] => Some(true),
            ["include", pattern] => {
                let evidence = self.evidence(tokens);
                match (self.include)(pattern) {
                    Some(files) if self.files.len() + files.len() <= MAX_FILES => {
                        for (path, text) in files.into_iter().rev() {
                            self.push(path, &text);
                        }
                    }
                    _ => self.ruleset.note_unclear(evidence),
                }
                Some(true)
            }
            _ => Some(false),
        }
    }

    fn flush(&mut self, table: &str, keeps_chains: bool) {
        let prefix = format!("{table} ");
        if keeps_chains {
            let chains = self.ruleset.chains.iter_mut();
            chains
                .filter(|(name, _)| name.starts_with(&prefix))
                .for_each(|(_, chain)| chain.rules.clear());
        } else {
            self.ruleset.chains.retain(|name, _| !name.starts_with(&prefix));
        }
    }

    /// The block of a table.
    fn table(&mut self, table: &str) -> Option<()> {
        let mut is_dormant = false;
        while let Next::Statement(tokens, block) = self.statement()? {
            if self.shared(&tokens)? {
                continue;
            }
            let words: Vec<&str> = tokens.iter().map(Token::text).collect();
            match words.as_slice() {
                ["chain", name] if block => self.chain(table, &format!("{table} {name}"))?,
                ["set", name] if block => self.set(key_in(table, name))?,
                ["flags", flags @ ..] => is_dormant |= flags.contains(&"dormant"),
                _ if block => self.skip_block()?,
                _ => {}
            }
        }
        if is_dormant {
            let prefix = format!("{table} ");
            for (_, chain) in self
                .ruleset
                .chains
                .iter_mut()
                .filter(|(name, _)| name.starts_with(&prefix))
            {
                chain.base = None;
            }
        }
        Some(())
    }

    /// The block of a chain.
    fn chain(&mut self, table: &str, key: &str) -> Option<()> {
        self.ruleset.chains.entry(key.to_owned()).or_default();
        while let Next::Statement(tokens, block) = self.statement()? {
            if self.shared(&tokens)? {
                continue;
            }
            if block {
                return None;
            }
            let words: Vec<&str> = tokens.iter().map(Token::text).collect();
            let evidence = self.evidence(&tokens);
            let family = table.split(' ').next().unwrap_or_default();
            let chain = self.ruleset.chains.get_mut(key)?;
            match words.as_slice() {
                ["type", kind, "hook", hook, ..] => {
                    let (hook, is_device) = hook_of(family, kind, hook);
                    if is_device {
                        chain.rules.push(only_on_its_device(evidence.clone()));
                    }
                    let accepts = chain.base.as_ref().is_none_or(|base| base.accepts);
                    chain.base = Some(Base {
                        hook,
                        accepts,
                        evidence,
                    });
                }
                ["policy", policy] => {
                    if let Some(base) = &mut chain.base {
                        base.accepts = *policy == "accept";
                        base.evidence = evidence;
                    }
                }
                ["comment" | "flags" | "devices" | "device", ..] => {}
                _ => {
                    let rules = rule::read(table, &tokens, &evidence, &self.sets);
                    chain.rules.extend(rules);
                }
            }
        }
        Some(())
    }

    /// The block of a set: what matters is what stands in it.
    fn set(&mut self, key: String) -> Option<()> {
        let mut elements = Vec::new();
        while let Next::Statement(tokens, block) = self.statement()? {
            if block {
                return None;
            }
            if tokens.first()?.text() == "elements" {
                let inside = tokens.get(3..tokens.len().saturating_sub(1)).unwrap_or_default();
                elements.extend(inside.split(|token| token.is_sign(',')).map(<[Token]>::to_vec));
            }
        }
        self.sets.insert(key, elements);
        Some(())
    }

    fn skip_block(&mut self) -> Option<()> {
        let mut depth: u32 = 1;
        while depth > 0 {
            match self.next()?.kind {
                Kind::Sign('{') => depth += 1,
                Kind::Sign('}') => depth -= 1,
                _ => {}
            }
        }
        Some(())
    }

    /// `add rule [family] table chain …`.
    fn add_rule(&mut self, words: &[&str], tokens: &[Token], first: bool) -> Option<()> {
        let has_family = is_family(words.first()?);
        let count = 2 + usize::from(has_family);
        let (table, name) = named(words.get(..count)?)?;
        let evidence = self.evidence(tokens);
        let skipped = tokens.len().checked_sub(words.len())? + count;
        let rules = rule::read(&table, tokens.get(skipped..)?, &evidence, &self.sets);
        match self.ruleset.chains.get_mut(&format!("{table} {name}")) {
            Some(chain) if first => drop(chain.rules.splice(0..0, rules)),
            Some(chain) => chain.rules.extend(rules),
            None => self.ruleset.note_unclear(evidence),
        }
        Some(())
    }
}

/// Does a brace after these words begin a block?
fn opens_block(tokens: &[Token]) -> bool {
    let words: Vec<&str> = tokens.iter().map(Token::text).collect();
    let words = words
        .strip_prefix(&["add"])
        .or(words.strip_prefix(&["create"]))
        .unwrap_or(&words);
    match words {
        ["ct", kind, _] => matches!(*kind, "helper" | "timeout" | "expectation"),
        ["table", _, _] => true,
        [kind, _] => matches!(
            *kind,
            "table" | "chain" | "set" | "map" | "counter" | "quota" | "limit" | "flowtable" | "secmark" | "synproxy"
        ),
        // `add chain [family] table name {`
        [kind, _, _] | [kind, _, _, _] => matches!(*kind, "chain" | "set" | "map" | "flowtable"),
        _ => false,
    }
}

fn is_family(word: &str) -> bool {
    matches!(word, "ip" | "ip6" | "inet" | "arp" | "bridge" | "netdev")
}

/// `[family] table` as a key; without a family it is `ip`.
fn table_key(words: &[&str]) -> Option<String> {
    match words {
        [family, table] if is_family(family) => Some(format!("{family} {table}")),
        [table] => Some(format!("ip {table}")),
        _ => None,
    }
}

/// `[family] table name`: the table's key and the name.
fn named<'w>(words: &[&'w str]) -> Option<(String, &'w str)> {
    let (name, table) = words.split_last()?;
    Some((table_key(table)?, name))
}

/// Where a base chain is asked, and whether only for packets of one device.
fn hook_of(family: &str, kind: &str, hook: &str) -> (Hook, bool) {
    let is_device = family == "netdev" || hook == "ingress" || hook == "egress";
    let hook = match (family, kind, hook) {
        ("ip6" | "arp" | "bridge", ..) => Hook::Elsewhere,
        (_, "nat", "prerouting" | "input") => Hook::InNew,
        (_, "nat", _) => Hook::Elsewhere,
        (_, _, "prerouting" | "input" | "ingress") => Hook::In,
        (_, _, "output" | "postrouting" | "egress") => Hook::Out,
        _ => Hook::Elsewhere,
    };
    (hook, is_device)
}

/// Whether the chain of a device is asked is not known.
fn only_on_its_device(evidence: Evidence) -> Rule {
    Rule {
        conditions: vec![Condition::fixed(Truth::Maybe)],
        action: Action::Return,
        evidence,
    }
}

/// The key of a chain or a set in the same table.
fn key_in(table: &str, name: &str) -> String {
    format!("{table} {name}")
}
