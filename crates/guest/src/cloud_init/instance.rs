//! What cloud-init remembers of the machine that an image was made of, and whether a new VM keeps it.

use super::{config::Config, switches::option_bool};
use crate::{
    Evidence, FileKind,
    facts::Instance,
    files::{Files, Read},
};

/// Link to the folder of the current instance.
const LINK: &str = "/var/lib/cloud/instance";

/// Longest text of the file that names the datasource, in bytes; cloud-init writes some dozens.
const NAME_LIMIT: usize = 4096;

/// `None` where cloud-init never ran, or was cleaned.
pub(super) fn read(files: &Files<'_>, config: &Config) -> Read<Option<Instance>> {
    if !files.exists(LINK)? {
        return Ok(None);
    }
    let target = files.read_link(LINK)?;
    let id = target
        .as_deref()
        .and_then(|target| target.trim_end_matches('/').rsplit('/').next());
    let mut kept_evidence = Vec::new();
    let marker = format!("{LINK}/manual-clean");
    if files.stat(&marker)?.is_some_and(|stat| stat.kind == FileKind::File) {
        kept_evidence.push(Evidence::path(marker));
    }
    let setting = option_bool(config, "manual_cache_clean", false);
    if let (true, Some(from)) = (setting.value, setting.from) {
        kept_evidence.push(from);
    }
    let cache = files.stat(&format!("{LINK}/obj.pkl"))?;
    let kept = !kept_evidence.is_empty() && cache.is_some_and(|stat| stat.size > 0);
    let link = Evidence::path(LINK);
    Ok(Some(Instance {
        link: match &target {
            Some(target) => link.value(target),
            None => link,
        },
        id: id
            .filter(|id| !id.is_empty())
            .map(|id| id.chars().take(Evidence::MAX_VALUE).collect()),
        datasource: datasource(files)?,
        kept,
        kept_evidence: if kept { kept_evidence } else { Vec::new() },
    }))
}

/// `DataSourceNoCloud: DataSourceNoCloud [seed=…]` as `NoCloud`.
fn datasource(files: &Files<'_>) -> Read<Option<String>> {
    let Some(text) = files.read_start(&format!("{LINK}/datasource"), NAME_LIMIT)? else {
        return Ok(None);
    };
    let text = String::from_utf8_lossy(&text);
    let class = text.split([':', ' ', '\n']).next().unwrap_or_default();
    let name = class.strip_prefix("DataSource").unwrap_or_default();
    // Classes for the stage with a network, or for the one before, have names of their own.
    let name = ["Net", "Local"]
        .iter()
        .find_map(|suffix| name.strip_suffix(suffix))
        .unwrap_or(name);
    let plain = !name.is_empty() && name.len() <= 40 && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    Ok(plain.then(|| name.to_owned()))
}
