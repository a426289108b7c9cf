//! Tells whoever follows an upload how far it is: not more often than an eye can see, and never backwards.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::Progress;
use crate::job::{Job, JobState};

/// Between two reports of one state: five a second, half of what the window's border allows.
pub(super) const INTERVAL: Duration = Duration::from_millis(200);

pub(super) struct Report<'a> {
    observe: &'a (dyn Fn(Progress) + Send + Sync),
    now: Mutex<Now>,
}

struct Now {
    progress: Progress,
    told: Option<(Progress, Option<Instant>)>,
}

impl<'a> Report<'a> {
    pub(super) fn new(observe: &'a (dyn Fn(Progress) + Send + Sync), job: &Job) -> Report<'a> {
        let progress = Progress {
            acknowledged: job.acknowledged,
            on_the_way: 0,
            total: job.source.size,
            state: job.state,
            retry_in: None,
        };
        Report {
            observe,
            now: Mutex::new(Now { progress, told: None }),
        }
    }

    pub(super) fn state(&self) -> JobState {
        self.lock().progress.state
    }

    /// So much had arrived before; told with what comes next.
    pub(super) fn resume(&self, acknowledged: u64) {
        let mut now = self.lock();
        now.progress.acknowledged = now.progress.acknowledged.max(acknowledged);
    }

    /// Another state: told at once.
    pub(super) fn enter(&self, state: JobState, retry_in: Option<Duration>) {
        let mut now = self.lock();
        now.progress.state = state;
        now.progress.retry_in = retry_in;
        if state != JobState::Uploading {
            now.progress.on_the_way = 0;
        }
        let progress = now.progress;
        // The first part that arrives after it is told at once, too.
        now.told = Some((progress, None));
        drop(now);
        (self.observe)(progress);
    }

    /// So much has arrived, and so much more was taken by the socket. Told if it is time.
    pub(super) fn count(&self, acknowledged: u64, on_the_way: u64) {
        let mut now = self.lock();
        let total = now.progress.total;
        now.progress.acknowledged = now.progress.acknowledged.max(acknowledged).min(total);
        now.progress.on_the_way = on_the_way.min(total.saturating_sub(now.progress.acknowledged));
        let (progress, at) = (now.progress, Instant::now());
        let due = match now.told {
            Some((told, _)) if told == progress => false,
            Some((_, Some(told_at))) => at.duration_since(told_at) >= INTERVAL,
            _ => true,
        };
        if due {
            now.told = Some((progress, Some(at)));
            drop(now);
            (self.observe)(progress);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Now> {
        // Whole between any two statements.
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn reports_are_few_and_the_last_one_is_true() {
        let told = Mutex::new(Vec::new());
        let observe = |now: Progress| told.lock().unwrap().push((now.state, now.acknowledged, now.on_the_way));
        let upload = super::super::tests::Upload::of(10_000);
        let report = Report::new(&observe, &upload.job);
        report.enter(JobState::Uploading, None);
        for acknowledged in 0..=10_000 {
            tokio::time::advance(Duration::from_millis(1)).await;
            report.count(acknowledged, 7);
        }
        report.count(3, 0);
        report.enter(JobState::Verifying, None);
        let told = told.lock().unwrap().clone();
        assert!((40..=56).contains(&told.len()), "{} in ten seconds", told.len());
        assert!(told.iter().map(|(_, acknowledged, _)| acknowledged).is_sorted());
        assert!(
            told.iter()
                .all(|(_, acknowledged, on_the_way)| acknowledged + on_the_way <= 10_000)
        );
        assert_eq!(told.last(), Some(&(JobState::Verifying, 10_000, 0)));
    }
}
