//! Connections that other programs of this person have already: profiles of `aws`, remotes of `rclone`. Read when the person
//! asks for it, and never written.

mod aws;
mod ini;
mod paths;
mod rclone;
#[cfg(test)]
mod tests;

pub use paths::ProfilePaths;

use lotse_cloud::{Addressing, Secret};
use url::Url;

use crate::Error;

/// Whose profile it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProfileSource {
    /// `aws` and what is made with its libraries.
    Aws,
    /// `rclone`.
    Rclone,
}

/// A connection of another program: everything but the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Whose it is.
    pub source: ProfileSource,
    /// What it is called there.
    pub name: String,
    /// The service, if the profile names it.
    pub endpoint: Option<Url>,
    /// Region to sign for.
    pub region: Option<String>,
    /// Access key: names the account, is no secret by itself.
    pub access_key: Option<String>,
    /// Where the bucket stands in addresses.
    pub addressing: Addressing,
    /// Why its secret cannot be taken over: `profile_no_secret`, `profile_temporary`, `profile_needs_sign_in`.
    pub problem: Option<Error>,
}

/// What other programs have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Profiles {
    /// In the order of their files.
    pub found: Vec<Profile>,
    /// Files that are there and could not be read: `profile_unreadable`, `profile_encrypted`.
    pub unreadable: Vec<Error>,
}

/// What one program has.
#[derive(Default)]
struct Source {
    found: Vec<Found>,
    unreadable: Vec<Error>,
}

/// A profile with its secret.
struct Found {
    name: String,
    endpoint: Option<Url>,
    region: Option<String>,
    access_key: Option<String>,
    secret: Option<Secret>,
    addressing: Addressing,
    problem: Option<Error>,
}

impl ProfileSource {
    const ALL: [Self; 2] = [Self::Aws, Self::Rclone];

    fn read(self, paths: &ProfilePaths) -> Source {
        match self {
            Self::Aws => aws::read(paths),
            Self::Rclone => rclone::read(paths),
        }
    }
}

/// The profiles of this person's other programs.
pub(crate) fn read(paths: &ProfilePaths) -> Profiles {
    let mut profiles = Profiles::default();
    for source in ProfileSource::ALL {
        let Source { found, unreadable } = source.read(paths);
        profiles.unreadable.extend(unreadable);
        profiles.found.extend(found.into_iter().map(|found| Profile {
            source,
            name: found.name,
            endpoint: found.endpoint,
            region: found.region,
            access_key: found.access_key,
            addressing: found.addressing,
            problem: found.problem,
        }));
    }
    profiles
}

/// The access key and the secret of a profile.
///
/// # Errors
/// Code `profile_unknown`, or the profile's own problem.
pub(crate) fn secret(paths: &ProfilePaths, source: ProfileSource, name: &str) -> Result<(String, Secret), Error> {
    let found = source
        .read(paths)
        .found
        .into_iter()
        .find(|found| found.name == name)
        .ok_or_else(|| Error::new("profile_unknown").with("name", name))?;
    match (found.problem, found.access_key, found.secret) {
        (Some(problem), ..) => Err(problem),
        (None, Some(access_key), Some(secret)) => Ok((access_key, secret)),
        (None, ..) => Err(Error::new("profile_no_secret").with("name", name)),
    }
}
