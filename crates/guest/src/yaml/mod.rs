//! YAML as Python's safe loader (PyYAML) reads it: configuration of cloud-init, netplan and others as a tree of values
//! with lines. The text is hostile input: size, depth, nodes and aliases are bounded, and nothing recurses by them.

mod build;
mod python;
mod scalar;

pub(crate) use build::parse;

/// Deepest nesting that is read. PyYAML itself gives up (`RecursionError`) at some hundred.
pub(crate) const MAX_DEPTH: usize = 64;

/// Most values of one text, those that aliases repeat included.
const MAX_VALUES: usize = 100_000;

/// What came of reading a text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Parsed {
    /// The only document, [`Kind::Null`] when there is none.
    Value(Value),
    /// No valid YAML, or with tags that the safe loader does not know; the line in which that shows.
    Broken(Option<u32>),
    /// Beyond the bounds; what a program makes of it is not known.
    Unclear,
}

/// Where a value was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Place {
    /// Which file; its number is the reader's to give.
    pub(crate) file: u16,
    /// Line, counted from 1.
    pub(crate) line: u32,
}

/// A value and where it was read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Value {
    pub(crate) kind: Kind,
    pub(crate) place: Place,
}

/// What a value is, scalars resolved by YAML 1.1 as PyYAML does.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    Null,
    Bool(bool),
    /// A number outside of this range is [`Kind::Other`].
    Int(i64),
    Text(String),
    List(Vec<Value>),
    Map(Map),
    /// A fraction, a date, bytes, a set and whatever else no setting that is asked for holds.
    Other(String),
}

/// A mapping in its order, each key once.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Map {
    pub(crate) entries: Vec<Entry>,
}

/// One key with its value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key: Key,
    /// Of the key.
    pub(crate) place: Place,
    pub(crate) value: Value,
}

/// A mapping's key; two of the same text and different types are different.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Key {
    Null,
    Bool(bool),
    Int(i64),
    Text(String),
    Other(String),
}

impl Map {
    /// The entry of a text key.
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries
            .iter()
            .find(|entry| matches!(&entry.key, Key::Text(text) if text == key))
    }

    /// The value of a text key.
    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        self.entry(key).map(|entry| &entry.value)
    }
}

impl Value {
    /// The value of a text key; `None` also when this is no mapping.
    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        self.map().and_then(|map| map.get(key))
    }

    /// The entry of a text key.
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        self.map().and_then(|map| map.entry(key))
    }

    pub(crate) fn map(&self) -> Option<&Map> {
        match &self.kind {
            Kind::Map(map) => Some(map),
            _ => None,
        }
    }

    pub(crate) fn list(&self) -> Option<&[Value]> {
        match &self.kind {
            Kind::List(list) => Some(list),
            _ => None,
        }
    }

    pub(crate) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value(text: &str) -> Value {
        match parse(text, 0) {
            Parsed::Value(value) => value,
            other => panic!("{other:?}: {text}"),
        }
    }

    #[test]
    fn a_configuration_is_read_with_its_lines() {
        let value = value("# comment\nusers:\n  - default\n  - name: {a: 1}\n\"x\": yes\n");
        let users = value.entry("users").unwrap();
        assert_eq!((users.place.line, users.value.list().unwrap().len()), (2, 2));
        let second = &users.value.list().unwrap()[1];
        assert_eq!(second.place.line, 4);
        assert_eq!(second.get("name").unwrap().get("a").unwrap().kind, Kind::Int(1));
        assert_eq!(value.get("x").unwrap().kind, Kind::Bool(true), "YAML 1.1 says yes");
    }

    fn shown(value: &Value) -> serde_json::Value {
        let key = |key: &Key| match key {
            Key::Null => "None".to_owned(),
            Key::Bool(true) => "True".to_owned(),
            Key::Bool(false) => "False".to_owned(),
            Key::Int(number) => format!("{number}"),
            Key::Text(text) => format!("'{text}"),
            Key::Other(_) => "other".to_owned(),
        };
        match &value.kind {
            Kind::Null => serde_json::Value::Null,
            Kind::Bool(value) => (*value).into(),
            Kind::Int(number) => (*number).into(),
            Kind::Text(text) => text.clone().into(),
            Kind::Other(_) => serde_json::json!({"": "other"}),
            Kind::List(list) => list.iter().map(shown).collect(),
            Kind::Map(map) => map
                .entries
                .iter()
                .map(|entry| (key(&entry.key), shown(&entry.value)))
                .collect(),
        }
    }

    /// `tests/cloud_init/pyyaml.jsonl` holds PyYAML's own answers; `pyyaml.py` beside it made it.
    #[test]
    fn texts_are_read_as_pyyaml_reads_them() {
        let table = include_str!("../../tests/cloud_init/pyyaml.jsonl");
        let mut differing = Vec::new();
        for line in table.lines() {
            let case: serde_json::Value = serde_json::from_str(line).unwrap();
            let text = case["text"].as_str().unwrap();
            let expected = case.get("value");
            let same = match parse(text, 0) {
                Parsed::Value(value) => Some(&shown(&value)) == expected,
                Parsed::Broken(_) => expected.is_none(),
                // Saying that it is not known is never wrong.
                Parsed::Unclear => true,
            };
            if !same {
                differing.push(format!(
                    "{text:?}\n  expected {expected:?}\n  read {:?}",
                    parse(text, 0)
                ));
            }
        }
        assert!(differing.is_empty(), "{}\n{}", differing.len(), differing.join("\n"));
    }

    #[test]
    fn bombs_end_at_once() {
        let mut aliases = vec!["a0: &a0 [x, x, x, x, x, x, x, x, x, x]".to_owned()];
        for level in 1..20 {
            let above = level - 1;
            let row = vec![format!("*a{above}"); 10].join(", ");
            aliases.push(format!("a{level}: &a{level} [{row}]"));
        }
        let mut nested = String::from("a: &a {x: &x [*a, *x]}\n");
        nested.push_str("b: &b {<<: *a, c: *b}\n");
        let merges: String = (1..40).fold("m0: &m0 {a: 1, b: 2}\n".to_owned(), |text, level| {
            format!(
                "{text}m{level}: &m{level} {{<<: [*m{0}, *m{0}, *m{0}], k{level}: *m{0}}}\n",
                level - 1
            )
        });
        let deep = format!("x: {}{}", "[".repeat(10_000), "]".repeat(10_000));
        let blocks: Vec<String> = (0..10_000)
            .map(|depth| format!("{}a:", " ".repeat(depth % 3000)))
            .collect();
        let blocks = blocks.join(
            "
",
        );
        let dashes = format!("x:\n  {}", "- ".repeat(50_000));
        let wide = format!("list: [{}]", "a,".repeat(300_000));
        for text in [aliases.join("\n"), nested, merges, deep, blocks, dashes, wide] {
            let start = std::time::Instant::now();
            assert!(!matches!(parse(&text, 0), Parsed::Value(_)), "{}", &text[..40]);
            assert!(start.elapsed().as_secs() < 5, "took {:?}", start.elapsed());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
        #[test]
        fn any_text_ends_without_a_panic(text in "([a-c:]|: |\\[|\\]|- |\n|\n  |[ -~\n\t&*!|>]|<<: \\*a|&a ){0,60}") {
            let _ = parse(&text, 0);
        }
    }
}
