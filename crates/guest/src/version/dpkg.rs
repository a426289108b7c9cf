//! Debian Policy 5.6.12: epoch, upstream version, revision.

use std::cmp::Ordering;

use super::compare_numbers;

/// Compares two versions as `dpkg --compare-versions` does (Debian Policy 5.6.12): epoch, upstream version, revision.
pub(super) fn compare(left: &str, right: &str) -> Ordering {
    let (left_epoch, left) = split_epoch(left);
    let (right_epoch, right) = split_epoch(right);
    let (left_upstream, left_revision) = left.rsplit_once('-').unwrap_or((left, ""));
    let (right_upstream, right_revision) = right.rsplit_once('-').unwrap_or((right, ""));
    compare_numbers(left_epoch, right_epoch)
        .then_with(|| compare_part(left_upstream, right_upstream))
        .then_with(|| compare_part(left_revision, right_revision))
}

fn split_epoch(version: &str) -> (&str, &str) {
    version.split_once(':').unwrap_or(("0", version))
}

/// Letters and signs alternate with numbers; the first difference decides.
fn compare_part(mut left: &str, mut right: &str) -> Ordering {
    while !(left.is_empty() && right.is_empty()) {
        let (left_text, left_rest) = split_at_kind(left, |byte| !byte.is_ascii_digit());
        let (right_text, right_rest) = split_at_kind(right, |byte| !byte.is_ascii_digit());
        let (left_number, left_rest) = split_at_kind(left_rest, |byte| byte.is_ascii_digit());
        let (right_number, right_rest) = split_at_kind(right_rest, |byte| byte.is_ascii_digit());
        let ordering = compare_text(left_text, right_text).then_with(|| compare_numbers(left_number, right_number));
        if ordering != Ordering::Equal {
            return ordering;
        }
        (left, right) = (left_rest, right_rest);
    }
    Ordering::Equal
}

fn split_at_kind(text: &str, belongs: fn(u8) -> bool) -> (&str, &str) {
    let end = text.bytes().position(|byte| !belongs(byte)).unwrap_or(text.len());
    // Only ASCII digits divide, so that `end` is never inside a character.
    text.split_at_checked(end).unwrap_or((text, ""))
}

/// `~` before the end, the end before letters, letters before all other signs.
fn compare_text(left: &str, right: &str) -> Ordering {
    let length = left.len().max(right.len());
    let rank = |text: &str, index: usize| match text.as_bytes().get(index) {
        Some(b'~') => -1,
        None => 0,
        Some(letter) if letter.is_ascii_alphabetic() => i32::from(*letter),
        Some(sign) => i32::from(*sign) + 256,
    };
    (0..length)
        .map(|index| rank(left, index).cmp(&rank(right, index)))
        .find(|ordering| ordering.is_ne())
        .unwrap_or(Ordering::Equal)
}
