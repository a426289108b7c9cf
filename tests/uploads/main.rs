//! Uploads that survive everything: a network that breaks, a program that is killed, a file that changes, a disk that is full.

#![cfg(target_os = "linux")]

mod faults;
mod kills;
mod object;
mod sources;
