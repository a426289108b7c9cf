//! A bandwidth limit that all uploads share: every small piece of a body passes it before the socket gets it.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

/// Largest piece, in bytes: four TLS records of 16 KiB.
const LARGEST: u64 = 64 << 10;

/// Smallest piece, in bytes: less would be mostly headers.
const SMALLEST: u64 = 512;

/// At a limit, a piece takes a twentieth of a second.
const PIECES_A_SECOND: u64 = 20;

/// What was not used in this time before is made up for: a timer that wakes late must not lower the rate.
const CREDIT: Duration = Duration::from_millis(100);

/// A bandwidth limit, changeable while uploads run. Clones share it.
///
/// A token bucket, kept as the moment at which the next piece may pass: pieces are let through one after the other in the order in
/// which they ask, evenly over each second.
#[derive(Debug, Clone)]
pub struct Throttle {
    bucket: Arc<Mutex<Bucket>>,
    /// Wakes those who wait when the limit is another.
    changed: watch::Sender<()>,
}

#[derive(Debug)]
struct Bucket {
    /// Bytes a second.
    limit: Option<u64>,
    /// When the next piece may pass; `None` before the first.
    next: Option<Instant>,
}

impl Default for Throttle {
    fn default() -> Throttle {
        Throttle::new(None)
    }
}

impl Throttle {
    /// At most `limit` bytes a second; `None` is unlimited.
    pub fn new(limit: Option<u64>) -> Throttle {
        Throttle {
            bucket: Arc::new(Mutex::new(Bucket {
                limit: limit.map(|limit| limit.max(1)),
                next: None,
            })),
            changed: watch::Sender::new(()),
        }
    }

    /// Changes the limit, in bytes a second, for what has not passed yet; `None` lifts it.
    pub fn set(&self, limit: Option<u64>) {
        let limit = limit.map(|limit| limit.max(1));
        let mut bucket = self.bucket();
        if bucket.limit != limit {
            *bucket = Bucket { limit, next: None };
            drop(bucket);
            self.changed.send_replace(());
        }
    }

    /// Bytes a second; `None` is unlimited.
    pub fn limit(&self) -> Option<u64> {
        self.bucket().limit
    }

    /// How large the next piece should be, in bytes, so that it passes smoothly.
    pub(crate) fn piece(&self) -> usize {
        let size = self
            .limit()
            .map_or(LARGEST, |limit| (limit / PIECES_A_SECOND).clamp(SMALLEST, LARGEST));
        usize::try_from(size).unwrap_or(usize::MAX)
    }

    /// Is there nothing to wait for at all?
    pub(crate) fn is_open(&self) -> bool {
        self.limit().is_none()
    }

    /// Waits until `bytes` may pass.
    pub(crate) async fn pass(&self, bytes: usize) {
        let mut changed = self.changed.subscribe();
        loop {
            let Some(when) = self.bucket().reserve(bytes, Instant::now()) else {
                return;
            };
            tokio::select! {
                () = sleep_until(when) => return,
                // The place in line was given under a limit that is gone.
                _ = changed.changed() => {}
            }
        }
    }

    fn bucket(&self) -> MutexGuard<'_, Bucket> {
        // Whole between any two statements.
        self.bucket.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bucket {
    /// When `bytes` may pass; `None` without a limit.
    fn reserve(&mut self, bytes: usize, now: Instant) -> Option<Instant> {
        let limit = self.limit?;
        let earliest = now.checked_sub(CREDIT).unwrap_or(now);
        let when = self.next.map_or(now, |next| next.max(earliest));
        let nanos = u128::try_from(bytes).unwrap_or(u128::MAX).saturating_mul(1_000_000_000) / u128::from(limit);
        let takes = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        self.next = Some(when.checked_add(takes).unwrap_or(when));
        Some(when)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that pass in each of `seconds` seconds, with `workers` who want to send without end.
    async fn passed(throttle: &Throttle, workers: usize, seconds: usize) -> Vec<u64> {
        let start = Instant::now();
        let counts = Arc::new(Mutex::new(vec![0_u64; seconds]));
        let workers: Vec<_> = (0..workers)
            .map(|_| {
                let (throttle, counts) = (throttle.clone(), counts.clone());
                tokio::spawn(async move {
                    loop {
                        let piece = throttle.piece();
                        throttle.pass(piece).await;
                        let second = usize::try_from(start.elapsed().as_secs()).unwrap();
                        match counts.lock().unwrap().get_mut(second) {
                            Some(count) => *count += piece as u64,
                            None => return,
                        }
                    }
                })
            })
            .collect();
        for worker in workers {
            worker.await.unwrap();
        }
        counts.lock().unwrap().clone()
    }

    #[tokio::test(start_paused = true)]
    async fn the_limit_is_kept_in_every_second_by_any_number_of_workers() {
        for limit in [1_000, 16_384, 1_000_000, 50_000_000] {
            for workers in [1, 2, 10] {
                let seconds = passed(&Throttle::new(Some(limit)), workers, 10).await;
                for (second, bytes) in seconds.iter().enumerate() {
                    let piece = (limit / PIECES_A_SECOND).clamp(SMALLEST, LARGEST);
                    let tolerance = 2 * piece + limit / 5;
                    assert!(
                        bytes.abs_diff(limit) <= tolerance,
                        "{limit} B/s, {workers} workers, second {second}: {bytes}"
                    );
                }
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_not_used_is_no_credit_for_a_burst() {
        let throttle = Throttle::new(Some(100_000));
        throttle.pass(5_000).await;
        tokio::time::sleep(Duration::from_mins(10)).await;
        let start = Instant::now();
        for _ in 0..40 {
            throttle.pass(5_000).await;
        }
        assert!(start.elapsed() >= Duration::from_millis(1_800), "{:?}", start.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn another_limit_counts_at_once() {
        let throttle = Throttle::new(Some(1));
        throttle.pass(512).await;
        let waiting = tokio::spawn({
            let throttle = throttle.clone();
            async move { throttle.pass(512).await }
        });
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(!waiting.is_finished(), "512 bytes take 512 seconds");
        let start = Instant::now();
        throttle.set(Some(1_000_000));
        waiting.await.unwrap();
        assert!(start.elapsed() < Duration::from_millis(10));
        throttle.set(None);
        assert!(throttle.is_open());
        throttle.pass(usize::MAX).await;
        assert!(start.elapsed() < Duration::from_millis(10));
        throttle.set(Some(0));
        assert_eq!(
            throttle.limit(),
            Some(1),
            "no limit stops an upload for good: pausing does"
        );
    }
}
