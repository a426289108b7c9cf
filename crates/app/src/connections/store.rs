//! The connections that a person has set up, in `connections.json` beside the settings. No secret is in it. What a newer program
//! wrote there stays, also where this one does not understand it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value};

use super::{ObjectStorage, unknown};
use crate::{Error, whole_file};

/// The connections' file. Read anew at each use: it is small, and another process may have written it.
pub(super) struct Store {
    path: PathBuf,
}

/// What the file says of one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stored {
    Known(Box<ObjectStorage>),
    /// Of a newer program, or damaged by hand: what it is called, and why it cannot be used (`connection_unreadable`).
    Strange(String, Error),
}

impl Store {
    /// The connections of the program whose data is in `folder`.
    pub(super) fn new(folder: &Path) -> Self {
        Self {
            path: folder.join("connections.json"),
        }
    }

    /// All of them by id.
    ///
    /// # Errors
    /// Code `connections_unreadable`.
    pub(super) fn all(&self) -> Result<BTreeMap<String, Stored>, Error> {
        let all = self.read()?.into_iter();
        Ok(all
            .map(|(id, value)| {
                let stored = understood(&id, value);
                (id, stored)
            })
            .collect())
    }

    /// One of them.
    ///
    /// # Errors
    /// Codes `connection_unknown`, `connection_unreadable`, `connections_unreadable`.
    pub(super) fn one(&self, id: &str) -> Result<ObjectStorage, Error> {
        match understood(id, self.read()?.remove(id).ok_or_else(|| unknown(id))?) {
            Stored::Known(storage) => Ok(*storage),
            Stored::Strange(_, error) => Err(error),
        }
    }

    /// Adds one, and returns its id: none that is `used`, so that what still goes by the id of one that was removed does not go by this one.
    ///
    /// # Errors
    /// Codes `connection_name_taken`, `connections_unreadable`, `settings_not_written`.
    pub(super) fn add(&self, storage: &ObjectStorage, used: &BTreeSet<String>) -> Result<String, Error> {
        self.change(|all| {
            check_name(&storage.name, None, all)?;
            let id = super::id::new(&storage.name, |id| all.contains_key(id) || used.contains(id));
            all.insert(id.clone(), Value::Object(self.fields(storage)?));
            Ok(id)
        })
    }

    /// Changes one, and returns what it was.
    ///
    /// # Errors
    /// As [`Store::add`]; code `connection_unknown`.
    pub(super) fn set(&self, id: &str, storage: &ObjectStorage) -> Result<Value, Error> {
        self.change(|all| {
            check_name(&storage.name, Some(id), all)?;
            let stored = all.get_mut(id).ok_or_else(|| unknown(id))?;
            let before = stored.clone();
            let fields = self.fields(storage)?;
            match stored {
                // What this program does not know stays with it.
                Value::Object(kept) => kept.extend(fields),
                other => *other = Value::Object(fields),
            }
            Ok(before)
        })
    }

    /// Makes one again what [`Store::set`] found.
    pub(super) fn restore(&self, id: &str, before: Value) -> Result<(), Error> {
        self.change(|all| {
            all.insert(id.to_owned(), before);
            Ok(())
        })
    }

    /// Takes one out.
    ///
    /// # Errors
    /// Codes `connection_unknown`, `connections_unreadable`, `settings_not_written`.
    pub(super) fn remove(&self, id: &str) -> Result<(), Error> {
        self.change(|all| all.remove(id).map(drop).ok_or_else(|| unknown(id)))
    }

    fn read(&self) -> Result<Map<String, Value>, Error> {
        let unreadable = |cause: &dyn std::fmt::Display| {
            Error::new("connections_unreadable")
                .with("path", self.path.display())
                .with("cause", cause)
        };
        match fs::read(&self.path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|cause| unreadable(&cause)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Map::new()),
            Err(error) => Err(unreadable(&error)),
        }
    }

    /// Reads, changes and writes, with no other process in between. A file that cannot be read is not written.
    fn change<T>(&self, change: impl FnOnce(&mut Map<String, Value>) -> Result<T, Error>) -> Result<T, Error> {
        let _alone = whole_file::alone(&self.path).map_err(|cause| self.not_written(&cause))?;
        let before = self.read()?;
        let mut all = before.clone();
        let answer = change(&mut all)?;
        if all != before {
            let json = serde_json::to_vec_pretty(&all).map_err(|cause| self.not_written(&cause))?;
            whole_file::write(&self.path, &json).map_err(|cause| self.not_written(&cause))?;
        }
        Ok(answer)
    }

    fn fields(&self, storage: &ObjectStorage) -> Result<Map<String, Value>, Error> {
        match serde_json::to_value(storage) {
            Ok(Value::Object(fields)) => Ok(fields),
            Ok(_) => Err(self.not_written(&"")),
            Err(cause) => Err(self.not_written(&cause)),
        }
    }

    fn not_written(&self, cause: &dyn std::fmt::Display) -> Error {
        Error::new("settings_not_written")
            .with("path", self.path.display())
            .with("cause", cause)
            .retryable()
    }
}

fn understood(id: &str, value: Value) -> Stored {
    let name = name(&value).unwrap_or(id).to_owned();
    serde_json::from_value(value).map_or_else(
        |cause| {
            let error = Error::new("connection_unreadable")
                .with("connection", id)
                .with("cause", cause);
            Stored::Strange(name, error)
        },
        |storage| Stored::Known(Box::new(storage)),
    )
}

fn name(value: &Value) -> Option<&str> {
    value.get("name").and_then(Value::as_str)
}

/// Two of the same name could not be told apart where one of them is chosen.
fn check_name(wished: &str, id: Option<&str>, all: &Map<String, Value>) -> Result<(), Error> {
    let taken = all.iter().any(|(other, value)| {
        Some(other.as_str()) != id && name(value).is_some_and(|name| name.to_lowercase() == wished.to_lowercase())
    });
    if taken {
        Err(Error::new("connection_name_taken").with("name", wished))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::{super::cleaned::tests::storage, *};

    fn named(name: &str) -> ObjectStorage {
        ObjectStorage {
            name: name.to_owned(),
            ..storage()
        }
    }

    #[test]
    fn what_a_newer_program_wrote_survives_a_change_by_this_one() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path());
        let id = store.add(&named("Work"), &BTreeSet::new()).unwrap();
        let mut newer = store.read().unwrap();
        newer[&id]["of_a_newer_program"] = "kept".into();
        newer.insert(
            "openstack".into(),
            serde_json::json!({"name": "Own cloud", "kind": "openstack"}),
        );
        fs::write(&store.path, serde_json::to_vec(&newer).unwrap()).unwrap();

        let changed = ObjectStorage {
            region: "eu-2".into(),
            ..named("Work")
        };
        store.set(&id, &changed).unwrap();
        store.add(&named("Home"), &BTreeSet::new()).unwrap();
        let kept = store.read().unwrap();
        assert_eq!(kept[&id]["of_a_newer_program"], "kept");
        assert_eq!(kept[&id]["region"], "eu-2");
        assert_eq!(kept["openstack"], newer["openstack"]);

        let all = store.all().unwrap();
        assert_eq!(all[&id], Stored::Known(Box::new(changed)));
        let Stored::Strange(name, error) = &all["openstack"] else {
            panic!("{:?}", all["openstack"])
        };
        assert_eq!(
            (name.as_str(), error.code.as_str()),
            ("Own cloud", "connection_unreadable")
        );
        assert_eq!(store.one("openstack").unwrap_err().code, "connection_unreadable");
        store.remove("openstack").unwrap();
        assert_eq!(store.one("openstack").unwrap_err().code, "connection_unknown");
    }

    #[test]
    fn a_file_that_cannot_be_read_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path());
        for damaged in ["", "{", "[]", "{\"a\": 1} and more"] {
            fs::write(&store.path, damaged).unwrap();
            assert_eq!(store.all().unwrap_err().code, "connections_unreadable", "{damaged}");
            assert_eq!(
                store.add(&storage(), &BTreeSet::new()).unwrap_err().code,
                "connections_unreadable"
            );
            assert_eq!(store.remove("a").unwrap_err().code, "connections_unreadable");
            assert_eq!(fs::read_to_string(&store.path).unwrap(), damaged);
        }
    }

    #[test]
    fn processes_that_add_at_once_lose_nothing_and_get_ids_of_their_own() {
        let folder = tempfile::tempdir().unwrap();
        let ids: Vec<String> = thread::scope(|scope| {
            // All are begun before the first is waited for.
            let adding = ["Büro", "Buero", "büro!", "BÜRO?", "buero."].map(|name| {
                let folder = folder.path();
                scope.spawn(move || Store::new(folder).add(&named(name), &BTreeSet::new()).unwrap())
            });
            adding.map(|added| added.join().unwrap()).into()
        });
        let mut kept: Vec<String> = Store::new(folder.path()).all().unwrap().into_keys().collect();
        kept.sort();
        assert_eq!(kept, ["buero", "buero-2", "buero-3", "buero-4", "buero-5"]);
        assert_eq!(ids.len(), kept.len());
    }

    #[test]
    fn an_id_that_something_still_goes_by_is_not_given_again() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path());
        let used = BTreeSet::from(["work".to_owned(), "work-2".to_owned()]);
        assert_eq!(store.add(&named("Work"), &used).unwrap(), "work-3");
    }

    #[test]
    fn a_name_is_given_once_however_it_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path());
        let id = store.add(&named("Büro"), &BTreeSet::new()).unwrap();
        assert_eq!(
            store.add(&named("BÜRO"), &BTreeSet::new()).unwrap_err().code,
            "connection_name_taken"
        );
        store.set(&id, &named("büro")).unwrap();
        let other = store.add(&named("Keller"), &BTreeSet::new()).unwrap();
        assert_eq!(
            store.set(&other, &named("Büro")).unwrap_err().code,
            "connection_name_taken"
        );
    }
}
