//! Words and signs of nft(8)'s language, each with its line.

/// What a token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// A word, number, address or variable.
    Word(String),
    /// A text in quotes.
    Text(String),
    /// One of `{ } ( ) , : . = ! < > & |`, alone.
    Sign(char),
    /// The end of a statement: a new line or `;`.
    End,
}

/// A token and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    /// Counts the files in the order in which they were read.
    pub(super) file: usize,
    /// Line, counted from 1.
    pub(super) line: u32,
}

impl Token {
    /// The word or the text in quotes, empty for a sign.
    pub(super) fn text(&self) -> &str {
        match &self.kind {
            Kind::Word(text) | Kind::Text(text) => text,
            _ => "",
        }
    }

    pub(super) fn is_sign(&self, sign: char) -> bool {
        self.kind == Kind::Sign(sign)
    }
}

/// Takes a file apart.
pub(super) fn read(text: &str, file: usize) -> Vec<Token> {
    let mut tokens = Vec::new();
    for (line, words) in (1..).zip(text.lines()) {
        let goes_on = line_of(words, |kind| tokens.push(Token { kind, file, line }));
        if !goes_on {
            tokens.push(Token {
                kind: Kind::End,
                file,
                line,
            });
        }
    }
    tokens
}

/// One line; true when a backslash at its end joins the next one to it.
fn line_of(line: &str, mut add: impl FnMut(Kind)) -> bool {
    let mut rest = line.trim_end();
    let goes_on = match rest.strip_suffix('\\') {
        Some(joined) => {
            rest = joined;
            true
        }
        None => false,
    };
    while let Some(first) = rest.chars().next() {
        let after = rest.get(first.len_utf8()..).unwrap_or_default();
        match first {
            '#' => return false,
            ' ' | '\t' | '\r' => rest = after,
            ';' => {
                add(Kind::End);
                rest = after;
            }
            '"' | '\'' => {
                let (text, behind) = after.split_once(first).unwrap_or((after, ""));
                add(Kind::Text(text.to_owned()));
                rest = behind;
            }
            _ => {
                let len = colons(rest).unwrap_or_else(|| rest.find(|c| !is_word(c)).unwrap_or(rest.len()));
                match rest.split_at_checked(len) {
                    Some((word, behind)) if len > 0 => {
                        // A dot by itself joins two fields.
                        add(if word == "." {
                            Kind::Sign('.')
                        } else {
                            Kind::Word(word.to_owned())
                        });
                        rest = behind;
                    }
                    _ => {
                        add(Kind::Sign(first));
                        rest = after;
                    }
                }
            }
        }
    }
    goes_on
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '.' | '/' | '*' | '@' | '$' | '-' | '+' | '\\' | '%')
}

/// Length of an IPv6 or hardware address at the beginning: two colons at least tell it from `22:accept`.
fn colons(text: &str) -> Option<usize> {
    let is_address = |c: char| c.is_ascii_hexdigit() || matches!(c, ':' | '.' | '/' | '-');
    let len = text.find(|c| !is_address(c)).unwrap_or(text.len());
    let count = text.get(..len)?.matches(':').count();
    (count >= 2).then_some(len)
}
