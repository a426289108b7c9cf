//! How fast an upload is: a moving average over the last seconds of acknowledged bytes.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};

/// Long enough to smooth over parts that are acknowledged in bursts, short enough to follow a changed link.
const WINDOW: SignedDuration = SignedDuration::from_secs(10);

/// A moving average.
#[derive(Debug, Default)]
pub(crate) struct Rate {
    samples: VecDeque<(Timestamp, u64)>,
}

impl Rate {
    /// Notes that `acknowledged` bytes in all had arrived at `now`.
    pub(crate) fn observe(&mut self, now: Timestamp, acknowledged: u64) {
        self.samples.push_back((now, acknowledged));
        // The sample just outside the window stays: the window's first moment lies between it and the next.
        while self
            .samples
            .get(1)
            .is_some_and(|(at, _)| now.duration_since(*at) > WINDOW)
        {
            self.samples.pop_front();
        }
    }

    /// Bytes a second; `None` until enough has been seen to tell.
    pub(crate) fn bytes_per_second(&self) -> Option<u64> {
        let (first, from) = self.samples.front()?;
        let (last, to) = self.samples.back()?;
        let milliseconds = u128::try_from(last.duration_since(*first).as_millis())
            .ok()
            .filter(|ms| *ms > 0)?;
        u64::try_from(u128::from(to.saturating_sub(*from)) * 1000 / milliseconds).ok()
    }
}

/// How long something will still take, as coarse as anybody can know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeLeft {
    /// In what it is told.
    pub unit: TimeUnit,
    /// How many of them; no minute means: less than one.
    pub count: u64,
}

/// Units of [`TimeLeft`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeUnit {
    /// 60 seconds.
    Minute,
    /// 60 minutes.
    Hour,
    /// 24 hours.
    Day,
}

impl TimeLeft {
    /// For so many bytes at so many a second; `None` where that cannot be told.
    pub(crate) fn of(bytes: u64, bytes_per_second: Option<u64>) -> Option<Self> {
        const MINUTE: u64 = 60;
        const HOUR: u64 = 60 * MINUTE;
        const DAY: u64 = 24 * HOUR;
        let seconds = bytes.checked_div(bytes_per_second?)?;
        let rounded = |unit: u64, step: u64| seconds.div_ceil(unit).next_multiple_of(step);
        let (unit, count) = match seconds {
            0..MINUTE => (TimeUnit::Minute, 0),
            // The longer it takes the less is known: 7, then 15, then 50 minutes.
            _ if seconds < 10 * MINUTE => (TimeUnit::Minute, rounded(MINUTE, 1)),
            _ if seconds < 55 * MINUTE => (TimeUnit::Minute, rounded(MINUTE, 5)),
            _ if seconds < 36 * HOUR => (TimeUnit::Hour, rounded(HOUR, 1)),
            _ => (TimeUnit::Day, rounded(DAY, 1)),
        };
        Some(Self { unit, count })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    #[test]
    fn one_moment_tells_no_rate() {
        let mut rate = Rate::default();
        assert_eq!(rate.bytes_per_second(), None);
        rate.observe(at(0), 0);
        rate.observe(at(0), 8_000_000);
        assert_eq!(
            rate.bytes_per_second(),
            None,
            "a division by no time must not give a rate"
        );
    }

    #[test]
    fn follows_a_link_that_became_slower() {
        let mut rate = Rate::default();
        for second in 0..10 {
            rate.observe(at(second), u64::try_from(second).unwrap() * 10_000_000);
        }
        assert_eq!(rate.bytes_per_second(), Some(10_000_000));
        for second in 10..40 {
            rate.observe(at(second), 90_000_000 + u64::try_from(second - 9).unwrap() * 1_000_000);
        }
        assert_eq!(
            rate.bytes_per_second(),
            Some(1_000_000),
            "half a minute later the old speed must be forgotten"
        );
    }

    #[test]
    fn the_time_left_is_told_in_coarse_words() {
        let left = |seconds: u64| {
            let left = TimeLeft::of(seconds * 1000, Some(1000)).unwrap();
            (left.count, left.unit)
        };
        assert_eq!(left(0), (0, TimeUnit::Minute));
        assert_eq!(left(59), (0, TimeUnit::Minute));
        assert_eq!(left(60), (1, TimeUnit::Minute));
        assert_eq!(left(61), (2, TimeUnit::Minute), "rather less late than promised");
        assert_eq!(left(9 * 60), (9, TimeUnit::Minute));
        assert_eq!(left(11 * 60), (15, TimeUnit::Minute));
        assert_eq!(left(54 * 60), (55, TimeUnit::Minute));
        assert_eq!(left(55 * 60), (1, TimeUnit::Hour));
        assert_eq!(left(35 * 3600 + 1), (36, TimeUnit::Hour));
        assert_eq!(left(36 * 3600), (2, TimeUnit::Day));
        assert_eq!(TimeLeft::of(5, None), None);
        assert_eq!(TimeLeft::of(5, Some(0)), None, "a link that stands still ends nowhere");
    }
}
