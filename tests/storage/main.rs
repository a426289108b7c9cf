//! ccloud³ by object storage, whole: the programs as a person has them before Ceph's radosgw, which is what centron runs.

#![cfg(target_os = "linux")]

mod breaking;
mod journey;
mod keys;
mod kills;
mod person;
mod tls;
