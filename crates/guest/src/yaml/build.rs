//! From a parser's events to a tree of values, with a stack of our own instead of recursion.

use std::collections::{BTreeSet, HashMap};

use granit_parser::{Event, Marker, Options, Parser, ScalarStyle, Tag};

use super::{Entry, Key, Kind, MAX_DEPTH, MAX_VALUES, Map, Parsed, Place, Value, python, scalar};

/// The tags that both YAML and the safe loader know (`tag:yaml.org,2002:`).
const CORE: &str = "tag:yaml.org,2002:";

/// Why a text gives no value.
enum Fault {
    Broken,
    Unclear,
}

/// Reads a text of one document; `file` is put into every [`Place`].
pub(crate) fn parse(text: &str, file: u16) -> Parsed {
    if python::rejects(text) {
        return Parsed::Broken(None);
    }
    let mut line = 0;
    match build(text, file, &mut line) {
        Ok(value) => Parsed::Value(value),
        Err(Fault::Broken) => match python::with_comments_apart(text).map(|text| build(&text, file, &mut line)) {
            Some(Ok(value)) => Parsed::Value(value),
            Some(Err(Fault::Unclear)) => Parsed::Unclear,
            Some(Err(Fault::Broken)) | None => Parsed::Broken(Some(line).filter(|line| *line > 0)),
        },
        Err(Fault::Unclear) => Parsed::Unclear,
    }
}

/// A collection that is not finished.
enum Open {
    List(Vec<Value>),
    Map {
        entries: Vec<Entry>,
        index: HashMap<Key, usize>,
        /// The key that waits for its value; `Err` for `<<`.
        key: Option<(Result<Key, ()>, Place)>,
        /// Mappings merged by `<<`, the strongest first.
        merged: Vec<Map>,
    },
    /// A collection whose values nobody asks for (`!!set`, `!!omap`).
    Other,
}

struct Frame {
    open: Open,
    anchor: usize,
    place: Place,
    /// Values in it so far.
    values: usize,
}

struct Builder {
    frames: Vec<Frame>,
    anchors: HashMap<usize, (Value, usize)>,
    /// Values kept so far.
    values: usize,
    root: Option<Value>,
}

/// Reads events until one is at fault; `line` is then where that was noticed, counted from 1.
fn build(text: &str, file: u16, line: &mut u32) -> Result<Value, Fault> {
    let mut options = Options::default();
    options.set_emit_comments(false);
    let mut builder = Builder {
        frames: Vec::new(),
        anchors: HashMap::new(),
        values: 0,
        root: None,
    };
    let mut documents = 0;
    let mut tabs = python::Tabs::new(text);
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| {
            *line = numbered(error.marker());
            Fault::Broken
        })?;
        *line = numbered(&span.start);
        let place = Place { file, line: *line };
        match event {
            Event::DocumentStart(..) => {
                documents += 1;
                if documents > 1 {
                    return Err(Fault::Broken);
                }
            }
            Event::Scalar(scalar, style, anchor, tag) => {
                if style != ScalarStyle::Plain {
                    tabs.allow(span.start.byte_offset(), span.end.byte_offset());
                }
                builder.scalar(&scalar, style, anchor, tag.as_deref(), place)?;
            }
            Event::SequenceStart(_, anchor, tag) => {
                let open = match core_tag(tag.as_deref())? {
                    None | Some("seq") => Open::List(Vec::new()),
                    Some("omap" | "pairs") => Open::Other,
                    Some(_) => return Err(Fault::Broken),
                };
                builder.start(open, anchor, place)?;
            }
            Event::MappingStart(_, anchor, tag) => {
                let open = match core_tag(tag.as_deref())? {
                    None | Some("map") => Open::Map {
                        entries: Vec::new(),
                        index: HashMap::new(),
                        key: None,
                        merged: Vec::new(),
                    },
                    Some("set") => Open::Other,
                    Some(_) => return Err(Fault::Broken),
                };
                builder.start(open, anchor, place)?;
            }
            Event::SequenceEnd | Event::MappingEnd => builder.end()?,
            Event::Alias(anchor) => {
                // Not there yet: the value contains itself, or the parser is at fault.
                let (value, values) = builder.anchors.get(&anchor).cloned().ok_or(Fault::Unclear)?;
                builder.count(values)?;
                builder.put(value, values, place, false)?;
            }
            _ => {}
        }
    }
    if let Some(tab) = tabs.left() {
        *line = tab;
        return Err(Fault::Broken);
    }
    Ok(builder.root.unwrap_or(Value {
        kind: Kind::Null,
        place: Place { file, line: 1 },
    }))
}

fn numbered(marker: &Marker) -> u32 {
    u32::try_from(marker.line()).unwrap_or(u32::MAX)
}

/// The suffix of a core tag; other tags have no constructor.
fn core_tag(tag: Option<&Tag>) -> Result<Option<&str>, Fault> {
    match tag {
        None => Ok(None),
        Some(tag) if tag.handle() == CORE => Ok(Some(tag.suffix())),
        // The non-specific tag: of a collection the default.
        Some(tag) if tag.handle().len() + tag.suffix().len() == 1 => Ok(None),
        Some(tag) => match tag.handle().strip_prefix(CORE) {
            // A handle that already holds a part of the suffix is odd enough.
            Some(_) => Err(Fault::Unclear),
            None if format!("{}{}", tag.handle(), tag.suffix()).starts_with(CORE) => Err(Fault::Unclear),
            None => Err(Fault::Broken),
        },
    }
}

impl Builder {
    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        place: Place,
    ) -> Result<(), Fault> {
        let plain = style == ScalarStyle::Plain;
        let merge = plain && tag.is_none() && text == "<<";
        let kind = match tag {
            None if plain => scalar::plain(text),
            None => Some(Kind::Text(text.to_owned())),
            Some(tag) => match core_tag(Some(tag))? {
                Some(suffix) => scalar::tagged(suffix, text),
                // PyYAML takes the non-specific tag for none at all.
                None if plain => scalar::plain(text),
                None => Some(Kind::Text(text.to_owned())),
            },
        };
        let value = Value {
            kind: kind.ok_or(Fault::Broken)?,
            place,
        };
        self.count(1)?;
        if anchor > 0 {
            self.anchors.insert(anchor, (value.clone(), 1));
            self.count(1)?;
        }
        self.put(value, 1, place, merge)
    }

    fn start(&mut self, open: Open, anchor: usize, place: Place) -> Result<(), Fault> {
        if self.frames.len() >= MAX_DEPTH {
            return Err(Fault::Unclear);
        }
        self.count(1)?;
        self.frames.push(Frame {
            open,
            anchor,
            place,
            values: 1,
        });
        Ok(())
    }

    fn end(&mut self) -> Result<(), Fault> {
        let Some(frame) = self.frames.pop() else {
            return Err(Fault::Broken);
        };
        let kind = match frame.open {
            Open::List(list) => Kind::List(list),
            Open::Other => Kind::Other(String::new()),
            Open::Map { entries, merged, .. } => Kind::Map(flatten(entries, merged)),
        };
        let value = Value {
            kind,
            place: frame.place,
        };
        if frame.anchor > 0 {
            self.anchors.insert(frame.anchor, (value.clone(), frame.values));
            self.count(frame.values)?;
        }
        self.put(value, frame.values, frame.place, false)
    }

    /// Counts values that are kept: also once more for each that an anchor keeps.
    fn count(&mut self, values: usize) -> Result<(), Fault> {
        self.values = self.values.saturating_add(values);
        if self.values > MAX_VALUES {
            Err(Fault::Unclear)
        } else {
            Ok(())
        }
    }

    /// Puts a finished value where it belongs.
    fn put(&mut self, value: Value, values: usize, place: Place, merge: bool) -> Result<(), Fault> {
        let Some(frame) = self.frames.last_mut() else {
            self.root = Some(value);
            return Ok(());
        };
        frame.values = frame.values.saturating_add(values);
        match &mut frame.open {
            Open::List(list) => list.push(value),
            Open::Other => {}
            Open::Map {
                entries,
                index,
                key,
                merged,
            } => match key.take() {
                None if merge => *key = Some((Err(()), place)),
                None => *key = Some((Ok(scalar::key(value.kind).ok_or(Fault::Broken)?), place)),
                Some((Err(()), _)) => merged.extend(merged_maps(value)?),
                Some((Ok(key), place)) => {
                    // The last of a repeated key holds; its place is where the value stands.
                    if let Some(entry) = index.get(&key).and_then(|at| entries.get_mut(*at)) {
                        *entry = Entry { key, place, value };
                    } else {
                        index.insert(key.clone(), entries.len());
                        entries.push(Entry { key, place, value });
                    }
                }
            },
        }
        Ok(())
    }
}

/// What `<<` names: a mapping, or a list of them in which the first is the strongest.
fn merged_maps(value: Value) -> Result<Vec<Map>, Fault> {
    match value.kind {
        Kind::Map(map) => Ok(vec![map]),
        Kind::List(list) => list
            .into_iter()
            .map(|value| match value.kind {
                Kind::Map(map) => Ok(map),
                _ => Err(Fault::Broken),
            })
            .collect(),
        _ => Err(Fault::Broken),
    }
}

/// A mapping's own keys are stronger than merged ones.
fn flatten(mut entries: Vec<Entry>, merged: Vec<Map>) -> Map {
    if !merged.is_empty() {
        let mut known: BTreeSet<Key> = entries.iter().map(|entry| entry.key.clone()).collect();
        for map in merged {
            for entry in map.entries {
                if known.insert(entry.key.clone()) {
                    entries.push(entry);
                }
            }
        }
    }
    Map { entries }
}
