//! How often and how soon a refused request is repeated.

use std::time::Duration;

/// Exponential backoff with full jitter: before attempt n + 1 a random time between nothing and `first * 2^(n-1)`, at most `longest`.
#[derive(Debug, Clone, Copy)]
pub struct Retry {
    /// How often one request is tried in all; the count begins anew with the next part.
    pub attempts: u32,
    /// Longest wait before the second attempt.
    pub first: Duration,
    /// Longest wait before any attempt.
    pub longest: Duration,
    /// Source of randomness: any number, evenly distributed.
    pub random: fn() -> u64,
}

impl Default for Retry {
    fn default() -> Retry {
        Retry {
            attempts: 8,
            first: Duration::from_millis(500),
            longest: Duration::from_secs(30),
            // Without the system's randomness the longest wait is the careful answer.
            random: || getrandom::u64().unwrap_or(u64::MAX),
        }
    }
}

impl Retry {
    /// How long to wait after the attempt with this number (counted from 1) failed; `None` if it was the last.
    pub(crate) fn pause_after(&self, attempt: u32) -> Option<Duration> {
        if attempt >= self.attempts {
            return None;
        }
        let doublings = attempt.saturating_sub(1).min(31);
        let most = self.first.saturating_mul(1 << doublings).min(self.longest);
        let nanos = u64::try_from(most.as_nanos()).unwrap_or(u64::MAX);
        Some(Duration::from_nanos((self.random)() % nanos.max(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_longest_and_end_with_the_budget() {
        let retry = Retry {
            attempts: 4,
            first: Duration::from_secs(1),
            longest: Duration::from_secs(3),
            random: || 3_000_000_000 - 1,
        };
        assert!(
            retry.pause_after(1).unwrap() < Duration::from_secs(1),
            "full jitter stays below the bound"
        );
        assert!(
            retry.pause_after(3).unwrap() > Duration::from_secs(2),
            "the bound doubles"
        );
        assert!(
            retry.pause_after(3).unwrap() < Duration::from_secs(3),
            "and is never above the longest"
        );
        assert_eq!(retry.pause_after(4), None, "the budget is spent");
    }

    #[test]
    fn no_wait_at_all_is_allowed() {
        let retry = Retry {
            first: Duration::ZERO,
            ..Retry::default()
        };
        assert_eq!(retry.pause_after(1), Some(Duration::ZERO));
    }
}
