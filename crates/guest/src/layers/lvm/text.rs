//! The text in which LVM2 keeps its metadata (`lib/config/config.h`): sections in braces, and values that are numbers,
//! strings or lists of them.

/// Sections inside sections, at most; a volume group has four levels.
const MAX_DEPTH: usize = 8;

/// Longest string that is kept, in bytes.
const MAX_STRING: usize = 4096;

/// What stands between a pair of braces, in the order in which it is written.
#[derive(Debug, Default)]
pub(super) struct Section {
    entries: Vec<(String, Entry)>,
}

#[derive(Debug)]
enum Entry {
    Section(Section),
    Value(Value),
}

#[derive(Debug)]
enum Value {
    Number(u64),
    Text(String),
    List(Vec<Value>),
}

impl Section {
    fn entry(&self, name: &str) -> Option<&Entry> {
        self.entries
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, entry)| entry)
    }

    fn value(&self, name: &str) -> Option<&Value> {
        match self.entry(name)? {
            Entry::Value(value) => Some(value),
            Entry::Section(_) => None,
        }
    }

    pub(super) fn section(&self, name: &str) -> Option<&Section> {
        match self.entry(name)? {
            Entry::Section(section) => Some(section),
            Entry::Value(_) => None,
        }
    }

    /// All sections in it by name.
    pub(super) fn sections(&self) -> impl Iterator<Item = (&str, &Section)> {
        self.entries.iter().filter_map(|(name, entry)| match entry {
            Entry::Section(section) => Some((name.as_str(), section)),
            Entry::Value(_) => None,
        })
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        match self.value(name)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn number(&self, name: &str) -> Option<u64> {
        match self.value(name)? {
            Value::Number(number) => Some(*number),
            _ => None,
        }
    }

    fn values(&self, name: &str) -> &[Value] {
        match self.value(name) {
            Some(Value::List(list)) => list,
            _ => &[],
        }
    }

    /// The strings of a list.
    pub(super) fn list(&self, name: &str) -> impl Iterator<Item = &str> {
        self.values(name).iter().filter_map(|value| match value {
            Value::Text(text) => Some(text.as_str()),
            _ => None,
        })
    }

    /// A list of a string and a number in turn.
    pub(super) fn pairs(&self, name: &str) -> impl Iterator<Item = (&str, u64)> {
        self.values(name)
            .as_chunks::<2>()
            .0
            .iter()
            .filter_map(|pair| match pair {
                [Value::Text(text), Value::Number(number)] => Some((text.as_str(), *number)),
                _ => None,
            })
    }
}

#[derive(Debug, PartialEq)]
enum Token {
    Mark(u8),
    Word(String),
    Text(String),
}

/// Parses the whole text; `None` if it breaks the grammar. The text may end with NUL bytes.
pub(super) fn parse(text: &[u8]) -> Option<Section> {
    let mut tokens = Tokens { rest: text };
    // The sections that are open, the innermost last, each with its name.
    let mut open: Vec<(String, Section)> = vec![(String::new(), Section::default())];
    while let Some(token) = tokens.next()? {
        match token {
            Token::Mark(b'}') => {
                let (name, section) = open.pop()?;
                open.last_mut()?.1.entries.push((name, Entry::Section(section)));
            }
            Token::Word(name) | Token::Text(name) => match tokens.next()?? {
                Token::Mark(b'{') if open.len() <= MAX_DEPTH => open.push((name, Section::default())),
                Token::Mark(b'=') => {
                    let value = tokens.value()?;
                    open.last_mut()?.1.entries.push((name, Entry::Value(value)));
                }
                _ => return None,
            },
            Token::Mark(_) => return None,
        }
    }
    let (_, whole) = open.pop()?;
    open.is_empty().then_some(whole)
}

struct Tokens<'a> {
    rest: &'a [u8],
}

impl Tokens<'_> {
    /// `Some(None)` at the end, `None` for what no token begins with.
    #[expect(clippy::option_option, reason = "the end is no error")]
    fn next(&mut self) -> Option<Option<Token>> {
        loop {
            let Some((first, after)) = self.rest.split_first() else {
                return Some(None);
            };
            match first {
                0 => return Some(None),
                b' ' | b'\t' | b'\r' | b'\n' => self.rest = after,
                b'#' => {
                    let end = after.iter().position(|byte| *byte == b'\n').unwrap_or(after.len());
                    self.rest = after.get(end..)?;
                }
                b'{' | b'}' | b'=' | b'[' | b']' | b',' => {
                    self.rest = after;
                    return Some(Some(Token::Mark(*first)));
                }
                b'"' => {
                    self.rest = after;
                    return self.string().map(|text| Some(Token::Text(text)));
                }
                _ => return self.word().map(|word| Some(Token::Word(word))),
            }
        }
    }

    /// Up to the next quotation mark; a backslash takes away what the next character means.
    fn string(&mut self) -> Option<String> {
        let mut bytes = Vec::new();
        loop {
            let (first, after) = self.rest.split_first()?;
            self.rest = after;
            match first {
                b'"' => return String::from_utf8(bytes).ok(),
                b'\\' => {
                    let (escaped, after) = after.split_first()?;
                    self.rest = after;
                    bytes.push(*escaped);
                }
                other => bytes.push(*other),
            }
            if bytes.len() > MAX_STRING {
                return None;
            }
        }
    }

    fn word(&mut self) -> Option<String> {
        let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || b"._+-/@:%".contains(byte);
        let end = self
            .rest
            .iter()
            .position(|byte| !is_word(byte))
            .unwrap_or(self.rest.len());
        let (word, after) = self.rest.split_at_checked(end.min(MAX_STRING))?;
        self.rest = after;
        let word = std::str::from_utf8(word).ok()?;
        (!word.is_empty()).then(|| word.to_owned())
    }

    /// After an equals sign: one value, or a list in brackets.
    fn value(&mut self) -> Option<Value> {
        let first = self.next()??;
        if first != Token::Mark(b'[') {
            return single(first);
        }
        let mut list = Vec::new();
        loop {
            match self.next()?? {
                Token::Mark(b']') => return Some(Value::List(list)),
                Token::Mark(b',') => {}
                token => list.push(single(token)?),
            }
        }
    }
}

fn single(token: Token) -> Option<Value> {
    match token {
        Token::Text(text) => Some(Value::Text(text)),
        Token::Word(word) => Some(word.parse().map_or(Value::Text(word), Value::Number)),
        Token::Mark(_) => None,
    }
}
