//! How fast requests follow one another, so that a service's limit for an address is never met.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

/// Between two requests on average: 500 a second, a third of centron's limit of 1,500 a second and address. Two further programs behind
/// the same address may do the same.
const APART: Duration = Duration::from_millis(2);

/// How much of that may be made up for after a rest: 50 requests at once.
const BURST: Duration = Duration::from_millis(100);

/// The pace of all requests of a client and its clones.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// When the next request were due if they all kept the distance.
    next: Mutex<Option<Instant>>,
}

impl Pace {
    /// Waits until it is the caller's turn; turns are given in the order in which they are asked for.
    pub(super) async fn turn(&self) {
        sleep_until(self.take(Instant::now())).await;
    }

    fn take(&self, now: Instant) -> Instant {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let earliest = now.checked_sub(BURST).unwrap_or(now);
        let turn = next.map_or(earliest, |next| next.max(earliest));
        *next = Some(turn + APART);
        turn
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn many_requests_at_once_are_spread_over_time() {
        tokio::time::advance(Duration::from_secs(1)).await;
        let pace = Arc::new(Pace::default());
        let began = Instant::now();
        let turns = (0..5_000).map(|_| {
            let pace = Arc::clone(&pace);
            tokio::spawn(async move {
                pace.turn().await;
                Instant::now() - began
            })
        });
        let mut at = Vec::new();
        for turn in turns.collect::<Vec<_>>() {
            at.push(turn.await.unwrap());
        }
        at.sort();
        for window in at.windows(551) {
            assert!(
                window[550] >= window[0] + Duration::from_millis(990),
                "no second sees more than 550 requests"
            );
        }
        assert!(
            at[4_999] < Duration::from_secs(11),
            "and nobody waits longer than the pace asks for: {:?}",
            at[4_999]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_now_and_then_never_waits() {
        let pace = Pace::default();
        for _ in 0..100 {
            let before = Instant::now();
            pace.turn().await;
            assert_eq!(Instant::now(), before, "nothing is in front");
            tokio::time::advance(Duration::from_millis(5)).await;
        }
    }
}
