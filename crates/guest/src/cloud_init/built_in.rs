//! cloud-init's own default list of datasources: the literal in `CFG_BUILTIN` of `cloudinit/settings.py`, with its line.
//! Only the few tokens of Python that such a literal needs are known; anything else is not guessed at.

/// Most datasources of one list; cloud-init knows about thirty.
const MAX_SOURCES: usize = 1000;

/// A token of Python and the line it begins in.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Text(String),
    Name(String),
    Sign(char),
}

/// The built-in list and the line of its key, counted from 1; `None` where there is no such literal.
pub(super) fn parse(python: &str) -> Option<(Vec<String>, u32)> {
    let mut tokens = Tokens { rest: python, line: 1 };
    while tokens.next()?.0 != Token::Name("CFG_BUILTIN".to_owned()) {}
    let key = Token::Text("datasource_list".to_owned());
    loop {
        let (token, line) = tokens.next()?;
        if token == key && tokens.next()?.0 == Token::Sign(':') {
            return list(&mut tokens).map(|list| (list, line));
        }
    }
}

/// A list or tuple of plain texts; texts side by side are one, as in Python.
fn list(tokens: &mut Tokens<'_>) -> Option<Vec<String>> {
    let end = match tokens.next()?.0 {
        Token::Sign('[') => ']',
        Token::Sign('(') => ')',
        _ => return None,
    };
    let mut list = Vec::new();
    let mut item: Option<String> = None;
    loop {
        match tokens.next()?.0 {
            Token::Text(text) => item.get_or_insert_default().push_str(&text),
            Token::Sign(',') => list.push(item.take()?),
            Token::Sign(sign) if sign == end => {
                list.extend(item);
                // What follows in the dictionary; anything else goes on computing.
                return matches!(tokens.next()?.0, Token::Sign(',' | '}')).then_some(list);
            }
            Token::Sign(_) | Token::Name(_) => return None,
        }
        if list.len() > MAX_SOURCES {
            return None;
        }
    }
}

/// Reads one token after another; ends at the end of the text or at a string that does not end.
struct Tokens<'a> {
    rest: &'a str,
    line: u32,
}

impl Tokens<'_> {
    fn next(&mut self) -> Option<(Token, u32)> {
        loop {
            let first = self.rest.chars().next()?;
            let line = self.line;
            if first == '#' {
                let end = self.rest.find('\n').unwrap_or(self.rest.len());
                self.skip(end);
            } else if first == '"' || first == '\'' {
                return self.text(first).map(|text| (Token::Text(text), line));
            } else if first.is_alphanumeric() || first == '_' {
                let end = self
                    .rest
                    .find(|c: char| !c.is_alphanumeric() && c != '_')
                    .unwrap_or(self.rest.len());
                let name = self.rest.get(..end)?.to_owned();
                self.skip(end);
                return Some((Token::Name(name), line));
            } else {
                self.skip(first.len_utf8());
                if !first.is_whitespace() && first != '\\' {
                    return Some((Token::Sign(first), line));
                }
            }
        }
    }

    /// Goes on behind some bytes, counting lines.
    fn skip(&mut self, bytes: usize) {
        let (passed, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        let lines = passed.bytes().filter(|byte| *byte == b'\n').count();
        self.line = self.line.saturating_add(u32::try_from(lines).unwrap_or(u32::MAX));
        self.rest = rest;
    }

    /// A string in single, double or tripled quotes.
    fn text(&mut self, quote: char) -> Option<String> {
        let triple = quote.to_string().repeat(3);
        let end = if self.rest.starts_with(&triple) {
            triple
        } else {
            quote.to_string()
        };
        self.skip(end.len());
        let mut text = String::new();
        let mut characters = self.rest.char_indices();
        loop {
            let (at, character) = characters.next()?;
            if self.rest.get(at..).is_some_and(|rest| rest.starts_with(&end)) {
                self.skip(at + end.len());
                return Some(text);
            }
            match character {
                '\\' => text.extend(characters.next().map(|(_, escaped)| escaped)),
                // A string in single quotes ends in its line.
                '\n' if end.len() == 1 => return None,
                other => text.push(other),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn debian_12s_own_list_has_nocloud_first() {
        let (list, line) = parse(include_str!("../../tests/stock/debian-12-settings.py")).unwrap();
        assert_eq!(list[..3], ["NoCloud", "ConfigDrive", "LXD"]);
        assert_eq!((list.len(), list.last().map(String::as_str)), (28, Some("None")));
        assert_eq!(line, 23);
    }

    #[test]
    fn older_and_odd_literals_are_read() {
        let old = "CFG_BUILTIN = {\n    'datasource_list': [\n        'NoCloud',\n        # ']' in a comment\n        'ConfigDrive'],\n}\n";
        assert_eq!(
            parse(old),
            Some((vec!["NoCloud".to_owned(), "ConfigDrive".to_owned()], 2))
        );
        let odd = "\"\"\"CFG_BUILTIN = {'datasource_list': ['Wrong']}\n\"\"\"\nCFG_BUILTIN = {'x': ('datasource_list', 1), \"datasource_list\": (\"Config\" \"Drive\",)}";
        assert_eq!(
            parse(odd),
            Some((vec!["ConfigDrive".to_owned()], 3)),
            "a text is no code; texts side by side are one"
        );
    }

    #[test]
    fn what_is_computed_is_not_guessed() {
        assert_eq!(parse("CFG_BUILTIN = {'datasource_list': sources()}"), None);
        assert_eq!(
            parse("CFG_BUILTIN = {'datasource_list': ['NoCloud'] + more}").map(|(list, _)| list),
            None
        );
        assert_eq!(parse("CFG_BUILTIN = {'datasource_list': ['NoCloud', "), None, "cut off");
        assert_eq!(parse("X = {'datasource_list': ['NoCloud']}"), None);
    }

    proptest! {
        #[test]
        fn any_text_ends_without_a_panic(text in "(CFG_BUILTIN|'datasource_list': \\[|['\"#\\\\\n,ä\\]]){0,20}") {
            let _ = parse(&text);
        }
    }
}
