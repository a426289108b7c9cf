//! How cloud-init puts settings together (`cloudinit/mergers`): the first source is the strongest, lists are replaced as
//! a whole, mappings are joined; a source may ask for another way by `merge_how`.

use std::collections::HashMap;

use crate::yaml::{Entry, Key, Kind, Map, Value};

/// Deepest mappings that are joined; deeper ones are not read from a file at all.
const MAX_DEPTH: usize = crate::yaml::MAX_DEPTH;

/// Most values in what is put together, and most values copied on the way.
const MAX_VALUES: usize = 400_000;

/// cloud-init would stop with an error here, or go on with something that is not followed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unclear;

/// What a mapping's merger does with a key that both sides have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Dict {
    #[default]
    Keep,
    Replace,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum List {
    Append,
    Prepend,
    #[default]
    Replace,
    Keep,
}

/// Which values inside are merged by their own merger instead of being taken as a whole.
#[derive(Debug, Clone, Copy, Default)]
struct Recurse {
    texts: bool,
    lists: bool,
    maps: bool,
}

/// The mergers of one source; what has none is left as it is.
#[derive(Debug, Clone, Copy, Default)]
struct Mergers {
    dict: Option<(Dict, Recurse, bool)>,
    list: Option<(List, Recurse)>,
    /// Whether texts are appended.
    text: Option<bool>,
}

/// Puts settings together, the strongest first (`cloudinit.util.mergemanydict`).
pub(super) fn merge(sources: Vec<Value>) -> Result<Value, Unclear> {
    let mut merged = Value {
        kind: Kind::Map(Map::default()),
        place: sources.first().map(|value| value.place).unwrap_or_default(),
    };
    let mut budget = MAX_VALUES;
    for mut source in sources {
        let is_empty = source.map().is_none_or(|map| map.entries.is_empty());
        if is_empty {
            continue;
        }
        let mergers = take_mergers(&mut source)?;
        merged = mergers.merge(merged, source, 0, &mut budget)?;
    }
    Ok(merged)
}

/// The mergers that a source asks for; the key is taken out.
fn take_mergers(source: &mut Value) -> Result<Mergers, Unclear> {
    let Kind::Map(map) = &mut source.kind else {
        return Err(Unclear);
    };
    let mut asked = None;
    for name in ["merge_how", "merge_type"] {
        if asked.is_some() {
            break;
        }
        if let Some(at) = map
            .entries
            .iter()
            .position(|entry| entry.key == Key::Text(name.to_owned()))
        {
            let value = map.entries.remove(at).value;
            asked = Some(value).filter(|value| value.kind != Kind::Null);
        }
    }
    let named = match asked {
        None => Vec::new(),
        Some(value) => match value.kind {
            Kind::Text(text) => named_in_text(&text)?,
            Kind::List(list) => list.iter().map(named_in_list).collect::<Result<_, _>>()?,
            _ => return Err(Unclear),
        },
    };
    if named.is_empty() {
        // `list()+dict()+str()`
        let maps = Recurse {
            maps: true,
            ..Recurse::default()
        };
        return Ok(Mergers {
            dict: Some((Dict::Keep, maps, false)),
            list: Some((List::Replace, Recurse::default())),
            text: Some(false),
        });
    }
    let mut mergers = Mergers::default();
    for (name, options) in named {
        let has = |option: &str| options.iter().any(|known| known == option);
        let lists = has("recurse_array") || has("recurse_list");
        // The first merger of a kind is the one that is asked.
        match name.strip_prefix("m_").unwrap_or(&name) {
            "dict" => {
                let recurse = Recurse {
                    texts: has("recurse_str"),
                    lists,
                    maps: true,
                };
                let method = if has("replace") { Dict::Replace } else { Dict::Keep };
                mergers.dict.get_or_insert((method, recurse, has("allow_delete")));
            }
            "list" => {
                let recurse = Recurse {
                    texts: has("recurse_str"),
                    lists,
                    maps: has("recurse_dict"),
                };
                let methods = [
                    ("append", List::Append),
                    ("prepend", List::Prepend),
                    ("replace", List::Replace),
                    ("no_replace", List::Keep),
                ];
                let method = methods.iter().find(|(name, _)| has(name)).map(|(_, method)| *method);
                mergers.list.get_or_insert((method.unwrap_or_default(), recurse));
            }
            "str" => {
                mergers.text.get_or_insert(has("append"));
            }
            _ => return Err(Unclear),
        }
    }
    Ok(mergers)
}

type Named = (String, Vec<String>);

/// `list(append)+dict(recurse_array)+str()`.
fn named_in_text(text: &str) -> Result<Vec<Named>, Unclear> {
    let mut named = Vec::new();
    for part in text.split('+') {
        let part = part.to_lowercase().trim().replace('-', "_");
        if part.is_empty() {
            continue;
        }
        let (name, options) = part
            .strip_suffix(')')
            .and_then(|part| part.split_once('('))
            .ok_or(Unclear)?;
        if !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Err(Unclear);
        }
        let options = options.split(',').map(str::trim).filter(|option| !option.is_empty());
        named.push((name.to_owned(), options.map(str::to_owned).collect()));
    }
    Ok(named)
}

/// `{name: list, settings: [append]}` or `[list, append]`.
fn named_in_list(value: &Value) -> Result<Named, Unclear> {
    let texts = |values: &[Value]| -> Result<Vec<String>, Unclear> {
        let texts = values
            .iter()
            .map(|value| value.text().map(str::to_owned).ok_or(Unclear));
        texts.collect()
    };
    match &value.kind {
        Kind::Map(map) => {
            let name = map.get("name").and_then(Value::text).ok_or(Unclear)?;
            let settings = map.get("settings").and_then(Value::list).ok_or(Unclear)?;
            Ok((name.replace('-', "_").trim().to_owned(), texts(settings)?))
        }
        Kind::List(list) => {
            let mut texts = texts(list)?.into_iter();
            Ok((texts.next().ok_or(Unclear)?, texts.collect()))
        }
        _ => Err(Unclear),
    }
}

impl Mergers {
    /// Joins a weaker value into a stronger one. Recursion is bounded by [`MAX_DEPTH`].
    fn merge(&self, strong: Value, weak: Value, depth: usize, budget: &mut usize) -> Result<Value, Unclear> {
        if depth > MAX_DEPTH {
            return Err(Unclear);
        }
        let (place, weak_place) = (strong.place, weak.place);
        match (strong.kind, self) {
            (Kind::Map(map), Mergers { dict: Some(how), .. }) => {
                let Kind::Map(weak) = weak.kind else {
                    return Ok(Value {
                        kind: Kind::Map(map),
                        place,
                    });
                };
                let kind = Kind::Map(self.merge_maps(map, weak, *how, depth, budget)?);
                Ok(Value { kind, place })
            }
            (Kind::List(list), Mergers { list: Some(how), .. }) => {
                let kind = self.merge_lists(list, weak, *how, depth, budget)?;
                let place = if matches!(kind, Kind::List(_)) {
                    place
                } else {
                    weak_place
                };
                Ok(Value { kind, place })
            }
            (Kind::Text(text), Mergers { text: Some(append), .. }) => match (append, weak.kind) {
                (true, Kind::Text(more)) => {
                    *budget = budget.checked_sub(text.len() / 64 + 1).ok_or(Unclear)?;
                    let kind = Kind::Text(text + &more);
                    Ok(Value { kind, place })
                }
                // Python adds nothing else to a text.
                (true, _) => Err(Unclear),
                (false, kind) => Ok(Value {
                    kind,
                    place: weak_place,
                }),
            },
            (kind, _) => Ok(Value { kind, place }),
        }
    }

    fn merge_maps(
        &self,
        mut strong: Map,
        weak: Map,
        (method, recurse, may_delete): (Dict, Recurse, bool),
        depth: usize,
        budget: &mut usize,
    ) -> Result<Map, Unclear> {
        *budget = budget
            .checked_sub(strong.entries.len() + weak.entries.len())
            .ok_or(Unclear)?;
        let index: HashMap<Key, usize> = strong.entries.iter().map(|entry| entry.key.clone()).zip(0..).collect();
        let mut deleted = false;
        for entry in weak.entries {
            let Some(known) = index.get(&entry.key).and_then(|at| strong.entries.get_mut(*at)) else {
                strong.entries.push(entry);
                continue;
            };
            if entry.value.kind == Kind::Null && may_delete {
                known.key = Key::Other(String::new());
                deleted = true;
            } else if method == Dict::Replace {
                *known = entry;
            } else if recurse.takes(&entry.value) {
                let strong = std::mem::replace(
                    &mut known.value,
                    Value {
                        kind: Kind::Null,
                        place: known.place,
                    },
                );
                let from_weak = strong.place;
                known.value = self.merge(strong, entry.value, depth + 1, budget)?;
                if known.value.place != from_weak {
                    known.place = entry.place;
                }
            }
        }
        if deleted {
            strong
                .entries
                .retain(|entry: &Entry| entry.key != Key::Other(String::new()));
        }
        Ok(strong)
    }

    fn merge_lists(
        &self,
        mut strong: Vec<Value>,
        weak: Value,
        (method, recurse): (List, Recurse),
        depth: usize,
        budget: &mut usize,
    ) -> Result<Kind, Unclear> {
        let mut weak = match weak.kind {
            Kind::List(list) => list,
            kind if method == List::Replace => return Ok(kind),
            _ => return Err(Unclear),
        };
        *budget = budget.checked_sub(strong.len() + weak.len()).ok_or(Unclear)?;
        match method {
            List::Append => strong.append(&mut weak),
            List::Prepend => {
                weak.append(&mut strong);
                strong = weak;
            }
            List::Keep => {}
            List::Replace => {
                for (strong, weak) in strong.iter_mut().zip(weak) {
                    if recurse.takes(&weak) {
                        let nothing = Value {
                            kind: Kind::Null,
                            place: strong.place,
                        };
                        let value = std::mem::replace(strong, nothing);
                        *strong = self.merge(value, weak, depth + 1, budget)?;
                    } else {
                        *strong = weak;
                    }
                }
            }
        }
        Ok(Kind::List(strong))
    }
}

impl Recurse {
    fn takes(self, value: &Value) -> bool {
        match value.kind {
            Kind::Text(_) => self.texts,
            Kind::List(_) => self.lists,
            Kind::Map(_) => self.maps,
            _ => false,
        }
    }
}
