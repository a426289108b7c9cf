//! How long nothing may move before a request counts as stuck: learned from the link, so that a slow one is no dead one.

use std::time::Duration;

use tokio::time::Instant;

use crate::{body::Seen, steering::Stall};

/// Times the longest silence seen lately that is still no stall.
const SILENCES: u32 = 4;

/// What the system's own buffers may still hold when the socket has taken the last byte: Linux gives a connection up to 4 MiB
/// (`net.ipv4.tcp_wmem`), and the other side's up to 6 MiB (`tcp_rmem`).
const BUFFERED: u64 = 10 << 20;

/// What the link showed.
#[derive(Debug)]
pub(super) struct Patience {
    stall: Stall,
    /// Longest silence seen lately; halves with each part that arrives.
    silence: Duration,
    /// Bytes a second of the parts that arrived lately, one by one.
    rate: Option<u64>,
    /// How often in a row it was too short.
    doublings: u32,
    doubled: Option<Instant>,
}

impl Patience {
    pub(super) fn new(stall: Stall) -> Patience {
        Patience {
            stall,
            silence: Duration::ZERO,
            rate: None,
            doublings: 0,
            doubled: None,
        }
    }

    /// How long a part that was seen like this may be silent.
    pub(super) fn window(&self, seen: &Seen) -> Duration {
        let learned = if seen.all {
            // The service has to receive and store what was taken before it answers.
            let drains = self
                .rate
                .map_or(0, |rate| seen.taken.min(BUFFERED).checked_div(rate).unwrap_or(u64::MAX));
            Duration::from_secs(drains)
                .saturating_mul(SILENCES)
                .max(self.stall.shortest.saturating_mul(2))
        } else {
            self.silence.saturating_mul(SILENCES).max(self.stall.shortest)
        };
        learned
            .saturating_mul(1 << self.doublings.min(16))
            .min(self.stall.longest)
    }

    /// A part has arrived.
    pub(super) fn arrived(&mut self, seen: &Seen, now: Instant) {
        let answered = seen.moved.map_or(Duration::ZERO, |moved| now.duration_since(moved));
        // Waiting for the answer is a silence, too, but not of the sending.
        self.silence = seen.longest_gap.max(self.silence / 2);
        let working = seen.working(now).max(answered).as_millis().max(1);
        let rate = u128::from(seen.taken).saturating_mul(1_000) / working;
        let rate = u64::try_from(rate).unwrap_or(u64::MAX).max(1);
        // Half of each: a link that has become slow is believed soon.
        self.rate = Some(
            self.rate
                .map_or(rate, |before| (before / 2).saturating_add(rate / 2).max(1)),
        );
        self.doublings = 0;
    }

    /// A part that began at `began` counted as stuck. On a link that is only slow the next one is given more time.
    pub(super) fn stalled(&mut self, began: Instant, now: Instant) {
        // Parts that were stuck at the same time are one sign, not several.
        if self.doubled.is_none_or(|doubled| began >= doubled) {
            self.doublings = self.doublings.saturating_add(1);
            self.doubled = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::Flow;

    fn seen(taken: u64, all: bool, gap: u64) -> Seen {
        let mut seen = Flow::new().seen();
        (seen.taken, seen.all, seen.longest_gap) = (taken, all, Duration::from_secs(gap));
        seen
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_link_is_given_more_time_and_a_dead_one_is_noticed() {
        let stall = Stall::default();
        let mut patience = Patience::new(stall);
        let sending = seen(1 << 20, false, 0);
        assert_eq!(patience.window(&sending), stall.shortest);

        let part = seen(8 << 20, true, 40);
        tokio::time::advance(Duration::from_secs(8192)).await;
        patience.arrived(&part, Instant::now());
        assert_eq!(
            patience.window(&sending),
            Duration::from_secs(160),
            "40 s of silence were normal"
        );
        let answer = patience.window(&seen(8 << 20, true, 0));
        assert_eq!(answer, stall.longest, "what the buffers hold takes hours at 1 kB/s");

        for _ in 0..20 {
            let quick = seen(8 << 20, true, 0);
            tokio::time::advance(Duration::from_secs(1)).await;
            patience.arrived(&quick, Instant::now());
        }
        assert_eq!(patience.window(&sending), stall.shortest, "that was long ago");
        assert!(patience.window(&seen(8 << 20, true, 0)) < Duration::from_mins(3));
    }

    #[tokio::test(start_paused = true)]
    async fn being_too_impatient_is_mended_by_doubling() {
        let mut patience = Patience::new(Stall::default());
        let sending = seen(1 << 20, false, 0);
        let began = Instant::now();
        tokio::time::advance(Duration::from_secs(45)).await;
        for _ in 0..10 {
            patience.stalled(began, Instant::now());
        }
        assert_eq!(
            patience.window(&sending),
            Duration::from_secs(90),
            "ten at the same time are one"
        );
        for _ in 0..100 {
            tokio::time::advance(Duration::from_secs(1)).await;
            patience.stalled(Instant::now(), Instant::now());
        }
        assert_eq!(patience.window(&sending), Stall::default().longest);
        patience.arrived(&seen(100, true, 0), Instant::now());
        assert_eq!(patience.window(&sending), Stall::default().shortest);
    }
}
