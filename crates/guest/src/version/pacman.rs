//! pacman's `[epoch:]version[-release]` as vercmp(8) compares them. Where one of two has no release, neither counts.

use std::cmp::Ordering;

use super::{compare_numbers, is_digit, is_letter, take};

pub(super) fn compare(left: &str, right: &str) -> Ordering {
    let (left_epoch, left) = split_epoch(left);
    let (right_epoch, right) = split_epoch(right);
    let (left_version, left_release) = split_release(left);
    let (right_version, right_release) = split_release(right);
    compare_part(left_epoch, right_epoch)
        .then_with(|| compare_part(left_version, right_version))
        .then_with(|| match (left_release, right_release) {
            (Some(left), Some(right)) => compare_part(left, right),
            _ => Ordering::Equal,
        })
}

/// Only digits are an epoch; an empty one is 0.
fn split_epoch(version: &str) -> (&str, &str) {
    match version.split_once(':') {
        Some(("", rest)) => ("0", rest),
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

/// Numbers and words in turn; more separators make a version newer.
fn compare_part(mut left: &str, mut right: &str) -> Ordering {
    if left == right {
        return Ordering::Equal;
    }
    while !left.is_empty() && !right.is_empty() {
        let left_trimmed = left.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
        let right_trimmed = right.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
        let separators = (left.len() - left_trimmed.len()).cmp(&(right.len() - right_trimmed.len()));
        (left, right) = (left_trimmed, right_trimmed);
        if left.is_empty() || right.is_empty() {
            break;
        }
        if separators.is_ne() {
            return separators;
        }
        let numeric = left.starts_with(|c: char| c.is_ascii_digit());
        let kind = if numeric { is_digit } else { is_letter };
        let (left_word, left_rest) = take(left, kind);
        let (right_word, right_rest) = take(right, kind);
        let ordering = match (numeric, right_word.is_empty()) {
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
    // "1.0rc" < "1.0" < "1.0.1": only a word that follows makes a version older.
    let begins_with_letter = |text: &str| text.starts_with(|c: char| c.is_ascii_alphabetic());
    match (left.is_empty(), right.is_empty()) {
        (true, true) => Ordering::Equal,
        (true, false) if begins_with_letter(right) => Ordering::Greater,
        (true, false) => Ordering::Less,
        (false, _) if begins_with_letter(left) => Ordering::Less,
        (false, _) => Ordering::Greater,
    }
}
