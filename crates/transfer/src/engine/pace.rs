//! How many parts are on the way at the same time: a few at first, more as long as that brings more, fewer when the target is overwhelmed.

use tokio::time::Instant;

/// Parts at the beginning.
const FIRST: usize = 2;

/// What a round must gain over the one before it for more to be tried, in percent: less is noise.
const GAIN: u128 = 110;

/// Rounds without growth before one more is tried again, and after the target was overwhelmed.
const REST: u32 = 12;

/// A round ends after this many times as many parts as are on the way: the first of them began under the number before.
const ROUND: usize = 2;

#[derive(Debug)]
pub(super) struct Pace {
    allowed: usize,
    most: usize,
    growth: Growth,
    round: Option<Round>,
    /// When there were made fewer.
    cut: Option<Instant>,
}

#[derive(Debug)]
enum Growth {
    /// Tries more, from `before` parts at `rate` bytes a second.
    Trying { before: usize, rate: u128, doubling: bool },
    /// Found what is enough; for so many rounds.
    Resting(u32),
}

#[derive(Debug)]
struct Round {
    began: Instant,
    bytes: u64,
    parts: usize,
}

impl Pace {
    pub(super) fn new(most: usize) -> Pace {
        let most = most.max(1);
        Pace {
            allowed: FIRST.min(most),
            most,
            growth: Growth::Trying {
                before: FIRST.min(most),
                rate: 0,
                doubling: true,
            },
            round: None,
            cut: None,
        }
    }

    /// Parts that may be on the way now.
    pub(super) fn allowed(&self) -> usize {
        self.allowed
    }

    /// A part has arrived.
    pub(super) fn arrived(&mut self, bytes: u64, now: Instant) {
        let Some(round) = &mut self.round else {
            // The first to arrive began in another round: the count begins with it.
            self.round = Some(Round {
                began: now,
                bytes: 0,
                parts: 0,
            });
            return;
        };
        round.bytes = round.bytes.saturating_add(bytes);
        round.parts = round.parts.saturating_add(1);
        let microseconds = now.duration_since(round.began).as_micros();
        if round.parts >= self.allowed.saturating_mul(ROUND) && microseconds > 0 {
            let rate = u128::from(round.bytes).saturating_mul(1_000_000) / microseconds;
            self.round = None;
            self.end_round(rate);
        }
    }

    fn end_round(&mut self, rate: u128) {
        match self.growth {
            Growth::Trying {
                rate: before, doubling, ..
            } if rate.saturating_mul(100) > before.saturating_mul(GAIN) => {
                let more = if doubling { self.allowed } else { 1 };
                self.grow(more, rate, doubling);
            }
            Growth::Trying { before, .. } => {
                self.allowed = before;
                self.growth = Growth::Resting(REST);
            }
            Growth::Resting(0) => self.grow(1, rate, false),
            Growth::Resting(rounds) => self.growth = Growth::Resting(rounds.saturating_sub(1)),
        }
    }

    fn grow(&mut self, more: usize, rate: u128, doubling: bool) {
        let before = self.allowed;
        self.allowed = before.saturating_add(more).min(self.most);
        self.growth = if self.allowed == before {
            Growth::Resting(REST)
        } else {
            Growth::Trying { before, rate, doubling }
        };
    }

    /// The target asked for less, or the link did by being stuck, of a request that began at `began`.
    pub(super) fn overwhelmed(&mut self, began: Instant, now: Instant) {
        // Of those that were on the way at the same time one counts.
        if self.cut.is_none_or(|cut| began >= cut) {
            self.allowed = (self.allowed / 2).max(1);
            self.cut = Some(now);
        }
        self.growth = Growth::Resting(REST);
        self.round = None;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Lets parts of 8 MiB arrive over a link that carries `link` bytes a second in all and `each` with one part on the way.
    fn settled(pace: &mut Pace, link: u64, each: u64, parts: usize, now: &mut Instant) -> usize {
        const PART: u64 = 8 << 20;
        for _ in 0..parts {
            let rate = link.min(each * pace.allowed() as u64);
            *now += Duration::from_micros(PART * 1_000_000 / rate);
            pace.arrived(PART, *now);
        }
        pace.allowed()
    }

    #[tokio::test(start_paused = true)]
    async fn grows_as_long_as_more_brings_more() {
        let mut now = Instant::now();
        let mut pace = Pace::new(10);
        assert_eq!(pace.allowed(), 2, "starts small");
        assert_eq!(
            settled(&mut pace, 1_000, 100, 60, &mut now),
            10,
            "each part adds to it, up to the limit"
        );

        let mut pace = Pace::new(10);
        let settled = settled(&mut pace, 300, 100, 200, &mut now);
        assert!((3..=5).contains(&settled), "three fill the link, not {settled}");

        let mut pace = Pace::new(10);
        let settled = self::settled(&mut pace, 100, 100, 100, &mut now);
        assert!(settled <= 3, "one fills the link, not {settled}");
        assert_eq!(Pace::new(1).allowed(), 1, "the target's own limit counts");
    }

    #[tokio::test(start_paused = true)]
    async fn shrinks_when_the_target_is_overwhelmed_and_recovers() {
        let mut now = Instant::now();
        let mut pace = Pace::new(10);
        settled(&mut pace, 1_000, 100, 60, &mut now);
        let began = now;
        now += Duration::from_secs(1);
        for _ in 0..10 {
            pace.overwhelmed(began, now);
        }
        assert_eq!(pace.allowed(), 5, "ten refusals of one moment are one");
        settled(&mut pace, 1_000, 100, 3, &mut now);
        for _ in 0..5 {
            pace.overwhelmed(now, now);
        }
        assert_eq!(pace.allowed(), 1, "never none");
        assert!(
            settled(&mut pace, 1_000, 100, 300, &mut now) >= 3,
            "and later more again"
        );
    }
}
