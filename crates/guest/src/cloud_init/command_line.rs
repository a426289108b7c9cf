//! What the kernel's command line, as the boot configuration has it, tells cloud-init.

use crate::Evidence;

/// The command line of the system that is started by default, and where it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CommandLine {
    pub(crate) text: String,
    pub(crate) evidence: Evidence,
}

impl CommandLine {
    /// Is `cloud-init=` set, and does the last one say `disabled`? `None` where it says nothing.
    pub(super) fn disables(&self) -> Option<(bool, Evidence)> {
        let word = self
            .text
            .split_ascii_whitespace()
            .rev()
            .find(|word| word.starts_with("cloud-init="))?;
        let evidence = self.evidence.clone().value(word);
        match word {
            "cloud-init=disabled" => Some((true, evidence)),
            "cloud-init=enabled" => Some((false, evidence)),
            _ => None,
        }
    }

    /// Settings in YAML between `cc:` and `end_cc` (`cloudinit.util.read_cc_from_cmdline`); `None` where there are none.
    pub(super) fn config(&self) -> Option<String> {
        let mut tokens = Vec::new();
        let text = format!(" {}", self.text);
        let mut rest = text.as_str();
        while let Some((_, after)) = rest.split_once(" cc:") {
            let (token, after) = after.split_once("end_cc").unwrap_or((after, ""));
            tokens.push(unquoted(token.trim_start()).replace("\\n", "\n"));
            rest = after;
        }
        (!tokens.is_empty()).then(|| tokens.join("\n"))
    }
}

/// `%5B` as `[` (`urllib.parse.unquote`).
fn unquoted(token: &str) -> String {
    let mut bytes = Vec::with_capacity(token.len());
    let mut rest = token.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = after
            .get(..2)
            .filter(|_| *first == b'%')
            .and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = escaped
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() {
            after.get(2..).unwrap_or_default()
        } else {
            after
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> CommandLine {
        CommandLine {
            text: text.to_owned(),
            evidence: Evidence::path("/boot/grub/grub.cfg").line(100),
        }
    }

    #[test]
    fn settings_are_taken_out_as_cloud_inits_own_comment_shows() {
        for (text, config) in [
            ("ro quiet", None),
            (
                "cc: ssh_import_id: [smoser, kirkland]\\n",
                Some("ssh_import_id: [smoser, kirkland]\n"),
            ),
            (
                "ro cc:a: [x] end_cc cc:b: [ [ ls, -l ] ] end_cc quiet",
                Some("a: [x] \nb: [ [ ls, -l ] ] "),
            ),
            (
                "cc:ssh_import_id: %5Bsmoser%5D end_cc",
                Some("ssh_import_id: [smoser] "),
            ),
            ("acc:x", None),
        ] {
            assert_eq!(line(text).config().as_deref(), config, "{text}");
        }
    }

    #[test]
    fn the_last_word_for_or_against_it_holds() {
        assert_eq!(line("quiet").disables(), None);
        assert!(line("cloud-init=enabled cloud-init=disabled").disables().unwrap().0);
        assert!(!line("cloud-init=disabled cloud-init=enabled").disables().unwrap().0);
    }
}
