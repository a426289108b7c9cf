//! Versions of packages compared by the rules of the package's family.

use std::cmp::Ordering;

/// Whose rules a version follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rules {
    /// Debian Policy 5.6.12.
    Dpkg,
    /// apk: `_alpha`, `_beta`, `_pre`, `_rc` sort before the version itself.
    Apk,
    /// pacman's vercmp, and a program's own `X.Y.Z`.
    Plain,
}

/// Is a version at least `minimum` (an upstream version without epoch)? The epoch is left out on purpose: it counts
/// renumberings of one distribution and says nothing about the program.
pub(crate) fn at_least(rules: Rules, version: &str, minimum: &str) -> bool {
    let version = version.split_once(':').map_or(version, |(_, rest)| rest);
    let ordering = match rules {
        Rules::Dpkg => compare_dpkg(version, minimum),
        Rules::Apk => {
            let mut upstream = version.to_owned();
            for suffix in ["_alpha", "_beta", "_pre", "_rc"] {
                upstream = upstream.replace(suffix, &suffix.replace('_', "~"));
            }
            compare_dpkg(&upstream, minimum)
        }
        // "0.7.7rc1" < "0.7.7": letters after the last number are a pre-release.
        Rules::Plain => compare_dpkg(&pre_release(version), minimum),
    };
    ordering != Ordering::Less
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

/// Compares two versions as `dpkg --compare-versions` does (Debian Policy 5.6.12): epoch, upstream version, revision.
pub(crate) fn compare_dpkg(left: &str, right: &str) -> Ordering {
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

/// Numbers of any length; an empty one counts as zero.
fn compare_numbers(left: &str, right: &str) -> Ordering {
    let (left, right) = (left.trim_start_matches('0'), right.trim_start_matches('0'));
    left.len().cmp(&right.len()).then_with(|| left.cmp(right))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_ccloud_asks_of_cloud_init_is_judged_by_the_package_familys_rules() {
        for (rules, version, expected) in [
            (Rules::Dpkg, "22.4.2-1+deb12u4", true),
            (Rules::Dpkg, "0.7.7-1", true),
            (Rules::Dpkg, "0.7.7", true),
            (Rules::Dpkg, "0.7.7~bzr1256-0ubuntu1~16.04.1", false),
            (Rules::Dpkg, "0.7.6~bzr976-2", false),
            (Rules::Dpkg, "0.7.10-1", true),
            (Rules::Dpkg, "1:0.7.5-1", false),
            (Rules::Apk, "25.1.4-r0", true),
            (Rules::Apk, "0.7.7_rc1-r0", false),
            (Rules::Plain, "0.7.7", true),
            (Rules::Plain, "0.7.7rc1", false),
            (Rules::Plain, "0.7.5", false),
            (Rules::Plain, "18.5", true),
        ] {
            assert_eq!(at_least(rules, version, "0.7.7"), expected, "{rules:?} {version}");
        }
    }

    #[test]
    fn the_policys_own_examples_hold() {
        let sorted = ["~~", "~~a", "~", "", "a"];
        for (index, left) in sorted.iter().enumerate() {
            for (other, right) in sorted.iter().enumerate() {
                assert_eq!(compare_part(left, right), index.cmp(&other), "{left:?} {right:?}");
            }
        }
        assert_eq!(
            compare_dpkg("1.0-1", "1.0"),
            Ordering::Greater,
            "an absent revision is the earliest"
        );
        assert_eq!(compare_dpkg("1.0-0", "1.0"), Ordering::Equal);
        assert_eq!(
            compare_dpkg("99999999999999999999999", "100000000000000000000000"),
            Ordering::Less
        );
    }

    fn dpkg(left: &str, operator: &str, right: &str) -> Option<bool> {
        let status = Command::new("dpkg")
            .args(["--compare-versions", left, operator, right])
            .status()
            .ok()?;
        match status.code() {
            Some(0) => Some(true),
            Some(1) => Some(false),
            _ => None,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]
        #[test]
        fn order_is_dpkgs(left in "([0-9]:)?[0-9][0-9a-z.+~]{0,6}(-[0-9a-z.+~]{1,3})?", right in "([0-9]:)?[0-9][0-9a-z.+~]{0,6}(-[0-9a-z.+~]{1,3})?") {
            // Without dpkg on the machine there is nothing to compare with.
            if let Some(less) = dpkg(&left, "lt", &right) {
                prop_assert_eq!(compare_dpkg(&left, &right) == Ordering::Less, less);
            }
            prop_assert_eq!(compare_dpkg(&left, &right), compare_dpkg(&right, &left).reverse());
            prop_assert_eq!(compare_dpkg(&left, &left), Ordering::Equal);
        }

        #[test]
        fn any_text_can_be_compared(left in ".{0,20}", right in ".{0,20}") {
            prop_assert_eq!(compare_dpkg(&left, &right), compare_dpkg(&right, &left).reverse());
            let _ = at_least(Rules::Plain, &left, "0.7.7");
        }
    }
}
