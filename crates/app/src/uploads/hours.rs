//! The hours of the day in which uploads may run, by the computer's own clock.

use jiff::{ToSpan as _, Zoned, civil::Time};
use serde::{Deserialize, Serialize};

use crate::Error;

/// From one time of day to another; over midnight where the second is the earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Hours {
    from: Time,
    until: Time,
}

/// [`Hours`] in the settings.
#[derive(Serialize, Deserialize)]
struct Stored {
    from: Time,
    until: Time,
}

impl Hours {
    /// From `from` (included) until `until` (not included).
    ///
    /// # Errors
    /// Code `hours_empty` when both are the same: neither never nor always is what that says.
    pub fn new(from: Time, until: Time) -> Result<Self, Error> {
        if from == until {
            return Err(Error::new("hours_empty"));
        }
        Ok(Self { from, until })
    }

    /// Reads `22:00-06:00`.
    ///
    /// # Errors
    /// Codes `hours_invalid` and `hours_empty`.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let invalid = || Error::new("hours_invalid").with("text", text);
        let (from, until) = text.split_once(['-', '–']).ok_or_else(invalid)?;
        let time = |text: &str| Time::strptime("%H:%M", text.trim()).map_err(|_| invalid());
        Self::new(time(from)?, time(until)?)
    }

    /// The first moment of the day that belongs to it.
    pub fn from(&self) -> Time {
        self.from
    }

    /// The first moment of the day that no longer does.
    pub fn until(&self) -> Time {
        self.until
    }

    /// Is this time of day one of them?
    pub fn contain(&self, time: Time) -> bool {
        if self.from < self.until {
            self.from <= time && time < self.until
        } else {
            self.from <= time || time < self.until
        }
    }

    /// When they next begin or end; `None` only where the calendar ends.
    pub(crate) fn next_change(&self, now: &Zoned) -> Option<Zoned> {
        // A clock that is put forward skips a time of day: then the next day's counts, too.
        (0..3)
            .filter_map(|day| now.date().checked_add(day.days()).ok())
            .flat_map(|date| [date.to_datetime(self.from), date.to_datetime(self.until)])
            .filter_map(|moment| moment.to_zoned(now.time_zone().clone()).ok())
            .filter(|moment| moment > now)
            .min()
    }
}

impl TryFrom<Stored> for Hours {
    type Error = String;

    fn try_from(stored: Stored) -> Result<Self, String> {
        Self::new(stored.from, stored.until).map_err(|error| error.to_string())
    }
}

impl From<Hours> for Stored {
    fn from(hours: Hours) -> Self {
        Self {
            from: hours.from,
            until: hours.until,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Zoned {
        text.parse().unwrap()
    }

    #[test]
    fn hours_over_midnight_hold_on_both_sides_of_it() {
        let night = Hours::parse("22:00-06:00").unwrap();
        for (time, expected) in [
            ("21:59", false),
            ("22:00", true),
            ("23:59", true),
            ("00:00", true),
            ("05:59", true),
            ("06:00", false),
            ("12:00", false),
        ] {
            assert_eq!(
                night.contain(Time::strptime("%H:%M", time).unwrap()),
                expected,
                "{time}"
            );
        }
        assert!(!Hours::parse("08:00-18:00").unwrap().contain(Time::midnight()));
    }

    #[test]
    fn what_is_no_span_of_hours_is_refused() {
        assert_eq!(Hours::parse("08:00-08:00").unwrap_err().code, "hours_empty");
        for text in ["", "8", "25:00-03:00", "night", "08:00"] {
            assert_eq!(Hours::parse(text).unwrap_err().code, "hours_invalid", "{text}");
        }
        assert!(serde_json::from_str::<Hours>(r#"{"from": "01:00:00", "until": "01:00:00"}"#).is_err());
    }

    #[test]
    fn the_next_change_is_the_nearest_one() {
        let night = Hours::parse("22:00-06:00").unwrap();
        let next = |now: &str| night.next_change(&at(now)).unwrap().to_string();
        assert_eq!(
            next("2026-11-22T12:00:00+01:00[Europe/Berlin]"),
            "2026-11-22T22:00:00+01:00[Europe/Berlin]"
        );
        assert_eq!(
            next("2026-11-22T22:00:00+01:00[Europe/Berlin]"),
            "2026-11-23T06:00:00+01:00[Europe/Berlin]",
            "the moment itself has passed"
        );
        assert_eq!(
            next("2026-10-24T23:00:00+02:00[Europe/Berlin]"),
            "2026-10-25T06:00:00+01:00[Europe/Berlin]",
            "by the clock on the wall, also in the night in which it is put back"
        );
    }
}
