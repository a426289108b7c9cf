//! What a caller holds in the hand while an upload runs: stop it, slow it down, try again now.

use std::{sync::Arc, time::Duration};

use tokio::sync::{Notify, futures::Notified};
use tokio_util::sync::CancellationToken;

use crate::{retry::Retry, throttle::Throttle};

/// How an upload is steered. Clones steer the same upload.
#[derive(Debug, Clone)]
pub struct Steering {
    /// Stops it at once; what was acknowledged is kept. Pausing, cancelling and the program's end all do this.
    pub cancel: CancellationToken,
    /// Bandwidth limit; may be shared by several uploads.
    pub throttle: Throttle,
    /// Ends a wait for the network early; may be shared by several uploads.
    pub retry_now: RetryNow,
    /// Waits and budgets.
    pub retry: Retry,
    /// When a request counts as stuck.
    pub stall: Stall,
    /// Most parts on the way at the same time; the target's own limit counts, too. How many really are adapts to the link.
    pub workers: u32,
    /// Bytes of parts that may be in memory at the same time. One part always may.
    pub memory: u64,
}

impl Default for Steering {
    fn default() -> Steering {
        Steering {
            cancel: CancellationToken::new(),
            throttle: Throttle::default(),
            retry_now: RetryNow::default(),
            retry: Retry::default(),
            stall: Stall::default(),
            workers: 10,
            // Of 150 MiB that the whole program may take.
            memory: 100 << 20,
        }
    }
}

/// Wakes uploads that wait for the network. Clones wake the same uploads.
#[derive(Debug, Clone, Default)]
pub struct RetryNow(Arc<Notify>);

impl RetryNow {
    /// Whoever waits now tries again now: the network is back, the computer woke up, somebody is impatient.
    pub fn wake(&self) {
        self.0.notify_waiters();
    }

    /// Ends when somebody wakes after this was called.
    pub fn woken(&self) -> Notified<'_> {
        self.0.notified()
    }
}

/// When a request counts as stuck: nothing was taken by the socket, or no answer came, for a while that adapts to the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stall {
    /// Shortest such while: for a link of which nothing bad is known.
    pub shortest: Duration,
    /// Longest such while.
    pub longest: Duration,
}

impl Default for Stall {
    fn default() -> Stall {
        Stall {
            // A mobile link that changes its cell is silent for some seconds; half a minute without a byte is more.
            shortest: Duration::from_secs(45),
            // 8 MiB in the system's own buffers at 1 kB/s take two hours and a third.
            longest: Duration::from_hours(3),
        }
    }
}
