//! The words of a grub.cfg: quotes, variables, comments (GRUB manual, "Shell-like scripting").

/// Words of one command, at most.
const MAX_WORDS: usize = 4096;

/// A command: words up to the end of the line, a `;`, a `{` (which is its last word) or before a `}`.
#[derive(Debug, Default)]
pub(super) struct Command<'a> {
    /// Counted from 1.
    pub(super) line: u32,
    pub(super) words: Vec<Word<'a>>,
}

#[derive(Debug, Default)]
pub(super) struct Word<'a> {
    pub(super) pieces: Vec<Piece<'a>>,
    /// Was any of it in quotes? Such a word is there even when it is empty.
    pub(super) quoted: bool,
}

#[derive(Debug)]
pub(super) enum Piece<'a> {
    Text(String),
    Variable(&'a str),
}

impl Command<'_> {
    /// The first word, where it is written without quotes and variables.
    pub(super) fn keyword(&self) -> Option<&str> {
        self.words.first()?.plain()
    }
}

impl Word<'_> {
    fn plain(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [Piece::Text(text)] if !self.quoted => Some(text),
            _ => None,
        }
    }

    /// The name before `=`, if the word is an assignment.
    pub(super) fn assigned(&self) -> Option<&str> {
        let Some(Piece::Text(text)) = self.pieces.first() else {
            return None;
        };
        let (name, _) = text.split_once('=')?;
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        (!name.is_empty() && name.chars().all(is_name)).then_some(name)
    }

    fn push(&mut self, character: char) {
        if let Some(Piece::Text(text)) = self.pieces.last_mut() {
            text.push(character);
        } else {
            self.pieces.push(Piece::Text(character.to_string()));
        }
    }
}

/// Splits a script into its commands; empty ones are left out.
pub(super) fn commands(text: &str) -> impl Iterator<Item = Command<'_>> {
    let mut reader = Reader { rest: text, line: 1 };
    std::iter::from_fn(move || reader.command()).filter(|command| !command.words.is_empty())
}

struct Reader<'a> {
    rest: &'a str,
    line: u32,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let mut characters = self.rest.chars();
        let next = characters.next()?;
        self.rest = characters.as_str();
        if next == '\n' {
            self.line = self.line.saturating_add(1);
        }
        Some(next)
    }

    /// The next command, perhaps without words; `None` at the end.
    fn command(&mut self) -> Option<Command<'a>> {
        self.peek()?;
        let mut command = Command {
            line: self.line,
            words: Vec::new(),
        };
        while let Some(next) = self.peek() {
            match next {
                '\n' | ';' => {
                    self.next();
                    break;
                }
                '#' => {
                    while self.peek().is_some_and(|c| c != '\n') {
                        self.next();
                    }
                }
                next if next.is_whitespace() => _ = self.next(),
                _ => {
                    if command.words.is_empty() {
                        command.line = self.line;
                    }
                    let before = self.rest;
                    let line = self.line;
                    let word = self.word();
                    match word.plain() {
                        Some("}") if !command.words.is_empty() => {
                            // A command of its own.
                            self.rest = before;
                            self.line = line;
                            break;
                        }
                        Some("{" | "}") => {
                            command.words.push(word);
                            break;
                        }
                        _ if command.words.len() < MAX_WORDS => command.words.push(word),
                        _ => {}
                    }
                }
            }
        }
        Some(command)
    }

    fn word(&mut self) -> Word<'a> {
        let mut word = Word::default();
        while let Some(next) = self.peek() {
            match next {
                '\n' | ';' => break,
                next if next.is_whitespace() => break,
                '\'' => {
                    self.next();
                    word.quoted = true;
                    while let Some(next) = self.next().filter(|c| *c != '\'') {
                        word.push(next);
                    }
                }
                '"' => {
                    self.next();
                    word.quoted = true;
                    self.in_double_quotes(&mut word);
                }
                '\\' => {
                    self.next();
                    match self.next() {
                        // A line that goes on.
                        Some('\n') | None => {}
                        Some(next) => word.push(next),
                    }
                }
                '$' => self.variable(&mut word),
                _ => {
                    self.next();
                    word.push(next);
                }
            }
        }
        word
    }

    fn in_double_quotes(&mut self, word: &mut Word<'a>) {
        while let Some(next) = self.peek() {
            match next {
                '"' => {
                    self.next();
                    return;
                }
                '\\' => {
                    self.next();
                    match self.next() {
                        Some('\n') | None => {}
                        Some(next @ ('"' | '\\' | '$')) => word.push(next),
                        Some(next) => {
                            word.push('\\');
                            word.push(next);
                        }
                    }
                }
                '$' => self.variable(word),
                _ => {
                    self.next();
                    word.push(next);
                }
            }
        }
    }

    /// `$name` or `${name}`; a `$` before anything else is itself.
    fn variable(&mut self, word: &mut Word<'a>) {
        self.next();
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if let Some(inner) = self.rest.strip_prefix('{')
            && let Some(end) = inner.find(|c: char| !is_name(c))
            && inner.get(end..).is_some_and(|rest| rest.starts_with('}'))
        {
            word.pieces.push(Piece::Variable(inner.get(..end).unwrap_or_default()));
            self.rest = inner.get(end + 1..).unwrap_or_default();
            return;
        }
        let end = self.rest.find(|c: char| !is_name(c)).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at_checked(end).unwrap_or_default();
        if name.is_empty() {
            if self.rest.starts_with('?') {
                self.next();
                word.pieces.push(Piece::Variable("?"));
            } else {
                word.push('$');
            }
        } else {
            word.pieces.push(Piece::Variable(name));
            self.rest = rest;
        }
    }
}
