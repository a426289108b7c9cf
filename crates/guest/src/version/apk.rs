//! apk's `number{.number}[letter]{_suffix[number]}[-rNUMBER]` (apk-package(5)), compared part by part.

use std::cmp::Ordering;

use super::{is_digit, take};

/// Suffixes older than the version itself, then those newer; each list in its order.
const BEFORE: &[&str] = &["alpha", "beta", "pre", "rc"];
const AFTER: &[&str] = &["cvs", "svn", "git", "hg", "p"];

/// What a part of a version is. Where two versions differ in what follows, the earlier of these kinds is the newer
/// version: `1.0.1` > `1.0a` > `1.0_p1` > `1.0-r1` > `1.0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Invalid,
    DottedNumber,
    /// What follows the leading zeros of a number: `1.02` is older than `1.1`, as in a decimal fraction.
    Fraction,
    Letter,
    Suffix,
    SuffixNumber,
    Release,
    End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Part {
    kind: Kind,
    value: i64,
}

/// The parts of a version, ended by [`Kind::End`] or [`Kind::Invalid`].
struct Parts<'a> {
    /// The last part's kind; `None` at the beginning.
    kind: Option<Kind>,
    /// The last part were the leading zeros of a number.
    zeros: bool,
    rest: &'a str,
}

impl<'a> Parts<'a> {
    fn of(version: &'a str) -> Self {
        Self {
            kind: None,
            zeros: false,
            rest: version,
        }
    }
}

impl Parts<'_> {
    fn next(&mut self) -> Part {
        let part = self.part().unwrap_or(Part {
            kind: Kind::Invalid,
            value: -1,
        });
        self.kind = Some(part.kind);
        part
    }

    /// `None` for what no version holds there.
    fn part(&mut self) -> Option<Part> {
        let Some(before) = self.kind else {
            return self.number(Kind::Fraction);
        };
        let Some(sign) = self.rest.bytes().next() else {
            return Some(Part {
                kind: Kind::End,
                value: 0,
            });
        };
        if std::mem::take(&mut self.zeros) {
            let fraction = self.number(Kind::Fraction);
            return Some(fraction.unwrap_or(Part {
                kind: Kind::Fraction,
                value: 0,
            }));
        }
        let after_number = matches!(before, Kind::DottedNumber | Kind::Fraction);
        let after_letter = after_number || before == Kind::Letter;
        match sign {
            b'0'..=b'9' if before == Kind::Letter => self.number(Kind::Fraction),
            b'0'..=b'9' if before == Kind::Suffix => self.number(Kind::SuffixNumber),
            b'a'..=b'z' if after_number => {
                self.rest = self.rest.get(1..)?;
                Some(Part {
                    kind: Kind::Letter,
                    value: i64::from(sign),
                })
            }
            b'.' if after_number => {
                self.rest = self.rest.get(1..)?;
                self.dotted_number()
            }
            b'_' if after_letter || matches!(before, Kind::Suffix | Kind::SuffixNumber) => {
                self.rest = self.rest.get(1..)?;
                self.suffix()
            }
            b'-' if before < Kind::Release => {
                self.rest = self.rest.strip_prefix("-r")?;
                self.number(Kind::Release)
            }
            _ => None,
        }
    }

    /// A number after a dot: its leading zeros, each of which makes it older, or else the number itself.
    fn dotted_number(&mut self) -> Option<Part> {
        let (zeros, rest) = take(self.rest, |byte| byte == b'0');
        if zeros.is_empty() {
            return self.number(Kind::DottedNumber);
        }
        self.rest = rest;
        self.zeros = true;
        Some(Part {
            kind: Kind::DottedNumber,
            value: i64::try_from(zeros.len()).map_or(i64::MIN, |zeros| -zeros),
        })
    }

    fn number(&mut self, kind: Kind) -> Option<Part> {
        let (digits, rest) = take(self.rest, is_digit);
        self.rest = rest;
        let value = digits.bytes().fold(0_i64, |value, digit| {
            value.saturating_mul(10).saturating_add(i64::from(digit - b'0'))
        });
        (!digits.is_empty()).then_some(Part { kind, value })
    }

    fn suffix(&mut self) -> Option<Part> {
        let (name, rest) = take(self.rest, |byte| byte.is_ascii_lowercase());
        let value = match BEFORE.iter().position(|suffix| *suffix == name) {
            Some(index) => i64::try_from(index).ok()? - 4,
            None => i64::try_from(AFTER.iter().position(|suffix| *suffix == name)?).ok()?,
        };
        self.rest = rest;
        Some(Part {
            kind: Kind::Suffix,
            value,
        })
    }
}

pub(super) fn compare(left: &str, right: &str) -> Ordering {
    let (mut lefts, mut rights) = (Parts::of(left), Parts::of(right));
    loop {
        let (left, right) = (lefts.next(), rights.next());
        if left.kind != right.kind {
            return if is_older(left) {
                Ordering::Less
            } else if is_older(right) {
                Ordering::Greater
            } else {
                right.kind.cmp(&left.kind)
            };
        }
        match left.value.cmp(&right.value) {
            Ordering::Equal if matches!(left.kind, Kind::End | Kind::Invalid) => return Ordering::Equal,
            Ordering::Equal => {}
            ordering => return ordering,
        }
    }
}

/// Does what follows make the version older than one without it?
fn is_older(part: Part) -> bool {
    part.kind == Kind::Suffix && part.value < 0
}
