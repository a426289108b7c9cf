//! cloud-init's settings as its own code puts them together (`cloudinit.stages.fetch_base_config`): the kernel's command
//! line, the drop-ins in byte order with the last one first, `cloud.cfg`, the built-in values.

use super::{
    SETTINGS_LIMIT, built_in,
    command_line::CommandLine,
    merge::{self, Unclear},
};
use crate::{
    Evidence, FileKind, Unknown,
    files::{Files, Read},
    yaml::{self, Entry, Key, Kind, Map, Parsed, Place, Value},
};

/// Most drop-ins that are read; real systems have a handful, and a hostile image could make every one large.
pub(super) const MAX_DROP_INS: usize = 200;

/// Most datasources of one list; cloud-init knows about thirty.
const MAX_SOURCES: usize = 1000;

/// The key of the list of datasources.
pub(super) const LIST: &str = "datasource_list";

/// All settings, joined, and where each was read.
pub(super) struct Config {
    pub(super) value: Value,
    /// By [`Place::file`].
    files: Vec<String>,
    /// The places that name a list of datasources, the strongest first, without the built-in one.
    pub(super) lists: Vec<Evidence>,
    /// Files that cloud-init skips because they are no valid YAML mapping.
    pub(super) skipped: Vec<Evidence>,
    /// The first file that is a template, of which more is known at boot only.
    pub(super) template: Option<Evidence>,
    /// Why the built-in list is not known.
    pub(super) no_built_in: Option<Unknown>,
    /// Number of the built-in values in `files`.
    built_in: u16,
}

/// Where cloud-init's settings are, `cloud.cfg` and its own module.
pub(super) struct Paths {
    /// `/etc/cloud/cloud.cfg`; FreeBSD's port has it below `/usr/local`.
    pub(super) main: String,
    /// `cloudinit/settings.py`, where one was found.
    pub(super) settings_py: Option<(String, String)>,
}

impl Paths {
    /// The folder of `cloud.cfg`.
    pub(super) fn etc(&self) -> &str {
        self.main.rsplit_once('/').map_or("", |(folder, _)| folder)
    }
}

/// Reads the settings on the disk; what exists only at boot (`/run`) is not among them.
pub(super) fn read(files: &Files<'_>, paths: &Paths, command_line: Option<&CommandLine>) -> Read<Config> {
    let mut reader = Reader {
        files,
        read: Vec::new(),
        lists: Vec::new(),
        skipped: Vec::new(),
        template: None,
    };
    let main = reader.file(&paths.main)?;
    // Found from weak to strong, and told from strong to weak.
    let folder = drop_in_folder(files, &main, &paths.main)?;
    let mut drop_ins = Vec::new();
    for path in drop_in_paths(files, folder.as_deref())? {
        drop_ins.push(reader.file(&path)?);
    }
    let from_command_line = match command_line {
        Some(line) => reader.command_line(line),
        None => Ok(empty()),
    };
    let place = command_line.and_then(|line| line.evidence.path.as_deref());
    let from_command_line = from_command_line.map_err(|Unclear| not_read(place.unwrap_or_default()))?;
    drop_ins.reverse();
    reader.lists.reverse();

    let built_in = u16::try_from(reader.read.len()).unwrap_or(u16::MAX);
    let (defaults, no_built_in) = match built_in_values(paths, built_in) {
        Ok(value) => (value, None),
        Err(unknown) => (system_info(built_in), Some(unknown)),
    };
    let mut read = reader.read;
    read.push(
        paths
            .settings_py
            .as_ref()
            .map(|(path, _)| path.clone())
            .unwrap_or_default(),
    );
    let joined = merge::merge(drop_ins)
        .and_then(|drop_ins| merge::merge(vec![drop_ins, main]))
        .and_then(|etc| merge::merge(vec![from_command_line, etc, defaults]));
    Ok(Config {
        value: joined.map_err(|Unclear| not_read(&paths.main))?,
        files: read,
        lists: reader.lists,
        skipped: reader.skipped,
        template: reader.template,
        no_built_in,
        built_in,
    })
}

fn not_read(path: &str) -> Unknown {
    Unknown::new("config_not_read").with("path", path)
}

fn empty() -> Value {
    Value {
        kind: Kind::Map(Map::default()),
        place: Place::default(),
    }
}

/// `conf_d` of `cloud.cfg`, else `cloud.cfg.d`; `None` for none.
fn drop_in_folder(files: &Files<'_>, main: &Value, path: &str) -> Read<Option<String>> {
    let folder = match main.get("conf_d").map(|value| &value.kind) {
        None => format!("{path}.d"),
        Some(Kind::Text(text)) if text.trim().is_empty() => return Ok(None),
        // cloud-init runs in the root directory.
        Some(Kind::Text(text)) => format!("/{}", text.trim().trim_matches('/')),
        Some(Kind::Null | Kind::Bool(false) | Kind::Int(0)) => return Ok(None),
        // An error that cloud-init does not catch.
        Some(_) => return Err(not_read(path)),
    };
    let stat = files.stat(&folder)?;
    Ok(stat
        .is_some_and(|stat| stat.kind == FileKind::Directory)
        .then_some(folder))
}

/// Paths of the drop-ins in byte order, which is the order of their strength. Hidden ones count.
fn drop_in_paths(files: &Files<'_>, folder: Option<&str>) -> Read<Vec<String>> {
    let Some(folder) = folder else {
        return Ok(Vec::new());
    };
    // Python's `endswith`: `.CFG` is another ending.
    let mut names = files.list(folder)?;
    names.retain(|name| name.as_bytes().ends_with(b".cfg"));
    if names.len() > MAX_DROP_INS {
        return Err(not_read(folder));
    }
    let mut paths = Vec::with_capacity(names.len());
    for name in names {
        let path = format!("{folder}/{name}");
        if files.stat(&path)?.is_some_and(|stat| stat.kind == FileKind::File) {
            paths.push(path);
        }
    }
    Ok(paths)
}

struct Reader<'a, 'f> {
    files: &'a Files<'f>,
    read: Vec<String>,
    lists: Vec<Evidence>,
    skipped: Vec<Evidence>,
    template: Option<Evidence>,
}

impl Reader<'_, '_> {
    /// One file's settings; an empty mapping where cloud-init goes on without the file.
    fn file(&mut self, path: &str) -> Read<Value> {
        let Some(bytes) = self.files.read(path, SETTINGS_LIMIT)? else {
            return Ok(empty());
        };
        // cloud-init stops with an error at what is not UTF-8.
        let text = String::from_utf8(bytes).map_err(|_| not_read(path))?;
        if is_template(&text) && self.template.is_none() {
            self.template = Some(Evidence::path(path).line(1));
        }
        self.parse(&text, &Evidence::path(path))
            .map_err(|Unclear| not_read(path))
    }

    fn command_line(&mut self, line: &CommandLine) -> Result<Value, Unclear> {
        match line.config() {
            Some(text) => self.parse(&text, &line.evidence),
            None => Ok(empty()),
        }
    }

    fn parse(&mut self, text: &str, source: &Evidence) -> Result<Value, Unclear> {
        let file = u16::try_from(self.read.len()).map_err(|_| Unclear)?;
        self.read.push(source.path.clone().unwrap_or_default());
        let value = match yaml::parse(text, file) {
            Parsed::Unclear => return Err(Unclear),
            Parsed::Value(value) if value.map().is_some() => value,
            Parsed::Value(Value { kind: Kind::Null, .. }) => return Ok(empty()),
            // A command line has one line in the file that it stands in.
            Parsed::Broken(line) => {
                let line = source.line.or(line);
                self.skipped.push(Evidence { line, ..source.clone() });
                return Ok(empty());
            }
            Parsed::Value(_) => {
                self.skipped.push(source.clone());
                return Ok(empty());
            }
        };
        if let Some(entry) = value.entry(LIST) {
            self.lists.push(list_evidence(source, text, entry));
        }
        Ok(value)
    }
}

/// `## template: jinja` in the first line, and something that a template would replace.
fn is_template(text: &str) -> bool {
    let first = text.lines().next().unwrap_or_default().trim_start();
    let header = first
        .strip_prefix("##")
        .and_then(|rest| rest.trim_start().strip_prefix("template:"));
    header.is_some_and(|kind| kind.trim().eq_ignore_ascii_case("jinja"))
        && (text.contains("{{") || text.contains("{%") || text.contains("{#"))
}

/// A list as evidence: as written where the line holds nothing else, for a secret may stand beside it, else rebuilt.
fn list_evidence(source: &Evidence, text: &str, entry: &Entry) -> Evidence {
    let rebuilt = match names(&entry.value) {
        Some(names) => format!("{LIST}: [{}]", names.join(", ")),
        None => LIST.to_owned(),
    };
    let index = usize::try_from(entry.place.line)
        .unwrap_or(usize::MAX)
        .saturating_sub(1);
    let line = text.lines().nth(index).unwrap_or_default().trim();
    let bare = |text: &str| -> String { text.chars().filter(|c| !c.is_whitespace()).collect() };
    let value = if bare(line) == bare(&rebuilt) { line } else { &rebuilt };
    // A command line has one line in the file that it stands in.
    let line = source.line.unwrap_or(entry.place.line);
    source.clone().line(line).value(value)
}

/// The names that cloud-init's code goes through; `None` where it stops with an error.
pub(super) fn names(value: &Value) -> Option<Vec<String>> {
    match &value.kind {
        // Python takes a text letter by letter, and no datasource is called by a letter.
        Kind::Null | Kind::Bool(false) | Kind::Int(0) | Kind::Text(_) => Some(Vec::new()),
        Kind::List(list) if list.len() <= MAX_SOURCES => {
            list.iter().map(|value| value.text().map(str::to_owned)).collect()
        }
        Kind::Map(map) if map.entries.len() <= MAX_SOURCES => {
            let keys = map.entries.iter().map(|entry| match &entry.key {
                Key::Text(text) => Some(text.clone()),
                _ => None,
            });
            keys.collect()
        }
        _ => None,
    }
}

/// What `settings.py` says (`CFG_BUILTIN`), as far as it is asked for.
fn built_in_values(paths: &Paths, file: u16) -> Read<Value> {
    let unknown = |path: &str| Unknown::new("built_in_list_not_read").with("path", path);
    let Some((path, text)) = &paths.settings_py else {
        return Err(unknown("cloudinit/settings.py"));
    };
    let (list, line) = built_in::parse(text).ok_or_else(|| unknown(path))?;
    let place = Place { file, line };
    let names = list.into_iter().map(|name| Value {
        kind: Kind::Text(name),
        place,
    });
    let mut value = system_info(file);
    if let Kind::Map(map) = &mut value.kind {
        map.entries.push(Entry {
            key: Key::Text(LIST.to_owned()),
            place,
            value: Value {
                kind: Kind::List(names.collect()),
                place,
            },
        });
    }
    Ok(value)
}

/// The built-in distribution, which is Ubuntu in every release.
fn system_info(file: u16) -> Value {
    let place = Place { file, line: 0 };
    let map = |key: &str, kind: Kind| {
        let entry = Entry {
            key: Key::Text(key.to_owned()),
            place,
            value: Value { kind, place },
        };
        Kind::Map(Map { entries: vec![entry] })
    };
    let kind = map("system_info", map("distro", Kind::Text("ubuntu".to_owned())));
    Value { kind, place }
}

impl Config {
    /// A place as evidence; the built-in values are one as well.
    pub(super) fn evidence(&self, place: Place) -> Evidence {
        let path = self.files.get(usize::from(place.file)).cloned().unwrap_or_default();
        let evidence = Evidence::path(path);
        if place.line == 0 {
            evidence
        } else {
            evidence.line(place.line)
        }
    }

    /// Does a value come from the program itself and from no file of settings?
    pub(super) fn is_built_in(&self, place: Place) -> bool {
        place.file == self.built_in
    }
}
