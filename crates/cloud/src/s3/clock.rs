//! The service's clock: a signature counts only for some minutes around its own time, and not every computer's clock is right.

use std::sync::atomic::{AtomicI64, Ordering};

use http::StatusCode;
use jiff::{SignedDuration, Timestamp};

use super::error::date;
use crate::http::Answer;

/// A smaller difference, in seconds, is no reason for a refusal: services allow 15 minutes.
const TOLERATED: i64 = 5 * 60;

/// By how much the service's clock differs from this computer's, as far as that mattered.
#[derive(Debug, Default)]
pub(super) struct Clock {
    /// Seconds to add.
    offset: AtomicI64,
}

impl Clock {
    /// The time to sign with.
    pub(super) fn now(&self) -> Timestamp {
        let offset = SignedDuration::from_secs(self.offset.load(Ordering::Relaxed));
        let now = Timestamp::now();
        now.checked_add(offset).unwrap_or(now)
    }

    /// True if a request that was `signed` then was refused by a service with quite another time: from now on that one counts.
    pub(super) fn corrected_by(&self, answer: &Answer, signed: Timestamp) -> bool {
        // Radosgw says no more than 403 to an address that is signed for another time; others say 400.
        if !matches!(answer.status, StatusCode::FORBIDDEN | StatusCode::BAD_REQUEST) {
            return false;
        }
        let Some(theirs) = date(answer) else { return false };
        if theirs.duration_since(signed).abs() <= SignedDuration::from_secs(TOLERATED) {
            return false;
        }
        let offset = theirs.duration_since(Timestamp::now()).as_secs();
        tracing::warn!(seconds = offset, "this computer's clock differs from the service's");
        self.offset.store(offset, Ordering::Relaxed);
        true
    }
}
