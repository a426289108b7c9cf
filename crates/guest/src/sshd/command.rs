//! The command line with which the server is started: systemd's `ExecStart=` with its environment, or the options that a
//! start script takes from its settings (sshd(8)).

use std::collections::BTreeMap;

use crate::{
    Evidence,
    files::{Files, Read},
    services::{self, Init, Variable, systemd::Entry},
};

/// Largest file of settings that is read, in bytes.
const SETTINGS_LIMIT: usize = 64 << 10;

/// Options of the server that take a value (`getopt` of sshd.c).
const WITH_VALUE: &str = "CEbcfghkopu";

/// Settings that start scripts hand on: the file, and its variable with options.
const SETTINGS: &[(&str, &str)] = &[
    ("/etc/conf.d/sshd", "SSHD_OPTS"),
    ("/etc/conf.d/sshd", "command_args"),
    ("/etc/sysconfig/sshd", "OPTIONS"),
    ("/etc/sysconfig/ssh", "SSHD_OPTS"),
    ("/etc/default/ssh", "SSHD_OPTS"),
    ("/etc/default/sshd", "SSHD_OPTS"),
];

/// What the command line says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Command {
    /// `-f`: the configuration in place of the usual one.
    pub(super) config: Option<(String, Evidence)>,
    /// `-p`: ports in place of the configuration's.
    pub(super) ports: Vec<(u16, Evidence)>,
    /// `-o`: lines that come before those of the configuration.
    pub(super) options: Vec<(String, Evidence)>,
    /// `-h`: host keys.
    pub(super) host_keys: Vec<(String, Evidence)>,
    /// `-4` or `-6`.
    pub(super) family: Option<(&'static str, Evidence)>,
}

impl Command {
    /// The command line of what starts the server: a unit or a script of an init.
    pub(super) fn read(files: &Files<'_>, init: Init, started_by: &str) -> Read<Self> {
        let mut command = Self::default();
        if init == Init::Systemd
            && let Some(entries) = files.boot().entries(files, started_by)?
        {
            command.add_unit(files, &entries)?;
            return Ok(command);
        }
        if init == Init::BsdRc {
            if let Some(flags) = services::variables(files, started_by)?.get(&format!("{started_by}_flags")) {
                command.add(&words(&flags.value), &flags.place);
            }
            return Ok(command);
        }
        for (path, name) in SETTINGS {
            let text = files.read_text(path, SETTINGS_LIMIT)?.unwrap_or_default();
            let set = services::assignments(path, &text);
            if let Some((_, variable)) = set.iter().rfind(|(set, _)| set == name) {
                command.add(&words(&variable.value), &variable.place);
            }
            // Gentoo's and Alpine's start script knows this one as well.
            if *name == "SSHD_OPTS"
                && let Some((_, variable)) = set.iter().rfind(|(set, _)| set == "SSHD_CONFIG")
            {
                command.config = Some((variable.value.clone(), variable.place.clone()));
            }
        }
        Ok(command)
    }

    fn add_unit(&mut self, files: &Files<'_>, entries: &[Entry]) -> Read<()> {
        let mut environment: BTreeMap<String, Variable> = BTreeMap::new();
        let mut start: Option<&Entry> = None;
        for entry in entries.iter().filter(|entry| entry.section == "Service") {
            match entry.key.as_str() {
                "Environment" => {
                    for word in words(&entry.value) {
                        if let Some((name, value)) = word.split_once('=') {
                            let (value, place) = (value.to_owned(), entry.place.clone());
                            environment.insert(name.to_owned(), Variable { value, place });
                        }
                    }
                }
                "ExecStart" if entry.value.is_empty() => start = None,
                "ExecStart" => start = Some(entry),
                _ => {}
            }
        }
        // Files win over `Environment=`, the later one over the earlier (systemd.exec(5)).
        for entry in entries
            .iter()
            .filter(|entry| entry.section == "Service" && entry.key == "EnvironmentFile")
        {
            let path = entry.value.strip_prefix('-').unwrap_or(&entry.value);
            let text = files.read_text(path, SETTINGS_LIMIT)?.unwrap_or_default();
            environment.extend(services::assignments(path, &text));
        }
        let Some(start) = start else { return Ok(()) };
        let mut line: Vec<(String, Evidence)> = Vec::new();
        for word in words(start.value.trim_start_matches(['-', '@', ':', '+', '!'])) {
            match variable(&word) {
                // A word of its own is split, one in braces is not (systemd.service(5), "Command Lines").
                Some((name, split)) => {
                    let Some(variable) = environment.get(name) else {
                        continue;
                    };
                    let values = if split {
                        words(&variable.value)
                    } else {
                        vec![variable.value.clone()]
                    };
                    line.extend(values.into_iter().map(|value| (value, variable.place.clone())));
                }
                None => line.push((word, start.place.clone())),
            }
        }
        self.add_placed(line.get(1..).unwrap_or_default());
        Ok(())
    }

    fn add(&mut self, words: &[String], place: &Evidence) {
        let placed: Vec<_> = words.iter().map(|word| (word.clone(), place.clone())).collect();
        self.add_placed(&placed);
    }

    /// Takes options as getopt(3) does: a value is what is left of the word, or the next word.
    fn add_placed(&mut self, line: &[(String, Evidence)]) {
        let mut line = line.iter();
        while let Some((word, place)) = line.next() {
            let Some(letters) = word.strip_prefix('-') else { return };
            if letters == "-" {
                return;
            }
            for (at, letter) in letters.char_indices() {
                if !WITH_VALUE.contains(letter) {
                    if let Some(family) = match letter {
                        '4' => Some("inet"),
                        '6' => Some("inet6"),
                        _ => None,
                    } {
                        self.family = Some((family, place.clone()));
                    }
                    continue;
                }
                let rest = letters.get(at + letter.len_utf8()..).unwrap_or_default();
                let (value, place) = if rest.is_empty() {
                    let Some((value, place)) = line.next() else { return };
                    (value.as_str(), place)
                } else {
                    (rest, place)
                };
                self.option(letter, value, place.clone());
                break;
            }
        }
    }

    fn option(&mut self, letter: char, value: &str, place: Evidence) {
        match letter {
            'f' => self.config = Some((value.to_owned(), place)),
            'p' => self
                .ports
                .extend(super::keywords::port(value).map(|port| (port, place))),
            'o' => self.options.push((value.to_owned(), place)),
            'h' => self.host_keys.push((value.to_owned(), place)),
            _ => {}
        }
    }
}

/// The name of a variable that stands for a whole word, and whether its value is split.
fn variable(word: &str) -> Option<(&str, bool)> {
    let name = word.strip_prefix('$')?;
    match name.strip_prefix('{') {
        Some(name) => Some((name.strip_suffix('}')?, false)),
        None => Some((name, true)),
    }
}

/// Words with quotes taken off; one whose quote is not closed goes to the end.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut characters = text.chars().peekable();
    loop {
        while characters.next_if(|c| c.is_whitespace()).is_some() {}
        if characters.peek().is_none() {
            return found;
        }
        let (mut word, mut quote) = (String::new(), None);
        for character in characters.by_ref() {
            match quote {
                Some(open) if character == open => quote = None,
                None if matches!(character, '"' | '\'') => quote = Some(character),
                None if character.is_whitespace() => break,
                _ => word.push(character),
            }
        }
        found.push(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryTree;

    fn of_unit(tree: &MemoryTree) -> Command {
        Command::read(&Files::new(tree).unwrap(), Init::Systemd, "sshd.service").unwrap()
    }

    #[test]
    fn a_units_command_line_takes_its_options_from_its_environment() {
        // As EL 8 has it.
        let tree = MemoryTree::new()
            .systemd()
            .file(
                "/usr/lib/systemd/system/sshd.service",
                "[Service]\nEnvironmentFile=-/etc/crypto-policies/back-ends/opensshserver.config\n\
                 EnvironmentFile=-/etc/sysconfig/sshd\nExecStart=/usr/sbin/sshd -D $OPTIONS $CRYPTO_POLICY\n",
            )
            .file(
                "/etc/crypto-policies/back-ends/opensshserver.config",
                "CRYPTO_POLICY='-oCiphers=aes256-ctr -oMACs=hmac-sha2-256'\n",
            )
            .file(
                "/etc/sysconfig/sshd",
                "# x\nOPTIONS=\"-4 -p2222 -o PermitRootLogin=no\"\n",
            );
        let command = of_unit(&tree);
        assert_eq!(command.ports[0].0, 2222);
        assert_eq!(
            (command.ports[0].1.path.as_deref(), command.ports[0].1.line),
            (Some("/etc/sysconfig/sshd"), Some(2))
        );
        let options: Vec<_> = command.options.iter().map(|(option, _)| option.as_str()).collect();
        assert_eq!(
            options,
            ["PermitRootLogin=no", "Ciphers=aes256-ctr", "MACs=hmac-sha2-256"]
        );
        assert_eq!(command.family.as_ref().map(|(family, _)| *family), Some("inet"));

        let replaced = tree.file(
            "/etc/systemd/system/sshd.service.d/own.conf",
            "[Service]\nExecStart=\nExecStart=-/usr/sbin/sshd -Df /etc/own -p 99\n",
        );
        let command = of_unit(&replaced);
        assert_eq!(command.config.as_ref().map(|(path, _)| path.as_str()), Some("/etc/own"));
        assert_eq!((command.ports.len(), command.ports[0].0), (1, 99));
    }

    #[test]
    fn a_start_scripts_settings_are_its_options() {
        let tree = MemoryTree::new().file("/etc/conf.d/sshd", "SSHD_OPTS=\"-p 2022\"\nSSHD_CONFIG=/etc/own\n");
        let command = Command::read(&Files::new(&tree).unwrap(), Init::OpenRc, "sshd").unwrap();
        assert_eq!(
            (command.ports[0].0, command.config.unwrap().0.as_str()),
            (2022, "/etc/own")
        );
        let bsd = MemoryTree::new().file("/etc/rc.conf", "sshd_flags='-o Port=44'\n");
        let command = Command::read(&Files::new(&bsd).unwrap(), Init::BsdRc, "sshd").unwrap();
        assert_eq!(command.options[0].0, "Port=44");
    }
}
