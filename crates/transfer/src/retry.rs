//! How often and how soon a refused request is repeated.

use std::time::Duration;

/// Exponential backoff with full jitter: before attempt n + 1 a random time between nothing and `first * 2^(n-1)`, at most `longest`.
#[derive(Debug, Clone, Copy)]
pub struct Retry {
    /// How often one part is tried in all; the count begins anew when any part has arrived meanwhile.
    pub attempts: u32,
    /// After how many requests in a row that got no answer the network counts as away.
    pub away_after: u32,
    /// Longest wait before the second attempt.
    pub first: Duration,
    /// Longest wait before any attempt while the network is there.
    pub longest: Duration,
    /// Longest wait between two looks whether the network is back; also the longest that a service's own wish is followed.
    pub longest_away: Duration,
    /// Source of randomness: any number, evenly distributed.
    pub random: fn() -> u64,
}

impl Default for Retry {
    fn default() -> Retry {
        Retry {
            attempts: 8,
            away_after: 3,
            first: Duration::from_millis(500),
            longest: Duration::from_secs(30),
            longest_away: Duration::from_mins(5),
            // Without the system's randomness the longest wait is the careful answer.
            random: || getrandom::u64().unwrap_or(u64::MAX),
        }
    }
}

impl Retry {
    /// How long to wait after the attempt with this number (counted from 1) failed.
    pub(crate) fn pause_after(&self, attempt: u32) -> Duration {
        self.jitter(self.bound(attempt).min(self.longest))
    }

    /// How long to wait before the look with this number (counted from 1) whether the network is back. Never less than half of what it
    /// may be: looks are spread, but not wasted.
    pub(crate) fn pause_away(&self, look: u32) -> Duration {
        let most = self.bound(look.saturating_add(1)).min(self.longest_away);
        most / 2 + self.jitter(most / 2)
    }

    fn bound(&self, attempt: u32) -> Duration {
        let doublings = attempt.saturating_sub(1).min(31);
        self.first.saturating_mul(1 << doublings)
    }

    fn jitter(&self, most: Duration) -> Duration {
        let nanos = u64::try_from(most.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos((self.random)() % nanos.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_longest() {
        let retry = Retry {
            first: Duration::from_secs(1),
            longest: Duration::from_secs(3),
            longest_away: Duration::from_secs(20),
            random: || u64::MAX / 2,
            ..Retry::default()
        };
        assert!(
            retry.pause_after(1) < Duration::from_secs(1),
            "full jitter stays below the bound"
        );
        let bound = |attempt| retry.bound(attempt).min(retry.longest);
        assert_eq!([1, 2, 3, 99].map(bound), [1, 2, 3, 3].map(Duration::from_secs));
        for look in 1..100 {
            let pause = retry.pause_away(look);
            assert!(
                pause >= Duration::from_secs(1) && pause < Duration::from_secs(20),
                "{pause:?}"
            );
        }
        assert!(retry.pause_away(60) >= Duration::from_secs(10), "looks become rare");
    }

    #[test]
    fn no_wait_at_all_is_allowed() {
        let retry = Retry {
            first: Duration::ZERO,
            ..Retry::default()
        };
        assert_eq!(retry.pause_after(1), Duration::ZERO);
        assert_eq!(retry.pause_away(100), Duration::ZERO);
    }
}
