//! Filesystems made by the real mke2fs and the real kernel, compared file by file with what went in.
#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot make its image has failed"
)]

mod features;
mod hostile;
mod images;
mod journal;
mod opinions;
mod rare;
