//! Gentoo's versions: PMS 3.2 says what one is, 3.3 how two compare.

use std::cmp::Ordering;

use super::{compare_numbers, is_digit, take};

/// The parts of a version.
#[derive(Debug)]
struct Version<'a> {
    /// Numbers between dots; at least one.
    numbers: Vec<&'a str>,
    letter: Option<u8>,
    /// Suffixes and their numbers.
    suffixes: Vec<(Suffix, &'a str)>,
    revision: &'a str,
}

/// PMS 3.3, algorithm 3.6: in this order, with no suffix between `_rc` and `_p`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Suffix {
    Alpha,
    Beta,
    Pre,
    Rc,
    None,
    P,
}

/// Is this a version?
pub(crate) fn is_version(text: &str) -> bool {
    parse(text).is_some()
}

fn parse(text: &str) -> Option<Version<'_>> {
    let (text, revision) = match text.rsplit_once("-r") {
        Some((text, revision)) if !revision.is_empty() && revision.bytes().all(is_digit) => (text, revision),
        Some(_) => return None,
        None => (text, ""),
    };
    let mut words = text.split('_');
    let mut numbers: Vec<&str> = words.next()?.split('.').collect();
    let last = numbers.last_mut()?;
    let letter = match last.bytes().next_back() {
        Some(letter @ b'a'..=b'z') => {
            *last = last.get(..last.len() - 1)?;
            Some(letter)
        }
        _ => None,
    };
    if !numbers
        .iter()
        .all(|number| !number.is_empty() && number.bytes().all(is_digit))
    {
        return None;
    }
    let suffixes: Option<Vec<_>> = words.map(suffix).collect();
    Some(Version {
        numbers,
        letter,
        suffixes: suffixes?,
        revision,
    })
}

fn suffix(word: &str) -> Option<(Suffix, &str)> {
    let (name, number) = take(word, |byte| byte.is_ascii_lowercase());
    let suffix = match name {
        "alpha" => Suffix::Alpha,
        "beta" => Suffix::Beta,
        "pre" => Suffix::Pre,
        "rc" => Suffix::Rc,
        "p" => Suffix::P,
        _ => return None,
    };
    number.bytes().all(is_digit).then_some((suffix, number))
}

pub(super) fn compare(left: &str, right: &str) -> Ordering {
    match (parse(left), parse(right)) {
        (Some(left), Some(right)) => compare_numbers_of(&left, &right)
            .then_with(|| left.letter.cmp(&right.letter))
            .then_with(|| compare_suffixes(&left, &right))
            .then_with(|| compare_numbers(left.revision, right.revision)),
        (None, None) => left.cmp(right),
        (left, right) => left.is_some().cmp(&right.is_some()),
    }
}

/// PMS 3.3, algorithms 3.2 and 3.3.
fn compare_numbers_of(left: &Version<'_>, right: &Version<'_>) -> Ordering {
    let both = left.numbers.iter().zip(&right.numbers).enumerate();
    let differing = both
        .map(|(index, (left, right))| {
            // A leading zero behind the first dot makes a number a decimal fraction.
            if index > 0 && (left.starts_with('0') || right.starts_with('0')) {
                left.trim_end_matches('0').cmp(right.trim_end_matches('0'))
            } else {
                compare_numbers(left, right)
            }
        })
        .find(|ordering| ordering.is_ne());
    differing.unwrap_or_else(|| left.numbers.len().cmp(&right.numbers.len()))
}

/// PMS 3.3, algorithms 3.5 and 3.6.
fn compare_suffixes(left: &Version<'_>, right: &Version<'_>) -> Ordering {
    let length = left.suffixes.len().max(right.suffixes.len());
    let at = |version: &Version<'_>, index: usize| version.suffixes.get(index).map_or(Suffix::None, |suffix| suffix.0);
    let number = |version: &Version<'_>, index: usize| -> String {
        let suffix = version.suffixes.get(index);
        suffix.map_or(String::new(), |suffix| suffix.1.to_owned())
    };
    (0..length)
        .map(|index| {
            at(left, index)
                .cmp(&at(right, index))
                .then_with(|| compare_numbers(&number(left, index), &number(right, index)))
        })
        .find(|ordering| ordering.is_ne())
        .unwrap_or(Ordering::Equal)
}
