//! What OpenSSH's server does with command line and configuration: ports, addresses, host keys, and who may log in.

use super::{command::Command, config::Parsed, keywords};
use crate::{
    Evidence,
    facts::{ConfigLine, ConfigProblem, SshdConfig, SshdLogin, SshdSetting},
    files::{Files, Read},
};

/// The configuration's usual places, by the program's: openSUSE reads the second where the first does not exist.
const CONFIGS: &[&str] = &["/etc/ssh/sshd_config", "/usr/etc/ssh/sshd_config"];

/// Host keys without any `HostKey` (sshd_config(5)).
const HOST_KEYS: &[&str] = &[
    "/etc/ssh/ssh_host_rsa_key",
    "/etc/ssh/ssh_host_ecdsa_key",
    "/etc/ssh/ssh_host_ed25519_key",
];

/// The port without any setting.
pub(super) const DEFAULT_PORT: u16 = 22;

/// What holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Effective {
    pub(super) config: SshdConfig,
    /// Those on which it listens when it opens them itself.
    pub(super) ports: SshdSetting<Vec<u16>>,
    /// Files of host keys.
    pub(super) host_keys: Vec<String>,
}

/// Reads the configuration that a command line leads to. `program` is the server's path, `permit_root_login` the default
/// of its release.
pub(super) fn read(files: &Files<'_>, command: &Command, program: &str, permit_root_login: &str) -> Read<Effective> {
    let mut parsed = Parsed::default();
    for (option, place) in &command.options {
        parsed.option(option, place);
    }
    let (path, folder) = match &command.config {
        Some((path, _)) => (path.as_str(), "/etc/ssh"),
        None if program.starts_with("/usr/local/") => ("/usr/local/etc/ssh/sshd_config", "/usr/local/etc/ssh"),
        None => (files.first_file(CONFIGS)?.unwrap_or("/etc/ssh/sshd_config"), "/etc/ssh"),
    };
    parsed.read(files, path, folder)?;
    Ok(effective(parsed, command, permit_root_login))
}

fn effective(parsed: Parsed, command: &Command, permit_root_login: &str) -> Effective {
    let Parsed {
        global,
        matches,
        mut problems,
    } = parsed;
    let address_family = match (&command.family, of(&global, "addressfamily").next()) {
        (Some((family, place)), _) => set((*family).to_owned(), place),
        (None, Some(line)) => set(first(line).to_owned(), &line.evidence),
        (None, None) => SshdSetting::default_of("any".to_owned()),
    };
    let use_pam = match of(&global, "usepam").next() {
        Some(line) => set(first(line) == "yes", &line.evidence),
        None => SshdSetting::default_of(false),
    };
    let strict_modes = match of(&global, "strictmodes").next() {
        Some(line) => set(first(line) != "no", &line.evidence),
        None => SshdSetting::default_of(true),
    };
    let mut host_keys: Vec<String> = command.host_keys.iter().map(|(path, _)| path.clone()).collect();
    host_keys.extend(of(&global, "hostkey").map(|line| first(line).to_owned()));
    if host_keys.is_empty() {
        host_keys.extend(HOST_KEYS.iter().map(|path| (*path).to_owned()));
    }
    let (ports, listen_addresses) = listening(&global, command, &address_family.value);
    let login = SshdLogin::defaults(permit_root_login).overridden(&global.iter().collect::<Vec<_>>());
    problems.extend(contradictions(&login, &global));
    Effective {
        config: SshdConfig {
            address_family,
            listen_addresses,
            use_pam,
            strict_modes,
            login,
            matches,
            problems,
        },
        ports,
        host_keys,
    }
}

/// Lines of a keyword.
fn of<'l>(lines: &'l [ConfigLine], keyword: &'static str) -> impl Iterator<Item = &'l ConfigLine> {
    lines.iter().filter(move |line| line.keyword == keyword)
}

fn first(line: &ConfigLine) -> &str {
    line.values.first().map_or("", String::as_str)
}

fn set<T>(value: T, place: &Evidence) -> SshdSetting<T> {
    SshdSetting {
        value,
        evidence: vec![place.clone()],
    }
}

/// The ports that are opened, and on which addresses.
fn listening(
    global: &[ConfigLine],
    command: &Command,
    family: &str,
) -> (SshdSetting<Vec<u16>>, SshdSetting<Vec<String>>) {
    // Ports of the command line replace those of the configuration (sshd(8), `-p`).
    let mut named = command.ports.clone();
    if named.is_empty() {
        let lines = of(global, "port");
        named.extend(lines.filter_map(|line| Some((keywords::port(first(line))?, line.evidence.clone()))));
    }
    let (mut value, evidence): (Vec<u16>, Vec<Evidence>) = named.into_iter().unzip();
    if value.is_empty() {
        value.push(DEFAULT_PORT);
    }
    let mut ports = SshdSetting { value, evidence };
    let mut addresses = SshdSetting::default_of(Vec::new());
    let mut opened = Vec::new();
    for line in of(global, "listenaddress") {
        let (host, port) = address(first(line));
        addresses.evidence.push(line.evidence.clone());
        for port in port.map_or_else(|| ports.value.clone(), |port| vec![port]) {
            addresses.value.push(joined(&host, port));
            if !opened.contains(&port) {
                opened.push(port);
            }
        }
    }
    if opened.is_empty() {
        let hosts: &[&str] = match family {
            "inet" => &["0.0.0.0"],
            "inet6" => &["::"],
            _ => &["::", "0.0.0.0"],
        };
        let all = ports
            .value
            .iter()
            .flat_map(|port| hosts.iter().map(|host| joined(host, *port)));
        addresses.value.extend(all);
    } else {
        ports.value = opened;
        ports.evidence.extend(addresses.evidence.iter().cloned());
    }
    (ports, addresses)
}

/// Settings that do not go together: the server does not start with them (sshd_config(5)).
fn contradictions(login: &SshdLogin, global: &[ConfigLine]) -> Vec<ConfigProblem> {
    let mut found = Vec::new();
    let mut add = |code: &str, places: &[Evidence]| {
        found.extend(places.iter().map(|place| ConfigProblem {
            code: code.to_owned(),
            evidence: place.clone(),
        }));
    };
    let command = &login.authorized_keys_command;
    if command.value.is_some() && of(global, "authorizedkeyscommanduser").next().is_none() {
        add("command_without_user", &command.evidence);
    }
    // One list without a method that is switched off is enough.
    let is_off = |method: &str| match method.split(':').next() {
        Some("publickey") => !login.pubkey_authentication.value,
        Some("password") => !login.password_authentication.value,
        Some("keyboard-interactive") => !login.keyboard_interactive.value,
        _ => false,
    };
    let methods = &login.authentication_methods;
    if !methods.value.is_empty() && methods.value.iter().all(|list| list.split(',').any(is_off)) {
        add("methods_switched_off", &methods.evidence);
    }
    found
}

/// Host and port of an address: `host`, `1.2.3.4:22`, `[::1]:22`, `::1` (sshd_config(5), `ListenAddress`).
fn address(text: &str) -> (String, Option<u16>) {
    if let Some((host, rest)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return (host.to_owned(), rest.strip_prefix(':').and_then(keywords::port));
    }
    match text.split_once(':') {
        Some((host, port)) if !port.contains(':') => (host.to_owned(), keywords::port(port)),
        _ => (text.to_owned(), None),
    }
}

fn joined(host: &str, port: u16) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

/// Ports that a socket's unit opens: the `ListenStream=` after the last empty one (systemd.socket(5)).
pub(super) fn socket_ports(entries: &[crate::services::systemd::Entry]) -> SshdSetting<Vec<u16>> {
    let mut ports = SshdSetting::default_of(Vec::new());
    for entry in entries
        .iter()
        .filter(|entry| entry.section == "Socket" && entry.key == "ListenStream")
    {
        if entry.value.is_empty() {
            ports = SshdSetting::default_of(Vec::new());
        } else if let Ok(port) = entry.value.rsplit(':').next().unwrap_or_default().parse() {
            if !ports.value.contains(&port) {
                ports.value.push(port);
            }
            ports.evidence.push(entry.place.clone());
        }
    }
    ports
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::Value;

    use super::*;
    use crate::MemoryTree;

    fn read_tree(tree: &MemoryTree) -> Effective {
        read(
            &Files::new(tree).unwrap(),
            &Command::default(),
            "/usr/sbin/sshd",
            "prohibit-password",
        )
        .unwrap()
    }

    /// As `sshd -T` prints it, without what is the default.
    fn told(login: &SshdLogin) -> BTreeMap<String, Vec<String>> {
        let flag = |setting: &SshdSetting<bool>| vec![if setting.value { "yes" } else { "no" }.to_owned()];
        let joined = |values: &[String], none: &str| {
            vec![if values.is_empty() {
                none.to_owned()
            } else {
                values.join(" ")
            }]
        };
        let root = login
            .permit_root_login
            .value
            .replace("prohibit-password", "without-password");
        let mut told = BTreeMap::from([
            ("permitrootlogin", vec![root]),
            ("pubkeyauthentication", flag(&login.pubkey_authentication)),
            ("passwordauthentication", flag(&login.password_authentication)),
            ("kbdinteractiveauthentication", flag(&login.keyboard_interactive)),
            ("authorizedkeysfile", joined(&login.authorized_keys_file.value, "none")),
            (
                "authorizedkeyscommand",
                vec![login.authorized_keys_command.value.clone().unwrap_or("none".to_owned())],
            ),
            (
                "authenticationmethods",
                joined(&login.authentication_methods.value, "any"),
            ),
            ("allowusers", login.allow_users.value.clone()),
            ("denyusers", login.deny_users.value.clone()),
            ("allowgroups", login.allow_groups.value.clone()),
            ("denygroups", login.deny_groups.value.clone()),
        ]);
        told.retain(|_, values| !values.is_empty());
        told.into_iter()
            .map(|(keyword, values)| (keyword.to_owned(), values))
            .collect()
    }

    fn values(told: &Value) -> BTreeMap<String, Vec<String>> {
        serde_json::from_value(told.clone()).unwrap()
    }

    /// Configurations with quotes, comments, includes and blocks, and what OpenSSH 9.2 itself takes from them
    /// (`tests/sshd/cases.py`).
    #[test]
    fn a_configuration_is_taken_as_the_server_takes_it() {
        let cases: Vec<Value> = serde_json::from_str(include_str!("../../tests/sshd/cases.json")).unwrap();
        assert!(cases.len() >= 200);
        for (number, case) in cases.iter().enumerate() {
            let given = case["files"].as_object().unwrap();
            let tree = given.iter().fold(MemoryTree::new(), |tree, (path, text)| {
                tree.file(path, text.as_str().unwrap())
            });
            let effective = read_tree(&tree);
            let config = &effective.config;
            if case["global"].is_null() {
                assert!(
                    !config.problems.is_empty(),
                    "{number}: the server does not start with {given:#?}"
                );
                continue;
            }
            assert_eq!(config.problems, [], "{number}: {given:#?}");

            // Without a connection only `Match all` matches.
            let mut general = config.clone();
            general
                .matches
                .retain(|block| block.criteria.iter().all(|(keyword, _)| keyword == "all"));
            let mut found = told(&SshdLogin::defaults("prohibit-password"));
            found.extend(told(&general.for_user("x", None).login));
            let mut expected = told(&SshdLogin::defaults("prohibit-password"));
            let mut server = values(&case["global"]);
            let mut listening = server
                .remove("listenaddress")
                .unwrap_or_else(|| vec!["[::]:22".to_owned(), "0.0.0.0:22".to_owned()]);
            let use_pam = server.remove("usepam").is_some();
            let family = server
                .remove("addressfamily")
                .map_or("any".to_owned(), |family| family[0].clone());
            server.remove("port");
            expected.extend(server);
            assert_eq!(found, expected, "{number}: {given:#?}");
            assert_eq!(
                (config.use_pam.value, &config.address_family.value),
                (use_pam, &family),
                "{number}"
            );
            let mut addresses = config.listen_addresses.value.clone();
            addresses.sort();
            listening.sort();
            assert_eq!(addresses, listening, "{number}: {given:#?}");

            for (user, changed) in case["users"].as_object().unwrap() {
                let of_user = config.for_user(user, Some(&[user.as_str()]));
                assert_eq!(of_user.uncertain, [], "{number}");
                let mut expected = expected.clone();
                let mut changed = values(changed);
                changed.retain(|keyword, _| !matches!(keyword.as_str(), "port" | "listenaddress" | "addressfamily"));
                expected.extend(changed);
                assert_eq!(told(&of_user.login), expected, "{number} {user}: {given:#?}");
            }
        }
    }
}
