//! The requirements from outside: whole reports, the edges of every rule, and the sentences for every code.

#![expect(clippy::unwrap_used, reason = "a helper that finds nothing has failed its test")]

mod access;
mod agent;
mod leftovers;
mod logins;
mod network;
mod reports;
mod rules;
mod start;
mod subjects;
mod texts;
mod words;
