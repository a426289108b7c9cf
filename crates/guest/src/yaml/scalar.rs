//! What a plain scalar means: the implicit types of YAML 1.1 as PyYAML's resolver and safe constructor have them.

use super::{Key, Kind};

/// A plain scalar's value; `None` where the constructor raises an error.
pub(super) fn plain(text: &str) -> Option<Kind> {
    Some(match text {
        "" | "~" | "null" | "Null" | "NULL" => Kind::Null,
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Kind::Bool(true),
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Kind::Bool(false),
        // The resolver gives them types of their own, which the safe constructor builds in mappings only.
        "=" => return None,
        _ if is_int(text) => return int(text),
        _ if is_float(text) || is_timestamp(text)? => Kind::Other(text.to_owned()),
        _ => Kind::Text(text.to_owned()),
    })
}

/// A scalar with a core tag (`!!int`); `None` where the constructor raises an error.
pub(super) fn tagged(suffix: &str, text: &str) -> Option<Kind> {
    Some(match suffix {
        "str" => Kind::Text(text.to_owned()),
        "null" => Kind::Null,
        "bool" => match text.to_ascii_lowercase().as_str() {
            "yes" | "true" | "on" => Kind::Bool(true),
            "no" | "false" | "off" => Kind::Bool(false),
            _ => return None,
        },
        "int" => return int(text),
        "float" if is_float(text) || is_int(text) => Kind::Other(text.to_owned()),
        "timestamp" if is_timestamp(text)? => Kind::Other(text.to_owned()),
        "binary" => Kind::Other(text.to_owned()),
        _ => return None,
    })
}

/// The key that a scalar makes; `None` for what Python cannot hash.
pub(super) fn key(kind: Kind) -> Option<Key> {
    Some(match kind {
        Kind::Null => Key::Null,
        Kind::Bool(value) => Key::Bool(value),
        Kind::Int(value) => Key::Int(value),
        Kind::Text(text) => Key::Text(text),
        Kind::Other(text) => Key::Other(text),
        Kind::List(_) | Kind::Map(_) => return None,
    })
}

fn unsigned(text: &str) -> &str {
    text.strip_prefix(['-', '+']).unwrap_or(text)
}

fn all(text: &str, allowed: impl Fn(u8) -> bool) -> bool {
    text.bytes().all(|byte| byte == b'_' || allowed(byte))
}

fn is_int(text: &str) -> bool {
    let digits = unsigned(text);
    if let Some(bits) = digits.strip_prefix("0b") {
        return !bits.is_empty() && all(bits, |byte| matches!(byte, b'0' | b'1'));
    }
    if let Some(hex) = digits.strip_prefix("0x") {
        return !hex.is_empty() && all(hex, |byte| byte.is_ascii_hexdigit());
    }
    if let Some(octal) = digits.strip_prefix('0') {
        return all(octal, |byte| matches!(byte, b'0'..=b'7'));
    }
    let mut parts = digits.split(':');
    let first = parts.next().unwrap_or_default();
    first.starts_with(|c: char| c.is_ascii_digit())
        && all(first, |byte| byte.is_ascii_digit())
        && parts.all(is_sixtieth)
}

/// `[0-5]?[0-9]`, a place of a sexagesimal number.
fn is_sixtieth(part: &str) -> bool {
    match part.as_bytes() {
        [b'0'..=b'9'] => true,
        [tens, ones] => matches!(tens, b'0'..=b'5') && ones.is_ascii_digit(),
        _ => false,
    }
}

/// As `construct_yaml_int`; what does not fit in 64 bits keeps its text.
fn int(text: &str) -> Option<Kind> {
    let bare = text.replace('_', "");
    let (negative, digits) = match bare.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, bare.strip_prefix('+').unwrap_or(&bare)),
    };
    let parsed = if digits == "0" {
        Ok(0)
    } else if let Some(bits) = digits.strip_prefix("0b") {
        i64::from_str_radix(bits, 2)
    } else if let Some(hex) = digits.strip_prefix("0x") {
        i64::from_str_radix(hex, 16)
    } else if digits.starts_with('0') {
        i64::from_str_radix(digits, 8)
    } else if digits.contains(':') {
        // Nothing that is asked for is a time of day.
        return Some(Kind::Other(text.to_owned()));
    } else {
        digits.parse()
    };
    match parsed {
        Ok(value) => Some(Kind::Int(if negative { -value } else { value })),
        Err(error) if *error.kind() == std::num::IntErrorKind::PosOverflow => Some(Kind::Other(text.to_owned())),
        Err(_) => None,
    }
}

fn is_float(text: &str) -> bool {
    let number = unsigned(text);
    if matches!(number, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    let (mantissa, exponent) = match number.find(['e', 'E']) {
        Some(at) => {
            let (mantissa, exponent) = number.split_at(at);
            (mantissa, exponent.get(1..))
        }
        None => (number, None),
    };
    if let Some(exponent) = exponent {
        let digits = exponent.strip_prefix(['-', '+']).unwrap_or_default();
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return false;
        }
    }
    let Some((whole, fraction)) = mantissa.split_once('.') else {
        return false;
    };
    if !all(fraction, |byte| byte.is_ascii_digit()) {
        return false;
    }
    if whole.is_empty() {
        // `[-+]?\.[0-9][0-9_]*`; older releases take no sign here, and no setting is such a number.
        return fraction.starts_with(|c: char| c.is_ascii_digit());
    }
    let mut parts = whole.split(':');
    let first = parts.next().unwrap_or_default();
    first.starts_with(|c: char| c.is_ascii_digit())
        && all(first, |byte| byte.is_ascii_digit())
        && (exponent.is_none() || !whole.contains(':'))
        && parts.all(is_sixtieth)
}

/// `2024-01-31` or with a time; `None` for a day that does not exist, which is an error.
fn is_timestamp(text: &str) -> Option<bool> {
    let mut parts = text.splitn(3, '-');
    let (Some(year), Some(month), Some(rest)) = (parts.next(), parts.next(), parts.next()) else {
        return Some(false);
    };
    let digits = |text: &str, len: std::ops::RangeInclusive<usize>| {
        len.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    if !digits(year, 4..=4) || !digits(month, 1..=2) {
        return Some(false);
    }
    let split = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (day, time) = rest.split_at(split);
    if !digits(day, 1..=2) {
        return Some(false);
    }
    if time.is_empty() {
        // Only a whole date is written with two digits each.
        if month.len() != 2 || day.len() != 2 {
            return Some(false);
        }
    } else if !is_time(time)? {
        return Some(false);
    }
    is_day(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).then_some(true)
}

/// Behind a date: `T` or spaces, `h:mm:ss`, a fraction and a zone; `None` where an hour or minute does not exist.
fn is_time(time: &str) -> Option<bool> {
    let time = match time.strip_prefix(['T', 't']) {
        Some(rest) => rest,
        None => time.trim_start_matches([' ', '\t']),
    };
    let clock_end = time
        .find(|c: char| !c.is_ascii_digit() && c != ':')
        .unwrap_or(time.len());
    let (clock, rest) = time.split_at(clock_end);
    let parts: Vec<&str> = clock.split(':').collect();
    let [hour, minute, second] = parts.as_slice() else {
        return Some(false);
    };
    if !(1..=2).contains(&hour.len()) || minute.len() != 2 || second.len() != 2 {
        return Some(false);
    }
    let rest = match rest.strip_prefix('.') {
        Some(fraction) => fraction.trim_start_matches(|c: char| c.is_ascii_digit()),
        None => rest,
    };
    let zone = rest.trim_start_matches([' ', '\t']);
    let is_zone = zone.is_empty()
        || zone == "Z"
        || zone.strip_prefix(['-', '+']).is_some_and(|zone| {
            let (hours, minutes) = zone.split_once(':').unwrap_or((zone, "00"));
            (1..=2).contains(&hours.len())
                && minutes.len() == 2
                && hours.bytes().chain(minutes.bytes()).all(|byte| byte.is_ascii_digit())
        });
    if !is_zone {
        return Some(false);
    }
    let below = |text: &str, limit: u32| text.parse::<u32>().is_ok_and(|number| number < limit);
    (below(hour, 24) && below(minute, 60) && below(second, 60)).then_some(true)
}

fn is_day(year: u32, month: u32, day: u32) -> bool {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return false,
    };
    year > 0 && (1..=days).contains(&day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_are_typed_as_pyyaml_types_them() {
        let text = |text: &str| Some(Kind::Text(text.to_owned()));
        let other = |text: &str| Some(Kind::Other(text.to_owned()));
        for (scalar, kind) in [
            ("None", text("None")),
            ("y", text("y")),
            ("Off", Some(Kind::Bool(false))),
            ("010", Some(Kind::Int(8))),
            ("08", text("08")),
            ("0o17", text("0o17")),
            ("-0x1F", Some(Kind::Int(-31))),
            ("1_000", Some(Kind::Int(1000))),
            ("0b_", None),
            ("99999999999999999999", other("99999999999999999999")),
            ("12:30", other("12:30")),
            ("1.5", other("1.5")),
            ("1e3", text("1e3")),
            ("1.0e+3", other("1.0e+3")),
            ("2024-02-30", None),
            ("2024-02-29", other("2024-02-29")),
            ("2024-2-9", text("2024-2-9")),
            ("2001-12-14t21:59:43.10-05:00", other("2001-12-14t21:59:43.10-05:00")),
            ("=", None),
            ("~", Some(Kind::Null)),
        ] {
            assert_eq!(plain(scalar), kind, "{scalar}");
        }
    }
}
