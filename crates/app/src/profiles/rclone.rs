//! Remotes of `rclone` of type `s3`. Rules: <https://rclone.org/s3/>, <https://rclone.org/docs/#config-string>.

use std::path::Path;

use lotse_cloud::{Addressing, Secret};

use super::{
    Found, ProfilePaths, Source,
    ini::{self, Dialect, Section},
    paths,
};
use crate::{Error, ObjectStorage};

/// Providers that know the bucket in the host's name only, whatever the remote says.
const VIRTUAL_HOST: [&str; 4] = ["AWS", "Alibaba", "Netease", "TencentCOS"];

pub(super) fn read(paths: &ProfilePaths) -> Source {
    for path in &paths.rclone {
        let remotes = paths::text(path).and_then(|text| text.map(|text| remotes(path, &text)).transpose());
        match remotes {
            Ok(None) => {}
            Ok(Some(found)) => {
                return Source {
                    found,
                    ..Source::default()
                };
            }
            Err(error) => {
                let unreadable = vec![error];
                return Source {
                    unreadable,
                    ..Source::default()
                };
            }
        }
    }
    Source::default()
}

fn remotes(path: &Path, text: &str) -> Result<Vec<Found>, Error> {
    if is_encrypted(text) {
        return Err(Error::new("profile_encrypted").with("path", path.display()));
    }
    let sections = ini::sections(path, text, Dialect::Rclone)?;
    let remotes = sections.iter().filter(|remote| remote.get("type") == Some("s3"));
    Ok(remotes.map(found).collect())
}

/// The first line that says something tells.
fn is_encrypted(text: &str) -> bool {
    text.trim_start_matches('\u{feff}')
        .lines()
        .map(str::trim)
        .find(|line| !(line.is_empty() || line.starts_with(['#', ';'])))
        .is_some_and(|line| line.starts_with("RCLONE_ENCRYPT_V"))
}

fn found(remote: &Section) -> Found {
    let (access_key, secret) = (remote.get("access_key_id"), remote.get("secret_access_key"));
    let problem = if remote.get("session_token").is_some() {
        Some("profile_temporary")
    } else if access_key.is_some() && secret.is_some() {
        None
    } else {
        // `env_auth`, or a bucket that anybody may read.
        Some("profile_no_secret")
    };
    let by_provider = remote.get("provider").is_some_and(|name| VIRTUAL_HOST.contains(&name));
    Found {
        name: remote.name.clone(),
        endpoint: remote
            .get("endpoint")
            .and_then(|typed| ObjectStorage::address(typed).ok()),
        region: remote.get("region").map(str::to_owned),
        access_key: access_key.map(str::to_owned),
        secret: secret.map(Secret::new),
        addressing: if by_provider || remote.get("force_path_style") == Some("false") {
            Addressing::VirtualHost
        } else {
            Addressing::Path
        },
        problem: problem.map(|code| Error::new(code).with("name", &remote.name)),
    }
}
