//! Taking words off the kernel's command line for good: out of the settings that the boot loader's menu is made from.

use lotse_guest::Fact;

use super::{Packages, distribution};
use crate::Subject;

/// A word of the kernel's command line, in names of our own only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Word {
    /// Exactly this word.
    Whole(&'static str),
    /// This name with whatever it is set to.
    Named(&'static str),
}

/// Where GRUB's menu is made from.
const GRUB_SETTINGS: &str = "/etc/default/grub /etc/default/grub.d";

/// Takes the words off; empty where no command would be exact. Harmless where they are not there.
pub(crate) fn remove_words(subject: &Subject, words: &[Word]) -> Vec<String> {
    let Some(distribution) = distribution(subject) else {
        return Vec::new();
    };
    let Some(loader) = loader(subject) else {
        return Vec::new();
    };
    match (distribution.packages, loader) {
        (Packages::Apt, "grub") => vec![edit(GRUB_SETTINGS, words), "update-grub".to_owned()],
        // Writes the menu's entries and the settings that new kernels get.
        (Packages::Dnf | Packages::Yum, "grub" | "grub_legacy") => {
            let arguments: Vec<&str> = words
                .iter()
                .map(|word| match word {
                    Word::Whole(word) | Word::Named(word) => *word,
                })
                .collect();
            vec![format!(
                "grubby --update-kernel=ALL --remove-args='{}'",
                arguments.join(" ")
            )]
        }
        (Packages::Pacman | Packages::Apk, "grub") => vec![
            edit(GRUB_SETTINGS, words),
            "grub-mkconfig -o /boot/grub/grub.cfg".to_owned(),
        ],
        (Packages::Zypper, "grub") => vec![
            edit(GRUB_SETTINGS, words),
            "grub2-mkconfig -o /boot/grub2/grub.cfg".to_owned(),
        ],
        (Packages::Apk, "syslinux") => vec![edit("/etc/update-extlinux.conf", words), "update-extlinux".to_owned()],
        _ => Vec::new(),
    }
}

/// The loader of the default entry.
fn loader(subject: &Subject) -> Option<&str> {
    match &subject.facts.as_ref().ok()?.boot.entry {
        Fact::Known(Some(entry)) => Some(&entry.loader),
        _ => None,
    }
}

/// Only the files that hold such a word are written, so that a file that is not there is no error.
fn edit(files: &str, words: &[Word]) -> String {
    let patterns: Vec<String> = words
        .iter()
        .map(|word| match word {
            Word::Whole(word) => escaped(word),
            Word::Named(name) => format!("{}=[^[:space:]\\\"']*", escaped(name)),
        })
        .collect();
    let pattern = format!("(^|[[:space:]\\\"'])({})", patterns.join("|"));
    format!("grep -rlsE \"{pattern}\" {files} | xargs -r sed -i -E \"s/{pattern}/\\1/g\"")
}

/// The dots of our own names are no wildcards.
fn escaped(word: &str) -> String {
    word.replace('.', "\\.")
}
