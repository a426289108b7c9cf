//! Versions of packages compared by the rules of the package's family.

mod apk;
mod dpkg;
mod freebsd;
mod pacman;
mod portage;
mod rpm;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;

pub(crate) use portage::is_version as is_portage;

/// Whose rules a version follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rules {
    /// Debian Policy 5.6.12; opkg's are the same.
    Dpkg,
    /// rpm's `[epoch:]version[-release]`, with `~` and `^`.
    Rpm,
    /// apk: `_alpha`, `_beta`, `_pre`, `_rc` sort before the version itself.
    Apk,
    /// pacman's vercmp.
    Pacman,
    /// Gentoo's PMS 3.3.
    Portage,
    /// FreeBSD's `version[_revision][,epoch]`.
    Freebsd,
    /// A program's own `X.Y.Z`.
    Plain,
}

/// Is a version at least `minimum` (an upstream version without epoch)? The epoch is left out on purpose: it counts
/// renumberings of one distribution and says nothing about the program. A package's release makes no version older.
pub(crate) fn at_least(rules: Rules, version: &str, minimum: &str) -> bool {
    let version = match rules {
        Rules::Freebsd => version.split_once(',').map_or(version, |(rest, _)| rest),
        Rules::Dpkg | Rules::Rpm | Rules::Apk | Rules::Pacman | Rules::Portage | Rules::Plain => {
            version.split_once(':').map_or(version, |(_, rest)| rest)
        }
    };
    compare(rules, version, minimum) != Ordering::Less
}

/// Compares two versions of one family. Every text can be compared; what is no version of the family comes first.
pub(crate) fn compare(rules: Rules, left: &str, right: &str) -> Ordering {
    match rules {
        Rules::Dpkg => dpkg::compare(left, right),
        Rules::Rpm => rpm::compare(left, right),
        Rules::Apk => apk::compare(left, right),
        Rules::Pacman => pacman::compare(left, right),
        Rules::Portage => portage::compare(left, right),
        Rules::Freebsd => freebsd::compare(left, right),
        // "0.7.7rc1" < "0.7.7": letters after the last number are a pre-release.
        Rules::Plain => dpkg::compare(&pre_release(left), &pre_release(right)),
    }
}

/// Puts dpkg's `~` before the first letter that follows a digit, unless a separator stands between.
fn pre_release(version: &str) -> String {
    let mut marked = String::with_capacity(version.len() + 1);
    let mut digit_before = false;
    for character in version.chars() {
        if digit_before && character.is_ascii_alphabetic() {
            marked.push('~');
        }
        digit_before = character.is_ascii_digit();
        marked.push(character);
    }
    marked
}

/// Numbers of any length; an empty one counts as zero.
fn compare_numbers(left: &str, right: &str) -> Ordering {
    let (left, right) = (left.trim_start_matches('0'), right.trim_start_matches('0'));
    left.len().cmp(&right.len()).then_with(|| left.cmp(right))
}

/// The leading characters of one kind, and the rest. Only ASCII may belong, so that no character is cut.
fn take(text: &str, belongs: fn(u8) -> bool) -> (&str, &str) {
    let end = text.bytes().position(|byte| !belongs(byte)).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

fn is_digit(byte: u8) -> bool {
    byte.is_ascii_digit()
}

fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphabetic()
}
