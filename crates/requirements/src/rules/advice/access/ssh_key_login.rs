//! Would sshd take the key of whoever gets it? Asked in the order in which sshd itself asks (auth.c, auth2.c).

use lotse_guest::{
    Evidence, Fact,
    facts::{Listed, MatchBlock, SshdConfig, SshdLogin},
};

use super::{Owner, acting_agent, line, owner, plain_path, server};
use crate::rules::{Rule, advice};
use crate::{Certainty, Finding, FindingKind, Status, Subject};

/// The file in which cloud-init looks for `AuthorizedKeysFile`, and for nothing else (`cloudinit/ssh_util.py`).
const READ_BY_CLOUD_INIT: &str = "/etc/ssh/sshd_config";

pub(in crate::rules) const RULE: Rule = Rule {
    code: "ssh_key_login",
    kind: FindingKind::Advice,
    sources: &[
        "OpenSSH: sshd_config(5)",
        "OpenSSH: sshd(8), AUTHENTICATION",
        "cloud-init: cc_ssh",
    ],
    reasons: &[
        "ssh_key_login_accepted",
        "ssh_key_login_user_denied",
        "ssh_key_login_user_not_allowed",
        "ssh_key_login_user_from_some_addresses",
        "ssh_key_login_group_denied",
        "ssh_key_login_group_not_allowed",
        "ssh_key_login_groups_not_known",
        "ssh_key_login_root_off",
        "ssh_key_login_root_commands_only",
        "ssh_key_login_keys_off",
        "ssh_key_login_no_keys_file",
        "ssh_key_login_keys_elsewhere",
        "ssh_key_login_open_to_others",
        "ssh_key_login_more_than_a_key",
        "ssh_key_login_match_not_known",
    ],
    remedies: &["let_key_in"],
    judge,
};

/// One thing that keeps the key from being taken.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Cause {
    reason: &'static str,
    /// Depends on the connection, or on something that is not known.
    possible: bool,
    evidence: Vec<Evidence>,
    /// Empty where no command is certain to be right.
    commands: Vec<String>,
}

fn judge(subject: &Subject) -> Option<Finding> {
    let (facts, _) = advice::unix(subject)?;
    let config = match &server(facts)?.config {
        Fact::Known(config) => config.as_ref()?,
        Fact::Unknown(unknown) => return Some(Finding::advice_unknown(RULE.code, unknown)),
    };
    let agent = acting_agent(facts)?;
    let owner = owner(facts)?;
    let ask = Ask {
        config,
        owner,
        by_cloud_init: agent.kind == "cloud-init",
    };
    Some(ask.finding())
}

/// What is asked of the configuration.
#[derive(Clone, Copy)]
struct Ask<'f> {
    config: &'f SshdConfig,
    owner: Owner<'f>,
    /// Does cloud-init write the keys?
    by_cloud_init: bool,
}

impl Ask<'_> {
    fn finding(self) -> Finding {
        let (causes, possible) = self.causes();
        let certain = causes.iter().any(|cause| !cause.possible);
        let Some(first) = causes.first() else {
            return self.params(Finding::advice(RULE.code, Status::Pass, "ssh_key_login_accepted"));
        };
        let status = if certain && !possible {
            Status::Fail
        } else {
            Status::Warning
        };
        let mut finding = Finding::advice(RULE.code, status, first.reason);
        for cause in &causes {
            if cause.reason != first.reason && !finding.details.iter().any(|detail| detail == cause.reason) {
                finding = finding.detail(cause.reason);
            }
            finding = finding.evidence(&cause.evidence);
        }
        if status == Status::Warning {
            finding = finding.certainty(Certainty::Possible);
        }
        let commands = causes.into_iter().flat_map(|cause| cause.commands).collect();
        self.params(finding).remedy("let_key_in", commands)
    }

    fn params(self, finding: Finding) -> Finding {
        let login = self.for_owner(self.config).login;
        let joined = |values: &[String]| values.join(" ");
        finding
            .param("user", self.owner.name)
            .param("methods", joined(&login.authentication_methods.value))
            .param("files", joined(&login.authorized_keys_file.value))
    }

    fn for_owner(self, config: &SshdConfig) -> lotse_guest::facts::UserLogin {
        let groups: Option<Vec<&str>> = self
            .owner
            .login
            .groups
            .as_ref()
            .map(|groups| groups.iter().map(String::as_str).collect());
        config.for_user(self.owner.name, groups.as_deref())
    }

    /// What keeps the key out, and whether that may be otherwise for some connections: `Match` blocks of which it is not
    /// known whether they match are tried both ways.
    fn causes(self) -> (Vec<Cause>, bool) {
        let user = self.for_owner(self.config);
        let mut causes = self.causes_of(&user.login);
        let mut otherwise = false;
        for place in &user.uncertain {
            let matched = self.for_owner(&matching(self.config, place)).login;
            let with_block = self.causes_of(&matched);
            if with_block.is_empty() {
                otherwise = true;
            } else if causes.is_empty() {
                let within = with_block.into_iter().flat_map(|cause| cause.evidence);
                causes.push(Cause {
                    reason: "ssh_key_login_match_not_known",
                    possible: true,
                    evidence: [place.clone()].into_iter().chain(within).collect(),
                    commands: Vec::new(),
                });
            }
        }
        (causes, otherwise)
    }

    fn causes_of(self, login: &SshdLogin) -> Vec<Cause> {
        let mut causes = Vec::new();
        causes.extend(self.user_list(login));
        causes.extend(self.group_list(login));
        causes.extend(self.root(login));
        causes.extend(keys_off(login));
        causes.extend(self.keys_file(login));
        causes.extend(self.open_to_others());
        causes.extend(more_than_a_key(login));
        causes
    }

    fn user_list(self, login: &SshdLogin) -> Option<Cause> {
        let name = self.owner.name;
        let from_some = |evidence: &[Evidence]| Cause {
            reason: "ssh_key_login_user_from_some_addresses",
            possible: true,
            evidence: evidence.to_vec(),
            commands: Vec::new(),
        };
        let (deny, allow) = (&login.deny_users, &login.allow_users);
        let denied = Listed::of(name, &deny.value);
        if denied == Listed::Yes {
            let commands = without_pattern(&deny.evidence, "DenyUsers", |pattern| {
                Listed::of(name, &[pattern.to_owned()]) == Listed::Yes
            });
            return Some(Cause {
                reason: "ssh_key_login_user_denied",
                possible: false,
                evidence: deny.evidence.clone(),
                commands,
            });
        }
        if !allow.value.is_empty() {
            match Listed::of(name, &allow.value) {
                Listed::Yes => {}
                Listed::FromSomeAddresses => return Some(from_some(&allow.evidence)),
                Listed::No => {
                    return Some(Cause {
                        reason: "ssh_key_login_user_not_allowed",
                        possible: false,
                        evidence: allow.evidence.clone(),
                        commands: added(&allow.evidence, "AllowUsers", name),
                    });
                }
            }
        }
        (denied == Listed::FromSomeAddresses).then(|| from_some(&deny.evidence))
    }

    fn group_list(self, login: &SshdLogin) -> Option<Cause> {
        let (deny, allow) = (&login.deny_groups, &login.allow_groups);
        if deny.value.is_empty() && allow.value.is_empty() {
            return None;
        }
        let Some(groups) = &self.owner.login.groups else {
            return Some(Cause {
                reason: "ssh_key_login_groups_not_known",
                possible: true,
                evidence: [deny.evidence.clone(), allow.evidence.clone()].concat(),
                commands: Vec::new(),
            });
        };
        if Listed::any_group(groups, &deny.value) {
            let commands = without_pattern(&deny.evidence, "DenyGroups", |pattern| {
                Listed::any_group(groups, &[pattern.to_owned()])
            });
            return Some(Cause {
                reason: "ssh_key_login_group_denied",
                possible: false,
                evidence: deny.evidence.clone(),
                commands,
            });
        }
        if allow.value.is_empty() || Listed::any_group(groups, &allow.value) {
            return None;
        }
        let own = groups.first().map_or("", String::as_str);
        Some(Cause {
            reason: "ssh_key_login_group_not_allowed",
            possible: false,
            evidence: allow.evidence.clone(),
            commands: added(&allow.evidence, "AllowGroups", own),
        })
    }

    fn root(self, login: &SshdLogin) -> Option<Cause> {
        let permit = &login.permit_root_login;
        let reason = match permit.value.as_str() {
            "no" => "ssh_key_login_root_off",
            "forced-commands-only" => "ssh_key_login_root_commands_only",
            _ => return None,
        };
        self.owner.is_root().then(|| Cause {
            reason,
            possible: false,
            evidence: permit.evidence.clone(),
            // The old name of `prohibit-password`, which servers before 7.0 know as well.
            commands: set(&permit.evidence, "PermitRootLogin", "without-password"),
        })
    }

    /// Keys are read from other files than the one that cloud-init writes: it takes the first of `AuthorizedKeysFile` that
    /// is the user's own, of `/etc/ssh/sshd_config` alone, and else `~/.ssh/authorized_keys`.
    fn keys_file(self, login: &SshdLogin) -> Option<Cause> {
        let setting = &login.authorized_keys_file;
        if !self.by_cloud_init || setting.is_default() {
            return None;
        }
        let name = self.owner.name;
        let homes = [format!("/home/{name}/"), format!("/{name}/")];
        let below_home = |path: &str| {
            homes
                .iter()
                .find_map(|home| path.strip_prefix(home.as_str()))
                .map(str::to_owned)
        };
        let is_own = |path: &String| !path.starts_with('/') || path.contains("%u") || below_home(path).is_some();
        let is_usual = |path: &String| {
            let path = path.strip_prefix("%h/").map_or_else(|| path.clone(), str::to_owned);
            let path = below_home(&path).unwrap_or(path);
            path == ".ssh/authorized_keys"
        };
        let read_by_both = setting
            .evidence
            .iter()
            .all(|place| place.path.as_deref() == Some(READ_BY_CLOUD_INIT));
        let finds = if read_by_both {
            setting.value.iter().any(|path| is_own(path) || path.starts_with("%h/"))
        } else {
            setting.value.iter().any(is_usual)
        };
        if finds {
            return None;
        }
        let all = setting.value.iter().map(String::as_str).chain([".ssh/authorized_keys"]);
        Some(Cause {
            reason: if setting.value.is_empty() {
                "ssh_key_login_no_keys_file"
            } else {
                "ssh_key_login_keys_elsewhere"
            },
            possible: false,
            evidence: setting.evidence.clone(),
            commands: set(
                &setting.evidence,
                "AuthorizedKeysFile",
                &all.collect::<Vec<_>>().join(" "),
            ),
        })
    }

    /// With `StrictModes`, sshd takes no key from a place that others may write.
    fn open_to_others(self) -> Option<Cause> {
        let Fact::Known(Some(account)) = &self.owner.login.account else {
            return None;
        };
        let place = account
            .open_to_others
            .as_ref()
            .filter(|_| self.config.strict_modes.value)?;
        Some(Cause {
            reason: "ssh_key_login_open_to_others",
            possible: false,
            evidence: vec![place.clone()],
            commands: plain_path(place)
                .map(|path| format!("chmod go-w {path}"))
                .into_iter()
                .collect(),
        })
    }
}

/// The configuration as it is for a connection that a block matches.
fn matching(config: &SshdConfig, place: &Evidence) -> SshdConfig {
    let mut config = config.clone();
    for block in config.matches.iter_mut().filter(|block| block.evidence == *place) {
        *block = MatchBlock {
            criteria: vec![("all".to_owned(), String::new())],
            ..block.clone()
        };
    }
    config
}

fn keys_off(login: &SshdLogin) -> Option<Cause> {
    let setting = &login.pubkey_authentication;
    (!setting.value).then(|| Cause {
        reason: "ssh_key_login_keys_off",
        possible: false,
        evidence: setting.evidence.clone(),
        commands: set(&setting.evidence, "PubkeyAuthentication", "yes"),
    })
}

/// No list of methods is met by one key alone.
fn more_than_a_key(login: &SshdLogin) -> Option<Cause> {
    let setting = &login.authentication_methods;
    let enough = setting.value.is_empty() || setting.value.iter().any(|methods| methods == "publickey");
    (!enough).then(|| Cause {
        reason: "ssh_key_login_more_than_a_key",
        possible: false,
        evidence: setting.evidence.clone(),
        commands: set(&setting.evidence, "AuthenticationMethods", "publickey"),
    })
}

/// Sets the line that decides.
fn set(evidence: &[Evidence], keyword: &str, values: &str) -> Vec<String> {
    let line = evidence.first().and_then(|place| line::set(place, keyword, values));
    line.into_iter().collect()
}

/// Adds a name to the first line of a list.
fn added(evidence: &[Evidence], keyword: &str, name: &str) -> Vec<String> {
    let line = evidence.first().and_then(|place| line::add(place, keyword, name));
    line.into_iter().collect()
}

/// Takes the patterns that match out of every line of a list, as far as a line's values are known to be whole.
fn without_pattern(evidence: &[Evidence], keyword: &str, matches: impl Fn(&str) -> bool) -> Vec<String> {
    let changed = |place: &Evidence| {
        let value = place.value.as_deref()?;
        let whole = value.chars().count() < Evidence::MAX_VALUE && !value.contains(['"', '\'']);
        let mut patterns = value.split_whitespace().skip(1);
        let (matching, others): (Vec<&str>, Vec<&str>) = patterns.by_ref().partition(|pattern| matches(pattern));
        if !whole || matching.is_empty() {
            return None;
        }
        if others.is_empty() {
            line::comment_out(place)
        } else {
            line::set(place, keyword, &others.join(" "))
        }
    };
    evidence.iter().filter_map(changed).collect()
}
