//! Keeps to what a person has chosen while the program runs: the limit, how many at once, the hours, how long an object stays public;
//! and keeps the computer awake.

use std::{
    sync::{Arc, PoisonError, Weak, atomic::Ordering},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp, Zoned};

use super::{Inner, Stage};

/// How long a choice made in another process may go unseen.
const LOOK: Duration = Duration::from_secs(1);

/// How often staging objects are looked through for those that are over their time.
const TIDY: SignedDuration = SignedDuration::from_hours(1);

/// How soon again where something was left public: its service was away.
const TIDY_AGAIN: SignedDuration = SignedDuration::from_mins(1);

impl Inner {
    /// Makes what was chosen hold.
    pub(super) fn apply_settings(&self) {
        let settings = self.settings.get();
        self.throttle.set(settings.bytes_per_second);
        let open = settings
            .hours
            .is_none_or(|hours| hours.contain(self.local_now().time()));
        self.turns.allow(usize::try_from(settings.at_once).unwrap_or(1), open);
    }

    /// When uploads may run again; `None` when they may now.
    pub(super) fn opens_at(&self) -> Option<Timestamp> {
        let now = self.local_now();
        let hours = self.settings.get().hours?;
        if hours.contain(now.time()) {
            return None;
        }
        hours.next_change(&now).map(|change| change.timestamp())
    }

    /// When a staging object that was made public at `published` has to be private again.
    pub(crate) fn public_until(&self, published: Timestamp) -> Timestamp {
        let days = i64::from(self.settings.get().staging_days);
        published
            .saturating_add(SignedDuration::from_hours(24 * days))
            .unwrap_or(Timestamp::MAX)
    }

    fn local_now(&self) -> Zoned {
        self.environment.now().to_zoned(self.environment.time_zone())
    }

    /// Is any upload at work, rather than waiting for something?
    fn is_working(&self) -> bool {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.values().any(|running| running.stage == Stage::Working)
    }
}

/// Begins to keep to the settings, unless somebody does already; ends with the last user of `inner`.
pub(super) fn oversee(inner: &Arc<Inner>) {
    if !inner.overseen.swap(true, Ordering::Relaxed) {
        tokio::spawn(keep_overseeing(Arc::downgrade(inner)));
    }
}

async fn keep_overseeing(inner: Weak<Inner>) {
    let mut awake = None;
    let mut tidied: Option<Timestamp> = None;
    // Whether the last look left something public.
    let left = Arc::new(tokio::sync::Mutex::new(false));
    while let Some(inner) = inner.upgrade() {
        inner.settings.refresh();
        inner.apply_settings();
        awake = match awake {
            _ if !(inner.is_working() && inner.settings.get().keep_awake) => None,
            Some(awake) => Some(awake),
            None => Some(inner.environment.keep_awake()),
        };
        let now = inner.environment.now();
        if let Ok(mut left) = Arc::clone(&left).try_lock_owned() {
            let pause = if *left { TIDY_AGAIN } else { TIDY };
            // A clock that was put back counts, too: who knows for how long it was wrong.
            let is_due = tidied.is_none_or(|tidied| now.duration_since(tidied).abs() >= pause);
            if inner.tidy_wanted.swap(false, Ordering::Relaxed) || is_due {
                tidied = Some(now);
                let inner = Arc::clone(&inner);
                // Beside this: a service that does not answer takes its time.
                tokio::spawn(async move {
                    *left = match inner.tidy().await {
                        Ok(tidied) => tidied.left > 0,
                        Err(error) => {
                            tracing::warn!(%error, "what is over its time could not be looked through");
                            true
                        }
                    };
                });
            }
        }
        drop(inner);
        tokio::time::sleep(LOOK).await;
    }
}
