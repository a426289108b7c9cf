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
}
