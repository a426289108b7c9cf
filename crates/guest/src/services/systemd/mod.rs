//! Which units systemd starts at a normal boot: everything that default.target pulls in (systemd.unit(5)), with what its
//! generators and, at a first boot, the presets add.

mod condition;
mod index;
mod preset;
mod unit;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

pub(crate) use self::{index::UNIT_LIMIT, unit::Entry};
use self::{
    index::{Index, Named},
    preset::{Preset, Presets},
};
use crate::{
    Evidence, Unknown, cloud_init,
    files::{Files, Read},
};

/// Units that one boot starts; a desktop has less than 500.
const MAX_UNITS: usize = 8192;

/// cloud-init's generator adds this target to the boot unless cloud-init is switched off.
const CLOUD_TARGET: &str = "cloud-init.target";

/// Folders of generators, the administrator's first (systemd.generator(7)).
const GENERATORS: &[&str] = &[
    "/etc/systemd/system-generators",
    "/usr/local/lib/systemd/system-generators",
    "/usr/lib/systemd/system-generators",
    "/lib/systemd/system-generators",
];

/// What happens to a unit at boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    /// Started; the unit with aliases resolved, and what starts it.
    Started(String, Vec<Evidence>),
    /// Something pulls it in, but this keeps it from running; the first place is what does.
    Blocked(String, Vec<Evidence>),
    /// Masked, by this place.
    Masked(Evidence),
    /// Nothing pulls it in; the place where a link would.
    Idle(String, Vec<Evidence>),
    /// There is no such unit.
    Missing,
}

/// A unit that asks for another one.
#[derive(Debug, Clone)]
struct Edge {
    to: String,
    /// Can the asking unit not do without it?
    hard: bool,
    place: Evidence,
}

/// What a boot starts.
#[derive(Debug, Default)]
pub(crate) struct Boot {
    index: Index,
    /// Do the presets hold?
    is_first: bool,
    /// Units that are started, each with the unit that asks for it and where.
    reached: BTreeMap<String, Option<(String, Evidence)>>,
    /// Why the rest is not known, if some unit could not be read.
    trouble: Option<Unknown>,
}

impl Boot {
    /// Follows default.target through the whole system.
    pub(crate) fn read(files: &Files<'_>) -> Self {
        let index = Index::read(files);
        let mut boot = Self {
            trouble: index.trouble.clone(),
            index,
            ..Self::default()
        };
        let mut added = boot.note(Self::generated(files));
        match preset::is_first_boot(files) {
            Ok(is_first) => boot.is_first = is_first,
            Err(unknown) => _ = boot.trouble.get_or_insert(unknown),
        }
        if boot.is_first {
            for (unit, edges) in boot.note(boot.enabled_by_presets(files)) {
                added.entry(unit).or_default().extend(edges);
            }
        }
        // Without a default.target systemd goes into the rescue mode.
        let root =
            ["default.target", "rescue.target"]
                .into_iter()
                .find_map(|name| match boot.index.find(files, name) {
                    Ok(Named::Unit(name, _)) => Some(name),
                    _ => None,
                });
        if let Some(root) = root {
            boot.follow(files, &root, &added);
        }
        boot
    }

    /// What happens to a unit.
    ///
    /// # Errors
    /// What could not be read and might start it; `start_condition_not_known`.
    pub(crate) fn state(&self, files: &Files<'_>, name: &str) -> Read<State> {
        let (unit, path) = match self.index.find(files, name)? {
            Named::Unit(unit, path) => (unit, path),
            Named::Masked(place) => return Ok(State::Masked(place)),
            Named::Missing => return self.index.trouble.clone().map_or(Ok(State::Missing), Err),
        };
        if self.reached.contains_key(&unit) {
            let mut places = self.chain(&unit);
            let entries = self.index.entries(files, &unit, &path)?;
            if let Some(place) = condition::blocking(files, &unit, &entries, self.is_first)? {
                places.insert(0, place);
                return Ok(State::Blocked(unit, places));
            }
            return Ok(State::Started(unit, places));
        }
        if let Some(unknown) = &self.trouble {
            return Err(unknown.clone());
        }
        let entries = self.index.entries(files, &unit, &path)?;
        let by = entries
            .iter()
            .filter(|entry| entry.section == "Install" && entry.key == "WantedBy")
            .find_map(|entry| entry.value.split_whitespace().next());
        let link = format!("/etc/systemd/system/{}.wants/{unit}", by.unwrap_or("multi-user.target"));
        Ok(State::Idle(unit, vec![Evidence::path(link)]))
    }

    /// The place that masks a unit or the one that it is an alias of.
    pub(crate) fn mask(&self, files: &Files<'_>, name: &str) -> Read<Option<Evidence>> {
        Ok(match self.index.find(files, name)? {
            Named::Masked(place) => Some(place),
            Named::Unit(..) | Named::Missing => None,
        })
    }

    /// Is this unit part of the boot?
    pub(crate) fn reaches(&self, unit: &str) -> bool {
        self.reached.contains_key(unit)
    }

    /// Every unit that is part of the boot.
    pub(crate) fn units(&self) -> impl Iterator<Item = &str> {
        self.reached.keys().map(String::as_str)
    }

    /// The entries of a unit and its drop-ins, aliases resolved; `None` where there is no such unit or it is masked.
    pub(crate) fn entries(&self, files: &Files<'_>, name: &str) -> Read<Option<Vec<Entry>>> {
        match self.index.find(files, name)? {
            Named::Unit(unit, path) => self.index.entries(files, &unit, &path).map(Some),
            Named::Masked(_) | Named::Missing => Ok(None),
        }
    }

    /// Where a unit is asked for; where a service asks, also what starts that one.
    fn chain(&self, unit: &str) -> Vec<Evidence> {
        const LONGEST: usize = 4;
        let mut places = Vec::new();
        let mut unit = unit;
        while let Some(Some((by, place))) = self.reached.get(unit) {
            places.push(place.clone());
            if unit::suffix(by) == "target" || places.len() == LONGEST {
                break;
            }
            unit = by;
        }
        places
    }

    /// The value, or its default with the reason noted.
    fn note<T: Default>(&mut self, read: Read<T>) -> T {
        read.unwrap_or_else(|unknown| {
            self.trouble.get_or_insert(unknown);
            T::default()
        })
    }

    /// Goes through everything that is asked for.
    fn follow(&mut self, files: &Files<'_>, root: &str, added: &BTreeMap<String, Vec<Edge>>) {
        self.reached = BTreeMap::from([(root.to_owned(), None)]);
        // Units that default.target cannot do without.
        let mut needed = BTreeSet::from([root.to_owned()]);
        let mut failed = false;
        // Units whose wishes are to be followed, those of needed ones first: they are told apart by `needed`.
        let mut waiting = VecDeque::from([root.to_owned()]);
        while let Some(unit) = waiting.pop_front() {
            let edges = self.note(self.edges(files, &unit));
            for edge in edges.iter().chain(added.get(&unit).into_iter().flatten()) {
                let to = match self.index.find(files, &edge.to) {
                    Ok(Named::Unit(to, _)) => to,
                    Ok(named) => {
                        let cannot = matches!(named, Named::Masked(_)) || self.is_plain(&edge.to);
                        failed |= edge.hard && needed.contains(&unit) && cannot;
                        continue;
                    }
                    Err(unknown) => {
                        self.trouble.get_or_insert(unknown);
                        continue;
                    }
                };
                let is_new = !self.reached.contains_key(&to);
                if is_new && self.reached.len() < MAX_UNITS {
                    self.reached
                        .insert(to.clone(), Some((unit.clone(), edge.place.clone())));
                    waiting.push_back(to.clone());
                }
                if edge.hard && needed.contains(&unit) && needed.insert(to.clone()) && !is_new {
                    // Seen before as something merely wanted: once more, now that it is needed.
                    waiting.push_back(to);
                }
            }
        }
        if failed {
            // The boot's own target cannot start, and with it nothing does.
            self.reached.clear();
        }
    }

    /// A unit of another kind or an instance that is not there may be a generator's.
    fn is_plain(&self, name: &str) -> bool {
        let plain = matches!(unit::suffix(name), "service" | "socket" | "target") && !name.contains('@');
        plain && self.index.trouble.is_none()
    }

    /// Everything that a unit asks for, in links first and then in its own words.
    fn edges(&self, files: &Files<'_>, unit: &str) -> Read<Vec<Edge>> {
        let mut edges: Vec<Edge> = self
            .index
            .links(files, unit)?
            .into_iter()
            .map(|(kind, to, place)| Edge {
                to,
                hard: kind == "requires",
                place,
            })
            .collect();
        let Named::Unit(_, path) = self.index.find(files, unit)? else {
            return Ok(edges);
        };
        let entries = self.index.entries(files, unit, &path)?;
        let bare = entries
            .iter()
            .rfind(|entry| entry.section == "Unit" && entry.key == "DefaultDependencies")
            .is_some_and(|entry| matches!(entry.value.as_str(), "no" | "false" | "0" | "off" | "n" | "f"));
        if !bare && matches!(unit::suffix(unit), "service" | "socket" | "timer" | "path") {
            // What they need without saying so ("Default Dependencies" of systemd.service(5) and the others).
            edges.push(Edge {
                to: "sysinit.target".to_owned(),
                hard: true,
                place: Evidence::path(path),
            });
        }
        for entry in entries {
            let hard = match entry.key.as_str() {
                "Requires" | "BindsTo" => true,
                "Wants" | "Upholds" => false,
                _ => continue,
            };
            if entry.section != "Unit" {
                continue;
            }
            for name in entry.value.split_whitespace() {
                if let Some(to) = unit::expand(name, unit)
                    && unit::is_unit(&to)
                {
                    let place = entry.place.clone().value(&format!("{}={name}", entry.key));
                    edges.push(Edge { to, hard, place });
                }
            }
        }
        Ok(edges)
    }

    /// What generators add to the boot, as far as others ask for it here.
    fn generated(files: &Files<'_>) -> Read<BTreeMap<String, Vec<Edge>>> {
        let mut added: BTreeMap<String, Vec<Edge>> = BTreeMap::new();
        if let Some(path) = generator(files, "cloud-init-generator")?
            && cloud_init::switched_off(files)?.is_none()
        {
            added.entry("multi-user.target".to_owned()).or_default().push(Edge {
                to: CLOUD_TARGET.to_owned(),
                hard: false,
                place: Evidence::path(path),
            });
        }
        Ok(added)
    }

    /// What the presets enable at a first boot, by the unit that will ask for it.
    fn enabled_by_presets(&self, files: &Files<'_>) -> Read<BTreeMap<String, Vec<Edge>>> {
        let presets = Presets::read(files)?;
        let mut added: BTreeMap<String, Vec<Edge>> = BTreeMap::new();
        let mut waiting: VecDeque<(String, Evidence)> = VecDeque::new();
        for name in self.index.names().take(MAX_UNITS) {
            if let Preset::Enable(instances, place) = presets.of(name) {
                let place = |unit: &str| {
                    place
                        .clone()
                        .unwrap_or_else(|| Evidence::path("/etc/machine-id").value(unit))
                };
                match name.split_once('@') {
                    Some((prefix, rest)) if rest.starts_with('.') && !instances.is_empty() => waiting.extend(
                        instances
                            .iter()
                            .map(|instance| format!("{prefix}@{instance}{rest}"))
                            .map(|unit| (unit.clone(), place(&unit))),
                    ),
                    _ => waiting.push_back((name.to_owned(), place(name))),
                }
            }
        }
        let mut done = BTreeSet::new();
        while let Some((name, place)) = waiting.pop_front() {
            if done.len() >= MAX_UNITS || !done.insert(name.clone()) {
                continue;
            }
            let Named::Unit(unit, path) = self.index.find(files, &name)? else {
                continue;
            };
            if unit != name {
                continue;
            }
            let entries = self.index.entries(files, &unit, &path)?;
            let words = |key: &'static str| {
                let of_key = entries
                    .iter()
                    .filter(move |entry| entry.section == "Install" && entry.key == key);
                of_key.flat_map(|entry| entry.value.split_whitespace())
            };
            let unit = match (unit::is_template(&unit), words("DefaultInstance").last()) {
                (true, Some(instance)) => unit.replacen('@', &format!("@{instance}"), 1),
                (true, None) => continue,
                (false, _) => unit,
            };
            for (key, hard) in [("WantedBy", false), ("RequiredBy", true), ("UpheldBy", false)] {
                for by in words(key) {
                    let by = match self.index.find(files, by)? {
                        Named::Unit(by, _) => by,
                        Named::Masked(_) | Named::Missing => continue,
                    };
                    added.entry(by).or_default().push(Edge {
                        to: unit.clone(),
                        hard,
                        place: place.clone(),
                    });
                }
            }
            waiting.extend(words("Also").map(|also| (also.to_owned(), place.clone())));
        }
        Ok(added)
    }
}

/// The path of a generator, unless a link to `/dev/null` in a folder of more weight takes it away.
pub(crate) fn generator(files: &Files<'_>, name: &str) -> Read<Option<String>> {
    for folder in GENERATORS {
        let path = format!("{folder}/{name}");
        if files.exists(&path)? {
            let runs = files
                .stat(&path)?
                .is_some_and(|stat| stat.kind == crate::FileKind::File && stat.size > 0);
            return Ok(runs.then_some(path));
        }
    }
    Ok(None)
}

#[cfg(test)]
impl crate::MemoryTree {
    /// The bones of a system with systemd: its init, its usual targets, and a machine-id that makes no first boot.
    pub(crate) fn systemd(self) -> Self {
        let unit = |name: &str| format!("/usr/lib/systemd/system/{name}");
        self.symlink("/lib", "usr/lib")
            .symlink("/sbin", "usr/sbin")
            .symlink("/usr/sbin/init", "/lib/systemd/systemd")
            .program("/usr/lib/systemd/systemd", "")
            .file("/etc/machine-id", "")
            .symlink(&unit("default.target"), "graphical.target")
            .file(&unit("graphical.target"), "[Unit]\nRequires=multi-user.target\n")
            .file(&unit("multi-user.target"), "[Unit]\nRequires=basic.target\n")
            .file(
                &unit("basic.target"),
                "[Unit]\nRequires=sysinit.target\nWants=sockets.target timers.target paths.target\n",
            )
            .file(&unit("sysinit.target"), "[Unit]\nWants=local-fs.target swap.target\n")
            .file(&unit("sockets.target"), "[Unit]\n")
            .file(
                &unit("rescue.target"),
                "[Unit]\nRequires=sysinit.target rescue.service\n",
            )
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::MemoryTree;

    /// Trees with aliases, masks, templates, drop-ins, links of every kind and presets, and what systemd 252 itself
    /// starts of them (`tests/systemd/cases.py`).
    #[test]
    fn a_boot_starts_what_systemd_says() {
        let cases: Vec<Value> = serde_json::from_str(include_str!("../../../tests/systemd/cases.json")).unwrap();
        assert!(cases.len() >= 100);
        for (number, case) in cases.iter().enumerate() {
            let tree = case["tree"].as_object().unwrap();
            let with = tree
                .iter()
                .fold(base(), |made, (path, what)| match what["link"].as_str() {
                    Some(target) => made.symlink(path, target),
                    None => made.file(path, what.as_str().unwrap()),
                });
            let files = Files::new(&with).unwrap();
            let expected: Vec<&str> = case["started"]
                .as_array()
                .unwrap()
                .iter()
                .map(|name| name.as_str().unwrap())
                .collect();
            let found: Vec<&str> = files.boot().units().collect();
            assert_eq!(found, expected, "{number}: {tree:#?}");
        }
    }

    /// What every tree of `tests/systemd/cases.py` has.
    fn base() -> MemoryTree {
        let unit = |name: &str| format!("/usr/lib/systemd/system/{name}");
        MemoryTree::new()
            .symlink("/lib", "usr/lib")
            .symlink(&unit("default.target"), "graphical.target")
            .file(&unit("graphical.target"), "[Unit]\nRequires=multi-user.target\n")
            .file(&unit("multi-user.target"), "[Unit]\nRequires=basic.target\n")
            .file(
                &unit("basic.target"),
                "[Unit]\nRequires=sysinit.target\nWants=sockets.target\n",
            )
            .file(&unit("sysinit.target"), "[Unit]\n")
            .file(&unit("sockets.target"), "[Unit]\n")
            .file(
                &unit("rescue.target"),
                "[Unit]\nRequires=sysinit.target\nWants=rescue.service\n",
            )
            .file(&unit("rescue.service"), "[Service]\n")
    }
}
