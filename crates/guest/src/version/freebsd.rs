//! FreeBSD's `version[_revision][,epoch]` (Porter's Handbook 5.2.3), compared as `pkg version -t` does.

use std::cmp::Ordering;

use super::{is_digit, is_letter, take};

/// Words with a place of their own before all other letters: `pl` first, then by their first letter.
const STAGES: &[(&str, i64)] = &[("pl", 0), ("alpha", 1), ("beta", 2), ("pre", 16), ("rc", 18)];

/// One component: a number, a letter and a number. The fields compare in this order.
#[derive(Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Component {
    /// -1 where it begins with a letter, -2 for `*`.
    number: i64,
    /// 0 for none, 1 for `a`.
    letter: i64,
    /// -1 where no number follows the letter.
    patch: i64,
}

pub(super) fn compare(left: &str, right: &str) -> Ordering {
    let (left_version, left_revision, left_epoch) = split(left);
    let (right_version, right_revision, right_epoch) = split(right);
    left_epoch
        .cmp(&right_epoch)
        .then_with(|| compare_components(left_version, right_version))
        .then_with(|| left_revision.cmp(&right_revision))
}

/// Version, revision and epoch. A package's name before the version is left out as pkg does it.
fn split(text: &str) -> (&str, u64, u64) {
    let text = text.rsplit_once('-').map_or(text, |(_, version)| version);
    let number = |text: &str| {
        take(text, is_digit).0.bytes().fold(0_u64, |value, digit| {
            value.saturating_mul(10).saturating_add(u64::from(digit - b'0'))
        })
    };
    let (version, revision, tail) = match text.rsplit_once('_') {
        Some((version, tail)) => (version, number(tail), tail),
        None => (text, 0, text),
    };
    let epoch = tail.rsplit_once(',').map_or(0, |(_, epoch)| number(epoch));
    // Without a revision the epoch follows the version itself.
    let version = match version.rsplit_once(',') {
        Some((version, _)) if !text.contains('_') => version,
        _ => version,
    };
    (version, revision, epoch)
}

/// Component by component; `+` divides a version into blocks, and what is missing in one counts as 0.
fn compare_components(mut left: &str, mut right: &str) -> Ordering {
    if left.eq_ignore_ascii_case(right) {
        return Ordering::Equal;
    }
    while !(left.is_empty() && right.is_empty()) {
        let (left_component, left_ended) = next(&mut left);
        let (right_component, right_ended) = next(&mut right);
        if left_ended && right_ended {
            left = left.strip_prefix('+').unwrap_or(left);
            right = right.strip_prefix('+').unwrap_or(right);
            continue;
        }
        let ordering = left_component.cmp(&right_component);
        if ordering.is_ne() {
            return ordering;
        }
    }
    Ordering::Equal
}

/// The next component, or an empty one and `true` at the end of a block.
fn next(text: &mut &str) -> (Component, bool) {
    if text.is_empty() || text.starts_with('+') {
        return (Component::default(), true);
    }
    let mut component = Component::default();
    let (digits, rest) = take(text, is_digit);
    let mut rest = rest;
    let begins_with_letter = digits.is_empty() && !rest.starts_with('*');
    if digits.is_empty() {
        component.number = if begins_with_letter { -1 } else { -2 };
        if !begins_with_letter {
            rest = rest.find('+').and_then(|at| rest.get(at..)).unwrap_or("");
        }
    } else {
        component.number = number(digits);
    }
    let (word, after) = take(rest, is_letter);
    let stage = STAGES
        .iter()
        .find(|(name, _)| word.len() > 1 && name.eq_ignore_ascii_case(word));
    match (stage, word.bytes().next()) {
        // A number before it is a component of its own.
        (Some(_), _) if !begins_with_letter => {}
        (Some((_, value)), _) => {
            (component.letter, component.patch) = (*value, -1);
            rest = after;
        }
        (None, Some(letter)) => {
            component.letter = i64::from(letter.to_ascii_lowercase() - b'a') + 1;
            component.patch = -1;
            rest = after;
        }
        (None, None) => {}
    }
    if component.patch == -1 {
        let (digits, after) = take(rest, is_digit);
        if !digits.is_empty() {
            component.patch = number(digits);
            rest = after;
        }
    }
    *text = rest.trim_start_matches(|c: char| !c.is_ascii_alphanumeric() && c != '+' && c != '*');
    (component, false)
}

fn number(digits: &str) -> i64 {
    digits.bytes().fold(0_i64, |value, digit| {
        value.saturating_mul(10).saturating_add(i64::from(digit - b'0'))
    })
}
