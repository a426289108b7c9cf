//! Which user cloud-init gives the VM's SSH key to (`cloudinit/distros/ug_util.py`, `cloudinit/config/cc_ssh.py`).

use super::{
    config::Config,
    switches::{self, option_bool},
};
use crate::{
    Evidence, Unknown,
    accounts::Plan,
    yaml::{Entry, Key, Kind, Map, Value},
};

/// The user, and where the name was read.
pub(super) struct DefaultUser {
    /// `None` when the key is given to nobody but root.
    pub(super) name: Option<String>,
    /// Does root get the key so that it can be used?
    pub(super) root: bool,
    pub(super) from: Vec<Evidence>,
    pub(super) plan: Plan,
}

/// The default user as the settings have it, before a datasource's own settings are added.
///
/// # Errors
/// `config_not_read` where a template decides at boot, or cloud-init stops with an error.
pub(super) fn default_user(config: &Config) -> Result<DefaultUser, Unknown> {
    if let Some(template) = &config.template {
        return Err(not_read(template));
    }
    let mut from = Vec::new();
    // `user: x` or `user: {name: x}` of old settings is stronger than the distribution's default user, and adds it.
    let old = config.value.entry("user").filter(|entry| is_user(&entry.value));
    let system = config
        .value
        .get("system_info")
        .and_then(|value| value.entry("default_user"));
    let name_of = |entry: &Entry| match &entry.value.kind {
        Kind::Map(map) => map.entry("name").cloned(),
        Kind::Text(_) => Some(entry.clone()),
        _ => None,
    };
    let name = old.and_then(name_of).or_else(|| system.and_then(name_of));
    let lists_default = old.is_some()
        || config
            .value
            .entry("users")
            .is_some_and(|users| names_default(&users.value));
    if let Some(users) = config.value.entry("users") {
        from.push(config.evidence(users.place).value("users"));
    }
    let user = match name {
        Some(entry) if lists_default => {
            let name = entry
                .value
                .text()
                .ok_or_else(|| not_read(&config.evidence(entry.place)))?;
            from.insert(0, config.evidence(entry.place).value(&format!("name: {name}")));
            Some(name.to_owned())
        }
        _ => None,
    };
    let sets_keys = switches::read_sets_keys(config);
    Ok(DefaultUser {
        name: user.filter(|_| sets_keys),
        root: sets_keys && !option_bool(config, "disable_root", true).value,
        from,
        plan: plan(
            config,
            old.and_then(|old| old.value.map()),
            system.and_then(|system| system.value.map()),
        ),
    })
}

/// What the default user is made with: an entry of `users` for it before the old form before the distribution's own.
fn plan(config: &Config, old: Option<&Map>, system: Option<&Map>) -> Plan {
    let listed = config.value.get("users").and_then(Value::list).unwrap_or_default();
    let listed = listed
        .iter()
        .filter_map(Value::map)
        .filter(|map| is_unnamed_or_default(map));
    let layers: Vec<&Map> = listed.chain(old).chain(system).collect();
    let setting = |key: &str| layers.iter().find_map(|map| map.entry(key));
    let text = |key: &str| setting(key).and_then(|entry| Some((entry.value.text()?.to_owned(), entry.place)));
    Plan {
        groups: layers
            .iter()
            .filter_map(|map| map.get("groups"))
            .flat_map(group_names)
            .collect(),
        own_group: text("primary_group").map(|(name, _)| name),
        no_own_group: setting("no_user_group").is_some_and(|entry| switches::says_true(&entry.value)),
        shell: text("shell").map(|(shell, place)| {
            let from = config.evidence(place).value(&format!("shell: {shell}"));
            (shell, from)
        }),
        // Without the setting it is locked (`kwargs.get("lock_passwd", True)`); any value that Python takes for true does.
        locks: setting("lock_passwd").is_none_or(|entry| is_truthy(&entry.value)),
        password_locked: if setting("plain_text_passwd").is_some() {
            Some(false)
        } else {
            let field = text("hashed_passwd").or_else(|| text("passwd"));
            field.map(|(field, _)| field.starts_with('!'))
        },
    }
}

/// A list, or names with commas between.
fn group_names(value: &Value) -> Vec<String> {
    let names: Vec<&str> = match &value.kind {
        Kind::Text(text) => text.split(',').collect(),
        Kind::List(list) => list.iter().filter_map(Value::text).collect(),
        _ => Vec::new(),
    };
    names.iter().map(|name| name.trim().to_owned()).collect()
}

/// As Python's `if` takes a value.
fn is_truthy(value: &Value) -> bool {
    match &value.kind {
        Kind::Null | Kind::Bool(false) | Kind::Int(0) => false,
        Kind::Text(text) => !text.is_empty(),
        _ => true,
    }
}

fn not_read(evidence: &Evidence) -> Unknown {
    Unknown::new("config_not_read").with("path", evidence.path.as_deref().unwrap_or_default())
}

/// A user of the old form that is not empty.
fn is_user(value: &Value) -> bool {
    match &value.kind {
        Kind::Text(name) => !name.is_empty(),
        Kind::Map(map) => !map.entries.is_empty(),
        _ => false,
    }
}

/// Is `default` among the users?
fn names_default(users: &Value) -> bool {
    let is_default = |text: &str| text.split(',').any(|name| name.trim() == "default");
    match &users.kind {
        Kind::Text(text) => is_default(text),
        Kind::List(list) => list.iter().any(|user| match &user.kind {
            Kind::Text(text) => is_default(text),
            Kind::List(names) => names.iter().filter_map(Value::text).any(is_default),
            Kind::Map(map) => is_unnamed_or_default(map),
            _ => false,
        }),
        Kind::Map(map) => map.entries.iter().any(|entry| {
            let counts = match &entry.value.kind {
                Kind::Map(_) => true,
                _ => switches::says_true(&entry.value),
            };
            counts && entry.key == Key::Text("default".to_owned())
        }),
        _ => false,
    }
}

/// A user's settings without a name are the default user's.
fn is_unnamed_or_default(map: &Map) -> bool {
    map.get("name").is_none_or(|name| name.text() == Some("default"))
}
