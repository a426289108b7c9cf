//! Single settings of cloud-init that matter on a new VM, each with the default that its code has.

use super::{config::Config, seeds::is_true};
use crate::{
    Evidence, FileKind,
    facts::{Interface, Setting, Switches},
    files::{Files, Read},
    network::settings,
    yaml::{Kind, Value},
};

/// Reads all switches from the joined settings.
pub(super) fn read(files: &Files<'_>, config: &Config) -> Read<Switches> {
    Ok(Switches {
        preserve_hostname: option_bool(config, "preserve_hostname", false),
        manage_etc_hosts: manage_etc_hosts(config),
        ssh_deletekeys: setting(config, "ssh_deletekeys", true, |value| Some(is_true(value))),
        disable_root: option_bool(config, "disable_root", true),
        ssh_pwauth: setting(config, "ssh_pwauth", None, |value| {
            Some(if says_true(value) {
                Some(true)
            } else {
                says_false(value).then_some(false)
            })
        }),
        grows_partition: grows_partition(files, config)?,
        grows_filesystem: grows_filesystem(config),
        makes_users: module(config, "users-groups"),
        sets_keys: module(config, "ssh"),
        imports_keys: option_bool(config, "allow_public_ssh_keys", true),
    })
}

/// Does the module run that puts keys in place?
pub(super) fn read_sets_keys(config: &Config) -> bool {
    module(config, "ssh").value
}

/// `network: {config: disabled}` of the settings, which cloud-init asks before it asks a datasource.
pub(super) fn network_disabled(config: &Config) -> Setting<bool> {
    let entry = config.value.get("network").and_then(|network| network.entry("config"));
    match entry {
        Some(entry) => Setting {
            value: entry.value.text() == Some("disabled"),
            from: Some(config.evidence(entry.place)),
        },
        None => Setting {
            value: false,
            from: None,
        },
    }
}

/// Other settings of `network`: by its own order (`network_config_sources`) cloud-init takes them before a datasource's.
pub(super) fn network_settings(config: &Config) -> Read<Option<Vec<Interface>>> {
    let Some(entry) = config.value.entry("network") else {
        return Ok(None);
    };
    // A mapping may stand in one of the same name.
    let network = entry.value.get("network").unwrap_or(&entry.value);
    let is_disabled = network.get("config").and_then(Value::text) == Some("disabled");
    if is_disabled || network.kind == Kind::Null {
        return Ok(None);
    }
    let path = config.evidence(entry.place).path.unwrap_or_default();
    settings::interfaces(network, &path).map(Some)
}

/// `cloudinit.util.is_true`.
pub(super) fn says_true(value: &Value) -> bool {
    match &value.kind {
        Kind::Bool(value) => *value,
        Kind::Int(value) => *value == 1,
        Kind::Text(text) => matches!(text.trim().to_lowercase().as_str(), "true" | "1" | "on" | "yes"),
        _ => false,
    }
}

/// `cloudinit.util.is_false`.
fn says_false(value: &Value) -> bool {
    match &value.kind {
        Kind::Bool(value) => !*value,
        Kind::Int(value) => *value == 0,
        Kind::Text(text) => matches!(text.trim().to_lowercase().as_str(), "off" | "0" | "no" | "false"),
        _ => false,
    }
}

/// `cloudinit.util.get_cfg_option_bool`.
pub(super) fn option_bool(config: &Config, key: &str, default: bool) -> Setting<bool> {
    setting(config, key, default, |value| Some(says_true(value)))
}

/// A setting at the top; `None` of `read` leaves the default.
fn setting<T>(config: &Config, key: &str, default: T, read: impl Fn(&Value) -> Option<T>) -> Setting<T> {
    let found = config.value.entry(key);
    match found.and_then(|entry| Some((read(&entry.value)?, entry.place))) {
        Some((value, place)) => Setting {
            value,
            from: Some(config.evidence(place)),
        },
        None => Setting {
            value: default,
            from: None,
        },
    }
}

/// As the module `update_etc_hosts` asks for it.
fn manage_etc_hosts(config: &Config) -> Setting<String> {
    setting(config, "manage_etc_hosts", "false".to_owned(), |value| {
        Some(match value.text() {
            Some("template") => "template".to_owned(),
            Some("localhost") => "localhost".to_owned(),
            _ => says_true(value).to_string(),
        })
    })
}

/// Is a module among those that run, in whatever stage? The place is the list's.
fn module(config: &Config, wanted: &str) -> Setting<bool> {
    let mut from: Option<Evidence> = None;
    for stage in ["cloud_init_modules", "cloud_config_modules", "cloud_final_modules"] {
        let Some(entry) = config.value.entry(stage) else {
            continue;
        };
        from.get_or_insert_with(|| config.evidence(entry.place).value(stage));
        for item in entry.value.list().unwrap_or_default() {
            // A name, a list of name and frequency, or a mapping with both.
            let name = match &item.kind {
                Kind::Text(name) => Some(name.as_str()),
                Kind::List(list) => list.first().and_then(Value::text),
                Kind::Map(map) => map.get("name").and_then(Value::text),
                _ => None,
            };
            let name = name.unwrap_or_default().trim().replace('_', "-");
            let name = name.strip_prefix("cc-").unwrap_or(&name).to_owned();
            if name == wanted {
                return Setting {
                    value: true,
                    from: Some(config.evidence(item.place).value(&name)),
                };
            }
        }
    }
    Setting { value: false, from }
}

/// The module, its mode, and the file that an image's maker may have put there.
fn grows_partition(files: &Files<'_>, config: &Config) -> Read<Setting<bool>> {
    const SWITCH: &str = "/etc/growroot-disabled";
    let module = module(config, "growpart");
    if !module.value {
        return Ok(module);
    }
    let own = config.value.get("growpart");
    if let Some(mode) = own
        .and_then(|own| own.entry("mode"))
        .filter(|mode| says_false(&mode.value))
    {
        return Ok(Setting {
            value: false,
            from: Some(config.evidence(mode.place).value("mode: off")),
        });
    }
    let heeds_switch = !own
        .and_then(|own| own.get("ignore_growroot_disabled"))
        .is_some_and(says_true);
    if heeds_switch && files.stat(SWITCH)?.is_some_and(|stat| stat.kind == FileKind::File) {
        return Ok(Setting {
            value: false,
            from: Some(Evidence::path(SWITCH)),
        });
    }
    Ok(module)
}

fn grows_filesystem(config: &Config) -> Setting<bool> {
    let module = module(config, "resizefs");
    let Some(entry) = config.value.entry("resize_rootfs").filter(|_| module.value) else {
        return module;
    };
    Setting {
        value: says_true(&entry.value) || entry.value.text() == Some("noblock"),
        from: Some(config.evidence(entry.place)),
    }
}
