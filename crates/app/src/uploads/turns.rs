//! Whose turn it is: as many uploads as may run at once, in the queue's order, in the hours that were chosen.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use lotse_transfer::JobId;
use tokio::sync::watch;

/// The turns of one process.
pub(super) struct Turns {
    queue: Mutex<Queue>,
    changed: watch::Sender<()>,
}

#[derive(Default)]
struct Queue {
    at_once: usize,
    open: bool,
    running: HashSet<JobId>,
    /// In the order in which they run.
    waiting: Vec<JobId>,
}

/// Leave to run; given back when it is dropped.
pub(super) struct Turn {
    turns: Arc<Turns>,
    id: JobId,
}

/// A place in the queue; given up when it is dropped.
struct Place<'a> {
    turns: &'a Turns,
    id: JobId,
}

impl Turns {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            queue: Mutex::default(),
            changed: watch::Sender::new(()),
        })
    }

    /// How many may run at once, and whether any may run now.
    pub(super) fn allow(&self, at_once: usize, open: bool) {
        let changed = {
            let mut queue = self.queue();
            let changed = (queue.at_once, queue.open) != (at_once, open);
            (queue.at_once, queue.open) = (at_once, open);
            changed
        };
        if changed {
            self.changed.send_replace(());
        }
    }

    /// Puts those that wait into this order; those that it does not name come after.
    pub(super) fn reorder(&self, order: &[JobId]) {
        self.queue()
            .waiting
            .sort_by_key(|id| order.iter().position(|other| other == id).unwrap_or(usize::MAX));
        self.changed.send_replace(());
    }

    /// Waits for `id`'s turn. May be dropped meanwhile: the place is given up then.
    pub(super) async fn take(self: &Arc<Self>, id: JobId, order: &[JobId]) -> Turn {
        self.queue().waiting.push(id);
        let _place = Place { turns: self, id };
        self.reorder(order);
        let mut changed = self.changed.subscribe();
        loop {
            changed.mark_unchanged();
            if self.queue().start(id) {
                return Turn {
                    turns: Arc::clone(self),
                    id,
                };
            }
            // The sender lives as long as `self`.
            _ = changed.changed().await;
        }
    }

    /// Returns when none may run any more.
    pub(super) async fn closed(&self) {
        let mut changed = self.changed.subscribe();
        while self.queue().open {
            _ = changed.changed().await;
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // Whole between any two statements: a panic elsewhere leaves nothing half done in it.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn start(&mut self, id: JobId) -> bool {
        let free = self.at_once.saturating_sub(self.running.len());
        let first = self.waiting.iter().take(free).any(|waiting| *waiting == id);
        if self.open && first {
            self.running.insert(id);
        }
        self.open && first
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.turns.queue().waiting.retain(|waiting| *waiting != self.id);
        self.turns.changed.send_replace(());
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.turns.queue().running.remove(&self.id);
        self.turns.changed.send_replace(());
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use uuid::Uuid;

    use super::*;

    fn id(number: u128) -> JobId {
        JobId(Uuid::from_u128(number))
    }

    fn open(at_once: usize) -> Arc<Turns> {
        let turns = Turns::new();
        turns.allow(at_once, true);
        turns
    }

    #[tokio::test]
    async fn they_run_in_the_queues_order_whoever_asked_first() {
        let turns = open(1);
        let order = [id(3), id(2), id(1)];
        let running = turns.take(id(3), &order).await;
        let mut late = Box::pin(turns.take(id(1), &order));
        assert!((&mut late).now_or_never().is_none());
        let mut second = Box::pin(turns.take(id(2), &order));
        assert!((&mut second).now_or_never().is_none());
        drop(running);
        assert!((&mut late).now_or_never().is_none(), "asked first, but stands behind");
        let running = second.await;
        turns.reorder(&[id(1)]);
        drop(running);
        late.await;
    }

    #[tokio::test]
    async fn who_gives_up_waiting_holds_up_nobody() {
        let turns = open(1);
        let running = turns.take(id(1), &[]).await;
        let mut first = Box::pin(turns.take(id(2), &[]));
        assert!((&mut first).now_or_never().is_none());
        let mut second = Box::pin(turns.take(id(3), &[]));
        assert!((&mut second).now_or_never().is_none());
        drop(first);
        drop(running);
        assert!((&mut second).now_or_never().is_some());
    }

    #[tokio::test]
    async fn as_many_run_as_may_and_none_outside_the_hours() {
        let turns = open(2);
        let one = turns.take(id(1), &[]).await;
        let _two = turns.take(id(2), &[]).await;
        let mut three = Box::pin(turns.take(id(3), &[]));
        assert!((&mut three).now_or_never().is_none());
        turns.allow(2, false);
        turns.closed().await;
        drop(one);
        assert!(
            (&mut three).now_or_never().is_none(),
            "there is room, but it is not the hour"
        );
        turns.allow(2, true);
        assert!((&mut three).now_or_never().is_some());
    }
}
