//! What a target is given to send: one part's bytes, piece by piece through the bandwidth limit, never copied.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures::{Stream, future::BoxFuture};
use tokio::time::Instant;

use crate::throttle::Throttle;

/// One part on its way to the target: a stream of pieces of one buffer.
pub struct PartBody {
    rest: Bytes,
    throttle: Throttle,
    flow: Flow,
    /// Waits for the bandwidth limit to let the next piece pass, of this size.
    passing: Option<(usize, Mutex<BoxFuture<'static, ()>>)>,
}

impl std::fmt::Debug for PartBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PartBody")
            .field("rest", &self.rest.len())
            .finish_non_exhaustive()
    }
}

impl From<Bytes> for PartBody {
    /// A body without a limit that nobody watches.
    fn from(data: Bytes) -> PartBody {
        PartBody::new(data, Throttle::default(), Flow::new())
    }
}

impl PartBody {
    pub(crate) fn new(data: Bytes, throttle: Throttle, flow: Flow) -> PartBody {
        PartBody {
            rest: data,
            throttle,
            flow,
            passing: None,
        }
    }

    /// Bytes that are still to come.
    pub fn remaining(&self) -> u64 {
        u64::try_from(self.rest.len()).unwrap_or(u64::MAX)
    }

    fn hand_out(&mut self, size: usize) -> Bytes {
        let piece = self.rest.split_to(size.min(self.rest.len()));
        self.flow.took(piece.len(), self.rest.is_empty());
        piece
    }
}

impl Stream for PartBody {
    type Item = Bytes;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context) -> Poll<Option<Bytes>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        if self.passing.is_none() {
            let size = self.throttle.piece().min(self.rest.len());
            if self.throttle.is_open() {
                return Poll::Ready(Some(self.hand_out(size)));
            }
            // Asked for more: what was handed out before has been taken, so the wait that begins is ours, not the link's.
            self.flow.hold();
            let throttle = self.throttle.clone();
            self.passing = Some((size, Mutex::new(Box::pin(async move { throttle.pass(size).await }))));
        }
        let Some((size, passing)) = &mut self.passing else {
            return Poll::Pending;
        };
        let passing = passing.get_mut().unwrap_or_else(PoisonError::into_inner);
        let size = match passing.as_mut().poll(context) {
            Poll::Ready(()) => *size,
            Poll::Pending => return Poll::Pending,
        };
        self.passing = None;
        Poll::Ready(Some(self.hand_out(size)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (usize::from(!self.rest.is_empty()), None)
    }
}

/// What is seen of a part on its way: how much the socket took, and when. Clones look at the same part.
#[derive(Debug, Clone)]
pub(crate) struct Flow(Arc<Mutex<Seen>>);

#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    /// Bytes that the socket took.
    pub(crate) taken: u64,
    /// True when it took the last one: what is missing is the answer.
    pub(crate) all: bool,
    /// When something last moved; `None` while the bandwidth limit holds the next piece back.
    pub(crate) moved: Option<Instant>,
    /// Longest time in which nothing moved.
    pub(crate) longest_gap: Duration,
    /// When it began.
    pub(crate) began: Instant,
    /// Time in which the bandwidth limit held it back.
    held: Duration,
    held_since: Option<Instant>,
}

impl Flow {
    pub(crate) fn new() -> Flow {
        let now = Instant::now();
        Flow(Arc::new(Mutex::new(Seen {
            taken: 0,
            all: false,
            moved: Some(now),
            longest_gap: Duration::ZERO,
            began: now,
            held: Duration::ZERO,
            held_since: None,
        })))
    }

    pub(crate) fn seen(&self) -> Seen {
        *self.lock()
    }

    fn hold(&self) {
        let mut seen = self.lock();
        let now = Instant::now();
        seen.note_gap(now);
        seen.moved = None;
        seen.held_since = Some(now);
    }

    fn took(&self, bytes: usize, last: bool) {
        let mut seen = self.lock();
        let now = Instant::now();
        if let Some(since) = seen.held_since.take() {
            seen.held = seen.held.saturating_add(now.duration_since(since));
        } else {
            seen.note_gap(now);
        }
        seen.taken = seen.taken.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        seen.all = last;
        seen.moved = Some(now);
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        // Whole between any two statements.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    fn note_gap(&mut self, now: Instant) {
        if let Some(moved) = self.moved {
            self.longest_gap = self.longest_gap.max(now.duration_since(moved));
        }
    }

    /// Time since it began in which the link could have worked: without what the bandwidth limit held back.
    pub(crate) fn working(&self, now: Instant) -> Duration {
        now.duration_since(self.began).saturating_sub(self.held)
    }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn pieces_are_the_bytes_in_order_without_a_copy() {
        let data: Bytes = (0..200_000_u32).map(|index| index.to_le_bytes()[0]).collect();
        let mut body = PartBody::from(data.clone());
        let mut position = 0;
        while let Some(piece) = body.next().await {
            assert_eq!(
                piece.as_ptr(),
                data[position..].as_ptr(),
                "the piece is part of the buffer"
            );
            position += piece.len();
            assert_eq!(body.remaining(), (data.len() - position) as u64);
        }
        assert_eq!(position, data.len());
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_for_the_limit_is_not_waiting_for_the_link() {
        let flow = Flow::new();
        let mut body = PartBody::new(vec![0; 3_000].into(), Throttle::new(Some(100)), flow.clone());
        let start = Instant::now();
        while body.next().await.is_some() {}
        let seen = flow.seen();
        assert!(start.elapsed() > Duration::from_secs(20), "the limit is kept");
        assert_eq!((seen.taken, seen.all), (3_000, true));
        assert_eq!(seen.longest_gap, Duration::ZERO);
        assert!(seen.working(Instant::now()) < Duration::from_millis(10));
    }
}
