//! Profiles of `aws` (and of every program that is made with its libraries): `~/.aws/config` and `~/.aws/credentials`.
//! Rules: <https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-files.html>; where it is silent, what botocore does.

use std::{collections::HashMap, path::Path};

use lotse_cloud::{Addressing, Secret};

use super::{
    Found, ProfilePaths, Source,
    ini::{self, Dialect, Section},
    paths,
};
use crate::{Error, ObjectStorage};

/// Keys that tell that somebody, or another program, must sign in before there is a secret. They count more than a secret
/// that stands beside them, but for the last one.
const SIGN_IN: [&str; 6] = [
    "role_arn",
    "sso_session",
    "sso_start_url",
    "sso_account_id",
    "login_session",
    "web_identity_token_file",
];

pub(super) fn read(paths: &ProfilePaths) -> Source {
    let mut source = Source::default();
    let mut files = Files::default();
    for section in sections(paths.aws_config.as_deref(), &mut source) {
        files.config_section(section);
    }
    for section in sections(paths.aws_credentials.as_deref(), &mut source) {
        let name = section.name.clone();
        files.profile(&name).credentials = section;
    }
    source.found = files.profiles.iter().map(|profile| files.found(profile)).collect();
    source
}

fn sections(path: Option<&Path>, source: &mut Source) -> Vec<Section> {
    let read = |path: &Path| match paths::text(path)? {
        Some(text) => ini::sections(path, &text, Dialect::Aws),
        None => Ok(Vec::new()),
    };
    path.map_or(Ok(Vec::new()), read).unwrap_or_else(|error| {
        source.unreadable.push(error);
        Vec::new()
    })
}

#[derive(Default)]
struct Files {
    profiles: Vec<InBoth>,
    /// Where a profile stands among them, by its name.
    at: HashMap<String, usize>,
    /// The object storage's address in each `[services NAME]` that tells it, by name; the last one counts.
    services: HashMap<String, String>,
}

/// What the two files say of a profile.
struct InBoth {
    name: String,
    config: Section,
    credentials: Section,
}

impl InBoth {
    fn get(&self, key: &str) -> Option<&str> {
        self.credentials.get(key).or_else(|| self.config.get(key))
    }
}

impl Files {
    fn profile(&mut self, name: &str) -> &mut InBoth {
        let at = self.at.get(name).copied().unwrap_or_else(|| {
            self.profiles.push(InBoth {
                name: name.to_owned(),
                config: Section::default(),
                credentials: Section::default(),
            });
            let at = self.profiles.len() - 1;
            self.at.insert(name.to_owned(), at);
            at
        });
        &mut self.profiles[at]
    }

    /// `[default]`, `[profile NAME]`, `[services NAME]`; nothing else concerns us.
    fn config_section(&mut self, section: Section) {
        if section.name == "default" {
            self.profile("default").config = section;
            return;
        }
        let Some((kind, name)) = section.name.split_once([' ', '\t']) else {
            return;
        };
        let name = unquoted(name).to_owned();
        if name.is_empty() {
            return;
        }
        match kind {
            "profile" => self.profile(&name).config = section,
            "services" => {
                if let Some(endpoint) = section.nested("s3", "endpoint_url") {
                    self.services.insert(name, endpoint.to_owned());
                }
            }
            _ => {}
        }
    }

    fn found(&self, profile: &InBoth) -> Found {
        let keys = [&profile.credentials, &profile.config]
            .into_iter()
            .find(|section| section.get("aws_access_key_id").is_some());
        let key = |name| keys.and_then(|section| section.get(name));
        let problem = if SIGN_IN.iter().any(|key| profile.get(key).is_some()) {
            Some("profile_needs_sign_in")
        } else if key("aws_session_token").is_some() {
            Some("profile_temporary")
        } else if key("aws_secret_access_key").is_some() {
            None
        } else if profile.get("credential_process").is_some() {
            Some("profile_needs_sign_in")
        } else {
            Some("profile_no_secret")
        };
        let style = profile.config.nested("s3", "addressing_style");
        Found {
            name: profile.name.clone(),
            endpoint: self
                .endpoint(profile)
                .and_then(|typed| ObjectStorage::address(typed).ok()),
            region: profile.get("region").map(str::to_owned),
            access_key: key("aws_access_key_id").map(str::to_owned),
            secret: key("aws_secret_access_key").map(Secret::new),
            // At an address of its own, botocore takes the path unless it is told otherwise.
            addressing: match style {
                Some("virtual") => Addressing::VirtualHost,
                _ => Addressing::Path,
            },
            problem: problem.map(|code| Error::new(code).with("name", &profile.name)),
        }
    }

    /// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html>
    fn endpoint<'a>(&'a self, profile: &'a InBoth) -> Option<&'a str> {
        if profile.get("ignore_configured_endpoint_urls") == Some("true") {
            return None;
        }
        let services = profile.get("services").and_then(|name| self.services.get(name));
        services
            .map(String::as_str)
            .or_else(|| profile.get("endpoint_url"))
            // What the plugin for endpoints of older versions reads.
            .or_else(|| profile.config.nested("s3", "endpoint_url"))
    }
}

/// `"a b"` as the shell reads it.
fn unquoted(name: &str) -> &str {
    let name = name.trim();
    ['"', '\'']
        .into_iter()
        .find_map(|quote| name.strip_prefix(quote)?.strip_suffix(quote))
        .unwrap_or(name)
}
