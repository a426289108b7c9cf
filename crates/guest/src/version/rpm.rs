//! rpm's `[epoch:]version[-release]` (rpm-version(7)): `~` before the end of a version, `^` after it but before all else.

use std::cmp::Ordering;

use super::{compare_numbers, is_digit, is_letter, take};

/// Epoch, version, release. A missing epoch is 0, a missing release is the earliest.
pub(super) fn compare(left: &str, right: &str) -> Ordering {
    let (left_epoch, left) = split_epoch(left);
    let (right_epoch, right) = split_epoch(right);
    let (left_version, left_release) = split_release(left);
    let (right_version, right_release) = split_release(right);
    compare_numbers(left_epoch, right_epoch)
        .then_with(|| compare_part(left_version, right_version))
        .then_with(|| match (left_release, right_release) {
            (Some(left), Some(right)) => compare_part(left, right),
            (left, right) => left.is_some().cmp(&right.is_some()),
        })
}

/// Only digits are an epoch.
fn split_epoch(version: &str) -> (&str, &str) {
    match version.split_once(':') {
        Some((epoch, rest)) if epoch.bytes().all(is_digit) => (epoch, rest),
        _ => ("0", version),
    }
}

fn split_release(version: &str) -> (&str, Option<&str>) {
    match version.rsplit_once('-') {
        Some((version, release)) => (version, Some(release)),
        None => (version, None),
    }
}

fn is_separator(sign: char) -> bool {
    !sign.is_ascii_alphanumeric() && sign != '~' && sign != '^'
}

/// Numbers and words in turn; what separates them only separates.
fn compare_part(mut left: &str, mut right: &str) -> Ordering {
    loop {
        left = left.trim_start_matches(is_separator);
        right = right.trim_start_matches(is_separator);
        match (left.strip_prefix('~'), right.strip_prefix('~')) {
            (Some(left_rest), Some(right_rest)) => {
                (left, right) = (left_rest, right_rest);
                continue;
            }
            (Some(_), None) => return Ordering::Less,
            (None, Some(_)) => return Ordering::Greater,
            (None, None) => {}
        }
        match (left.strip_prefix('^'), right.strip_prefix('^')) {
            (Some(left_rest), Some(right_rest)) => {
                (left, right) = (left_rest, right_rest);
                continue;
            }
            (Some(_), None) if right.is_empty() => return Ordering::Greater,
            (Some(_), None) => return Ordering::Less,
            (None, Some(_)) if left.is_empty() => return Ordering::Less,
            (None, Some(_)) => return Ordering::Greater,
            (None, None) => {}
        }
        if left.is_empty() || right.is_empty() {
            return right.is_empty().cmp(&left.is_empty());
        }
        let numeric = left.starts_with(|c: char| c.is_ascii_digit());
        let kind = if numeric { is_digit } else { is_letter };
        let (left_word, left_rest) = take(left, kind);
        let (right_word, right_rest) = take(right, kind);
        let ordering = match (numeric, right_word.is_empty()) {
            // A number is newer than a word.
            (true, true) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (true, false) => compare_numbers(left_word, right_word),
            (false, false) => left_word.cmp(right_word),
        };
        if ordering.is_ne() {
            return ordering;
        }
        (left, right) = (left_rest, right_rest);
    }
}
