//! Settings for NoCloud that travel with the image: where NoCloud comes first, a VM takes them and not those of its config
//! drive (`cloudinit/sources/DataSourceNoCloud.py`).

use super::{Around, SETTINGS_LIMIT, config::Config};
use crate::{
    Evidence, FileKind,
    files::{Files, Read},
    yaml::{self, Kind, Parsed, Value},
};

/// What NoCloud finds on the disk.
pub(super) struct Seeds {
    /// Every place that it finds, in its order; empty for none.
    pub(super) evidence: Vec<Evidence>,
    /// The rest is fetched over the network.
    needs_network: bool,
}

impl Seeds {
    pub(super) fn read(files: &Files<'_>, around: &Around<'_>, config: &Config) -> Read<Self> {
        let mut evidence = Vec::new();
        let mut from: Option<String> = None;
        if let Some(line) = &around.command_line
            && let Some(word) = line.text.split_ascii_whitespace().rev().find(|word| is_nocloud(word))
        {
            evidence.push(line.evidence.clone().value(word.split(';').next().unwrap_or_default()));
            let parameters = word.split(';').skip(1).filter_map(|pair| pair.split_once('='));
            from = parameters
                .filter(|(key, _)| matches!(*key, "s" | "seedfrom"))
                .last()
                .map(|(_, value)| value.to_owned());
        }
        let seed = format!("{}/seed", cloud_dir(config));
        for folder in [format!("{seed}/nocloud"), format!("{seed}/nocloud-net")] {
            if let Some(meta_data) = seeded(files, &folder)? {
                evidence.push(Evidence::path(folder));
                let named = meta_data.get("seedfrom").and_then(Value::text).map(str::to_owned);
                from = from.or(named);
                break;
            }
        }
        let own = config.value.get("datasource").and_then(|value| value.get("NoCloud"));
        if let Some(entry) = own
            .and_then(|own| own.entry("seedfrom"))
            .filter(|entry| is_true(&entry.value))
        {
            // An address may hold a password.
            evidence.push(config.evidence(entry.place).value("seedfrom"));
            from = Some(entry.value.text().unwrap_or_default().to_owned());
        }
        if let Some(own) = own
            && let (Some(user_data), Some(_)) = (own.entry("user-data"), own.entry("meta-data"))
        {
            evidence.push(config.evidence(user_data.place).value("user-data"));
        }
        let label = match own.and_then(|own| own.get("fs_label")).map(|value| &value.kind) {
            None => "cidata",
            Some(Kind::Text(label)) => label,
            Some(_) => "",
        };
        for volume in around.labels {
            let is_seed = !label.is_empty()
                && (volume.text == label.to_uppercase() || volume.text == label.to_lowercase())
                && matches!(volume.filesystem.as_str(), "vfat" | "iso9660");
            if is_seed && volume.holds_seed != Some(false) {
                evidence.push(Evidence::default().value(&format!("LABEL={}", volume.text)));
            }
        }
        let is_local = |from: &str| from.starts_with('/') || from.starts_with("file://");
        Ok(Self {
            needs_network: from.is_some_and(|from| !is_local(&from)),
            evidence,
        })
    }

    /// Does NoCloud answer at all?
    pub(super) fn answers(&self) -> bool {
        !self.evidence.is_empty()
    }

    /// Does it answer in the first stage, in which a config drive answers too?
    pub(super) fn answers_before_network(&self) -> bool {
        self.answers() && !self.needs_network
    }
}

fn is_nocloud(word: &str) -> bool {
    let source = word.split(';').next().unwrap_or_default();
    matches!(source, "ds=nocloud" | "ds=nocloud-net")
}

/// Python's truth of a setting.
pub(super) fn is_true(value: &Value) -> bool {
    match &value.kind {
        Kind::Null | Kind::Bool(false) | Kind::Int(0) => false,
        Kind::Text(text) => !text.is_empty(),
        Kind::List(list) => !list.is_empty(),
        Kind::Map(map) => !map.entries.is_empty(),
        Kind::Bool(true) | Kind::Int(_) | Kind::Other(_) => true,
    }
}

/// Where cloud-init keeps its things (`system_info: {paths: {cloud_dir: …}}`).
fn cloud_dir(config: &Config) -> String {
    let paths = config.value.get("system_info").and_then(|value| value.get("paths"));
    let folder = paths.and_then(|paths| paths.get("cloud_dir")).and_then(Value::text);
    let folder = folder
        .filter(|folder| folder.starts_with('/'))
        .unwrap_or("/var/lib/cloud");
    folder.trim_end_matches('/').to_owned()
}

/// The metadata of a folder; `None` where one of the two files is missing.
fn seeded(files: &Files<'_>, folder: &str) -> Read<Option<Value>> {
    let user_data = files.stat(&format!("{folder}/user-data"))?;
    if user_data.is_none_or(|stat| stat.kind != FileKind::File) {
        return Ok(None);
    }
    let Some(meta_data) = files.read_text(&format!("{folder}/meta-data"), SETTINGS_LIMIT)? else {
        return Ok(None);
    };
    Ok(Some(match yaml::parse(&meta_data, 0) {
        Parsed::Value(value) => value,
        Parsed::Broken(_) | Parsed::Unclear => Value {
            kind: Kind::Null,
            place: yaml::Place::default(),
        },
    }))
}
