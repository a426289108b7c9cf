//! The real window on a private desktop.
#![cfg(target_os = "linux")]

/// The driver itself, on a page of its own: what it claims to do reaches a web view.
mod driver;
/// The program.
mod journey;
/// What both ways share.
mod person;
/// The way by object storage.
mod storage;
