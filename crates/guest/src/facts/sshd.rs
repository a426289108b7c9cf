//! The SSH server.

use serde::{Deserialize, Serialize};

use super::{Evidence, Fact};
use crate::glob;

/// The SSH server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sshd {
    /// `openssh`, `dropbear` or `tinyssh`; of several the one that is started. `None` when none is installed or that is
    /// not known.
    #[serde(default)]
    pub kind: Option<String>,
    /// Package state and program agree that it is there.
    pub installed: Fact<bool>,
    /// Started at boot, by a service or a socket.
    pub enabled: Fact<bool>,
    /// Why it is not started, as a code: `not_installed`, `masked`, `no_start_link`, `not_to_be_run` (Debian's switch),
    /// `condition` (another condition or switch); `None` when it is.
    pub not_started_because: Option<String>,
    /// The unit or script that starts it.
    #[serde(default)]
    pub started_by: Option<String>,
    /// Where `installed` was read; when it is not, the program's path where it was looked for.
    pub installed_evidence: Vec<Evidence>,
    /// Where `enabled` was read, first what decides; when nothing starts it, where a link would stand.
    pub enabled_evidence: Vec<Evidence>,
    /// TCP ports on which it listens, by configuration, command line or socket.
    pub ports: Fact<SshdSetting<Vec<u16>>>,
    /// OpenSSH's configuration; `None` for another server, or none.
    pub config: Fact<Option<SshdConfig>>,
    /// The server's own keys.
    pub host_keys: Fact<HostKeys>,
}

/// A value with where it was set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SshdSetting<T> {
    /// The value that holds.
    pub value: T,
    /// Where it was set; empty when it is the program's own default.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Evidence>,
}

impl<T> SshdSetting<T> {
    /// A value that nothing sets.
    pub fn default_of(value: T) -> Self {
        Self {
            value,
            evidence: Vec::new(),
        }
    }

    /// Does the program's own default hold?
    pub fn is_default(&self) -> bool {
        self.evidence.is_empty()
    }
}

/// What OpenSSH's server is told, as far as it decides a login (sshd_config(5)).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SshdConfig {
    /// `any`, `inet` or `inet6`.
    pub address_family: SshdSetting<String>,
    /// `address:port`; a server without any listens on every address.
    pub listen_addresses: SshdSetting<Vec<String>>,
    /// Are logins handed to PAM?
    pub use_pam: SshdSetting<bool>,
    /// Are keys refused that stand where others may write?
    pub strict_modes: SshdSetting<bool>,
    /// What holds before any `Match` block; see [`SshdConfig::for_user`].
    pub login: SshdLogin,
    /// `Match` blocks in their order.
    pub matches: Vec<MatchBlock>,
    /// Lines with which the server would not start, or might not.
    pub problems: Vec<ConfigProblem>,
}

/// What decides whether somebody may log in, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SshdLogin {
    /// `yes`, `no`, `prohibit-password` or `forced-commands-only`.
    pub permit_root_login: SshdSetting<String>,
    /// Public keys.
    pub pubkey_authentication: SshdSetting<bool>,
    /// Passwords.
    pub password_authentication: SshdSetting<bool>,
    /// Questions asked by PAM, passwords among them.
    pub keyboard_interactive: SshdSetting<bool>,
    /// Files with accepted keys, relative to the home unless absolute; empty for `none`.
    pub authorized_keys_file: SshdSetting<Vec<String>>,
    /// A program that tells accepted keys.
    pub authorized_keys_command: SshdSetting<Option<String>>,
    /// Lists of methods each of which is enough; empty for any method.
    pub authentication_methods: SshdSetting<Vec<String>>,
    /// Patterns `user` or `user@host`; if there are any, others are refused.
    pub allow_users: SshdSetting<Vec<String>>,
    /// Patterns of users that are refused.
    pub deny_users: SshdSetting<Vec<String>>,
    /// Patterns of groups; if there are any, users in none of them are refused.
    pub allow_groups: SshdSetting<Vec<String>>,
    /// Patterns of groups whose users are refused.
    pub deny_groups: SshdSetting<Vec<String>>,
}

/// A `Match` block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatchBlock {
    /// Lower-case keyword and patterns; all must hold. `all` has no patterns.
    pub criteria: Vec<(String, String)>,
    /// What it sets.
    pub lines: Vec<ConfigLine>,
    /// The `Match` line.
    pub evidence: Evidence,
}

/// One setting as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigLine {
    /// In lower case, with old names replaced by today's.
    pub keyword: String,
    /// The values, quotes taken off.
    pub values: Vec<String>,
    /// Where it stands.
    pub evidence: Evidence,
}

/// Something with which the server would refuse to start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigProblem {
    /// `config_missing`, `value_missing`, `value_not_valid`, `not_allowed_in_match`, `match_not_valid`, `include_too_deep`,
    /// `quotes_not_closed`, `command_without_user` (`AuthorizedKeysCommand`), `methods_switched_off` (`AuthenticationMethods`); `keyword_not_known` is one only if the server is not newer than what is known here.
    pub code: String,
    /// Where it stands.
    pub evidence: Evidence,
}

/// The keys by which the server is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostKeys {
    /// Files in which the server looks for its private keys, by its configuration.
    pub files: Vec<String>,
    /// Those that are there.
    pub present: Vec<Evidence>,
    /// What makes missing ones before the server starts: a unit or a script. cloud-init makes them as well and is not
    /// meant here.
    pub made_by: Option<Evidence>,
}

/// What holds for one user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserLogin {
    /// With every block that certainly matches.
    pub login: SshdLogin,
    /// Blocks that may match, depending on what is not known here: addresses, groups.
    pub uncertain: Vec<Evidence>,
}

/// Does a criterion hold?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holds {
    Yes,
    No,
    NotKnown,
}

impl SshdConfig {
    /// What holds for a user with the given groups (`None` where they are not known). Of the `Match` blocks that match the
    /// first value holds, and it replaces that of the rest of the file (sshd_config(5), `Match`).
    pub fn for_user(&self, user: &str, groups: Option<&[&str]>) -> UserLogin {
        let mut lines: Vec<&ConfigLine> = Vec::new();
        let mut uncertain = Vec::new();
        for block in &self.matches {
            match block.holds(user, groups) {
                Holds::Yes => lines.extend(&block.lines),
                Holds::No => {}
                Holds::NotKnown => uncertain.push(block.evidence.clone()),
            }
        }
        UserLogin {
            login: self.login.clone().overridden(&lines),
            uncertain,
        }
    }
}

impl MatchBlock {
    fn holds(&self, user: &str, groups: Option<&[&str]>) -> Holds {
        let mut all = Holds::Yes;
        for (keyword, patterns) in &self.criteria {
            let one = match keyword.as_str() {
                "all" => Holds::Yes,
                "user" => known(matches_list(patterns, user)),
                "group" => match groups {
                    // One group that is excluded excludes the user.
                    Some(groups) => known(matches_any_of(patterns, groups)),
                    None if patterns == "*" => Holds::Yes,
                    None => Holds::NotKnown,
                },
                "invalid-user" => Holds::No,
                "host" | "address" | "localaddress" if patterns == "*" => Holds::Yes,
                _ => Holds::NotKnown,
            };
            all = match (all, one) {
                (Holds::No, _) | (_, Holds::No) => return Holds::No,
                (Holds::Yes, Holds::Yes) => Holds::Yes,
                _ => Holds::NotKnown,
            };
        }
        all
    }
}

fn known(holds: bool) -> Holds {
    if holds { Holds::Yes } else { Holds::No }
}

/// Does a list of `AllowUsers` or `DenyUsers` name a user?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listed {
    /// It does.
    Yes,
    /// It does where the connection comes from certain addresses (`user@host`).
    FromSomeAddresses,
    /// It does not.
    No,
}

impl Listed {
    /// As sshd compares (auth.c, match.c): `*` and `?` stand for others, and nothing is negated.
    pub fn of(user: &str, patterns: &[String]) -> Self {
        let mut found = Self::No;
        for pattern in patterns {
            let (name, host) = match pattern.rsplit_once('@') {
                Some((name, host)) => (name, Some(host)),
                None => (pattern.as_str(), None),
            };
            if glob::matches_simple(name, user) {
                if host.is_none_or(|host| host == "*") {
                    return Self::Yes;
                }
                found = Self::FromSomeAddresses;
            }
        }
        found
    }

    /// Is one of the groups named by `AllowGroups` or `DenyGroups`?
    pub fn any_group(groups: &[String], patterns: &[String]) -> bool {
        patterns
            .iter()
            .any(|pattern| groups.iter().any(|group| glob::matches_simple(pattern, group)))
    }
}

/// A list of patterns: one that is negated and fits wins over all others (ssh_config(5), "PATTERNS").
fn matches_list(patterns: &str, text: &str) -> bool {
    matches_any_of(patterns, &[text])
}

fn matches_any_of(patterns: &str, texts: &[&str]) -> bool {
    let mut found = false;
    for pattern in patterns.split(',') {
        let (negated, pattern) = match pattern.strip_prefix('!') {
            Some(pattern) => (true, pattern),
            None => (false, pattern),
        };
        if texts.iter().any(|text| glob::matches_simple(pattern, text)) {
            if negated {
                return false;
            }
            found = true;
        }
    }
    found
}

impl SshdLogin {
    /// The values that sshd has without any configuration (sshd_config(5)).
    pub(crate) fn defaults(permit_root_login: &str) -> Self {
        let keys = [".ssh/authorized_keys", ".ssh/authorized_keys2"];
        Self {
            permit_root_login: SshdSetting::default_of(permit_root_login.to_owned()),
            pubkey_authentication: SshdSetting::default_of(true),
            password_authentication: SshdSetting::default_of(true),
            keyboard_interactive: SshdSetting::default_of(true),
            authorized_keys_file: SshdSetting::default_of(keys.map(str::to_owned).to_vec()),
            authorized_keys_command: SshdSetting::default_of(None),
            authentication_methods: SshdSetting::default_of(Vec::new()),
            allow_users: SshdSetting::default_of(Vec::new()),
            deny_users: SshdSetting::default_of(Vec::new()),
            allow_groups: SshdSetting::default_of(Vec::new()),
            deny_groups: SshdSetting::default_of(Vec::new()),
        }
    }

    /// Replaced by what lines say, the first value of each keyword; lists of users and groups are all taken.
    #[must_use]
    pub(crate) fn overridden(mut self, lines: &[&ConfigLine]) -> Self {
        let first = |keyword: &str| lines.iter().find(|line| line.keyword == keyword);
        let values = |line: &ConfigLine| line.values.clone();
        if let Some(line) = first("permitrootlogin") {
            let value = line.values.first().map_or("", String::as_str);
            let value = if value == "without-password" {
                "prohibit-password"
            } else {
                value
            };
            self.permit_root_login = set(line, value.to_owned());
        }
        for (keyword, setting) in [
            ("pubkeyauthentication", &mut self.pubkey_authentication),
            ("passwordauthentication", &mut self.password_authentication),
            ("kbdinteractiveauthentication", &mut self.keyboard_interactive),
        ] {
            if let Some(line) = first(keyword) {
                *setting = set(line, line.values.first().is_some_and(|value| value == "yes"));
            }
        }
        if let Some(line) = first("authorizedkeysfile") {
            let none = line.values.len() == 1 && line.values.iter().all(|value| value.eq_ignore_ascii_case("none"));
            self.authorized_keys_file = set(line, if none { Vec::new() } else { values(line) });
        }
        if let Some(line) = first("authorizedkeyscommand") {
            let command = line.values.join(" ");
            self.authorized_keys_command = set(line, (!command.eq_ignore_ascii_case("none")).then_some(command));
        }
        if let Some(line) = first("authenticationmethods") {
            let any = line.values.iter().all(|value| value == "any");
            self.authentication_methods = set(line, if any { Vec::new() } else { values(line) });
        }
        for (keyword, setting) in [
            ("allowusers", &mut self.allow_users),
            ("denyusers", &mut self.deny_users),
            ("allowgroups", &mut self.allow_groups),
            ("denygroups", &mut self.deny_groups),
        ] {
            let of_keyword: Vec<_> = lines.iter().filter(|line| line.keyword == keyword).collect();
            if !of_keyword.is_empty() {
                *setting = SshdSetting {
                    value: of_keyword.iter().flat_map(|line| line.values.clone()).collect(),
                    evidence: of_keyword.iter().map(|line| line.evidence.clone()).collect(),
                };
            }
        }
        self
    }
}

fn set<T>(line: &ConfigLine, value: T) -> SshdSetting<T> {
    SshdSetting {
        value,
        evidence: vec![line.evidence.clone()],
    }
}
