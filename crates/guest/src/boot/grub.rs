//! GRUB 2's grub.cfg: as much of its shell as grub-mkconfig writes, run to learn which entry is started by default
//! (GNU GRUB manual, "Writing full configuration files directly", and grub-core/script).

mod words;

use std::collections::HashMap;

use self::words::{Command, Word};
use super::entry::Parsed;

/// Commands that are run, variables that are kept and entries of a menu, at most.
const MAX_COMMANDS: usize = 100_000;
const MAX_VARIABLES: usize = 1000;
const MAX_ENTRIES: usize = 1000;

/// Bytes of a variable or a word, at most. Linux takes at most 4 KiB as its command line on most machines.
const MAX_VALUE: usize = 16 << 10;

/// Menus in menus and blocks in blocks, at most.
const MAX_DEPTH: usize = 32;

/// The environment: what `load_env` reads, and what the script sets.
pub(super) type Variables = HashMap<String, String>;

/// What running a grub.cfg gave.
#[derive(Debug, Default)]
pub(super) struct Menu {
    /// Entries and submenus in their order.
    nodes: Vec<Node>,
    /// The variable `default` at the end.
    default: String,
    /// True when `default` depends on what only a running GRUB can tell.
    uncertain: bool,
    /// The place in the menu where `blscfg` puts the entries of the Boot Loader Specification.
    pub(super) blscfg: Option<usize>,
    /// The variables at the end.
    pub(super) variables: Variables,
}

/// An entry, or a submenu.
#[derive(Debug, Default)]
struct Node {
    /// Its number in each menu from the outermost on.
    path: Vec<usize>,
    id: Option<String>,
    /// `None` for a submenu.
    entry: Option<Parsed>,
    title: String,
}

/// Reads `grubenv`: lines `name=value`, the first one a comment (GRUB manual, "The GRUB environment block").
pub(super) fn environment(text: &str) -> Variables {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.split_once('='))
        .filter(|(_, value)| value.len() <= MAX_VALUE)
        .take(MAX_VARIABLES)
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// Runs a grub.cfg; `environment` is what stands in grubenv, if there is one.
pub(super) fn run(text: &str, environment: Option<&Variables>) -> Menu {
    let mut machine = Machine {
        environment,
        menu: Menu::default(),
        frames: Vec::new(),
        numbers: vec![0],
    };
    // What a GRUB of today says of itself, on a PC with a BIOS.
    for name in [
        "feature_menuentry_id",
        "feature_platform_search_hint",
        "feature_timeout_style",
        "feature_default_font_path",
        "feature_all_video_module",
        "feature_chainloader_bpb",
        "feature_ntldr",
        "feature_nativedisk_cmd",
        "feature_200_final",
    ] {
        machine.set(name, "y".to_owned());
    }
    machine.set("grub_platform", "pc".to_owned());
    machine.set("grub_cpu", "i386".to_owned());
    for command in words::commands(text).take(MAX_COMMANDS) {
        machine.run(command);
    }
    machine.menu.default = machine.value("default").to_owned();
    machine.menu
}

impl Menu {
    /// Does the entry that is started depend on what only a running GRUB can tell?
    pub(super) fn is_uncertain(&self) -> bool {
        self.uncertain
    }

    /// The entry that is started when nobody presses a key; `None` when there is none. `bls` are the entries that
    /// `blscfg` adds, with their ids.
    pub(super) fn chosen(&self, bls: &[(String, Parsed)]) -> Option<Parsed> {
        let wanted = self.default.trim();
        // A name that stands in no menu means the first entry.
        let found = self.named(wanted, bls).or_else(|| self.named("0", bls))?;
        Some(found.clone())
    }

    /// The entry with a number, id or title, or such a path with `>` between.
    fn named<'a>(&'a self, wanted: &str, bls: &'a [(String, Parsed)]) -> Option<&'a Parsed> {
        let bls_at = self.blscfg.unwrap_or(usize::MAX);
        let mut path: Vec<usize> = Vec::new();
        let whole = self.in_menu(&path, wanted, bls.len());
        let parts: Vec<&str> = if whole.is_some() {
            vec![wanted]
        } else {
            wanted.split('>').collect()
        };
        for part in parts {
            if path.is_empty() {
                let by_id = bls
                    .iter()
                    .find(|(id, parsed)| id == part || parsed.title.as_deref() == Some(part));
                let by_number = part
                    .parse::<usize>()
                    .ok()
                    .and_then(|number| number.checked_sub(bls_at))
                    .and_then(|number| bls.get(number));
                if let Some((_, parsed)) = by_number.or(by_id) {
                    return Some(parsed);
                }
            }
            path.push(self.in_menu(&path, part, bls.len())?);
        }
        // A submenu without an entry named starts its first one.
        for _ in 0..MAX_DEPTH {
            let node = self.nodes.iter().find(|node| node.path == path)?;
            match &node.entry {
                Some(parsed) => return Some(parsed),
                None => path.push(0),
            }
        }
        None
    }

    /// The number, without those of `blscfg`, of what is called so in the menu at a path.
    fn in_menu(&self, menu: &[usize], wanted: &str, bls: usize) -> Option<usize> {
        let mut nodes = self
            .nodes
            .iter()
            .filter(|node| node.path.len() == menu.len() + 1 && node.path.starts_with(menu));
        let by_number = wanted.parse::<usize>().ok().map(|number| match self.blscfg {
            Some(at) if menu.is_empty() && number >= at => number.saturating_sub(bls),
            _ => number,
        });
        nodes
            .find(|node| {
                let number = node.path.last().copied();
                (number.is_some() && number == by_number) || node.id.as_deref() == Some(wanted) || node.title == wanted
            })
            .and_then(|node| node.path.last().copied())
    }
}

/// A block that is open.
#[derive(Debug, Clone, Copy)]
struct Frame {
    kind: Block,
    /// Are its commands run?
    active: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Block {
    /// `taken`: a branch was run already; `outer`: what is around it is run; `known`: its conditions could be told.
    If {
        taken: bool,
        outer: bool,
        known: bool,
    },
    /// The number of the node.
    Entry(usize),
    Submenu,
    /// A function or a loop, whose commands are not run.
    Skipped,
}

struct Machine<'a> {
    environment: Option<&'a Variables>,
    menu: Menu,
    frames: Vec<Frame>,
    /// The next number in each open menu.
    numbers: Vec<usize>,
}

impl Machine<'_> {
    fn value(&self, name: &str) -> &str {
        self.menu.variables.get(name).map(String::as_str).unwrap_or_default()
    }

    fn set(&mut self, name: &str, value: String) {
        let variables = &mut self.menu.variables;
        if value.len() <= MAX_VALUE && (variables.len() < MAX_VARIABLES || variables.contains_key(name)) {
            variables.insert(name.to_owned(), value);
        }
    }

    fn is_active(&self) -> bool {
        self.frames.last().is_none_or(|frame| frame.active)
    }

    fn push(&mut self, kind: Block, active: bool) {
        self.frames.push(Frame { kind, active });
    }

    /// The entry in whose block this is.
    fn entry(&self) -> Option<usize> {
        self.frames.iter().rev().find_map(|frame| match frame.kind {
            Block::Entry(node) => Some(node),
            _ => None,
        })
    }

    fn run(&mut self, mut command: Command<'_>) {
        // What follows on the same line is a command of its own.
        while let Some(keyword @ ("then" | "else" | "do")) = command.keyword() {
            if keyword == "else" {
                self.branch(Some(true));
            }
            command.words.remove(0);
        }
        let Some(keyword) = command.keyword() else {
            return self.simple(&command);
        };
        if self.frames.len() >= MAX_DEPTH && matches!(keyword, "if" | "menuentry" | "submenu" | "function" | "for") {
            return;
        }
        match keyword {
            "if" => {
                let outer = self.is_active();
                self.push(
                    Block::If {
                        taken: false,
                        outer,
                        known: true,
                    },
                    false,
                );
                let condition = self.condition(&command);
                self.branch(condition);
            }
            "elif" => {
                let condition = self.condition(&command);
                self.branch(condition);
            }
            "fi" => self.close(|kind| matches!(kind, Block::If { .. })),
            "for" | "while" | "until" | "function" => self.push(Block::Skipped, false),
            "done" => self.close(|kind| kind == Block::Skipped),
            "menuentry" => self.open_entry(&command, true),
            "submenu" => self.open_entry(&command, false),
            "}" => self.close(|kind| !matches!(kind, Block::If { .. })),
            _ => self.simple(&command),
        }
    }

    /// Closes the innermost block of a kind with all that is open in it.
    fn close(&mut self, is_it: impl Fn(Block) -> bool) {
        if let Some(at) = self.frames.iter().rposition(|frame| is_it(frame.kind)) {
            let menus = |frames: &[Frame]| frames.iter().filter(|frame| frame.kind == Block::Submenu).count();
            self.frames.truncate(at);
            self.numbers.truncate(menus(&self.frames) + 1);
        }
    }

    /// Goes on to the next branch of an `if`.
    fn branch(&mut self, condition: Option<bool>) {
        if let Some(frame) = self.frames.last_mut()
            && let Block::If { taken, outer, known } = &mut frame.kind
        {
            *known &= condition.is_some();
            frame.active = *outer && !*taken && condition == Some(true);
            *taken |= condition == Some(true);
        }
    }

    fn open_entry(&mut self, command: &Command<'_>, is_entry: bool) {
        let active = self.is_active() && self.menu.nodes.len() < MAX_ENTRIES;
        if !active {
            return self.push(Block::Skipped, false);
        }
        let words = self.expanded(command);
        let mut title = None;
        let mut id = None;
        let mut words = words.into_iter().skip(1);
        while let Some(word) = words.next() {
            match word.as_str() {
                "--id" => id = words.next(),
                "--class" | "--users" | "--hotkey" | "--source" => _ = words.next(),
                "{" => {}
                option if option.starts_with("--") => {
                    if let Some(value) = option.strip_prefix("--id=") {
                        id = Some(value.to_owned());
                    }
                }
                _ => title = title.or(Some(word)),
            }
        }
        let mut path = self.numbers.clone();
        if let (Some(last), Some(number)) = (path.last_mut(), self.numbers.last_mut()) {
            *last = *number;
            *number += 1;
        }
        // The numbers of the menus around it are those of their submenus, which were counted already.
        let depth = path.len();
        for number in path.iter_mut().take(depth.saturating_sub(1)) {
            *number = number.saturating_sub(1);
        }
        let title = title.unwrap_or_default();
        self.menu.nodes.push(Node {
            path,
            id,
            entry: is_entry.then(|| Parsed {
                title: Some(title.clone()),
                line: command.line,
                ..Parsed::default()
            }),
            title,
        });
        if is_entry {
            self.push(Block::Entry(self.menu.nodes.len() - 1), true);
        } else {
            self.push(Block::Submenu, true);
            self.numbers.push(0);
        }
    }

    /// A command that opens and closes nothing.
    fn simple(&mut self, command: &Command<'_>) {
        if !self.is_active() {
            // What would have been set had a condition been true that cannot be told.
            if self.after_unknown() && self.assignment(command).is_some_and(|(name, _)| name == "default") {
                self.menu.uncertain = true;
            }
            return;
        }
        if let Some((name, value)) = self.assignment(command) {
            let unknown = |frame: &Frame| matches!(frame.kind, Block::If { known: false, .. });
            self.menu.uncertain |= name == "default" && self.frames.iter().any(unknown);
            if self.entry().is_none() {
                self.set(&name, value);
            }
            return;
        }
        let words = self.expanded(command);
        let Some((name, arguments)) = words.split_first() else {
            return;
        };
        match (name.as_str(), self.entry()) {
            ("load_env", None) => {
                for (name, value) in self.environment.into_iter().flatten() {
                    self.set(name, value.clone());
                }
            }
            ("unset", None) => {
                for name in arguments {
                    self.menu.variables.remove(name);
                }
            }
            ("blscfg", None) if self.numbers.len() == 1 => {
                self.menu.blscfg = self.menu.blscfg.or(self.numbers.first().copied());
            }
            ("search" | "search.fs_uuid" | "search.fs_label", _) => {
                let device = searched(name, arguments);
                self.set("lotse_device", device.unwrap_or_default());
            }
            ("linux" | "linux16" | "linuxefi" | "kernel", Some(node)) => {
                let device = Some(self.value("lotse_device").to_owned()).filter(|device| !device.is_empty());
                if let Some(parsed) = self.parsed(node) {
                    let mut arguments = arguments.iter();
                    parsed.kernel = arguments.next().cloned();
                    parsed.options = arguments.cloned().collect::<Vec<_>>().join(" ");
                    parsed.options_line = Some(command.line);
                    parsed.device = device;
                }
            }
            ("initrd" | "initrd16" | "initrdefi", Some(node)) => {
                if let Some(parsed) = self.parsed(node) {
                    parsed.initramfs = arguments.to_vec();
                }
            }
            _ => {}
        }
    }

    fn parsed(&mut self, node: usize) -> Option<&mut Parsed> {
        self.menu.nodes.get_mut(node)?.entry.as_mut()
    }

    /// Is this in a branch that is only left out because its condition cannot be told?
    fn after_unknown(&self) -> bool {
        let unknown = |frame: &Frame| matches!(frame.kind, Block::If { known: false, .. });
        self.frames.iter().any(unknown) && self.frames.iter().all(|frame| frame.active || unknown(frame))
    }

    /// `set name=value` or `name=value`.
    fn assignment(&self, command: &Command<'_>) -> Option<(String, String)> {
        let words = command.words.as_slice();
        let word = match command.keyword() {
            Some("set") => words.get(1)?,
            _ if words.len() == 1 => words.first()?,
            _ => return None,
        };
        let name = word.assigned()?.to_owned();
        let text = self.expand(word);
        let value = text.get(name.len() + 1..).unwrap_or_default().to_owned();
        Some((name, value))
    }

    fn expanded(&self, command: &Command<'_>) -> Vec<String> {
        let words = command.words.iter();
        words
            .map(|word| (self.expand(word), word.quoted))
            .filter(|(text, quoted)| *quoted || !text.is_empty())
            .map(|(text, _)| text)
            .collect()
    }

    fn expand(&self, word: &Word<'_>) -> String {
        let mut text = String::new();
        for piece in &word.pieces {
            let piece = match piece {
                words::Piece::Text(text) => text,
                words::Piece::Variable(name) => self.value(name),
            };
            if text.len() + piece.len() > MAX_VALUE {
                break;
            }
            text.push_str(piece);
        }
        text
    }

    /// `[ … ]` and `test`, as far as it does not depend on the machine; `None` where it does.
    fn condition(&self, command: &Command<'_>) -> Option<bool> {
        let words: Vec<String> = command.words.iter().skip(1).map(|word| self.expand(word)).collect();
        let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words.first().copied()? {
            "[" => {
                words.pop_if(|word| *word == "]")?;
                words.remove(0);
            }
            "test" => _ = words.remove(0),
            "true" => return Some(true),
            "false" => return Some(false),
            _ => return None,
        }
        let negated = words.first() == Some(&"!");
        if negated {
            words.remove(0);
        }
        let result = match words.as_slice() {
            [] => false,
            [word] | ["-n", word] => !word.is_empty(),
            ["-z", word] => word.is_empty(),
            ["-s" | "-e" | "-f", path] if path.ends_with("/grubenv") => self.environment.is_some(),
            [left, "=" | "==", right] => left == right,
            [left, "!=", right] => left != right,
            _ => return None,
        };
        Some(result != negated)
    }
}

/// What a `search` looks for, as fstab would name it.
fn searched(name: &str, arguments: &[String]) -> Option<String> {
    let is_option = |argument: &&String| argument.starts_with('-');
    let value = match name {
        "search" => arguments.iter().rfind(|argument| !is_option(argument)),
        _ => arguments.first(),
    }?;
    let has = |long: &str, short: &str| arguments.iter().any(|argument| argument == long || argument == short);
    if name == "search.fs_uuid" || has("--fs-uuid", "-u") {
        Some(format!("UUID={value}"))
    } else if name == "search.fs_label" || has("--label", "-l") || has("--fs-label", "-l") {
        Some(format!("LABEL={value}"))
    } else {
        None
    }
}

#[cfg(test)]
mod tests;
