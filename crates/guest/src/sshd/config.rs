//! OpenSSH's `sshd_config` and the files that it includes: lines in the order in which the server takes them, and what
//! holds outside and inside of `Match` blocks (sshd_config(5)).

use super::keywords::{self, Values};
use crate::{
    Evidence, Unknown,
    facts::{ConfigLine, ConfigProblem, MatchBlock},
    files::{Files, Read},
    glob,
};

/// Largest file that is read, in bytes.
const FILE_LIMIT: usize = 1 << 20;

/// Files that include files; the server's own limit (`SERVCONF_MAX_DEPTH` in servconf.c).
const MAX_DEPTH: usize = 16;

/// Files read in all.
const MAX_FILES: usize = 512;

/// Bytes read in all; a line of 1 MiB may be included many times.
const MAX_BYTES: usize = 4 << 20;

/// Lines read in all.
const MAX_LINES: usize = 50_000;

/// Criteria of one block, with those of the blocks around it.
const MAX_CRITERIA: usize = 64;

/// Everything that the files say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Parsed {
    /// Outside of every block.
    pub(super) global: Vec<ConfigLine>,
    pub(super) matches: Vec<MatchBlock>,
    pub(super) problems: Vec<ConfigProblem>,
}

/// A file that is being read.
struct Frame {
    path: String,
    /// Read when it is its turn.
    lines: Option<std::vec::IntoIter<(u32, String)>>,
    /// Files around it.
    depth: usize,
    /// The block around the `Include`, if any.
    around: Option<usize>,
    /// The block that lines go into, outside of all blocks if none.
    within: Option<usize>,
}

impl Parsed {
    /// Reads a file with all that it includes. A path that is included without a slash at its start is below `folder`.
    ///
    /// # Errors
    /// `sshd_config_not_read` when it is far larger than any that a person writes.
    pub(super) fn read(&mut self, files: &Files<'_>, path: &str, folder: &str) -> Read<()> {
        let too_large = || Unknown::new("sshd_config_not_read").with("path", path);
        let (mut bytes, mut lines, mut opened) = (0, 0, 0);
        let frame = |path: &str, depth, within| Frame {
            path: path.to_owned(),
            lines: None,
            depth,
            around: within,
            within,
        };
        let mut stack = vec![frame(path, 0, None)];
        while let Some(top) = stack.last_mut() {
            if top.lines.is_none() {
                let Some(text) = files.read_text(&top.path, FILE_LIMIT)? else {
                    if top.depth == 0 {
                        self.problem("config_missing", Evidence::path(path));
                    }
                    stack.pop();
                    continue;
                };
                bytes += text.len();
                opened += 1;
                if bytes > MAX_BYTES || opened > MAX_FILES {
                    return Err(too_large());
                }
                let numbered: Vec<(u32, String)> = (1..).zip(text.lines().map(str::to_owned)).collect();
                top.lines = Some(numbered.into_iter());
            }
            let Some((number, line)) = top.lines.as_mut().and_then(Iterator::next) else {
                stack.pop();
                continue;
            };
            lines += 1;
            if lines > MAX_LINES {
                return Err(too_large());
            }
            let place = Evidence::path(&top.path).line(number);
            let Some((keyword, rest)) = keyword(&line) else {
                continue;
            };
            // Files that were included in a block may have brought blocks; what follows comes after those.
            if let Some(block) = top.within.and_then(|block| self.matches.get(block))
                && top.within.is_some_and(|within| within + 1 != self.matches.len())
            {
                let (criteria, evidence) = (block.criteria.clone(), block.evidence.clone());
                top.within = Some(self.block(criteria, evidence));
            }
            match keyword.as_str() {
                "include" => {
                    let (depth, within) = (top.depth + 1, top.within);
                    let Some(patterns) = self.values(rest, &place, &keyword) else {
                        continue;
                    };
                    if patterns.is_empty() {
                        self.problem("value_missing", place.value(&keyword));
                        continue;
                    }
                    let mut included = Vec::new();
                    for pattern in patterns {
                        let pattern = if pattern.starts_with('/') {
                            pattern
                        } else {
                            format!("{folder}/{pattern}")
                        };
                        included.extend(expand(files, &pattern)?);
                        if included.len() > MAX_FILES {
                            return Err(too_large());
                        }
                    }
                    if depth > MAX_DEPTH && !included.is_empty() {
                        self.problem("include_too_deep", place.value(line.trim()));
                    } else {
                        stack.extend(included.iter().rev().map(|path| frame(path, depth, within)));
                        if stack.len() > MAX_FILES {
                            return Err(too_large());
                        }
                    }
                }
                "match" => {
                    let criteria = split(rest).and_then(|values| criteria(&values)).unwrap_or_else(|| {
                        self.problem("match_not_valid", place.clone().value(line.trim()));
                        // No connection matches what is not understood.
                        vec![("invalid-user".to_owned(), String::new())]
                    });
                    let around = top.around.and_then(|block| self.matches.get(block));
                    let around = around.map(|block| block.criteria.clone()).unwrap_or_default();
                    let mut criteria: Vec<_> = criteria.into_iter().chain(around).collect();
                    criteria.truncate(MAX_CRITERIA);
                    top.within = Some(self.block(criteria, place.value(line.trim())));
                }
                _ => {
                    let within = top.within;
                    self.line(&keyword, rest, place, within);
                }
            }
        }
        Ok(())
    }

    /// One option as the command line gives it, `Keyword=value`.
    pub(super) fn option(&mut self, option: &str, place: &Evidence) {
        if let Some((keyword, rest)) = keyword(option) {
            self.line(&keyword, rest, place.clone(), None);
        }
    }

    fn block(&mut self, criteria: Vec<(String, String)>, evidence: Evidence) -> usize {
        self.matches.push(MatchBlock {
            criteria,
            lines: Vec::new(),
            evidence,
        });
        self.matches.len() - 1
    }

    fn problem(&mut self, code: &str, evidence: Evidence) {
        const MOST: usize = 64;
        if self.problems.len() < MOST {
            self.problems.push(ConfigProblem {
                code: code.to_owned(),
                evidence,
            });
        }
    }

    /// The values of a line, or the problem with its quotes noted.
    fn values(&mut self, rest: &str, place: &Evidence, keyword: &str) -> Option<Vec<String>> {
        let values = split(rest);
        if values.is_none() {
            self.problem("quotes_not_closed", place.clone().value(keyword));
        }
        values
    }

    fn line(&mut self, keyword: &str, rest: &str, place: Evidence, within: Option<usize>) {
        let Some(known) = keywords::find(keyword) else {
            return self.problem("keyword_not_known", place.value(keyword));
        };
        if within.is_some() && !known.in_match {
            return self.problem("not_allowed_in_match", place.value(keyword));
        }
        if known.values == Values::NotRead {
            return;
        }
        let values = match known.values {
            Values::Command if rest.is_empty() => Vec::new(),
            Values::Command => vec![rest.to_owned()],
            _ => {
                let Some(values) = self.values(rest, &place, keyword) else {
                    return;
                };
                values
            }
        };
        let evidence = place.value(&format!("{keyword} {}", values.join(" ")));
        if values.is_empty() {
            return self.problem("value_missing", evidence);
        }
        if !known.values.accept(&values) {
            return self.problem("value_not_valid", evidence);
        }
        let plain = |value: String| {
            if known.values.ignore_case() {
                value.to_ascii_lowercase()
            } else {
                value
            }
        };
        let line = ConfigLine {
            keyword: known.name.to_owned(),
            values: values.into_iter().map(plain).collect(),
            evidence,
        };
        match within {
            None => self.global.push(line),
            Some(block) => {
                if let Some(block) = self.matches.get_mut(block) {
                    block.lines.push(line);
                }
            }
        }
    }
}

/// The keyword of a line in lower case and what follows it, after one `=` at most; `None` for comments and empty lines.
fn keyword(line: &str) -> Option<(String, &str)> {
    let line = line.trim_matches([' ', '\t', '\r', '\n', '\x0c']);
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let end = line.find([' ', '\t', '\r', '\x0c', '=', '"']).unwrap_or(line.len());
    let (keyword, rest) = line.split_at(end);
    let rest = rest.trim_start();
    let rest = rest.strip_prefix('=').unwrap_or(rest).trim_start();
    Some((keyword.to_ascii_lowercase(), rest))
}

/// Splits values as OpenSSH's `argv_split` does: by spaces, with quotes and backslashes before quotes, spaces and
/// backslashes; a word that starts with `#` begins a comment. `None` if a quote is not closed.
pub(super) fn split(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut characters = text.chars().peekable();
    loop {
        while characters.next_if(char::is_ascii_whitespace).is_some() {}
        match characters.peek() {
            None | Some('#') => return Some(words),
            Some(_) => {}
        }
        let mut word = String::new();
        let mut quote = None;
        loop {
            match (characters.next(), quote) {
                (None, None) => break,
                (None, Some(_)) => return None,
                (Some('\\'), quote) => {
                    let escaped = characters
                        .next_if(|next| matches!(next, '"' | '\'' | '\\') || (quote.is_none() && *next == ' '));
                    word.push(escaped.unwrap_or('\\'));
                }
                (Some(c), None) if c.is_ascii_whitespace() => break,
                (Some(c @ ('"' | '\'')), None) => quote = Some(c),
                (Some(c), Some(open)) if c == open => quote = None,
                (Some(c), _) => word.push(c),
            }
        }
        words.push(word);
    }
}

/// `User root,admin Address *` as pairs; `all` stands alone. `None` if the server would not take it.
fn criteria(values: &[String]) -> Option<Vec<(String, String)>> {
    const WITH_PATTERNS: &[&str] = &[
        "user",
        "group",
        "host",
        "address",
        "localaddress",
        "localport",
        "rdomain",
        "version",
        "sessiontype",
        "tag",
        "command",
    ];
    let mut found = Vec::new();
    let mut words = values.iter();
    while let Some(word) = words.next() {
        // Since OpenSSH 10 `User=root` is taken as well.
        let (word, joined) = match word.split_once('=') {
            Some((word, patterns)) => (word, Some(patterns)),
            None => (word.as_str(), None),
        };
        let word = word.to_ascii_lowercase();
        if word == "all" || word == "invalid-user" {
            if word == "all" && values.len() != 1 {
                return None;
            }
            found.push((word, String::new()));
        } else if WITH_PATTERNS.contains(&word.as_str()) {
            let patterns = match joined {
                Some(patterns) => patterns,
                None => words.next()?,
            };
            found.push((word, patterns.to_owned()));
        } else {
            return None;
        }
    }
    (!found.is_empty() && found.len() <= MAX_CRITERIA).then_some(found)
}

/// The files that a pattern names, in the order of their names (glob(7)); one that names none is no fault.
fn expand(files: &Files<'_>, pattern: &str) -> Read<Vec<String>> {
    let mut found = vec![String::new()];
    for part in pattern.split('/').filter(|part| !part.is_empty()) {
        if !part.contains(['*', '?', '[', '\\']) {
            for path in &mut found {
                path.push('/');
                path.push_str(part);
            }
            continue;
        }
        let mut next = Vec::new();
        for folder in &found {
            let names = files.list(if folder.is_empty() { "/" } else { folder })?;
            // A dot at a name's start is matched by a dot only.
            let fits = |name: &&String| (!name.starts_with('.') || part.starts_with('.')) && glob::matches(part, name);
            next.extend(names.iter().filter(fits).map(|name| format!("{folder}/{name}")));
            if next.len() > MAX_FILES {
                return Err(Unknown::new("sshd_config_not_read").with("path", pattern));
            }
        }
        found = next;
    }
    Ok(found)
}
